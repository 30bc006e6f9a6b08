"""Targets: anybody's code is found, bound to its inputs, run once, and examined; or refused in a
sentence.
"""

import copy
import functools
import math
import threading
import time
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.autograd import Function

from verifier.capture.code_at_point import Subject
from verifier.capture.target import Run, UserCodeError, bound, load_target, name_of, run_once
from verifier.checking.inputs import between, draw_inputs, input_words, parse_inputs
from verifier.errors import InputError
from verifier.formula.text.parser import read_text
from verifier.judging.examination import NotReplayed
from verifier.judging.examine import examine
from verifier.judging.reference import Formula
from verifier.judging.verdict import Outcome
from verifier.process.deadline import Deadline
from verifier.process.timeout import OutOfTimeError, run_with_timeout
from verifier.program.builder import FormulaBuilder
from verifier.program.lift import REDUCTIONS

X = torch.tensor([0.5, -1.5], dtype=torch.float64)
Pair = namedtuple("Pair", "first second")


def said(function, *arguments):
    """The sentence of the InputError, without what stands below it."""
    with pytest.raises(InputError) as caught:
        function(*arguments)
    return caught.value.sentence


def at(target, dtype="float64", /, **inputs):
    return bound(target, draw_inputs(inputs, dtype, 0, 1), dtype)


def examined(target, dtype="float64", /, **inputs):
    code = at(target, dtype, **inputs)
    run_once(code, Deadline(60))
    return examine(Subject(code.code, code.inputs, code.wanted))


class Scale(Function):
    @staticmethod
    def forward(ctx, x, weight, power=1):
        ctx.save_for_backward(x, weight)
        return x * weight**power

    @staticmethod
    def backward(ctx, g):
        x, weight = ctx.saved_tensors
        return g * weight, g * x, None


class Apart(Function):
    """With its context set up apart from its forward."""

    @staticmethod
    def forward(x, weight):
        return x * weight

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g):
        x, weight = ctx.saved_tensors
        return g * weight, g * x


class Wrong(Scale):
    @staticmethod
    def backward(ctx, g):
        x, weight = ctx.saved_tensors
        return g * weight, -g * x, None


class Net(nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.linear = nn.Linear(width, 2)

    def forward(self, x):
        return self.linear(x).tanh()

    def loss(self, x, *, power=2):
        return (self(x) ** power).mean()


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
        self.down.weight = self.up.weight

    def forward(self, x):
        return self.down(self.up(x).tanh())


class Clashing(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.full((2,), 3.0))

    def forward(self, x, weight=None):
        return x * self.weight if weight is None else x * self.weight + weight


def nested(batch, *, state, eps=1e-3):
    h, (c, _) = state
    return {"loss": (batch["x"] * h).sum() + eps, "more": Pair(c.exp(), [None, 3])}


def in_place(x):
    x.mul_(2)
    return x.sin()


# What a target is called


def test_names():
    assert name_of(Scale.apply) == "Scale"
    assert name_of(nn.Linear(2, 3)) == "Linear"
    assert name_of(Net().loss) == "Net.loss"
    assert name_of(nested) == "nested"
    assert name_of(torch.tanh) == "tanh"
    assert name_of(functools.partial(functools.partial(nested, eps=1), eps=2)) == "nested"
    assert name_of(torch.compile(nn.Linear(2, 3), backend="eager")) == "Linear"
    assert name_of(torch.compile(nested, backend="eager")) == "nested"


def test_a_lambda_is_named_by_its_place():
    here = Path(__file__).name
    target = lambda x: x  # noqa: E731
    line = target.__code__.co_firstlineno
    assert name_of(target) == f"a lambda at {here}:{line}"
    assert name_of(torch.vmap(target)) == f"a lambda at {here}:{line}"


# What is bound


def test_names_and_order_of_what_is_bound():
    draw = between(0, 1)
    code = at(nested, batch={"x": between(0, 1, (2,)), "n": 4}, state=[draw, (draw, "s")])
    assert code.name == "nested"
    assert tuple(code.inputs) == code.wanted == ("batch.x", "state[0]", "state[1][0]")
    assert code.constants == {"batch.n": 4, "state[1][1]": "s"}
    assert code.results == ("value.loss", "value.more.first")
    x, h, c = code.inputs.values()
    loss, first = code.code(x, h, c)
    assert torch.equal(loss, (x * h).sum() + 1e-3)
    assert torch.equal(first, c.exp())


def test_arguments_go_where_their_names_are():
    def f(a, b, /, c=5, *, d):
        return a + 10 * b + 100 * c + 1000 * d

    def value(target, **inputs):
        code = at(target, **inputs)
        return float(code.code(*code.inputs.values())[0])

    one = torch.tensor(1.0)
    assert value(f, d=one, b=2, a=3) == 1523
    assert value(f, d=one, c=4, first=3, second=2) == 1423
    assert value(functools.partial(f, 1), b=2, d=one) == 1521
    assert value(lambda *xs: xs[0] - xs[1], p=one, q=3) == -2
    assert value(lambda *xs: xs[0] - xs[1], xs=[one, 3]) == -2
    assert value(lambda x, y=2, *xs: x + y + 10 * xs[0], x=one, z=3) == 33
    assert value(lambda **ks: ks["p"] - ks["q"], q=3, p=one) == -2
    assert value(lambda **ks: ks["p"] - ks["q"], ks={"q": 3, "p": one}) == -2
    assert value(lambda *xs, **ks: xs[0] - ks["q"], q=3, p=one) == -2
    assert value(torch.pow, x=2 * one, power=3) == 8
    assert value(Scale.apply, weight=3 * one, x=one) == 3
    assert value(Scale.apply, weight=3 * one, x=one, power=2) == 9
    assert value(Scale.apply, a=2 * one, b=3 * one) == 6
    assert value(Apart.apply, weight=3 * one, x=one) == 3


@pytest.mark.parametrize(
    "target, inputs, sentence",
    [
        (
            nested,
            {"batch": X},
            "nested needs state: give it as an input of nested(batch, *, state, eps=0.001)",
        ),
        (
            nested,
            {"batch": X, "sate": X, "state": X},
            "nested has no argument 'sate': did you mean state? It is nested(batch, *, state, "
            "eps=0.001)",
        ),
        (Net(), {"x": X, "z": X}, "Net has no argument 'z': it is Net(x)"),
        (Net(), {"x": X, "linear.wight": X}, "Net has no argument 'linear.wight': it is Net(x)"),
        (Net(), {}, "Net needs x: give it as an input of Net(x)"),
        (
            Scale.apply,
            {"x": X},
            "Scale needs weight: give it as an input of Scale(x, weight, power=1, /)",
        ),
        (
            Net(),
            {"x": X, "linear.bias": torch.ones(3)},
            "linear.bias of Net is a tensor of shape (2,): give one of that shape",
        ),
        (
            Net(),
            {"x": X, "linear.bias": 1.0},
            "linear.bias of Net is a tensor of shape (2,): give one of that shape",
        ),
        (
            torch.tanh,
            {"x": torch.tensor([1])},
            "tanh has nothing to take a gradient by: give a tensor of floating-point numbers",
        ),
        (
            sum,
            {"iterable": [0.5, 1.5]},
            "sum has nothing to take a gradient by: iterable[0]=0.5 is a constant; give iterable "
            "as a tensor",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_what_cannot_be_bound(target, inputs, sentence):
    assert said(bound, target, inputs, "float64") == sentence


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_lazy_modules_get_their_shapes_from_the_inputs():
    assert bound(nn.LazyLinear(3), {"input": X}, "float64").inputs["weight"].shape == (
        3,
        X.shape[-1],
    )
    sentence = "LazyBatchNorm1d has buffers without a shape: call it once, then give it"
    assert said(bound, nn.LazyBatchNorm1d(), {"input": X}, "float64") == sentence


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_scripted_modules_are_refused():
    sentence = (
        "RecursiveScriptModule is a scripted module, whose parameters cannot be set: give the one "
        "it was made from"
    )
    assert said(bound, torch.jit.script(nn.Linear(2, 2)), {"input": X}, "float64") == sentence


def test_a_module_that_cannot_be_copied():
    layer = Net()
    layer.last = layer.linear.weight * 2
    assert said(bound, layer, {"x": X}, "float32").startswith(
        "Net cannot be copied as float32: Only Tensors created"
    )


def test_unknown_dtypes():
    sentence = (
        "dtype 'int8' is not one that verifier judges: use float64 or float32 or bfloat16 or "
        "float16"
    )
    assert said(bound, torch.tanh, {"x": X}, "int8") == sentence


def test_the_parameters_of_a_module_are_inputs():
    layer = nn.Linear(3, 2)
    code = at(layer, "bfloat16", input=between(-1, 1, (4, 3)))
    assert code.wanted == ("input", "weight", "bias")
    assert {tensor.dtype for tensor in code.inputs.values()} == {torch.bfloat16}
    assert layer.weight.dtype == torch.float32
    input_, weight, bias = code.inputs.values()
    assert torch.equal(
        code.code(input_, 2 * weight, bias)[0], nn.functional.linear(input_, 2 * weight, bias)
    )


def test_frozen_parameters_and_buffers_are_not_wanted():
    layer = nn.BatchNorm1d(2)
    layer.bias.requires_grad_(False)
    code = at(layer, input=between(-1, 1, (4, 2)))
    assert tuple(code.inputs) == (
        "input",
        "weight",
        "bias",
        "running_mean",
        "running_var",
        "num_batches_tracked",
    )
    assert code.wanted == ("input", "weight")


def test_nothing_is_left_of_one_run_in_the_next():
    layer = nn.BatchNorm1d(2)
    code = at(layer, input=between(-1, 1, (4, 2)))
    before = copy.deepcopy(code.inputs)
    first = code.code(*code.inputs.values())[0]
    run_once(code, Deadline(60))
    assert torch.equal(code.code(*code.inputs.values())[0], first)
    for name, tensor in code.inputs.items():
        assert torch.equal(tensor, before[name]), name
    assert int(layer.num_batches_tracked) == 0


def test_the_mode_of_a_module_is_kept():
    given = {"input": between(-1, 1, (4, 2))}
    training, evaluating = at(nn.BatchNorm1d(2), **given), at(nn.BatchNorm1d(2).eval(), **given)
    values = [code.code(*code.inputs.values())[0] for code in (training, evaluating)]
    assert values[0].mean().abs() < 1e-9
    assert torch.allclose(values[1], evaluating.inputs["input"], rtol=1e-4)


class Filter(torch.nn.Module):
    """Weights in the frequency domain, and a complex buffer that changes."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([1 + 2j, 0.5j, -1.0]))
        self.register_buffer("shift", torch.tensor(1j))

    def forward(self, x):
        self.shift.mul_(2)
        return torch.fft.rfft(x) * self.weight, self.shift * x


def test_complex_parameters_arguments_and_results_come_in_parts():
    x = torch.tensor([1.0, 2.0, 4.0, 8.0], dtype=torch.float64)
    code = bound(Filter(), {"x": x}, "float64")
    assert code.wanted == ("x", "weight.real", "weight.imag")
    assert set(code.inputs) == {*code.wanted, "shift.real", "shift.imag"}
    assert code.results == ("value[0].real", "value[0].imag", "value[1].real", "value[1].imag")
    values = code.code(*code.inputs.values())
    weight = torch.tensor([1 + 2j, 0.5j, -1.0], dtype=torch.complex128)
    assert torch.equal(torch.complex(*values[:2]), torch.fft.rfft(x) * weight)
    assert torch.equal(values[3], 2 * x)
    # The buffer is as it was, for the next run.
    assert torch.equal(code.code(*code.inputs.values())[3], 2 * x)
    given = bound(lambda z: z.conj(), {"z": torch.tensor([1 + 2j])}, "float32")
    assert given.wanted == ("z.real", "z.imag")
    assert [part.tolist() for part in given.code(*given.inputs.values())] == [[1.0], [-2.0]]


def test_complex_parameters_in_a_format_that_has_none():
    with pytest.raises(InputError, match=r"complex numbers are judged in float32 and float64$"):
        bound(Filter(), {"x": torch.ones(4)}, "bfloat16")


def test_tied_parameters_are_there_once():
    code = at(Tied(), x=between(-1, 1, (3,)))
    assert code.wanted == ("x", "up.weight")
    examination = examined(Tied(), x=between(-1, 1, (3,)))
    assert examination["up.weight"].outcome is Outcome.AGREES
    x, weight = code.inputs.values()
    assert torch.equal(code.code(x, weight)[0], (x @ weight.T).tanh() @ weight.T)


def test_a_parameter_that_is_called_like_an_argument():
    code = at(Clashing(), x=X)
    assert tuple(code.inputs) == ("x", "self.weight")
    assert torch.equal(code.code(*code.inputs.values())[0], 3 * X)
    code = at(Clashing(), x=X, weight=X)
    assert code.wanted == ("x", "weight", "self.weight")
    assert torch.equal(code.code(*code.inputs.values())[0], 4 * X)
    code = at(Clashing(), **{"x": X, "self.weight": 2 * X})
    assert torch.equal(code.code(*code.inputs.values())[0], 2 * X * X)


def test_a_parameter_is_given():
    weights = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    for given in ({"linear.weight": weights}, {"linear": {"weight": weights}}):
        code = at(Net(), x=between(-1, 1, (3,)), **given)
        assert torch.equal(code.inputs["linear.weight"], weights.double())
    code = at(
        nn.BatchNorm1d(2).eval(), input=between(-1, 1, (4, 2)), running_var=between(1, 2, (2,))
    )
    assert (code.inputs["running_var"] != 1).all()


def test_methods_and_partials_of_modules():
    code = at(functools.partial(Net().loss, power=3), x=between(-1, 1, (4, 3)))
    assert code.name == "Net.loss"
    assert code.wanted == ("x", "linear.weight", "linear.bias")
    x, weight, bias = code.inputs.values()
    expected = (nn.functional.linear(x, weight, bias).tanh() ** 3).mean()
    assert torch.equal(code.code(x, weight, bias)[0], expected)


@pytest.mark.parametrize(
    "kind", [lambda: nn.BatchNorm1d(2), lambda: nn.Sequential(nn.Linear(2, 2), nn.PReLU())]
)
def test_a_bound_point_is_given_again_in_the_shell(kind):
    code = bound(kind(), draw_inputs({"input": between(-1, 1, (4, 2))}, "float32", 0, 1), "float32")
    again = parse_inputs(input_words({**code.inputs, **code.constants})[1::2])
    other = bound(kind(), draw_inputs(again, "float32", 9, 9), "float32")
    assert list(other.inputs) == list(code.inputs)
    assert all(map(torch.equal, other.inputs.values(), code.inputs.values()))


# What a run shows


def test_a_run():
    run = run_once(at(lambda x, y: (x * 2, y.detach(), None, 3), x=X, y=X), Deadline(60))
    assert run == Run(("value[0]", "value[1]"), without_gradient=("value[1]",), unreached=("y",))
    assert run_once(at(lambda x: x.detach(), x=X)) == Run(
        ("value",), without_gradient=("value",), unreached=("x",)
    )


def test_inputs_that_are_written_to():
    def in_the_backward(x, y):
        x.register_hook(lambda g: y.data.zero_() * 0 + g)
        return x * y

    assert run_once(at(in_place, x=X)).overwritten == ("x",)
    assert run_once(at(lambda x, y: x.data.add_(1) * y, x=X, y=X)).overwritten == ("x",)
    assert run_once(
        at(lambda x, y: y[0]["k"].relu_() + x, x=X, y=[{"k": X.abs()}])
    ).overwritten == ("y[0].k",)
    assert run_once(at(in_the_backward, x=X, y=X)).overwritten == ("y",)
    assert run_once(at(lambda x: x.clone().mul_(2), x=X)).overwritten == ()
    assert run_once(at(lambda x: x * 2, x=torch.tensor([math.nan]))).overwritten == ()
    assert run_once(at(lambda x, i: x[i.add_(0)], x=X, i=torch.tensor([0]))).overwritten == ("i",)
    assert run_once(at(lambda x: (x * 2, x.unsqueeze_(0)), x=X)).overwritten == ("x",)


@dataclass
class Output:
    loss: torch.Tensor
    index: torch.Tensor


def test_results_in_records_and_mappings():
    index = torch.tensor([1])
    assert at(lambda x: Output(x, index), x=X).results == ("value.loss",)
    assert at(lambda x: {"a": x, 3: [x, index], "two words": x}, x=X).results == (
        "value.a", "value[3][0]", "value[two words]",
    )  # fmt: skip
    assert at(lambda x: x.max(0), x=X).results == ("value[0]",)


async def coroutine(x):
    return x


@pytest.mark.parametrize(
    "returned, sentence",
    [
        (lambda x: None, "None: return the tensor that gradients are taken of"),
        (
            lambda x: x.tolist(),
            "a list of numbers and no tensor: leave out item(), tolist() and float()",
        ),
        (lambda x: float(x[0]), "a number and no tensor: leave out item(), tolist() and float()"),
        (
            lambda x: (x > 0).long(),
            "a tensor of int64, which has no gradient: return one of floating-point numbers",
        ),
        (
            lambda x: [x > 0, None],
            "a tensor of bool, which has no gradient: return one of floating-point numbers",
        ),
        (lambda x: x.to_sparse(), "a tensor, which is sparse: return it as a dense one"),
        (
            lambda x: torch.nested.nested_tensor([x]),
            "a tensor, which is nested: return its parts, or pad it",
        ),
        (lambda x: x.reshape(*[1] * 32, -1), "a tensor of 33 axes: return at most 32"),
        (
            lambda x: x.to(torch.float8_e5m2),
            "a tensor of float8_e5m2: return float64 or float32 or bfloat16 or float16",
        ),
        (coroutine, "a coroutine, as async functions do: give a function that returns a tensor"),
        (lambda x: (), "an empty tuple: return the tensor that gradients are taken of"),
        (lambda x: {}, "an empty dict: return the tensor that gradients are taken of"),
        (lambda x: "x", "a str and no tensor: return the tensor that gradients are taken of"),
        (
            lambda x: x.detach().numpy(),
            "a ndarray and no tensor: return the tensor that gradients are taken of",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse")
def test_what_cannot_be_a_result(returned, sentence):
    def f(x):
        return returned(x)

    assert said(run_once, at(f, x=X), Deadline(60)) == f"f returns {sentence}"


BROKEN = """import torch


def inner(x):
    raise ValueError("x is \\x1b[2J\\nbad")


def broken(x):
    return inner(x)


class Back(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return inner(g)


def shapes(x):
    return x @ torch.ones(7, 7, dtype=x.dtype)


def leaves(x):
    raise SystemExit
"""


@pytest.fixture
def broken(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text(BROKEN)
    return path


@pytest.mark.parametrize("timeout", [None, 60])
def test_code_that_raises(broken, timeout):
    with pytest.raises(UserCodeError) as caught:
        run_once(at(load_target(f"{broken}::broken"), x=X), Deadline(timeout))
    assert str(caught.value) == (
        "broken raises ValueError at broken.py:5: x is \\x1b[2J\n"
        f"  {broken}:5, in inner\n"
        '    raise ValueError("x is \\x1b[2J\\nbad")\n'
        f"  {broken}:9, in broken\n"
        "    return inner(x)"
    )


def test_a_backward_that_raises(broken):
    with pytest.raises(UserCodeError) as caught:
        run_once(at(load_target(f"{broken}::Back"), x=X), Deadline(60))
    assert (
        caught.value.sentence
        == "the backward of Back raises ValueError at broken.py:5: x is \\x1b[2J"
    )
    assert caught.value.excerpt.count(", in ") == 2


def test_errors_of_torch_itself(broken):
    sentence = said(run_once, at(load_target(f"{broken}::shapes"), x=X), Deadline(60))
    assert sentence.startswith("shapes raises RuntimeError at broken.py:23: mat1 and mat2 shapes")
    with pytest.raises(UserCodeError) as caught:
        run_once(at(torch.mm, x=X, y=X), Deadline(60))
    assert caught.value.sentence == "mm raises RuntimeError: self must be a matrix"
    assert caught.value.excerpt == ""


def test_code_that_exits(broken):
    leaves = at(load_target(f"{broken}::leaves"), x=X)
    assert said(run_once, leaves, Deadline(60)) == "leaves raises SystemExit at broken.py:27"


def never(x):
    while True:
        pass


def sleeps(x):
    time.sleep(2)


@pytest.mark.parametrize("target", [never, sleeps])
def test_code_that_hangs(target):
    sentence = (
        f"{target.__name__} does not return within 0.1 seconds: give it smaller inputs, or more "
        "time"
    )
    assert said(run_once, at(target, x=X), Deadline(0.1)) == sentence


def test_what_hangs_in_python_is_stopped():
    seen = []

    def work():
        seen.append(threading.current_thread())
        while True:
            pass

    with pytest.raises(OutOfTimeError):
        run_with_timeout(0.05, work)
    seen[0].join(10)
    assert not seen[0].is_alive()


def test_work_within_its_time():
    assert run_with_timeout(60, lambda: 3) == run_with_timeout(None, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        run_with_timeout(60, lambda: 1 / 0)


# Where a target is

LAYER = '''"""A file with targets."""
from __future__ import annotations
from dataclasses import dataclass

import torch
from torch import nn
import beside


@dataclass
class Options:
    """Its annotations are looked up in the module."""
    power: int = 2


class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, x):
        return self.linear(x)

    def loss(self, x):
        return self(x).sum()

    @staticmethod
    def plain(x):
        return x


class Wide(nn.Module):
    def __init__(self, width, depth=1):
        super().__init__()


class Bad(nn.Module):
    def __init__(self):
        raise ValueError("no")


net = Net()
eps = 0.5


def bump(x):
    return beside.twice(x)
'''


@pytest.fixture
def layer(tmp_path):
    (tmp_path / "beside.py").write_text("def twice(x):\n    return 2 * x\n")
    path = tmp_path / "layer.py"
    path.write_text(LAYER)
    return path


def test_targets_in_a_file(layer):
    def value(name, **inputs):
        code = at(load_target(f"{layer}::{name}"), **inputs)
        return code.name, code.code(*code.inputs.values())[0]

    assert value("bump", x=X)[1].tolist() == [1, -3]
    assert value("Scale", x=X)[0] == "Scale"
    assert value("Scale.apply", x=X)[1].tolist() == [1, -3]
    assert value("Net", x=X)[0] == value("net", x=X)[0] == "Net"
    assert value("Net.plain", x=X)[1].tolist() == X.tolist()
    name, loss = value("Net.loss", x=X)
    assert name == "Net.loss"
    assert loss.shape == ()
    assert at(load_target(f"{layer}::Net.loss"), x=X).wanted == (
        "x",
        "linear.weight",
        "linear.bias",
    )


def test_what_is_drawn_while_loading_is_seeded(layer):
    before = torch.random.get_rng_state()
    first, again = (load_target(f"{layer}::{name}").linear.weight for name in ("Net", "Net"))
    assert torch.equal(first, again)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_targets_in_a_package(layer, monkeypatch):
    assert load_target("torch.nn.functional:gelu") is torch.nn.functional.gelu
    assert isinstance(load_target("torch:nn.Tanh"), nn.Tanh)
    monkeypatch.chdir(layer.parent)
    monkeypatch.delitem(__import__("sys").modules, "beside", raising=False)
    assert load_target("beside:twice")(2) == 4


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("bmp", "{file} has no 'bmp': did you mean bump?"),
        ("zzz", "{file} has no 'zzz': it has Options, Scale, Net, Wide, Bad, net, bump"),
        ("Net.los", "Net has no 'los': did you mean loss?"),
        ("", "{file} has no '': it has Options, Scale, Net, Wide, Bad, net, bump"),
        ("eps", "{file}::eps is a float, which cannot be called: name a function or a module"),
        (
            "Options",
            "{file}::Options is an Options, which cannot be called: name a function or a module",
        ),
        (
            "Wide",
            "{file}::Wide: Wide needs width to be made: "
            "give them, as in --make '{file}::Wide(width=...)'",
        ),
        ("eps.imagine", "float has no 'imagine': nothing in it can be called"),
        ("Bad", "{file}::Bad: Bad() raises ValueError: no"),
    ],
)
def test_what_is_not_in_a_file(layer, name, sentence):
    assert said(load_target, f"{layer}::{name}") == sentence.format(file=layer)


FORMS = "give path/to/file.py::name or package.module:name"


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("nowhere.py::f", f"there is no file 'nowhere.py': {FORMS}"),
        ("nowhere.py", "nowhere.py is a file: say what in it, as in nowhere.py::name"),
        ("nowhere.py:f", "nowhere.py is a file: say what in it, as in nowhere.py::f"),
        ("bump", f"'bump' does not say where the target is: {FORMS}"),
        ("no_such_module_here:f", f"there is no module 'no_such_module_here': {FORMS}"),
        ("torch.no_such:f", f"there is no module 'torch.no_such': {FORMS}"),
        ("../torch:f", f"'../torch' is not the name of a module: {FORMS}"),
        ("torch:tnh", "torch has no 'tnh': did you mean tanh?"),
        ("math:pi", "math:pi is a float, which cannot be called: name a function or a module"),
    ],
)
def test_what_is_nowhere(text, sentence):
    assert said(load_target, text) == sentence


@pytest.mark.parametrize(
    "source, sentence",
    [
        ("def f(:\n", "{file}:1: the file is not Python: invalid syntax"),
        (
            "\nimport no_such_module\n",
            "{file}:2: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        ("\n\n1 / 0\n", "{file}:3: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)\n", "{file}:1: SystemExit: 3"),
    ],
)
def test_files_that_do_not_run(tmp_path, source, sentence):
    path = tmp_path / "faulty.py"
    path.write_text(source)
    assert said(load_target, f"{path}::f") == sentence.format(file=path)


def test_a_module_that_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faulty_package.py").write_text("\nimport no_such_module\n")
    place = tmp_path / "faulty_package.py"
    assert said(load_target, "faulty_package:f") == (
        f"faulty_package cannot be imported: ModuleNotFoundError at {place}:2: No module named "
        "'no_such_module'"
    )
    (tmp_path / "faulty_lines.py").write_text("raise ValueError('one' + chr(10) + 'two')\n")
    assert said(load_target, "faulty_lines:f") == (
        f"faulty_lines cannot be imported: ValueError at {tmp_path / 'faulty_lines.py'}:1: "
        "one\\ntwo"
    )
    (tmp_path / "faulty_syntax.py").write_text("\ndef f(:\n")
    assert said(load_target, "faulty_syntax:f") == (
        f"faulty_syntax cannot be imported: {tmp_path / 'faulty_syntax.py'}:2 is not Python: "
        "invalid syntax"
    )


# What is examined


def formula(text, *names):
    builder = FormulaBuilder()
    symbols = {name: builder.input(name) for name in names}
    return Formula(builder.program(read_text(text, builder, symbols)), REDUCTIONS["none"])


def row(*shape):
    return between(-1, 1, shape)


TARGETS = {
    "a function": (lambda x, y: x * y.exp(), {"x": row(3), "y": row(3)}),
    "a Function": (Scale.apply, {"weight": row(3), "x": row(3)}),
    "Linear": (nn.Linear(3, 2), {"input": row(4, 3)}),
    "BatchNorm1d": (nn.BatchNorm1d(2), {"input": row(4, 2)}),
    "BatchNorm1d, evaluating": (nn.BatchNorm1d(2).eval(), {"input": row(4, 2)}),
    "GRUCell": (nn.GRUCell(3, 2), {"input": row(2, 3), "hx": row(2, 2)}),
    "LSTM": (nn.LSTM(2, 2), {"input": row(2, 1, 2)}),
    "MultiheadAttention": (
        nn.MultiheadAttention(4, 2, batch_first=True),
        {"query": row(1, 3, 4), "key": row(1, 3, 4), "value": row(1, 3, 4)},
    ),
    "Embedding": (nn.Embedding(5, 2), {"input": torch.tensor([0, 3])}),
    "CrossEntropyLoss": (
        nn.CrossEntropyLoss(),
        {"input": row(2, 3), "target": torch.tensor([0, 2])},
    ),
    "nested": (nested, {"batch": {"x": row(2)}, "state": (row(2), [row(), 1])}),
    "torch.func.grad": (
        torch.func.grad(lambda x, w: (x * w).sin().sum()),
        {"x": row(3), "w": row(3)},
    ),
    "torch.vmap": (torch.vmap(lambda x, w: (x * w).sin().sum()), {"x": row(3, 2), "w": row(3, 2)}),
    "in place": (in_place, {"x": row(3)}),
    "several dispatched by a flag": (
        nn.functional.max_pool2d,
        {"x": row(1, 1, 4, 4), "kernel_size": 2},
    ),
    "values and indices": (torch.max, {"x": row(2, 3), "dim": 1}),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", TARGETS)
def test_targets_are_examined(name, dtype):
    torch.manual_seed(0)
    target, inputs = TARGETS[name]
    examination = examined(target, dtype, **inputs)
    assert examination.outcome is Outcome.AGREES
    assert examination.formula.digits > 50


def test_a_wrong_target_is_found():
    examination = examined(Wrong.apply, x=row(3), weight=row(3))
    assert examination["weight"].outcome is Outcome.DISAGREES
    assert examination["x"].outcome is Outcome.AGREES


@pytest.mark.parametrize("target", [lambda x, w: (x * w).sin(), Clashing()])
def test_compiled_targets_are_held_against_a_formula(target):
    compiled = torch.compile(target, backend="eager")
    names = ("x", "self.weight") if isinstance(target, nn.Module) else ("x", "w")
    inputs = {"x": row(2)} if isinstance(target, nn.Module) else {"x": row(2), "w": row(2)}
    code = at(compiled, **inputs)
    assert tuple(code.inputs) == names
    assert run_once(code, Deadline(60)).results == ("value",)
    subject = Subject(code.code, dict(zip("xw", code.inputs.values(), strict=True)))
    examination = examine(
        subject, formula("x*w" if isinstance(target, nn.Module) else "sin(x*w)", "x", "w")
    )
    assert examination.outcome is Outcome.AGREES
    assert examination.formula == NotReplayed(
        "the code is compiled, and a compiled kernel has no graph of operations"
    )


class Plain:
    def twice(self, x):
        return 2 * x


def test_a_method_without_its_object():
    with pytest.raises(InputError) as caught:
        bound(Plain.twice, {"x": X}, "float64")
    assert (
        str(caught.value)
        == "twice is a method: name it on an object, as in layer = Layer() and layer.twice, or "
        "--make 'file.py::Layer().twice' in the shell"
    )
    assert bound(Plain().twice, {"x": X}, "float64").wanted == ("x",)


def test_a_file_with_zero_bytes(tmp_path):
    (tmp_path / "zero.py").write_bytes(b"x = '\0'\n")
    with pytest.raises(InputError) as caught:
        load_target(f"{tmp_path}/zero.py::f")
    assert str(caught.value) == (
        f"{tmp_path}/zero.py: the file is not Python: source code string cannot contain null bytes"
    )
