"""What each check is called, how each came out, and the components with their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from verifier.capture.code_at_point import SECOND
from verifier.checking.labels import component_title, with_noun
from verifier.checking.tally.components import CheckComponent
from verifier.checking.tally.count import CheckTally, Tally
from verifier.judging.outcome import worst
from verifier.judging.verdict import Outcome
from verifier.reporting.content.blocks import (
    STYLES,
    Blank,
    Block,
    Labelled,
    Sentence,
)
from verifier.reporting.content.component_rows import CAPTION, short_fields
from verifier.reporting.content.fields import Field, table_of, words


@dataclass(frozen=True)
class Check:
    """What a check is called."""

    name: str
    """By which it is switched off."""
    title: str
    sentence: str
    where: str = ""
    """Under which circumstances a component fails it."""


# fmt: off
CHECKS = (
    Check("value", "value", "The value is the exact one, to rounding."),
    Check("reverse", "reverse mode",
          "The gradient by every input is the exact one, to rounding, with a random grad_output."),
    Check("forward", "forward mode",
          "Forward mode gives the exact derivative, to rounding.", "in forward mode"),
    Check("both", "reverse against forward",
          "Reverse mode and forward mode state the same derivative.",
          "in reverse against forward mode"),
    Check("second", "second order", "The Hessian is the exact one, to rounding.",
          "in second order"),
    Check("vmap", "vmap against a loop",
          "Under vmap it states what a loop over the batch states.", "under vmap"),
    Check("strided", "non-contiguous inputs",
          "Inputs that are not contiguous in memory change nothing.", "with non-contiguous inputs"),
    Check("expanded", "expanded grad_output",
          "A grad_output that is one number, expanded, is used as it stands.",
          "with an expanded grad_output"),
    Check("structured", "structured grad_output",
          "A grad_output of zeros, negative and large numbers, or of one number only is used as it "
          "is.", "with a structured grad_output"),
    Check("undefined", "undefined grad_output",
          "An output that nothing uses, whose grad_output is undefined, changes nothing.",
          "with an undefined grad_output"),
    Check("again", "used again",
          "A second backward, and a forward before the backward, change nothing.",
          "when it is used again"),
    Check("subset", "some inputs alone",
          "Where fewer inputs require a gradient, those gradients are the same.",
          "where one input alone requires a gradient"),
    Check("same", "one tensor for two inputs",
          "A tensor given for two inputs has the sum of both gradients.",
          "where one tensor is given for two inputs"),
    Check("size", "other batch sizes", "With more and with fewer rows it is right as well.",
          "with another batch size"),
    Check("mode", "no_grad and autocast",
          "Without gradients the value is the same; under autocast the gradient is the value's.",
          "under no_grad or autocast"),
    Check("determinism", "determinism", "Run again, it states the same numbers.",
          "when it is run again"),
    Check("overwriting", "inputs not overwritten", "No input is changed by running it.",
          "when inputs are kept"),
    Check("form", "dtype, shape, device",
          "Each gradient has the dtype, the shape and the device of its input."),
    Check("reach", "gradient exists", "What should have a gradient has one."),
)
# fmt: on
"""In the order in which they are shown."""


def check_named(name: str) -> Check:
    """The check of that `name`; one that is not known is called by its name.

    >>> check_named("strided").title, check_named("mine").title
    ('non-contiguous inputs', 'mine')
    """
    return next(
        (check for check in CHECKS if check.name == name), Check(name, name, "", f"in {name}")
    )


SHOWN = 20
"""Of the components in one dtype at most so many are shown, the worst."""
LABEL = 25
"""Columns for what a check is called."""


def heading(tally: Tally) -> Iterator[Sentence]:
    """What was checked, against what, and where."""
    checked = tally.checked
    yield Sentence(f"{checked.target} against {checked.against}", "bold")
    kinds = Counter(point.kind for point in tally.points)
    text = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
    points = f"{with_noun(len(tally.points), 'point')}{': ' * bool(text)}{text}"
    where = f"{points}; seed {checked.settings.seed}"
    yield Sentence("; ".join(filter(None, (", ".join(tally.dtypes), where))))


def tally_blocks(tally: Tally) -> Iterator[Labelled]:
    """How each check came out, in every dtype; why it was not made."""
    for name in dict.fromkeys(one.check for one in tally.checks):
        own = [one for one in tally.checks if one.check == name]
        made = [one for one in own if one.made]
        title = check_named(name).title
        if made:
            counts = "; ".join(f"{one.dtype} {_counts(one)}" for one in made)
            yield Labelled(title, counts, _style(made), width=LABEL)
        for reason in dict.fromkeys(reason for one in own for reason in one.absent):
            dtypes = [one.dtype for one in own if reason in one.absent]
            is_all = set(dtypes) == {one.dtype for one in own} and not made
            where = "" if is_all else f" in {', '.join(dtypes)}"
            yield Labelled(title, f"not made{where}: {reason}", "dim", width=LABEL)


def _style(made: Sequence[CheckTally]) -> str:
    outcome = worst(one.outcome or Outcome.AGREES for one in made)
    return "" if outcome is Outcome.AGREES else STYLES[outcome]


def _counts(tally: CheckTally) -> str:
    """How the numbers came out, and at how many points something else is wrong."""
    failing = f"fails at {len(tally.failing):,} of {with_noun(len(tally.made), 'point')}"
    if not tally.parts:
        return failing if tally.failing else f"holds at {with_noun(len(tally.made), 'point')}"
    numbers = _of_numbers(tally)
    return f"{numbers}, {failing}" if tally.failing else numbers


def _of_numbers(tally: CheckTally) -> str:
    undecided, disagree = tally.outcomes[Outcome.UNDECIDED], tally.outcomes[Outcome.DISAGREES]
    if not tally.compared:
        return "nothing to compare"
    if disagree:
        return f"{disagree:,} of {tally.compared:,} disagree" + (
            f", {undecided:,} undecided" if undecided else ""
        )
    return (
        f"{undecided:,} of {tally.compared:,} undecided"
        if undecided
        else f"{tally.compared:,} agree"
    )


_NAME: Field[CheckComponent] = words(
    "component", lambda one: component_title(one.name, one.quantity)
)
FIELDS: tuple[Field[CheckComponent], ...] = (_NAME, *short_fields("point"))
"""The columns of a table that is for one dtype."""


def component_blocks(tally: Tally) -> Iterator[Block]:
    """A table for each dtype."""
    for dtype in tally.dtypes:
        own = with_second_order_as_one(
            [component for component in tally.components if component.dtype == dtype]
        )
        if own:
            yield Blank()
            yield from _components(own, dtype)


def _components(own: Sequence[CheckComponent], dtype: str) -> Iterator[Block]:
    shown = worst_of(own, SHOWN)
    yield Sentence(dtype, "bold")
    yield table_of(dtype, CAPTION, FIELDS, shown)
    rest = [component for component in own if component not in shown]
    if rest:
        agreeing = sum(component.outcome is Outcome.AGREES for component in rest)
        text = "all agree" if agreeing == len(rest) else f"{agreeing:,} of them agree"
        yield Sentence(f"⋯ {with_noun(len(rest), 'component')} not shown, {text}", "dim")


def with_second_order_as_one(components: Sequence[CheckComponent]) -> list[CheckComponent]:
    """The components, those of the Hessian that agree as one: there is one for each pair of
    inputs.
    """
    agreeing = [
        one for one in components if one.quantity == SECOND and one.outcome is Outcome.AGREES
    ]
    if len(agreeing) < 2:
        return list(components)
    first, others = agreeing[0], [one for one in components if one not in agreeing]
    statements = tuple(statement for one in agreeing for statement in one.statements)
    return [*others, replace(first, name="all", statements=statements)]


def worst_of(components: Sequence[CheckComponent], count: int) -> list[CheckComponent]:
    """So many of them at most, the worst, in their own order."""
    chosen = worst_first(components)[:count]
    return [component for component in components if component in chosen]


def worst_first(components: Sequence[CheckComponent]) -> list[CheckComponent]:
    """All of them, the worst first."""
    return sorted(components, key=_badness, reverse=True)


def _badness(component: CheckComponent) -> tuple[int, float]:
    return component.worst.rank if component.worst else (-1, 0.0)
