"""(x² + y - 11)² + (x + y² - 7)², Himmelblau's four minima.

D. M. Himmelblau, Applied Nonlinear Programming, McGraw-Hill, 1972. It starts at (0, 0), where it is 170;
it is 0 at (3, 2), (-2.805, 3.131), (-3.779, -3.283) and (3.584, -1.848).

It teaches that the start chooses the minimum: training from (0, 0) ends at (3, 2), from (-1, 1), (-1, -1)
and (1, -1) at the other three.
"""

from verifier import model


@model(train={"epochs": 100, "lr": 0.01})
def himmelblau(*, x=0.0, y=0.0):
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2
