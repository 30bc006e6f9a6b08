"""The progress bar: how far, how fast, how long still, and what came out so far."""

import io

import pytest
from rich.console import Console

import verifier
from tests.commands.test_check import between
from verifier.commands import tasks
from verifier.commands.cli import run
from verifier.commands.terminal.progress import ProgressBar

NOTE = "loss 0.0123, worst error / allowed 0.43"


@pytest.fixture
def lines(monkeypatch):
    """The lines of a bar for a terminal of some columns, once steps were done in some seconds."""

    def shown(width, done, planned, seconds, note=NOTE):
        now = 0.0
        console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None)
        monkeypatch.setattr(console, "get_time", lambda: now)
        bar = ProgressBar("training", planned, console)
        for place in range(11):
            now = seconds * place / 10
            bar.update(done * place // 10, planned, note)
        page = Console(width=width, file=io.StringIO(), color_system=None)
        page.print(bar._progress.get_renderable())
        bar.stop()
        return [line.rstrip() for line in page.file.getvalue().splitlines()]

    return shown


def test_a_line_of_80_columns(lines):
    bar, note = lines(80, 500, 1000, 10.0)
    assert bar.startswith("training ━")
    assert bar.split()[2:] == ["500", "of", "1,000", "50/s", "0:00:10"]
    assert note == NOTE


def test_a_line_of_40_columns(lines):
    assert lines(40, 500, 1000, 10.0) == ["training  50% 50/s 0:00:10", NOTE]


@pytest.mark.parametrize("width", [40, 60, 69, 70, 80, 120])
@pytest.mark.parametrize(("done", "planned"), [(1, 3), (999_999, 1_000_000)])
def test_no_number_is_cut(lines, width, done, planned):
    found = lines(width, done, planned, 1.0)
    assert all(len(line) <= width for line in found)
    assert "…" not in "".join(found)
    count = f"{done:,} of {planned:,}" if width >= 70 else f"{100 * done / planned:.0f}%"
    assert count in found[0]


def test_without_a_note_there_is_one_line(lines):
    assert len(lines(80, 5, 10, 1.0, "")) == 1


def test_what_a_note_says_is_no_markup_and_no_escape(lines):
    assert lines(80, 5, 10, 1.0, "[red]\x1b[2J")[1] == "[red]\\x1b[2J"


def test_slow_steps_have_a_rate_with_a_decimal(lines):
    assert "0.5/s" in lines(80, 5, 10, 10.0)[0]


def test_a_check_says_what_came_out_so_far():
    report = verifier.check("torch:tanh", inputs={"input": between(-1, 1)}, effort="quick")
    assert tasks._note_on(report).startswith("agrees so far, worst error / allowed 0.")


def test_a_note_that_cannot_be_made_costs_no_verdict(monkeypatch, capsys):
    asked = []

    def broken(report):
        asked.append(report)
        raise ZeroDivisionError

    monkeypatch.setattr(tasks, "_note_on", broken)
    assert run(["check", "torch:tanh", "--input", "input=[0.5]", "--quick"]) == 0
    assert capsys.readouterr().out.startswith("AGREES ")
    assert asked
