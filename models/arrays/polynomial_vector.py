"""A polynomial of degree 3 with a vector of coefficients, by Horner's rule.

The data are 1 - 2·x + x³ at 11 points. It teaches entries of a vector by index; `polynomial` has the same
with a name for each coefficient.
"""

import numpy as np

from verifier import model, squared_error, zeros

X = np.linspace(-1.5, 1.5, 11)
DATA = {"x": X, "y": 1 - 2 * X + X**3}


@model(loss=squared_error, data=DATA, train={"epochs": 12, "lr": 0.2, "batch": "all"})
def polynomial_vector(x, *, c=zeros(4)):
    value = c[3]
    for place in (2, 1, 0):
        value = value * x + c[place]
    return value
