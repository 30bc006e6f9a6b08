"""The gallery in one table: a row a model, one verdict, one exit code."""

import json

import verifier
from verifier.commands.cli import run
from verifier.formula.gallery import gallery, group_by_loss, with_own_data
from verifier.judging.verdict import Outcome
from verifier.witnesses import Autograd


class Lying(Autograd):
    def differentiate(self, loss, parameters):
        super().differentiate(loss, parameters)
        parameters[0].grad = -parameters[0].grad


def test_the_tutorials_two():
    summary = verifier.train_all([verifier.load("linear"), verifier.load("quadratic")], epochs=3)
    assert summary.ok
    assert str(summary) == (
        "VERIFIED  2 of 2 models verified.\n\n"
        "                                 digits   error/\n"
        "model      steps  agrees  other   least  allowed  outcome\n"
        "─────────────────────────────────────────────────────────\n"
        "linear         9      18      –     6.5     0.26  agrees\n"
        "quadratic      9      36      –     5.9     0.15  agrees"
    )


def test_one_wrong_model_is_the_verdict_of_all(monkeypatch):
    monkeypatch.setattr("verifier.commands.train.Autograd", Lying)
    summary = verifier.train_all([verifier.load("linear"), verifier.load("quadratic")], epochs=1)
    assert (summary.outcome, summary.exit_code) == (Outcome.DISAGREES, 1)
    text = str(summary)
    assert "look at linear: verifier train linear --epochs 1" in text
    assert text.startswith("DISAGREES  0 of 2 models verified.\n")


def test_exit_codes(monkeypatch):
    monkeypatch.setattr("verifier.commands.train.Autograd", Lying)
    assert run(["train", "--all", "--epochs", "1"]) == 1


def test_the_whole_gallery_on_the_command_line(capsys):
    assert run(["train", "--all", "--epochs", "1", "--json", "-"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [part["model"]["name"] for part in report["reports"]] == [
        model.name for model in with_own_data()
    ]
    assert (report["format"], report["command"], report["outcome"], report["ok"]) == (
        "verifier/1",
        "train",
        "agrees",
        True,
    )


def test_narrow_terminals_stack(capsys):
    summary = verifier.train_all([verifier.load("linear")], epochs=1)
    assert [line.plain for line in summary.lines(40)][:6] == [
        "VERIFIED  1 of 1 model verified.",
        "",
        "linear",
        "  steps                  3",
        "  agrees                 6",
        "  other                  –",
    ]


def test_an_interrupted_training_ends_the_rest():
    asked = iter(range(100))
    summary = verifier.train_all(with_own_data(), keep_going=lambda done, planned: next(asked) < 5)
    assert len(summary.reports) == 1
    assert "PARTIAL  Interrupted after 0 of 31 models." in str(summary)
    assert "0 of 31 models verified." in str(summary)
    assert summary.exit_code == 130
    assert "Interrupted" in str(summary)


def test_groups_are_by_what_is_minimised():
    found = group_by_loss(gallery().values())
    names = {kind: [model.name for model in models] for kind, models in found.items()}
    assert {"linear", "quadratic"} <= set(names["loss squared_error"])
    assert names["loss huber"] == ["robust_line"]
    assert all(model.loss is None for model in found["no data: the formula itself is minimised"])
    assert sum(map(len, found.values())) == len(gallery())
