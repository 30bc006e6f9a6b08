"""Causes as a report shows them: true at the point shown, with where they hold, word for word."""

import re

import numpy as np
import pytest
import torch

import verifier
from tests.helpers.own_backward import with_context
from verifier import between
from verifier.checking.shrink.start import Start
from verifier.checking.tally.count import Tally
from verifier.judging.causes import find_causes
from verifier.judging.finding import Finding
from verifier.process.deadline import Deadline
from verifier.reporting.content.failure_groups import failures_of

SIX = between(-2, 2, shape=(6,))
TABLE = between(-2, 2, shape=(4, 3))
QUICK = ["second", "vmap"]


def cube(backward):
    return with_context(lambda x: x * x * x, lambda ctx, g, x: backward(g, x) * 3 * x * x)


def checked(code, without=QUICK, **inputs):
    return verifier.check(code, inputs=inputs or {"x": SIX}, dtypes="float64", without=without)


def shown(report):
    """What is said of the first failure: the likely cause, and where it holds."""
    found, label = {}, ""
    for line in str(report).partition("\nchecked  ")[0].splitlines():
        start = re.match(r"  ([a-z]+)  +(.*)", line)
        label = start[1] if start else label if line.startswith(" " * 13) else ""
        found[label] = " ".join(
            [*found.get(label, "").split(), (start[2] if start else line.strip())]
        )
    return [found.get(name, "").strip() for name in ("likely", "where")]


HALF = "It is 1/2 times the exact gradient."
DOUBLE = "It is 2 times the exact gradient."


def halved(condition):
    return cube(lambda g, x: torch.where(condition(g, x), 0.5, 1.0) * g)


def from_numpy(g, x):
    numbers = x.detach().numpy()
    return g * torch.from_numpy(np.where(numbers > 1.5, 0.5, 1.0).astype(numbers.dtype))


def halved_rows(ctx, g, x):
    exact = g * 3 * x * x
    return torch.cat([exact[:32], 0.5 * exact[32:]])


class OnTheClass:
    def __init__(self):
        self.saved = None

    def forward(self, x):
        self.saved = x.detach().clone()
        return x * x * x

    def backward(self, ctx, g, x):
        return g * 3 * self.saved**2


def twice_the_second_time(ctx, g, x):
    ctx.times = getattr(ctx, "times", 0) + 1
    return g * 3 * x * x * ctx.times


def at_offset(ctx, g, x):
    return g * x.exp() * (0.5 if x.is_contiguous() and x.storage_offset() else 1.0)


def reads_memory(ctx, g, x):
    fits = g.storage_offset() + g.numel() <= g.untyped_storage().nbytes() // g.element_size()
    strides = torch.empty(g.shape).stride()
    read = torch.as_strided(g, g.shape, strides, g.storage_offset()) if fits else g
    return read * x.exp()


def frozen(ctx, g, x, y):
    return g * y * (1 if ctx.needs_input_grad[1] else 2), g * x


def random_backward(ctx, g, x):
    return g * 3 * x * x * (1 + 1e-3 * torch.rand_like(x))


SHOWN = {
    "a condition of the backward": (
        lambda: checked(halved(lambda g, x: x > 1.9)),
        [HALF, "only where x > 1.9; at 2 of 9 points, in float64, all of them edges"],
    ),
    "the other side of a condition": (
        lambda: checked(cube(lambda g, x: torch.where(x > -1.9, 1.0, 0.5) * g)),
        [HALF, "only where x <= -1.9; at 5 of 9 points, in float64"],
    ),
    "a number": (
        lambda: checked(halved(lambda g, x: x == 0.75)),
        [HALF, "only where x == 0.75; at 3 of 8 points, in float64, all of them edges"],
    ),
    "code that nobody can read": (
        lambda: verifier.check(
            cube(from_numpy), inputs={"x": torch.linspace(-2.0, 2.0, 9, dtype=torch.float64)},
            reference=lambda x: x * x * x, without=QUICK,
        ),
        [HALF, "only where x = 2; at the only point tried, in float64"],
    ),
    "a condition on grad_output": (
        lambda: checked(halved(lambda g, x: (g == 1).all())),
        [HALF, "only where grad_output == 1; in float64"],
    ),
    "a batch of one": (
        lambda: checked(cube(lambda g, x: g * (0.5 if len(x) == 1 else 1.0))),
        [HALF, "only in a batch of 1; in float64"],
    ),
    "some rows": (
        lambda: checked(with_context(lambda x: x * x * x, halved_rows)),
        [
            "It is 1/2 times the exact gradient, in 35 of 67 components.",
            "only in a batch of 67; in float64",
        ],
    ),
    "a later forward": (
        lambda: verifier.check(
            with_context((kept := OnTheClass()).forward, kept.backward), inputs={"x": SIX},
            reference=lambda x: x * x * x, dtypes="float64", without=QUICK,
        ),
        [
            "It is the gradient at the inputs of the later forward: what a backward needs belongs "
            "in its ctx.",
            "only where another forward runs before the backward; in float64",
        ],
    ),
    "a second backward": (
        lambda: checked(with_context(lambda x: x * x * x, twice_the_second_time)),
        [DOUBLE, "only in a second backward through the same graph; in float64"],
    ),
    "a layout": (
        lambda: checked(with_context(torch.exp, at_offset), x=TABLE),
        [
            HALF,
            "only where x and grad_output lie in memory at an offset and 1 more; in float64",
        ],
    ),
    "strides ignored": (
        lambda: checked(with_context(torch.exp, reads_memory), x=TABLE),
        [
            "It is the gradient with grad_output read from memory as if contiguous: .contiguous() "
            "first.",
            "only where x and grad_output lie in memory with gaps and 5 more; in float64",
        ],
    ),
    "a frozen input": (
        lambda: checked(with_context(torch.mul, frozen), x=SIX, y=SIX),
        [DOUBLE, "only where x alone requires a gradient; in float64"],
    ),
    "no_grad": (
        lambda: checked(lambda x: x * x * (1.0 if torch.is_grad_enabled() else 0.5)),
        ["It is 1/2 times the exact value.", "only under torch.no_grad(); in float64"],
    ),
    "random numbers in the backward": (
        lambda: checked(with_context(lambda x: x * x * x, random_backward)),
        [
            "The backward draws random numbers (rand_like in test_shown_causes.py, line "
            f"{random_backward.__code__.co_firstlineno + 1}), and the forward draws none.",
            "at 6 of 7 points, in float64",
        ],
    ),
    "an accident of one point": (
        lambda: checked(cube(lambda g, x: g * (1 + 1e-3 * x))),
        ["", "at 6 of 7 points, in float64"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHOWN)
def test_the_cause_and_where_it_holds(name):
    report, expected = SHOWN[name][0](), SHOWN[name][1]
    assert shown(report) == expected
    assert report.checked.internal_errors == ()


@pytest.mark.parametrize("name", SHOWN)
def test_the_prediction_is_the_number_that_is_shown(name):
    """The evidence belongs to the point and the element of the report."""
    tally = Tally(SHOWN[name][0]().checked)
    for failure in failures_of(tally):
        for cause in failure.likely:
            place = failure.place
            assert (cause.point, cause.check) == (place.finding.point.number, place.finding.check)
            if cause.predicted is not None:
                assert cause.predicted == pytest.approx(place.comparison.stated, rel=1e-12)


def test_right_code_has_no_cause_and_no_place():
    report = checked(cube(lambda g, x: g), without=[])
    assert (report.outcome, report.causes, report.checked.where) == ("agrees", (), ())


# Simpler points.


class MeanSquares(torch.autograd.Function):
    @staticmethod
    def forward(ctx, p, y):
        ctx.save_for_backward(p, y)
        return ((p - y) ** 2).mean()

    @staticmethod
    def backward(ctx, g):
        p, y = ctx.saved_tensors
        return g * 2 * (p - y), g * 2 * (y - p)


def test_equal_shapes_stay_equal_and_the_cause_stays():
    eight = between(-2, 2, shape=(8,))
    report = checked(MeanSquares.apply, p=eight, y=eight)
    assert shown(report)[0] == ("Sum for mean: it is 3 times the exact gradient, and p has 3 rows.")
    shapes = [tuple(tensor.shape) for tensor in report.checked.simplest.inputs.values()]
    assert shapes == [(3,), (3,)]


def test_numbers_that_show_nothing_are_not_taken():
    """At y = 0 the exact gradient is 0, and at y = -1 the sign alone could be wrong."""
    scaled = with_context(lambda s, y: s * s * y, lambda ctx, g, s, y: (g * 2 * s, g * s * s))
    report = checked(scaled, s=SIX, y=SIX)
    (place,) = [failure.place for failure in failures_of(Tally(report.checked))]
    assert shown(report)[0] == "The factor y is missing."
    assert place.is_simplified
    assert 0.0 not in (place.comparison.stated, float(place.part.verdicts.centre[place.element]))


def test_a_simpler_point_with_another_cause_is_not_kept():
    """The companion: twice the gradient is no mean for a sum, though it disagrees as well."""

    def finding(factor):
        code = cube(lambda g, x: factor * g)
        report = checked(code, x=torch.tensor([0.5, -1.5, 2.0], dtype=torch.float64))
        return next(one for one in report.checked.judged if one.check == "reverse")

    third = finding(1 / 3)
    start = Start.of(third, find_causes(third).causes)
    assert start.causes == {"x": "mean for sum"}
    assert start.is_kept_by(third, Deadline.NEVER)
    assert not start.is_kept_by(finding(2.0), Deadline.NEVER)
    assert not start.is_kept_by(Finding("reverse", "float64"), Deadline.NEVER)


# Side effects.


def writes(ctx, g, x):
    found = g * 3 * x * x
    x.detach().mul_(2.0)
    return found


def test_a_backward_that_overwrites_its_input():
    inputs = {"x": SIX}
    report = verifier.check(
        with_context(lambda x: x * x * x, writes), inputs=inputs, reference=lambda x: x * x * x,
        dtypes="float64", without=QUICK,
    )  # fmt: skip
    sentences = {one for finding in report.checked.findings for one in finding.failures}
    assert sentences == {"the backward overwrites x, which others use as well"}
    right = checked(cube(lambda g, x: g))
    assert not any(finding.failures for finding in right.checked.findings)
