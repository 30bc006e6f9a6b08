"""What a new user types first: a verdict or one sentence, never a traceback, and the exit code of
the table.
"""

import json
import os
from pathlib import Path

import pytest

from tests.helpers import mistakes
from tests.helpers.processes import Processes, verifier
from verifier import between, check

CODES = {0, 1, 2, 3, 4, 130}
FOLDER = Path(mistakes.__file__).parent


def is_clean(done):
    return "Traceback" not in done.out + done.err and done.code in CODES


COMMANDS = {
    "": 0,
    "train": 2,
    "check": 2,
    "show": 2,
    "explain": 2,
    "list": 0,
    "lesson": 0,
    "--version": 0,
    "train --help": 0,
    "check --help": 0,
    "show -h": 0,
    "explain --help": 0,
    "list --help": 0,
    "lesson --help": 0,
    "selftest --help": 0,
    "chekc": 2,
    "train --epoch 3": 2,
    "check --imput x=1": 2,
    "train --epochs many": 2,
    "check --dtype": 2,
    "train --plot": 2,
    "check torch:tanh --timeout nan": 2,
    "check torch:tanh --memory much": 2,
    "check torch:tanh --jobs 2": 2,
    "check --config nowhere.toml": 2,
}


@pytest.fixture(scope="module")
def processes():
    if not hasattr(os, "fork"):
        pytest.skip("a process cannot be copied")
    processes = Processes()
    yield processes
    processes.close()


def is_as_the_table_says(done, code):
    assert is_clean(done), done
    assert done.code == code, done
    if code:
        assert done.out == ""
        assert done.err.startswith("verifier: ") and done.err.count("\n") == 1


@pytest.mark.parametrize("words", COMMANDS)
def test_commands_without_what_they_need(words, processes, tmp_path):
    is_as_the_table_says(processes.run(*words.split(), folder=tmp_path), COMMANDS[words])


@pytest.mark.parametrize("words", ["", "check --dtype", "train --epochs many"])
def test_commands_without_what_they_need_as_a_user_starts_them(words, tmp_path):
    is_as_the_table_says(verifier(*words.split(), folder=tmp_path), COMMANDS[words])


INPUTS = {"1": ["--input", "x=-2:2:3x3"], "2": ["--input", "a=-2:2:3x3", "--input", "b=1:3:3x3"]}
GIVEN = {
    "1": {"x": between(-2, 2, shape=(3, 3))},
    "2": {"a": between(-2, 2, shape=(3, 3)), "b": between(1, 3, shape=(3, 3))},
}


@pytest.mark.sweep(one_in=2)
@pytest.mark.parametrize("name", mistakes.names)
def test_the_commonest_mistakes_have_a_verdict(name):
    inputs = GIVEN[name.split("_")[-2]]
    target = f"{mistakes.__file__}::{name}"
    report = check(target, inputs=inputs, dtypes=["float32"], points=1)
    assert report.outcome == ("agrees" if name.startswith("none") else "disagrees")


@pytest.mark.sweep(one_in=8)
@pytest.mark.parametrize("name", mistakes.names)
def test_the_commonest_mistakes_have_a_verdict_as_a_user_checks_them(name, processes):
    count = name.split("_")[-2]
    target = f"mistakes.py::{name}"
    words = ["check", target, *INPUTS[count], "--dtype", "float32", "--points", "1"]
    done = processes.run(*words, folder=FOLDER)
    wrong = not name.startswith("none")
    assert is_clean(done), done
    assert (done.code, done.err) == (int(wrong), "")
    assert ("DISAGREES" if wrong else "AGREES") in done.out


def test_two_gradients_in_the_wrong_order(tmp_path):
    """The whole way, as a user goes it."""
    (tmp_path / "product.py").write_text(
        "import torch\n\n\nclass Product(torch.autograd.Function):\n"
        "    @staticmethod\n    def forward(ctx, a, b):\n"
        "        ctx.save_for_backward(a, b)\n        return a * b\n\n"
        "    @staticmethod\n    def backward(ctx, g):\n"
        "        a, b = ctx.saved_tensors\n        return g * a, g * b\n"
    )
    done = verifier(
        "check", "product.py::Product", "--input", "a=-2:2:4", "--input", "b=-2:2:4", "--json", "-",
        folder=tmp_path,
    )  # fmt: skip
    assert (done.code, done.err) == (1, "")
    assert json.loads(done.out)["outcome"] == "disagrees"


ENDS = """
import os, re, sys, time
import torch

calls = 0


def exits_later(x):
    global calls
    calls += 1
    if calls > 1:
        raise SystemExit(0)
    return x * 2


class exits_backward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        os._exit(0)


class wrong_then_exits(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        global calls
        calls += 1
        if calls > 60:
            os._exit(0)
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 3


def holds_the_lock(x):
    re.match(r"(a+)+$", "a" * 60 + "b")
    return x


def own(x):
    class Own(BaseException):
        def __str__(self):
            raise ValueError

    raise Own
"""


def line_of(text):
    return next(number for number, line in enumerate(ENDS.splitlines(), 1) if text in line)


ENDINGS = {
    "exits_later": (
        2,
        f"exits_later raises SystemExit at ends.py:{line_of('raise SystemExit')}: 0",
    ),
    "exits_backward": (2, "the code ended the process with exit code 0 before a verdict"),
    "wrong_then_exits": (
        1,
        "the code ended the process with exit code 0 before a verdict; the report has what was "
        "decided before",
    ),
    "holds_the_lock": (
        2,
        f"the time ran out after 12 seconds at ends.py:{line_of('re.match')}, in holds_the_lock: "
        "--timeout gives it more",
    ),
    "own": (
        2,
        f"own raises Own at ends.py:{line_of('raise Own')}: its message cannot be shown: "
        "ValueError",
    ),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_no_false_green(name, tmp_path):
    (tmp_path / "ends.py").write_text(ENDS)
    limit = "12" if name == "holds_the_lock" else "90"
    files = [tmp_path / "a.json", tmp_path / "a.md", tmp_path / "a.html"]
    done = verifier(
        "check",
        f"ends.py::{name}",
        "--input",
        "x=1:2:3",
        "--dtype",
        "float32",
        "--timeout",
        limit,
        "--json",
        "a.json",
        "--markdown",
        "a.md",
        "--html",
        "a.html",
        folder=tmp_path,
    )
    code, sentence = ENDINGS[name]
    assert is_clean(done), done
    assert (done.code, done.err.splitlines()[0]) == (code, f"verifier: {sentence}")
    document = json.loads(files[0].read_text(encoding="utf-8"))
    assert (document["ok"], document["exit_code"]) == (False, code)
    assert document["reason"] == sentence.partition("; the report has")[0]
    assert document["outcome"] == ("disagrees" if code == 1 else None)
    for file in files[1:]:
        assert document["reason"].split(" ")[0] in file.read_text(encoding="utf-8")


LIST = """
[settings]
dtypes = ["float32"]
points = 1
timeout = 90
[[target]]
target = "torch:tanh"
inputs = { input = "-1:1:2" }
[[target]]
target = "ends.py::exits_backward"
inputs = { x = "1:2:3" }
[[target]]
target = "ends.py::exits_later"
inputs = { x = "1:2:3" }
[[target]]
target = "torch:exp"
inputs = { input = "-1:1:2" }
"""


def test_one_target_that_ends_the_process_does_not_keep_the_others_from_being_checked(tmp_path):
    (tmp_path / "ends.py").write_text(ENDS)
    (tmp_path / "verifier.toml").write_text(LIST)
    done = verifier(
        "check", "--config", "verifier.toml", "--jobs", "2", "--json", "-", folder=tmp_path
    )
    assert (done.code, done.err) == (2, "")
    document = json.loads(done.out)
    assert [target["outcome"] for target in document["targets"]] == [
        "agrees",
        "died",
        "not usable",
        "agrees",
    ]
