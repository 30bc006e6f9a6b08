"""Operations along axes: sums, means, variances, norms, products, extremes, running totals,
softmax, distances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from verifier.capture.lowering import Cell, Dims, Lowering, Operand, Rule, actual_of, plain, rule
from verifier.capture.to_numpy import to_numpy
from verifier.operations.formats import CODE_FORMATS
from verifier.program.builder import places
from verifier.program.program import NOTHING

Combination = Callable[[int, int], int]
"""Two nodes to one of the same shape."""


def axes_of(shape: Sequence[int], dim: Dims) -> tuple[int, ...]:
    """The axes that an operation's `dim` means; all of them for None or nothing."""
    if dim is None or (isinstance(dim, list | tuple) and not dim):
        return tuple(range(len(shape)))
    return tuple(
        axis % max(1, len(shape)) for axis in (dim if isinstance(dim, list | tuple) else (dim,))
    )


def without(shape: Sequence[int], dim: Dims, keepdim: bool) -> tuple[int, ...]:
    """What is left of a shape when these axes are reduced."""
    axes = axes_of(shape, dim)
    if keepdim:
        return tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def summed(low: Lowering, node: int, dim: Dims, keepdim: bool) -> int:
    """The sum along axes, all of them for None; a number is its own sum."""
    shape = low.build.shape(node)
    total = low.build.sum(node, axes_of(shape, dim)) if shape else node
    return low.build.reshape(total, without(shape, dim, keepdim))


def count_of(shape: Sequence[int], dim: Dims) -> int:
    """How many elements are reduced to one along axes of a shape."""
    return int(np.prod([shape[axis] for axis in axes_of(shape, dim)])) if shape else 1


def averaged(low: Lowering, node: int, dim: Dims, keepdim: bool) -> int:
    """The sum along axes, divided by the number of elements."""
    count = count_of(low.build.shape(node), dim)
    return low.apply("divide", summed(low, node, dim, keepdim), float(count))


def entered(low: Lowering, value: Operand, actual: torch.Tensor) -> int:
    """What a reduction with a `dtype` begins with: each element in the format of the result."""
    before, after = (
        str(tensor.dtype).removeprefix("torch.") for tensor in (actual_of(value), actual)
    )
    if before == "bool":
        return low.apply("where", low.lift(value), 1.0, 0.0)
    if CODE_FORMATS[after].precision >= CODE_FORMATS[before].precision:
        return low.lift(value)
    return low.build.round(low.lift(value), CODE_FORMATS[after])


@rule("sum")
def sum_(
    low: Lowering, self: Cell, actual: torch.Tensor, dim: Dims = None, keepdim: bool = False
) -> int:
    """The sum along axes, of elements as they are in the result's dtype."""
    return summed(low, entered(low, self, actual), dim, keepdim)


@rule("nansum")
def sum_of_numbers(
    low: Lowering, self: Cell, actual: torch.Tensor, dim: Dims = None, keepdim: bool = False
) -> int:
    """Elements that are no numbers are left out, not multiplied by 0."""
    isnan = to_numpy(self.actual.isnan())
    low.kept = low.kept and not isnan.any()
    kept = low.build.take(entered(low, self, actual), np.where(isnan, NOTHING, places(self.shape)))
    return summed(low, kept, dim, keepdim)


@rule("mean")
def mean(
    low: Lowering, self: Cell, actual: torch.Tensor, dim: Dims = None, keepdim: bool = False
) -> int:
    """The mean along axes, of elements as they are in the result's dtype."""
    return averaged(low, entered(low, self, actual), dim, keepdim)


def variance(
    low: Lowering, node: int, dim: Dims, correction: float | None, keepdim: bool
) -> tuple[int, int]:
    """The variance as mean of squared deviations, and the mean.

    torch updates the mean from number to number (Welford, Note on a method for calculating
    corrected sums of squares and products, Technometrics 4, 1962). Each deviation is from another
    mean, and their roundings do not cancel: they are taken for roundings of the numbers.
    """
    shape, middle = low.build.shape(node), averaged(low, node, dim, True)
    numbers = low.build.round(node, low.build[middle].format)
    squares = low.apply("square", low.apply("subtract", numbers, middle))
    freedom = max(0.0, count_of(shape, dim) - float(1 if correction is None else correction))
    result = low.apply("divide", summed(low, squares, dim, keepdim), freedom)
    return result, low.build.reshape(middle, without(shape, dim, keepdim))


def _deviation(
    low: Lowering, node: int, dim: Dims, correction: float | None, keepdim: bool
) -> tuple[int, int]:
    square, middle = variance(low, node, dim, correction, keepdim)
    return low.apply("sqrt", square), middle


def _spread(kind: Callable[..., tuple[int, int]], results: int) -> Rule:
    def spread(
        low: Lowering,
        self: Cell,
        dim: Dims = None,
        unbiased: bool = True,
        correction: float | None = None,
        keepdim: bool = False,
    ) -> Any:
        found = kind(
            low, self.node, dim, int(unbiased) if correction is None else correction, keepdim
        )
        return found if results > 1 else found[0]

    return spread


rule("var")(_spread(variance, 1))
rule("std")(_spread(_deviation, 1))
rule("var_mean")(_spread(variance, 2))
rule("std_mean")(_spread(_deviation, 2))


def combined_in_pairs(low: Lowering, node: int, axis: int, row: str) -> int:
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


_OF_NOTHING = {"multiply": 1.0, "or": False, "and": True}
"""What rows make of no elements; there is no extreme of nothing."""


def folded_over(low: Lowering, node: int, dim: Dims, keepdim: bool, row: str) -> int:
    """The axes folded by a row of two arguments, in halves; of no elements the row's neutral
    number.
    """
    shape = low.build.shape(node)
    if count_of(shape, dim) == 0:
        return low.build.expand(low.build.constant(_OF_NOTHING[row]), without(shape, dim, keepdim))
    for axis in axes_of(shape, dim) if shape else ():
        node = combined_in_pairs(low, node, axis, row)
    return low.build.reshape(node, without(shape, dim, keepdim))


@rule("amax")
def largest(low: Lowering, self: Cell, dim: Dims = (), keepdim: bool = False) -> int:
    """The largest entry along axes."""
    return folded_over(low, self.node, dim, keepdim, "maximum")


@rule("amin")
def smallest(low: Lowering, self: Cell, dim: Dims = (), keepdim: bool = False) -> int:
    """The smallest entry along axes."""
    return folded_over(low, self.node, dim, keepdim, "minimum")


@rule("aminmax")
def smallest_and_largest(
    low: Lowering, self: Cell, dim: Dims = None, keepdim: bool = False
) -> tuple[int, int]:
    """Both extremes along an axis, or of all entries."""
    return smallest(low, self, dim, keepdim), largest(low, self, dim, keepdim)


def _extreme(row: str) -> Rule:
    """With `dim` the place of the extreme comes out too, and is kept; with `other` it is the row
    itself.
    """

    def extreme(
        low: Lowering, self: Operand, dim: Dims = None, keepdim: bool = False, other: Operand = None
    ) -> int:
        if other is not None:
            return low.apply(row, low.lift(self), low.lift(other))
        return folded_over(low, low.lift(self), dim, keepdim, row)

    return extreme


rule("max")(_extreme("maximum"))
rule("min")(_extreme("minimum"))


@rule("prod")
def product(
    low: Lowering, self: Cell, actual: torch.Tensor, dim: Dims = None, keepdim: bool = False
) -> int:
    """The product along an axis, of elements as they are in the result's dtype."""
    return folded_over(low, entered(low, self, actual), dim, keepdim, "multiply")


@rule("any")
def any_(low: Lowering, self: Cell, dim: Dims = None, keepdim: bool = False) -> int:
    """Whether an entry along the axes is not 0."""
    return folded_over(low, _truth(low, self), dim, keepdim, "or")


@rule("all")
def all_(low: Lowering, self: Cell, dim: Dims = None, keepdim: bool = False) -> int:
    """Whether no entry along the axes is 0."""
    return folded_over(low, _truth(low, self), dim, keepdim, "and")


def _truth(low: Lowering, value: Cell) -> int:
    return (
        value.node if value.actual.dtype == torch.bool else low.apply("not_equal", value.node, 0.0)
    )


@rule("sort", "topk", "kthvalue", "mode")
def ordered(low: Lowering, self: Cell, actual: Any, dim: int = -1, keepdim: bool = True) -> int:
    """The elements at the places where the code found them."""
    return _gathered(low, self, actual, dim, keepdim)


@rule("median", "nanmedian")
def middle_one(
    low: Lowering, self: Cell, actual: Any, dim: Dims = None, keepdim: bool = False
) -> int:
    """The entry that torch took for the median; of several equal ones its gradient goes where
    torch's goes.
    """
    if dim is not None:
        return _gathered(low, self, actual, dim, keepdim)
    low.kept = False
    flat = self.actual.reshape(-1)
    if actual.isnan():
        return low.build.take(self.node, to_numpy(flat.isnan().nonzero()[0, 0]))
    equal = (flat == actual).nonzero()[:, 0]
    below = int((flat < actual).sum())
    count = int((~flat.isnan()).sum())
    return _ranked(low, low.build.take(self.node, to_numpy(equal)), (count - 1) // 2 - below)


def _ranked(low: Lowering, node: int, rank: int) -> int:
    """The number of that rank among some that are equal, so that each of them may be it.

    They are put in order by exchanges of neighbours (odd-even transposition sort; Knuth, The Art of
    Computer Programming 3, section 5.3.4).
    """
    (count,) = low.build.shape(node)
    for start in (step % 2 for step in range(count)):
        first = np.arange(start, count - 1, 2)
        left, right = low.build.take(node, first), low.build.take(node, first + 1)
        pairs = first.size
        order = np.arange(count) + 2 * pairs
        order[start : start + 2 * pairs : 2] = np.arange(pairs)
        order[start + 1 : start + 2 * pairs : 2] = np.arange(pairs) + pairs
        ordered = (low.apply("minimum", left, right), low.apply("maximum", left, right))
        node = low.build.take(low.build.join((*ordered, node)), order)
    return low.build.take(node, np.array(rank))


def _gathered(low: Lowering, self: Cell, actual: Any, dim: int, keepdim: bool) -> int:
    _, index = actual
    if not self.shape:
        return self.node
    index = index if keepdim else index.unsqueeze(dim)
    node = low.moved(lambda self: self.gather(dim, index), {"self": self})
    return low.build.reshape(node, tuple(actual[0].shape))


def running(low: Lowering, node: int, axis: int, combination: Combination) -> int:
    """The entries along an axis combined with all before them, in steps that double (Hillis and
    Steele, 1986).
    """
    shape = low.build.shape(node)
    if not shape:
        return node
    axis, step = axis % len(shape), 1
    while step < shape[axis]:
        index = places(shape)
        head, behind = (
            np.take(index, np.arange(count), axis) for count in (step, shape[axis] - step)
        )
        tail = np.take(index, np.arange(step, shape[axis]), axis)
        later = combination(low.build.take(node, behind), low.build.take(node, tail))
        node = low.joined(axis, low.build.take(node, head), later)
        step *= 2
    return node


@rule("cumsum")
def running_sum(low: Lowering, self: Cell, dim: int, actual: torch.Tensor) -> int:
    """At each place along an axis the sum up to there."""
    return running(
        low, entered(low, self, actual), dim, lambda one, other: low.apply("add", one, other)
    )


@rule("cumprod")
def running_product(low: Lowering, self: Cell, dim: int, actual: torch.Tensor) -> int:
    """At each place along an axis the product up to there."""
    return running(
        low, entered(low, self, actual), dim, lambda one, other: low.apply("multiply", one, other)
    )


@rule("cummax")
def running_maximum(low: Lowering, self: Cell, dim: int) -> int:
    """At each place along an axis the largest entry up to there."""
    return running(low, self.node, dim, lambda one, other: low.apply("maximum", one, other))


@rule("cummin")
def running_minimum(low: Lowering, self: Cell, dim: int) -> int:
    """At each place along an axis the smallest entry up to there."""
    return running(low, self.node, dim, lambda one, other: low.apply("minimum", one, other))


@rule("logcumsumexp")
def running_log_sum_exp(low: Lowering, self: Cell, dim: int) -> int:
    """The logarithm of nothing, -inf, adds nothing."""

    def added(one: int, other: int) -> int:
        both = low.apply("logaddexp", one, other)
        return _unless_nothing(low, one, other, _unless_nothing(low, other, one, both))

    def added_numbers(one: int, other: int) -> int:
        return low.apply("logaddexp", one, other)

    return running(low, self.node, dim, added if self.actual.isneginf().any() else added_numbers)


def _unless_nothing(low: Lowering, value: int, instead: int, otherwise: int) -> int:
    return low.apply("where", low.apply("equal", value, float("-inf")), instead, otherwise)


def shift_of(low: Lowering, self: Cell, dim: Dims) -> int:
    """The largest entries along axes as the code had them, 0 where none is finite: any shift that
    drops out will do.
    """
    low.kept = False
    values = self.actual.detach().double()
    largest = values.amax(axes_of(self.shape, dim), keepdim=True) if self.shape else values
    return low.build.constant(np.nan_to_num(to_numpy(largest), nan=0.0, posinf=0.0, neginf=0.0))


def shifted_exponentials(low: Lowering, self: Cell, dim: Dims) -> tuple[int, int]:
    """exp(x - m) along an axis and x - m, where m is the largest entry as the code had it."""
    shifted = low.apply("subtract", self.node, shift_of(low, self, dim))
    return low.apply("exp", shifted), shifted


@rule("_softmax")
def softmax(low: Lowering, self: Cell, dim: int) -> int:
    """exp(x - m) over its sum along an axis, with the largest entry m."""
    exponentials, _ = shifted_exponentials(low, self, dim)
    return low.apply("divide", exponentials, summed(low, exponentials, dim, True))


@rule("_safe_softmax")
def safe_softmax(low: Lowering, self: Cell, dim: int) -> int:
    """0 where all of an axis is -inf."""
    found = softmax(low, self, dim)
    masked = self.actual.isneginf().all(dim, keepdim=True)
    return low.apply("where", low.lift(masked), 0.0, found) if masked.any() else found


@rule("_log_softmax")
def log_softmax(low: Lowering, self: Cell, dim: int, actual: torch.Tensor) -> int:
    """Along an axis that is not the last one the sum is kept in the result's own format."""
    exponentials, shifted = shifted_exponentials(low, self, dim)
    total = low.narrowed(summed(low, exponentials, dim, True), actual)
    return low.apply("subtract", shifted, low.apply("log", total))


@rule("_softmax_backward_data")
def softmax_backward(low: Lowering, grad_output: Operand, output: Operand, dim: int) -> int:
    """y (g - sum(g y)), from the result y of the forward."""
    grad, result = low.lift(grad_output), low.lift(output)
    total = summed(low, low.apply("multiply", grad, result), dim, True)
    return low.apply("multiply", result, low.apply("subtract", grad, total))


@rule("_log_softmax_backward_data")
def log_softmax_backward(low: Lowering, grad_output: Operand, output: Operand, dim: int) -> int:
    """g - exp(y) sum(g), from the result y of the forward."""
    grad = low.lift(grad_output)
    weights = low.apply(
        "multiply", low.apply("exp", low.lift(output)), summed(low, grad, dim, True)
    )
    return low.apply("subtract", grad, weights)


@rule("logsumexp")
def log_sum_exp(low: Lowering, self: Cell, dim: Dims, keepdim: bool = False) -> int:
    """log(sum(exp(x - m))) + m, with the largest entry m."""
    exponentials, _ = shifted_exponentials(low, self, dim)
    logarithm = low.apply("log", summed(low, exponentials, dim, True))
    result = low.apply("add", logarithm, shift_of(low, self, dim))
    return low.build.reshape(result, without(self.shape, dim, keepdim))


def normed(low: Lowering, node: int, order: float, dim: Dims, keepdim: bool) -> int:
    """The norm of that order, by the kernel's case for it; order 0 is not among them."""
    sizes = low.apply("abs", node)
    if order == 1:
        return summed(low, sizes, dim, keepdim)
    if order == 2:
        return low.apply("sqrt", summed(low, low.apply("square", node), dim, keepdim))
    if np.isinf(order):
        return folded_over(low, sizes, dim, keepdim, "maximum" if order > 0 else "minimum")
    powers = summed(low, low.apply("power", sizes, float(order)), dim, keepdim)
    return low.apply("power", powers, low.apply("divide", 1.0, float(order)))


def _counted(low: Lowering, actual: Any) -> int:
    """How many elements are not 0: a whole number, as it came out."""
    low.kept = False
    return low.build.constant(plain(actual))


def _norm(
    low: Lowering, self: Operand, actual: torch.Tensor, order: float, dim: Dims, keepdim: bool
) -> int:
    if order == 0:
        return _counted(low, actual)
    return normed(low, entered(low, self, actual), order, dim, keepdim)


@rule("linalg_vector_norm")
def vector_norm(
    low: Lowering,
    self: Cell,
    actual: torch.Tensor,
    ord: float = 2,
    dim: Dims = None,
    keepdim: bool = False,
) -> int:
    """The norm of entries along axes, of any order."""
    return _norm(low, self, actual, ord, dim, keepdim)


@rule("norm")
def norm(
    low: Lowering,
    self: Cell,
    actual: torch.Tensor,
    p: float | None = 2,
    dim: Dims = None,
    keepdim: bool = False,
) -> int:
    """The same under its older name; without an order it is 2."""
    return _norm(low, self, actual, 2 if p is None else p, dim, keepdim)


@rule("dist")
def distance(
    low: Lowering, self: Operand, other: Operand, actual: torch.Tensor, p: float = 2
) -> int:
    """The norm of the difference of two tensors."""
    apart = low.apply("subtract", low.lift(self), low.lift(other))
    return _counted(low, actual) if p == 0 else normed(low, apart, p, None, False)


@rule("trace")
def trace(low: Lowering, self: Cell) -> int:
    """The sum of the diagonal."""
    return summed(low, low.moved(torch.diagonal, {"input": self}), None, False)


@rule("renorm")
def renormed(low: Lowering, self: Cell, p: float, dim: int, maxnorm: float) -> int:
    """The kernel divides by the norm and 1e-7 more."""
    others = [axis for axis in range(len(self.shape)) if axis != dim % len(self.shape)]
    norms = normed(low, self.node, p, others, True)
    factor = low.apply("divide", float(maxnorm), low.apply("add", norms, 1e-7))
    factor = low.apply("where", low.apply("greater", norms, float(maxnorm)), factor, 1.0)
    return low.apply("multiply", self.node, factor)


@rule("linalg_cross")
def cross_product(
    low: Lowering, self: Operand, other: Operand, actual: torch.Tensor, dim: int = -1
) -> int:
    """The product of vectors with three entries along an axis, each of its terms rounded to the
    dtype.
    """

    def turned(value: Operand, by: int) -> int:
        node = low.build.expand(low.lift(value), tuple(actual.shape))
        return low.build.take(node, np.roll(places(tuple(actual.shape)), -by, dim))

    ahead = low.narrowed(low.apply("multiply", turned(self, 1), turned(other, 2)), actual)
    behind = low.narrowed(low.apply("multiply", turned(self, 2), turned(other, 1)), actual)
    return low.apply("subtract", ahead, behind)


def _apart(low: Lowering, x1: Operand, x2: Operand) -> int:
    """Each row of the first less each of the second: batch, rows, rows, columns; batches are
    broadcast.
    """

    def between(value: Operand, axis: int) -> int:
        shape = list(actual_of(value).shape)
        shape.insert(len(shape) + axis, 1)
        return low.build.reshape(low.lift(value), tuple(shape))

    return low.difference(between(x1, -1), between(x2, -2))


_MANY_ROWS = 25
"""Where `_cdist_forward` begins to compute Euclidean distances by a product of matrices."""


@rule("_cdist_forward")
def distances(
    low: Lowering,
    x1: Operand,
    x2: Operand,
    p: float,
    compute_mode: int | None,
    actual: torch.Tensor,
) -> int:
    """The norms of the differences of each row of one matrix and each of another."""
    if p == 0:
        return _counted(low, actual)
    many = max(actual_of(x1).shape[-2], actual_of(x2).shape[-2]) > _MANY_ROWS
    if p == 2 and (compute_mode == 1 or (not compute_mode and many)):
        return _by_products(low, x1, x2, actual)
    return normed(low, _apart(low, x1, x2), p, -1, False)


@rule("_euclidean_dist")
def euclidean_distances(low: Lowering, x1: Operand, x2: Operand, actual: torch.Tensor) -> int:
    """The same by products of matrices: sqrt(|a|² - 2ab + |b|²)."""
    return _by_products(low, x1, x2, actual)


def _by_products(low: Lowering, x1: Operand, x2: Operand, actual: torch.Tensor) -> int:
    """The root of |a|² + |b|² - 2ab, at least 0, as one product of matrices."""
    batch = tuple(actual.shape[:-2])
    left, right = (
        low.build.expand(low.lift(value), (*batch, *actual_of(value).shape[-2:]))
        for value in (x1, x2)
    )
    squares = [summed(low, low.apply("square", node), -1, True) for node in (left, right)]
    ones = [low.build.expand(low.build.constant(1.0), low.build.shape(node)) for node in squares]
    rows = low.joined(-1, low.apply("multiply", left, -2.0), squares[0], ones[0])
    columns = low.joined(-1, right, ones[1], squares[1])
    axes = [*range(len(batch)), len(batch) + 1, len(batch)]
    product = low.build.contract(rows, low.build.permute(columns, axes))
    return low.apply("sqrt", low.apply("maximum", product, 0.0))


def _pull(low: Lowering, apart: int, grad: int, length: int, order: float) -> int:
    """The kernel's derivative of a norm by its elements times `grad`; `grad` and `length` broadcast
    to `apart`.
    """
    if order == 0:
        return low.apply("multiply", apart, 0.0)
    direction = low.apply("sign", apart)
    if order == 1:
        return low.apply("multiply", grad, direction)
    if np.isinf(order):
        longest = low.apply("equal", low.apply("abs", apart), length)
        return low.apply("where", longest, low.apply("multiply", grad, direction), 0.0)
    scaled = _powered(low, apart, direction, grad, length, order)
    gone = low.apply("equal", length, 0.0)
    if order < 1:
        gone = low.apply("or", gone, low.apply("equal", apart, 0.0))
    return low.apply("where", gone, 0.0, scaled)


def _powered(
    low: Lowering, apart: int, direction: int, grad: int, length: int, order: float
) -> int:
    if order == 2:
        return low.apply("divide", low.apply("multiply", grad, apart), length)
    size, over = low.apply("abs", apart), low.apply("power", length, order - 1.0)
    if order < 2:
        along = low.apply("multiply", direction, low.apply("power", size, order - 1.0))
    else:
        along = low.apply("multiply", apart, low.apply("power", size, order - 2.0))
    return low.apply("divide", low.apply("multiply", along, grad), over)


@rule("_cdist_backward")
def distances_backward(
    low: Lowering, grad: Operand, x1: Operand, x2: Operand, p: float, cdist: Operand
) -> int:
    """By the rows of the first; torch calls it again for the second."""
    wide = (*actual_of(cdist).shape, 1)
    over, length = (
        low.build.reshape(low.build.expand(low.lift(part), wide[:-1]), wide)
        for part in (grad, cdist)
    )
    return summed(low, _pull(low, _apart(low, x1, x2), over, length, p), -2, False)


def _pairs(rows: int, columns: int) -> tuple[Any, Any]:
    """The places of the first and of the second row of each pair."""
    first, second = np.triu_indices(rows, 1)
    index = places((rows, columns))
    return index[first], index[second]


@rule("_pdist_forward")
def distances_of_pairs(low: Lowering, self: Cell, p: float, actual: torch.Tensor) -> int:
    """The norms of the differences of each two rows of a matrix."""
    first, second = _pairs(*self.shape)
    apart = low.apply(
        "subtract", low.build.take(self.node, first), low.build.take(self.node, second)
    )
    return _counted(low, actual) if p == 0 else normed(low, apart, p, -1, False)


@rule("_pdist_backward")
def distances_of_pairs_backward(
    low: Lowering, grad: Operand, self: Operand, p: float, pdist: Operand
) -> int:
    """What each distance passes to its two rows, with opposite signs."""
    first, second = _pairs(*actual_of(self).shape)
    node = low.lift(self)
    apart = low.apply("subtract", low.build.take(node, first), low.build.take(node, second))
    over, length = (
        low.build.reshape(low.lift(part), (first.shape[0], 1)) for part in (grad, pdist)
    )
    pull = _pull(low, apart, over, length, p)
    both = low.build.join([pull, low.apply("negative", pull)])
    return low.build.pile(
        both, np.concatenate([first.ravel(), second.ravel()]), low.build.shape(node)
    )
