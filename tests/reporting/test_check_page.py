"""The page of a check: what it says first, what it shows of numbers that disagree, and no markup
from users' text.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import verifier
from tests.helpers.browser import Browser, on_paper
from tests.helpers.hostile import PAYLOADS
from tests.reporting.test_training_page import PAPER, Reader
from verifier.checking.check_result import CheckResult, CheckSettings
from verifier.checking.tally.count import Tally
from verifier.errors import printable
from verifier.judging.examine import examine
from verifier.judging.finding import CheckCause, CheckPoint, Finding
from verifier.judging.verdict import Note, Outcome
from verifier.reporting.html.check import check_page
from verifier.reporting.html.check_picture import ZERO, error_picture
from verifier.reporting.html.mathml import text
from verifier.reporting.html.page import Folded
from verifier.testing.cases import case_named
from verifier.testing.mutations import GRAPH, NUMBERS, liar_named, scaled

CASE = case_named("tanh network")
DTYPES = ("float32", "float64")


def findings(code, number, dtype):
    """What reverse mode shows at one point."""
    subject = CASE.subject(code, dtype)
    point = CheckPoint(number, "random", dtype, dict(subject.inputs))
    found = examine(subject)
    for quantity in ("value", "reverse"):
        parts = tuple(part for part in found.parts if part.quantity == quantity)
        yield Finding(quantity, dtype, point, parts, examination=found)


def checked(code, dtypes=DTYPES):
    found = tuple(
        one for number, dtype in enumerate(dtypes, 1) for one in findings(code, number, dtype)
    )
    return CheckResult(
        "losses.py::focal",
        "its own forward",
        CheckSettings(dtypes),
        found,
        replay="verifier check losses.py::focal",
    )


@pytest.fixture(scope="module")
def honest():
    return checked(CASE.code)


@pytest.fixture(scope="module")
def failing():
    found = checked(GRAPH.plant(CASE.code, liar_named("sign flipped").lie, 1))
    cause = CheckCause(
        "sign flipped",
        "first",
        "the sign is flipped.",
        "-1 times the exact gradient fits",
        "float32",
        1,
    )
    failure = Finding(
        "form",
        "float32",
        found.findings[0].point,
        failures=("The gradient by x has dtype float64.",),
    )
    absent = Finding("second", "float32", absent="Its backward has no derivative.")
    return replace(
        found, findings=(*found.findings, failure, absent), causes=(cause,),
        ruled_out=("transposed",), notes=("The path of b is detached.",),
        simplest=found.findings[0].point,
    )  # fmt: skip


def page(checked):
    return check_page(checked, checked.replay)


def section(checked, title):
    """The section of that title, unfolded."""
    found = next(part for part in page(checked).sections if part.title == title)
    return found.section if isinstance(found, Folded) else found


def test_the_verdict_of_what_agrees(honest):
    shown = page(honest)
    assert (shown.title, shown.outcome) == ("verifier: focal", Outcome.AGREES)
    assert shown.verdict == (
        "The gradient of focal by x, first, bias and 1 more is right: 76 numbers agree in float32 "
        "and float64."
    )
    assert shown.sentences[0] == "2 checks made; 76 numbers agree, 0 are undecided, 0 disagree."
    assert shown.sentences[1].startswith("The formula replays exactly, to ")
    assert shown.sentences[2].startswith("An error of ")
    assert "What is wrong, and why" not in [part.title for part in shown.sections]
    assert "interrupted" in page(replace(honest, interrupted=True)).sentences[-1]


def test_the_verdict_of_what_disagrees(failing):
    assert page(failing).verdict == "The gradient of focal by first is wrong."
    assert (
        page(failing).sentences[0]
        == "3 checks made; 58 numbers agree, 0 are undecided, 18 disagree."
    )


def test_the_verdict_of_what_fails_apart_from_numbers(honest, failing):
    only = replace(honest, findings=(*honest.findings, failing.findings[-2]))
    assert page(only).verdict == "focal: The gradient by x has dtype float64."
    assert section(only, "What is wrong, and why").sentences == [
        "focal fails in float32: dtype, shape, device",
        "The gradient by x has dtype float64. (at point 1)",
    ]


def test_the_verdict_of_too_few_digits(honest):
    asked = replace(honest, settings=replace(honest.settings, digits=12.0))
    assert page(asked).verdict == "5 components of focal have fewer than 12 digits."
    assert any(
        one.label == "too few digits" and ": 12 were asked for" in one.text
        for one in section(asked, "What is wrong, and why").blocks
    )


def blind(part):
    verdicts = replace(
        part.verdicts,
        severity=part.verdicts.severity * 0 + 1,
        allowed=part.verdicts.allowed * math.inf,
    )
    return replace(part, verdicts=verdicts)


def test_the_verdict_of_what_is_undecided(honest):
    first = honest.findings[1]
    open_one = replace(
        honest, findings=(honest.findings[0], replace(first, parts=tuple(map(blind, first.parts))))
    )
    assert page(open_one).verdict == ("Nothing was compared in float64.")
    assert (
        section(open_one, "What could not be decided")
        .blocks[0]
        .text.startswith("30 of 30 numbers of x, first, bias and second: ")
    )
    assert "Every component has decided comparisons." not in page(open_one).sentences
    assert "What could not be decided" not in [part.title for part in page(honest).sections]
    nothing = replace(honest, findings=())
    assert page(nothing).verdict == "Nothing was compared."
    assert "Picture" not in [part.title for part in page(nothing).sections]


def test_undecided_here_and_there(honest):
    value = honest.findings[0].parts[0]
    severity = value.verdicts.severity.copy()
    severity[:2] = Outcome.UNDECIDED.severity
    note = value.verdicts.note.copy()
    note[:2] = list(Note).index(Note.BLIND)
    part = replace(value, verdicts=replace(value.verdicts, severity=severity, note=note))
    some = replace(
        honest, findings=(replace(honest.findings[0], parts=(part,)), *honest.findings[1:])
    )
    assert page(some).verdict == (
        "2 of 76 numbers could not be decided (rounding can be as large as the terms it is made "
        "of). Nothing disagrees, and of every quantity some numbers agree: exit code 0."
    )
    assert "Every component has decided comparisons." in page(some).sentences
    assert [block.text for block in section(some, "What could not be decided").blocks] == [
        "2 of 8 numbers of value: rounding can be as large as the terms it is made of"
    ]
    assert "undecided" in Reader(error_picture(Tally(some).components).svg()).text


def test_other_quantities_are_called_by_their_kind(honest):
    first = honest.findings[1]
    second = replace(
        first, check="second", parts=(replace(first.parts[0], name="x[0] x", quantity="second"),)
    )
    found = replace(honest, findings=(*honest.findings, second))
    assert "x x (second)" in [row[0] for row in section(found, "Components").cells]


def test_causes_stand_with_their_evidence(failing):
    found = section(failing, "What is wrong, and why").blocks
    assert [one.text for one in found if getattr(one, "label", "") in ("likely", "try")] == [
        "The sign is flipped. (-1 times the exact gradient fits)",
        "verifier check losses.py::focal",
    ]
    assert section(failing, "What is wrong, and why").sentences[0].startswith("focal by first, ")
    unexplained = section(replace(failing, causes=()), "What is wrong, and why")
    (cause,) = [one.text for one in unexplained.blocks if getattr(one, "label", "") == "cause"]
    assert cause == "None was found. Ruled out: transposed."
    assert section(failing, "Notes").blocks[0].text.startswith("x = ")


def test_of_very_many_failures_the_first_are_shown(failing, monkeypatch):
    monkeypatch.setattr("verifier.reporting.content.check_failures.MOST", 0)
    assert section(failing, "What is wrong, and why").sentences == [
        "⋯ 1 more failures are not shown; --json FILE has them all",
        "focal fails in float32: dtype, shape, device",
        "⋯ 1 other failures are not shown; --json FILE has them all",
    ]


def test_what_was_checked_comes_directly_after_the_failure(failing, honest):
    titles = [part.title for part in page(failing).sections]
    assert titles[:2] == ["What is wrong, and why", "What was checked"]
    assert "What else is wrong" in titles, "a failure apart from numbers comes later"
    first = page(failing).sections[0]
    assert len(first.sentences) == 1, "the first failure alone"
    assert page(honest).sections[0].title == "What was checked"


def test_numbers_that_disagree_are_always_folded(failing):
    found = next(one for one in page(failing).sections if one.title == "Numbers that disagree")
    assert (type(found), found.summary) == (Folded, "10 rows")
    few = checked(NUMBERS.plant(CASE.code, scaled(0.5), 1), ("float32",))
    found = next(one for one in page(few).sections if one.title == "Numbers that disagree")
    assert type(found) is Folded
    assert len(found.section.rows) < 12


def test_what_was_not_made_has_its_reason_once(failing):
    (reason,) = [block.text for block in section(failing, "Not made").blocks]
    assert reason.startswith("Its backward has no derivative")


def zeros_drawn(tally):
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    error_picture(tally.components).paint(axes)
    assert axes.get_xticklabels()[0].get_text() == "0"
    places = np.concatenate([part.get_offsets()[:, 0] for part in axes.collections])
    return int((places == ZERO).sum())


def test_errors_of_zero_stand_at_zero(honest):
    doubled = verifier.check(lambda x: 2 * x, inputs={"x": torch.tensor([1.0, 2.0])})
    assert zeros_drawn(doubled.tally) > 0
    assert zeros_drawn(Tally(honest)) == 0


def test_the_numbers_that_disagree(failing):
    table = section(failing, "Numbers that disagree")
    assert table.note == "The worst 10 of 18."
    part = next(
        one for one in failing.findings if one.examination and one.dtype == "float64"
    ).examination["first"]
    judged = [part.verdicts[place] for place in range(9)]
    worst = max(judged, key=lambda one: one.error / one.allowed)
    row = table.cells[0]
    assert row[0].startswith("first[")
    assert [*row[1:5]] == ["reverse mode", "float64", "2", repr(worst.stated)]
    assert row[5].startswith(worst.exact[:8])
    assert row[8] == "its formula is wrong in exact arithmetic"
    numbers = checked(NUMBERS.plant(CASE.code, scaled(0.5), 1), ("float32",))
    assert section(numbers, "Numbers that disagree").cells[0][8] == ""


@pytest.mark.parametrize(
    "against", ["reference plain_focal", "((", "1" + "+p" * 500], ids=["reference", "none", "long"]
)
def test_what_is_no_formula_is_told_in_words(honest, against):
    assert section(replace(honest, against=against), "What it is compared with").sentences == [
        against
    ]


def test_what_it_is_compared_with(honest):
    assert section(honest, "What it is compared with").sentences == [
        "The code's own forward, read operation by operation: its backward is what is checked."
    ]
    (entry,) = section(
        replace(honest, against="-(1-p)**g*log(p)"), "What it is compared with"
    ).entries
    assert entry.text == "focal = -(1-p)**g*log(p)"
    assert "<msup>" in entry.right
    assert "<mtext>focal</mtext>" in entry.left
    (reduced,) = section(
        replace(honest, against="mean of -(1-p)**g*log(p)"), "What it is compared with"
    ).entries
    assert reduced.text == "focal = mean of -(1-p)**g*log(p)"
    assert str(reduced.right) == text("mean of\u2003") + str(entry.right)


def test_the_tables(failing):
    checks = {(row[1], row[2]): row for row in section(failing, "Checks").cells}
    assert [*checks["reverse", "float32"][3:]] == ["1", "30", "21", "0", "9", "0", "disagrees", ""]
    assert [*checks["form", "float32"][8:10]] == ["1", "disagrees"]
    assert [*checks["second", "float32"][9:]] == ["not made", "Its backward has no derivative."]
    components = {(row[0], row[1]): row for row in section(failing, "Components").cells}
    assert [*components["first", "float64"][2:6]] == ["9", "0", "0", "9"]
    assert [*components["x", "float64"][3:6]] == ["12", "0", "0"]
    points = section(failing, "Points").cells
    assert [*points[0][:3]] == ["1", "random", "float32"]
    assert "x = 4×3 numbers" in points[0][3]
    how = next(part for part in page(failing).sections if part.title == "How this was made")
    assert how.summary == "verifier check losses.py::focal"
    assert dict(how.section.facts)["switched off"] == "nothing"
    assert check_page(failing, None).sections[-1].summary.startswith("Python only")


def test_notes(failing, honest):
    assert [block.text for block in section(failing, "Notes").blocks][1:] == [
        "The path of b is detached."
    ]
    assert "Notes" not in [part.title for part in page(honest).sections]


def test_long_tables_are_thinned_and_it_is_said(failing, monkeypatch):
    monkeypatch.setattr("verifier.reporting.html.check.COMPONENTS", 3)
    monkeypatch.setattr("verifier.reporting.html.check.POINTS", 1)
    table = section(failing, "Components")
    assert [row[0] for row in table.cells][:2] == ["first", "first"]
    assert table.note == "The worst 3 of 10."
    assert section(failing, "Points").note == "The first 1 of 2."


def test_the_picture_says_what_it_shows(failing, monkeypatch):
    picture = error_picture(Tally(failing).components)
    assert picture.description.startswith("first float64: 9 of 9 disagree, the largest error is ")
    assert "; and 4 more." in picture.description
    words = Reader(picture.svg()).text
    assert {"first float32", "x float64", "allowed", "agrees", "disagrees"} <= set(words)
    assert "undecided" not in words
    monkeypatch.setattr("verifier.reporting.html.check_picture.ROWS", 2)
    fewer = error_picture(Tally(failing).components)
    assert fewer.description.endswith("8 more components are not drawn.")
    assert "x float64" not in Reader(fewer.svg()).text


def test_it_reads_as_a_page_and_as_a_fragment(failing):
    whole, fragment = page(failing).html(), page(failing).fragment()
    assert not Reader(whole).open
    assert not Reader(fragment).open
    assert whole.count("<script") == 1
    assert "<script" not in fragment
    # Without a style both forms of a number would be seen.
    assert 'class="six"' in whole
    assert 'class="six"' not in fragment


def hostile(checked, payload):
    def renamed(finding):
        inputs = {payload: torch.ones(1)}
        point = replace(finding.point, kind=payload, inputs=inputs) if finding.point else None
        parts = tuple(
            replace(part, name=payload if part.name == "first" else part.name)
            for part in finding.parts
        )
        failures = tuple(payload for _ in finding.failures)
        return replace(
            finding,
            point=point,
            parts=parts,
            failures=failures,
            absent=payload if finding.absent else "",
        )

    return replace(
        checked,
        target=payload,
        against=payload,
        findings=tuple(map(renamed, checked.findings)),
        causes=tuple(
            replace(cause, component=payload, sentence=payload, evidence=payload)
            for cause in checked.causes
        ),
        ruled_out=(payload,),
        notes=(payload,),
        replay=payload,
        settings=replace(checked.settings, without=(payload,)),
    )


def test_hostile_texts_are_texts(failing):
    harmless = Reader(page(hostile(failing, "no formula")).html())
    for payload in PAYLOADS:
        shown = page(hostile(failing, payload))
        shown = replace(
            shown, sections=[part for part in shown.sections if part.kind != "pictures"]
        )
        reader = Reader(shown.html())
        assert {tag for tag, _ in reader.elements} <= {tag for tag, _ in harmless.elements} | {
            "math",
            "mi",
            "mo",
            "mrow",
        }
        assert all(
            words.isprintable() or not words.strip()
            for words in reader.text
            if "--ink" not in words and "use strict" not in words
        )
        assert "".join(reader.text).count(printable(payload)) > 8


def test_in_a_browser(failing, honest, tmp_path):
    browser = Browser(tmp_path)
    pages = [tmp_path / "failing.html", tmp_path / "honest.html"]
    for path, found in zip(
        pages, (failing, replace(honest, against="-(1-p)**g*log(p)")), strict=True
    ):
        path.write_text(page(found).html(), encoding="utf-8")
        assert browser.document(path)[1] == []
    assert browser.requests(pages[0]) == set()
    assert (
        browser.widths([(path, width) for path in pages for width in (360, 800, 1440)])
        == [360, 800, 1440] * 2
    )
    sheets, console = browser.printed(pages[0])
    assert 2 <= sheets <= 6
    assert console == []
    for path in pages:
        path.write_text(on_paper(path.read_text(encoding="utf-8")), encoding="utf-8")
    assert browser.widths([(path, PAPER) for path in pages]) == [PAPER] * 2
