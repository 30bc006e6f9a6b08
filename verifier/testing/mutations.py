"""Lying witnesses and honest twins: what a judge of gradients must find, and what it must let pass.

A liar tampers with one gradient that is right. It can be planted in three ways: in the graph of the
code's own backward, in its numbers only (as a kernel does that is not what its graph says), and in
a kernel that leaves torch. Liars that need a training, one step after the other, are witnesses for
`verifier.train`.

>>> from verifier.testing.cases import named
>>> tanh = named("tanh")
>>> wrong = GRAPH.plant(tanh.code, liar_named("sign flipped").lie, 0)
>>> from verifier.judging.examine import examine
>>> examine(tanh.subject(wrong, "float32")).outcome.value
'disagrees'
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from verifier.capture.joint_graph import is_capturing
from verifier.capture.to_numpy import to_numpy
from verifier.testing.equivalent_mutants import TWINS as TWINS
from verifier.testing.equivalent_mutants import Twin as Twin
from verifier.witnesses import Autograd

Code = Callable[..., Tensor]


@dataclass(frozen=True, eq=False)
class Right:
    """A backward that is right, for a liar to spoil."""

    gradient: Tensor
    """By the input whose gradient is spoilt."""
    inputs: tuple[Tensor, ...]
    place: int
    """Which of the inputs that is."""
    incoming: Tensor
    """What multiplies the result's derivative."""
    backward: Callable[[Sequence[Tensor], Tensor], Tensor]
    """The right gradient at other inputs and with another incoming gradient."""

    def elsewhere(self, change: Callable[[Tensor], Tensor]) -> Tensor:
        """The gradient where every input is changed in one way."""
        return self.backward([change(tensor) for tensor in self.inputs], self.incoming)

    def with_incoming(self, incoming: Tensor) -> Tensor:
        return self.backward(self.inputs, incoming)


Lie = Callable[[Right], Tensor | None]


@dataclass(frozen=True)
class Planting:
    """A way to put a lie into code: `plant(code, lie, place)` is the code with a wrong gradient by
    one input.
    """

    name: str
    sentence: str
    plant: Callable[[Code, Lie, int], Code]


@dataclass(frozen=True)
class Liar:
    """A kind of wrong gradient. Where it happens to give the right one, nothing is planted."""

    name: str
    sentence: str
    lie: Lie
    kind: str = ""
    """What liars of several sizes have in common; else the name."""
    at_full_size: Lie | None = None
    """The same lie so large that float64 shows it, where it may be too small for that."""
    wrong_formula: bool = True
    """Whether exact arithmetic shows it, too; a lie may be in the rounding alone."""

    @property
    def row(self) -> str:
        return self.kind or self.name


class _Told(torch.autograd.Function):
    """A function whose backward is computed anew by autograd and then passes through a lie."""

    @staticmethod
    def forward(ctx: Any, code: Code, lie: Lie, place: int, *inputs: Tensor) -> Tensor:
        ctx.code, ctx.lie, ctx.place = code, lie, place
        ctx.save_for_backward(*inputs)
        return code(*inputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, incoming: Tensor) -> Any:
        inputs, place = ctx.saved_tensors, int(ctx.place)
        gradients = list(_backward(ctx.code, inputs, incoming))

        def by_place(inputs: Sequence[Tensor], incoming: Tensor) -> Tensor:
            return _backward(ctx.code, inputs, incoming)[place]

        gradients[place] = ctx.lie(Right(gradients[place], inputs, place, incoming, by_place))
        return (None, None, None, *gradients)


def _backward(code: Code, inputs: Sequence[Tensor], incoming: Tensor) -> Sequence[Tensor]:
    """Every input's gradient."""
    with torch.enable_grad():
        leaves = [tensor.detach().requires_grad_() for tensor in inputs]
        return torch.autograd.grad(
            code(*leaves), leaves, incoming, materialize_grads=True, allow_unused=True
        )


def honest(right: Right) -> Tensor:
    """No lie at all."""
    return right.gradient


def _in_graph(code: Code, lie: Lie, place: int) -> Code:
    return partial(_Told.apply, code, deepcopy(lie), place)


def _in_numbers(code: Code, lie: Lie, place: int) -> Code:
    own = deepcopy(lie)

    def unseen(right: Right) -> Tensor | None:
        return right.gradient if is_capturing() else own(right)

    return partial(_Told.apply, code, unseen, place)


def _in_kernel(code: Code, lie: Lie, place: int) -> Code:
    own = deepcopy(lie)

    def outside(right: Right) -> Tensor | None:
        told = own(right)
        return None if told is None else through_numpy(told)

    return partial(_Told.apply, lambda *inputs: _through(code(*inputs)), outside, place)


class _Outside(torch.autograd.Function):
    """The same tensor, but its numbers come from NumPy; its gradient passes."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return through_numpy(tensor)

    @staticmethod
    def backward(ctx: Any, incoming: Tensor) -> Any:
        return incoming


def _through(tensor: Tensor) -> Tensor:
    passed: Tensor = _Outside.apply(tensor)  # type: ignore[no-untyped-call]
    return passed


_WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def through_numpy(tensor: Tensor) -> Tensor:
    """The same numbers, brought back from NumPy, which has no bfloat16."""
    words = tensor.detach().contiguous().view(_WORDS[tensor.element_size()])
    return torch.from_numpy(to_numpy(words).copy()).view(tensor.dtype)


GRAPH = Planting("graph", "in the graph of the backward", _in_graph)
NUMBERS = Planting("numbers", "in the numbers only, while the graph is honest", _in_numbers)
KERNEL = Planting("kernel", "in a kernel that leaves torch", _in_kernel)


class Noisy:
    """Another gradient each time, off by a relative size."""

    def __init__(self, size: float) -> None:
        self.size = size
        self._generator = np.random.default_rng(0)

    def __call__(self, right: Right) -> Tensor:
        drawn = torch.as_tensor(self._generator.normal(size=tuple(right.gradient.shape)))
        # A race is there before the result is rounded.
        exact = right.backward(
            [tensor.double() for tensor in right.inputs], right.incoming.double()
        )
        return (exact * (1.0 + self.size * drawn)).to(right.gradient.dtype)


def _permuted(right: Right, order: Callable[[Tensor], Tensor]) -> Tensor:
    flat = right.gradient.reshape(-1)
    places = order(torch.arange(flat.numel()).reshape(right.gradient.shape))
    return flat[places.reshape(-1)].reshape(right.gradient.shape)


def _swapped(places: Tensor) -> Tensor:
    flat = places.reshape(-1)
    return torch.cat([flat[:2].flip(0), flat[2:]])


def _last(tensor: Tensor) -> Tensor:
    """1 at the last element, else 0."""
    mask = torch.zeros(tensor.numel(), dtype=tensor.dtype)
    mask[-1:] = 1.0
    return mask.reshape(tensor.shape)


def _dropped(right: Right) -> Tensor:
    if right.incoming.numel() > 1:
        return right.with_incoming(right.incoming * (1 - _last(right.incoming)))
    return right.gradient * (1 - _last(right.gradient))


def _averaged(right: Right) -> Tensor:
    return right.gradient / max(len(tensor) if tensor.ndim else 1 for tensor in right.inputs)


def _other_branch(right: Right) -> Tensor:
    """The gradient on the other side of 0 of its own input."""
    inputs = [
        -tensor if place == right.place else tensor for place, tensor in enumerate(right.inputs)
    ]
    return right.backward(inputs, right.incoming)


def _before(tensor: Tensor) -> Tensor:
    """Where the inputs were a step before."""
    return tensor * 0.875 + 0.0625


NARROWER = {
    torch.float64: torch.float32, torch.float32: torch.bfloat16,
    torch.float16: torch.bfloat16, torch.bfloat16: torch.bfloat16,
}  # fmt: skip
"""What is narrower than a dtype; nothing that torch computes in is narrower than bfloat16."""


def _narrower(right: Right) -> Tensor:
    narrow = NARROWER[right.gradient.dtype]
    told = right.backward([tensor.to(narrow) for tensor in right.inputs], right.incoming.to(narrow))
    return told.to(right.gradient.dtype)


def scaled(size: float) -> Lie:
    """A factor of 1 + size, without rounding away a small one in the graph."""
    return lambda right: right.gradient + size * right.gradient


def one_scaled(size: float) -> Lie:
    """The last component alone times 1 + size."""
    return lambda right: right.gradient + size * (_last(right.gradient) * right.gradient)


def off(by: Any) -> Lie:
    """So much is added to each component: numbers that broadcast against the gradient."""
    return lambda right: right.gradient + torch.as_tensor(by).to(right.gradient.dtype)


FACTORS = (
    1e-1,
    1e-2,
    1e-3,
    1e-4,
    1e-5,
    1e-6,
    1e-8,
    1e-10,
    1e-12,
    1e-13,
    1e-14,
    1e-15,
    1e-16,
    1e-20,
)
SMALLEST = 1e-20
"""The relative size of a wrong formula that must be found wherever there is a graph."""

LIARS = (
    Liar("sign flipped", "the gradient has the other sign", lambda right: -right.gradient),
    *(
        Liar(
            f"factor 1 + {size:g}",
            f"the gradient is multiplied by 1 + {size:g}",
            scaled(size),
            kind="factor 1 + d",
            at_full_size=scaled(1.0),
        )
        for size in FACTORS
    ),
    Liar("zeroed", "the gradient is 0", lambda right: torch.zeros_like(right.gradient)),
    Liar("cut", "there is no gradient: its path is cut", lambda right: None),
    *(
        Liar(
            f"one component times 1 + {size:g}",
            f"the last component alone is multiplied by 1 + {size:g}",
            one_scaled(size),
            kind="one component of many",
            at_full_size=one_scaled(1.0),
        )
        for size in (1.0, 1e-2, 1e-4, 1e-8)
    ),
    Liar(
        "two swapped",
        "the first two components are swapped",
        lambda right: _permuted(right, _swapped),
    ),
    Liar(
        "transposed",
        "the components are those of the transposed gradient",
        lambda right: _permuted(
            right, lambda places: places.transpose(-1, -2) if places.ndim > 1 else places
        ),
    ),
    Liar(
        "rolled",
        "each component is its neighbour's",
        lambda right: _permuted(right, lambda places: places.roll(1)),
    ),
    Liar("mean for sum", "the mean over the rows stands for their sum", _averaged),
    Liar("dropped term", "one term of the sum is missing", _dropped),
    Liar(
        "incoming ignored",
        "what multiplies the result's derivative is taken for 1",
        lambda right: right.with_incoming(torch.ones_like(right.incoming)),
    ),
    Liar("wrong branch", "the gradient on the other side of 0", _other_branch),
    Liar("stale", "the gradient of the step before", lambda right: right.elsewhere(_before)),
    Liar(
        "accumulated",
        "the gradient of the step before is added",
        lambda right: right.gradient + right.elsewhere(_before),
    ),
    Liar("narrower dtype", "computed in a narrower dtype", _narrower, wrong_formula=False),
    Liar(
        "wrong dtype",
        "stated in a narrower dtype",
        lambda right: right.gradient.to(NARROWER[right.gradient.dtype]),
        wrong_formula=False,
    ),
    Liar(
        "wrong shape",
        "two components too many",
        lambda right: torch.cat([right.gradient.reshape(-1), torch.ones(2)]),
        wrong_formula=False,
    ),
    Liar(
        "NaN",
        "the last component is NaN",
        lambda right: torch.where(_last(right.gradient) == 1.0, torch.nan, right.gradient),
        wrong_formula=False,
    ),
)
"""Liars that are planted in every way."""
RACY = Liar("racy", "another gradient each time, off by a thousandth", Noisy(1e-3))
"""A race is in the numbers, never in a graph."""


def liar_named(name: str) -> Liar:
    """The liar of that name."""
    return next(known for known in (*LIARS, RACY) if known.name == name)


class Tampered(Autograd):
    """A witness for `verifier.train`: autograd, with one parameter's gradient changed at chosen
    steps, or at all.
    """

    def __init__(
        self, parameter: int, change: Callable[[Any], Any], steps: tuple[int, ...] = ()
    ) -> None:
        self.parameter, self.change, self.steps = parameter, change, steps
        self.step = 0

    def differentiate(self, loss: Any, parameters: Any) -> None:
        super().differentiate(loss, parameters)
        self.step += 1
        if not self.steps or self.step in self.steps:
            chosen = parameters[self.parameter]
            chosen.grad = self.change(chosen.grad)


class NotZeroed(Autograd):
    """A witness whose gradients add up, because nobody clears them."""

    def differentiate(self, loss: Any, parameters: Any) -> None:
        loss.backward()


class Stale(Autograd):
    """A witness that states one parameter's gradient of the step before, at one step."""

    def __init__(self, parameter: int, step: int) -> None:
        self.parameter, self.at, self.step = parameter, step, 0
        self.before: Any = None

    def differentiate(self, loss: Any, parameters: Any) -> None:
        super().differentiate(loss, parameters)
        self.step += 1
        chosen = parameters[self.parameter]
        now = chosen.grad.clone()
        if self.step == self.at:
            chosen.grad = self.before
        self.before = now
