"""Formula: the joint graph of a training's code, replayed exactly at some of its steps.

The torch loss and its backward by autograd are read as one graph and evaluated in Arb; the gradient that
SymPy derived is evaluated in Arb as well, at the same floats. Rounding plays no part in either, so a
right backward agrees to dozens of digits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from verifier.arithmetic import ArbArithmetic, balls, largest_size, middle, precision, radius
from verifier.capture import Joint, NotReadableError, captured
from verifier.examine import MOST_DIGITS, NotReplayed, rounded_constants
from verifier.lowering import lowered, plain
from verifier.program import evaluate
from verifier.replay import FIRST_BITS, BallArithmetic, replay
from verifier.runner import Run, Step

REPLAYED_STEPS = 8
"""At most so many steps are replayed, evenly spread over those that are kept."""
REPLAYED_ROWS = 256
"""Of a batch at most so many rows."""


@dataclass(frozen=True)
class Parted:
    """A component whose formula is proved to be another one at a step."""

    component: str
    step: int
    digits: float


@dataclass(frozen=True)
class FormulaReplayed:
    """How the code's formulas came out against SymPy's."""

    digits: float
    """To how many digits loss and gradient agree, at least."""
    steps: tuple[int, ...]
    """The numbers of the steps that were replayed."""
    parted: tuple[Parted, ...] = ()


def replayed(run: Run, steps: Sequence[Step]) -> FormulaReplayed | NotReplayed:
    """The code's graph replayed at some of these steps; the reason where it cannot be."""
    usable = [step for step in steps if all(map(math.isfinite, step.parameters.values()))]
    chosen = [usable[place] for place in _spread(len(usable))]
    if not chosen:
        return NotReplayed("no step has finite parameters")
    try:
        agreements = [part for step in chosen for part in _agreements(run, step)]
    except NotReadableError as error:
        return NotReplayed(str(error))
    known = [part for part in agreements if not math.isnan(part[0].digits)]
    if not known:
        return NotReplayed("the formula has no value at the steps that were tried")
    digits = min(part.digits for part, _ in known)
    return FormulaReplayed(digits, tuple(step.number for step in chosen), tuple(part for part, wrong in known if wrong))


def _spread(count: int) -> list[int]:
    return sorted(set(np.linspace(0, count - 1, min(count, REPLAYED_STEPS)).round().astype(int).tolist()))


def _agreements(run: Run, step: Step) -> list[tuple[Parted, bool]]:
    """For the loss and each gradient how it agrees, and whether it is proved to be another number."""
    arguments = run.arguments_at(step, REPLAYED_ROWS)
    graph = _Graph(run, arguments)
    program = run.gradient_program
    with precision(FIRST_BITS), np.errstate(all="ignore"):
        given = {name: balls(values[None]) for name, values in arguments.items()}
        exact = [np.ravel(result)[0] for result in evaluate(program, ArbArithmetic(), given)]
    apart, granted = (
        [one - other for one, other in zip(code, exact, strict=True)] for code in (graph.balls(), graph.granted())
    )
    names = ("loss", *run.model.parameters)
    size = max((abs(value) for value in middle(np.array(exact, dtype=object)) if math.isfinite(value)), default=0.0)
    return [
        (Parted(name, step.number, _digits(difference, ball, size)), _is_other(difference) and _is_other(blurred))
        for name, difference, blurred, ball in zip(names, apart, granted, exact, strict=True)
    ]


def _is_other(difference: Any) -> bool:
    """Whether two balls are proved to be different numbers."""
    return bool(difference != 0) and math.isfinite(float(difference.rad()))


class _Graph:
    """The joint graph of a training's code at one step, with loss and gradient as results."""

    def __init__(self, run: Run, arguments: dict[str, Any]) -> None:
        names = list(arguments)
        shaped = [values if values.size > 1 else values.reshape(()) for values in arguments.values()]
        tensors = [torch.tensor(values, dtype=run.dtype) for values in (*shaped, np.ones(()))]
        joint = Joint(run.torch_loss, tuple(names.index(name) for name in run.model.parameters), 1)
        low = lowered(captured(joint, tensors), [*names, "seed"], tensors)
        nodes = [low.builder.constant(0) if node is None else node for node in low.results]
        places = low.builder.places_in(*nodes)
        self._program = low.builder.program(*nodes)
        self._rounded = frozenset(places[node] for node in rounded_constants(low.builder, nodes, ()))
        self._given = {name: plain(tensor) for name, tensor in zip([*names, "seed"], tensors, strict=True)}

    def balls(self) -> list[Any]:
        return self._replayed(BallArithmetic())

    def granted(self) -> list[Any]:
        """With half a unit of the last digit of its rounded decimals."""
        return self._replayed(BallArithmetic(blurred=self._rounded)) if self._rounded else self.balls()

    def _replayed(self, arithmetic: BallArithmetic) -> list[Any]:
        return [np.ravel(result)[0] for result in replay(self._program, self._given, arithmetic)]


def _digits(difference: Any, exact: Any, size: float) -> float:
    own = abs(float(exact.mid()))
    reach = float(largest_size(np.array([difference], dtype=object))[0])
    against = own if own > 0 else size
    if not math.isfinite(reach) or not np.isfinite(radius(np.array([exact], dtype=object))[0]):
        return math.nan
    return MOST_DIGITS if against == 0 else min(MOST_DIGITS, -math.log10(max(reach / against, 10.0**-MOST_DIGITS)))
