"""Lessons: every claim holds when it is shown, and fails when its figure is altered."""

import json
import math
import re
import shlex
from contextlib import redirect_stdout
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from io import StringIO
from types import ModuleType

import pytest
from rich.cells import cell_len
from rich.console import Console

import verifier
from verifier.commands.cli import run
from verifier.commands.lesson import run_lesson
from verifier.explaining.lessons.reader import (
    LANGUAGES,
    Claim,
    ClaimResult,
    Code,
    Passage,
    Script,
    script,
    scripts,
)
from verifier.operations.table import COMPOSITIONS, TABLE

NAMES = [
    "tensor", "backward", "quadratic", "update", "rate", "kink", "detached", "cancellation",
    "precision", "differences", "allowance",
]  # fmt: skip
WRITTEN = [(written.name, language) for language in LANGUAGES for written in scripts(language)]
CLAIMS = [
    (name, place)
    for name in NAMES
    for place, _ in enumerate(c for c in script(name).parts if type(c) is Claim)
]

shown = cache(verifier.lesson)


def claims(written):
    return [part for part in written.parts if isinstance(part, Claim)]


def test_all_eleven_are_there():
    assert [(written.number, written.name) for written in scripts()] == list(
        enumerate(NAMES, start=1)
    )
    assert [written.name for written in scripts("zh")] == NAMES[:4]


@pytest.mark.parametrize(("name", "language"), WRITTEN)
def test_every_claim_holds(name, language):
    lesson = shown(name, language)
    assert lesson.claims
    for checked in lesson.claims:
        assert checked.holds, (
            f"{checked.claim.quantity}: {checked.claim.value} but {checked.measured}"
        )
    assert (lesson.ok, lesson.exit_code) == (True, 0)
    lesson.raise_for_failure()


def altered(claim):
    """The next float, or the next number of so many digits."""
    if claim.digits is None:
        return replace(claim, value=math.nextafter(claim.value, math.inf))
    unit = 10.0 ** (math.floor(math.log10(abs(claim.value))) - claim.digits + 1)
    return replace(claim, value=claim.value + unit)


@pytest.mark.parametrize("name", NAMES)
def test_no_claim_holds_when_its_figure_is_altered(name):
    written = script(name)
    parts = tuple(altered(part) if isinstance(part, Claim) else part for part in written.parts)
    lesson = run_lesson(replace(written, parts=parts))
    assert [checked.holds for checked in lesson.claims] == [False] * len(claims(written))
    assert (lesson.ok, lesson.exit_code) == (False, 1)
    assert str(lesson).endswith(
        "DOES NOT HOLD  A claim in this lesson was just checked, and is wrong."
    )
    with pytest.raises(verifier.GradientError, match=f"lesson {name}: a claim does not hold\n"):
        lesson.raise_for_failure()
    assert lesson.to_html().count('class="claim fails"') == len(lesson.claims)


@cache
def document_of(command):
    """What a command writes as JSON; several claims name the same."""
    words = shlex.split(command)
    assert words[0] == "verifier"
    with redirect_stdout(StringIO()) as out:
        assert run([*words[1:], "--json", "-"]) in (0, 3)
    return json.loads(out.getvalue())


def is_long(claim):
    return re.search(r"--epochs \d{5}", claim.command) is not None


@pytest.mark.parametrize(
    ("name", "place"),
    [
        pytest.param(*known, marks=pytest.mark.slow)
        if is_long(claims(script(known[0]))[known[1]])
        else known
        for known in CLAIMS
    ],
)
def test_the_command_gives_the_figure(name, place):
    """The command that a claim names is run, and the figure is where the claim says that it is."""
    claim = claims(script(name))[place]
    if claim.json is None:
        assert claim.command == f"verifier lesson {name}"
        return
    found = document_of(claim.command)
    for key in claim.json.split("."):
        found = found[int(key)] if isinstance(found, list) else found[key]
    assert claim.holds(found)


def test_a_figure_that_is_not_finite_never_holds():
    for digits in (None, 3):
        claim = Claim("anything", 1.0, "x", "verifier lesson", digits=digits)
        assert not claim.holds(math.nan)
        assert not claim.holds(math.inf)


@pytest.mark.parametrize(("name", "language"), WRITTEN)
def test_no_number_is_typed_into_a_text(name, language):
    """Whole numbers of the exercise stand in the text; what was computed is filled in."""
    for part in script(name, language).parts:
        if isinstance(part, Passage):
            plain = re.sub(r"`[^`]*`|\{[^}]*\}", "", part.text)
            assert not re.findall(r"\d+\.\d+|\d{3,}|\d+e-?\d+", plain), plain


@pytest.mark.parametrize("name", NAMES)
def test_code_fits_the_terminal(name):
    for part in shown(name).parts:
        if isinstance(part, Code):
            assert all(len(line) <= 76 for line in part.source.splitlines())


@pytest.mark.parametrize(("name", "language"), WRITTEN)
@pytest.mark.parametrize("width", [80, 40])
def test_no_line_is_too_wide(name, language, width):
    assert all(cell_len(line.plain) <= width for line in shown(name, language).lines(width))


@pytest.mark.parametrize("name", NAMES[:4])
def test_a_translation_has_the_same_blocks(name):
    here, there = script(name), script(name, "zh")
    kinds = [[type(part) for part in written.parts] for written in (here, there)]
    assert kinds[0] == kinds[1]
    assert [replace(claim, quantity="") for claim in claims(here)] == [
        replace(claim, quantity="") for claim in claims(there)
    ]
    assert [part for part in here.parts if isinstance(part, Code)] == [
        part for part in there.parts if isinstance(part, Code)
    ]
    for part in there.parts:
        assert not isinstance(part, Passage) or re.search(r"[\u4e00-\u9fff]", part.text)
    assert not any(re.search(r"[\u4e00-\u9fff] ?\n? "
                             r"[\u4e00-\u9fff]", part.text) for part in there.parts
                   if isinstance(part, Passage))  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_imports_what_it_uses(name, monkeypatch):
    """In a fresh program a module of verifier is no attribute of it until it was imported, but for
    two.
    """
    for attribute, value in list(vars(verifier).items()):
        if isinstance(value, ModuleType):
            monkeypatch.delattr(verifier, attribute)
    with pytest.raises(AttributeError):
        _ = verifier.formula.model
    assert verifier.lesson(name).ok


def test_a_lesson_leaves_nothing_behind():
    before = (dict(TABLE), dict(COMPOSITIONS))
    verifier.lesson("detached")
    verifier.lesson("detached")
    assert before == (TABLE, COMPOSITIONS)


# The command.


def test_the_list(capsys):
    assert run(["lesson"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed[0] == " 1  tensor        What a tensor holds"
    assert listed[10] == "11  allowance     What the allowance is"
    assert len(listed) == 11
    assert run(["lesson", "--lang", "zh"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == " 1  tensor        张量里装着什么"


def test_one_lesson(capsys):
    assert run(["lesson", "tensor"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(
        "1  What a tensor holds\n──────────────────────\n\nA tensor that is trained holds two"
    )
    assert (
        "Claim  w.grad after two backward passes of the same loss\n  claimed   -4.0\n  measured  "
        "-4.0\n"
        "  checked   to the last bit\n  command   verifier lesson tensor\n  holds\n"
    ) in printed
    assert printed.endswith("\nHOLDS  Every claim in this lesson was just checked.\n")
    assert run(["lesson", "1"]) == 0
    assert capsys.readouterr().out == printed


def test_a_claim_that_does_not_hold_is_exit_code_1(capsys, monkeypatch):
    written = script("kink")
    wrong = replace(
        written, parts=tuple(altered(p) if isinstance(p, Claim) else p for p in written.parts)
    )
    monkeypatch.setattr("verifier.explaining.lessons.reader.script", lambda name, language: wrong)
    assert run(["lesson", "kink"]) == 1
    printed = capsys.readouterr().out
    assert (
        "  claimed   0.5000000000000001\n  measured  0.5\n  checked   to the last bit\n" in printed
    )
    assert "  DOES NOT HOLD\n" in printed


def test_json(capsys):
    assert run(["lesson", "backward", "--lang", "zh", "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["format"], document["command"], document["ok"]) == (
        "verifier/1",
        "lesson",
        True,
    )
    assert document["replay"] == "verifier lesson backward --lang zh"
    assert document["lesson"] == {
        "number": 2,
        "name": "backward",
        "title": "手算一步反向传播",
        "language": "zh",
    }
    assert document["claims"][0] == {
        "quantity": "第三步的梯度", "value": -16.228801727294922, "measured": -16.228801727294922,
        "digits": None, "command": "verifier explain linear --step 3",
        "json": "gradient.w.autograd", "holds": True,
    }  # fmt: skip


REFUSED = {
    "nothing": "there is no lesson 'nothing': verifier lesson names them",
    "quadratc": "there is no lesson 'quadratc': did you mean quadratic?",
    "12": "there is no lesson '12': verifier lesson names them",
    "kink --lang zh": "lesson kink is not written in 'zh' yet: verifier lesson kink has it",
    "tensor --lang fr": "there are no lessons in 'fr': there are en and zh",
    "--json -": (
        "--html and --json write one lesson: say which, as in verifier lesson quadratic --html FILE"
    ),
    "--html page.html": (
        "--html and --json write one lesson: say which, as in verifier lesson quadratic --html FILE"
    ),
    "kink --html no/page.html": "cannot write 'no/page.html': there is no folder '{folder}/no'",
}


@pytest.mark.parametrize("words", REFUSED)
def test_refused(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["lesson", *words.split()]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (
        "",
        f"verifier: {REFUSED[words].format(folder=tmp_path)}\n",
    )
    assert list(tmp_path.iterdir()) == []


# The page.


class Page(HTMLParser):
    """What a page is made of, and whether what is opened is closed."""

    EMPTY = frozenset({"meta", "link", "br", "hr", "img", "input"})

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize(("name", "language"), WRITTEN)
def test_a_page_is_whole_and_loads_nothing(name, language, tmp_path, capsys):
    path = tmp_path / "page.html"
    assert run(["lesson", name, "--lang", language, "--html", str(path)]) == 0
    capsys.readouterr()
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert not {"iframe", "object", "img"} & set(page.tags)
    # A slider needs its script and the data of its runs.
    assert page.tags.count("script") == (2 if name == "rate" else 0)
    assert ("script-src" in text) == (name == "rate")
    assert dict(page.attributes)["lang"] == language
    for attribute, value in page.attributes:
        if attribute in ("src", "href", "xlink:href"):
            assert value.startswith(("#", "data:"))
    assert not re.search(r"url\((?!#)", text)
    assert "@import" not in text
    assert "default-src 'none'" in text
    assert ("id", "claims") in page.attributes
    assert page.text.count("✓") == len(shown(name, language).claims)
    for part in shown(name, language).parts:
        if isinstance(part, Code):
            assert part.source.rstrip() in page.text
            assert part.printed.rstrip() in page.text
        elif isinstance(part, ClaimResult):
            assert repr(part.measured) in page.text


def test_nothing_that_is_written_becomes_markup():
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
    parts = (
        Passage(f"{evil} [link](javascript:alert(1)) `{evil}`"),
        Code(f"value = 1.0\nprint({evil!r})\n"),
        Claim(evil, 1.0, "value", evil),
    )
    lesson = run_lesson(Script(1, "evil", "en", evil, parts))
    page = Page(lesson.to_html())
    assert not {"script", "img"} & set(page.tags)
    # The only link is that to the claims.
    assert page.tags.count("a") == 1
    # Title and heading, text and code in it, source and what it printed, claim and command.
    assert page.text.count("<script>alert(1)</script>") == 8


def test_it_shows_itself_in_a_rich_console():
    out = StringIO()
    Console(file=out, width=80).print(shown("kink"))
    assert out.getvalue().rstrip() == str(shown("kink"))


def test_the_library_has_it():
    assert isinstance(verifier.lesson("kink"), verifier.Lesson)
    with pytest.raises(verifier.InputError, match="there is no lesson 'nothing'"):
        verifier.lesson("nothing")
