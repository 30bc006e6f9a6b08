"""What fails in a check: each component that disagrees, with both numbers, the likely cause and
the next step.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import ROUND_DOWN, Context, Decimal, InvalidOperation
from itertools import chain

from verifier.capture.statements import FORWARD, REVERSE, SECOND
from verifier.checking.labels import component_title, digits_phrase, place_text, target_name
from verifier.checking.tally.components import CheckComponent, Place
from verifier.checking.tally.count import CheckTally, Tally
from verifier.judging.finding import CheckCause
from verifier.judging.verdict import Comparison, Note, Outcome
from verifier.operations.formats import CODE_FORMATS
from verifier.operations.number_text import number, short
from verifier.reporting.content.blocks import STYLES, Blank, Block, Labelled, Sentence
from verifier.reporting.content.check_tables import check_named

BLOCKS = 10
"""At most so many components that disagree are shown, and so many sentences of what else fails."""
DIGITS = 17
"""So many digits tell a float64 from its neighbours."""
_STYLE = STYLES[Outcome.DISAGREES]


def failure_blocks(tally: Tally) -> Iterator[Block]:
    """What is wrong, and what could not be decided."""
    yield from wrong_blocks(tally)
    yield from undecided_blocks(tally)


def wrong_blocks(tally: Tally) -> Iterator[Block]:
    """A block for each component that disagrees, the worst first, and what fails apart from
    numbers.
    """
    following = [same for same in tally.failing if follows(tally, same)]
    own = [same for same in tally.failing if same not in following]
    yield from _disagreeing(tally, own)
    yield from _left_out(len(own), "components that disagree")
    if following:
        names = ", ".join(component_title(same[0].name, same[0].quantity) for same in following)
        yield Sentence(f"as follows from that, these disagree as well: {names}", _STYLE)
        yield Blank()
    yield from _otherwise(tally)
    yield from _digits(tally)


def _disagreeing(tally: Tally, own: Sequence[Sequence[CheckComponent]]) -> Iterator[Block]:
    """What was ruled out stands at the first component without a cause."""
    ruled_out = tally.checked.ruled_out
    for place, same in enumerate(own[:BLOCKS]):
        causes = causes_of(tally, same)
        yield from _block(tally, same[0])
        if len(same) > 1:
            yield _detail("also", "; ".join(_spot(one.shown) for one in same[1:] if one.shown))
        yield from _why(causes, without_cause(tally), ruled_out)
        ruled_out = ruled_out if causes else ()
        if place == 0 and tally.checked.replay:
            yield _detail("try", tally.checked.replay)
        yield Blank()


def _detail(label: str, text: str) -> Labelled:
    return Labelled(label, text, indent=2, width=11)


def follows(tally: Tally, same: Sequence[CheckComponent]) -> bool:
    """Whether a derivative of a gradient is wrong for the cause for which the gradient is."""
    gradients = [one for one in tally.failing if one[0].quantity == REVERSE]
    known = {cause.cause for one in gradients for cause in causes_of(tally, one)}
    own = {cause.cause for cause in causes_of(tally, same)}
    return same[0].quantity in (FORWARD, SECOND) and bool(own) and own <= known


def _left_out(count: int, what: str) -> Iterator[Block]:
    if count > BLOCKS:
        sentence = f"⋯ {what} not shown: {count - BLOCKS:,}; --json FILE has them all"
        yield from (Sentence(sentence, "dim"), Blank())


def _block(tally: Tally, component: CheckComponent) -> Iterator[Block]:
    place = component.shown
    if place is None:
        return
    judged = place.comparison
    how = check_named(place.finding.check).where
    under = f" {how}," if how else ""
    yield Sentence(f"{_called(tally, component)} disagrees{under} {_spot(place)}", _STYLE)
    stated, exact = signed(judged)
    yield _detail(_source(component), stated)
    yield _detail("exact", f"{exact}   {_apart(place)}")
    if place.is_wrong_formula and judged.error <= judged.allowed:
        wrong = "wrong: in exact arithmetic, where nothing is rounded, it differs"
        yield _detail("formula", wrong)
    if judged.note is not Note.NONE:
        yield _detail("note", judged.note.value)


def _called(tally: Tally, component: CheckComponent) -> str:
    """The component as its target's."""
    return f"{target_name(tally.checked.target)}.{component.name}"


def _spot(place: Place) -> str:
    """The dtype, the point, the element and what the inputs are there."""
    point = place.finding.point
    told = f"in {place.finding.dtype}{f' at point {point.number}' if point else ''}"
    return ", ".join(filter(None, (told, place_text(place.part, place.index, point))))


def _source(component: CheckComponent) -> str:
    return {"value": "code", FORWARD: "forward"}.get(component.quantity, "autograd")


def signed(judged: Comparison) -> tuple[str, str]:
    """What was stated and the exact value; both with their sign where that differs."""
    stated, exact = number(judged.stated), exact_text(judged)
    if stated.startswith("-") and exact[0].isdigit() and not judged.exact_is_zero:
        return stated, f"+{exact}"
    if exact.startswith("-") and judged.stated > 0:
        return f"+{stated}", exact
    return stated, exact


def exact_text(judged: Comparison) -> str:
    """The exact value as Python writes a float, with `…` where it goes on."""
    try:
        value = Decimal(judged.exact)
    except InvalidOperation:
        return judged.exact
    if value.is_nan():
        return "not known"
    cut = Context(prec=DIGITS, rounding=ROUND_DOWN).create_decimal(value)
    return f"{_as_float(cut)}{'' if cut == value else '…'}"


def _as_float(value: Decimal) -> str:
    """In Python's own spelling: 1e-07 and 1e+16, else with a point."""
    if not value:
        return "0.0"
    exponent = value.adjusted()
    if -5 < exponent < 16:
        text = f"{value.normalize():f}"
        return text if "." in text else f"{text}.0"
    return f"{value.scaleb(-exponent).normalize():f}e{exponent:+03d}"


def _apart(place: Place) -> str:
    """How far the two are apart, and how far rounding could have moved them."""
    judged = place.comparison
    measured = judged.exact_is_zero and math.isfinite(judged.error)
    digits = f"off by {short(judged.error)}" if measured else digits_phrase(judged.digits)
    allows = (
        f"; {place.part.dtype} allows {short(judged.allowed)}"
        if math.isfinite(judged.allowed)
        else ""
    )
    return f"{digits}{allows}"


def causes_of(tally: Tally, same: Sequence[CheckComponent]) -> list[CheckCause]:
    """Those of one component in its dtypes, each once."""
    names = {name for component in same for name in (component.name, *component.part_names)}
    dtypes = {"", *(component.dtype for component in same)}
    own = [
        cause
        for cause in tally.checked.causes
        if cause.component in names and cause.dtype in dtypes
    ]
    return list({cause.cause: cause for cause in reversed(own)}.values())[::-1]


def without_cause(tally: Tally) -> str:
    """What is said of a failure without a cause."""
    return (
        "no cause found"
        if tally.checked.causes_searched
        else "no cause was looked for: the check ended before"
    )


def _why(causes: Sequence[CheckCause], nothing: str, ruled_out: Sequence[str]) -> Iterator[Block]:
    for place, cause in enumerate(causes):
        evidence = f" ({cause.evidence})" if cause.evidence else ""
        yield _detail("or" if place else "likely", f"{cause.sentence}{evidence}")
    if not causes:
        tried = f"; ruled out: {', '.join(ruled_out)}" if ruled_out else ""
        yield Sentence(f"{nothing}{tried}", indent=2)


def _otherwise(tally: Tally) -> Iterator[Block]:
    """What fails apart from numbers: each sentence once, with the points at which it does."""
    for one in tally.checks:
        found = failures_apart(one)
        if found:
            title = check_named(one.check).title
            target = target_name(tally.checked.target)
            yield Sentence(f"{target} fails in {one.dtype}: {title}", _STYLE)
        for sentence, points in list(found.items())[:BLOCKS]:
            yield Sentence(f"{sentence}{_at(points)}", indent=2)
        yield from _left_out(len(found), "other failures")
        if 0 < len(found) <= BLOCKS:
            yield Blank()


def failures_apart(one: CheckTally) -> dict[str, list[int]]:
    """What a check says that fails apart from numbers, and the numbers of the points where."""
    found: dict[str, list[int]] = {}
    for finding in one.failing:
        for sentence in finding.failures:
            points = found.setdefault(sentence, [])
            points.extend([finding.point.number] if finding.point else [])
    return found


def _at(points: Sequence[int]) -> str:
    if not points:
        return ""
    first = f"point {points[0]}"
    return f" (at {first})" if len(points) == 1 else f" (at {len(points):,} points, first {first})"


def _digits(tally: Tally) -> Iterator[Block]:
    """The components with fewer digits than were asked for."""
    for component in tally.too_few_digits[:BLOCKS]:
        place = component.least_accurate
        if place is not None:
            digits = f"{_called(tally, component)} has {place.digits:.1f} {_spot(place)}"
            yield Labelled("too few digits", f"{digits}: {_asked(tally, place)}", _STYLE)
    yield from _left_out(len(tally.too_few_digits), "components with too few digits")


def _asked(tally: Tally, place: Place) -> str:
    wanted = tally.checked.settings.digits or 0.0
    holds = CODE_FORMATS[place.part.dtype].decimal_digits
    more = f", and {place.part.dtype} holds {holds:.1f}" if wanted > holds else ""
    return f"{wanted:g} were asked for{more}"


def undecided_blocks(tally: Tally) -> Iterator[Block]:
    """The components of which something could not be decided, with the commonest reason; nothing at
    all first.
    """
    found = [one for one in tally.components if one.outcomes[Outcome.UNDECIDED]]
    found.sort(key=lambda one: one.decided > 0)
    for component in found[:BLOCKS]:
        title = component_title(component.name, component.quantity)
        name = f"{target_name(tally.checked.target)}.{title}"
        count = f"{component.outcomes[Outcome.UNDECIDED]:,}" if component.decided else "all"
        where = f"{name} in {component.dtype}, {count} of {component.compared:,}"
        style = STYLES[Outcome.UNDECIDED]
        yield Labelled("undecided", f"{where}: {undecided_reason(component)}", style)
    yield from _left_out(len(found), "undecided components")


def undecided_reason(component: CheckComponent) -> str:
    """The commonest reason for which numbers of a component are undecided. Some must be."""
    verdicts = [one.part.verdicts for one in component.statements]
    undecided = [one.note[one.severity == Outcome.UNDECIDED.severity].tolist() for one in verdicts]
    commonest, _ = Counter(chain.from_iterable(undecided)).most_common(1)[0]
    return str(tuple(Note)[commonest].value)
