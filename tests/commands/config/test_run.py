"""What becomes of the targets of verifier.toml, with a stand-in for the engine: what is done with
its reports does not depend on how they come about.
"""

import json
import sys
from dataclasses import dataclass, fields, replace
from types import ModuleType

import numpy as np
import pytest
import torch
from rich.text import Text

from verifier.capture.code_at_point import Subject
from verifier.checking.check_result import CheckResult, CheckSettings
from verifier.checking.tally.count import Tally
from verifier.commands.config.baseline import set_accepted_aside
from verifier.commands.config.report import TargetResult
from verifier.commands.config.run import ConfigRun
from verifier.commands.config.schema import AcceptedFailure, read_config
from verifier.errors import InputError
from verifier.judging.examine import examine
from verifier.judging.finding import CheckCause, Finding
from verifier.judging.verdict import Outcome
from verifier.process.workers.messages import Rendered
from verifier.process.workers.resource_limits import ResourceLimits
from verifier.process.workers.supervisor import End, Ending, InThisProcess
from verifier.reporting.content.detail import Detail
from verifier.reporting.rendering import Forms, Screen

A, D, U = Outcome.AGREES, Outcome.DISAGREES, Outcome.UNDECIDED


JUDGED = examine(Subject(torch.tanh, {"x": torch.tensor([0.5, 1.5])}))["x"]


def part(name, outcome=A, size=4):
    """A part of that name, of which all numbers have the outcome."""
    known = {
        field.name: np.resize(getattr(JUDGED.verdicts, field.name), size)
        for field in fields(JUDGED.verdicts)
    }
    verdicts = replace(
        JUDGED.verdicts, **{**known, "severity": np.full(size, outcome.severity, dtype=np.int8)}
    )
    quantity = "value" if name == "value" else "second" if " " in name else "reverse"
    wrong = np.zeros(size, dtype=bool)
    return replace(
        JUDGED, name=name, quantity=quantity, shape=(size,), verdicts=verdicts, wrong_formula=wrong
    )


def finding(*parts, dtype="float32", check="reverse", failures=()):
    return Finding(check, dtype, parts=parts, failures=failures)


def checked(*findings, causes=(), interrupted=False):
    return CheckResult(
        "f", "its own forward", CheckSettings(), findings, causes, interrupted=interrupted
    )


@dataclass(frozen=True)
class Report:
    """A report in three lines."""

    checked: CheckResult

    @property
    def outcome(self):
        return self.checked.outcome

    @property
    def tally(self):
        return Tally(self.checked)

    @property
    def exit_code(self):
        return 130 if self.checked.interrupted else {A: 0, D: 1, U: 3}[self.outcome]

    def to_json(self):
        return {"target": self.checked.target, "outcome": self.outcome.value}

    def markdown(self):
        return f"report of {self.checked.target}"

    def lines(self, width, detail=Detail.SHORT):
        yield Text(f"report of {self.checked.target}")
        yield Text(f"{width} columns: {self.outcome.value}")


VALUE = finding(part("value", size=1), check="value")
X_IN_BFLOAT16 = AcceptedFailure("x", "bfloat16", "torch issue 12345", "kernel outside its budget")


def cause(name, component="x", dtype="bfloat16"):
    return CheckCause(name, component, "a sentence", "evidence", dtype, 1)


FAILING = checked(
    VALUE,
    finding(part("x", D), part("g"), dtype="bfloat16"),
    causes=(cause("kernel outside its budget"), cause("sign flipped", "x", "float32")),
)


def failures_of(checked):
    return [(finding.check, finding.parts, finding.failures) for finding in checked.findings]


def test_nothing_accepted_changes_nothing():
    found = set_accepted_aside(FAILING, ())
    assert (
        failures_of(found.left) == failures_of(FAILING)
        and found.accepted == ()
        and found.stale == ()
    )


@pytest.mark.parametrize(
    "entry", [X_IN_BFLOAT16, AcceptedFailure("x", "bfloat16", "whatever the cause")]
)
def test_an_accepted_failure_is_set_aside(entry):
    found = set_accepted_aside(FAILING, [entry])
    assert found.accepted == (entry,) and found.stale == ()
    assert found.left.outcome is A
    assert [one.name for one in found.left.findings[1].parts] == ["g"]


@pytest.mark.parametrize(
    "entry",
    [
        AcceptedFailure("g", "bfloat16", "another component"),
        AcceptedFailure("x", "float32", "another dtype"),
        AcceptedFailure("x", "bfloat16", "another cause", "sign flipped"),
        AcceptedFailure("value", "float32", "it agrees"),
    ],
)
def test_what_does_not_match_is_stale_and_the_failure_stays(entry):
    found = set_accepted_aside(FAILING, [entry])
    assert found.accepted == () and found.stale == (entry,)
    assert failures_of(found.left) == failures_of(FAILING)


def test_a_second_cause_is_not_accepted_with_the_first():
    two = checked(*FAILING.findings, causes=(*FAILING.causes, cause("sign flipped")))
    found = set_accepted_aside(two, [X_IN_BFLOAT16])
    assert found.left.outcome is D and found.accepted == (X_IN_BFLOAT16,) and found.stale == ()
    both = set_accepted_aside(
        two, [X_IN_BFLOAT16, AcceptedFailure("x", "bfloat16", "known", "sign flipped")]
    )
    assert both.left.outcome is A


def test_a_failure_without_a_cause_is_not_accepted_for_one():
    unexplained = checked(VALUE, finding(part("x", D), dtype="bfloat16"))
    assert set_accepted_aside(unexplained, [X_IN_BFLOAT16]).left.outcome is D
    assert (
        set_accepted_aside(unexplained, [AcceptedFailure("x", "bfloat16", "known")]).left.outcome
        is A
    )


def test_a_cause_that_holds_in_every_dtype():
    failing = checked(VALUE, finding(part("x", D)), causes=(cause("path detached", dtype=""),))
    assert (
        set_accepted_aside(
            failing, [AcceptedFailure("x", "float32", "known", "path detached")]
        ).left.outcome
        is A
    )


def test_rows_of_a_hessian_are_one_component():
    failing = checked(VALUE, finding(part("x[0] w[1]", D), part("x[12] w[1]", D), check="second"))
    assert (
        set_accepted_aside(failing, [AcceptedFailure("x w[1]", "float32", "known")]).left.outcome
        is A
    )
    one = set_accepted_aside(failing, [AcceptedFailure("x[0] w[1]", "float32", "known")])
    assert one.left.outcome is D and one.stale == ()


def test_what_is_wrong_apart_from_numbers_is_accepted_by_the_name_of_its_check():
    failing = checked(VALUE, finding(check="overwritten", failures=("x was overwritten",)))
    assert (
        set_accepted_aside(
            failing, [AcceptedFailure("overwritten", "float32", "in place, and documented")]
        ).left.outcome
        is A
    )
    assert (
        set_accepted_aside(
            failing, [AcceptedFailure("overwritten", "float64", "in place")]
        ).left.outcome
        is D
    )


def test_nothing_is_stale_where_the_check_was_interrupted():
    assert set_accepted_aside(checked(VALUE, interrupted=True), [X_IN_BFLOAT16]).stale == ()


FILE = """
[settings]
dtypes = ["float32", "bfloat16"]
[[target]]
target = "a.py::agreeing"
formula = "x**2"
inputs = { x = "-2:2:4" }
[[target]]
target = "a.py::known"
reference = "a.py::plain"
inputs = { x = 1 }
points = 7
[[target.accepted]]
component = "x"
dtype = "bfloat16"
reason = "torch issue 12345"
"""
MORE = """
[[target]]
target = "a.py::mended"
inputs = {}
[[target.accepted]]
component = "x"
dtype = "bfloat16"
cause = "sign flipped"
reason = "old | older"
[[target]]
target = "a.py::wrong"
inputs = {}
[[target]]
target = "a.py::missing"
inputs = {}
[[target]]
target = "a.py::blind"
inputs = {}
"""
FOUND = {
    "agreeing": checked(VALUE, finding(part("x", size=4096))),
    "known": FAILING,
    "mended": checked(VALUE),
    "wrong": FAILING,
    "blind": checked(finding(part("x", U))),
    "interrupted": checked(VALUE, interrupted=True),
}


class Engine:
    """Answers by the target's name, and keeps what it was asked."""

    def __init__(self):
        self.asked = {}

    def check_watched(self, target, inputs, watcher, **given):
        name = target.partition("::")[2]
        self.asked[name] = {"target": target, "inputs": inputs, **given}
        watcher.keep_going(0, 2)
        if name not in FOUND:
            raise InputError("there is no missing in a.py\x1b")
        return Report(replace(FOUND[name], target=name))


class Monitor:
    """Somebody who presses Ctrl-C before the target of that number."""

    def __init__(self, before=None):
        self.before, self.seen, self.note = before, [], ""

    @property
    def interruptions(self):
        return int(self.before is not None and len(self.seen) >= self.before)

    def progress(self, done, planned, note=""):
        self.note = note
        if planned and (done, planned) not in self.seen:
            self.seen.append((done, planned))

    def tell(self, text):
        pass


FORMS = Forms(Screen(), json=True, markdown=True)


def run_config(config, monitor=None, host=None, forms=FORMS, jobs=1):
    return ConfigRun(host or InThisProcess(), ResourceLimits(), forms, jobs).report(
        config, monitor or Monitor()
    )


@pytest.fixture
def engine(monkeypatch):
    engine, inputs = Engine(), ModuleType("verifier.commands.from_shell.check_inputs")
    inputs.typed_inputs = lambda words, folder: dict(word.split("=", 1) for word in words)
    inputs.typed_dtypes = lambda words, folder: None
    monkeypatch.setitem(sys.modules, "verifier.commands.from_shell.check_inputs", inputs)
    monkeypatch.setitem(sys.modules, "verifier.commands.check", engine)
    return engine


@pytest.fixture
def configured(engine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def reading(text):
        (tmp_path / "verifier.toml").write_text(text)
        return read_config("verifier.toml")

    return reading


def test_each_target_is_checked_as_it_is_written(engine, configured):
    assert run_config(configured(FILE)).exit_code == 0
    agreeing, known = engine.asked["agreeing"], engine.asked["known"]
    settings = {
        "seed": 0, "without": (), "digits": None, "timeout": None, "honour_detach": False,
        "wrt": (), "not_wrt": (), "state": None, "train": False, "effort": "normal",
    }  # fmt: skip
    settings |= {"reduction": "none", "dtypes": ("float32", "bfloat16")}
    assert agreeing == {
        "target": "a.py::agreeing", "inputs": {"x": "-2:2:4"}, "formula": "x**2", "reference": None,
        "points": 3, **settings,
    }  # fmt: skip
    assert known == {
        "target": "a.py::known", "inputs": {"x": "1"}, "formula": None, "reference": "a.py::plain",
        "points": 7, **settings,
    }  # fmt: skip


SHOWN = """\
NOT VERIFIED  2 of 6 targets.

target          outcome     compared  accepted  stale
─────────────────────────────────────────────────────
a.py::agreeing  agrees         4,097         –      –
a.py::known     agrees             9         1      –
a.py::mended    agrees             1         –      1
a.py::wrong     disagrees          9         –      –
a.py::missing   not usable         –         –      –
a.py::blind     undecided          4         –      –
a.py::known: x in bfloat16 disagrees and is accepted: torch issue 12345
a.py::mended: the accepted failure of x in bfloat16 (sign flipped) is stale:
nothing disagrees that matches it: remove it
a.py::missing: there is no missing in a.py\\x1b

───────────────────────────────────────────────────────────────────────────────
report of wrong
80 columns: disagrees

───────────────────────────────────────────────────────────────────────────────
report of blind
80 columns: undecided"""
MARKDOWN = """\
❌ **NOT VERIFIED** 2 of 6 targets.

| target | outcome | compared | accepted | stale |
| --- | --- | ---: | ---: | ---: |
| `a.py::agreeing` | agrees | 4,097 | – | – |
| `a.py::known` | agrees | 9 | 1 | – |
| `a.py::mended` | agrees | 1 | – | 1 |
| `a.py::wrong` | disagrees | 9 | – | – |
| `a.py::missing` | not usable | – | – | – |
| `a.py::blind` | undecided | 4 | – | – |

- `a.py::known`: x in bfloat16 disagrees and is accepted: torch issue 12345
- `a.py::mended`: the accepted failure of x in bfloat16 (sign flipped) is stale: \
nothing disagrees that matches it: remove it
- `a.py::missing`: there is no missing in a.py&#92;x1b

report of wrong

report of blind"""


def test_what_is_shown(configured):
    report = run_config(configured(FILE + MORE))
    assert str(report) == SHOWN
    assert report.markdown() == MARKDOWN
    assert repr(report) == "<ConfigReport verifier.toml: NOT VERIFIED  2 of 6 targets.>"
    assert not report.ok


def test_a_narrow_terminal(configured):
    lines = [
        line.plain
        for line in run_config(configured(FILE), forms=replace(FORMS, screen=Screen(40))).lines(40)
    ]
    assert max(map(len, lines)) <= 40
    assert lines[:2] == ["VERIFIED  2 of 2 targets.", ""]
    assert lines[2:5] == ["a.py::agreeing", "  outcome   agrees", "  compared  4,097"]


def test_text_from_people_is_no_markup(configured):
    text = "[[target]]\ntarget = 'a|`b`.py::<i>'\ninputs = {}\n"
    report = run_config(configured(text)).markdown()
    assert "| `a`&#124;`` `b`.py::<i> `` | not usable |" in report
    assert "- `a`&#124;`` `b`.py::<i> ``: there" in report


def test_the_document(configured):
    document = json.loads(
        json.dumps(run_config(configured(FILE + MORE)).to_json(), allow_nan=False)
    )
    assert document["format"] == "verifier/1" and document["config"] == "verifier.toml"
    assert (document["ok"], document["exit_code"]) == (False, 1)
    agreeing, known, mended, _, missing, _ = document["targets"]
    assert agreeing == {
        "target": "a.py::agreeing", "outcome": "agrees", "exit_code": 0, "accepted": [],
        "stale": [], "reason": None, "report": {"target": "agreeing", "outcome": "agrees"},
    }  # fmt: skip
    accepted = {"component": "x", "dtype": "bfloat16", "cause": "", "reason": "torch issue 12345"}
    assert known["accepted"] == [accepted] and known["report"]["outcome"] == "disagrees"
    assert mended["exit_code"] == 1 and mended["stale"][0]["cause"] == "sign flipped"
    assert (missing["exit_code"], missing["reason"]) == (2, "there is no missing in a.py\\x1b")


def only(*names):
    return "".join(f'[[target]]\ntarget = "a.py::{name}"\ninputs = {{}}\n' for name in names)


CODES = {
    ("agreeing",): 0,
    ("agreeing", "blind"): 3,
    ("blind", "missing"): 2,
    ("missing", "wrong"): 1,
    ("wrong", "interrupted"): 130,
}


@pytest.mark.parametrize("names", CODES)
def test_exit_codes(configured, names):
    report = run_config(configured(only(*names)))
    assert report.exit_code == CODES[names]
    assert report.ok == (CODES[names] == 0)


def test_all_verified(configured):
    assert str(run_config(configured(FILE))).startswith("VERIFIED  2 of 2 targets.\n\n")
    assert str(run_config(configured(only("agreeing")))).startswith("VERIFIED  1 of 1 target.\n\n")


def test_progress_says_how_many_are_not_verified(configured):
    monitor = Monitor()
    run_config(configured(only("agreeing")), monitor)
    assert monitor.note == "not verified so far: 0 of 1"
    run_config(configured(only("agreeing", "wrong")), monitor)
    assert monitor.note == "not verified so far: 1 of 2"


def test_interrupted_between_two_targets(configured, engine):
    monitor = Monitor(before=2)
    report = run_config(configured(only("agreeing", "wrong")), monitor)
    assert report.exit_code == 130 and list(engine.asked) == ["agreeing"]
    assert monitor.seen == [(0, 2), (1, 2)]
    partial = "NOT VERIFIED  1 of 2 targets.\nPARTIAL  Interrupted after 1 of 2 targets.\n"
    assert str(report).startswith(partial)


def test_interrupted_within_a_target(configured, engine):
    report = run_config(configured(only("interrupted", "agreeing")))
    assert report.exit_code == 130 and list(engine.asked) == ["interrupted"]
    assert "a.py::interrupted  interrupted         1         –" in str(report)


def test_interrupted_before_the_first(configured):
    report = run_config(configured(FILE), Monitor(before=0))
    assert report.exit_code == 130
    assert "PARTIAL  Interrupted after 0 of 2 targets." in str(report)


@dataclass(frozen=True)
class Ends:
    """A host whose work ends in this way."""

    ending: Ending

    def run(self, task, limits, monitor):
        return self.ending


KNOWN = Rendered(0, {"text": "so far"}, {"outcome": "agrees", "compared": 3, "is_failing": False})
WRONG = replace(
    KNOWN, exit_code=1, facts={**KNOWN.facts, "outcome": "disagrees", "is_failing": True}
)
ENDINGS = {
    "died": (
        Ending(End.DIED, None, "it died"),
        TargetResult("a.py::f", "died", 2, reason="it died"),
    ),
    "out of time": (
        Ending(End.OUT_OF_TIME, KNOWN, "time ran out"),
        TargetResult(
            "a.py::f",
            "out of time",
            2,
            3,
            report=KNOWN,
            reason="time ran out; the report has what was decided before",
        ),
    ),
    "wrong before that": (
        Ending(End.OUT_OF_MEMORY, WRONG, "no memory"),
        TargetResult(
            "a.py::f",
            "disagrees",
            1,
            3,
            report=WRONG,
            is_shown=True,
            reason="no memory; the report has what was decided before",
        ),
    ),
    "an error of ours": (
        Ending(End.FAILED, None, "KeyError: 3", traceback="a traceback"),
        TargetResult("a.py::f", "internal error", 4, reason="KeyError: 3", traceback="a traceback"),
    ),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_a_target_that_ends_early_is_an_entry_of_its_own(configured, name):
    ending, result = ENDINGS[name]
    report = run_config(configured(only("f", "g")), host=Ends(ending))
    assert report.results == (result, replace(result, target="a.py::g", reason=result.reason))
    assert report.exit_code == result.exit_code


def test_the_report_does_not_depend_on_how_many_are_checked_at_once(configured):
    config = configured(FILE + MORE)
    assert str(run_config(config, jobs=3)) == str(run_config(config, jobs=1)) == SHOWN


class Telling:
    """A host whose code prints before it ends."""

    def run(self, task, limits, monitor):
        monitor.tell(f"from {task.options['target']['target']}\n")
        return Ending(End.FINISHED)


def test_what_a_target_prints_is_passed_on(configured):
    class Hearing(Monitor):
        heard = ()

        def tell(self, text):
            self.heard += (text,)

    monitor = Hearing()
    run_config(configured(FILE), monitor, Telling())
    assert monitor.heard[:2] == ("from a.py::agreeing\n", "from a.py::known\n")
