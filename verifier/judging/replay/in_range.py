"""The range of formats: the code's graph in float64, with what its formats do to large and small
numbers on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from verifier.judging.conditioning import Point
from verifier.judging.examination import Examination, Part
from verifier.judging.outcome import Note, Outcome
from verifier.operations.arrays import Ball, Floats, Truths
from verifier.operations.formats import FLOAT64, Format
from verifier.program.evaluation.arithmetic import precision
from verifier.program.evaluation.balls import FIRST_BITS, BallArithmetic
from verifier.program.evaluation.term_sizes import SizeArithmetic
from verifier.program.program import INPUT, ROUND, Node, Program, evaluate

_Pair = tuple[Floats, Floats]


class InRangeArithmetic(SizeArithmetic):
    """Float64 numbers that overflow and underflow as the formats of the nodes do; `seen` keeps them
    all.
    """

    def __init__(self) -> None:
        self.seen: dict[int, Floats] = {}

    def _keep(self, place: int, node: Node, pair: _Pair) -> _Pair:
        value, size = pair
        if node.format is not None and value.dtype != bool:
            value = _in_range_of(value, node.format)
        self.seen[place] = value
        return value, size

    def constant(self, place: int, node: Node) -> _Pair:
        """As in float64, then brought into the range of the node's format."""
        return self._keep(place, node, super().constant(place, node))

    def row(self, place: int, node: Node, *arguments: _Pair) -> _Pair:
        """As in float64, then brought into the range of the node's format."""
        return self._keep(place, node, super().row(place, node, *arguments))

    def total(self, place: int, node: Node, argument: _Pair) -> _Pair:
        """As in float64, then brought into the range of the node's format."""
        return self._keep(place, node, super().total(place, node, argument))

    def contract(self, place: int, node: Node, left: _Pair, right: _Pair) -> _Pair:
        """As in float64, then brought into the range of the node's format."""
        return self._keep(place, node, super().contract(place, node, left, right))

    def round(self, place: int, node: Node, argument: _Pair) -> _Pair:
        """The argument in the range of the node's format; its digits stay."""
        return self._keep(place, node, argument)


def _in_range_of(value: Floats, format: Format) -> Floats:
    with np.errstate(all="ignore"):
        large = np.where(np.abs(value) > format.largest, np.copysign(np.inf, value), value)
        return np.where(np.abs(large) <= format.smallest_subnormal / 2, 0.0 * large, large)


def first_element_beyond(
    program: Program,
    place: int,
    seen: Mapping[int, Floats],
    is_beyond: Callable[[Floats], Truths],
) -> int | None:
    """The first element of a node that is beyond, where nothing that the node takes is."""
    if place not in seen or seen[place].dtype == bool:
        return None
    beyond = np.ravel(is_beyond(seen[place]))
    taken = [seen[argument] for argument in program.nodes[place].arguments if argument in seen]
    if not beyond.any() or any(np.any(is_beyond(one)) for one in taken if one.dtype != bool):
        return None
    return int(np.flatnonzero(beyond)[0])


def sentence_about(program: Program, place: int, exact: Ball, end: float) -> str:
    """Which operation leaves the range of its format, which ends there."""
    format_ = (program.nodes[place].format or FLOAT64).name
    number = exact.str(3, radius=False)
    operation = _operation_before_rounding(program, place)
    return f"{operation} on the way gives {number}, and {format_} ends at {end:.3g}"


def _operation_before_rounding(program: Program, place: int) -> str:
    """What was computed before it was rounded."""
    node = program.nodes[place]
    return (
        _operation_before_rounding(program, node.arguments[0])
        if node.operation == ROUND
        else node.operation
    )


def exact_element(point: Point, place: int, element: int) -> Ball:
    """The exact value of one element of a node of a program."""
    program = Program(point.program.nodes, (place,))
    with precision(FIRST_BITS):
        (found,) = evaluate(program, BallArithmetic(point.decisions), point.arguments)
    return np.ravel(found)[element]


def first_below(point: Point, places: set[int], seen: Mapping[int, Floats]) -> str | None:
    """The first of some nodes that is 0 and should not be, in a sentence."""
    for place in sorted(places):
        element = first_element_beyond(point.program, place, seen, lambda value: value == 0)
        exact = None if element is None else exact_element(point, place, element)
        if exact is not None and exact.is_finite() and exact != 0:
            least = (point.program.nodes[place].format or FLOAT64).smallest_subnormal
            return sentence_about(point.program, place, exact, least)
    return None


def first_above(point: Point, places: set[int], seen: Mapping[int, Floats]) -> str | None:
    """The first of some nodes that is not finite and should be, in a sentence."""
    for place in sorted(places):
        element = first_element_beyond(
            point.program, place, seen, lambda value: ~np.isfinite(value)
        )
        exact = None if element is None else exact_element(point, place, element)
        if exact is not None and exact.is_finite():
            largest = (point.program.nodes[place].format or FLOAT64).largest
            if abs(exact) > largest:
                return sentence_about(point.program, place, exact, largest)
    return None


def _first_without_reciprocal(
    point: Point, places: set[int], seen: Mapping[int, Floats]
) -> str | None:
    """The first of some nodes whose reciprocal overflows, in a sentence."""
    for place in sorted(places):
        if _operation_before_rounding(point.program, place) == INPUT:
            continue
        format_ = point.program.nodes[place].format or FLOAT64
        least = 1.0 / format_.largest

        def is_beyond(value: Floats, least: float = least) -> Truths:
            return np.asarray((value != 0) & (np.abs(value) < least))

        element = first_element_beyond(point.program, place, seen, is_beyond)
        if element is not None:
            number = exact_element(point, place, element).str(3, radius=False)
            operation = _operation_before_rounding(point.program, place)
            return f"{operation} on the way gives {number}, whose reciprocal {format_.name} lacks"
    return None


def with_lost_range(examination: Examination) -> Examination:
    """The same `examination`, undecided where the forward as written leaves the range of its
    formats on the way, and the code states what comes of that.

    What a backward loses by itself, and what is wrong in exact arithmetic, stays wrong.
    """
    lost = [_lost(part) for part in examination.parts]
    if examination.coded is None or not any(where.any() for where in lost):
        return examination
    point = examination.coded.point
    replayed = InRangeArithmetic()
    with np.errstate(all="ignore"):
        results = evaluate(point.program, replayed, point.arguments)
    found = [np.ravel(value) for value, _ in results]
    forward = set(_forward_places(examination, point))
    beyond = first_above(point, forward, replayed.seen) or first_below(
        point, forward, replayed.seen
    )
    sentence = beyond or _first_without_reciprocal(point, forward, replayed.seen)
    if sentence is None:
        return examination
    parts = [
        _undecided(
            part, where & (_is_of(part, numbers) if beyond else _both_overflow(part, numbers))
        )
        for part, where, numbers in zip(examination.parts, lost, found, strict=True)
    ]
    return replace(examination, parts=tuple(parts), lost_range=sentence)


def _lost(part: Part) -> Truths:
    """Where a part disagrees though its formula is right."""
    return np.asarray(part.verdicts.failing & ~part.wrong_formula, dtype=bool)


def _forward_places(examination: Examination, point: Point) -> Iterator[int]:
    for part, output in zip(examination.parts, point.program.outputs, strict=True):
        if part.quantity == "value":
            yield from point.program.needed(output)


def _is_of(part: Part, found: Floats) -> Truths:
    """Where the code states what the replay found, or torch computed it in another way."""
    stated = part.verdicts.stated
    with np.errstate(invalid="ignore"):
        near = np.abs(stated - found) <= _NEAR * np.abs(found)
    return np.asarray(near | _both_overflow(part, found) | part.case.untraced)


def _both_overflow(part: Part, found: Floats) -> Truths:
    """Where the code states no number, and the replay has none or says that it may be any."""
    nowhere = ~np.isfinite(found) | ~np.isfinite(part.case.allowed)
    return np.asarray(~np.isfinite(part.verdicts.stated) & nowhere)


_NEAR = 2.0**-5
"""Subnormal numbers on the way have few digits, and 16 bits have few anyway."""


def _undecided(part: Part, where: Truths) -> Part:
    verdicts = part.verdicts.with_outcome(where, Outcome.UNDECIDED)
    return replace(part, verdicts=verdicts.with_note(where, Note.OUT_OF_RANGE))
