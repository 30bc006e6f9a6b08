"""The rules by which terms are put together, so that people recognise what comes out.

Numbers go in front of a matrix, what is broadcast becomes a product with ones or with a diagonal,
and a sum of squares a norm. The rules hold for all numbers; rounding knows nothing of them, since
nothing is computed from what they give.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from verifier.formula.arrays.closed_form.terms import (
    Blocks,
    Coefficient,
    Diagonal,
    Dimensions,
    Hadamard,
    Identity,
    Inverse,
    Number,
    Ones,
    Placed,
    Power,
    Product,
    RowCount,
    Scaled,
    SquaredNorm,
    Sum,
    Term,
    Transposed,
    size,
)
from verifier.program.program import ROWS

ONE = Fraction(1)


class Monomial(NamedTuple):
    """Numbers above and below a line, and the matrix that they multiply."""

    coefficient: Coefficient
    over: tuple[Term, ...] = ()
    under: tuple[Term, ...] = ()
    matrix: Term | None = None


def number(value: Coefficient) -> Term:
    """A number; whole ones and fractions are exact."""
    exact = float(value).is_integer() if isinstance(value, float) else True
    return Number(Fraction(value) if exact else value)


def split(term: Term) -> Monomial:
    """The numbers in front of a term, and the rest of it.

    >>> split(number(Fraction(2))).coefficient
    Fraction(2, 1)
    """
    match term:
        case Number(value):
            return Monomial(value)
        case Scaled(coefficient, over, under, of):
            return Monomial(coefficient, over, under, of)
    return Monomial(ONE, (term,)) if term.is_number else Monomial(ONE, matrix=term)


def front(term: Term) -> tuple[Term, Term]:
    """The numbers in front of a matrix, and the matrix; of a number the fraction and the rest."""
    coefficient, over, under, matrix = split(term)
    if matrix is None:
        return joined(Monomial(coefficient, under=under)), joined(Monomial(ONE, over))
    return joined(Monomial(coefficient, over, under)), matrix


def joined(monomial: Monomial) -> Term:
    """The term of a monomial, with what stands above and below the line cancelled."""
    coefficient, over, under, matrix = monomial
    above, below = _cancelled(over, under)
    if coefficient == 0:
        return zeros(NUMBER_LIKE if matrix is None else matrix.dimensions)
    if isinstance(coefficient, float) and coefficient.is_integer():
        coefficient = Fraction(coefficient)
    if not above and not below:
        if matrix is None:
            return Number(coefficient)
        if coefficient == 1:
            return matrix
    if matrix is None and coefficient == 1 and len(above) == 1 and not below:
        return above[0]
    return Scaled(coefficient, tuple(above), tuple(below), matrix)


def _cancelled(over: Sequence[Term], under: Sequence[Term]) -> tuple[list[Term], list[Term]]:
    """The numbers above and below a line, with equal ones as powers on one side."""
    exponents: dict[Term, Coefficient] = {}
    for side, sign in ((over, 1), (under, -1)):
        for term in side:
            base, exponent = _base(term)
            exponents[base] = exponents.get(base, Fraction(0)) + sign * exponent
    sides: tuple[list[Term], list[Term]] = [], []
    for base, exponent in exponents.items():
        if exponent:
            whole = abs(exponent) == 1
            sides[exponent < 0].append(base if whole else Power(base, size(exponent)))
    return sides


NUMBER_LIKE: Dimensions = (1, 1)


def zeros(dimensions: Dimensions) -> Term:
    """Zero in every entry."""
    if dimensions == NUMBER_LIKE:
        return Number(Fraction(0))
    return Scaled(Fraction(0), (), (), ones(dimensions))


def is_zero(term: Term) -> bool:
    """Whether every entry is zero because of what is written."""
    return split(term).coefficient == 0


def ones(dimensions: Dimensions) -> Term:
    """One in every entry."""
    rows, columns = dimensions
    if dimensions == NUMBER_LIKE:
        return Number(ONE)
    if columns == 1:
        return Ones(rows)
    if rows == 1:
        return Transposed(Ones(columns))
    return Product((Ones(rows), Transposed(Ones(columns))))


def count(length: int) -> Term:
    """A length as a number."""
    return RowCount() if length == ROWS else Number(Fraction(length))


def times(*numbers: Term) -> Term:
    """The product of numbers and at most one matrix."""
    parts = [split(term) for term in numbers]
    coefficient: Coefficient = ONE
    for part in parts:
        coefficient = coefficient * part.coefficient
    matrices = [part.matrix for part in parts if part.matrix is not None]
    over = tuple(term for part in parts for term in part.over)
    under = tuple(term for part in parts for term in part.under)
    return joined(Monomial(coefficient, over, under, matrices[0] if matrices else None))


def reciprocal(term: Term) -> Term:
    """1 over a number; a number that no fraction gives exactly stays below the line."""
    coefficient, over, under, _ = split(term)
    if isinstance(coefficient, float):
        return Scaled(ONE, under, (Number(coefficient), *over), None)
    if coefficient == 0:
        return Scaled(ONE, under, (Number(coefficient), *over), None)
    return joined(Monomial(1 / coefficient, under, over))


def negative(term: Term) -> Term:
    """The term with the other sign."""
    return times(Number(Fraction(-1)), term)


def transposed(term: Term) -> Term:
    """The transpose; of a product in the other order."""
    if term.is_number or isinstance(term, Identity | Diagonal):
        return term
    match term:
        case Transposed(of):
            return of
        case Scaled(coefficient, over, under, of) if of is not None:
            return joined(Monomial(coefficient, over, under, transposed(of)))
        case Product(factors):
            return product(*(transposed(factor) for factor in reversed(factors)))
        case Blocks(blocks, axis):
            return Blocks(tuple(transposed(block) for block in blocks), 1 - axis)
        case Inverse(Diagonal()):
            return term
    return Transposed(term)


def product(*terms: Term) -> Term:
    """The product of matrices, with numbers in front."""
    numbers: list[Term] = []
    factors: list[Term] = []
    for term in terms:
        coefficient, over, under, matrix = split(term)
        numbers.append(joined(Monomial(coefficient, over, under)))
        if isinstance(matrix, Product):
            factors += matrix.factors
        elif matrix is not None and not isinstance(matrix, Identity):
            factors.append(matrix)
    if not factors:
        left = [one for one in terms if not one.is_number]
        return times(*numbers, *([Identity(left[0].dimensions[0])] if left else []))
    inner, shortened = _shortened(factors)
    if any(
        split(one) != Monomial(ONE, matrix=one) or isinstance(one, Product) for one in shortened
    ):
        return product(*numbers, *inner, *shortened)
    return times(*numbers, *inner, _multiplied(shortened))


def _shortened(factors: Sequence[Term]) -> tuple[list[Term], list[Term]]:
    """The numbers that neighbours make, and the factors that are left."""
    numbers: list[Term] = []
    kept: list[Term] = []
    for factor in factors:
        last = kept[-1] if kept else None
        if isinstance(last, Transposed) and isinstance(last.of, Ones) and isinstance(factor, Ones):
            numbers.append(count(factor.length))
            kept.pop()
        elif isinstance(last, Diagonal) and isinstance(factor, Ones):
            kept[-1] = last.of
        elif (
            isinstance(last, Transposed) and isinstance(last.of, Ones)
            and isinstance(factor, Diagonal)
        ):  # fmt: skip
            kept[-1] = transposed(factor.of)
        else:
            kept.append(factor)
    return numbers, kept


def _multiplied(factors: Sequence[Term]) -> Term:
    if not factors:
        return Number(ONE)
    if len(factors) == 1:
        return factors[0]
    whole = Product(tuple(factors))
    return (_summed_squares(factors) or whole) if whole.is_number else whole


def _summed_squares(factors: Sequence[Term]) -> Term | None:
    """The norm of which all squared entries are added; the product of two columns."""
    if not isinstance(factors[0], Transposed) or not isinstance(factors[0].of, Ones):
        return None
    inner = factors[1:]
    if len(inner) == 2 and isinstance(inner[1], Ones):
        inner = inner[:1]
    elif len(inner) != 1:
        return None
    (summed,) = inner
    if isinstance(summed, Power) and summed.exponent == 2:
        return SquaredNorm(summed.of)
    if isinstance(summed, Hadamard) and len(summed.over) == 2 and summed.dimensions[1] == 1:
        first, second = sorted(summed.over, key=lambda one: one.weight)
        return None if summed.under else product(transposed(first), second)
    return None


def entrywise(left: Term, right: Term) -> Term:
    """The product entry by entry of a matrix or a number and another one."""
    if left.is_number or right.is_number:
        return times(left, right)
    (scale, ours), (other_scale, theirs) = front(left), front(right)
    return times(scale, other_scale, _entrywise(ours, theirs))


def _entrywise(left: Term, right: Term) -> Term:
    for one, other in ((left, right), (right, left)):
        if one is ones(one.dimensions):
            return other
        match one:
            case Product((Ones(), *row)):
                return product(other, Diagonal(transposed(product(*row))))
            case Product((*column, Transposed(Ones()))):
                return product(_diagonal(product(*column)), other)
    over: list[Term] = []
    under: list[Term] = []
    for one in (left, right):
        over += one.over if isinstance(one, Hadamard) else [one]
        under += one.under if isinstance(one, Hadamard) else []
    return _ratio(over, under)


def _ratio(over: Sequence[Term], under: Sequence[Term]) -> Term:
    """Products entry by entry above and below a line, with what they share cancelled."""
    whole = ones((*over, *under)[0].dimensions)
    above, below = _cancelled([one for one in over if one is not whole], under)
    above = above or [whole]
    return above[0] if len(above) == 1 and not below else Hadamard(tuple(above), tuple(below))


def _diagonal(column: Term) -> Term:
    scale, matrix = front(column)
    return times(scale, Diagonal(matrix))


def _base(factor: Term) -> tuple[Term, Coefficient]:
    if isinstance(factor, Power) and not isinstance(factor.exponent, float):
        return factor.of, factor.exponent
    return factor, ONE


def divided(left: Term, right: Term) -> Term:
    """A matrix or a number divided entry by entry by another one."""
    if right.is_number:
        return times(left, reciprocal(right))
    divisor_scale, matrix = front(right)
    scale = reciprocal(divisor_scale)
    if left.is_number:
        left = times(left, ones(right.dimensions))
    match matrix:
        case Product((Ones(), *row)):
            divisor = Inverse(Diagonal(transposed(product(*row))))
            return times(scale, product(left, divisor))
        case Product((*column, Transposed(Ones()))):
            return times(scale, product(Inverse(Diagonal(product(*column))), left))
    numbers, ours = front(left)
    return times(scale, numbers, _divided(ours, matrix))


def _divided(left: Term, right: Term) -> Term:
    over, under = (left.over, left.under) if isinstance(left, Hadamard) else ((left,), ())
    above, below = (right.over, right.under) if isinstance(right, Hadamard) else ((right,), ())
    return _ratio((*over, *below), (*under, *above))


def power(base: Term, exponent: Coefficient) -> Term:
    """Every entry to a power."""
    if exponent == 1:
        return base
    coefficient, over, under, matrix = split(base)
    is_plain = isinstance(coefficient, float) or (matrix is None and (over or under))
    if is_plain or exponent not in _EXPANDED:
        return _power(base, exponent)
    raised = coefficient ** int(exponent)
    above, below = ([_power(one, exponent) for one in side] for side in (over, under))
    root = None if matrix is None else _power(matrix, exponent)
    return joined(Monomial(raised, tuple(above), tuple(below), root))


_EXPANDED = range(2, 10)
"""Exponents by which the numbers in front of a matrix are raised too."""


def _power(base: Term, exponent: Coefficient) -> Term:
    whole = Fraction(exponent).denominator == 1
    if whole and isinstance(base, Power) and Fraction(base.exponent).denominator == 1:
        return Power(base.of, base.exponent * exponent)
    if isinstance(base, Ones) or base is ones(base.dimensions):
        return base
    return Power(base, Fraction(exponent) if Fraction(exponent).denominator == 1 else exponent)


def total(terms: Sequence[Term]) -> Term:
    """The sum in the order given; a common number goes in front."""
    collected: dict[tuple[tuple[Term, ...], tuple[Term, ...], Term | None], Coefficient] = {}
    for term in terms:
        coefficient, over, under, matrix = split(term)
        key = (over, under, matrix)
        collected[key] = collected.get(key, Fraction(0)) + coefficient
    kept = [Monomial(one, *key) for key, one in collected.items() if one != 0]
    if not kept:
        return zeros(terms[0].dimensions)
    if len(kept) == 1:
        return joined(kept[0])
    placed = _one_column(kept)
    if placed is not None:
        return placed
    common = _common(kept)
    if common is None:
        return Sum(tuple(map(joined, kept)))
    return times(joined(common), Sum(tuple(joined(_without(one, common)) for one in kept)))


def accumulated(terms: Sequence[Term]) -> Term:
    """The same where sums among the terms have no brackets of their own."""
    flat: list[Term] = []
    for term in terms:
        scale, matrix = front(term)
        if isinstance(matrix, Sum) and not term.is_number:
            flat += [times(scale, one) for one in matrix.terms]
        elif isinstance(term, Sum):
            flat += term.terms
        else:
            flat.append(term)
    return total(_positive_first(flat))


def _positive_first(terms: Sequence[Term]) -> list[Term]:
    """The terms, where one that is added comes before the first that is taken away."""
    place = next((at for at, one in enumerate(terms) if split(one).coefficient > 0), 0)
    return [terms[place], *terms[:place], *terms[place + 1 :]]


def _common(terms: Sequence[Monomial]) -> Monomial | None:
    """The numbers that are in front of every term, where one term is without numbers then."""
    negative_all = all(one.coefficient < 0 for one in terms)
    over = _shared([one.over for one in terms])
    under = _shared([one.under for one in terms])
    coefficient = _common_size([size(one.coefficient) for one in terms], bool(under))
    coefficient = -coefficient if negative_all else coefficient
    common = Monomial(coefficient, over, under)
    if joined(common) is Number(ONE):
        return None
    rest = [_without(one, common) for one in terms]
    bare = [abs(one.coefficient) == 1 and not one.under and _is_bare(one) for one in rest]
    return common if any(bare) else None


def _common_size(sizes: Sequence[Coefficient], is_fraction: bool) -> Coefficient:
    """The size that all have; in fractions the one that most have, of several the largest."""
    if len(set(sizes)) == 1:
        return sizes[0]
    if not is_fraction or any(isinstance(one, float) for one in sizes):
        return ONE
    return max(sizes, key=lambda one: (sizes.count(one), one))


def _is_bare(one: Monomial) -> bool:
    return not one.over if one.matrix is not None else len(one.over) <= 1


def _shared(sides: Sequence[tuple[Term, ...]]) -> tuple[Term, ...]:
    kept = list(sides[0])
    for side in sides[1:]:
        left = list(side)
        kept = [term for term in kept if _taken_from(left, term)]
    return tuple(kept)


def _taken_from(terms: list[Term], term: Term) -> bool:
    if term not in terms:
        return False
    terms.remove(term)
    return True


def _without(one: Monomial, common: Monomial) -> Monomial:
    over, under = list(one.over), list(one.under)
    for term in common.over:
        over.remove(term)
    for term in common.under:
        under.remove(term)
    return Monomial(one.coefficient / common.coefficient, tuple(over), tuple(under), one.matrix)


def _one_column(terms: Sequence[Monomial]) -> Term | None:
    """A column of numbers, where each term has one of its entries and every entry has a term."""
    entries: dict[int, Term] = {}
    for one in terms:
        placed = one.matrix
        if not isinstance(placed, Placed) or not placed.of.is_number or placed.rows is None:
            return None
        if placed.dimensions[1] != 1 or placed.rows[0] in entries:
            return None
        entries[placed.rows[0]] = times(joined(one._replace(matrix=None)), placed.of)
    length = len(entries)
    if any(one.matrix is None or one.matrix.dimensions[0] != length for one in terms):
        return None
    parts = [split(entries[place]) for place in sorted(entries)]
    common = _common(parts) or Monomial(ONE)
    column = Blocks(tuple(joined(_without(one, common)) for one in parts), 0)
    return joined(common._replace(matrix=column))
