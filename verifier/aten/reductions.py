"""Operations along axes: sums, means, variances, products, extremes, running totals, softmax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from verifier.arrays import places
from verifier.lowering import Cell, Lowering, rule


def axes_of(shape: Sequence[int], dim: Any) -> tuple[int, ...]:
    """The axes that an operation's `dim` means; all of them for None or nothing."""
    if dim is None or (isinstance(dim, list | tuple) and not dim):
        return tuple(range(len(shape)))
    return tuple(axis % max(1, len(shape)) for axis in (dim if isinstance(dim, list | tuple) else (dim,)))


def summed(low: Lowering, node: int, dim: Any, keepdim: bool) -> int:
    shape = low.build.shape(node)
    axes = axes_of(shape, dim)
    total = low.build.sum(node, axes) if shape else node
    return (
        low.build.reshape(total, tuple(1 if axis in axes else size for axis, size in enumerate(shape)))
        if keepdim
        else total
    )


def count_of(shape: Sequence[int], dim: Any) -> int:
    return int(np.prod([shape[axis] for axis in axes_of(shape, dim)])) if shape else 1


def averaged(low: Lowering, node: int, dim: Any, keepdim: bool) -> int:
    count = count_of(low.build.shape(node), dim)
    return low.apply("divide", summed(low, node, dim, keepdim), float(count))


@rule("sum")
def sum_(low: Lowering, self: Cell, dim: Any = None, keepdim: bool = False) -> int:
    return summed(low, self.node, dim, keepdim)


@rule("mean")
def mean(low: Lowering, self: Cell, dim: Any = None, keepdim: bool = False) -> int:
    return averaged(low, self.node, dim, keepdim)


def shifted_exponentials(low: Lowering, self: Cell, dim: int) -> tuple[int, int]:
    """exp(x - m) along an axis and x - m, where m is the largest entry as the code had it: any m gives the same softmax."""
    largest = self.actual.detach().double().amax(dim, keepdim=True) if self.shape else self.actual.double()
    shift = low.build.constant(np.nan_to_num(largest.numpy(), nan=0.0, posinf=0.0, neginf=0.0))
    low.kept = False
    shifted = low.apply("subtract", self.node, shift)
    return low.apply("exp", shifted), shifted


@rule("_softmax")
def softmax(low: Lowering, self: Cell, dim: int) -> int:
    exponentials, _ = shifted_exponentials(low, self, dim)
    return low.apply("divide", exponentials, summed(low, exponentials, dim, True))


@rule("_log_softmax")
def log_softmax(low: Lowering, self: Cell, dim: int) -> int:
    exponentials, shifted = shifted_exponentials(low, self, dim)
    return low.apply("subtract", shifted, low.apply("log", summed(low, exponentials, dim, True)))


@rule("_softmax_backward_data")
def softmax_backward(low: Lowering, grad_output: Cell, output: Cell, dim: int) -> int:
    product = low.apply("multiply", grad_output.node, output.node)
    total = summed(low, product, dim, True)
    return low.apply("multiply", output.node, low.apply("subtract", grad_output.node, total))


@rule("_log_softmax_backward_data")
def log_softmax_backward(low: Lowering, grad_output: Cell, output: Cell, dim: int) -> int:
    total = summed(low, grad_output.node, dim, True)
    return low.apply("subtract", grad_output.node, low.apply("multiply", low.apply("exp", output.node), total))


@rule("logsumexp")
def log_sum_exp(low: Lowering, self: Cell, dim: Any, keepdim: bool = False) -> int:
    axes = axes_of(self.shape, dim)
    largest = self.actual.detach().double().amax(axes, keepdim=True) if self.shape else self.actual.double()
    shift = low.build.constant(np.nan_to_num(largest.numpy(), nan=0.0, posinf=0.0, neginf=0.0))
    low.kept = False
    exponentials = low.apply("exp", low.apply("subtract", self.node, shift))
    result = low.apply("add", low.apply("log", summed(low, exponentials, dim, True)), shift)
    return (
        result
        if keepdim
        else low.build.reshape(result, tuple(size for axis, size in enumerate(self.shape) if axis not in axes))
    )


def folded(low: Lowering, node: int, axis: int, row: str) -> int:
    """The entries along an axis combined two by two, so that each is reached by few operations."""
    shape = list(low.build.shape(node))
    while shape[axis] > 1:
        half = shape[axis] // 2
        index = places(tuple(shape))
        first, second = (np.take(index, np.arange(half) + start, axis) for start in (0, half))
        pairs = low.apply(row, low.build.take(node, first), low.build.take(node, second))
        if shape[axis] % 2:
            rest = low.build.take(node, np.take(index, [shape[axis] - 1], axis))
            node = low.joined(axis, pairs, rest)
        else:
            node = pairs
        shape[axis] = half + shape[axis] % 2
    return node


def folded_over(low: Lowering, node: int, dim: Any, keepdim: bool, row: str) -> int:
    shape = low.build.shape(node)
    axes = axes_of(shape, dim)
    for axis in axes if shape else ():
        node = folded(low, node, axis, row)
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return low.build.reshape(
        node, kept if keepdim else tuple(size for axis, size in enumerate(shape) if axis not in axes)
    )


@rule("amax")
def largest(low: Lowering, self: Cell, dim: Any = (), keepdim: bool = False) -> int:
    return folded_over(low, self.node, dim, keepdim, "maximum")


@rule("amin")
def smallest(low: Lowering, self: Cell, dim: Any = (), keepdim: bool = False) -> int:
    return folded_over(low, self.node, dim, keepdim, "minimum")


@rule("prod")
def product(low: Lowering, self: Cell, dim: Any = None, keepdim: bool = False) -> int:
    return folded_over(low, self.node, dim, keepdim, "multiply")
