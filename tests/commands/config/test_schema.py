"""verifier.toml: what is read, what is refused, and what becomes of a run, with a stand-in for the
engine.
"""

import tomllib
from dataclasses import fields

import pytest

from verifier.checking.check_result import CheckSettings
from verifier.checking.defaults import Defaults, use_defaults
from verifier.commands.config.schema import (
    _SETTINGS,
    AcceptedFailure,
    ConfiguredTarget,
    read_config,
)
from verifier.errors import InputError

WHOLE = """
[settings]
dtypes = ["float32", "bfloat16"]
points = 5
seed = 1
without = ["second"]

[[target]]
target = "layers.py::MyNorm"
reference = "layers.py::plain_norm"
reduction = "mean"
inputs = { x = "-2:2:4x3", g = 2, scale = 0.5, flag = true, state.h = "0:1", "w[0]" = "[1,2]" }

[[target]]
target = "package.losses:focal"
formula = "-(1-p)**g*log(p)"
inputs = { p = "0:1:32" }
dtypes = ["float64"]
points = 1
seed = 0
without = []
digits = 6
timeout = 2.5
honour_detach = true
[[target.accepted]]
component = "p"
dtype = "float64"
cause = "kernel outside its budget"
reason = "torch issue 12345"
[[target.accepted]]
component = "value"
dtype = "float64"
reason = "slow, but sure"
"""


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Reads a text as the file verifier.toml of the folder in which the program runs."""
    monkeypatch.chdir(tmp_path)

    def reading(text):
        (tmp_path / "verifier.toml").write_text(text, encoding="utf-8")
        return read_config("verifier.toml")

    return reading


def test_everything_is_read(read):
    norm, focal = read(WHOLE).targets
    settings = CheckSettings(("float32", "bfloat16"), points=5, seed=1, without=("second",))
    assert norm == ConfiguredTarget(
        "layers.py::MyNorm",
        {"x": "-2:2:4x3", "g": 2, "scale": 0.5, "flag": "True", "state.h": "0:1", "w[0]": "[1,2]"},
        settings,
        reference="layers.py::plain_norm",
        reduction="mean",
    )
    assert norm.words == [
        "x=-2:2:4x3",
        "g=2",
        "scale=0.5",
        "flag=True",
        "state.h=0:1",
        "w[0]=[1,2]",
    ]
    assert focal.formula == "-(1-p)**g*log(p)" and focal.reduction == "none"
    assert focal.settings == CheckSettings(("float64",), 1, 0, (), 6, 2.5, True)
    assert focal.accepted == (
        AcceptedFailure("p", "float64", "torch issue 12345", "kernel outside its budget"),
        AcceptedFailure("value", "float64", "slow, but sure"),
    )


def test_every_setting_of_a_check_may_be_given():
    assert set(_SETTINGS) == {field.name for field in fields(CheckSettings)}


SMALLEST = '[[target]]\ntarget = "a.py::f"\ninputs = {}\n'


def test_what_is_not_set_is_as_in_this_test_run(read):
    assert read(SMALLEST).targets[0].settings == CheckSettings()
    with use_defaults(Defaults(("float16",), 9, 8)):
        assert read(SMALLEST).targets[0].settings == CheckSettings(("float16",), 9, 8)
        assert read(WHOLE).targets[0].settings.points == 5


def test_paths_are_relative_to_the_file(tmp_path):
    (tmp_path / "verifier.toml").write_bytes(b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode())
    norm, focal = read_config(tmp_path / "verifier.toml").targets
    assert norm.path_from_here(norm.target) == f"{tmp_path / 'layers.py'}::MyNorm"
    assert focal.path_from_here(focal.target) == "package.losses:focal"
    assert norm.path_from_here("/elsewhere/a.py::f") == "/elsewhere/a.py::f"


T = '[[target]]\ntarget = "a.py::f"\ninputs = {}\n'
A = f"{T}[[target.accepted]]\n"
ONE = "verifier.toml: target 1 (a.py::f)"
DTYPES = "use float64, float32, bfloat16 or float16"
TARGET_KEYS = (
    "target, formula, reference, reduction, inputs, dtypes, points, seed, without, digits, "
    "timeout, honour_detach, wrt, not_wrt, state, train, effort, "
    "accepted"
)
SETTINGS = "verifier.toml: [settings]"
SETTINGS_KEYS = (
    "dtypes, points, seed, without, digits, timeout, honour_detach, wrt, not_wrt, "
    "state, train, effort"
)
REFUSED = {
    "a = \n": "verifier.toml:1: it cannot be read as TOML: Invalid value",
    "\n[settings\n": (
        "verifier.toml:2: it cannot be read as TOML: Expected ']' at the end of a table declaration"
    ),
    "a = [1": "verifier.toml: it cannot be read as TOML: Unclosed array at the end of the file",
    "": (
        'verifier.toml: it lists no target: add [[target]], and below it target = '
        '"layers.py::MyNorm" and inputs'
    ),
    "[[targets]]\n": "verifier.toml: there is no setting 'targets' here: use settings, target",
    "[target]\n": (
        "verifier.toml: target = {...} cannot be used: give tables, each below a line [[target]]"
    ),
    "settings = 1\n": (
        "verifier.toml: settings = 1 cannot be used: give a table, below a line [settings]"
    ),
    f"[settings]\neffort = 'fast'\n{T}": (
        f"{SETTINGS}: effort = 'fast' cannot be used: give one of quick, normal, thorough"
    ),
    f"[settings]\ndtype = 'float32'\n{T}": (
        f"{SETTINGS}: there is no setting 'dtype' here: use {SETTINGS_KEYS}"
    ),
    f"[settings]\ntarget = 'x'\n{T}": (
        f"{SETTINGS}: there is no setting 'target' here: use {SETTINGS_KEYS}"
    ),
    f"[settings]\npoints = 'three'\n{T}": f"{SETTINGS}: points = 'three' cannot be used: "
    "give a whole number from 1 to 10,000",
    f"[settings]\npoints = true\n{T}": f"{SETTINGS}: points = true cannot be used: "
    "give a whole number from 1 to 10,000",
    f"[settings]\nseed = -1\n{T}": f"{SETTINGS}: seed = -1 cannot be used: "
    "give a whole number from 0 to 9,223,372,036,854,775,807",
    f"[settings]\npoints = {'9' * 5000}\n{T}": "verifier.toml: it cannot be read as TOML: "
    "a whole number has too many digits",
    f"[settings]\ndtypes = 'float32'\n{T}": f"{SETTINGS}: dtypes = 'float32' cannot be used: "
    'give names of dtypes, as in ["float32", "bfloat16"]',
    f"[settings]\ndtypes = ['float33']\n{T}": f"{SETTINGS}: dtypes: there is no dtype 'float33' to "
                                              "check in: "
    + DTYPES,
    f"[settings]\ndtypes = []\n{T}": f"{SETTINGS}: dtypes: no dtype is given: {DTYPES}",
    f"[settings]\nwithout = [2]\n{T}": f"{SETTINGS}: without = [2] cannot be used: "
    'give names of checks, as in ["second"]',
    f"[settings]\ndigits = 0\n{T}": (
        f"{SETTINGS}: digits = 0 cannot be used: give a number above 0, at most 77"
    ),
    f"[settings]\ntimeout = inf\n{T}": f"{SETTINGS}: timeout = inf cannot be used: "
    "give seconds, a number above 0, at most 10,000,000",
    f"[settings]\ndigits = nan\n{T}": (
        f"{SETTINGS}: digits = nan cannot be used: give a number above 0, at most 77"
    ),
    f"[settings]\nhonour_detach = 1\n{T}": f"{SETTINGS}: honour_detach = 1 cannot be used: "
    "give true or false",
    "[[target]]\n": "verifier.toml: target 1: target is missing",
    f"{T}[[target]]\ntarget = ' '\n": (
        "verifier.toml: target 2: target = ' ' cannot be used: give text in quotes"
    ),
    "[[target]]\ntarget = 'a.py::f'\n": f"{ONE}: inputs is missing",
    f"{T}input = 1\n": (
        f"verifier.toml: target 1: there is no setting 'input' here: use {TARGET_KEYS}"
    ),
    f"{T}formula = 'x'\nreference = 'a.py::g'\n": (
        f"{ONE}: a formula and a reference are two ways to say "
        "what is right: give one of them"
    ),
    "[[target]]\ntarget = 'a.py::f'\ninputs = ['x=1']\n": (
        "verifier.toml: target 1: inputs = ['x=1'] cannot be used: "
        'give a table, as in { x = "-2:2:4x3", g = 2 }'
    ),
    "[[target]]\ntarget = 'a.py::f'\ninputs = { s.x = [1, 2] }\n": (
        f"{ONE}: input s.x = [1, 2] cannot be used: "
        "give a number, or text such as '-2:2:4x3'"
    ),
    """[[target]]\ntarget = 'a.py::f'\ninputs = { s = { x = 1 }, "s.x" = 2 }\n""": (
        f"{ONE}: input s.x is given twice: "
        "give it once"
    ),
    "[[target]]\ntarget = 'a.py::f'\ninputs = { x = 2026-01-01 }\n": (
        f"{ONE}: input x = datetime.date(2026, 1, 1) "
        "cannot be used: give a number, or text such as '-2:2:4x3'"
    ),
    f"{T}dtypes = ['float32', 'float32']\n": (
        f"{ONE}: dtypes: the dtype float32 is given twice: give it once"
    ),
    f"{T}points = 1\n{T}points = 2\n": "verifier.toml: target 2 (a.py::f): it is listed before, "
    "with the same formula or reference and the same inputs: list it once",
    f"{T}accepted = 'x'\n": "verifier.toml: target 1: accepted = 'x' cannot be used: "
    "give tables, each below a line [[target.accepted]]",
    f"{A}component = 'x'\ndtype = 'float32'\n": f"{ONE}: accepted 1: reason is missing",
    f"{A}component = 'x'\nreason = 'known'\n": f"{ONE}: accepted 1: dtype is missing",
    f"{A}component = 'x'\ndtype = 'float32'\nreason = ''\n": (
        f"{ONE}: accepted 1: reason = '' cannot be used: "
        "give text in quotes"
    ),
    f"{A}component = 'x'\ndtype = 'double'\nreason = 'known'\n": (
        f"{ONE}: accepted 1: there is no dtype 'double': "
        "use float64 or float32 or bfloat16 or float16"
    ),
    f"{A}why = 'x'\n": (
        f"{ONE}: accepted 1: there is no setting 'why' here: use component, dtype, cause, reason"
    ),
    f"{A}component='x'\ndtype='float32'\nreason='a'\n[[target.accepted]]\ncomponent='x'\ndtype='float32'\nreason='b'\n":
    f"{ONE}: accepted 2: x in float32 is accepted twice: give it once",
    '[[target]]\ntarget = "a\\u001b[2J.py::f"\n': (
        "verifier.toml: target 1 (a\\x1b[2J.py::f): inputs is missing"
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_refused(read, text):
    with pytest.raises(InputError) as error:
        read(text)
    assert str(error.value) == REFUSED[text]


def test_the_same_target_may_be_checked_on_other_inputs(read):
    assert len(read(f"{T}\n{T.replace('{}', '{ x = 1 }')}").targets) == 2


def test_a_file_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as error:
        read_config("verifier.toml")
    assert str(error.value) == "there is no file 'verifier.toml'"
    (tmp_path / "verifier.toml").write_bytes(b"\n# \xff\n")
    with pytest.raises(InputError) as error:
        read_config("verifier.toml")
    assert str(error.value) == "verifier.toml:2: the line is not UTF-8: save the file as UTF-8"


def test_nested_too_deeply(read, monkeypatch):
    def too_deep(text):
        raise RecursionError

    monkeypatch.setattr(tomllib, "loads", too_deep)
    with pytest.raises(InputError) as error:
        read("a = 1")
    assert str(error.value) == "verifier.toml: it cannot be read as TOML: it is nested too deeply"


def test_a_message_without_a_place(read, monkeypatch):
    def odd(text):
        raise tomllib.TOMLDecodeError("something odd")

    monkeypatch.setattr(tomllib, "loads", odd)
    with pytest.raises(InputError) as error:
        read("a = 1")
    assert str(error.value) == "verifier.toml: it cannot be read as TOML: something odd"
