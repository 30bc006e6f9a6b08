"""Simplify: from a point at which something fails to a simple one at which it still fails.

As in the shrinking of Hypothesis (MacIver and Donaldson, ECOOP 2020) only what is simpler is tried,
and only what was seen to fail is kept, until nothing simpler fails: smaller arrays first, then
zeros and ones, then numbers of few digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from verifier.capture.to_numpy import bytes_of
from verifier.checking.edge_cases.domain import Domain, round_to_floats
from verifier.checking.shrink.simpler_number import (
    SMALL,
    format_of_tensor,
    is_simpler,
    numbers_of_tensor,
    simpler_candidates,
)
from verifier.errors import InputError
from verifier.operations.arrays import Floats, Indices
from verifier.process.deadline import Deadline

Inputs = Mapping[str, torch.Tensor]
Fails = Callable[[Inputs], bool]
Axes = tuple[tuple[str, int], ...]
"""Names of inputs with an axis of each."""
SINGLY = 16
"""Of so many numbers that are not 0, each is simplified by itself; of more only all together."""
_PIECES = (4, 8)


def find_simplest(
    inputs: Inputs,
    fails: Fails,
    within: Mapping[str, Domain],
    tries: int = 200,
    deadline: Deadline = Deadline.NEVER,
) -> dict[str, torch.Tensor]:
    """The simplest point found that fails, from one that fails.

    Only inputs in `within` change: their axes become shorter, those of the same length together
    first, and their numbers simpler, inside their domain; dtypes stay. Inputs of one shape keep one
    shape, and no axis alone becomes so short that it is broadcast against what was as long. What
    makes `fails` raise
    does not fail. `fails` is called at most `tries` times and not after `deadline`, first with
    `inputs` themselves; where neither ended the search, the result simplifies to itself.

    Raises InputError where the inputs do not fail, and for fewer tries than 1.

    >>> point = {"x": torch.tensor([0.3712, 37.9713, -2.25], dtype=torch.float64)}
    >>> fails = lambda given: bool((given["x"] > 30).any())
    >>> find_simplest(point, fails, {"x": Domain(-50.0, 50.0)})["x"]
    tensor([31.], dtype=torch.float64)
    """
    if tries < 1:
        raise InputError(f"tries is {tries!r}: use a whole number, 1 or above")
    search = _ShrinkSearch(inputs, fails, within, tries, deadline)
    if not search.fails(search.point):
        raise InputError(
            "the point that is to be simplified does not fail: give one at which the check fails"
        )
    search.run()
    return search.point


@dataclass(eq=False)
class _ShrinkSearch:
    """The simplest point so far, and the tries left."""

    given: Inputs
    asked: Fails
    within: Mapping[str, Domain]
    left: int
    deadline: Deadline
    point: dict[str, torch.Tensor] = field(init=False)
    _known: set[tuple[object, ...]] = field(default_factory=set)
    """Points that do not fail."""

    def __post_init__(self) -> None:
        self.point = {name: tensor.detach().clone() for name, tensor in self.given.items()}

    def run(self) -> None:
        before = None
        while before != _point_key(self.point) and self.left > 0:
            before = _point_key(self.point)
            for step in (self._shorten, self._round, self._clear, self._simplify_each):
                step()

    def fails(self, point: Inputs) -> bool:
        """Whether it fails, when there is a try left."""
        key = _point_key(point)
        if key in self._known or self.left <= 0:
            return False
        self.left -= 1
        try:
            # What is asked may write to what it is given.
            failed = bool(self.asked({name: tensor.clone() for name, tensor in point.items()}))
        except Exception:
            failed = False
        if self.deadline.passed():
            self.left = 0
        if not failed:
            self._known.add(key)
        return failed

    def _keep(self, changed: Inputs) -> bool:
        """Take these inputs if the point with them fails."""
        point = {**self.point, **changed}
        if _point_key(point) == _point_key(self.point) or not self.fails(point):
            return False
        self.point = point
        return True

    @property
    def _changing(self) -> list[str]:
        return [name for name in self.point if name in self.within]

    # shorter axes

    def _shorten(self) -> None:
        """Halves of axes, of all axes of the same length first; then pieces of them are left
        out.
        """
        for axes in self._axis_groups():
            while self._keep_one(axes, _halves_of_places(self._length(axes))):
                pass
            for count in _PIECES:
                while self._keep_one(axes, _places_without_piece(self._length(axes), count)):
                    pass

    def _keep_one(self, axes: Axes, choices: Iterable[Indices]) -> bool:
        """Take the first choice of places on the axes that fails."""
        length = self._length(axes)
        own = {name for name, _ in axes}
        fits_others = any(
            length in tensor.shape for name, tensor in self.point.items() if name not in own
        )
        has_numbers = any(self.point[name].is_floating_point() for name, _ in axes)
        allowed = (
            places
            for places in choices
            if not (has_numbers and self._is_counted_on(len(places), length))
            and not (len(places) == 1 and fits_others)
        )
        selected = (self._select(axes, places) for places in allowed)
        return any(self._keep(changed) for changed in selected if self._keeps_shapes(changed))

    def _keeps_shapes(self, changed: Inputs) -> bool:
        """Whether inputs that were given in one shape are still of one shape."""
        now: dict[torch.Size, set[torch.Size]] = {}
        for name, tensor in {**self.point, **changed}.items():
            now.setdefault(self.given[name].shape, set()).add(tensor.shape)
        return all(len(shapes) == 1 for shapes in now.values())

    def _is_counted_on(self, shorter: int, length: int) -> bool:
        """Whether a whole number among the inputs may be a place on an axis that the shorter one
        lacks, or its length: torch's own kernels (ctc_loss) write behind a shorter axis, and the
        process ends.
        """
        whole = [tensor for tensor in self.point.values() if not tensor.is_floating_point()]
        return any(bool(((shorter <= one) & (one <= length)).any()) for one in whole)

    def _axis_groups(self) -> Iterator[Axes]:
        """While it goes on lengths change: each group is of those that are there then."""
        done: set[Axes] = set()
        while True:
            lengths: dict[int, list[tuple[str, int]]] = {}
            for name in self._changing:
                for axis, length in enumerate(self.point[name].shape):
                    lengths.setdefault(length, []).append((name, axis))
            groups = [
                tuple(axes) for length, axes in sorted(lengths.items(), reverse=True) if length > 1
            ]
            groups += [some for axes in groups for some in self._of_one_shape(axes)]
            waiting = [axes for axes in groups if axes not in done]
            if not waiting:
                return
            done.add(waiting[0])
            yield waiting[0]

    def _of_one_shape(self, axes: Axes) -> list[Axes]:
        """Of axes of one length those of each shape: the same axis of all inputs that have it."""
        alike: dict[tuple[object, ...], list[tuple[str, int]]] = {}
        for name, axis in axes:
            alike.setdefault((tuple(self.given[name].shape), axis), []).append((name, axis))
        return [tuple(some) for some in alike.values()] if len(alike) > 1 else []

    def _length(self, axes: Axes) -> int:
        name, axis = axes[0]
        return self.point[name].shape[axis]

    def _select(self, axes: Axes, places: Indices) -> Inputs:
        changed: dict[str, torch.Tensor] = {}
        for name, axis in axes:
            tensor = changed.get(name, self.point[name])
            changed[name] = tensor.index_select(axis, torch.as_tensor(places, device=tensor.device))
        return changed

    # simpler numbers

    def _floats(self) -> list[str]:
        return [
            name
            for name in self._changing
            if self.point[name].is_floating_point() and self.point[name].numel()
        ]

    def _clear(self) -> None:
        """As many numbers as possible become 0, or where that is outside the domain 1 or a round
        number.
        """
        for name in self._floats():
            simplest_ = [
                kind for kind in (0.0, 1.0, -1.0, 0.5, -0.5, 2.0) if kind in self.within[name]
            ][:1]
            waiting = [np.arange(self.point[name].numel())] if simplest_ else []
            while waiting and self.left > 0:
                places = waiting.pop(0)
                if not self._replace(name, places, simplest_[0]) and places.size > 1:
                    waiting += np.array_split(places, 2)

    def _round(self) -> None:
        """All numbers of an input become simpler together."""
        for name in self._floats():
            numbers = numbers_of_tensor(self.point[name])
            for kind in simpler_candidates(numbers, format_of_tensor(self.point[name])):
                if self._replace(name, np.arange(numbers.size), kind):
                    break

    def _simplify_each(self) -> None:
        for name in self._floats():
            places = np.flatnonzero(numbers_of_tensor(self.point[name]))
            for place in places if places.size <= SINGLY else ():
                self._simplify(name, np.array([place]))

    def _simplify(self, name: str, place: Indices) -> None:
        """One number: its nearest one of the simplest kind that fails, then of a whole number a
        smaller one.
        """
        number = numbers_of_tensor(self.point[name])[place]
        for kind in simpler_candidates(number, format_of_tensor(self.point[name])):
            if self._replace(name, place, kind):
                break
        found = float(numbers_of_tensor(self.point[name])[place][0])
        if found.is_integer() and 1 < abs(found) < SMALL:
            self._lower(name, place, found)

    def _lower(self, name: str, place: Indices, whole: float) -> None:
        """The smallest whole number that fails, if all above it fail."""
        passing, failing = 0, int(abs(whole))
        while failing - passing > 1 and self.left > 0:
            middle = (passing + failing) // 2
            if self._replace(name, place, np.copysign(middle, whole)):
                failing = middle
            else:
                passing = middle

    def _replace(self, name: str, places: Indices, values: Floats | float) -> bool:
        """Take these values at some places, where they are simpler and in the domain."""
        tensor, domain = self.point[name], self.within[name]
        numbers = numbers_of_tensor(tensor).copy()
        own, wanted = (
            numbers[places],
            np.broadcast_to(round_to_floats(values, format_of_tensor(tensor)), places.shape),
        )
        better = domain.inside(wanted) & is_simpler(wanted, own, format_of_tensor(tensor))
        if not better.any():
            return False
        numbers[places] = np.where(better, wanted, own)
        return self._keep({name: torch.from_numpy(numbers).reshape(tensor.shape).to(tensor)})


def _halves_of_places(length: int) -> list[Indices]:
    """The places of each half."""
    return np.array_split(np.arange(length), 2) if length > 1 else []


def _places_without_piece(length: int, count: int) -> list[Indices]:
    """All places but those of one of so many pieces."""
    pieces = [piece for piece in np.array_split(np.arange(length), count) if piece.size]
    return [np.setdiff1d(np.arange(length), piece) for piece in pieces] if len(pieces) > 1 else []


def _point_key(point: Inputs) -> tuple[object, ...]:
    return tuple((tuple(tensor.shape), bytes_of(tensor)) for tensor in point.values())
