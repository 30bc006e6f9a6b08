"""The functions that a model's body calls: on symbols they write the formula, on numbers they
compute.

Every row and every composition of the operations table can be imported from here by its name, also
one that was added; so can functions of whole arrays. SymPy is loaded when one of them is called,
not when it is imported.

>>> from verifier.functions import exp, maximum, piecewise, sigmoid
>>> exp(0.0), sigmoid(0.0), piecewise((1.0, False), (2.0, True))
(1.0, 0.5, 2.0)
>>> import sympy
>>> maximum(sympy.Symbol("x"), 0, 1)
Max(1, x)
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Protocol

from verifier.operations.arrays import Operand

_NAMES = (
    "acos", "acosh", "acot", "acoth", "acsc", "acsch", "airyai", "airyaiprime", "airybi",
    "airybiprime", "asec", "asech", "asin", "asinh", "atan", "atan2", "atanh", "besseli",
    "besselj", "besselk", "bessely", "beta", "cbrt", "ceiling", "celu", "chebyshevt",
    "chebyshevu", "copysign", "cos", "cosh", "cot", "coth", "csc", "csch", "digamma", "e",
    "elliptic_e", "elliptic_k", "elu", "equal", "erf", "erfc", "erfcx", "erfinv", "exp", "exp2",
    "expint", "expm1", "floor", "fmod", "frac", "gamma", "gammainc", "gammaincc", "gelu",
    "gelu_tanh", "hardsigmoid", "hardswish", "hardtanh", "heaviside", "hermite", "hypot", "i0",
    "i0e", "i1", "i1e", "j0", "j1", "laguerre", "lambertw", "leaky_relu", "legendre", "log",
    "log10", "log1p", "log2", "log_ndtr", "logaddexp", "loggamma", "logit", "logsigmoid",
    "logsumexp", "lowergamma", "maximum", "minimum", "mish", "ndtr", "normal_density",
    "not_equal", "pi", "piecewise", "polygamma", "polylog", "relu", "relu6", "remainder", "sec",
    "sech", "selu", "sigmoid", "sign", "silu", "sin", "sinc", "sinh", "softmax", "softplus",
    "softsign", "sqrt", "tan", "tanh", "tanhshrink", "uppergamma", "where", "xlogy", "zeta",
)  # fmt: skip
_OF_ARRAYS = (
    "concatenate", "determinant", "inverse", "log_softmax", "mean", "one_hot", "reshape", "solve",
    "stack", "sum", "trace", "transpose",
)  # fmt: skip
__all__ = [*_NAMES, *_OF_ARRAYS]  # noqa: PLE0604 (names from the tables above)


def piecewise(*branches: tuple[Operand, Operand]) -> Operand:
    """The value of the first (value, condition) whose condition holds.

    `branches` are such pairs, in order; values and conditions are expressions, numbers or truth
    values. Raises InputError unless the last condition is True.

    >>> piecewise((1.0, False), (2.0, True))
    2.0
    """
    from verifier.formula import overloads

    return overloads.apply_piecewise(branches, _function_named("where"))


class Function(Protocol):
    """Takes SymPy expressions, arrays of a formula, or numbers and arrays of them."""

    __name__: str
    __qualname__: str

    def __call__(self, *arguments: Operand, **settings: Operand) -> Operand: ...


@cache
def _function_named(name: str) -> Function:
    def function(*arguments: Operand, **settings: Operand) -> Operand:
        from verifier.formula import overloads
        from verifier.formula.arrays import functions

        if functions.is_about_arrays(name, arguments, settings):
            return functions.apply_to_arrays(name, arguments, settings)
        return overloads.apply_function(name, arguments)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The function {name!r} of the operations table (docs/operations.md)."
    return function


def __getattr__(name: str) -> Function:
    if name in ("pi", "e"):
        import sympy

        constants: dict[str, Operand] = {"pi": sympy.pi, "e": sympy.E}
        return constants[name]  # type: ignore[no-any-return]
    if name in __dir__():
        return _function_named(name)
    raise AttributeError(f"verifier.functions has no {name!r}: it has {', '.join(__dir__())}")


def __dir__() -> list[str]:
    """What stands above, and what people have added."""
    overloads = sys.modules.get("verifier.formula.overloads")
    return sorted({*__all__, *(overloads.callable_names() - {"abs"} if overloads else ())})
