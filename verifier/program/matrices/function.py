"""What a function of a matrix is to an array program: its values in balls and in floats, and its
gradient as nodes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from verifier.program.builder import Builder
from verifier.program.program import Shape

Balls = np.ndarray[Any, np.dtype[np.object_]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Noise = Callable[[Floats, Floats | float], Floats]
"""Numbers moved by one rounding of numbers of that size."""


class MatrixFunction(ABC):
    """Takes the last two axes of an array; the axes before them are a batch.

    Equal to another one of the same class and contents.
    """

    @abstractmethod
    def shape(self, argument: Shape) -> Shape:
        """Of the result: the batch, and what the function gives for each matrix."""

    @abstractmethod
    def balls(self, matrix: Balls, place: int) -> Balls:
        """Of one matrix, which is at that place of the flattened batch, at the precision in force;
        NaN where no number is proved.
        """

    @abstractmethod
    def floats(self, matrices: Floats, noise: Noise) -> Floats:
        """In float64, of matrices with any axes in front of the batch."""

    @abstractmethod
    def sizes(self, matrices: Floats) -> Floats:
        """How large what cancels in the results may be."""

    @abstractmethod
    def adjoint(self, builder: Builder, argument: int, adjoint: int) -> int:
        """The gradient by the argument, from the gradient by the result."""


def exact(values: Floats, size: Floats | float) -> Floats:
    """No noise."""
    return values


def each(function: MatrixFunction, shape: Shape, matrices: Balls) -> Balls:
    """The balls of every matrix of a batch; `shape` is that of the result."""
    rows, columns = matrices.shape[-2:]
    batch = matrices.shape[:-2]
    result = np.empty((*batch, *shape[len(batch) :]), dtype=object)
    flat = matrices.reshape(-1, rows, columns)
    inner = result.reshape(len(flat), *shape[len(batch) :])
    for place, matrix in enumerate(flat):
        inner[place, ...] = function.balls(matrix, place)
    return inner.reshape(shape)


def norms(matrices: Floats) -> Floats:
    """The Frobenius norms, with two axes of length 1 for the matrices."""
    found: Floats = np.sqrt(np.sum(matrices * matrices, axis=(-2, -1), keepdims=True))
    return found
