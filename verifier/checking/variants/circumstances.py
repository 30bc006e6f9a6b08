"""Other circumstances: batches of another size, no gradient wanted, autocast."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch

from verifier.capture.autograd_derivatives import Joint, tensors
from verifier.checking.variants.target_at_point import (
    WRONG_ANYWAY,
    Trial,
    ignore_torch_warnings,
    parts_with_statements,
    reason_it_raises,
)
from verifier.judging.examination import Examination, Part
from verifier.judging.examine import examine
from verifier.judging.finding import Circumstance, Finding
from verifier.judging.reference import ArrayFormula, Formula
from verifier.judging.verdict import Note, Outcome
from verifier.process.isolation import user_code_state
from verifier.process.values import UserFunction

SIZES = (1, 67, 0)
"""One row, a number that no block has (larger than 64, and a multiple of no power of 2), and none:
then a gradient by a weight is 0, or what stood in memory.
"""
MOST_NUMBERS = 20_000
"""An input of more numbers is not made larger."""


@dataclass(frozen=True)
class SizeCheck:
    """Batches of another size, rows of the first axis."""

    name: str = "size"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        if trial.examination.outcome is Outcome.DISAGREES:
            yield trial.absent(self, WRONG_ANYWAY)
            return
        if not _with_batch(trial):
            yield trial.absent(self, "the code has no input with axes")
            return
        for size in SIZES:
            found = self._of_size(trial, size)
            # Of nothing there is no mean and no maximum, which no report has to say.
            if size or not found.absent:
                yield found

    def _of_size(self, trial: Trial, size: int) -> Finding:
        reason = ""
        for names in _with_batch(trial):
            inputs = _resized(trial, names, size)
            if inputs is None:
                reason = reason or f"a batch of {size} is too large here"
                continue
            point = replace(trial.point, inputs=inputs, kind="resized")
            here = replace(trial, point=point, bound=replace(trial.bound, inputs=inputs))
            try:
                # Indices that do not fit another size would write beside torch's memory.
                with torch.sparse.check_sparse_tensor_invariants(True):  # type: ignore[no-untyped-call]
                    examination = here.examination
            except Exception as error:
                reason = reason or f"in a batch of {size}, {reason_it_raises(error)}"
                continue
            return self._finding(here, examination, size)
        return trial.absent(self, reason)

    def _finding(self, here: Trial, examination: Examination, size: int) -> Finding:
        if examination.outcome is Outcome.UNDECIDED:
            return here.absent(self, f"in a batch of {size} nothing can be decided")
        values = [part for part in examination.parts if part.quantity == "value"]
        other = any(part.outcome is Outcome.DISAGREES for part in values)
        if other and isinstance(here.specification, Formula | ArrayFormula):
            return here.absent(
                self, f"in a batch of {size} the formula is that of another function"
            )
        circumstance = Circumstance(f"in a batch of {size}")
        found = here.finding(self, examination.parts, circumstance=circumstance)
        return replace(found, examination=examination)


def _with_batch(trial: Trial) -> list[tuple[str, ...]]:
    """The inputs that may have the axis of the batch: all with a first axis as long as that of the
    first input, else that one alone.
    """
    axes = [name for name in trial.bound.arguments if trial.bound.inputs[name].ndim]
    if not axes:
        return []
    length = trial.bound.inputs[axes[0]].shape[0]
    together = tuple(name for name in axes if trial.bound.inputs[name].shape[0] == length)
    return list(dict.fromkeys([together, (axes[0],)])) if length else []


def _resized(trial: Trial, names: tuple[str, ...], size: int) -> Mapping[str, torch.Tensor] | None:
    """The inputs with so many rows; None where that is too large, or nothing new."""
    given = trial.bound.inputs
    rows = given[names[0]].shape[0]
    largest = max(given[name].numel() // rows * size for name in names)
    if size == rows or largest > MOST_NUMBERS:
        return None
    found = {
        name: _rows(torch.cat([given[name], trial.beside.get(name, given[name])]), size)
        for name in names
    }
    return {**given, **found}


def _rows(pool: torch.Tensor, size: int) -> torch.Tensor:
    """So many rows: those of the pool, then others that lie between two of them."""
    count = len(pool)
    places = torch.arange(size, device=pool.device)
    first = pool[places % count]
    if not pool.is_floating_point() or size <= count:
        return first
    other = pool[(places * 7 + places // count + 1) % count]
    share = (places.double() * 0.6180339887) % 1.0 * 0.875 * (places >= count)
    share = share.to(pool).reshape(-1, *([1] * (pool.ndim - 1)))
    return first + (other - first) * share


@dataclass(frozen=True)
class ModeCheck:
    """Under `torch.no_grad()` the value is the same; under `torch.autocast` with bfloat16 the
    gradient is that of what the code computes there.
    """

    name: str = "mode"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        if trial.examination.outcome is Outcome.DISAGREES:
            yield trial.absent(self, WRONG_ANYWAY)
            return
        yield self._without_gradient(trial)
        if trial.point.dtype == "float32":
            yield self._under_autocast(trial)

    def _without_gradient(self, trial: Trial) -> Finding:
        statements = trial.statements
        values = [part for part in trial.examination.parts if part.quantity == "value"]
        inputs = [tensor.detach().clone() for tensor in statements.inputs.values()]
        try:
            with user_code_state(inputs), torch.no_grad():
                stated = [result.detach() for result in tensors(statements.joint.code(*inputs))]
            circumstance = Circumstance("under torch.no_grad()")
            judged = parts_with_statements(values, stated)
            return trial.finding(self, judged, circumstance=circumstance)
        except Exception as error:
            return trial.absent(self, f"without gradients, {reason_it_raises(error)}")

    def _under_autocast(self, trial: Trial) -> Finding:
        statements = trial.statements
        joint = statements.joint
        code = _autocast(joint.code)
        try:
            with ignore_torch_warnings():
                arguments = [tensor.clone() for tensor in statements.arguments]
                stated = Joint(code, joint.wanted, joint.results)(*arguments)
                if _same_bits(stated, statements.stated):
                    return trial.finding(self, trial.examination.parts)
                examination = examine(replace(trial.subject, code=_autocast(trial.bound.code)))
        except Exception as error:
            return trial.absent(self, f"under autocast, {reason_it_raises(error)}")
        if examination.outcome is Outcome.AGREES or any(
            part.wrong_formula.any() for part in examination.parts
        ):
            parts = [_without_warning(part) for part in examination.parts]
            circumstance = Circumstance("under torch.autocast with bfloat16")
            found = trial.finding(self, parts, circumstance=circumstance)
            return replace(found, examination=examination)
        return trial.absent(
            self, "under autocast the formula is right, and rounding can move its numbers anywhere"
        )


def _without_warning(part: Part) -> Part:
    """Digits that autocast gives up are not lost by the code."""
    inaccurate = part.verdicts.note == list(Note).index(Note.INACCURATE)
    return replace(part, verdicts=part.verdicts.with_note(inaccurate, Note.NONE))


def _same_bits(
    one: tuple[torch.Tensor | None, ...], other: tuple[torch.Tensor | None, ...]
) -> bool:
    return all(
        (first is None and second is None)
        or (
            first is not None
            and second is not None
            and first.dtype == second.dtype
            and torch.equal(first.nan_to_num(), second.nan_to_num())
        )
        for first, second in zip(one, other, strict=True)
    )


def _autocast(code: UserFunction) -> UserFunction:
    def under(*inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        with torch.autocast(inputs[0].device.type, dtype=torch.bfloat16):
            return tuple(tensors(code(*inputs)))

    return under
