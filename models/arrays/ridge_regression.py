"""x·w with a penalty on the square of the weights.

A. E. Hoerl and R. W. Kennard, "Ridge Regression", Technometrics 12, 1970, pages 55-67. It teaches a loss
that is one number for the whole batch, since it takes a parameter beside the data; two of the four columns
are nearly the same, and the penalty shares the weight between them.
"""

import numpy as np

from verifier import model, normal
from verifier.functions import mean, sum

draw = np.random.default_rng(2)
X = draw.normal(size=(20, 4))
X[:, 3] = X[:, 2] + 0.05 * draw.normal(size=20)
DATA = {"x": X, "y": X @ [1.0, 0.0, 2.0, 0.0] + 0.1 * draw.normal(size=20)}


def penalised(prediction, y, w):
    return mean((prediction - y) ** 2) + 0.1 * sum(w**2)


@model(loss=penalised, data=DATA, train={"epochs": 10, "lr": 0.1, "batch": "all"})
def ridge_regression(x, *, w=normal(4, scale=0.1)):
    return x @ w
