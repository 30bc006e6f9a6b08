"""Why gradients of a training are wrong: the rules of a check, asked about its steps."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from verifier.capture.code_at_point import Subject
from verifier.errors import InputError
from verifier.judging.causes.scalar_gradients import Cause, StepGradient, causes_at_step
from verifier.judging.examination import Examination, NotReplayed
from verifier.judging.examine import examine
from verifier.process.deadline import Deadline
from verifier.process.internal_errors import InternalErrors
from verifier.training.exact_replay import REPLAYED_ROWS, FormulaReplayed, replayed, shaped
from verifier.training.runner import Run, Step

EXAMINED = 20
"""Of so many failing steps the code is examined; later ones are explained by their numbers."""
SECONDS = 5.0
"""So long the search for the causes of an examined step may take."""

_WHAT = "examining a step"


class StepCauses:
    """The causes of what disagrees in a run, asked step by step."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._examined = 0
        self.errors = InternalErrors()
        """What went wrong on the way: mistakes of ours."""

    def causes_at(self, step: Step, before: Step | None) -> list[Cause]:
        """The causes of what disagrees at a step; `before` is the step before it, if any."""
        examination = None
        if self._examined < EXAMINED:
            self._examined += 1
            examination = self.errors.run(_WHAT, lambda: self._examination(step), None)
        deadline = Deadline.NEVER if examination is None else Deadline(SECONDS)
        earlier = None if before is None else self._gradient(before, None)
        return causes_at_step(self._gradient(step, examination), earlier, self.errors, deadline)

    def replayed(self, steps: Sequence[Step]) -> FormulaReplayed | NotReplayed:
        """How the code's formulas came out at some of these steps."""
        return replayed(self._run, steps)

    def _gradient(self, step: Step, examination: Examination | None) -> StepGradient:
        return StepGradient(step.number, step.gradient, self._run.settings.dtype, examination)

    def _examination(self, step: Step) -> Examination | None:
        """What is known of the code at a step; None where it cannot be examined."""
        arguments = self._run.arguments_at(step, REPLAYED_ROWS + 1)
        if max((len(values) for values in arguments.values()), default=0) > REPLAYED_ROWS:
            return None
        tensors = {
            name: torch.tensor(values, dtype=self._run.dtype)
            for name, values in shaped(arguments).items()
            if name in arguments
        }
        one = torch.ones((), dtype=self._run.dtype)
        try:
            return examine(
                Subject(self._run.torch_loss, tensors, self._run.model.parameters, seeds=(one,))
            )
        except InputError:
            return None
