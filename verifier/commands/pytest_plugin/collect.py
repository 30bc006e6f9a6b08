"""Collecting: the reports of the checks that a test made, counted and written as files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from verifier.checking.defaults import FinishedCheck
from verifier.reporting.atomic_write import write

LONGEST = 120
"""Characters of a test's name that its files' names show."""
_WORDS = {
    "agrees": ("agrees", "agree"),
    "undecided": ("is undecided", "are undecided"),
    "disagrees": ("disagrees", "disagree"),
}
"""What one check does and what several do, for each outcome."""


class Collector:
    """Takes the reports of one test, and writes each into the folder, if there is one."""

    def __init__(self, test: str, folder: Path | None) -> None:
        self._test = test
        self._folder = folder
        self._made = 0
        self._outcomes: list[str] = []

    def add(self, report: FinishedCheck) -> None:
        """Count the report and write it; a file of the same test and number is replaced.

        Raises InputError where it cannot be written.
        """
        self._made += 1
        self._outcomes.append(str(report.outcome))
        if self._folder is not None:
            text = json.dumps(report.to_json(), allow_nan=False, indent=1, ensure_ascii=False)
            write(self._folder / file_name(self._test, self._made), text.encode("utf-8"))

    def take(self) -> list[str]:
        """The outcomes since they were last taken."""
        taken, self._outcomes = self._outcomes, []
        return taken


def file_name(test: str, number: int) -> str:
    """The file of a test's report: another for each test and number, and good on every system.

    >>> file_name("tests/test_loss.py::test_focal[float32-a/b]", 1)
    'tests-test_loss-py-test_focal-float32-a-b-28aa1c60-1.json'
    """
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", test).strip("-")[-LONGEST:]
    # What is replaced or cut off, and capitals where a system tells none, still make a difference.
    mark = hashlib.sha256(test.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{readable}-{mark}-{number}.json"


def outcomes_text(outcomes: Mapping[str, int]) -> str:
    """How many checks there were and how they came out.

    >>> outcomes_text({"agrees": 11, "disagrees": 1})
    '12 checks, 11 agree, 1 disagrees'
    """
    made = sum(outcomes.values())
    if not made:
        return "no check was made"
    parts = [f"{made} check{'s' * (made != 1)}"]
    for outcome, (one, several) in _WORDS.items():
        if count := outcomes.get(outcome):
            parts.append(f"{count} {one if count == 1 else several}")
    return ", ".join(parts)
