"""Notebooks: what shows itself there, and the two of the documentation, run anew."""

import builtins
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
import torch

import verifier
from tests.helpers.hostile import PAYLOADS
from tests.reporting.test_training_page import Reader, hostile_report
from verifier.testing.mutations import Tampered

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOKS = ("training.ipynb", "own_model.ipynb")


@pytest.fixture(scope="module")
def failing():
    return verifier.train(
        verifier.load("quadratic"), epochs=20, witness=Tampered(1, torch.neg, (6, 40))
    )


def checked(*paths, folder=None):
    """The notebooks run anew, in a program of its own, in that folder or in this one."""
    return subprocess.run(
        [sys.executable, DOCS / "notebooks.py", "--check", *paths],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def test_the_notebooks_show_what_a_fresh_run_shows():
    assert {path.name for path in DOCS.glob("*.ipynb")} == set(NOTEBOOKS)
    done = checked()
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def notebook(source, *outputs):
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source, outputs=list(outputs))]
    )


def test_a_notebook_that_shows_something_else_is_found(tmp_path):
    stale = nbformat.v4.new_output("stream", name="stdout", text="2\n")
    nbformat.write(notebook("print(1 + 2)", stale), tmp_path / "stale.ipynb")
    done = checked(tmp_path / "stale.ipynb")
    assert (done.returncode, done.stdout) == (
        1,
        "stale.ipynb shows something else when it is run: python docs/notebooks.py writes it anew\n"
    )  # fmt: skip
    nbformat.write(notebook("import verifier\nverifier.load('nothing')"), tmp_path / "broken.ipynb")
    assert "there is no model 'nothing' in the gallery" in checked(tmp_path / "broken.ipynb").stderr


def test_the_kernels_leave_nothing_behind(tmp_path):
    code = "import os\nfound = os.listdir()\nprint(found)\nassert not found"
    shown = nbformat.v4.new_output("stream", name="stdout", text="[]\n")
    nbformat.write(notebook(code, shown), tmp_path / "empty.ipynb")
    folder = tmp_path / "current"
    folder.mkdir()
    done = checked(tmp_path / "empty.ipynb", folder=folder)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert list(folder.iterdir()) == []


def test_a_model_shows_its_formulas():
    assert verifier.load("linear")._repr_latex_() == (
        r"$\displaystyle \begin{aligned} \hat{y} &= w x \\ L &= \left(w x - y\right)^{2} \\ "
        r"\frac{\partial L}{\partial w} &= 2 x \left(w x - y\right) \end{aligned}$"
    )


def test_a_model_that_is_too_long_shows_its_representation(monkeypatch):
    monkeypatch.setattr("verifier.program.sympy_form.TREE_LIMIT", 3)
    model = verifier.load("quadratic")
    assert model._repr_latex_() is None
    with pytest.raises(verifier.InputError, match="above 3 it is not shown"):
        model.latex()


def test_a_report_shows_itself(failing):
    shown = failing._repr_html_()
    reader = Reader(shown)
    assert "The gradient by w2 is wrong at 2 of 60 steps, first at step 6." in shown
    assert len(reader.all("svg")) == 3
    assert not {"script", "html", "style"} & {tag for tag, _ in reader.elements}
    assert not [attributes for _, attributes in reader.elements if "style" in attributes]
    assert len(shown) < 200_000
    assert "of 60 steps are shown" in shown
    assert not reader.open


def test_representations_are_short(failing):
    assert repr(failing) == "<Report quadratic: disagrees, 180 gradients in 60 steps>"
    summary = verifier.train_all([verifier.load("linear"), verifier.load("quadratic")], epochs=1)
    assert repr(summary) == "<Summary agrees: linear, quadratic>"
    assert "2 of 2 models verified." in summary._repr_html_()
    assert "lambda" not in repr(failing.pictures[0])


def test_hostile_texts_are_texts(failing):
    for payload in PAYLOADS:
        page = hostile_report(failing, payload)._page()
        page = replace(page, sections=[part for part in page.sections if part.kind != "pictures"])
        reader = Reader(page.fragment())
        assert not {"script", "img", "iframe"} & {tag for tag, _ in reader.elements}


def test_a_frame(failing):
    frame = failing.to_frame()
    assert len(frame) == 60 * 4
    row = frame[(frame["step"] == 6) & (frame["name"] == "w2")].iloc[0]
    step = failing.steps[5]
    judged = step.gradient["w2"]
    assert (row["autograd"], row["exact"], row["outcome"]) == (
        judged.stated,
        judged.exact,
        "disagrees",
    )
    assert (row["parameter"], row["ulps"], row["sample"]) == (step.parameters["w2"], judged.ulps, 2)
    assert math.isnan(frame["parameter"].iloc[0])
    assert list(frame["quantity"].unique()) == ["value", "reverse"]
    assert "finite_differences" not in frame
    batch = verifier.train(
        verifier.load("quadratic"), epochs=2, batch="all", third_opinion=True
    ).to_frame()
    assert batch["sample"].isna().all()
    single = verifier.train(verifier.load("linear"), epochs=1, third_opinion=True).to_frame()
    gradients = single[single["quantity"] == "reverse"]
    assert (gradients["finite_differences"] - gradients["autograd"]).abs().max() < 1e-4


def test_without_pandas(failing, monkeypatch):
    real = builtins.__import__

    def missing(name, *rest):
        if name == "pandas":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(verifier.InputError) as refused:
        failing.to_frame()
    assert (
        str(refused.value)
        == "to_frame needs pandas: install it, as in pip install 'verifier[pandas]'"
    )
