"""Handout: a lesson as one page of HTML that loads nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from verifier.explaining.lessons.plot import ON_A_SCREEN, ON_A_TELEPHONE, Drawing
from verifier.explaining.lessons.reader import ClaimResult, Code, Passage, Script, scripts
from verifier.explaining.lessons.wording import WORDING
from verifier.operations.number_text import number
from verifier.reporting.data.document import versions
from verifier.reporting.html.page import PageScript
from verifier.reporting.html.svg import inline

_HERE = Path(__file__).parent


def lesson_page(script: Script, parts: Sequence[Passage | Code | ClaimResult | Drawing]) -> str:
    """The page of the lesson `script` with its `parts`; whatever is put into it is escaped, and
    Markdown may hold no HTML.
    """
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {
        "markdown": _lesson_markup,
        "number": number,
        "svg": _drawn,
        "runs": _runs,
    }
    has_slider = any(isinstance(part, Drawing) and part.runs for part in parts)
    slider = PageScript((_HERE / "slider.js").read_text(encoding="utf-8"))
    return environment.get_template("page.html").render(
        script=script,
        lessons=len(scripts()),
        parts=[(type(part).__name__, part) for part in parts],
        ok=all(part.holds for part in parts if isinstance(part, ClaimResult)),
        words=WORDING[script.language],
        versions=versions(),
        slider=slider if has_slider else None,
    )


def _lesson_markup(text: str) -> Markup:
    # Markdown-it escapes what is not Markdown, since HTML is switched off.
    return Markup(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))  # noqa: S704


def _drawn(drawing: Drawing, where: str) -> Markup:
    """The drawing for a screen or for a phone, with one of its runs in sight."""
    shape = ON_A_SCREEN if where == "wide" else ON_A_TELEPHONE
    written = inline(drawing.picture.svg(shape), f"{drawing.plot.name}-{where}")
    for place in range(len(drawing.runs)):
        if place != drawing.at:
            own = f'id="{drawing.plot.name}-{where}-run-{place}"'
            written = written.replace(own, f'{own} visibility="hidden"')
    return Markup(written)  # noqa: S704 (matplotlib's drawing, its text escaped)


def _runs(drawing: Drawing) -> Markup:
    """What each run is called and shows, as data that runs nothing."""
    written = json.dumps([[run.name, run.sentence] for run in drawing.runs])
    return Markup(written.replace("<", "\\u003c"))  # noqa: S704
