"""The judge on trial: what was planted and what was found, in tables; the library's `verifier.selftest`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.text import Text

from verifier.blametrial import Accused
from verifier.cases import DTYPES
from verifier.document import FORMAT, clean, versions
from verifier.errors import InputError
from verifier.judge import Outcome
from verifier.layout import STYLES, WIDTH, Column, Layout, layout_for
from verifier.naming import NO_CAUSE, Naming, naming_table, namings
from verifier.runner import always
from verifier.testing import SMALLEST
from verifier.trials import FULL, QUICK, Acquitted, Checked, Planted, Result, tasks

BUCKETS = ((0.0, 0.25, "below 1/4"), (0.25, 1.0, "1/4 to 1"), (1.0, 4.0, "1 to 4"), (4.0, math.inf, "4 or more"))
"""Sizes of errors in detection limits."""
LARGEST = 1e300
"""Infinite sizes are counted with it."""
MUST = 4.0
"""An error of so many detection limits must be found."""


@dataclass(frozen=True)
class Trials:
    """What was planted and what was found. `print(trials)` shows the tables."""

    results: tuple[Result, ...]
    planned: int
    done: int
    seed: int
    quick: bool

    @property
    def planted(self) -> list[Planted]:
        return [one for one in self.results if isinstance(one, Planted)]

    @property
    def acquitted(self) -> list[Acquitted]:
        return [one for one in self.results if isinstance(one, Acquitted)]

    @property
    def must(self) -> list[Planted]:
        """The lies that must be found: large ones, and every wrong formula in a graph."""
        return [one for one in self.planted if one.wrong_formula or one.size >= MUST]

    @property
    def missed(self) -> list[Planted]:
        return [one for one in self.must if not one.found]

    @property
    def false_alarms(self) -> list[Acquitted]:
        """The honest code of which something was refused."""
        return [one for one in self.acquitted if one.false_alarms]

    @property
    def namings(self) -> list[Naming]:
        """How often each cause was named, where it is there and where it is not."""
        return namings([one for one in self.results if isinstance(one, Accused)])

    @property
    def misnamed(self) -> list[Naming]:
        """The causes that are named too seldom, or too often."""
        return [row for row in self.namings if not row.is_good]

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """130 interrupted; 1 where a lie was missed, honest code refused or a cause misnamed; else 0."""
        if self.done < self.planned:
            return 130
        return 1 if self.missed or self.false_alarms or self.misnamed else 0

    def to_json(self) -> dict[str, Any]:
        """All results in the format `verifier/1`."""
        document: dict[str, Any] = clean(
            {
                "format": FORMAT,
                "command": "selftest",
                "versions": versions(),
                "settings": {"seed": self.seed, "quick": self.quick},
                "ok": self.ok,
                "partial": self.done < self.planned,
                "planted": [asdict(one) for one in self.planted],
                "honest": [asdict(one) for one in self.acquitted],
                "missed": [asdict(one) for one in self.missed],
                "false_alarms": [asdict(one) for one in self.false_alarms],
                "causes": [asdict(row) for row in self.namings],
                "accused": [asdict(one) for one in self.results if isinstance(one, Accused)],
            }
        )
        return document

    def lines(self, width: int) -> Iterator[Text]:
        """The tables, line by line, at most `width` columns wide."""
        layout = layout_for(width)
        yield from _liars(layout, self.planted)
        yield Text("")
        yield from _dtypes(layout, self.planted, self.acquitted)
        yield Text("")
        yield from _gradchecks(layout, self.planted, self.acquitted)
        yield Text("")
        yield from _twins(layout, self.acquitted)
        yield Text("")
        if self.namings:
            yield from naming_table(layout, self.namings)
            yield Text("")
        yield from self._verdict(layout)

    def _verdict(self, layout: Layout) -> Iterator[Text]:
        for lie in self.missed:
            size = "a wrong formula" if lie.wrong_formula else f"{lie.size:.3g} detection limits"
            yield from layout.prose(
                f"missed: {lie.liar} in {lie.case}, {lie.dtype}, {lie.planting}: {size}", "bold red"
            )
        for one in self.false_alarms:
            told = f"{one.false_alarms} of {one.components} refused"
            yield from layout.prose(
                f"false alarm: {one.name} in {one.case}, {one.dtype}, by {one.way}: {told}", "bold red"
            )
        for row in self.misnamed:
            yield from layout.prose(
                f"misnamed: {row.cause or NO_CAUSE}: rightly in {row.rightly} of {row.planted} formulas, "
                f"wrongly in {row.wrongly} of {row.elsewhere}",
                "bold red",
            )
        if self.done < self.planned:
            yield from layout.prose(f"PARTIAL  interrupted after {self.done} of {self.planned} trials", "yellow")
        failed = bool(self.missed or self.false_alarms or self.misnamed)
        components = sum(one.components for one in self.acquitted)
        alarms = sum(one.false_alarms for one in self.acquitted)
        yield from layout.prose(
            f"{'FAILED' if failed else 'PASSED'}  found {len(self.must) - len(self.missed)} of {len(self.must)} lies "
            f"that must be found; {alarms} false alarms in {components} components of honest code.",
            STYLES[Outcome.DISAGREES if failed else Outcome.AGREES],
        )

    def __str__(self) -> str:
        return "\n".join(line.plain.rstrip() for line in self.lines(WIDTH))


def selftest(*, seed: int = 0, quick: bool = False, keep_going: Callable[[int, int], bool] = always) -> Trials:
    """Plant wrong gradients in code that is right, and see whether the judge finds them and lets the rest pass.

    The same seed gives the same trials. `quick` tries a part of them. `keep_going` is asked before each
    piece, with the numbers of those done and planned; its False ends the run.

    Raises InputError for a seed that is no whole number from 0 on.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise InputError(f"the seed {seed!r} is no whole number from 0 on")
    planned = tasks(QUICK if quick else FULL, seed)
    results: list[Result] = []
    done = 0
    for task in planned:
        if not keep_going(done, len(planned)):
            break
        results.extend(task())
        done += 1
    return Trials(tuple(results), len(planned), done, seed, quick)


def _column(top: str, bottom: str = "") -> Column:
    return Column(top, bottom, (f"{top} {bottom}".strip(),))


def _table(layout: Layout, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> Iterator[Text]:
    return layout.summary(columns, [[(cell,) for cell in row] for row in rows])


def _share(found: Sequence[bool]) -> str:
    """How many of how many."""
    return f"{sum(found)}/{len(found)}" if found else "–"


def _liars(layout: Layout, planted: Sequence[Planted]) -> Iterator[Text]:
    yield from layout.prose(
        "Lies found of those planted in numbers, by the size of the error in detection limits, "
        "and of those planted in a formula; slow and fast: gradcheck's of the errors of 4 or more in float64.",
        "bold",
    )
    columns = [
        _column("lie"),
        *(_column(*_halves(title)) for _, _, title in BUCKETS),
        _column("wrong", "formula"),
        Column("slow", "", ("gradcheck, slow",)),
        Column("fast", "", ("gradcheck, fast",)),
    ]
    rows = {row: [one for one in planted if one.row == row] for row in dict.fromkeys(one.row for one in planted)}
    yield from _table(layout, columns, [[name, *_found(own)] for name, own in {**rows, "all": planted}.items()])


def _found(planted: Sequence[Planted]) -> list[str]:
    """By sizes, in formulas, and by gradcheck."""
    numbers = [one for one in planted if not one.wrong_formula]
    seen = _seen(planted, "float64")
    return [
        *(_share([one.found for one in numbers if low <= min(one.size, LARGEST) < high]) for low, high, _ in BUCKETS),
        _share([one.found for one in planted if one.wrong_formula]),
        _share([one.slow for one in seen]),
        _share([one.fast for one in seen]),
    ]


def _halves(title: str) -> tuple[str, str]:
    first, _, rest = title.partition(" ")
    return first, rest


def _seen(planted: Sequence[Planted], dtype: str) -> list[Checked]:
    """What gradcheck said of errors that must be found."""
    return [one.gradcheck for one in planted if one.gradcheck is not None and one.dtype == dtype and one.size >= MUST]


def _dtypes(layout: Layout, planted: Sequence[Planted], acquitted: Sequence[Acquitted]) -> Iterator[Text]:
    yield from layout.prose("The judge, by dtype; the detection limit is relative, the median of honest code.", "bold")
    columns = [
        _column("dtype"),
        _column("4 limits", "or more"),
        _column("formula off", f"by {SMALLEST:g}"),
        _column("detection", "limit"),
        _column("honest", "components"),
        _column("false", "alarms"),
        _column("undecided"),
    ]
    yield from _table(layout, columns, [_of_dtype(dtype, planted, acquitted) for dtype in DTYPES])


def _of_dtype(dtype: str, planted: Sequence[Planted], acquitted: Sequence[Acquitted]) -> list[str]:
    lies = [one for one in planted if one.dtype == dtype]
    right = [one for one in acquitted if one.dtype == dtype]
    limits = [limit for one in right if one.name.startswith("no lie") for limit in one.limits]
    return [
        dtype,
        _share([one.found for one in lies if not one.wrong_formula and one.size >= MUST]),
        _share([one.found for one in lies if one.wrong_formula and one.liar == f"factor 1 + {SMALLEST:g}"]),
        f"{statistics.median(limits):.1e}" if limits else "–",
        *_counts(right),
    ]


def _counts(right: Sequence[Acquitted]) -> list[str]:
    components = sum(one.components for one in right)
    undecided = sum(one.undecided for one in right)
    return [
        str(components),
        str(sum(one.false_alarms for one in right)),
        f"{undecided / components:.2%}" if components else "–",
    ]


def _gradchecks(layout: Layout, planted: Sequence[Planted], acquitted: Sequence[Acquitted]) -> Iterator[Text]:
    yield from layout.prose(
        "torch.autograd.gradcheck with its defaults on the same code: errors of 4 or more of our detection limits "
        "that it rejects, and honest code that it rejects.",
        "bold",
    )
    columns = [
        _column("dtype"),
        _column("slow", "finds"),
        _column("slow", "false alarms"),
        _column("fast", "finds"),
        _column("fast", "false alarms"),
    ]
    yield from _table(layout, columns, [_gradcheck_row(dtype, planted, acquitted) for dtype in DTYPES])


def _gradcheck_row(dtype: str, planted: Sequence[Planted], acquitted: Sequence[Acquitted]) -> list[str]:
    wrong = _seen(planted, dtype)
    right = [one.gradcheck for one in acquitted if one.gradcheck is not None and one.dtype == dtype]
    return [
        dtype,
        _share([one.slow for one in wrong]),
        _share([one.slow for one in right]),
        _share([one.fast for one in wrong]),
        _share([one.fast for one in right]),
    ]


def _twins(layout: Layout, acquitted: Sequence[Acquitted]) -> Iterator[Text]:
    yield from layout.prose("Honest code: the same functions by other algorithms, in all dtypes.", "bold")
    columns = [
        _column("twin"),
        _column("components"),
        _column("false", "alarms"),
        _column("undecided"),
        _column("error/allowed", "worst"),
    ]
    rows = []
    for name in dict.fromkeys(one.name for one in acquitted):
        own = [one for one in acquitted if one.name == name]
        worst = max(one.ratio for one in own)
        rows.append([name, *_counts(own), f"{worst:.2f}" if worst else "–"])
    yield from _table(layout, columns, [*rows, ["all", *_counts(acquitted), ""]])
