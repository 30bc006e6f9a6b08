"""Formulas typed at the command line: what they mean, and what is refused, in one sentence and at
once.
"""

import json
import time

import pytest

import verifier
from verifier.commands.cli import run
from verifier.commands.from_shell.formula_options import FormulaOptions, model_of_formula


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "points.csv").write_text("x,y,z\n1,2,0\n2,4,1\n3,6,2\n")
    return tmp_path


def refused(capsys, *words):
    started = time.monotonic()
    assert run(list(words)) == 2
    assert time.monotonic() - started < 5  # a hang, not a measurement
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_columns_of_the_data_are_inputs_and_other_symbols_parameters():
    model = model_of_formula(FormulaOptions("w*x + b*z", data="points.csv", start=("b=0.5",)))
    assert model.inputs == ("x", "z")
    assert model.start == {"w": 1.0, "b": 0.5}
    assert model.loss is verifier.squared_error
    assert verifier.train(model, epochs=2).ok


def test_a_column_may_be_a_parameter_all_the_same():
    assert model_of_formula(
        FormulaOptions("w*x + z", data="points.csv", start=("z=2",))
    ).inputs == ("x",)


def test_without_inputs_the_formula_is_minimised():
    model = model_of_formula(FormulaOptions("(a - 3)**2"))
    assert model.loss is None
    assert run(["train", "--formula", "(a - 3)**2", "--epochs", "2"]) == 0


def test_a_loss_with_a_parameter():
    model = model_of_formula(
        FormulaOptions("w*x", data="points.csv", start=("variance=2",), loss="gaussian_nll")
    )
    assert model.start == {"w": 1.0, "variance": 2.0}
    assert set(model.gradient) == {"w", "variance"}


def test_trained_as_typed_and_replayed(capsys):
    words = [
        "--formula",
        "w*x + b",
        "--start",
        "b=0.5",
        "--loss",
        "huber",
        "--data",
        "points.csv",
        "--epochs",
        "2",
    ]
    assert run(["train", *words, "--json", "-"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["model"]["parameters"] == {"w": 1.0, "b": 0.5}
    assert report["replay"] == (
        "verifier train --formula 'w*x + b' --start b=0.5 --loss huber --data points.csv --epochs 2"
    )


def test_the_same_digits_as_the_gallery(capsys):
    assert (
        run(
            [
                "train",
                "--formula",
                "w1*x**2 + w2*x + b",
                "--data",
                "points.csv",
                "--start",
                "b=0",
                "--json",
                "-",
            ]
        )
        == 0
    )
    typed = json.loads(capsys.readouterr().out)
    assert run(["train", "quadratic", "--json", "-"]) == 0
    own = json.loads(capsys.readouterr().out)
    for ours, theirs in zip(typed["steps"], own["steps"], strict=True):
        assert ours["gradient"] == theirs["gradient"] | {"b": theirs["gradient"]["b"]}
        assert ours["loss"] == theirs["loss"]


def test_shown(capsys):
    assert run(["show", "--formula", "w*x**2", "--input", "x"]) == 0
    assert capsys.readouterr().out == (
        "formula(x, *, w=1.0)\n  prediction  w * x**2\n  loss        (w * x**2 - y)**2\n"
        "  gradient\n    w  2*x**2*(w*x**2 - y)\n"
    )


SENTENCES = {
    ("show", "--formula", "2x + b"): "write * between 2 and x\n  2x + b\n   ^",
    (
        "show",
        "--formula",
        "w*x^2",
    ): "^ has no meaning in a formula: write ** for a power\n  w*x^2\n     ^",
    ("show", "--formula", "ln(w)"): "there is no function ln: write log\n  ln(w)\n  ^",
    ("show", "--formula", "(w + 1"): "this ( is never closed\n  (w + 1\n  ^",
    ("show", "--formula", ""): "the formula is empty",
    ("show", "--formula", "1/0*w"): "1/0 has no finite value in float64\n  1/0*w\n  ^",
    ("show", "--formula", "w", "--input", "v"): "the formula has no symbol 'v': it has w",
    (
        "show",
        "--formula",
        "w",
        "--start",
        "w",
    ): "cannot start from 'w': write each parameter once as name=number, as in --start w=0.5",
    (
        "show",
        "--formula",
        "w*x",
        "--input",
        "x",
        "--loss",
        "mse",
    ): (
        "there is no loss 'mse': there is squared_error, "
        "absolute_error, huber, smooth_l1, log_cosh, quantile, binary_cross_entropy_with_logits, "
        "focal, poisson_nll, "
        "gaussian_nll, hinge, squared_hinge"
    ),
    (
        "show",
    ): "say which model: a name of the gallery, path/to/file.py::name, or --formula 'w*x + b'",
    (
        "show",
        "linear",
        "--formula",
        "w",
    ): "say which model: a name of the gallery, path/to/file.py::name, or --formula 'w*x + b'",
    (
        "show",
        "linear",
        "--loss",
        "huber",
    ): "--input, --start and --loss say what a formula leaves open: give them with --formula",
    **dict.fromkeys(
        [
            ("train", "--all", *more)
            for more in (
                ["linear"],
                ["--formula", "w"],
                ["--input", "x"],
                ["--start", "w=1"],
                ["--loss", "huber"],
                ["--data", "points.csv"],
                ["--weights", "z"],
                ["--predict", "x=1"],
                ["--every", "2"],
                ["--plot", "all.svg"],
                ["--plot"],
                ["--only-failing"],
                ["--stop-on-failure"],
                ["--finite-differences"],
            )
        ],
        "--all trains the gallery as it is, in one table: give only settings, --json and --html "
        "with it",
    ),
    (
        "train",
        "--formula",
        "torch*x",
        "--data",
        "points.csv",
    ): "model formula: 'torch' cannot name an input or a parameter: use a Python name of its own",
    (
        "train",
        "--formula",
        "a*X",
        "--data",
        "points.csv",
    ): "no column of the data is a symbol of the formula: it has x, y, z",
    (
        "train",
        "--formula",
        "w*x",
        "--data",
        "points.csv",
        "--start",
        "y=1",
    ): "the formula has no symbol 'y': it has w, x",
    ("train", "--formula", "j0(w)"): "model formula: torch has no derivative of j0, here j0(w): "
    "torch.special.bessel_j0 silently gives a result that has no gradient",
}


@pytest.mark.parametrize("words", SENTENCES)
def test_what_is_said(words, capsys):
    assert refused(capsys, *words) == f"verifier: {SENTENCES[words]}\n"


HOSTILE = {
    "__import__('os').system('touch owned')": "there is no function __import__",
    "w.__class__.__bases__[0]": ". has no meaning in a formula: a formula has no attributes",
    "eval('1')": "there is no function eval",
    "exec(w)": "there is no function exec",
    "open('owned', 'w')": "there is no function open",
    "(lambda: w)()": "lambda has no meaning in a formula",
    "[w for w in ()]": "for has no meaning in a formula",
    "w" * 1_000_001: "the formula has 1000001 characters: 20000 is the most",
    "w + " * 250_000 + "w": "the formula has 1000001 characters: 20000 is the most",
    "(" * 20_000 + "w" + ")" * 20_000: "the formula has 40001 characters: 20000 is the most",
    "(" * 9_000 + "w" + ")" * 9_000: "the formula nests more than 100 deep",
    "-" * 19_000 + "w": "the formula nests more than 100 deep",
    "w**" * 6_000 + "w": "the formula nests more than 100 deep",
    "9**9**9**9": "9**9**9 has no finite value in float64",
    "w*10**(10**10)": "10**(10**10) has no finite value in float64",
    "1e999*w": "1e999 has no finite value in float64",
    "9" * 400 + "*w": "this whole number has 400 digits: 309 is the most",
    "\u0430*x": (
        "the character U+0430 CYRILLIC SMALL LETTER A has no meaning in a formula: write plain "
        "ASCII"
    ),
    "w\u2212x": "the character U+2212 MINUS SIGN has no meaning in a formula: write -",
    "w\x00": "the character U+0000 has no meaning in a formula: write plain ASCII",
    "w\x1b[2J": "the character U+001B has no meaning in a formula: write plain ASCII",
    "w\u202ex": (
        "the character U+202E RIGHT-TO-LEFT OVERRIDE has no meaning in a formula: write plain ASCII"
    ),
}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_refused(text, capsys, folder):
    said = refused(capsys, "show", "--formula", text)
    sentence, _, excerpt = said.partition("\n")
    assert sentence.startswith(f"verifier: {HOSTILE[text]}")
    assert said.isascii() or said.replace("…", "").isascii()
    assert "\x1b" not in said
    assert "\x00" not in said
    assert all(len(line) <= 80 for line in excerpt.splitlines())
    assert not (folder / "owned").exists()


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_refused_by_the_library(text):
    with pytest.raises(verifier.InputError):
        verifier.Model.from_text(text, start={"w": 1.0})


@pytest.mark.parametrize(
    "name", ["w\x1b[2J", "w;import os", "w b", "lambda", "torch", "w.x", "", "1w"]
)
def test_hostile_names_are_refused(name):
    with pytest.raises(verifier.InputError):
        verifier.Model.from_text("w", start={name: 1.0, "w": 1.0})
