"""The gallery: every model agrees in both formats, and does what its docstring says."""

import math
import runpy
from collections import Counter
from functools import cache

import numpy as np
import pytest
import torch

import verifier
from tests.helpers.gallery_names import OF_ARRAYS, OF_DATASETS, OF_NUMBERS
from verifier import Model, squared_error
from verifier.formula.gallery import gallery, group_by_loss, load
from verifier.formula.gallery_files import gallery_folder
from verifier.formula.gallery_list import entries_by_loss, gallery_entries
from verifier.testing.mutations import NotZeroed, Tampered

TUTORIAL = ("linear", "quadratic")
NAMES = OF_NUMBERS
ADDED = [name for name in NAMES if name not in TUTORIAL]
WITHOUT_DATA = ["beale", "himmelblau", "powell", "rosenbrock"]
MAX_COLUMNS = 78
SHORT = 600
"""Steps of a run whose batch is not the model's own."""
UNIT = {"v": 0.5, "a": 0.5, "b": -0.4, "c": 0.1}
"""At x = z = -1 rounding is all that is left of a*x + b*z + c, and with it of the derivative
by v.
"""


@cache
def trained(name, dtype="float32"):
    """The training that `verifier train NAME` shows."""
    return verifier.train(load(name), dtype=dtype)


def last(report):
    return report.steps[-1].parameters


def costs(report):
    """The mean of the losses of each epoch."""
    losses = {}
    for step in report.steps:
        losses.setdefault(step.epoch, []).append(step.loss.stated)
    return [sum(epoch) / len(epoch) for epoch in losses.values()]


def all_decided_and_agree(report):
    counts = sum((Counter(component.outcomes) for component in report.components), Counter())
    return report.exit_code == 0 and set(+counts) == {verifier.Outcome.AGREES}


def near(expected, tolerance):
    return pytest.approx(expected, abs=tolerance)


def test_all_are_there():
    assert sorted([*OF_NUMBERS, *OF_ARRAYS, *OF_DATASETS]) == sorted(gallery())
    assert (len(ADDED), len(OF_ARRAYS), len(OF_DATASETS)) == (14, 15, 2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_agrees_as_it_is(name, dtype):
    assert all_decided_and_agree(trained(name, dtype))


@pytest.mark.sweep("name")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [1, "all"])
@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITHOUT_DATA])
def test_agrees_in_single_rows_and_in_one_batch(name, batch, dtype):
    model = load(name)
    rows = 1 if batch == "all" else len(model.data["y"])
    epochs = min(model.training["epochs"], SHORT // rows)
    assert all_decided_and_agree(verifier.train(model, batch=batch, dtype=dtype, epochs=epochs))


@pytest.mark.parametrize("name", WITHOUT_DATA)
def test_without_data_a_batch_is_the_same_step(name):
    report = verifier.train(load(name), batch="all")
    assert all_decided_and_agree(report)
    assert last(report) == last(trained(name))


def test_an_undecided_gradient_would_be_found():
    unit = Model.from_text("v*tanh(a*x + b*z + c)", inputs="x z", start=UNIT, loss=squared_error)
    report = verifier.train(
        unit, data={"x": [-1.0, 1.0], "z": [-1.0, 1.0], "y": [1.0, 1.0]}, epochs=1
    )
    assert report.exit_code == 0
    assert not all_decided_and_agree(report)


def test_a_wrong_gradient_would_be_found():
    assert not all_decided_and_agree(
        verifier.train(load("linear"), epochs=1, witness=Tampered(0, torch.neg))
    )


PARAMETERS = [(name, place) for name in NAMES for place in range(len(gallery()[name].parameters))]


@pytest.mark.sweep("name")
@pytest.mark.parametrize(("name", "place"), PARAMETERS)
def test_a_flipped_sign_is_found_in_each_parameter(name, place):
    model = load(name)
    report = verifier.train(model, epochs=2, witness=Tampered(place, torch.neg))
    assert report.exit_code == 1
    found = [component.name for component in report.components if component.outcomes["disagrees"]]
    assert found == [model.parameters[place]]


@pytest.mark.parametrize("name", NAMES)
def test_gradients_that_add_up_are_found(name):
    assert verifier.train(load(name), epochs=3, witness=NotZeroed()).exit_code == 1


@pytest.mark.parametrize("name", NAMES)
def test_the_cost_falls_and_stays_finite(name):
    report = trained(name)
    cost = costs(report)
    assert all(map(math.isfinite, cost))
    assert cost[-1] < cost[0]
    assert max(cost) == cost[0]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_short_training(name):
    assert len(trained(name).steps) <= 320


@pytest.mark.parametrize("name", ADDED)
def test_docstring(name):
    first, empty, *rest = load(name).description.splitlines()
    assert 0 < len(first) <= MAX_COLUMNS
    assert first.endswith(".")
    assert empty == ""
    assert any(line.startswith("It teaches ") for line in rest)


def test_a_model_is_named_as_its_file():
    assert all(name == model.name for name, model in gallery().items())
    assert {trained(name).replay for name in NAMES} == {f"verifier train {name}" for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_it_uses_only_what_people_can_import(name):
    source = (gallery_folder() / f"{name}.py").read_text(encoding="utf-8")
    imports = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
    public = (
        "from verifier import ",
        "from verifier.functions import ",
        "from verifier.losses import ",
    )
    assert all(line.startswith((*public, "from functools import partial")) for line in imports)


# What each docstring says in numbers.


def of_degree(degree):
    return runpy.run_path(str(gallery_folder() / "polynomial.py"))["of_degree"](degree)


def test_polynomial():
    report = trained("polynomial")
    assert list(last(report).values()) == near([0, -3, 0, 4], 0.03)
    limits = {component.name: component.limit_median for component in report.components}
    assert limits["c0"] < limits["c1"] < limits["c2"] < limits["c3"]
    x, y = (np.array(load("polynomial").data[name]) for name in "xy")
    assert y.tolist() == (4 * x**3 - 3 * x).tolist()
    assert np.float32(y).tolist() == y.tolist()
    best = np.polyval(np.polyfit(x, y, 2), x)
    assert np.mean((best - y) ** 2) == near(0.6187, 0.00005)


@pytest.mark.parametrize("degree", [1, 2, 5, 9])
def test_polynomials_of_other_degrees(degree):
    model = of_degree(degree)
    assert len(model.parameters) == degree + 1
    operations = Counter(
        node.operation for node in model.program.only(model.program.outputs[0]).nodes
    )
    assert operations["multiply"] == operations["add"] == degree
    report = verifier.train(model)
    assert all_decided_and_agree(report)
    if degree == 2:
        assert min(costs(report)) > 0.6187


def test_exponential_decay():
    model, report = load("exponential_decay"), trained("exponential_decay")
    assert last(report)["k"] == near(0.171, 0.0005)
    assert math.log(2) / last(report)["k"] == near(4.1, 0.05)
    days = {"t": [t + 2 for t in model.data["t"]], "y": model.data["y"]}
    other = verifier.train(model, data=days)
    assert last(other)["k"] == near(0.154, 0.0006)
    assert costs(other)[-1] / costs(report)[-1] == near(5.4, 0.5)


def test_michaelis_menten():
    model, report = load("michaelis_menten"), trained("michaelis_menten")
    assert last(report) == {"v": near(2.127, 0.0005), "km": near(0.641, 0.0005)}
    assert costs(report)[-1] == near(0.00996, 0.000005)
    assert costs(report)[-1] * 12 * 100**2 == near(
        1195.4, 0.1
    )  # the residual sum of squares in counts
    ppm = Model.from_text(
        "v*c/(km + c)", inputs="c", start={"v": 1.0, "km": 0.1}, loss=squared_error
    )
    data = {"c": [c / 10 for c in model.data["c"]], "y": model.data["y"]}
    assert last(verifier.train(ppm, data=data, **model.training))["km"] > 10


def test_logistic_growth():
    expected = {
        "capacity": near(6.63, 0.005),
        "rate": near(0.547, 0.0005),
        "middle": near(7.8, 0.05),
    }
    assert last(trained("logistic_growth")) == expected


def test_damped_oscillation():
    model, report = load("damped_oscillation"), trained("damped_oscillation")
    t, y = (np.array(model.data[name]) for name in "ty")
    assert y.tolist() == near(2 * np.exp(-t / 4) * np.cos(2 * t), 0.00005001)

    def cost(parameters):
        return np.mean((model.numpy(t, **parameters) - y) ** 2)

    assert last(report)["w"] == near(2.0, 0.005)
    assert cost(last(report)) < 0.001
    elsewhere = Model.from_text(
        "a*exp(-d*t)*cos(w*t)",
        inputs="t",
        start={**model.start, "w": 4.0},
        loss=squared_error,
        data=model.data,
    )
    trapped = verifier.train(elsewhere, **model.training)
    assert last(trapped)["d"] > 1
    assert cost(last(trapped)) == near(0.28, 0.005)


def test_gaussian_peak():
    model, report = load("gaussian_peak"), trained("gaussian_peak")
    x, y = (np.array(model.data[name]) for name in "xy")
    assert y.tolist() == near(2 * np.exp(-((x - 3) ** 2) / 2), 0.00005001)
    assert last(report) == {
        "height": near(2, 0.001),
        "centre": near(3, 0.001),
        "width": near(1, 0.001),
    }
    mirrored = Model.from_text(
        "height*exp(-((x - centre)/width)**2/2)",
        inputs="x",
        start={**model.start, "width": -1.5},
        loss=squared_error,
        data=model.data,
    )
    other = verifier.train(mirrored, **model.training)
    for one, two in zip(report.steps, other.steps, strict=True):
        assert {name: judged.stated for name, judged in one.gradient.items()} == {
            name: -judged.stated if name == "width" else judged.stated
            for name, judged in two.gradient.items()
        }


def test_logistic_regression():
    model, report = load("logistic_regression"), trained("logistic_regression")
    assert last(report) == {"slope": near(-2.32, 0.005), "level": near(-1.21, 0.005)}
    assert model.numpy(31, **last(report)) == near(7.8, 0.05)
    assert len(model.data["y"]) == 23
    assert {abs(report.steps[-1].gradient[name].stated) < 1e-4 for name in model.parameters} == {
        True
    }


def test_poisson_regression():
    model, report = load("poisson_regression"), trained("poisson_regression")
    assert last(report) == {"slope": near(2.565, 0.0005), "level": near(2.264, 0.0005)}
    assert costs(report)[-1] == near(-33.72, 0.005)
    assert math.exp(last(report)["slope"] / 10) == near(1.29, 0.005)
    assert len(model.data["y"]) == 14


def test_robust_line():
    model, report = load("robust_line"), trained("robust_line")
    assert last(report) == {"slope": near(0.350, 0.0005), "level": near(7.13, 0.005)}
    x, y = (np.array(model.data[name]) for name in "xy")
    assert np.polyfit(x - 9, y, 1).tolist() == near([0.5, 7.5], 0.0005)
    ten = y < 12
    assert ten.sum() == 10
    assert np.polyfit(x[ten] - 9, y[ten], 1).tolist() == near([0.345, 7.11], 0.005)
    sizes = np.abs(model.numpy(x, **last(report)) - y)
    assert (sizes < 0.1).any()
    assert (sizes > 0.1).any()


def test_tanh_network():
    model, report = load("tanh_network"), trained("tanh_network")
    assert len(model.parameters) == 13
    assert max(step.loss.stated for step in report.steps[-4:]) < 1e-6
    x1, x2, y = (np.array(model.data[name]) for name in ("x1", "x2", "y"))
    best, (residual,), *_ = np.linalg.lstsq(np.column_stack([x1, x2, np.ones(4)]), y)
    assert best.tolist() == near([0, 0, 0], 1e-12)
    assert residual / 4 == near(1, 1e-12)


def test_rosenbrock():
    losses = costs(trained("rosenbrock"))
    assert losses[0] == near(24.2, 1e-5)
    assert losses[2] < 4.2
    assert losses[-1] > 3
    assert last(trained("rosenbrock"))["x"] < 0
    assert costs(verifier.train(load("rosenbrock"), optimizer="Adam", lr=0.5))[-1] < 0.01


def himmelblau_from(x, y):
    model = Model.from_text("(x**2 + y - 11)**2 + (x + y**2 - 7)**2", start={"x": x, "y": y})
    return list(last(verifier.train(model, **load("himmelblau").training)).values())


def test_himmelblau():
    assert costs(trained("himmelblau"))[0] == 170
    assert list(last(trained("himmelblau")).values()) == near([3, 2], 1e-3)
    assert himmelblau_from(0, 0) == list(last(trained("himmelblau")).values())
    assert himmelblau_from(-1, 1) == near([-2.805, 3.131], 0.0006)
    assert himmelblau_from(-1, -1) == near([-3.779, -3.283], 0.0006)
    assert himmelblau_from(1, -1) == near([3.584, -1.848], 0.0006)


def test_beale():
    first, second = trained("beale").steps[:2]
    assert first.loss.stated == 14.203125
    assert first.gradient["x"].exact_is_zero
    assert first.gradient["y"].stated == 27.75
    assert abs(second.gradient["x"].stated) > 1
    assert last(trained("beale")) == {"x": near(3, 0.001), "y": near(0.5, 0.001)}


def test_powell():
    losses = costs(trained("powell"))
    assert losses[0] == 215
    assert losses[20] < 10
    assert losses[-1] > 0.2
    assert list(load("powell").start.values()) == [3, -1, 0, 1]


def test_the_list_of_names_is_the_gallery():
    """Read from the files without running them, and the same."""
    entries = gallery_entries()
    models = gallery()
    assert [entry.name for entry in entries] == list(models)
    for entry in entries:
        assert entry.description == models[entry.name].description.partition("\n")[0]
    listed = {kind: [one.name for one in group] for kind, group in entries_by_loss(entries).items()}
    run = {
        kind: [one.name for one in group] for kind, group in group_by_loss(models.values()).items()
    }
    assert listed == run
