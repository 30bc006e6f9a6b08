"""A report in the forms that were asked for; what cannot be made costs no verdict."""

import json
from pathlib import Path

import pytest
from rich.text import Text

from verifier.commands.cli import run
from verifier.process.workers.messages import Rendered
from verifier.reporting.content.detail import Detail
from verifier.reporting.rendering import Forms, Screen, render, text_of

CHECK = [
    "check",
    "torch:tanh",
    "--input",
    "input=-1:1",
    "--points",
    "1",
    "--dtype",
    "float32",
    "--without",
    "second",
]


class Report:
    exit_code = 1

    def lines(self, width, detail=Detail.SHORT):
        yield Text("─" * width, style="red")

    def to_json(self):
        return {"number": 0.1}

    def markdown(self):
        raise KeyError("broken")


def test_forms():
    forms = Forms(Screen(4), json=True)
    assert render(Report(), forms) == Rendered(1, {"text": "────", "json": '{\n "number": 0.1\n}'})
    assert Forms.of({"screen": {"width": 4}, "json": True}) == forms


def test_a_form_that_cannot_be_made_is_left_out():
    found = render(Report(), Forms(Screen(4), markdown=True), {"compared": 3})
    assert (found.exit_code, found.forms, found.facts["compared"]) == (1, {"text": "────"}, 3)
    assert found.facts["failed"][0].rstrip().endswith("KeyError: 'broken'")


@pytest.mark.parametrize(
    ("screen", "shown"),
    [
        (Screen(2), "──"),
        (Screen(2, encoding="ascii"), "--"),
        (Screen(2, is_terminal=True), "\x1b[31m──\x1b[0m"),
    ],
)
def test_text_for_a_screen(screen, shown, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "COLORTERM", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    assert text_of(Report().lines, screen) == shown


def broken(*_):
    raise ZeroDivisionError("broken")


@pytest.mark.parametrize("form", ["lines", "to_json", "to_html", "markdown"])
def test_what_cannot_be_shown_costs_no_verdict(form, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(f"verifier.reporting.check_report.CheckReport.{form}", broken)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert run([*CHECK, "--json", "a.json", "--html", "a.html", "--markdown", "a.md"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith(
        "verifier: an internal error of verifier (torch:tanh): please send us "
    )
    sent = captured.err.rpartition(" ")[2].strip()
    assert "ZeroDivisionError: broken" in Path(sent).read_text(encoding="utf-8")
    document = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert document["exit_code"] == 0
    assert (tmp_path / "a.html").exists() and (tmp_path / "a.md").exists()
    if form == "lines":
        assert captured.out.startswith(
            "AGREES\nINTERNAL ERROR  the report cannot be shown; the verdict stands: agrees"
        )
    else:
        assert "AGREES" in captured.out
