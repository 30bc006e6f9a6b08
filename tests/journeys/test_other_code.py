"""Code as libraries have it: read and judged right, and with a planted error found."""

from pathlib import Path

import pytest
import torch

import verifier
from tests.helpers.other_code import SHAPES, Kumaraswamy, Penalty, Quantiser, Solver
from verifier import between
from verifier.capture.code_at_point import Subject
from verifier.capture.target import bound
from verifier.commands.cli import run
from verifier.judging.examine import examine
from verifier.judging.verdict import Outcome

CODE = Path(__file__).parent.parent / "helpers" / "other_code.py"


def judged(kind, off=0.0, dtype="float64"):
    """What is found of a module at one point between 0.1 and 0.9."""
    generator = torch.Generator().manual_seed(1)
    shape = SHAPES[kind]
    x = 0.1 + 0.8 * torch.rand(shape, generator=generator, dtype=torch.float64)
    name = {Solver: "y", Quantiser: "z", Penalty: "real"}.get(kind, "x")
    here = bound(kind(off=off), {name: x.to(getattr(torch, dtype))}, dtype)
    return examine(Subject(here.code, here.inputs, here.wanted))


@pytest.mark.parametrize("kind", SHAPES)
def test_what_libraries_have_is_read_and_judged_right(kind):
    examination = judged(kind)
    assert examination.outcome is Outcome.AGREES
    assert examination.formula.digits > 50


@pytest.mark.parametrize("kind", SHAPES)
def test_a_planted_error_is_found_in_it(kind):
    examination = judged(kind, off=1e-10)
    assert {part.outcome for part in examination.parts if part.quantity == "value"} == {
        Outcome.AGREES
    }
    assert examination.outcome is Outcome.DISAGREES
    assert examination.formula.wrong


def test_a_note_says_which_way_was_taken(capsys):
    words = ["check", f"{CODE}::Solver", "--input", "y=-1:1:3", "--dtype", "float64"]
    assert run([*words, "--points", "1", "--without", "second"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "decides by the value of a tensor: true" in shown
    assert "Detection limit" in shown


def test_a_planted_error_on_the_command_line(capsys):
    made = f"{CODE}::Kumaraswamy(off=1e-9)"
    words = ["check", "--make", made, "--input", "x=0.1:0.9:4", "--dtype", "float64"]
    assert run([*words, "--points", "1", "--without", "second"]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "DISAGREES" in shown
    assert "so the other way was not tried" in shown


def test_weights_from_a_file_and_training_mode(tmp_path, capsys):
    torch.manual_seed(1)
    file = tmp_path / "weights.pt"
    torch.save({"state_dict": {"book.weight": torch.rand(5, 3)}}, file)
    x = torch.tensor([[0.1, 0.2, 0.3]], dtype=torch.float64)
    report = verifier.check(
        Quantiser(), inputs={"z": x}, state=file, train=True, wrt="book", points=1
    )
    assert report.outcome is Outcome.AGREES
    assert {part.name for part in report.checked.findings[1].parts} == {"book.weight"}
    assert f"--wrt book --state {file} --train" in (report.replay or "") or report.replay is None


def test_what_is_chosen():
    inputs = {"y": between(-1, 1, shape=(3,))}
    options = {"inputs": inputs, "dtypes": "float64", "points": 1, "without": ("second", "vmap")}
    report = verifier.check(Solver(), not_wrt=["k"], **options)
    assert {component.name for component in report.components} == {"value", "y"}
    only = verifier.check(Solver(), wrt=["k"], **options)
    assert "y" not in {component.name for component in only.components}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--make", "{code}::Block(dim=open('x'))"], "argument dim is open('x'), and what a"),
        (["--make", "{code}::Block(dim=4"], "Block(dim=4 is not a call: write it as in Block("),
        (["--make", "{code}::Block(dims=4)"], "Block(dims=4) raises TypeError: Block.__init__()"),
        (["--make", "{code}::Block(**4)"], "argument ** is 4, and what a target is made with"),
        (["{code}::Block", "--wrt", "no"], "Block has no floating-point input or parameter 'no'"),
        (["{code}::Block", "--state", "none.pt"], "there is no file 'none.pt': give one that"),
        (["{code}::Block", "--not-wrt", "x,before,after,qkv,out,wide"], "nothing is left of Block"),
        (["torch:tanh", "--train"], "tanh is not a module: --state and --train are for modules"),
        (["torch:tanh", "--make", "f()"], "--make says what is made and checked: give it in place"),
        (["torch:tanh", "--input", "y=(1,"], "--input y: '(1,' is not a tensor: write"),
        (["torch:tanh", "--input", "y=(1, a)"], "--input y: '(1, a)' is no list of numbers, texts"),
    ],
)
def test_refusals(words, sentence, capsys):
    typed = [word.format(code=CODE) for word in words]
    assert run(["check", *typed, "--input", "x=-1:1:1x3x4"]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ({"length": torch.tensor(1.0)}, "it has no noise, which the module has"),
        ({"length": torch.ones(2), "noise": torch.ones(())}, "size mismatch for length"),
        (
            {"length": torch.ones(()), "noise": torch.ones(()), "more": torch.ones(())},
            "it has more, which the module has not\n",
        ),
        ([1, 2], "has no weights by name: save module.state_dict() with torch.save"),
    ],
)
def test_weights_that_do_not_fit(weights, sentence, tmp_path, capsys):
    file = tmp_path / "weights.pt"
    torch.save(weights, file)
    words = ["check", f"{CODE}::Process", "--state", str(file), "--input", "x=-1:1:4"]
    assert run(words) == 2
    assert sentence in capsys.readouterr().err


def test_a_file_that_is_no_weights(tmp_path, capsys):
    file = tmp_path / "weights.pt"
    file.write_text("no")
    words = ["check", f"{CODE}::Process", "--state", str(file), "--input", "x=-1:1:4"]
    assert run(words) == 2
    assert "cannot be read as weights" in capsys.readouterr().err


def test_a_distribution_refuses_what_it_does_not_take():
    here = {"x": torch.tensor([2.0])}
    with pytest.raises(verifier.InputError, match="outside the support"):
        verifier.check(Kumaraswamy(), inputs=here)
