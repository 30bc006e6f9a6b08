"""The operations table: every row and every composition by name.

Whatever verifier does with an operation, it looks it up here, also one that a person has added with
`verifier.add_function`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import sympy
from flint import arb

from verifier.errors import InputError
from verifier.operations import (
    activations,
    bessel,
    elementary,
    integrals,
    polynomials,
    special,
)
from verifier.operations.arrays import Balls, ExprClass
from verifier.operations.identifiers import is_name
from verifier.operations.operation import Call, Composition, Notations, Operation


def _reduction_row(name: str, arb_row: Callable[..., Balls]) -> Operation:
    notation: Notations = {
        "torch": Call(f"torch.{name}"),
        "numpy": Call(f"np.{name}"),
        "python": Call(f"np.{name}"),
    }
    return Operation(name, sympy.Function(name), arb=arb_row, arity=1, **notation)


def _arb_sum(rows: Balls) -> Balls:
    return np.add.reduce(rows, axis=-1, keepdims=True)


# Reductions take the rows of a batch, the last axis, to a scalar; `size` is the number of rows, and
# `spread` gives each row of its first argument the second one.
REDUCTIONS = (
    _reduction_row("sum", _arb_sum),
    _reduction_row("mean", lambda rows: np.divide(_arb_sum(rows), arb(rows.shape[-1]))),
    Operation(
        "size",
        sympy.Function("size"),
        arb=lambda rows: arb(rows.shape[-1]),
        arity=1,
        torch=Call("torch.numel"),
        numpy=Call("np.size"),
        python=Call("np.size"),
    ),
    Operation(
        "spread",
        sympy.Function("spread"),
        arb=lambda like, value: np.full_like(like, value, dtype=object),
        arity=2,
        torch=Call("torch.full_like"),
        numpy=Call("np.full_like"),
        python=Call("np.full_like"),
    ),
)

ROWS = (
    *elementary.ROWS,
    *special.ROWS,
    *bessel.ROWS,
    *integrals.ROWS,
    *polynomials.ROWS,
    *activations.ROWS,
)
TABLE: dict[str, Operation] = {row.name: row for row in (*ROWS, *REDUCTIONS)}
COMPOSITIONS: dict[str, Composition] = {
    row.name: row
    for row in (
        *elementary.COMPOSITIONS,
        *special.COMPOSITIONS,
        *integrals.COMPOSITIONS,
        *activations.COMPOSITIONS,
    )
}

BY_CLASS: dict[ExprClass, str] = {
    row.sympy: row.name for row in TABLE.values() if isinstance(row.sympy, type)
}
"""Which row each SymPy class of functions is read as."""

COMPOSED: dict[ExprClass, Composition] = {
    row.sympy: row for row in COMPOSITIONS.values() if row.sympy is not None
}
"""Which composition each SymPy class of functions is read as."""


def check_name(name: str) -> None:
    """Do nothing if a function can be added under that `name`.

    Raises InputError for a name that is taken, or that is no Python name.
    """
    if not is_name(name) or name == "piecewise":
        raise InputError(f"{name!r} cannot name a function: use a Python name of its own")
    if name in TABLE or name in COMPOSITIONS:
        raise InputError(f"there is a function {name} already: use another name")


def add(row: Operation | Composition) -> None:
    """Make a `row` of the table, or a composition of rows, known everywhere: in bodies, in text and
    in expressions.

    Raises InputError for a name that is taken, or that is no Python name.
    """
    check_name(row.name)
    if isinstance(row, Operation):
        TABLE[row.name] = row
        if isinstance(row.sympy, type):
            BY_CLASS[row.sympy] = row.name
    else:
        COMPOSITIONS[row.name] = row
