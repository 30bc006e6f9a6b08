"""Layers: where the boxes of a graph stand on paper, so that all arrows point down and few of them
cross.

Each box stands just above the highest one that takes it. An arrow that passes a layer keeps a place
of its own in it, so that it runs behind no box.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

SWEEPS = 12
GAP = 24.0
"""Between two boxes of a layer."""

_Place = tuple[str, str, int]
"""A box is (its name, "", its layer); an arrow passing a layer is (from, to, the layer)."""


@dataclass(frozen=True)
class Layers:
    """The layers from top to bottom, and where everything in them has its middle, from left to
    right.
    """

    boxes: tuple[tuple[str, ...], ...]
    centres: Mapping[str, float]
    arrows: Mapping[tuple[str, str], tuple[float, ...]]
    """For each argument and user, where the arrow passes each layer in between."""
    width: float


def place_boxes(arguments: Mapping[str, Sequence[str]], widths: Mapping[str, float]) -> Layers:
    """Places for boxes of these widths; `arguments` says what each takes, in an order of
    evaluation.

    >>> widths = {"x": 10.0, "w": 10.0, "product": 30.0}
    >>> found = place_boxes({"x": (), "w": (), "product": ("w", "x")}, widths)
    >>> found.boxes
    (('x', 'w'), ('product',))
    """
    depths = _depths(arguments)
    bottom = max(depths.values())
    above: dict[_Place, list[_Place]] = {}
    chains: dict[tuple[str, str], list[_Place]] = {}
    for user, taken in arguments.items():
        for name in taken:
            passed: list[_Place] = [
                (name, user, layer) for layer in range(depths[name] + 1, depths[user])
            ]
            chain: list[_Place] = [(name, "", depths[name]), *passed, (user, "", depths[user])]
            chains[name, user] = passed
            for one, other in pairwise(chain):
                above.setdefault(other, []).append(one)
    places = [(name, "", depths[name]) for name in arguments]
    places += [place for passed in chains.values() for place in passed]
    layers = [[place for place in places if place[2] == layer] for layer in range(bottom + 1)]
    near = _neighbours(above)
    for sweep in range(SWEEPS):
        _sort_layers(layers if sweep % 2 else layers[::-1], near)
    sizes = {place: 0.0 if place[1] else widths[place[0]] for place in places}
    centres = _centres(layers, sizes, near)
    left = min(centres[place] - sizes[place] / 2 for place in places)
    right = max(centres[place] + sizes[place] / 2 for place in places)
    return Layers(
        tuple(tuple(place[0] for place in layer if not place[1]) for layer in layers),
        {place[0]: centres[place] - left for place in places if not place[1]},
        {ends: tuple(centres[place] - left for place in passed) for ends, passed in chains.items()},
        right - left,
    )


def _depths(arguments: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The layer of each box, counted from the top: just above the highest of those that take it."""
    height = dict.fromkeys(arguments, 0)
    for user in reversed(list(arguments)):
        for name in arguments[user]:
            height[name] = max(height[name], height[user] + 1)
    top = max(height.values())
    return {name: top - found for name, found in height.items()}


def _neighbours(above: Mapping[_Place, Sequence[_Place]]) -> dict[_Place, list[_Place]]:
    near: dict[_Place, list[_Place]] = {}
    for lower, uppers in above.items():
        for upper in uppers:
            near.setdefault(lower, []).append(upper)
            near.setdefault(upper, []).append(lower)
    return near


def _sort_layers(layers: Sequence[list[_Place]], near: Mapping[_Place, Sequence[_Place]]) -> None:
    """Each layer put in the order of the mean places of its neighbours in the layer before."""
    for before, layer in pairwise(layers):
        ranks = {place: rank for rank, place in enumerate(before)}
        own = {place: rank for rank, place in enumerate(layer)}

        def mean(
            place: _Place, ranks: Mapping[_Place, int] = ranks, own: Mapping[_Place, int] = own
        ) -> float:
            known = [ranks[other] for other in near.get(place, ()) if other in ranks]
            return sum(known) / len(known) if known else own[place]

        layer.sort(key=mean)


def _centres(
    layers: Sequence[Sequence[_Place]],
    sizes: Mapping[_Place, float],
    near: Mapping[_Place, Sequence[_Place]],
) -> dict[_Place, float]:
    """Middles as near as may be to those of the neighbours, in the order of the layers and not
    overlapping.
    """
    centres = {place: 0.0 for layer in layers for place in layer}
    for _ in range(SWEEPS):
        for layer in (*layers, *reversed(layers)):
            wanted = [
                _mean([centres[other] for other in near.get(place, (place,))]) for place in layer
            ]
            centres.update(
                zip(layer, _push_apart(wanted, [sizes[place] for place in layer]), strict=True)
            )
    return centres


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def _push_apart(wanted: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """The nearest numbers that keep their order and leave room for the sizes: neighbours that
    collide move as one.
    """
    offsets = [0.0]
    for one, other in pairwise(sizes):
        offsets.append(offsets[-1] + (one + other) / 2 + GAP)
    groups: list[list[float]] = []
    for target, offset in zip(wanted, offsets, strict=True):
        groups.append([target - offset])
        while len(groups) > 1 and _mean(groups[-2]) > _mean(groups[-1]):
            last = groups.pop()
            groups[-1] += last
    starts = [_mean(group) for group in groups for _ in group]
    return [start + offset for start, offset in zip(starts, offsets, strict=True)]
