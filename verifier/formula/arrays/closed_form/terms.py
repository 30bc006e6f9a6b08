"""Terms: the algebra of matrices that a closed form is written in.

Every term is a matrix; a vector is a column, and a number has one row and one column. Equal terms
are the same object, so that what is written twice is found at once and a term may be shared
without becoming larger.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar, TypeAlias
from weakref import WeakValueDictionary

from verifier.program.program import FrozenArray

Dimensions: TypeAlias = tuple[int, int]
"""Rows and columns; `verifier.program.program.ROWS` stands for the rows of a batch."""
Coefficient: TypeAlias = Fraction | float
Places: TypeAlias = tuple[int, ...] | None
"""Which rows or columns are chosen; None for all of them."""
NUMBER: Dimensions = (1, 1)


def size(coefficient: Coefficient) -> Coefficient:
    """The number without its sign."""
    return -coefficient if coefficient < 0 else coefficient


class _Shared(type):
    """Makes one object of equal terms."""

    known: ClassVar[WeakValueDictionary[Any, Term]] = WeakValueDictionary()

    def __call__(cls, *fields: Any) -> Any:
        key = (cls, fields, tuple(map(type, fields)))
        found = _Shared.known.get(key)
        if found is None:
            found = super().__call__(*fields)
            # From its parts, which have theirs: deep terms would be walked through later.
            _ = found.weight
            _Shared.known[key] = found
        return found


class Term(metaclass=_Shared):
    """A part of a closed form; two terms that are equal are one object."""

    dimensions: Dimensions

    @property
    def parts(self) -> tuple[Term, ...]:
        """The terms that it is made of, from the left."""
        return ()

    def with_parts(self, parts: Iterator[Term]) -> Term:
        """The same operation on other terms of the same dimensions."""
        return self

    @property
    def own_weight(self) -> int:
        """How much there is to read besides its parts."""
        return 0 if self.parts else 1

    @cached_property
    def weight(self) -> int:
        """How much there is to read."""
        return self.own_weight + sum(part.weight for part in self.parts)

    @property
    def is_number(self) -> bool:
        """Whether it has one row and one column."""
        return self.dimensions == NUMBER


@dataclass(frozen=True, eq=False)
class Symbol(Term):
    """A parameter or a column of the data."""

    name: str
    dimensions: Dimensions
    axes: int
    """How many the array has in the formula."""


@dataclass(frozen=True, eq=False)
class Named(Term):
    """A part of the closed form that has a line of its own."""

    letter: str
    index: int | None
    dimensions: Dimensions


@dataclass(frozen=True, eq=False)
class Derivative(Term):
    """The derivative of the loss by a parameter, on the left of its line."""

    by: str
    dimensions: Dimensions


@dataclass(frozen=True, eq=False)
class Number(Term):
    """A number as it was written, or a fraction."""

    value: Coefficient
    dimensions = NUMBER


@dataclass(frozen=True, eq=False)
class RowCount(Term):
    """How many rows a batch has."""

    dimensions = NUMBER


@dataclass(frozen=True, eq=False)
class Special(Term):
    """One of the numbers that have a name: pi or e."""

    name: str
    dimensions = NUMBER


@dataclass(frozen=True, eq=False)
class Ones(Term):
    """A column of ones."""

    length: int

    @property
    def dimensions(self) -> Dimensions:  # type: ignore[override]
        """One column."""
        return (self.length, 1)


@dataclass(frozen=True, eq=False)
class Identity(Term):
    """The identity matrix."""

    length: int

    @property
    def dimensions(self) -> Dimensions:  # type: ignore[override]
        """Square."""
        return (self.length, self.length)


@dataclass(frozen=True, eq=False)
class Constant(Term):
    """An array of numbers that stands in the formula."""

    array: FrozenArray
    dimensions: Dimensions


@dataclass(frozen=True, eq=False)
class _Unary(Term):
    of: Term

    @property
    def parts(self) -> tuple[Term, ...]:
        """One."""
        return (self.of,)

    def with_parts(self, parts: Iterator[Term]) -> Term:
        """The same of another term."""
        return type(self)(*parts)

    @property
    def dimensions(self) -> Dimensions:  # type: ignore[override]
        """Those of the part."""
        return self.of.dimensions


@dataclass(frozen=True, eq=False)
class Transposed(_Unary):
    """The transpose."""

    @property
    def dimensions(self) -> Dimensions:  # type: ignore[override]
        """Those of the part, the other way round."""
        return self.of.dimensions[::-1]


@dataclass(frozen=True, eq=False)
class Inverse(_Unary):
    """The inverse of a square matrix."""


@dataclass(frozen=True, eq=False)
class Diagonal(_Unary):
    """The matrix with a column as its diagonal."""

    @property
    def dimensions(self) -> Dimensions:  # type: ignore[override]
        """Square."""
        return (self.of.dimensions[0], self.of.dimensions[0])


@dataclass(frozen=True, eq=False)
class SquaredNorm(_Unary):
    """The sum of the squares of all entries."""

    @property
    def dimensions(self) -> Dimensions:  # type: ignore[override]
        """A number."""
        return NUMBER


@dataclass(frozen=True, eq=False)
class Power(_Unary):
    """Every entry to a power that is a number."""

    exponent: Coefficient

    def with_parts(self, parts: Iterator[Term]) -> Term:
        """The same power of another term."""
        return Power(next(parts), self.exponent)


@dataclass(frozen=True, eq=False)
class Product(Term):
    """The product of matrices."""

    factors: tuple[Term, ...]

    @property
    def parts(self) -> tuple[Term, ...]:
        """The factors."""
        return self.factors

    def with_parts(self, parts: Iterator[Term]) -> Term:
        """Of other factors."""
        return Product(tuple(parts))

    @property
    def dimensions(self) -> Dimensions:  # type: ignore[override]
        """The rows of the first factor and the columns of the last."""
        return (self.factors[0].dimensions[0], self.factors[-1].dimensions[1])


@dataclass(frozen=True, eq=False)
class Scaled(Term):
    """A matrix times a number, or a product of numbers where there is no matrix."""

    coefficient: Coefficient
    over: tuple[Term, ...]
    under: tuple[Term, ...]
    of: Term | None

    @property
    def parts(self) -> tuple[Term, ...]:
        """The numbers above and below the line, and the matrix."""
        return (*self.over, *self.under, *([] if self.of is None else [self.of]))

    def with_parts(self, parts: Iterator[Term]) -> Term:
        """Of other terms."""
        over = tuple(next(parts) for _ in self.over)
        under = tuple(next(parts) for _ in self.under)
        return Scaled(self.coefficient, over, under, None if self.of is None else next(parts))

    @property
    def dimensions(self) -> Dimensions:  # type: ignore[override]
        """Those of the matrix."""
        return NUMBER if self.of is None else self.of.dimensions


@dataclass(frozen=True, eq=False)
class Sum(Term):
    """The sum of matrices; a multiple of a matrix of ones adds a number to every entry."""

    terms: tuple[Term, ...]

    @property
    def parts(self) -> tuple[Term, ...]:
        """The terms."""
        return self.terms

    def with_parts(self, parts: Iterator[Term]) -> Term:
        """Of other terms."""
        return Sum(tuple(parts))

    @property
    def dimensions(self) -> Dimensions:  # type: ignore[override]
        """Those of each term."""
        return self.terms[0].dimensions


@dataclass(frozen=True, eq=False)
class Hadamard(Term):
    """The product entry by entry, divided entry by entry."""

    over: tuple[Term, ...]
    under: tuple[Term, ...]

    @property
    def parts(self) -> tuple[Term, ...]:
        """The factors, then the divisors."""
        return (*self.over, *self.under)

    def with_parts(self, parts: Iterator[Term]) -> Term:
        """Of other terms."""
        over = tuple(next(parts) for _ in self.over)
        return Hadamard(over, tuple(parts))

    @property
    def dimensions(self) -> Dimensions:  # type: ignore[override]
        """Those of each factor."""
        return self.parts[0].dimensions


@dataclass(frozen=True, eq=False)
class Applied(Term):
    """A row of the operations table on every entry; numbers stand for all entries."""

    row: str
    arguments: tuple[Term, ...]
    dimensions: Dimensions

    @property
    def parts(self) -> tuple[Term, ...]:
        """The arguments."""
        return self.arguments

    @property
    def own_weight(self) -> int:
        """The name."""
        return 1

    def with_parts(self, parts: Iterator[Term]) -> Term:
        """On other arguments."""
        return Applied(self.row, tuple(parts), self.dimensions)


@dataclass(frozen=True, eq=False)
class Indicator(Term):
    """1 where a comparison holds and 0 elsewhere; where both sides are equal, `at_ties`."""

    row: str
    left: Term
    right: Term
    at_ties: Fraction | None
    dimensions: Dimensions

    @property
    def parts(self) -> tuple[Term, ...]:
        """Both sides."""
        return (self.left, self.right)

    @property
    def own_weight(self) -> int:
        """The brackets."""
        return 1

    def with_parts(self, parts: Iterator[Term]) -> Term:
        """Of other sides."""
        return Indicator(self.row, next(parts), next(parts), self.at_ties, self.dimensions)


@dataclass(frozen=True, eq=False)
class OfMatrix(Term):
    """A function of whole matrices by its name: softmax and logsumexp of each row or of a whole
    column, onehot, det, tr.
    """

    name: str
    of: Term
    dimensions: Dimensions

    @property
    def parts(self) -> tuple[Term, ...]:
        """The matrix."""
        return (self.of,)

    @property
    def own_weight(self) -> int:
        """The name."""
        return 1

    def with_parts(self, parts: Iterator[Term]) -> Term:
        """Of another matrix."""
        return OfMatrix(self.name, next(parts), self.dimensions)


@dataclass(frozen=True, eq=False)
class Part(Term):
    """Some rows and columns of a matrix."""

    of: Term
    rows: Places
    columns: Places
    key: str
    """As it is written between square brackets."""

    @property
    def parts(self) -> tuple[Term, ...]:
        """The matrix."""
        return (self.of,)

    def with_parts(self, parts: Iterator[Term]) -> Term:
        """Of another matrix."""
        return Part(next(parts), self.rows, self.columns, self.key)

    @property
    def dimensions(self) -> Dimensions:  # type: ignore[override]
        """How many are chosen."""
        rows, columns = self.of.dimensions
        return (
            rows if self.rows is None else len(self.rows),
            columns if self.columns is None else len(self.columns),
        )


@dataclass(frozen=True, eq=False)
class Placed(Term):
    """Zeros, and a matrix added at some rows and columns."""

    of: Term
    rows: Places
    columns: Places
    key: str
    dimensions: Dimensions

    @property
    def parts(self) -> tuple[Term, ...]:
        """The matrix."""
        return (self.of,)

    @property
    def own_weight(self) -> int:
        """The name."""
        return 1

    def with_parts(self, parts: Iterator[Term]) -> Term:
        """Another matrix at the same places."""
        return Placed(next(parts), self.rows, self.columns, self.key, self.dimensions)


@dataclass(frozen=True, eq=False)
class Blocks(Term):
    """Matrices one behind another along an axis: 0 below each other, 1 side by side."""

    blocks: tuple[Term, ...]
    axis: int

    @property
    def parts(self) -> tuple[Term, ...]:
        """The matrices."""
        return self.blocks

    def with_parts(self, parts: Iterator[Term]) -> Term:
        """Of other matrices."""
        return Blocks(tuple(parts), self.axis)

    @property
    def dimensions(self) -> Dimensions:  # type: ignore[override]
        """Added up along the axis."""
        rows, columns = self.blocks[0].dimensions
        along = sum(block.dimensions[self.axis] for block in self.blocks)
        return (along, columns) if self.axis == 0 else (rows, along)


ATOMS = (Symbol, Named, Derivative, Number, RowCount, Special, Ones, Identity)
"""Terms that no other name would make shorter."""
