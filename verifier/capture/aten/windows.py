"""Windows on pictures: which elements each place of a result is made of.

A picture is the last axes of a tensor, what is before them are planes. Along one axis, windows are
an array of places of shape (windows, entries), NOTHING where a window reaches beyond the picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verifier.program.program import NOTHING

Windows = np.ndarray


def sliding(
    size: int, count: int, entries: int, stride: int, padding: int, dilation: int = 1
) -> Windows:
    """So many windows, a stride apart, from `padding` before the picture's start."""
    reach = np.arange(count)[:, None] * stride - padding + np.arange(entries) * dilation
    return np.where((reach >= 0) & (reach < size), reach, NOTHING)


def adaptive(size: int, count: int) -> Windows:
    """So many windows that cover the picture, as alike in length as can be."""
    places = np.arange(count)
    return ragged(places * size // count, -(-(places + 1) * size // count))


def ragged(starts: np.ndarray, ends: np.ndarray) -> Windows:
    """Windows from each start up to before its end."""
    reach = starts[:, None] + np.arange((ends - starts).max(initial=0))
    return np.where(reach < ends[:, None], reach, NOTHING)


def lengths(windows: Windows) -> Windows:
    """How many elements each window holds."""
    return np.asarray(np.count_nonzero(windows != NOTHING, axis=1))


def crossed(axes: Sequence[Windows], sizes: Sequence[int]) -> np.ndarray:
    """Windows along each axis as windows on the picture: places of shape (*windows, entries)."""
    count = len(axes)
    place, outside = (
        np.zeros((1,) * 2 * count, dtype=np.int64),
        np.zeros((1,) * 2 * count, dtype=bool),
    )
    for axis, (reach, size) in enumerate(zip(axes, sizes, strict=True)):
        shape = [1] * (2 * count)
        shape[axis], shape[count + axis] = reach.shape
        outside = outside | (reach.reshape(shape) == NOTHING)
        place = place * size + reach.reshape(shape)
    found = np.where(outside, NOTHING, place)
    return found.reshape(*(len(reach) for reach in axes), int(np.prod(found.shape[count:])))


def outer(factors: Sequence[np.ndarray]) -> np.ndarray:
    """The products of one number of each axis."""
    product = np.ones(())
    for factor in factors:
        product = product[..., None] * factor
    return product


def in_planes(index: np.ndarray, planes: Sequence[int], size: int) -> np.ndarray:
    """The same places in each of the planes, which have so many elements and follow one another."""
    first = np.arange(int(np.prod(planes))).reshape(*planes, *(1 for _ in index.shape)) * size
    return np.where(index == NOTHING, NOTHING, first + index)
