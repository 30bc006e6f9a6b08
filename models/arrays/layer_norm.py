"""Rows with mean 0 and variance 1, scaled and shifted, before a linear layer.

J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer Normalization", arXiv:1607.06450. It teaches a mean within
each row: the gradient by an entry of W1 goes through all entries of its row.
"""

import numpy as np

from verifier import model, normal, squared_error, zeros
from verifier.functions import mean, sqrt

X = np.random.default_rng(9).normal(size=(12, 3))
DATA = {"x": X, "y": X[:, 0] - X[:, 1] * X[:, 2]}


@model(loss=squared_error, data=DATA, train={"epochs": 8, "lr": 0.1, "batch": "all"})
def layer_norm(x, *, W1=normal(3, 6), scale=np.ones(6), shift=zeros(6), w2=normal(6)):
    hidden = x @ W1
    centred = hidden - mean(hidden, axis=1)[:, None]
    variance = mean(centred**2, axis=1)[:, None]
    return (centred / sqrt(variance + 1e-5) * scale + shift) @ w2
