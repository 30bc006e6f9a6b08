"""v·c / (km + c), the rate of an enzyme's reaction.

L. Michaelis and M. L. Menten, Biochem. Z. 49, 1913, pages 333-369. The data are the treated cells of the
Puromycin experiment (Treloar 1974), as in Bates and Watts, Nonlinear Regression Analysis and Its
Applications, 1988, appendix A1.3: concentrations, here in tenths of a ppm, and rates, here in hundreds
of counts/min².

It teaches scaling: in these units plain gradient descent ends at the least-squares estimates v = 2.127
and km = 0.641 (212.7 and 0.0641 in theirs), with a mean squared error of 0.00996; in ppm the curvature
along km is a hundred times as large, and the same learning rate ends with km above 10 ppm.
"""

from verifier import model, squared_error

DATA = {
    "c": [0.2, 0.2, 0.6, 0.6, 1.1, 1.1, 2.2, 2.2, 5.6, 5.6, 11.0, 11.0],
    "y": [0.76, 0.47, 0.97, 1.07, 1.23, 1.39, 1.59, 1.52, 1.91, 2.01, 2.07, 2.00],
}


@model(loss=squared_error, data=DATA, train={"epochs": 300, "lr": 0.2, "batch": "all"})
def michaelis_menten(c, *, v=1.0, km=1.0):
    return v * c / (km + c)
