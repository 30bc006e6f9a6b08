"""The functions that a model's body calls: on symbols they write the formula, on numbers they compute.

>>> exp(0.0)
1.0
>>> import sympy
>>> maximum(sympy.Symbol("x"), 0)
Max(0, x)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy

from verifier.operations import TABLE

pi = sympy.pi
e = sympy.E


def _function(name: str) -> Callable[..., Any]:
    row = TABLE[name]

    def function(*arguments: Any) -> Any:
        if any(isinstance(argument, sympy.Basic) for argument in arguments):
            return row.sympy(*map(sympy.sympify, arguments))
        result = row.numpy.function(*arguments)
        return float(result) if getattr(result, "ndim", None) == 0 else result

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The row {name!r} of the operations table."
    return function


exp = _function("exp")
log = _function("log")
sqrt = _function("sqrt")
sin = _function("sin")
cos = _function("cos")
tanh = _function("tanh")
maximum = _function("maximum")
minimum = _function("minimum")
where = _function("where")

__all__ = ["cos", "e", "exp", "log", "maximum", "minimum", "pi", "sin", "sqrt", "tanh", "where"]
