"""Lesson: it is run, its numbers are filled in, its claims are checked. The library's
`verifier.lesson`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from functools import partial
from io import StringIO
from typing import Literal, TypedDict

from verifier.explaining.lessons.as_html import lesson_page
from verifier.explaining.lessons.as_text import lesson_content
from verifier.explaining.lessons.plot import Drawing, drawing_of
from verifier.explaining.lessons.reader import (
    Claim,
    ClaimResult,
    Code,
    Passage,
    Plot,
    Script,
    Written,
    script,
)
from verifier.formula.add_function import remove_added_functions
from verifier.process.internal_errors import InternalErrors
from verifier.process.isolation import isolate
from verifier.process.values import Facts, UserValue
from verifier.reporting.base_report import BaseReport
from verifier.reporting.content.blocks import Block
from verifier.reporting.content.detail import Detail
from verifier.reporting.data.document import FORMAT, Head, json_object, versions


class LessonName(TypedDict):
    """Which lesson, in which language."""

    number: int
    name: str
    title: str
    language: str


class ClaimDocument(TypedDict):
    """A figure of the text, and what a run has just measured."""

    quantity: str
    value: float
    measured: float
    command: str
    """The command that gives it."""
    json: str | None
    """Where it stands in the JSON of that command."""
    digits: int | None
    """To so many significant digits; null is to the last bit."""
    holds: bool
    """Whether what was measured is the figure."""


class LessonDocument(Head):
    """A lesson's claims."""

    command: Literal["lesson"]
    replay: str
    """The command that shows it again."""
    lesson: LessonName
    ok: bool
    """Whether every claim holds."""
    claims: list[ClaimDocument]


@dataclass(frozen=True, eq=False)
class Lesson(BaseReport):
    """A lesson as it was run. `print(lesson)` shows it."""

    script: Script
    parts: tuple[Passage | Code | ClaimResult | Plot, ...]
    scope: Mapping[str, UserValue] = field(default_factory=dict, repr=False)
    """What the code of the lesson has left, for its figures."""

    @property
    def title(self) -> str:
        """Its title, in its language."""
        return self.script.title

    @property
    def claims(self) -> tuple[ClaimResult, ...]:
        """The claims of its text, each with the number that was measured."""
        return tuple(part for part in self.parts if isinstance(part, ClaimResult))

    @property
    def exit_code(self) -> int:
        """0 where every claim holds, 1 where one does not."""
        return 0 if all(checked.holds for checked in self.claims) else 1

    @property
    def _summary(self) -> str:
        return f"lesson {self.script.name}: a claim does not hold"

    @isolate
    def to_html(self) -> str:
        """The lesson as a page of its own, which loads nothing."""
        errors = InternalErrors()
        shown: list[Passage | Code | ClaimResult | Drawing] = []
        with remove_added_functions():
            for part in self.parts:
                if isinstance(part, Plot):
                    drawn = errors.run("a figure", partial(drawing_of, part, self.scope), None)
                    shown += [drawn] if drawn is not None else []
                else:
                    shown.append(part)
        return lesson_page(self.script, shown)

    @isolate
    def to_json(self) -> Facts:
        """The claims in the format `verifier/1`, in JSON's own types."""
        script = self.script
        document: LessonDocument = {
            "format": FORMAT,
            "command": "lesson",
            "versions": versions(),
            "replay": script.command,
            "lesson": {
                "number": script.number,
                "name": script.name,
                "title": script.title,
                "language": script.language,
            },
            "ok": self.ok,
            "claims": [_claim_document(checked) for checked in self.claims],
        }
        return json_object(document)

    def content(self, detail: Detail = Detail.SHORT) -> Iterator[Block]:
        """The text, the code with what it printed, and the claims."""
        return lesson_content(self.script, self.parts)


def _claim_document(checked: ClaimResult) -> ClaimDocument:
    claim = checked.claim
    return {
        "quantity": claim.quantity,
        "value": claim.value,
        "measured": checked.measured,
        "command": claim.command,
        "json": claim.json,
        "digits": claim.digits,
        "holds": checked.holds,
    }


def lesson(name: str, language: str = "en") -> Lesson:
    """The lesson of that name or number, with its code run and its claims checked just now.

    `name` is a name such as kink, or a number; `language` is "en", or "zh" for the first four.
    Raises InputError for a lesson that there is not.

    >>> shown = lesson("kink")
    >>> shown.title, shown.ok
    ('A kink', True)
    """
    return run_lesson(script(name, language))


@isolate
def run_lesson(written: Script) -> Lesson:
    """The lesson with its code run, then its numbers filled in and its claims checked."""
    scope: dict[str, UserValue] = {"__name__": f"verifier.lessons.{written.name}"}
    with remove_added_functions():
        ran = [_run_code(part, scope) if isinstance(part, Code) else part for part in written.parts]
    # A text may speak of what the code below it will find.
    return Lesson(written, tuple(_fill_in(part, scope) for part in ran), scope)


def _run_code(code: Code, scope: dict[str, UserValue]) -> Code:
    printed = StringIO()
    with redirect_stdout(printed):
        # The lessons are files of this package.
        exec(compile(code.source, scope["__name__"], "exec"), scope)  # noqa: S102
    return replace(code, printed=printed.getvalue())


def _fill_in(part: Written, scope: dict[str, UserValue]) -> Passage | Code | ClaimResult | Plot:
    match part:
        case Passage(text):
            return Passage(text.format_map(scope))
        case Claim(measured=measured):
            return ClaimResult(part, float(scope[measured]))
    return part
