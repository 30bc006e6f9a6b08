"""a·exp(-d·t)·cos(w·t), a swing that dies away.

The underdamped harmonic oscillator let go at rest (for small d) of any book on mechanics. The data are
2·exp(-t/4)·cos(2t) at t = 0, 0.5, ..., 8, rounded to four decimals.

It teaches that the start decides: from w = 1.8 training ends at w = 2.00 and a mean squared error below
0.001; from w = 4 the swings are out of step with the data, and it damps them away instead (d above 1),
at a mean squared error of 0.28.
"""

from verifier import model, squared_error
from verifier.functions import cos, exp

DATA = {
    "t": [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0, 7.5, 8.0],
    "y": [
        2.0, 0.9536, -0.6482, -1.3608, -0.7929, 0.3037, 0.9071, 0.6285, -0.1071,
        -0.5916, -0.4808, 0.0022, 0.3766, 0.3574, 0.0475, -0.233, -0.2592,
    ],
}  # fmt: skip


@model(loss=squared_error, data=DATA, train={"epochs": 18, "lr": 0.05})
def damped_oscillation(t, *, a=1.0, d=0.1, w=1.8):
    return a * exp(-d * t) * cos(w * t)
