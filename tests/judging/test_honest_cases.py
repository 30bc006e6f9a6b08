"""Honest code that breaks simpler schemes: none of it disagrees, and a wrong twin of each does."""

import math

import pytest
import torch
from torch.nn import functional

from verifier.capture.code_at_point import Subject
from verifier.capture.lowering import rules
from verifier.formula.text.parser import read_text
from verifier.judging.examination import Examination, NotReplayed
from verifier.judging.examine import examine
from verifier.judging.reference import Formula
from verifier.judging.verdict import Outcome
from verifier.program.builder import FormulaBuilder
from verifier.program.lift import REDUCTIONS

DOUBLE = torch.float64


def formula(text: str, *names: str, reduction: str = "none") -> Formula:
    builder = FormulaBuilder()
    return Formula(
        builder.program(read_text(text, builder, {name: builder.input(name) for name in names})),
        REDUCTIONS[reduction],
    )


def examined(code, given=None, wanted=(), **inputs) -> Examination:
    return examine(Subject(code, inputs, wanted), given)


def accepted(examination: Examination) -> None:
    """Nothing disagrees, something is decided, and the formula was replayed."""
    outcomes = {part.name: part.outcome for part in examination.parts}
    assert examination.outcome is not Outcome.DISAGREES, (outcomes, examination.formula)
    assert not isinstance(examination.formula, NotReplayed), examination.formula
    assert sum(part.count(Outcome.AGREES) for part in examination.parts) > 0


def tensor(*values, dtype=DOUBLE):
    return torch.tensor(values, dtype=dtype)


class Scaled(torch.autograd.Function):
    """The identity with a gradient that is wrong by a factor."""

    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        return g * ctx.factor, None


def refused(code, given=None, **inputs) -> None:
    """The same code with a gradient that is wrong by 1e-12 disagrees, and its value does not."""
    first = next(iter(inputs))

    def wrong(*arguments):
        return code(Scaled.apply(arguments[0], 1 + 1e-12), *arguments[1:])

    examination = examined(wrong, given, **inputs)
    assert examination[first].outcome is Outcome.DISAGREES
    assert examination.same_function


LOGITS = tensor([30.0, -30.0, 0.5], [-2.0, 30.0, 29.0])


def cross_entropy(x):
    return functional.cross_entropy(x, torch.tensor([0, 1]), reduction="sum")


def cross_entropy_as_in_the_book(x):
    return -(x.exp() / x.exp().sum(1, keepdim=True))[[0, 1], [0, 1]].log().sum()


def by_log_softmax(x):
    return -x.log_softmax(1)[[0, 1], [0, 1]].sum()


@pytest.mark.parametrize("code", [cross_entropy, cross_entropy_as_in_the_book, by_log_softmax])
def test_cross_entropy_at_logits_of_30(code):
    accepted(examined(code, x=LOGITS))
    refused(code, x=LOGITS)


def test_cross_entropy_at_logits_of_30_against_the_textbook():
    """Of two classes: log-softmax and the textbook's quotient are one function."""
    text = "-log(exp(x) / (exp(x) + exp(y)))"
    x, y = tensor(30.0, 0.0, 30.0), tensor(-30.0, 30.0, 29.5)

    def shifted(x, y):
        return -torch.stack([x, y]).log_softmax(0)[0]

    for code in (shifted, lambda x, y: -(x.exp() / (x.exp() + y.exp())).log()):
        accepted(examined(code, formula(text, "x", "y"), x=x, y=y))
        refused(code, formula(text, "x", "y"), x=x, y=y)


BCE = "-(y*log(1/(1+exp(-x))) + (1-y)*log(1 - 1/(1+exp(-x))))"


def bce_stable(x, y):
    return x.clamp(min=0) - x * y + (-x.abs()).exp().log1p()


def bce_as_in_the_book(x, y):
    p = 1 / (1 + (-x).exp())
    return -(y * p.log() + (1 - y) * (1 - p).log())


def bce_of_torch(x, y):
    return functional.binary_cross_entropy_with_logits(x, y, reduction="none")


@pytest.mark.parametrize("code", [bce_stable, bce_as_in_the_book])
def test_bce_with_logits_of_30_against_the_textbook(code):
    x, y = tensor(30.0, -30.0, 0.5, 29.0), tensor(0.0, 1.0, 0.25, 1.0)
    accepted(examined(code, formula(BCE, "x", "y"), ("x",), x=x, y=y))
    refused(code, formula(BCE, "x", "y"), x=x, y=y)


def test_bce_with_logits_of_30_by_a_kernel():
    """The textbook's 1 - 1/(1 + exp(-x)) has no digit left at 30; a good kernel is not blamed for
    it.
    """
    x, y = tensor(30.0, -30.0, 0.5, 29.0), tensor(0.0, 1.0, 0.25, 1.0)
    examination = examined(bce_of_torch, formula(BCE, "x", "y"), ("x",), x=x, y=y)
    assert examination.outcome is not Outcome.DISAGREES
    assert examination["x"].count(Outcome.AGREES) > 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_expm1_at_minus_12(dtype):
    x = tensor(-12.0, -11.5, 1e-3, dtype=dtype)
    accepted(examined(torch.expm1, formula("exp(x) - 1", "x"), x=x))
    accepted(examined(lambda x: x.exp() - 1, formula("expm1(x)", "x"), x=x))
    refused(torch.expm1, formula("exp(x) - 1", "x"), x=x)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_hypot_minus_y(dtype):
    """d/dy = y / hypot(x, y) - 1 cancels where x is small."""
    x, y = tensor(1e-3, 1e-6, 3.0, dtype=dtype), tensor(1.0, 1.0, 4.0, dtype=dtype)
    for code in (lambda x, y: torch.hypot(x, y) - y, lambda x, y: (x * x + y * y).sqrt() - y):
        accepted(examined(code, formula("hypot(x, y) - y", "x", "y"), x=x, y=y))
        refused(code, formula("hypot(x, y) - y", "x", "y"), x=x, y=y)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_sums_in_another_order(dtype):
    given = formula("a*x + (b*x + c*x)", "x", "a", "b", "c")
    inputs = {
        name: tensor(value, dtype=dtype)
        for name, value in zip("xabc", (1.1, 3.3, -3.3, 1e-3), strict=True)
    }
    for code in (
        lambda x, a, b, c: a * x + (b * x + c * x),
        lambda x, a, b, c: (a * x + b * x) + c * x,
        lambda x, a, b, c: (c + b + a) * x,
        lambda x, a, b, c: torch.stack([c * x, a * x, b * x]).sum(0),
    ):
        accepted(examined(code, given, **inputs))
    refused(lambda x, a, b, c: (c + b + a) * x, given, **inputs)


def layer_norm(x, w, b):
    mean = x.mean(1, keepdim=True)
    variance = ((x - mean) ** 2).mean(1, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt() * w + b


def layer_norm_of_torch(x, w, b):
    return functional.layer_norm(x, (5,), w, b)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_bias_gradient_of_layer_norm_over_three_rows(dtype):
    """The gradient is a sum of three seeds: a sum with nothing to round before it."""
    torch.manual_seed(0)
    x, w, b = torch.randn(3, 5).to(dtype), torch.randn(5).to(dtype), torch.randn(5).to(dtype)
    for code in (
        (layer_norm, layer_norm_of_torch) if "native_layer_norm" in rules() else (layer_norm,)
    ):
        accepted(examined(code, x=x, w=w, b=b))
        refused(lambda b, x, w, code=code: code(x, w, b), b=b, x=x, w=w)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_lgamma_where_it_is_0_and_where_it_is_steep(dtype):
    """Its derivative is 0 near 1.4616; on the negative axis are poles between which it changes
    fast.
    """
    x = tensor(
        1.4616321449683623, 1.4616, 1.0, 2.0, -0.5, -1.5, -2.5000001, -10.25, 1e-5, dtype=dtype
    )
    accepted(examined(torch.lgamma, x=x))
    refused(torch.lgamma, x=x)


def test_a_product_whose_factor_underflows():
    """exp(-100) is subnormal in float32: the product by 1e30 is 4e-14, and right to two digits."""
    x = tensor(-100.0, -80.0, -90.0, dtype=torch.float32)
    code = lambda x: x.exp() * 1e30  # noqa: E731
    accepted(examined(code, formula("exp(x)*1e30", "x"), x=x))
    refused(code, x=tensor(-80.0))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_recurrence_of_100_steps(dtype):
    def code(x, w):
        state = torch.zeros_like(x)
        for _ in range(100):
            state = (w * state + x).tanh()
        return state

    x, w = tensor(0.3, -0.1, 0.05, dtype=dtype), tensor(0.9, 1.1, -1.3, dtype=dtype)
    accepted(examined(code, x=x, w=w))
    if dtype is DOUBLE:
        refused(code, x=x, w=w)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_leapfrog_of_100_steps(dtype):
    """A pendulum: the phase of position and velocity is carried through all steps."""

    def code(q, p):
        for _ in range(100):
            p = p - 0.05 * q.sin()
            q = q + 0.1 * p
            p = p - 0.05 * q.sin()
        return (p * p / 2 - q.cos()).sum()

    q, p = tensor(0.5, 3.1, dtype=dtype), tensor(1.0, 0.01, dtype=dtype)
    accepted(examined(code, q=q, p=p))
    if dtype is torch.float32:
        refused(code, q=q, p=p)


def trained_network(inputs=784, hidden=256, batch=128, steps=15):
    """A network that has learned its batch a little, in float32."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(batch, inputs, generator=generator) * (
        torch.rand(batch, inputs, generator=generator) < 0.2
    )
    labels = torch.randint(0, 10, (batch,), generator=generator)
    shapes = ((inputs, hidden), (hidden,), (hidden, 10), (10,))
    weights = [
        torch.randn(shape, generator=generator) * (2 / shape[0]) ** 0.5 * (len(shape) > 1)
        for shape in shapes
    ]

    def loss(a, b, c, d):
        logits = torch.addmm(d, torch.addmm(b, x, a).relu(), c)
        return -logits.log_softmax(1)[torch.arange(batch), labels].mean()

    for _ in range(steps):
        given = [weight.clone().requires_grad_() for weight in weights]
        found = torch.autograd.grad(loss(*given), given)
        weights = [weight - 0.5 * part for weight, part in zip(weights, found, strict=True)]
    return loss, weights


def test_a_trained_network():
    """784-256-10 with a batch of 128: its exact replay multiplies matrices of balls."""
    loss, (a, b, c, d) = trained_network()
    examination = examine(Subject(loss, {"a": a, "b": b, "c": c, "d": d}, wanted=("b", "d")))
    accepted(examination)
    assert examination["b"].count(Outcome.AGREES) >= 250


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_attention_with_a_saturated_softmax(dtype):
    torch.manual_seed(0)
    q, k, v = (torch.randn(4, 3).to(dtype) * scale for scale in (20, 20, 1))

    def attention(q, k, v):
        return (q @ k.t() / math.sqrt(3)).softmax(-1) @ v

    for code in (attention, functional.scaled_dot_product_attention):
        accepted(examined(code, q=q, k=k, v=v))
        refused(code, q=q, k=k, v=v)
