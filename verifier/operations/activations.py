"""Rows of the functions that machine learning has named."""

from __future__ import annotations

import numpy as np
import sympy
from flint import arb

from verifier.operations.arrays import Ball, Expr, ExprClass
from verifier.operations.elementary import expm1
from verifier.operations.operation import (
    EXACT,
    Budget,
    Call,
    Composition,
    Interval,
    Maximum,
    Minimum,
    Operation,
    Where,
    define_function,
    larger,
    on_arrays,
)

_MODERATE = Interval(-80.0, 80.0)
_SMALL = Interval(-20.0, 20.0)


def _sigmoid(a: Ball) -> Ball:
    return 1 / (1 + (-a).exp())


def _softplus(a: Ball) -> Ball:
    """log(1 + exp(a)), by way of exp(-|a|) so that nothing overflows; it grows with a."""
    if a.is_finite() and a.rad() > 1:
        return _softplus(a.lower()).union(_softplus(a.upper()))
    return a + (-a).exp().log1p() if a > 0 else a.exp().log1p()


def _logaddexp(a: Ball, b: Ball) -> Ball:
    """log(exp(a) + exp(b)), from the larger one: beside it the other may be nothing."""
    larger, smaller = (a, b) if a.mid() > b.mid() else (b, a)
    return larger + _softplus(smaller - larger)


def _xlogy(a: Ball, b: Ball) -> Ball:
    return arb(0) if a == 0 else a * b.log()


sigmoid: ExprClass = define_function(
    "sigmoid", lambda a: 1 / (1 + sympy.exp(-a)), lambda a: ((1 - sigmoid(a)) * sigmoid(a),)
)
logit: ExprClass = define_function(
    "logit", lambda a: sympy.log(a / (1 - a)), lambda a: (1 / (a * (1 - a)),)
)
logsigmoid: ExprClass = define_function(
    "logsigmoid", lambda a: -sympy.log(1 + sympy.exp(-a)), lambda a: (sigmoid(-a),)
)
softplus: ExprClass = define_function(
    "softplus", lambda a: sympy.log(1 + sympy.exp(a)), lambda a: (sigmoid(a),)
)
relu: ExprClass = define_function(
    "relu", lambda a: sympy.Max(a, 0), lambda a: (Where(a > 0, sympy.S.One, sympy.S.Zero),)
)
logaddexp: ExprClass = define_function(
    "logaddexp",
    lambda a, b: sympy.log(sympy.exp(a) + sympy.exp(b)),
    lambda a, b: (sigmoid(a - b), sigmoid(b - a)),
)
xlogy: ExprClass = define_function(
    "xlogy",
    lambda a, b: Where(sympy.Eq(a, 0), sympy.S.Zero, a * sympy.log(b)),
    lambda a, b: (sympy.log(b), a / b),
)

ROWS = (
    Operation(
        "sigmoid", sigmoid, arb=on_arrays(_sigmoid), budget=Budget(2.0, 2.0), measured=(_MODERATE,),
        derivatives=lambda a: ((1 - sigmoid(a)) * sigmoid(a),),
        torch=Call("torch.sigmoid"), numpy=Call("special.expit"), python=Call("special.expit"),
    ),
    Operation(
        "logit", logit, arb=on_arrays(lambda a: (a / (1 - a)).log()), domain="0 < a < 1",
        budget=Budget(2.0, 2.0, lambda result, a: np.abs(result) + 1),
        measured=(Interval(0.0, 1.0),), derivatives=lambda a: (1 / (a * (1 - a)),),
        torch=Call("torch.logit"), numpy=Call("special.logit"), python=Call("special.logit"),
    ),
    Operation(
        "logsigmoid", logsigmoid, arb=on_arrays(lambda a: -_softplus(-a)), budget=Budget(2.0, 2.0),
        measured=(_MODERATE,), derivatives=lambda a: (sigmoid(-a),),
        torch=Call("torch.nn.functional.logsigmoid"),
        numpy=Call("special.log_expit"), python=Call("special.log_expit"),
    ),
    Operation(
        # torch's own threshold of 20 leaves an error of exp(-20); at 40 it is below half an ulp of
        # float64.
        "softplus", softplus, arb=on_arrays(_softplus), budget=Budget(2.0, 2.0),
        measured=(_MODERATE,), derivatives=lambda a: (sigmoid(a),),
        torch=Call("torch.nn.functional.softplus", keywords=(("threshold", 40.0),)),
        numpy=Call("np.logaddexp", extra=(0,)), python=Call("np.logaddexp", extra=(0,)),
    ),
    Operation(
        "relu", relu, arb=on_arrays(lambda a: larger(a, arb(0))), budget=EXACT,
        derivatives=lambda a: (Where(a > 0, sympy.S.One, sympy.S.Zero),), torch=Call("torch.relu"),
        numpy=Call("np.maximum", extra=(0,)), python=Call("builtins.max", extra=(0,)),
    ),
    Operation(
        "logaddexp", logaddexp, arb=on_arrays(_logaddexp, 2),
        # The larger one, and log1p(exp(-d)) of their distance d, which makes d's rounding small.
        budget=Budget(2.0, 2.0, lambda result, a, b: np.abs(result) + 1),
        measured=(_MODERATE, _MODERATE), derivatives=lambda a, b: (sigmoid(a - b), sigmoid(b - a)),
        torch=Call("torch.logaddexp"), numpy=Call("np.logaddexp"), python=Call("np.logaddexp"),
    ),
    Operation(
        "xlogy", xlogy, arb=on_arrays(_xlogy, 2), budget=Budget(2.0, 2.0), domain="b > 0",
        measured=(Interval(-1e6, 1e6), Interval(1e-6, 1e6)), derivatives=lambda a,
        b: (sympy.log(b), a / b), torch=Call("torch.xlogy"), numpy=Call("special.xlogy"),
        python=Call("special.xlogy"),
    ),
)  # fmt: skip


def _gelu_tanh(a: Expr) -> Expr:
    """Hendrycks and Gimpel, Gaussian Error Linear Units (arXiv:1606.08415), section 2."""
    inner = sympy.sqrt(2 / sympy.pi) * (a + 0.044715 * (a * a * a))
    return sympy.Rational(1, 2) * a * (1 + sympy.tanh(inner))


def _log_sum_exp(*terms: Expr) -> Expr:
    result, *rest = terms
    for term in rest:
        result = logaddexp(result, term)
    return result


def _softmax(first: Expr, *others: Expr) -> Expr:
    """The share of the first among all that are listed."""
    return sympy.exp(first - _log_sum_exp(first, *others))


def _elu(a: Expr, alpha: Expr = 1) -> Expr:
    """Clevert et al., Fast and Accurate Deep Network Learning by ELUs (arXiv:1511.07289), section
    3.
    """
    return Where(a > 0, a, expm1(a) if alpha == 1 else alpha * expm1(a))


def _celu(a: Expr, alpha: Expr = 1) -> Expr:
    """Barron, Continuously Differentiable Exponential Linear Units (arXiv:1704.07483)."""
    return Where(a > 0, a, expm1(a) if alpha == 1 else alpha * expm1(a / alpha))


def _selu(a: Expr) -> Expr:
    """Klambauer et al., Self-Normalizing Neural Networks (arXiv:1706.02515), equation 2 and section
    3.
    """
    return 1.0507009873554805 * Where(a > 0, a, 1.6732632423543772 * expm1(a))


COMPOSITIONS = (
    Composition("leaky_relu", lambda a, slope=0.01: Where(a > 0, a, slope * a)),
    Composition("elu", _elu, measured=(_MODERATE,)),
    Composition("selu", _selu, measured=(_MODERATE,)),
    Composition("celu", _celu, measured=(_MODERATE,)),
    Composition("relu6", lambda a: Minimum(Maximum(a, 0), 6)),
    Composition("hardtanh", lambda a: Minimum(Maximum(a, -1), 1)),
    Composition("hardsigmoid", lambda a: Minimum(Maximum(a + 3, 0), 6) / 6),
    Composition("hardswish", lambda a: a * Minimum(Maximum(a + 3, 0), 6) / 6),
    Composition("softsign", lambda a: a / (1 + sympy.Abs(a))),
    Composition("tanhshrink", lambda a: a - sympy.tanh(a)),
    Composition("silu", lambda a: a * sigmoid(a), measured=(_MODERATE,)),
    Composition("gelu", lambda a: a * (1 + sympy.erf(a / sympy.sqrt(2))) / 2, measured=(_SMALL,)),
    Composition("gelu_tanh", _gelu_tanh, measured=(_SMALL,)),
    Composition("mish", lambda a: a * sympy.tanh(softplus(a)), measured=(_MODERATE,)),
    Composition("logsumexp", _log_sum_exp, measured=(_SMALL, _SMALL, _SMALL)),
    Composition("softmax", _softmax, measured=(_SMALL, _SMALL, _SMALL)),
)
