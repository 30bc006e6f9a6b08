"""Handout: a lesson as one page of HTML that loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from verifier.explaining.lessons.reader import ClaimResult, Code, Passage, Script, scripts
from verifier.explaining.lessons.wording import WORDING
from verifier.operations.number_text import number
from verifier.reporting.data.document_head import versions

_HERE = Path(__file__).parent


def lesson_page(script: Script, parts: Sequence[Passage | Code | ClaimResult]) -> str:
    """The page; whatever is put into it is escaped, and Markdown may hold no HTML."""
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {"markdown": _lesson_markup, "number": number}
    return environment.get_template("page.html").render(
        script=script,
        lessons=len(scripts()),
        parts=[(type(part).__name__, part) for part in parts],
        ok=all(part.holds for part in parts if isinstance(part, ClaimResult)),
        words=WORDING[script.language],
        versions=versions(),
    )


def _lesson_markup(text: str) -> Markup:
    # Markdown-it escapes what is not Markdown, since HTML is switched off.
    return Markup(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))  # noqa: S704
