"""What a person sees of a training: the verdict, the first failure, steps and parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from verifier.checking.labels import with_noun
from verifier.judging.verdict import Comparison, Outcome
from verifier.operations.number_text import number, plain, short
from verifier.reporting.content import comparisons
from verifier.reporting.content.blocks import (
    STYLES,
    Blank,
    Block,
    Entry,
    Heading,
    Sentence,
    Table,
    sentences_of,
)
from verifier.reporting.content.component_rows import CAPTION, short_fields
from verifier.reporting.content.detail import Detail
from verifier.reporting.content.fields import Field, table_of, words
from verifier.reporting.content.training_failure import Advice, first_failure, likely_causes
from verifier.reporting.content.training_verdict import (
    fails,
    formula_sentences,
    verdict,
    wrong_formulas,
)
from verifier.training.findings import Component, Findings
from verifier.training.runner import HeldOut, Prediction, Step

FAILING_STEPS = 3
"""So many failing steps are shown, unless more are asked for."""
EPOCH_STEPS = 6
"""Of a long epoch at most so many steps are shown unless asked for."""
_BELOW = 14
"""How far to the right it stands what is said of a number."""


@dataclass(frozen=True)
class View:
    """Which steps are shown: the first failing ones, or the first and the last epoch where none
    fails, unless others are asked for.
    """

    every: int | None = None
    """Show every so many epochs, in full."""
    only_failing: bool = False

    def chosen(self, findings: Findings, detail: Detail) -> list[Step]:
        """The steps to show. All that fail are among them where they, or all details, are asked
        for.
        """
        wrong = [step.number for step in findings.steps if fails(step)]
        if detail is Detail.VERBOSE or self.only_failing:
            shown = {*self._asked_for(findings), *wrong}
        elif wrong and self.every is None:
            shown = set(wrong[:FAILING_STEPS])
        else:
            shown = {*self._asked_for(findings), *wrong[:FAILING_STEPS]}
        return [step for step in findings.steps if step.number in shown]

    def _asked_for(self, findings: Findings) -> set[int]:
        if self.only_failing:
            return set()
        if self.every is not None:
            return {step.number for step in findings.steps if step.epoch % self.every == 0}
        ends = {findings.steps[0].epoch, _last_step_to_show(findings).epoch}
        return {
            number
            for epoch in ends
            for number in _thinned([s.number for s in findings.steps if s.epoch == epoch])
        }


DEFAULT_VIEW = View()


def _last_step_to_show(findings: Findings) -> Step:
    """The last step; where the training diverged, the one at which it did."""
    if findings.not_finite is None:
        return findings.steps[-1]
    diverged = findings.not_finite.step
    return next((step for step in findings.steps if step.number >= diverged), findings.steps[-1])


def _thinned(numbers: Sequence[int]) -> Sequence[int]:
    return numbers if len(numbers) <= EPOCH_STEPS else [*numbers[: EPOCH_STEPS - 1], numbers[-1]]


def training_content(
    findings: Findings, view: View, advice: Advice, detail: Detail
) -> Iterator[Block]:
    """The verdict, the first failure, the steps, the parameters, drift and predictions."""
    yield verdict(findings)
    if detail is Detail.QUIET:
        return
    yield Blank()
    yield from first_failure(findings, advice, detail)
    yield from _step_blocks(findings, view, advice, detail)
    yield Blank()
    yield parameter_table(findings.components)
    yield from _ending(findings)


def _step_blocks(findings: Findings, view: View, advice: Advice, detail: Detail) -> Iterator[Block]:
    shown = view.chosen(findings, detail)
    if shown:
        steps = [*_steps(findings, shown, advice)]
        yield Table("Steps", comparisons.CAPTION, comparisons.SHORT_COLUMNS, steps)
    else:
        yield from _left_out(findings, 0, findings.done + 1)


def _steps(findings: Findings, shown: Sequence[Step], advice: Advice) -> Iterator[Entry]:
    before = 0
    for step in shown:
        yield from _left_out(findings, before, step.number)
        yield from _step(findings, step, advice)
        before = step.number
    yield from _left_out(findings, before, findings.done + 1)


def _left_out(findings: Findings, before: int, after: int) -> Iterator[Sentence]:
    """How many steps between two shown ones are not, and what they came to."""
    missing = findings.judged_between(before, after)
    if not missing:
        return
    kept = [step for step in findings.steps if before < step.number < after]
    wrong = sum(map(fails, kept))
    compared = missing * sum(one.compared for one in findings.gradients) // findings.judged
    undecided = sum(component.outcomes[Outcome.UNDECIDED] for component in findings.gradients)
    failing = sum(component.outcomes[Outcome.DISAGREES] for component in findings.components)
    if wrong:
        text = f", {wrong:,} of them fail" if wrong > 1 else ", one of them fails"
    elif not undecided and not failing:
        text = f", all {compared:,} comparisons agree" if compared > 1 else ""
    elif findings.done <= len(findings.steps):
        text = ", none of them disagrees"
    else:
        text = ", the counts below are of all steps"
    is_part = findings.judged < findings.done
    steps = with_noun(missing, "judged step" if is_part else "step")
    yield Sentence(f"⋯ {steps} not shown{text}   (--every 1, --only-failing)", "dim")


def _step(findings: Findings, step: Step, advice: Advice) -> Iterator[Entry]:
    inputs = [f"{name}={plain(value)}" for name, value in step.inputs.items()]
    at = [f"step {step.number}", f"epoch {step.epoch}", *inputs]
    yield Heading(at, f"loss {number(step.loss.stated)}")
    for name, judged in _shown(step).items():
        yield comparisons.short_row(step.label(name), judged)
        opinion = findings.finite_differences.get(step.number, {})
        if name in opinion:
            yield Sentence(f"finite differences  {number(opinion[name])}", "dim", _BELOW)
        if judged.outcome is Outcome.DISAGREES:
            yield from _reasons(findings, step, name, advice(step.number))
        elif judged.note:
            yield Sentence(judged.note, comparisons.note_style(judged.note), _BELOW)
        elif comparisons.is_nearly_zero(judged):
            yield Sentence(comparisons.NEARLY_ZERO, "dim", _BELOW)
    if step.number % findings.steps_an_epoch == 0:
        yield Sentence(f"epoch {step.epoch}   cost {number(step.loss.stated)}")


def _shown(step: Step) -> dict[str, Comparison]:
    """The gradient by name; before it the loss, unless that agrees."""
    loss = {} if step.loss.outcome is Outcome.AGREES else {"loss": step.loss}
    return {**loss, **step.gradient}


def _reasons(findings: Findings, step: Step, name: str, command: str) -> Iterator[Sentence]:
    likely = likely_causes(findings, step, name)
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
    of = f"{findings.done} of {findings.planned} steps"
    if findings.interrupted:
        yield Sentence(f"PARTIAL  Interrupted after {of}.", "yellow")
    elif findings.ended:
        yield Sentence(f"PARTIAL  Ended after {of}: {findings.ended}.", "yellow")
    elif findings.done < findings.planned:
        yield Sentence(f"Stopped at the failure, after {of}.")
    if findings.not_finite:
        first = findings.not_finite
        sentence = f"Not finite from step {first.step} on: {first.what} is {first.value}."
        yield Sentence(sentence, "yellow")
    style = STYLES[Outcome.DISAGREES] if wrong_formulas(findings) else ""
    for sentence in formula_sentences(findings):
        yield Sentence(sentence, style)


def _closing(findings: Findings) -> Iterator[str]:
    """How far the trainings are apart, and what they predict."""
    yield f"{_drift(findings)}{_identical(findings)}"
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
    text = ", ".join(
        f"{name} {short(findings.drift[name].last)} (largest {short(value)})"
        for name, value in largest.items()
    )
    return f"drift between the trainings at the last step: {text}"


def _identical(findings: Findings) -> str:
    """How many gradients autograd and the symbolic side state alike, where it is not all."""
    compared = sum(component.compared for component in findings.gradients)
    identical = sum(component.identical for component in findings.gradients)
    return "" if identical == compared else f"; {identical:,} of {compared:,} gradients bit for bit"
