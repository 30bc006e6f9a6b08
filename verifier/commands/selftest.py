"""The judge on trial: what was planted and what was found, in tables; the library's
`verifier.selftest`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rich.text import Text

from verifier.errors import InputError
from verifier.judging.verdict import Outcome
from verifier.process.isolation import isolate
from verifier.reporting.data.training_json import FORMAT, clean, versions
from verifier.reporting.html.page import Causes, Facts, Finding, Page, Table
from verifier.reporting.text.layout import STYLES, WIDTH, Layout, layout_for
from verifier.testing.causes_table import NO_CAUSE, Naming, naming_sheet, namings
from verifier.testing.causes_trial import CauseResult
from verifier.testing.tables import MUST, Sheet, sheets
from verifier.testing.trials import FULL, QUICK, HonestResult, LieResult, TrialResult, list_tasks
from verifier.training.runner import always

FAILURES = 100
"""At most so many are listed on a page."""


@dataclass(frozen=True)
class Trials:
    """What was planted and what was found. `print(trials)` shows the tables."""

    results: tuple[TrialResult, ...]
    planned: int
    done: int
    seed: int
    quick: bool

    @property
    def planted(self) -> list[LieResult]:
        return [one for one in self.results if isinstance(one, LieResult)]

    @property
    def acquitted(self) -> list[HonestResult]:
        return [one for one in self.results if isinstance(one, HonestResult)]

    @property
    def must(self) -> list[LieResult]:
        """The lies that must be found: large ones, and every wrong formula in a graph."""
        return [one for one in self.planted if one.wrong_formula or one.size >= MUST]

    @property
    def missed(self) -> list[LieResult]:
        return [one for one in self.must if not one.found]

    @property
    def false_alarms(self) -> list[HonestResult]:
        """The honest code of which something was refused."""
        return [one for one in self.acquitted if one.false_alarms]

    @property
    def namings(self) -> list[Naming]:
        """How often each cause was named, where it is there and where it is not."""
        return namings([one for one in self.results if isinstance(one, CauseResult)])

    @property
    def misnamed(self) -> list[Naming]:
        """The causes that are named too seldom, or too often."""
        return [row for row in self.namings if not row.is_good]

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """The tables, those with a row."""
        named = self.namings
        return (*sheets(self.planted, self.acquitted), *([naming_sheet(named)] if named else []))

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """130 interrupted; 1 where a lie was missed, honest code refused or a cause misnamed; else
        0.
        """
        if self.done < self.planned:
            return 130
        return 1 if self.missed or self.false_alarms or self.misnamed else 0

    @isolate
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
                "accused": [asdict(one) for one in self.results if isinstance(one, CauseResult)],
            }
        )
        return document

    def lines(self, width: int) -> Iterator[Text]:
        """The tables, line by line, at most `width` columns wide."""
        layout = layout_for(width)
        for sheet in self.sheets:
            yield from layout.prose(sheet.caption, "bold")
            yield from layout.summary(
                sheet.columns, [[(cell,) for cell in row] for row in sheet.rows]
            )
            yield Text("")
        yield from self._verdict(layout)

    def _verdict(self, layout: Layout) -> Iterator[Text]:
        for what, where, told in self._failures():
            yield from layout.prose(f"{what}: {where}: {told}", "bold red")
        if self.done < self.planned:
            yield from layout.prose(f"PARTIAL  {self._partial}", "yellow")
        failed = bool(self.missed or self.false_alarms or self.misnamed)
        yield from layout.prose(
            f"{'FAILED' if failed else 'PASSED'}  {self._counted}",
            STYLES[Outcome.DISAGREES if failed else Outcome.AGREES],
        )

    def _failures(self) -> Iterator[tuple[str, str, str]]:
        """What was missed, refused or misnamed, where, and how much."""
        for lie in self.missed:
            size = "a wrong formula" if lie.wrong_formula else f"{lie.size:.3g} detection limits"
            yield "missed", f"{lie.liar} in {lie.case}, {lie.dtype}, {lie.planting}", size
        for one in self.false_alarms:
            told = f"{one.false_alarms} of {one.components} refused"
            yield "false alarm", f"{one.name} in {one.case}, {one.dtype}, by {one.way}", told
        for row in self.misnamed:
            told = f"wrongly in {row.wrongly} of {row.elsewhere}"
            yield (
                "misnamed",
                row.cause or NO_CAUSE,
                f"rightly in {row.rightly} of {row.planted} formulas, {told}",
            )

    @property
    def _partial(self) -> str:
        return f"interrupted after {self.done} of {self.planned} trials"

    @property
    def _counted(self) -> str:
        components = sum(one.components for one in self.acquitted)
        alarms = sum(one.false_alarms for one in self.acquitted)
        return (
            f"found {len(self.must) - len(self.missed)} of {len(self.must)} lies that must be "
            f"found; {alarms} false "
            f"alarms in {components} components of honest code."
        )

    @isolate
    def to_html(self) -> str:
        """The trials as a page: one HTML file that needs no other, and no network."""
        return self._page().html()

    @isolate
    def _repr_html_(self) -> str:
        return self._page().fragment()

    def _page(self) -> Page:
        failures = list(self._failures())
        found = [Finding(f"{what}: {where}", told, "") for what, where, told in failures[:FAILURES]]
        note = f"The first {FAILURES} of {len(failures)}." if len(failures) > FAILURES else ""
        outcome = Outcome.DISAGREES if failures else Outcome.AGREES
        whole = self.done == self.planned
        verdict = "The judge passed its trial." if not failures else "The judge failed its trial."
        return Page(
            title="verifier: the judge on trial",
            outcome=outcome if whole or failures else Outcome.UNDECIDED,
            verdict=verdict
            if whole or failures
            else f"Nothing has failed so far: {self._partial}.",
            sentences=[f"{self._counted[0].upper()}{self._counted[1:]}"],
            sections=[
                *(
                    [Causes("What failed", found, f"verifier selftest --seed {self.seed}", note)]
                    if found
                    else []
                ),
                *(_sheet_table(sheet) for sheet in self.sheets),
                Facts(
                    "How this was made",
                    [
                        (
                            "shown again by",
                            f"verifier selftest{' --quick' if self.quick else ''} --seed "
                            f"{self.seed}",
                        ),
                        ("trials", f"{self.done} of {self.planned}"),
                        *versions().items(),
                    ],
                ),
            ],
        )

    @isolate
    def __str__(self) -> str:
        return "\n".join(line.plain.rstrip() for line in self.lines(WIDTH))


@isolate
def selftest(
    *, seed: int = 0, quick: bool = False, keep_going: Callable[[int, int], bool] = always
) -> Trials:
    """Plant wrong gradients in code that is right, and see whether the judge finds them and lets
    the rest pass.

    The same seed gives the same trials. `quick` tries a part of them. `keep_going` is asked before
    each piece, with the numbers of those done and planned; its False ends the run.

    Raises InputError for a seed that is no whole number from 0 on.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise InputError(f"the seed {seed!r} is no whole number from 0 on")
    planned = list_tasks(QUICK if quick else FULL, seed)
    results: list[TrialResult] = []
    done = 0
    for task in planned:
        if not keep_going(done, len(planned)):
            break
        results.extend(task())
        done += 1
    return Trials(tuple(results), len(planned), done, seed, quick)


def _sheet_table(sheet: Sheet) -> Table:
    titles = tuple(" ".join(filter(None, (column.top, column.bottom))) for column in sheet.columns)
    labels = tuple(column.labels[0] for column in sheet.columns)
    columns = tuple(max(pair, key=len) for pair in zip(titles, labels, strict=True))
    return Table(sheet.title, sheet.caption, columns, sheet.rows, [None for _ in sheet.rows])
