"""SymPy's matrices: an expression of matrix symbols, read into nodes in SymPy's own order.

A matrix that is the same along an axis, such as `OneMatrix(n, 1)`, has the length 1 there in its
node, and broadcasting repeats it: a formula does not know how many rows a batch has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import sympy
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.matexpr import MatrixElement
from sympy.matrices.expressions.slice import MatrixSlice

from verifier.errors import InputError
from verifier.operations.arrays import Expr
from verifier.program.array_operations.broadcasting import Reshape, Sum
from verifier.program.array_operations.linear_algebra import Determinant, Inverse, Trace
from verifier.program.array_operations.movement import WHOLE, Part, Slice, Take, Transpose
from verifier.program.array_operations.products import Product
from verifier.program.array_operations.reductions import Count
from verifier.program.builder import FormulaBuilder
from verifier.program.infix_operators import operate
from verifier.program.program import ROWS, SCALAR, Shape
from verifier.program.shapes import shape_text
from verifier.program.sympy_form import read

LARGEST_POWER = 64
"""Of a matrix; larger ones are products that nobody writes out."""


def has_matrices(expression: Expr) -> bool:
    """Whether the SymPy `expression` is a matrix or contains one.

    >>> has_matrices(sympy.Trace(sympy.MatrixSymbol("A", 2, 2))), has_matrices(sympy.Symbol("x"))
    (True, False)
    """
    return isinstance(expression, sympy.MatrixBase) or bool(
        expression.has(sympy.MatrixExpr, sympy.MatrixBase)
    )


def read_matrices(expression: Expr, build: FormulaBuilder, nodes: Mapping[str, int]) -> int:
    """The node of `build` that computes the SymPy `expression`, where its symbols are `nodes` by
    name.

    A result of one column is one number a row. Raises InputError for shapes that do not fit, and
    for what cannot be read, which it names.
    """
    reader = _Reader(build, nodes, _lengths(expression, build, nodes))
    return reader.result(expression)


def _lengths(expression: Expr, build: FormulaBuilder, nodes: Mapping[str, int]) -> dict[Expr, int]:
    """What the symbolic lengths of the matrices are, by the arrays that stand for them."""
    found: dict[Expr, int] = {}
    for symbol in sorted(expression.atoms(sympy.MatrixSymbol), key=str):
        if symbol.name not in nodes:
            raise InputError(
                f"the formula uses {symbol}, which is neither an input nor a parameter: name it as "
                "one of them"
            )
        shape = build.shape(nodes[symbol.name])
        for length, given in zip(symbol.shape, _as_matrix(symbol, shape), strict=True):
            if length.is_Symbol:
                found.setdefault(length, given)
            known = found.get(length, length)
            if known != given:
                raise InputError(
                    f"{symbol} is a matrix of {' x '.join(map(str, symbol.shape))} in the formula, "
                    f"and has the shape {shape_text(shape)}"
                    + (": write the number of rows as a symbol" if given == ROWS else "")
                )
    return found


def _as_matrix(symbol: Expr, shape: Shape) -> Shape:
    """The two lengths that an array has as that matrix; a vector is the column or the row."""
    if len(shape) == 2:
        return shape
    if len(shape) < 2:
        count = shape[0] if shape else 1
        return (1, count) if symbol.shape[0] == 1 and count != 1 else (count, 1)
    raise InputError(
        f"{symbol} has the shape {shape_text(shape)}, and a matrix of SymPy has two axes: write "
        "the model as a function or as text"
    )


@dataclass(eq=False)
class _Reader:
    """Reads an expression; `places` has the node of each part that was read."""

    build: FormulaBuilder
    nodes: Mapping[str, int]
    lengths: Mapping[Expr, int]
    places: dict[Expr, int] = field(default_factory=dict)

    def result(self, expression: Expr) -> int:
        """The node of the whole expression."""
        waiting = [expression]
        while waiting:
            tree = waiting[-1]
            if tree in self.places:
                waiting.pop()
                continue
            missing = [part for part in self._parts(tree) if part not in self.places]
            waiting.extend(reversed(missing))
            if not missing:
                self.places[tree] = self._node(waiting.pop())
        node = self.places[expression]
        if not expression.is_Matrix:
            return node
        return self._without_column(self._whole(expression, node))

    def _parts(self, tree: Expr) -> tuple[Expr, ...]:
        """What has to be read before the tree is."""
        if not _is_matrix_operation(tree):
            return (*_outermost(tree), *_symbols(tree))
        _rule(tree)
        if isinstance(tree, ElementwiseApplyFunction):
            return (tree.expr, *_symbols(tree.function))
        return tuple(part for part in tree.args if _is_read(part, tree))

    def _node(self, tree: Expr) -> int:
        if tree.is_Symbol and not tree.is_Matrix:
            return self._symbol(tree)
        if not _is_matrix_operation(tree):
            return read(tree, self.build, self.places)
        node = _rule(tree)(self, tree)
        if tree.is_Matrix:
            self._compare_shapes(tree, node)
        return node

    def _compare_shapes(self, tree: Expr, node: int) -> None:
        """Raise where SymPy takes a matrix for one of another shape, as it does slices in steps."""
        for found, length in zip(self._lengths_of(node), tree.shape, strict=True):
            if found != 1 and found != self._length(length):
                raise InputError(
                    f"{tree} has the shape {shape_text(self.build.shape(node))}, and SymPy says "
                    f"{' x '.join(map(str, tree.shape))}: write the model as a function or as text"
                )

    def _symbol(self, symbol: Expr) -> int:
        """A number: a parameter, or a length of the matrices."""
        if symbol.name in self.nodes:
            node = self.nodes[symbol.name]
            if self.build.shape(node) != SCALAR:
                raise InputError(
                    f"{symbol} is a number in the formula, and has the shape "
                    f"{shape_text(self.build.shape(node))}: use a MatrixSymbol"
                )
            return node
        if symbol not in self.lengths:
            raise InputError(
                f"the formula uses {symbol}, which is neither an input nor a parameter: name it as "
                "one of them"
            )
        return self._count(symbol)

    # Matrices.

    def matrix_symbol(self, tree: Expr) -> int:
        """The array, with two axes."""
        node = self.nodes[tree.name]
        shape = _as_matrix(tree, self.build.shape(node))
        return self.build.array_if_reshaping(Reshape(shape), node)

    def explicit(self, tree: Expr) -> int:
        """A matrix of numbers."""
        try:
            return self.build.constant(np.array(tree.tolist(), dtype=np.float64))
        except TypeError:
            raise InputError(
                f"{tree} has entries that are no numbers: write the model as a function or as text"
            ) from None

    def ones(self, tree: Expr) -> int:
        """The number 1, which is repeated."""
        return self.build.constant(1)

    def zeros(self, tree: Expr) -> int:
        """The number 0, which is repeated."""
        return self.build.constant(0)

    def identity(self, tree: Expr) -> int:
        """An array, if its size is known."""
        size = self._length(tree.shape[0])
        if size == ROWS:
            raise InputError(
                f"{tree} has as many rows as a batch, which a formula does not know: leave it out"
            )
        return self.build.constant(np.eye(size))

    def sum_of(self, tree: Expr) -> int:
        """From the left, where a term with a minus sign is subtracted."""
        total = None
        for term in tree.args:
            factor, matrix = _without_factor(term)
            taken = total is not None and factor.is_Number and factor.is_negative
            node = self._scaled(-factor, matrix) if taken else self.places[term]
            if total is None:
                total = node
            else:
                total = self.build.apply("subtract" if taken else "add", total, node)
        return total or 0

    def product_of(self, tree: Expr) -> int:
        """The matrices from the left, then their factor."""
        factor, matrix = _without_factor(tree)
        if factor != 1:
            return self._scaled(factor, matrix)
        first, *rest = tree.args
        whole, node = first, self.places[first]
        for other in rest:
            node = self._multiplied(whole, node, other, self.places[other])
            whole = _Shaped(whole.shape[0], other.shape[1])
        return node

    def _scaled(self, factor: Expr, matrix: Expr) -> int:
        if matrix not in self.places:
            self.places[matrix] = self._node(matrix)
        node = self.places[matrix]
        if factor == 1:
            return node
        if factor == -1:
            return self.build.apply("negative", node)
        if factor.is_Pow and factor.exp == -1:
            return self.build.apply("divide", node, self._number(factor.base))
        return self.build.apply("multiply", self._number(factor), node)

    def _number(self, tree: Expr) -> int:
        if tree not in self.places:
            self.places[tree] = read(tree, self.build, self.places)
        return self.places[tree]

    def _multiplied(self, one: Expr | _Shaped, left: int, other: Expr, right: int) -> int:
        """A product; what is the same along the axis that is summed over comes out of the sum."""
        inner = self._length(other.shape[0])
        if inner == 1:
            return self._by_one(left, right)
        rows, columns = self._lengths_of(left), self._lengths_of(right)
        if rows[1] != 1 and columns[0] != 1:
            return self.build.array(Product(), left, right)
        if columns[0] != 1:
            return self._by_one(left, self._summed(right, 0))
        if rows[1] != 1:
            return self._by_one(self._summed(left, 1), right)
        product = self.build.apply("multiply", left, right)
        return self.build.apply("multiply", product, self._count(other.shape[0]))

    def _by_one(self, left: int, right: int) -> int:
        """A column times a row."""
        for node, beside in ((left, right), (right, left)):
            if self.build.is_one(node, beside):
                return beside
        return self.build.apply("multiply", left, right)

    def _summed(self, node: int, axis: int) -> int:
        lengths = list(self._lengths_of(node))
        lengths[axis] = 1
        return self.build.array(Reshape(tuple(lengths)), self.build.array(Sum((axis,)), node))

    def power_of(self, tree: Expr) -> int:
        """A product of as many."""
        base, exponent = tree.args
        if not exponent.is_Integer or abs(exponent) > LARGEST_POWER:
            raise InputError(
                f"{tree} cannot be read: a power of a matrix has a whole exponent of at most "
                f"{LARGEST_POWER}"
            )
        node = self._whole(base, self.places[base])
        if exponent == 0:
            return self.identity(base)
        node = node if exponent > 0 else self.build.array(Inverse(), node)
        result = node
        for _ in range(abs(int(exponent)) - 1):
            result = self.build.array(Product(), result, node)
        return result

    def transpose_of(self, tree: Expr) -> int:
        """The axes in the other order."""
        node = self.places[tree.args[0]]
        if self._lengths_of(node) == (1, 1):
            return node
        return self.build.array(Transpose((1, 0)), node)

    def inverse_of(self, tree: Expr) -> int:
        """Of a square matrix."""
        return self.build.array(Inverse(), self._whole(tree.args[0], self.places[tree.args[0]]))

    def determinant_of(self, tree: Expr) -> int:
        """A number."""
        return self.build.array(Determinant(), self._whole(tree.args[0], self.places[tree.args[0]]))

    def trace_of(self, tree: Expr) -> int:
        """A number."""
        return self.build.array(Trace(), self._whole(tree.args[0], self.places[tree.args[0]]))

    def each_product_of(self, tree: Expr) -> int:
        """Element by element, from the left."""
        first, *rest = (self.places[part] for part in tree.args)
        for node in rest:
            first = self.build.apply("multiply", first, node)
        return first

    def each_power_of(self, tree: Expr) -> int:
        """Element by element."""
        base, exponent = (self.places[part] for part in tree.args)
        return operate(self.build, "power", base, exponent)

    def each_of(self, tree: Expr) -> int:
        """A function of every element."""
        applied = tree.function
        variable, body = applied.variables[0], applied.expr
        symbols = {part: self.places[part] for part in applied.free_symbols}
        return read(body, self.build, {**symbols, variable: self.places[tree.expr]})

    def element_of(self, tree: Expr) -> int:
        """One number of a matrix."""
        matrix, *places = tree.args
        node = self._whole(matrix, self.places[matrix])
        if not all(place.is_Integer for place in places):
            raise InputError(f"{tree} cannot be read: an index must be whole numbers")
        return self.build.array(Take(tuple(int(place) for place in places)), node)

    def slice_of(self, tree: Expr) -> int:
        """Part of a matrix."""
        node = self._whole(tree.parent, self.places[tree.parent])
        shape = self.build.shape(node)
        key = tuple(
            self._part(tree, one, length)
            for one, length in zip((tree.rowslice, tree.colslice), shape, strict=True)
        )
        return self.build.array_if_reshaping(Take(key), node)

    def _part(self, tree: Expr, given: tuple[Expr, ...], length: int) -> Part:
        start, stop, step = (self.lengths.get(one, one) for one in map(sympy.sympify, given))
        if (start, stop, step) == (0, length, 1):
            return WHOLE
        if not all(sympy.sympify(one).is_Integer for one in (start, stop, step)) or stop == ROWS:
            raise InputError(f"{tree} cannot be read: a slice must have whole numbers")
        return Slice(int(start), int(stop), None if step == 1 else int(step))

    # Lengths.

    def _length(self, length: Expr) -> int:
        if length in self.lengths:
            return self.lengths[length]
        if not sympy.sympify(length).is_Integer:
            raise InputError(
                f"how long {length} is does not follow from the symbols of the formula"
            )
        return int(length)

    def _lengths_of(self, node: int) -> tuple[int, int]:
        """The two lengths of the node; a number is the same along both axes."""
        shape = self.build.shape(node)
        return (shape[0], shape[1]) if len(shape) == 2 else (1, 1)

    def _count(self, length: Expr) -> int:
        """A length as a number."""
        known = self._length(length)
        if known != ROWS:
            return self.build.constant(known)
        shapes = ((node, self.build.shape(node)) for node in self.nodes.values())
        rows = next(node for node, shape in shapes if shape[:1] == (ROWS,))
        return self.build.array(Count((0,)), rows)

    def _whole(self, tree: Expr, node: int) -> int:
        """The node in the shape of its matrix, with what is the same along an axis repeated."""
        lengths = tuple(self._length(length) for length in tree.shape)
        found = self._lengths_of(node)
        if self.build.shape(node) == lengths:
            return node
        repeated = tuple(
            length if one == 1 else 1 for one, length in zip(found, lengths, strict=True)
        )
        if ROWS in repeated:
            return node
        return self.build.apply("multiply", node, self.build.constant(np.ones(repeated)))

    def _without_column(self, node: int) -> int:
        """One number a row, or one number, where there is one column."""
        rows, columns = self._lengths_of(node)
        if columns != 1 or not self.build.shape(node):
            return node
        return self.build.array(Reshape(() if rows == 1 else (rows,)), node)


@dataclass(frozen=True, eq=False)
class _Shaped:
    """What has the lengths of a product so far."""

    rows: Expr
    columns: Expr

    @property
    def shape(self) -> tuple[Expr, Expr]:
        return self.rows, self.columns


_Rule = Callable[[_Reader, Expr], int]
_RULES: dict[type, _Rule] = {
    sympy.MatrixSymbol: _Reader.matrix_symbol,
    sympy.MatrixBase: _Reader.explicit,
    sympy.OneMatrix: _Reader.ones,
    sympy.ZeroMatrix: _Reader.zeros,
    sympy.Identity: _Reader.identity,
    sympy.MatAdd: _Reader.sum_of,
    sympy.MatMul: _Reader.product_of,
    sympy.Inverse: _Reader.inverse_of,
    sympy.MatPow: _Reader.power_of,
    sympy.Transpose: _Reader.transpose_of,
    sympy.HadamardProduct: _Reader.each_product_of,
    sympy.HadamardPower: _Reader.each_power_of,
    sympy.Determinant: _Reader.determinant_of,
    sympy.Trace: _Reader.trace_of,
    MatrixElement: _Reader.element_of,
    MatrixSlice: _Reader.slice_of,
    ElementwiseApplyFunction: _Reader.each_of,
}


def _rule(tree: Expr) -> _Rule:
    """How an operation on matrices is read. Raises InputError where it is not."""
    for kind, rule in _RULES.items():
        if isinstance(tree, kind):
            return rule
    raise InputError(
        f"{type(tree).__name__} of SymPy's matrices cannot be read: write the model as a function "
        "or as text"
    )


_OF_MATRICES = (sympy.Trace, sympy.Determinant, MatrixElement)
"""Numbers that are made of matrices."""


_LEAVES = (
    sympy.MatrixSymbol, sympy.OneMatrix, sympy.ZeroMatrix, sympy.Identity, sympy.MatrixBase,
)  # fmt: skip
"""Matrices that are made of no others."""


def _is_matrix_operation(tree: Expr) -> bool:
    return bool(getattr(tree, "is_Matrix", False)) or isinstance(tree, _OF_MATRICES)


def _is_read(part: Expr, tree: Expr) -> bool:
    """Whether a part of an operation on matrices has a node of its own."""
    if isinstance(tree, MatrixElement | MatrixSlice):
        return bool(getattr(part, "is_Matrix", False))
    if isinstance(tree, _LEAVES):
        return False
    if isinstance(tree, sympy.MatPow) and part is tree.args[1]:
        return False
    return isinstance(part, sympy.Expr)


def _symbols(tree: Expr) -> list[Expr]:
    """The numbers that occur in a formula by their names, and not in its matrices alone."""
    return sorted(
        (part for part in tree.free_symbols if not part.is_Matrix and part != tree), key=str
    )


def _outermost(tree: Expr) -> list[Expr]:
    """The numbers that are made of matrices, inside a formula of numbers."""
    found, waiting = [], [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, _OF_MATRICES):
            found.append(part)
            continue
        matrix = next((one for one in part.args if getattr(one, "is_Matrix", False)), None)
        if matrix is not None:
            name = type(part).__name__
            raise InputError(
                f"{name}({matrix}) cannot be read: for every element write applyfunc({name})"
            )
        waiting.extend(reversed(part.args))
    return found


def _without_factor(tree: Expr) -> tuple[Expr, Expr]:
    """The number that a matrix is multiplied by, and the matrix."""
    if not isinstance(tree, sympy.MatMul):
        return sympy.S.One, tree
    factor, matrices = tree.as_coeff_matrices()
    if factor == 1:
        return factor, tree
    return factor, matrices[0] if len(matrices) == 1 else sympy.MatMul(*matrices, evaluate=False)
