"""Functions that people add to the operations table."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import sympy

from verifier.errors import InputError, message_of
from verifier.formula.overloads import forget_compositions
from verifier.operations.arrays import Ball, Expr, ExprClass
from verifier.operations.operation import (
    Budget,
    Call,
    Composition,
    Operation,
    define_function,
    on_arrays,
)
from verifier.operations.table import BY_CLASS, COMPOSITIONS, TABLE, add, check_name
from verifier.process.values import UserFunction
from verifier.program.builder import FormulaBuilder
from verifier.program.codegen import NUMPY, function
from verifier.program.evaluation.balls import EnclosingArithmetic
from verifier.program.gradients.formula_gradient import differentiate
from verifier.program.gradients.reverse_mode import local_derivative
from verifier.program.program import Program, evaluate
from verifier.program.sympy_form import SymPyArithmetic, read, symbol


def add_function(
    name: str,
    definition: UserFunction,
    *,
    torch: UserFunction | None = None,
    numpy: UserFunction | None = None,
    ulps: float = 4.0,
) -> None:
    """Add a function that models can use from then on, in bodies, in text and in expressions.

    `name` is what formulas call. `definition` says what it means, in functions of
    `verifier.functions`; its exact value and its derivative come from there. `torch` is the code
    that computes it on tensors, with the backward that is to be judged; without it, torch computes
    the definition. `numpy` computes it on arrays, else the definition does. `ulps` is how far the
    code's value may be from the exact one, in units in the last place; its gradient may be as far
    as rounding in the definition's derivative explains.

    Raises InputError for a name that is taken and a definition that is no formula.

    >>> import verifier
    >>> verifier.add_function("bent", lambda x: (verifier.functions.sqrt(x**2 + 1) - 1) / 2 + x)
    >>> model = verifier.Model.from_text(
    ...     "bent(w*x)", inputs="x", start={"w": 1.0}, loss=verifier.squared_error
    ... )
    >>> model.expression
    w*x + sqrt(w**2*x**2 + 1)/2 - 1/2
    """
    check_name(name)
    if not callable(definition):
        raise InputError(
            f"the definition of {name} is a {type(definition).__name__}: give a function"
        )
    if not 0 <= ulps < math.inf:
        raise InputError(f"ulps is {ulps!r}: use a finite number, 0 or above")
    if torch is None:
        _definition_program(name, definition)
        add(Composition(name, definition))
        return
    program = _definition_program(name, definition)
    arguments = program.inputs
    computed = numpy or function(name, ", ".join(arguments), program, NUMPY)
    derivatives = _derivative_expressions(program, arguments)
    add(
        Operation(
            name,
            define_function(
                name, lambda *parts: _expression_of(program, parts), derivatives, len(arguments)
            ),
            torch=Call(name, own=torch),
            numpy=Call(name, own=computed),
            python=Call(f"{name}_of_numbers", own=lambda *numbers: float(computed(*numbers))),
            arb=on_arrays(lambda *balls: _ball_of(program, balls), len(arguments)),
            budget=Budget(ulps, ulps),
            derivatives=derivatives,
            arity=len(arguments),
        )
    )


@contextmanager
def remove_added_functions() -> Iterator[None]:
    """At the end of the block, take out the functions that were added in it.

    >>> with remove_added_functions():
    ...     add_function("halved", lambda x: x / 2)
    >>> "halved" in COMPOSITIONS
    False
    """
    tables: tuple[dict[str, Operation], dict[str, Composition], dict[ExprClass, str]] = (
        TABLE,
        COMPOSITIONS,
        BY_CLASS,
    )
    known = [(table, dict(table)) for table in tables]
    try:
        yield
    finally:
        for table, before in known:
            table.clear()
            table.update(before)
        forget_compositions()
        local_derivative.cache_clear()


def _definition_program(name: str, definition: UserFunction) -> Program:
    """The definition in the order in which it is written. Raises InputError."""
    names = list(inspect.signature(definition).parameters)
    builder = FormulaBuilder()
    symbols = {symbol(part): builder.input(part) for part in names}
    try:
        with sympy.evaluate(False):
            tree = sympy.sympify(definition(*symbols), strict=True)
    except (TypeError, ValueError, AttributeError) as error:
        message = message_of(error, whole=True)
        raise InputError(f"the definition of {name} cannot be run on symbols: {message}") from error
    program = builder.program(read(tree, builder, symbols))
    if list(program.inputs) != names:
        raise InputError(
            f"the definition of {name} must use each of its arguments: {', '.join(names)}"
        )
    return program


def _ball_of(program: Program, balls: Sequence[Ball]) -> Ball:
    given = dict(zip(program.inputs, balls, strict=True))
    return evaluate(program, EnclosingArithmetic(), given)[0][()]


def _expression_of(program: Program, parts: Sequence[Expr]) -> Expr:
    return evaluate(program, SymPyArithmetic(), dict(zip(program.inputs, parts, strict=True)))[0]


def _derivative_expressions(
    program: Program, arguments: Sequence[str]
) -> Callable[..., tuple[Expr, ...]]:
    gradient = differentiate(program, arguments)

    def derivatives(*parts: Expr) -> tuple[Expr, ...]:
        given = dict(zip(arguments, parts, strict=True))
        return tuple(evaluate(gradient, SymPyArithmetic(), given)[1:])

    return derivatives
