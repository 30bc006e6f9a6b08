"""What the README says besides its transcript and its code, which test_docs runs as it runs every
document.
"""

import re
import shlex
from pathlib import Path

from verifier.commands.cli import run
from verifier.explaining.lessons.reader import scripts
from verifier.formula import overloads
from verifier.formula.gallery import gallery
from verifier.losses import LOSSES

TEXT = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_library_code_runs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (model,) = [
        block
        for block in re.findall(r"```python\n(.+?)```", TEXT, re.DOTALL)
        if "def decay" in block
    ]
    (tmp_path / "mine.py").write_text(model)
    scope = {}
    for block in re.findall(r"```python\n(.+?)```", TEXT, re.DOTALL):
        exec(block, scope)
    shown = capsys.readouterr().out
    assert shown.startswith("agrees True\n")
    assert "100 of 100 gradients" in " ".join(shown.split())
    assert run(["train", "mine.py::decay"]) == 0


def test_the_formula_on_the_command_line(tmp_path, monkeypatch):
    (command,) = re.findall(r"^    verifier (train --formula .+)$", TEXT, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "points.csv").write_text(
        "t,y\n" + "".join(f"{t},{2.0 / (t + 1)}\n" for t in range(10))
    )
    assert run(shlex.split(command)) == 0


def test_numbers_that_are_written_as_words():
    changes = (Path(__file__).parents[2] / "CHANGELOG.md").read_text(encoding="utf-8")
    assert ("33 models" in TEXT, "33 models" in changes, len(gallery())) == (
        True,
        True,
        33,
    )
    assert ("eleven lessons" in TEXT, "eleven lessons" in changes, len(scripts())) == (
        True,
        True,
        11,
    )
    assert ("Twelve losses" in changes, len(LOSSES)) == (True, 12)
    assert ("About 110 functions" in changes, round(len(overloads.callable_names()), -1)) == (
        True,
        110,
    )


def test_commands_are_in_the_makefile():
    makefile = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make (\w+)", TEXT):
        assert f"\n{target}:" in makefile or target == "and"
