"""Reverse mode: what the sweeps over formulas and over arrays have in common.

A sweep goes from the result back to the inputs, and multiplies each node's adjoint by the
derivative of that one operation (Griewank and Walther, Evaluating Derivatives, 2nd ed., section
3.2): the gradient's program is linear in the size of the formula's.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from fractions import Fraction
from functools import lru_cache

import sympy

from verifier.operations.arrays import Expr
from verifier.operations.operation import flat
from verifier.operations.table import TABLE
from verifier.program.builder import Builder
from verifier.program.program import CONSTANT, INPUT, Node, is_held
from verifier.program.sympy_form import read

PLACES = tuple(sympy.Symbol(f"argument_{position}", real=True) for position in range(8))


Number = int | float


def factor(builder: Builder, node: Node, position: int) -> int:
    """The node of an operation's derivative by its argument at that position."""
    constants = tuple(_number(builder[index]) for index in node.arguments)
    tree = local_derivative(node.operation, constants, position)
    return read(tree, builder, dict(zip(PLACES, node.arguments, strict=False)))


def scaled(builder: Builder, adjoint: int, by: int) -> int:
    """An adjoint times a factor, where neither 1 nor -1 costs an operation and 1/x becomes a
    division.
    """
    if builder.is_one(adjoint, by):
        return by
    number = builder[by].number
    if number == 1:
        return adjoint
    if number == -1:
        return builder.apply("negative", adjoint)
    if builder[by].operation == "divide":
        # As autograd does, from the left: what comes from above times the numerator, by the
        # denominator.
        over, under = builder[by].arguments
        return builder.apply("divide", scaled(builder, adjoint, over), under)
    return builder.apply("multiply", adjoint, by)


def active_nodes(builder: Builder, last: int, wanted: Collection[int]) -> list[bool]:
    """Which nodes depend on a wanted one in a differentiable way, up to the last one."""
    active: list[bool] = []
    for index in range(last + 1):
        node = builder[index]
        depends = any(active[argument] for argument in node.arguments) and not is_flat(node)
        active.append(index in wanted or depends)
    return active


def is_flat(node: Node) -> bool:
    """Whether the derivative is zero wherever there is one."""
    if node.operation in (INPUT, CONSTANT, "size") or is_held(node):
        return True
    return node.operation in TABLE and TABLE[node.operation].derivatives is flat


def _number(node: Node) -> Number | None:
    """A constant's number, and a whole one as such, so that the derivative of x**2 is 2*x and not
    2*x**1.0.
    """
    if node.operation == CONSTANT and isinstance(node.payload, int | float):
        return node.payload
    number = node.number
    if number is None or not math.isfinite(number):
        return None
    return int(number) if number == int(number) and abs(number) < 2**53 else number


@lru_cache(maxsize=4096)
def local_derivative(
    operation: str, constants: tuple[int | float | None, ...], position: int
) -> Expr:
    """The derivative of the row `operation` by its argument at `position`, counted from 0, as a
    tree in symbols that stand for the arguments.

    `constants` gives the arguments that are numbers, and None for the others.
    """
    row = TABLE[operation]
    places = [
        place if constant is None else sympy.sympify(constant)
        for place, constant in zip(PLACES, constants, strict=False)
    ]
    if row.derivatives is None:
        return row.sympy(*places).diff(places[position])
    with sympy.evaluate(False):
        written = row.derivatives(*places)[position]
    return _plain(operation, constants, written)


def _plain(operation: str, constants: tuple[int | float | None, ...], written: Expr) -> Expr:
    """A power's own rule with its constant exponent worked out, 3*x**2 instead of 3*x**(3 - 1),
    where that is exact.
    """
    exponent = constants[1] if operation == "power" else None
    if exponent is None or Fraction(exponent) - 1 != Fraction(exponent - 1):
        return written
    return sympy.sympify(exponent) * PLACES[0] ** (exponent - 1)
