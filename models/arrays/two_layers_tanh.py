"""A network of 2 inputs, 5 tanh units and 1 output, on a saddle.

The data are x1·x2 at 16 points of a square. It teaches that `tanh_network`, which names each of its weights,
is two products of matrices.
"""

import numpy as np

from verifier import model, normal, squared_error, zeros
from verifier.functions import tanh

GRID = np.linspace(-1.5, 1.5, 4)
X = np.array([(one, other) for one in GRID for other in GRID])
DATA = {"x": X, "y": X[:, 0] * X[:, 1]}


@model(loss=squared_error, data=DATA, train={"epochs": 10, "lr": 0.5, "batch": "all"})
def two_layers_tanh(x, *, W1=normal(2, 5), b1=zeros(5), w2=normal(5), b2=0.0):
    return tanh(x @ W1 + b1) @ w2 + b2
