"""The page of a check: the verdict, what it was held against, causes with their evidence, pictures
and tables.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from markupsafe import Markup

from verifier.checking.labels import (
    digits_phrase,
    place_text,
    point_text,
    target_name,
    with_noun,
)
from verifier.checking.records import CheckResult
from verifier.checking.tally.components import CheckComponent, Place
from verifier.checking.tally.count import CheckTally, Tally
from verifier.errors import InputError
from verifier.formula.parser import read_text, symbol_names
from verifier.judging.verdict import Note, Outcome
from verifier.operations.number_text import number, short
from verifier.program.builder import FormulaBuilder
from verifier.program.sympy_form import expressions
from verifier.reporting.data.training_json import versions
from verifier.reporting.html.check_picture import called, error_picture
from verifier.reporting.html.mathml import mathml, text
from verifier.reporting.html.page import (
    Causes,
    Facts,
    Finding,
    Formula,
    Formulas,
    Page,
    Pictures,
    Prose,
    Section,
    Table,
)
from verifier.reporting.text.check import formula_sentence, partial_sentence
from verifier.reporting.text.check_failures import (
    causes_of,
    exact_text,
    follows,
    undecided_reason,
    without_cause,
)
from verifier.reporting.text.check_tables import check_named, ratio

CAUSES = 30
FAILURES = 60
"""At most so many numbers that disagree are listed, of each component the worst."""
OF_EACH = 5
COMPONENTS = 1_000
POINTS = 200
FORMULA_NODES = 400
"""A longer formula is shown as it was typed."""


def check_page(checked: CheckResult, replay: str | None) -> Page:
    """The page; `replay` is the command that shows the check again."""
    tally = Tally(checked)
    return Page(
        title=f"verifier: {target_name(checked.target)}",
        outcome=tally.outcome,
        verdict=_verdict(tally),
        sentences=list(_sentences(tally)),
        sections=[
            *_wrong(tally, replay),
            _against(checked),
            *_told("What could not be decided", _undecided(tally)),
            *_told(
                "What was not reached", [partial_sentence(tally)] if checked.not_reached else []
            ),
            *_told("Notes", [*checked.notes, *_inaccurate(tally)]),
            *(
                [Pictures("Picture", [error_picture(tally.components)])]
                if tally.outcomes.total()
                else []
            ),
            _checks(tally.checks),
            *([_components(tally.components)] if tally.components else []),
            _points(tally),
            _how(tally, replay),
        ],
    )


def _verdict(tally: Tally) -> str:
    """What was found, for somebody who reads one sentence."""
    name = target_name(tally.checked.target)
    total = tally.outcomes.total()
    if tally.outcome is Outcome.AGREES:
        dtypes = " and ".join(filter(None, (", ".join(tally.dtypes[:-1]), *tally.dtypes[-1:])))
        return (
            f"All {total:,} numbers that {name} stated lie within what rounding alone can do in "
            f"{dtypes}."
        )
    if tally.outcome is Outcome.UNDECIDED:
        blind = list(dict.fromkeys(called(one) for one in tally.undecided))
        of_them = f"; nothing at all could be decided of {_few(blind)}" if blind else ""
        undecided = tally.outcomes[Outcome.UNDECIDED]
        return (
            f"Nothing disagrees, but {undecided:,} of {total:,} numbers could not be "
            f"decided{of_them}."
        )
    failing = list(dict.fromkeys(called(one) for one in _failing(tally)))
    if failing:
        return f"Rounding does not explain what {name} stated of {_few(failing)}."
    otherwise = list(
        dict.fromkeys(check_named(one.check).title for one in tally.checks if one.failing)
    )
    if otherwise:
        return f"The numbers of {name} agree, but it fails otherwise: {_few(otherwise)}."
    return f"{name} has fewer than {tally.checked.settings.digits:g} digits."


def _few(words: Sequence[str]) -> str:
    return ", ".join(words[:6]) + (f" and {len(words) - 6} more" if len(words) > 6 else "")


def _failing(tally: Tally) -> list[CheckComponent]:
    """The components that disagree, gradients before what is derived from them."""
    return [one for same in tally.failing for one in same]


def _sentences(tally: Tally) -> Iterator[str]:
    agree, undecided, disagree = (f"{tally.outcomes[outcome]:,}" for outcome in Outcome)
    made = with_noun(len({one.check for one in tally.checks if one.made}), "check")
    yield f"{made} made; {agree} numbers agree, {undecided} are undecided, {disagree} disagree."
    told = formula_sentence(tally)
    yield f"{told[:1].upper()}{told[1:]}."
    limits = [one for one in tally.components if not math.isnan(one.limit_max)]
    if limits:
        least, surely = (
            max(limit)
            for limit in zip(*((one.limit_median, one.limit_max) for one in limits), strict=True)
        )
        yield (
            f"An error of {least:.1e} of a number would have been flagged in at least half of the "
            "comparisons of each "
            f"component, one of {surely:.1e} in all of them where the exact number is not 0."
        )
    if tally.outcome is Outcome.UNDECIDED and tally.exit_code == 0:
        yield "Every component has decided comparisons."
    if tally.checked.interrupted:
        yield "The check was interrupted: this is what had been done by then."


def _wrong(tally: Tally, replay: str | None) -> list[Section]:
    """Causes with their evidence, and the numbers that disagree."""
    found = [*_by_component(tally), *_otherwise(tally), *_digits(tally)]
    if not found:
        return []
    ruled_out = tally.checked.ruled_out
    notes = [f"Tried, and not the cause: {', '.join(ruled_out)}."] if ruled_out else []
    notes += [f"The first {CAUSES} of {len(found)}."] if len(found) > CAUSES else []
    if tally.checked.simplest is not None:
        notes.append(f"The simplest point found that fails: {point_text(tally.checked.simplest)}.")
    causes = Causes("What is wrong, and why", found[:CAUSES], replay or "", " ".join(notes))
    numbers = _numbers(tally)
    return [causes, numbers] if numbers.rows else [causes]


def _by_component(tally: Tally) -> Iterator[Finding]:
    following = [same for same in tally.failing if follows(tally, same)]
    for same in tally.failing:
        if same in following:
            continue
        where = f"{called(same[0])} in {' and '.join(one.dtype for one in same)}"
        shown = same[0].shown
        if shown is not None:
            spot = f" at point {shown.finding.point.number}" if shown.finding.point else ""
            under = check_named(shown.finding.check).where
            where = " ".join(filter(None, (where + spot, under)))
        causes = causes_of(tally, same)
        for cause in causes:
            yield Finding(where, f"likely {cause.sentence.removesuffix('.')}", cause.evidence)
        if not causes:
            yield Finding(where, without_cause(tally), "")
    if following:
        yield Finding(
            ", ".join(called(same[0]) for same in following),
            "wrong as well, as follows from that",
            "",
        )


def _otherwise(tally: Tally) -> Iterator[Finding]:
    """What fails apart from numbers, each sentence once for a check and a dtype."""
    points: dict[tuple[str, str, str], list[int]] = {}
    for one in tally.checked.judged:
        for sentence in one.failures:
            found = points.setdefault((one.check, one.dtype, sentence), [])
            found.extend([one.point.number] if one.point else [])
    for (check, dtype, sentence), numbers in points.items():
        evidence = (
            f"At {with_noun(len(numbers), 'point')}: {', '.join(map(str, numbers[:20]))}"
            if numbers
            else ""
        )
        yield Finding(
            f"{check_named(check).title} in {dtype}", sentence.removesuffix("."), evidence
        )


def _digits(tally: Tally) -> Iterator[Finding]:
    for component in tally.too_few_digits:
        least = component.least_accurate
        if least is not None:
            where = f"{called(component)} in {component.dtype}"
            told = (
                f"{digits_phrase(least.digits)}, and {tally.checked.settings.digits:g} were asked "
                "for"
            )
            yield Finding(where, told, "")


def _numbers(tally: Tally) -> Table:
    """The numbers that disagree, of each component the worst ones."""
    chosen = [(one, place) for one in _failing(tally) for place in _worst(one)][:FAILURES]
    count = tally.outcomes[Outcome.DISAGREES]
    return Table(
        title="Numbers that disagree",
        caption="What was stated and what is exact; the error and what rounding allows are "
        "absolute.",
        columns=("where", "check", "dtype", "point", "stated", "exact", "error", "allowed", "why"),
        rows=[_number_row(one, place) for one, place in chosen],
        outcomes=[Outcome.DISAGREES for _ in chosen],
        note=f"The worst {len(chosen)} of {count:,}." if count > len(chosen) else "",
        words=frozenset((1, 2, 8)),
    )


def _worst(component: CheckComponent) -> list[Place]:
    failing = [
        Place(one, int(element))
        for one in component.statements
        for element in np.flatnonzero(one.part.verdicts.severity == Outcome.DISAGREES.severity)[
            :FAILURES
        ]
    ]
    return sorted(failing, key=lambda place: -place.ratio)[:OF_EACH]


def _number_row(component: CheckComponent, place: Place) -> list[str]:
    judged, point = place.comparison, place.finding.point
    why = (
        "its formula is wrong in exact arithmetic" if place.is_wrong_formula else judged.note.value
    )
    where = place_text(place.part, place.index, point) or called(component)
    return [
        where, check_named(place.finding.check).title, place.finding.dtype,
        str(point.number) if point else "–", number(judged.stated), exact_text(judged),
        short(judged.error), short(judged.allowed), why,
    ]  # fmt: skip


def _undecided(tally: Tally) -> list[str]:
    """Each component of which something is undecided, with the commonest reason."""
    counts = [(one, one.outcomes[Outcome.UNDECIDED]) for one in tally.components]
    return [
        f"{called(one)} in {one.dtype}, {undecided:,} of {one.compared:,}: {undecided_reason(one)}."
        for one, undecided in counts
        if undecided
    ][:CAUSES]


def _told(title: str, sentences: Sequence[str]) -> list[Section]:
    return [Prose(title, sentences)] if sentences else []


def _against(checked: CheckResult) -> Section:
    """The formula as an equation where it was given as text; else what it was held against, in
    words.
    """
    title = "What it is held against"
    own = {
        "its own forward": (
            "The code's own forward, read operation by operation: its backward is what is checked."
        )
    }
    over, formula = _reduced(checked.against)
    written = (
        None
        if checked.against in own or checked.against.startswith("reference ")
        else _read(formula)
    )
    if written is None:
        return Prose(title, [own.get(checked.against, checked.against)])
    name = f"<math><mtext>{Markup.escape(target_name(checked.target))}</mtext></math>"
    right = Markup(text(f"{over}\u2003")) + written if over else written  # noqa: S704 (text escapes)
    left = Markup(name)  # noqa: S704 (escaped)
    text_form = f"{target_name(checked.target)} = {checked.against}"
    return Formulas(title, [Formula(left, right, text_form)])


def _reduced(against: str) -> tuple[str, str]:
    """How the formula's elements are put together, and the formula."""
    for words in ("sum of", "mean of"):
        if against.startswith(f"{words} "):
            return words, against.removeprefix(f"{words} ")
    return "", against


def _read(formula: str) -> Markup | None:
    """The formula as MathML; None for what is no formula, and for what is too long."""
    builder = FormulaBuilder()
    try:
        symbols = {name: builder.input(name) for name in symbol_names(formula)}
        program = builder.program(read_text(formula, builder, symbols))
        if len(program.nodes) > FORMULA_NODES:
            return None
        return Markup(mathml(expressions(program)[0]))  # noqa: S704 (mathml escapes)
    except InputError:
        return None


def _inaccurate(tally: Tally) -> list[str]:
    found = [one for one in tally.components if one.inaccurate]
    return [f"{called(one)} in {one.dtype}: {Note.INACCURATE}." for one in found[:20]]


def _checks(checks: Sequence[CheckTally]) -> Table:
    return Table(
        title="Checks",
        caption="Each can be switched off by its name.",
        columns=(
            "check",
            "name",
            "dtype",
            "at points",
            "numbers",
            *(outcome.value for outcome in Outcome),
            "fails",
            "outcome",
            "why it was not made",
        ),
        rows=[_check_row(one) for one in checks],
        outcomes=[one.outcome for one in checks],
        words=frozenset((1, 2, 9, 10)),
    )


def _check_row(one: CheckTally) -> list[str]:
    return [
        check_named(one.check).title,
        one.check,
        one.dtype,
        f"{len(one.made):,}",
        f"{one.compared:,}",
        *(f"{one.outcomes[outcome]:,}" for outcome in Outcome),
        f"{len(one.failing):,}",
        one.outcome.value if one.outcome else "not made",
        " ".join(one.absent),
    ]


def _components(components: Sequence[CheckComponent]) -> Table:
    """A row for each; of very many the worst."""
    ordered = sorted(
        components, key=lambda one: one.worst.rank if one.worst else (-1, 0.0), reverse=True
    )
    shown = list(components) if len(components) <= COMPONENTS else ordered[:COMPONENTS]
    return Table(
        title="Components",
        caption="What was compared, and how it came out. The detection limit is the relative error "
        "that would have "
        "been flagged.",
        columns=(
            "component",
            "dtype",
            "compared",
            *(outcome.value for outcome in Outcome),
            "fewest digits",
            "worst error / allowed",
            "at point",
            "detection limit, median",
            "detection limit, worst",
            "allowance",
            "outcome",
        ),
        rows=[_component_row(one) for one in shown],
        outcomes=[one.outcome for one in shown],
        note=f"The worst {COMPONENTS} of {len(components)}."
        if len(shown) < len(components)
        else "",
        words=frozenset((1, 11, 12)),
    )


def _component_row(one: CheckComponent) -> list[str]:
    point = one.worst.finding.point if one.worst else None
    return [
        called(one),
        one.dtype,
        f"{one.compared:,}",
        *(f"{one.outcomes[outcome]:,}" for outcome in Outcome),
        f"{one.least_accurate.digits:.1f}" if one.least_accurate else "–",
        ratio(one),
        str(point.number) if point else "–",
        _limit(one.limit_median),
        _limit(one.limit_max),
        one.tier,
        one.outcome.value,
    ]


def _limit(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1e}"


def _points(tally: Tally) -> Table:
    points = tally.points
    return Table(
        title="Points",
        caption="Where it was tried; of large tensors the shape alone.",
        columns=("point", "kind", "dtype", "inputs"),
        rows=[
            [str(point.number), point.kind, point.dtype, point_text(point)]
            for point in points[:POINTS]
        ],
        outcomes=[None for _ in points[:POINTS]],
        note=f"The first {POINTS} of {len(points):,}." if len(points) > POINTS else "",
        words=frozenset((1, 2, 3)),
    )


def _how(tally: Tally, replay: str | None) -> Facts:
    settings = tally.checked.settings
    return Facts(
        "How this was made",
        [
            (
                "shown again by",
                replay or "Python only: the target or its inputs were given in code",
            ),
            ("target", tally.checked.target),
            ("random points", str(settings.points)),
            ("seed", str(settings.seed)),
            ("switched off", ", ".join(settings.without) or "nothing"),
            ("digits asked for", "none" if settings.digits is None else f"{settings.digits:g}"),
            ("timeout", "none" if settings.timeout is None else f"{settings.timeout:g} s"),
            ("detached paths", "taken for constants" if settings.honour_detach else "found"),
            *versions().items(),
        ],
    )
