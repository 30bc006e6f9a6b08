"""Digits that agree, and digits that the point allows."""

import numpy as np

from verifier.judging.conditioning import Accuracy, accuracy
from verifier.operations.formats import FLOAT32


def test_digits_are_counted_where_the_exact_value_is_a_number_other_than_0():
    centre, error = np.array([1.0, 0.0, np.nan, -0.1]), np.full(4, 1e-3)
    counted = accuracy("x", FLOAT32, centre, error, np.zeros(4))
    np.testing.assert_allclose(counted.agreeing, [3.0, np.nan, np.nan, 3.0])


def test_of_what_moves_without_bound_no_digit_is_possible():
    centre, moved = np.ones(3), np.array([0.0, 1e-2, np.nan])
    counted = accuracy("x", FLOAT32, centre, np.zeros(3), moved)
    np.testing.assert_allclose(
        counted.possible, [min(-np.log10(2.0**-24), FLOAT32.decimal_digits), 2.0, 0.0]
    )


def test_needless_is_more_than_half_of_the_digits():
    half = FLOAT32.decimal_digits / 2
    agreeing = np.array([0.0, 0.0, 1.0, np.nan])
    possible = np.array([half, half + 0.01, half + 0.5, half + 1.0])
    needless = Accuracy("x", FLOAT32, agreeing, possible).is_needless
    assert needless.tolist() == [False, True, False, False]
