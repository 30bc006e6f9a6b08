"""The page of a check: the verdict, what it was compared with, causes with their evidence, pictures
and tables.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from markupsafe import Markup

from verifier.checking.check_result import CheckResult
from verifier.checking.labels import place_text, point_text, target_name, with_noun
from verifier.checking.tally.components import CheckComponent, Place
from verifier.checking.tally.count import CheckTally, Tally
from verifier.errors import InputError
from verifier.formula.text.parser import read_text, symbol_names
from verifier.judging.finding import CheckPoint
from verifier.judging.verdict import Outcome
from verifier.operations.number_text import number, short
from verifier.program.builder import FormulaBuilder
from verifier.program.sympy_form import expressions
from verifier.reporting.content.blocks import (
    STYLES,
    Blank,
    Block,
    Labelled,
    Part,
    Sentence,
    Table,
)
from verifier.reporting.content.both_numbers import exact_text
from verifier.reporting.content.check import formula_sentence, remarks
from verifier.reporting.content.check_failures import undecided_blocks, wrong_blocks
from verifier.reporting.content.check_tables import check_named, worst_first
from verifier.reporting.content.check_verdict import verdict
from verifier.reporting.content.checked_table import checked_table
from verifier.reporting.content.component_rows import CAPTION, DASH, full_fields
from verifier.reporting.content.detail import Detail
from verifier.reporting.content.fields import Field, no_outcome, numbers, table_of, words
from verifier.reporting.html.check_picture import error_picture, name_with_quantity
from verifier.reporting.html.mathml import mathml, text
from verifier.reporting.html.page import (
    Folded,
    Formula,
    Formulas,
    Page,
    Pictures,
    Section,
    folded_if_long,
    folded_table,
    how_it_was_made,
)

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
    first, more = _first_failure([*wrong_blocks(tally, Detail.VERBOSE)])
    return Page(
        title=f"verifier: {target_name(checked.target)}",
        outcome=tally.outcome,
        verdict=verdict(tally).sentence,
        sentences=list(_sentences(tally)),
        sections=[
            *_part("What is wrong, and why", first),
            *_checked(tally),
            *_more(more),
            _against(checked),
            *_part("What could not be decided", undecided_blocks(tally)),
            *_part("Notes", remarks(tally, Detail.VERBOSE)),
            *(
                [Pictures("Picture", [error_picture(tally.components)])]
                if tally.outcomes.total()
                else []
            ),
            folded_if_long(_checks(tally.checks)),
            *map(folded_table, _numbers(tally)),
            *([folded_if_long(_components(tally.components))] if tally.components else []),
            folded_if_long(_points(tally)),
            _how(tally, replay),
        ],
    )


def _not_made(table: Table) -> Iterator[Labelled]:
    for part in table.parts:
        if isinstance(part, Labelled):
            yield replace(part, text=part.text.removeprefix("not made: "))


def _first_failure(blocks: Sequence[Block]) -> tuple[Sequence[Block], Sequence[Block]]:
    """What is said of the first failure, and of all others."""
    starts = [
        place
        for place, block in enumerate(blocks)
        if isinstance(block, Sentence) and block.style == STYLES[Outcome.DISAGREES]
    ]
    end = starts[1] if len(starts) > 1 else len(blocks)
    return blocks[:end], blocks[end:]


def _more(blocks: Sequence[Block]) -> Iterator[Folded]:
    """The other failures, folded."""
    for part in _part("What else is wrong", blocks):
        yield Folded(part, part.sentences[0])


def _checked(tally: Tally) -> Iterator[Section]:
    """What was checked, as a terminal shows it, and what was not made."""
    table = checked_table(tally)
    if table.rows:
        yield table
    yield from _part("Not made", _not_made(table))


def _failing(tally: Tally) -> list[CheckComponent]:
    """The components that disagree, gradients before what is derived from them."""
    return [one for same in tally.failing for one in same]


def _sentences(tally: Tally) -> Iterator[str]:
    agree, undecided, disagree = (f"{tally.outcomes[outcome]:,}" for outcome in Outcome)
    made = with_noun(len({one.check for one in tally.checks if one.made}), "check")
    yield f"{made} made; {agree} numbers agree, {undecided} are undecided, {disagree} disagree."
    yield formula_sentence(tally)
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


def _part(title: str, blocks: Iterable[Block]) -> list[Part]:
    """The blocks as a section; none where there is nothing to say."""
    found = [block for block in blocks if not isinstance(block, Blank)]
    return [Part(title, found)] if found else []


_Number = tuple[CheckComponent, Place]
_NUMBER_FIELDS: tuple[Field[_Number], ...] = (
    words("where", lambda one: _where(*one)),
    words("check", lambda one: check_named(one[1].finding.check).title),
    words("dtype", lambda one: one[1].finding.dtype),
    numbers("point", lambda one: _point_number(one[1].finding.point)),
    numbers("stated", lambda one: number(one[1].comparison.stated)),
    numbers("exact", lambda one: exact_text(one[1].comparison)),
    numbers("error", lambda one: short(one[1].comparison.error)),
    numbers("allowed", lambda one: short(one[1].comparison.allowed)),
    words("why", lambda one: _reason(one[1])),
)


def _where(component: CheckComponent, place: Place) -> str:
    return place_text(place.part, place.index, place.finding.point) or name_with_quantity(component)


def _point_number(point: CheckPoint | None) -> str:
    return str(point.number) if point else DASH


def _reason(place: Place) -> str:
    is_formula = place.is_wrong_formula
    return "its formula is wrong in exact arithmetic" if is_formula else place.comparison.note.value


def _numbers(tally: Tally) -> list[Table]:
    """The numbers that disagree, of each component the worst ones; none where there are none."""
    chosen = [(one, place) for one in _failing(tally) for place in _worst(one)][:FAILURES]
    count = tally.outcomes[Outcome.DISAGREES]
    table = table_of(
        "Numbers that disagree",
        "What was stated and what is exact; the error and what rounding allows are absolute.",
        _NUMBER_FIELDS,
        chosen,
        lambda _: Outcome.DISAGREES,
        note=f"The worst {len(chosen)} of {count:,}." if count > len(chosen) else "",
    )
    return [table] if chosen else []


def _worst(component: CheckComponent) -> list[Place]:
    failing = [
        Place(one, int(element))
        for one in component.statements
        for element in np.flatnonzero(one.part.verdicts.severity == Outcome.DISAGREES.severity)[
            :FAILURES
        ]
    ]
    return sorted(failing, key=lambda place: -place.ratio)[:OF_EACH]


def _against(checked: CheckResult) -> Section:
    """The formula as an equation where it was given as text; else what it was compared with, in
    words.
    """
    title = "What it is compared with"
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
        return Part(title, [Sentence(own.get(checked.against, checked.against))])
    name = f"<math><mtext>{Markup.escape(target_name(checked.target))}</mtext></math>"
    right = Markup(text(f"{over}\u2003")) + written if over else written  # noqa: S704 (text escapes)
    left = Markup(name)  # noqa: S704 (escaped)
    text_form = f"{target_name(checked.target)} = {checked.against}"
    return Formulas(title, [Formula(left, right, text_form)])


def _reduced(against: str) -> tuple[str, str]:
    """How the formula's elements are put together, and the formula."""
    for reduction in ("sum of", "mean of"):
        if against.startswith(f"{reduction} "):
            return reduction, against.removeprefix(f"{reduction} ")
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


_CHECK_FIELDS: tuple[Field[CheckTally], ...] = (
    words("check", lambda one: check_named(one.check).title),
    words("name", lambda one: one.check),
    words("dtype", lambda one: one.dtype),
    numbers("at points", lambda one: f"{len(one.made):,}"),
    numbers("numbers", lambda one: f"{one.compared:,}"),
    numbers("agrees", lambda one: f"{one.outcomes[Outcome.AGREES]:,}"),
    numbers("undecided", lambda one: f"{one.outcomes[Outcome.UNDECIDED]:,}"),
    numbers("disagrees", lambda one: f"{one.outcomes[Outcome.DISAGREES]:,}"),
    numbers("fails", lambda one: f"{len(one.failing):,}"),
    words("outcome", lambda one: one.outcome.value if one.outcome else "not made"),
    words("why it was not made", lambda one: " ".join(one.absent)),
)


def _checks(checks: Sequence[CheckTally]) -> Table:
    return table_of("Checks", "Each can be switched off by its name.", _CHECK_FIELDS, checks)


_COMPONENT_FIELDS: tuple[Field[CheckComponent], ...] = (
    words("component", name_with_quantity),
    words("dtype", lambda one: one.dtype),
    *full_fields("point"),
    words("allowance", lambda one: one.tier),
)


def _components(components: Sequence[CheckComponent]) -> Table:
    """A row for each; of very many the worst."""
    is_long = len(components) > COMPONENTS
    shown = worst_first(components)[:COMPONENTS] if is_long else components
    note = f"The worst {COMPONENTS} of {len(components)}." if is_long else ""
    return table_of("Components", CAPTION, _COMPONENT_FIELDS, shown, note=note)


_POINT_FIELDS: tuple[Field[CheckPoint], ...] = (
    numbers("point", lambda point: str(point.number)),
    words("kind", lambda point: point.kind),
    words("dtype", lambda point: point.dtype),
    words("inputs", point_text),
)


def _points(tally: Tally) -> Table:
    count = len(tally.points)
    return table_of(
        "Points",
        "Where it was tried; of large tensors the shape alone.",
        _POINT_FIELDS,
        tally.points[:POINTS],
        no_outcome,
        note=f"The first {POINTS} of {count:,}." if count > POINTS else "",
    )


def _how(tally: Tally, replay: str | None) -> Folded:
    settings = tally.checked.settings
    facts = {
        "target": tally.checked.target,
        "random points": settings.points,
        "seed": settings.seed,
        "effort": settings.effort,
        "switched off": ", ".join(settings.without) or "nothing",
        "digits asked for": "none" if settings.digits is None else f"{settings.digits:g}",
        "timeout": "none" if settings.timeout is None else f"{settings.timeout:g} s",
        "detached paths": "taken for constants" if settings.honour_detach else "found",
    }
    return how_it_was_made(replay, "the target or its inputs were", facts.items())
