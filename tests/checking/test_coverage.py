"""Which borders of code the points lie on both sides of."""

import numpy as np
import torch

import verifier
from verifier.checking.edge_cases.coverage import coverage
from verifier.program.builder import Builder

SIX = verifier.between(-2, 2, shape=(6,))


def of(code, inputs=None):
    report = verifier.check(code, inputs=inputs or {"x": SIX}, dtypes=["float32"])
    return report, dict(report.checked.coverage)["float32"]


def program():
    build = Builder()
    x, y = build.input("x", (2,)), build.input("seed of 0", (2,))
    corner = build.apply("abs", build.apply("subtract", x, build.constant(0.75)))
    above = build.apply("greater", y, build.constant(1.0))
    return build.program(build.apply("where", above, corner, x))


def test_a_border_is_reached_by_points_on_both_sides():
    low, high = np.array([0.5, 0.5]), np.array([0.5, 1.5])
    assert coverage(program(), [{"x": low, "seed of 0": low}]).missed == (
        "abs(x - 0.75)",
        "grad_output > 1",
    )
    nothing = coverage(program(), [{"x": low, "seed of 0": low}])
    assert (nothing.borders, nothing.reached) == (2, 0)
    found = coverage(program(), [{"x": low, "seed of 0": low}, {"x": high, "seed of 0": high}])
    assert (found.borders, found.reached, found.missed) == (2, 2, ())
    assert coverage(program(), []).borders == 0


def test_what_the_domain_leaves_out_is_named():
    report, found = of(lambda x: torch.where(x > 5, x, x * x))
    assert found.missed == ("x > 5",)
    assert "not exercised: all points lie on one side of x > 5" in str(report)
    assert "Of 1 border of the code none has points on both sides." in " ".join(str(report).split())


def test_borders_inside_of_the_domain_are_all_reached():
    report, found = of(lambda x: torch.where(x > 1.9, x, x * x).clamp(0.25, 1.25))
    assert found.borders >= 3
    assert found.missed == ()
    assert "borders of the code have points on both sides." in " ".join(str(report).split())


def test_smooth_code_has_no_borders():
    report, found = of(torch.tanh, {"input": SIX})
    assert found.borders == 0
    assert "border" not in str(report)
