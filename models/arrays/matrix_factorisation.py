"""A table of 6 rows and 5 columns as the product of two matrices of rank 2.

It has no columns of data: the table is a constant of the formula, which is minimised itself. It teaches that
U and V are not determined, since U·A and V·A⁻ᵀ have the same product.
"""

import numpy as np

from verifier import model, normal
from verifier.functions import mean

draw = np.random.default_rng(8)
TABLE = draw.normal(size=(6, 2)) @ draw.normal(size=(2, 5))


@model(train={"epochs": 12, "lr": 1.5})
def matrix_factorisation(*, U=normal(6, 2), V=normal(5, 2)):
    return mean((U @ V.T - TABLE) ** 2)
