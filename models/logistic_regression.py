"""slope·(degrees - 70)/10 + level, the log-odds of damage by cold.

S. R. Dalal, E. B. Fowlkes and B. Hoadley, "Risk Analysis of the Space Shuttle: Pre-Challenger Prediction
of Failure", J. Am. Stat. Assoc. 84, 1989, pages 945-957: the 23 flights before Challenger, the
temperature at launch in degrees Fahrenheit, and whether an O-ring showed thermal distress (1) or not (0).

It teaches a loss on logits, softplus(z) - y·z, which needs no probability and cannot overflow. Training
ends at the maximum of the likelihood, slope -2.32 per 10 degrees and level -1.21; at 31 degrees, the
morning of the accident, the log-odds there are 7.8.
"""

from verifier import model
from verifier.losses import binary_cross_entropy_with_logits

DATA = {
    "degrees": [66, 70, 69, 68, 67, 72, 73, 70, 57, 63, 70, 78, 67, 53, 67, 75, 70, 81, 76, 79, 75, 76, 58],
    "y": [0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1],
}


@model(loss=binary_cross_entropy_with_logits, data=DATA, train={"epochs": 300, "lr": 1.0, "batch": "all"})
def logistic_regression(degrees, *, slope=0.0, level=0.0):
    return slope * (degrees - 70) / 10 + level
