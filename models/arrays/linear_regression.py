"""x·w + b with a weight for each of three columns.

The 24 rows are drawn around w = (1, -2, 0.5) and b = 0.3 with noise of 0.1. It teaches the shapes: a row
of `x` has 3 numbers, and `x @ w` has one for each row.
"""

import numpy as np

from verifier import model, squared_error, zeros

draw = np.random.default_rng(1)
X = draw.normal(size=(24, 3))
DATA = {"x": X, "y": X @ [1.0, -2.0, 0.5] + 0.3 + 0.1 * draw.normal(size=24)}


@model(loss=squared_error, data=DATA, train={"epochs": 4, "lr": 0.2, "batch": 8})
def linear_regression(x, *, w=zeros(3), b=0.0):
    return x @ w + b
