"""Where a component is wrong: what all that disagrees has in common, and nothing that agrees."""

import pytest
import torch

from verifier.capture.code_at_point import Subject
from verifier.checking.tally.components import Statement
from verifier.checking.tally.where_wrong import where_wrong
from verifier.judging.examine import examine
from verifier.judging.finding import CheckPoint, Finding


def written(wrong):
    """The cube with a backward that is half of the right one where `wrong` says so."""

    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * x * x * torch.where(wrong(x), 0.5, 1.0)

    return Cube.apply


def in_rows(wrong):
    """The same by the number of the row, which no comparison of the code's program shows."""
    return lambda x: torch.tensor([wrong(row) for row in range(len(x))])


def outside_torch(wrong):
    return lambda x: torch.tensor([wrong(number) for number in x.tolist()])


def where(wrong, *points):
    statements = []
    for number, numbers in enumerate(points, start=1):
        inputs = {"x": torch.tensor(numbers, dtype=torch.float64)}
        examination = examine(Subject(written(wrong), inputs))
        point = CheckPoint(number, "given", "float64", inputs)
        finding = Finding("reverse", "float64", point, examination.parts, examination=examination)
        statements.append(Statement(finding, examination["x"]))
    return where_wrong(statements)


SOME, OTHERS = [-1.5, 0.5, 1.0, 2.0], [0.25, 0.75, -0.5, 3.0]
FOUND = {
    "a comparison": (lambda x: x > 1.25, "where x > 1.25"),
    "its opposite": (lambda x: ~(x > -0.75), "where x <= -0.75"),
    "both of two": (lambda x: (x > 0) & (x < 0.4), "where (x > 0) & (x < 0.4)"),
    "a number": (outside_torch(lambda number: number == 0.75), "where x = 0.75"),
    "numbers above": (
        outside_torch(lambda number: number > 1.25),
        "where x >= 2, as far as was tried",
    ),
    "numbers below": (
        outside_torch(lambda number: number < 0),
        "where x <= -0.5, as far as was tried",
    ),
    "numbers between": (
        outside_torch(lambda number: 0.3 < number < 0.8),
        "where x is between 0.5 and 0.75, as far as was tried",
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_is_wrong_has_in_common(name):
    wrong, expected = FOUND[name]
    assert where(wrong, SOME, OTHERS) == expected


def test_rows():
    wrong = in_rows(lambda row: row > 2)
    assert where(wrong, [0.5, 2.0, -1.5, 1.0], [1.5, -0.5, 3.0, 0.25]) == "in rows from 3 on"


NOTHING = {
    "everything is wrong": lambda x: x == x,
    "nothing is wrong": lambda x: x != x,
    "no order in it": outside_torch(lambda number: number in (-1.5, 1.0, 0.25)),
}


@pytest.mark.parametrize("name", NOTHING)
def test_nothing_is_said_where_nothing_is_known(name):
    assert where(NOTHING[name], SOME, OTHERS) == ""


def test_what_is_0_either_way_does_not_count_as_right():
    """Half of 0 is 0: at 0 the wrong branch agrees."""
    assert where(lambda x: x < 1.25, [0.0, 0.5, 2.0]) == "where x < 1.25"


def test_minus_zero():
    assert where(lambda x: torch.signbit(x) & (x == 0), [0.5, -0.0]) == ""


def test_without_statements():
    assert where_wrong([]) == ""
