"""Reservoirs: long series in memory that does not grow with their length, and what is lost is said.

Numbers are sampled evenly, rows are merged in buckets, and of the steps of a run the worst of each
stretch is kept.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from verifier.operations.arrays import Floats, Numeric
from verifier.training.runner import Judged, Step

SAMPLE_SIZE = 10_000
CURVE_POINTS = 500
SHOWN_STEPS = 200


class Sample:
    """Numbers of a long series, evenly thinned to at most SAMPLE_SIZE of them."""

    def __init__(self) -> None:
        self._values = np.empty(0)
        self._stride = 1
        self._seen = 0

    def add(self, values: Floats) -> None:
        """Gather these numbers, of which there may be none."""
        offset = -self._seen % self._stride
        self._seen += len(values)
        self._values = np.concatenate([self._values, values[offset :: self._stride]])
        while len(self._values) > SAMPLE_SIZE:
            self._values = self._values[::2]
            self._stride *= 2

    def median(self) -> float:
        """The median of what is kept; NaN where there were no numbers."""
        return float(np.median(self._values)) if len(self._values) else float("nan")


class Buckets:
    """Rows of a long series, merged into at most CURVE_POINTS buckets; `merge` makes a row of each
    group of rows.
    """

    def __init__(self, merge: Callable[[Floats], Floats]) -> None:
        self._merge = merge
        self._kept: Floats | None = None
        self._tail: Floats | None = None
        self._last: Floats | None = None
        self._stride = 1

    def add(self, rows: Floats) -> None:
        """Gather these rows, of which there may be none."""
        self._last = rows[-1:] if len(rows) else self._last
        fresh = rows if self._tail is None else np.concatenate([self._tail, rows])
        whole = len(fresh) // self._stride * self._stride
        self._tail = fresh[whole:]
        merged = self._merged(fresh[:whole], self._stride)
        self._kept = merged if self._kept is None else np.concatenate([self._kept, merged])
        while len(self._kept) > CURVE_POINTS:
            even = len(self._kept) // 2 * 2
            # An odd one out waits in a bucket of its own; its count says where it stands.
            self._kept = np.concatenate([self._merged(self._kept[:even], 2), self._kept[even:]])
            self._stride *= 2

    def rows(self) -> Floats:
        """The rows of all buckets; (0, 3) where there were none."""
        if self._last is None or self._kept is None or self._tail is None:
            return np.empty((0, 3))
        # What fills no bucket yet is one more, and where the series ends is always seen.
        rest = self._merge(self._tail[None]) if len(self._tail) else self._tail
        merged = np.concatenate([self._kept, rest])
        ends = len(merged) and np.array_equal(merged[-1:], self._last, equal_nan=True)
        return merged if ends else np.concatenate([merged, self._last])

    def _merged(self, rows: Floats, size: int) -> Floats:
        groups = rows.reshape(-1, size, *rows.shape[1:])
        return self._merge(groups) if len(groups) else groups[:, 0]


def largest_in_groups(groups: Floats) -> Floats:
    """The largest of each column in each group; of the first column, which counts, the first.

    `groups` has the shape (groups, rows in each, columns), the result (groups, columns). NaN is
    passed over.
    """
    merged = np.fmax.reduce(groups, axis=1)
    merged[:, 0] = groups[:, 0, 0]
    result: Floats = merged
    return result


def first_of_groups(groups: Floats) -> Floats:
    """The first row of each group."""
    return groups[:, 0]


def worst_of_groups(groups: Floats) -> Floats:
    """Of each parameter the point with the worst outcome, and within it the largest error for
    its allowance.

    `groups` has the shape (groups, points, parameters, 4), the result (groups, parameters, 4); the
    last axis has the step, the error, the allowance and the severity.
    """
    _, error, allowed, severity = np.moveaxis(groups, -1, 0)
    place = np.argmax(rank(severity, error, allowed), axis=1)
    return np.take_along_axis(groups, place[:, None, :, None], axis=1)[:, 0]


def rank(severity: Numeric, error: Numeric, allowed: Numeric) -> Numeric:
    """Numbers that grow with the outcome's `severity` (0, 1 or 2) and, within it, with the `error`
    for what is `allowed`: float64 arrays of one shape, or that broadcast to it.
    """
    with np.errstate(all="ignore"):
        ratio = np.where(error == 0, 0.0, np.divide(error, allowed))
        size = np.clip(np.log2(np.where(np.isnan(ratio), np.inf, ratio)), -5000.0, 5000.0)
    result: Floats = severity * 1e5 + size
    return result


class WorstSteps:
    """The worst step of each stretch of a run of unknown length; at most SHOWN_STEPS stretches, all
    equally long.
    """

    def __init__(self) -> None:
        self._stride = 1
        self._kept: dict[int, tuple[float, Step]] = {}

    def add(self, judged: Judged) -> None:
        """Gather these steps of the run, which come in order."""
        self._make_room(int(judged.numbers[-1]))
        ranks = np.max(
            [rank(part.severity, part.error, part.allowed) for part in judged.verdicts], axis=0
        )
        stretches = (judged.numbers - 1) // self._stride
        for stretch in np.unique(stretches).tolist():
            places = np.flatnonzero(stretches == stretch)
            place = int(places[np.argmax(ranks[places])])
            if float(ranks[place]) > self._found(stretch):
                self._kept[stretch] = (float(ranks[place]), judged.step(place))

    def _make_room(self, steps: int) -> None:
        """Join stretches until so many steps are at most SHOWN_STEPS of them."""
        while steps > SHOWN_STEPS * self._stride:
            self._stride *= 2
            kept, self._kept = self._kept, {}
            for stretch, (found, step) in kept.items():
                if found > self._found(stretch // 2):
                    self._kept[stretch // 2] = (found, step)

    def steps(self) -> tuple[Step, ...]:
        """The worst step of each stretch, in the order of the run."""
        return tuple(step for _, step in self._kept.values())

    def _found(self, stretch: int) -> float:
        return self._kept[stretch][0] if stretch in self._kept else -np.inf
