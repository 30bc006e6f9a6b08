"""Where a component is wrong: the condition, the inputs or the rows that all that disagrees has in
common, and that nothing which agrees has.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from verifier.checking.tally.components import Statement
from verifier.judging.causes.cut_path import MOST_ELEMENTS, is_condition
from verifier.judging.causes.describe_term import describe_node, short_text
from verifier.judging.conditioning import Point
from verifier.judging.verdict import Outcome
from verifier.operations.arrays import Floats, Truths
from verifier.program.evaluation.batches import BatchArithmetic
from verifier.program.program import CONDITIONS, Node, Program, evaluate

MOST_STATEMENTS = 64
"""Of more statements the first are looked at."""
MOST_CONDITIONS = 64
FAR = "as far as was tried"


def where_wrong(statements: Sequence[Statement]) -> str:
    """In words: `where x > 1.9`, `in rows from 32 on`; empty where nothing is known.

    Only statements that were examined themselves count, and of what agrees only what is not 0: a
    wrong factor of 0 agrees as well.
    """
    samples = [sample for one in statements[:MOST_STATEMENTS] if (sample := _sample_of(one))]
    wrong = sum(int(sample.wrong.sum()) for sample in samples)
    right = sum(int(sample.right.sum()) for sample in samples)
    if not wrong or not right:
        return ""
    return _by_condition(samples) or (_by_numbers(samples) if wrong < right else "")


@dataclass(frozen=True, eq=False)
class _Sample:
    """Numbers that were judged together."""

    wrong: Truths
    right: Truths
    conditions: Mapping[str, Truths]
    """The comparisons of the code's program, as they stand there."""
    inputs: Mapping[str, Floats]
    """Those of the same shape, flattened; the number of the row as well."""


def _sample_of(statement: Statement) -> _Sample | None:
    """None where nobody examined just these statements, or nothing in them tells anything."""
    part, examination = statement.part, statement.finding.examination
    if examination is None or not any(one is part for one in examination.parts):
        return None
    verdicts = part.verdicts
    wrong: Truths = verdicts.severity == Outcome.DISAGREES.severity
    right = (verdicts.severity == Outcome.AGREES.severity) & (verdicts.centre != 0)
    coded = examination.coded
    if coded is None or not (wrong.any() or right.any()):
        return None
    arguments = coded.point.arguments
    inputs = {
        name: np.ravel(np.asarray(arguments[name], dtype=np.float64))
        for name in coded.statements.inputs
        if name in arguments and np.shape(arguments[name]) == part.shape
    }
    own = {name: inputs[name] for name in (part.name,) if name in inputs}
    if part.shape:
        rows = np.arange(part.shape[0], dtype=np.float64)
        inputs[_ROW] = np.repeat(rows, math.prod(part.shape[1:]))
    return _Sample(wrong, right, _conditions(coded.point, part.shape), {**own, **inputs})


_ROW = "row"


def _conditions(point: Point, shape: tuple[int, ...]) -> dict[str, Truths]:
    """The comparisons that depend on an input, and their opposites, each as its text."""
    program = point.program
    if program.elements > MOST_ELEMENTS:
        return {}
    places = [
        place
        for place, node in enumerate(program.nodes)
        if node.operation in CONDITIONS and program.varying[place] and _fits(node.shape, shape)
    ][:MOST_CONDITIONS]
    given = {name: np.asarray(value)[None] for name, value in point.arguments.items()}
    found = evaluate(Program(program.nodes, tuple(places)), BatchArithmetic(), given)
    conditions = {}
    for place, truths in zip(places, found, strict=True):
        flat = np.ravel(np.broadcast_to(truths[0], shape)).astype(bool)
        if _is_telling(program, place):
            conditions[describe_node(program, place)] = flat
            conditions[_opposite_text(program, place)] = ~flat
    return conditions


def _is_telling(program: Program, place: int) -> bool:
    """Whether a comparison can be written out, and does not compare parts of one tensor."""
    node = program.nodes[place]
    if node.operation in _OPPOSITE:
        sides = [short_text(program, one) for one in node.arguments]
        return None not in sides and len(set(sides)) == len(sides)
    if short_text(program, place) is None:
        return False
    return all(_is_telling(program, one) for one in node.arguments if is_condition(program, one))


def _fits(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, other) == tuple(other)
    except ValueError:
        return False


_OPPOSITE = {
    "less": "greater_equal", "less_equal": "greater", "greater": "less_equal",
    "greater_equal": "less", "equal": "not_equal", "not_equal": "equal",
}  # fmt: skip


def _opposite_text(program: Program, place: int) -> str:
    node = program.nodes[place]
    if node.operation not in _OPPOSITE:
        return f"not ({describe_node(program, place)})"
    opposite = Node(_OPPOSITE[node.operation], node.arguments, node.shape)
    return describe_node(Program((*program.nodes, opposite), ()), len(program.nodes))


def _by_condition(samples: Sequence[_Sample]) -> str:
    texts = set.intersection(*(set(sample.conditions) for sample in samples))
    holding = [
        text
        for text in texts
        if all(
            sample.conditions[text][sample.wrong].all()
            and not sample.conditions[text][sample.right].any()
            for sample in samples
        )
    ]
    return f"where {min(holding, key=lambda text: (len(text), text))}" if holding else ""


def _by_numbers(samples: Sequence[_Sample]) -> str:
    names = [name for name in samples[0].inputs if all(name in one.inputs for one in samples)]
    for name in names:
        wrong, right = (
            np.concatenate([
                sample.inputs[name][chosen]
                for sample, chosen in zip(samples, masks, strict=True)
            ])
            for masks in ([one.wrong for one in samples], [one.right for one in samples])
        )  # fmt: skip
        found = next(_ranges(name, wrong, right), "")
        if found:
            return found
    return ""


def _ranges(name: str, wrong: Floats, right: Floats) -> Iterator[str]:
    """What sets the first numbers apart from the second, in words, the narrowest first."""
    if name == _ROW:
        if wrong.min() > right.max():
            yield f"in rows from {int(wrong.min())} on"
        return
    low, high = float(wrong.min()), float(wrong.max())
    signed = np.signbit(wrong).all() and not np.signbit(right[right == 0]).any()
    if low == high == 0 and (signed or not (right == 0).any()):
        yield f"where {name} = {'-0' if signed else '0'}"
    elif low == high and not (right == low).any():
        yield f"where {name} = {low:.7g}"
    elif low > right.max():
        yield f"where {name} >= {low:.7g}, {FAR}"
    elif high < right.min():
        yield f"where {name} <= {high:.7g}, {FAR}"
    elif not ((right >= low) & (right <= high)).any():
        yield f"where {name} is between {low:.7g} and {high:.7g}, {FAR}"
