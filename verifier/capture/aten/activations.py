"""Activation functions and their backward operations, each as its kernel in ATen has it
(aten/src/ATen/native/Activation.cpp, and the file of that name in native/cpu).
"""

from __future__ import annotations

from typing import Any

import sympy
import torch

from verifier.capture.lowering import (
    Cell,
    Lowering,
    Operand,
    in_16_bits,
    plain,
    random,
    rule,
)
from verifier.operations.activations import sigmoid, softplus
from verifier.operations.arrays import Expr
from verifier.operations.elementary import expm1, log1p
from verifier.operations.formats import CODE_FORMATS
from verifier.operations.operation import Minimum, Where

_ONE = sympy.S.One
_ZERO = sympy.S.Zero


@rule("tanh_backward")
def tanh_backward(low: Lowering, grad_output: Cell, output: Cell) -> int:
    """g (1 - y²), from the result y of the forward."""
    return low.formula(lambda g, y: g * (1 - y * y), grad_output, output)


@rule("sigmoid_backward")
def sigmoid_backward(low: Lowering, grad_output: Cell, output: Cell) -> int:
    """g (1 - y) y, from the result y of the forward."""
    return low.formula(lambda g, y: g * ((1 - y) * y), grad_output, output)


@rule("threshold")
def above_threshold(low: Lowering, self: Cell, threshold: float, value: float) -> int:
    """x where it is above the threshold, else the value."""
    below = low.apply("less_equal", self.node, float(threshold))
    return low.apply("where", below, float(value), self.node)


@rule("threshold_backward")
def threshold_backward(low: Lowering, grad_output: Cell, self: Cell, threshold: float) -> int:
    """g where x is above the threshold, else 0; so 0 at the threshold itself."""
    passes = low.apply("greater", self.node, low.lift(float(threshold)))
    return low.apply("where", passes, low.lift(grad_output), 0.0)


def _root_half() -> Any:
    return sympy.sqrt(sympy.Float(0.5))


def _tanh_inside(x: Operand) -> tuple[Any, Any]:
    """sqrt(2/pi) and its product with x + 0.044715 x³."""
    factor = sympy.sqrt(2 / sympy.pi)
    return factor, factor * (x + 0.044715 * (x * x * x))


@rule("gelu")
def gelu(low: Lowering, self: Cell, approximate: str = "none") -> int:
    """x Φ(x) by erf, or by its approximation with tanh (Hendrycks and Gimpel, Gaussian Error Linear
    Units, 2016).
    """
    if approximate == "tanh":
        return low.formula(lambda x: 0.5 * x * (1 + sympy.tanh(_tanh_inside(x)[1])), self)
    return low.formula(lambda x: x * 0.5 * (1 + sympy.erf(x * _root_half())), self)


@rule("gelu_backward")
def gelu_backward(low: Lowering, grad_output: Cell, self: Cell, approximate: str = "none") -> int:
    """g (Φ(x) + x φ(x)), or the derivative of the approximation with tanh."""
    return low.formula(
        _gelu_tanh_backward if approximate == "tanh" else _gelu_backward, grad_output, self
    )


def _gelu_backward(g: Expr, x: Expr) -> Expr:
    cumulative = 0.5 * (1 + sympy.erf(x * _root_half()))
    density = sympy.exp(x * x * -0.5) * (1 / sympy.sqrt(2 * sympy.pi))
    return g * (cumulative + x * density)


def _gelu_tanh_backward(g: Expr, x: Expr) -> Expr:
    factor, inside = _tanh_inside(x)
    tanh = sympy.tanh(inside)
    left, right = 0.5 * x, 1 + tanh
    slope_inside = factor * (1 + 3 * sympy.Float(0.044715) * (x * x))
    return g * (0.5 * right + left * (1 - tanh * tanh) * slope_inside)


@rule("silu")
def silu(low: Lowering, self: Cell) -> int:
    """x / (1 + exp(-x)), in one division as the kernel has it."""
    return low.formula(lambda x: x / (1 + sympy.exp(-x)), self)


@rule("silu_backward")
def silu_backward(low: Lowering, grad_output: Cell, self: Cell) -> int:
    """g s (1 + x (1 - s)) with s = sigmoid(x)."""
    return low.formula(lambda g, x: g * sigmoid(x) * (1 + x * (1 - sigmoid(x))), grad_output, self)


@rule("mish")
def mish(low: Lowering, self: Cell) -> int:
    """x tanh(softplus(x)) (Misra, Mish: A Self Regularized Non-Monotonic Activation Function,
    2019).
    """
    return low.formula(lambda x: x * sympy.tanh(softplus(x)), self)


@rule("mish_backward")
def mish_backward(low: Lowering, grad_output: Cell, self: Cell) -> int:
    """g (t + x sigmoid(x) (1 - t²)) with t = tanh(softplus(x))."""

    def slope(g: Expr, x: Expr) -> Expr:
        tanh = sympy.tanh(softplus(x))
        return g * (tanh + x * sigmoid(x) * (1 - tanh * tanh))

    return low.formula(slope, grad_output, self)


@rule("elu")
def elu(
    low: Lowering, self: Cell, alpha: float = 1, scale: float = 1, input_scale: float = 1
) -> int:
    """scale x from 0 on, scale alpha expm1(input_scale x) below; SELU is one with constants of its
    own.
    """
    below = low.formula(
        lambda x: expm1(x * float(input_scale)) * (float(alpha) * float(scale)), self
    )
    above = low.apply("multiply", self.node, float(scale))
    return low.apply("where", low.apply("less", self.node, 0.0), below, above)


@rule("celu")
def celu(low: Lowering, self: Cell, alpha: float = 1) -> int:
    """x from 0 on, alpha expm1(x / alpha) below."""
    below = low.formula(lambda x: expm1(x * (1 / sympy.Float(alpha))) * float(alpha), self)
    return low.apply("where", low.apply("less", self.node, 0.0), below, self.node)


@rule("elu_backward")
def elu_backward(
    low: Lowering,
    grad_output: Cell,
    alpha: float,
    scale: float,
    input_scale: float,
    is_result: bool,
    self_or_result: Cell,
) -> int:
    """The derivative of `elu`, from its result or from its argument as `is_result` says."""
    negative, inner = float(alpha) * float(scale), float(input_scale)
    formula = (
        (lambda g, y: g * inner * (y + negative)) if is_result
        else (lambda g, x: g * inner * negative * sympy.exp(x * inner))
    )  # fmt: skip
    below = low.formula(formula, grad_output, self_or_result)
    above = low.apply("multiply", grad_output.node, float(scale))
    return low.apply("where", low.apply("less_equal", self_or_result.node, 0.0), below, above)


def _between(low: Lowering, self: Cell, least: float, most: float) -> int:
    above, below = (
        low.apply("greater", self.node, float(least)),
        low.apply("less", self.node, float(most)),
    )
    return low.apply("and", above, below)


@rule("hardtanh")
def hardtanh(low: Lowering, self: Cell, min_val: float = -1, max_val: float = 1) -> int:
    """x, but at least `min_val` and at most `max_val`; ReLU6 is one."""
    return low.apply("minimum", low.apply("maximum", self.node, float(min_val)), float(max_val))


@rule("hardtanh_backward")
def hardtanh_backward(
    low: Lowering, grad_output: Cell, self: Cell, min_val: float, max_val: float
) -> int:
    """g strictly between the two borders, else 0; so 0 at the borders themselves."""
    return low.apply("where", _between(low, self, min_val, max_val), grad_output.node, 0.0)


def _six(low: Lowering, self: Cell) -> int:
    return low.apply("minimum", low.apply("maximum", low.apply("add", self.node, 3.0), 0.0), 6.0)


@rule("hardsigmoid")
def hardsigmoid(low: Lowering, self: Cell) -> int:
    """min(max(x + 3, 0), 6) / 6."""
    return low.apply("divide", _six(low, self), 6.0)


_FLOAT32_SIXTH = 0.1666666716337204
"""The kernel's sixth is one of float32, in float64 as well."""


@rule("hardsigmoid_backward")
def hardsigmoid_backward(low: Lowering, grad_output: Cell, self: Cell) -> int:
    """g / 6 strictly between -3 and 3, else 0."""
    passed = low.apply("multiply", grad_output.node, _FLOAT32_SIXTH)
    return low.apply("where", _between(low, self, -3, 3), passed, 0.0)


@rule("hardswish")
def hardswish(low: Lowering, self: Cell) -> int:
    """x min(max(x + 3, 0), 6) / 6."""
    return low.apply("divide", low.apply("multiply", self.node, _six(low, self)), 6.0)


@rule("hardswish_backward")
def hardswish_backward(low: Lowering, grad_output: Cell, self: Cell) -> int:
    """0 up to -3, g from 3 on, g (x / 3 + 1/2) between them."""
    rising = low.formula(lambda g, x: g * (x / 3 + 0.5), grad_output, self)
    passed = low.apply("where", low.apply("less", self.node, 3.0), rising, grad_output.node)
    return low.apply("where", low.apply("less_equal", self.node, -3.0), 0.0, passed)


def _sloped(low: Lowering, sign_of: int, passed: int, slope: Operand) -> int:
    """As it is where another is above 0, times the slope elsewhere."""
    return low.apply(
        "where", low.apply("greater", sign_of, 0.0), passed, low.apply("multiply", passed, slope)
    )


@rule("leaky_relu")
def leaky_relu(low: Lowering, self: Cell, negative_slope: float = 0.01) -> int:
    """x above 0, the slope times x elsewhere."""
    return _sloped(low, self.node, self.node, float(negative_slope))


@rule("leaky_relu_backward")
def leaky_relu_backward(low: Lowering, grad_output: Cell, self: Cell, negative_slope: float) -> int:
    """g where x is above 0, the slope times g elsewhere; so the slope at 0 itself."""
    return _sloped(low, self.node, grad_output.node, float(negative_slope))


@rule("_prelu_kernel")
def prelu(low: Lowering, self: Cell, weight: Cell) -> int:
    """x above 0, the weight times x elsewhere."""
    return _sloped(low, self.node, self.node, weight.node)


@rule("_prelu_kernel_backward")
def prelu_backward(low: Lowering, grad_output: Cell, self: Cell, weight: Cell) -> tuple[int, int]:
    """The gradients by x and by the weight, which is 0 where x is above 0; the weight's own axes
    are summed later.
    """
    by_weight = low.apply("multiply", self.node, grad_output.node)
    above = low.apply("greater", self.node, 0.0)
    return _sloped(low, self.node, grad_output.node, weight.node), low.apply(
        "where", above, 0.0, by_weight
    )


@rule("rrelu_with_noise_functional")
def rrelu(
    low: Lowering, self: Cell, lower: float, upper: float, training: bool, actual: Any
) -> tuple[int, int]:
    """In evaluation the slope is the mean of its bounds, and the noise is not used."""
    if training:
        raise random("rrelu_with_noise")
    return _sloped(low, self.node, self.node, (float(lower) + float(upper)) / 2), low.lift(
        actual[1]
    )


@rule("rrelu_with_noise_backward")
def rrelu_backward(low: Lowering, grad_output: Cell, self: Cell, lower: float, upper: float) -> int:
    """The gradient in evaluation, where the slope is the middle of its bounds."""
    return _sloped(low, self.node, grad_output.node, (float(lower) + float(upper)) / 2)


@rule("log_sigmoid_forward")
def log_sigmoid(low: Lowering, self: Cell) -> tuple[int, int]:
    """The second result is exp(-|x|), for the backward."""
    buffer = low.formula(lambda x: sympy.exp(-sympy.Abs(x)), self)
    return low.formula(lambda x, z: Minimum(x, 0) - log1p(z), self, buffer), buffer


@rule("log_sigmoid_backward")
def log_sigmoid_backward(low: Lowering, grad_output: Cell, self: Cell, buffer: Cell) -> int:
    """The gradient by the buffer z = exp(-|x|) of the forward, which overflows nowhere."""

    def slope(g: Expr, x: Expr, z: Expr) -> Expr:
        return (Where(x < 0, _ONE, _ZERO) - Where(x < 0, _ONE, -_ONE) * (z / (1 + z))) * g

    return low.formula(slope, grad_output, self, buffer)


def _linear(low: Lowering, self: Cell, beta: float, threshold: float) -> int:
    return low.apply("greater", low.apply("multiply", self.node, float(beta)), float(threshold))


@rule("softplus")
def softplus_(low: Lowering, self: Cell, beta: float = 1, threshold: float = 20) -> int:
    """log1p(exp(beta x)) / beta, and x itself where beta x is above the threshold."""
    bent = low.formula(lambda x: log1p(sympy.exp(x * float(beta))) / float(beta), self)
    return low.apply("where", _linear(low, self, beta, threshold), self.node, bent)


@rule("softplus_backward")
def softplus_backward(
    low: Lowering, grad_output: Cell, self: Cell, beta: float, threshold: float
) -> int:
    """g z / (z + 1) with z = exp(beta x), and g itself where beta x is above the threshold."""
    exponential = low.formula(lambda x: sympy.exp(x * float(beta)), self)
    bent = low.formula(lambda g, z: g * z / (z + 1), grad_output, exponential)
    return low.apply("where", _linear(low, self, beta, threshold), grad_output.node, bent)


@rule("softshrink")
def softshrink(low: Lowering, self: Cell, lambd: float = 0.5) -> int:
    """x moved towards 0 by `lambd`; 0 where it would pass 0."""
    size = float(lambd)
    return low.formula(lambda x: Where(x > size, x - size, Where(x < -size, x + size, _ZERO)), self)


@rule("hardshrink")
def hardshrink(low: Lowering, self: Cell, lambd: float = 0.5) -> int:
    """x where its size is above `lambd`, else 0."""
    return _outside(low, self, self, lambd)


@rule("softshrink_backward")
def softshrink_backward(low: Lowering, grad_output: Cell, self: Cell, lambd: float) -> int:
    """g where the size of x is above `lambd`, else 0; so 0 at the border itself."""
    return _outside(low, self, grad_output, lambd)


@rule("hardshrink_backward")
def hardshrink_backward(low: Lowering, grad_out: Cell, self: Cell, lambd: float) -> int:
    """g where the size of x is above `lambd`, else 0; so 0 at the border itself."""
    return _outside(low, self, grad_out, lambd)


def _outside(low: Lowering, self: Cell, passed: Cell, size: float) -> int:
    """Nothing passes where the number is at most of that size."""
    inside = low.apply("less_equal", low.apply("abs", self.node), float(size))
    return low.apply("where", inside, 0.0, passed.node)


def _halves(low: Lowering, self: Cell, dim: int) -> tuple[int, int]:
    return low.moved(lambda whole: whole.chunk(2, dim), {"whole": self})  # type: ignore[no-any-return]


@rule("glu")
def glu(low: Lowering, self: Cell, dim: int = -1) -> int:
    """a sigmoid(b), where a and b are the halves of the tensor along an axis."""
    return low.formula(lambda a, b: a * sigmoid(b), *_halves(low, self, dim))


@rule("glu_backward")
def glu_backward(low: Lowering, grad_output: Cell, self: Cell, dim: int) -> int:
    """Each operation is rounded to the format, also to one of 16 bits."""
    value, gate = _halves(low, self, dim)
    with low.build.rounding(CODE_FORMATS[str(self.actual.dtype).removeprefix("torch.")]):
        by_value = low.formula(lambda g, b: sigmoid(b) * g, grad_output, gate)
        by_gate = low.formula(
            lambda g, a, b: (1 - sigmoid(b)) * sigmoid(b) * g * a, grad_output, value, gate
        )
    return low.joined(dim % len(self.shape), by_value, by_gate)


@rule("glu_jvp")
def glu_forward_mode(low: Lowering, glu: Operand, x: Cell, dx: Operand, dim: int) -> int:
    """How a glu moves: with its value, and with its gate by sigmoid' = sigmoid (1 - sigmoid)."""
    _, gate = _halves(low, x, dim)
    by_value, by_gate = _halves(low, Cell(low.lift(dx), x.actual), dim)
    return low.formula(
        lambda y, b, da, db: da * sigmoid(b) + y * (db - sigmoid(b) * db),
        glu,
        gate,
        by_value,
        by_gate,
    )


@rule("native_dropout_backward")
def dropout_backward(low: Lowering, grad_output: Operand, mask: Operand, scale: float) -> int:
    """g times the mask of the run, times the scale."""
    kept = low.apply("multiply", low.build.numbers(low.lift(mask)), float(scale))
    return low.apply("multiply", low.lift(grad_output), kept)


@rule("logit")
def logit(low: Lowering, self: Cell, actual: torch.Tensor, eps: float | None = None) -> int:
    """In 16 bits each of its steps is rounded."""
    node = self.node if eps is None else hardtanh(low, self, eps, 1 - eps)
    if not in_16_bits(actual):
        return low.apply("logit", node)
    below = low.narrowed(low.apply("subtract", 1.0, node), actual)
    ratio = low.narrowed(low.apply("divide", node, below), actual)
    number = self.actual if eps is None else self.actual.clamp(eps, 1 - eps)
    low.actual.setdefault(below, plain(1 - number))
    low.actual.setdefault(ratio, plain(number / (1 - number)))
    return low.apply("log", ratio)


@rule("logit_backward")
def logit_backward(low: Lowering, grad_output: Cell, self: Cell, eps: float | None = None) -> int:
    """g / (x (1 - x)); 0 outside eps and 1 - eps where eps is given."""
    passed = low.formula(lambda g, x: g / (x * (1 - x)), grad_output, self)
    if eps is None:
        return passed
    inside = low.formula(lambda x: sympy.And(x >= float(eps), x <= 1 - float(eps)), self)
    return low.apply("where", inside, passed, 0.0)
