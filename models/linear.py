"""y = w·x on three points of a line through the origin: the tutorial's first model."""
from verifier import model, squared_error

@model(loss=squared_error, data={"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.0]}, train={"epochs": 100, "lr": 0.01})
def linear(x, *, w=1.0):
    return w * x
