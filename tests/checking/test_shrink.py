"""Simplify: what comes out fails, is no more complex, and cannot be made simpler."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from verifier.checking.edge_cases.domain import Domain
from verifier.checking.shrink.search import find_simplest
from verifier.checking.shrink.simpler_number import complexity
from verifier.errors import InputError

D, S = torch.float64, torch.float32
REALS = Domain(-math.inf, math.inf)


def of(number, dtype=D):
    return torch.tensor(number, dtype=dtype)


def simplified(number, fails, domain=REALS, dtype=D):
    """The simplest number at which it fails."""
    return find_simplest(
        {"x": of(number, dtype)}, lambda point: fails(point["x"].item()), {"x": domain}
    )["x"].item()


NUMBERS = {
    "any": (37.9713, lambda x: True, 0.0),
    "not zero": (37.9713, lambda x: x != 0, 1.0),
    "negative": (-37.9713, lambda x: x < 0, -1.0),
    "above a border": (37.9713, lambda x: x > 30, 31.0),
    "below a border": (-4.6371, lambda x: x < -3, -4.0),
    "at a border": (20.0, lambda x: x == 20, 20.0),
    "overflow": (812.3317, lambda x: x > 709.78, 710.0),
    "between whole numbers": (2.4713, lambda x: 2.2 < x < 2.9, 2.5),
    "between halves": (2.4713, lambda x: 2.3 < x < 2.48, 2.4),
    "two decimals": (2.4713, lambda x: 2.44 < x < 2.48, 2.47),
    "small": (3.2871e-9, lambda x: 0 < x < 1e-8, 3e-9),
    "large": (123456789.0, lambda x: 1.1e8 < x < 1.3e8, 1.2e8),
    "beside a border": (
        math.nextafter(1.0, 0.0),
        lambda x: 0.9999999999999 < x < 1,
        math.nextafter(1.0, 0.0),
    ),
    "infinite": (math.inf, lambda x: x > 5, math.inf),
    "no number": (math.nan, lambda x: not x < 0, 0.0),
    "minus zero": (-0.0, lambda x: x == 0, 0.0),
    "the sign of zero": (-0.0, lambda x: math.copysign(1, x) < 0, -0.0),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name):
    start, fails, expected = NUMBERS[name]
    found = simplified(start, fails)
    assert repr(found) == repr(expected)


def test_few_bits_where_no_decimals_are():
    found = simplified(1 / 3, lambda x: abs(x - 1 / 3) < 1e-7)
    assert math.frexp(found)[0] * 2.0**24 % 1 == 0 and abs(found - 1 / 3) < 1e-7


def test_numbers_stay_in_their_domain():
    assert simplified(0.3712, lambda x: True, Domain(0.0, 1.0)) == 0.5
    assert simplified(0.3712, lambda x: True, Domain(0.2, 0.45)) == 0.4
    assert simplified(5.71, lambda x: True, Domain(5.0, 6.0)) == 5.5
    assert simplified(-5.71, lambda x: True, Domain(-6.0, -1.0)) == -2.0


def test_dtypes_stay():
    for dtype in (torch.float16, torch.bfloat16, S, D):
        found = find_simplest(
            {"x": of([0.371, 2.471], dtype)},
            lambda point: bool((point["x"] > 2.2).any()),
            {"x": REALS},
        )
        assert found["x"].dtype is dtype and found["x"].tolist() == [3.0]


def test_decimals_are_those_of_the_dtype():
    assert simplified(0.4371, lambda x: 0.35 < x < 0.45, dtype=S) == of(0.4, S).item()


def test_the_one_that_matters_is_left():
    x = torch.rand(5, 7, generator=torch.Generator().manual_seed(0), dtype=D)
    x[3, 2] = 9.4713
    found = find_simplest({"x": x}, lambda point: bool((point["x"] > 7.2).any()), {"x": REALS})
    assert found["x"].tolist() == [[8.0]]


def test_what_does_not_matter_is_zero():
    x = torch.rand(3, 4, generator=torch.Generator().manual_seed(0), dtype=D) + 1
    found = find_simplest(
        {"x": x},
        lambda point: point["x"].shape == (3, 4) and bool(point["x"][1, 2] > 1),
        {"x": REALS},
    )
    expected = torch.zeros(3, 4, dtype=D)
    expected[1, 2] = 2.0
    assert torch.equal(found["x"], expected)


def test_what_may_not_be_zero_is_round():
    x = torch.rand(3, generator=torch.Generator().manual_seed(0), dtype=D)
    found = find_simplest({"x": x}, lambda point: point["x"].shape == (3,), {"x": Domain(0.0, 1.0)})
    assert found["x"].tolist() == [0.5, 0.5, 0.5]


def test_axes_of_the_same_length_get_shorter_together():
    inputs = {
        "x": torch.rand(8, 5, dtype=D),
        "w": torch.rand(5, 3, dtype=D),
        "y": torch.rand(8, dtype=D),
    }

    def fails(point):
        return bool((point["x"] @ point["w"]).shape[0] == point["y"].shape[0])

    found = find_simplest(inputs, fails, dict.fromkeys(inputs, REALS))
    assert {name: tensor.tolist() for name, tensor in found.items()} == {
        "x": [[0.0]],
        "w": [[0.0]],
        "y": [0.0],
    }


def test_a_length_that_matters_stays():
    inputs = {"x": torch.rand(6, 5, dtype=D)}
    found = find_simplest(inputs, lambda point: point["x"].shape[0] >= 3, {"x": REALS})
    assert found["x"].tolist() == [[0.0], [0.0], [0.0]]


def test_two_places_far_apart_are_found():
    x = torch.zeros(16, dtype=D)
    x[1] = x[14] = 4.71
    found = find_simplest({"x": x}, lambda point: int((point["x"] > 3).sum()) == 2, {"x": REALS})
    assert found["x"].tolist() == [4.0, 4.0]


def test_only_inputs_with_a_domain_change():
    inputs = {
        "x": torch.rand(4, dtype=D),
        "y": torch.rand(4, dtype=D),
        "n": torch.tensor([3, 1, 2, 0]),
    }
    found = find_simplest(
        inputs, lambda point: bool((point["x"] + point["y"])[point["n"]].sum() > -1), {"x": REALS}
    )
    assert torch.equal(found["y"], inputs["y"]) and torch.equal(found["n"], inputs["n"])
    # Its length is that of the others.
    assert found["x"].tolist() == [0.0, 0.0, 0.0, 0.0]


def test_whole_numbers_of_a_tensor_are_only_left_out():
    found = find_simplest(
        {"n": torch.tensor([3, 1, 2])}, lambda point: 1 in point["n"], {"n": REALS}
    )
    assert found["n"].tolist() == [1]


def test_what_raises_does_not_fail():
    def fails(point):
        if point["x"].shape != (2,) or (point["x"] == 0).any():
            raise ValueError("not this")
        return True

    found = find_simplest({"x": torch.rand(2, dtype=D)}, fails, {"x": REALS})
    assert found["x"].tolist() == [1.0, 1.0]


def test_an_interrupt_is_no_answer():
    def fails(point):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_simplest({"x": of(1.0)}, fails, {"x": REALS})


def test_a_point_that_does_not_fail():
    message = "the point that is to be simplified does not fail: give one at which the check fails"
    with pytest.raises(InputError, match=f"^{message}$"):
        find_simplest({"x": of(1.0)}, lambda point: False, {"x": REALS})
    with pytest.raises(InputError, match=f"^{message}$"):
        find_simplest({"x": of(1.0)}, lambda point: 1 / 0, {"x": REALS})


def test_without_tries():
    with pytest.raises(InputError, match=r"^tries is 0: use a whole number, 1 or above$"):
        find_simplest({"x": of(1.0)}, lambda point: True, {"x": REALS}, 0)


@pytest.mark.parametrize("tries", [1, 2, 7, 40])
def test_the_tries_are_counted_and_each_point_is_tried_once(tries):
    asked = []

    def fails(point):
        asked.append(tuple(point["x"].reshape(-1).tolist()) + tuple(point["x"].shape))
        return bool(point["x"].abs().sum() > 3.3)

    x = torch.rand(4, 6, generator=torch.Generator().manual_seed(1), dtype=D)
    found = find_simplest({"x": x}, fails, {"x": REALS}, tries)
    assert len(asked) <= tries and len(set(asked)) == len(asked)
    assert found["x"].abs().sum() > 3.3
    if tries == 1:
        assert torch.equal(found["x"], x)


def test_large_arrays_of_which_everything_matters_are_still_rounded():
    x = torch.rand(100, generator=torch.Generator().manual_seed(1), dtype=D) + 1.2
    found = find_simplest(
        {"x": x},
        lambda point: point["x"].shape == (100,) and bool((point["x"] > 1.1).all()),
        {"x": REALS},
    )
    assert set(found["x"].tolist()) <= {2.0, 3.0}


def test_what_is_asked_may_write_to_what_it_is_given():
    def fails(point):
        failed = bool(point["x"].sum() > 1)
        point["x"].zero_()
        return failed

    inputs = {"x": of([1.71, 2.2])}
    assert find_simplest(inputs, fails, {"x": REALS})["x"].tolist() == [2.0]
    assert inputs["x"].tolist() == [1.71, 2.2]


def test_without_elements():
    assert find_simplest({"x": torch.zeros(0, 3)}, lambda point: True, {"x": REALS})["x"].shape == (
        0,
        1,
    )


def test_complexity_counts_size_then_numbers_then_digits_then_sizes_then_signs():
    points = [
        [0.0],
        [1.0],
        [-1.0],
        [2.0],
        [3.0],
        [0.5],
        [0.1],
        [0.25],
        [1 / 3],
        [0.0, 0.0],
        [0.0, 1.0],
        [1.0, 1.0],
    ]
    ranks = [complexity({"x": of(point)}) for point in points]
    assert ranks == sorted(ranks) and len(set(ranks)) == len(ranks)


# --- whatever fails
# -------------------------------------------------------------------------------------------------

NUMBER = some.floats(-100.0, 100.0, width=32)
CONDITIONS = some.sampled_from(
    [
        lambda x, y: bool((x > 3.3).any()),
        lambda x, y: bool((x.sum() + y.sum()) < -2),
        lambda x, y: x.numel() >= 2 and bool((x[0] != x[-1]).any()),
        lambda x, y: bool(((x[:, None] - y[None]).abs() < 1).any()),
        lambda x, y: bool((x * y > 0.7).any()),
        lambda x, y: bool(torch.sigmoid(x).max() == 1),
        lambda x, y: hash((tuple(x.shape), tuple(x.tolist()))) % 3 != 0,
    ]
)


@given(
    x=some.lists(NUMBER, min_size=1, max_size=5),
    y=some.lists(NUMBER, min_size=1, max_size=5),
    condition=CONDITIONS,
    tries=some.sampled_from([10, 100, 1000]),
)
@settings(max_examples=60, deadline=None)
def test_the_result_fails_is_no_more_complex_and_simplifies_to_itself(x, y, condition, tries):
    inputs, domain = {"x": of(x, S), "y": of(y, S)}, Domain(-101.0, 101.0)
    seen = []

    def fails(point):
        failed = condition(point["x"], point["y"])
        if failed:
            seen.append({name: tensor.tolist() for name, tensor in point.items()})
        return failed

    try:
        found = find_simplest(inputs, fails, dict.fromkeys(inputs, domain), tries)
    except InputError:
        return
    assert {name: tensor.tolist() for name, tensor in found.items()} in seen
    assert condition(found["x"], found["y"])
    assert complexity(found) <= complexity(inputs)
    assert all(
        domain.inside(tensor.numpy()).all() and tensor.dtype is S for tensor in found.values()
    )
    if tries == 1000:
        again = find_simplest(found, fails, dict.fromkeys(inputs, domain), tries)
        assert all(torch.equal(again[name], found[name]) for name in found)


# --- shapes


def test_inputs_of_one_shape_keep_one_shape():
    """Shortened alone they would be broadcast against each other."""
    inputs = {"p": torch.rand(8, dtype=D), "y": torch.rand(8, dtype=D)}
    found = find_simplest(
        inputs, lambda point: point["y"].numel() >= 2, dict.fromkeys(inputs, REALS)
    )
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == {"p": (2,), "y": (2,)}
    alone = find_simplest(inputs, lambda point: point["y"].numel() >= 2, {"p": REALS})
    assert tuple(alone["p"].shape) == (8,)


def test_no_axis_becomes_so_short_that_it_is_broadcast():
    inputs = {"x": torch.rand(6, 4, dtype=D), "b": torch.rand(4, dtype=D)}
    found = find_simplest(
        inputs, lambda point: point["x"].shape[1] >= 2, dict.fromkeys(inputs, REALS)
    )
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == {
        "x": (1, 2),
        "b": (2,),
    }
