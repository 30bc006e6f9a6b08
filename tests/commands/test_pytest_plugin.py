"""The plugin for pytest, tried with a stand-in for the engine: what it does with checks does not
depend on how they are made.
"""

import json
import ntpath
import os
import subprocess
import sys
import tomllib
from pathlib import Path, PureWindowsPath

import pytest

import verifier.commands.check  # noqa: F401 (the same)
from tests.commands.config import test_run as test_configrun  # noqa: F401 (a run within this one unloads what it is the first to load)
from verifier.commands.pytest_plugin.collect import Collector, file_name, outcomes_text

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
NAME = "verifier.commands.pytest_plugin.plugin"
PLUGIN = ["-p", NAME, "-p", "no:cacheprovider", "-W", "ignore:Module already imported"]
"""For runs in which no plugin is there by being installed."""

ENGINE = '''
import pytest
import verifier
from verifier.checking import defaults
from verifier.errors import GradientError


class Report:
    """Its outcome is the target; it shows its settings."""

    def __init__(self, outcome, settings):
        self.outcome = outcome
        self.settings = settings

    def to_json(self):
        return {"outcome": self.outcome, **self.settings}

    def __str__(self):
        return f"target: {self.outcome}\\\\n  x  {self.settings}"


def check(target, *, inputs, **given):
    known = defaults.current_defaults()
    settings = {"dtypes": list(known.dtypes), "points": known.points, "seed": known.seed}
    report = Report(target, {**settings, **given})
    report.settings["dtypes"] = list(report.settings["dtypes"])
    known.reports(report)
    return report


def assert_gradients(target, **given):
    report = check(target, **given)
    if report.outcome != "agrees":
        raise GradientError(str(report))
    return report


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    monkeypatch.setitem(vars(verifier), "check", check)
    monkeypatch.setitem(vars(verifier), "assert_gradients", assert_gradients)
'''


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Runs in another folder find this verifier too, and no other plugin."""
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(ROOT), *map(os.path.abspath, filter(None, [before]))])
    )


@pytest.fixture
def engine(pytester):
    """The stand-in, as a module of the user's project that lies within the package for all the
    plugin knows.
    """
    pytester.makeconftest(ENGINE.replace("\\\\n", "\\n"))
    return pytester


def run(pytester, *options):
    return pytester.runpytest_inprocess(*PLUGIN, *options)


def shown(result):
    return result.stdout.str() + result.stderr.str()


def test_it_is_declared():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "entry-points"
    ]
    assert declared == {"pytest11": {"verifier": "verifier.commands.pytest_plugin.plugin"}}


HEAVY = ["torch", "numpy", "sympy", "flint", "rich", "scipy", "matplotlib", "typer"]


def loaded(pytester, options, body):
    """What of the heavy and of verifier is loaded at the end of a run in a process of its own."""
    pytester.makepyfile(test_unrelated=body)
    pytester.makeconftest(
        "import sys\n"
        "def pytest_unconfigure():\n"
        "    wanted = [name for name in sys.modules if name.partition('.')[0] in "
        f"{[*HEAVY, 'verifier']}]\n"
        "    print('LOADED', *sorted(wanted))\n"
    )
    command = [sys.executable, "-m", "pytest", *PLUGIN, "-s", *options]
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", cwd=pytester.path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.rpartition("LOADED")[2].split()


LIGHT = [
    "verifier",
    "verifier.commands",
    "verifier.commands.pytest_plugin",
    NAME,
    "verifier.earlier_names",
]
"""The plugin, the packages that it lies in, and the table of the names that modules had."""


def test_a_run_that_uses_nothing_of_it_loads_nothing(pytester):
    assert loaded(pytester, [], "def test_one():\n    assert 1 + 1 == 2\n") == LIGHT


def test_options_alone_load_nothing_large(pytester):
    found = loaded(
        pytester,
        ["--verifier-dtypes=float32", "--verifier-reports=r"],
        "def test_one():\n    pass\n",
    )
    assert "verifier.checking.defaults" in found
    assert not set(found) & set(HEAVY)


def test_what_is_loaded_would_be_seen(pytester):
    assert "numpy" in loaded(pytester, [], "def test_one():\n    import numpy\n")


DEFAULTS = """
import verifier

def test_by_fixture(check_gradients, assert_gradients):
    for function in (check_gradients, assert_gradients):
        assert function("agrees", inputs={}).settings == SETTINGS

def test_directly():
    assert verifier.check("agrees", inputs={}).settings == SETTINGS
    assert verifier.assert_gradients("agrees", inputs={}).settings == SETTINGS

def test_what_is_given_wins(assert_gradients):
    report = assert_gradients("agrees", inputs={}, dtypes=["float64"], points=2, seed=9)
    assert report.settings == {"dtypes": ["float64"], "points": 2, "seed": 9}
"""


def defaults_hold(pytester, settings, *options):
    pytester.makepyfile(f"SETTINGS = {settings!r}\n{DEFAULTS}")
    return run(pytester, *options).parseoutcomes() == {"passed": 3}


def test_options_are_defaults(engine):
    settings = {"dtypes": ["float32", "bfloat16"], "points": 7, "seed": 5}
    options = ["--verifier-dtypes=float32, bfloat16", "--verifier-points=7", "--verifier-seed=5"]
    assert defaults_hold(engine, settings, *options)


def test_defaults_from_the_configuration(engine):
    engine.makeini("[pytest]\nverifier_dtypes = float16\nverifier_points = 4\nverifier_seed = 0\n")
    assert defaults_hold(engine, {"dtypes": ["float16"], "points": 4, "seed": 0})


def test_an_option_is_before_the_configuration(engine):
    engine.makeini("[pytest]\nverifier_points = 4\n")
    assert defaults_hold(engine, {"dtypes": [], "points": 5, "seed": 0}, "--verifier-points=5")


def test_without_options(engine):
    assert defaults_hold(engine, {"dtypes": [], "points": 3, "seed": 0})


def test_another_default_would_be_seen(engine):
    assert not defaults_hold(engine, {"dtypes": [], "points": 3, "seed": 0}, "--verifier-seed=1")


DTYPES = "use float64, float32, bfloat16 or float16"
REFUSED = {
    "--verifier-dtypes=float33": (
        f"--verifier-dtypes: there is no dtype 'float33' to check in: {DTYPES}"
    ),
    "--verifier-dtypes=float32,float32": (
        "--verifier-dtypes: the dtype float32 is given twice: give it once"
    ),
    "--verifier-dtypes=,": f"--verifier-dtypes: no dtype is given: {DTYPES}",
    "--verifier-points=0": (
        "--verifier-points: '0' cannot be used: give a whole number from 1 on, of at most 9 digits"
    ),
    "--verifier-seed=-1": (
        "--verifier-seed: '-1' cannot be used: give a whole number from 0 on, of at most 9 digits"
    ),
    "--verifier-seed=1_0": (
        "--verifier-seed: '1_0' cannot be used: give a whole number from 0 on, of at most 9 digits"
    ),
    "--verifier-reports=taken": "--verifier-reports: cannot make the folder 'taken': File exists",
}


@pytest.mark.parametrize("option", REFUSED)
def test_refused_options(pytester, option):
    (pytester.path / "taken").write_text("")
    result = run(pytester, option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {REFUSED[option]}\n" in shown(result)


def test_a_refused_setting_is_named_as_it_is_written(pytester):
    pytester.makeini("[pytest]\nverifier_points = many\n")
    sentence = (
        "verifier_points: 'many' cannot be used: give a whole number from 1 on, of at most 9 digits"
    )
    assert f"ERROR: {sentence}\n" in shown(run(pytester))


def test_options_are_explained(pytester):
    text = " ".join(shown(run(pytester, "--help")).split())
    assert (
        "gradients (verifier): --verifier collect the targets of each verifier.toml as tests"
        in text
    )
    assert "--verifier-reports=DIR write a JSON report of each check into this folder" in text


THREE = """
import pytest
import verifier

@pytest.mark.parametrize("name", ["a/b", "a:b"])
def test_agrees(name, assert_gradients):
    assert_gradients("agrees", inputs={})
    verifier.check("agrees", inputs={})

def test_disagrees(assert_gradients):
    assert_gradients("disagrees", inputs={})

def test_undecided(check_gradients):
    check_gradients("undecided", inputs={})
"""
COUNTED = "verifier: 6 checks, 4 agree, 1 is undecided, 1 disagrees"


def outcomes(folder):
    """The outcomes in a folder of reports, and nothing else is there."""
    return sorted(
        json.loads(path.read_text(encoding="utf-8"))["outcome"] for path in folder.iterdir()
    )


SIX = ["agrees"] * 4 + ["disagrees", "undecided"]


def test_reports_are_written_and_counted(engine):
    engine.makepyfile(THREE)
    result = run(engine, "--verifier-reports=made/here")
    assert result.parseoutcomes() == {"passed": 3, "failed": 1}
    assert f"\n{COUNTED}; reports in {Path('made/here')}\n" in shown(result)
    assert outcomes(engine.path / "made" / "here") == SIX


def test_reports_may_be_asked_for_in_the_configuration(engine):
    engine.makeini("[pytest]\nverifier_reports = kept\n")
    below = engine.mkdir("below")
    (below / "test_three.py").write_text(THREE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(below)
        result = run(engine)
    assert outcomes(engine.path / "kept") == SIX
    assert f"\n{COUNTED}; reports in {engine.path / 'kept'}\n" in shown(result)


def test_checks_are_counted_where_no_report_is_written(engine):
    engine.makepyfile(THREE)
    assert f"\n{COUNTED}\n" in shown(run(engine, "--verifier-points=1"))


def test_a_run_without_checks_says_so(pytester):
    pytester.makepyfile("def test_one():\n    pass\n")
    assert "\nverifier: no check was made\n" in shown(run(pytester, "--verifier-points=1"))
    assert "verifier:" not in shown(run(pytester))


def test_workers_write_their_own_files_and_are_counted(engine):
    pytest.importorskip("xdist", reason="the distributed run needs pytest-xdist")
    engine.makepyfile(THREE)
    result = engine.runpytest_subprocess(
        *PLUGIN, "-p", "xdist.plugin", "-n2", "--verifier-reports=made"
    )
    assert f"\n{COUNTED}; reports in made\n" in shown(result)
    assert outcomes(engine.path / "made") == SIX


@pytest.mark.parametrize(
    "test", ["CON", "a?b::c<d>|e*f[\\\\]", "tests/é.py::x", "x" * 1000, "..", "a.py::b[a\x00\n]"]
)
def test_file_names_are_good_everywhere(test):
    name = file_name(test, 12)
    assert name.isascii() and len(name) < 150
    assert not set(name) & set('<>:"/\\|?* ')
    assert name.endswith("-12.json") and not name.startswith((".", "-12"))
    if sys.version_info >= (3, 13):
        assert not ntpath.isreserved(name)
    else:
        assert not PureWindowsPath(name).is_reserved()


def test_file_names_differ():
    tests = ["a[b/c]", "a[b:c]", "A[b/c]", "x" * 1000, "x" * 1001]
    assert len({file_name(test, number).lower() for test in tests for number in (1, 2)}) == 10


def test_told():
    assert outcomes_text({}) == "no check was made"
    assert outcomes_text({"agrees": 1}) == "1 check, 1 agrees"
    assert (
        outcomes_text({"disagrees": 2, "undecided": 3}) == "5 checks, 3 are undecided, 2 disagree"
    )


def test_a_report_that_cannot_be_written(tmp_path):
    class Report:
        outcome = "agrees"

        def to_json(self):
            return {}

    collector = Collector("test", tmp_path / "gone")
    with pytest.raises(ValueError, match=r"cannot write .*: No such file or directory"):
        collector.add(Report())
    assert collector.take() == ["agrees"] and collector.take() == []


FAILING = """
from pathlib import Path
import verifier
from verifier.errors import GradientError

WITHIN = "def judge():\\n    raise GradientError('focal: disagrees\\\\n  x  -1.5  1.5')\\n"
exec(compile(WITHIN, Path(verifier.__file__).parent / "errors.py", "exec"))

def hidden():
    __tracebackhide__ = True
    judge()

def test_focal():
    hidden()
"""
ALONE = """
__________________________________ test_focal __________________________________
focal: disagrees
  x  -1.5  1.5

test_failing.py:13: GradientError
"""
SUMMED_UP = """
=========================== short test summary info ============================
FAILED test_failing.py::test_focal - focal: disagrees
"""


def test_a_failure_is_its_report_alone(pytester):
    pytester.makepyfile(test_failing=FAILING)
    text = shown(run(pytester))
    assert ALONE in text
    assert SUMMED_UP in text
    assert text.count("judge") == 0


def test_a_failure_in_another_folder(pytester):
    moving = ["def test_focal(monkeypatch):", "    monkeypatch.chdir('/'); hidden()"]
    pytester.makepyfile(test_failing="\n".join([*FAILING.splitlines()[:-2], *moving]))
    assert ALONE in shown(run(pytester))


def test_what_cannot_be_checked_is_a_sentence(pytester):
    """The user's own traceback is part of the message; no place in verifier is shown."""
    pytester.makepyfile(
        test_failing="""
        import torch
        import verifier

        def broken(x):
            return x.nosuch()

        def test_broken():
            verifier.assert_gradients(broken, inputs={"x": torch.ones(2)})

        def test_missing():
            verifier.assert_gradients(lambda x, y: x * y, inputs={"x": torch.ones(2)})
        """
    )
    text = shown(run(pytester))
    assert (
        "broken raises AttributeError at test_failing.py:5: 'Tensor' object has no attribute "
        "'nosuch'" in text
    )
    assert (
        "\ntest_failing.py:8: UserCodeError" in text and "\ntest_failing.py:11: InputError" in text
    )
    assert "check.py" not in text and "dry_run.py" not in text
    whole = shown(run(pytester, "--full-trace"))
    assert "check.py" in whole


def test_where_every_place_hides_itself_the_message_stands_alone(pytester):
    pytester.makepyfile(test_failing=f"__tracebackhide__ = True\n{FAILING}")
    text = shown(run(pytester))
    assert "\nfocal: disagrees\n  x  -1.5  1.5\nAll traceback entries are hidden." in text


def test_the_whole_traceback_can_be_had(pytester):
    pytester.makepyfile(test_failing=FAILING)
    text = shown(run(pytester, "--full-trace"))
    assert "GradientError: focal: disagrees" in text
    assert ALONE not in text and "errors.py:2" in text


def test_other_failures_are_as_they_were(pytester):
    pytester.makepyfile(test_failing=FAILING.replace("raise GradientError", "raise AssertionError"))
    assert "errors.py:2: AssertionError" in shown(run(pytester))


def test_an_expected_failure_is_none(pytester):
    expected = "import pytest\n\n@pytest.mark.xfail(strict=True)\ndef test_focal"
    pytester.makepyfile(test_failing=FAILING.replace("def test_focal", expected))
    assert run(pytester).parseoutcomes() == {"xfailed": 1}


def test_a_failure_in_a_worker(pytester):
    pytest.importorskip("xdist", reason="the distributed run needs pytest-xdist")
    pytester.makepyfile(test_failing=FAILING)
    text = shown(pytester.runpytest_subprocess(*PLUGIN, "-p", "xdist.plugin", "-n1"))
    assert ALONE.partition("focal: ")[2] in text
    assert SUMMED_UP in text


TARGETS = """
[settings]
seed = 6
[[target]]
target = "a.py::agreeing"
inputs = {}
points = 2
[[target]]
target = "a.py::agreeing"
inputs = { x = 1 }
[[target]]
target = "a.py::wrong"
inputs = {}
[[target]]
target = "a.py::missing"
inputs = {}
"""
# The records of checks are those of test_configrun.
CHECKS = """
import sys
from types import ModuleType
import pytest
import verifier
from tests.commands.config.test_run import Engine
from verifier.checking import defaults

class Counted(Engine):
    def check_watched(self, target, inputs, watcher, **given):
        report = super().check_watched(target, inputs, watcher, **given)
        print("ASKED", target.rpartition(":")[2], given["points"], given["seed"], given["dtypes"])
        defaults.current_defaults().reports(report)
        return report

@pytest.hookimpl(wrapper=True)
def pytest_runtest_call():
    inputs = ModuleType("verifier.commands.from_shell.check_inputs")
    inputs.typed_inputs = lambda words, folder: list(words)
    inputs.typed_dtypes = lambda words, folder: None
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "verifier.commands.from_shell.check_inputs", inputs)
        patch.setitem(sys.modules, "verifier.commands.check", Counted())
        return (yield)
"""


MODULE = """
import torch
from math import sqrt

def focal(p, g):
    return p

def plain(x):
    return x

def _helper(x):
    return x

class Rule(torch.autograd.Function):
    @staticmethod
    def forward(ctx, p):
        return p
"""
MARKED = """
import pytest
import losses

@pytest.mark.gradients({module}, p=1, g=2)
def test_each(function, inputs):
    print("CASE", function.__name__, inputs)
    assert function.__name__ != "plain"

@pytest.mark.gradients("losses")
def test_by_name(function):
    pass
"""


def test_a_case_for_each_function_of_a_module(pytester):
    pytester.makepyfile(losses=MODULE)
    pytester.makepyfile(MARKED.format(module="losses"))
    result = pytester.runpytest_subprocess(*PLUGIN, "-s", "-v", "--strict-markers")
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines([
        "*::test_each?focal? CASE focal {'p': 1, 'g': 2}",
        "*::test_each?plain? CASE plain {}",
        "*::test_each?Rule? CASE Rule {'p': 1}",
        "*::test_by_name?focal? PASSED*",
    ])  # fmt: skip


def test_a_mark_without_a_module_is_refused(pytester):
    pytester.makepyfile(losses=MODULE)
    pytester.makepyfile(MARKED.format(module="3"))
    result = pytester.runpytest_subprocess(*PLUGIN)
    result.stdout.fnmatch_lines(["*pytest.mark.gradients takes one module, or its name, and*"])
    assert result.ret != 0


@pytest.fixture
def targets(pytester):
    pytester.makeconftest(CHECKS)
    pytester.makefile(".toml", verifier=TARGETS)
    pytester.makepyfile("def test_beside():\n    pass\n")
    return pytester


def test_targets_are_tests_where_they_are_asked_for(targets):
    result = run(
        targets, "--verifier", "--verifier-points=9", "--verifier-dtypes=float16", "-s", "-v"
    )
    text = shown(result)
    assert result.parseoutcomes() == {"passed": 3, "failed": 2}
    assert "ASKED agreeing 2 6 ('float16',)" in text and "ASKED agreeing 9 6 ('float16',)" in text
    assert "verifier.toml::a.py:agreeing[2] " in text
    assert "\nverifier: 3 checks, 2 agree, 1 disagrees\n" in text


FAILED_TARGET = """
______________________________ target a.py:wrong _______________________________
a.py::wrong: disagrees

report of wrong
80 columns: disagrees
"""


def test_a_file_that_is_named_is_collected(targets):
    result = run(targets, "verifier.toml")
    assert result.parseoutcomes() == {"passed": 2, "failed": 2}
    assert (
        "\na.py::missing: not usable\na.py::missing: there is no missing in a.py\\x1b\n"
        in shown(result)
    )
    assert FAILED_TARGET in shown(result)
    assert "\nFAILED verifier.toml::a.py:wrong - Failed: a.py::wrong: disagrees\n" in shown(result)
    assert run(targets, "verifier.toml::a.py:agreeing[2]").parseoutcomes() == {"passed": 1}


def test_a_file_that_is_not_asked_for_is_left_alone(targets):
    assert run(targets).parseoutcomes() == {"passed": 1}


def test_a_file_that_cannot_be_used_is_a_sentence(pytester):
    pytester.makefile(".toml", verifier="[[target]]\n")
    result = run(pytester, "--verifier")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert f"\n{pytester.path / 'verifier.toml'}: target 1: target is missing\n" in shown(result)
    assert "Traceback" not in shown(result)
