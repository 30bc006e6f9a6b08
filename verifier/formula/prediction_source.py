"""Prediction sources: what the prediction of a model is written as, and its nodes.

SymPy is loaded when a source is read.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from verifier.errors import InputError
from verifier.formula.arrays.start_values import Start
from verifier.process.values import UserFunction, UserValue

if TYPE_CHECKING:
    from verifier.operations.arrays import Expr
    from verifier.program.builder import FormulaBuilder
    from verifier.program.program import Program


class PredictionSource(Protocol):
    """What a model's prediction is written as: a Python function, a SymPy expression or text."""

    def write(
        self, builder: FormulaBuilder, inputs: Mapping[str, int], parameters: Mapping[str, int]
    ) -> int:
        """The node that computes the prediction of numbers.

        `inputs` and `parameters` are nodes of `builder` by name. The operations come in the order
        in which the source has them. Raises InputError where the source is no formula.
        """

    def write_arrays(
        self, builder: FormulaBuilder, inputs: Mapping[str, int], parameters: Mapping[str, int]
    ) -> int:
        """The same where some of them are arrays."""

    def is_of_numbers(self, inputs: Sequence[str], parameters: Sequence[str]) -> bool:
        """Whether the source is a formula where all of its symbols are numbers: a function with
        arrays of its own is none.
        """

    def verify(self, program: Program, values: Mapping[str, Start]) -> None:
        """Compare the program of the prediction with the source, on numbers.

        `values` are numbers or arrays by symbol. Raises InputError where the two differ.
        """


class FunctionSource:
    """A plain Python function, traced once."""

    def __init__(self, function: UserFunction) -> None:
        self.function = function
        self._tree: Expr = None

    def write(
        self, builder: FormulaBuilder, inputs: Mapping[str, int], parameters: Mapping[str, int]
    ) -> int:
        """The node that computes the prediction of numbers."""
        from verifier.formula.trace import location_of

        self._trace(tuple(inputs), tuple(parameters))
        try:
            return _build_nodes(self._tree, builder, {**inputs, **parameters})
        except InputError as error:
            raise error.located(location_of(self.function)) from error

    def write_arrays(
        self, builder: FormulaBuilder, inputs: Mapping[str, int], parameters: Mapping[str, int]
    ) -> int:
        """The same where some of them are arrays."""
        from verifier.formula.arrays.trace import trace_arrays

        return trace_arrays(self.function, builder, inputs, parameters)

    def is_of_numbers(self, inputs: Sequence[str], parameters: Sequence[str]) -> bool:
        """Whether it is a formula where all of its symbols are numbers."""
        try:
            self._trace(inputs, parameters)
        except InputError:
            return False
        return True

    def _trace(self, inputs: Sequence[str], parameters: Sequence[str]) -> None:
        from verifier.formula.trace import trace_body

        if self._tree is None:
            self._tree = trace_body(self.function, inputs, parameters)

    def verify(self, program: Program, values: Mapping[str, Start]) -> None:
        """Compare the program with the function, on numbers or on arrays of them."""
        from verifier.formula.arrays.trace import compare_with_arrays
        from verifier.formula.trace import compare_with_numbers

        numbers = {name: value for name, value in values.items() if isinstance(value, float)}
        if len(numbers) == len(values):
            compare_with_numbers(program, self.function, numbers)
        else:
            compare_with_arrays(program, self.function, values)


class ExpressionSource:
    """A SymPy expression, of numbers or of matrices, in SymPy's order of operations."""

    def __init__(self, expression: Expr) -> None:
        self.expression = expression

    def write(
        self, builder: FormulaBuilder, inputs: Mapping[str, int], parameters: Mapping[str, int]
    ) -> int:
        """The node that computes the prediction of numbers."""
        from verifier.program.sympy_form import symbol

        if self._has_matrices:
            raise InputError(
                "the formula has matrices, and every start value and every column is a number: "
                "give arrays to start from"
            )
        names = {part: symbol(part.name) for part in self.expression.free_symbols}
        return _build_nodes(self.expression.xreplace(names), builder, {**inputs, **parameters})

    @property
    def _has_matrices(self) -> bool:
        from verifier.formula.arrays.sympy_matrices import has_matrices

        return has_matrices(self.expression)

    def write_arrays(
        self, builder: FormulaBuilder, inputs: Mapping[str, int], parameters: Mapping[str, int]
    ) -> int:
        """The same where some of them are arrays."""
        if not self._has_matrices:
            return self.write(builder, inputs, parameters)
        from verifier.formula.arrays.sympy_matrices import read_matrices

        return read_matrices(self.expression, builder, {**inputs, **parameters})

    def is_of_numbers(self, inputs: Sequence[str], parameters: Sequence[str]) -> bool:
        """Whether it is a formula where all of its symbols are numbers."""
        return True

    def verify(self, program: Program, values: Mapping[str, Start]) -> None:
        """Nothing to compare with: the expression is all there is."""


class TextSource:
    """A formula as text, in the order of operations as written."""

    def __init__(self, text: str) -> None:
        self.text = text

    def write(
        self, builder: FormulaBuilder, inputs: Mapping[str, int], parameters: Mapping[str, int]
    ) -> int:
        """The node that computes the prediction of numbers."""
        from verifier.formula.text.parser import read_text

        return read_text(self.text, builder, {**inputs, **parameters})

    def write_arrays(
        self, builder: FormulaBuilder, inputs: Mapping[str, int], parameters: Mapping[str, int]
    ) -> int:
        """The same where some of them are arrays."""
        return self.write(builder, inputs, parameters)

    def is_of_numbers(self, inputs: Sequence[str], parameters: Sequence[str]) -> bool:
        """Whether it is a formula where all of its symbols are numbers."""
        return True

    def verify(self, program: Program, values: Mapping[str, Start]) -> None:
        """Nothing to compare with: the text is all there is."""


def _build_nodes(tree: Expr, builder: FormulaBuilder, places: Mapping[str, int]) -> int:
    from verifier.program.sympy_form import read, symbol

    return read(tree, builder, {symbol(name): place for name, place in places.items()})


def prediction_source(expression: UserValue, name: str) -> PredictionSource:
    """What a model of that name is written as. Raises InputError for what is no formula."""
    if isinstance(expression, TextSource):
        return expression
    return (
        FunctionSource(expression)
        if inspect.isfunction(expression)
        else ExpressionSource(_checked_expression(expression, name))
    )


def _checked_expression(expression: UserValue, name: str) -> Expr:
    import sympy

    try:
        checked = sympy.sympify(expression, strict=True)
    except sympy.SympifyError:
        checked = None
    if not isinstance(checked, sympy.Expr):
        raise InputError(f"model {name}: a {type(expression).__name__} is not a SymPy expression")
    return checked
