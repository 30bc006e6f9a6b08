"""Blame: why a gradient is wrong, where a simple mistake explains all of what was stated.

Each rule says what a mistake would have stated. The first rule that fits an array names its cause, the most
specific first; what was tried and does not fit is ruled out.

>>> import torch
>>> from verifier.checked import Finding
>>> from verifier.examine import examine
>>> from verifier.subject import Subject
>>> from verifier.testing import GRAPH, liar_named
>>> wrong = GRAPH.plant(torch.tanh, liar_named("sign flipped").lie, 0)
>>> examination = examine(Subject(wrong, {"x": torch.tensor([0.5, 1.5], dtype=torch.float64)}))
>>> found = blamed(Finding("reverse", "float64", parts=examination.parts, examination=examination))
>>> [(cause.cause, cause.component) for cause in found.causes]
[('sign flipped', 'x')]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verifier.blame import branches, function, history, paths, places, ranges, rounding, scale
from verifier.blame.rule import Found, Rule
from verifier.blame.told import Told
from verifier.checked import CheckCause, Finding
from verifier.examination import Examination
from verifier.judge import Outcome

RULES = (
    Rule(("wrong reduction", "different functions"), function.different),
    Rule(("gradients accumulated", "stale", "not deterministic"), history.changing),
    Rule(
        ("NaN from a branch not taken", "overflow of an intermediate", "underflow of an intermediate", "not finite"),
        ranges.not_finite,
    ),
    Rule(("underflow of an intermediate",), ranges.underflow),
    Rule(("cancellation",), rounding.cancellation),
    Rule(("path detached", "second order cut off"), paths.zeroed),
    Rule(("sign flipped",), scale.sign_flipped),
    Rule(("sum for mean", "mean for sum"), scale.reduced),
    Rule(("grad_output ignored",), history.incoming_ignored),
    Rule(("transposed", "rolled", "components swapped"), places.misplaced),
    Rule(("gradients accumulated",), history.accumulated),
    Rule(("stale",), history.stale),
    Rule(("kink convention",), branches.kink_convention),
    Rule(("wrong branch",), branches.wrong_branch),
    Rule(("one term missing", "path detached", "second order cut off"), paths.term_missing),
    Rule(("constant factor",), scale.simple_factor),
)
"""In the order in which they are tried."""
LAST = (
    Rule(("constant factor",), scale.any_factor),
    Rule(("narrower dtype",), rounding.narrower),
    Rule(("kernel outside its budget",), rounding.kernel),
)
"""What is said where no other rule fits."""
NAMES = tuple(dict.fromkeys(name for rule in (*RULES, *LAST) for name in rule.names))
"""Every cause that can be named."""
OF_VALUES = frozenset({
    "wrong reduction", "different functions", "not deterministic", "NaN from a branch not taken",
    "overflow of an intermediate", "not finite", "underflow of an intermediate", "cancellation", "narrower dtype",
    "kernel outside its budget",
})  # fmt: skip
"""Those that a value can have as well."""


@dataclass(frozen=True)
class Blamed:
    """Why something disagrees."""

    causes: tuple[CheckCause, ...]
    """At most one for each part that disagrees."""
    ruled_out: tuple[str, ...]
    """The causes that were tried and explain nothing here, by name."""


def blamed(finding: Finding, before: Examination | None = None) -> Blamed:
    """The causes of what disagrees in a finding; `before` is the examination of an earlier point.

    Nothing is named that does not explain all components of a part, within what rounding allows or in
    exact arithmetic.
    """
    wrong = [part for part in finding.parts if part.outcome is Outcome.DISAGREES]
    causes: list[CheckCause] = []
    tried: list[str] = []
    for part in wrong:
        told = Told(part, finding.examination, before, tuple(other for other in finding.parts if other is not part))
        found = _explained(told, RULES, tried)
        if found is None and told.is_in_graph:
            found = _explained(told.as_numbers(), RULES, tried)
        found = found or _explained(told, LAST, tried)
        if found is not None:
            causes.append(_cause(finding, told, found))
    named = {cause.cause for cause in causes}
    return Blamed(tuple(causes), tuple(name for name in NAMES if name in tried and name not in named))


def _explained(told: Told, rules: Sequence[Rule], tried: list[str]) -> Found | None:
    """What the first rule that fits says; the names of those that were tried are noted."""
    for rule in rules:
        names = [name for name in rule.names if told.part.quantity != "value" or name in OF_VALUES]
        if names:
            tried.extend(names)
            found = rule.explain(told)
            if found is not None and found.cause in names:
                return found
    return None


def _cause(finding: Finding, told: Told, found: Found) -> CheckCause:
    number = 0 if finding.point is None else finding.point.number
    evidence = told.evidence(found.predicted)
    return CheckCause(found.cause, told.part.name, found.sentence, evidence, finding.dtype, number)


__all__ = ["NAMES", "RULES", "Blamed", "blamed"]
