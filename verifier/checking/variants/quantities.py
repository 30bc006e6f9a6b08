"""The numbers themselves: value, reverse mode, forward mode, one against the other, second
order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from flint import arb

from verifier.capture.code_at_point import FORWARD, REVERSE, SECOND
from verifier.capture.lowering import plain
from verifier.checking.variants.target_at_point import Trial, statements_of
from verifier.judging.examination import Examination, Part
from verifier.judging.finding import Finding
from verifier.judging.verdict import Case, Note, Outcome
from verifier.operations.arrays import Ball, Floats
from verifier.program.evaluation.arithmetic import balls, precision
from verifier.program.evaluation.balls import FIRST_BITS

OF_SPARSE_VALUES = "sparse_mask"
"""What torch's backward of a sparse tensor calls, without a derivative of its own."""


@dataclass(frozen=True)
class QuantityCheck:
    """The value, or the gradient in reverse mode, with random numbers for grad_output."""

    name: str

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        parts = [part for part in trial.examination.parts if part.quantity == self.name]
        yield replace(trial.finding(self, parts), examination=trial.examination)


@dataclass(frozen=True)
class ForwardCheck:
    """The derivative in forward mode, along random tangents."""

    name: str = "forward"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        examination = trial.forward
        if isinstance(examination, str):
            yield trial.absent(self, examination)
            return
        parts = [part for part in examination.parts if part.quantity == FORWARD]
        yield replace(trial.finding(self, parts), examination=examination)


@dataclass(frozen=True)
class BothModesCheck:
    """Reverse mode against forward mode: both give the same number for a tangent and a
    grad_output.
    """

    name: str = "both"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        forward = trial.forward
        if isinstance(forward, str):
            yield trial.absent(self, forward)
            return
        reverse = trial.examination
        apart = set(reverse.events.conventions) - set(forward.events.conventions)
        if apart:
            yield trial.absent(
                self, f"torch has a convention for reverse mode alone: {', '.join(sorted(apart))}"
            )
            return
        cut = [path for path in reverse.detached if path not in forward.detached]
        if cut:
            yield trial.absent(self, f"forward mode follows what reverse mode does not: {cut[0]}")
            return
        tangents = [plain(moved).ravel() for moved in _weights_of(forward)]
        weights = [plain(weight).ravel() for weight in _weights_of(reverse)]
        one = _dot_product([part for part in reverse.parts if part.quantity == REVERSE], tangents)
        other = _dot_product([part for part in forward.parts if part.quantity == FORWARD], weights)
        if not math.isfinite(one.terms + other.terms):
            yield trial.absent(self, "it decides nothing here: one of them states no number")
            return
        part = _compare_modes(reverse.parts[0], one, other)
        if part.outcome is Outcome.UNDECIDED:
            # Each mode is judged by itself: this comparison adds nothing where it decides nothing.
            yield trial.absent(self, f"it decides nothing here: {part.verdicts[0].note}")
            return
        yield trial.finding(self, [part])


def _weights_of(examination: Examination) -> Sequence[torch.Tensor]:
    """What multiplies the results, or the inputs."""
    statements = statements_of(examination)
    return statements.arguments[len(statements.inputs) :]


@dataclass(frozen=True, eq=False)
class _ExactSum:
    """A product of what was stated with numbers."""

    value: Ball
    """A ball of Arb, exact."""
    allowed: float
    terms: float


def _dot_product(parts: Sequence[Part], weights: Sequence[Floats]) -> _ExactSum:
    pairs = list(zip(parts, weights, strict=True))
    with np.errstate(all="ignore"):
        allowed = sum(float(np.abs(weight) @ part.verdicts.allowed) for part, weight in pairs)
        terms = sum(float(np.abs(weight) @ np.abs(part.verdicts.stated)) for part, weight in pairs)
    with precision(FIRST_BITS):
        exact = [
            np.sum(balls(part.verdicts.stated) * balls(weight), initial=_ZERO)
            for part, weight in pairs
        ]
        return _ExactSum(sum(exact, _ZERO), allowed, terms)


_ZERO = arb(0)


def _compare_modes(like: Part, reverse: _ExactSum, forward: _ExactSum) -> Part:
    """The product by reverse mode, compared with that by forward mode."""
    case = Case(
        format=like.case.format,
        stated=np.array([float(reverse.value)]),
        symbolic=np.array([float(forward.value)]),
        reference=np.array([forward.value], dtype=object),
        known=np.array([True]),
        allowed=np.array(
            [reverse.allowed + forward.allowed + 1e-15 * (reverse.terms + forward.terms)]
        ),
        terms=np.array([reverse.terms + forward.terms]),
        kink=np.array([False]),
        usable=np.array([True]),
    )
    nowhere = np.array([False])
    return Part("both", "forward", like.dtype, (), "estimated", case.verdicts(), nowhere, case)


@dataclass(frozen=True)
class SecondOrderCheck:
    """The second derivative of the results' weighted sum: rows of the Hessian, every entry
    judged.
    """

    name: str = "second"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        if OF_SPARSE_VALUES in trial.examination.operations:
            yield trial.absent(
                self, "torch does not differentiate the gradient of a sparse tensor's values again"
            )
            return
        examination = trial.second
        if isinstance(examination, str):
            yield trial.absent(self, examination)
            return
        parts = [part for part in examination.parts if part.quantity == SECOND]
        missing = [part for part in parts if _exists_nowhere(part)]
        kept = [part for part in parts if part not in missing]
        if kept:
            yield replace(trial.finding(self, kept), examination=examination)
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            sentence = f"{missing[0].name}{more} does not exist here: {_reason(missing[0])}"
            yield trial.absent(self, sentence)


def _exists_nowhere(part: Part) -> bool:
    """Whether no number of a part has an exact value, as the curvature of a norm at 0."""
    notes = {part.verdicts[place].note for place in range(part.verdicts.stated.size)}
    is_without = part.verdicts.stated.size > 0 and notes <= _WITHOUT_VALUE
    return is_without and not part.wrong_formula.any()


def _reason(part: Part) -> Note:
    return part.verdicts[0].note


_WITHOUT_VALUE = {Note.NO_EXACT_VALUE, Note.INFINITE, Note.TOO_LONG}
