"""Specified: what a person says is right, a formula or a plainer version of the code, as a
specification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import torch

from verifier.capture.target import Bound, bound, callable_of, name_of
from verifier.errors import InputError
from verifier.formula.model import Model
from verifier.formula.parser import read_text
from verifier.judging.reference import Formula, Reference, Specification
from verifier.program.builder import FormulaBuilder
from verifier.program.codegen import TORCH, function
from verifier.program.guards import guarded
from verifier.program.lift import REDUCTIONS
from verifier.program.program import Program

if TYPE_CHECKING:
    import sympy


@dataclass(frozen=True)
class Intended:
    """What the target is supposed to compute, as it was given; nothing is its own forward."""

    formula: str | sympy.Expr | Model | None = None
    reference: Callable[..., Any] | str | None = None
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
        """What it is held against, in words."""
        if self.reference is not None:
            named = isinstance(self.reference, str)
            return f"reference {self.reference if named else name_of(self.reference)}"
        if self.formula is None:
            return "its own forward"
        formula = self.formula.expression if isinstance(self.formula, Model) else self.formula
        return f"{self.reduction} of {formula}" if self.reduction != "none" else str(formula)

    def code(self, inputs: Mapping[str, Any]) -> Callable[..., Any]:
        """The formula itself as torch code, its order of operations as written. Raises InputError
        for nothing else.
        """
        if self.formula is None:
            raise InputError("say what to check: a callable on tensors, or a formula")
        builder = FormulaBuilder()
        tree = builder.program(
            self._written(builder, {name: builder.input(name) for name in inputs})
        )
        written = function("formula", ", ".join(inputs), guarded(tree), TORCH)
        return {
            "none": written,
            "sum": _then(written, torch.sum),
            "mean": _then(written, torch.mean),
        }[self.reduction]

    def at(self, target: Bound, inputs: Mapping[str, Any], dtype: str) -> Specification | None:
        """The specification for a target that is bound to these inputs. Raises InputError where it
        does not fit.
        """
        if self.reference is not None:
            code = callable_of(self.reference)
            return Reference(_of_flat(bound(code, inputs, dtype), target))
        if self.formula is None:
            return None
        return Formula(guarded(self._program(target, inputs)), REDUCTIONS[self.reduction])

    def _program(self, target: Bound, inputs: Mapping[str, Any]) -> Program:
        builder = FormulaBuilder()
        symbols = {name: builder.input(name) for name in target.inputs}
        for name, value in inputs.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                symbols[name] = builder.constant(float(value))
        return builder.program(self._written(builder, symbols))

    def _written(self, builder: FormulaBuilder, symbols: Mapping[str, int]) -> int:
        if isinstance(self.formula, str):
            return read_text(self.formula, builder, symbols)
        from verifier.program.sympy_form import read

        tree: Any = self.formula.expression if isinstance(self.formula, Model) else self.formula
        unknown = sorted(str(symbol) for symbol in tree.free_symbols if str(symbol) not in symbols)
        if unknown:
            raise InputError(
                f"the formula uses {unknown[0]}, which is not among the inputs: name it as one of "
                "them"
            )
        return read(tree, builder, {symbol: symbols[str(symbol)] for symbol in tree.free_symbols})


def _then(code: Callable[..., Any], reduction: Callable[..., Any]) -> Callable[..., Any]:
    """The code with its result reduced, under the same signature."""

    @wraps(code)
    def reduced(*arguments: Any, **keywords: Any) -> Any:
        return reduction(code(*arguments, **keywords))

    return reduced


def _of_flat(reference: Bound, target: Bound) -> Callable[..., Any]:
    """The reference as a function of the target's tensors, those that it takes by the same
    names.
    """
    places = {name: place for place, name in enumerate(target.inputs)}

    def code(*tensors: torch.Tensor) -> Any:
        given = [
            tensors[places[name]] if name in places else tensor.detach()
            for name, tensor in reference.inputs.items()
        ]
        return reference.code(*given)

    return code
