"""Expected gradient: what a person says that the target computes, as what its gradient is compared
with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING

import torch

from verifier.capture.target import Bound, bound, callable_of, name_of
from verifier.errors import InputError
from verifier.formula.model import Model
from verifier.formula.text.parser import read_text, uses_arrays
from verifier.judging.reference import ArrayFormula, Formula, Reference, Specification
from verifier.operations.arrays import Expr
from verifier.process.values import UserFunction, UserInputs, UserValue
from verifier.program.builder import FormulaBuilder
from verifier.program.codegen import TORCH, function
from verifier.program.gradients.formula_gradient import without_derivative
from verifier.program.guards import guarded
from verifier.program.lift import REDUCTIONS
from verifier.program.program import SCALAR, Program, Shape

if TYPE_CHECKING:
    import sympy


@dataclass(frozen=True)
class ExpectedFunction:
    """What a person says that the target computes: a formula, or plainer code. With neither, it
    is the target's own forward.
    """

    formula: str | sympy.Expr | Model | None = None
    reference: UserFunction | str | None = None
    reduction: str = "none"
    """What is done with the formula's elements: none, sum or mean."""

    def __post_init__(self) -> None:
        if self.formula is not None and self.reference is not None:
            raise InputError(
                "formula and reference are two ways to say what is right: give one of them"
            )
        if self.reduction not in REDUCTIONS:
            raise InputError(
                f"there is no reduction {self.reduction!r}: there is {', '.join(REDUCTIONS)}"
            )
        if self.reduction != "none" and self.formula is None:
            raise InputError(
                "a reduction says what is done with the formula's elements: give it with a formula"
            )

    @property
    def sentence(self) -> str:
        """What the target is compared with, in words."""
        if self.reference is not None:
            named = isinstance(self.reference, str)
            return f"reference {self.reference if named else name_of(self.reference)}"
        if self.formula is None:
            return "its own forward"
        formula = self.formula.expression if isinstance(self.formula, Model) else self.formula
        return f"{self.reduction} of {formula}" if self.reduction != "none" else str(formula)

    def code(self, inputs: UserInputs) -> UserFunction:
        """The formula itself as torch code, its order of operations as written.

        It takes the inputs of these names, in their order. Raises InputError where there is no
        formula, and where torch has no derivative of a function in it.
        """
        if self.formula is None:
            raise InputError("say what to check: a callable on tensors, or a formula")
        builder = FormulaBuilder()
        symbols = {name: builder.input(name, self._shape(value)) for name, value in inputs.items()}
        tree = builder.program(self._expression_node(builder, symbols))
        varying = [name for name, value in inputs.items() if not isinstance(value, int | float)]
        for index in without_derivative(tree, varying):
            raise InputError(
                f"torch has no derivative of {tree.nodes[index].operation}, so that there is no "
                "gradient of torch to judge: give your own code, and the formula says what is right"
            )
        written = function("formula", ", ".join(inputs), guarded(tree), TORCH)
        return {
            "none": written,
            "sum": _with_reduction(written, torch.sum),
            "mean": _with_reduction(written, torch.mean),
        }[self.reduction]

    def at(self, target: Bound, inputs: UserInputs, dtype: str) -> Specification | None:
        """What a target is compared with that is bound to these inputs; None is its own forward.

        Raises InputError where the formula or the reference does not take the target's inputs.
        """
        if self.reference is not None:
            code = callable_of(self.reference)
            return Reference(_reference_on_target_inputs(bound(code, inputs, dtype), target))
        if self.formula is None:
            return None
        if self._is_of_arrays:
            reduction = REDUCTIONS[self.reduction]
            return ArrayFormula(self._write_arrays, _numbers(inputs), reduction)
        return Formula(guarded(self._program(target, inputs)), REDUCTIONS[self.reduction])

    def _shape(self, value: UserValue) -> Shape:
        """The shape of an input in the formula, which is one number of it unless the formula does
        something with whole arrays.
        """
        return tuple(getattr(value, "shape", ())) if self._is_of_arrays else SCALAR

    @property
    def _is_of_arrays(self) -> bool:
        """Whether the formula does something with whole arrays."""
        if isinstance(self.formula, str):
            return uses_arrays(self.formula)
        from verifier.formula.arrays.sympy_matrices import has_matrices

        return has_matrices(self._tree)

    def _write_arrays(self, builder: FormulaBuilder, symbols: Mapping[str, int]) -> int:
        if isinstance(self.formula, str):
            return read_text(self.formula, builder, symbols)
        from verifier.formula.arrays.sympy_matrices import read_matrices

        return read_matrices(self._tree, builder, symbols)

    @property
    def _tree(self) -> Expr:
        """The formula as a SymPy expression, where it is none as text."""
        return self.formula.expression if isinstance(self.formula, Model) else self.formula

    def _program(self, target: Bound, inputs: UserInputs) -> Program:
        builder = FormulaBuilder()
        symbols = {name: builder.input(name) for name in target.inputs}
        symbols |= {name: builder.constant(value) for name, value in _numbers(inputs).items()}
        return builder.program(self._expression_node(builder, symbols))

    def _expression_node(self, builder: FormulaBuilder, symbols: Mapping[str, int]) -> int:
        if isinstance(self.formula, str) or self._is_of_arrays:
            return self._write_arrays(builder, symbols)
        from verifier.program.sympy_form import read

        tree = self._tree
        unknown = sorted(str(symbol) for symbol in tree.free_symbols if str(symbol) not in symbols)
        if unknown:
            raise InputError(
                f"the formula uses {unknown[0]}, which is not among the inputs: name it as one of "
                "them"
            )
        return read(tree, builder, {symbol: symbols[str(symbol)] for symbol in tree.free_symbols})


def _numbers(inputs: UserInputs) -> dict[str, float]:
    """The inputs that are plain numbers."""
    return {
        name: float(value)
        for name, value in inputs.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _with_reduction(
    code: UserFunction, reduction: Callable[[torch.Tensor], torch.Tensor]
) -> UserFunction:
    """The code with its result reduced, under the same signature."""

    @wraps(code)
    def reduced(*arguments: UserValue, **keywords: UserValue) -> torch.Tensor:
        return reduction(code(*arguments, **keywords))

    return reduced


def _reference_on_target_inputs(reference: Bound, target: Bound) -> Callable[..., UserValue]:
    """The reference as a function of the target's tensors, those that it takes by the same
    names.
    """
    places = {name: place for place, name in enumerate(target.inputs)}

    def code(*tensors: torch.Tensor) -> UserValue:
        given = [
            tensors[places[name]] if name in places else tensor.detach()
            for name, tensor in reference.inputs.items()
        ]
        return reference.code(*given)

    return code
