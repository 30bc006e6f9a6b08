"""The closed form of a model of arrays: lines that people read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from verifier.errors import InputError
from verifier.formula.arrays.closed_form.from_program import terms_of
from verifier.formula.arrays.closed_form.latex import LatexNotation
from verifier.formula.arrays.closed_form.legend import explained
from verifier.formula.arrays.closed_form.naming import (
    LONGEST_LINE,
    MOST_LINES,
    PREDICTION,
    Formulas,
    Naming,
    named_parts,
    parts_of,
)
from verifier.formula.arrays.closed_form.notation import Notation, written
from verifier.formula.arrays.closed_form.terms import NUMBER, Derivative, Named, Term
from verifier.formula.arrays.closed_form.text import TextNotation
from verifier.formula.arrays.closed_form.to_sympy import sympy_form
from verifier.operations.arrays import Expr
from verifier.program.program import Program

MOST_CHARACTERS = 1_000
"""Nobody reads longer formulas."""


class Line(NamedTuple):
    """An equation."""

    left: Term
    right: Term

    def written(self, notation: Notation) -> tuple[str, str]:
        """Both sides in a notation."""
        return written(self.left, notation), written(self.right, notation)


@dataclass(frozen=True)
class ClosedForm:
    """The prediction, the loss of a batch and its gradient in the algebra of matrices.

    A part that would be written twice has a line of its own before the first that needs it.
    """

    formulas: Formulas
    parameters: tuple[str, ...]
    has_loss: bool
    """Whether the loss is another formula than the prediction."""
    lines: tuple[Line, ...]
    rows: str
    """What the number of rows is called."""

    def text(self) -> tuple[str, ...]:
        """Each equation as text; a long one goes on in lines of its own.

        >>> from verifier import model, normal, squared_error
        >>> @model(loss=squared_error, data={"X": [[1.0, 2.0]], "y": [1.0]})
        ... def linear(X, *, w=normal(2)):
        ...     return X @ w
        >>> print(*linear.closed_form.text(), sep="\\n")
        ŷ = X w
        L = (1/n) ‖X w − y‖²
        ∂L/∂w = (2/n) Xᵀ (X w − y)
        """
        notation = TextNotation(self.rows)
        return tuple(wrapped(" = ".join(line.written(notation))) for line in self.lines)

    def text_of(self, term: Term) -> str:
        """One of the formulas on a line of its own, with no other names than the model's.

        Raises InputError where it is too long for people.
        """
        if term.weight <= MOST_CHARACTERS:
            text = written(term, TextNotation(self.rows))
            if len(text) <= MOST_CHARACTERS:
                return text
        raise InputError(f"written out, the formula has more than {MOST_CHARACTERS} characters")

    @cached_property
    def legend(self) -> tuple[str, ...]:
        """A sentence for each sign that needs one."""
        return explained({part for line in self.lines for part in parts_of(line.right)}, self.rows)

    @cached_property
    def prediction(self) -> Expr:
        """The prediction of a batch as SymPy's matrix expression.

        Raises InputError where it is too long for people, as the next two do.
        """
        return sympy_form(self.formulas.prediction, self.rows)

    @cached_property
    def loss(self) -> Expr:
        """The loss of a batch as SymPy's expression."""
        return sympy_form(self.formulas.loss, self.rows)

    @cached_property
    def gradient(self) -> dict[str, Expr]:
        """The derivative of the loss of a batch by each parameter, by its name."""
        terms = zip(self.parameters, self.formulas.gradient, strict=True)
        return {name: sympy_form(term, self.rows) for name, term in terms}

    def latex(self) -> tuple[str, ...]:
        """An equation in LaTeX for each."""
        notation = LatexNotation(self.rows)
        return tuple(" = ".join(line.written(notation)) for line in self.lines)


def closed_form(
    prediction: Program, gradient: Program, parameters: Sequence[str], data: Sequence[str]
) -> ClosedForm:
    """The closed form of a model.

    `prediction` is the program of the prediction, `gradient` that of the loss of a batch and its
    derivatives by `parameters`, in their order; `data` are the names of the columns.

    Raises InputError where a formula has no form with matrices, or is too long for people.
    """
    try:
        form = _form(prediction, gradient, parameters, data)
        form.text()
    except (RecursionError, ArithmeticError):
        raise InputError(
            "the formula has too many operations inside each other, or too large numbers, for a "
            "closed form"
        ) from None
    return form


def _form(
    prediction: Program, gradient: Program, parameters: Sequence[str], data: Sequence[str]
) -> ClosedForm:
    (predicted,) = terms_of(prediction)
    loss, *derivatives = terms_of(gradient)
    names = frozenset((*gradient.inputs, *prediction.inputs))
    formulas = Formulas(predicted, loss, tuple(derivatives), names, frozenset(data))
    naming = named_parts(formulas)
    has_loss = predicted is not loss
    lines = _lines(formulas, naming, parameters, has_loss)
    if len(lines) > MOST_LINES:
        raise InputError(f"the closed form has more than {MOST_LINES} lines: it is not shown")
    rows = next(name for name in ("n", "N", "rows", "n′") if name not in names)
    return ClosedForm(formulas, tuple(parameters), has_loss, tuple(lines), rows)


def _lines(
    formulas: Formulas, naming: Naming, parameters: Sequence[str], has_loss: bool
) -> list[Line]:
    ends: list[tuple[Term, Term]] = [(Named("L", None, NUMBER), formulas.loss)]
    if has_loss:
        predicted = Named(PREDICTION, None, formulas.prediction.dimensions)
        ends.insert(0, (naming.names.get(formulas.prediction, predicted), formulas.prediction))
    for name, term in zip(parameters, formulas.gradient, strict=True):
        ends.append((Derivative(name, term.dimensions), term))
    lines: list[Line] = []
    done: set[Term] = set()
    for left, right in ends:
        is_prediction = right is formulas.prediction and has_loss
        for part in _needed(right, naming):
            if part not in done and not (part is right and is_prediction):
                done.add(part)
                lines.append(Line(naming.names[part], naming.body(part)))
        shown = naming.body(right) if is_prediction else naming.shown(right)
        done |= {right} if is_prediction else set()
        lines.append(Line(left, shown))
    return lines


def wrapped(text: str) -> str:
    """The text in lines, broken before a sign between terms, inside as few brackets as possible.

    >>> print(wrapped("z = " + " + ".join(["a" * 30] * 3)))
    z = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa + aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        + aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    """
    depth, breaks = 0, []
    for place, sign in enumerate(text[:LONGEST_LINE]):
        depth += (sign in "([") - (sign in ")]")
        if text[place : place + 3] in (" + ", " − "):
            breaks.append((-depth, place))
    if len(text) <= LONGEST_LINE or not breaks:
        return text
    _, place = max(breaks)
    indent = " " * 4
    rest = wrapped(indent + text[place + 1 :]) if place > len(indent) else text[place + 1 :]
    return f"{text[:place]}\n{rest}"


def _needed(term: Term, naming: Naming) -> list[Term]:
    """The named parts of a term, each behind those that it is made of."""
    found = naming.inside(term)
    return [part for part in naming.names if part in found]
