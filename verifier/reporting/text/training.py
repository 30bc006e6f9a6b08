"""Tables: what a person sees of a training's findings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from verifier.judging.examination import NotReplayed
from verifier.judging.verdict import Note, Outcome
from verifier.operations.number_text import number, plain, short
from verifier.reporting.text.layout import UNBROKEN, Column, Layout, Stacked
from verifier.training.exact_replay import FormulaReplayed
from verifier.training.findings import Component, Findings
from verifier.training.runner import HeldOut, Prediction, Step

Advice = Callable[[int], str]
"""The command to try next at a step that fails, by its number."""

EPOCH_STEPS = 6
"""Of a long epoch at most so many steps are shown unless asked for."""


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


def training_lines(
    findings: Findings, view: View, layout: Layout, advice: Advice
) -> Iterator[Text]:
    """The steps, the parameters, drift and predictions, and the verdict."""
    shown = view.chosen(findings)
    if shown:
        yield from layout.header()
    before = 0
    for step in shown:
        yield from _left_out(findings, before, step.number, layout)
        yield from _step(findings, step, layout, advice)
        before = step.number
    yield from _left_out(findings, before, findings.done + 1, layout)
    yield Text()
    yield from _parameters(findings, layout)
    yield from _ending(findings, layout)


def _left_out(findings: Findings, before: int, after: int, layout: Layout) -> Iterator[Text]:
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
    yield from layout.prose(f"⋯ {steps} not shown{told}   (--every 1, --only-failing)", style="dim")


def _step(findings: Findings, step: Step, layout: Layout, advice: Advice) -> Iterator[Text]:
    inputs = [f"{name}={plain(value)}" for name, value in step.inputs.items()]
    yield from layout.heading(
        [f"step {step.number}", f"epoch {step.epoch}", *inputs], f"loss {number(step.loss.stated)}"
    )
    judged = {
        **({} if step.loss.outcome is Outcome.AGREES else {"loss": step.loss}),
        **step.gradient,
    }
    for name, comparison in judged.items():
        yield from layout.comparison(name, comparison)
        opinion = findings.finite_differences.get(step.number, {})
        if name in opinion:
            yield from layout.field("finite differences", opinion[name])
        if comparison.outcome is Outcome.DISAGREES:
            yield from _reasons(findings, step, name, layout, advice)
        elif comparison.note:
            yield from layout.prose(
                f"{'':14}{comparison.note}",
                style="yellow" if comparison.note is not Note.KINK else "dim",
            )
    if step.number % findings.steps_an_epoch == 0:
        yield from layout.prose(f"epoch {step.epoch}   cost {number(step.loss.stated)}")


def _reasons(
    findings: Findings, step: Step, name: str, layout: Layout, advice: Advice
) -> Iterator[Text]:
    sentences = [
        cause.sentence
        for cause in findings.causes
        if (cause.step, cause.component) == (step.number, name)
    ]
    if name == "loss" and not sentences:
        sentences = ["code and formula are different functions"]
    likely = f"likely {', or '.join(sentences)}" if sentences else "no cause found"
    command = advice(step.number)
    together = f"{'':14}{likely}     try  {command}"
    if len(together) < 80:
        yield from layout.prose(together)
    else:
        yield from layout.prose(f"{'':14}{likely}")
        yield from layout.prose(f"{'':14}try  {command}")


_COLUMNS = (
    Column("parameter", "", ("parameter",)),
    Column("compared", "", ("compared",)),
    Column("agrees", "", ("agrees",)),
    Column("other", "", ("other",)),
    Column("digits", "least", ("digits, least",)),
    Column("error/allowed", "worst at step", ("error/allowed", "at step")),
    Column("detection limit", "median    worst", ("limit, median", "limit, worst")),
)


def _parameters(findings: Findings, layout: Layout) -> Iterator[Text]:
    yield from layout.summary(
        _COLUMNS, [_parameter(component) for component in findings.components]
    )


def _parameter(component: Component) -> list[tuple[str, ...]]:
    agrees = component.outcomes[Outcome.AGREES]
    return [
        (component.name,),
        (str(component.compared),),
        (str(agrees),),
        (str(component.compared - agrees) if component.compared > agrees else "–",),
        ("–" if math.isnan(component.least_digits) else f"{component.least_digits:.1f}",),
        (ratio(component), f"{component.worst_step:>6}"),
        (_limit(component.limit_median), _limit(component.limit_max)),
    ]


def ratio(component: Component) -> str:
    """The worst error as a fraction of its allowance."""
    worst = component.worst
    value = (
        worst.error / worst.allowed if worst.allowed else (0.0 if worst.error == 0 else math.inf)
    )
    return "–" if math.isnan(value) else f"{value:.2g}"


def _limit(limit: float) -> str:
    return "      –" if math.isnan(limit) else f"{limit:.1e}"


def _ending(findings: Findings, layout: Layout) -> Iterator[Text]:
    yield from layout.prose(_drift(findings))
    for prediction in findings.predictions:
        point = " ".join(f"{name}={plain(value)}" for name, value in prediction.inputs.items())
        yield from layout.prose(f"prediction {point}: {_both_ways(prediction)}")
    if findings.held_out:
        rows = f"{findings.held_out.rows} row{'s' * (findings.held_out.rows != 1)}"
        yield from layout.prose(f"held out {rows}: loss {_both_ways(findings.held_out)}")
    if findings.not_finite:
        first = findings.not_finite
        yield from layout.prose(
            f"not finite from step {first.step} on: {first.what} is {first.value}", style="yellow"
        )
    if findings.interrupted:
        yield from layout.prose(
            f"PARTIAL  interrupted after {findings.done} of {findings.planned} steps",
            style="yellow",
        )
    elif findings.done < findings.planned:
        yield from layout.prose(
            f"stopped at the failure, after {findings.done} of {findings.planned} steps"
        )
    yield from _verdict(findings, layout)


def endings(findings: Findings) -> list[str]:
    """What stands below the tables, a sentence each."""
    return [line.plain for line in _ending(findings, Stacked(UNBROKEN))]


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
    return max(
        (component.outcome for component in findings.components),
        key=lambda outcome: outcome.severity,
    )


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


def _formula(findings: Findings, layout: Layout) -> Iterator[Text]:
    wrong = isinstance(findings.formula, FormulaReplayed) and bool(findings.formula.parted)
    for sentence in formula_sentences(findings):
        yield from layout.prose(sentence, style="bold red" if wrong else "")


def _verdict(findings: Findings, layout: Layout) -> Iterator[Text]:
    outcome = outcome_of(findings)
    compared = sum(component.compared for component in findings.gradients)
    counted = sum(component.outcomes[outcome] for component in findings.gradients)
    losses = findings.components[0]
    identical = sum(component.identical for component in findings.gradients)
    style = {
        Outcome.AGREES: "bold green",
        Outcome.UNDECIDED: "bold yellow",
        Outcome.DISAGREES: "bold red",
    }[outcome]
    yield from layout.prose(
        f"{outcome.value.upper()}  {counted} of {compared} gradients, "
        f"{losses.outcomes[outcome]} of {losses.compared} losses.",
        style=style,
    )
    yield from _formula(findings, layout)
    if outcome is Outcome.UNDECIDED and all(component.decided for component in findings.components):
        yield from layout.prose(
            "nothing disagrees, and every component has decided comparisons: exit code 0."
        )
    yield from layout.prose(
        f"autograd and symbolic gradients are bit-identical in {identical} of {compared}."
    )
