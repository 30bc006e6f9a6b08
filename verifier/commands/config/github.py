"""Failures as annotations of GitHub's: each at the file and the line of the backward."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from verifier.commands.config.junit import plain_text
from verifier.commands.config.report import ConfigReport, TargetResult
from verifier.commands.config.source_line import source_line
from verifier.errors import printable


def annotation_lines(report: ConfigReport) -> Iterator[str]:
    """A line for each target that is not verified, in the form that GitHub's runner reads."""
    folder = report.config.path.parent
    for result in report.results:
        if result.exit_code:
            yield _annotation(result, folder)


def _annotation(result: TargetResult, folder: Path) -> str:
    place = source_line(result.target, folder)
    at = "" if place is None else f"file={_property(place.file)},line={place.line},"
    title = f"title={_property(f'verifier: {result.target}')}"
    first = "\n\n".join(plain_text(result).split("\n\n")[:2])
    lines = [*result.remarks, *first.split("\n")]
    message = "\n".join(printable(line) for line in lines if line) or result.outcome
    return f"::error {at}{title}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(printable(text)).replace(":", "%3A").replace(",", "%2C")
