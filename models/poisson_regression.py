"""level + slope·(quarter - 7.5)/10, the logarithm of a mean count.

A. J. Dobson, An Introduction to Generalized Linear Models, 1990: deaths from AIDS in Australia in fourteen
quarters, from 1983 to 1986.

It teaches that a loss need not be 0 at its minimum, nor positive: exp(z) - y·z leaves log(y!) out and
ends at a mean of -33.72. Training ends at the maximum of the likelihood, slope 2.565 and level 2.264: deaths
grow by a factor of exp(0.2565) = 1.29 a quarter.
"""

from verifier import model
from verifier.losses import poisson_nll

DATA = {
    "quarter": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
    "y": [0, 1, 2, 3, 1, 4, 9, 18, 23, 31, 20, 25, 37, 45],
}


@model(loss=poisson_nll, data=DATA, train={"epochs": 300, "lr": 0.03, "batch": "all"})
def poisson_regression(quarter, *, slope=0.0, level=0.0):
    return level + slope * (quarter - 7.5) / 10
