"""Mutants: code with a mistake at a point, made from a random formula.

Mistakes that are in the code itself are made here; `mutation_operators` makes those that are in one
gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from verifier.capture.code_at_point import REVERSE, SECOND, Subject
from verifier.judging.examination import Examination
from verifier.judging.examine import examine
from verifier.judging.reference import Formula
from verifier.testing.cases import FunctionContext
from verifier.testing.mutations import GRAPH, KERNEL, NUMBERS, Code, Lie, Planting, Right, honest
from verifier.testing.random_formulas import FormulaTree, Generator, RandomFormula, choose


@dataclass(frozen=True, eq=False)
class Mutant:
    """Code with a mistake at a point."""

    seeded: RandomFormula
    code: Code
    inputs: dict[str, Tensor]
    formula: Formula | None = None
    quantity: str = REVERSE
    before: dict[str, Tensor] | None = None
    """An earlier point at which it was examined."""

    @property
    def dtype(self) -> str:
        """The dtype of its inputs, without `torch.`."""
        return str(next(iter(self.inputs.values())).dtype).removeprefix("torch.")

    def examine(self, inputs: dict[str, Tensor]) -> Examination:
        """What the code states at these inputs, compared with what its formula says."""
        return examine(Subject(self.code, inputs, quantity=self.quantity), self.formula)


@dataclass(frozen=True)
class MistakeKind:
    """A way to make a mistake; None where it cannot be made in what was drawn."""

    cause: str
    kind: str
    done: Callable[[Generator, str], Mutant | None]


def random_point(seeded: RandomFormula, generator: Generator, dtype: str) -> dict[str, Tensor]:
    """Inputs of the formula in that dtype, drawn."""
    return seeded.case.at(dtype, int(generator.integers(2**31)))


def planted_mutant(
    seeded: RandomFormula,
    lie: Lie,
    generator: Generator,
    dtype: str,
    plantings: tuple[Planting, ...],
    place: int = -1,
) -> Mutant:
    """The formula's code with a wrong gradient by one of its inputs, planted in one of these
    ways.
    """
    planting = choose(generator, plantings)
    place = int(generator.integers(len(seeded.shapes))) if place < 0 else place
    formula = seeded.case.formula if planting is KERNEL else None
    return Mutant(
        seeded,
        planting.plant(seeded.code, lie, place),
        random_point(seeded, generator, dtype),
        formula,
    )


def gradient_of_other_code(other: Callable[..., Tensor]) -> Lie:
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


def cut_one_path(generator: Generator, seeded: RandomFormula) -> RandomFormula:
    """The formula with one of its paths cut."""
    return replace(seeded, tree=seeded.tree.cut(choose(generator, seeded.tree.places() or [()])))


def mutant_with_detach(generator: Generator, dtype: str) -> Mutant:
    """A formula one of whose paths is detached."""
    seeded = RandomFormula.draw(generator)
    return Mutant(
        seeded, cut_one_path(generator, seeded).code, random_point(seeded, generator, dtype)
    )


def mutant_with_other_branch(generator: Generator, dtype: str) -> Mutant | None:
    """The backward of a condition at the root, decided the other way."""
    seeded = RandomFormula.draw(generator)
    names = list(seeded.shapes)
    one, other = (_with_other_names(RandomFormula.draw(generator).tree, names) for _ in range(2))
    # A branch without the input would have no gradient at all, as a path that is cut.
    if one.is_degenerate or other.is_degenerate or not one.names == other.names == set(names):
        return None
    right = seeded.wrapped("where", one, other)
    wrong = replace(right, tree=replace(right.tree, kind="turned"))
    return planted_mutant(
        right, gradient_of_other_code(wrong.code), generator, dtype, (GRAPH, NUMBERS, KERNEL)
    )


def mutant_with_other_constant(generator: Generator, dtype: str) -> Mutant:
    """A quotient whose backward has another constant below than its forward."""
    seeded = RandomFormula.draw(generator)
    one, other = (round(float(generator.uniform(0.5, 2.0)), 2) for _ in range(2))

    def with_constant(constant: float) -> Code:
        def code(*given: Tensor) -> Tensor:
            return seeded.code(*given) / (given[0].square().sum() + constant)

        return code

    wrong = gradient_of_other_code(with_constant(other))
    planted = GRAPH.plant(with_constant(one), wrong, int(generator.integers(len(seeded.shapes))))
    return Mutant(seeded, planted, random_point(seeded, generator, dtype))


def _with_other_names(tree: FormulaTree, names: list[str]) -> FormulaTree:
    """In other inputs: those that there are."""
    if not tree.parts:
        return FormulaTree(names["xyz".index(tree.kind) % len(names)])
    return replace(tree, parts=tuple(_with_other_names(part, names) for part in tree.parts))


def mutant_with_nan_from_branch(generator: Generator, dtype: str) -> Mutant:
    """A branch that is not taken, with no finite derivative at some of the points."""
    seeded = RandomFormula.draw(generator)
    shapes: Sequence[Code] = (
        torch.sqrt, torch.log, lambda x: x**0.5, lambda x: (x * x).sqrt().sqrt()
    )  # fmt: skip
    risky = choose(generator, shapes)
    inputs = random_point(seeded, generator, dtype)
    inputs["x"][int(generator.integers(inputs["x"].numel()))] = 0.0

    def code(*given: Tensor) -> Tensor:
        x = given[0]
        value = seeded.tree.value(dict(zip(seeded.shapes, given, strict=True)))
        return torch.where(x > 0, risky(x) * value, value)

    return Mutant(seeded, code, inputs)


def mutant_that_overflows(generator: Generator, dtype: str) -> Mutant:
    """A softplus, a sigmoid or a length written out, at large numbers."""
    seeded = RandomFormula.draw(generator)
    far = 800.0 if dtype == "float64" else 100.0
    shapes: Sequence[Code] = (
        lambda x: torch.log(1 + torch.exp(x)),
        lambda x: torch.exp(x) / (1 + torch.exp(x)),
        lambda x: torch.sqrt(torch.exp(x) * torch.exp(x)) * torch.exp(-x),
    )
    shape = choose(generator, shapes)

    def code(*given: Tensor) -> Tensor:
        value = seeded.tree.value(dict(zip(seeded.shapes, given, strict=True)))
        shaped: Tensor = shape(far + given[0])
        return shaped + value

    return Mutant(seeded, code, random_point(seeded, generator, dtype))


def mutant_that_underflows(generator: Generator, dtype: str) -> Mutant:
    """A length written out, of small numbers; in float64, whose smallest numbers no rounding
    excuses.
    """
    seeded = RandomFormula.draw(generator)
    size = float(choose(generator, (1e-170, 1e-200, 1e-250)))

    def code(*given: Tensor) -> Tensor:
        return torch.sqrt(torch.square(size * seeded.code(*given)))

    return Mutant(seeded, code, random_point(seeded, generator, "float64"))


def mutant_at_kink(generator: Generator, dtype: str) -> Mutant:
    """|x| at 0, where the backward states more than either side."""
    seeded = RandomFormula.draw(generator, reduction="none")
    steep = float(choose(generator, (3.0, -4.0, 10.0)))
    kinked = replace(
        seeded, tree=FormulaTree("add", (FormulaTree("abs", (FormulaTree("x"),)), seeded.tree))
    )

    def wrong(*given: Tensor) -> Tensor:
        value = seeded.tree.value(dict(zip(seeded.shapes, given, strict=True)))
        x = given[0]
        return torch.where(x == 0, steep * x, x.abs()) + value

    mutant = planted_mutant(
        kinked, gradient_of_other_code(wrong), generator, dtype, (GRAPH, NUMBERS, KERNEL), place=0
    )
    mutant.inputs["x"][int(generator.integers(mutant.inputs["x"].numel()))] = 0.0
    return mutant


class _OnceDifferentiable(torch.autograd.Function):
    """A function whose gradient has no graph behind it."""

    @staticmethod
    def forward(ctx: FunctionContext, code: Code, *inputs: Tensor) -> Tensor:
        ctx.code = code
        ctx.save_for_backward(*inputs)
        return code(*inputs)

    @staticmethod
    def backward(ctx: FunctionContext, incoming: Tensor) -> tuple[Tensor | None, ...]:
        with torch.enable_grad():
            leaves = [tensor.detach().requires_grad_() for tensor in ctx.saved_tensors]
            value = ctx.code(*leaves)
            found = torch.autograd.grad(
                value, leaves, incoming.detach(), allow_unused=True, materialize_grads=True
            )
        return (None, *(gradient.detach() for gradient in found))


def mutant_without_second_order(generator: Generator, dtype: str) -> Mutant:
    """A formula whose gradient has no graph behind it, so that its second derivative is missing."""
    seeded = RandomFormula.draw(generator, shape=(3,))

    def code(*inputs: Tensor) -> Tensor:
        result: Tensor = _OnceDifferentiable.apply(seeded.code, *inputs)  # type: ignore[no-untyped-call]
        return result

    return Mutant(seeded, code, random_point(seeded, generator, dtype), quantity=SECOND)


def mutant_of_another_function(generator: Generator, dtype: str) -> Mutant:
    """Another formula than the code's, of the same inputs."""
    seeded, other = RandomFormula.draw(generator), RandomFormula.draw(generator)
    stated = replace(seeded, tree=_with_other_names(other.tree, list(seeded.shapes)))
    planting = choose(generator, (GRAPH, KERNEL))
    code = planting.plant(seeded.code, honest, 0)
    return Mutant(seeded, code, random_point(seeded, generator, dtype), stated.case.formula)


def mutant_with_other_reduction(generator: Generator, dtype: str) -> Mutant:
    """A mean where the formula says sum, or the other way round."""
    seeded = RandomFormula.draw(generator, reduction=choose(generator, ("sum", "mean")))
    stated = replace(seeded, reduction="mean" if seeded.reduction == "sum" else "sum")
    planting = choose(generator, (GRAPH, KERNEL))
    code = planting.plant(seeded.code, honest, 0)
    return Mutant(seeded, code, random_point(seeded, generator, dtype), stated.case.formula)
