"""level + slope·(x - 9), a line that an outlier does not turn.

P. J. Huber, "Robust Estimation of a Location Parameter", Ann. Math. Statist. 35, 1964, pages 73-101; the
data are the third set of F. J. Anscombe, "Graphs in Statistical Analysis", The American Statistician 27,
1973, pages 17-21: ten points on a line, and one far above it.

It teaches what a loss that grows like a line beyond delta = 0.1 does: training starts at the least-squares
line, slope 0.500 and level 7.50, and ends at slope 0.350 and level 7.13; the ten points alone have 0.345
and 7.11. The gradient switches formula at delta, and each side is judged by its own.
"""

from functools import partial

from verifier import model
from verifier.losses import huber

DATA = {
    "x": [10.0, 8.0, 13.0, 9.0, 11.0, 14.0, 6.0, 4.0, 12.0, 7.0, 5.0],
    "y": [7.46, 6.77, 12.74, 7.11, 7.81, 8.84, 6.08, 5.39, 8.15, 6.42, 5.73],
}


@model(loss=partial(huber, delta=0.1), data=DATA, train={"epochs": 300, "lr": 0.1, "batch": "all"})
def robust_line(x, *, slope=0.5, level=7.5):
    return level + slope * (x - 9)
