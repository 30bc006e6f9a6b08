"""The verdict of a training: what agrees, what is wrong, or why something could not be judged."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from verifier.checking.labels import with_noun, words_text
from verifier.judging.examination import NotReplayed
from verifier.judging.outcome import worst
from verifier.judging.verdict import Comparison, Note, Outcome
from verifier.reporting.content.blocks import Verdict
from verifier.reporting.content.both_numbers import sentence_of
from verifier.training.exact_replay import FormulaReplayed
from verifier.training.findings import Component, Findings, NotFinite
from verifier.training.runner import Step


def outcome_of(findings: Findings) -> Outcome:
    """The worst outcome of all components; a formula that does not replay disagrees."""
    if wrong_formulas(findings):
        return Outcome.DISAGREES
    return worst(component.outcome for component in findings.components)


def wrong_formulas(findings: Findings) -> list[str]:
    """The components whose formula is wrong in exact arithmetic."""
    formula = findings.formula
    parted = formula.parted if isinstance(formula, FormulaReplayed) else ()
    return list(dict.fromkeys(part.component for part in parted))


def judged_at(step: Step) -> dict[str, Comparison]:
    """What was judged at a step: the loss, and the gradient by each parameter."""
    return {"loss": step.loss, **step.gradient}


def fails(step: Step) -> bool:
    """Whether anything disagrees at a step."""
    return any(judged.outcome is Outcome.DISAGREES for judged in judged_at(step).values())


def verdict(findings: Findings) -> Verdict:
    """The outcome, and a sentence that says of what."""
    outcome = outcome_of(findings)
    is_part = findings.interrupted or findings.ended
    word = f"{outcome.value.upper()}{' SO FAR' if is_part else ''}"
    if outcome is Outcome.DISAGREES:
        return Verdict(word, _disagreeing(findings), outcome)
    if findings.not_finite and _is_divergence(findings, findings.not_finite):
        return Verdict(word, _diverged(findings, findings.not_finite), outcome)
    sentence = _agreeing if outcome is Outcome.AGREES else _undecided
    ended = f" It could not go on: {findings.ended}." if findings.ended else ""
    return Verdict(word, f"{sentence(findings)}{ended}", outcome)


def _agreeing(findings: Findings) -> str:
    losses = findings.components[0].compared
    compared = sum(component.compared for component in findings.gradients)
    identical = sum(component.identical for component in findings.gradients)
    steps = _steps_text(findings)
    bits = "bit for bit" if identical == compared else f"{identical:,} of them bit for bit"
    return (
        f"Autograd and the symbolic gradient agree at {steps}: {compared:,} of {compared:,} "
        f"gradients, {losses:,} of {losses:,} losses, {bits}."
    )


def _disagreeing(findings: Findings) -> str:
    wrong = [one for one in findings.components if one.outcomes[Outcome.DISAGREES]]
    if not wrong:
        named = words_text(wrong_formulas(findings), most=3)
        return (
            f"The formula of {named} is wrong: it differs in exact arithmetic, where nothing is "
            "rounded."
        )
    first = next((step.number for step in findings.steps if fails(step)), 0)
    steps = f"at {max(one.failing_steps for one in wrong):,} of {_judged_text(findings)}"
    since = f", first at step {first:,}" if first and findings.done > 1 else ""
    names = [one.name for one in wrong if one.quantity != "value"]
    if len(names) < len(wrong):
        return f"Code and formula are different functions: the loss is wrong {steps}{since}."
    return f"The gradient by {words_text(names, most=3)} is wrong {steps}{since}."


def _steps_text(findings: Findings) -> str:
    if findings.judged < findings.done:
        return f"all {findings.judged:,} judged steps of {findings.done:,}"
    return f"all {findings.done:,} steps" if findings.done > 1 else "the only step"


def _judged_text(findings: Findings) -> str:
    """How many steps were judged, of a training that judges some of them."""
    if findings.judged < findings.done:
        return f"{with_noun(findings.judged, 'judged step')}"
    return with_noun(findings.done, "step")


def where_wrong(findings: Findings, component: Component) -> str:
    """At how many steps a component is wrong, and of an array in how many of its entries."""
    count, steps = component.failing_steps, _judged_text(findings)
    if count == findings.judged:
        at = f"at {'every step' if count > 1 else 'the only step'}"
        at += " that was judged" if findings.judged < findings.done else ""
    else:
        at = f"at {count:,} of {steps}"
    if component.compared == findings.judged:
        return at
    wrong = component.outcomes[Outcome.DISAGREES]
    return f"{at}, in {wrong:,} of {component.compared:,} entries"


def _is_divergence(findings: Findings, first: NotFinite) -> bool:
    """Whether a training that was finite left the numbers of its dtype; else the formula itself has
    no value there.
    """
    at = next((step for step in findings.steps if step.number == first.step), None)
    notes = {judged.note for judged in judged_at(at).values()} if at else set()
    return first.step > 1 and Note.NO_EXACT_VALUE not in notes


def _diverged(findings: Findings, first: NotFinite) -> str:
    """A training that left the numbers of its dtype; what could be judged before that."""
    before = [step for step in findings.steps if step.number < first.step]
    outcomes = {judged.outcome for step in before for judged in judged_at(step).values()}
    agrees = "agrees" if outcomes <= {Outcome.AGREES} else "that could be judged agrees"
    became = "NaN" if math.isnan(first.value) else "infinite"
    decided = all(one.decided for one in findings.components)
    code = ", and so does all that could be judged after it: exit code 0" if decided else ""
    return (
        f"The training diverged at step {first.step:,} ({first.what} became {became}). Every "
        f"gradient before it {agrees}{code}. Try a smaller --lr."
    )


def _undecided(findings: Findings) -> str:
    undecided = sum(one.outcomes[Outcome.UNDECIDED] for one in findings.components)
    compared = sum(one.compared for one in findings.components)
    reason = _commonest_reason(findings)
    why = f" ({reason})" if reason else ""
    blind = [_called(one) for one in findings.components if not one.decided]
    if blind:
        return f"Nothing could be decided about {words_text(blind, most=3)}{why}."
    return (
        f"{undecided:,} of {compared:,} numbers could not be decided{why}. Nothing disagrees, and "
        "of every quantity some numbers agree: exit code 0."
    )


def _called(component: Component) -> str:
    return "the loss" if component.quantity == "value" else component.name


def _commonest_reason(findings: Findings) -> str:
    """Why numbers are undecided, for most of those that were kept; once one of them is not finite,
    what follows says nothing.
    """
    last = findings.not_finite.step if findings.not_finite else findings.done
    notes = Counter(
        judged.note.value
        for step in findings.steps
        if step.number <= last
        for judged in judged_at(step).values()
        if judged.outcome is Outcome.UNDECIDED
    )
    return notes.most_common(1)[0][0] if notes else ""


def formula_sentences(findings: Findings) -> Iterator[str]:
    """How the code came out in exact arithmetic, where nothing is rounded, and what failed beside
    that.
    """
    yield from map(sentence_of, findings.notes)
    formula = findings.formula
    if isinstance(formula, NotReplayed):
        yield f"The formula was not replayed: {formula.reason}."
        return
    steps = with_noun(len(formula.steps), "step")
    if not formula.parted:
        yield f"The formula replays exactly, to {int(formula.digits)} digits, at {steps}."
    for name in wrong_formulas(findings):
        first = next(part for part in formula.parted if part.component == name)
        yield (
            f"In exact arithmetic the formula of {name} is wrong: at step {first.step} the code "
            f"and the symbolic gradient agree to {first.digits:.1f} digits only."
        )
