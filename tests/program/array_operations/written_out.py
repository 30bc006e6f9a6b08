"""A formula of arrays written out: a scalar formula for each entry, by definitions of their own.

Nothing here uses what `verifier.program.array_operations` says of lowering or of adjoints: NumPy
moves entries, which are Python objects that write scalar nodes.
"""

import itertools
import math

import numpy as np

from verifier.program.array_operations import (
    broadcasting,
    linear_algebra,
    movement,
    products,
    reductions,
)
from verifier.program.builder import FormulaBuilder
from verifier.program.program import ARRAY, CONSTANT, INPUT, ROWS


class Entry:
    """A number of a scalar formula."""

    def __init__(self, build, node):
        self.build, self.node = build, node

    def applied(self, row, *others):
        nodes = [self.node, *(self.beside(other).node for other in others)]
        return Entry(self.build, self.build.apply(row, *nodes))

    def beside(self, other):
        other = other[()] if isinstance(other, np.ndarray) else other
        return other if isinstance(other, Entry) else Entry(self.build, self.build.constant(other))

    def __add__(self, other):
        return self.applied("add", other)

    def __radd__(self, other):
        return self.beside(other).applied("add", self)

    def __sub__(self, other):
        return self.applied("subtract", other)

    def __mul__(self, other):
        return self.applied("multiply", other)

    def __rmul__(self, other):
        return self.beside(other).applied("multiply", self)

    def __truediv__(self, other):
        return self.applied("divide", other)

    def __neg__(self):
        return self.applied("negative")


def entry_name(name, place):
    """The scalar symbol of an entry: `x` and (0, 2) give `x_0_2`."""
    return "_".join([name, *map(str, place)])


def written_out(program, output, shapes):
    """A scalar builder, and the entries of a node there as an object array.

    `shapes` are those of the inputs by name, with the rows of a batch as a number.
    """
    build = FormulaBuilder()
    values = []
    for node in program.nodes[: output + 1]:
        values.append(_entries(build, node, [values[place] for place in node.arguments], shapes))
    return build, values[output]


def _entries(build, node, arguments, shapes):
    if node.operation == INPUT:
        name, shape = str(node.payload), shapes[str(node.payload)]
        return _array(
            [Entry(build, build.input(entry_name(name, place))) for place in np.ndindex(shape)],
            shape,
        )
    if node.operation == CONSTANT:
        numbers = node.payload.array if node.is_array else np.asarray(node.payload, object)
        return _array(
            [Entry(build, build.constant(one)) for one in numbers.ravel().tolist()], numbers.shape
        )
    if node.operation == ARRAY:
        result = DEFINITIONS[type(node.payload)](node.payload, *arguments)
    elif node.operation in _OF_ROWS:
        result = _OF_ROWS[node.operation](*arguments)
    elif not arguments:
        result = Entry(build, build.apply(node.operation))
    else:
        whole = np.broadcast_arrays(*arguments)
        entries = zip(*(one.ravel() for one in whole), strict=True)
        result = _array(
            [one.applied(node.operation, *rest) for one, *rest in entries], whole[0].shape
        )
    return result if isinstance(result, np.ndarray) else _array([result], ())


def _array(entries, shape):
    result = np.empty(len(entries), object)
    result[:] = entries
    return result.reshape(shape)


def _constant(like, number):
    return like.ravel()[0].beside(number)


def _added(array, axes):
    """Sums, in the order of the places."""
    array = np.moveaxis(array, axes, range(-len(axes), 0))
    flat = array.reshape(*array.shape[: array.ndim - len(axes)], -1)
    result = flat[..., 0]
    for place in range(1, flat.shape[-1]):
        result = result + flat[..., place]
    return result


def _count(array, axes):
    return _constant(array, math.prod(array.shape[axis] for axis in axes))


def _row(name, array):
    return _array([one.applied(name) for one in array.ravel()], array.shape)


def _normalised(operation, array):
    axis = operation.axis % array.ndim
    powers = _row("exp", array)
    return powers / np.expand_dims(_added(powers, (axis,)), axis)


def _log_of_sum(operation, array):
    return _row("log", np.asarray(_added(_row("exp", array), (operation.axis % array.ndim,))))


def _shape_with_rows(shape, size):
    """The shape with the one number of rows that gives so many entries."""
    for rows in range(size + 1):
        found = tuple(rows if length == ROWS else length for length in shape)
        if math.prod(found) == size:
            return found
    raise AssertionError(shape, size)


def _put(operation, value, like):
    zeros = _array([_constant(like, 0) for _ in like.ravel()], like.shape)
    flat = zeros.ravel()
    where = np.arange(like.size).reshape(like.shape)[_key(operation)]
    for place, one in zip(where.ravel(), np.broadcast_to(value, where.shape).ravel(), strict=True):
        flat[place] = flat[place] + one
    return flat.reshape(like.shape)


def _key(operation):
    return tuple(
        slice(part.start, part.stop, part.step)
        if isinstance(part, movement.Slice)
        else (list(part) if isinstance(part, tuple) else part)
        for part in operation.key
    )


def determinant_of(matrix):
    """By Leibniz's formula."""
    size, total = len(matrix), 0
    for order in itertools.permutations(range(size)):
        inversions = sum(a > b for a, b in itertools.combinations(order, 2))
        factors = [matrix[row, order[row]] for row in range(size)]
        product = math.prod(factors[1:], start=factors[0])
        total = total + (-product if inversions % 2 else product)
    return total


def inverse_of(matrix):
    """By Cramer's rule."""
    size, whole = len(matrix), determinant_of(matrix)
    result = np.empty((size, size), object)
    for row, column in np.ndindex(size, size):
        minor = np.delete(np.delete(matrix, column, 0), row, 1)
        cofactor = determinant_of(minor) if size > 1 else matrix[0, 0].beside(1)
        result[row, column] = (cofactor if (row + column) % 2 == 0 else -cofactor) / whole
    return result


DEFINITIONS = {
    broadcasting.Reshape: lambda op, x: x.reshape(_shape_with_rows(op.to, x.size)),
    broadcasting.ExpandLike: lambda op, x, like: np.broadcast_to(x, like.shape),
    broadcasting.Sum: lambda op, x: _added(x, op.axes),
    reductions.Mean: lambda op, x: _added(x, op.axes) / _count(x, op.axes),
    reductions.Count: lambda op, x: _count(x, op.axes),
    reductions.Softmax: _normalised,
    reductions.LogSumExp: _log_of_sum,
    movement.Transpose: lambda op, x: x.transpose(op.axes),
    movement.Take: lambda op, x: x[_key(op)],
    movement.Put: _put,
    movement.Concatenate: lambda op, *arrays: np.concatenate(arrays, op.axis),
    products.Product: lambda op, x, y: np.matmul(x, y),
    linear_algebra.Inverse: lambda op, x: inverse_of(x),
    linear_algebra.Determinant: lambda op, x: determinant_of(x),
    linear_algebra.Trace: lambda op, x: sum(x[place, place] for place in range(len(x))),
    linear_algebra.Solve: lambda op, a, b: np.matmul(inverse_of(a), b),
}
"""What each operation on arrays means, in entries."""
_OF_ROWS = {
    "sum": lambda x: _added(x, (0,)),
    "mean": lambda x: _added(x, (0,)) / _count(x, (0,)),
    "size": lambda x: _count(x, (0,)),
    "spread": lambda x, value: np.broadcast_to(value, x.shape),
}
