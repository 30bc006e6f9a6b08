"""What fails in a check: both numbers, the likely cause, what follows, and the next step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from verifier.capture.code_at_point import FORWARD, REVERSE, SECOND
from verifier.checking.labels import (
    component_title,
    place_text,
    target_name,
    with_noun,
    words_text,
)
from verifier.checking.tally.components import CheckComponent, Place
from verifier.checking.tally.count import Tally
from verifier.judging.verdict import Note, Outcome
from verifier.operations.formats import CODE_FORMATS
from verifier.reporting.content.blocks import STYLES, Blank, Block, Labelled, Sentence
from verifier.reporting.content.both_numbers import distance_text, line, sentence_of, signed_number
from verifier.reporting.content.check_tables import check_named
from verifier.reporting.content.check_verdict import commonest_reason
from verifier.reporting.content.detail import Detail
from verifier.reporting.content.failure_groups import (
    Failure,
    failing_checks,
    failures_of,
    sentences_apart,
    where_it_fails,
)

MOST = 10
"""At most so many failures are shown in full, and so many sentences of what else fails."""
SHORTLY = 4
"""After the first failure at most so many more have a line each."""
_STYLE = STYLES[Outcome.DISAGREES]


def wrong_blocks(tally: Tally, detail: Detail) -> Iterator[Block]:
    """What is wrong, the worst first. In short only the first failure is in full."""
    failures = failures_of(tally)
    if detail is Detail.VERBOSE:
        yield from _all_in_full(tally, failures)
    elif failures:
        yield from failure_blocks(tally, failures[0], detail)
        yield Blank()
        yield from _others(tally, failures[1:])
    yield from _otherwise(tally)
    yield from _digits(tally)


def _all_in_full(tally: Tally, failures: Sequence[Failure]) -> Iterator[Block]:
    for failure in failures[:MOST]:
        yield from failure_blocks(tally, failure, Detail.VERBOSE)
        yield Blank()
    yield from _left_out(len(failures) - MOST, "more failures are not shown")


def _others(tally: Tally, others: Sequence[Failure]) -> Iterator[Block]:
    for failure in others[:SHORTLY]:
        if failure.place is not None:
            causes = " or ".join(cause.cause for cause in failure.causes)
            stated, exact = signed_number(failure.place.comparison)
            numbers = f"{_source(failure.first)} {stated}, exact {exact}"
            why = f"; likely {causes}" if causes else ""
            yield Sentence(f"{headline(tally, failure)}: {numbers}{why}", _STYLE)
    more = len(others) - SHORTLY
    if more > 0:
        yield Sentence(f"⋯ {with_noun(more, 'more failure')}; --verbose shows them", "dim")
    if others:
        yield Blank()


def failure_blocks(tally: Tally, failure: Failure, detail: Detail) -> Iterator[Block]:
    """A failure in full: what, where, both numbers, why, what follows from it, and what to try."""
    place = failure.place
    if place is None:
        return
    judged = place.comparison
    yield Sentence(headline(tally, failure), _STYLE)
    stated, exact = signed_number(judged)
    yield line(_source(failure.first), stated)
    yield line("exact", f"{exact}   {distance_text(judged, place.part.dtype)}".rstrip())
    if place.is_wrong_formula and judged.error <= judged.allowed:
        yield line("formula", "It differs in exact arithmetic, where nothing is rounded.")
    if judged.note is not Note.NONE:
        yield line("note", judged.note.value)
    if detail is Detail.VERBOSE and len(failure.components) > 1:
        yield line(
            "also", "; ".join(_spot(one.shown) for one in failure.components[1:] if one.shown)
        )
    yield from _why(tally, failure, detail)
    yield from _what_follows(tally, failure)
    if tally.checked.replay:
        yield line("try", tally.checked.replay)


def headline(tally: Tally, failure: Failure) -> str:
    """What is wrong, and one number of it: the point, the element, and the inputs there."""
    place = failure.place
    name = target_name(tally.checked.target)
    if place is None:
        return name
    circumstance = place.finding.circumstance.text or check_named(place.finding.check).where
    how = "" if failure.quantity == SECOND else circumstance
    point = place.finding.point
    number_ = f", point {point.number}" if point else ""
    parts = (_quantity(name, failure), how, place_text(place.part, place.index, point))
    return f"{', '.join(filter(None, parts))}   ({place.finding.dtype}{number_})"


def _quantity(name: str, failure: Failure) -> str:
    if failure.quantity == REVERSE:
        return f"{name} by {failure.first.name}"
    kinds = {FORWARD: "", SECOND: ", second derivative"}
    return f"{name}{kinds.get(failure.quantity, ', value')}"


def _spot(place: Place) -> str:
    """The dtype, the point, the element and what the inputs are there."""
    point = place.finding.point
    text = f"in {place.finding.dtype}{f' at point {point.number}' if point else ''}"
    return ", ".join(filter(None, (text, place_text(place.part, place.index, point))))


def _why(tally: Tally, failure: Failure, detail: Detail) -> Iterator[Labelled]:
    names = {one.name for one in tally.components}
    for place, cause in enumerate(failure.likely):
        has_evidence = detail is Detail.VERBOSE and cause.evidence
        evidence = f" ({cause.evidence})" if has_evidence else ""
        yield line("or" if place else "likely", f"{sentence_of(cause.sentence, names)}{evidence}")
    if not failure.likely:
        yield line("cause", f"{without_cause(tally)}{_ruled_out(tally, detail)}")


def _ruled_out(tally: Tally, detail: Detail) -> str:
    """What was tried and is not the cause; in short only where that stands."""
    tried = tally.checked.ruled_out
    if not tried:
        return ""
    if detail is Detail.VERBOSE:
        return f" Ruled out: {', '.join(tried)}."
    return f" {len(tried)} {'was' if len(tried) == 1 else 'were'} ruled out: --verbose lists them."


def _what_follows(tally: Tally, failure: Failure) -> Iterator[Labelled]:
    if failure.alike:
        count = "gradients" if len(failure.alike) > 1 else "gradient"
        verb = "are" if len(failure.alike) > 1 else "is"
        same = f"The {count} by {words_text(failure.alike)} {verb} wrong for the same reason."
        yield line("also", same)
    where = where_it_fails(failure, tally.checked.where)
    if where:
        yield line("where", where)
    follows = list(_following(failure))
    if follows:
        verb = (
            "is" if len(follows) == 1 and follows[0].startswith(("1 ", "forward", "the")) else "are"
        )
        yield line("follows", f"{words_text(follows)} {verb} wrong because of it")


def _following(failure: Failure) -> Iterator[str]:
    if failure.second_derivatives:
        yield with_noun(failure.second_derivatives, "second derivative")
    if failure.is_wrong_in_forward_mode:
        yield "forward mode"
    elif failure.modes_differ:
        yield "the comparison of both modes"
    if failure.layouts:
        yield with_noun(len(failure.layouts), "other layout")
    if "vmap" in failure.checks[1:]:
        yield "results under vmap"


def _left_out(count: int, what: str) -> Iterator[Block]:
    if count > 0:
        yield from (Sentence(f"⋯ {count:,} {what}; --json FILE has them all", "dim"), Blank())


def _source(component: CheckComponent) -> str:
    return {"value": "code", FORWARD: "forward"}.get(component.quantity, "autograd")


def without_cause(tally: Tally) -> str:
    """What is said of a failure without a cause."""
    return (
        "None was found."
        if tally.checked.causes_searched
        else "None was looked for: the check ended before."
    )


def _otherwise(tally: Tally) -> Iterator[Block]:
    """What fails apart from numbers: each sentence once, with the points at which it does."""
    name = target_name(tally.checked.target)
    for title, checks in groupby(failing_checks(tally), lambda one: check_named(one.check).title):
        same = list(checks)
        found = {text: at for one in same for text, at in sentences_apart(one).items()}
        dtypes = words_text([one.dtype for one in same])
        yield Sentence(f"{name} fails in {dtypes}: {title}", _STYLE)
        for sentence, points in list(found.items())[:MOST]:
            yield Sentence(f"{sentence}{_at(points)}", indent=2)
        yield from _left_out(len(found) - MOST, "other failures are not shown")
        if len(found) <= MOST:
            yield Blank()


def _at(points: Sequence[int]) -> str:
    if not points:
        return ""
    first = f"point {points[0]}"
    return f" (at {first})" if len(points) == 1 else f" (at {len(points):,} points, first {first})"


def _digits(tally: Tally) -> Iterator[Block]:
    """The components with fewer digits than were asked for."""
    name = target_name(tally.checked.target)
    for component in tally.too_few_digits[:MOST]:
        place = component.least_accurate
        if place is not None:
            title = component_title(component.name, component.quantity)
            digits = f"{title} of {name} has {place.digits:.1f} {_spot(place)}"
            yield Labelled("too few digits", f"{digits}: {_asked(tally, place)}", _STYLE)
    if tally.too_few_digits:
        yield Blank()
    yield from _left_out(len(tally.too_few_digits) - MOST, "components have too few digits")


def _asked(tally: Tally, place: Place) -> str:
    wanted = tally.checked.settings.digits or 0.0
    holds = CODE_FORMATS[place.part.dtype].decimal_digits
    more = f", and {place.part.dtype} holds {holds:.1f}" if wanted > holds else ""
    return f"{wanted:g} were asked for{more}"


def undecided_blocks(tally: Tally) -> Iterator[Block]:
    """What could not be decided, with the reason; quantities with the same reason together."""
    found = [one for one in tally.components if one.outcomes[Outcome.UNDECIDED]]
    reasons: dict[str, list[CheckComponent]] = {}
    for component in sorted(found, key=lambda one: one.decided > 0):
        reasons.setdefault(commonest_reason([component]), []).append(component)
    for reason, components in reasons.items():
        count = sum(one.outcomes[Outcome.UNDECIDED] for one in components)
        compared = sum(one.compared for one in components)
        titles = dict.fromkeys(component_title(one.name, one.quantity) for one in components)
        where = f"{count:,} of {compared:,} numbers of {words_text(list(titles))}"
        yield Labelled("undecided", f"{where}: {reason}", STYLES[Outcome.UNDECIDED])
