"""Causes: why a gradient is wrong, where a simple mistake explains all of what was stated.

Each rule says what a mistake would have stated. The first rule that fits an array names its cause,
the most specific first; what was tried and does not fit is ruled out.

>>> import torch
>>> from verifier.judging.finding import Finding
>>> from verifier.judging.examine import examine
>>> from verifier.capture.code_at_point import Subject
>>> from verifier.testing.mutations import GRAPH, liar_named
>>> wrong = GRAPH.plant(torch.tanh, liar_named("sign flipped").lie, 0)
>>> examination = examine(Subject(wrong, {"x": torch.tensor([0.5, 1.5], dtype=torch.float64)}))
>>> finding = Finding("reverse", "float64", parts=examination.parts, examination=examination)
>>> found = find_causes(finding)
>>> [(cause.cause, cause.component) for cause in found.causes]
[('sign flipped', 'x')]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from verifier.judging.causes import (
    branch,
    cut_path,
    misplaced,
    other_function,
    overflow_and_nan,
    rounding,
    state,
)
from verifier.judging.causes.factors import constant, intermediate
from verifier.judging.causes.replaced import arguments, conjugate, constants, grad_output
from verifier.judging.causes.rule import Mistake, Rule
from verifier.judging.causes.suspect import SearchEndedError, Suspect
from verifier.judging.examination import Part
from verifier.judging.finding import CheckCause, Finding
from verifier.judging.verdict import Outcome
from verifier.process.deadline import Deadline

RULES = (
    Rule(("wrong reduction", "different functions"), other_function.explain_different_function),
    Rule(("gradients accumulated", "stale", "not deterministic"), state.explain_changing_results),
    Rule(("other random numbers",), state.explain_other_random_numbers),
    Rule(("stale", "strides ignored", "rows mixed"), arguments.explain_other_arguments),
    Rule(
        (
            "NaN from a branch not taken",
            "overflow of an intermediate",
            "underflow of an intermediate",
            "not finite",
        ),
        overflow_and_nan.explain_not_finite,
    ),
    Rule(("cancellation",), rounding.explain_cancellation),
    Rule(("path detached", "second order cut off"), cut_path.explain_zero_gradient),
    Rule(("conjugate missing",), conjugate.explain_missing_conjugate),
    Rule(("sign flipped",), constant.explain_flipped_sign),
    Rule(("sum for mean", "mean for sum"), constant.explain_other_reduction),
    Rule(("grad_output ignored",), state.explain_ignored_seed),
    Rule(("transposed", "rolled", "components swapped"), misplaced.explain_misplaced),
    Rule(("transposed",), arguments.explain_transposed_argument),
    Rule(("transposed",), grad_output.explain_other_axis),
    Rule(("gradients accumulated",), state.explain_accumulated_gradient),
    Rule(("stale",), state.explain_stale_gradient),
    Rule(("kink convention",), branch.explain_kink_convention),
    Rule(("wrong branch",), branch.explain_wrong_branch),
    Rule(("constant factor",), constant.explain_factor_in_backward),
    Rule(("grad_output changed",), grad_output.explain_changed_seed),
    Rule(
        ("one term missing", "path detached", "second order cut off"), cut_path.explain_missing_term
    ),
    Rule(("one term missing",), grad_output.explain_diagonal_alone),
    Rule(("extra term",), grad_output.explain_extra_term),
    Rule(("missing factor", "extra factor"), intermediate.explain_missing_factor),
    Rule(("constant factor",), constant.explain_simple_factor),
    Rule(("other constant",), constants.explain_other_constant),
)
"""In the order in which they are tried."""
PARTIAL = (
    Rule(("path detached", "second order cut off"), cut_path.explain_zero_gradient),
    Rule(("sign flipped",), constant.explain_flipped_sign),
    Rule(("grad_output ignored",), state.explain_ignored_seed),
    Rule(("stale", "strides ignored", "rows mixed"), arguments.explain_other_arguments),
    Rule(("constant factor",), constant.explain_simple_factor),
    Rule(("grad_output changed",), grad_output.explain_changed_seed),
    Rule(("extra term",), grad_output.explain_extra_term),
)
"""What is tried where some components alone are wrong, and no rule explains all together."""
LAST = (
    Rule(("constant factor",), constant.explain_any_factor),
    Rule(("narrower dtype",), rounding.explain_narrower_dtype),
    Rule(("kernel outside its budget",), rounding.explain_kernel),
)
"""What is said where no other rule fits."""
NAMES = tuple(dict.fromkeys(name for rule in (*RULES, *PARTIAL, *LAST) for name in rule.names))
"""Every cause that can be named."""
OF_VALUES = frozenset({
    "wrong reduction", "different functions", "not deterministic", "NaN from a branch not taken",
    "overflow of an intermediate", "not finite", "underflow of an intermediate", "cancellation",
    "narrower dtype", "kernel outside its budget", "stale", "strides ignored", "rows mixed",
})  # fmt: skip
"""Those that a value can have as well."""
OF_OTHER_USES = OF_VALUES | {"constant factor", "sign flipped"}
"""And those of a value that is right where the code is used plainly."""


@dataclass(frozen=True)
class SearchResult:
    """Why something disagrees."""

    causes: tuple[CheckCause, ...]
    """At most one for each part that disagrees."""
    ruled_out: tuple[str, ...]
    """The causes that were tried and explain nothing here, by name."""
    ended_early: bool = False
    """Whether the time was over before all had been tried."""
    errors: tuple[Exception, ...] = ()
    """What rules raised: mistakes of ours."""


def find_causes(
    finding: Finding,
    before: Sequence[Part] = (),
    deadline: Deadline = Deadline.NEVER,
) -> SearchResult:
    """The causes of what disagrees in a `finding`, of one check at one point.

    `before` has the parts of the point before, for gradients that are late by one. Nothing is named
    that does not explain all components of a part, within what rounding allows or in exact
    arithmetic. A rule that raises an error keeps no other from being tried. When `deadline` passes,
    the search ends with what was found so far.
    """
    wrong = [part for part in finding.parts if part.outcome is Outcome.DISAGREES]
    search = _Search(finding, before, deadline)
    causes: list[CheckCause] = []
    try:
        for part in wrong:
            causes.extend(search.causes(part))
    except SearchEndedError:
        search.ended_early = True
    named = {cause.cause for cause in causes}
    ruled_out = tuple(name for name in NAMES if name in search.tried and name not in named)
    return SearchResult(tuple(causes), ruled_out, search.ended_early, tuple(search.errors))


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
        kind = "given" if point is None else point.kind
        suspect = Suspect(
            part, self.finding.examination, self.before, others, self.deadline, kind,
            self.finding.circumstance,
        )  # fmt: skip
        try:
            for asked, rules in _questions(suspect):
                found = self._first_mistake(asked, rules)
                if found is not None:
                    return [_cause(self.finding, asked, found)]
            return []
        except SearchEndedError:
            raise
        except Exception as error:
            self.errors.append(error)
            return []

    def _first_mistake(self, suspect: Suspect, rules: Sequence[Rule]) -> Mistake | None:
        """What the first rule that fits says."""
        for rule in rules:
            names = _names_for_part(suspect, rule)
            found = self._mistake_by(suspect, rule) if names else None
            if found is not None and found.cause in names:
                return found
        return None

    def _mistake_by(self, suspect: Suspect, rule: Rule) -> Mistake | None:
        """What a rule says; nothing where it raises an error, which is noted."""
        suspect.check_deadline()
        try:
            found = rule.explain(suspect)
        except SearchEndedError:
            raise
        except Exception as error:
            self.errors.append(error)
            return None
        self.tried.update(_names_for_part(suspect, rule))
        return found


def _questions(suspect: Suspect) -> Iterator[tuple[Suspect, Sequence[Rule]]]:
    """What is asked about a part, in order: of all components, then of those alone that are wrong.

    In the code's graph constants may be rounded that were computed beforehand.
    """
    rounded = [suspect.with_rounded_constants()] if suspect.is_in_graph else []
    for asked in (suspect, *rounded):
        yield asked, RULES
    for asked in (suspect, *rounded):
        wrong = asked.where_wrong()
        if wrong is not None:
            yield wrong, PARTIAL
    yield suspect, LAST


def _names_for_part(suspect: Suspect, rule: Rule) -> list[str]:
    """The causes that a rule may name for this part."""
    if suspect.part.quantity != "value":
        return list(rule.names)
    known = OF_OTHER_USES if suspect.circumstance.text else OF_VALUES
    return [name for name in rule.names if name in known]


def _cause(finding: Finding, suspect: Suspect, found: Mistake) -> CheckCause:
    return CheckCause(
        found.cause,
        suspect.part.name,
        f"{found.sentence}{suspect.share_text}",
        suspect.evidence(found.predicted),
        finding.dtype,
        0 if finding.point is None else finding.point.number,
        finding.check,
        finding.circumstance.text,
        suspect.predicted_at_worst(found.predicted),
    )


__all__ = ["NAMES", "RULES", "SearchResult", "find_causes"]
