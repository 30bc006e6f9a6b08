"""Mistakes of range: something on the way leaves the format, or has no value.

The code's own graph is replayed in float64 with what its format does to large and small numbers.
What comes out beyond the format where it did not go in is the operation to blame, if that replay
states what the code stated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from verifier.judging.causes.rule import Found
from verifier.judging.causes.suspect import Told
from verifier.judging.conditioning import Point
from verifier.operations.formats import FLOAT64, Format
from verifier.program.evaluation.arithmetic import precision
from verifier.program.evaluation.balls import FIRST_BITS, BallArithmetic
from verifier.program.evaluation.term_sizes import SizeArithmetic
from verifier.program.program import (
    CONSTANT,
    JOIN,
    PILE,
    RESHAPE,
    ROUND,
    TAKE,
    TOTAL,
    Node,
    Program,
    evaluate,
)

_Pair = tuple[Any, Any]


class _InRange(SizeArithmetic):
    """Float64 numbers that overflow and underflow as the formats of the nodes do; `seen` keeps them
    all.
    """

    def __init__(self) -> None:
        self.seen: dict[int, Any] = {}

    def _kept(self, place: int, node: Node, pair: _Pair) -> _Pair:
        value, size = pair
        if node.format is not None and value.dtype != bool:
            value = _cut(value, node.format)
        self.seen[place] = value
        return value, size

    def constant(self, place: int, node: Node) -> _Pair:
        return self._kept(place, node, super().constant(place, node))

    def row(self, place: int, node: Node, *arguments: _Pair) -> _Pair:
        return self._kept(place, node, super().row(place, node, *arguments))

    def total(self, place: int, node: Node, argument: _Pair) -> _Pair:
        return self._kept(place, node, super().total(place, node, argument))

    def contract(self, place: int, node: Node, left: _Pair, right: _Pair) -> _Pair:
        return self._kept(place, node, super().contract(place, node, left, right))

    def round(self, place: int, node: Node, argument: _Pair) -> _Pair:
        return self._kept(place, node, argument)


def _cut(value: Any, format: Format) -> Any:
    with np.errstate(all="ignore"):
        large = np.where(np.abs(value) > format.largest, np.copysign(np.inf, value), value)
        return np.where(np.abs(large) <= format.smallest_subnormal / 2, 0.0 * large, large)


class _DeadIsNothing(_InRange):
    """0 from a branch that is not taken times anything is 0, and so is it over 0."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.dead: set[int] = set()
        """The places of what such branches pass back."""
        for place, node in enumerate(program.nodes):
            is_branch = node.operation == "where" and any(
                _is_zero(program.nodes[one]) for one in node.arguments[1:]
            )
            if is_branch or (node.operation in _PASSING and self.dead & set(node.arguments)):
                self.dead.add(place)

    def row(self, place: int, node: Node, *arguments: _Pair) -> _Pair:
        value, size = super().row(place, node, *arguments)
        if node.operation not in ("multiply", "divide"):
            return value, size
        sides = arguments if node.operation == "multiply" else arguments[:1]
        known = zip(node.arguments, sides, strict=False)
        zero: Any = False
        for argument, pair in known:
            zero = zero | ((pair[0] == 0) & (argument in self.dead))
        return np.where(np.isnan(value) & zero, 0.0, value), size


_PASSING = frozenset({"multiply", "divide", "negative", TAKE, RESHAPE, TOTAL, PILE, JOIN})


def _is_zero(node: Node) -> bool:
    return node.operation == CONSTANT and not np.any(node.array)


def not_finite(told: Told) -> Found | None:
    """NaN or infinity where the exact number is an ordinary one."""
    stated, exact = told.part.verdicts.stated, told.part.verdicts.centre
    wrong = told.disagreeing & ~np.isfinite(stated) & np.isfinite(exact)
    if not wrong.any():
        return None
    return _dead(told, wrong) or _first_beyond(told, wrong)


def _of_code(told: Told, arithmetic: _InRange) -> Any:
    """This part of the code's graph in float64; None where there is no graph."""
    if told.coded is None or told.place is None:
        return None
    told.go_on()
    program, given = told.coded.point.program, told.coded.point.arguments
    return np.ravel(evaluate(program, arithmetic, given)[told.place][0])


def _dead(told: Told, wrong: Any) -> Found | None:
    """A branch that is not taken passes 0 back, and its derivative is not finite."""
    if told.coded is None or not any(
        node.operation == "where" for node in told.coded.point.program.nodes
    ):
        return None
    leaking, found = (
        _of_code(told, _InRange()),
        _of_code(told, _DeadIsNothing(told.coded.point.program)),
    )
    with np.errstate(invalid="ignore"):
        apart = np.abs(found - told.part.verdicts.centre)
        slack = told.part.verdicts.allowed + 1e-6 * np.abs(told.part.verdicts.centre)
        right = (apart <= np.where(np.isfinite(slack), slack, 1e-6 * np.abs(found)))[wrong]
    if not np.isnan(leaking[wrong]).all() or not right.all():
        return None
    return Found(
        "NaN from a branch not taken",
        "the branch that is not taken has no finite derivative, and 0 times that is NaN: guard its "
        "argument",
        found,
    )


def _first_beyond(told: Told, wrong: Any) -> Found | None:
    """The first operation whose result is not finite though what it takes is."""
    replayed = _InRange()
    found = _of_code(told, replayed)
    if found is None or told.coded is None or np.isfinite(found[wrong]).any():
        return None
    program = told.coded.point.program
    needed = sorted(program.needed(program.outputs[told.place or 0]))
    for place in needed:
        beyond = _made(program, place, replayed.seen, lambda value: ~np.isfinite(value))
        if beyond is not None:
            return _blamed(told, place, beyond, found, replayed.seen)
    return None


def _made(
    program: Program, place: int, seen: dict[int, Any], is_beyond: Callable[[Any], Any]
) -> int | None:
    """The first element of a node that is beyond, where nothing that the node takes is."""
    if place not in seen or seen[place].dtype == bool:
        return None
    beyond = np.ravel(is_beyond(seen[place]))
    taken = [seen[argument] for argument in program.nodes[place].arguments if argument in seen]
    if not beyond.any() or any(np.any(is_beyond(one)) for one in taken if one.dtype != bool):
        return None
    return int(np.flatnonzero(beyond)[0])


def _blamed(told: Told, place: int, element: int, found: Any, seen: dict[int, Any]) -> Found | None:
    """Overflow where the exact number is finite, else an operation that has no value there."""
    if told.coded is None:
        return None
    node = told.coded.point.program.nodes[place]
    if node.operation == CONSTANT:
        number = float(np.ravel(node.array)[element])
        return Found("not finite", f"the code itself puts {number} there", found)
    exact = _exact_node(told, told.coded.point, place, element)
    limit = (node.format or FLOAT64).largest
    if exact.is_finite() and abs(exact) > limit:
        sentence = _beyond(told.coded.point.program, place, exact, limit)
        return Found("overflow of an intermediate", sentence, found)
    below = _first_below(told, told.coded.point, told.coded.point.program.needed(place), seen)
    if below is not None:
        return Found("underflow of an intermediate", below, found)
    return Found("not finite", f"{node.operation} on the way has no finite value", found)


def _beyond(program: Program, place: int, exact: Any, end: float) -> str:
    format_ = (program.nodes[place].format or FLOAT64).name
    number = exact.str(3, radius=False)
    return (
        f"{_operation(program, place)} on the way gives {number}, and {format_} ends at {end:.3g}"
    )


def _operation(program: Program, place: int) -> str:
    """What was computed before it was rounded."""
    node = program.nodes[place]
    return _operation(program, node.arguments[0]) if node.operation == ROUND else node.operation


def _exact_node(told: Told, point: Point, place: int, element: int) -> Any:
    """The exact value of one element of a node of a program."""
    told.go_on()
    program = Program(point.program.nodes, (place,))
    with precision(FIRST_BITS):
        (found,) = evaluate(program, BallArithmetic(point.decisions), point.arguments)
    return np.ravel(found)[element]


def underflow(told: Told) -> Found | None:
    """Something on the way is too small for the format, and without it the rest is what was
    stated.
    """
    if told.is_in_graph or told.coded is None:
        return None
    replayed = _InRange()
    found = _of_code(told, replayed)
    if found is None or not told.fits(np.where(np.isfinite(found), found, np.nan)):
        return None
    point = told.coded.point
    needed = point.program.needed(point.program.outputs[told.place or 0])
    below = _first_below(told, point, needed, replayed.seen)
    return None if below is None else Found("underflow of an intermediate", below, found)


def _first_below(told: Told, point: Point, places: set[int], seen: dict[int, Any]) -> str | None:
    """The first of some nodes that is 0 and should not be, in a sentence."""
    for place in sorted(places):
        element = _made(point.program, place, seen, lambda value: value == 0)
        exact = None if element is None else _exact_node(told, point, place, element)
        if exact is not None and exact.is_finite() and exact != 0:
            least = (point.program.nodes[place].format or FLOAT64).smallest_subnormal
            return _beyond(point.program, place, exact, least)
    return None
