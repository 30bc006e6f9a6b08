"""The log-likelihood of three Gaussian components, as a log-sum-exp.

C. M. Bishop, "Pattern Recognition and Machine Learning", 2006, equation 9.14, without the constant. It
teaches parameters without constraints: logits for the weights, logarithms for the widths.
"""

import numpy as np

from verifier import model, zeros
from verifier.functions import exp, log_softmax, logsumexp

draw = np.random.default_rng(12)
DATA = {"x": np.concatenate([draw.normal(centre, 0.5, 10) for centre in (-2.0, 0.0, 3.0)])}


def negative(prediction):
    return -prediction


@model(loss=negative, data=DATA, train={"epochs": 10, "lr": 0.5, "batch": "all"})
def gaussian_mixture(x, *, logits=zeros(3), means=[-1.0, 0.2, 1.0], log_widths=zeros(3)):  # noqa: B006
    scaled = (x[:, None] - means) / exp(log_widths)
    return logsumexp(log_softmax(logits) - log_widths - scaled**2 / 2, axis=1)
