"""Edges: where something happens is found, and points stand there."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as some

from verifier.capture.joint_graph import captured
from verifier.capture.lowering import lowered, plain
from verifier.checking.edge_cases.critical_points import WATCHED
from verifier.checking.edge_cases.domain import Domain, float_beside, float_halfway, round_to_floats
from verifier.checking.edge_cases.edges import (
    find_edge_values,
    find_edges,
    make_edge_points,
    points_with_own_edges,
)
from verifier.checking.edge_cases.scan import Sweep
from verifier.errors import InputError
from verifier.operations.formats import BFLOAT16, CODE_FORMATS, FLOAT16, FLOAT32, FLOAT64
from verifier.operations.table import TABLE
from verifier.program.builder import Builder

D, S = torch.float64, torch.float32
FORMATS = tuple(CODE_FORMATS.values())
TORCH = {known: getattr(torch, known.name) for known in FORMATS}


def format_of(dtype):
    return CODE_FORMATS[str(dtype).removeprefix("torch.")]


def program_of(code, inputs):
    graph = captured(lambda *given: (code(*given).detach(),), list(inputs.values()))
    read = lowered(graph, list(inputs), list(inputs.values()))
    return read.builder.program(*(result for result in read.results if result is not None))


def drawn(low, high, shape, dtype=D, seed=0):
    low, high = max(low, -5.0), min(high, 5.0)
    return (
        torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=D) * (high - low)
        + low
    ).to(dtype)


def found(code, low, high, shape=(3,), dtype=D, **others):
    """The edges of code in its first input, x."""
    inputs = {"x": drawn(low, high, shape, dtype), **others}
    arrays = {name: plain(tensor) for name, tensor in inputs.items()}
    return find_edges(program_of(code, inputs), arrays, {"x": Domain(low, high)}, format_of(dtype))


def values(code, low, high, **more):
    return found(code, low, high, **more).values["x"]


def nearly(number, numbers, count):
    return any(math.isclose(number, other, rel_tol=1e-6) for other in numbers[:count])


# --- the floats of a domain
# -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_rounded_as_torch_rounds(format):
    generator = torch.Generator().manual_seed(1)
    sizes = 10.0 ** torch.randint(-46, 39, (2000,), generator=generator)
    numbers = torch.randn(2000, generator=generator, dtype=D) * sizes
    numbers = torch.cat(
        [numbers, torch.tensor([0.0, -0.0, math.inf, -math.inf, 65519.0, 65520.0], dtype=D)]
    )
    expected = numbers.to(TORCH[format]).double()
    assert torch.equal(torch.from_numpy(round_to_floats(numbers.numpy(), format)), expected)
    assert np.isnan(round_to_floats(math.nan, format))


@pytest.mark.parametrize("format", [FLOAT64, FLOAT32, BFLOAT16])
@pytest.mark.parametrize(
    "number", [0.0, -0.0, 1.0, -1.0, 0.75, -3.0, 2.0**-126, -(2.0**-126), 2.0**100]
)
def test_neighbours_are_those_of_torch(format, number):
    for steps, end in ((1, math.inf), (-1, -math.inf)):
        expected = torch.nextafter(
            torch.tensor(number, dtype=TORCH[format]), torch.tensor(end, dtype=TORCH[format])
        )
        assert float_beside(number, steps, format) == expected.item()


def test_neighbours_in_float16():
    assert float_beside(1.0, 1, FLOAT16) == 1 + 2.0**-10
    assert float_beside(1.0, -1, FLOAT16) == 1 - 2.0**-11
    assert float_beside(0.0, -1, FLOAT16) == -(2.0**-24)
    assert float_beside(1.0, 3, FLOAT16) == 1 + 3 * 2.0**-10
    assert float_beside(65504.0, 1, FLOAT16) == math.inf


@pytest.mark.parametrize("format", FORMATS)
@given(data=some.data())
@settings(max_examples=50, deadline=None)
def test_halving_ends_at_neighbours(format, data):
    numbers = some.floats(-format.largest, format.largest)
    low, high = sorted(float(round_to_floats(data.draw(numbers), format)) + 0.0 for _ in range(2))
    wanted = float(round_to_floats(data.draw(some.floats(low, high)), format))
    for _ in range(70):
        middle = float(float_halfway(low, high, format))
        if middle in (low, high):
            break
        assert low < middle < high
        low, high = (middle, high) if middle < wanted else (low, middle)
    assert high in (low, float_beside(low, 1, format))
    assert low <= wanted <= high


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "domain",
    [
        Domain(-2.0, 2.0),
        Domain(0.0, 1.0),
        Domain(-math.inf, math.inf),
        Domain(0.1, 0.2),
        Domain(1e5, 2e5),
    ],
)
def test_grids_are_floats_inside_and_in_order(format, domain):
    grid = domain.grid(format, 9)
    assert domain.inside(grid).all() and np.array_equal(round_to_floats(grid, format), grid)
    assert (np.diff(grid) > 0).all()
    low, high = domain.ends(format)
    assert grid.size == 0 or (low, high) == (grid[0], grid[-1]) or format in (BFLOAT16, FLOAT16)


def test_ends_are_just_inside():
    assert Domain(0.0, 1.0).ends(FLOAT32) == (2.0**-149, 1 - 2.0**-24)
    assert Domain(0.1, 0.3).ends(FLOAT32) == (0.10000000149011612, 0.29999998211860657)
    assert Domain(-math.inf, 2.0).ends(FLOAT16) == (-65504.0, 2 - 2.0**-10)


def test_a_domain_that_is_upside_down():
    message = "a domain from 2.0 to 1.0 has no numbers: give its low end first, then its high end"
    with pytest.raises(InputError, match=f"^{message}$"):
        Domain(2.0, 1.0)
    with pytest.raises(InputError, match=r"a domain from nan to 1\.0 has no numbers"):
        Domain(math.nan, 1.0)


def test_a_domain_without_floats_has_no_edges():
    assert values(torch.relu, 1.0, 1.0) == ()
    assert values(torch.relu, 1.0, float_beside(1.0, 1, FLOAT64)) == ()
    assert values(torch.relu, 1.0, float_beside(1.0, 2, FLOAT64)) == (
        float_beside(1.0, 1, FLOAT64),
    )


# --- what is found
# --------------------------------------------------------------------------------------------------

WHERE = {
    "relu": (torch.relu, -2.0, 2.0, [0.0]),
    "abs of a shifted line": (lambda x: (2 * x - 1).abs(), -2.0, 2.0, [0.5]),
    "leaky": (F.leaky_relu, -2.0, 2.0, [0.0]),
    "hardtanh": (F.hardtanh, -2.0, 2.0, [-1.0, 1.0]),
    "clamp": (lambda x: x.clamp(0.3, 0.7), 0.0, 1.0, [0.3, 0.7]),
    "softplus": (F.softplus, -50.0, 50.0, [20.0]),
    "hardsigmoid": (F.hardsigmoid, -10.0, 10.0, [-3.0, 3.0]),
    "hardshrink": (F.hardshrink, -1.0, 1.0, [-0.5, 0.5]),
    "sinc": (torch.sinc, -3.0, 3.0, [0.0]),
    "log": (lambda x: torch.log(x - 0.25), 0.0, 1.0, [0.25]),
    "sqrt": (lambda x: torch.sqrt(1.5 - x), 0.0, 2.0, [1.5]),
    "log1p": (torch.log1p, -2.0, 2.0, [-1.0]),
    "reciprocal": (lambda x: 1 / (x - 3), -4.0, 4.0, [3.0]),
    "power": (lambda x: (x + 1.25) ** 4, -4.0, 4.0, [-1.25]),
    "power of x": (lambda x: 2.0 ** (x - 0.5), -4.0, 4.0, [0.5, 1.5]),
    "square": (lambda x: ((x - 0.7) * (x - 0.7)).sum().sqrt(), 0.0, 1.0, [0.7]),
    "acos": (torch.acos, -2.0, 2.0, [-1.0, 1.0]),
    "tan": (torch.tan, 0.0, 4.0, [math.pi / 2, math.pi]),
    "digamma": (torch.digamma, -2.5, 2.0, [0.0, -1.0, -2.0]),
    "floor": (torch.floor, -1.5, 1.5, [-1.0, 0.0, 1.0]),
    "remainder": (lambda x: torch.remainder(x, 0.75), 0.0, 2.0, [0.75, 1.5]),
    "where": (lambda x: torch.where(x * x < 2, x, 2 * x), 0.0, 3.0, [math.sqrt(2)]),
    "maximum": (lambda x: torch.maximum(x * x, x + 1), 0.0, 3.0, [(1 + math.sqrt(5)) / 2]),
    "tanh": (torch.tanh, -50.0, 50.0, [0.5 * math.log(2.0**55), -0.5 * math.log(2.0**55)]),
    "sigmoid": (torch.sigmoid, -500.0, 500.0, [37.42994775023705, -37.42994775023705]),
    "expm1": (torch.expm1, -50.0, 50.0, [-37.42994775023705]),
    "erf": (torch.erf, -10.0, 10.0, [5.921587195794508, -5.921587195794508]),
    "logsigmoid": (F.logsigmoid, -50.0, 50.0, [37.42994775023705]),
    "exp": (torch.exp, -1000.0, 1000.0, [709.782712893384, -708.3964185322641, -745.1332191019412]),
    "softplus as it is written": (
        lambda x: torch.log(1 + torch.exp(x)),
        -1e3,
        1e3,
        [709.782712893384],
    ),
    "binary cross-entropy": (
        lambda p: F.binary_cross_entropy(p, 0 * p),
        0.0,
        1.0,
        [math.exp(-100)],
    ),
}


@pytest.mark.parametrize("name", WHERE)
def test_what_happens_is_found(name):
    code, low, high, expected = WHERE[name]
    numbers = values(code, low, high)
    # First of all, that is: a few other things may happen as well.
    assert all(nearly(number, numbers, 8) for number in expected), numbers[:8]


@pytest.mark.parametrize("name", WHERE)
def test_neighbours_of_what_happens_are_among_the_values(name):
    code, low, high, expected = WHERE[name]
    numbers = values(code, low, high)
    for number in expected:
        hit = next(other for other in numbers if nearly(number, [other], 1))
        assert {float_beside(hit, 1, FLOAT64), float_beside(hit, -1, FLOAT64)} <= set(numbers)


@pytest.mark.parametrize("name", WHERE)
@pytest.mark.parametrize("format", FORMATS)
def test_every_value_is_a_float_of_the_format_inside_the_domain_once(name, format):
    code, low, high, _ = WHERE[name]
    if name == "binary cross-entropy" and format is FLOAT16:
        pytest.skip("its numbers are not in 16 bits")
    numbers = values(code, low, high, dtype=TORCH[format])
    assert numbers
    assert len({(number, math.copysign(1, number)) for number in numbers}) == len(numbers)
    assert all(low < number < high for number in numbers)
    tensor = torch.tensor(numbers, dtype=D)
    assert torch.equal(tensor.to(TORCH[format]).double(), tensor)


def test_saturation_depends_on_the_format():
    numbers = values(torch.tanh, -50.0, 50.0, dtype=S)
    assert nearly(9.010913848876953, numbers, 4) and nearly(-9.010913848876953, numbers, 4)
    # At this very float torch's gradient is 0.
    assert -9.010913848876953 in numbers
    numbers = values(torch.sigmoid, -200.0, 200.0, dtype=S)
    assert nearly(25 * math.log(2), numbers, 4) and nearly(-126 * math.log(2) * -1, numbers, 8)


def test_a_border_that_other_inputs_shift():
    def huber(x, w, b, y):
        apart = w * x + b - y
        return torch.where(apart.abs() < 1, apart**2 / 2, apart.abs() - 0.5)

    parameters = {
        "w": torch.tensor(2.0, dtype=D),
        "b": torch.tensor(0.25, dtype=D),
        "y": torch.tensor(0.75, dtype=D),
    }
    numbers = values(huber, -3.0, 3.0, **parameters)
    assert {-0.25, 0.25, 0.75} == set(numbers[:3])


def test_each_element_has_its_own_border():
    y = torch.tensor([0.1, -0.7, 0.4], dtype=D)
    edges_ = found(lambda x, y: F.huber_loss(x, y, reduction="none"), -3.0, 3.0, y=y)
    own = [torch.tensor(array, dtype=D) - y for array in edges_.own["x"]]
    for sign in (-1.0, 0.0, 1.0):
        assert any(
            torch.allclose(array, torch.full((3,), sign, dtype=D), atol=1e-15) for array in own
        )
    points = points_with_own_edges(edges_.own, {"x": torch.zeros(3, dtype=D), "y": y})
    assert len(points) == len(own)
    assert torch.equal(points[0]["x"], own[0] + y) and points[0]["y"] is y


def test_without_borders_of_their_own_there_are_no_such_arrays():
    assert found(torch.relu, -2.0, 2.0).own == {"x": ()}


def test_a_narrow_branch_gets_a_number_inside():
    numbers = values(lambda x: torch.where((x > 0.25) & (x < 0.26), x**3, x), -10.0, 10.0)
    assert any(0.251 < number < 0.259 for number in numbers[:16])


def test_general_numbers_come_last():
    numbers = values(lambda x: (x - 0.3).abs(), -2.0, 2.0)
    assert numbers[0] == 0.3
    assert {0.0, 1.0, -1.0, 0.5, 2.0**-1022, 5e-324, 2.0**-53} <= set(numbers)
    assert any(number == 0 and math.copysign(1, number) < 0 for number in numbers)
    assert numbers.index(0.3) < numbers.index(0.0)
    assert {
        float_beside(-2.0, 1, FLOAT64),
        float_beside(2.0, -1, FLOAT64),
        float_beside(1.0, 1, FLOAT64),
    } <= set(numbers)


def test_zero_is_left_out_where_it_is_an_end():
    numbers = values(torch.log, 0.0, 1.0)
    assert 0.0 not in numbers and 1.0 not in numbers
    assert {5e-324, 1 - 2.0**-53} <= set(numbers)


def test_large_numbers_where_the_domain_has_them():
    numbers = values(torch.special.log_ndtr, -1e300, 0.0)
    assert any(-1e9 < number < -1e7 for number in numbers)


def test_two_inputs():
    inputs = {"a": torch.tensor(0.5, dtype=D), "b": torch.tensor(1.5, dtype=D)}
    program = program_of(lambda a, b: (a - b) * torch.sqrt(a + b + 1), inputs)
    arrays = {name: plain(tensor) for name, tensor in inputs.items()}
    found = find_edge_values(
        program, arrays, {"a": Domain(-5.0, 5.0), "b": Domain(-5.0, 5.0)}, FLOAT64
    )
    assert found["a"][0] == -2.5 and found["b"][0] == -1.5
    assert find_edge_values(program, arrays, {"b": Domain(-5.0, 5.0)}, FLOAT64).keys() == {"b"}


def test_layers():
    torch.manual_seed(0)
    layer = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)
    ).double()
    x = torch.randn(5, 4, dtype=D)
    numbers = values(layer, -3.0, 3.0, shape=(5, 4))
    bends = -layer[0].bias / layer[0].weight.sum(1)
    for bend in bends[bends.abs() < 3].tolist():
        assert nearly(bend, numbers, 12)
    assert values(lambda x: F.layer_norm(x, (4,)), -3.0, 3.0, shape=x.shape)


def test_a_program_too_large_to_be_swept_has_general_values():
    build = Builder()
    x = build.input("x", (20_000_000,))
    program = build.program(build.apply("relu", x))
    numbers = find_edge_values(
        program, {"x": np.broadcast_to(0.5, (20_000_000,))}, {"x": Domain(0.25, 2.0)}, FLOAT32
    )
    assert numbers["x"][:2] == (1.0, float_beside(0.25, 1, FLOAT32))


def test_the_program_is_run_so_often_at_most(monkeypatch):
    runs = []
    before = Sweep._run
    monkeypatch.setattr(
        Sweep, "_run", lambda self, *given: runs.append(given) or before(self, *given)
    )
    inputs = {f"x{place}": torch.tensor(0.5, dtype=D) for place in range(120)}
    program = program_of(lambda *given: torch.stack(given).sigmoid().prod(), inputs)
    domains = {name: Domain(-1e3, 1e3) for name in inputs}
    find_edge_values(
        program, {name: plain(tensor) for name, tensor in inputs.items()}, domains, FLOAT64
    )
    assert 2 < len(runs) <= 200


def test_an_input_that_the_program_does_not_use():
    program = program_of(lambda x, y: x.abs(), {"x": torch.zeros(2), "y": torch.zeros(2)})
    arrays = {"x": np.zeros(2), "y": np.zeros(2)}
    found = find_edge_values(
        program, arrays, {"x": Domain(-1.0, 1.0), "y": Domain(-1.0, 1.0)}, FLOAT32
    )
    assert found["y"][:2] == (0.0, 0.0)


def test_only_rows_of_the_table_are_watched():
    assert set(WATCHED) <= set(TABLE)


# --- points


def inside(point, name, numbers):
    return set(point[name].reshape(-1).tolist()) <= set(numbers)


def test_a_few_points_of_a_small_tensor_take_every_value():
    numbers = tuple(float(number) for number in range(40))
    base = {"x": torch.full((4, 3), 0.5)}
    points = make_edge_points({"x": numbers}, base, 9)
    taken = {number for point in points for number in point["x"].reshape(-1).tolist()}
    assert len(points) == 9 and set(numbers) <= taken
    assert all(point["x"].dtype == torch.float32 and point["x"].shape == (4, 3) for point in points)


def test_elements_beside_the_edges_keep_their_numbers():
    point = make_edge_points({"x": (7.0, 8.0)}, {"x": torch.arange(6.0)}, 1)[0]
    assert point["x"].tolist() == [7.0, 8.0, 2.0, 7.0, 8.0, 5.0]


def test_the_kinds_of_points():
    base = {"x": torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])}
    mixed, tied, zero, level, crowded, *_ = make_edge_points({"x": (2.0, 0.0, 4.0)}, base, 10)
    assert mixed["x"].tolist() == [
        [2.0, 0.0, base["x"][0, 2].item()],
        [4.0, 2.0, base["x"][1, 2].item()],
    ]
    assert torch.equal(tied["x"], base["x"][0, [0, 0, 2]].expand(2, 3))
    assert zero["x"].tolist() == [[0.0] * 3] * 2
    assert level["x"].tolist() == [[2.0] * 3] * 2
    step = 4 * 2.0**-23
    assert crowded["x"].reshape(-1).tolist() == [4.0 - place * step for place in range(6)]


def test_ties_of_rows_and_of_columns():
    tied = make_edge_points({"x": (9.0,)}, {"x": torch.rand(4, 6)}, 2)[1]["x"]
    for axis in (0, 1):
        top = tied.max(axis, keepdim=True).values
        assert ((tied == top).sum(axis) >= 2).all()


def test_no_zeros_where_the_domain_has_none():
    points = make_edge_points({"x": (1.0, 2.0)}, {"x": torch.full((3,), 1.5)}, 50)
    assert not any((point["x"] == 0).any() for point in points)


def test_one_value_a_point_without_axes():
    base = {"x": torch.tensor(0.5)}
    points = make_edge_points({"x": (1.0, -0.0, 0.0)}, base, 50)
    assert [point["x"].item() for point in points[:3]] == [1.0, 0.0, -0.0]
    assert {repr(point["x"].item()) for point in points} == {"1.0", "-0.0", "0.0"} and len(
        points
    ) == 3


def test_several_inputs_stand_at_edges_together_and_alone():
    base = {"a": torch.tensor(0.5), "b": torch.tensor(0.25), "n": torch.tensor(3)}
    points = make_edge_points({"a": (1.0, 2.0), "b": (4.0, 5.0)}, base, 50)
    pairs = [(point["a"].item(), point["b"].item()) for point in points]
    assert pairs[0] == (1.0, 4.0) and (2.0, 0.25) in pairs and (0.5, 4.0) in pairs
    assert all(point["n"] is base["n"] for point in points)
    assert len(set(pairs)) == len(pairs)


def test_the_limit_and_what_has_no_edges():
    base = {"x": torch.rand(3)}
    assert len(make_edge_points({"x": tuple(map(float, range(99)))}, base, 7)) == 7
    assert make_edge_points({"x": (1.0,)}, base, 0) == []
    assert make_edge_points({"x": ()}, base, 5) == []
    assert make_edge_points({}, base, 5) == []


def test_the_base_is_left_alone_and_points_come_out_the_same_again():
    base = {"x": torch.rand(3, 5, generator=torch.Generator().manual_seed(0)), "y": torch.rand(())}
    before = {name: tensor.clone() for name, tensor in base.items()}
    numbers = {"x": (0.0, -0.0, 1.0, 3.0), "y": (0.0, 1.0)}
    one, other = make_edge_points(numbers, base, 20), make_edge_points(numbers, base, 20)
    assert all(torch.equal(base[name], before[name]) for name in base)
    assert len(one) == len(other)
    assert all(
        torch.equal(a[name], b[name]) for a, b in zip(one, other, strict=True) for name in base
    )


def test_points_are_in_the_domain():
    base = {"x": drawn(0.0, 1.0, (2, 3), S)}
    numbers = values(lambda p: -p.log(), 0.0, 1.0, shape=(2, 3), dtype=S)
    for point in make_edge_points({"x": numbers}, base, 50):
        assert ((point["x"] > 0) & (point["x"] < 1)).all()


# --- known wrong gradients are met
# ----------------------------------------------------------------------------------


def points_of(code, domains, shapes, dtype=D, limit=60):
    inputs = {
        name: drawn(domain.low, domain.high, shapes, dtype, place)
        for place, (name, domain) in enumerate(domains.items())
    }
    arrays = {name: plain(tensor) for name, tensor in inputs.items()}
    return make_edge_points(
        find_edge_values(program_of(code, inputs), arrays, domains, format_of(dtype)), inputs, limit
    )


def gradient(code, *inputs):
    inputs = [tensor.clone().requires_grad_() for tensor in inputs]
    return torch.autograd.grad(code(*inputs).sum(), inputs)


def second(code, x):
    x = x.clone().requires_grad_()
    first = torch.autograd.grad(code(x).sum(), x, create_graph=True)[0]
    return torch.autograd.grad(first.sum(), x)[0] if first.requires_grad else torch.zeros_like(x)


def lost(exact):
    """The gradient is 0, or no number, where it is not."""
    return lambda x, g: ((g == 0) | g.isnan()) & (exact(x) != 0)


def variance(x):
    """The exact gradient of it."""
    return 2 * (x.double() - x.double().mean()) / (x.numel() - 1)


SINGLE = {
    "where_sqrt": (
        lambda x: torch.where(x == 0, x / 2, x.abs().sqrt() + 1),
        -4,
        4,
        D,
        lambda x, g: g.isnan(),
    ),
    "tanh_sat_f32": (torch.tanh, -40, 40, S, lost(lambda x: 1 / torch.cosh(x) ** 2)),
    "tanh_sat_f64": (torch.tanh, -100, 100, D, lost(lambda x: 1 / torch.cosh(x) ** 2)),
    "sigmoid_sat_f64": (torch.sigmoid, -100, 100, D, lost(lambda x: torch.exp(-x))),
    "expm1": (torch.expm1, -100, 100, D, lost(torch.exp)),
    "bcewl_pos": (
        lambda x: F.binary_cross_entropy_with_logits(x, torch.ones_like(x)),
        -100,
        100,
        D,
        lost(lambda x: torch.exp(-x)),
    ),
    "sinc_near0": (
        torch.sinc,
        -3,
        3,
        D,
        lambda x, g: (g / (-(math.pi**2) * x / 3) - 1).abs() * (x.abs() < 1e-3) > 0.1,
    ),
    "log_ndtr_f64": (
        torch.special.log_ndtr,
        -1e9,
        0,
        D,
        lambda x, g: (g + x).abs() * (x < -1e3) > 0.1 * x.abs(),
    ),
    "erfcx_f32": (torch.special.erfcx, 0, 1e6, S, lambda x, g: (x > 100) & (x < 1e6) & (g >= 0)),
    "softplus_d2": (F.softplus, -50, 50, D, lambda x, g: x == 20),
    "bce_boundary": (
        lambda p: F.binary_cross_entropy(p, torch.zeros_like(p), reduction="none"),
        0,
        1,
        D,
        lambda p, g: g < 0.9,
    ),
    "sqrt_x4": (lambda x: torch.sqrt(x**4), -3, 3, D, lambda x, g: g.isnan()),
    "acos_sq": (lambda x: torch.acos(x.clamp(-1, 1)) ** 2, -2, 2, D, lambda x, g: g.isnan()),
    "x2logx": (lambda x: x * x * torch.log(x.abs()), -2, 2, D, lambda x, g: g.isnan()),
    "naive_softplus": (
        lambda x: torch.log(1 + torch.exp(x)),
        -1000,
        1000,
        D,
        lambda x, g: g.isnan(),
    ),
    "sqrt_sum_sq": (lambda x: (x * x).sum().sqrt() ** 2, -3, 3, D, lambda x, g: g.isnan()),
    "var_f32": (
        lambda x: x.var(),
        -1e9,
        1e9,
        S,
        lambda x, g: (g - variance(x)).abs() > variance(x).abs().max() / 2,
    ),
    "mut_hardsigmoid": (lambda x: F.relu6(x + 3) / 6, -10, 10, D, lambda x, g: x < -3.5),
    "mut_softplus_threshold": (
        lambda x: F.softplus(x, 3.0, 1.0),
        -2,
        2,
        D,
        lambda x, g: (3 * x <= 1) & (3 * F.softplus(x, 3.0, 1.0) > 1),
    ),
    "mut_prod_zero": (lambda x: x.prod(), -2, 2, D, lambda x, g: x == 0),
    "mut_sinc0": (torch.sinc, -2, 2, D, lambda x, g: x == 0),
    "mut_logsigmoid0": (F.logsigmoid, -2, 2, D, lambda x, g: x == 0),
}


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("shape", [(), (3,), (2, 6)])
def test_where_a_gradient_is_known_to_be_wrong_there_is_a_point(name, shape):
    code, low, high, dtype, breaks = SINGLE[name]
    if name == "var_f32" and shape == ():
        pytest.skip("one number has no variance")
    points = points_of(code, {"x": Domain(low, high)}, shape, dtype)
    assert any(breaks(point["x"], gradient(code, point["x"])[0]).any() for point in points)


def test_the_second_derivative_of_softplus_is_met_where_it_breaks():
    points = points_of(F.softplus, {"x": Domain(-50.0, 50.0)}, ())
    found = [second(F.softplus, point["x"]).item() for point in points if point["x"] == 20]
    assert found == [0.0]


def test_a_base_of_zero_with_a_positive_exponent():
    points = points_of(torch.pow, {"a": Domain(-1.0, 4.0), "b": Domain(0.0, 3.0)}, ())
    assert any(point["a"] == 0 and point["b"] > 0 for point in points)
    assert any(point["a"] == 0 and point["b"] == 1 for point in points)


def test_both_arguments_of_atan2_are_small_together():
    points = points_of(
        torch.atan2, {"a": Domain(0.0, 2.0), "b": Domain(0.0, 2.0)}, (), torch.float16
    )
    assert any(gradient(torch.atan2, *point.values())[0].isinf() for point in points)
