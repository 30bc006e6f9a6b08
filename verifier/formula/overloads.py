"""What a call of a function means: on symbols it writes the formula, on numbers it computes, on
nodes it builds.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache, reduce

import numpy as np
import sympy
from sympy.core.parameters import global_parameters

from verifier.errors import InputError
from verifier.operations.arrays import Expr, Numeric, Operand
from verifier.operations.operation import Call
from verifier.operations.table import COMPOSITIONS, REDUCTIONS, TABLE
from verifier.program.builder import FormulaBuilder
from verifier.program.evaluation.arithmetic import NumPyArithmetic
from verifier.program.program import INPUT, Program, evaluate
from verifier.program.sympy_form import apply_row, read

ALIASES = {
    "Abs": "abs", "Max": "maximum", "Min": "minimum", "Mod": "remainder", "Heaviside": "heaviside",
    "sgn": "sign", "ceil": "ceiling", "lgamma": "loggamma", "gammaln": "loggamma",
    "tgamma": "gamma", "psi": "digamma", "fabs": "abs", "fmax": "maximum", "fmin": "minimum",
    "max": "maximum", "min": "minimum", "expit": "sigmoid", "swish": "silu", "arcsin": "asin",
    "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "LambertW": "lambertw", "ellipk": "elliptic_k", "ellipe": "elliptic_e",
    "jv": "besselj", "yv": "bessely", "iv": "besseli", "kv": "besselk", "expn": "expint",
}  # fmt: skip
"""Other spellings, SymPy's and NumPy's."""

_FOLDED = ("maximum", "minimum")
_NOT_CALLED = {"not", *(row.name for row in REDUCTIONS)}


def callable_names() -> set[str]:
    """The names of the functions that a formula can call, those that people have added included.

    >>> {"exp", "maximum"} <= callable_names()
    True
    """
    called = {
        name
        for name, row in TABLE.items()
        if isinstance(row.torch, Call) and name not in _NOT_CALLED
    }
    return {*called, "equal", "not_equal", *COMPOSITIONS}


def argument_count(name: str) -> tuple[int, int | None]:
    """The smallest and the largest number of arguments of a function; None stands for any number.

    >>> argument_count("exp"), argument_count("maximum")
    ((1, 1), (2, None))
    """
    if name in _FOLDED:
        return 2, None
    if name in TABLE:
        return TABLE[name].arguments, TABLE[name].arguments
    parameters = inspect.signature(COMPOSITIONS[name].definition).parameters.values()
    needed = sum(
        part.default is part.empty and part.kind is not part.VAR_POSITIONAL for part in parameters
    )
    if any(part.kind is part.VAR_POSITIONAL for part in parameters):
        return max(needed, 1), None
    return needed, len(parameters)


def write_call(name: str, builder: FormulaBuilder, arguments: Sequence[int]) -> int:
    """The node of the builder that applies the function of that name to nodes.

    `arguments` are nodes of `builder`. Raises InputError where an argument must be a whole number
    and is not.
    """
    if name in _FOLDED:
        return reduce(lambda left, right: builder.apply(name, left, right), arguments)
    if name in TABLE:
        return apply_row(name, builder, arguments)
    program = _composition_program(name, len(arguments))
    places = {
        index: arguments[int(node.payload.removeprefix(_ARGUMENT))]
        for index, node in enumerate(program.nodes)
        if node.operation == INPUT
    }
    return builder.copy(program, program.outputs[0], places)


_ARGUMENT = "argument_"


def forget_compositions() -> None:
    """Clear what was built from definitions: a name may have another meaning from now on."""
    _composition_program.cache_clear()


@cache
def _composition_program(name: str, count: int) -> Program:
    """The composition's definition as a program of the symbols argument_0, argument_1, ..."""
    builder = FormulaBuilder()
    callable_names = [f"{_ARGUMENT}{place}" for place in range(count)]
    symbols = {sympy.Symbol(part, real=True): builder.input(part) for part in callable_names}
    with sympy.evaluate(False):
        tree = COMPOSITIONS[name].definition(*symbols)
    return builder.program(read(tree, builder, symbols))


def apply_piecewise(
    branches: Sequence[tuple[Operand, Operand]], where: Callable[..., Operand]
) -> Operand:
    """The value of the first branch (value, condition) whose condition holds.

    `where` is the function of that name for what the branches are made of.

    Raises InputError unless the last condition is True.
    """
    *earlier, (result, last) = branches
    if last not in (True, sympy.true):
        raise InputError(
            "piecewise does not say what holds when none of its conditions does: end it with "
            "(value, True)"
        )
    for value, condition in reversed(earlier):
        result = where(condition, value, result)
    return result


def apply_function(name: str, arguments: Sequence[Operand]) -> Operand:
    """The function of that name on SymPy expressions, or on numbers and arrays.

    Expressions give an expression, numbers and NumPy arrays a float or an array of float64. Raises
    TypeError for a wrong number of arguments.

    >>> apply_function("maximum", [1.0, 3.0, 2.0])
    3.0
    """
    least, most = argument_count(name)
    if len(arguments) < least or (most is not None and len(arguments) > most):
        raise TypeError(f"{name} takes {_count_text(least, most)}, not {len(arguments)}")
    if name == "where" and isinstance(arguments[0], bool | np.bool_):
        return arguments[1] if arguments[0] else arguments[2]
    # While a body is traced, sqrt(2) is the square root of 2 and not the float next to it.
    traced = not global_parameters.evaluate
    if traced or any(isinstance(argument, sympy.Basic) for argument in arguments):
        return _on_symbols(name, [sympy.sympify(argument) for argument in arguments])
    return _on_numbers(name, arguments)


def _count_text(least: int, most: int | None) -> str:
    if most is None:
        return f"{least} arguments or more"
    return (
        f"{least} argument{'s' * (least != 1)}" if least == most else f"{least} to {most} arguments"
    )


def _on_symbols(name: str, arguments: list[Expr]) -> Expr:
    if name == "where" and isinstance(arguments[0], sympy.Expr):
        raise TypeError("where takes a condition first, such as x > 0")
    if name in _FOLDED:
        return reduce(TABLE[name].sympy, arguments)
    return (TABLE[name].sympy if name in TABLE else COMPOSITIONS[name].definition)(*arguments)


def _on_numbers(name: str, arguments: Sequence[Numeric]) -> Numeric:
    if name in _FOLDED:
        return reduce(_numpy_function(name), arguments)
    if name in TABLE:
        return _numpy_function(name)(*arguments)
    program = _composition_program(name, len(arguments))
    given = {f"{_ARGUMENT}{place}": argument for place, argument in enumerate(arguments)}
    return _without_zero_axes(evaluate(program, NumPyArithmetic("float64"), given)[0])


def _numpy_function(name: str) -> Callable[..., Numeric]:
    def function(*arguments: Numeric) -> Numeric:
        return _without_zero_axes(TABLE[name].numpy.function(*arguments))

    return function


def _without_zero_axes(result: Numeric) -> Numeric:
    return (
        float(result) if getattr(result, "ndim", None) == 0 and result.dtype.kind == "f" else result
    )
