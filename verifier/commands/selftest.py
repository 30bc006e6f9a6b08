"""The judge on trial: what was planted and what was found, in tables; the library's
`verifier.selftest`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict

from verifier.errors import InputError
from verifier.judging.verdict import Outcome
from verifier.process.isolation import isolate
from verifier.process.values import Facts
from verifier.reporting.base_report import PageReport
from verifier.reporting.content.blocks import (
    STYLES,
    Blank,
    Block,
    Labelled,
    Part,
    Sentence,
    Table,
    Verdict,
)
from verifier.reporting.content.detail import Detail
from verifier.reporting.data.document import FORMAT, Head, json_object, versions
from verifier.reporting.html.page import Page, how_it_was_made
from verifier.testing.causes_table import NO_CAUSE, Naming, naming_table, namings
from verifier.testing.causes_trial import CauseResult
from verifier.testing.tables import MUST, trial_tables
from verifier.testing.trials import FULL, QUICK, HonestResult, LieResult, TrialResult, list_tasks
from verifier.training.runner import always

FAILURES = 100
"""At most so many are listed on a page."""


class TrialSettings(TypedDict):
    """Which trials."""

    seed: int
    quick: bool


class TrialsDocument(Head):
    """The judge on trial."""

    command: Literal["selftest"]
    settings: TrialSettings
    ok: bool
    """Whether the exit code is 0."""
    partial: bool
    """Whether it was interrupted."""
    planted: list[LieResult]
    honest: list[HonestResult]
    missed: list[LieResult]
    """The mistakes that had to be found and were not."""
    false_alarms: list[HonestResult]
    """The honest code of which something was refused."""
    causes: NotRequired[list[Naming]]
    """How often each cause was named in random formulas; the empty cause is that of honest code."""
    accused: NotRequired[list[CauseResult]]
    """Mistakes in random formulas, and the causes that were named."""


@dataclass(frozen=True)
class Trials(PageReport):
    """What was planted and what was found. `print(trials)` shows the tables."""

    results: tuple[TrialResult, ...]
    planned: int
    done: int
    seed: int
    quick: bool

    @property
    def planted(self) -> list[LieResult]:
        """The trials of code with a mistake, those that need not be found among them."""
        return [one for one in self.results if isinstance(one, LieResult)]

    @property
    def acquitted(self) -> list[HonestResult]:
        """The trials of right code, whether they were acquitted or not."""
        return [one for one in self.results if isinstance(one, HonestResult)]

    @property
    def must(self) -> list[LieResult]:
        """The lies that must be found: large ones, and every wrong formula in a graph."""
        return [one for one in self.planted if one.wrong_formula or one.size >= MUST]

    @property
    def missed(self) -> list[LieResult]:
        """The mistakes that had to be found and were not."""
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
    def tables(self) -> tuple[Table, ...]:
        """What was planted and found, counted; causes where any was planted or named."""
        named = self.namings
        causes = [naming_table(named)] if named else []
        return (*trial_tables(self.planted, self.acquitted), *causes)

    @property
    def exit_code(self) -> int:
        """130 interrupted; 1 where a lie was missed, honest code refused or a cause misnamed; else
        0.
        """
        return 130 if self._is_partial else int(self._is_failure)

    @isolate
    def to_json(self) -> Facts:
        """All results in the format `verifier/1`."""
        document: TrialsDocument = {
            "format": FORMAT,
            "command": "selftest",
            "versions": versions(),
            "settings": {"seed": self.seed, "quick": self.quick},
            "ok": self.ok,
            "partial": self._is_partial,
            "planted": self.planted,
            "honest": self.acquitted,
            "missed": self.missed,
            "false_alarms": self.false_alarms,
            "causes": self.namings,
            "accused": [one for one in self.results if isinstance(one, CauseResult)],
        }
        return json_object(document)

    @property
    def _is_partial(self) -> bool:
        return self.done < self.planned

    @property
    def _is_failure(self) -> bool:
        return bool(self.missed or self.false_alarms or self.misnamed)

    def content(self, detail: Detail = Detail.SHORT) -> Iterator[Block]:
        """The verdict, what failed, and the tables; the same at any `detail`."""
        outcome = Outcome.DISAGREES if self._is_failure else Outcome.AGREES
        yield Verdict(self._word, self._counted, outcome)
        if self._is_partial:
            yield Sentence(f"PARTIAL  {self._partial}", "yellow")
        yield from (_sentence(*failure) for failure in self._failing())
        for table in self.tables:
            yield Blank()
            yield Sentence(table.caption, "bold")
            yield table

    @property
    def _word(self) -> str:
        return "FAILED" if self._is_failure else "PASSED"

    @property
    def _summary(self) -> str:
        return f"the judge on trial: {self._word.lower()}"

    def _failing(self) -> Iterator[tuple[str, str, str]]:
        """What was missed, refused or misnamed, where, and how much."""
        for lie in self.missed:
            size = "a wrong formula" if lie.wrong_formula else f"{lie.size:.3g} detection limits"
            yield "missed", f"{lie.liar} in {lie.case}, {lie.dtype}, {lie.planting}", size
        for one in self.false_alarms:
            text = f"{one.false_alarms} of {one.components} refused"
            yield "false alarm", f"{one.name} in {one.case}, {one.dtype}, by {one.way}", text
        for row in self.misnamed:
            text = f"wrongly in {row.wrongly} of {row.elsewhere}"
            yield (
                "misnamed",
                row.cause or NO_CAUSE,
                f"rightly in {row.rightly} of {row.planted} formulas, {text}",
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

    def _page(self) -> Page:
        again = f"--seed {self.seed}"
        quick = "--quick " if self.quick else ""
        facts = [("trials", f"{self.done} of {self.planned}")]
        failed = Part("What failed", self._failed(f"verifier selftest {again}"))
        return Page(
            title="verifier: the judge on trial",
            outcome=self._outcome,
            verdict=_HEADLINES[self._outcome].format(self._partial),
            sentences=[f"{self._counted[0].upper()}{self._counted[1:]}"],
            sections=[
                *([failed] if self._is_failure else []),
                *self.tables,
                how_it_was_made(f"verifier selftest {quick}{again}", "", facts),
            ],
        )

    @property
    def _outcome(self) -> Outcome:
        if self._is_failure:
            return Outcome.DISAGREES
        return Outcome.UNDECIDED if self._is_partial else Outcome.AGREES

    def _failed(self, advice: str) -> list[Block]:
        found = [_sentence(*failure) for failure in self._failing()]
        more = Sentence(f"The first {FAILURES} of {len(found)}.")
        return [*found[:FAILURES], *[more] * (len(found) > FAILURES), Labelled("try", advice)]


_HEADLINES = {
    Outcome.AGREES: "The judge passed its trial.",
    Outcome.UNDECIDED: "Nothing has failed so far: {}.",
    Outcome.DISAGREES: "The judge failed its trial.",
}


def _sentence(what: str, where: str, how_much: str) -> Sentence:
    return Sentence(f"{what}: {where}: {how_much}", STYLES[Outcome.DISAGREES])


@isolate
def selftest(
    *, seed: int = 0, quick: bool = False, keep_going: Callable[[int, int], bool] = always
) -> Trials:
    """Plant wrong gradients in code that is right, and see whether the judge finds them and lets
    the rest pass.

    The same `seed` gives the same trials. `quick` tries a part of them. `keep_going` is asked
    before each piece, with the numbers of those done and planned; its False ends the run.

    Raises InputError for a seed that is no whole number from 0 on.

    >>> import verifier
    >>> trials = verifier.selftest(quick=True, keep_going=lambda done, planned: False)
    >>> trials.results, trials.exit_code
    ((), 130)
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
