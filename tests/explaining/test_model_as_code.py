"""The torch loop that `show --torch` writes prints the gradients that the training judged, digit by
digit.
"""

import pytest

import verifier
from tests.helpers.gallery_names import OF_NUMBERS
from verifier.commands.cli import run
from verifier.explaining.model_as_code import torch_loop
from verifier.training.model_training import settings_for


def printed(text, capsys):
    exec(compile(text, "loop.py", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    return [tuple(map(float, line.split()[1:])) for line in lines if line.startswith("grad ")]


def judged(model, **settings):
    report = verifier.train(model, **settings)
    return [tuple(part.stated for part in step.gradient.values()) for step in report.steps]


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_the_gallery(name, capsys):
    assert run(["show", name, "--torch"]) == 0
    assert printed(capsys.readouterr().out, capsys) == judged(verifier.load(name))


def test_a_model_of_arrays_has_no_plain_loop(capsys):
    assert run(["show", "ridge_regression", "--torch"]) == 2
    assert capsys.readouterr().err == (
        "verifier: --torch writes loops of models of numbers, and model ridge_regression has "
        "arrays: model.torch is its prediction in torch\n"
    )


VARIANTS = {
    "one parameter": {"formula": "w*x", "start": {"w": 0.5}},
    "branches": {"formula": "where(x > 1, w*log(x), w*x)", "start": {"w": 0.5}},
    "weights": {"formula": "w*x + b", "start": {"w": 0.5, "b": 0.0}, "weights": "c"},
    "a sum": {"formula": "w*x", "start": {"w": 0.5}, "reduction": "sum"},
    "constants": {"formula": "w*x*sqrt(2) + maximum(2, 3)*w", "start": {"w": 0.5}},
    "a fixed one": {"formula": "w*x + b", "start": {"w": 0.5, "b": 0.25}, "fixed": ["b"]},
    "a learned variance": {
        "formula": "w*x",
        "start": {"w": 0.5, "variance": 2.0},
        "loss": verifier.gaussian_nll,
    },
}
SETTINGS = [
    {},
    {"batch": "all"},
    {"optimizer": "adam", "dtype": "float64"},
    {"optimizer": "RMSprop", "batch": "all"},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=map(str, range(len(SETTINGS))))
@pytest.mark.parametrize("variant", VARIANTS)
def test_variants(variant, settings, capsys):
    roles = dict(VARIANTS[variant])
    formula = roles.pop("formula")
    data = {"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.0], "c": [1.0, 0.5, 2.0]}
    model = verifier.Model.from_text(
        formula, inputs="x", **({"loss": verifier.squared_error} | roles), data=data
    )
    text = torch_loop(model, settings_for(model, {"epochs": 3, **settings}))
    assert printed(text, capsys) == judged(model, epochs=3, **settings)


def test_what_is_not_written_out():
    model = verifier.load("linear")
    with pytest.raises(
        verifier.InputError,
        match=r"^--torch writes the data out, and 1001 rows are too many: at most 1000$",
    ):
        large = verifier.Model.from_text(
            "w*x",
            inputs="x",
            start={"w": 1.0},
            loss=verifier.squared_error,
            data={"x": [1.0] * 1001, "y": [1.0] * 1001},
        )
        torch_loop(large, settings_for(large, {}))
    with pytest.raises(verifier.InputError, match=r"^--torch writes the plain loop only"):
        torch_loop(model, settings_for(model, {"hold_out": 0.5}))
    with pytest.raises(
        verifier.InputError, match=r"^optimizer <lambda> has no name in torch.optim$"
    ):
        torch_loop(model, settings_for(model, {"optimizer": lambda parameters: None}))
