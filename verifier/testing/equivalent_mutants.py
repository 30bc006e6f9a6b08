"""Honest twins: the same function by another algorithm, which a judge must not refuse.

Orders of summation, fused backwards, algebraic twins, shifted and scaled forms. Higham, Accuracy
and Stability of Numerical Algorithms, 2nd ed., 2002, has most of them: chapters 4 (sums), 5
(polynomials), 1.9 (variance), 27.8 (lengths).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from verifier.testing.cases import Case, FunctionContext, RandomTensor, case_named

Code = Callable[..., Tensor]


@dataclass(frozen=True)
class Twin:
    """A case and code that computes it in another way."""

    name: str
    sentence: str
    case: Case
    code: Code
    in_numbers: bool = False
    """Whether a kernel may state these numbers for the case's own graph: only the order of sums
    differs.
    """


class _Fused(torch.autograd.Function):
    """A function whose backward is written by hand: `backward(incoming, *inputs)` gives all
    gradients.
    """

    @staticmethod
    def forward(
        ctx: FunctionContext,
        code: Code,
        backward: Callable[..., tuple[Tensor, ...]],
        *inputs: Tensor,
    ) -> Tensor:
        ctx.by_hand = backward
        ctx.save_for_backward(*inputs)
        return code(*inputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: FunctionContext, incoming: Tensor) -> tuple[Tensor | None, ...]:
        return (None, None, *ctx.by_hand(incoming, *ctx.saved_tensors))


def with_backward(code: Code, backward: Callable[..., tuple[Tensor, ...]]) -> Code:
    """The function with a backward by hand.

    `code` takes tensors and returns one. `backward` takes the incoming gradient and the same
    tensors, and gives the gradient by each of them, a tuple.

    >>> doubled = with_backward(lambda x: 2 * x, lambda incoming, x: (2 * incoming,))
    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> torch.autograd.grad(doubled(x), x)
    (tensor(2.),)
    """
    return partial(_Fused.apply, code, backward)


def forwards(terms: Tensor) -> Tensor:
    """The sum of `terms` along the first axis, from the first term to the last.

    >>> forwards(torch.tensor([1.0, 2.0, 3.0]))
    tensor(6.)
    """
    total = terms[0]
    for place in range(1, len(terms)):
        total = total + terms[place]
    return total


def backwards(terms: Tensor) -> Tensor:
    """The sum of `terms` along the first axis, from the last term to the first.

    >>> backwards(torch.tensor([1.0, 2.0, 3.0]))
    tensor(6.)
    """
    return forwards(terms.flip(0))


def pairwise(terms: Tensor) -> Tensor:
    """The sum of `terms` along the first axis: of the sums of pairs, of pairs of those, and so
    on.

    >>> pairwise(torch.tensor([1.0, 2.0, 3.0]))
    tensor(6.)
    """
    while len(terms) > 1:
        half = len(terms) // 2
        terms = torch.cat([terms[:half] + terms[half : 2 * half], terms[2 * half :]])
    return terms[0]


def in_blocks(terms: Tensor) -> Tensor:
    """The sum of `terms` along the first axis: of the sums of five terms each.

    >>> in_blocks(torch.ones(7))
    tensor(7.)
    """
    return forwards(
        torch.stack([forwards(terms[start : start + 5]) for start in range(0, len(terms), 5)])
    )


def shuffled(terms: Tensor) -> Tensor:
    """The sum of `terms` along the first axis, every seventh term in turn.

    >>> shuffled(torch.ones(5))
    tensor(5.)
    """
    return forwards(terms[[place * 7 % len(terms) for place in range(len(terms))]])


def compensated(terms: Tensor) -> Tensor:
    """Kahan's sum of `terms` along the first axis (Kahan, Communications of the ACM 8, 1965).

    >>> compensated(torch.tensor([1.0, 2.0, 3.0]))
    tensor(6.)
    """
    total, lost = torch.zeros_like(terms[0]), torch.zeros_like(terms[0])
    for term in terms.unbind():
        mended = term - lost
        next_ = total + mended
        lost = (next_ - total) - mended
        total = next_
    return total


ORDERS: dict[str, Callable[[Tensor], Tensor]] = {
    "forwards": forwards, "backwards": backwards, "pairwise": pairwise, "in blocks of 5": in_blocks,
    "shuffled": shuffled, "compensated": compensated,
}  # fmt: skip

_ROWS = 23
_SLOPE = Case(
    "slope", lambda x, w: w * x, {"x": RandomTensor((_ROWS,)), "w": RandomTensor()}, "w*x"
)
_POWER = Case(
    "power",
    lambda x, w: (w * x * x).sum(),
    {"x": RandomTensor((_ROWS,)), "w": RandomTensor()},
    "w*x**2",
    "sum",
)


def _wide(tensor: Tensor) -> Tensor:
    """float32 at least, as sums in 16-bit formats are accumulated."""
    return tensor.float() if tensor.element_size() < 4 else tensor


def _summed_by(order: Callable[[Tensor], Tensor]) -> Code:
    def backward(incoming: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        return incoming * w, order(_wide(incoming) * _wide(x)).to(w.dtype)

    return with_backward(_SLOPE.code, backward)


def _sums() -> list[Twin]:
    found = []
    for name, order in ORDERS.items():
        gradient = f"the gradient of a slope added up {name}, in float32 at least"
        value = f"a sum added up {name} in its own format"
        found.append(Twin(f"gradient {name}", gradient, _SLOPE, _summed_by(order)))
        found.append(Twin(f"sum {name}", value, _POWER, _value_by(order)))
        found.append(
            Twin(
                f"kernel {name}",
                f"a kernel that sums {name}",
                _POWER,
                _kernel_by(order),
                in_numbers=True,
            )
        )
    return found


def _value_by(order: Callable[[Tensor], Tensor]) -> Code:
    return lambda x, w: order(w * x * x)


def _kernel_by(order: Callable[[Tensor], Tensor]) -> Code:
    """Value and gradient of the case, each rounded where its graph rounds, added up in another
    order.
    """

    def backward(incoming: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        slope = incoming.expand(x.shape)
        by_product = slope * x
        return by_product * w + slope * (w * x), order(_wide(by_product * x)).to(w.dtype)

    def forward(x: Tensor, w: Tensor) -> Tensor:
        return order(_wide(w * x * x)).to(x.dtype)

    return with_backward(forward, backward)


def _one_hot(x: Tensor) -> Tensor:
    return torch.eye(x.shape[-1], dtype=x.dtype)[torch.arange(x.shape[0]) % x.shape[1]]


def _textbook_entropy(x: Tensor) -> Tensor:
    exponentials = x.exp()
    return (
        -((exponentials / exponentials.sum(-1, keepdim=True)).log() * _one_hot(x)).sum()
        / x.shape[0]
    )


def _unshifted_entropy(x: Tensor) -> Tensor:
    return (x.exp().sum(-1).log() - (x * _one_hot(x)).sum(-1)).mean()


def _entropy_backward(incoming: Tensor, x: Tensor) -> tuple[Tensor]:
    return (incoming * (torch.softmax(x, -1) - _one_hot(x)) / x.shape[0],)


def _norm_backward(
    incoming: Tensor, x: Tensor, scale: Tensor, shift: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    centred = x - x.mean(-1, keepdim=True)
    inverse = (centred.square().mean(-1, keepdim=True) + 0.125).rsqrt()
    hat, scaled = centred * inverse, incoming * scale
    along = scaled.mean(-1, keepdim=True) + hat * (scaled * hat).mean(-1, keepdim=True)
    return inverse * (scaled - along), (incoming * hat).sum(0), incoming.sum(0)


def _softmax_by_hand(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    exponentials = (q @ k.transpose(-1, -2) / 2.0).exp()
    return exponentials @ v / exponentials.sum(-1, keepdim=True)


def _network_by_products(x: Tensor, first: Tensor, bias: Tensor, second: Tensor) -> Tensor:
    hidden = ((x.unsqueeze(-1) * first).sum(1) + bias).tanh()
    return (hidden.unsqueeze(-1) * second).sum(1)


def _tanh_by_exp(x: Tensor) -> Tensor:
    decayed = torch.exp(-2 * x)
    return (1 - decayed) / (1 + decayed)


def _scaled_length(x: Tensor, y: Tensor) -> Tensor:
    larger = torch.where(x.abs() > y.abs(), x, y)
    smaller = torch.where(x.abs() > y.abs(), y, x)
    return larger.abs() * (1 + (smaller / larger).square()).sqrt()


_TEN = RandomTensor((10,))
_POLYNOMIAL = Case("polynomial", lambda x: 1 - 2 * x + 3 * x**2 - x**3 + 0.5 * x**4, {"x": _TEN},
                   "1 - 2*x + 3*x**2 - x**3 + x**4/2")  # fmt: skip
_SQUARES = Case("squares", lambda x, y: x**2 - y**2, {"x": _TEN, "y": _TEN}, "x**2 - y**2")
_CUBE = Case("cube", lambda x: (x + 1) ** 3, {"x": _TEN}, "(x + 1)**3")
_SIGMOID = Case("sigmoid", torch.sigmoid, {"x": RandomTensor((10,), -8.0, 8.0)}, "1/(1 + exp(-x))")
_SILU = Case(
    "silu", lambda x: x * torch.sigmoid(x), {"x": RandomTensor((10,), -8.0, 8.0)}, "x/(1 + exp(-x))"
)
_LOGITS = Case(
    "logits",
    lambda x, y: torch.relu(x) - x * y + torch.log1p(torch.exp(-x.abs())),
    {"x": RandomTensor((10,), -8.0, 8.0), "y": RandomTensor((10,), 0.0, 1.0)},
    "log(1 + exp(x)) - x*y",
)
_RATIO = Case("ratio", lambda x, y: x / y, {"x": _TEN, "y": RandomTensor((10,), 0.5, 4.0)}, "x/y")
_SURFACE = Case("mixed product", lambda a, b, c, x: a * x + (b * x + c * x),
                dict.fromkeys("abcx", _TEN), "a*x + (b*x + c*x)")  # fmt: skip
_SPREAD = Case("variance", lambda x: (x - x.mean()).square().mean(), {"x": _TEN})
_TANH = replace(case_named("tanh"), inputs={"x": _TEN})


def _silu_backward(incoming: Tensor, x: Tensor) -> tuple[Tensor]:
    slope = torch.sigmoid(x)
    return (incoming * (slope * (1 + x * (1 - slope))),)


def _tanh_backward(incoming: Tensor, x: Tensor) -> tuple[Tensor]:
    y = torch.tanh(x)
    return (incoming * ((1 - y) * (1 + y)),)


TWINS = (
    *_sums(),
    Twin(
        "Horner",
        "a polynomial by Horner's rule",
        _POLYNOMIAL,
        lambda x: 1 + x * (-2 + x * (3 + x * (-1 + x * 0.5))),
    ),
    Twin("factored", "x² - y² as (x - y)(x + y)", _SQUARES, lambda x, y: (x - y) * (x + y)),
    Twin("expanded", "(x + 1)³ multiplied out", _CUBE, lambda x: x * x * x + 3 * x * x + 3 * x + 1),
    Twin(
        "distributed",
        "a·x + (b·x + c·x) as (a + b + c)·x",
        _SURFACE,
        lambda a, b, c, x: (a + b + c) * x,
    ),
    Twin(
        "another order",
        "a·x + (b·x + c·x) as (a·x + b·x) + c·x",
        _SURFACE,
        lambda a, b, c, x: (a * x + b * x) + c * x,
    ),
    Twin("by the reciprocal", "x/y as x·(1/y)", _RATIO, lambda x, y: x * (1 / y)),
    Twin("tanh by exp", "(1 - exp(-2x))/(1 + exp(-2x))", _TANH, _tanh_by_exp),
    Twin("tanh from sigmoid", "2 sigmoid(2x) - 1", _TANH, lambda x: 2 * torch.sigmoid(2 * x) - 1),
    Twin(
        "tanh' factored",
        "1 - y² as (1 - y)(1 + y)",
        _TANH,
        with_backward(torch.tanh, _tanh_backward),
    ),
    Twin("sigmoid by tanh", "(1 + tanh(x/2))/2", _SIGMOID, lambda x: 0.5 * (1 + torch.tanh(x / 2))),
    Twin("sigmoid by exp", "1/(1 + exp(-x))", _SIGMOID, lambda x: 1 / (1 + torch.exp(-x))),
    Twin("silu fused", "s(1 + x(1 - s))", _SILU, with_backward(_SILU.code, _silu_backward)),
    Twin("logits shifted", "log1p(exp(-|x|)) and max(x, 0)", _LOGITS, _LOGITS.code),
    Twin(
        "logits unshifted",
        "log(1 + exp(x)) as it stands",
        _LOGITS,
        lambda x, y: torch.log(1 + torch.exp(x)) - x * y,
    ),
    Twin(
        "logits fused",
        "the backward is sigmoid(x) - y",
        _LOGITS,
        with_backward(
            _LOGITS.code, lambda incoming, x, y: (incoming * (torch.sigmoid(x) - y), -incoming * x)
        ),
    ),
    Twin(
        "cross-entropy fused",
        "the backward is p - y",
        case_named("cross-entropy"),
        with_backward(case_named("cross-entropy").code, _entropy_backward),
    ),
    Twin(
        "cross-entropy of the textbook",
        "softmax, then log",
        case_named("cross-entropy"),
        _textbook_entropy,
    ),
    Twin(
        "cross-entropy unshifted",
        "log-sum-exp without taking off the largest",
        case_named("cross-entropy"),
        _unshifted_entropy,
    ),
    Twin(
        "layer norm fused",
        "the backward in one formula",
        case_named("layer norm"),
        with_backward(case_named("layer norm").code, _norm_backward),
    ),
    Twin(
        "attention unshifted",
        "exp and its sum, divided in the end",
        case_named("attention"),
        _softmax_by_hand,
    ),
    Twin(
        "products and sums",
        "matrix products as products and sums",
        case_named("tanh network"),
        _network_by_products,
    ),
    Twin(
        "variance in two passes",
        "the mean first",
        _SPREAD,
        lambda x: (x - x.sum() / len(x)).square().sum() / len(x),
    ),
    Twin(
        "variance in one pass",
        "the mean of squares less the square of the mean",
        _SPREAD,
        lambda x: x.square().mean() - x.mean().square(),
    ),
    Twin("length scaled", "sqrt(x² + y²) by the larger one", case_named("length"), _scaled_length),
    Twin(
        "square by product",
        "x·x in place of x²",
        case_named("squared error"),
        lambda x, y, w, b: ((w * x + b - y) * (w * x + b - y)).mean(),
    ),
    Twin(
        "sum, then divided",
        "the mean as a sum over a count",
        case_named("squared error"),
        lambda x, y, w, b: (w * x + b - y).square().sum() / 8,
    ),
    Twin(
        "float32 inside",
        "computed in float32 inside and rounded once",
        case_named("tanh network"),
        lambda *inputs: case_named("tanh network").code(*map(_wide, inputs)).to(inputs[0].dtype),
    ),
)
