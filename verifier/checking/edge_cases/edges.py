"""Edges: numbers at which something happens in code, taken from the program of its own forward.

Points drawn at random never hit a corner, the border of a branch, or the float from which on a
function is its limit. These numbers are found by moving each input through its domain (`scan.py`);
behind them come numbers that are worth trying in any code, such as 0 and the smallest floats.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from verifier.checking.edge_cases.critical_points import CrossingKind
from verifier.checking.edge_cases.domain import Domain, float_beside, round_to_floats
from verifier.checking.edge_cases.edge_points import make_edge_points, points_with_own_edges
from verifier.checking.edge_cases.scan import Crossing, Sweep
from verifier.operations.arrays import Floats
from verifier.operations.formats import Format
from verifier.program.program import Program

__all__ = [
    "Domain",
    "ProgramEdges",
    "find_edge_values",
    "find_edges",
    "make_edge_points",
    "points_with_own_edges",
]

MOST_CROSSINGS = 48
"""Of one input so many different ones are used."""
PIECES = 12
"""At most so many middles between neighbouring borders."""
OWN = 8
"""For one input at most so many arrays in which each element has its own edge."""
_PARTING = (CrossingKind.BORDER, CrossingKind.SINGULAR, CrossingKind.TAIL)
_WHOLE = (2.0, 3.0, 10.0, 100.0, 1000.0)
"""Ordinary sizes above 1, where powers and exponentials grow."""


@dataclass(frozen=True, eq=False)
class ProgramEdges:
    """Where something happens in the inputs of a program."""

    values: Mapping[str, tuple[float, ...]]
    """For each input that has a domain numbers of it, those of this program first; each is a float
    of the format.
    """
    pieces: Mapping[str, tuple[float, ...]]
    """For each such input a number in the middle of each piece that comparisons divide its domain
    into; none where nothing is compared.
    """
    own: Mapping[str, tuple[Floats, ...]]
    """For each such input arrays of its shape in which elements stand where something happens in
    their own place.
    """


def find_edges(
    program: Program,
    given: Mapping[str, Floats],
    domains: Mapping[str, Domain],
    format: Format,
) -> ProgramEdges:
    """What happens in each input that has a domain, around one point of the program.

    `given` has a float64 array for every input of the program. The numbers are strictly inside the
    domain. A program that holds at this point only may give numbers at which nothing happens.

    >>> from verifier.program.builder import Builder
    >>> from verifier.operations.formats import FLOAT64
    >>> build = Builder()
    >>> x, y = build.input("x", (2,)), build.input("y", (2,))
    >>> program = build.program(build.apply("abs", build.apply("subtract", x, y)))
    >>> point = {"x": np.zeros(2), "y": np.array([0.25, 0.75])}
    >>> found = find_edges(program, point, {"x": Domain(-1.0, 1.0)}, FLOAT64)
    >>> found.values["x"][:2], found.own["x"][0].tolist()
    ((0.25, 0.75), [0.25, 0.75])
    """
    crossings = Sweep(program, given, format).crossings(domains)
    by_name = {
        name: [crossing for crossing in crossings if crossing.name == name] for name in domains
    }
    return ProgramEdges(
        {name: _edge_numbers(by_name[name], domain, format) for name, domain in domains.items()},
        {name: _pieces(by_name[name], domain, format) for name, domain in domains.items()},
        {name: _own_arrays(by_name[name], program, np.asarray(given[name])) for name in domains},
    )


def find_edge_values(
    program: Program,
    given: Mapping[str, Floats],
    domains: Mapping[str, Domain],
    format: Format,
) -> dict[str, tuple[float, ...]]:
    """The numbers of `find_edges` alone, by input."""
    return dict(find_edges(program, given, domains, format).values)


def _edge_numbers(
    crossings: Sequence[Crossing], domain: Domain, format: Format
) -> tuple[float, ...]:
    crossings = _one_at_each_place(crossings)
    numbers = [*_numbers_of_program(crossings, domain, format), *_general_numbers(domain, format)]
    floats = [float(number) for number in round_to_floats(np.array(numbers), format)]
    # 0 and -0 are two floats.
    found = {(number, math.copysign(1.0, number)): number for number in floats if number in domain}
    return tuple(found.values())


def _one_at_each_place(crossings: Sequence[Crossing]) -> list[Crossing]:
    """One at each place, the most interesting."""
    found: dict[float, Crossing] = {}
    for crossing in crossings:
        found.setdefault(crossing.hit, crossing)
    return list(found.values())[:MOST_CROSSINGS]


def _numbers_of_program(
    crossings: Sequence[Crossing], domain: Domain, format: Format
) -> Iterator[float]:
    shortened = [_shorter_number(crossing.hit, format) for crossing in crossings]
    yield from shortened
    yield from _middles_between_borders(
        {crossing.hit for crossing in crossings if crossing.kind in _PARTING}, domain, format
    )
    for crossing, short in zip(crossings, shortened, strict=True):
        yield from (crossing.low, crossing.high)
        for number, step in ((crossing.low, -1), (crossing.high, 1), (short, -1), (short, 1)):
            yield float_beside(number, step, format)
    for crossing in crossings:
        yield from _numbers_beside(crossing.hit, format)


def _shorter_number(number: float, format: Format) -> float:
    """A number of fewer digits that is as good: rounding on the way blurs a border by a float or
    two.
    """
    short = float(
        round_to_floats(float(f"{number:.{max(1, int(format.decimal_digits) - 2)}g}"), format)
    )
    return short if abs(short - number) <= 2.0 * format.unit_roundoff * abs(number) else number


def _pieces(crossings: Sequence[Crossing], domain: Domain, format: Format) -> tuple[float, ...]:
    borders = {crossing.hit for crossing in crossings if crossing.kind is CrossingKind.BORDER}
    middles = round_to_floats(_middles_between_borders(borders, domain, format), format)
    return tuple(number for number in middles.tolist() if number in domain)


def _middles_between_borders(
    borders: Iterable[float], domain: Domain, format: Format
) -> list[float]:
    """A number in the middle of each piece between neighbouring borders: a branch may be narrow."""
    if not borders:
        return []
    ends = (
        end if math.isfinite(end) else math.copysign(format.largest, end)
        for end in (domain.low, domain.high)
    )
    parts = sorted({*borders, *ends})
    return [one / 2 + other / 2 for one, other in pairwise(parts)][:PIECES]


def _numbers_beside(number: float, format: Format) -> tuple[float, float]:
    """So far away that half of the digits of a difference are left."""
    step = math.sqrt(format.unit_roundoff) * (abs(number) or 1.0)
    return number - step, number + step


def _general_numbers(domain: Domain, format: Format) -> Iterator[float]:
    """What is worth trying in any code."""
    low, high = domain.ends(format)
    if low > high:
        return
    yield from (0.0, -0.0, 1.0, -1.0, low, high)
    unit, normal = format.unit_roundoff, format.smallest_normal
    sizes = (math.sqrt(unit), unit, normal, format.smallest_subnormal, math.sqrt(normal), 0.5)
    yield from _both_signs(
        (*sizes, *_WHOLE, 1 / math.sqrt(unit), 1 / unit, math.sqrt(format.largest))
    )
    yield from (float_beside(number, step, format) for number in (1.0, -1.0) for step in (1, -1))
    yield from (float_beside(low, 1, format), float_beside(high, -1, format))
    whole = (math.floor(low) + 1.0, math.ceil(high) - 1.0)
    yield from whole
    yield from _both_signs(2.0**power for power in (2, 3, 4, 8, 16, -2, -3, -4, -8, -16))
    for number in _both_signs((0.5, normal, *_WHOLE[:2])):
        yield from (float_beside(number, 1, format), float_beside(number, -1, format))
    yield from _both_signs((format.largest,))


def _both_signs(sizes: Iterable[float]) -> Iterator[float]:
    for size in sizes:
        yield from (size, -size)


def _own_arrays(
    crossings: Sequence[Crossing], program: Program, given: Floats
) -> tuple[Floats, ...]:
    """Arrays for the watches that stand in different places for different elements."""
    by_watch: dict[tuple[int, int], list[Crossing]] = {}
    for crossing in crossings:
        if (
            crossing.kind in _PARTING
            and math.prod(program.nodes[crossing.node].shape) == given.size > 1
        ):
            by_watch.setdefault((crossing.node, crossing.watch), []).append(crossing)
    arrays = []
    for found in by_watch.values():
        if len({crossing.hit for crossing in found}) > 1:
            arrays += _crossing_arrays(found, given)
    return tuple(arrays[:OWN])


def _crossing_arrays(crossings: Sequence[Crossing], given: Floats) -> list[Floats]:
    """In the first array the first crossing of each element, in the second the second."""
    arrays: list[Floats] = []
    passed: dict[int, int] = {}
    for crossing in sorted(crossings, key=lambda crossing: crossing.hit):
        turn = passed.get(crossing.element, 0)
        passed[crossing.element] = turn + 1
        if turn == len(arrays):
            arrays.append(np.array(given, dtype=np.float64).ravel())
        arrays[turn][crossing.element] = crossing.hit
    return [array.reshape(given.shape) for array in arrays]
