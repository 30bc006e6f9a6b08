"""Parts of matrices: the last two axes are rows and columns, those before them a batch."""

from __future__ import annotations

import numpy as np

from verifier.capture.lowering import Lowering, Operand
from verifier.program.builder import places


def at(low: Lowering, node: int, *key: Operand) -> int:
    """The elements that a key of NumPy chooses in the last axes of each matrix."""
    return low.build.take(node, places(low.build.shape(node))[(..., *key)])


def transposed(low: Lowering, node: int) -> int:
    """Each matrix with rows and columns swapped."""
    return low.build.take(node, places(low.build.shape(node)).swapaxes(-1, -2))


def turned(low: Lowering, node: int, *axes: int) -> int:
    """The elements in reverse order along the axes."""
    return low.build.take(node, np.flip(places(low.build.shape(node)), axes))


FIRST, REST, ALL = slice(0, 1), slice(1, None), slice(None)


def identity(low: Lowering, like: int) -> int:
    """The unit matrix for each of the square matrices."""
    shape = low.build.shape(like)
    return low.build.constant(np.broadcast_to(np.eye(shape[-1]), shape))


def diagonal(low: Lowering, node: int) -> int:
    """The diagonal of each matrix, along the last axis."""
    return low.build.take(node, np.diagonal(places(low.build.shape(node)), axis1=-2, axis2=-1))
