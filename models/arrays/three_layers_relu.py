"""A network of 3 inputs, two layers of 5 ReLU units and 1 output.

The data are |x1| + x2·x3 at 20 random points. It teaches units that are off: an entry of a gradient is
exactly 0 where no row of the batch reaches its unit.
"""

import numpy as np

from verifier import model, normal, squared_error, zeros
from verifier.functions import maximum

X = np.random.default_rng(6).normal(size=(20, 3))
DATA = {"x": X, "y": np.abs(X[:, 0]) + X[:, 1] * X[:, 2]}


@model(loss=squared_error, data=DATA, train={"epochs": 5, "lr": 0.1, "batch": 10})
def three_layers_relu(
    x, *, W1=normal(3, 5), b1=zeros(5), W2=normal(5, 5), b2=zeros(5), w3=normal(5), b3=0.0
):
    first = maximum(x @ W1 + b1, 0)
    second = maximum(first @ W2 + b2, 0)
    return second @ w3 + b3
