"""The documentation says what is: the table is written from the rows, the examples run."""

import re
import runpy
from pathlib import Path

import pytest
from test_extending import as_before  # noqa: F401 (an example adds a function)

from verifier.cli import run

DOCS = Path(__file__).parent.parent / "docs"


def test_the_operations_are_those_of_the_table():
    written = runpy.run_path(str(DOCS / "operations.py"))["text"]()
    assert (DOCS / "operations.md").read_text(encoding="utf-8") == written, "python docs/operations.py writes it anew"


@pytest.mark.parametrize("name", ["operations.md", "formulas.md"])
def test_examples_run(name):
    blocks = re.findall(r"```python\n(.+?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        scope = {}
        exec(block, scope)
        assert scope["report"].ok


def test_the_refusal_is_what_is_printed(capsys):
    ((command, shown),) = re.findall(
        r"\$ verifier show --formula \"(.+)\"\n((?:    .*\n)+)", (DOCS / "formulas.md").read_text(encoding="utf-8")
    )
    assert run(["show", "--formula", command]) == 2
    assert capsys.readouterr().err == re.sub(r"^    ", "", shown, flags=re.MULTILINE)
