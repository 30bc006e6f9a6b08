"""Pages: one HTML file made of sections, which needs nothing outside itself.

Every report makes its page of the same parts: the verdict in words, then formulas, pictures, tables
and causes. Text is escaped by the template; only what `mathml` and `vector` wrote is taken as
markup. The one script sorts long tables; the policy in the page forbids every other script and all
requests.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Protocol

from markupsafe import Markup

from verifier.errors import printable
from verifier.judging.verdict import Outcome
from verifier.process import values
from verifier.reporting.content.blocks import STYLES, Facts, Part, Table
from verifier.reporting.data.document import versions
from verifier.reporting.html.page_table import page_table
from verifier.reporting.html.picture import NARROW, WIDE, Picture
from verifier.reporting.html.svg import inline, inline_sized

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Formula:
    """An equation: what it is for, its sides as MathML, and the text that SymPy reads."""

    left: Markup
    right: Markup
    text: str
    short: Markup | None = None
    """The right side with six digits in its numbers, where it has longer ones."""


@dataclass(frozen=True)
class Formulas:
    """A section with formulas below each other."""

    kind: ClassVar[str] = "formulas"
    title: str
    entries: Sequence[Formula]
    note: str = ""


class Drawn(Protocol):
    """A picture and the text for those who do not see it."""

    @property
    def name(self) -> str:
        """What the ids of its parts begin with, so that two pictures of a page share none."""

    @property
    def title(self) -> str:
        """The heading above the picture."""

    @property
    def description(self) -> str:
        """What it shows, for people who do not see it."""

    def svg(self) -> str:
        """The picture as a document of SVG."""


@dataclass(frozen=True)
class Pictures:
    """A section with pictures, each with its title and its description."""

    kind: ClassVar[str] = "pictures"
    title: str
    pictures: Sequence[Picture]

    def drawn(self) -> list[tuple[Picture, Markup, Markup]]:
        """Each picture with its SVG for a screen and for a phone, as elements of this page."""
        return [
            (
                picture,
                Markup(inline(picture.svg(WIDE), picture.name)),  # noqa: S704
                Markup(inline(picture.svg(NARROW), f"{picture.name}-narrow")),  # noqa: S704
            )
            for picture in self.pictures
        ]


@dataclass(frozen=True, eq=False)
class Diagram:
    """A picture whose words must stay as large as they are: it is scrolled where there is no
    room.
    """

    kind: ClassVar[str] = "diagram"
    title: str
    picture: Drawn
    short: Drawn
    """The same with six digits in its numbers."""

    def drawn(self, picture: Drawn) -> Markup:
        """The picture as part of the page, as large as it was drawn."""
        return Markup(inline_sized(picture.svg(), picture.name))  # noqa: S704


FOLDED = 12
"""Tables of more rows are folded."""


@dataclass(frozen=True)
class Folded:
    """A section behind a line that says what is in it. In a browser with scripts the rows of a
    table are sorted, filtered and paged there.
    """

    kind: ClassVar[str] = "folded"
    section: Table | Part | Formulas | Facts
    summary: str

    @property
    def title(self) -> str:
        """That of the section."""
        return self.section.title


def folded_table(table: Table) -> Folded:
    """The table behind a line that says how long it is."""
    return Folded(table, f"{len(table.rows):,} row{'s' * (len(table.rows) != 1)}")


def folded_if_long(table: Table) -> Table | Folded:
    """The table, folded where it has many rows."""
    return folded_table(table) if len(table.rows) > FOLDED else table


def how_it_was_made(replay: str | None, given: str, facts: Iterable[tuple[str, object]]) -> Folded:
    """The command `replay` that shows it again, or what was `given` in code so that there is none;
    behind it `facts` and versions.
    """
    again = replay or f"Python only: {given} given in code"
    named = [(name, str(value)) for name, value in facts]
    return Folded(Facts("How this was made", [*named, *versions().items()]), again)


Section = Formulas | Pictures | Diagram | Part | Table | Folded | Facts


@dataclass(frozen=True)
class PageScript:
    """A script of the project's own, which the page's policy names by its hash."""

    source: str

    @property
    def markup(self) -> Markup:
        """The script as it stands in the page."""
        return Markup(self.source)  # noqa: S704 (the project's own file)

    @property
    def digest(self) -> Markup:
        """The hash by which the policy lets it through."""
        return Markup(_digest(self.source))  # noqa: S704


@dataclass(frozen=True, eq=False)
class Slider:
    """What a script puts in place for each position of a slider: data, which runs nothing."""

    label: str
    positions: Sequence[str]
    """What each position is called."""
    at: int
    """The position that the page shows without its script."""
    data: values.Facts
    """What `slider.js` reads."""

    @property
    def json(self) -> Markup:
        """The data as an element that holds no script takes it: no text in it ends that element."""
        known = {**self.data, "positions": [*self.positions]}
        written = json.dumps(known, allow_nan=False, separators=(",", ":"))
        return Markup(written.replace("<", "\\u003c"))  # noqa: S704


@dataclass(frozen=True, eq=False)
class Page:
    """A page: its title, the verdict, what the verdict means in sentences, and the sections."""

    title: str
    outcome: Outcome
    verdict: str
    sentences: Sequence[str]
    sections: Sequence[Section] = field(default_factory=tuple)
    slider: Slider | None = None

    @property
    def scripts(self) -> list[PageScript]:
        """The project's own scripts that the page needs."""
        names = {"table.js": self.folds, "slider.js": self.slider is not None}
        return [PageScript(_own_file(name)) for name, is_needed in names.items() if is_needed]

    @property
    def folds(self) -> bool:
        """Whether there is a long table for the script."""
        return any(
            isinstance(section, Folded) and isinstance(section.section, Table)
            for section in self.sections
        )

    def html(self) -> str:
        """The whole file."""
        style = _own_file("style.css")
        text: str = (
            _environment()
            .get_template("page.html")
            .render(
                page=self,
                style=Markup(style),  # noqa: S704 (the project's own file)
                style_digest=Markup(_digest(style)),  # noqa: S704
            )
        )
        return text

    def fragment(self) -> str:
        """The same without a head, for a notebook's cell."""
        text: str = _environment().get_template("fragment.html").render(page=self)
        return text


def _own_file(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """As a content security policy names what it lets through."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=_shown,
    )  # fmt: skip
    environment.filters |= {"outcome": _outcome, "page_table": page_table}
    return environment


def _outcome(style: str) -> str:
    """The outcome that a terminal shows in that style, as the class of an element."""
    return next((outcome.value for outcome, known in STYLES.items() if known == style), "")


def _shown(value: Any) -> Any:
    """Text on one line, without control characters; markup of our own as it is."""
    return printable(value) if type(value) is str else value
