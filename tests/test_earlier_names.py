"""The names of the documentation as they were before modules moved into packages or got a clearer
name: each can still be imported.
"""

import subprocess
import sys

import pytest

import verifier.checking
import verifier.explaining
import verifier.training
from verifier.earlier_names import MEMBERS, MODULES

NAMES = {
    "verifier.capture.statements.Subject": "verifier.capture.code_at_point.Subject",
    "verifier.checked.CheckCause": "verifier.checking.check_result.CheckCause",
    "verifier.checked.CheckSettings": "verifier.checking.check_result.CheckSettings",
    "verifier.checking.assert_gradients": "verifier.commands.check.assert_gradients",
    "verifier.checking.check": "verifier.commands.check.check",
    "verifier.checking.records.CheckResult": "verifier.checking.check_result.CheckResult",
    "verifier.checkreport.CheckReport": "verifier.reporting.check_report.CheckReport",
    "verifier.cli.main": "verifier.commands.cli.main",
    "verifier.diagnose.Cause": "verifier.judging.causes.scalar_gradients.Cause",
    "verifier.diagram.graph_picture": "verifier.explaining.drawing.graph_svg.graph_picture",
    "verifier.errors.GradientError": "verifier.errors.GradientError",
    "verifier.errors.InputError": "verifier.errors.InputError",
    "verifier.examination.Examination": "verifier.judging.examination.Examination",
    "verifier.examination.Part": "verifier.judging.examination.Part",
    "verifier.examine.examine": "verifier.judging.examine.examine",
    "verifier.explaining.explain": "verifier.commands.explain.explain",
    "verifier.explaining.records.Edge": "verifier.explaining.explained_step.Edge",
    "verifier.explaining.records.Node": "verifier.explaining.explained_step.Node",
    "verifier.explanation.Edge": "verifier.explaining.explanation.Edge",
    "verifier.explanation.Explanation": "verifier.explaining.explanation.Explanation",
    "verifier.explanation.Node": "verifier.explaining.explanation.Node",
    "verifier.extending.add_function": "verifier.formula.add_function.add_function",
    "verifier.findings.Component": "verifier.training.findings.Component",
    "verifier.gallery.load": "verifier.formula.gallery.load",
    "verifier.inputs.between": "verifier.checking.inputs.between",
    "verifier.judge.Comparison": "verifier.judging.verdict.Comparison",
    "verifier.judge.Note": "verifier.judging.verdict.Note",
    "verifier.judge.Outcome": "verifier.judging.verdict.Outcome",
    "verifier.losses.huber": "verifier.losses.huber",
    "verifier.modeling.Model": "verifier.formula.model.Model",
    "verifier.modeling.model": "verifier.formula.model.model",
    "verifier.pictures.Picture": "verifier.reporting.html.training_plots.Picture",
    "verifier.plugin.pytest_configure": "verifier.commands.pytest_plugin.plugin.pytest_configure",
    "verifier.reading.read_forward": "verifier.commands.show.read_forward",
    "verifier.report.Report": "verifier.reporting.training_report.Report",
    "verifier.runner.Step": "verifier.training.runner.Step",
    "verifier.specification.Formula": "verifier.judging.reference.Formula",
    "verifier.specification.Reference": "verifier.judging.reference.Reference",
    "verifier.subject.Subject": "verifier.capture.code_at_point.Subject",
    "verifier.summary.Summary": "verifier.commands.train_all.Summary",
    "verifier.summary.train_all": "verifier.commands.train_all.train_all",
    "verifier.training.train": "verifier.commands.train.train",
    "verifier.trialreport.Trials": "verifier.commands.selftest.Trials",
    "verifier.trialreport.selftest": "verifier.commands.selftest.selftest",
    "verifier.twins.Twin": "verifier.testing.equivalent_mutants.Twin",
    "verifier.witnesses.Autograd": "verifier.witnesses.Autograd",
    "verifier.witnesses.Witness": "verifier.witnesses.Witness",
}
TESTING = (
    "FACTORS GRAPH KERNEL LIARS NARROWER NUMBERS RACY SMALLEST TWINS Code Liar Lie Noisy NotZeroed "
    "Planting Right "
    "Stale Tampered Twin honest liar_named off one_scaled scaled through_numpy"
)


def done(code, *options):
    command = [sys.executable, "-W", "error", *(options or ("-c", code))]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8")


def pairs():
    return [(*old.rsplit(".", 1), *new.rsplit(".", 1)) for old, new in NAMES.items()]


def test_from_import():
    line = "from {} import {} as a\nfrom {} import {} as b\nassert a is b"
    lines = [line.format(*names) for names in pairs()]
    run = done("\n".join(lines))
    assert (run.returncode, run.stderr) == (0, "")


def test_import():
    lines = [
        f"import {old}, {new}\nassert {old}.{name} is {new}.{same}"
        for old, name, new, same in pairs()
    ]
    run = done("\n".join(lines))
    assert (run.returncode, run.stderr) == (0, "")


def test_what_testing_has():
    run = done(
        f"import verifier.testing\nfrom verifier.testing import {', '.join(TESTING.split())}"
    )
    assert (run.returncode, run.stderr) == (0, "")
    import verifier.testing

    assert sorted(verifier.testing.__all__) == sorted(TESTING.split())


def test_as_a_program():
    assert done("", "-m", "verifier.cli").returncode == 0


def test_a_module_is_itself_under_both_names():
    code = (
        "import sys, verifier.modeling\n"
        "assert verifier.modeling is sys.modules['verifier.modeling'] is "
        "sys.modules['verifier.formula.model']\n"
        "assert verifier.modeling.__spec__.name == verifier.modeling.__name__ == "
        "'verifier.formula.model'"
    )
    run = done(code)
    assert (run.returncode, run.stderr) == (0, "")


def test_nothing_is_loaded_until_a_name_is_used():
    code = (
        "import sys, verifier\nprint(sorted(name for name in sys.modules if "
        "name.startswith('verifier')))\n"
        "import verifier.training, verifier.checking, verifier.explaining\n"
        "print('verifier.commands' in sys.modules, 'numpy' in sys.modules)"
    )
    assert done(code).stdout == "['verifier', 'verifier.earlier_names']\nFalse False\n"


def test_the_table_has_no_more_than_these():
    modules = {old.rsplit(".", 1)[0]: new.rsplit(".", 1)[0] for old, new in NAMES.items()}
    moved = {old: new for old, new in modules.items() if old != new and old not in MEMBERS}
    assert moved == MODULES
    for package, homes in MEMBERS.items():
        assert {name: new for old, name, new, _ in pairs() if old == package} == homes


def test_other_names_are_no_names():
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'verifier\.nothing'"):
        __import__("verifier.nothing")
    for package in (verifier.training, verifier.checking, verifier.explaining):
        with pytest.raises(
            AttributeError, match=f"module '{package.__name__}' has no attribute 'nothing'"
        ):
            _ = package.nothing
