"""What can be read as a graph, and the sentence for everything that cannot."""

import numpy as np
import pytest
import torch

from tests.helpers.reading import agreeing_digits, largest_error, read
from verifier.capture.autograd_derivatives import Joint, SecondOrder, tensors
from verifier.capture.code_at_point import Subject
from verifier.capture.joint_graph import NotReadableError, captured
from verifier.capture.recorder import is_recording
from verifier.judging.examine import examine
from verifier.judging.verdict import Outcome

X = torch.tensor([0.5, -1.5, 2.0], dtype=torch.float64)


def sentence(code, *inputs):
    with pytest.raises(NotReadableError) as error:
        read(code, *(inputs or (X,)))
    return str(error.value)


def test_control_flow_on_shapes_is_read():
    read(lambda x: x.sin() if x.shape[0] > 2 else x.cos(), X)


class ByNumPy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.from_numpy(np.sin(x.detach().numpy()))

    @staticmethod
    def backward(ctx, g):
        return g


def test_numpy():
    assert sentence(ByNumPy.apply) == "the code leaves torch for NumPy"


@pytest.mark.parametrize(
    "code", [lambda x: x * (x.data_ptr() % 2), lambda x: x * x.untyped_storage()[0]]
)
def test_memory(code):
    assert (
        sentence(code)
        == "the code reads the memory of a tensor itself, as a kernel of its own does"
    )


def test_compiled_code():
    compiled = torch.compile(torch.sin, backend="eager")
    assert (
        sentence(lambda x: compiled(x))
        == "the code is compiled, and a compiled kernel has no graph of operations"
    )


def test_an_operation_without_a_rule():
    assert (
        sentence(lambda x: torch.special.bessel_y0(x.abs()) * x)
        == "aten::special_bessel_y0 has no rule"
    )


def test_formats_that_are_not_judged():
    assert (
        sentence(lambda x: x.to(torch.float8_e4m3fn).to(torch.float64))
        == "float8_e4m3fn is not a format that is judged"
    )


def test_what_torch_says_itself():
    def broken(x):
        broken.calls += 1
        if broken.calls > 1:
            raise RuntimeError("only once\nand a second line")
        return x.sin()

    broken.calls = 0
    assert sentence(broken) == "torch cannot trace the code: RuntimeError: only once"


def agrees(code, *inputs, **options):
    subject = Subject(code, {f"x{place}": value for place, value in enumerate(inputs)}, **options)
    return examine(subject).outcome is Outcome.AGREES


def in_place(x):
    y = x.clone()
    y.mul_(2).add_(x)
    y[0] = 3.0
    y[1:] *= x[1:]
    return y.exp_()


def on_its_input(x, y):
    y.mul_(x)
    return y + x


def test_code_in_place():
    assert agrees(in_place, X)


def test_what_is_given_is_not_written_to():
    x, y = X.clone(), X.clone()
    assert agrees(on_its_input, x, y)
    assert agrees(on_its_input, x, y, wanted=("x0",))
    assert torch.equal(x, X)
    assert torch.equal(y, X)
    assert not x.requires_grad


def test_one_tensor_given_twice():
    assert agrees(lambda x, y: x.sin() * y, X, X)
    assert agrees(lambda x, y: x.sin(), X, X)


def test_closures():
    w = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    layer = torch.nn.Linear(3, 2, dtype=torch.float64)
    assert agrees(lambda x: (x * w).exp(), X)
    assert agrees(layer, X[None])


def test_gradients_that_are_none():
    joint = Joint(lambda x, y: x.sin(), (0, 1), 1)
    _, dx, dy = joint(X, X, torch.ones_like(X))
    assert torch.equal(dx, X.cos())
    assert dy is None
    graph = captured(joint, (X, X, torch.ones_like(X)))
    assert [part is None for part in graph(X, X, torch.ones_like(X))] == [False, False, True]


def test_no_result_needs_a_gradient():
    joint = Joint(lambda x: torch.ones(3, dtype=torch.float64), (0,), 1)
    assert joint(X, X)[1] is None


def test_several_results():
    assert agrees(lambda x: (x.sin(), x.cos().sum(), torch.ones(2, dtype=torch.float64)), X)
    assert agrees(lambda x: [x, x], X)


@pytest.mark.parametrize("result", [None, 3.0, {"a": X}, (X, None)])
def test_what_is_no_tensor(result):
    with pytest.raises(TypeError, match="the code does not return tensors"):
        tensors(result)


class Cube(torch.autograd.Function):
    """x³, with a factor to be wrong by."""

    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * g * x * x * ctx.factor, None


def test_a_custom_function_is_read_through_its_own_backward():
    assert agrees(lambda x: Cube.apply(x, 1.0), X)
    assert not agrees(lambda x: Cube.apply(x, 1.0 + 1e-12), X)


def test_code_can_ask_whether_it_is_captured():
    asked = []

    def asking(x):
        asked.append(is_recording())
        return x.sin()

    asking(X)
    assert asked == [False]
    captured(asking, [X])
    assert asked[1:] and all(asked[1:])
    assert not is_recording()


def test_second_derivatives_are_in_the_graph():
    joint = SecondOrder(lambda x: (x**3).sum(), (0,), 1)
    found = joint(X, torch.ones((), dtype=torch.float64))
    assert torch.allclose(torch.stack(found[2::2]), torch.diag(6 * X))
    assert torch.allclose(torch.stack(found[3::2]), 3 * X**2)
    linear = SecondOrder(lambda x: x.sum(), (0,), 1)
    assert linear(X, torch.ones((), dtype=torch.float64))[2:] == (None, 1, None, 1, None, 1)


def test_a_row_of_the_hessian_is_as_long_a_graph_for_large_inputs_as_for_small_ones():
    def nodes(count):
        joint = SecondOrder(lambda x: (x.sin() * x).mean(), (0,), 1, ((0, count - 1),))
        arguments = (
            torch.linspace(-1, 1, count, dtype=torch.float64),
            torch.ones((), dtype=torch.float64),
        )
        return len(captured(joint, arguments).graph.nodes)

    assert nodes(2000) == nodes(20)


@torch.library.custom_op("verifier_tests::scaled_exp", mutates_args=())
def scaled_exp(x: torch.Tensor, factor: float) -> torch.Tensor:
    """Written in torch, and in place."""
    return x.exp().mul_(factor)


def _keep(ctx, inputs, output):
    ctx.save_for_backward(output)


scaled_exp.register_autograd(
    lambda ctx, grad_output: (grad_output * ctx.saved_tensors[0], None), setup_context=_keep
)


@torch.library.custom_op("verifier_tests::exp", mutates_args=())
def foreign_exp(x: torch.Tensor) -> torch.Tensor:
    """Has the name of an operation of torch's, and leaves torch."""
    return torch.from_numpy(2 * np.exp(x.numpy()))


foreign_exp.register_autograd(
    lambda ctx, grad_output: grad_output * ctx.saved_tensors[0], setup_context=_keep
)


def test_a_custom_operator_is_read_by_its_kernel():
    assert agreeing_digits(lambda x: scaled_exp(x, 3.0), X) > 30
    assert largest_error(lambda x: scaled_exp(x, 3.0), X) < 1e-13


def test_a_custom_operator_whose_kernel_leaves_torch():
    with pytest.raises(NotReadableError, match=r"^the code leaves torch for NumPy$"):
        read(foreign_exp, X)
