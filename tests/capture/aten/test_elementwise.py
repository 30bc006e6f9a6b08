"""Elementwise operations, activations and losses: each rule against torch, and each backward
against its forward.
"""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it

from tests.helpers.reading import (
    Silent,
    agreeing_digits,
    deviations_off,
    largest_error,
    overlaps_with_blurred_literals,
    read,
    shared_out,
)
from tests.helpers.torch_versions import marked
from verifier.capture import lowering
from verifier.capture.autograd_derivatives import SecondOrder
from verifier.capture.joint_graph import NotReadableError, captured
from verifier.capture.lowering import plain, rules
from verifier.program.evaluation.stochastic import DEVIATIONS
from verifier.program.program import evaluate

S = torch.special
FORMATS = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
SHAPES = [(), (1,), (5,), (2, 3), (3, 1, 2)]
pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")


def t(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def positive(*shape, seed=1):
    return t(*shape, seed=seed).abs() + 0.4


def share(*shape, seed=1):
    """Between 0.1 and 0.9."""
    return t(*shape, seed=seed).sigmoid() * 0.8 + 0.1


def shape_of(name):
    """A shape that the name chooses, at random but always the same."""
    return SHAPES[zlib.crc32(name.encode()) % len(SHAPES)]


def one(name, code, sample=t):
    return code, sample(*shape_of(name))


def two(name, code, first=t, second=t):
    return code, first(*shape_of(name)), second(*shape_of(name), seed=2)


OF_ONE = {
    "pow 3": lambda x: x**3,
    "pow 2": lambda x: x**2,
    "pow 1": lambda x: x**1,
    "pow 0": lambda x: x**0,
    "pow -2": lambda x: x**-2,
    "pow -1": lambda x: x**-1,
    "pow 4": lambda x: x**4,
    "float_power": lambda x: torch.float_power(x, 3),
    "fmod by a number": lambda x: torch.fmod(x, 0.7),
    "remainder by a number": lambda x: torch.remainder(x, -0.7),
    "remainder of a number": lambda x: torch.remainder(2.5, x.detach()) * x,
    "copysign of a number": lambda x: torch.copysign(x, -2.0),
    "nan_to_num": torch.nan_to_num,
    "ldexp": lambda x: torch.ldexp(x, torch.tensor(3)),
    "frexp": lambda x: torch.frexp(x)[0],
    "sinc": torch.sinc,
    "deg2rad": torch.deg2rad,
    "rad2deg": torch.rad2deg,
    "isnan": lambda x: torch.where(torch.isnan(x), 0.0, x * x),
    "isinf": lambda x: x * torch.isinf(x).logical_not(),
    "isposinf": lambda x: x * torch.isposinf(x).logical_not(),
    "isneginf": lambda x: x * torch.isneginf(x).logical_not(),
    "isfinite": lambda x: x * torch.isfinite(x),
    "itself": lambda x: torch.where(x != x, 0.0, x * x),
    "signbit": lambda x: torch.where(torch.signbit(x), x, x * x),
    "conditions": lambda x: (
        x * (x > 0) + x**3 * ((x < -0.5) * (x > -1)) - (x > 0.3).to(x.dtype) * x
    ),
    "connectives": lambda x: torch.where(((x > 0) & (x < 1)) | ~(x <= 1.5) | (x >= 3), x, x * x),
    "logical": lambda x: torch.where(
        torch.logical_or(torch.logical_and(x > 0, x < 1), torch.logical_not(x < 3)), x, x * x
    ),
    "round": lambda x: x.round() * x,
    "floor": lambda x: x.floor() * x,
    "ceil": lambda x: x.ceil() * x,
    "trunc": lambda x: x.trunc() * x,
    "frac": torch.frac,
    "sgn": lambda x: torch.sgn(x) * x,
    "sign": lambda x: torch.sign(x) * x,
    "abs": torch.abs,
    "neg": torch.neg,
    "clamp": lambda x: x.clamp(-0.5, 0.5),
    "clamp below": lambda x: x.clamp(min=0.1),
    "clamp_min": lambda x: torch.clamp_min(x, 0.1),
    "clamp_max": lambda x: torch.clamp_max(x, 0.1),
    "threshold": lambda x: F.threshold(x, 0.1, 20.0),
    "where with a number": lambda x: torch.where(x > 0, x, 0.5),
    "masked_fill": lambda x: x.masked_fill(x > 0.2, -2.0) * x,
    "to float32": lambda x: x.to(torch.float32) * 2,
    "rsub": lambda x: 2.5 - x,
    "rsub with alpha": lambda x: torch.rsub(x, 2.5, alpha=0.5),
    "add with alpha": lambda x: torch.add(x, x.exp(), alpha=0.5),
    "sub with alpha": lambda x: torch.sub(x, x.exp(), alpha=0.5),
    "square": torch.square,
    "exp": torch.exp,
    "expm1": torch.expm1,
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "atan": torch.atan,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "asinh": torch.asinh,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "i0": torch.i0,
    "i0e": S.i0e,
    "i1": S.i1,
    "i1e": S.i1e,
    "bessel_j0": lambda x: S.bessel_j0(x.detach()) * x,
    "bessel_j1": lambda x: S.bessel_j1(x.detach()) * x,
    "erf": torch.erf,
    "erfc": torch.erfc,
    "exp2": torch.exp2,
    "ndtr": S.ndtr,
    "log_ndtr": S.log_ndtr,
    "erfcx": S.erfcx,
    "angle": lambda x: torch.angle(x.detach()) * x,
    "pow of a number": lambda x: torch.pow(2.5, x),
    "gelu": F.gelu,
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "silu in place": lambda x: F.silu(x * 1, inplace=True),
    "mish": F.mish,
    "elu": F.elu,
    "elu alpha": lambda x: F.elu(x, 0.5),
    "elu in place": lambda x: F.elu(x * 1, 0.5, inplace=True),
    "selu": F.selu,
    "celu": F.celu,
    "celu alpha": lambda x: F.celu(x, 2.0),
    "relu": F.relu,
    "relu6": F.relu6,
    "hardtanh": F.hardtanh,
    "hardtanh bounds": lambda x: F.hardtanh(x, -0.5, 0.3),
    "hardswish": lambda x: F.hardswish(3 * x),
    "leaky_relu": F.leaky_relu,
    "leaky_relu in place": lambda x: F.leaky_relu(x * 1, 0.2, inplace=True),
    "rrelu": F.rrelu,
    "logsigmoid": F.logsigmoid,
    "softplus": F.softplus,
    "softplus beta": lambda x: F.softplus(x, 2.0, 1.0),
    "softshrink": F.softshrink,
    "hardshrink": lambda x: F.hardshrink(x, 0.3),
    "softsign": F.softsign,
    "tanhshrink": F.tanhshrink,
}
OF_ONE_POSITIVE = {
    "pow 1.5": lambda x: x**1.5,
    "pow 0.5": lambda x: x**0.5,
    "pow -0.5": lambda x: x**-0.5,
    "pow -1.5": lambda x: x**-1.5,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal,
    "log": torch.log,
    "log1p": torch.log1p,
    "log2": torch.log2,
    "log10": torch.log10,
    "entr": S.entr,
    "lgamma": torch.lgamma,
    "polygamma": lambda x: torch.polygamma(1, x),
    "zeta of a number": lambda x: S.zeta(3.0, x),
    "mvlgamma": lambda x: torch.mvlgamma(x + 2, 3),
    "acosh": lambda x: torch.acosh(x + 1),
    "digamma": torch.digamma,
    "polygamma 0": lambda x: torch.polygamma(0, x),
}
OF_ONE_SHARE = {
    "logit": torch.logit,
    "logit eps": lambda x: torch.logit(x, 0.3),
    "ndtri": S.ndtri,
    "erfinv": torch.erfinv,
    "asin": torch.asin,
    "acos": torch.acos,
    "atanh": torch.atanh,
}
OF_TWO = {
    "fmod": torch.fmod,
    "remainder": torch.remainder,
    "floor_divide": lambda x, y: (x.detach() // y.detach()) * x * y,
    "div floor": lambda x, y: torch.div(x, y, rounding_mode="floor") * x,
    "div trunc": lambda x, y: torch.div(x, y, rounding_mode="trunc") * x,
    "div": torch.div,
    "copysign": torch.copysign,
    "logaddexp": torch.logaddexp,
    "logaddexp2": torch.logaddexp2,
    "ldexp by a number": torch.ldexp,
    "heaviside": lambda x, y: torch.heaviside(x.detach(), y.detach()) * x * y,
    "isclose": lambda x, y: torch.where(torch.isclose(x, y), x, y),
    "clamp_min of tensors": torch.clamp_min,
    "clamp_max of tensors": torch.clamp_max,
    "where": lambda x, y: torch.where(x > y, x, y * y),
    "type_as": lambda x, y: x.type_as(y) * y,
    "hypot": torch.hypot,
    "atan2": torch.atan2,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "fmax": torch.fmax,
    "fmin": torch.fmin,
    "lerp by a number": lambda x, y: torch.lerp(x, y, 0.25),
    "equal or not": lambda x, y: torch.where((x == y) | (x.floor() != y.floor()), x, y),
}
CASES = (
    {name: one(name, code) for name, code in OF_ONE.items()}
    | {name: one(name, code, positive) for name, code in OF_ONE_POSITIVE.items()}
    | {name: one(name, code, share) for name, code in OF_ONE_SHARE.items()}
    | {name: two(name, code) for name, code in OF_TWO.items()}
    | {
        "pow of tensors": two("pow of tensors", torch.pow, positive),
        "xlog1py": two("xlog1py", S.xlog1py, t, positive),
        "xlogy": two("xlogy", torch.xlogy, t, positive),
        "zeta": (lambda x: S.zeta(torch.full_like(x, 2.5), x), positive(4)),
        "clamp of tensors": (torch.clamp, t(2, 3), -positive(3), positive(2, 1, seed=3)),
        "lerp": (torch.lerp, t(2, 3), t(3, seed=2), share(2, 1)),
        "addcmul": (
            lambda x, y, z: torch.addcmul(x, y, z, value=0.5),
            t(2, 3),
            t(3, seed=2),
            t(2, 1, seed=3),
        ),
        "addcdiv": (
            lambda x, y, z: torch.addcdiv(x, y, z, value=0.5),
            t(2, 3),
            t(3, seed=2),
            positive(2, 1),
        ),
        "broadcast": (lambda x, y: (x * y - x / (y * y + 1)).exp(), t(2, 1), t(3, seed=2)),
        "transposed": (lambda x: F.gelu(x.t()) * x.t()[:, ::2].sum(), t(3, 4)),
        "prelu": (F.prelu, t(2, 3), positive(3)),
        "prelu of one": (F.prelu, t(2, 3), positive(1)),
        "glu": (F.glu, t(2, 4)),
        "glu of the first axis": (lambda x: F.glu(x, 0), t(4, 3)),
        "softmin": (lambda x: F.softmin(x, -1), t(2, 3)),
    }
)

SIGNS = torch.tensor([[1.0, -1, 1], [-1, -1, 1]])
MARKS = torch.tensor([[1.0, 0, 1], [0, 1, 1]])
WEIGHT = torch.tensor([0.5, 1.5, 0.75])
CLASSES = torch.tensor([2, 0])


def _weighted_bce(x, y, reduction):
    return F.binary_cross_entropy(x, y, WEIGHT.to(x), reduction=reduction)


def _weighted_logits(x, y, reduction):
    return F.binary_cross_entropy_with_logits(
        x, y, WEIGHT.to(x), pos_weight=(2 * WEIGHT).to(x), reduction=reduction
    )


def _planes(x):
    return x.reshape(1, 3, 2, 2)


PLANE_CLASSES = torch.tensor([[[0, 2], [1, 1]]])

LOSSES = {
    "mse": (F.mse_loss, t(2, 3), t(2, 3, seed=2)),
    "mse weighted": (
        lambda x, y, reduction: F.mse_loss(
            x, y, weight=WEIGHT.to(x).expand(2, 3), reduction=reduction
        ),
        t(2, 3),
        t(2, 3, seed=2),
    ),
    "l1": (F.l1_loss, t(2, 3), t(2, 3, seed=2)),
    "smooth_l1": (F.smooth_l1_loss, t(2, 3), t(2, 3, seed=2)),
    "smooth_l1 beta": (
        lambda x, y, reduction: F.smooth_l1_loss(x, y, beta=0.5, reduction=reduction),
        t(5),
        t(5, seed=2),
    ),
    "smooth_l1 beta 0": (
        lambda x, y, reduction: F.smooth_l1_loss(x, y, beta=0.0, reduction=reduction),
        t(5),
        t(5, seed=2),
    ),
    "huber": (F.huber_loss, t(2, 3), t(2, 3, seed=2)),
    "huber delta": (
        lambda x, y, reduction: F.huber_loss(x, y, delta=0.7, reduction=reduction),
        t(5),
        t(5, seed=2),
    ),
    "bce": (F.binary_cross_entropy, share(2, 3), share(2, 3, seed=2)),
    "bce weighted": (_weighted_bce, share(2, 3), share(2, 3, seed=2)),
    "bce with logits": (F.binary_cross_entropy_with_logits, t(2, 3), share(2, 3, seed=2)),
    "bce with logits weighted": (_weighted_logits, t(2, 3), share(2, 3, seed=2)),
    "kl_div": (F.kl_div, t(2, 3), share(2, 3, seed=2)),
    "kl_div log target": (
        lambda x, y, reduction: F.kl_div(x, y, log_target=True, reduction=reduction),
        t(2, 3),
        t(2, 3, seed=2),
    ),
    "poisson_nll": (
        lambda x, y, reduction: F.poisson_nll_loss(x, y, full=True, reduction=reduction),
        t(2, 3),
        3 * positive(2, 3),
    ),
    "poisson_nll no log": (
        lambda x, y, reduction: F.poisson_nll_loss(x, y, log_input=False, reduction=reduction),
        positive(2, 3),
        3 * positive(2, 3, seed=2),
    ),
    "gaussian_nll": (
        lambda x, y, v, reduction: F.gaussian_nll_loss(x, y, v, full=True, reduction=reduction),
        t(2, 3),
        t(2, 3, seed=2),
        positive(2, 3, seed=3),
    ),
    "gaussian_nll of one variance": (
        lambda x, y, v, reduction: F.gaussian_nll_loss(x, y, v, reduction=reduction),
        t(2, 3),
        t(2, 3, seed=2),
        positive(2, 1),
    ),
    "hinge_embedding": (
        lambda x, reduction: F.hinge_embedding_loss(x, SIGNS.to(x), reduction=reduction),
        t(2, 3),
    ),
    "cosine_embedding": (
        lambda x, y, reduction: F.cosine_embedding_loss(
            x, y, torch.tensor([1.0, -1.0]).to(x), margin=-0.9, reduction=reduction
        ),
        t(2, 3),
        t(2, 3, seed=2),
    ),
    "margin_ranking": (
        lambda x, y, reduction: F.margin_ranking_loss(x, y, SIGNS.to(x), 0.1, reduction=reduction),
        t(2, 3),
        t(2, 3, seed=2),
    ),
    "triplet_margin": (
        lambda x, y, z, reduction: F.triplet_margin_loss(x, y, z, swap=True, reduction=reduction),
        t(2, 3),
        t(2, 3, seed=2),
        t(2, 3, seed=3),
    ),
    "multi_margin": (
        lambda x, reduction: F.multi_margin_loss(x, CLASSES, reduction=reduction),
        t(2, 3),
    ),
    "multi_margin of one": (
        lambda x, reduction: F.multi_margin_loss(x, torch.tensor(1), reduction=reduction),
        t(3),
    ),
    "multi_margin of one number": (
        lambda x, reduction: F.multi_margin_loss(x, torch.tensor(0), reduction=reduction),
        t(),
    ),
    "multi_margin weighted": (
        lambda x, reduction: F.multi_margin_loss(
            x, CLASSES, p=2, margin=0.7, weight=WEIGHT.to(x), reduction=reduction
        ),
        t(2, 3),
    ),
    "multilabel_margin": (
        lambda x, reduction: F.multilabel_margin_loss(
            x, torch.tensor([[1, 0, -1, 2], [3, -1, 0, 0], [-1, 0, 0, 0]]), reduction=reduction
        ),
        t(3, 4),
    ),
    "multilabel_margin of one": (
        lambda x, reduction: F.multilabel_margin_loss(
            x, torch.tensor([1, 0, -1, 2]), reduction=reduction
        ),
        t(4),
    ),
    "multilabel_margin of one number": (
        lambda x, reduction: F.multilabel_margin_loss(x, torch.tensor(0), reduction=reduction),
        t(),
    ),
    "soft_margin": (
        lambda x, reduction: F.soft_margin_loss(x, SIGNS.to(x), reduction=reduction),
        t(2, 3),
    ),
    "multilabel_soft_margin": (
        lambda x, w, reduction: F.multilabel_soft_margin_loss(
            x, MARKS.to(x), w, reduction=reduction
        ),
        t(2, 3),
        positive(3),
    ),
    "nll": (lambda x, reduction: F.nll_loss(x, CLASSES, reduction=reduction), t(2, 3)),
    "nll of one": (
        lambda x, reduction: F.nll_loss(x, torch.tensor(1), WEIGHT.to(x), reduction=reduction),
        t(3),
    ),
    "nll weighted, ignoring": (
        lambda x, reduction: F.nll_loss(
            x, CLASSES, WEIGHT.to(x), ignore_index=0, reduction=reduction
        ),
        t(2, 3),
    ),
    "nll of planes": (
        lambda x, reduction: F.nll_loss(
            _planes(x), PLANE_CLASSES, WEIGHT.to(x), ignore_index=2, reduction=reduction
        ),
        t(12),
    ),
    "nll of volumes": (
        lambda x, reduction: F.nll_loss(
            x.reshape(1, 3, 2, 2, 1), PLANE_CLASSES[..., None], reduction=reduction
        ),
        t(12),
    ),
    "cross_entropy": (
        lambda x, reduction: F.cross_entropy(x, CLASSES, reduction=reduction),
        t(2, 3),
    ),
    "cross_entropy smoothed": (
        lambda x, reduction: F.cross_entropy(
            x, CLASSES, WEIGHT.to(x), label_smoothing=0.125, reduction=reduction
        ),
        t(2, 3),
    ),
    "cross_entropy of probabilities": (
        lambda x, y, reduction: F.cross_entropy(x, y, label_smoothing=0.125, reduction=reduction),
        t(2, 3),
        share(2, 3),
    ),
    "cross_entropy of planes": (
        lambda x, reduction: F.cross_entropy(
            _planes(x), PLANE_CLASSES, ignore_index=1, reduction=reduction
        ),
        t(12),
    ),
}


def _reduced(code, reduction):
    return lambda *inputs: code(*inputs, reduction=reduction)


for _name, (_code, *_inputs) in LOSSES.items():
    for _reduction in ("mean", "sum", "none"):
        CASES[f"{_name}, {_reduction}"] = (_reduced(_code, _reduction), *_inputs)


ROUNDED_LITERALS = {
    "pow of a number": "log(2.5)", "ldexp by a number": "log(2)", "exp2": "log(2)",
    "ndtri": "sqrt(2 pi)", "erfinv": "sqrt(pi)/2", "erfc": "2/sqrt(pi)", "erf": "2/sqrt(pi)",
    "erfcx": "2/sqrt(pi)", "ndtr": "sqrt(1/2)", "log_ndtr": "sqrt(2 pi)", "log2": "log(2)",
    "log10": "log(10)",
}  # fmt: skip
"""Backward formulas with a rounded constant, in which the exact derivative has the number
itself.
"""

NO_DERIVATIVE = {"remainder of a number", "bessel_j0", "bessel_j1"}
"""Torch has none for them; the case multiplies what is detached."""

KNOWN_DEFECTS = {
    "hardsigmoid": (
        one("hardsigmoid", lambda x: F.hardsigmoid(x)),
        7,
        9,
        "the kernel's sixth is that of float32",
    ),
    "celu alpha 0.3": (
        (lambda x: F.celu(x, 0.3), -positive(3)),
        6,
        9,
        "the backward takes 1/alpha of alpha in float32",
    ),
    "ldexp by 70": (
        (lambda x: torch.ldexp(x, torch.tensor(70)), t(3)),
        -1,
        1,
        "2**70 of whole numbers of 64 bits is 0",
    ),
    "bce at 1e-13": (
        (lambda x: F.binary_cross_entropy(x, torch.ones_like(x)), torch.tensor([1e-13]).double()),
        -1,
        1,
        "the backward divides by 1e-12 at least, while the logarithm is clamped at -100 only",
    ),
}
"""Backwards of torch that are not the derivative of its forward: the digits that agree, from and
to, and why.
"""

INACCURATE = {
    "digamma": (torch.float64, "torch's trigamma has an error of 1e-10 in float64"),
    "polygamma": (torch.float64, "torch's trigamma has an error of 1e-10 in float64"),
    "polygamma 0": (torch.float64, "torch's trigamma has an error of 1e-10 in float64"),
}
"""Kernels that are off by more than rounding in a format."""

NOT_IN_16_BITS = {
    "ndtri",
    "erfcx",
    "log_ndtr",
    "bessel_j0",
    "bessel_j1",
    "zeta",
    "zeta of a number",
    "i1",
    "i1e",
}
NOT_IN_16_BITS |= {name for name in CASES if name.startswith(("multi_margin", "multilabel_margin"))}
"""Cases that torch has no kernel for in bfloat16 and float16."""


LATER = {
    "ldexp by a number": ("2.11", "torch's gradient of ldexp took no logarithm"),
    "ldexp by 70": ("2.11", "torch's gradient of ldexp was right"),
    "smooth_l1 beta=1": ("2.10", "torch has no such gradient in float16"),
    "smooth_l1 beta=1/2": ("2.10", "torch has no such gradient in float16"),
}


@pytest.mark.parametrize("case", marked(CASES, LATER))
def test_numbers_derivative_and_noise(case):
    """In float64: torch's numbers, the backward as the derivative of the forward, and how far
    rounding may go.
    """
    limit = 1e-9 if case in INACCURATE else 1e-6 if case == "to float32" else 1e-13
    assert largest_error(*CASES[case]) < limit
    if case not in INACCURATE:
        assert deviations_off(*CASES[case]) <= DEVIATIONS
    if case in NO_DERIVATIVE:
        return
    digits = agreeing_digits(*CASES[case])
    if case in ROUNDED_LITERALS:
        assert 15 < digits < 30
        assert overlaps_with_blurred_literals(*CASES[case])
    else:
        assert digits > 30


@pytest.mark.parametrize("case", marked(KNOWN_DEFECTS, LATER))
def test_known_defects_of_torch(case):
    code, low, high, _reason = KNOWN_DEFECTS[case]
    assert low < agreeing_digits(*code) < high


def in_format(case, format):
    code, *inputs = CASES[case]
    return code, *(value.to(format) for value in inputs)


@pytest.mark.sweep(one_in=4)
@pytest.mark.parametrize(
    ("case", "format"),
    shared_out([name for name in CASES if not name.endswith(", sum")], FORMATS),
    ids=str,
)
def test_rounding_explains_the_numbers(case, format):
    if format.itemsize == 2 and case in NOT_IN_16_BITS:
        with pytest.raises(
            (NotReadableError, NotImplementedError, RuntimeError), match="not implemented for"
        ):
            deviations_off(*in_format(case, format))
    elif INACCURATE.get(case, (None,))[0] is format:
        assert deviations_off(*in_format(case, format)) > 1000
    else:
        assert deviations_off(*in_format(case, format)) <= DEVIATIONS


FAR = torch.tensor(
    [-88.5, -45.0, -20.5, -9.5, -3.5, -1e-6, 1e-6, 0.02, 4.5, 11.0, 19.5, 21.5, 46.0, 80.0]
)
FAR_CASES = {
    name: OF_ONE[name]
    for name in (
        "gelu",
        "gelu tanh",
        "silu",
        "mish",
        "elu",
        "selu",
        "celu",
        "softplus",
        "logsigmoid",
        "sigmoid",
        "tanh",
        "hardswish",
        "tanhshrink",
        "erf",
        "sinc",
        "ndtr",
    )
} | {
    "glu": F.glu,
    "bce with logits": lambda x: F.binary_cross_entropy_with_logits(
        x, torch.full_like(x, 0.25), reduction="none"
    ),
    "cross_entropy": lambda x: F.cross_entropy(x[None], torch.tensor([3])),
}


@pytest.mark.sweep("case")
@pytest.mark.parametrize("format", FORMATS, ids=str)
@pytest.mark.parametrize("case", FAR_CASES)
def test_rounding_explains_the_numbers_far_from_0(case, format):
    assert deviations_off(FAR_CASES[case], FAR.to(format)) <= DEVIATIONS


def test_logarithms_close_to_0_are_known():
    assert deviations_off(S.log_ndtr, FAR.double()) <= DEVIATIONS


MY_MODULES = {f"verifier.capture.aten.{name}" for name in ("elementwise", "activations", "losses")}


@pytest.mark.slow  # it reads all cases again
def test_every_rule_has_a_case():
    used = set()
    for code, *inputs in (case for name, case in CASES.items() if not name.endswith(", sum")):
        used.update(read(code, *inputs)[2].operations)
    used.update(read(*KNOWN_DEFECTS["hardsigmoid"][0])[2].operations)
    mine = {name for name, function in rules().items() if function.__module__ in MY_MODULES}
    assert mine <= used


def test_empty_tensors():
    for code in OF_ONE.values():
        assert largest_error(code, torch.empty(2, 0, dtype=torch.float64)) == 0


SECOND = {
    name: CASES[name][0]
    for name in (
        "gelu",
        "gelu tanh",
        "silu",
        "mish",
        "elu",
        "selu",
        "celu",
        "softplus",
        "logsigmoid",
        "tanh",
        "sigmoid",
        "hardswish",
        "softshrink",
        "leaky_relu",
        "sinc",
        "mse, mean",
        "huber, mean",
        "bce with logits, mean",
        "cross_entropy, mean",
        "soft_margin, mean",
    )
}
"""Backwards whose own derivative torch has as well, as operations that have rules."""


@pytest.mark.parametrize("case", SECOND)
def test_numbers_of_the_hessian(case):
    code, (first, *others) = SECOND[case], CASES[case][1:]
    joint = SecondOrder(lambda x: code(x, *others).sum(), (0,), 1)
    arguments = [first, torch.ones((), dtype=torch.float64)]
    low = lowering.lowered(captured(joint, arguments), ["x", "seed"], arguments)
    stated = joint(*arguments)
    # Behind the value and the gradient, those by the input; between them are those by the seed.
    rows = zip(low.results[2::2], stated[2::2], strict=True)
    kept = [(node, plain(value)) for node, value in rows if node is not None]
    program = low.builder.program(*(node for node, _ in kept))
    found = evaluate(program, Silent(), {"x": plain(first), "seed": np.ones(())})
    assert len(kept) == first.numel()
    for ours, (_, theirs) in zip(found, kept, strict=True):
        np.testing.assert_allclose(ours[0], theirs, rtol=1e-13, atol=1e-15)


# Values at which an operation has a case of its own.

NAN, INF = math.nan, math.inf
SPECIAL_VALUES = {
    "nan_to_num": (lambda x: torch.nan_to_num(x, 1.5), [NAN, INF, -INF, 2.0, -0.0]),
    "isnan": (lambda x: torch.where(torch.isnan(x), 1.0, 2.0), [NAN, INF, 1.0]),
    "round at halves": (torch.round, [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.3, -0.7, 7.0]),
    "round to tens": (lambda x: torch.round(x, decimals=-1), [14.0, 26.0, -14.0]),
    "round to hundredths": (lambda x: torch.round(x, decimals=2), [1.234, -1.236]),
    "copysign of zeros": (
        lambda x: torch.copysign(torch.full_like(x, 3.0), x),
        [0.0, -0.0, 1.0, -2.0],
    ),
    "signbit of zeros": (lambda x: torch.where(torch.signbit(x), 1.0, 2.0), [0.0, -0.0, -1.0]),
    "xlog1py": (lambda x: S.xlog1py(torch.zeros_like(x), x), [-1.0, -2.0, 3.0]),
    "entr": (S.entr, [0.0, -1.0, 2.0]),
    "sinc at 0": (torch.sinc, [0.0, 0.5]),
    "heaviside at 0": (lambda x: torch.heaviside(x, torch.full_like(x, 0.25)), [0.0, -1.0, 2.0]),
    "threshold at it": (lambda x: F.threshold(x, 1.0, 5.0), [1.0, 2.0]),
    "softplus above its threshold": (F.softplus, [19.0, 21.0]),
    "bce at the ends": (lambda x: F.binary_cross_entropy(x, 1 - x, reduction="none"), [0.0, 1.0]),
    "pow 0 of 0": (lambda x: x**0, [0.0, 2.0]),
    "fmod of negatives": (lambda x: torch.fmod(x, 3.0), [-7.0, 7.0, -6.0, 0.0]),
    "remainder of negatives": (lambda x: torch.remainder(x, -3.0), [-7.0, 7.0, -6.0, 0.0]),
    "floor_divide of negatives": (lambda x: x // 3.0, [-7.0, 7.0, -6.0]),
    "logit outside": (lambda x: torch.logit(x, 0.1), [0.0, 0.05, 1.0]),
}


@pytest.mark.parametrize("case", SPECIAL_VALUES)
def test_special_values(case):
    code, values = SPECIAL_VALUES[case]
    x = torch.tensor(values, dtype=torch.float64)
    _, _, low, given = read(lambda x: code(x.detach()) * torch.ones_like(x), x)
    (found,) = evaluate(low.builder.program(low.results[0]), Silent(), given)
    np.testing.assert_allclose(found[0], plain(code(x)), rtol=1e-15)


# The functions of the data set.

TORCH_FUNCTIONS = json.loads(
    (Path(__file__).parents[2] / "data" / "torch_functions.json").read_text()
)


@pytest.mark.parametrize("name", marked([entry["name"] for entry in TORCH_FUNCTIONS], LATER))
def test_listed_functions_are_read(name):
    (entry,) = (entry for entry in TORCH_FUNCTIONS if entry["name"] == name)
    generator = np.random.default_rng(7)
    inputs = [
        torch.tensor(generator.uniform(*entry["box"][name]), dtype=torch.float64)
        for name in entry["variables"]
    ]
    source = f"lambda {', '.join(entry['variables'])}: {entry['call']}"
    code = eval(source, {"F": F, "torch": torch})  # noqa: S307 - our own data
    assert agreeing_digits(code, *inputs) > 30
    for dtype in FORMATS:
        if dtype.itemsize == 2 and entry["name"].startswith("multi_margin"):
            continue  # torch has no kernel for it
        assert deviations_off(code, *(value.to(dtype) for value in inputs)) <= DEVIATIONS


def test_all_forty_functions_are_listed():
    assert len(TORCH_FUNCTIONS) == 40


# Rules that are wrong are found.


def _replaced(monkeypatch, name, wrong):
    rules()
    monkeypatch.setitem(lowering._RULES, name, wrong)


def test_a_wrong_backward_rule_is_found(monkeypatch):
    right = rules()["silu_backward"]

    def wrong(low, grad_output, self):
        return low.apply("multiply", right(low, grad_output, self), 1 + 1e-12)

    _replaced(monkeypatch, "silu_backward", wrong)
    assert agreeing_digits(F.silu, t(3)) < 13
    assert largest_error(F.silu, t(3)) > 1e-13


def test_a_wrong_forward_rule_is_found(monkeypatch):
    right = rules()["gelu"]
    _replaced(monkeypatch, "gelu", lambda low, self: right(low, self, "tanh"))
    assert largest_error(F.gelu, t(3)) > 1e-6
    assert agreeing_digits(F.gelu, t(3)) < 6


def test_a_number_that_rounding_does_not_explain_is_found(monkeypatch):
    right = rules()["silu"]

    def wrong(low, self):
        return low.apply("multiply", right(low, self), 1 + 1e-5)

    _replaced(monkeypatch, "silu", wrong)
    assert deviations_off(F.silu, t(3).float()) > DEVIATIONS


# What cannot be read is named.

REFUSED = {
    "histc": (lambda x: x.sum() * torch.histc(x.detach(), 4), "aten::histc has no rule"),
}  # fmt: skip


@pytest.mark.parametrize("function", (torch.special.airy_ai, torch.sinc), ids=("x", "self"))
def test_an_argument_is_found_by_each_of_its_names(function):
    assert largest_error(lambda x: x * function(x.detach()), t(2, 3)) < 1e-13


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_named(case):
    code, sentence = REFUSED[case]
    with pytest.raises(NotReadableError) as caught:
        read(code, t(2, 3))
    assert str(caught.value) == sentence
