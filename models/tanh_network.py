"""A network of 2 inputs, 3 tanh units and 1 output, on exclusive or.

D. E. Rumelhart, G. E. Hinton and R. J. Williams, "Learning Internal Representations by Error
Propagation", in Parallel Distributed Processing, volume 1, 1986, chapter 8, where exclusive or is the first
problem; here with inputs and outputs of -1 and 1. The start values are made up, small and of mixed sign.

It teaches backpropagation with nothing hidden: all thirteen derivatives can be read with `verifier show`.
The best linear model predicts 0 everywhere, at a mean loss of 1; training ends below 1e-6 on every row.
"""

from verifier import model, squared_error
from verifier.functions import tanh

DATA = {"x1": [-1.0, -1.0, 1.0, 1.0], "x2": [-1.0, 1.0, -1.0, 1.0], "y": [-1.0, 1.0, 1.0, -1.0]}


@model(loss=squared_error, data=DATA, train={"epochs": 75, "lr": 0.1})
def tanh_network(
    x1, x2, *,
    a1=0.5, b1=-0.4, c1=0.2,
    a2=-0.3, b2=0.6, c2=-0.2,
    a3=0.4, b3=0.5, c3=0.3,
    v1=0.5, v2=-0.4, v3=0.3, bias=0.0,
):  # fmt: skip
    h1 = tanh(a1 * x1 + b1 * x2 + c1)
    h2 = tanh(a2 * x1 + b2 * x2 + c2)
    h3 = tanh(a3 * x1 + b3 * x2 + c3)
    return v1 * h1 + v2 * h2 + v3 * h3 + bias
