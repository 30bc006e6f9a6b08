"""Closed forms as SymPy's matrix expressions, with symbols of explicit shapes.

The rows of a batch are a positive integer symbol. Functions of matrices that SymPy has no class for
are `MatrixFunction`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import singledispatchmethod
from typing import Any

import numpy as np
import sympy
from sympy.core.symbol import Str

from verifier.errors import InputError
from verifier.formula.arrays.closed_form.latex import LatexNotation
from verifier.formula.arrays.closed_form.notation import FUNCTIONS, SIGNS
from verifier.formula.arrays.closed_form.terms import (
    Applied,
    Blocks,
    Coefficient,
    Constant,
    Diagonal,
    Hadamard,
    Identity,
    Indicator,
    Inverse,
    Number,
    OfMatrix,
    Ones,
    Part,
    Placed,
    Places,
    Power,
    Product,
    RowCount,
    Scaled,
    Special,
    SquaredNorm,
    Sum,
    Symbol,
    Term,
    Transposed,
)
from verifier.formula.arrays.closed_form.text import TextNotation
from verifier.operations.arrays import Expr
from verifier.operations.table import TABLE
from verifier.program.program import ROWS
from verifier.program.sympy_form import symbol

LARGEST = 5_000
"""Expressions of more parts, each counted where it stands, are nothing that people read."""
LARGEST_CONSTANT = 1_000
"""Arrays of more numbers are not written into an expression."""


class MatrixFunction(sympy.MatrixExpr):  # type: ignore[misc]
    """A function of matrices that stays as it is: of every entry, or of each row.

    `name` is that of a row of the operations table, such as tanh, or diag, or one of softmax,
    logsumexp and onehot, which take the rows one by one, or a whole column; `rows` and `columns`
    are the shape of the result.

    >>> Z = sympy.MatrixSymbol("Z", 2, 3)
    >>> MatrixFunction("tanh", 2, 3, Z)
    tanh(Z)
    """

    def __new__(cls, name: Any, rows: Any, columns: Any, *arguments: Any) -> MatrixFunction:
        named = name if isinstance(name, Str) else Str(name)
        sizes = (sympy.sympify(rows), sympy.sympify(columns))
        return sympy.Basic.__new__(cls, named, *sizes, *arguments)  # type: ignore[no-any-return]

    @property
    def name(self) -> str:
        """What is computed."""
        return str(self.args[0])

    @property
    def shape(self) -> tuple[Any, Any]:
        """Rows and columns."""
        return self.args[1], self.args[2]

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What the function is applied to."""
        return tuple(self.args[3:])

    def _entry(self, i: Any, j: Any, **hints: Any) -> Any:
        return sympy.matrices.expressions.matexpr.MatrixElement(self, i, j)

    def _sympystr(self, printer: Any) -> str:
        return self._shown([printer.doprint(one) for one in self.arguments], TextNotation())

    def _latex(self, printer: Any) -> str:
        return self._shown([printer.doprint(one) for one in self.arguments], LatexNotation())

    def _shown(self, arguments: list[str], notation: TextNotation | LatexNotation) -> str:
        if self.name in SIGNS:
            left, right, *_ = arguments
            return notation.indicator(left, SIGNS[self.name], right)
        return notation.call(FUNCTIONS.get(self.name, self.name), arguments)


def sympy_form(term: Term, rows: str) -> Expr:
    """The term as a SymPy expression: of a number, or of a matrix.

    `rows` is the name of how many rows a batch has. Raises InputError where the expression is too
    long for people.

    >>> W = Symbol("W", (ROWS, 2), 2)
    >>> sympy_form(Transposed(W), "n").shape
    (2, n)
    """
    if term.weight > LARGEST:
        raise InputError(
            f"written out, the formula has {term.weight} parts: above {LARGEST} it is not shown"
        )
    writer = _Expressions(sympy.Symbol(rows, integer=True, positive=True))
    return writer.number(term) if term.is_number else writer.matrix(term)


class _Expressions:
    def __init__(self, rows: sympy.Symbol) -> None:
        self._rows = rows
        self._found: dict[Term, Expr] = {}

    def matrix(self, term: Term) -> Expr:
        """A matrix expression; of a number one with one row and one column."""
        found = self._expression(term)
        return found if _is_matrix(found) else sympy.ImmutableMatrix([[found]])

    def number(self, term: Term) -> Expr:
        """An expression of a number."""
        found = self._expression(term)
        if isinstance(found, sympy.MatrixSymbol):
            return found[0, 0]
        return sympy.Trace(found) if _is_matrix(found) else found

    def _either(self, term: Term) -> Expr:
        return self.number(term) if term.is_number else self.matrix(term)

    def _length(self, length: int) -> Expr:
        return self._rows if length == ROWS else sympy.Integer(length)

    def _shape(self, term: Term) -> tuple[Expr, Expr]:
        rows, columns = term.dimensions
        return self._length(rows), self._length(columns)

    def _expression(self, term: Term) -> Expr:
        if term not in self._found:
            self._found[term] = self._written(term)
        return self._found[term]

    @singledispatchmethod
    def _written(self, term: Term) -> Expr:
        raise TypeError(type(term).__name__)

    @_written.register
    def _symbol(self, term: Symbol) -> Expr:
        if term.axes:
            return sympy.MatrixSymbol(term.name, *self._shape(term))
        return symbol(term.name)

    @_written.register
    def _number(self, term: Number) -> Expr:
        return _number(term.value)

    @_written.register
    def _row_count(self, term: RowCount) -> Expr:
        return self._rows

    @_written.register
    def _special(self, term: Special) -> Expr:
        return TABLE[term.name].sympy()

    @_written.register
    def _ones(self, term: Ones) -> Expr:
        return sympy.OneMatrix(self._length(term.length), 1)

    @_written.register
    def _identity(self, term: Identity) -> Expr:
        return sympy.Identity(self._length(term.length))

    @_written.register
    def _constant(self, term: Constant) -> Expr:
        return _constant(term)

    @_written.register
    def _sum(self, term: Sum) -> Expr:
        if term.is_number:
            return sympy.Add(*map(self.number, term.terms))
        return sympy.MatAdd(*map(self.matrix, _without_brackets(term.terms)))

    @_written.register
    def _scaled(self, term: Scaled) -> Expr:
        scale = _number(term.coefficient) * sympy.Mul(*map(self.number, term.over))
        scale = scale / sympy.Mul(*map(self.number, term.under))
        if term.of is None:
            return scale
        factors = term.of.factors if isinstance(term.of, Product) else (term.of,)
        return sympy.MatMul(scale, *map(self.matrix, factors))

    @_written.register
    def _product(self, term: Product) -> Expr:
        return sympy.MatMul(*map(self.matrix, term.factors))

    @_written.register
    def _entrywise(self, term: Hadamard) -> Expr:
        divisors = [sympy.HadamardPower(self.matrix(one), -1) for one in term.under]
        return sympy.HadamardProduct(*map(self.matrix, term.over), *divisors)

    @_written.register
    def _transposed(self, term: Transposed) -> Expr:
        return sympy.Transpose(self.matrix(term.of))

    @_written.register
    def _inverse(self, term: Inverse) -> Expr:
        return sympy.Inverse(self.matrix(term.of))

    @_written.register
    def _diagonal(self, term: Diagonal) -> Expr:
        # SymPy's own DiagMatrix takes seconds to print, since it asks what it is the diagonal of.
        return MatrixFunction("diag", *self._shape(term), self.matrix(term.of))

    @_written.register
    def _norm(self, term: SquaredNorm) -> Expr:
        inner = self.matrix(term.of)
        return sympy.Trace(sympy.MatMul(sympy.Transpose(inner), inner))

    @_written.register
    def _power(self, term: Power) -> Expr:
        exponent = _number(term.exponent)
        if term.of.is_number:
            return self.number(term.of) ** exponent
        return sympy.HadamardPower(self.matrix(term.of), exponent)

    @_written.register
    def _of_matrix(self, term: OfMatrix) -> Expr:
        inner = self.matrix(term.of)
        if term.name == "det":
            return sympy.Determinant(inner)
        if term.name == "tr":
            return sympy.Trace(inner)
        return MatrixFunction(term.name, *self._shape(term), inner)

    @_written.register
    def _applied(self, term: Applied) -> Expr:
        given = [self._either(one) for one in term.arguments]
        if term.is_number:
            return TABLE[term.row].sympy(*given)
        if term.row == "sqrt":
            return sympy.HadamardPower(given[0], sympy.S.Half)
        return MatrixFunction(term.row, *self._shape(term), *given)

    @_written.register
    def _indicator(self, term: Indicator) -> Expr:
        given = [self._either(side) for side in term.parts]
        tie = [] if term.at_ties is None else [_number(term.at_ties)]
        if not term.is_number:
            return MatrixFunction(term.row, *self._shape(term), *given, *tie)
        ties = [(one, sympy.Eq(*given)) for one in tie]
        holds = (sympy.S.One, TABLE[term.row].sympy(*given))
        return sympy.Piecewise(holds, *ties, (sympy.S.Zero, True))

    @_written.register
    def _part(self, term: Part) -> Expr:
        whole = self.matrix(term.of)
        if term.is_number and term.rows is not None:
            return whole[term.rows[0], 0 if term.columns is None else term.columns[0]]
        left, right = _selections(term.rows, term.columns, term.of)
        return sympy.MatMul(*left, whole, *right)

    @_written.register
    def _placed(self, term: Placed) -> Expr:
        left, right = _selections(term.rows, term.columns, term)
        back = [[one.T for one in side] for side in (left, right)]
        return sympy.MatMul(*back[0], self.matrix(term.of), *back[1])

    @_written.register
    def _blocks(self, term: Blocks) -> Expr:
        if all(block.is_number for block in term.blocks):
            column = sympy.ImmutableMatrix(list(map(self.number, term.blocks)))
            return column.T if term.axis else column
        parts = [self.matrix(block) for block in term.blocks]
        return sympy.BlockMatrix([parts] if term.axis else [[one] for one in parts])


def _without_brackets(terms: Sequence[Term]) -> list[Term]:
    """The terms of a sum and of the sums among them."""
    return [
        part
        for term in terms
        for part in (_without_brackets(term.terms) if isinstance(term, Sum) else [term])
    ]


def _selections(rows: Places, columns: Places, whole: Term) -> tuple[list[Expr], list[Expr]]:
    """The matrices of 0 and 1 that choose rows from the left and columns from the right."""
    height, width = whole.dimensions
    left = [] if rows is None else [_chosen(rows, height)]
    right = [] if columns is None else [_chosen(columns, width).T]
    return left, right


def _chosen(places: Sequence[int], length: int) -> Expr:
    return sympy.ImmutableMatrix(len(places), length, lambda i, j: int(places[i] == j))


def _is_matrix(expression: Expr) -> bool:
    return bool(getattr(expression, "is_Matrix", False))


def _number(value: Coefficient) -> Expr:
    if isinstance(value, Fraction):
        return sympy.Rational(value.numerator, value.denominator)
    return sympy.Float(value)


def _constant(term: Constant) -> Expr:
    array = np.asarray(term.array.array, dtype=np.float64)
    if array.size > LARGEST_CONSTANT:
        raise InputError(
            f"the formula has an array of {array.size:,} numbers: above {LARGEST_CONSTANT:,} it is "
            "not written into an expression"
        )
    numbers = [
        _number(Fraction(one) if one.is_integer() else one) for one in array.ravel().tolist()
    ]
    return sympy.ImmutableMatrix(*term.dimensions, numbers)
