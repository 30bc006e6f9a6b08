"""Lying witnesses and honest twins: what a judge of gradients must find, and what it must let pass.

A liar tampers with one gradient that is right. It can be planted in three ways: in the graph of the
code's own backward, in its numbers only (as a kernel does that is not what its graph says), and in
a kernel that leaves torch. Liars that need a training, one step after the other, are witnesses for
`verifier.train`.

>>> from verifier.testing.cases import case_named
>>> tanh = case_named("tanh")
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

import numpy as np
import torch
from torch import Tensor

from verifier.capture.recorder import is_recording
from verifier.capture.to_numpy import to_numpy
from verifier.process.values import UserValue
from verifier.testing.cases import FunctionContext
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
        """The gradient where every input is changed in one way.

        `change` takes an input and returns a tensor of the same shape.
        """
        return self.backward([change(tensor) for tensor in self.inputs], self.incoming)

    def with_incoming(self, incoming: Tensor) -> Tensor:
        """The gradient with another `incoming` gradient, of the result's shape."""
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
        """What the tables call it: its kind, else its name."""
        return self.kind or self.name


class _PassedThroughLie(torch.autograd.Function):
    """A function whose backward is computed anew by autograd and then passes through a lie."""

    @staticmethod
    def forward(ctx: FunctionContext, code: Code, lie: Lie, place: int, *inputs: Tensor) -> Tensor:
        ctx.code, ctx.lie, ctx.place = code, lie, place
        ctx.save_for_backward(*inputs)
        return code(*inputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: FunctionContext, incoming: Tensor) -> tuple[Tensor | None, ...]:
        inputs, place = ctx.saved_tensors, int(ctx.place)
        gradients = list(_all_gradients(ctx.code, inputs, incoming))

        def by_place(inputs: Sequence[Tensor], incoming: Tensor) -> Tensor:
            return _all_gradients(ctx.code, inputs, incoming)[place]

        gradients[place] = ctx.lie(Right(gradients[place], inputs, place, incoming, by_place))
        return (None, None, None, *gradients)


def _all_gradients(code: Code, inputs: Sequence[Tensor], incoming: Tensor) -> Sequence[Tensor]:
    """Every input's gradient."""
    with torch.enable_grad():
        leaves = [tensor.detach().requires_grad_() for tensor in inputs]
        return torch.autograd.grad(
            code(*leaves), leaves, incoming, materialize_grads=True, allow_unused=True
        )


def honest(right: Right) -> Tensor:
    """No lie at all: the right gradient.

    `right` is the backward that is right.

    >>> same = GRAPH.plant(torch.tanh, honest, 0)
    >>> x = torch.tensor(0.0, requires_grad=True)
    >>> torch.autograd.grad(same(x), x)
    (tensor(1.),)
    """
    return right.gradient


def _plant_in_graph(code: Code, lie: Lie, place: int) -> Code:
    return partial(_PassedThroughLie.apply, code, deepcopy(lie), place)


def _plant_in_numbers(code: Code, lie: Lie, place: int) -> Code:
    own = deepcopy(lie)

    def unseen(right: Right) -> Tensor | None:
        return right.gradient if is_recording() else own(right)

    return partial(_PassedThroughLie.apply, code, unseen, place)


def _plant_in_kernel(code: Code, lie: Lie, place: int) -> Code:
    own = deepcopy(lie)

    def outside(right: Right) -> Tensor | None:
        changed = own(right)
        return None if changed is None else through_numpy(changed)

    return partial(
        _PassedThroughLie.apply, lambda *inputs: _through_outside(code(*inputs)), outside, place
    )


class _NumbersFromNumPy(torch.autograd.Function):
    """The same tensor, but its numbers come from NumPy; its gradient passes."""

    @staticmethod
    def forward(ctx: FunctionContext, tensor: Tensor) -> Tensor:
        return through_numpy(tensor)

    @staticmethod
    def backward(ctx: FunctionContext, incoming: Tensor) -> Tensor:
        return incoming


def _through_outside(tensor: Tensor) -> Tensor:
    passed: Tensor = _NumbersFromNumPy.apply(tensor)  # type: ignore[no-untyped-call]
    return passed


_WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def through_numpy(tensor: Tensor) -> Tensor:
    """The same numbers, brought back from NumPy.

    `tensor` may have any floating-point dtype; NumPy gets bits of the same size, since it has no
    bfloat16.

    >>> through_numpy(torch.tensor([0.5], dtype=torch.bfloat16))
    tensor([0.5000], dtype=torch.bfloat16)
    """
    words = tensor.detach().contiguous().view(_WORDS[tensor.element_size()])
    return torch.from_numpy(to_numpy(words).copy()).view(tensor.dtype)


GRAPH = Planting("graph", "in the graph of the backward", _plant_in_graph)
NUMBERS = Planting("numbers", "in the numbers only, while the graph is honest", _plant_in_numbers)
KERNEL = Planting("kernel", "in a kernel that leaves torch", _plant_in_kernel)


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


def _permute(right: Right, order: Callable[[Tensor], Tensor]) -> Tensor:
    flat = right.gradient.reshape(-1)
    places = order(torch.arange(flat.numel()).reshape(right.gradient.shape))
    return flat[places.reshape(-1)].reshape(right.gradient.shape)


def _swap_elements(places: Tensor) -> Tensor:
    flat = places.reshape(-1)
    return torch.cat([flat[:2].flip(0), flat[2:]])


def _last_element_mask(tensor: Tensor) -> Tensor:
    """1 at the last element, else 0."""
    mask = torch.zeros(tensor.numel(), dtype=tensor.dtype)
    mask[-1:] = 1.0
    return mask.reshape(tensor.shape)


def _drop_last(right: Right) -> Tensor:
    if right.incoming.numel() > 1:
        return right.with_incoming(right.incoming * (1 - _last_element_mask(right.incoming)))
    return right.gradient * (1 - _last_element_mask(right.gradient))


def _average_over_all(right: Right) -> Tensor:
    return right.gradient / max(len(tensor) if tensor.ndim else 1 for tensor in right.inputs)


def _other_branch(right: Right) -> Tensor:
    """The gradient on the other side of 0 of its own input."""
    inputs = [
        -tensor if place == right.place else tensor for place, tensor in enumerate(right.inputs)
    ]
    return right.backward(inputs, right.incoming)


def _inputs_a_step_before(tensor: Tensor) -> Tensor:
    """Where the inputs were a step before."""
    return tensor * 0.875 + 0.0625


NARROWER = {
    torch.float64: torch.float32, torch.float32: torch.bfloat16,
    torch.float16: torch.bfloat16, torch.bfloat16: torch.bfloat16,
}  # fmt: skip
"""What is narrower than a dtype; nothing that torch computes in is narrower than bfloat16."""


def _in_narrower_dtype(right: Right) -> Tensor:
    narrow = NARROWER[right.gradient.dtype]
    changed = right.backward(
        [tensor.to(narrow) for tensor in right.inputs], right.incoming.to(narrow)
    )
    return changed.to(right.gradient.dtype)


def scaled(size: float) -> Lie:
    """A lie: the gradient times 1 + `size`, without rounding away a small one in the graph.

    >>> liar = Liar("a third off", "the gradient times 4/3", scaled(1 / 3))
    """
    return lambda right: right.gradient + size * right.gradient


def one_scaled(size: float) -> Lie:
    """A lie: the last component alone times 1 + `size`.

    >>> liar = Liar("one off", "one component times 2", one_scaled(1.0))
    """
    return lambda right: (
        right.gradient + size * (_last_element_mask(right.gradient) * right.gradient)
    )


def off(by: float | Tensor) -> Lie:
    """A lie: `by` is added to each component, a number or a tensor that broadcasts against the
    gradient.

    >>> liar = Liar("shifted", "1 is added", off(1.0))
    """
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
        lambda right: _permute(right, _swap_elements),
    ),
    Liar(
        "transposed",
        "the components are those of the transposed gradient",
        lambda right: _permute(
            right, lambda places: places.transpose(-1, -2) if places.ndim > 1 else places
        ),
    ),
    Liar(
        "rolled",
        "each component is its neighbour's",
        lambda right: _permute(right, lambda places: places.roll(1)),
    ),
    Liar("mean for sum", "the mean over the rows stands for their sum", _average_over_all),
    Liar("dropped term", "one term of the sum is missing", _drop_last),
    Liar(
        "incoming ignored",
        "what multiplies the result's derivative is taken for 1",
        lambda right: right.with_incoming(torch.ones_like(right.incoming)),
    ),
    Liar("wrong branch", "the gradient on the other side of 0", _other_branch),
    Liar(
        "stale",
        "the gradient of the step before",
        lambda right: right.elsewhere(_inputs_a_step_before),
    ),
    Liar(
        "accumulated",
        "the gradient of the step before is added",
        lambda right: right.gradient + right.elsewhere(_inputs_a_step_before),
    ),
    Liar("narrower dtype", "computed in a narrower dtype", _in_narrower_dtype, wrong_formula=False),
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
        lambda right: torch.where(
            _last_element_mask(right.gradient) == 1.0, torch.nan, right.gradient
        ),
        wrong_formula=False,
    ),
)
"""Liars that are planted in every way."""
RACY = Liar("racy", "another gradient each time, off by a thousandth", Noisy(1e-3))
"""A race is in the numbers, never in a graph."""


def liar_named(name: str) -> Liar:
    """The liar of that `name`. Raises StopIteration where there is none.

    >>> liar_named("sign flipped").name
    'sign flipped'
    """
    return next(known for known in (*LIARS, RACY) if known.name == name)


class Tampered(Autograd):
    """A witness for `verifier.train`: autograd, with one parameter's gradient changed at chosen
    steps, or at all.
    """

    def __init__(
        self, parameter: int, change: Callable[[Tensor], Tensor | None], steps: tuple[int, ...] = ()
    ) -> None:
        self.parameter, self.change, self.steps = parameter, change, steps
        self.step = 0

    def differentiate(self, loss: Tensor, parameters: Sequence[Tensor]) -> None:
        """Leave the gradients in the `parameters`, one of them changed.

        `loss` is a tensor of shape (); `parameters` are the leaves that it was computed from.
        """
        super().differentiate(loss, parameters)
        self.step += 1
        if not self.steps or self.step in self.steps:
            # Without a gradient the change gets None, as it would be without this witness.
            chosen: UserValue = parameters[self.parameter]
            chosen.grad = self.change(chosen.grad)


class NotZeroed(Autograd):
    """A witness whose gradients add up, because nobody clears them."""

    def differentiate(self, loss: Tensor, parameters: Sequence[Tensor]) -> None:
        """Add the gradients to those that the `parameters` have.

        `loss` is a tensor of shape (); `parameters` are the leaves that it was computed from.
        """
        loss.backward()  # type: ignore[no-untyped-call]


class Stale(Autograd):
    """A witness that states one parameter's gradient of the step before, at one step."""

    def __init__(self, parameter: int, step: int) -> None:
        self.parameter, self.at, self.step = parameter, step, 0
        self.before: Tensor | None = None

    def differentiate(self, loss: Tensor, parameters: Sequence[Tensor]) -> None:
        """Leave the gradients in the `parameters`; at one step one of them is that of the step
        before.

        `loss` is a tensor of shape (); `parameters` are the leaves that it was computed from.
        """
        super().differentiate(loss, parameters)
        self.step += 1
        chosen: UserValue = parameters[self.parameter]
        now = chosen.grad.clone()
        if self.step == self.at:
            chosen.grad = self.before
        self.before = now
