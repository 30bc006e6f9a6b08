"""Scan: a program run in float64 while one input moves through its domain, to find where something
happens.

All elements of the input take the same value, and the other inputs stay as they are. Where a code
of `critical_points.py` changes between two values of a grid, the place is closed in on by halving,
all places at once, until two neighbouring floats are left.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from verifier.checking.edge_cases.critical_points import WATCHED, Codes, CrossingKind, CrossingWatch
from verifier.checking.edge_cases.domain import Domain, float_halfway
from verifier.operations.arrays import Floats, Truths
from verifier.operations.formats import Format
from verifier.operations.table import TABLE
from verifier.program.evaluation.batches import BatchArithmetic, aligned
from verifier.program.program import INPUT, Node, Program, Shape, evaluate

NUMBERS = 30_000_000
"""So many numbers are computed for a program at most, about."""
GRID = 48
"""For a small program, so many values of each kind are tried."""
BRACKETS = 256
"""At most so many intervals of one input are halved until two neighbouring floats are left."""
MOST_INPUTS = 100
"""Each input that moves costs a grid of its own."""
_FEWEST, _HALVINGS, _SLACK = 3, 64, 11
"""The fewest values in which a change is seen; the halvings that part any two of float64's 2^64
numbers; and the bits of its exponent, for which halvings are reckoned beside those of the
significand.
"""
_Key = tuple[int, int]
"""The place of a node, and the number of its watch."""


@dataclass(frozen=True)
class Crossing:
    """Between two neighbouring floats of one input something happens in one element of a node."""

    kind: CrossingKind
    name: str
    """The input that moved."""
    node: int
    """The place in the program."""
    watch: int
    element: int
    """Of the node, counted through."""
    low: float
    high: float
    hit: float
    """The one of the two at which it happens; the high one where neither is known to be."""


@dataclass(frozen=True)
class _Bracket:
    key: _Key
    name: str
    element: int
    low: float
    high: float
    code: int
    """At the low end."""


class _CodeArithmetic(BatchArithmetic):
    """Variants are the values tried; collects the codes of what depends on them."""

    def __init__(self, format: Format, wanted: Collection[int]) -> None:
        self.format = format
        self.wanted = wanted
        """The places of the nodes whose codes are asked for."""
        self.codes: dict[_Key, Codes] = {}
        """An array of values tried by elements."""

    def row(self, place: int, node: Node, *arguments: Floats) -> Floats:
        parts = aligned(arguments)
        with np.errstate(all="ignore"):
            result = np.asarray(TABLE[node.operation].numpy.function(*parts))
            watches = WATCHED.get(node.operation, ()) if place in self.wanted else ()
            for number, watch in enumerate(watches):
                code = watch.code(self.format, result, parts)
                if code.shape[0] > 1:
                    shape = (code.shape[0], *node.shape)
                    self.codes[place, number] = np.broadcast_to(code, shape).reshape(
                        code.shape[0], -1
                    )
        return result if arguments else result.reshape(1)


@dataclass(frozen=True, eq=False)
class Sweep:
    """A program at one point, in whose inputs things happen."""

    program: Program
    given: Mapping[str, Floats]
    """Arrays of float64."""
    format: Format

    def crossings(self, domains: Mapping[str, Domain]) -> list[Crossing]:
        """What happens in the inputs that have a domain, in the order of their kinds."""
        known = {node.payload for node in self.program.nodes if node.operation == INPUT}
        moving = {name: domain for name, domain in domains.items() if name in known}
        found: list[_Bracket] = []
        for name, domain in list(moving.items())[:MOST_INPUTS]:
            found += self._brackets(name, domain, NUMBERS // len(moving))
        cost = max(self.program.elements, 1) * (self.format.precision + _SLACK)
        chosen = _brackets_in_turns(found, min(BRACKETS * len(moving), NUMBERS // cost))
        return sorted(self._close_in(chosen), key=lambda crossing: crossing.kind)

    def _brackets(self, name: str, domain: Domain, numbers: int) -> list[_Bracket]:
        """The intervals of a grid in which a code changes."""
        count = min(GRID, numbers // (8 * max(self.program.elements, 1)))
        if count < _FEWEST:
            return []
        tried = domain.grid(self.format, count)
        if tried.size < _FEWEST:
            return []
        everywhere = range(len(self.program.nodes))
        moved = {name: _filled_arrays(tried, self.given[name].shape)}
        codes = self._run(self.program, everywhere, moved)
        return [
            bracket
            for key, code in codes.items()
            for bracket in self._brackets_at_changes(name, tried, key, code)
        ]

    def _run(
        self, program: Program, wanted: Collection[int], moved: Mapping[str, Floats]
    ) -> Mapping[_Key, Codes]:
        """The codes of wanted nodes of a program, at moved inputs."""
        arithmetic = _CodeArithmetic(self.format, wanted)
        still = {
            name: np.asarray(value, dtype=np.float64)[None] for name, value in self.given.items()
        }
        evaluate(program, arithmetic, {**still, **moved})
        return arithmetic.codes

    def _brackets_at_changes(
        self, name: str, tried: Floats, key: _Key, code: Codes
    ) -> list[_Bracket]:
        changes = code[1:] != code[:-1]
        if self._watch(key).exact:
            # Right on the grid: there is nothing to close in on.
            hit = np.zeros(code.shape, dtype=bool)
            hit[1:-1] = (code[1:-1] == 0) & changes[1:] & changes[:-1]
            changes &= ~(hit[1:] | hit[:-1])
            exact = [
                _Bracket(key, name, element, tried[row], tried[row], 0)
                for row, element in _places_in_turns(hit)
            ]
        else:
            exact = []
        return exact + [
            _Bracket(key, name, element, tried[row], tried[row + 1], int(code[row, element]))
            for row, element in _places_in_turns(changes)
        ]

    def _close_in(self, brackets: Sequence[_Bracket]) -> list[Crossing]:
        low, high = (
            np.array([getattr(bracket, end) for bracket in brackets]) for end in ("low", "high")
        )
        # The rest of the program changes no code that is asked for.
        part = Program(self.program.nodes, tuple(sorted({one.key[0] for one in brackets})))
        for _ in range(_HALVINGS):
            middle = float_halfway(low, high, self.format)
            open_ = np.flatnonzero((middle != low) & (middle != high)).tolist()
            if not open_:
                break
            codes = self._codes_at(part, [brackets[place] for place in open_], middle[open_])
            for place, code in zip(open_, codes, strict=True):
                end = low if code == brackets[place].code else high
                end[place] = middle[place]
        return [
            self._crossing(bracket, *ends)
            for bracket, *ends in zip(brackets, low.tolist(), high.tolist(), strict=True)
        ]

    def _codes_at(
        self, program: Program, brackets: Sequence[_Bracket], values: Floats
    ) -> list[int]:
        """The code of each bracket, its input at its value."""
        rows = range(len(brackets))
        if len(brackets) == 1:
            # A single row looks like what does not move.
            values, brackets = np.repeat(values, 2), [*brackets, *brackets]
        moved = {}
        for name in {bracket.name for bracket in brackets}:
            own = [bracket.name == name for bracket in brackets]
            array = np.repeat(
                np.asarray(self.given[name], dtype=np.float64)[None], len(brackets), axis=0
            )
            array[own] = _filled_arrays(values[own], array.shape[1:])
            moved[name] = array
        codes = self._run(program, program.outputs, moved)
        return [int(codes[brackets[row].key][row, brackets[row].element]) for row in rows]

    def _crossing(self, bracket: _Bracket, low: float, high: float) -> Crossing:
        node, watch = bracket.key
        kind = self._watch(bracket.key).kind
        hit = low if bracket.code == 0 and self._watch(bracket.key).exact else high
        return Crossing(kind, bracket.name, node, watch, bracket.element, low, high, hit)

    def _watch(self, key: _Key) -> CrossingWatch:
        return WATCHED[self.program.nodes[key[0]].operation][key[1]]


def compares(program: Program, names: Collection[str]) -> bool:
    """Whether a comparison, a maximum or a corner depends on one of these inputs."""
    moving: set[int] = set()
    for place, node in enumerate(program.nodes):
        own = node.operation == INPUT and node.payload in names
        if own or not moving.isdisjoint(node.arguments):
            moving.add(place)
            watches = () if own else WATCHED.get(node.operation, ())
            if any(watch.kind is CrossingKind.BORDER for watch in watches):
                return True
    return False


def _filled_arrays(values: Floats, shape: Shape) -> Floats:
    """For each value an array of that shape that is full of it."""
    return np.broadcast_to(values.reshape(-1, *([1] * len(shape))), (values.size, *shape))


def _places_in_turns(mask: Truths) -> list[tuple[int, int]]:
    """Row and column of what is true: of each row the first, then of each the second; not
    too many.
    """
    rows, columns = np.nonzero(mask)
    _, first, own = np.unique(rows, return_index=True, return_inverse=True)
    order = np.argsort(np.arange(rows.size) - first[own], kind="stable")[:BRACKETS]
    return list(zip(rows[order].tolist(), columns[order].tolist(), strict=True))


def _brackets_in_turns(brackets: Sequence[_Bracket], most: int) -> list[_Bracket]:
    """So many brackets at most, each watch of each input in turn."""
    waiting: dict[tuple[str, _Key], list[_Bracket]] = {}
    for bracket in brackets:
        waiting.setdefault((bracket.name, bracket.key), []).append(bracket)
    turns = [row for column in zip_longest(*waiting.values()) for row in column if row is not None]
    return turns[: max(most, 0)]
