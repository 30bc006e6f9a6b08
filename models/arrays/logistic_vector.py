"""x·w + b as the log-odds of two classes.

The two classes are clouds of 20 points around (1, 1) and (-1, -1). It teaches the loss on logits with a
vector of weights: its gradient by w is the mean of (sigmoid(x·w + b) - y)·x.
"""

import numpy as np

from verifier import binary_cross_entropy_with_logits, model, zeros

draw = np.random.default_rng(3)
LABELS = np.repeat([1.0, 0.0], 20)
DATA = {"x": draw.normal(size=(40, 2)) + (2 * LABELS - 1)[:, None], "y": LABELS}


@model(loss=binary_cross_entropy_with_logits, data=DATA, train={"epochs": 10, "lr": 0.5, "batch": "all"})
def logistic_vector(x, *, w=zeros(2), b=0.0):
    return x @ w + b
