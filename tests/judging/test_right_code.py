"""Right code that looks wrong agrees, or is undecided with a reason; the same with a fault does not
agree.
"""

import pytest
import torch
from torch.nn import functional

from tests.helpers.own_backward import with_slope
from verifier.capture.code_at_point import SECOND, Subject
from verifier.judging.examine import examine
from verifier.judging.reference import Reference
from verifier.judging.replay.in_range import with_lost_range
from verifier.judging.verdict import Note, Outcome

AGREES, UNDECIDED, DISAGREES = Outcome.AGREES, Outcome.UNDECIDED, Outcome.DISAGREES


def outcome(code, x, reference=None, **settings):
    specification = None if reference is None else Reference(reference)
    return examine(Subject(code, {"x": x}, **settings), specification).outcome


def soft_target(x, first=0.2):
    target = torch.tensor([first, 0.3, 0.5], dtype=torch.float32)
    return functional.cross_entropy(x, target.to(x.dtype))


def fractions(x):
    logs = x.log_softmax(0)
    return -(logs[0] / 5 + 3 * logs[1] / 10 + logs[2] / 2)


@pytest.mark.parametrize(
    ("dtype", "first", "expected"),
    [
        (torch.float32, 0.2, AGREES),
        (torch.bfloat16, 0.2, AGREES),
        (torch.float64, 0.2, DISAGREES),
        (torch.float32, 0.201, DISAGREES),
    ],
)
def test_short_decimals_in_a_constant_tensor_may_be_rounded(dtype, first, expected):
    x = torch.tensor([0.5, -1.25, 0.75], dtype=dtype)
    assert outcome(lambda x: soft_target(x, first), x, fractions) is expected


@pytest.mark.parametrize(("factor", "expected"), [(1.0, AGREES), (1.0 + 1e-12, DISAGREES)])
def test_a_constant_of_the_backward_may_be_one_of_the_forward(factor, expected):
    """Of five numbers the second derivative has the factor 3/5, which is eps here."""
    x = torch.tensor([[[0.5, -1.25, 0.75, 1.5, -0.25]]], dtype=torch.float64)

    def normalised(x):
        return functional.instance_norm(x, eps=0.6 * factor)

    def expected_one(x):
        centred = x - x.mean()
        return centred / (centred.square().mean() + 0.6).sqrt()

    assert outcome(normalised, x, expected_one, quantity=SECOND) is expected


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([0.25, 0.25, 0.25, 0.25, 0], AGREES),
        ([0, 1, 0, 0, 0], AGREES),
        ([0, 0, 0, 0, 0], DISAGREES),
        ([0, 0, 0, 0, 1], DISAGREES),
        ([0.5, 0.5, 0.5, 0, 0], DISAGREES),
    ],
)
def test_equal_medians_share_the_gradient(weights, expected):
    code = with_slope(torch.median, lambda x: torch.tensor(weights, dtype=x.dtype))
    x = torch.tensor([1.0, 1.0, 1.0, 1.0, 2.0], dtype=torch.float64)
    assert outcome(code, x) is expected


IMAGE = torch.arange(16.0).reshape(1, 1, 4, 4) ** 2


def sampled(x, mode):
    grid = torch.stack([x, torch.zeros_like(x)], -1).reshape(1, 1, -1, 2)
    image = IMAGE.to(x.dtype)
    return functional.grid_sample(image, grid, padding_mode=mode, align_corners=True).reshape(-1)


def slope_before(x, mode):
    return (sampled(x, mode) - sampled(x - 2.0**-6, mode)) * 2.0**6


@pytest.mark.parametrize("mode", ["border", "zeros", "reflection"])
@pytest.mark.parametrize(("share", "expected"), [(1.0, AGREES), (0.5, AGREES), (2.0, DISAGREES)])
def test_sampling_has_kinks_at_its_border(mode, share, expected):
    code = with_slope(lambda x: sampled(x, mode), lambda x: share * slope_before(x, mode))
    assert outcome(code, torch.ones(1, dtype=torch.float64)) is expected


@pytest.mark.parametrize(("share", "expected"), [(0.9, AGREES), (1.0, AGREES), (3.0, DISAGREES)])
def test_sampling_has_kinks_at_the_first_entry(share, expected):
    code = with_slope(
        lambda x: sampled(x, "border"),
        lambda x: share * (sampled(x + 2.0**-6, "border") - sampled(x, "border")) * 2.0**6,
    )
    assert outcome(code, torch.tensor([-1.0], dtype=torch.float64)) is expected


@pytest.mark.parametrize(
    ("slope", "expected"),
    [(1.0, AGREES), (2.0, AGREES), (3.0, AGREES), (0.5, DISAGREES), (3.5, DISAGREES)],
)
def test_sampling_has_kinks_at_every_entry(slope, expected):
    """The entries are 0, 1 and 4, and the position is on the second one."""

    def along_squares(x):
        grid = torch.stack([x, torch.zeros_like(x)], -1).reshape(1, 1, -1, 2)
        squares = torch.tensor([[[[0.0, 1.0, 4.0]]]], dtype=x.dtype)
        return functional.grid_sample(squares, grid, align_corners=True).reshape(-1)

    code = with_slope(along_squares, lambda x: slope * torch.ones_like(x))
    assert outcome(code, torch.zeros(1, dtype=torch.float64)) is expected


C = float(torch.tensor(1.001, dtype=torch.float32))
BESIDE_A_HALF = torch.tensor([-0.5486403342038355], dtype=torch.float64)


@pytest.mark.parametrize(("offset", "expected"), [(0.0, AGREES), (1e-9, DISAGREES)])
def test_rounding_decides_beside_a_half(offset, expected):
    """The argument is 2e-18 beside -0.5, and float64 has -0.5; with an offset it has not."""

    def rounded(x):
        return torch.round(torch.tanh(x) * C)

    def expected_one(x):
        return torch.round(torch.tanh(x - offset) * C)

    assert outcome(rounded, BESIDE_A_HALF) is AGREES
    assert outcome(rounded, BESIDE_A_HALF, expected_one) is expected


def test_nothing_is_known_of_an_inverse_that_rounding_can_make_singular():
    near = torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]], dtype=torch.float64)
    wrong = with_slope(torch.linalg.inv, lambda x: 2.0 * torch.ones_like(x))
    assert outcome(torch.linalg.inv, near) is not DISAGREES
    assert outcome(torch.linalg.inv, near + torch.eye(3, dtype=torch.float64)) is AGREES
    assert outcome(wrong, near + torch.eye(3, dtype=torch.float64)) is DISAGREES


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_squares_that_underflow_decide_nothing(dtype):
    tiny = torch.tensor([1.5 * torch.finfo(dtype).smallest_normal ** 0.5 / 2**30, 0.0], dtype=dtype)
    assert outcome(torch.linalg.norm, tiny) is UNDECIDED
    assert outcome(lambda x: (x * x).sum(), tiny) is AGREES
    twice = with_slope(lambda x: (x * x).sum(), lambda x: 4 * x)
    assert outcome(twice, tiny) is DISAGREES


def test_a_convention_of_reverse_mode_is_named():
    layer = torch.nn.Embedding(3, 2, padding_idx=0).double()

    def looked_up(weight):
        return functional.embedding(torch.tensor([0, 1]), weight, padding_idx=0).sin()

    found = examine(Subject(looked_up, {"weight": layer.weight.detach()}))
    assert found.outcome is AGREES
    assert found.events.conventions == ("padding_idx of embedding",)
    forward = examine(Subject(looked_up, {"weight": layer.weight.detach()}, quantity="forward"))
    assert (forward.outcome, forward.events.conventions) == (AGREES, ())
    learned = examine(
        Subject(lambda weight: weight[:2].sin(), {"weight": layer.weight.detach()}),
        Reference(looked_up),
    )
    assert learned.outcome is DISAGREES


def test_the_floor_of_the_format_is_no_fault():
    x = torch.tensor([-120.0], dtype=torch.float32)
    assert outcome(functional.silu, x) is AGREES
    found = examine(Subject(lambda x: x * 0 + 1e-3, {"x": x}), Reference(functional.silu))
    assert found["value"].outcome is DISAGREES
    assert Note.BLIND not in {found["value"].verdicts[0].note}


def at_an_edge(code, x):
    """What is known of a gradient at a point that a check chose itself."""
    return with_lost_range(examine(Subject(code, {"x": x})))


@pytest.mark.parametrize("x", [110.0, -110.0])
def test_what_the_forward_loses_on_the_way_to_an_edge_decides_nothing(x):
    at = torch.tensor([x], dtype=torch.float32)
    found = at_an_edge(lambda x: torch.exp(x) * torch.exp(-x) * x, at)
    assert found.outcome is UNDECIDED
    assert "float32 ends at" in found.lost_range
    assert {part.verdicts[0].note for part in found.parts} >= {Note.OUT_OF_RANGE}


def test_what_the_backward_loses_by_itself_stays_wrong():
    at = torch.tensor([60.0], dtype=torch.float32)
    code = with_slope(torch.exp, lambda x: torch.exp(2 * x) / torch.exp(x))
    found = at_an_edge(code, at)
    assert (found.outcome, found.lost_range) == (DISAGREES, "")


def test_a_wrong_formula_stays_wrong_where_the_forward_overflows():
    at = torch.tensor([110.0], dtype=torch.float32)
    code = with_slope(lambda x: torch.exp(x) * torch.exp(-x) * x, lambda x: 2 * torch.ones_like(x))
    assert at_an_edge(code, at)["x"].outcome is DISAGREES


def beside_ten(*shape):
    generator = torch.Generator().manual_seed(0)
    return 10.0 + 3e-3 * torch.randn(*shape, dtype=torch.float64, generator=generator)


def with_backward_off(factor):
    def slope(x):
        apart = x - x.mean(1, keepdim=True)
        return factor * apart / (5 * x.std(1, keepdim=True))

    return with_slope(lambda x: x.std(1, keepdim=True), slope)


@pytest.mark.parametrize("spread", [torch.var, torch.std])
@pytest.mark.parametrize("dim", [0, 1])
def test_a_spread_whose_mean_is_updated_as_torch_does(spread, dim):
    assert outcome(lambda x: spread(x, dim), beside_ten(6, 6)) is AGREES


@pytest.mark.parametrize(("factor", "expected"), [(1.0, AGREES), (1.0 + 1e-9, DISAGREES)])
def test_a_wrong_gradient_of_a_deviation_is_still_found(factor, expected):
    assert outcome(with_backward_off(factor), beside_ten(4, 6)) is expected


def test_the_deviation_of_numbers_that_are_one_unit_apart():
    """torch says 0: the last bit of the mean decides all digits."""
    x = torch.tensor([[2.0], [2.0], [2.0 - 2.0**-52]], dtype=torch.float64)
    assert outcome(lambda x: x.std(0), x) is UNDECIDED
    apart = torch.tensor([[0.0], [1e-6], [3e-6]], dtype=torch.float64)
    assert outcome(lambda x: x.std(0), 2.0 + apart) is AGREES


def channels_last(factor):
    def code(x):
        moved = x.to(memory_format=torch.channels_last)
        return factor * functional.group_norm(moved, 1)

    return code


@pytest.mark.parametrize(
    ("dtype", "factor", "expected"),
    [
        (torch.float64, 1.0, AGREES),
        (torch.float32, 1.0, UNDECIDED),
        (torch.float64, 1.0 + 1e-6, DISAGREES),
    ],
)
def test_a_group_norm_that_takes_the_mean_of_squares(dtype, factor, expected):
    x = beside_ten(2, 4, 3, 2).to(dtype)
    code = channels_last(factor)
    assert outcome(code, x, lambda x: functional.group_norm(x, 1)) is expected


def series_with(divisor, border=1e-2):
    """x/(2*sin(x)), by a series near 0 whose second term is x*x/12."""

    def code(x):
        near = x.abs() < border
        safe = torch.where(near, torch.ones_like(x), x)
        return torch.where(near, 0.5 + x * x / divisor, safe / (2 * torch.sin(safe)))

    return code


def half_angle_over_sine(x):
    return x / (2 * torch.sin(x))


@pytest.mark.parametrize("x", [9.9e-3, 1e-3, 1e-5, -9.9e-3])
def test_a_series_beside_its_closed_form_agrees(x):
    at = torch.tensor([x, 0.7], dtype=torch.float32)
    found = examine(Subject(series_with(12), {"x": at}), Reference(half_angle_over_sine))
    assert (found.outcome, found.same_function) == (AGREES, True)
    assert found.formula.approximated == ("value", "x")


def test_a_wrong_coefficient_of_a_series_is_another_function():
    at = torch.tensor([9.9e-3, 0.7], dtype=torch.float32)
    found = examine(Subject(series_with(6), {"x": at}), Reference(half_angle_over_sine))
    assert (found["value"].outcome, found.same_function) == (DISAGREES, False)


def test_a_series_that_is_too_short_for_its_border_disagrees():
    at = torch.tensor([0.2], dtype=torch.float32)
    found = examine(Subject(series_with(12, 0.5), {"x": at}), Reference(half_angle_over_sine))
    assert found["value"].outcome is DISAGREES


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("x", [-2e-16, 0.3])
def test_a_constant_where_a_slope_has_no_digits_left_agrees(x, dtype):
    assert outcome(torch.special.i1, torch.tensor([x, 0.4], dtype=dtype)) is AGREES


def size_with_slope_near_zero(number):
    """|x|, with x / sqrt(x * x) for its slope, and a number where x * x underflows."""

    def slope(x):
        squared = x * x
        return torch.where(squared == 0, number, x / torch.sqrt(squared))

    return with_slope(torch.abs, slope)


@pytest.mark.parametrize("number", [0.0, 0.9, 1.1, 7.0])
def test_a_branch_beside_one_that_rounding_takes_anywhere_decides_nothing(number):
    """Nothing says what is right there, so that a wrong number must not agree either."""
    code = size_with_slope_near_zero(number)
    found = examine(Subject(code, {"x": torch.tensor([1e-30, 0.7], dtype=torch.float32)}))
    assert (found["x"].outcome, found["x"].verdicts[0].note) == (UNDECIDED, Note.OVERFLOW)
    assert found["x"].verdicts[1].outcome is AGREES
    assert outcome(code, torch.tensor([0.3, 0.7], dtype=torch.float32)) is AGREES


def test_the_slope_of_sinc_is_0_where_the_square_underflows_which_decides_nothing():
    found = examine(Subject(torch.sinc, {"x": torch.tensor([1e-30, 0.4], dtype=torch.float32)}))
    assert found["x"].outcome is UNDECIDED


def test_a_wrong_constant_in_a_branch_disagrees():
    def slope(x):
        right = torch.special.i0(x) - torch.special.i1(x) / torch.where(x.abs() > 1e-15, x, 1.0)
        return torch.where(x.abs() > 1e-15, right, 0.25)

    code = with_slope(torch.special.i1, slope)
    at = torch.tensor([2e-16, 0.4], dtype=torch.float64)
    assert outcome(code, at) is DISAGREES
    assert outcome(code, torch.tensor([0.3, 0.4], dtype=torch.float64)) is AGREES


@pytest.mark.parametrize("code", [torch.cummin, torch.cummax])
@pytest.mark.parametrize("dim", [0, 1])
def test_many_equal_numbers_in_a_row_share_a_running_extreme(code, dim):
    for shape in ((5, 2), (2, 5), (6, 6)):
        at = torch.zeros(shape, dtype=torch.float64)
        assert outcome(lambda x: code(x, dim)[0], at) is AGREES


def test_a_running_minimum_that_takes_all_from_its_last_number_disagrees():
    def slope(x):
        return torch.tensor([0.0, 0.0, 0.0, 0.0, 5.0], dtype=x.dtype)

    at = torch.zeros(5, dtype=torch.float64)
    assert outcome(with_slope(lambda x: torch.cummin(x, 0)[0], slope), at) is DISAGREES


@pytest.mark.parametrize("x", [-1.5275804267347248, 0.3, 1e-300])
def test_the_curvature_of_one_factor_is_what_torch_leaves_of_0(x):
    for code in (lambda x: x.prod(), lambda x: x.prod(0), lambda x: x.cumprod(0)):
        at = torch.tensor([x], dtype=torch.float64)
        assert outcome(code, at, quantity=SECOND, rows={"x": (0,)}) is not DISAGREES


def test_a_curvature_beyond_what_torch_leaves_of_0_disagrees():
    doubled = with_slope(torch.prod, lambda x: 1 + 1e-13 * x)
    at = torch.tensor([1.5], dtype=torch.float64)
    assert outcome(doubled, at, quantity=SECOND, rows={"x": (0,)}) is DISAGREES


@pytest.mark.parametrize(("dtype", "small"), [(torch.float32, 1.2e-38), (torch.float64, 2e-308)])
def test_torch_divides_a_product_that_is_subnormal(dtype, small):
    at = torch.tensor([[small, 0.6], [0.7, 1.3]], dtype=dtype)
    assert outcome(lambda x: x.prod(0), at) is AGREES


def test_a_gradient_that_rounding_of_a_subnormal_product_does_not_explain_disagrees():
    def slope(x):
        return x.flip(0) * (1 + 1e-5)

    at = torch.tensor([1.2e-38, 0.7], dtype=torch.float32)
    assert outcome(with_slope(lambda x: x.prod(0), slope), at) is DISAGREES


def test_a_reciprocal_of_a_subnormal_number_decides_nothing_at_an_edge():
    least = 1.401298464324817e-45
    at = torch.tensor([[-1.2e-38], [-1.2e-38 + 2 * least]], dtype=torch.float32)
    found = at_an_edge(lambda x: x.std(0), at)
    assert found.outcome is UNDECIDED
    assert "float32 ends at" in found.lost_range


def test_the_reason_names_the_number_without_reciprocal():
    at = torch.tensor([1e-20], dtype=torch.float32)
    found = at_an_edge(lambda x: (3 * x * x) / (x * x), at)
    assert found.lost_range == (
        "multiply on the way gives 3.00e-40, whose reciprocal float32 lacks"
    )


@pytest.mark.parametrize("shape", [(12,), (3, 4), (2, 3, 2), (7,)])
def test_any_of_equal_numbers_may_be_the_one_in_the_middle(shape):
    assert outcome(torch.median, torch.zeros(shape, dtype=torch.float64)) is AGREES


def test_a_median_of_equal_numbers_that_gives_twice_the_gradient_disagrees():
    def slope(x):
        return 2 * torch.eye(12, dtype=x.dtype)[5]

    at = torch.zeros(12, dtype=torch.float64)
    assert outcome(with_slope(torch.median, slope), at) is DISAGREES


EQUAL_ROWS = (
    (-0.3924063578811072, -0.3924063578811072, 0.7878181954256998),
    (-0.3924063578811072, -0.3924063578811072, 0.7878181954256998),
    (1.437050219605175, 1.437050219605175, -1.9569656017975032),
)


def symmetric_eigenvalues(matrix):
    return torch.linalg.eigvalsh(matrix + matrix.mT)


@pytest.mark.parametrize("code", [torch.linalg.svdvals, symmetric_eigenvalues])
def test_a_zero_of_the_spectrum_comes_out_as_a_rounding_of_the_matrix(code):
    at = torch.tensor(EQUAL_ROWS, dtype=torch.float64)
    assert examine(Subject(code, {"x": at}))["value"].outcome is AGREES


def test_a_spectrum_that_is_off_by_more_than_rounding_disagrees():
    at = torch.tensor(EQUAL_ROWS, dtype=torch.float64)
    found = examine(
        Subject(lambda x: torch.linalg.svdvals(x) + 1e-12, {"x": at}),
        Reference(torch.linalg.svdvals),
    )
    assert found["value"].outcome is DISAGREES


def test_a_pseudo_inverse_has_small_numbers_where_zeros_are_exact():
    at = torch.diag(torch.tensor([1.0, 0.3, 7.0], dtype=torch.float32))
    at[0, 2] = 0.9
    assert outcome(torch.linalg.pinv, at) is AGREES
