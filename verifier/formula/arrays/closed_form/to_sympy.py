"""Closed forms as SymPy's matrix expressions, with symbols of explicit shapes.

The rows of a batch are a positive integer symbol. Functions of matrices that SymPy has no class for
are `MatrixFunction`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from sympy.core.symbol import Str
from sympy.matrices.expressions.diagonal import DiagMatrix

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

    `name` is that of a row of the operations table, such as tanh, or one of softmax, logsumexp and
    onehot, which take the rows one by one, or a whole column; `rows` and `columns` are the shape of the result.

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

    def _written(self, term: Term) -> Expr:
        match term:
            case Symbol(name, _, axes):
                return sympy.MatrixSymbol(name, *self._shape(term)) if axes else symbol(name)
            case Number(value):
                return _number(value)
            case RowCount():
                return self._rows
            case Special(name):
                return TABLE[name].sympy()
            case Ones(length):
                return sympy.OneMatrix(self._length(length), 1)
            case Identity(length):
                return sympy.Identity(self._length(length))
            case Constant():
                return _constant(term)
            case Sum(terms):
                return self._sum(terms)
            case Scaled(coefficient, over, under, of):
                scale = _number(coefficient) * sympy.Mul(*map(self.number, over))
                scale = scale / sympy.Mul(*map(self.number, under))
                factors = of.factors if isinstance(of, Product) else (of,)
                return scale if of is None else sympy.MatMul(scale, *map(self.matrix, factors))
            case Product(factors):
                return sympy.MatMul(*map(self.matrix, factors))
            case Hadamard(over, under):
                divisors = [sympy.HadamardPower(self.matrix(one), -1) for one in under]
                return _entrywise([*map(self.matrix, over), *divisors])
        return self._marked(term)

    def _marked(self, term: Term) -> Expr:
        match term:
            case Transposed(of):
                return sympy.Transpose(self.matrix(of))
            case Inverse(of):
                return sympy.Inverse(self.matrix(of))
            case Diagonal(of):
                return DiagMatrix(self.matrix(of))
            case SquaredNorm(of):
                inner = self.matrix(of)
                return sympy.Trace(sympy.MatMul(sympy.Transpose(inner), inner))
            case Power(of, exponent) if of.is_number:
                return self.number(of) ** _number(exponent)
            case Power(of, exponent):
                return sympy.HadamardPower(self.matrix(of), _number(exponent))
            case OfMatrix("det", of):
                return sympy.Determinant(self.matrix(of))
            case OfMatrix("tr", of):
                return sympy.Trace(self.matrix(of))
            case OfMatrix(name, of):
                return MatrixFunction(name, *self._shape(term), self.matrix(of))
            case Applied(row, arguments):
                return self._applied(row, arguments, term)
            case Indicator(row, left, right, at_ties):
                return self._indicator(row, (left, right), at_ties, term)
        return self._selected(term)

    def _applied(self, row: str, arguments: Sequence[Term], term: Term) -> Expr:
        given = [self._either(one) for one in arguments]
        if term.is_number:
            return TABLE[row].sympy(*given)
        if row == "sqrt":
            return sympy.HadamardPower(given[0], sympy.S.Half)
        return MatrixFunction(row, *self._shape(term), *given)

    def _indicator(
        self, row: str, sides: Sequence[Term], at_ties: Fraction | None, term: Term
    ) -> Expr:
        given = [self._either(side) for side in sides]
        tie = [] if at_ties is None else [_number(at_ties)]
        if not term.is_number:
            return MatrixFunction(row, *self._shape(term), *given, *tie)
        holds = [(sympy.S.One, TABLE[row].sympy(*given)), (sympy.S.Zero, True)]
        if tie:
            holds.insert(1, (tie[0], sympy.Eq(*given)))
        return sympy.Piecewise(*holds)

    def _selected(self, term: Term) -> Expr:
        match term:
            case Part(of, rows, columns) if term.is_number and rows is not None:
                whole = self.matrix(of)
                return whole[rows[0], 0 if columns is None else columns[0]]
            case Part(of, rows, columns):
                left, right = _selections(rows, columns, of)
                return sympy.MatMul(*left, self.matrix(of), *right)
            case Placed(of, rows, columns):
                left, right = _selections(rows, columns, term)
                back = [[one.T for one in side] for side in (left, right)]
                return sympy.MatMul(*back[0], self.matrix(of), *back[1])
            case Blocks(blocks, axis):
                if all(block.is_number for block in blocks):
                    numbers = [self.number(block) for block in blocks]
                    column = sympy.ImmutableMatrix(numbers)
                    return column.T if axis else column
                parts = [self.matrix(block) for block in blocks]
                return sympy.BlockMatrix([parts] if axis else [[one] for one in parts])
        raise TypeError(type(term).__name__)

    def _sum(self, terms: Sequence[Term]) -> Expr:
        if terms[0].is_number:
            return sympy.Add(*map(self.number, terms))
        return sympy.MatAdd(*map(self.matrix, _without_brackets(terms)))


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


def _entrywise(parts: Sequence[Expr]) -> Expr:
    return parts[0] if len(parts) == 1 else sympy.HadamardProduct(*parts)


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
    numbers = [_number(Fraction(one) if one.is_integer() else one) for one in array.ravel().tolist()]
    return sympy.ImmutableMatrix(*term.dimensions, numbers)
