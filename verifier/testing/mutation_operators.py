"""Deeds: mistakes in random formulas, a way to make each of them.

Each says which cause has to be named. Honest code, and mistakes for which there is no rule, have
none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from verifier.testing.mutants import (
    Deed,
    Scene,
    another_function,
    at_kink,
    cut,
    detached,
    leaking,
    of_other,
    once,
    overflowing,
    point,
    reduced,
    spoilt,
    turned,
    underflowing,
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
from verifier.testing.random_formulas import Generator, Seeded, choice

NOTHING = ""
"""The cause of what has none."""
HONEST = "honest"


Told = Callable[[Generator, Seeded], Lie]


def _lie(
    cause: str,
    kind: str,
    told: Told,
    plantings: tuple[Planting, ...] = (GRAPH, NUMBERS, KERNEL),
    **drawn: Any,
) -> Deed:
    """A gradient that is right, spoilt."""

    def done(generator: Generator, dtype: str) -> Scene:
        seeded = Seeded.drawn(generator, **drawn)
        return spoilt(seeded, told(generator, seeded), generator, dtype, plantings)

    return Deed(cause, kind, done)


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


def _term_dropped(generator: Generator, seeded: Seeded) -> Lie:
    short = cut(generator, seeded)

    def lie(right: Right) -> Tensor | None:
        found = of_other(short.code)(right)
        # Where nothing is left, it is no term that is missing.
        return right.gradient if found is None or not bool(found.any()) else found

    return lie


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
        before = point(seeded, generator, dtype)

        def lie(right: Right) -> Tensor:
            return change(right.gradient, right.backward(list(before.values()), right.incoming))

        scene = spoilt(seeded, lie, generator, dtype, (GRAPH, NUMBERS, KERNEL))
        return replace(scene, before=before)

    return Deed(cause, kind, done)


def _bent(generator: Generator, seeded: Seeded) -> Lie:
    size = float(generator.uniform(0.05, 0.3))
    return lambda right: right.gradient + size * torch.sin(3.0 * right.gradient + 1.0)


def _one_off(generator: Generator, seeded: Seeded) -> Lie:
    size, element = (
        float(generator.uniform(0.05, 0.3)),
        int(generator.integers(math.prod(seeded.shapes["x"]))),
    )

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
    _lie(
        "mean for sum",
        "mean for sum",
        lambda _, seeded: lambda right: right.gradient / _count(right.inputs[0]),
    ),
    _lie(
        "sum for mean",
        "sum for mean",
        lambda _, seeded: lambda right: right.gradient * _count(right.inputs[0]),
    ),
    _lie("components swapped", "components swapped", _swapped),
    _lie(
        "transposed",
        "transposed",
        lambda _, seeded: lambda right: right.gradient.mT.reshape(right.gradient.shape),
        shape=(3, 4),
    ),
    _lie("rolled", "rolled", _rolled),
    _lie("one term missing", "row missing", _row_dropped, reduction="none"),
    _lie("one term missing", "term missing", _term_dropped),
    Deed("path detached", "path detached", detached),
    _lie(
        "path detached",
        "zeroed",
        lambda _, seeded: lambda right: torch.zeros_like(right.gradient),
        (GRAPH, KERNEL),
    ),
    _lie("path detached", "no gradient", lambda _, seeded: lambda right: None, (GRAPH, KERNEL)),
    _lie("grad_output ignored", "grad_output ignored", lambda _, seeded: _ignored),
    _lie("gradients accumulated", "added up", lambda _, seeded: _Growing(), (NUMBERS, KERNEL)),
    _earlier("gradients accumulated", "added to the one before", torch.add),
    _earlier("stale", "stale", lambda now, before: before),
    Deed("wrong branch", "wrong branch", turned),
    Deed("NaN from a branch not taken", "NaN from a branch not taken", leaking),
    Deed("overflow of an intermediate", "overflow of an intermediate", overflowing),
    Deed("underflow of an intermediate", "underflow of an intermediate", underflowing),
    _lie(
        "narrower dtype",
        "narrower dtype",
        lambda _, seeded: (
            lambda right: right.gradient.to(NARROWER[right.gradient.dtype]).to(right.gradient.dtype)
        ),
    ),
    _lie("kernel outside its budget", "kernel off", _one_off, (NUMBERS,)),
    Deed("kink convention", "kink convention", at_kink),
    _lie(
        "not deterministic", "not deterministic", lambda _, seeded: Noisy(1e-3), (NUMBERS, KERNEL)
    ),
    Deed("second order cut off", "second order cut off", once),
    Deed("different functions", "different functions", another_function),
    Deed("wrong reduction", "wrong reduction", reduced),
    _lie(NOTHING, HONEST, lambda _, seeded: honest),
    _lie(NOTHING, "bent", _bent, (GRAPH, KERNEL)),
    _lie(NOTHING, "one component off", _one_off, (GRAPH, KERNEL)),
)
"""Every kind of mistake, and what is none."""
