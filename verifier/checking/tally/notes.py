"""Notes: what the reader of a check should know beside the verdict, a sentence each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from verifier.capture.random_draws import has_slopes
from verifier.capture.trace_events import Draw, Events, Number
from verifier.checking.check_result import CheckResult
from verifier.judging.examination import Examination, Replayed
from verifier.judging.finding import Finding
from verifier.judging.verdict import Outcome
from verifier.operations.number_text import short

MOST_PLACES = 6
"""So many lines of the code are named, and how many more there are."""
MOST_VALUES = 4
"""So many whole numbers are named."""
_AT_EVERY_POINT = ("value", "reverse")


def notes_on(checked: CheckResult) -> tuple[str, ...]:
    """What the code did that the verdict rests on: detached paths, rounded decimals, decisions by
    values, random draws.
    """
    failing = any(finding.outcome is Outcome.DISAGREES for finding in checked.judged)
    runs = [examination.events for examination in _at_points(checked.judged)]
    return (
        *_on_detached(checked, failing),
        *_on_literals(checked),
        *_on_approximations(checked),
        *_on_values(runs),
        *_on_draws(runs),
        *_on_conventions(runs),
        *_on_lost_range(_at_points(checked.judged)),
        *_on_coverage(checked),
    )


def _at_points(findings: Iterable[Finding]) -> list[Examination]:
    """One examination a point."""
    found = {
        id(finding.examination): finding.examination
        for finding in findings
        if finding.check in _AT_EVERY_POINT and finding.examination is not None
    }
    return list(found.values())


def _on_detached(checked: CheckResult, failing: bool) -> Iterator[str]:
    examinations = [
        finding.examination for finding in checked.judged if finding.examination is not None
    ]
    detached = dict.fromkeys(
        phrase for examination in examinations for phrase in examination.detached
    )
    if detached and (failing or checked.settings.honour_detach):
        how = (
            "taken for constants"
            if checked.settings.honour_detach
            else "--honour-detach takes that for a constant"
        )
        yield f"the code takes values out of autograd ({', '.join(detached)}): {how}"


def _replayed(checked: CheckResult) -> list[Replayed]:
    formulas = [finding.examination.formula for finding in checked.judged if finding.examination]
    return [formula for formula in formulas if isinstance(formula, Replayed)]


def _on_approximations(checked: CheckResult) -> Iterator[str]:
    if any(formula.approximated for formula in _replayed(checked)):
        yield (
            "a branch of the code has an approximation in place of its formula, no further off "
            "than rounding is"
        )


def _on_literals(checked: CheckResult) -> Iterator[str]:
    literals = dict.fromkeys(
        literal for formula in _replayed(checked) for literal in formula.literals
    )
    if literals:
        text = ", ".join(map(repr, literals))
        yield f"rounded decimals in the code, granted half a unit of their last digit: {text}"


def _on_values(runs: Sequence[Events]) -> Iterator[str]:
    """Which lines took numbers out of tensors, and what came out."""
    by_place: dict[str, list[Number]] = {}
    for reading in (reading for run in runs for reading in run.readings):
        if reading.place and not reading.is_check:
            by_place.setdefault(reading.place, []).append(reading.value)
    for place in list(by_place)[:MOST_PLACES]:
        yield f"{place} {_taken(by_place[place])}"
    if len(by_place) > MOST_PLACES:
        more = len(by_place) - MOST_PLACES
        yield f"{more} more lines of the code take numbers out of tensors"


def _taken(values: Sequence[Number]) -> str:
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return f"decides by the value of a tensor: {_ways(values)}"
    if kinds == {int}:
        return f"takes a whole number out of a tensor, as it came out: {_whole(values)}"
    return f"takes a number out of a tensor {_times(len(values))}: the path that followed is judged"


def _ways(values: Sequence[Number]) -> str:
    counts = Counter(values)
    if len(counts) == 1:
        way = "true" if values[0] else "false"
        return f"{way} each time ({len(values):,}), so the other way was not tried"
    return f"true {_times(counts[True])}, false {_times(counts[False])}"


def _whole(values: Sequence[Number]) -> str:
    distinct = list(dict.fromkeys(values))
    shown = ", ".join(short(float(value.real)) for value in distinct[:MOST_VALUES])
    more = len(distinct) - MOST_VALUES
    return f"{shown} and {more} more" if more > 0 else shown


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _on_draws(runs: Sequence[Events]) -> Iterator[str]:
    draws = [draw for run in runs for draw in run.draws]
    if not draws:
        return
    places = dict.fromkeys(map(_drawn, draws))
    shown = list(places)[:MOST_PLACES]
    more = f" and {len(places) - MOST_PLACES} more" if len(places) > MOST_PLACES else ""
    yield (
        f"the code draws random numbers ({', '.join(shown)}{more}): each is taken as it came out, "
        "and every run draws the same ones"
    )
    implicit = dict.fromkeys(draw.operation for draw in draws if has_slopes(draw.operation))
    if implicit:
        names = " and ".join(implicit)
        yield (
            f"the derivative of what {names} drew is taken from torch, which knows it to about "
            "three digits"
        )


def _on_conventions(runs: Sequence[Events]) -> Iterator[str]:
    names = dict.fromkeys(name for run in runs for name in run.conventions)
    if names:
        yield (
            f"torch's own code takes values out of autograd ({', '.join(names)}): they are taken "
            "for constants"
        )


def _on_lost_range(examinations: Sequence[Examination]) -> Iterator[str]:
    sentences = [found.lost_range for found in examinations if found.lost_range]
    if sentences:
        yield (
            f"at {len(sentences)} of the edge points the code as written leaves the range of its "
            f"dtype, which decides nothing: {sentences[0]}"
        )


def _on_coverage(checked: CheckResult) -> Iterator[str]:
    missed = dict.fromkeys(text for _, found in checked.coverage for text in found.missed)
    if missed:
        shown = list(missed)[:MOST_PLACES]
        more = f" and {len(missed) - MOST_PLACES} more" if len(missed) > MOST_PLACES else ""
        yield (
            f"not exercised: all points lie on one side of {', '.join(shown)}{more}, so that what "
            "the code does on the other side was not tried"
        )


def _drawn(draw: Draw) -> str:
    backward = " in the backward" if draw.in_backward else ""
    return f"{draw.operation}{backward}" + (f" in {draw.place}" if draw.place else "")
