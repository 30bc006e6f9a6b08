"""The README's way for somebody new: a loss with a wrong backward, the verdict, the cause, and the
correction.
"""

import re
from pathlib import Path

import pytest

from verifier.commands.cli import run

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
(LOSS,) = re.findall(r"```python\n(# losses\.py\n.+?)```", README, re.DOTALL)
(COMMAND,) = re.findall(r"^\$ verifier (check losses.py.+)$", README, re.MULTILINE)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "losses.py").write_text(LOSS, encoding="utf-8")
    return tmp_path


def test_a_wrong_backward_is_found_and_corrected(folder, capsys):
    assert run(COMMAND.split()) == 1
    shown = capsys.readouterr().out
    assert "likely     Sum for mean: it is 3 times the exact gradient, and p has 3 rows" in shown
    right = LOSS.replace("(p - y), g", "(p - y) / p.numel(), g").replace(
        "(y - p)\n", "(y - p) / p.numel()\n"
    )
    assert right.count("/ p.numel()") == 2
    (folder / "losses.py").write_text(right, encoding="utf-8")
    assert run(COMMAND.split()) == 0
    assert "AGREES" in capsys.readouterr().out


@pytest.mark.parametrize(
    "right",
    [["--formula", "(p - y)**2", "--reduction", "mean"], ["--reference", "losses.py::plain"]],
)
def test_what_is_right_can_be_said(folder, capsys, right):
    (folder / "losses.py").write_text(
        LOSS + "\n\ndef plain(p, y):\n    return ((p - y) ** 2).mean()\n", encoding="utf-8"
    )
    assert run([*COMMAND.split(), *right]) == 1
    assert "Sum for mean" in capsys.readouterr().out


def test_the_command_that_shows_it_again(folder, capsys):
    run(COMMAND.split())
    shown = capsys.readouterr().out
    (again,) = re.findall(r"  try        verifier (check .+?)\n\n", shown, re.DOTALL)
    words = re.sub(r"\s+", " ", again).replace("'", "").split(" ")
    assert run(words) == 1
    assert "The gradient of MeanSquares by p and y is wrong." in capsys.readouterr().out
