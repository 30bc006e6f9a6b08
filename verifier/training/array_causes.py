"""Why gradients by arrays are wrong, and how the code's formula came out over a training."""

from __future__ import annotations

import math
from collections.abc import Sequence

from verifier.judging.causes import find_causes
from verifier.judging.causes.scalar_gradients import Cause
from verifier.judging.examination import NotReplayed, Replayed
from verifier.process.deadline import Deadline
from verifier.process.internal_errors import InternalErrors
from verifier.training.array_run import ArrayRun, JudgedArrays
from verifier.training.exact_replay import FormulaReplayed, Parted
from verifier.training.runner import Step
from verifier.training.step_causes import EXAMINED, SECONDS

_WHAT = "the search for causes"


class ArrayCauses:
    """What is asked of the steps of a run while they are judged: the causes of what disagrees, and
    to how many digits the formula replays.
    """

    def __init__(self, run: ArrayRun) -> None:
        self._run = run
        self._examined = 0
        self.errors = InternalErrors()
        """What went wrong on the way: mistakes of ours."""

    def causes_at(self, step: Step, before: Step | None) -> list[Cause]:
        """The causes of what disagrees at a step, which is the one that was judged last."""
        latest, earlier = self._run.latest, self._run.before
        if self._examined >= EXAMINED or latest is None or latest.numbers[0] != step.number:
            return []
        self._examined += 1
        return self.errors.run(_WHAT, lambda: self._search(latest, earlier), [])

    def _search(self, latest: JudgedArrays, earlier: JudgedArrays | None) -> list[Cause]:
        parts = () if earlier is None else earlier.finding.parts
        found = find_causes(latest.finding, parts, Deadline(SECONDS))
        for error in found.errors:
            self.errors.add(_WHAT, error)
        return [
            Cause(one.cause, one.component, int(latest.numbers[0]), one.sentence, one.evidence)
            for one in found.causes
        ]

    def replayed(self, _: Sequence[Step]) -> FormulaReplayed | NotReplayed:
        """How the code's formulas came out at all steps that were judged, which may be more than
        those that were kept.
        """
        replays = self._run.replays
        known = {step: one for step, one in replays.items() if isinstance(one, Replayed)}
        if not known:
            return next(one for one in replays.values() if isinstance(one, NotReplayed))
        digits = [one.digits for one in known.values() if not math.isnan(one.digits)]
        parted = tuple(
            Parted(name, step, one.digits) for step, one in known.items() for name in one.wrong
        )
        return FormulaReplayed(min(digits, default=0.0), tuple(known), parted)
