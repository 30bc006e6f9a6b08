"""What a person sees of a training: its steps, its parameters and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from verifier.judging.examination import NotReplayed
from verifier.judging.outcome import worst
from verifier.judging.verdict import Comparison, Outcome
from verifier.operations.number_text import number, plain, short
from verifier.reporting.content import comparisons
from verifier.reporting.content.blocks import (
    NOTHING_DISAGREES,
    STYLES,
    Blank,
    Block,
    Entry,
    Heading,
    Sentence,
    Table,
    Verdict,
    sentences_of,
)
from verifier.reporting.content.components import CAPTION, short_fields
from verifier.reporting.content.fields import Field, table_of, words
from verifier.training.exact_replay import FormulaReplayed
from verifier.training.findings import Component, Findings
from verifier.training.runner import HeldOut, Prediction, Step

Advice = Callable[[int], str]
"""The command to try next at a step that fails, by its number."""

EPOCH_STEPS = 6
"""Of a long epoch at most so many steps are shown unless asked for."""
_BELOW = 14
"""How far to the right it stands what is said of a number."""


@dataclass(frozen=True)
class View:
    """Which steps are shown: the first and the last epoch and every failing step, unless told
    otherwise.
    """

    every: int | None = None
    """Show every so many epochs, in full."""
    only_failing: bool = False

    def chosen(self, findings: Findings) -> list[Step]:
        shown = self._asked_for(findings)
        return [step for step in findings.steps if step.number in shown or _fails(step)]

    def _asked_for(self, findings: Findings) -> set[int]:
        if self.only_failing:
            return set()
        if self.every is not None:
            return {step.number for step in findings.steps if step.epoch % self.every == 0}
        ends = {findings.steps[0].epoch, findings.steps[-1].epoch}
        return {
            number
            for epoch in ends
            for number in _thinned([s.number for s in findings.steps if s.epoch == epoch])
        }


DEFAULT_VIEW = View()


def _thinned(numbers: Sequence[int]) -> Sequence[int]:
    return numbers if len(numbers) <= EPOCH_STEPS else [*numbers[: EPOCH_STEPS - 1], numbers[-1]]


def _fails(step: Step) -> bool:
    return any(
        judged.outcome is Outcome.DISAGREES for judged in (step.loss, *step.gradient.values())
    )


def training_content(findings: Findings, view: View, advice: Advice) -> Iterator[Block]:
    """The steps, the parameters, drift and predictions, and the verdict."""
    shown = view.chosen(findings)
    if shown:
        steps = [*_steps(findings, shown, advice)]
        yield Table("Steps", comparisons.CAPTION, comparisons.SHORT_COLUMNS, steps)
    else:
        yield from _left_out(findings, 0, findings.done + 1)
    yield Blank()
    yield parameter_table(findings.components)
    yield from _ending(findings)


def _steps(findings: Findings, shown: Sequence[Step], advice: Advice) -> Iterator[Entry]:
    before = 0
    for step in shown:
        yield from _left_out(findings, before, step.number)
        yield from _step(findings, step, advice)
        before = step.number
    yield from _left_out(findings, before, findings.done + 1)


def _left_out(findings: Findings, before: int, after: int) -> Iterator[Sentence]:
    """How many steps between two shown ones are not, and what they came to; none of them fails."""
    missing = after - before - 1
    if not missing:
        return
    compared = missing * (len(findings.components) - 1)
    undecided = sum(component.outcomes[Outcome.UNDECIDED] for component in findings.gradients)
    failing = sum(component.outcomes[Outcome.DISAGREES] for component in findings.components)
    if not undecided and not failing:
        told = f", all {compared} comparisons agree" if compared > 1 else ""
    elif findings.done <= len(findings.steps):
        told = ", none of them disagrees"
    else:
        told = ", the counts below are of all steps"
    steps = "1 step" if missing == 1 else f"{missing} steps"
    yield Sentence(f"⋯ {steps} not shown{told}   (--every 1, --only-failing)", "dim")


def _step(findings: Findings, step: Step, advice: Advice) -> Iterator[Entry]:
    inputs = [f"{name}={plain(value)}" for name, value in step.inputs.items()]
    at = [f"step {step.number}", f"epoch {step.epoch}", *inputs]
    yield Heading(at, f"loss {number(step.loss.stated)}")
    for name, judged in _shown(step).items():
        yield comparisons.short_row(name, judged)
        opinion = findings.finite_differences.get(step.number, {})
        if name in opinion:
            yield Sentence(f"finite differences  {number(opinion[name])}", "dim", _BELOW)
        if judged.outcome is Outcome.DISAGREES:
            yield from _reasons(findings, step, name, advice(step.number))
        elif judged.note:
            yield Sentence(judged.note, comparisons.note_style(judged.note), _BELOW)
    if step.number % findings.steps_an_epoch == 0:
        yield Sentence(f"epoch {step.epoch}   cost {number(step.loss.stated)}")


def _shown(step: Step) -> dict[str, Comparison]:
    """The gradient by name; before it the loss, unless that agrees."""
    loss = {} if step.loss.outcome is Outcome.AGREES else {"loss": step.loss}
    return {**loss, **step.gradient}


def _reasons(findings: Findings, step: Step, name: str, command: str) -> Iterator[Sentence]:
    sentences = [
        cause.sentence
        for cause in findings.causes
        if (cause.step, cause.component) == (step.number, name)
    ]
    if name == "loss" and not sentences:
        sentences = ["code and formula are different functions"]
    likely = f"likely {', or '.join(sentences)}" if sentences else "no cause found"
    together = f"{likely}     try  {command}"
    is_short = _BELOW + len(together) < 80
    for sentence in (together,) if is_short else (likely, f"try  {command}"):
        yield Sentence(sentence, indent=_BELOW)


def parameter_table(components: Sequence[Component]) -> Table:
    """A row for the loss and each parameter, for a terminal of 80 columns."""
    name: Field[Component] = words("parameter", lambda one: one.name)
    return table_of("Loss and parameters", CAPTION, (name, *short_fields("step")), components)


def _ending(findings: Findings) -> Iterator[Block]:
    yield from map(Sentence, _closing(findings))
    if findings.not_finite:
        first = findings.not_finite
        yield Sentence(
            f"not finite from step {first.step} on: {first.what} is {first.value}", "yellow"
        )
    of = f"{findings.done} of {findings.planned} steps"
    if findings.interrupted:
        yield Sentence(f"PARTIAL  interrupted after {of}", "yellow")
    elif findings.done < findings.planned:
        yield Sentence(f"stopped at the failure, after {of}")
    yield from _verdict(findings)


def _closing(findings: Findings) -> Iterator[str]:
    """How far the trainings are apart, and what they predict."""
    yield _drift(findings)
    for prediction in findings.predictions:
        point = " ".join(f"{name}={plain(value)}" for name, value in prediction.inputs.items())
        yield f"prediction {point}: {_both_ways(prediction)}"
    if findings.held_out:
        rows = f"{findings.held_out.rows} row{'s' * (findings.held_out.rows != 1)}"
        yield f"held out {rows}: loss {_both_ways(findings.held_out)}"


def endings(findings: Findings) -> list[str]:
    """What stands below the tables, a sentence each."""
    return [*sentences_of(_ending(findings))]


def _both_ways(stated: Prediction | HeldOut) -> str:
    if stated.same:
        return f"{number(stated.autograd)} both ways"
    return (
        f"{number(stated.autograd)} by autograd, {number(stated.symbolic)} by the symbolic gradient"
    )


def _drift(findings: Findings) -> str:
    largest = {name: drift.largest for name, drift in findings.drift.items()}
    if not any(largest.values()):
        return "drift 0 in all parameters"
    told = ", ".join(
        f"{name} {short(findings.drift[name].last)} (largest {short(value)})"
        for name, value in largest.items()
    )
    return f"drift between the trainings at the last step: {told}"


def outcome_of(findings: Findings) -> Outcome:
    """The worst outcome of all components; a formula that does not replay disagrees."""
    if isinstance(findings.formula, FormulaReplayed) and findings.formula.parted:
        return Outcome.DISAGREES
    return worst(component.outcome for component in findings.components)


def formula_sentences(findings: Findings) -> Iterator[str]:
    """How the code's graph came out in exact arithmetic: which formulas are other ones, or why
    there was no replay; and what failed beside that.
    """
    yield from (f"{note}." for note in findings.notes)
    formula = findings.formula
    if isinstance(formula, NotReplayed):
        yield f"the formula was not replayed: {formula.reason}."
        return
    steps = "1 step" if len(formula.steps) == 1 else f"{len(formula.steps)} steps"
    if not formula.parted:
        yield f"the formula replays to {int(formula.digits)} digits, exactly, at {steps}."
    for name in dict.fromkeys(part.component for part in formula.parted):
        first = next(part for part in formula.parted if part.component == name)
        yield (
            f"wrong formula  {name}: replayed exactly at step {first.step}, "
            f"the code's and the symbolic one agree to {first.digits:.1f} digits only"
        )


def _verdict(findings: Findings) -> Iterator[Block]:
    outcome = outcome_of(findings)
    compared = sum(component.compared for component in findings.gradients)
    counted = sum(component.outcomes[outcome] for component in findings.gradients)
    losses = findings.components[0]
    identical = sum(component.identical for component in findings.gradients)
    yield Verdict(
        outcome.value.upper(),
        f"{counted} of {compared} gradients, "
        f"{losses.outcomes[outcome]} of {losses.compared} losses.",
        outcome,
    )
    wrong = isinstance(findings.formula, FormulaReplayed) and bool(findings.formula.parted)
    for sentence in formula_sentences(findings):
        yield Sentence(sentence, STYLES[Outcome.DISAGREES] if wrong else "")
    if outcome is Outcome.UNDECIDED and all(component.decided for component in findings.components):
        yield Sentence(NOTHING_DISAGREES)
    yield Sentence(
        f"autograd and symbolic gradients are bit-identical in {identical} of {compared}."
    )
