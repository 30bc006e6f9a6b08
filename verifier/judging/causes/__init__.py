"""Blame: why a gradient is wrong, where a simple mistake explains all of what was stated.

Each rule says what a mistake would have stated. The first rule that fits an array names its cause,
the most specific first; what was tried and does not fit is ruled out.

>>> import torch
>>> from verifier.judging.finding import Finding
>>> from verifier.judging.examine import examine
>>> from verifier.capture.statements import Subject
>>> from verifier.testing.mutations import GRAPH, liar_named
>>> wrong = GRAPH.plant(torch.tanh, liar_named("sign flipped").lie, 0)
>>> examination = examine(Subject(wrong, {"x": torch.tensor([0.5, 1.5], dtype=torch.float64)}))
>>> found = blamed(Finding("reverse", "float64", parts=examination.parts, examination=examination))
>>> [(cause.cause, cause.component) for cause in found.causes]
[('sign flipped', 'x')]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from verifier.judging.causes import branch as branches
from verifier.judging.causes import cut_path as paths
from verifier.judging.causes import factor as scale
from verifier.judging.causes import misplaced as places
from verifier.judging.causes import other_function as function
from verifier.judging.causes import overflow_and_nan as ranges
from verifier.judging.causes import rounding
from verifier.judging.causes import state as history
from verifier.judging.causes.rule import Found, Rule
from verifier.judging.causes.suspect import EndedError, Told
from verifier.judging.examination import Part
from verifier.judging.finding import CheckCause, Finding
from verifier.judging.verdict import Outcome
from verifier.process.deadline import Deadline

RULES = (
    Rule(("wrong reduction", "different functions"), function.different),
    Rule(("gradients accumulated", "stale", "not deterministic"), history.changing),
    Rule(("other random numbers",), history.other_numbers),
    Rule(
        (
            "NaN from a branch not taken",
            "overflow of an intermediate",
            "underflow of an intermediate",
            "not finite",
        ),
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
    "overflow of an intermediate", "not finite", "underflow of an intermediate", "cancellation",
    "narrower dtype", "kernel outside its budget",
})  # fmt: skip
"""Those that a value can have as well."""


@dataclass(frozen=True)
class Blamed:
    """Why something disagrees."""

    causes: tuple[CheckCause, ...]
    """At most one for each part that disagrees."""
    ruled_out: tuple[str, ...]
    """The causes that were tried and explain nothing here, by name."""
    ended_early: bool = False
    """Whether the time was over before all had been tried."""
    errors: tuple[Exception, ...] = ()
    """What rules raised: mistakes of ours."""


def blamed(
    finding: Finding,
    before: Sequence[Part] = (),
    deadline: Deadline = Deadline.NEVER,
) -> Blamed:
    """The causes of what disagrees in a finding; `before` has the parts of the point
    before.

    Nothing is named that does not explain all components of a part, within what rounding allows or
    in exact arithmetic. A rule that raises an error keeps no other from being tried. When the
    deadline passes, the search ends with what was found so far.
    """
    wrong = [part for part in finding.parts if part.outcome is Outcome.DISAGREES]
    search = _Search(finding, before, deadline)
    causes: list[CheckCause] = []
    try:
        for part in wrong:
            causes.extend(search.causes(part))
    except EndedError:
        search.ended_early = True
    named = {cause.cause for cause in causes}
    ruled_out = tuple(name for name in NAMES if name in search.tried and name not in named)
    return Blamed(tuple(causes), ruled_out, search.ended_early, tuple(search.errors))


@dataclass(eq=False)
class _Search:
    """The search for the causes of one finding."""

    finding: Finding
    before: Sequence[Part]
    deadline: Deadline
    tried: set[str] = field(default_factory=set)
    """The names of the rules that came to an end."""
    errors: list[Exception] = field(default_factory=list)
    ended_early: bool = False

    def causes(self, part: Part) -> list[CheckCause]:
        """The cause of what disagrees in a part, if there is one. Raises EndedError."""
        others = tuple(other for other in self.finding.parts if other is not part)
        point = self.finding.point
        unit = "step" if point is not None and point.kind == "step" else "point"
        told = Told(part, self.finding.examination, self.before, others, self.deadline, unit)
        try:
            found = self._first(told, RULES)
            if found is None and told.is_in_graph:
                found = self._first(told.as_numbers(), RULES)
            found = found or self._first(told, LAST)
            return [] if found is None else [_cause(self.finding, told, found)]
        except EndedError:
            raise
        except Exception as error:
            self.errors.append(error)
            return []

    def _first(self, told: Told, rules: Sequence[Rule]) -> Found | None:
        """What the first rule that fits says."""
        for rule in rules:
            names = _names(told, rule)
            found = self._found(told, rule) if names else None
            if found is not None and found.cause in names:
                return found
        return None

    def _found(self, told: Told, rule: Rule) -> Found | None:
        """What a rule says; nothing where it raises an error, which is noted."""
        told.go_on()
        try:
            found = rule.explain(told)
        except EndedError:
            raise
        except Exception as error:
            self.errors.append(error)
            return None
        self.tried.update(_names(told, rule))
        return found


def _names(told: Told, rule: Rule) -> list[str]:
    """The causes that a rule may name for this part."""
    of_value = told.part.quantity == "value"
    return [name for name in rule.names if not of_value or name in OF_VALUES]


def _cause(finding: Finding, told: Told, found: Found) -> CheckCause:
    number = 0 if finding.point is None else finding.point.number
    evidence = told.evidence(found.predicted)
    return CheckCause(found.cause, told.part.name, found.sentence, evidence, finding.dtype, number)


__all__ = ["NAMES", "RULES", "Blamed", "blamed"]
