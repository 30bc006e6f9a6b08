"""c0 + x·(c1 + x·(c2 + x·c3)), a polynomial in Horner's form.

Horner's rule (W. G. Horner, Phil. Trans. R. Soc. 109, 1819, pages 308-335; Higham, Accuracy and
Stability of Numerical Algorithms, 2nd ed., 2002, section 5.1) takes one product and one sum a degree.

It teaches that the order of operations is part of a model: the text is computed as it is written, and
the gradient of each coefficient goes through the same nested products, so that c3's allowance counts
more roundings than c0's (the detection limits in the report). `of_degree` builds the family.

The data are the Chebyshev polynomial T3(x) = 4x³ - 3x at nine points that floats hold exactly. Training
of degree 3 ends within 0.03 of its coefficients 0, -3, 0, 4; degree 2 has no better fit than a mean
squared error of 0.6187.
"""

from verifier import Model, squared_error

X = [-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0]
Y = [-1.0, 0.5625, 1.0, 0.6875, 0.0, -0.6875, -1.0, -0.5625, 1.0]


def of_degree(degree):
    """The model of that degree, 1 or more, with coefficients c0, c1, ... that start at 0."""
    formula = f"c{degree}"
    for power in reversed(range(degree)):
        inner = f"({formula})" if power < degree - 1 else formula
        formula = f"c{power} + x*{inner}"
    return Model.from_text(
        formula,
        inputs="x",
        start={f"c{power}": 0.0 for power in range(degree + 1)},
        loss=squared_error,
        data={"x": X, "y": Y},
        train={"epochs": 33, "lr": 0.2},
        name="polynomial",
    )


polynomial = of_degree(3)
