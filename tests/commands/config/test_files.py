"""What `check --config` writes besides its report: accepted failures, JUnit's XML, annotations,
lines of JSON; and which targets it checks.
"""

import json
import subprocess
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from verifier.commands.cli import run
from verifier.commands.config.accept import write_accepted
from verifier.commands.config.changed import changed_targets
from verifier.commands.config.schema import AcceptedFailure, read_config
from verifier.commands.config.source_line import SourceLine, source_line
from verifier.errors import InputError

LOSSES = """\
import torch

import helper


class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * x


def right(x):
    return helper.double(x) * x
"""
FILE = """\
# our targets
[settings]
points = 1
dtypes = ["float64"]
without = ["vmap", "forward", "both", "strided", "expanded", "structured"]

[[target]]  # one that is wrong
target = "losses.py::Wrong"
inputs = { x = "-2:2:2" }

# and one that is right
[[target]]
target = "losses.py::right"
inputs = { x = "-2:2:2" }
"""
CHECK = ["check", "--config", "verifier.toml"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "losses.py").write_text(LOSSES)
    (tmp_path / "helper.py").write_text("def double(x):\n    return 2 * x\n")
    (tmp_path / "verifier.toml").write_text(FILE)
    return tmp_path


def test_what_fails_is_accepted_with_what_follows_from_it(project, capsys):
    assert run([*CHECK, "--accept", 'known, see "12"']) == 1
    shown = capsys.readouterr().out
    assert "1 accepted failure written to verifier.toml: the next run accepts them." in shown
    text = (project / "verifier.toml").read_text()
    entry = (
        '\n[[target.accepted]]\ncomponent = "x"\ndtype = "float64"\n'
        'reason = "known, see \\"12\\""\n'
    )
    before, after = FILE.split("\n\n# and one")
    assert text == f"{before}\n{entry}\n# and one{after}"
    assert run(CHECK) == 0
    assert "x in float64 disagrees and is accepted" in capsys.readouterr().out
    (project / "losses.py").write_text(LOSSES.replace("return g * x\n", "return 2 * g * x\n"))
    assert run(CHECK) == 1
    assert "is stale" in capsys.readouterr().out


def test_a_reason_is_needed(project, capsys):
    assert run([*CHECK, "--accept", " "]) == 2
    assert capsys.readouterr().err == (
        "verifier: --accept takes the reason, as in --accept 'torch issue 12345'\n"
    )
    assert (project / "verifier.toml").read_text() == FILE


def test_a_file_in_another_form_is_left_alone(project):
    text = 'target = [{ target = "losses.py::Wrong", inputs = { x = "-2:2:2" } }]\n'
    (project / "verifier.toml").write_text(text)
    entry = AcceptedFailure("x", "float64", "")
    with pytest.raises(InputError, match="add these entries by hand") as raised:
        write_accepted(read_config("verifier.toml"), {0: [entry]}, "known")
    assert raised.value.excerpt == (
        '# losses.py::Wrong\n[[target.accepted]]\ncomponent = "x"\ndtype = "float64"\n'
        'reason = "known"'
    )
    assert (project / "verifier.toml").read_text() == text


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_rest_of_the_file_stays_byte_for_byte(project, start, newline):
    text = FILE.removeprefix(FILE.split("[[target]]", 1)[0]) if start else FILE
    before = (start + text.replace("\n", newline)).encode("utf-8")
    (project / "verifier.toml").write_bytes(before)
    entry = AcceptedFailure("x", "float64", "")
    assert write_accepted(read_config("verifier.toml"), {0: [entry]}, "known") == 1
    added = ["", "[[target.accepted]]", 'component = "x"', 'dtype = "float64"', 'reason = "known"']
    first, behind = before.split(b'"-2:2:2" }', 1)
    lines = newline.join([first.decode("utf-8") + '"-2:2:2" }', *added])
    assert (project / "verifier.toml").read_bytes() == lines.encode("utf-8") + behind


def test_a_line_of_a_text_is_no_target(project):
    """The file is as before where the entries would be read as something else."""
    text = '[[target]]\ntarget = "losses.py::Wrong"\ninputs = { x = "-2:2:2" }\n'
    text += 'formula = """\n[[target]]\nx\n"""\n[[target]]\ntarget = "losses.py::right"\n'
    text += 'inputs = { x = "-2:2:2" }\n'
    (project / "verifier.toml").write_text(text)
    entry = AcceptedFailure("x", "float64", "")
    with pytest.raises(InputError, match="add these entries by hand"):
        write_accepted(read_config("verifier.toml"), {1: [entry]}, "known")
    assert (project / "verifier.toml").read_text() == text


def test_nothing_to_accept_writes_nothing(project):
    assert write_accepted(read_config("verifier.toml"), {0: [], 1: []}, "known") == 0
    assert (project / "verifier.toml").read_text() == FILE


def test_junit(project):
    (project / "verifier.toml").write_text(
        FILE + '\n[[target]]\ntarget = "no.py::f"\ninputs = {}\n'
    )
    assert run([*CHECK, "--junit", "report.xml"]) == 1
    (suite,) = ET.parse("report.xml").getroot()
    assert {key: suite.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "3", "failures": "1", "errors": "1",
    }  # fmt: skip
    wrong, right, missing = suite
    assert (wrong.get("classname"), wrong.get("name")) == ("losses.py", "Wrong")
    assert wrong.find("failure").get("message") == "The gradient of Wrong by x is wrong."
    assert wrong.find("failure").text.startswith("DISAGREES  The gradient of Wrong by x is wrong.")
    assert "\x1b" not in wrong.find("failure").text
    assert len(right) == 0 and float(right.get("time")) > 0
    assert missing.find("error").get("message").startswith("there is no file 'no.py'")


def test_annotations(project, capsys):
    assert run([*CHECK, "--github", "--quiet"]) == 1
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("::")]
    start = "::error file=losses.py,line=13,title=verifier%3A losses.py%3A%3AWrong::DISAGREES  The"
    assert line.startswith(start)
    assert LOSSES.splitlines()[12].strip() == "def backward(ctx, g):"


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("losses.py::Wrong", 13), ("losses.py::right", 18), ("losses:right", 18),
        ("losses.py::Wrong.forward", 8), ("losses.py::Wrong(1)", 13),
        ("losses.py::missing", None), ("no.py::right", None), ("torch:tanh", None),
    ],
)  # fmt: skip
def test_source_lines(project, target, line):
    found = source_line(target, project)
    assert found == (None if line is None else SourceLine(str(project / "losses.py"), line))


def test_json_lines_while_it_runs(project):
    assert run([*CHECK, "--json", "report.jsonl"]) == 1
    lines = (project / "report.jsonl").read_text().splitlines()
    documents = [json.loads(line) for line in lines]
    assert [(one["target"], one["outcome"]) for one in documents] == [
        ("losses.py::Wrong", "disagrees"),
        ("losses.py::right", "agrees"),
    ]
    assert documents[0]["report"]["format"] == "verifier/1"


def git(*words):
    named = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", *named, *words], check=True, capture_output=True)


def test_only_what_changed(project, capsys):
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    changed = [*CHECK, "--changed", "HEAD"]
    assert run(changed) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(
        "VERIFIED  No target changed.\n2 targets did not change: not checked.\n"
    )
    (project / "helper.py").write_text("def double(x):\n    return x + x\n")
    assert run(changed) == 1  # both import it
    other = LOSSES.replace("import helper\n", "").replace("helper.double(x)", "x")
    (project / "other.py").write_text(other)
    git("add", ".")
    git("commit", "-q", "-m", "second")
    (project / "verifier.toml").write_text(FILE.replace("losses.py::right", "other.py::right"))
    git("commit", "-q", "-a", "-m", "third")
    (project / "other.py").write_text(other + "\n")
    assert run(changed) == 0
    assert "1 target did not change: not checked." in capsys.readouterr().out


def test_a_target_outside_the_project_may_have_changed(project, capsys):
    entry = '[[target]]\ntarget = "torch:tanh"\ninputs = { input = "-2:2:2" }\n'
    (project / "verifier.toml").write_text(f"{FILE}\n{entry}")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    assert run([*CHECK, "--changed", "HEAD"]) == 0
    shown = capsys.readouterr().out
    assert "torch:tanh" in shown and "2 targets did not change: not checked." in shown


def test_an_import_from_the_root_of_a_package_in_src(project):
    package = project / "src" / "mine"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text("def double(x):\n    return x + x\n")
    (package / "losses.py").write_text("from mine.parts import double\n")
    target = next(
        target
        for target in read_config(project / "verifier.toml").targets
        if target.target == "losses.py::right"
    )
    target = replace(target, target="src/mine/losses.py::double")
    config = replace(read_config(project / "verifier.toml"), targets=(target,))
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    assert changed_targets(config, "HEAD").targets == ()
    (package / "parts.py").write_text("def double(x):\n    return 2 * x\n")
    assert changed_targets(config, "HEAD").targets == (target,)


def test_changed_since_no_commit(project, capsys):
    git("init", "-q")
    assert run([*CHECK, "--changed", "nothing"]) == 2
    assert capsys.readouterr().err.startswith("verifier: --changed asks git what changed: ")


@pytest.mark.parametrize("option", [["--github"], ["--changed", "HEAD"], ["--accept", "so"]])
def test_options_of_a_file_alone(option, capsys):
    assert run(["check", "torch:tanh", "--input", "input=0:1", *option]) == 2
    assert capsys.readouterr().err == (
        f"verifier: {option[0]} is for the targets of a file: give it with --config\n"
    )
