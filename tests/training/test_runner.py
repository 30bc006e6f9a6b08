"""The runner: schedules, optimizers, data of its own, drift, memory."""

import tracemalloc

import numpy as np
import pytest
import sympy
import torch

import verifier
from verifier import Model, Outcome, squared_error
from verifier.commands.train import train
from verifier.functions import exp, sin, tanh
from verifier.testing.mutations import Tampered
from verifier.training import findings
from verifier.training.findings import KEPT_ENDS
from verifier.training.model_training import DEFAULTS
from verifier.training.reservoir import CURVE_POINTS

X = [0.5, -1.0, 2.0, 0.25, 1.5]
DATA = {"x": X, "y": [1.0, 0.0, -0.5, 2.0, 0.75]}


@verifier.model(loss=squared_error, data=DATA)
def wavy(x, *, a=1.2, k=0.7):
    return a * sin(k * x) + exp(-k) / tanh(a)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [1, 2, "all"])
@pytest.mark.parametrize("optimizer", ["sgd", "Adam", "rmsprop", "adamw"])
def test_every_way_of_training_agrees(dtype, batch, optimizer):
    report = train(
        wavy, dtype=dtype, batch=batch, optimizer=optimizer, epochs=4, shuffle=True, seed=3
    )
    assert report.outcome is Outcome.AGREES
    assert report.findings.done == 4 * {1: 5, 2: 3, "all": 1}[batch]
    assert max(drift.largest for drift in report.drift.values()) < 1e-4


def test_a_mean_is_taken_over_a_batch():
    report = train(wavy, batch="all", epochs=1, dtype="float64")
    x, y = np.array(X), np.array(DATA["y"])
    expected = np.mean((1.2 * np.sin(0.7 * x) + np.exp(-0.7) / np.tanh(1.2) - y) ** 2)
    assert report.steps[0].loss.stated == pytest.approx(expected, rel=1e-14)
    assert report.steps[0].sample is None
    assert report.steps[0].inputs == {}


def test_every_optimizer_of_torch_that_needs_a_gradient_only():
    left_out = {"Optimizer", "LBFGS", "SparseAdam", "Muon"}
    for name, kind in vars(torch.optim).items():
        if (
            isinstance(kind, type)
            and issubclass(kind, torch.optim.Optimizer)
            and name not in left_out
        ):
            assert train(wavy, optimizer=name, epochs=2).ok, name


MORE = {"SparseAdam": "it takes sparse gradients only", "Muon": "it takes matrices only"}
"""What optimizers need besides gradients; older versions of torch have no Muon."""


@pytest.mark.parametrize(
    ("name", "reason"), [item for item in MORE.items() if hasattr(torch.optim, item[0])]
)
def test_optimizers_that_need_more(name, reason):
    with pytest.raises(verifier.InputError, match=reason):
        train(wavy, optimizer=name)


def test_an_optimizer_of_ones_own():
    def momentum(parameters):
        return torch.optim.SGD(parameters, lr=0.01, momentum=0.9)

    report = train(wavy, optimizer=momentum, epochs=3)
    assert report.ok
    assert report.replay is None
    assert report.to_json()["settings"]["optimizer"] == "momentum"
    assert report.steps[-1].parameters != train(wavy, epochs=3).steps[-1].parameters


def test_shuffling_is_seeded():
    def order(seed):
        return [step.sample for step in train(wavy, epochs=2, shuffle=True, seed=seed).steps]

    assert order(1) == order(1) != order(2)
    assert sorted(order(1)[:5]) == [0, 1, 2, 3, 4]
    assert [step.sample for step in train(wavy, epochs=1).steps] == [0, 1, 2, 3, 4]


def test_learning_rate_moves_the_parameters():
    slow, fast = (train(wavy, epochs=1, lr=lr).steps[-1].parameters["a"] for lr in (0.0, 0.1))
    assert slow == pytest.approx(1.2)
    assert fast != pytest.approx(1.2)


def test_data_given_overrides_the_models_own():
    report = train(wavy, data={"x": np.array([1.0]), "y": (2,), "unused": ["text"]}, epochs=2)
    assert [step.inputs for step in report.steps] == [{"x": 1.0, "y": 2.0}] * 2
    assert report.replay is None


def test_fixed_parameters_stay():
    a, k, x = sympy.symbols("a k x")
    held = Model(
        a * sympy.sin(k * x),
        inputs=[x],
        start={a: 1.0, k: 2.0},
        fixed=[k],
        loss=squared_error,
        data=DATA,
    )
    report = train(held, epochs=3, third_opinion=True)
    assert list(report.steps[0].gradient) == ["a"]
    assert report.ok
    assert train(held, epochs=1, batch="all").ok


def test_without_data_the_formula_itself_is_minimised():
    x, y = sympy.symbols("x y")
    valley = Model((1 - x) ** 2 + 100 * (y - x**2) ** 2, start={x: -1.0, y: 1.5}, name="rosenbrock")
    report = train(valley, epochs=200, lr=0.001, dtype="float64", third_opinion=True)
    assert report.ok
    assert len(report.steps) == 200
    assert report.steps[-1].loss.stated < report.steps[0].loss.stated / 5
    assert report.findings.finite_differences[1]["x"] == pytest.approx(
        float(report.steps[0].gradient["x"].stated)
    )


def test_a_loss_of_ones_own_with_constants_and_several_columns():
    def weighted(prediction, y, weight, *, power=4):
        return weight * (prediction - y) ** power

    @verifier.model(loss=weighted, data={**DATA, "weight": [1, 2, 3, 4, 5]})
    def line(x, *, w=0.5):
        return w * x

    report = train(line, epochs=2)
    assert report.ok
    assert report.steps[1].inputs == {"x": -1.0, "y": 0.0, "weight": 2.0}
    assert str(line.loss_expression) == "weight*(w*x - y)**4"


def test_drift_is_reported():
    report = train(wavy, epochs=2, witness=Tampered(0, lambda gradient: gradient * 1.5, (1,)))
    assert report.drift["a"].largest > 0
    assert "drift between the trainings at the last step: a " in str(report)


def test_divergence_is_seen_in_both_trainings_at_the_same_step():
    report = train(verifier.load("linear"), lr=1.0, epochs=60)
    assert report.findings.not_finite.step == 30
    assert report.outcome is Outcome.UNDECIDED
    assert report.exit_code == 0
    assert {drift.largest for drift in report.drift.values()} == {0.0}


def test_nothing_decided_at_all_is_3(monkeypatch, capsys, tmp_path):
    source = (
        "from verifier import model, squared_error\nfrom verifier.functions import sqrt\n"
        "@model(loss=squared_error, data={'x': [-1.0], 'y': [1.0]})\ndef root(x, *, w=1.0):\n    "
        "return sqrt(w * x)\n"
    )
    path = tmp_path / "own.py"
    path.write_text(source)
    from verifier.commands.cli import run

    assert run(["train", f"{path}::root", "--epochs", "2"]) == 3
    said = "UNDECIDED  Nothing could be decided about the loss and w (no exact value exists\nhere)."
    assert said in capsys.readouterr().out
    assert run(["train", f"{path}::root", "--epochs", "2", "--allow-undecided"]) == 0


def test_keeping_rule(monkeypatch):
    monkeypatch.setattr(findings, "KEPT_STEPS", 1000)
    model = verifier.load("linear")
    report = train(model, epochs=400, witness=Tampered(0, torch.neg, (600,)))
    numbers = [step.number for step in report.steps]
    assert report.findings.done == 1200
    assert numbers[:KEPT_ENDS] == list(range(1, KEPT_ENDS + 1))
    assert numbers[-KEPT_ENDS:] == list(range(1201 - KEPT_ENDS, 1201))
    assert 600 in numbers
    assert len(numbers) <= 2 * KEPT_ENDS + 4
    assert report.components[1].compared == 1200
    assert report.outcome is Outcome.DISAGREES
    assert len(report.findings.curves.errors) <= CURVE_POINTS + 2
    shorter = train(model, epochs=300)
    assert len(shorter.steps) == 900


def peak_of(epochs):
    """The most memory that a training takes, three steps an epoch."""
    tracemalloc.start()
    train(verifier.load("linear"), epochs=epochs)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def test_memory_does_not_grow_with_the_number_of_steps(monkeypatch):
    peak_of(10)
    where_all_are_kept = peak_of(800)
    monkeypatch.setattr(findings, "KEPT_STEPS", 300)
    most = 1.2 * peak_of(800)
    assert peak_of(1600) < most < where_all_are_kept


def test_partial_run():
    report = train(wavy, epochs=10, keep_going=lambda done, planned: done < 7)
    assert report.findings.interrupted
    assert report.exit_code == 130
    assert not report.ok
    assert [step.number for step in report.steps] == list(range(1, 8))
    assert "PARTIAL  Interrupted after 7 of 50 steps." in str(report)
    with pytest.raises(verifier.InputError, match="ended before its first step"):
        train(wavy, keep_going=lambda done, planned: False)


def test_unknown_setting():
    with pytest.raises(
        verifier.InputError, match="train has no setting 'epoch': it has epochs, lr, optimizer"
    ):
        train(wavy, epoch=3)


def test_defaults_are_the_tutorials():
    assert (DEFAULTS.lr, DEFAULTS.batch, DEFAULTS.dtype, DEFAULTS.optimizer) == (
        0.01,
        1,
        "float32",
        "sgd",
    )


def test_functions_of_a_model():
    import inspect

    quadratic = verifier.load("quadratic")
    assert inspect.getsource(quadratic.torch) == (
        "def quadratic(x, *, w1=1.0, w2=1.0, b=0.0):\n    return w1 * x**2 + w2 * x + b\n"
    )
    assert "np.square(x)" in inspect.getsource(quadratic.numpy)
    assert quadratic.numpy(3.0, w1=2.0) == 21.0
    assert quadratic.torch(torch.tensor(3.0), w1=2.0).item() == 21.0
    assert str(quadratic.expression) == "b + w1*x**2 + w2*x"
    assert repr(quadratic) == "<Model quadratic: inputs x; parameters w1, w2, b>"


def test_order_of_operations_stays_as_written():
    import inspect

    @verifier.model(loss=squared_error)
    def ordered(x, *, a=1.0, b=2.0):
        return (a + (b - x)) - (x + a) / b * 3 - -x + 2 * (x * (a * b))

    assert "return a + (b - x) - (x + a) / b * 3 + x + 2 * (x * (a * b))" in inspect.getsource(
        ordered.numpy
    )


def test_replay_names_what_differs_from_the_model():
    report = train(
        verifier.load("linear"), epochs=3, dtype="float64", batch="all", shuffle=True, lr=0.02
    )
    assert report.replay == (
        "verifier train linear --epochs 3 --lr 0.02 --dtype float64 --batch all --shuffle"
    )
