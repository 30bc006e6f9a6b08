"""The README says what the program does: its transcript is run, its code is run."""

import re
import shlex
from pathlib import Path

from verifier.cli import run

TEXT = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_transcript_is_real(capsys):
    ((command, expected),) = re.findall(r"```console\n\$ verifier (.+)\n([^`]+)```", TEXT)
    assert run(shlex.split(command)) == 0
    assert capsys.readouterr().out == expected


def test_library_code_runs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(re.findall(r"```python\n(.+?)```", TEXT, re.DOTALL)[0])
    scope = {}
    for block in re.findall(r"```python\n(.+?)```", TEXT, re.DOTALL):
        exec(block, scope)
    shown = capsys.readouterr().out
    assert shown.startswith("agrees True\n")
    assert "AGREES  100 of 100 gradients" in shown
    assert run(["train", "mine.py::decay"]) == 0


def test_commands_are_in_the_makefile():
    makefile = (Path(__file__).parent.parent / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make (\w+)", TEXT):
        assert f"\n{target}:" in makefile or target == "and"
