"""What the signs of a closed form mean, for those who do not know them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from verifier.formula.arrays.closed_form.terms import (
    Hadamard,
    Indicator,
    OfMatrix,
    Ones,
    Placed,
    Power,
    RowCount,
    Term,
)


def explained(used: Collection[Term], rows: str) -> tuple[str, ...]:
    """A sentence for each sign among the terms that are used; `rows` is the name of how many rows a
    batch has.

    >>> explained({RowCount(), Ones(2)}, "n")
    ('n is the number of rows.', '1 next to a matrix is the column of ones.')
    """
    return tuple(_sentences(used, rows))


def _sentences(used: Collection[Term], rows: str) -> Iterator[str]:
    if any(isinstance(term, RowCount) for term in used):
        yield f"{rows} is the number of rows."
    if any(isinstance(term, Ones) for term in used):
        yield "1 next to a matrix is the column of ones."
    signs = [sign for sign in "⊙⊘∘" if any(sign in _entrywise_signs(term) for term in used)]
    if signs:
        yield f"{' and '.join(signs)} {_work(len(signs))} entry by entry."
    by_row = [
        name for name in ("softmax", "logsumexp") if any(_takes_rows(one, name) for one in used)
    ]
    if by_row:
        yield f"{' and '.join(by_row)} {_work(len(by_row))} row by row."
    if any(isinstance(term, OfMatrix) and term.name == "onehot" for term in used):
        yield "onehot has a row for each label: 1 at its place, 0 elsewhere."
    indicators = [term for term in used if isinstance(term, Indicator)]
    if indicators:
        yield "[ ] is 1 where the condition holds and 0 elsewhere."
    if any(term.at_ties is not None for term in indicators):
        yield "Where both sides are equal it is 1/2."
    if any(isinstance(term, Placed) for term in used):
        yield "put has zeros, and its first argument at the index."


def _work(count: int) -> str:
    return "works" if count == 1 else "work"


def _entrywise_signs(term: Term) -> str:
    if isinstance(term, Hadamard):
        return ("⊙" if max(len(term.over), len(term.under)) > 1 else "") + "⊘" * bool(term.under)
    return "∘" if isinstance(term, Power) and not term.is_number else ""


def _takes_rows(term: Term, name: str) -> bool:
    return isinstance(term, OfMatrix) and term.name == name and term.of.dimensions[1] != 1
