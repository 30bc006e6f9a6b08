"""Hulls: what lies between some results, element by element and taken together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb

from verifier.operations.arrays import Balls, Floats, Truths
from verifier.operations.formats import FLOAT64
from verifier.program.evaluation.arithmetic import largest_size, middle, radius
from verifier.program.evaluation.balls import as_objects

SURE = 6
"""An equation that so many more limits satisfy than it takes to find it is no accident."""
SAME = 1e-30
"""Limits that differ by less, relative to themselves, are one."""
OFF = 1e-6
"""A point is off an affine space if it is so far from it, as a part of the limits' extent."""
SAME_SUM = 1e-12
"""Sums that differ by less, as a part of the sizes that are added, are the same."""
OFF_SUM = 0.1
"""Many entries of 16 bits may be rounded the same way, so that their sum is off by some percent."""
INSIDE = 1e-3
"""A point is a mean of some others if one of their means is so near."""


@dataclass(frozen=True, eq=False)
class Hull:
    """What lies between the limits, as its middle and how far it reaches from there."""

    middle: Balls
    reach: Floats
    """The radius of a ball would have half as many digits."""

    @classmethod
    def of(cls, sides: Sequence[Balls]) -> Hull:
        """The hull of some arrays of balls, element by element."""
        union = sides[0]
        for side in sides[1:]:
            union = _union(union, side)
        middles = as_objects(_middles(union))
        # A side without a value, the half of a guard that is not taken, takes nothing away from the
        # others.
        reaches = [
            np.where(np.isfinite(radius(side)), reach_of(side, middles), 0.0) for side in sides
        ]
        return cls(middles, np.max(reaches, axis=0))

    @property
    def flat(self) -> Hull:
        """The same intervals along one axis."""
        return Hull(np.ravel(self.middle), np.ravel(self.reach))

    @property
    def is_wide(self) -> Truths:
        """Where the limits differ."""
        return np.asarray(
            np.isfinite(self.reach)
            & (self.reach > FLOAT64.smallest_subnormal)
            & (self.reach > 4.0 * radius(self.middle) + SAME * np.abs(middle(self.middle)))
        )

    def where(self, chosen: Truths, otherwise: Hull) -> Hull:
        """This one where it says so, else the other one."""
        return Hull(
            as_objects(np.where(chosen, self.middle, otherwise.middle)),
            np.where(chosen, self.reach, otherwise.reach),
        )


def on_affine_hull(limits: Floats, stated: Floats, rounding: Floats) -> Floats:
    """The nearest point of the smallest affine space through some others, where an entry is off it
    by more than a millionth of their extent, and by more than rounding of the entries can bring it;
    NaN for the other entries.
    """
    nowhere = np.full(stated.shape, np.nan)
    if not (np.isfinite(limits).all() and np.isfinite(stated).all()):
        return nowhere

    scale = np.maximum(np.ptp(limits, axis=0), np.finfo(np.float64).tiny)
    _, sizes, axes = np.linalg.svd((limits[1:] - limits[0]) / scale, full_matrices=False)
    rank = int((sizes > 1e-9 * sizes.max(initial=0.0)).sum())
    if len(limits) < rank + SURE:
        return nowhere
    apart = (stated - limits[0]) / scale
    along = axes[:rank].T @ axes[:rank]
    off = apart - along @ apart
    # What rounding does to one entry is seen in others, in which the limits differ by less.
    with np.errstate(all="ignore"):
        explained = np.abs(np.eye(stated.size) - along) @ (rounding / scale)
    is_off = (np.abs(off) > OFF) & (np.abs(off) > explained)
    return np.where(is_off, stated - off * scale, np.nan)


def with_equal_sum(limits: Floats, stated: Floats) -> Floats:
    """The nearest point with the sum of some others, where their sums are the same number and its
    own is off by more than a tenth; NaN for all entries otherwise.

    Where too many pieces meet to find them all, their common sum is what is known of each: the
    weights of a maximum sum to one.
    """
    nowhere = np.full(stated.shape, np.nan)
    if not (np.isfinite(limits).all() and np.isfinite(stated).all()):
        return nowhere
    sums = limits.sum(axis=-1)
    right, size = sums[0], np.abs(limits).sum(axis=-1).max()
    if len(limits) < SURE or np.ptp(sums) > SAME_SUM * size:
        return nowhere
    off = right - stated.sum()
    if abs(off) <= OFF_SUM * max(abs(right), float(np.abs(stated).sum())):
        return nowhere
    moved: Floats = stated + off / stated.size
    return moved


def is_mean(limits: Floats, stated: Floats) -> bool:
    """Whether a point is a mean of some others, one a row, up to a thousandth of their extent."""
    if not (np.isfinite(limits).all() and np.isfinite(stated).all()):
        return False
    from scipy.optimize import nnls  # it takes a tenth of a second, and few points have ties

    scale = np.maximum(np.ptp(limits, axis=0), np.finfo(np.float64).tiny)
    rows = np.vstack([((limits - stated) / scale).T, np.ones(len(limits))])
    try:
        _, apart = nnls(rows, np.append(np.zeros(stated.size), 1.0))
    except RuntimeError:  # too many iterations: more directions decide
        return False
    return bool(apart < INSIDE)


def reach_of(balls: Balls, other: Balls) -> Floats:
    """How far two balls can be apart; 0 where both are the same number."""
    same = np.asarray(np.equal(balls, other), dtype=bool)
    return np.asarray(np.where(same, 0.0, largest_size(balls - other)))


_union = np.frompyfunc(lambda one, other: one.union(other) if other.is_finite() else one, 2, 1)
_middles = np.frompyfunc(arb.mid, 1, 1)
