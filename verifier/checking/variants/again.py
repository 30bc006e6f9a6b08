"""The code used again: a second backward through the same graph, two forwards before the first
one's backward, and its very first call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from verifier.capture.autograd_derivatives import gradients_by
from verifier.capture.code_at_point import REVERSE
from verifier.capture.lowering import plain
from verifier.checking.variants.target_at_point import (
    WRONG_ANYWAY,
    Trial,
    first_sentence,
    parts_with_statements,
    reason_it_raises,
)
from verifier.errors import InputError
from verifier.judging.finding import Circumstance, Finding, OtherArguments
from verifier.judging.verdict import Outcome
from verifier.process.isolation import user_code_state

Gradients = Sequence[torch.Tensor | None]


@dataclass(frozen=True)
class AgainCheck:
    """The gradient of a run beside other runs of the same code."""

    name: str = "again"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        if trial.examination.outcome is Outcome.DISAGREES:
            yield trial.absent(self, WRONG_ANYWAY)
            return
        parts = [part for part in trial.examination.parts if part.quantity == REVERSE]
        for ask, circumstance in (
            (_of_second_backward, Circumstance("in a second backward through the same graph")),
            (_with_forward_between, _after_other_forward(trial)),
        ):
            try:
                stated = ask(trial)
            except Exception as error:
                yield trial.absent(self, reason_it_raises(error))
                continue
            judged = parts_with_statements(parts, stated)
            found = trial.finding(self, judged, circumstance=circumstance)
            yield replace(found, examination=trial.examination)
        yield from self._first_call(trial)

    def _first_call(self, trial: Trial) -> Iterator[Finding]:
        """The gradient that the very first call stated, for a grad_output of ones; of code that
        draws random numbers it is another one.
        """
        if not trial.first_call or trial.examination.events.draws:
            return
        ones = tuple(map(torch.ones_like, trial.weights))
        try:
            examination = trial.examine(replace(trial.subject, seeds=ones))
        except InputError as error:
            yield trial.absent(self, f"of the first call: {first_sentence(error)}")
            return
        parts = [part for part in examination.parts if part.quantity == REVERSE]
        circumstance = Circumstance("in the very first call")
        judged = parts_with_statements(parts, trial.first_call)
        found = trial.finding(self, judged, circumstance=circumstance)
        yield replace(found, examination=examination)


def _after_other_forward(trial: Trial) -> Circumstance:
    between = {name: plain(tensor) for name, tensor in trial.beside.items()}
    other = OtherArguments(
        "stale",
        "at the inputs of the later forward: what a backward needs belongs in its ctx",
        between,
    )
    return Circumstance("where another forward runs before the backward", (other,))


def _of_second_backward(trial: Trial) -> Gradients:
    """What a second backward through the same graph gives."""
    arguments = _arguments(trial)
    with user_code_state(arguments), torch.enable_grad():
        results, by, weights = trial.statements.joint.forward(arguments)
        gradients_by(results, by, [weight.clone() for weight in weights], retain_graph=True)
        return gradients_by(results, by, weights)


def _with_forward_between(trial: Trial) -> Gradients:
    """What the backward gives where the code was run on other inputs after its forward."""
    joint, arguments = trial.statements.joint, _arguments(trial)
    others = [
        trial.beside[name].clone() if name in trial.beside else argument.clone()
        for name, argument in zip(trial.statements.names, arguments, strict=True)
    ]
    with user_code_state(arguments), torch.enable_grad():
        results, by, weights = joint.forward(arguments)
        joint.forward(others)
        return gradients_by(results, by, weights)


def _arguments(trial: Trial) -> list[torch.Tensor]:
    """The inputs, and what multiplies the results' derivatives, to be written to."""
    return [argument.clone() for argument in trial.statements.arguments]
