"""Types of what is computed with: balls, floats, arrays of either, and SymPy's expressions.

python-flint and SymPy ship no types that the type checker reads, so that `Ball` and `Expr` are
`Any` to it. The names say what is meant.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from flint import arb

Ball: TypeAlias = arb
"""An interval that surely holds the exact number: a midpoint and a radius in Arb."""

Balls: TypeAlias = npt.NDArray[np.object_]
"""An array whose entries are balls."""

Floats: TypeAlias = npt.NDArray[np.float64]
"""An array of float64 numbers."""

Truths: TypeAlias = npt.NDArray[np.bool_]
"""An array of truth values: a mask, or the entries at which a condition holds."""

Indices: TypeAlias = npt.NDArray[np.int64]
"""An array of whole numbers: places in another array, or ranks."""

Array: TypeAlias = npt.NDArray[Any]
"""An array whose dtype depends on the caller: balls or floats of any format."""

Numeric: TypeAlias = Any
"""A number or an array of numbers: float, ball, NumPy's or torch's. What is written for it uses
operators that all of them have; no common type states these.
"""

Expr: TypeAlias = Any
"""A SymPy expression or condition; unevaluated inside `sympy.evaluate(False)`."""

Operand: TypeAlias = Any
"""What the body of a formula is called with, and returns: expressions while the body is traced,
numbers or arrays of them else.
"""

ExprClass: TypeAlias = Any
"""A class of SymPy functions: called with expressions it gives an expression."""
