"""Code and formula are different functions: at best one that is reduced in another way."""

from __future__ import annotations

import math

import numpy as np

from verifier.judging.causes.cut_path import MOST_ELEMENTS
from verifier.judging.causes.describe_term import describe_node
from verifier.judging.causes.rule import Mistake
from verifier.judging.causes.suspect import Suspect
from verifier.judging.conditioning import Point
from verifier.operations.arrays import Floats
from verifier.program.evaluation.batches import BatchArithmetic
from verifier.program.program import CONSTANT, Program, evaluate

ALIKE = 1e-10
"""Results that differ by less, as a fraction of their largest, are taken for the same ones."""


def explain_different_function(suspect: Suspect) -> Mistake | None:
    """Code and formula are different functions, by the value."""
    if (
        suspect.examination is None
        or suspect.examination.same_function
        or suspect.part.quantity != "value"
        or suspect.circumstance.text
    ):
        return None
    return _other_reduction(suspect) or Mistake(
        "different functions", f"code and formula are different functions{_parting_text(suspect)}"
    )


def _parting_text(suspect: Suspect) -> str:
    """The first operation of the code whose result the formula has nowhere, though it has what that
    takes; empty where none is known.
    """
    examination, place = suspect.examination, suspect.place
    if examination is None or examination.specified is None or place is None:
        return ""
    if examination.exact is None:
        return ""
    code, formula = examination.exact.point.only(place), examination.specified.point.only(place)
    if max(code.elements, formula.elements) > MOST_ELEMENTS:
        return ""
    suspect.check_deadline()
    known = [value for value in _values(formula) if np.isfinite(value).all()]
    program, values = code.program, _values(code)
    shared = [
        node.operation == CONSTANT or any(_same(value, other) for other in known)
        for node, value in zip(program.nodes, values, strict=True)
    ]
    for at, node in enumerate(program.nodes):
        if not shared[at] and all(shared[one] for one in node.arguments):
            return f": they part at {describe_node(program, at)}, which the formula does not have"
    return ""


def _values(point: Point) -> list[Floats]:
    """What each node is, in float64."""
    nodes = point.program.nodes
    given = {name: np.asarray(value)[None] for name, value in point.arguments.items()}
    found = evaluate(Program(nodes, tuple(range(len(nodes)))), BatchArithmetic(), given)
    return [np.ravel(value[0]).astype(np.float64) for value in found]


def _same(one: Floats, other: Floats) -> bool:
    """Whether two results have the same numbers, in one order or expanded."""
    one, other = np.unique(one), np.unique(other)
    if one.size != other.size:
        return False
    largest = np.max(np.abs(other), initial=0.0)
    return bool(np.allclose(one, other, rtol=ALIKE, atol=ALIKE * largest, equal_nan=True))


def _other_reduction(suspect: Suspect) -> Mistake | None:
    """A sum where the formula takes the mean, or the other way round."""
    counts = {
        count
        for shape in suspect.shapes().values()
        for count in (math.prod(shape), *shape)
        if count > 1
    }
    for count in sorted(counts, reverse=True):
        suspect.check_deadline()
        ways = (
            ("takes the sum", "the mean", float(count)),
            ("takes the mean", "the sum", 1.0 / count),
        )
        for code, formula, factor in ways:
            predicted = suspect.exact * count if factor > 1 else suspect.exact / count
            if suspect.fits(predicted, suspect.allowed * factor):
                sentence = f"the code {code} of {count}, the formula {formula}"
                return Mistake("wrong reduction", sentence, predicted)
    return None
