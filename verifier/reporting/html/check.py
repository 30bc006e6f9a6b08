"""The page of a check: the verdict, what it was held against, causes with their evidence, pictures
and tables.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from markupsafe import Markup

from verifier.checking.labels import agreeing, counted, listed, located, target_name
from verifier.checking.records import Checked
from verifier.checking.tally.components import CheckComponent, Place
from verifier.checking.tally.count import CheckTally, Tally
from verifier.errors import InputError
from verifier.formula.parser import names, read_text
from verifier.judging.finding import CheckPoint
from verifier.judging.verdict import Note, Outcome
from verifier.operations.number_text import number, short
from verifier.program.program import Builder
from verifier.program.sympy_form import expressions
from verifier.reporting.content.blocks import (
    Causes,
    Column,
    Facts,
    Field,
    Finding,
    Prose,
    Row,
    Table,
    cells_of,
    columns_of,
)
from verifier.reporting.content.check import formula_sentence, partial_sentence
from verifier.reporting.content.check_failures import (
    causes_of,
    exact_text,
    failures_apart,
    follows,
    undecided_reason,
    without_cause,
)
from verifier.reporting.content.check_tables import check_named, worst_first
from verifier.reporting.content.components import CAPTION, DASH, OUTCOME, full_fields
from verifier.reporting.data.document_head import versions
from verifier.reporting.html.check_picture import called, error_picture
from verifier.reporting.html.mathml import mathml, text
from verifier.reporting.html.page import Formula, Formulas, Page, Pictures, Section

CAUSES = 30
FAILURES = 60
"""At most so many numbers that disagree are listed, of each component the worst."""
OF_EACH = 5
COMPONENTS = 1_000
POINTS = 200
FORMULA_NODES = 400
"""A longer formula is shown as it was typed."""


def check_page(checked: Checked, replay: str | None) -> Page:
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
    made = counted(len({one.check for one in tally.checks if one.made}), "check")
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
        notes.append(f"The simplest point found that fails: {listed(tally.checked.simplest)}.")
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
    for one in tally.checks:
        for sentence, points in failures_apart(one).items():
            shown = ", ".join(map(str, points[:20]))
            evidence = f"At {counted(len(points), 'point')}: {shown}" if points else ""
            where = f"{check_named(one.check).title} in {one.dtype}"
            yield Finding(where, sentence.removesuffix("."), evidence)


def _digits(tally: Tally) -> Iterator[Finding]:
    for component in tally.too_few_digits:
        least = component.least_accurate
        if least is not None:
            where = f"{called(component)} in {component.dtype}"
            told = f"{agreeing(least.digits)}, and {tally.checked.settings.digits:g} were asked for"
            yield Finding(where, told, "")


_Number = tuple[CheckComponent, Place]
_NUMBER_FIELDS: tuple[Field[_Number], ...] = (
    Field(Column("where", justify="left"), lambda one: _where(*one)),
    Field(Column("check", justify="left"), lambda one: check_named(one[1].finding.check).title),
    Field(Column("dtype", justify="left"), lambda one: one[1].finding.dtype),
    Field(Column("point"), lambda one: _point_number(one[1].finding.point)),
    Field(Column("stated"), lambda one: number(one[1].comparison.stated)),
    Field(Column("exact"), lambda one: exact_text(one[1].comparison)),
    Field(Column("error"), lambda one: short(one[1].comparison.error)),
    Field(Column("allowed"), lambda one: short(one[1].comparison.allowed)),
    Field(Column("why", justify="left"), lambda one: _reason(one[1])),
)


def _where(component: CheckComponent, place: Place) -> str:
    return located(place.part, place.index, place.finding.point) or called(component)


def _point_number(point: CheckPoint | None) -> str:
    return str(point.number) if point else DASH


def _reason(place: Place) -> str:
    is_formula = place.is_wrong_formula
    return "its formula is wrong in exact arithmetic" if is_formula else place.comparison.note.value


def _numbers(tally: Tally) -> Table:
    """The numbers that disagree, of each component the worst ones."""
    chosen = [(one, place) for one in _failing(tally) for place in _worst(one)][:FAILURES]
    count = tally.outcomes[Outcome.DISAGREES]
    return Table(
        "Numbers that disagree",
        "What was stated and what is exact; the error and what rounding allows are absolute.",
        columns_of(_NUMBER_FIELDS),
        [Row(cells_of(_NUMBER_FIELDS, one), Outcome.DISAGREES) for one in chosen],
        note=f"The worst {len(chosen)} of {count:,}." if count > len(chosen) else "",
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


def _against(checked: Checked) -> Section:
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
    builder = Builder()
    try:
        symbols = {name: builder.symbol(name) for name in names(formula)}
        program = builder.program(read_text(formula, builder, symbols))
        if len(program.nodes) > FORMULA_NODES:
            return None
        return Markup(mathml(expressions(program)[0]))  # noqa: S704 (mathml escapes)
    except InputError:
        return None


def _inaccurate(tally: Tally) -> list[str]:
    found = [one for one in tally.components if one.inaccurate]
    return [f"{called(one)} in {one.dtype}: {Note.INACCURATE}." for one in found[:20]]


_CHECK_FIELDS: tuple[Field[CheckTally], ...] = (
    Field(Column("check", justify="left"), lambda one: check_named(one.check).title),
    Field(Column("name", justify="left"), lambda one: one.check),
    Field(Column("dtype", justify="left"), lambda one: one.dtype),
    Field(Column("at points"), lambda one: f"{len(one.made):,}"),
    Field(Column("numbers"), lambda one: f"{one.compared:,}"),
    Field(Column("agrees"), lambda one: f"{one.outcomes[Outcome.AGREES]:,}"),
    Field(Column("undecided"), lambda one: f"{one.outcomes[Outcome.UNDECIDED]:,}"),
    Field(Column("disagrees"), lambda one: f"{one.outcomes[Outcome.DISAGREES]:,}"),
    Field(Column("fails"), lambda one: f"{len(one.failing):,}"),
    Field(
        Column("outcome", justify="left"),
        lambda one: one.outcome.value if one.outcome else "not made",
    ),
    Field(Column("why it was not made", justify="left"), lambda one: " ".join(one.absent)),
)


def _checks(checks: Sequence[CheckTally]) -> Table:
    rows = [Row(cells_of(_CHECK_FIELDS, one), one.outcome) for one in checks]
    return Table("Checks", "Each can be switched off by its name.", columns_of(_CHECK_FIELDS), rows)


_COMPONENT_FIELDS: tuple[Field[CheckComponent], ...] = (
    Field(Column("component", justify="left"), called),
    Field(Column("dtype", justify="left"), lambda one: one.dtype),
    *full_fields("point"),
    Field(Column("allowance", justify="left"), lambda one: one.tier),
    OUTCOME,
)


def _components(components: Sequence[CheckComponent]) -> Table:
    """A row for each; of very many the worst."""
    is_long = len(components) > COMPONENTS
    shown = worst_first(components)[:COMPONENTS] if is_long else components
    rows = [Row(cells_of(_COMPONENT_FIELDS, one), one.outcome) for one in shown]
    note = f"The worst {COMPONENTS} of {len(components)}." if is_long else ""
    return Table("Components", CAPTION, columns_of(_COMPONENT_FIELDS), rows, note=note)


_POINT_FIELDS: tuple[Field[CheckPoint], ...] = (
    Field(Column("point"), lambda point: str(point.number)),
    Field(Column("kind", justify="left"), lambda point: point.kind),
    Field(Column("dtype", justify="left"), lambda point: point.dtype),
    Field(Column("inputs", justify="left"), listed),
)


def _points(tally: Tally) -> Table:
    shown = [Row(cells_of(_POINT_FIELDS, point)) for point in tally.points[:POINTS]]
    count = len(tally.points)
    return Table(
        "Points",
        "Where it was tried; of large tensors the shape alone.",
        columns_of(_POINT_FIELDS),
        shown,
        note=f"The first {POINTS} of {count:,}." if count > POINTS else "",
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
