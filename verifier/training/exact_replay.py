"""Exact replay: the joint graph of a training's code, replayed exactly at some of its steps.

The torch loss and its backward by autograd are read as one graph and evaluated in Arb; the gradient
that SymPy derived is evaluated in Arb as well, at the same floats. Rounding plays no part in
either, so a right backward agrees to dozens of digits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from verifier.capture.autograd_derivatives import Joint
from verifier.capture.joint_graph import NotReadableError, captured
from verifier.capture.lowering import lowered
from verifier.judging.examination import NotReplayed
from verifier.judging.outcome import AT_TIES
from verifier.judging.replay.formula import MOST_DIGITS, rounded_constants
from verifier.operations.formats import FLOAT64
from verifier.operations.operation import Call
from verifier.operations.table import TABLE
from verifier.program.evaluation.arithmetic import (
    balls,
    largest_size,
    middle,
    precision,
    radius,
)
from verifier.program.evaluation.balls import (
    FIRST_BITS,
    BallArithmetic,
    EnclosingArithmetic,
    replay,
)
from verifier.program.evaluation.term_sizes import term_sizes
from verifier.program.program import evaluate
from verifier.training.runner import Run, Step

REPLAYED_STEPS = 8
"""At most so many steps are replayed, evenly spread over those that are kept."""
COMPUTED = 4.0
"""A model's constants are worked out in float64 before torch sees them: within two ulps."""
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
        graphs = _Graphs(run)
        agreements = [part for step in chosen for part in _agreements(run, graphs, step)]
    except NotReadableError as error:
        return NotReplayed(str(error))
    known = [part for part in agreements if not math.isnan(part[0].digits)]
    if not known:
        return NotReplayed("the formula has no value at the steps that were tried")
    digits = min(part.digits for part, _ in known)
    return FormulaReplayed(
        digits, tuple(step.number for step in chosen), tuple(part for part, wrong in known if wrong)
    )


def _spread(count: int) -> list[int]:
    return sorted(
        set(np.linspace(0, count - 1, min(count, REPLAYED_STEPS)).round().astype(int).tolist())
    )


def _agreements(run: Run, graphs: _Graphs, step: Step) -> list[tuple[Parted, bool]]:
    """For the loss and each gradient how it agrees, and whether it is proved to be another
    number. Where comparisons tie the verdict on the step says what is right.
    """
    arguments = run.arguments_at(step, REPLAYED_ROWS)
    code_balls, code_granted = graphs.balls(arguments)
    program = run.gradient_program
    with precision(FIRST_BITS), np.errstate(all="ignore"):
        given = {name: balls(values[None]) for name, values in arguments.items()}
        exact = [np.ravel(result)[0] for result in evaluate(program, EnclosingArithmetic(), given)]
    apart, granted = (
        [one - other for one, other in zip(code, exact, strict=True)]
        for code in (code_balls, code_granted)
    )
    names = ("loss", *run.model.parameters)
    size = max(
        (abs(value) for value in middle(np.array(exact, dtype=object)) if math.isfinite(value)),
        default=0.0,
    )
    terms = term_sizes(program, {name: values[None] for name, values in arguments.items()})
    grants = [_grant(run) * float(np.ravel(part)[0]) for part in terms]
    return [
        (Parted(name, step.number, _digits(difference, ball, size)), _is_other(blurred, grant))
        for name, difference, blurred, ball, grant in zip(
            names, apart, granted, exact, grants, strict=True
        )
        if name not in _tied(step)
    ]


def _tied(step: Step) -> set[str]:
    """The components of a step that several numbers may be right of, or none of torch's."""
    return {name for name, judged in step.gradient.items() if judged.note in AT_TIES}


def _grant(run: Run) -> float:
    """How much of its terms a formula may differ by: where torch computes another function than is
    said.

    Code of a person's own may be off by the ulps that were given with it, and torch's softplus
    becomes the identity where that is less than half an ulp of float64.
    """
    rows = [TABLE[node.operation] for node in run.gradient_program.nodes if node.operation in TABLE]
    own = [row.budget.torch for row in rows if isinstance(row.torch, Call) and row.torch.own]
    threshold = any(row.name == "softplus" for row in rows)
    return (
        2.0 * max(own, default=0.0) * run.format.unit_roundoff + threshold * FLOAT64.unit_roundoff
    )


def _is_other(difference: Any, grant: float) -> bool:
    """Whether two balls are proved to be different numbers, by more than is granted."""
    return bool(abs(difference) > grant) and math.isfinite(float(difference.rad()))


class _Graphs:
    """The joint graph of a training's code, read anew only where shapes or whole numbers in it
    change.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._latest: _Graph | None = None

    def balls(self, arguments: dict[str, Any]) -> tuple[list[Any], list[Any]]:
        """Loss and gradient, as they are and with half a unit of the last digit of rounded decimals
        granted.
        """
        if self._latest is None or not self._latest.holds_for(arguments):
            self._latest = _Graph(self._run, arguments)
        return self._latest.balls(arguments)


class _Graph:
    """A joint graph with loss and gradient as results."""

    def __init__(self, run: Run, arguments: dict[str, Any]) -> None:
        names = [*arguments, "seed"]
        tensors = [torch.tensor(values, dtype=run.dtype) for values in shaped(arguments).values()]
        joint = Joint(run.torch_loss, tuple(names.index(name) for name in run.model.parameters), 1)
        low = lowered(captured(joint, tensors), names, tensors)
        nodes = [low.builder.constant(0) if node is None else node for node in low.results]
        places = low.builder.places_in(*nodes)
        self._kept = low.kept
        self._shapes = [values.shape for values in arguments.values()]
        self._program = low.builder.program(*nodes)
        self._rounded = frozenset(
            places[node] for node in rounded_constants(low.builder, nodes, ())
        )

    def holds_for(self, arguments: dict[str, Any]) -> bool:
        return self._kept and self._shapes == [values.shape for values in arguments.values()]

    def balls(self, arguments: dict[str, Any]) -> tuple[list[Any], list[Any]]:
        plain_ = self._replayed(arguments, BallArithmetic())
        if not self._rounded:
            return plain_, plain_
        return plain_, self._replayed(
            arguments, BallArithmetic(blurred=self._rounded, halves=COMPUTED)
        )

    def _replayed(self, arguments: dict[str, Any], arithmetic: BallArithmetic) -> list[Any]:
        return [
            np.ravel(result)[0] for result in replay(self._program, shaped(arguments), arithmetic)
        ]


def shaped(arguments: dict[str, Any]) -> dict[str, Any]:
    """A single row is a number without axes; the loss is not weighted."""
    shaped = {
        name: values if values.size > 1 else values.reshape(())
        for name, values in arguments.items()
    }
    return {**shaped, "seed": np.ones(())}


def _digits(difference: Any, exact: Any, size: float) -> float:
    own = abs(float(exact.mid()))
    reach = float(largest_size(np.array([difference], dtype=object))[0])
    against = own if own > 0 else size
    if not math.isfinite(reach) or not np.isfinite(radius(np.array([exact], dtype=object))[0]):
        return math.nan
    if against == 0:
        return MOST_DIGITS
    agreeing = -math.log10(max(reach / against, 10.0**-MOST_DIGITS))
    return min(MOST_DIGITS, max(0.0, agreeing))
