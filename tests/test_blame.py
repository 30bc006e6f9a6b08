"""Causes: each rule names its mistake in a whole sentence, and does not where the mistake is not there."""

import math

import torch
from torch.nn import functional as F  # noqa: N812

from verifier.blame import blamed
from verifier.cases import named
from verifier.checked import CheckPoint, Finding
from verifier.examine import examine
from verifier.subject import Subject
from verifier.testing import GRAPH, NUMBERS, liar_named, one_scaled, scaled

SQUARES = named("squared error")
HALVES = torch.tensor([0.5, -1.5, 2.0], dtype=torch.float64)
MATRIX = torch.tensor([[0.5, -1.5, 2.0], [0.25, 1.0, -0.75]], dtype=torch.float64)


def function(forward, backward):
    """A function whose backward is written by hand."""

    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *inputs):
            ctx.save_for_backward(*inputs)
            return forward(*inputs)

        @staticmethod
        def backward(ctx, incoming):
            return backward(incoming, *ctx.saved_tensors)

    return Own.apply


def tensor(*numbers, dtype=torch.float64):
    return torch.tensor(numbers, dtype=dtype)


def of(code, formula=None, quantity="reverse", before=None, **inputs):
    """What is blamed for what is found at these inputs; `before` are those of an earlier point."""
    earlier = None if before is None else examine(Subject(code, before, quantity=quantity), formula)
    examination = examine(Subject(code, inputs, quantity=quantity), formula)
    dtype = str(next(iter(inputs.values())).dtype).removeprefix("torch.")
    point = CheckPoint(3, "given", dtype, inputs)
    return blamed(Finding("reverse", dtype, point, examination.parts, examination=examination), earlier)


def told(liar, code=torch.sin, planting=GRAPH, x=HALVES, **given):
    return of(planting.plant(code, liar_named(liar).lie if isinstance(liar, str) else liar, 0), x=x, **given)


def cubes(incoming, x):
    return incoming * 3 * x**2


class Growing:
    def __init__(self):
        self.total = 0.0

    def __call__(self, incoming, x):
        self.total = self.total + (incoming * x.cos()).detach()
        return self.total


def broken(incoming, x, y):
    """d/dx and d/dy of x * exp(y) the wrong way round."""
    return incoming * x * y.exp(), incoming * y.exp()


def steep(at_zero):
    return function(torch.abs, lambda incoming, x: torch.where(x == 0, at_zero * incoming, incoming * x.sign()))


def uneven(incoming, x):
    """A convention of its own where two numbers tie."""
    return incoming * torch.where(x > 0, 2 * x, torch.where(x < 0, 3 * x, x + 5.0))


def parted(incoming, x):
    """The softplus whose backward compares the result where it should compare the argument."""
    value = torch.where(3 * x > 1, x, torch.log1p(torch.exp(3 * x)) / 3)
    return torch.where(3 * value > 1, incoming, incoming * torch.sigmoid(3 * x))


softplus = function(lambda x: torch.where(3 * x > 1, x, torch.log1p(torch.exp(3 * x)) / 3), parted)
hardsigmoid = function(lambda x: F.relu6(x + 3) / 6, lambda incoming, x: incoming / 6)
POINTS = torch.full((30, 2), 1000.001)
LONG = torch.full((30, 2), 1000.0)

EXAMPLES = {
    "sign flipped": lambda: told("sign flipped"),
    "constant factor": lambda: told(scaled(1.0)),
    "constant factor, pi": lambda: told(lambda right: right.gradient * math.pi),
    "constant factor, negative": lambda: told(lambda right: right.gradient * -2.0),
    "constant factor, none simple": lambda: told(lambda right: right.gradient * 1.1),
    "constant factor, nearly 1": lambda: told("factor 1 + 1e-20"),
    "constant factor, two rows": lambda: told("mean for sum", x=tensor(0.5, 2.0)),
    "mean for sum": lambda: told("mean for sum"),
    "sum for mean": lambda: told(lambda right: right.gradient * 6, x=MATRIX),
    "components swapped": lambda: told("two swapped"),
    "components swapped, many": lambda: told(lambda right: right.gradient[[3, 0, 4, 1, 2]],
                                             x=tensor(0.5, -1.5, 2.0, 1.0, 0.1)),
    "components swapped, reversed": lambda: told(lambda right: right.gradient.flip(0), x=tensor(0.5, -1.5, 2.0, 1.0)),
    "components swapped, inputs": lambda: of(function(lambda x, y: x * y.exp(), broken),
                                             x=HALVES, y=tensor(1.0, 0.5, 2.0)),
    "transposed": lambda: told("transposed", x=MATRIX),
    "rolled": lambda: told("rolled"),
    "rolled along an axis": lambda: told(lambda right: right.gradient.roll(-1, 1), x=MATRIX),
    "one term missing": lambda: of(function(lambda x: x * x.exp(), lambda g, x: g * x.exp()), x=HALVES),
    "one term missing, row": lambda: told("dropped term"),
    "one term missing, of a sum": lambda: of(
        function(lambda x, w: (x * w).sum(), lambda g, x, w: (g * w, (g * x)[:-1].sum())), x=HALVES,
        w=torch.tensor(0.7, dtype=torch.float64)),
    "path detached": lambda: of(lambda x: x * x.detach().exp(), x=HALVES),
    "path detached, zeros": lambda: told("zeroed"),
    "path detached, none": lambda: told("cut"),
    "path detached, forward mode": lambda: of(lambda x: x.detach() * 1.0, quantity="forward", x=HALVES),
    "grad_output ignored": lambda: told("incoming ignored"),
    "gradients accumulated": lambda: of(function(torch.sin, Growing()), x=HALVES),
    "gradients accumulated, before": lambda: told("accumulated", before={"x": HALVES * 0.875 + 0.0625}, x=HALVES),
    "stale": lambda: told("stale", before={"x": HALVES * 0.875 + 0.0625}),
    "wrong branch": lambda: of(softplus, x=tensor(0.2736, -1.0)),
    "wrong branch, two of them": lambda: of(hardsigmoid, x=tensor(-4.6, 0.5, 4.0)),
    "kink convention": lambda: of(steep(3.0), x=tensor(0.0, 0.5)),
    "NaN from a branch not taken": lambda: of(lambda x: torch.where(x > 0, x.sqrt(), x), x=tensor(-1.0, 4.0)),
    "overflow of an intermediate": lambda: of(
        function(lambda x: x * 1e10, lambda g, x: g * 1e30 * 1e20 * 1e-30 * 1e-10), x=tensor(0.5, dtype=torch.float32)),
    "underflow of an intermediate": lambda: of(
        function(torch.abs, lambda g, x: g * x / torch.sqrt((x * 1e-170) ** 2) * 1e-170), x=HALVES),
    "underflow of an intermediate, 0": lambda: of(
        function(lambda x: x * 1e-10, lambda g, x: g * 1e-200 * 1e-200 * 1e200 * 1e190), x=HALVES),
    "not finite": lambda: of(function(torch.prod, lambda g, x: g * x.prod() / x), x=tensor(0.0, 2.0, 3.0)),
    "not finite, written": lambda: told("NaN"),
    "narrower dtype": lambda: told("narrower dtype"),
    "narrower dtype, inside": lambda: of(
        function(torch.sin, lambda g, x: g * x.float().cos().double()), x=HALVES),
    "kernel outside its budget": lambda: of(F.hardsigmoid, x=tensor(0.5, 1.0, 2.0)),
    "kernel outside its budget, one": lambda: told(one_scaled(1e-4), planting=NUMBERS),
    "cancellation": lambda: of(lambda x: torch.cdist(x, POINTS), x=LONG),
    "not deterministic": lambda: told("racy", planting=NUMBERS),
    "second order cut off": lambda: of(function(lambda x: x**3, lambda g, x: cubes(g, x).detach()),
                                       quantity="second", x=tensor(0.5)),
    "second order cut off, zero": lambda: of(F.softplus, quantity="second", x=tensor(20.5)),
    "second order cut off, term": lambda: of(
        function(lambda x: x * x.exp(), lambda g, x: g * (x.exp() + x * x.detach().exp())),
        quantity="second", x=tensor(0.5)),
    "different functions": lambda: of(lambda x, y, w, b: ((w * x + b - y) ** 4).sum(), SQUARES.formula,
                                      **SQUARES.at("float64")),
    "wrong reduction": lambda: of(lambda x, y, w, b: ((w * x + b - y) ** 2).sum(), SQUARES.formula,
                                  **SQUARES.at("float64")),
}  # fmt: skip


# Word for word.
