"""Followed steps: what one operation may state, from numbers that the code showed before it."""

import numpy as np
import pytest

from verifier.operations.formats import BFLOAT16, FLOAT32
from verifier.program.builder import Builder
from verifier.program.evaluation.arithmetic import middle, radius
from verifier.program.evaluation.followed_steps import followed

X = 0.99609375
SQUARE = 0.9921875
"""Its square, rounded to bfloat16."""
LEFT = 0.0078125
"""1 less that, which bfloat16 has exactly; 1 - x² is 0.00780."""


def one_less_square():
    """1 - x², each operation rounded to bfloat16, and the places of its two operations."""
    build = Builder()
    x = build.input("x")
    with build.rounding(FLOAT32):
        square = build.round(build.apply("square", x), BFLOAT16)
        left = build.round(build.apply("subtract", build.constant(1.0), square), BFLOAT16)
    program = build.program(left)
    places = build.places_in(left)
    return program, places[square], places[left]


def balls(shown):
    program, *places = one_less_square()
    by_place = {place: np.asarray(number) for place, number in zip(places, shown, strict=False)}
    return followed(program, {"x": np.asarray(X)}, by_place)[0]


def test_a_result_is_known_to_one_rounding_of_the_number_before_it():
    ball = balls([SQUARE, LEFT])
    assert middle(ball) == LEFT
    assert radius(ball) < 1.01 * BFLOAT16.unit_roundoff * LEFT


def test_without_the_number_before_it_it_is_not():
    assert radius(balls([])) > 0.4 * LEFT


@pytest.mark.parametrize("off", [4, -4])
def test_a_number_that_does_not_follow_is_not_begun_from(off):
    """Four roundings are found, where the bound for the whole would allow them."""
    wrong = SQUARE + off * BFLOAT16.unit_roundoff * SQUARE
    assert radius(balls([wrong, LEFT])) > 0.4 * LEFT


def test_what_rounding_makes_of_nothing_is_not_known():
    """The sine of a number that is known to half a radian only, near a zero of it."""
    build = Builder()
    x = build.input("x")
    with build.rounding(FLOAT32):
        far = build.round(build.apply("multiply", x, build.constant(55.0)), BFLOAT16)
        sine = build.round(build.apply("sin", far), BFLOAT16)
    program, place = build.program(sine), build.places_in(sine)[far]
    given = {"x": np.asarray(4.0)}
    assert np.isinf(radius(followed(program, given, {})[0]))
    assert radius(followed(program, given, {place: np.asarray(220.0)})[0]) < 1e-3


def test_a_step_may_fall_to_either_side():
    build = Builder()
    x = build.input("x")
    with build.rounding(FLOAT32):
        product = build.apply("multiply", x, build.constant(3.0))
        whole = build.apply("floor", build.round(product, BFLOAT16))
    ball = followed(build.program(whole), {"x": np.asarray(4.984375)}, {})[0].item()
    assert ball.contains(14) and ball.contains(15) and not ball.contains(16)
