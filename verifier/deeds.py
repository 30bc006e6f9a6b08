"""Deeds: mistakes in random formulas, a way to make each of them.

Each says which cause has to be named. Honest code, and mistakes for which there is no rule, have none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from verifier.examination import Examination
from verifier.examine import Formula, examine
from verifier.seeded import Generator, Seeded, Tree, choice
from verifier.subject import REVERSE, SECOND, Subject
from verifier.testing import GRAPH, KERNEL, NARROWER, NUMBERS, Code, Lie, Noisy, Planting, Right, honest

NOTHING = ""
"""The cause of what has none."""
HONEST = "honest"


@dataclass(frozen=True)
class Scene:
    """Code with a mistake at a point."""

    seeded: Seeded
    code: Code
    inputs: dict[str, Tensor]
    formula: Formula | None = None
    quantity: str = REVERSE
    before: dict[str, Tensor] | None = None
    """An earlier point at which it was examined."""

    @property
    def dtype(self) -> str:
        return str(next(iter(self.inputs.values())).dtype).removeprefix("torch.")

    def examined(self, inputs: dict[str, Tensor]) -> Examination:
        return examine(Subject(self.code, inputs, quantity=self.quantity), self.formula)


@dataclass(frozen=True)
class Deed:
    """A way to make a mistake; None where it cannot be made in what was drawn."""

    cause: str
    kind: str
    done: Callable[[Generator, str], Scene | None]


def _point(seeded: Seeded, generator: Generator, dtype: str) -> dict[str, Tensor]:
    return seeded.case.at(dtype, int(generator.integers(2**31)))


Told = Callable[[Generator, Seeded], Lie]


def _lie(
    cause: str, kind: str, told: Told, plantings: tuple[Planting, ...] = (GRAPH, NUMBERS, KERNEL), **drawn: Any
) -> Deed:
    """A gradient that is right, spoilt."""

    def done(generator: Generator, dtype: str) -> Scene:
        seeded = Seeded.drawn(generator, **drawn)
        return _spoilt(seeded, told(generator, seeded), generator, dtype, plantings)

    return Deed(cause, kind, done)


def _spoilt(
    seeded: Seeded, lie: Lie, generator: Generator, dtype: str, plantings: tuple[Planting, ...], place: int = -1
) -> Scene:
    planting = choice(generator, plantings)
    place = int(generator.integers(len(seeded.shapes))) if place < 0 else place
    formula = seeded.case.formula if planting is KERNEL else None
    return Scene(seeded, planting.plant(seeded.code, lie, place), _point(seeded, generator, dtype), formula)


FACTORS = (2.0, 0.5, 4.0, math.pi, 1 / math.pi, math.log(2.0), math.sqrt(2.0), math.e, 1.1, 0.9, -2.0, 1.25)


def _scaled(generator: Generator, seeded: Seeded) -> Lie:
    factor = choice(generator, FACTORS)
    return lambda right: right.gradient * factor


def _swapped(generator: Generator, seeded: Seeded) -> Lie:
    one, other = generator.choice(math.prod(seeded.shapes["x"]), 2, replace=False).tolist()

    def lie(right: Right) -> Tensor:
        order = torch.arange(right.gradient.numel())
        order[one], order[other] = other, one
        return right.gradient.reshape(-1)[order].reshape(right.gradient.shape)

    return lie


def _rolled(generator: Generator, seeded: Seeded) -> Lie:
    by = choice(generator, (1, -1, 2))
    return lambda right: right.gradient.roll(by)


def _row_dropped(generator: Generator, seeded: Seeded) -> Lie:
    row = int(generator.integers(math.prod(seeded.shapes["x"])))

    def lie(right: Right) -> Tensor:
        kept = torch.ones_like(right.incoming)
        kept.reshape(-1)[row] = 0.0
        return right.with_incoming(right.incoming * kept)

    return lie


def _ignored(right: Right) -> Tensor:
    return right.with_incoming(torch.ones_like(right.incoming))


def _of_other(other: Callable[..., Tensor]) -> Lie:
    """The gradient that other code has at the same point."""

    def lie(right: Right) -> Tensor:
        with torch.enable_grad():
            leaves = [tensor.detach().requires_grad_() for tensor in right.inputs]
            value = other(*leaves)
            if not value.requires_grad:
                return torch.zeros_like(right.gradient)
            (found,) = torch.autograd.grad(
                value, leaves[right.place], right.incoming, allow_unused=True, materialize_grads=True
            )
            return found

    return lie


def _cut(generator: Generator, seeded: Seeded) -> Seeded:
    """The formula with one of its paths cut."""
    return replace(seeded, tree=seeded.tree.cut(choice(generator, seeded.tree.places() or [()])))


def _term_dropped(generator: Generator, seeded: Seeded) -> Lie:
    cut = _cut(generator, seeded)

    def lie(right: Right) -> Tensor | None:
        found = _of_other(cut.code)(right)
        # Where nothing is left, it is no term that is missing.
        return right.gradient if found is None or not bool(found.any()) else found

    return lie


def _detached(generator: Generator, dtype: str) -> Scene:
    seeded = Seeded.drawn(generator)
    return Scene(seeded, _cut(generator, seeded).code, _point(seeded, generator, dtype))


class _Growing:
    """Adds each gradient to the ones before."""

    def __init__(self) -> None:
        self.total: Tensor | None = None

    def __call__(self, right: Right) -> Tensor:
        self.total = right.gradient if self.total is None else self.total + right.gradient
        return self.total


def _earlier(cause: str, kind: str, change: Callable[[Tensor, Tensor], Tensor]) -> Deed:
    """From the gradient now and that at the point before, something is stated."""

    def done(generator: Generator, dtype: str) -> Scene:
        seeded = Seeded.drawn(generator)
        before = _point(seeded, generator, dtype)

        def lie(right: Right) -> Tensor:
            return change(right.gradient, right.backward(list(before.values()), right.incoming))

        scene = _spoilt(seeded, lie, generator, dtype, (GRAPH, NUMBERS, KERNEL))
        return replace(scene, before=before)

    return Deed(cause, kind, done)


def _turned(generator: Generator, dtype: str) -> Scene | None:
    """The backward of a condition at the root, decided the other way."""
    seeded = Seeded.drawn(generator)
    names = list(seeded.shapes)
    one, other = (_renamed(Seeded.drawn(generator).tree, names) for _ in range(2))
    # A branch without the input would have no gradient at all, as a path that is cut.
    if one.is_degenerate or other.is_degenerate or not one.names == other.names == set(names):
        return None
    right = seeded.wrapped("where", one, other)
    wrong = replace(right, tree=replace(right.tree, kind="turned"))
    return _spoilt(right, _of_other(wrong.code), generator, dtype, (GRAPH, NUMBERS, KERNEL))


def _renamed(tree: Tree, names: list[str]) -> Tree:
    """In other inputs: those that there are."""
    if not tree.parts:
        return Tree(names["xyz".index(tree.kind) % len(names)])
    return replace(tree, parts=tuple(_renamed(part, names) for part in tree.parts))


def _leaking(generator: Generator, dtype: str) -> Scene:
    """A branch that is not taken, with no finite derivative at some of the points."""
    seeded = Seeded.drawn(generator)
    risky = choice(generator, (torch.sqrt, torch.log, lambda x: x**0.5, lambda x: (x * x).sqrt().sqrt()))
    inputs = _point(seeded, generator, dtype)
    inputs["x"][int(generator.integers(inputs["x"].numel()))] = 0.0

    def code(*given: Tensor) -> Tensor:
        x = given[0]
        value = seeded.tree.value(dict(zip(seeded.shapes, given, strict=True)))
        return torch.where(x > 0, risky(x) * value, value)

    return Scene(seeded, code, inputs)


def _overflowing(generator: Generator, dtype: str) -> Scene:
    """A softplus, a sigmoid or a length written out, at large numbers."""
    seeded = Seeded.drawn(generator)
    far = 800.0 if dtype == "float64" else 100.0
    shape = choice(
        generator,
        (
            lambda x: torch.log(1 + torch.exp(x)),
            lambda x: torch.exp(x) / (1 + torch.exp(x)),
            lambda x: torch.sqrt(torch.exp(x) * torch.exp(x)) * torch.exp(-x),
        ),
    )

    def code(*given: Tensor) -> Tensor:
        value = seeded.tree.value(dict(zip(seeded.shapes, given, strict=True)))
        shaped: Tensor = shape(far + given[0])
        return shaped + value

    return Scene(seeded, code, _point(seeded, generator, dtype))


def _underflowing(generator: Generator, dtype: str) -> Scene:
    """A length written out, of small numbers; in float64, whose smallest numbers no rounding excuses."""
    seeded = Seeded.drawn(generator)
    size = float(choice(generator, (1e-170, 1e-200, 1e-250)))

    def code(*given: Tensor) -> Tensor:
        return torch.sqrt(torch.square(size * seeded.code(*given)))

    return Scene(seeded, code, _point(seeded, generator, "float64"))


def _at_kink(generator: Generator, dtype: str) -> Scene:
    """|x| at 0, where the backward states more than either side."""
    seeded = Seeded.drawn(generator, reduction="none")
    steep = float(choice(generator, (3.0, -4.0, 10.0)))
    kinked = replace(seeded, tree=Tree("add", (Tree("abs", (Tree("x"),)), seeded.tree)))

    def wrong(*given: Tensor) -> Tensor:
        value = seeded.tree.value(dict(zip(seeded.shapes, given, strict=True)))
        x = given[0]
        return torch.where(x == 0, steep * x, x.abs()) + value

    scene = _spoilt(kinked, _of_other(wrong), generator, dtype, (GRAPH, NUMBERS, KERNEL), place=0)
    scene.inputs["x"][int(generator.integers(scene.inputs["x"].numel()))] = 0.0
    return scene


class _Once(torch.autograd.Function):
    """A function whose gradient has no graph behind it."""

    @staticmethod
    def forward(ctx: Any, code: Code, *inputs: Tensor) -> Tensor:
        ctx.code = code
        ctx.save_for_backward(*inputs)
        return code(*inputs)

    @staticmethod
    def backward(ctx: Any, incoming: Tensor) -> Any:
        with torch.enable_grad():
            leaves = [tensor.detach().requires_grad_() for tensor in ctx.saved_tensors]
            value = ctx.code(*leaves)
            found = torch.autograd.grad(value, leaves, incoming.detach(), allow_unused=True, materialize_grads=True)
        return (None, *(gradient.detach() for gradient in found))


def _once(generator: Generator, dtype: str) -> Scene:
    seeded = Seeded.drawn(generator, shape=(3,))

    def code(*inputs: Tensor) -> Tensor:
        told: Tensor = _Once.apply(seeded.code, *inputs)  # type: ignore[no-untyped-call]
        return told

    return Scene(seeded, code, _point(seeded, generator, dtype), quantity=SECOND)


def _other(generator: Generator, dtype: str) -> Scene:
    """Another formula than the code's, of the same inputs."""
    seeded, other = Seeded.drawn(generator), Seeded.drawn(generator)
    stated = replace(seeded, tree=_renamed(other.tree, list(seeded.shapes)))
    planting = choice(generator, (GRAPH, KERNEL))
    code = planting.plant(seeded.code, honest, 0)
    return Scene(seeded, code, _point(seeded, generator, dtype), stated.case.formula)


def _reduced(generator: Generator, dtype: str) -> Scene:
    """A mean where the formula says sum, or the other way round."""
    seeded = Seeded.drawn(generator, reduction=choice(generator, ("sum", "mean")))
    stated = replace(seeded, reduction="mean" if seeded.reduction == "sum" else "sum")
    planting = choice(generator, (GRAPH, KERNEL))
    code = planting.plant(seeded.code, honest, 0)
    return Scene(seeded, code, _point(seeded, generator, dtype), stated.case.formula)


def _bent(generator: Generator, seeded: Seeded) -> Lie:
    size = float(generator.uniform(0.05, 0.3))
    return lambda right: right.gradient + size * torch.sin(3.0 * right.gradient + 1.0)


def _one_off(generator: Generator, seeded: Seeded) -> Lie:
    size, element = float(generator.uniform(0.05, 0.3)), int(generator.integers(math.prod(seeded.shapes["x"])))

    def lie(right: Right) -> Tensor:
        moved = torch.zeros_like(right.gradient)
        moved.reshape(-1)[element] = size
        return right.gradient + moved

    return lie


def _count(tensor: Tensor) -> int:
    return len(tensor) if tensor.ndim else 1


DEEDS = (
    _lie("sign flipped", "sign flipped", lambda _, seeded: lambda right: -right.gradient),
    _lie("constant factor", "constant factor", _scaled),
    _lie("mean for sum", "mean for sum", lambda _, seeded: lambda right: right.gradient / _count(right.inputs[0])),
    _lie("sum for mean", "sum for mean", lambda _, seeded: lambda right: right.gradient * _count(right.inputs[0])),
    _lie("components swapped", "components swapped", _swapped),
    _lie("transposed", "transposed", lambda _, seeded: lambda right: right.gradient.mT.reshape(right.gradient.shape),
         shape=(3, 4)),
    _lie("rolled", "rolled", _rolled),
    _lie("one term missing", "row missing", _row_dropped, reduction="none"),
    _lie("one term missing", "term missing", _term_dropped),
    Deed("path detached", "path detached", _detached),
    _lie("path detached", "zeroed", lambda _, seeded: lambda right: torch.zeros_like(right.gradient), (GRAPH, KERNEL)),
    _lie("path detached", "no gradient", lambda _, seeded: lambda right: None, (GRAPH, KERNEL)),
    _lie("grad_output ignored", "grad_output ignored", lambda _, seeded: _ignored),
    _lie("gradients accumulated", "added up", lambda _, seeded: _Growing(), (NUMBERS, KERNEL)),
    _earlier("gradients accumulated", "added to the one before", torch.add),
    _earlier("stale", "stale", lambda now, before: before),
    Deed("wrong branch", "wrong branch", _turned),
    Deed("NaN from a branch not taken", "NaN from a branch not taken", _leaking),
    Deed("overflow of an intermediate", "overflow of an intermediate", _overflowing),
    Deed("underflow of an intermediate", "underflow of an intermediate", _underflowing),
    _lie("narrower dtype", "narrower dtype",
         lambda _, seeded: lambda right: right.gradient.to(NARROWER[right.gradient.dtype]).to(right.gradient.dtype)),
    _lie("kernel outside its budget", "kernel off", _one_off, (NUMBERS,)),
    Deed("kink convention", "kink convention", _at_kink),
    _lie("not deterministic", "not deterministic", lambda _, seeded: Noisy(1e-3), (NUMBERS, KERNEL)),
    Deed("second order cut off", "second order cut off", _once),
    Deed("different functions", "different functions", _other),
    Deed("wrong reduction", "wrong reduction", _reduced),
    _lie(NOTHING, HONEST, lambda _, seeded: honest),
    _lie(NOTHING, "bent", _bent, (GRAPH, KERNEL)),
    _lie(NOTHING, "one component off", _one_off, (GRAPH, KERNEL)),
)  # fmt: skip
"""Every kind of mistake, and what is none."""
