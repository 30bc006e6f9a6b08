"""height·exp(-((x - centre)/width)²/2), a line in a spectrum.

Peaks of this form are what the reference problems Gauss1 to Gauss3 of NIST's Statistical Reference
Datasets (nonlinear regression) are made of. The data are 2·exp(-(x - 3)²/2) at x = 0, 0.5, ..., 6, rounded to
four decimals.

It teaches a symmetry: only the square of the width occurs, so that training ends at width 1 from 1.5, and
at -1 from -1.5, by gradients that differ in nothing but the width's sign.
"""

from verifier import model, squared_error
from verifier.functions import exp

DATA = {
    "x": [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0],
    "y": [0.0222, 0.0879, 0.2707, 0.6493, 1.2131, 1.765, 2.0, 1.765, 1.2131, 0.6493, 0.2707, 0.0879, 0.0222],
}


@model(loss=squared_error, data=DATA, train={"epochs": 23, "lr": 0.1})
def gaussian_peak(x, *, height=1.0, centre=2.5, width=1.5):
    return height * exp(-(((x - centre) / width) ** 2) / 2)
