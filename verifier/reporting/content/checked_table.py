"""What was checked, in a small table: checks that agree are one row a group."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from verifier.checking.labels import with_noun, words_text
from verifier.checking.tally.count import CheckTally, Tally
from verifier.judging.outcome import Outcome, worst
from verifier.reporting.content.blocks import Column, Entry, Labelled, Row, Table
from verifier.reporting.content.check_tables import check_named
from verifier.reporting.content.component_rows import DASH

_GROUPS = {
    "value": ("value",),
    "reverse mode": ("reverse",),
    "forward mode": ("forward", "both"),
    "second order": ("second",),
    "vmap": ("vmap",),
    "layouts": ("strided", "expanded", "structured", "undefined"),
    "other uses": ("again", "subset", "same", "size", "mode"),
    "side effects": ("determinism", "overwriting", "form", "reach"),
}
"""Checks that stand in one row where all of them agree."""
_KINDS = {"edge": "at edges", "step": "in the loop"}
"""How many points of a kind there are, in words, where the kind alone is no word for it."""


def checked_table(tally: Tally) -> Table:
    """A row for each group of checks that agree, and for each check that does not."""
    columns = [Column(dtype, justify="left") for dtype in tally.dtypes]
    lines = list(_lines(tally))
    width = 2 + max((len(line.title) for line in lines), default=0)
    parts = [line.entry(tally.dtypes, width) for line in lines]
    return Table("What was checked", "", [Column("checked", justify="left"), *columns], parts)


@dataclass(frozen=True, eq=False)
class _Line:
    """A row: some checks that were made, or why they were not."""

    title: str
    checks: Sequence[CheckTally] = ()
    reason: str = ""

    def entry(self, dtypes: Sequence[str], width: int) -> Entry:
        if self.reason:
            return Labelled(self.title, f"not made: {self.reason}", "dim", width=width)
        cells = [_cell([one for one in self.checks if one.dtype == dtype]) for dtype in dtypes]
        outcome = worst(one.outcome or Outcome.AGREES for one in self.checks)
        return Row((self.title, *cells), None if outcome is Outcome.AGREES else outcome)


def _lines(tally: Tally) -> Iterator[_Line]:
    named = {name: title for title, names in _GROUPS.items() for name in names}
    found: dict[str, list[CheckTally]] = {}
    for one in tally.checks:
        found.setdefault(named.get(one.check, one.check), []).append(one)
    for title in sorted(found, key=lambda title: [*_GROUPS, *found].index(title)):
        yield from _group(title, found[title])


def _group(title: str, checks: Sequence[CheckTally]) -> Iterator[_Line]:
    made = [one for one in checks if one.made]
    failing = {one.check for one in made if one.outcome is not Outcome.AGREES}
    for name in dict.fromkeys(one.check for one in made if one.check in failing):
        yield _Line(_title(name, title), [one for one in made if one.check == name])
    agreeing = [one for one in made if one.check not in failing]
    names = {one.check for one in agreeing}
    if agreeing:
        yield _Line(_title(min(names), title) if len(names) == 1 and failing else title, agreeing)
    yield from _not_made(title, checks)


def _not_made(title: str, checks: Sequence[CheckTally]) -> Iterator[_Line]:
    reasons: dict[str, dict[str, list[str]]] = {}
    for one in checks:
        for reason in one.absent:
            reasons.setdefault(reason, {}).setdefault(one.check, []).append(one.dtype)
    dtypes = {one.dtype for one in checks}
    for reason, found in reasons.items():
        missing = {dtype for where in found.values() for dtype in where}
        where = "" if missing == dtypes else f" (in {words_text(sorted(missing))})"
        name = title if len(found) > 1 else _title(next(iter(found)), title)
        yield _Line(name, reason=f"{reason}{where}")


def _title(check: str, group: str) -> str:
    """What a row of one check is called; the group's name where the check is all there is of it."""
    return group if len(_GROUPS.get(group, ())) <= 1 else check_named(check).title


def _cell(checks: Sequence[CheckTally]) -> str:
    """How the checks came out in one dtype."""
    if not checks:
        return DASH
    compared = sum(one.compared for one in checks)
    wrong, undecided = (
        sum(one.outcomes[outcome] for one in checks)
        for outcome in (Outcome.DISAGREES, Outcome.UNDECIDED)
    )
    points = sum(len(one.failing) for one in checks)
    phrases = [
        *([f"{wrong:,} of {compared:,} wrong"] if wrong else []),
        *([f"{undecided:,} of {compared:,} undecided"] if undecided and not wrong else []),
        *([f"fails at {with_noun(points, 'point')}"] if points else []),
    ]
    return ", ".join(phrases) or _right(checks, compared)


def _right(checks: Sequence[CheckTally], compared: int) -> str:
    if compared:
        return f"{compared:,} agree{'s' * (compared == 1)}"
    if any(one.parts for one in checks):
        return "nothing to compare"
    return "holds"


def points_sentence(tally: Tally) -> str:
    """Where it was tried, and with what it was compared."""
    kinds = Counter(point.kind for point in tally.points)
    counts = ", ".join(f"{count:,} {_KINDS.get(kind, kind)}" for kind, count in kinds.items())
    points = f"{with_noun(len(tally.points), 'point')}{': ' * bool(counts)}{counts}"
    where = f"Compared with {_other(tally.checked.against)} at {points}; seed {_seed(tally)}."
    return " ".join((where, *_borders_sentence(tally)))


def _borders_sentence(tally: Tally) -> Iterator[str]:
    """How many borders of the code have points on both sides, of the dtype with the fewest."""
    found = [one for _, one in tally.checked.coverage if one.borders]
    least = min(found, key=lambda one: one.reached / one.borders, default=None)
    if least is None:
        return
    if least.missed:
        yield f"Of {with_noun(least.borders, 'border')} of the code {least.reached or 'none'}"
    elif least.borders == 1:
        yield "The border of the code"
    else:
        yield f"All {least.borders} borders of the code"
    is_one = (least.reached if least.missed else least.borders) <= 1
    yield f"{'has' if is_one else 'have'} points on both sides."


def _other(against: str) -> str:
    if against == "its own forward":
        return "the derivative of its own forward"
    return f"the {against}" if against.startswith("reference ") else against


def _seed(tally: Tally) -> int:
    return tally.checked.settings.seed


def limit_sentence(tally: Tally) -> str:
    """How small an error would have been found, where nothing is wrong."""
    if tally.outcome is not Outcome.AGREES:
        return ""
    limits: dict[str, float] = {}
    for one in tally.components:
        if not math.isnan(one.limit_median):
            limits[one.dtype] = max(limits.get(one.dtype, 0.0), one.limit_median)
    if not limits:
        return ""
    each = ", ".join(f"{limit:.1e} in {dtype}" for dtype, limit in limits.items())
    return f"Detection limit (the relative error that would typically have been found): {each}."
