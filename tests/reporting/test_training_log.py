"""The log of a training: a line of JSON a step, written while it runs."""

import json

import verifier
from verifier.commands.cli import run
from verifier.reporting.data.training_log import TrainingLog


def test_each_step_is_a_line(tmp_path):
    assert run(["train", "linear", "--epochs", "2", "--log", str(tmp_path / "a.jsonl"),
                "--json", str(tmp_path / "a.json")]) == 0  # fmt: skip
    lines = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    steps = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["steps"]
    assert [json.loads(line) for line in lines] == steps and len(steps) == 6


def test_lines_are_there_before_the_end(tmp_path):
    path = tmp_path / "a.jsonl"
    seen = []
    with TrainingLog(str(path)) as log:

        def hear(judged):
            log.add(judged)
            seen.append(len(path.read_text(encoding="utf-8").splitlines()))

        verifier.train(verifier.load("linear"), epochs=500, on_judged=hear)
    assert len(seen) > 1 and seen[0] < seen[-1] == 1500


def test_what_a_person_is_shown():
    log = TrainingLog(None)
    assert log.note == ""
    verifier.train(verifier.load("linear"), epochs=1, on_judged=log.add)
    assert log.note == "loss 7.32, worst error / allowed 0.259"


def test_a_diverging_training_has_a_log(tmp_path):
    path = tmp_path / "a.jsonl"
    assert run(["train", "linear", "--lr", "1", "--epochs", "60", "--log", str(path), "-q"]) == 0
    last = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
    assert last["loss"]["autograd"] == "NaN"


def test_a_log_is_a_file(capsys):
    assert run(["train", "linear", "--log", "-"]) == 2
    assert capsys.readouterr().err == (
        "verifier: --log writes a file: name it, as in --log steps.jsonl\n"
    )
