"""Inputs as they are typed: words, files, the dtypes to check in, and what to type instead."""

import numpy as np
import pytest
import torch

from verifier.checking.input_hints import hint_for
from verifier.commands.cli import run
from verifier.commands.from_shell.check_inputs import typed_dtypes, typed_inputs
from verifier.errors import InputError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.array([0.5, 1.5], dtype=np.float32))
    np.save("texts.npy", np.array(["a"]))
    np.save("objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    torch.save({"w": torch.ones(2, dtype=torch.float64), "n": 3}, "w.pt")
    torch.save(torch.tensor([1, 2]), "labels.pt")
    (tmp_path / "points.csv").write_text("t,Time (s)\n0,1.5\n1,2.5\n")
    (tmp_path / "f.py").write_text(
        "import torch\n"
        "def f(x, up=True, mode='sum'):\n    return (x * 2 if up else x * 3)\n"
        "def loss(x, target):\n    return torch.nn.functional.cross_entropy(x, target)\n"
        "class Plain:\n    def run(self, x):\n        return x * x\n"
        "class Layer(torch.nn.Module):\n    def __init__(self, dim):\n        super().__init__()\n"
        "    def forward(self, x):\n        return x * x\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("True", True), ("FALSE", False), ("none", None), ("sum", "sum"),
        ("batch_mean", "batch_mean"), ("'a b'", "a b"), ("2", 2), ("nan-like", "nan-like"),
    ],
)  # fmt: skip
def test_words_are_constants(text, value):
    (found,) = typed_inputs([f"g={text}"]).values()
    assert found == value and type(found) is type(value)


def test_numbers_stay_numbers():
    found = typed_inputs(["a=inf", "b=nan", "c=1e3"])
    assert (found["a"], str(found["b"]), found["c"]) == (float("inf"), "nan", 1000.0)


FILES = {
    "@x.npy": ("float32", [0.5, 1.5]),
    "@w.pt:w": ("float64", [1.0, 1.0]),
    "@labels.pt": ("int64", [1, 2]),
    "@points.csv:t": ("float64", [0.0, 1.0]),
    "@points.csv:Time (s)": ("float64", [1.5, 2.5]),
}


@pytest.mark.parametrize("text", FILES)
def test_files_are_read(folder, text):
    dtype, numbers = FILES[text]
    found = typed_inputs([f"x={text}"])["x"]
    assert (str(found.dtype), found.tolist()) == (f"torch.{dtype}", numbers)


def test_a_path_is_relative_to_the_folder(folder, monkeypatch):
    monkeypatch.chdir("/")
    assert typed_inputs(["x=@x.npy"], folder)["x"].tolist() == [0.5, 1.5]


REFUSED = {
    "@no.npy": "there is no file 'no.npy'",
    "@x.txt": "@x.txt is no file of numbers: write @file.npy, @file.pt or @file.csv:column",
    "@x.npy:a": "x.npy holds one array: leave out 'a'",
    "@texts.npy": "texts.npy holds <U1: give numbers",
    "@objects.npy": "objects.npy is no array of numbers: Object arrays cannot be loaded when "
    "allow_pickle=False",
    "@w.pt": "w.pt has 2 tensors: say which, as in @w.pt:w",
    "@w.pt:v": "w.pt has no 'v': it has w, n",
    "@w.pt:n": "w.pt holds a int: give a tensor",
    "@points.csv": "points.csv has columns t, Time (s): say which, as in @points.csv:t",
    "@points.csv:y": "points.csv has no column 'y': it has t, Time (s)",
}


@pytest.mark.parametrize("text", REFUSED)
def test_files_that_cannot_be_used(folder, text):
    with pytest.raises(InputError) as raised:
        typed_inputs([f"x={text}"])
    assert str(raised.value) == f"--input x: {REFUSED[text]}"


def test_nothing_in_a_file_is_run(folder):
    class Harmful:
        def __reduce__(self):
            return (exec, ("open('owned', 'w')",))

    torch.save(Harmful(), "harm.pt")
    with pytest.raises(InputError, match=r"harm\.pt cannot be read as tensors alone"):
        typed_inputs(["x=@harm.pt"])
    assert not (folder / "owned").exists()


@pytest.mark.parametrize(
    ("texts", "dtypes"),
    [
        (["x=[1,2.5]"], ("float32", "float64")),
        (["x=0:1:3"], ("float32", "float64")),
        (["x=@x.npy", "y=[1,2]"], ("float32",)),
        (["x=@points.csv:t"], ("float64",)),
        (["x=0:1:2", "n=@labels.pt"], ("float32", "float64")),
    ],
)
def test_dtypes_where_none_are_asked_for(folder, texts, dtypes):
    assert typed_dtypes(texts) == dtypes


HINTS = {
    "0,1,2": "for a tensor write [0,1,2]",
    "4x3": "for numbers that are drawn write -1:1:4x3, for example",
    "-1..1": "for numbers that are drawn write -1:1",
    "yes": "write true",
    "off": "write false",
    "torch.tensor([1,2])": "for a tensor write [1,2]",
    "torch.randn(3)": "for numbers that are drawn write -1:1:4x3",
    "data.npy": "for a file write @data.npy",
    "0x3": "",
    "1e5": "",
    "-1": "",
}


@pytest.mark.parametrize("text", HINTS)
def test_what_to_type_instead(text):
    assert hint_for(text) == HINTS[text]


SAID = {
    "f.py::f -i x=4x3": "--input x: '4x3' is no input: for numbers that are drawn write -1:1:4x3, "
    "for example",
    "f.py::loss -i x=-1:1:3x4 -i target=[0,1,2]": "loss raises RuntimeError at f.py:5: expected "
    "target dtype to be Long or Byte, but got Float; for labels or indices write --input "
    "'target=int[0,1,2]'",
    "torch.nn.functional.gelu -i input=0:1": "'torch.nn.functional.gelu' does not say where the "
    "target is: write torch.nn.functional:gelu",
    "quadratic -i x=0:1": "'quadratic' does not say where the target is: it is a model of the "
    "gallery: verifier train quadratic",
    "f.py::Plain -i x=0:1": "f.py::Plain is a Plain, which cannot be called: name a method, as in "
    "--make 'f.py::Plain().run'",
    "f.py::Plain.run -i x=0:1": "run is a method: name it on an object, as in layer = Layer() and "
    "layer.run, or --make 'file.py::Layer().run' in the shell",
    "f.py::Layer.forward -i x=0:1": "f.py::Layer.forward: Layer needs dim to be made: give them, "
    "as in --make 'f.py::Layer(dim=...).forward'",
}


@pytest.mark.parametrize("words", SAID)
def test_messages_show_the_right_form(folder, words, capsys):
    assert run(["check", *words.split()]) == 2
    assert capsys.readouterr().err.splitlines()[0] == f"verifier: {SAID[words]}"


@pytest.mark.parametrize("words", ["check f.py::f -i x=@x.npy -i up=true", "train linear"])
def test_quiet_is_the_verdict_alone(folder, words, capsys):
    assert run([*words.split(), "-q"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("AGREES  ") and len(shown.splitlines()) <= 3
    assert run([*words.split(), "--quiet", "-v"]) == 2
    assert capsys.readouterr().err == (
        "verifier: --verbose shows more and --quiet less: choose one\n"
    )
