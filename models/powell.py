"""Powell's singular function of four variables.

M. J. D. Powell, "An Iterative Method for Finding Stationary Values of a Function of Several Variables",
The Computer Journal 5, 1962, pages 147-151; problem 13 of Moré, Garbow and Hillstrom, ACM Trans. Math.
Softw. 7, 1981, pages 17-41. It starts at (3, -1, 0, 1), where it is 215; its minimum is 0 at the origin,
where the matrix of second derivatives is singular.

It teaches how flat a fourth power is: the loss falls from 215 to below 10 in 20 steps and is still
above 0.2 after 300, as the gradient vanishes with the third power of the distance.
"""

from verifier import model


@model(train={"epochs": 300, "lr": 0.002})
def powell(*, x1=3.0, x2=-1.0, x3=0.0, x4=1.0):
    return (x1 + 10 * x2) ** 2 + 5 * (x3 - x4) ** 2 + (x2 - 2 * x3) ** 4 + 10 * (x1 - x4) ** 4
