"""What explains a verdict may fail or take too long: the verdict stands, and a line says what
happened.
"""

import re
from dataclasses import replace
from functools import partial

import pytest
import torch

import verifier
from verifier.capture.code_at_point import Subject
from verifier.checking import failures as accounting
from verifier.checking.failures import explain_failures
from verifier.checking.tally import notes
from verifier.commands import check as checking
from verifier.judging import causes as blame
from verifier.judging.causes import RULES, find_causes
from verifier.judging.causes.rule import Rule
from verifier.judging.examine import examine
from verifier.judging.finding import CheckPoint, Finding
from verifier.process.deadline import Deadline
from verifier.testing.mutations import GRAPH, liar_named

X = torch.tensor([0.5, -1.5, 2.0], dtype=torch.float64)
WRONG = GRAPH.plant(torch.sin, liar_named("sign flipped").lie, 0)


def checked(code=WRONG, **given):
    return verifier.check(code, inputs={"x": X}, points=1, **given)


def broken(*_, **__):
    raise LookupError("planted\nin two lines")


# Errors.


def test_without_an_error_nothing_is_said():
    report = checked()
    assert report.checked.internal_errors == ()
    assert not any("the verdict stands" in note for note in report.checked.notes)
    assert report.to_json()["internal_errors"] == []


@pytest.mark.parametrize("place", [0, 6, len(RULES)])
def test_a_rule_that_raises_keeps_no_other_from_being_tried(monkeypatch, place):
    raising = Rule(("stale",), broken)
    monkeypatch.setattr(blame, "RULES", (*RULES[:place], raising, *RULES[place:]))
    report = checked()
    assert report.outcome == "disagrees"
    assert {cause.cause for cause in report.causes} == {"sign flipped"}
    told = [note for note in report.checked.notes if "the verdict stands" in note]
    # What flips the sign is found before the last place is reached.
    expected = "the search for causes failed: LookupError: planted; the verdict stands"
    assert told == ([expected] if place < 7 else [])
    assert len(report.checked.internal_errors) == len(told)
    for text in report.checked.internal_errors:
        assert text.startswith("Traceback (most recent call last):\n")
        assert text.endswith("LookupError: planted\nin two lines")
        assert "in broken" in text
    assert report.to_json()["internal_errors"] == list(report.checked.internal_errors)


def test_a_rule_that_raised_is_not_ruled_out(monkeypatch):
    factor = GRAPH.plant(torch.sin, lambda right: right.gradient + 0.1 * right.gradient.sin(), 0)
    name = "wrong branch"
    assert name in checked(factor).checked.ruled_out
    rules = [replace(rule, explain=broken) if name in rule.names else rule for rule in RULES]
    monkeypatch.setattr(blame, "RULES", tuple(rules))
    found = checked(factor).checked.ruled_out
    assert name not in found
    assert "sign flipped" in found


PARTS = {
    "the search for causes": (accounting, "_most_frequent_causes"),
    "the search for a simpler point": (accounting, "find_simplest"),
    "collecting the notes": (notes, "_on_literals"),
    "making the command that shows it again": (checking, "replay_command_at"),
}


@pytest.mark.parametrize("what", PARTS)
def test_no_part_of_the_explanation_costs_the_verdict(monkeypatch, what):
    module, name = PARTS[what]
    monkeypatch.setattr(module, name, broken)
    report = checked()
    assert report.outcome == "disagrees"
    line = f"{what} failed: LookupError: planted; the verdict stands"
    assert line in report.checked.notes
    assert len(report.checked.internal_errors) == 1
    assert bool(report.causes) == (what != "the search for causes")
    assert bool(report.checked.simplest) == (what != "the search for a simpler point")
    assert f"note  {line}" in " ".join(str(report).split()).replace("note ", "note  ")


def test_an_interruption_is_no_error_of_ours(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(accounting, "find_simplest", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checked()


# Time.


class After(Deadline):
    """Passes when it has been asked so often."""

    asked = 0
    often = 0

    def passed(self):
        type(self).asked += 1
        return self.asked > self.often


def after(often):
    return type("After", (After,), {"often": often})(None)


def test_the_search_for_causes_ends_with_the_deadline():
    examination = examine(Subject(WRONG, {"x": X}))
    finding = Finding("reverse", "float64", CheckPoint(1, "given", "float64", {"x": X}),
                      examination.parts, examination=examination)  # fmt: skip
    whole = find_causes(finding)
    assert (whole.ended_early, [cause.cause for cause in whole.causes]) == (False, ["sign flipped"])
    none = find_causes(finding, deadline=Deadline(0.0))
    assert (none.ended_early, none.causes, none.ruled_out) == (True, (), ())
    some = find_causes(finding, deadline=after(3))
    assert (some.ended_early, some.causes) == (True, ())
    assert set(some.ruled_out) < set(whole.ruled_out)


def test_what_was_found_before_the_end_is_kept():
    def code(x, y):
        return torch.sin(x) * y

    wrong = GRAPH.plant(code, lambda right: -right.gradient, 0)
    wrong = GRAPH.plant(wrong, lambda right: right.gradient * 1.25 + 0.1 * right.gradient**2, 1)
    inputs = {"x": X, "y": X + 3.0}
    examination = examine(Subject(wrong, inputs))
    finding = Finding("reverse", "float64", None, examination.parts, examination=examination)
    often = next(
        often for often in range(10, 200) if find_causes(finding, deadline=after(often)).causes
    )
    ended = find_causes(finding, deadline=after(often))
    assert (ended.ended_early, [cause.component for cause in ended.causes]) == (True, ["x"])


def test_the_deadline_is_asked_inside_a_rule():
    """A table of 40 by 40 has hundreds of terms: not only between rules is it asked."""
    x = torch.linspace(-1.0, 1.0, 40, dtype=torch.float64)
    wrong = GRAPH.plant(lambda x: (x * x.exp()).cumsum(0).sin(),
                        lambda right: right.gradient + 0.1 * right.gradient.sin(), 0)  # fmt: skip
    examination = examine(Subject(wrong, {"x": x}))
    finding = Finding("reverse", "float64", None, examination.parts, examination=examination)
    never = after(10**9)
    found = find_causes(finding, deadline=never)
    assert not found.ended_early
    assert never.asked > 2 * (len(RULES) + 3)
    for often in (never.asked - 1, never.asked // 2):
        assert find_causes(finding, deadline=after(often)).ended_early


def test_notes_say_what_ended_early(monkeypatch):
    report = checked()
    assert not any("ended after" in note for note in report.checked.notes)
    monkeypatch.setattr(checking, "explain_failures", partial(late, 0.0))
    report = checked()
    assert report.outcome == "disagrees"
    assert (report.causes, report.checked.simplest) == ((), None)
    told = [re.sub(r"after [0-9.e-]+ s", "after N s", note) for note in report.checked.notes]
    assert told == [
        "the search for causes ended after N s, before all had been tried",
        "the search for a simpler point ended after N s",
    ]


def late(seconds, found, samplings, _):
    return explain_failures(found, samplings, Deadline(seconds))


def test_seconds_are_told_in_round_numbers(monkeypatch):
    passed = Deadline(1.0, start=0.0)
    for now, told in ((12.4, "12 s"), (1234.5, "1,234 s"), (0.0312, "0.03 s"), (1.0, "1 s")):
        monkeypatch.setattr("time.monotonic", lambda now=now: now)
        assert accounting._seconds_text(passed) == told


def test_the_budget_is_what_judging_took_and_five_seconds_at_least(monkeypatch):
    given = []
    explained = lambda found, samplings, deadline: given.append(deadline) or found  # noqa: E731
    monkeypatch.setattr(checking, "explain_failures", explained)
    checked()
    assert given[0].seconds == checking.LEAST_FOR_CAUSES == 5.0
    clock = iter(range(0, 10**6, 100))
    monkeypatch.setattr(checking.time, "monotonic", lambda: float(next(clock)))
    checked()
    assert given[1].seconds > 5.0


def test_shrinking_ends_with_the_deadline():
    asked = []

    def fails(inputs):
        asked.append(inputs)
        return True

    domain = {"x": verifier.checking.edge_cases.domain.Domain(-5.0, 5.0)}
    found = verifier.checking.shrink.search.find_simplest(
        {"x": X}, fails, domain, 50, Deadline(0.0)
    )
    assert (len(asked), found["x"].tolist()) == (1, X.tolist())
    found = verifier.checking.shrink.search.find_simplest({"x": X}, fails, domain, 50)
    assert found["x"].tolist() == [0.0]


def test_deadlines(monkeypatch):
    now = [10.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    deadline, never = Deadline(4.0), Deadline.NEVER
    now[0] = 13.0
    assert (deadline.left(), deadline.since(), deadline.passed()) == (1.0, 3.0, False)
    half = deadline.after(0.5)
    assert (half.seconds, half.left()) == (0.5, 0.5)
    now[0] = 14.0
    assert (deadline.left(), deadline.passed(), half.passed()) == (0.0, True, True)
    assert deadline.after(0.5).seconds == 0.0
    assert (never.left(), never.passed(), never.after(0.5).seconds) == (float("inf"), False, None)
