"""100·(y - x²)² + (1 - x)², Rosenbrock's curved valley.

H. H. Rosenbrock, "An Automatic Method for Finding the Greatest or Least Value of a Function", The
Computer Journal 3, 1960, pages 175-184; problem 1 of Moré, Garbow and Hillstrom, ACM Trans. Math. Softw. 7,
1981, pages 17-41. It starts at (-1.2, 1), where it is 24.2; its minimum is 0 at (1, 1).

It teaches that a gradient that is right can still lead slowly: descent is down in the valley, below 4.2,
after two steps, and after 300 still above 3, with x below 0. With `--optimizer Adam --lr 0.5` it is below
0.01 by then.
"""

from verifier import model


@model(train={"epochs": 300, "lr": 0.001})
def rosenbrock(*, x=-1.2, y=1.0):
    return 100 * (y - x**2) ** 2 + (1 - x) ** 2
