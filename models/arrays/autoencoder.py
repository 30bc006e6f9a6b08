"""Four numbers through two and back, by one matrix and its transpose.

The rows lie near a plane in four dimensions. It teaches a loss against the input itself, whose four squares
are added up in each row, and a matrix that is used twice: both paths add to its gradient.
"""

import numpy as np

from verifier import model, normal, squared_error, zeros
from verifier.functions import tanh

draw = np.random.default_rng(7)
PLANE = draw.normal(size=(16, 2)) @ draw.normal(size=(2, 4))
DATA = {"x": PLANE + 0.05 * draw.normal(size=(16, 4))}


def reconstruction(prediction, x):
    return squared_error(prediction, x)


@model(loss=reconstruction, data=DATA, train={"epochs": 10, "lr": 0.1, "batch": "all"})
def autoencoder(x, *, W=normal(4, 2), b=zeros(2), c=zeros(4)):
    return tanh(x @ W + b) @ W.T + c
