"""The code used again: a second backward through the same graph, two forwards before the first
one's backward, and its very first call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from verifier.capture.joint_functions import gradients_by, tensors
from verifier.capture.statements import REVERSE
from verifier.checking.variants.at_point import (
    WRONG_ANYWAY,
    Trial,
    parts_with_statements,
    reason_it_raises,
)
from verifier.errors import InputError
from verifier.judging.finding import Finding
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
        for ask in (_of_second_backward, _with_forward_between):
            try:
                stated = ask(trial)
            except Exception as error:
                yield trial.absent(self, reason_it_raises(error))
                continue
            yield trial.finding(self, parts_with_statements(parts, stated))
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
        except InputError:
            return
        parts = [part for part in examination.parts if part.quantity == REVERSE]
        found = trial.finding(self, parts_with_statements(parts, trial.first_call))
        yield replace(found, examination=examination)


def _of_second_backward(trial: Trial) -> Gradients:
    """What a second backward through the same graph gives."""
    inputs = list(trial.statements.inputs.values())
    with user_code_state(inputs), torch.enable_grad():
        results, by = _run(trial, inputs)
        _gradients(trial, results, by, retain_graph=True)
        return _gradients(trial, results, by)


def _with_forward_between(trial: Trial) -> Gradients:
    """What the backward gives where the code was run on other inputs after its forward."""
    inputs = trial.statements.inputs
    others = [trial.beside.get(name, tensor) for name, tensor in inputs.items()]
    with user_code_state(list(inputs.values())), torch.enable_grad():
        results, by = _run(trial, list(inputs.values()))
        _run(trial, others)
        return _gradients(trial, results, by)


def _run(
    trial: Trial, inputs: Sequence[torch.Tensor]
) -> tuple[Sequence[torch.Tensor], Sequence[torch.Tensor]]:
    """The results, and the leaves that gradients are taken by."""
    joint = trial.statements.joint
    leaves = [tensor.detach().clone() for tensor in inputs]
    for place in joint.wanted:
        leaves[place].requires_grad_()
    # Code may write to what it is given.
    results = tensors(joint.code(*(leaf.clone() for leaf in leaves)))
    return results, [leaves[place] for place in joint.wanted]


def _gradients(
    trial: Trial, results: Sequence[torch.Tensor], by: Sequence[torch.Tensor], **options: bool
) -> Gradients:
    pairs = [
        (result, weight.clone())
        for result, weight in zip(results, trial.weights, strict=True)
        if result.requires_grad
    ]
    if not pairs:
        return [None for _ in by]
    outputs, weights = zip(*pairs, strict=True)
    return gradients_by(outputs, by, weights, **options)
