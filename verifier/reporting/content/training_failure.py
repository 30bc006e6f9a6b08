"""The first failure of a training in full: both numbers, the likely cause, and the next step."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from verifier.checking.labels import words_text
from verifier.judging.causes.scalar_gradients import Cause
from verifier.judging.verdict import Comparison, Note, Outcome
from verifier.operations.number_text import number, plain
from verifier.reporting.content.blocks import STYLES, Blank, Block, Labelled, Sentence
from verifier.reporting.content.both_numbers import distance_text, line, sentence_of, signed_number
from verifier.reporting.content.detail import Detail
from verifier.reporting.content.training_verdict import fails, judged_at, where_wrong
from verifier.training.findings import Findings
from verifier.training.runner import Step

Advice = Callable[[int], str]
"""The command to try next at a step that fails, by its number."""


def first_failure(findings: Findings, advice: Advice, detail: Detail) -> Iterator[Block]:
    """The first number that disagrees; nothing where none does."""
    step = next((step for step in findings.steps if fails(step)), None)
    if step is None:
        return
    wrong = [
        name for name, judged in judged_at(step).items() if judged.outcome is Outcome.DISAGREES
    ]
    judged = judged_at(step)[wrong[0]]
    yield Sentence(_headline(findings, step, wrong[0]), STYLES[Outcome.DISAGREES])
    yield from _both(findings, judged)
    yield from _why(findings, step, wrong[0], detail)
    if len(wrong) > 1:
        yield line("also", f"wrong at the same step: {words_text(wrong[1:])}")
    yield line("where", _where(findings, wrong[0]))
    yield line("try", advice(step.number))
    yield Blank()


def _headline(findings: Findings, step: Step, name: str) -> str:
    what = "The loss" if name == "loss" else f"The gradient by {step.label(name)}"
    inputs = [f"{key}={plain(value)}" for key, value in step.inputs.items()]
    at = ", ".join([f"at step {step.number}", f"epoch {step.epoch}", *inputs])
    return f"{what} {at}   ({findings.settings.dtype})"


def _both(findings: Findings, judged: Comparison) -> Iterator[Labelled]:
    stated, exact = signed_number(judged)
    yield line("autograd", stated)
    yield line("symbolic", number(judged.symbolic))
    yield line("exact", f"{exact}   {distance_text(judged, findings.settings.dtype)}".rstrip())
    if judged.note is not Note.NONE:
        yield line("note", judged.note.value)


def _why(findings: Findings, step: Step, name: str, detail: Detail) -> Iterator[Labelled]:
    names = judged_at(step)
    for place, cause in enumerate(_causes(findings, step, name)):
        has_evidence = detail is Detail.VERBOSE and cause.evidence
        evidence = f" ({cause.evidence})" if has_evidence else ""
        yield line("or" if place else "likely", f"{sentence_of(cause.sentence, names)}{evidence}")
    if not _causes(findings, step, name):
        is_loss = name == "loss"
        yield line("likely", OTHER_FUNCTION) if is_loss else line("cause", "None was found.")


OTHER_FUNCTION = "Code and formula are different functions."


def _causes(findings: Findings, step: Step, name: str) -> list[Cause]:
    return [
        cause for cause in findings.causes if (cause.step, cause.component) == (step.number, name)
    ]


def likely_causes(findings: Findings, step: Step, name: str) -> str:
    """The causes of what disagrees at a step, in one line."""
    sentences = [cause.sentence for cause in _causes(findings, step, name)]
    if name == "loss" and not sentences:
        sentences = ["code and formula are different functions"]
    return f"likely {', or '.join(sentences)}" if sentences else "no cause found"


def _where(findings: Findings, name: str) -> str:
    return where_wrong(findings, next(one for one in findings.components if one.name == name))
