"""The page of a training: its findings as sections, long tables thinned and said to be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import sympy
from markupsafe import Markup

from verifier.checking.labels import with_noun
from verifier.errors import InputError
from verifier.formula.arrays.closed_form.notation import Notation
from verifier.formula.arrays.closed_form.text import TextNotation
from verifier.formula.arrays.start_values import start_text
from verifier.formula.model import Model
from verifier.formula.text.unparse import write_text
from verifier.judging.verdict import Comparison, Outcome
from verifier.operations.number_text import plain
from verifier.reporting.content import comparisons
from verifier.reporting.content.blocks import (
    STYLES,
    Block,
    Column,
    Labelled,
    Part,
    Row,
    Sentence,
    Table,
)
from verifier.reporting.content.component_rows import CAPTION, full_fields
from verifier.reporting.content.fields import Field, table_of, words
from verifier.reporting.content.training import endings
from verifier.reporting.content.training_verdict import outcome_of, verdict
from verifier.reporting.data.training_json import settings_document
from verifier.reporting.html.formula_mathml import mathml_as_written
from verifier.reporting.html.mathml import derivative, mathml
from verifier.reporting.html.matrix_mathml import MathmlNotation
from verifier.reporting.html.page import (
    FOLDED,
    Folded,
    Formula,
    Formulas,
    Page,
    Pictures,
    folded_if_long,
    folded_table,
    how_it_was_made,
)
from verifier.reporting.html.training_plots import pictures
from verifier.training.findings import Component, Findings
from verifier.training.reservoir import rank
from verifier.training.runner import Step

ROWS = 1_200
"""The table of steps has about so many rows at most."""
NOTEBOOK_ROWS = 60
FAILING_STEPS = 40
WORST = 8
"""So many numbers stand above the table of all steps."""
COMPONENTS = 1_000
OPEN_CAUSES = 1
"""Of what is wrong so much is not folded."""
CAUSES = 30
OPEN_FORMULAS = 5
OPEN_CHARACTERS = 600
"""Of a model with more or longer equations the gradient is folded."""
FORMULA_CHARACTERS = 200_000
MODEL_IN_CODE = "the data or the model was"


RightSide: TypeAlias = Callable[[], tuple[str, str]]
Side: TypeAlias = tuple[str, str, RightSide]
"""Of an equation the left side as MathML, its name in words, and what gives its right side."""
"""Gives the right side of an equation as MathML, and as text."""


def training_page(
    model: Model, findings: Findings, replay: str | None, advice: str, rows: int = ROWS
) -> Page:
    """The page; `replay` is the command that shows the training again, `advice` the one to try
    next.
    """
    return Page(
        title=f"verifier: {model.name}",
        outcome=outcome_of(findings),
        verdict=verdict(findings).sentence,
        sentences=[*_limits(findings), *endings(findings)],
        sections=[
            *(_causes(findings, advice) if findings.causes or _failing(findings) else []),
            *_formulas(model),
            Pictures("Pictures", pictures(model, findings)),
            folded_if_long(parameter_table(findings)),
            *_worst_steps(findings),
            folded_table(_step_table(findings, rows)),
            _how(model, findings, replay),
        ],
    )


def _failing(findings: Findings) -> list[Step]:
    return [
        step
        for step in findings.steps
        if any(part.outcome is Outcome.DISAGREES for _, part in _judged(step))
    ]


def _judged(step: Step) -> list[tuple[str, Comparison]]:
    return [("loss", step.loss), *step.gradient.items()]


def _limits(findings: Findings) -> Iterator[str]:
    """How small an error would have been found, and whether the run is whole."""
    if findings.interrupted:
        yield "The run was interrupted: this is what had been done by then."
    if findings.ended:
        yield f"The training could not go on: {findings.ended}."
    limits = [part for part in findings.gradients if not math.isnan(part.limit_max)]
    if limits:
        least = max(part.limit_median for part in limits)
        surely = max(part.limit_max for part in limits)
        yield (
            f"An error of {least:.1e} of a gradient would have been found in at least half of "
            "the comparisons of "
            f"each parameter, one of {surely:.1e} in all of them where the gradient is not 0."
        )


def _causes(findings: Findings, advice: str) -> Iterator[Part | Folded]:
    """The first numbers that disagree with their likely causes, and what to try next; then more."""
    found = [*_likely(findings), *_unexplained(findings)]
    first, more = found[:OPEN_CAUSES], found[OPEN_CAUSES:CAUSES]
    yield Part("What is wrong, and why", [*_together(first), Labelled("try", advice)])
    blocks = [*_together(more)]
    if len(found) > CAUSES:
        rest = f"The first {CAUSES} of {len(found)}; the others are in the report of --json."
        blocks.append(Sentence(rest))
    if more:
        yield Folded(Part("What else is wrong", blocks), with_noun(len(more), "more number"))


def _together(parts: Sequence[Sequence[Block]]) -> Iterator[Block]:
    return (block for part in parts for block in part)


def _likely(findings: Findings) -> Iterator[list[Block]]:
    for cause in findings.causes:
        where = f"{cause.component} at step {cause.step}"
        yield wrong_at(where, likely=cause.sentence, evidence=cause.evidence)


def _unexplained(findings: Findings) -> Iterator[list[Block]]:
    explained = {(cause.component, cause.step) for cause in findings.causes}
    for step in _failing(findings):
        for name, part in _judged(step):
            if part.outcome is Outcome.DISAGREES and (name, step.number) not in explained:
                other = "code and formula are different functions" if name == "loss" else ""
                numbers = f"stated {part.stated!r}, exact {part.exact}"
                cause = other or "no cause found"
                title = f"{step.label(name)} at step {step.number}"
                yield wrong_at(title, cause=cause, evidence=numbers)


def wrong_at(title: str, /, **said: str) -> list[Block]:
    """Where something is wrong, and what is `said` of it, each behind its label; `title` is the
    sentence above.
    """
    labelled = [Labelled(label, text) for label, text in said.items() if text]
    return [Sentence(title, STYLES[Outcome.DISAGREES]), *labelled]


def _formulas(model: Model) -> Iterator[Formulas | Folded]:
    """The equations; where they are many or long, the gradient is folded."""
    title = "Model, loss and gradient"
    try:
        stated_sides, derived = _sides(model) if model.is_scalar else _matrix_sides(model)
    except InputError as error:
        yield Formulas(title, [], f"The formulas are not written out: {error.sentence}.")
        return
    sides, given = [*stated_sides, *derived], len(stated_sides)
    written = _written(sides)
    if not (model.is_scalar or written.note):
        written = replace(written, note=" ".join(model.closed_form.legend))
    length = sum(len(formula.text) for formula in written.entries)
    if len(sides) <= OPEN_FORMULAS and length <= OPEN_CHARACTERS:
        yield Formulas(title, written.entries, written.note)
        return
    stated, gradient = written.entries[:given], written.entries[given:]
    yield Formulas("Model and loss", stated, "" if gradient else written.note)
    if gradient:
        more = f"{len(gradient)} equation{'s' * (len(gradient) > 1)}"
        yield Folded(Formulas("Gradient", gradient, written.note), more)


def _written(sides: Sequence[Side]) -> Formulas:
    """As many equations as there is room for, and how many are not written out."""
    entries: list[Formula] = []
    room = FORMULA_CHARACTERS
    for place, (left, name, expression) in enumerate(sides):
        entry = _formula(left, name, expression)
        if entry is None:
            return Formulas("", entries, f"{name} is too long to be written out.")
        room -= len(entry.right) + len(entry.text)
        if room < 0:
            more = f"{len(sides) - place} more equations are not written out."
            return Formulas("", entries, more)
        entries.append(entry)
    return Formulas("", entries)


def _matrix_sides(model: Model) -> tuple[list[Side], list[Side]]:
    """The same for a model of arrays, in the algebra of matrices; shared parts have equations of
    their own.

    Raises InputError where there is no closed form.
    """
    form = model.closed_form
    notations: tuple[Notation, Notation] = MathmlNotation(form.rows), TextNotation(form.rows)
    sides: list[Side] = []
    for line in form.lines:
        (left, right), (name, text) = map(line.written, notations)
        shown = (f"<math>{right}</math>", text)
        sides.append((f"<math>{left}</math>", name, partial(_as_it_is, shown)))
    given = 1 + next(at for at, (_, name, _) in enumerate(sides) if name == "L")
    return sides[:given], sides[given:]


def _as_it_is(shown: tuple[str, str]) -> tuple[str, str]:
    return shown


def _sides(model: Model) -> tuple[list[Side], list[Side]]:
    """Of each equation the left side as MathML, its name in words, and its right side: first those
    of the model, then the gradient.

    All stand in the order of their author.
    """
    gradients: list[Side] = [
        (derivative(name), f"gradient by {name}", partial(_by_sympy, model, name))
        for name in model.parameters
    ]
    hat = "<math><mover><mi>y</mi><mo>^</mo></mover></math>"
    prediction, loss = model.program.outputs[0], model.program.outputs[-1]
    stated: list[Side] = [("<math><mi>L</mi></math>", "loss",
               partial(_as_written, model, loss, lambda: model.loss_expression))]  # fmt: skip
    if model.loss is not None:
        written = partial(_as_written, model, prediction, lambda: model.expression)
        stated.insert(0, (hat, "prediction", written))
    return stated, gradients


def _as_written(model: Model, output: int, by_sympy: Callable[[], sympy.Expr]) -> tuple[str, str]:
    """The result as it was written; as SymPy has it where it is too deep for that."""
    try:
        program = model.program.only(output)
        return mathml_as_written(program), write_text(program)
    except InputError:
        expression = by_sympy()
        return mathml(expression, model.order), model.order.text(expression)


def _by_sympy(model: Model, name: str) -> tuple[str, str]:
    right = model.gradient[name]
    return mathml(right, model.order), model.order.text(right)


def _formula(left: str, name: str, right: RightSide) -> Formula | None:
    try:
        shown, text = right()
    except InputError:
        return None
    return Formula(Markup(left), Markup(shown), f"{name} = {text}")  # noqa: S704 (mathml escapes)


_NAME: Field[Component] = words("quantity", lambda one: one.name)
_FIELDS: tuple[Field[Component], ...] = (_NAME, *full_fields("step"))


def parameter_table(findings: Findings) -> Table:
    """A row for the loss and each parameter of the training in `findings`; of very many parameters
    the worst.
    """
    loss, *gradients = findings.components
    is_long = len(gradients) > COMPONENTS
    worst = sorted(gradients, key=_rank_of, reverse=True)[:COMPONENTS] if is_long else gradients
    note = f"The worst {COMPONENTS} of {len(gradients)} parameters." if is_long else ""
    return table_of("Loss and parameters", CAPTION, _FIELDS, (loss, *worst), note=note)


def _rank_of(component: Component) -> float:
    worst = component.worst
    return float(rank(float(component.outcome.severity), worst.error, worst.allowed))


_STEP_COLUMNS = (
    Column("step"),
    Column("epoch"),
    Column("inputs", justify="left"),
    Column("quantity", justify="left"),
    *comparisons.FULL_COLUMNS,
)


def _worst_steps(findings: Findings) -> list[Table]:
    """The numbers that disagree, and those nearest to it, the worst first; none for a short run."""
    judged = [(step, name, part) for step in findings.steps for name, part in _judged(step)]
    if len(judged) <= FOLDED:
        return []
    worst = sorted(judged, key=lambda one: _rank_of_part(one[2]), reverse=True)[:WORST]
    rows = [_step_row(step, name, part) for step, name, part in worst]
    return [Table("Worst and failing steps", comparisons.CAPTION, _STEP_COLUMNS, rows, header=3)]


def _step_table(findings: Findings, most_rows: int) -> Table:
    width = 1 + len(findings.gradients)
    steps = steps_to_show(findings, max(8, most_rows // width))
    most = max(8, most_rows // len(steps))
    rows = [row for step in steps for row in _step_rows(step, most)]
    note = _thinned(findings, len(steps), width, most)
    return Table("Steps", comparisons.CAPTION, _STEP_COLUMNS, rows, header=3, note=note)


def _step_rows(step: Step, most: int) -> Iterator[Row]:
    for name, part in _worst_parts(step, most):
        yield _step_row(step, name, part)


def _step_row(step: Step, name: str, part: Comparison) -> Row:
    inputs = " ".join(f"{column}={plain(value)}" for column, value in step.inputs.items())
    return comparisons.full_row((str(step.number), str(step.epoch), inputs, step.label(name)), part)


def steps_to_show(findings: Findings, most: int) -> list[Step]:
    """All steps, or at most about so many: the first, the last, failing ones, and the worst of each
    stretch.
    """
    if findings.done == len(findings.steps) <= most:
        return list(findings.steps)
    chosen = [
        findings.steps[0],
        findings.steps[-1],
        *_failing(findings)[: min(FAILING_STEPS, most)],
    ]
    chosen += _worst_of(findings.worst_steps, most)
    numbered = {step.number: step for step in chosen}
    return [numbered[place] for place in sorted(numbered)]


def _worst_of(steps: Sequence[Step], most: int) -> list[Step]:
    """The worst of each of at most so many equal stretches of these."""
    size = max(1, math.ceil(len(steps) / most))
    return [max(steps[low : low + size], key=_rank_of_step) for low in range(0, len(steps), size)]


def _rank_of_step(step: Step) -> float:
    return max(_rank_of_part(part) for _, part in _judged(step))


def _rank_of_part(part: Comparison) -> float:
    return float(rank(float(part.outcome.severity), part.error, part.allowed))


def _worst_parts(step: Step, most: int) -> list[tuple[str, Comparison]]:
    judged = _judged(step)
    if len(judged) <= most:
        return judged
    return sorted(judged, key=lambda entry: _rank_of_part(entry[1]), reverse=True)[:most]


def _thinned(findings: Findings, shown: int, width: int, most: int) -> str:
    sentences = []
    if shown < findings.done:
        sentences.append(
            f"{shown} of {findings.done} steps are shown: the first, the last, the first "
            f"{FAILING_STEPS} that disagree "
            "and, of each stretch of the run, the worst one. The table above counts all of them."
        )
    if width > most:
        sentences.append(f"Of each step the worst {most} of {width} numbers are shown.")
    return " ".join(sentences)


def _how(model: Model, findings: Findings, replay: str | None) -> Folded:
    start = ", ".join(
        f"{name}={start_text(value)}" for name, value in list(model.start.items())[:50]
    )
    facts = {
        "model": model.description.partition("\n")[0] or model.name,
        "start": start + (" …" if len(model.start) > 50 else ""),
        "steps": f"{findings.done} of {findings.planned}",
        "rows of data": findings.data.rows,
        **settings_document(findings.settings),
    }
    return how_it_was_made(replay, MODEL_IN_CODE, facts.items())
