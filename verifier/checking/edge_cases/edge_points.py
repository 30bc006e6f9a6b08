"""Edge points: points of code whose elements stand at edges, many in one point.

Elements that are not replaced keep their numbers, so that a sum or a maximum gets ordinary numbers
beside the edges.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

import torch

from verifier.capture.to_numpy import bytes_of
from verifier.operations.arrays import Floats

Point = dict[str, torch.Tensor]
Values = Mapping[str, tuple[float, ...]]
KEPT = 3
"""Of an array, every third element keeps its number."""


def make_edge_points(values: Values, base: Mapping[str, torch.Tensor], limit: int) -> list[Point]:
    """Points in which elements of some inputs of the base take these values in turn, at most so
    many.

    The first are: a mixture, neighbouring elements that tie, everything 0 where 0 is among the
    values, all elements of an input the same, and all of them nearly the same; then mixtures until
    all values have had their turn, and each input level at each of its values. Inputs without
    values stay as they are.

    >>> points = make_edge_points({"x": (0.0, 3.0)}, {"x": torch.tensor([0.5, 1.5, 2.5])}, 3)
    >>> [point["x"].tolist() for point in points]
    [[0.0, 3.0, 2.5], [0.5, 0.5, 2.5], [0.0, 0.0, 0.0]]
    """
    drawn = {name: tuple(values[name]) for name in base if values.get(name)}
    if not drawn or limit <= 0:
        return []
    mixed = _mixtures(drawn, base)
    levels = _level_points(drawn, base)
    first = [
        *islice(mixed, 1),
        _point_of_ties(drawn, base),
        *_point_of_zeros(drawn, base),
        *islice(levels, 1),
        _point_of_near_numbers(drawn, base),
    ]
    found: list[Point] = []
    seen = {_point_bits(base)}
    for point in chain(first, mixed, levels):
        if _point_bits(point) not in seen:
            seen.add(_point_bits(point))
            found.append(point)
        if len(found) == limit:
            break
    return found


def points_with_own_edges(
    own: Mapping[str, Sequence[Floats]], base: Mapping[str, torch.Tensor]
) -> list[Point]:
    """For each array a point of the base with that input in its place.

    >>> points = points_with_own_edges({"x": ([1.0, 2.0],)}, {"x": torch.zeros(2)})
    >>> [point["x"].tolist() for point in points]
    [[1.0, 2.0]]
    """
    return [
        {**base, name: torch.as_tensor(array, dtype=torch.float64).to(base[name])}
        for name, arrays in own.items()
        for array in arrays
    ]


def _point_bits(point: Mapping[str, torch.Tensor]) -> tuple[bytes, ...]:
    """Floats by their bits: 0 and -0 are different, and a NaN is itself."""
    return tuple(bytes_of(tensor) for tensor in point.values())


def _mixtures(values: Values, base: Mapping[str, torch.Tensor]) -> Iterator[Point]:
    """Until every value of every input has been taken.

    Either all inputs are at edges, or one of them: beside another's edge nothing might happen.
    """
    names = list(values)
    alone = [{name} for name in names] if len(names) > 1 else []
    groups = [set(names), *chain.from_iterable((one, set(names)) for one in alone)][
        : 2 * len(alone) or 1
    ]
    taken = dict.fromkeys(names, 0)
    turn = 0
    while any(taken[name] < len(values[name]) for name in names):
        point = dict(base)
        for place, name in enumerate(names):
            if name in groups[turn % len(groups)]:
                # Inputs of as many values would meet the same partners again and again.
                start = taken[name] + place * (turn // len(groups))
                point[name], count = _mix_values(base[name], values[name], start, turn)
                taken[name] += count
        turn += 1
        yield point


def _mix_values(
    tensor: torch.Tensor, values: tuple[float, ...], start: int, turn: int
) -> tuple[torch.Tensor, int]:
    """The tensor with some elements replaced by the values from a place on, and how many."""
    flat = tensor.detach().clone().reshape(-1)
    places = [
        place
        for place in range(flat.numel())
        if flat.numel() < KEPT or (place + turn) % KEPT != KEPT - 1
    ]
    chosen = [values[(start + step) % len(values)] for step in range(len(places))]
    flat[places] = torch.tensor(chosen, dtype=torch.float64).to(flat)
    return flat.reshape(tensor.shape), max(len(places), 1)


def _point_of_ties(values: Values, base: Mapping[str, torch.Tensor]) -> Point:
    """Neighbours are equal along each axis."""
    point = dict(base)
    for name in values:
        tensor = base[name].detach().clone()
        for axis in range(tensor.ndim):
            places = torch.arange(tensor.shape[axis], device=tensor.device) // 2 * 2
            tensor = tensor.index_select(axis, places)
        point[name] = tensor
    return point


def _point_of_zeros(values: Values, base: Mapping[str, torch.Tensor]) -> list[Point]:
    zeros = {name: torch.zeros_like(base[name]) for name in values if 0.0 in values[name]}
    return [{**base, **zeros}] if zeros else []


def _level_points(values: Values, base: Mapping[str, torch.Tensor]) -> Iterator[Point]:
    """All elements of one input the same, at each value in turn."""
    for turn in range(max(map(len, values.values()))):
        for name, numbers in values.items():
            if turn < len(numbers):
                yield {**base, name: torch.full_like(base[name], numbers[turn])}


def _point_of_near_numbers(values: Values, base: Mapping[str, torch.Tensor]) -> Point:
    """Each input near its largest value, its elements a few floats apart: what is subtracted there
    cancels.
    """
    point = dict(base)
    for name, numbers in values.items():
        largest = max(numbers, key=abs)
        step = torch.finfo(base[name].dtype).eps * 2.0 ** (math.frexp(largest)[1] - 1)
        # Towards 0, so that they stay in the domain.
        steps = torch.arange(base[name].numel(), dtype=torch.float64).reshape(base[name].shape) % 8
        moved = largest - steps.copysign(torch.tensor(largest, dtype=torch.float64)) * step
        point[name] = moved.to(base[name])
    return point
