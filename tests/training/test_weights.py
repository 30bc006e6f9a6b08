"""Weights, reductions and held-out rows: each setting changes what it should, and only that."""

import json

import numpy as np
import pytest

import verifier
from verifier.commands.cli import run
from verifier.operations.formats import FLOAT64
from verifier.training.data import read_columns, split_rows

X, Y = [1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 7.0, 8.0]


def line(**changes):
    roles = {
        "start": {"w": 0.5},
        "loss": verifier.squared_error,
        "data": {"x": X, "y": Y, "c": [1.0, 0.0, 2.0, 0.5]},
    }
    return verifier.Model.from_text("w*x", inputs="x", **(roles | changes))


def first_gradient(model, **settings):
    report = verifier.train(model, epochs=1, dtype="float64", **settings)
    assert report.ok
    return [step.gradient["w"].stated for step in report.steps]


def test_weights_multiply_each_rows_loss():
    plain, weighted = first_gradient(line(), lr=0.0), first_gradient(line(weights="c"), lr=0.0)
    assert weighted == [
        slope * weight for slope, weight in zip(plain, [1.0, 0.0, 2.0, 0.5], strict=True)
    ]
    (mean,) = first_gradient(line(weights="c"), batch="all")
    assert mean == pytest.approx(np.mean(weighted), rel=1e-15)
    assert line().with_weights("c").columns == ("x", "y", "c")
    assert line().columns == ("x", "y")


def test_a_sum_is_the_mean_times_the_rows():
    (mean,), (total,) = (
        first_gradient(line(reduction=how), batch="all") for how in ("mean", "sum")
    )
    assert total == 4 * mean
    assert first_gradient(line(reduction="sum")) == first_gradient(line())


@pytest.mark.parametrize("batch", [1, 2, "all"])
def test_held_out_rows_are_not_trained_on(batch):
    settings = {"hold_out": 0.5, "seed": 3, "dtype": "float64", "batch": batch}
    report = verifier.train(line(), epochs=3, **settings)
    assert report.ok
    training, held = split_rows(read_columns({"x": X, "y": Y}, ["x", "y"], FLOAT64), 0.5, 3)
    alone = verifier.train(line(data=training.values), epochs=3, dtype="float64", batch=batch)
    assert [step.loss.stated for step in report.steps] == [step.loss.stated for step in alone.steps]
    w = alone.steps[-1].parameters["w"] - 0.01 * alone.steps[-1].gradient["w"].stated
    expected = np.mean((w * held.values["x"] - held.values["y"]) ** 2)
    told = report.findings.held_out
    assert (told.rows, told.same) == (2, True)
    assert told.autograd == pytest.approx(expected, rel=1e-14)
    assert f"held out 2 rows: loss {told.autograd!r} both ways" in str(report)
    assert report.to_json()["held_out"] == {
        "rows": 2,
        "autograd": told.autograd,
        "symbolic": told.symbolic,
    }
    assert "--hold-out 0.5" not in (alone.replay or "")


def test_nothing_is_held_out_unless_asked():
    report = verifier.train(line(), epochs=1)
    assert report.findings.held_out is None
    assert report.to_json()["held_out"] is None
    assert "held out" not in str(report)


@pytest.fixture
def csv(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "points.csv").write_text(
        "x,y,c\n" + "".join(f"{x},{y},2\n" for x, y in zip(X, Y, strict=True))
    )


@pytest.mark.usefixtures("csv")
def test_a_file_weights_and_a_held_out_part_on_the_command_line(capsys):
    words = [
        "linear",
        "--data",
        "points.csv",
        "--weights",
        "c",
        "--hold-out",
        "0.25",
        "--epochs",
        "3",
    ]
    assert run(["train", *words, "--json", "-"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["replay"] == (
        "verifier train linear --weights c --data points.csv --epochs 3 --hold-out 0.25"
    )
    assert report["held_out"]["rows"] == 1
    assert len(report["steps"]) == 9
    assert report["model"]["loss"] == "c*(w*x - y)**2"


@pytest.mark.usefixtures("csv")
def test_a_model_file_names_its_data_beside_itself(tmp_path, monkeypatch):
    folder = tmp_path / "own"
    folder.mkdir()
    (tmp_path / "points.csv").rename(folder / "data.csv")
    (folder / "own.py").write_text(
        "from verifier import model, squared_error\n\n\n@model(loss=squared_error, "
        "data='data.csv')\n"
        "def line(x, *, w=1.0):\n    return w * x\n"
    )
    assert run(["train", "own/own.py::line", "--epochs", "2"]) == 0


SENTENCES = {
    ("--hold-out", "1"): "hold_out is 1.0: use a fraction of the rows, 0 or above and below 1",
    (
        "--hold-out",
        "0.01",
    ): "holding out 0.01 of 3 rows leaves none to hold out: give more rows or a larger fraction",
    (
        "--hold-out",
        "0.99",
    ): "holding out 0.99 of 3 rows leaves none to train on: give more rows or a smaller fraction",
    ("--weights", "c"): "the data has no column 'c': it has x, y",
    (
        "--weights",
        "c d",
    ): "model linear: weights is 'c d': name a column of the data that multiplies the loss",
    ("--data", "nothing.csv"): "there is no file 'nothing.csv'",
}


@pytest.mark.parametrize("words", SENTENCES)
def test_what_is_said(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["train", "linear", *words]) == 2
    assert capsys.readouterr().err == f"verifier: {SENTENCES[words]}\n"


def test_reductions_and_weights_that_are_none():
    with pytest.raises(
        verifier.InputError, match=r"^model model: reduction is 'max': use mean or sum$"
    ):
        line(reduction="max")
    with pytest.raises(verifier.InputError, match=r"^model model: weights is 'c': name a column"):
        verifier.Model.from_text("w**2", start={"w": 1.0}, weights="c")
