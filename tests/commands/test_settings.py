"""Settings: one definition serves the option, the keyword, the key of verifier.toml and the page of
settings.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import verifier
from tests.helpers.documents import ROOT
from verifier.checking.settings import CheckSettings
from verifier.errors import InputError
from verifier.process.setting import (
    FLAG,
    TEXT,
    arrays_of_texts,
    names_in,
    one_of,
    positive_numbers,
    require_settings,
    setting,
    settings_of,
    whole_numbers,
)

DUMMY = """
    colour: str = field(
        default="red", metadata=setting(one_of(("red", "green")), "The colour of a gradient.")
    )
"""
PLACES = """
import io, json, runpy, sys
from contextlib import redirect_stdout
from pathlib import Path
import verifier
from verifier.commands.cli import run

def printed(*words):
    with redirect_stdout(io.StringIO()) as shown:
        code = run(["check", *words])
    return code, shown.getvalue()

def refused():
    try:
        verifier.check("torch:tanh", inputs={"input": 0.5}, colour="blue")
    except verifier.InputError as error:
        return str(error)

Path("verifier.toml").write_text(
    '[settings]\\ncolour = "green"\\npoints = 1\\neffort = "quick"\\ndtypes = ["float64"]\\n'
    '[[target]]\\ntarget = "torch:tanh"\\ninputs = { input = "[0.5]" }\\n'
)
given = ["torch:tanh", "--input", "input=[0.5]", "--dtype", "float64", "--quick", "--json", "-"]
Path("found.json").write_text(json.dumps({
    "package": verifier.__file__,
    "help": printed("--help")[1],
    "option": json.loads(printed(*given, "--colour", "green")[1])["settings"]["colour"],
    "default": json.loads(printed(*given)[1])["settings"]["colour"],
    "keyword": refused(),
    "file": json.loads(printed("--config", "verifier.toml", "--json", "-")[1])
        ["targets"][0]["report"]["settings"]["colour"],
    "page": runpy.run_path(sys.argv[1])["PAGES"]["settings.md"](),
}))
"""


def test_a_setting_that_is_added_is_in_all_four_places(tmp_path):
    package = tmp_path / "verifier"
    shutil.copytree(
        Path(verifier.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    source = package / "checking" / "settings.py"
    text = source.read_text(encoding="utf-8")
    place = "\n    def __post_init__"
    assert text.count(place) == 1
    source.write_text(text.replace(place, f"{DUMMY}{place}"), encoding="utf-8")
    script = tmp_path / "places.py"
    script.write_text(PLACES)
    subprocess.run(
        [sys.executable, script, ROOT / "docs" / "reference.py"],
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "80"},
    )
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["package"] == str(package / "__init__.py")
    assert "--colour <str>          The colour of a gradient." in found["help"]
    assert (found["option"], found["default"]) == ("green", "red")
    assert found["keyword"] == "colour is 'blue': give one of red, green"
    assert found["file"] == "green"
    assert (
        "| `colour` | `--colour` | The colour of a gradient. | red | one of red, green |"
        in found["page"]
    )


@pytest.mark.parametrize("name", CheckSettings.__dataclass_fields__)
def test_every_field_is_a_setting(name):
    assert name in settings_of(CheckSettings)


WRONG = {
    "dtypes": (3, 'dtypes is 3: give names of dtypes, as in ["float32", "bfloat16"]'),
    "points": (0, "points is 0: give a whole number from 1 to 10,000"),
    "seed": (True, "seed is True: give a whole number from 0 to 9,223,372,036,854,775,807"),
    "without": ([1], """without is (1,): give names of checks, as in ["second"]"""),
    "effort": ([], "effort is []: give one of quick, normal, thorough"),
    "digits": (True, "digits is True: give a number above 0, at most 77"),
    "honour_detach": ("no", "honour_detach is 'no': give true or false"),
    "timeout": (0, "timeout is 0: give seconds, a number above 0, at most 10,000,000"),
    "wrt": (
        float("nan"),
        'wrt is nan: give names of inputs or parameters, as in ["weight"]',
    ),
    "not_wrt": ("", """not_wrt is ('',): give names of inputs or parameters, as in ["bias"]"""),
    "state": (1, "state is 1: give the path of a file, in quotes"),
    "train": (1, "train is 1: give true or false"),
}


@pytest.mark.parametrize("name", CheckSettings.__dataclass_fields__)
def test_what_a_setting_cannot_be_is_refused(name):
    value, sentence = WRONG[name]
    with pytest.raises(InputError) as refused:
        verifier.check("torch:tanh", inputs={"input": 0.5}, **{name: value})
    assert str(refused.value) == sentence


def test_names_may_be_one_text_and_a_path_is_a_text():
    settings = CheckSettings(
        dtypes="float32, float64", wrt=["a ", "b"], without={"vmap"}, state=Path("weights.pt")
    )
    assert settings.dtypes == ("float32", "float64")
    assert (settings.wrt, settings.without) == (("a", "b"), ("vmap",))
    assert settings.state == "weights.pt"
    assert names_in(3) == 3


@dataclass(frozen=True)
class Paint:
    """Settings of another kind."""

    colour: str = field(default="red", metadata=setting(TEXT, "The colour."))
    coats: int = field(default=1, metadata=setting(whole_numbers(1, 3), "Layers."))
    dry: bool = field(default=False, metadata=setting(FLAG, "Without water."))
    width: float = field(
        default=0, metadata=setting(positive_numbers("metres above 0", 9), "How wide.")
    )
    walls: tuple[str, ...] = field(
        default=(), metadata=setting(arrays_of_texts("names"), "Which.", option="--wall")
    )
    care: str = field(
        default="some",
        metadata=setting(one_of(("some", "much")), "How.", flags=(("much", "Take care."),)),
    )
    name: str = ""


def test_a_field_without_metadata_is_no_setting():
    assert list(settings_of(Paint)) == ["colour", "coats", "dry", "width", "walls", "care"]


def test_the_default_needs_not_fit():
    require_settings(Paint())
    with pytest.raises(InputError, match=r"^width is -1: give metres above 0$"):
        require_settings(Paint(width=-1))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("colour", "dark red", ["--colour", "dark red"]),
        ("coats", 2, ["--coats", "2"]),
        ("dry", True, ["--dry"]),
        ("dry", False, []),
        ("width", 0.5, ["--width", "0.5"]),
        ("walls", ("a", "b"), ["--wall", "a", "--wall", "b"]),
        ("care", "much", ["--much"]),
    ],
)
def test_words_of_a_command_line(name, value, words):
    assert settings_of(Paint)[name].words(name, value) == words
