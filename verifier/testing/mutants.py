"""Scenes: code with a mistake at a point, made from a random formula.

Mistakes that are in the code itself are made here; those that are in one gradient are told by
`deeds`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from verifier.capture.statements import REVERSE, SECOND, Subject
from verifier.judging.examination import Examination
from verifier.judging.examine import examine
from verifier.judging.reference import Formula
from verifier.testing.mutations import GRAPH, KERNEL, NUMBERS, Code, Lie, Planting, Right, honest
from verifier.testing.random_formulas import Generator, Seeded, Tree, choice


@dataclass(frozen=True, eq=False)
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


def point(seeded: Seeded, generator: Generator, dtype: str) -> dict[str, Tensor]:
    return seeded.case.at(dtype, int(generator.integers(2**31)))


def spoilt(
    seeded: Seeded,
    lie: Lie,
    generator: Generator,
    dtype: str,
    plantings: tuple[Planting, ...],
    place: int = -1,
) -> Scene:
    planting = choice(generator, plantings)
    place = int(generator.integers(len(seeded.shapes))) if place < 0 else place
    formula = seeded.case.formula if planting is KERNEL else None
    return Scene(
        seeded, planting.plant(seeded.code, lie, place), point(seeded, generator, dtype), formula
    )


def of_other(other: Callable[..., Tensor]) -> Lie:
    """The gradient that other code has at the same point."""

    def lie(right: Right) -> Tensor:
        with torch.enable_grad():
            leaves = [tensor.detach().requires_grad_() for tensor in right.inputs]
            value = other(*leaves)
            if not value.requires_grad:
                return torch.zeros_like(right.gradient)
            (found,) = torch.autograd.grad(
                value,
                leaves[right.place],
                right.incoming,
                allow_unused=True,
                materialize_grads=True,
            )
            return found

    return lie


def cut(generator: Generator, seeded: Seeded) -> Seeded:
    """The formula with one of its paths cut."""
    return replace(seeded, tree=seeded.tree.cut(choice(generator, seeded.tree.places() or [()])))


def detached(generator: Generator, dtype: str) -> Scene:
    seeded = Seeded.drawn(generator)
    return Scene(seeded, cut(generator, seeded).code, point(seeded, generator, dtype))


def turned(generator: Generator, dtype: str) -> Scene | None:
    """The backward of a condition at the root, decided the other way."""
    seeded = Seeded.drawn(generator)
    names = list(seeded.shapes)
    one, other = (_renamed(Seeded.drawn(generator).tree, names) for _ in range(2))
    # A branch without the input would have no gradient at all, as a path that is cut.
    if one.is_degenerate or other.is_degenerate or not one.names == other.names == set(names):
        return None
    right = seeded.wrapped("where", one, other)
    wrong = replace(right, tree=replace(right.tree, kind="turned"))
    return spoilt(right, of_other(wrong.code), generator, dtype, (GRAPH, NUMBERS, KERNEL))


def _renamed(tree: Tree, names: list[str]) -> Tree:
    """In other inputs: those that there are."""
    if not tree.parts:
        return Tree(names["xyz".index(tree.kind) % len(names)])
    return replace(tree, parts=tuple(_renamed(part, names) for part in tree.parts))


def leaking(generator: Generator, dtype: str) -> Scene:
    """A branch that is not taken, with no finite derivative at some of the points."""
    seeded = Seeded.drawn(generator)
    risky = choice(
        generator, (torch.sqrt, torch.log, lambda x: x**0.5, lambda x: (x * x).sqrt().sqrt())
    )
    inputs = point(seeded, generator, dtype)
    inputs["x"][int(generator.integers(inputs["x"].numel()))] = 0.0

    def code(*given: Tensor) -> Tensor:
        x = given[0]
        value = seeded.tree.value(dict(zip(seeded.shapes, given, strict=True)))
        return torch.where(x > 0, risky(x) * value, value)

    return Scene(seeded, code, inputs)


def overflowing(generator: Generator, dtype: str) -> Scene:
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

    return Scene(seeded, code, point(seeded, generator, dtype))


def underflowing(generator: Generator, dtype: str) -> Scene:
    """A length written out, of small numbers; in float64, whose smallest numbers no rounding
    excuses.
    """
    seeded = Seeded.drawn(generator)
    size = float(choice(generator, (1e-170, 1e-200, 1e-250)))

    def code(*given: Tensor) -> Tensor:
        return torch.sqrt(torch.square(size * seeded.code(*given)))

    return Scene(seeded, code, point(seeded, generator, "float64"))


def at_kink(generator: Generator, dtype: str) -> Scene:
    """|x| at 0, where the backward states more than either side."""
    seeded = Seeded.drawn(generator, reduction="none")
    steep = float(choice(generator, (3.0, -4.0, 10.0)))
    kinked = replace(seeded, tree=Tree("add", (Tree("abs", (Tree("x"),)), seeded.tree)))

    def wrong(*given: Tensor) -> Tensor:
        value = seeded.tree.value(dict(zip(seeded.shapes, given, strict=True)))
        x = given[0]
        return torch.where(x == 0, steep * x, x.abs()) + value

    scene = spoilt(kinked, of_other(wrong), generator, dtype, (GRAPH, NUMBERS, KERNEL), place=0)
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
            found = torch.autograd.grad(
                value, leaves, incoming.detach(), allow_unused=True, materialize_grads=True
            )
        return (None, *(gradient.detach() for gradient in found))


def once(generator: Generator, dtype: str) -> Scene:
    seeded = Seeded.drawn(generator, shape=(3,))

    def code(*inputs: Tensor) -> Tensor:
        told: Tensor = _Once.apply(seeded.code, *inputs)  # type: ignore[no-untyped-call]
        return told

    return Scene(seeded, code, point(seeded, generator, dtype), quantity=SECOND)


def another_function(generator: Generator, dtype: str) -> Scene:
    """Another formula than the code's, of the same inputs."""
    seeded, other = Seeded.drawn(generator), Seeded.drawn(generator)
    stated = replace(seeded, tree=_renamed(other.tree, list(seeded.shapes)))
    planting = choice(generator, (GRAPH, KERNEL))
    code = planting.plant(seeded.code, honest, 0)
    return Scene(seeded, code, point(seeded, generator, dtype), stated.case.formula)


def reduced(generator: Generator, dtype: str) -> Scene:
    """A mean where the formula says sum, or the other way round."""
    seeded = Seeded.drawn(generator, reduction=choice(generator, ("sum", "mean")))
    stated = replace(seeded, reduction="mean" if seeded.reduction == "sum" else "sum")
    planting = choice(generator, (GRAPH, KERNEL))
    code = planting.plant(seeded.code, honest, 0)
    return Scene(seeded, code, point(seeded, generator, dtype), stated.case.formula)
