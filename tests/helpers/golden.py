"""Reports as text that somebody has read, kept as files. `python tests/regenerate.py` writes them
anew: read the difference.
"""

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden"
WIDTHS = (120, 80, 40)


def lines(report, width):
    """The lines of a report on a terminal of so many columns, without colour."""
    return [line.plain for line in report.lines(width)]


def text_of(report, width):
    """What a file has of the report."""
    return "\n".join(lines(report, width)) + "\n"


def file_of(name, width):
    return FOLDER / f"{name}_{width}.txt"


def assert_is_golden(report, name, width):
    assert text_of(report, width) == file_of(name, width).read_text(encoding="utf-8")
