"""Start values: what the parameters of a model begin with, numbers or arrays of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from zlib import crc32

import numpy as np

from verifier.errors import InputError
from verifier.operations.number_text import plain
from verifier.process.values import UserValue

if TYPE_CHECKING:
    from verifier.operations.arrays import Array, Floats

Start: TypeAlias = "float | Floats"
"""What a parameter begins with."""


@dataclass(frozen=True)
class Drawn:
    """Random numbers of a shape, which are drawn when the name of their parameter is known."""

    shape: tuple[int, ...]
    scale: float
    seed: int | None

    def numbers(self, name: str) -> Floats:
        """The numbers, float64; without a seed each name has numbers of its own."""
        seed = crc32(name.encode()) if self.seed is None else self.seed
        return np.random.default_rng(seed).normal(scale=self.scale, size=self.shape)


def normal(*shape: int, scale: float | None = None, seed: int | None = None) -> Drawn:
    """Normally distributed start values with mean 0, the same in every run.

    `shape` is that of the parameter; `scale` is the standard deviation, by default 1 over the root
    of the first length, so that a product with a row has the size of the row. `seed` is a whole
    number; without it the parameter's name chooses the numbers.

    Raises InputError for lengths that are no whole numbers above 0.

    >>> normal(2, 3).numbers("W").shape
    (2, 3)
    """
    checked = _checked_shape(shape)
    return Drawn(checked, 1 / math.sqrt(checked[0]) if scale is None else float(scale), seed)


def zeros(*shape: int) -> Floats:
    """Start values that are 0: a float64 array of that `shape`.

    Raises InputError for lengths that are no whole numbers above 0.

    >>> zeros(3)
    array([0., 0., 0.])
    """
    return np.zeros(_checked_shape(shape))


def _checked_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    whole = all(isinstance(one, int) and not isinstance(one, bool) and one > 0 for one in shape)
    if not shape or not whole:
        raise InputError(f"{shape} is no shape: give whole numbers above 0, such as normal(64, 32)")
    return shape


def start_value(name: str, value: UserValue, model: str) -> Start:
    """The number, or the float64 array, that a parameter begins with.

    Raises InputError for what is not made of finite numbers.
    """
    if isinstance(value, Drawn):
        return value.numbers(name)
    place = f"model {model}: parameter {name}"
    shape = getattr(value, "shape", ())
    if isinstance(value, list | tuple) or shape not in ((), None):
        return _start_array(place, value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, str | bool) or not math.isfinite(number):
        raise InputError(f"{place} starts from {value!r}, which is not a finite number")
    return number


def start_text(value: Start) -> str:
    """The start `value` of a parameter, a float or a float64 array, for people: the number, or the
    shape of an array.

    >>> start_text(0.5), start_text(zeros(2, 3))
    ('0.5', '2 x 3 numbers')
    """
    if not np.ndim(value):
        return plain(float(value))
    return f"{' x '.join(map(str, np.shape(value)))} numbers"


def _start_array(place: str, value: UserValue) -> Floats:
    try:
        array = _numbers_of_tensor(value) if hasattr(value, "detach") else np.asarray(value)
    except ValueError:
        raise InputError(f"{place} starts from rows of different lengths: {value!r}") from None
    if array.dtype.kind not in "iuf":
        raise InputError(f"{place} starts from an array that does not hold numbers")
    if not array.size:
        raise InputError(f"{place} starts from an empty array of shape {array.shape}")
    if not np.isfinite(array).all():
        raise InputError(f"{place} starts from an array in which a number is not finite")
    return array.astype(np.float64)


def _numbers_of_tensor(tensor: UserValue) -> Array:
    host = tensor.detach().cpu()
    # NumPy has no bfloat16, and every number of it is one of float64.
    exact = host.double() if host.is_floating_point() else host
    return np.array(exact.tolist())
