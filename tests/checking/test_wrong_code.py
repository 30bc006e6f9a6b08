"""Each kind of wrong code is found, and its right companion agrees: what is wrong happens only at
some points, for some grad_output, in some layout, use, size or mode.
"""

import numpy as np
import pytest
import torch

import verifier
from tests.helpers.own_backward import with_slope
from verifier.checking import points

SIX = verifier.between(-2, 2, shape=(6,))
ROWS = verifier.between(-2, 2, shape=(4, 3))
IMAGE = verifier.between(-1, 1, shape=(2, 3, 2, 2))


def square(rule):
    """The square of x; `rule` takes ctx, grad_output, x and the right gradient, and says which
    share of it is stated.
    """

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 2 * x * rule(ctx, g, x)

    return lambda x: Square.apply(x)


def product(rule):
    """The product of x and y; `rule` says which share of x's gradient is stated."""

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return x * y

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return g * y * rule(ctx, g, x, y), g * x

    return lambda x, y: Product.apply(x, y)


def half(condition):
    """1/2 where a tensor or a truth value is true, else 1."""
    if isinstance(condition, torch.Tensor):
        return torch.where(condition, 0.5, 1.0)
    return 0.5 if condition else 1.0


POINTS = {
    "above a border": lambda c, g, x: half(x > 1.8),
    "a narrow piece": lambda c, g, x: half((x - 0.63).abs() < 1e-4),
    "two neighbours": lambda c, g, x: half((x > 1.8) & (x.roll(1) < -1.8)),
    "all positive": lambda c, g, x: half(bool((x > 0).all())),
    "all negative": lambda c, g, x: half((x < 0).all()),
    "sorted": lambda c, g, x: half((x[1:] < x[:-1]).all()),
    "ties far apart": lambda c, g, x: half((x[0] == x[3]) & (x[0] != x[1])),
    "the largest in one place": lambda c, g, x: half(x.argmax() == 4),
    "a sum near its end": lambda c, g, x: half(x.sum() < -11.5),
    "one number": lambda c, g, x: half(x == 0.375),
}
SEEDS = {
    "ones": lambda c, g, x: half((g == 1).all()),
    "one number": lambda c, g, x: half((g != 0).sum() == 1),
    "positive": lambda c, g, x: half((g > 0).all()),
    "negative": lambda c, g, x: half((g < 0).all()),
    "constant": lambda c, g, x: half((g == g[:1]).all()),
    "large": lambda c, g, x: half(g.abs() > 3e4),
    "tiny": lambda c, g, x: half(g.abs() < 3e-5),
    "zero": lambda c, g, x: g / g,
}
LAYOUTS = {
    "an offset of x": lambda c, g, x: half(x.is_contiguous() and x.storage_offset() > 0),
    "an offset of g": lambda c, g, x: half(g.is_contiguous() and g.storage_offset() > 0),
    "g alone": lambda c, g, x: half(x.is_contiguous() and not g.is_contiguous()),
    "x alone": lambda c, g, x: half(g.is_contiguous() and not x.is_contiguous()),
    "the last axis expanded": lambda c, g, x: half(x.stride(-1) == 0),
    "g expanded": lambda c, g, x: half(0 in g.stride() and 0 not in x.stride()),
}


def outcome(code, inputs=None, **given):
    report = verifier.check(code, inputs=inputs or {"x": SIX}, **given)
    assert not report.checked.failed
    assert not report.checked.internal_errors
    return report.outcome


def right(*_):
    return 1.0


def doubled_later(ctx, g, x):
    ctx.calls = getattr(ctx, "calls", 0) + 1
    return half(ctx.calls == 2)


@pytest.mark.parametrize("kind", POINTS)
def test_wrong_at_some_points(kind):
    assert outcome(square(POINTS[kind]), dtypes=["float32"]) == "disagrees"


@pytest.mark.parametrize("count", [1, 3, 64])
def test_a_border_is_reached_whatever_the_shape(count):
    inputs = {"x": verifier.between(-2, 2, shape=(count,))}
    assert outcome(square(POINTS["above a border"]), inputs, dtypes=["float32"]) == "disagrees"


@pytest.mark.parametrize("kind", SEEDS)
def test_wrong_for_some_grad_outputs(kind):
    assert outcome(square(SEEDS[kind]), dtypes=["float64"]) == "disagrees"


@pytest.mark.parametrize("kind", LAYOUTS)
def test_wrong_in_some_layouts(kind):
    assert outcome(square(LAYOUTS[kind]), {"x": ROWS}, dtypes=["float32"]) == "disagrees"


def test_wrong_with_the_channels_last():
    def rule(ctx, g, x):
        last = x.is_contiguous(memory_format=torch.channels_last)
        return half(last and not x.is_contiguous())

    assert outcome(square(rule), {"x": IMAGE}, dtypes=["float32"]) == "disagrees"


def test_two_conditions_on_two_inputs():
    code = product(lambda c, g, x, y: half((x > 1.8) & (y < -1.8)))
    assert outcome(code, {"x": SIX, "y": SIX}, dtypes=["float32"]) == "disagrees"


def test_a_backward_that_cannot_be_read():
    def slope(x):
        there = x.detach().numpy()
        return torch.from_numpy(2 * there * np.where(there > 1.8, 0.5, 1.0).astype(there.dtype))

    square = with_slope(torch.square, slope)
    given = {"reference": lambda x: x * x, "dtypes": ["float32"], "without": ["second"]}
    assert outcome(lambda x: square(x), **given) == "disagrees"


@pytest.mark.parametrize(("needed", "share"), [(1, 1.0), (1, 2.0)])
def test_one_input_alone_requires_a_gradient(needed, share):
    code = product(lambda c, g, x, y: 1.0 if c.needs_input_grad[needed] else share)
    wanted = "agrees" if share == 1.0 else "disagrees"
    assert outcome(code, {"x": SIX, "y": SIX}, dtypes=["float32"]) == wanted


def test_the_same_tensor_for_two_inputs():
    code = product(lambda c, g, x, y: half(x.data_ptr() == y.data_ptr()))
    assert outcome(code, {"x": SIX, "y": SIX}, dtypes=["float32"]) == "disagrees"


def test_a_second_backward_through_the_same_graph():
    assert outcome(square(doubled_later), dtypes=["float32"]) == "disagrees"


def test_a_forward_between_a_forward_and_its_backward():
    kept = {}

    def rule(ctx, g, x):
        return kept["x"] / x

    def code(x):
        result = square(rule)(x)
        kept["x"] = x.detach().clone()
        return result

    given = {"reference": lambda x: x * x, "dtypes": ["float32"], "without": ["second"]}
    assert outcome(code, **given) == "disagrees"


def test_the_first_call_alone():
    calls = []

    def rule(ctx, g, x):
        calls.append(None)
        return half(len(calls) == 1)

    given = {"reference": lambda x: x * x, "dtypes": ["float32"]}
    assert outcome(square(rule), **given) == "disagrees"


@pytest.mark.parametrize("size", [1, 67])
def test_another_batch_size(size):
    rule = square(lambda c, g, x: half(len(x) == size))
    assert outcome(rule, {"x": ROWS}, dtypes=["float32"]) == "disagrees"


def test_a_value_without_gradients():
    code = lambda x: x * x * half(not torch.is_grad_enabled())  # noqa: E731
    assert outcome(code, dtypes=["float32"]) == "disagrees"


def test_autocast():
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x * half(torch.is_autocast_enabled("cpu"))

        @staticmethod
        def backward(ctx, g):
            return g * 2 * ctx.saved_tensors[0]

    assert outcome(lambda x: Square.apply(x), dtypes=["float32"]) == "disagrees"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_right_companions_agree(dtype):
    assert outcome(square(right), dtypes=[dtype]) == "agrees"
    assert outcome(square(right), {"x": ROWS}, dtypes=[dtype]) == "agrees"
    assert outcome(square(right), {"x": IMAGE}, dtypes=[dtype]) == "agrees"
    assert outcome(product(right), {"x": SIX, "y": SIX}, dtypes=[dtype]) == "agrees"


@pytest.mark.parametrize("layer", [
    torch.nn.Linear(6, 3),
    torch.nn.LayerNorm(6),
    torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)),
])  # fmt: skip
def test_layers_agree(layer):
    inputs = {"input": verifier.between(-2, 2, shape=(4, 6))}
    assert outcome(layer, inputs, dtypes=["float32"]) == "agrees"


def short_series(divisor, border=1e-4):
    """x/(2*sin(x)), by a series near 0 whose second term is x*x/12."""

    def code(x):
        near = x.abs() < border
        safe = torch.where(near, 1.0, x)
        return torch.where(near, 0.5 + x * x / divisor, safe / (2 * torch.sin(safe)))

    return code


@pytest.mark.parametrize("divisor", [11, 6, -12])
def test_a_wrong_coefficient_in_a_narrow_branch_is_found(divisor):
    report = verifier.check(
        short_series(divisor),
        inputs={"x": verifier.between(-2, 2, shape=(3,))},
        formula="x/(2*sin(x))",
        dtypes=["float64"],
    )
    assert report.outcome is verifier.Outcome.DISAGREES
    assert str(report).startswith("DISAGREES  code and the formula are different functions")


def test_the_right_coefficient_agrees():
    report = verifier.check(
        short_series(12),
        inputs={"x": verifier.between(-2, 2, shape=(3,))},
        formula="x/(2*sin(x))",
        dtypes=["float64", "float32"],
    )
    assert report.outcome is verifier.Outcome.AGREES


def test_an_approximation_is_named_in_a_note():
    inputs = {"input": verifier.between(-2, 2, shape=(3,))}
    report = verifier.check(torch.special.i1, inputs=inputs, dtypes=["float64"])
    assert report.outcome is verifier.Outcome.AGREES
    assert report.checked.notes == (
        "a branch of the code has an approximation in place of its formula, no further off than "
        "rounding is",
    )


def test_another_value_is_never_right_where_only_further_derivatives_look_wrong(monkeypatch):
    """Where the first screen misses what the others find, the value is judged there."""
    monkeypatch.setitem(points.SUSPECTS, "reverse", 0)
    report = verifier.check(
        short_series(11),
        inputs={"x": verifier.between(-2, 2, shape=(3,))},
        formula="x/(2*sin(x))",
        dtypes=["float64"],
    )
    assert report.outcome is verifier.Outcome.DISAGREES
