"""The command line as a process: interruption, help, start-up, the installed wheel."""

import json
import os
import re
import signal
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.helpers.sources import WRONG_SQUARE
from verifier.commands.cli import run
from verifier.errors import InputError
from verifier.formula.gallery import gallery
from verifier.formula.gallery_list import gallery_entries
from verifier.witnesses import Autograd

ROOT = Path(__file__).parents[2]


class Interrupting(Autograd):
    """Presses Ctrl-C during a step, once or twice."""

    def __init__(self, *steps):
        self.steps, self.step = steps, 0

    def differentiate(self, loss, parameters):
        super().differentiate(loss, parameters)
        self.step += 1
        if self.step in self.steps:
            signal.raise_signal(signal.SIGINT)


def test_interrupted_run_prints_what_was_done(monkeypatch, capsys):
    monkeypatch.setattr("verifier.commands.train.Autograd", lambda: Interrupting(1500))
    before = signal.getsignal(signal.SIGINT)
    assert run(["train", "linear", "--epochs", "100000000"]) == 130
    captured = capsys.readouterr()
    assert "PARTIAL  Interrupted after 1500 of 300000000 steps." in captured.out
    assert "AGREES SO FAR  Autograd and the symbolic gradient agree" in captured.out
    assert "1,500 of 1,500 gradients" in captured.out
    assert captured.err == ""
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_interruption_ends_the_program(monkeypatch, capsys):
    class Twice(Interrupting):
        def differentiate(self, loss, parameters):
            super().differentiate(loss, parameters)
            if self.step == 10:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("verifier.commands.train.Autograd", lambda: Twice(10))
    assert run(["train", "linear"]) == 130
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(os.name == "nt", reason="no broken pipes there")
@pytest.mark.parametrize("arguments", [["--every", "1", "--epochs", "200"], ["--json", "-"]])
def test_a_reader_who_has_enough_is_no_disagreement(arguments):
    process = subprocess.Popen(
        [sys.executable, "-m", "verifier", "train", "linear", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) == 0


def test_interrupted_before_the_first_step(tmp_path, capsys):
    path = tmp_path / "own.py"
    path.write_text(
        "import signal\nfrom verifier import model, "
        "squared_error\nsignal.raise_signal(signal.SIGINT)\n"
        "@model(loss=squared_error, data={'x': [1.0], 'y': [2.0]})\ndef line(x, *, w=1.0):\n    "
        "return w * x\n"
    )
    assert run(["train", f"{path}::line"]) == 130
    assert capsys.readouterr() == ("", "verifier: interrupted before anything was decided\n")


def test_a_real_process_can_be_interrupted(tmp_path):
    model = tmp_path / "slow.py"
    model.write_text(
        "import os, signal\nfrom verifier import model, squared_error\n"
        "from verifier.witnesses import Autograd\n"
        "before, steps = Autograd.differentiate, []\n"
        "def differentiate(*arguments):\n    steps.append(1)\n"
        "    if len(steps) == 200:\n        os.kill(os.getppid(), signal.SIGINT)\n"
        "    return before(*arguments)\n"
        "Autograd.differentiate = differentiate\n"
        "@model(loss=squared_error, data={'x': [1.0], 'y': [2.0]})\ndef line(x, *, w=1.0):\n    "
        "return w * x\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "verifier", "train", f"{model}::line", "--epochs", "100000000"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 130, done.stderr
    assert "PARTIAL  Interrupted after " in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [[], ["list"], ["show"], ["train"], ["explain"], ["lesson"]])
def test_help_has_examples(command, capsys):
    assert run([*command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Usage: verifier" in shown
    if command:
        assert "Example" in shown


def test_no_arguments_is_help(capsys):
    assert run([]) == 0
    assert "train" in capsys.readouterr().out


def test_version(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == "verifier 0.1.0\n"


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_list_fits_the_terminal(width, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    assert run(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= min(width, 79)
    names = [line.split()[0] for line in lines if re.match("  [a-z]", line)]
    assert sorted(names) == sorted(entry.name for entry in gallery_entries())
    words = {word for entry in gallery_entries() for word in re.split(r"[\s-]+", entry.description)}
    assert words <= set(re.split(r"[\s-]+", " ".join(lines)))


def test_list(capsys):
    assert run(["list"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("loss squared_error\n  attention             One head of")
    assert (
        "  linear                y = w·x on three points of a line through the origin:\n"
        "                        the tutorial's first model.\n"
    ) in shown
    assert "\n\nno data: the formula itself is minimised\n  beale                 " in shown
    assert all(len(line) < 80 for line in shown.splitlines())
    for name in gallery():
        assert f"\n  {name} " in shown


def test_show(capsys):
    assert run(["show", "quadratic"]) == 0
    assert capsys.readouterr().out == (
        "quadratic(x, *, w1=1.0, w2=1.0, b=0.0)\n"
        "  prediction  w1 * x**2 + w2 * x + b\n"
        "  loss        (w1 * x**2 + w2 * x + b - y)**2\n"
        "  gradient\n"
        "    w1  2*x**2*(w1*x**2 + w2*x + b - y)\n"
        "    w2  2*x*(w1*x**2 + w2*x + b - y)\n"
        "    b   2*(w1*x**2 + w2*x + b - y)\n"
    )
    assert run(["show", "linear", "--latex"]) == 0
    assert capsys.readouterr().out == (
        "\\hat{y} = w x\nL = \\left(w x - y\\right)^{2}\n"
        "\\frac{\\partial L}{\\partial w} = 2 x \\left(w x - y\\right)\n"
    )


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("verifier tr", ["train"]),
        ("verifier train qu", ["quadratic"]),
        ("verifier train --opt", ["--optimizer"]),
        ("verifier check --ju", ["--junit"]),
    ],
)
def test_the_shell_completes(words, offered):
    asked = {
        "_VERIFIER_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "verifier"],
        env={**os.environ, **asked}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (done.stdout.split(), done.stderr) == (offered, "")


def test_heavy_libraries_wait_until_they_are_needed():
    code = (
        "import sys, verifier\nfrom verifier.commands.cli import run\nfrom verifier.functions "
        "import exp\n"
        "run(['--help'])\n"
        "print('sympy' in sys.modules)\nrun(['list'])\n"
        "print([name for name in ('torch', 'matplotlib', 'scipy') if name in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8"
    ).stdout
    assert out.splitlines()[-1] == "[]"
    assert "False" in out.splitlines()


def test_the_list_loads_no_formulas():
    code = (
        "import sys\nfrom verifier.commands.cli import run\nrun(['--help'])\nrun(['list'])\n"
        "names = ('sympy', 'numpy', 'torch', 'rich', 'flint', 'matplotlib')\n"
        "print([name for name in names if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(os.name == "nt", reason="no broken pipes there")
@pytest.mark.parametrize(
    "words",
    ["list", "show quadratic", pytest.param("train --all --epochs 1", marks=pytest.mark.slow)],
)
def test_output_that_nobody_reads_is_no_disagreement(words):
    read, write = os.pipe()
    os.close(read)
    process = subprocess.run(
        [sys.executable, "-m", "verifier", *words.split()], stdout=write, stderr=subprocess.PIPE
    )
    os.close(write)
    assert process.returncode == 0
    assert process.stderr == b""


@pytest.mark.skipif(os.name == "nt", reason="a shell's way to close a stream")
def test_no_standard_output_at_all():
    command = f"{sys.executable} -m verifier train linear --epochs 1 >&-"
    process = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert (process.returncode, process.stderr) == (0, "")


def test_a_terminal_without_columns(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "0")
    assert run(["train", "linear", "--epochs", "1"]) == 0
    assert "3 of 3\ngradients" in capsys.readouterr().out


def test_an_interruption_before_the_first_step(monkeypatch, capsys):
    """Whatever is said of it by then, it is an interruption and nothing that cannot be used."""

    def interrupted(*_, **__):
        signal.raise_signal(signal.SIGINT)
        raise InputError("the run was ended before its first step: there is nothing to report")

    monkeypatch.setattr("verifier.commands.train.train", interrupted)
    assert run(["train", "linear"]) == 130
    assert capsys.readouterr().err == "verifier: interrupted before anything was decided\n"


def test_progress_bar_after_a_second(monkeypatch, capsys):
    import verifier.commands.cli

    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    for after, shown in ((-1.0, True), (1e9, False)):
        monkeypatch.setattr(verifier.commands.terminal, "PROGRESS_AFTER", after)
        assert run(["train", "linear"]) == 0
        captured = capsys.readouterr()
        assert ("training" in captured.err) is shown
        assert "training" not in captured.out


@pytest.mark.slow
def test_installed_wheel_works_outside_the_checkout(tmp_path):
    """Built, installed into an empty environment, run from another folder; dependencies come from
    this one.
    """
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            tmp_path,
            ROOT,
        ],
        check=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    (wheel,) = tmp_path.glob("*.whl")
    home = tmp_path / "empty"
    venv.create(home, with_pip=False)
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            python,
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            wheel,
        ],
        check=True,
    )
    here = next(path for path in sys.path if path.endswith("site-packages"))
    # The dependencies by path, without the .pth files that would bring the checkout along.
    environment = {**os.environ, "PYTHONPATH": here, "PYTHONSAFEPATH": "1"}
    script = python.parent / "verifier"

    def installed(*arguments):
        return subprocess.run(
            [script, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )

    where = subprocess.run(
        [python, "-c", "import verifier; print(verifier.__file__)"], cwd=tmp_path, env=environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert str(home) in where.stdout
    listed = installed("list")
    assert listed.returncode == 0, listed.stderr
    assert "\n  linear " in listed.stdout
    trained = installed("train", "linear", "--predict", "x=4", "--html", "page.html")
    assert "<!DOCTYPE html>" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert trained.returncode == 0, trained.stderr
    assert "prediction x=4: 7.999998569488525 both ways" in trained.stdout
    page = tmp_path / "page.html"
    taught = installed("lesson", "backward", "--lang", "zh", "--html", page)
    assert taught.returncode == 0, taught.stderr
    assert page.read_text(encoding="utf-8").count("✓") == 2


# Files that are asked for


SMALL = ["--input", "x=0.5:1:2", "--dtype", "float32", "--points", "1"]


@pytest.mark.parametrize("words", [
    ["check", "code.py::Wrong", *SMALL, "--json", "code.py"],
    ["check", "code.py::Wrong", *SMALL, "--reference", "code.py::right", "--html", "link.py"],
    ["check", "--config", "code.py", "--json", "code.py"],
    ["train", "code.py::line", "--json", "code.py"],
    ["train", "linear", "--data", "code.py", "--html", "code.py"],
    ["explain", "code.py::line", "--json", "code.py"],
])  # fmt: skip
def test_what_is_read_is_never_written(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "code.py").write_text(WRONG_SQUARE)
    (tmp_path / "link.py").symlink_to("code.py")
    assert run(words) == 2
    option, name = words[-2:]
    assert capsys.readouterr().err == (
        f"verifier: cannot write '{name}': the command reads this file; name another for {option}\n"
    )
    assert (tmp_path / "code.py").read_text() == WRONG_SQUARE


def test_two_names_of_one_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("report")
    for other in (tmp_path / "report", "link"):
        assert run(["check", "torch:tanh", *SMALL, "--json", "report", "--html", str(other)]) == 2
        assert capsys.readouterr().err == (
            f"verifier: cannot write '{other}': --json and --html name the same file\n"
        )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device is full")
def test_files_are_written_where_standard_output_cannot_be(tmp_path):
    (tmp_path / "code.py").write_text(WRONG_SQUARE)
    words = [
        sys.executable,
        "-m",
        "verifier",
        "check",
        "code.py::Wrong",
        *SMALL,
        "--json",
        "a.json",
    ]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(words, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (
        1, "verifier: cannot write the report: No space left on device\n"
    )  # fmt: skip
    assert json.loads((tmp_path / "a.json").read_text())["outcome"] == "disagrees"


@pytest.mark.skipif(os.name != "posix", reason="there are no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_whoever_ends_the_program_gets_what_is_known(name, tmp_path):
    if signal.getsignal(getattr(signal, name)) == signal.SIG_IGN:
        pytest.skip("whoever started the tests has it ignored")
    (tmp_path / "code.py").write_text(
        f"import os, signal\ndef f(x):\n    os.kill(os.getppid(), signal.{name})\n    return x * "
        "x\n"
    )
    words = [sys.executable, "-m", "verifier", "check", "code.py::f", *SMALL, "--json", "a.json"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="there are no such signals")
@pytest.mark.parametrize("seconds", [0.1, 0.3])
def test_ctrl_c_while_the_program_starts(seconds):
    code = (
        "import os, signal, sys, threading\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from verifier.__main__ import main\n"
        f"threading.Timer({seconds}, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "sys.argv = ['verifier', 'check', 'torch:tanh', '--input', 'input=0:1:2']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


def test_a_file_of_the_current_folder_is_not_taken_for_one_of_python(tmp_path):
    (tmp_path / "json.py").write_text("raise RuntimeError('not this one')\n")
    code = "import sys; sys.path.pop(0); from verifier.commands.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "check", "torch:tanh", "--input", "input=0:1:2", *SMALL[2:]],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


REFUSED = {
    "x"
    + "[0]" * 2000
    + "=0:1": "the name 'x[0][0][0][0][0][0][0][0][0][0][0][0][0]'... is nested too deep: "
    "100 levels are the most",
    "input=0:1:0": "tanh has nothing to take a gradient by: input has no elements",
    "input=[[]]": "tanh has nothing to take a gradient by: input has no elements",
    "input=2": (
        "tanh has nothing to take a gradient by: input=2 is a constant; for a tensor write "
        "input=[2.0]"
    ),
}


@pytest.mark.parametrize("text", REFUSED)
def test_inputs_without_a_gradient(text, capsys):
    assert run(["check", "torch:tanh", "--input", text, "--points", "1", "--dtype", "float32"]) == 2
    assert capsys.readouterr().err == f"verifier: {REFUSED[text]}\n"


LONG = "a" * 5000
TOO_LONG = f"the file name {LONG[:40]!r}... is too long"
NAMES = {
    "target": (["check", f"{LONG}::f", "--input", "x=0:1"], TOO_LONG),
    "path": (
        ["check", "a/" * 3000 + "f.py::f", "--input", "x=0:1"],
        f"the file name {'a/' * 20!r}... is too long",
    ),
    "model": (["train", f"{LONG}::f"], TOO_LONG),
    "config": (["check", "--config", LONG], TOO_LONG),
    "data": (["train", "linear", "--data", LONG], TOO_LONG),
    "output": (
        ["check", "torch:tanh", "--input", "input=0:1", "--json", f"/{LONG}"],
        f"the file name {'/' + LONG[:39]!r}... is too long",
    ),
    "reference": (
        ["check", "torch:tanh", "--input", "input=0:1", "--reference", f"{LONG}::f"],
        TOO_LONG,
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_too_long(name, capsys):
    words, sentence = NAMES[name]
    assert run(words) == 2
    assert capsys.readouterr() == ("", f"verifier: {sentence}\n")


def test_a_name_of_the_gallery_is_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert run(["train", "linear", "--epochs", "1", "--json", "linear"]) == 0


def test_two_efforts_exclude_each_other(capsys):
    words = ["check", "torch:tanh", "--input", "input=-2:2:3", "--quick", "--thorough"]
    assert run(words) == 2
    said = "verifier: --quick and --thorough exclude each other: give one\n"
    assert capsys.readouterr().err == said
