"""Code that decides by values, computes with numbers of Python or draws at random is read as it
ran; a wrong backward is found all the same.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from flint import arb
from scipy.optimize import linear_sum_assignment
from torch import nn
from torch.utils.checkpoint import checkpoint

from tests.helpers.own_backward import function
from verifier.capture.autograd_derivatives import Joint
from verifier.capture.code_at_point import Subject
from verifier.capture.joint_graph import (
    NotReadableError,
    captured,
    captured_with_detached,
)
from verifier.capture.random_draws import with_seed
from verifier.capture.target import bound
from verifier.errors import InputError
from verifier.judging.examine import examine
from verifier.judging.verdict import Outcome
from verifier.program.evaluation.arithmetic import precision

X = torch.tensor([0.5, -1.5, 2.0, 0.25], dtype=torch.float64)
AGREES, DISAGREES = Outcome.AGREES, Outcome.DISAGREES


def examined(code, x=X, **options):
    return examine(Subject(code, {"x": x}, **options))


class Off(torch.autograd.Function):
    """The identity, with a backward that is off by a part in 10^12."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        return g * (1 + 1e-12)


def branch(x):
    return x.sin() if x.max() > 0 else x.cos()


def count(x):
    places = torch.tensor([0, 2, 1, 0])
    return torch.zeros(int(places.max()) + 1, dtype=x.dtype).index_add(0, places, x) ** 2


def largest(x):
    return x[x.argmax()] * x


def chosen(x):
    return x[torch.nonzero(x > 0)[:, 0]].exp()


def masked(x):
    return x[x > 0].log().sum() + torch.masked_select(x, x < 0).sum()


def filled(x):
    y = x.clone()
    y[(x > 0.4).nonzero(as_tuple=True)] = 0.5
    return y**2


def newton(x):
    """The square root of |x| + 1/2, until it is one."""
    a = x.abs() + 0.5
    y = x.abs() + 1
    while (y * y - a).abs().max().item() > 1e-6:
        y = (y + a / y) / 2
    return y


def asserted(x):
    y = x.exp()
    assert (y > 0).all()
    return y * y.log()


def truth(x):
    return x.sin() if bool(x.sum() > 0) else x.cos()


def equal(x):
    return x.sin() if torch.equal(x, x.clone()) else x


def close(x):
    return x.sin() if torch.allclose(x, x + 1e-12) else x


def unique(x):
    places, back = torch.unique(torch.tensor([2, 2, 0, 1]), return_inverse=True)
    return x[places][back] * x


def whole(x):
    return x * int(x.abs().max() * 3)


def listed(x):
    return torch.stack([x[place] * place for place in torch.tensor([1, 3]).tolist()])


def density(x):
    return torch.distributions.Normal(x, x.exp(), validate_args=True).log_prob(x * 0.5)


TAKEN = [
    branch, count, largest, chosen, masked, filled, newton, asserted, truth, equal, close, unique,
    whole, listed, density,
]  # fmt: skip


@pytest.mark.parametrize("code", TAKEN)
def test_the_path_that_was_taken_is_judged(code):
    examination = examined(code)
    assert examination.outcome is AGREES
    assert examination.formula.digits > 60
    assert examined(lambda x: code(Off.apply(x)))["x"].outcome is DISAGREES


def test_what_decides_is_recorded():
    first = branch.__code__.co_firstlineno
    (reading,) = examined(branch).events.readings
    assert (reading.place, reading.value) == (f"test_trace_events.py, line {first + 1}", True)
    taken = [reading.value for reading in examined(newton).events.readings]
    assert all(value > 1e-6 for value in taken[:-1])
    assert taken[-1] <= 1e-6
    assert all(reading.is_check for reading in examined(density).events.readings)
    assert [reading.value for reading in examined(listed).events.readings] == [1, 3]


def test_another_point_takes_another_path():
    assert examined(branch).events.readings[0].value is True
    assert examined(branch, -X.abs()).events.readings[0].value is False
    assert examined(branch, -X.abs()).outcome is AGREES


def by_largest(x):
    return x * float(x.abs().max())


def by_list(x):
    return x * torch.tensor(x.tolist())


def clamped(x):
    return x.clamp(max=x.abs().mean().item())


def divided(x):
    return x / x.norm().item() + 1.0


def filling(x):
    return x * torch.full((4,), x.sum().item(), dtype=x.dtype)


def filling_masked(x):
    return x.masked_fill(x < 0, x.mean().item()) * x


@pytest.mark.parametrize("code", [by_largest, by_list, clamped, divided, filling, filling_masked])
def test_a_number_that_the_code_takes_out_is_a_detached_path(code):
    examination = examined(code)
    assert examination["x"].outcome is DISAGREES
    line = code.__code__.co_firstlineno + 1
    assert examination.detached == (f"a number read in test_trace_events.py, line {line}",)
    meant = examined(code, honour_detach=True)
    assert meant.outcome is AGREES
    assert meant.detached == examination.detached
    wrong = examined(lambda x: code(Off.apply(x)), honour_detach=True)
    assert wrong["x"].outcome is DISAGREES


def test_a_right_backward_for_such_a_number_agrees():
    scaled = function(lambda x: x * float(x.sum()), lambda g, x: g * float(x.sum()) + (g * x).sum())
    assert examined(scaled).outcome is AGREES
    assert examined(scaled).formula.digits > 60
    assert examined(lambda x: scaled(Off.apply(x)))["x"].outcome is DISAGREES


def computing(x):
    return x / (2 * float(x.abs().max()))


def test_what_python_computes_with_such_a_number_is_refused():
    line = computing.__code__.co_firstlineno + 1
    with pytest.raises(InputError) as error:
        examined(computing)
    assert error.value.sentence == (
        "the code's forward cannot be read: the code computes in Python with a number that it "
        f"takes out of a tensor (test_trace_events.py, line {line}), and no derivative follows it "
        "there: leave out float(), item() and numpy(), or take it for a constant with "
        "--honour-detach; give its formula or a plain version"
    )
    assert examined(computing, honour_detach=True).outcome is AGREES


def test_numbers_that_only_decide_are_no_detached_path():
    assert examined(newton).detached == ()
    assert examined(whole).detached == ()


def test_numbers_from_elsewhere_are_still_refused():
    with pytest.raises(NotReadableError, match="the code reads the memory of a tensor itself"):
        captured(Joint(lambda x: x * x.detach().untyped_storage().nbytes(), (0,), 1), [X, X])


def dropped(x):
    return F.dropout(x.sin(), 0.5) * x


def dropped_in_place(x):
    y = x * 1
    F.dropout(y, 0.5, inplace=True)
    return y.sin()


def soft(x):
    return F.gumbel_softmax(x, tau=0.7)


def hard(x):
    return F.gumbel_softmax(x, tau=0.7, hard=True)


def normal(x):
    return torch.distributions.Normal(x, x.exp()).rsample().sin()


def laplace(x):
    return torch.distributions.Laplace(x, x.exp()).rsample()


def gamma_by_rate(x):
    return torch.distributions.Gamma(torch.full_like(x, 2.0).detach(), x.exp()).rsample()


def noisy(x):
    return x * torch.randn(4, dtype=x.dtype) + torch.rand_like(x)


def leaky(x):
    return F.rrelu(x, training=True)


def bernoulli(x):
    return x * torch.bernoulli(torch.sigmoid(x))


def shuffled(x):
    return x[torch.randperm(4)] * x


def fused(x):
    return torch.native_dropout(x.sin(), 0.5, True)[0] * x


DRAWING = [
    dropped, dropped_in_place, soft, hard, normal, laplace, gamma_by_rate, noisy, leaky, bernoulli,
    shuffled, fused,
]  # fmt: skip


@pytest.mark.parametrize("code", DRAWING)
def test_what_is_drawn_is_a_constant(code):
    examination = examined(code)
    assert examination.outcome is AGREES
    assert examination.formula.digits > 60
    assert examination.events.draws
    assert examined(lambda x: code(Off.apply(x)))["x"].outcome is DISAGREES


def test_another_seed_draws_other_numbers():
    one, same, other = (examined(noisy, random_seed=seed) for seed in (0, 0, 1))
    assert (one["value"].verdicts.stated == same["value"].verdicts.stated).all()
    assert (one["value"].verdicts.stated != other["value"].verdicts.stated).all()


def test_dropout_in_training_mode_in_a_transformer():
    layer = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.3, dtype=torch.float64)
    examination = examined(layer, torch.rand(3, 2, 4, dtype=torch.float64))
    assert examination.outcome is AGREES
    assert len(examination.events.draws) == 4


class DrawsAgain(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * (torch.rand_like(x) > 0.5)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * g * x * (torch.rand_like(x) > 0.5)


def test_a_backward_that_draws_again_disagrees():
    examination = examined(DrawsAgain.apply)
    assert examination["value"].outcome is AGREES
    assert examination["x"].outcome is DISAGREES
    assert [draw.in_backward for draw in examination.events.draws] == [False, True]


def recomputed(x, **options):
    return checkpoint(lambda y: F.dropout(y.sin(), 0.5) * y, x, **options)


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.filterwarnings("ignore")
def test_checkpoints(reentrant):
    examination = examined(lambda x: recomputed(x, use_reentrant=reentrant))
    assert examination.outcome is AGREES
    wrong = examined(lambda x: recomputed(Off.apply(x), use_reentrant=reentrant))
    assert wrong["x"].outcome is DISAGREES


def test_a_checkpoint_that_draws_other_numbers_disagrees():
    examination = examined(lambda x: recomputed(x, use_reentrant=False, preserve_rng_state=False))
    assert examination["x"].outcome is DISAGREES


class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x * 1.0

    @staticmethod
    def backward(ctx, g):
        return g * ctx.factor, None


IMPLICIT = {
    "gamma": lambda x: torch.distributions.Gamma(x.exp(), 2.0).rsample(),
    "beta": lambda x: torch.distributions.Beta(x.exp(), x.cosh()).rsample(),
    "dirichlet": lambda x: torch.distributions.Dirichlet(x.exp()).rsample(),
    "student": lambda x: torch.distributions.StudentT(x.exp() + 2).rsample(),
    "chi squared": lambda x: torch.distributions.Chi2(x.exp()).rsample(),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", IMPLICIT)
def test_what_is_drawn_moves_with_its_distribution(name, dtype):
    def code(factor):
        return lambda x: IMPLICIT[name](Scale.apply(x, factor))

    x = X.to(dtype)
    assert examined(code(1.0), x=x).outcome is AGREES
    assert examined(code(1.001), x=x)["x"].outcome is DISAGREES


def test_a_path_that_what_is_drawn_does_not_take_has_no_gradient():
    def code(x):
        return torch.distributions.Gamma(x.exp(), 2.0).rsample().detach() * x

    assert examined(code, x=X)["x"].outcome is DISAGREES
    drawn = torch.distributions.Gamma(torch.ones(4, dtype=torch.float64), 2.0)
    assert examined(lambda x: drawn.rsample() * x, x=X)["x"].outcome is AGREES


@pytest.mark.parametrize("number", [0.3, 1.0, 2.5, 40.0])
def test_torch_knows_the_slope_of_what_it_draws_to_three_digits(number):
    """Its kernels approximate it; the exact one is -dP/da over the density of x."""
    step = arb(2) ** -60
    a = torch.full((8,), number, dtype=torch.float64)
    x = torch._standard_gamma(a)
    with precision(256):
        for drawn, slope in zip(x.tolist(), torch._standard_gamma_grad(a, x).tolist(), strict=True):
            above, below = (arb(drawn).gamma_lower(arb(number) + way * step, 1) for way in (1, -1))
            density = arb(drawn) ** (arb(number) - 1) * (-arb(drawn)).exp() / arb(number).gamma()
            exact = float(-(above - below) / (2 * step) / density)
            assert abs(slope - exact) < 2e-3 * abs(exact)


def matched(x):
    """The pairs of least cost, which NumPy finds."""
    cost = (x[:, None] - x.flip(0)[None] + 0.5).abs()
    rows, columns = linear_sum_assignment(cost.detach().numpy())
    return (x[torch.as_tensor(rows)] - 2 * x[torch.as_tensor(columns)]).square()


def ordered_by_numpy(x):
    return x[torch.from_numpy(np.argsort(x.detach().numpy()))].cumsum(0)


def labelled(x):
    labels = np.unique(torch.tensor([2, 0, 2, 1]).numpy(), return_inverse=True)[1]
    return torch.zeros(3, dtype=x.dtype).index_add(0, torch.as_tensor(labels), x).exp()


@pytest.mark.parametrize("code", [matched, ordered_by_numpy, labelled])
def test_what_numpy_decides_is_taken_as_it_came_out(code):
    assert examined(code).outcome is AGREES
    assert examined(lambda x: code(Scale.apply(x, 1.001)))["x"].outcome is DISAGREES


def weighted_by_numpy(x):
    return torch.from_numpy(np.tanh(x.detach().numpy())) * x


def test_what_numpy_computes_has_no_derivative():
    with pytest.raises(InputError) as error:
        examined(weighted_by_numpy)
    assert "leave out float(), item() and numpy()" in error.value.sentence
    assert examined(weighted_by_numpy, honour_detach=True).outcome is AGREES
    wrong = examined(lambda x: weighted_by_numpy(Scale.apply(x, 1.001)), honour_detach=True)
    assert wrong["x"].outcome is DISAGREES


def test_a_function_that_computes_in_numpy_needs_a_reference():
    class Sine(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.from_numpy(np.sin(x.detach().numpy()))

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0].cos()

    for honour in (False, True):
        with pytest.raises(InputError) as error:
            examined(Sine.apply, honour_detach=honour)
        assert error.value.sentence == (
            "the code's forward cannot be read: the code leaves torch for NumPy; give its formula "
            "or a plain version"
        )


def test_an_array_of_numpy_that_code_writes_to_is_refused():
    def code(x):
        y = x.detach().clone()
        y.numpy()[0] = 3.0
        return x * y

    with pytest.raises(InputError, match="assignment destination is read-only"):
        examined(code, honour_detach=True)


def penalty(x):
    (gradient,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
    return (gradient.norm() - 1) ** 2


def forces(x):
    (gradient,) = torch.autograd.grad((x**3).sum(), x)
    return gradient * x


def hooked(x):
    y = x.sin()
    y.register_hook(lambda g: g * 1.0)
    return y * x


def hooked_wrongly(x):
    y = x.sin()
    y.register_hook(lambda g: g * (1 + 1e-12))
    return y * x


def test_gradients_inside_the_forward():
    assert examined(penalty).outcome is AGREES
    assert examined(lambda x: penalty(Off.apply(x)))["x"].outcome is DISAGREES
    assert examined(lambda x: torch.func.grad(lambda z: (z**3).sum())(x).norm()).outcome is AGREES


def test_gradients_inside_the_forward_that_autograd_does_not_follow():
    line = forces.__code__.co_firstlineno + 1
    examination = examined(forces)
    assert examination["x"].outcome is DISAGREES
    assert examination.detached == (
        f"torch.autograd.grad without create_graph in test_trace_events.py, line {line}",
    )
    assert examined(forces, honour_detach=True).outcome is AGREES


def test_hooks():
    assert examined(hooked).outcome is AGREES
    assert examined(hooked_wrongly)["x"].outcome is DISAGREES


def test_calls_with_other_weights_and_tied_ones():
    layer = nn.Linear(4, 4, dtype=torch.float64)
    called = torch.func.functional_call

    def code(x):
        return called(layer, {"weight": torch.outer(x, x)}, (x,))

    def tied(x):
        return F.linear(F.linear(x, layer.weight).tanh(), layer.weight.T)

    for one in (code, tied):
        assert examined(one).outcome is AGREES
        assert examined(lambda x, one=one: one(Off.apply(x)))["x"].outcome is DISAGREES


@pytest.mark.filterwarnings("ignore")
def test_torchscript():
    def plain(x: torch.Tensor) -> torch.Tensor:
        return x.sin() * x

    code = torch.jit.trace(plain, X)
    assert examined(lambda x: code(x)).outcome is AGREES
    assert examined(lambda x: code(Off.apply(x)))["x"].outcome is DISAGREES


def test_compiled_code_is_judged_by_the_forward_that_was_compiled():
    code = torch.compile(lambda x: x.sin() * x, backend="eager")
    examination = examined(lambda x: code(x))
    assert examination.outcome is AGREES
    assert examination.formula.reason == (
        "the code is compiled, and a compiled kernel has no graph of operations"
    )
    half = torch.compile(lambda x: x.detach() * x + x.sin(), backend="eager")
    assert examined(lambda x: half(x))["x"].outcome is DISAGREES


def test_a_power_iteration_of_torch_is_a_convention():
    layer = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3))
    here = bound(layer, {"input": X}, "float64")
    examination = examine(Subject(here.code, here.inputs, here.wanted))
    assert examination.outcome is AGREES
    assert examination.events.conventions == ("_power_method",)


def test_a_capture_keeps_what_happened():
    joint = Joint(with_seed(lambda x: by_largest(x) + noisy(x), 0), (0,), 1)
    graph = captured_with_detached(joint, [X, X])
    assert len(graph.detached) == 1
    assert len(graph.events.readings) == 1
    assert [draw.operation for draw in graph.events.draws] == ["randn", "rand_like"]
