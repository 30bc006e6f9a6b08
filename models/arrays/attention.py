"""One head of attention over four tokens, then a mean and a linear layer.

A. Vaswani et al., "Attention Is All You Need", arXiv:1706.03762, equation 1. A row of the data is a matrix,
a token a line; the target is the first number of the token whose second number is largest. It teaches
products of batches of matrices.
"""

import numpy as np

from verifier import model, normal, squared_error
from verifier.functions import mean, softmax, sqrt, transpose

X = np.random.default_rng(10).normal(size=(10, 4, 3))
DATA = {"x": X, "y": X[np.arange(10), X[:, :, 1].argmax(axis=1), 0]}


@model(loss=squared_error, data=DATA, train={"epochs": 8, "lr": 0.5, "batch": "all"})
def attention(x, *, Q=normal(3, 3), K=normal(3, 3), V=normal(3, 3), out=normal(3)):
    query, key, value = x @ Q, x @ K, x @ V
    weights = softmax(query @ transpose(key, (0, 2, 1)) / sqrt(3.0), axis=2)
    return mean(weights @ value, axis=1) @ out
