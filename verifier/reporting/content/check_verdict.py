"""The verdict of a check: what is right, what is wrong, or why nothing could be said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain

from verifier.capture.code_at_point import FORWARD, REVERSE, SECOND
from verifier.checking.labels import component_title, target_name, with_noun, words_text
from verifier.checking.tally.components import CheckComponent
from verifier.checking.tally.count import Tally
from verifier.judging.verdict import Note, Outcome
from verifier.reporting.content.blocks import Verdict
from verifier.reporting.content.check_tables import check_named
from verifier.reporting.content.failure_groups import (
    BOTH,
    Failure,
    failing_checks,
    failures_of,
    sentences_apart,
)


def verdict(tally: Tally) -> Verdict:
    """The outcome of the check that is counted in `tally`, and a sentence that says of what."""
    so_far = " SO FAR" if tally.checked.not_reached or tally.checked.interrupted else ""
    return Verdict(f"{tally.outcome.value.upper()}{so_far}", _sentence(tally), tally.outcome)


def _sentence(tally: Tally) -> str:
    if tally.outcome is Outcome.AGREES:
        return _agreeing(tally)
    return _undecided(tally) if tally.outcome is Outcome.UNDECIDED else _disagreeing(tally)


def _agreeing(tally: Tally) -> str:
    gradients = dict.fromkeys(one.name for one in tally.components if one.quantity == REVERSE)
    name, by = target_name(tally.checked.target), words_text(list(gradients), most=3)
    what = f"The gradient of {name} by {by} is right" if by else f"{name} is right"
    numbers = with_noun(tally.outcomes.total(), "number")
    verb = "agrees" if tally.outcomes.total() == 1 else "agree"
    return f"{what}: {numbers} {verb} in {words_text(tally.dtypes)}."


def _disagreeing(tally: Tally) -> str:
    failures = failures_of(tally)
    name = target_name(tally.checked.target)
    if failures:
        return wrong_sentence(tally, failures)
    apart = [sentence for one in failing_checks(tally) for sentence in sentences_apart(one)]
    if apart:
        more = with_noun(len(set(apart)) - 1, "more failure")
        beside = f" There {'is' if more.startswith('1 ') else 'are'} {more} apart from numbers."
        first = apart[0].removesuffix(".")
        return f"{name}: {first}.{beside if len(set(apart)) > 1 else ''}"
    short_of = with_noun(len(tally.too_few_digits), "component")
    have = "has" if len(tally.too_few_digits) == 1 else "have"
    return f"{short_of} of {name} {have} fewer than {tally.checked.settings.digits:g} digits."


def wrong_sentence(tally: Tally, failures: Sequence[Failure]) -> str:
    """What is wrong, after the first of the failures and those of its kind."""
    first, name = failures[0], target_name(tally.checked.target)
    if first.quantity == REVERSE:
        same = [one for one in failures if one.quantity == REVERSE and _how(one) == _how(first)]
        wrong = set(chain.from_iterable(one.names for one in same))
        names = list(dict.fromkeys(one.name for one in tally.components if one.name in wrong))
        return f"The gradient of {name} by {words_text(names, most=3)} is wrong{_how(first)}."
    if first.quantity == SECOND:
        seconds = (one.first.name for one in failures if one.quantity == SECOND)
        pairs = words_text([" then ".join(pair.split(" ")) for pair in seconds], most=3)
        return f"The second derivative of {name} by {pairs} is wrong."
    if first.first.name == BOTH:
        return f"Reverse mode and forward mode of {name} state different derivatives."
    if first.quantity == FORWARD:
        return f"The derivative of {name} in forward mode is wrong."
    if not tally.same_function:
        other = tally.checked.against
        whose = "the formula" if not other.startswith("reference ") else other.split(" ", 1)[1]
        return f"{name} and {whose} are different functions: their values differ."
    return f"The value of {name} is wrong{_how(first)}."


def _how(failure: Failure) -> str:
    """Under which circumstances it is wrong, where it is right else."""
    where = check_named(failure.place.finding.check).where if failure.place else ""
    return f" {where}" if where else ""


def _undecided(tally: Tally) -> str:
    total = tally.outcomes.total()
    if not total:
        return "Nothing was compared."
    if tally.empty_dtypes:
        return f"Nothing was compared in {words_text(tally.empty_dtypes)}."
    count = tally.outcomes[Outcome.UNDECIDED]
    reason = commonest_reason(tally.components)
    if tally.exit_code != 0:
        names = list(dict.fromkeys(
            component_title(one.name, one.quantity) for one in tally.undecided
        ))  # fmt: skip
        nothing = f"Nothing could be decided about {words_text(names, most=3)}"
        return f"{nothing}: {reason}." if names else f"{nothing}."
    return (
        f"{count:,} of {total:,} numbers could not be decided ({reason}). Nothing disagrees, and "
        "of every quantity some numbers agree: exit code 0."
    )


def commonest_reason(components: Sequence[CheckComponent]) -> str:
    """The commonest reason for which numbers of the components are undecided. Some must be."""
    counted: Counter[int] = Counter()
    for component in components:
        for one in component.statements:
            verdicts = one.part.verdicts
            undecided = verdicts.severity == Outcome.UNDECIDED.severity
            counted.update(verdicts.note[undecided].tolist())
    commonest, _ = counted.most_common(1)[0]
    return str(tuple(Note)[commonest].value)
