"""Some of the inputs: gradients and tangents by one input alone, as where the others are frozen,
and one tensor for two inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations, islice

import numpy as np
import torch

from verifier.capture.autograd_derivatives import ForwardMode, Joint, gradients_by, tensors
from verifier.capture.code_at_point import FORWARD, REVERSE
from verifier.capture.lowering import plain
from verifier.checking.labels import words_text
from verifier.checking.variants.target_at_point import (
    WRONG_ANYWAY,
    Trial,
    first_sentence,
    parts_with_statements,
    reason_it_raises,
)
from verifier.judging.examination import Part
from verifier.judging.finding import Circumstance, Finding
from verifier.judging.verdict import Outcome
from verifier.operations.arrays import Floats
from verifier.process.isolation import user_code_state

MOST_ALONE = 4
"""So many inputs are asked for alone, spread over all of them."""
MOST_PAIRS = 3
"""So many pairs of inputs of one shape get the same tensor."""


@dataclass(frozen=True)
class SubsetCheck:
    """Gradients where fewer of the inputs require one: one alone, and all but the first; in forward
    mode tangents by one alone. Of code with one input nothing is found.
    """

    name: str = "subset"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        wanted = trial.statements.joint.wanted
        if len(wanted) < 2:
            return
        if trial.examination.outcome is Outcome.DISAGREES:
            yield trial.absent(self, WRONG_ANYWAY)
            return
        chosen = sorted({round(place) for place in np.linspace(0, len(wanted) - 1, MOST_ALONE)})
        alone = [(wanted[place],) for place in chosen]
        for places in [*alone, *([wanted[1:]] if len(wanted) > 2 else [])]:
            yield self._reverse(trial, places)
        if not isinstance(trial.forward, str):
            for place in dict.fromkeys((chosen[0], chosen[-1])):
                yield self._forward(trial, place)

    def _reverse(self, trial: Trial, places: tuple[int, ...]) -> Finding:
        joint = trial.statements.joint
        names = [list(trial.statements.inputs)[place] for place in places]
        gradients = [part for part in trial.examination.parts if part.quantity == REVERSE]
        parts = [next(part for part in gradients if part.name == name) for name in names]
        arguments = [tensor.clone() for tensor in trial.statements.arguments]
        try:
            stated = Joint(joint.code, places, joint.results)(*arguments)
        except Exception as error:
            return trial.absent(self, reason_it_raises(error))
        alone = "alone requires" if len(names) == 1 else "require"
        circumstance = Circumstance(f"where {words_text(names)} {alone} a gradient")
        judged = parts_with_statements(parts, stated[joint.results :])
        found = trial.finding(self, judged, circumstance=circumstance)
        return replace(found, examination=trial.examination)

    def _forward(self, trial: Trial, chosen: int) -> Finding:
        """One of the tangents alone; the others are undefined, and stand for zeros."""
        statements = trial.statements
        joint, by = statements.joint, statements.by
        tangents = [torch.zeros_like(statements.inputs[name]) for name in by]
        tangents[chosen] = torch.ones_like(tangents[chosen])
        try:
            examination = trial.examine(
                replace(trial.subject, quantity=FORWARD, seeds=tuple(tangents))
            )
            mode = ForwardMode(joint.code, (joint.wanted[chosen],), joint.results)
            inputs = [tensor.clone() for tensor in statements.inputs.values()]
            stated = mode(*inputs, tangents[chosen])
        except Exception as error:
            return trial.absent(self, first_sentence(error))
        parts = parts_with_statements(examination.parts, stated)
        moved = [part for part in parts if part.quantity == FORWARD]
        circumstance = Circumstance(f"where {by[chosen]} alone has a tangent")
        found = trial.finding(self, moved, circumstance=circumstance)
        return replace(found, examination=examination)


@dataclass(frozen=True)
class SameTensorCheck:
    """The same tensor for two inputs of one shape and dtype: its gradient is the sum of theirs."""

    name: str = "same"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        if trial.examination.outcome is Outcome.DISAGREES:
            yield trial.absent(self, WRONG_ANYWAY)
            return
        for one, other in islice(_exchangeable(trial), MOST_PAIRS):
            yield self._for_both(trial, one, other)

    def _for_both(self, trial: Trial, one: str, other: str) -> Finding:
        inputs = {**trial.statements.inputs, other: trial.statements.inputs[one]}
        try:
            examination = trial.examine(
                replace(trial.subject, inputs=inputs, seeds=tuple(trial.weights))
            )
            stated = _gradient_by_both(trial, one, other)
        except Exception as error:
            return trial.absent(self, reason_it_raises(error))
        if examination.outcome is Outcome.UNDECIDED:
            return trial.absent(self, "where both have the same numbers nothing can be decided")
        if examination.outcome is Outcome.DISAGREES:
            circumstance = Circumstance(f"where {one} and {other} have the same numbers")
            found = trial.finding(self, examination.parts, circumstance=circumstance)
            return replace(found, examination=examination)
        parts = {part.name: part for part in examination.parts if part.quantity == REVERSE}
        total = _sum_of(parts[one], parts[other], stated)
        circumstance = Circumstance(f"where {one} and {other} are the same tensor")
        found = trial.finding(self, [total], circumstance=circumstance)
        return replace(found, examination=examination)


def _exchangeable(trial: Trial) -> Iterator[tuple[str, str]]:
    """The names of two inputs of one shape and dtype."""
    wanted = [name for name in trial.bound.arguments if name in trial.bound.wanted]
    for one, other in combinations(wanted, 2):
        first, second = trial.bound.inputs[one], trial.bound.inputs[other]
        if (first.shape, first.dtype) == (second.shape, second.dtype):
            yield one, other


def _gradient_by_both(trial: Trial, one: str, other: str) -> Floats:
    """The gradient by the tensor that stands for both inputs."""
    inputs = {name: tensor.detach().clone() for name, tensor in trial.statements.inputs.items()}
    with user_code_state(list(inputs.values())), torch.enable_grad():
        leaf = inputs[one].requires_grad_()
        given = {name: tensor.clone() for name, tensor in inputs.items()}
        given[other] = given[one]
        results = tensors(trial.statements.joint.code(*given.values()))
        weights = [weight.clone() for weight in trial.weights]
        (gradient,) = gradients_by(results, [leaf], weights)
    return np.zeros(leaf.numel()) if gradient is None else plain(gradient).ravel()


def _sum_of(one: Part, other: Part, stated: Floats) -> Part:
    """The sum of two parts, of which that is stated."""
    first, second = one.case, other.case
    rounding = first.format.unit_roundoff * (np.abs(first.stated) + np.abs(second.stated))
    case = replace(
        first,
        stated=stated,
        symbolic=first.symbolic + second.symbolic,
        reference=first.reference + second.reference,
        known=first.known & second.known,
        allowed=first.allowed + second.allowed + 2 * rounding,
        terms=first.terms + second.terms,
        kink=first.kink | second.kink,
        usable=first.usable & second.usable,
    )
    return replace(
        one, verdicts=case.verdicts(), case=case, wrong_formula=np.zeros(stated.shape, dtype=bool)
    )
