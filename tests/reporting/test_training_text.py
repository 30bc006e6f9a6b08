"""What one sees: golden files at 80 columns, stacked at 40 with every number equal to the JSON."""

import json
import re

import pytest
import torch

import verifier
from tests.helpers.golden import WIDTHS, assert_is_golden, lines
from verifier.commands.cli import run
from verifier.operations.number_text import short
from verifier.reporting.content.training import View
from verifier.reporting.training_report import Report
from verifier.testing.mutations import Tampered

CASES = {
    "linear": lambda: verifier.train(verifier.load("linear"), predict=[{"x": 4}]),
    "quadratic": lambda: verifier.train(verifier.load("quadratic"), predict=[{"x": 4}]),
    "quadratic_failing": lambda: verifier.train(
        verifier.load("quadratic"),
        witness=Tampered(2, torch.neg, (6,)),
        predict=[{"x": 4}],
        third_opinion=True,
    ),
    "quadratic_adam_float64": lambda: verifier.train(
        verifier.load("quadratic"), optimizer="adam", dtype="float64", batch=2, epochs=3
    ),
    "linear_diverging": lambda: verifier.train(verifier.load("linear"), lr=1.0, epochs=60),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("width", WIDTHS)
def test_golden(name, width):
    assert_is_golden(CASES[name](), name, width)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("width", [80, 40, 120])
def test_no_line_is_too_wide_and_no_number_is_cut(name, width):
    for line in lines(CASES[name](), width):
        assert len(line) <= min(width, 80)
        assert "…" not in line or line.lstrip().startswith("exact ")
        assert not line.startswith("...")


@pytest.mark.parametrize("name", ["quadratic", "quadratic_failing", "linear"])
def test_stacked_numbers_are_those_of_the_json(name):
    report = CASES[name]()
    steps = {step["step"]: step for step in report.to_json()["steps"]}
    step = component = None
    compared = 0
    for line in lines(report, 40):
        if found := re.fullmatch(r"step (\d+)", line):
            step = steps[int(found[1])]
        elif line in ("w", "w1", "w2", "b") and step is not None:
            component = step["gradient"][line]
        elif component is None:
            continue  # the first failure in full, above the steps
        elif found := re.fullmatch(r"  (autograd|symbolic|ulps|allowed)\s+(\S+)", line):
            assert float(found[2]) == float(component[found[1]])
            compared += 1
        elif found := re.fullmatch(r"loss (\S+)", line):
            assert float(found[1]) == step["loss"]["autograd"]
        elif line == "":
            step = None
    steps_shown = 1 if name == "quadratic_failing" else 6
    assert compared >= 4 * steps_shown * len(report.components[1:])


def test_wide_numbers_are_those_of_the_json():
    report = CASES["quadratic"]()
    gradients = [step["gradient"] for step in report.to_json()["steps"]]
    rows = [
        line.split() for line in str(report).splitlines() if re.match(r"(w1|w2|b) .*agrees$", line)
    ]
    assert len(rows) == 18
    for place, (name, autograd, symbolic, *_) in enumerate(rows):
        step = gradients[place // 3 if place < 9 else 297 + (place - 9) // 3]
        assert (float(autograd), float(symbolic)) == (
            step[name]["autograd"],
            step[name]["symbolic"],
        )


def test_views():
    model = verifier.load("linear")
    report = verifier.train(model, epochs=6)
    count = lambda view: str(Report(model, report.findings, None, view)).count("\nstep ")  # noqa: E731
    assert count(View()) == 6
    assert count(View(every=1)) == 18
    assert count(View(every=2)) == 9
    assert count(View(only_failing=True)) == 0


def test_long_epochs_are_thinned_and_it_is_said():
    model = verifier.load("linear")
    data = {"x": [1.0 + place / 100 for place in range(50)], "y": [2.0] * 50}
    shown = str(verifier.train(model, data=data, epochs=3))
    assert "⋯ 44 steps not shown, all 44 comparisons agree   (--every 1, --only-failing)" in shown
    assert (
        "⋯ 94 steps not shown, all 94 comparisons agree   (--every 1, --only-failing)" not in shown
    )
    assert shown.count("\nstep ") == 12


def test_long_names_go_above_their_numbers():
    import sympy

    w, x = sympy.symbols("a_parameter_with_a_rather_long_name_that_goes_on x")
    model = verifier.Model(
        w * x, inputs=[x], start={w: 1.0}, loss=verifier.squared_error, data={"x": [3], "y": [1]}
    )
    shown = lines(verifier.train(model, epochs=1), 80)
    assert "a_parameter_with_a_rather_long_name_that_goes_on" in shown
    assert max(map(len, shown)) <= 80


def test_without_colour_and_in_ascii(monkeypatch, capsys):
    assert run(["train", "linear"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_terminals_without_unicode(monkeypatch):
    import io

    import verifier.commands.cli

    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", newline="\n")
    monkeypatch.setattr("sys.stdout", stream)
    assert verifier.commands.cli.run(["train", "linear"]) == 0
    stream.flush()
    shown = stream.buffer.getvalue().decode("cp1252")
    assert "... 294 steps not shown" in shown
    assert "-" * 79 in shown


def test_columns_of_the_environment(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    assert run(["train", "linear", "--epochs", "1"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 40
    assert "  autograd  -2.0" in shown


def test_rich_prints_the_same():
    import io

    from rich.console import Console

    report = CASES["linear"]()
    stream = io.StringIO()
    Console(file=stream, width=80).print(report)
    assert [line.rstrip() for line in stream.getvalue().splitlines()] == str(report).splitlines()


def test_short_numbers():
    assert [short(value) for value in (0.0, 1.05, 123456.0, 1.25e-300, float("inf"))] == [
        "0", "1.05", "1.2e+05", "1.2e-300", "inf",
    ]  # fmt: skip


def test_json_reads_back(tmp_path):
    path = tmp_path / "report.json"
    assert run(["train", "quadratic", "--predict", "x=4", "--json", str(path)]) == 0
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["format"] == "verifier/1"
    assert document["outcome"] == "agrees"
    assert document["ok"] is True
    assert document["replay"] == "verifier train quadratic --predict x=4.0"
    assert document["formula"]["replayed"] is True
    assert document["formula"]["digits"] > 60
    assert document["formula"]["wrong"] == []
    assert document["model"]["gradient"]["b"] == "2*(w1*x**2 + w2*x + b - y)"
    assert document["steps"][2]["gradient"]["w1"]["exact"] == "77.0400063246488571166992187500"
    assert document["components"][1]["outcomes"] == {"agrees": 300, "undecided": 0, "disagrees": 0}
    assert document["components"][1]["tier"] == "proved"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_json_on_standard_output_is_all_there_is(capsys):
    assert run(["train", "linear", "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["steps"]) == 300


def test_json_has_words_for_what_is_not_finite():
    document = CASES["linear_diverging"]().to_json()
    text = json.dumps(document, allow_nan=False)
    assert '"Infinity"' in text
    assert '"NaN"' in text
    assert document["not_finite"]["what"] == "the loss"


def test_a_prediction_of_nan_is_the_same_both_ways():
    report = verifier.train(verifier.load("linear"), lr=1.0, epochs=60, predict=[{"x": 4}])
    assert "prediction x=4: nan both ways" in str(report)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [((), "none of them disagrees"), ((101,), "one of them fails"), ((101, 102), "2 of them fail")],
)
def test_steps_that_are_not_shown_are_counted(more, sentence):
    witness = Tampered(1, torch.neg, (6, 40, 100, *more))
    report = verifier.train(verifier.load("quadratic"), witness=witness)
    assert f"⋯ 200 steps not shown, {sentence}   (" in str(report)
