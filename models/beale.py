"""Three squares of a - x·(1 - y^i), i = 1, 2, 3: Beale's function.

E. M. L. Beale, "On an Iterative Method for Finding a Local Minimum of a Function of More than One
Variable", Technical Report 25, Statistical Techniques Research Group, Princeton University, 1958;
problem 5 of Moré, Garbow and Hillstrom, ACM Trans. Math. Softw. 7, 1981, pages 17-41. It starts at (1, 1),
where it is 14.203125; its minimum is 0 at (3, 0.5).

It teaches a gradient that is 0 in one component only: at the start the derivative by x is exactly 0, as
1 - y^i is, and that by y is 27.75; by the second step both are at work. Adam comes within 0.001 of the minimum.
"""

from verifier import model


@model(train={"epochs": 300, "lr": 0.1, "optimizer": "Adam"})
def beale(*, x=1.0, y=1.0):
    return (1.5 - x * (1 - y)) ** 2 + (2.25 - x * (1 - y**2)) ** 2 + (2.625 - x * (1 - y**3)) ** 2
