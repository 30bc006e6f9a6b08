"""y = w1·x² + w2·x + b on three points that lie on a line: the tutorial's second model."""
from verifier import model, squared_error

@model(loss=squared_error, data={"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.0]}, train={"epochs": 100, "lr": 0.01})
def quadratic(x, *, w1=1.0, w2=1.0, b=0.0):
    return w1 * x**2 + w2 * x + b
