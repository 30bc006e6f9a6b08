"""x·W + b as the logits of three classes.

Each class is a cloud of 10 points around a corner of a triangle. It teaches cross-entropy on a matrix of
logits, a row for each row of the data, with labels 0, 1 and 2.
"""

import numpy as np

from verifier import cross_entropy, model, zeros

draw = np.random.default_rng(4)
CORNERS = np.array([[0.0, 2.0], [2.0, -1.0], [-2.0, -1.0]])
LABELS = np.arange(30) % 3
DATA = {"x": CORNERS[LABELS] + draw.normal(size=(30, 2)), "y": LABELS}


@model(loss=cross_entropy, data=DATA, train={"epochs": 5, "lr": 0.5, "batch": 15, "shuffle": True})
def softmax_regression(x, *, W=zeros(2, 3), b=zeros(3)):
    return x @ W + b
