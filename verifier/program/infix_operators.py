"""The operators of a formula in text: their rows, how tightly they bind, and what they do to
nodes.
"""

from __future__ import annotations

from typing import NamedTuple

from verifier.program.builder import FormulaBuilder
from verifier.program.program import CONSTANT

# How tightly things bind, as in Python.
EITHER, BOTH, DENIAL, COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = range(1, 10)


class Operator(NamedTuple):
    """The row of an operator, and how tightly it binds: a larger number more tightly."""

    row: str
    precedence: int


COMPARISONS = {
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
    "==": "equal",
    "!=": "not_equal",
}
INFIX = {
    "or": Operator("or", EITHER),
    "and": Operator("and", BOTH),
    **{symbol: Operator(row, COMPARISON) for symbol, row in COMPARISONS.items()},
    "+": Operator("add", SUM),
    "-": Operator("subtract", SUM),
    "*": Operator("multiply", PRODUCT),
    "/": Operator("divide", PRODUCT),
    "**": Operator("power", POWER),
}
# ~ is how the Feynman collection writes the sign, and how Python denies a condition of SymPy or
# NumPy.
PREFIX = {
    "-": Operator("negative", SIGN),
    "~": Operator("negative", SIGN),
    "+": Operator("", SIGN),
    "not": Operator("not", DENIAL),
}
SYMBOLS = {operator.row: symbol for symbol, operator in INFIX.items()}


CONSTANTS = {"pi": "pi", "e": "e", "E": "e"}


def operate(build: FormulaBuilder, row: str, left: int, right: int) -> int:
    """The node of `build` for an arithmetic operator between the nodes `left` and `right`.

    `row` is the operator's name in the table, such as power. Raises InputError where the shapes do
    not fit.

    >>> build = FormulaBuilder()
    >>> x = build.input("x")
    >>> build[operate(build, "power", x, build.constant(2))].operation
    'square'
    """
    if row == "power":
        return _raised(build, left, right)
    if row == "multiply" and whole_number(build, left) == -1:
        return build.apply("negative", right)
    if row in ("add", "subtract"):
        taken = _without_sign(build, right)
        if taken is not None:
            return build.apply("subtract" if row == "add" else "add", left, taken)
    return build.apply(row, left, right)


def _raised(build: FormulaBuilder, base: int, exponent: int) -> int:
    whole = whole_number(build, exponent)
    if whole == 2:
        return build.apply("square", base)
    if whole in (-1, -2):
        # As torch computes it: x*x overflows before 1/x² underflows.
        return build.apply(
            "divide", build.constant(1), base if whole == -1 else build.apply("square", base)
        )
    if build[base].operation == "e":
        return build.apply("exp", exponent)
    return build.apply("power", base, exponent)


def whole_number(build: FormulaBuilder, node: int) -> int | None:
    """The number of `node` in `build` where it is a constant that was written as a whole number;
    else None.
    """
    value = build[node].payload
    return value if build[node].operation == CONSTANT and isinstance(value, int) else None


def _without_sign(build: FormulaBuilder, node: int) -> int | None:
    """What a negative node is the negative of; None for one that does not show its sign."""
    if build[node].operation == "negative":
        return build[node].arguments[0]
    number = build[node].number
    return build.constant(-number) if number is not None and number < 0 else None
