"""From the program of a formula of arrays to terms of matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import NamedTuple

import numpy as np

from verifier.errors import InputError
from verifier.formula.arrays.closed_form import algebra
from verifier.formula.arrays.closed_form.algebra import ONE, product, times, transposed
from verifier.formula.arrays.closed_form.terms import (
    NUMBER,
    Applied,
    Blocks,
    Constant,
    Dimensions,
    Identity,
    Indicator,
    Inverse,
    Number,
    OfMatrix,
    Ones,
    Part,
    Placed,
    Places,
    Special,
    Symbol,
    Term,
    Transposed,
)
from verifier.program.array_operations.broadcasting import ExpandLike, Reshape, Sum
from verifier.program.array_operations.linear_algebra import Determinant, Solve, Trace
from verifier.program.array_operations.linear_algebra import Inverse as InverseOfMatrix
from verifier.program.array_operations.movement import (
    WHOLE,
    Concatenate,
    Put,
    Take,
    Transpose,
    key_text,
    numpy_key,
)
from verifier.program.array_operations.movement import Part as Chosen
from verifier.program.array_operations.operation import ArrayOperation
from verifier.program.array_operations.products import Product
from verifier.program.array_operations.reductions import Count, LogSumExp, Mean, Softmax
from verifier.program.program import (
    ARRAY,
    CONDITIONS,
    CONSTANT,
    INPUT,
    ROWS,
    Node,
    Program,
    Shape,
)
from verifier.program.shapes import axis_in, shape_text

MOST_NODES = 1_000
"""Programs of more nodes have no closed form for people."""


class Value(NamedTuple):
    """A term, and the shape that its array has in the formula."""

    term: Term
    shape: Shape


def terms_of(program: Program) -> list[Term]:
    """The program's results as terms; a vector is a column.

    Raises InputError for arrays of three or more axes, which no matrix is, for operations that the
    algebra lacks, and for a program of more than MOST_NODES nodes.

    >>> from verifier.program.builder import FormulaBuilder
    >>> build = FormulaBuilder()
    >>> x, w = build.input("x", (ROWS, 2)), build.input("w", (2,))
    >>> terms_of(build.program(build.array(Product(), x, w)))[0].dimensions
    (-1, 1)
    """
    if len(program.nodes) > MOST_NODES:
        raise InputError(
            f"the formula has {len(program.nodes)} nodes: above {MOST_NODES} its closed form is "
            "not shown"
        )
    forward = program.needed(program.outputs[0])
    values: list[Value] = []
    for place, node in enumerate(program.nodes):
        given = [values[argument] for argument in node.arguments]
        if node.operation == "add" and place not in forward:
            term = _accumulated(node, given)
        else:
            term = _term(node, given)
        values.append(Value(term, node.shape))
    return [values[output].term for output in program.outputs]


def dimensions(shape: Shape) -> Dimensions:
    """Rows and columns of an array of that shape. Raises InputError for three axes and more."""
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) > 2:
        raise InputError(
            f"the formula has an array of the shape {shape_text(shape)}, and a matrix has two axes"
        )
    if len(shape) == 2:
        return (shape[0], shape[1])
    return (shape[0], 1) if shape else NUMBER


def _term(node: Node, given: Sequence[Value]) -> Term:
    if node.operation == INPUT:
        return Symbol(str(node.payload), dimensions(node.shape), len(node.shape))
    if node.operation == CONSTANT:
        return _constant(node)
    if node.operation == ARRAY:
        operation = node.payload
        write = _ON_ARRAYS.get(type(operation))
        if write is None:
            raise InputError(f"{type(operation).__name__.lower()} is no operation of matrices")
        return write(operation, node.shape, given)
    if node.operation in _ROWS:
        return _ROWS[node.operation](node.shape, given)
    if node.operation in CONDITIONS:
        return _condition(node.operation, node.shape, given)
    if not given:
        return Special(node.operation)
    return _applied(node.operation, node.shape, given)


def _constant(node: Node) -> Term:
    if not node.is_array:
        return algebra.number(node.payload)
    array, shape = node.array.astype(np.float64), dimensions(node.shape)
    if array.size == 1:
        return algebra.number(float(array.ravel()[0]))
    if (
        array.ndim == 2
        and array.shape[0] == array.shape[1]
        and np.array_equal(array, np.eye(len(array)))
    ):
        return Identity(len(array))
    if np.all(array == array.ravel()[0]):
        return times(algebra.number(float(array.ravel()[0])), algebra.ones(shape))
    return Constant(node.payload, shape)


def _broadcast(value: Value, shape: Shape) -> Term:
    """The term with the dimensions of a shape; a number stays one, and stands for all entries."""
    term, own = value.term, value.shape
    wanted = dimensions(shape)
    if term.is_number and prod(own) == 1:
        return term
    if len(own) < len(shape) and len(own) == 1:
        own, term = (1, own[0]), transposed(term)
    if dimensions(own) == wanted:
        return term
    rows, columns = dimensions(own)
    if rows == 1 and wanted[0] != 1:
        term = product(Ones(wanted[0]), term)
    if columns == 1 and wanted[1] != 1:
        term = product(term, transposed(Ones(wanted[1])))
    return term


def _full(value: Value, shape: Shape) -> Term:
    """The same, where a number becomes a matrix of it."""
    term = _broadcast(value, shape)
    wanted = dimensions(shape)
    return times(term, algebra.ones(wanted)) if term.is_number and wanted != NUMBER else term


def _accumulated(node: Node, given: Sequence[Value]) -> Term:
    """A sum of the sweep back, which meets first what the author wrote last."""
    return algebra.accumulated([_full(value, node.shape) for value in reversed(given)])


def _add(shape: Shape, given: Sequence[Value]) -> Term:
    return algebra.total([_full(value, shape) for value in given])


def _subtract(shape: Shape, given: Sequence[Value]) -> Term:
    left, right = (_full(value, shape) for value in given)
    return algebra.total([left, algebra.negative(right)])


def _multiply(shape: Shape, given: Sequence[Value]) -> Term:
    return _of_shape(algebra.entrywise(*(_broadcast(value, shape) for value in given)), shape)


def _divide(shape: Shape, given: Sequence[Value]) -> Term:
    return _of_shape(algebra.divided(*(_broadcast(value, shape) for value in given)), shape)


def _of_shape(term: Term, shape: Shape) -> Term:
    return _full(Value(term, ()), shape) if term.is_number else term


def _negative(shape: Shape, given: Sequence[Value]) -> Term:
    return algebra.negative(given[0].term)


def _square(shape: Shape, given: Sequence[Value]) -> Term:
    return algebra.power(given[0].term, Fraction(2))


def _power(shape: Shape, given: Sequence[Value]) -> Term:
    base, exponent = (_broadcast(value, shape) for value in given)
    if isinstance(exponent, Number) and not isinstance(base, Number):
        return algebra.power(base, exponent.value)
    return _applied("power", shape, given)


def _where(shape: Shape, given: Sequence[Value]) -> Term:
    condition, holds, fails = (_broadcast(value, shape) for value in given)
    if algebra.is_zero(fails) and isinstance(condition, Indicator | OfMatrix):
        return _of_shape(algebra.entrywise(holds, condition), shape)
    if algebra.is_zero(holds) and isinstance(condition, Indicator) and condition.row in _OPPOSITE:
        other = Indicator(
            _OPPOSITE[condition.row], condition.left, condition.right, None, condition.dimensions
        )
        return _of_shape(algebra.entrywise(fails, other), shape)
    step = _step(condition, holds, fails)
    return step or _applied("where", shape, given)


def _step(condition: Term, holds: Term, fails: Term) -> Term | None:
    """The derivative of a maximum: 1 where it chose, 0 where not, and a half at a tie.

    `fails` is what `_where` made of the second condition: half where that one does not hold.
    """
    if not isinstance(condition, Indicator) or holds is not Number(ONE):
        return None
    coefficient, over, _, tie = algebra.split(fails)
    found = tie if tie is not None else (over[0] if len(over) == 1 else None)
    if not isinstance(found, Indicator) or not isinstance(coefficient, Fraction):
        return None
    closed = {"greater": "greater_equal", "less": "less_equal"}.get(condition.row)
    same = (found.left, found.right) == (condition.left, condition.right)
    if found.row != closed or not same:
        return None
    return Indicator(
        condition.row, condition.left, condition.right, coefficient, condition.dimensions
    )


_OPPOSITE = {
    "less": "greater_equal", "less_equal": "greater", "greater": "less_equal",
    "greater_equal": "less", "equal": "not_equal", "not_equal": "equal",
}  # fmt: skip


def _condition(row: str, shape: Shape, given: Sequence[Value]) -> Term:
    parts = [_broadcast(value, shape) for value in given]
    if row == "equal" and len(given[0].shape) == 2 and given[0].shape[1] == 1:
        classes = given[1].term
        if isinstance(classes, Constant) and classes.dimensions[1] == 1:
            length = classes.dimensions[0]
            if np.array_equal(classes.array.array, np.arange(length)):
                return OfMatrix("onehot", given[0].term, (given[0].shape[0], length))
    if row in _OPPOSITE:
        left, right = parts
        return Indicator(row, left, right, None, dimensions(shape))
    return _applied(row, shape, given)


def _applied(row: str, shape: Shape, given: Sequence[Value]) -> Term:
    return Applied(row, tuple(_broadcast(value, shape) for value in given), dimensions(shape))


def _spread(shape: Shape, given: Sequence[Value]) -> Term:
    return _full(given[1], shape)


def _size(shape: Shape, given: Sequence[Value]) -> Term:
    return _counted(given[0].shape, range(len(given[0].shape)))


def _counted(shape: Shape, axes: Sequence[int]) -> Term:
    return times(Number(ONE), *(algebra.count(shape[axis]) for axis in axes))


def _summed(value: Value, axes: Sequence[int]) -> Term:
    term, shape = value
    chosen = {axis_in(axis, shape) for axis in axes}
    rows, columns = term.dimensions
    if len(shape) > 1 and 1 in chosen:
        term = product(term, algebra.ones((columns, 1)))
    if 0 in chosen:
        term = product(algebra.ones((1, rows)), term)
    return transposed(term) if term.dimensions[0] == 1 else term


def _sum_of_all(shape: Shape, given: Sequence[Value]) -> Term:
    return _summed(given[0], range(len(given[0].shape)))


def _mean_of_all(shape: Shape, given: Sequence[Value]) -> Term:
    return times(algebra.reciprocal(_size(shape, given)), _sum_of_all(shape, given))


_ROWS: dict[str, Callable[[Shape, Sequence[Value]], Term]] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "negative": _negative,
    "square": _square,
    "power": _power,
    "where": _where,
    "spread": _spread,
    "size": _size,
    "sum": _sum_of_all,
    "mean": _mean_of_all,
}


def _sum(operation: Sum, shape: Shape, given: Sequence[Value]) -> Term:
    return _summed(given[0], operation.axes)


def _mean(operation: Mean, shape: Shape, given: Sequence[Value]) -> Term:
    own = given[0].shape
    counted = _counted(own, [axis_in(axis, own) for axis in operation.axes])
    return times(algebra.reciprocal(counted), _summed(given[0], operation.axes))


def _count(operation: Count, shape: Shape, given: Sequence[Value]) -> Term:
    return _counted(given[0].shape, operation.axes)


def _reshaped(operation: Reshape, shape: Shape, given: Sequence[Value]) -> Term:
    term, own = given[0]
    wanted = dimensions(shape)
    if term.dimensions == wanted:
        return term
    if term.dimensions == wanted[::-1] and 1 in wanted:
        return transposed(term)
    raise InputError(
        f"the formula reshapes {shape_text(own)} to {shape_text(shape)}, which no operation of "
        "matrices does"
    )


def _expanded(operation: ExpandLike, shape: Shape, given: Sequence[Value]) -> Term:
    return _full(given[0], shape)


def _turned(operation: Transpose, shape: Shape, given: Sequence[Value]) -> Term:
    dimensions(shape)
    return transposed(given[0].term) if operation.axes == (1, 0) else given[0].term


def _multiplied(operation: Product, shape: Shape, given: Sequence[Value]) -> Term:
    (left, left_shape), (right, right_shape) = given
    if len(left_shape) > 1 or len(right_shape) == 1:
        return product(transposed(left) if len(left_shape) == 1 else left, right)
    # A row times a matrix; the vector that comes of it is a column, as all are.
    return product(transposed(right), left)


def _inverted(operation: InverseOfMatrix, shape: Shape, given: Sequence[Value]) -> Term:
    return _inverse(given[0].term)


def _inverse(matrix: Term) -> Term:
    if matrix.is_number:
        return algebra.reciprocal(matrix)
    numbers, inner = algebra.front(matrix)
    scale = algebra.reciprocal(numbers)
    if isinstance(inner, Identity):
        return times(scale, inner)
    return times(scale, inner.of if isinstance(inner, Inverse) else Inverse(inner))


def _solved(operation: Solve, shape: Shape, given: Sequence[Value]) -> Term:
    matrix = given[0].term
    turned = isinstance(matrix, Transposed)
    inverse = transposed(_inverse(transposed(matrix))) if turned else _inverse(matrix)
    return product(inverse, given[1].term)


def _determinant(operation: Determinant, shape: Shape, given: Sequence[Value]) -> Term:
    return OfMatrix("det", given[0].term, NUMBER)


def _trace(operation: Trace, shape: Shape, given: Sequence[Value]) -> Term:
    return OfMatrix("tr", given[0].term, NUMBER)


def _softmax(operation: Softmax, shape: Shape, given: Sequence[Value]) -> Term:
    """Of each row, or of a whole column; of the columns of a matrix by its transpose."""
    term = given[0].term
    rows, columns = term.dimensions
    if axis_in(operation.axis, given[0].shape) == 1:
        return (
            OfMatrix("softmax", term, term.dimensions)
            if columns > 1 or columns == ROWS
            else (algebra.ones(term.dimensions))
        )
    if columns == 1:
        return OfMatrix("softmax", term, term.dimensions)
    return transposed(OfMatrix("softmax", transposed(term), (columns, rows)))


def _logsumexp(operation: LogSumExp, shape: Shape, given: Sequence[Value]) -> Term:
    term = given[0].term
    rows, columns = term.dimensions
    if axis_in(operation.axis, given[0].shape) == 1:
        return term if columns == 1 else OfMatrix("logsumexp", term, (rows, 1))
    if columns == 1:
        return OfMatrix("logsumexp", term, NUMBER)
    return OfMatrix("logsumexp", transposed(term), (columns, 1))


def _taken(operation: Take, shape: Shape, given: Sequence[Value]) -> Term:
    rows, columns = _places(operation.key, given[0].shape)
    numbers, matrix = algebra.front(given[0].term)
    part = times(numbers, Part(matrix, rows, columns, key_text(operation.key)))
    return _as_column(part, operation.key, len(given[0].shape))


def _put(operation: Put, shape: Shape, given: Sequence[Value]) -> Term:
    rows, columns = _places(operation.key, given[1].shape)
    term = _as_column(given[0].term, operation.key, len(given[1].shape))
    numbers, matrix = algebra.front(term)
    return times(numbers, Placed(matrix, rows, columns, key_text(operation.key), dimensions(shape)))


def _as_column(term: Term, key: Sequence[Chosen], axes: int) -> Term:
    """A row that was taken out of a matrix as the column that every vector is, and back."""
    is_row = (
        axes == 2 and isinstance(key[0], int) and not (len(key) > 1 and isinstance(key[1], int))
    )
    return transposed(term) if is_row else term


def _places(key: Sequence[Chosen], shape: Shape) -> tuple[Places, Places]:
    """Which rows and which columns a key chooses."""
    dimensions(shape)
    padded = [*key, *[WHOLE] * (2 - len(key))][:2]
    lengths = (*shape, 1)[:2]
    found: list[Places] = []
    for part, length in zip(padded, lengths, strict=True):
        if part == WHOLE or length == ROWS:
            found.append(None)
        else:
            chosen = np.arange(length)[numpy_key((part,))]
            found.append(tuple(int(one) for one in np.atleast_1d(chosen)))
    return found[0], found[1]


def _concatenated(operation: Concatenate, shape: Shape, given: Sequence[Value]) -> Term:
    axis = axis_in(operation.axis, given[0].shape)
    dimensions(shape)
    return Blocks(tuple(value.term for value in given), axis)


_ON_ARRAYS: Mapping[type[ArrayOperation], Callable[..., Term]] = {
    Sum: _sum,
    Mean: _mean,
    Count: _count,
    Reshape: _reshaped,
    ExpandLike: _expanded,
    Transpose: _turned,
    Product: _multiplied,
    InverseOfMatrix: _inverted,
    Solve: _solved,
    Determinant: _determinant,
    Trace: _trace,
    Softmax: _softmax,
    LogSumExp: _logsumexp,
    Take: _taken,
    Put: _put,
    Concatenate: _concatenated,
}
