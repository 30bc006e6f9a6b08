"""Notations: how the operations of the algebra look in a medium, and where brackets stand.

What is written is the same for every medium: `written` walks through a term, and a `Notation` says
how each of its operations looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import singledispatchmethod
from typing import NamedTuple, Protocol

from verifier.formula.arrays.closed_form.terms import (
    Applied,
    Blocks,
    Coefficient,
    Constant,
    Derivative,
    Diagonal,
    Dimensions,
    Hadamard,
    Identity,
    Indicator,
    Inverse,
    Named,
    Number,
    OfMatrix,
    Ones,
    Part,
    Placed,
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
    size,
)

SUM, SIGN, PRODUCT, ATOM = range(4)
"""How tightly a part binds."""


class Notation(Protocol):
    """How each operation looks; what is given and what comes back is the markup of a medium."""

    def symbol(self, name: str) -> str:
        """A name of the author's."""

    def special(self, name: str) -> str:
        """pi or e."""

    def named(self, letter: str, index: int | None) -> str:
        """A name that the closed form gives."""

    def derivative(self, by: str) -> str:
        """The derivative of the loss by a parameter."""

    def number(self, value: Coefficient) -> str:
        """A number that is not negative."""

    def rows(self) -> str:
        """How many rows a batch has."""

    def ones(self) -> str:
        """The column of ones."""

    def identity(self) -> str:
        """The identity matrix."""

    def constant(self, term: Constant) -> str:
        """An array of numbers."""

    def bracketed(self, inner: str) -> str:
        """In round brackets."""

    def fraction(self, over: str, under: str) -> str:
        """A fraction of numbers in front of something."""

    def beside(self, parts: Sequence[str]) -> str:
        """A product of matrices or numbers."""

    def entrywise(self, parts: Sequence[str]) -> str:
        """A product entry by entry."""

    def divided(self, over: str, under: str) -> str:
        """Divided entry by entry."""

    def added(self, first: str, rest: Sequence[tuple[str, str]]) -> str:
        """A sum: the first term, and each other one behind its sign, + or -."""

    def negative(self, part: str) -> str:
        """With a minus sign."""

    def raised(self, base: str, mark: str) -> str:
        """With a mark above: T, -1 or -T."""

    def power(self, base: str, exponent: str, of_entries: bool) -> str:
        """A power, of a number or of every entry of a matrix."""

    def call(self, name: str, arguments: Sequence[str]) -> str:
        """A function."""

    def norm(self, inner: str) -> str:
        """The squared norm."""

    def absolute(self, inner: str) -> str:
        """The absolute value."""

    def root(self, inner: str) -> str:
        """The square root."""

    def indicator(self, left: str, sign: str, right: str) -> str:
        """1 where something holds, 0 elsewhere."""

    def column(self, entries: Sequence[str]) -> str:
        """Blocks below each other."""

    def line(self, entries: Sequence[str]) -> str:
        """Blocks side by side."""

    def part(self, base: str, key: str) -> str:
        """What stands at an index."""

    def placed(self, inner: str, key: str, dimensions: Dimensions) -> str:
        """Zeros of these dimensions, with something at an index."""


class _Piece(NamedTuple):
    text: str
    binds: int = ATOM


def written(term: Term, notation: Notation) -> str:
    """The term in a notation, with brackets where they matter."""
    return _Writer(notation).piece(term).text


FUNCTIONS = {"maximum": "max", "minimum": "min", "sigmoid": "σ"}
"""Rows of the operations table that formulas have another name for."""
SIGNS = {
    "less": "<", "less_equal": "≤", "greater": ">", "greater_equal": "≥", "equal": "=",
    "not_equal": "≠",
}  # fmt: skip


class _Writer:
    def __init__(self, notation: Notation) -> None:
        self._notation = notation
        self._pieces: dict[Term, _Piece] = {}

    def piece(self, term: Term) -> _Piece:
        """The term as it is written; a shared one is written once."""
        if term not in self._pieces:
            self._pieces[term] = self._written(term)
        return self._pieces[term]

    def _at_least(self, term: Term, binds: int) -> str:
        piece = self.piece(term)
        return piece.text if piece.binds >= binds else self._notation.bracketed(piece.text)

    @singledispatchmethod
    def _written(self, term: Term) -> _Piece:
        raise TypeError(type(term).__name__)

    @_written.register
    def _symbol(self, term: Symbol) -> _Piece:
        return _Piece(self._notation.symbol(term.name))

    @_written.register
    def _special(self, term: Special) -> _Piece:
        return _Piece(self._notation.special(term.name))

    @_written.register
    def _named(self, term: Named) -> _Piece:
        return _Piece(self._notation.named(term.letter, term.index))

    @_written.register
    def _derivative(self, term: Derivative) -> _Piece:
        return _Piece(self._notation.derivative(term.by))

    @_written.register
    def _number(self, term: Number) -> _Piece:
        return self._signed(term.value < 0, self._notation.number(size(term.value)))

    @_written.register
    def _rows(self, term: RowCount) -> _Piece:
        return _Piece(self._notation.rows())

    @_written.register
    def _ones(self, term: Ones) -> _Piece:
        return _Piece(self._notation.ones())

    @_written.register
    def _identity(self, term: Identity) -> _Piece:
        return _Piece(self._notation.identity())

    @_written.register
    def _constant(self, term: Constant) -> _Piece:
        return _Piece(self._notation.constant(term))

    @_written.register
    def _product(self, term: Product) -> _Piece:
        parts = [self._at_least(factor, ATOM) for factor in term.factors]
        return _Piece(self._notation.beside(parts), PRODUCT)

    @_written.register
    def _transposed(self, term: Transposed) -> _Piece:
        if isinstance(term.of, Inverse):
            return _Piece(self._notation.raised(self._base(term.of.of), "-T"))
        return _Piece(self._notation.raised(self._base(term.of), "T"))

    @_written.register
    def _inverse(self, term: Inverse) -> _Piece:
        return _Piece(self._notation.raised(self._base(term.of), "-1"))

    @_written.register
    def _power(self, term: Power) -> _Piece:
        shown = self._notation.number(size(term.exponent))
        exponent = self._notation.negative(shown) if term.exponent < 0 else shown
        return _Piece(self._notation.power(self._base(term.of), exponent, not term.of.is_number))

    @_written.register
    def _norm(self, term: SquaredNorm) -> _Piece:
        return _Piece(self._notation.norm(self.piece(term.of).text))

    @_written.register
    def _diagonal(self, term: Diagonal) -> _Piece:
        return _Piece(self._notation.call("diag", [self.piece(term.of).text]))

    @_written.register
    def _of_matrix(self, term: OfMatrix) -> _Piece:
        return _Piece(self._notation.call(term.name, [self.piece(term.of).text]))

    @_written.register
    def _indicator(self, term: Indicator) -> _Piece:
        left, right = self.piece(term.left).text, self.piece(term.right).text
        return _Piece(self._notation.indicator(left, SIGNS[term.row], right))

    @_written.register
    def _part(self, term: Part) -> _Piece:
        return _Piece(self._notation.part(self._base(term.of), term.key))

    @_written.register
    def _placed(self, term: Placed) -> _Piece:
        inner = self.piece(term.of).text
        return _Piece(self._notation.placed(inner, term.key, term.dimensions))

    @_written.register
    def _blocks(self, term: Blocks) -> _Piece:
        entries = [self.piece(block).text for block in term.blocks]
        write = self._notation.line if term.axis else self._notation.column
        return _Piece(write(entries))

    @_written.register
    def _applied(self, term: Applied) -> _Piece:
        arguments = [self.piece(one).text for one in term.arguments]
        if term.row == "abs":
            return _Piece(self._notation.absolute(*arguments))
        if term.row == "sqrt":
            return _Piece(self._notation.root(*arguments))
        return _Piece(self._notation.call(FUNCTIONS.get(term.row, term.row), arguments))

    def _base(self, term: Term) -> str:
        """What a mark stands above: in brackets where it has a mark of its own."""
        is_root = isinstance(term, Applied) and term.row == "sqrt"
        marked = isinstance(term, Transposed | Inverse | Power) or is_root
        inner = self._at_least(term, ATOM)
        return self._notation.bracketed(inner) if marked else inner

    def _signed(self, is_negative: bool, text: str, binds: int = ATOM) -> _Piece:
        return _Piece(self._notation.negative(text), SIGN) if is_negative else _Piece(text, binds)

    @_written.register
    def _sum(self, term: Sum) -> _Piece:
        first, *others = map(_as_number, term.terms)
        rest = []
        for one in others:
            is_negative, plain = _without_sign(one)
            rest.append(("-" if is_negative else "+", self._at_least(plain, SIGN + is_negative)))
        return _Piece(self._notation.added(self.piece(first).text, rest), SUM)

    @_written.register
    def _entrywise(self, term: Hadamard) -> _Piece:
        notation = self._notation
        parts = [self._at_least(_as_number(factor), ATOM) for factor in term.over]
        text = notation.entrywise(parts)
        if term.under:
            divisors = [self._at_least(factor, ATOM) for factor in term.under]
            below = divisors[0]
            if len(divisors) > 1:
                below = notation.bracketed(notation.entrywise(divisors))
            above = notation.bracketed(text) if len(parts) > 1 else text
            text = notation.divided(above, below)
        return _Piece(text, PRODUCT)

    @_written.register
    def _scaled(self, term: Scaled) -> _Piece:
        """The coefficient and what stands below the line as a fraction, the rest behind it."""
        notation, matrix = self._notation, term.of
        if matrix is not None and is_ones(matrix):
            matrix = None
        above, below = _ratio(size(term.coefficient))
        *others, last = (*term.over, *([] if matrix is None else [matrix])) or (None,)
        behind = [self._at_least(one, ATOM) for one in others if one is not None]
        behind += [] if last is None else self._factors(last)
        numbers_first = sorted(term.under, key=lambda one: not isinstance(one, Number))
        under = [notation.number(below)] if below != 1 else []
        under += [self._at_least(one, ATOM) for one in numbers_first]
        if under:
            alone = len(under) == 1 and numbers_first
            line = self.piece(numbers_first[0]).text if alone else notation.beside(under)
            front = [notation.fraction(notation.number(above), line)]
        else:
            front = [notation.number(above)] if above != 1 or not behind else []
        parts = [*front, *behind]
        text = notation.beside(parts) if len(parts) > 1 else parts[0]
        return self._signed(term.coefficient < 0, text, PRODUCT if len(parts) > 1 else ATOM)

    def _factors(self, matrix: Term) -> list[str]:
        if isinstance(matrix, Product):
            return [self._at_least(factor, ATOM) for factor in matrix.factors]
        return [self._at_least(matrix, ATOM)]


def is_ones(term: Term) -> bool:
    """Whether it is 1 in every entry, so that it stands for a number that every entry has."""
    match term:
        case Ones():
            return True
        case Product((Ones(), Transposed(Ones()))):
            return True
    return False


def _as_number(term: Term) -> Term:
    """The number 1 for ones in every entry."""
    return Number(Fraction(1)) if is_ones(term) else term


def _ratio(coefficient: Coefficient) -> tuple[Coefficient, Coefficient]:
    if isinstance(coefficient, Fraction):
        return Fraction(coefficient.numerator), Fraction(coefficient.denominator)
    return coefficient, Fraction(1)


def _without_sign(term: Term) -> tuple[bool, Term]:
    match term:
        case Number(value) if value < 0:
            return True, Number(-value)
        case Scaled(coefficient, over, under, of) if coefficient < 0:
            if coefficient == -1 and of is not None and not over and not under:
                return True, _as_number(of)
            if coefficient == -1 and of is None and len(over) == 1 and not under:
                return True, over[0]
            return True, Scaled(-coefficient, over, under, of)
    return False, term


def plain_number(value: Coefficient) -> str:
    """`value`, a fraction or a float, for people: whole as such, a fraction with a slash, a float
    of at most six digits where it has more than eight.

    >>> plain_number(Fraction(1, 2)), plain_number(0.1), plain_number(1.7320508075688772)
    ('1/2', '0.1', '1.73205')
    """
    if isinstance(value, Fraction):
        return str(value)
    exact = repr(value)
    return exact if len(exact) <= 8 else f"{value:.6g}"
