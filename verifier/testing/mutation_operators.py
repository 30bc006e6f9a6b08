"""Mistakes: those in random formulas, a way to make each of them.

Each says which cause has to be named. Honest code, and mistakes for which there is no rule, have
none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from verifier.process.values import UserValue
from verifier.testing.mutants import (
    MistakeKind,
    Mutant,
    cut_one_path,
    gradient_of_other_code,
    mutant_at_kink,
    mutant_of_another_function,
    mutant_that_overflows,
    mutant_that_underflows,
    mutant_with_detach,
    mutant_with_nan_from_branch,
    mutant_with_other_branch,
    mutant_with_other_constant,
    mutant_with_other_reduction,
    mutant_without_second_order,
    planted_mutant,
    random_point,
)
from verifier.testing.mutations import (
    GRAPH,
    KERNEL,
    NARROWER,
    NUMBERS,
    Lie,
    Noisy,
    Planting,
    Right,
    honest,
)
from verifier.testing.random_formulas import Generator, RandomFormula, choose

NOTHING = ""
"""The cause of what has none."""
HONEST = "honest"


LieMaker = Callable[[Generator, RandomFormula], Lie]


def _mutant_maker(
    cause: str,
    kind: str,
    make_lie: LieMaker,
    plantings: tuple[Planting, ...] = (GRAPH, NUMBERS, KERNEL),
    **drawn: UserValue,
) -> MistakeKind:
    """A gradient that is right, spoilt."""

    def done(generator: Generator, dtype: str) -> Mutant:
        seeded = RandomFormula.draw(generator, **drawn)
        return planted_mutant(seeded, make_lie(generator, seeded), generator, dtype, plantings)

    return MistakeKind(cause, kind, done)


FACTORS = (
    2.0,
    0.5,
    4.0,
    math.pi,
    1 / math.pi,
    math.log(2.0),
    math.sqrt(2.0),
    math.e,
    1.1,
    0.9,
    -2.0,
    1.25,
)


def _scale_by_factor(generator: Generator, seeded: RandomFormula) -> Lie:
    factor = choose(generator, FACTORS)
    return lambda right: right.gradient * factor


def _swap_two(generator: Generator, seeded: RandomFormula) -> Lie:
    one, other = generator.choice(math.prod(seeded.shapes["x"]), 2, replace=False).tolist()

    def lie(right: Right) -> Tensor:
        order = torch.arange(right.gradient.numel())
        order[one], order[other] = other, one
        return right.gradient.reshape(-1)[order].reshape(right.gradient.shape)

    return lie


def _roll_components(generator: Generator, seeded: RandomFormula) -> Lie:
    by = choose(generator, (1, -1, 2))
    return lambda right: right.gradient.roll(by)


def _drop_row(generator: Generator, seeded: RandomFormula) -> Lie:
    row = int(generator.integers(math.prod(seeded.shapes["x"])))

    def lie(right: Right) -> Tensor:
        kept = torch.ones_like(right.incoming)
        kept.reshape(-1)[row] = 0.0
        return right.with_incoming(right.incoming * kept)

    return lie


def _ignore_incoming(right: Right) -> Tensor:
    return right.with_incoming(torch.ones_like(right.incoming))


def _drop_term(generator: Generator, seeded: RandomFormula) -> Lie:
    short = cut_one_path(generator, seeded)

    def lie(right: Right) -> Tensor | None:
        found = gradient_of_other_code(short.code)(right)
        # Where nothing is left, it is no term that is missing.
        return right.gradient if found is None or not bool(found.any()) else found

    return lie


class _GrowingGradient:
    """Adds each gradient to the ones before."""

    def __init__(self) -> None:
        self.total: Tensor | None = None

    def __call__(self, right: Right) -> Tensor:
        self.total = right.gradient if self.total is None else self.total + right.gradient
        return self.total


def _mistake_from_point_before(
    cause: str, kind: str, change: Callable[[Tensor, Tensor], Tensor]
) -> MistakeKind:
    """From the gradient now and that at the point before, something is stated."""

    def done(generator: Generator, dtype: str) -> Mutant:
        seeded = RandomFormula.draw(generator)
        before = random_point(seeded, generator, dtype)

        def lie(right: Right) -> Tensor:
            return change(right.gradient, right.backward(list(before.values()), right.incoming))

        mutant = planted_mutant(seeded, lie, generator, dtype, (GRAPH, NUMBERS, KERNEL))
        return replace(mutant, before=before)

    return MistakeKind(cause, kind, done)


def _bend_slightly(generator: Generator, seeded: RandomFormula) -> Lie:
    size = float(generator.uniform(0.05, 0.3))
    return lambda right: right.gradient + size * torch.sin(3.0 * right.gradient + 1.0)


def _change_one(generator: Generator, seeded: RandomFormula) -> Lie:
    size, element = (
        float(generator.uniform(0.05, 0.3)),
        int(generator.integers(math.prod(seeded.shapes["x"]))),
    )

    def lie(right: Right) -> Tensor:
        moved = torch.zeros_like(right.gradient)
        moved.reshape(-1)[element] = size
        return right.gradient + moved

    return lie


def _scale_by_input(power: int) -> LieMaker:
    """The gradient times an input, or without one."""

    def make(generator: Generator, seeded: RandomFormula) -> Lie:
        place = int(generator.integers(len(seeded.shapes)))
        return lambda right: right.gradient * right.inputs[place] ** power

    return make


def _clamp_incoming(generator: Generator, seeded: RandomFormula) -> Lie:
    most = float(generator.uniform(0.1, 0.5))
    return lambda right: right.with_incoming(right.incoming.clamp(-most, most))


def _elements_in_row(tensor: Tensor) -> int:
    return len(tensor) if tensor.ndim else 1


MISTAKES = (
    _mutant_maker("sign flipped", "sign flipped", lambda _, seeded: lambda right: -right.gradient),
    _mutant_maker("constant factor", "constant factor", _scale_by_factor),
    _mutant_maker(
        "mean for sum",
        "mean for sum",
        lambda _, seeded: lambda right: right.gradient / _elements_in_row(right.inputs[0]),
    ),
    _mutant_maker(
        "sum for mean",
        "sum for mean",
        lambda _, seeded: lambda right: right.gradient * _elements_in_row(right.inputs[0]),
    ),
    _mutant_maker("components swapped", "components swapped", _swap_two),
    _mutant_maker(
        "transposed",
        "transposed",
        lambda _, seeded: lambda right: right.gradient.mT.reshape(right.gradient.shape),
        shape=(3, 4),
    ),
    _mutant_maker("rolled", "rolled", _roll_components),
    _mutant_maker("one term missing", "row missing", _drop_row, reduction="none"),
    _mutant_maker("one term missing", "term missing", _drop_term),
    MistakeKind("path detached", "path detached", mutant_with_detach),
    _mutant_maker(
        "path detached",
        "zeroed",
        lambda _, seeded: lambda right: torch.zeros_like(right.gradient),
        (GRAPH, KERNEL),
    ),
    _mutant_maker(
        "path detached", "no gradient", lambda _, seeded: lambda right: None, (GRAPH, KERNEL)
    ),
    _mutant_maker("missing factor", "missing factor", _scale_by_input(-1), (GRAPH, KERNEL)),
    _mutant_maker("extra factor", "extra factor", _scale_by_input(1), (GRAPH, KERNEL)),
    _mutant_maker(
        "extra term",
        "grad_output added",
        lambda _, seeded: lambda right: right.gradient + right.incoming,
        reduction="none",
    ),
    _mutant_maker(
        "grad_output changed", "grad_output clipped", _clamp_incoming, (GRAPH,), reduction="none"
    ),
    MistakeKind("other constant", "other constant", mutant_with_other_constant),
    _mutant_maker("grad_output ignored", "grad_output ignored", lambda _, seeded: _ignore_incoming),
    _mutant_maker(
        "gradients accumulated", "added up", lambda _, seeded: _GrowingGradient(), (NUMBERS, KERNEL)
    ),
    _mistake_from_point_before("gradients accumulated", "added to the one before", torch.add),
    _mistake_from_point_before("stale", "stale", lambda now, before: before),
    MistakeKind("wrong branch", "wrong branch", mutant_with_other_branch),
    MistakeKind(
        "NaN from a branch not taken", "NaN from a branch not taken", mutant_with_nan_from_branch
    ),
    MistakeKind(
        "overflow of an intermediate", "overflow of an intermediate", mutant_that_overflows
    ),
    MistakeKind(
        "underflow of an intermediate", "underflow of an intermediate", mutant_that_underflows
    ),
    _mutant_maker(
        "narrower dtype",
        "narrower dtype",
        lambda _, seeded: (
            lambda right: right.gradient.to(NARROWER[right.gradient.dtype]).to(right.gradient.dtype)
        ),
    ),
    _mutant_maker("kernel outside its budget", "kernel off", _change_one, (NUMBERS,)),
    MistakeKind("kink convention", "kink convention", mutant_at_kink),
    _mutant_maker(
        "not deterministic", "not deterministic", lambda _, seeded: Noisy(1e-3), (NUMBERS, KERNEL)
    ),
    MistakeKind("second order cut off", "second order cut off", mutant_without_second_order),
    MistakeKind("different functions", "different functions", mutant_of_another_function),
    MistakeKind("wrong reduction", "wrong reduction", mutant_with_other_reduction),
    _mutant_maker(NOTHING, HONEST, lambda _, seeded: honest),
    _mutant_maker(NOTHING, "bent", _bend_slightly, (GRAPH, KERNEL)),
    _mutant_maker(NOTHING, "one component off", _change_one, (GRAPH, KERNEL)),
)
"""Every kind of mistake, and what is none."""
