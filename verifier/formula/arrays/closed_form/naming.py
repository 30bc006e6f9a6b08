"""Names for the parts of a closed form that would be written twice, or that make a line too long.

The heaviest repeated part has its name first, so that what is repeated inside it may need none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from verifier.formula.arrays.closed_form.notation import is_ones, written
from verifier.formula.arrays.closed_form.terms import (
    ATOMS,
    Applied,
    Constant,
    Diagonal,
    Inverse,
    Named,
    OfMatrix,
    Part,
    Placed,
    Power,
    Product,
    Scaled,
    Sum,
    Symbol,
    Term,
    Transposed,
)
from verifier.formula.arrays.closed_form.text import MOST_ENTRIES, TextNotation

LONGEST_LINE = 80
"""Characters of a line of text."""
MOST_LINES = 60
"""Nobody reads longer closed forms."""
_HEAVY, _SAVED = 4, 6
"""What is written twice has a name where it is this heavy, or where a name saves this much."""


@dataclass(frozen=True)
class Formulas:
    """What a model states: its prediction, its loss and the gradient, as terms."""

    prediction: Term
    loss: Term
    gradient: tuple[Term, ...]
    names: frozenset[str]
    """The names of its symbols."""
    data: frozenset[str]
    """The names of its columns of data."""

    @property
    def all(self) -> tuple[Term, ...]:
        """All of them in order; a prediction that is the loss itself once."""
        stated = dict.fromkeys((self.prediction, self.loss))
        return (*stated, *self.gradient)


@dataclass(frozen=True)
class Naming:
    """The parts that have names, each after those that it is made of, and what they are called."""

    names: dict[Term, Named]

    def shown(self, term: Term) -> Term:
        """The term with names for its parts."""
        return self.names.get(term) or self.body(term)

    def body(self, term: Term) -> Term:
        """The same, where the term itself is written out."""
        found: dict[Term, Term] = {}
        for part in _postorder([term], self.names, term):
            if part in self.names and part is not term:
                found[part] = self.names[part]
            else:
                found[part] = part.with_parts(iter([found[one] for one in part.parts]))
        return found[term]

    def inside(self, term: Term) -> set[Term]:
        """All parts with names that the term and its parts are made of."""
        return {part for part in _postorder([term], ()) if part in self.names}


def named_parts(formulas: Formulas) -> Naming:
    """Names for the parts of a model's formulas."""
    chosen: dict[Term, None] = {
        part: None for part in _postorder(formulas.all, {}) if _is_large_constant(part)
    }
    heavy = parts_of(formulas.prediction)
    while len(chosen) < MOST_LINES:
        found = _repeated(formulas, chosen, heavy) or _too_long(formulas, chosen)
        if found is None:
            break
        chosen[found] = None
    if any(formulas.prediction in parts_of(part) for part in chosen):
        chosen[formulas.prediction] = None
    order = [part for part in _postorder(formulas.all, {}) if part in chosen]
    return Naming(_called(order, formulas))


def parts_of(term: Term) -> set[Term]:
    """The term and all that it is made of."""
    return set(_postorder([term], {}))


def _postorder(
    roots: Sequence[Term], stops: Collection[Term], root: Term | None = None
) -> Iterator[Term]:
    """The terms that the roots are made of and they, each once behind its parts; not what is inside
    of those at which to stop.
    """
    done: set[Term] = set()
    waiting = [*reversed(roots)]
    while waiting:
        term = waiting[-1]
        inside = () if term in stops and term is not root else term.parts
        missing = [part for part in inside if part not in done]
        if missing:
            waiting += reversed(missing)
            continue
        waiting.pop()
        if term not in done:
            done.add(term)
            yield term


def _is_large_constant(term: Term) -> bool:
    return isinstance(term, Constant) and (
        1 not in term.dimensions or max(term.dimensions) > MOST_ENTRIES
    )


def _may_have_name(term: Term) -> bool:
    if isinstance(term, (*ATOMS, Scaled, Transposed, Constant, Placed)) or is_ones(term):
        return False
    if term.is_number and not any(isinstance(part, Symbol) for part in parts_of(term)):
        return False
    return not (isinstance(term, Inverse | Power | Diagonal | Part) and isinstance(term.of, ATOMS))


def _repeated(
    formulas: Formulas, chosen: Collection[Term], prediction: Collection[Term]
) -> Term | None:
    """The heaviest part that stands more than once and is worth a name."""
    order = [*_postorder(formulas.all, {})]
    counts: Counter[Term] = Counter(formulas.all)
    for term in reversed(order):
        times = 1 if term in chosen else counts[term]
        for part in term.parts:
            counts[part] += times
    weights: dict[Term, int] = {}
    best: tuple[int, Term] | None = None
    for term in order:
        weight = term.own_weight + sum(weights[part] for part in term.parts)
        weights[term] = 1 if term in chosen else weight
        more = counts[term] - 1
        if term in chosen or more < 1 or not _may_have_name(term):
            continue
        is_activation = term in prediction and isinstance(term, Applied | OfMatrix)
        worth = weight >= _HEAVY or more * weight >= _SAVED or (is_activation and weight > 1)
        if worth and (best is None or weight > best[0]):
            best = (weight, term)
    return None if best is None else best[1]


def _too_long(formulas: Formulas, chosen: Collection[Term]) -> Term | None:
    """A part of a line that is too long, such that the part itself has a short line."""
    naming = Naming({part: Named("A", 1, part.dimensions) for part in chosen})
    for right in (*formulas.all, *chosen):
        if _length(naming.body(right)) <= LONGEST_LINE:
            continue
        inside = [
            part
            for part in _postorder([right], chosen, right)
            if part is not right and part not in chosen and _may_have_name(part)
        ]
        fitting = [part for part in inside if 12 <= _length(naming.body(part)) <= LONGEST_LINE]
        if fitting:
            return max(fitting, key=lambda part: _length(naming.body(part)))
    return None


def _length(term: Term) -> int:
    return len(written(term, TextNotation())) + len("∂L/∂W1 = ")


def _called(order: Sequence[Term], formulas: Formulas) -> dict[Term, Named]:
    forward = parts_of(formulas.prediction) | parts_of(formulas.loss)
    letters = {part: _letter(part, part in forward, formulas) for part in order}
    how_many = Counter(letters.values())
    layered = any(name[-1].isdigit() for name in formulas.names)
    names: dict[Term, Named] = {}
    used: Counter[str] = Counter()
    for part, letter in letters.items():
        used[letter] += 1
        index = used[letter] if letter not in "Δδ" else how_many[letter] + 1 - used[letter]
        is_one_of_many = how_many[letter] > 1 or (layered and letter in "ZAΔ")
        label = index if is_one_of_many and letter != PREDICTION else None
        names[part] = Named(_free(letter, how_many[letter], formulas.names), label, part.dimensions)
    return names


PREDICTION = "ŷ"


def _free(letter: str, count: int, taken: Collection[str]) -> str:
    """The letter, with a prime where the model itself has such a name."""
    own = {letter, *(f"{letter}{place + 1}" for place in range(count))}
    return f"{letter}′" if own & set(taken) else letter


def _letter(term: Term, is_forward: bool, formulas: Formulas) -> str:
    """What a part is usually called: capital for a matrix, small for a column."""
    if term is formulas.prediction is not formulas.loss:
        return PREDICTION
    rows, columns = term.dimensions
    if term.is_number:
        return "s"
    letter = _matrix_letter(term, formulas) if is_forward else "Δ"
    return letter.lower() if columns == 1 and rows != 1 else letter


def _matrix_letter(term: Term, formulas: Formulas) -> str:
    match term:
        case Constant():
            return "C"
        case OfMatrix("softmax"):
            return "P"
        case Applied("sqrt"):
            return "S"
        case Applied() | OfMatrix():
            return "A"
        case Sum(terms):
            return "R" if any(_is_observed(one, formulas.data) for one in terms) else "Z"
        case Product():
            return "Z"
    return "H"


def _is_observed(term: Term, data: Collection[str]) -> bool:
    """Whether a column of the data, or numbers of the formula, are taken away."""
    match term:
        case Scaled(coefficient, (), (), Symbol(name)) if coefficient == -1:
            return name in data
        case Scaled(coefficient, (), (), Constant()) if coefficient == -1:
            return True
    return False
