"""The gallery's models of arrays: each agrees in both formats and learns; two take their data from
scikit-learn.
"""

import sys
from collections import Counter
from functools import cache

import numpy as np
import pytest

import verifier
from tests.helpers.gallery_names import OF_ARRAYS, OF_DATASETS, OF_NUMBERS
from verifier.commands.cli import run
from verifier.formula.data_source import loaded_data
from verifier.formula.gallery import gallery, load, with_own_data
from verifier.formula.gallery_files import gallery_folder
from verifier.formula.gallery_list import gallery_entries
from verifier.witnesses import Autograd

MAX_COLUMNS = 78
ROWS = {"breast_cancer": 569, "digits": 1797}


@cache
def trained(name, dtype="float32"):
    """The training that `verifier train NAME` shows."""
    return verifier.train(load(name), dtype=dtype)


def outcomes(report):
    return +sum((Counter(part.outcomes) for part in report.components), Counter())


class OneEntryOff(Autograd):
    """Autograd's gradient, with the last entry of one parameter's off by a thousandth of the
    largest entry of all.
    """

    def __init__(self, place):
        self.place = place

    def differentiate(self, loss, parameters):
        super().differentiate(loss, parameters)
        largest = max(float(parameter.grad.abs().max()) for parameter in parameters)
        parameters[self.place].grad.view(-1)[-1] += largest / 1000


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OF_ARRAYS)
def test_every_entry_is_decided_and_agrees(name, dtype):
    model, report = load(name), trained(name, dtype)
    entries = sum(int(np.size(start)) for start in model.start.values())
    assert report.exit_code == 0
    assert outcomes(report) == {verifier.Outcome.AGREES: report.findings.done * (entries + 1)}


@pytest.mark.parametrize("name", OF_ARRAYS)
def test_the_command(name, capsys):
    assert run(["train", name, "--epochs", "2", "--dtype", "float64"]) == 0
    assert capsys.readouterr().out.startswith("AGREES  ")


@pytest.mark.parametrize("name", OF_ARRAYS)
def test_it_learns_in_a_few_steps(name):
    losses = [step.loss.stated for step in trained(name).steps]
    assert len(losses) <= 12
    assert np.isfinite(losses).all()
    assert np.mean(losses[-2:]) < 0.85 * np.mean(losses[:2])


PARAMETERS = [(name, place) for name in OF_ARRAYS for place in range(len(load(name).parameters))]


@pytest.mark.sweep("name")
@pytest.mark.parametrize(("name", "place"), PARAMETERS)
def test_an_entry_that_is_wrong_is_found_in_each_parameter(name, place):
    model = load(name)
    settings = {"epochs": 1, "dtype": "float64", "batch": "all"}
    before = verifier.train(model, **settings).steps[0]
    report = verifier.train(model, witness=OneEntryOff(place), **settings)
    assert report.exit_code == 1
    found = [part.name for part in report.components if part.outcomes["disagrees"]]
    assert found == [model.parameters[place]]
    assert report.steps[0].loss.stated == before.loss.stated


@pytest.mark.parametrize("name", OF_ARRAYS + OF_DATASETS)
def test_docstring(name):
    first, empty, *rest = load(name).description.splitlines()
    assert 0 < len(first) <= MAX_COLUMNS
    assert first.endswith(".")
    assert empty == ""
    assert "It teaches" in " ".join(rest)


@pytest.mark.parametrize("name", OF_ARRAYS)
def test_it_uses_only_what_people_can_import(name):
    source = (gallery_folder() / "arrays" / f"{name}.py").read_text(encoding="utf-8")
    imports = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
    public = ("from verifier import ", "from verifier.functions import ", "import numpy as np")
    assert all(line.startswith(public) for line in imports)


def test_the_list_has_the_shapes_of_the_models():
    """Read from the files without running them, and the same."""
    for entry in gallery_entries():
        shapes = gallery()[entry.name].shapes
        written = [f"{name} {shape}" if shape else name for name, shape in shapes.items()]
        assert list(entry.parameters) == (written if any(shapes.values()) else [])


def test_the_list_shows_them(capsys):
    assert run(["list"]) == 0
    shown = capsys.readouterr().out
    assert (
        "  digits                A network of 64 pixels, 32 ReLU units and 10 digits:\n"
        "                        scikit-learn.\n"
        "                        W1 (64, 32), b1 (32,), W2 (32, 10), b2 (10,)\n"
    ) in shown


# Data of scikit-learn.


@pytest.fixture
def _without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OF_DATASETS)
def test_data_sets(name, dtype):
    pytest.importorskip("sklearn")
    report = trained(name, dtype)
    assert set(outcomes(report)) == {verifier.Outcome.AGREES}
    losses = [step.loss.stated for step in report.steps]
    assert losses[-1] < 0.75 * losses[0]
    assert len(load(name).data["y"]) == ROWS[name]


@pytest.mark.usefixtures("_without_scikit_learn")
@pytest.mark.parametrize("name", OF_DATASETS)
def test_without_scikit_learn_there_is_one_sentence(name, capsys):
    assert run(["train", name]) == 2
    assert capsys.readouterr().err == (
        f"verifier: model {name}: the data needs scikit-learn, which is not installed: pip install "
        "'verifier[data]'\n"
    )


@pytest.mark.usefixtures("_without_scikit_learn")
def test_the_gallery_itself_needs_no_scikit_learn(capsys):
    assert run(["list"]) == 0
    assert "breast_cancer" in capsys.readouterr().out
    assert {model.name for model in with_own_data()} == {*OF_NUMBERS, *OF_ARRAYS}


# Data that a function gives.


def test_a_function_is_called_once_and_when_it_is_needed():
    calls = []

    def columns():
        calls.append("called")
        return {"x": np.ones((2, 3)), "y": [1.0, 2.0]}

    @verifier.model(loss=verifier.squared_error, data=columns)
    def line(x, *, w=verifier.zeros(3)):
        return x @ w

    assert calls == []
    assert verifier.train(line, epochs=2).ok
    assert verifier.train(line, epochs=1, batch="all").ok
    assert calls == ["called"]


def test_a_function_in_the_place_of_data():
    line = load("linear")
    report = verifier.train(line, data=lambda: {"x": [1.0], "y": [3.0]}, epochs=1)
    assert report.steps[0].loss.stated == 4.0
    explanation = verifier.explain(line, data=lambda: {"x": [1.0], "y": [3.0]})
    assert explanation.gradient["w"].stated == -4.0


def nothing():
    return None


def failing():
    raise ValueError("no such file")


def without_package():
    import a_package_that_is_not_there  # noqa: F401


REFUSED = {
    nothing: "the data cannot be loaded: nothing() returns None",
    failing: "the data cannot be loaded: failing() raises ValueError: no such file",
    without_package: (
        "the data needs the package a_package_that_is_not_there, which is not installed"
    ),
}


@pytest.mark.parametrize("function", REFUSED)
def test_a_function_that_gives_no_data(function):
    with pytest.raises(verifier.InputError) as error:
        loaded_data(function)
    assert str(error.value) == REFUSED[function]
    with pytest.raises(verifier.InputError) as error:
        verifier.train(load("linear"), data=function)
    assert str(error.value) == f"model linear: {REFUSED[function]}"
