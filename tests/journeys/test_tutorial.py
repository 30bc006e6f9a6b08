"""The main job: both tutorial models to the last digit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import verifier
from verifier.commands.cli import run
from verifier.witnesses import Autograd

TRACES = json.loads((Path(__file__).parents[1] / "data" / "tutorial_traces.json").read_text())
MODELS = ("linear", "quadratic")


@pytest.mark.parametrize("name", MODELS)
def test_every_digit_of_the_tutorial(name):
    trace = TRACES[name]
    report = verifier.train(verifier.load(name), predict=[{"x": trace["prediction"]["x"]}])
    for epoch, printed in trace["epochs"].items():
        steps = report.steps[3 * int(epoch) : 3 * int(epoch) + 3]
        assert [[judged.stated for judged in step.gradient.values()] for step in steps] == printed[
            "gradients"
        ]
        assert steps[-1].loss.stated == printed["cost"]
    (prediction,) = report.predictions
    assert prediction.autograd == prediction.symbolic == trace["prediction"]["y"]


@pytest.mark.parametrize(("name", "gradients"), [("linear", 300), ("quadratic", 900)])
def test_every_step_is_judged_and_bit_identical(name, gradients):
    report = verifier.train(verifier.load(name))
    assert len(report.steps) == 300
    assert report.outcome is verifier.Outcome.AGREES
    assert report.ok
    assert sum(component.compared for component in report.findings.gradients) == gradients
    assert sum(component.outcomes["agrees"] for component in report.findings.gradients) == gradients
    assert sum(component.identical for component in report.findings.gradients) == gradients
    assert report.components[0].outcomes["agrees"] == 300
    assert {drift.largest for drift in report.drift.values()} == {0.0}
    told = " ".join(str(report).split())
    assert f"{gradients} of {gradients} gradients, 300 of 300 losses, bit for bit." in told


def test_bit_identity_is_counted_not_assumed():
    report = verifier.train(
        verifier.load("quadratic"), epochs=1, optimizer="sgd", witness=OneUlpOff()
    )
    assert sum(component.identical for component in report.findings.gradients) < 9


class OneUlpOff(Autograd):
    def differentiate(self, loss, parameters):
        import torch

        super().differentiate(loss, parameters)
        for parameter in parameters:
            parameter.grad = torch.nextafter(parameter.grad, torch.tensor(1e30))


@pytest.mark.parametrize("name", MODELS)
def test_command_line_agrees(name, capsys):
    assert run(["train", name, "--predict", "x=4"]) == 0
    printed = capsys.readouterr().out
    assert f"prediction x=4: {TRACES[name]['prediction']['y']!r} both ways" in printed
    assert "AGREES  " in printed


@pytest.mark.parametrize("name", MODELS)
def test_the_printed_loop_prints_the_tutorials_digits(name, capsys, tmp_path):
    assert run(["show", name, "--torch"]) == 0
    script = tmp_path / "loop.py"
    script.write_text(capsys.readouterr().out)
    lines = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert len(lines) == 400
    for epoch, printed in TRACES[name]["epochs"].items():
        start = 4 * int(epoch)
        assert [list(map(float, line.split()[1:])) for line in lines[start : start + 3]] == printed[
            "gradients"
        ]
        assert float(lines[start + 3].split()[-1]) == printed["cost"]
