"""Normalisations and their backward operations, by the formulas of torch's kernels for CPUs
(batch_norm_kernel.cpp, layer_norm_kernel.cpp and group_norm_kernel.cpp in
aten/src/ATen/native/cpu).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import reduce
from typing import Any

import numpy as np
import torch

from verifier.capture.lowering import AtenOperation, Lowering, Operand, actual_of, rule
from verifier.operations.formats import CODE_FORMATS, FLOAT32, Format

Mask = Sequence[bool]


def product(low: Lowering, *factors: int) -> int:
    """From left to right."""
    return reduce(lambda one, other: low.apply("multiply", one, other), factors)


def format_of(tensor: Operand) -> Format:
    """The format of a tensor's dtype, or of a number's as torch takes it."""
    return CODE_FORMATS[str(actual_of(tensor).dtype).removeprefix("torch.")]


def stored(low: Lowering, node: int, tensor: Operand) -> int:
    """A number as it is read back from a tensor, which may be narrower than what is computed in."""
    own = format_of(tensor)
    return low.build.round(node, own) if own.precision < FLOAT32.precision else node


def narrow(low: Lowering, tensor: Operand) -> AbstractContextManager[None]:
    """Operations inside the block are rounded to the tensor's own format, also where that has 16
    bits.
    """
    return low.build.rounding(format_of(tensor))


def _kept(low: Lowering, node: int, axes: Sequence[int]) -> int:
    """The sum over axes, which stay as axes of length 1."""
    shape = low.build.shape(node)
    return low.build.reshape(
        low.build.sum(node, axes), tuple(1 if axis in axes else n for axis, n in enumerate(shape))
    )


def _moments(low: Lowering, node: int, axes: Sequence[int]) -> tuple[int, int]:
    """The mean, and the deviations from it."""
    count = int(np.prod([low.build.shape(node)[axis] for axis in axes]))
    mean = low.apply("divide", _kept(low, node, axes), float(count))
    return mean, low.apply("subtract", node, mean)


def _reciprocal_root(low: Lowering, variance: int, eps: float) -> int:
    return low.apply("divide", 1.0, low.apply("sqrt", low.apply("add", variance, float(eps))))


def _scaled(low: Lowering, node: int, weight: Operand, shape: Sequence[int]) -> int:
    """Times a weight that may be missing, of that shape."""
    if weight is None:
        return node
    return low.apply("multiply", node, low.build.reshape(low.lift(weight), tuple(shape)))


def _plus(low: Lowering, node: int, bias: Operand, shape: Sequence[int]) -> int:
    if bias is None:
        return node
    return low.apply("add", node, low.build.reshape(low.lift(bias), tuple(shape)))


def _rows(low: Lowering, value: Operand, normalized_shape: Sequence[int]) -> int:
    """As one row for each group that is normalised."""
    count = int(np.prod(normalized_shape))
    return low.build.reshape(low.lift(value), (actual_of(value).numel() // max(1, count), count))


def _saved(low: Lowering, *statistics: int) -> tuple[int, ...]:
    """What a norm keeps for its backward: by torch's convention nothing is differentiated through
    it, but for group norm, whose backward takes the gradients of all its results.
    """
    return tuple(map(low.build.hold, statistics))


@rule("native_layer_norm")
def layer_norm(
    low: Lowering,
    input: Operand,
    normalized_shape: Sequence[int],
    weight: Operand,
    bias: Operand,
    eps: float,
    actual: Any,
) -> tuple[int, ...]:
    """Each row less its mean, over its deviation, by weight and bias; and means and inverse
    deviations for the backward (Ba et al., Layer Normalization, 2016).
    """
    rows = _rows(low, input, normalized_shape)
    count = low.build.shape(rows)[1]
    mean, apart = _moments(low, rows, (1,))
    variance = low.apply("divide", _kept(low, low.apply("square", apart), (1,)), float(count))
    rstd = _reciprocal_root(low, variance, eps)
    scaled = _scaled(low, low.apply("multiply", apart, rstd), weight, (1, count))
    found = _plus(low, scaled, bias, (1, count)), *_saved(low, mean, rstd)
    return tuple(
        low.build.reshape(node, tuple(part.shape)) for node, part in zip(found, actual, strict=True)
    )


@rule("native_layer_norm_backward")
def layer_norm_backward(
    low: Lowering,
    grad_out: Operand,
    input: Operand,
    normalized_shape: Sequence[int],
    mean: Operand,
    rstd: Operand,
    weight: Operand,
    output_mask: Mask,
) -> tuple[int | None, ...]:
    """The gradients by the input, the weight and the bias, each where it is asked for."""
    grad, x = (_rows(low, value, normalized_shape) for value in (grad_out, input))
    middle, factor = (
        low.build.reshape(low.lift(value), (low.build.shape(x)[0], 1)) for value in (mean, rstd)
    )
    found = (
        _layer_norm_by_input(low, grad, x, middle, factor, weight) if output_mask[0] else None,
        _layer_norm_by_weight(low, grad_out, grad, x, middle, factor) if output_mask[1] else None,
        _summed_in(low, grad_out, grad) if output_mask[2] else None,
    )
    shapes = (tuple(actual_of(input).shape), tuple(normalized_shape), tuple(normalized_shape))
    return tuple(
        None if node is None else low.build.reshape(node, shape)
        for node, shape in zip(found, shapes, strict=True)
    )


def _layer_norm_by_input(
    low: Lowering, grad: int, x: int, mean: int, a: int, weight: Operand
) -> int:
    """The kernel's a dY gamma + b X + c, with all that does not change along a row in b and c."""
    count = low.build.shape(x)[1]
    weighted = _scaled(low, grad, weight, (1, count))
    ds, db = _kept(low, low.apply("multiply", weighted, x), (1,)), _kept(low, weighted, (1,))
    return _by_input(low, low.apply("multiply", a, weighted), x, mean, a, (ds, db), count)


def _by_input(
    low: Lowering, first: int, x: int, mean: int, a: int, sums: tuple[int, int], count: int
) -> int:
    """first + b X + c, where b = (db mean - ds) a**3 / count and c = -b mean - db a / count."""
    ds, db = sums
    scale = low.apply("divide", 1.0, float(count))
    b = product(low, low.apply("subtract", low.apply("multiply", db, mean), ds), a, a, a, scale)
    c = low.apply(
        "negative", low.apply("add", low.apply("multiply", b, mean), product(low, db, a, scale))
    )
    return low.apply("add", low.apply("add", first, low.apply("multiply", b, x)), c)


def _layer_norm_by_weight(
    low: Lowering, grad_out: Operand, grad: int, x: int, mean: int, a: int
) -> int:
    b = low.apply("negative", low.apply("multiply", a, mean))
    normal = low.apply("add", low.apply("multiply", a, x), b)
    return _summed_in(low, grad_out, low.apply("multiply", grad, normal))


def _summed_in(low: Lowering, grad_out: Operand, terms: int) -> int:
    """The kernel adds rows up in the format of the gradient itself, 16 bits as it may be."""
    with narrow(low, grad_out):
        return low.build.sum(terms, (0,))


@rule(
    "native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_functional",
    "_native_batch_norm_legit_no_training",
)  # fmt: skip
def batch_norm(
    low: Lowering,
    input: Operand,
    weight: Operand,
    bias: Operand,
    eps: float,
    actual: Any,
    running_mean: Operand = None,
    running_var: Operand = None,
    training: bool = False,
) -> tuple[int | None, ...]:
    """Each channel less its mean, over its deviation, of this batch in training and of earlier ones
    else (Ioffe and Szegedy, Batch Normalization, 2015).
    """
    x = _channels(low, input)
    if training:
        mean, apart = _moments(low, x, (0, 2))
        squares = stored(low, _kept(low, low.apply("square", apart), (0, 2)), actual[1])
        variance = low.apply(
            "divide", squares, float(max(1, actual_of(input).numel() // actual_of(input).shape[1]))
        )
    else:
        mean, variance = (_per_channel(low, value) for value in (running_mean, running_var))
    invstd = _reciprocal_root(low, variance, eps)
    alpha = _scaled(
        low,
        stored(low, invstd, actual[1]) if training else invstd,
        weight,
        (1, actual_of(input).shape[1], 1),
    )
    middle = low.apply("multiply", stored(low, mean, actual[1]) if training else mean, alpha)
    beta = _plus(low, low.apply("negative", middle), bias, (1, actual_of(input).shape[1], 1))
    normal = low.build.reshape(
        low.apply("add", low.apply("multiply", x, alpha), beta), tuple(actual[0].shape)
    )
    channels = (low.build.shape(x)[1],)
    saved = _saved(low, *(low.build.reshape(node, channels) for node in (mean, invstd)))
    return (normal, *(saved if training else (None, None)))


@rule("_batch_norm_with_update_functional")
def batch_norm_with_update(
    low: Lowering, input: Operand, weight: Operand, bias: Operand, eps: float, actual: Any
) -> tuple[int | None, ...]:
    """`batch_norm` in training, under the name that torch.export gives it."""
    found: tuple[int | None, ...] = batch_norm(low, input, weight, bias, eps, actual, training=True)
    return found


def _channels(low: Lowering, value: Operand) -> int:
    """(batch, channels, everything else)."""
    batch, channels, *sizes = actual_of(value).shape
    return low.build.reshape(low.lift(value), (batch, channels, int(np.prod(sizes))))


def _per_channel(low: Lowering, value: Operand) -> int:
    return low.build.reshape(low.lift(value), (1, actual_of(value).numel(), 1))


@rule("native_batch_norm_backward")
def batch_norm_backward(
    low: Lowering,
    grad_out: Operand,
    input: Operand,
    weight: Operand,
    running_mean: Operand,
    running_var: Operand,
    save_mean: Operand,
    save_invstd: Operand,
    train: bool,
    eps: float,
    output_mask: Mask,
) -> tuple[int | None, ...]:
    """The gradients by the input, the weight and the bias, each where it is asked for."""
    grad, x = _channels(low, grad_out), _channels(low, input)
    mean = _per_channel(low, save_mean if train else running_mean)
    invstd = (
        _per_channel(low, save_invstd)
        if train
        else _reciprocal_root(low, _per_channel(low, running_var), eps)
    )
    apart = low.apply("subtract", x, mean)
    total, dot = _kept(low, grad, (0, 2)), _kept(low, low.apply("multiply", apart, grad), (0, 2))
    inner = _without_mean(low, grad, apart, invstd, (total, dot)) if train else grad
    by_input = _scaled(
        low, low.apply("multiply", inner, invstd), weight, (1, actual_of(input).shape[1], 1)
    )
    by_channel = (low.apply("multiply", dot, invstd), total)
    shape = (low.build.shape(x)[1],)
    found = (
        low.build.reshape(by_input, tuple(actual_of(input).shape)),
        *(low.build.reshape(node, shape) for node in by_channel),
    )
    return tuple(node if wanted else None for node, wanted in zip(found, output_mask, strict=True))


@rule("batch_norm_backward")
def batch_norm_with_update_backward(
    low: Lowering, operation: AtenOperation, bound: dict[str, Any]
) -> tuple[int | None, ...]:
    """`batch_norm_backward`, whose arguments have other names here."""
    renamed = {"save_invstd": bound["save_var"], "train": bound["update"]}
    same = ("grad_out", "input", "weight", "running_mean", "running_var", "save_mean", "eps",
            "output_mask")  # fmt: skip
    given = renamed | {name: bound[name] for name in same}
    found: tuple[int | None, ...] = batch_norm_backward(low, **given)
    return found


def _without_mean(low: Lowering, grad: int, apart: int, invstd: int, sums: tuple[int, int]) -> int:
    """dY - sum dY / count - (X - mean) k, where k = dot invstd**2 / count."""
    total, dot = sums
    batch, _, size = low.build.shape(grad)
    k = low.apply("divide", product(low, dot, invstd, invstd), float(batch * size))
    centred = low.apply("subtract", grad, low.apply("divide", total, float(batch * size)))
    return low.apply("subtract", centred, low.apply("multiply", apart, k))


def _is_channels_last(tensor: torch.Tensor) -> bool:
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    own = formats.get(tensor.ndim)
    return (
        own is not None and tensor.is_contiguous(memory_format=own) and not tensor.is_contiguous()
    )


def _groups(low: Lowering, value: Operand, n: int, c: int, hxw: int, group: int) -> int:
    return low.build.reshape(low.lift(value), (n, group, c // group, hxw))


@rule("native_group_norm")
def group_norm(
    low: Lowering,
    input: Operand,
    weight: Operand,
    bias: Operand,
    N: int,  # noqa: N803
    C: int,  # noqa: N803
    HxW: int,  # noqa: N803
    group: int,
    eps: float,
    actual: Any,
) -> tuple[int, ...]:
    """Each group of channels less its mean, over its deviation; and both for the backward (Wu and
    He, Group Normalization, 2018).
    """
    x = _groups(low, input, N, C, HxW, group)
    mean, apart = _moments(low, x, (2, 3))
    count = float(C // group * HxW)
    if _is_channels_last(actual_of(input)):
        # torch's kernel for this layout takes the mean of squares less the square of the mean.
        squares = low.apply("divide", _kept(low, low.apply("square", x), (2, 3)), count)
        variance = low.apply("subtract", squares, low.apply("square", mean))
    else:
        variance = low.apply("divide", _kept(low, low.apply("square", apart), (2, 3)), count)
    rstd = _reciprocal_root(low, variance, eps)
    each = (1, group, C // group, 1)
    scale = _scaled(low, rstd, weight, each)
    shift = _plus(low, low.apply("negative", low.apply("multiply", scale, mean)), bias, each)
    found = low.apply("add", low.apply("multiply", scale, x), shift), mean, rstd
    return tuple(
        low.build.reshape(node, tuple(part.shape)) for node, part in zip(found, actual, strict=True)
    )


@rule("native_group_norm_backward")
def group_norm_backward(
    low: Lowering,
    grad_out: Operand,
    input: Operand,
    mean: Operand,
    rstd: Operand,
    weight: Operand,
    N: int,  # noqa: N803
    C: int,  # noqa: N803
    HxW: int,  # noqa: N803
    group: int,
    output_mask: Mask,
) -> tuple[int | None, ...]:
    """The gradients by the input, the weight and the bias, each where it is asked for."""
    grad, x = (_groups(low, value, N, C, HxW, group) for value in (grad_out, input))
    middle, a = (low.build.reshape(low.lift(value), (N, group, 1, 1)) for value in (mean, rstd))
    each = (1, group, C // group, 1)
    ds, db = _kept(low, low.apply("multiply", grad, x), (3,)), _kept(low, grad, (3,))
    sums = tuple(_kept(low, _scaled(low, part, weight, each), (2,)) for part in (ds, db))
    first = low.apply("multiply", _scaled(low, a, weight, each), grad)
    by_input = _by_input(low, first, x, middle, a, (sums[0], sums[1]), C // group * HxW)
    apart = low.apply("subtract", ds, low.apply("multiply", db, middle))
    by_weight = low.build.sum(low.apply("multiply", apart, a), (0,))
    shapes = (tuple(actual_of(input).shape), (C,), (C,))
    found = zip((by_input, by_weight, low.build.sum(db, (0,))), shapes, output_mask, strict=True)
    return tuple(
        low.build.reshape(node, shape) if wanted else None for node, shape, wanted in found
    )


def _others(v: Operand, dim: int) -> tuple[int, ...]:
    count = actual_of(v).ndim
    return tuple(axis for axis in range(count) if axis != dim % count)


@rule("_weight_norm_interface")
def weight_norm(
    low: Lowering, v: Operand, g: Operand, actual: tuple[torch.Tensor, ...], dim: int = 0
) -> tuple[int, int]:
    """g v / |v|, and the norms for the backward (Salimans and Kingma, Weight Normalization, 2016,
    equation 2).
    """
    norms = low.apply("sqrt", _kept(low, low.apply("square", low.lift(v)), _others(v, dim)))
    factor = low.apply("divide", low.build.reshape(low.lift(g), low.build.shape(norms)), norms)
    return low.apply("multiply", low.lift(v), factor), low.build.reshape(
        norms, tuple(actual[1].shape)
    )


@rule("_weight_norm_interface_backward")
def weight_norm_backward(
    low: Lowering,
    grad_w: Operand,
    saved_v: Operand,
    saved_g: Operand,
    saved_norms: Operand,
    dim: int,
) -> tuple[int, int]:
    """The gradients by v and by g (Salimans and Kingma, Weight Normalization, 2016, equation 3)."""
    grad, v = low.lift(grad_w), low.lift(saved_v)
    total = _kept(low, low.apply("multiply", grad, v), _others(saved_v, dim))
    norms, g = (
        low.build.reshape(low.lift(value), low.build.shape(total))
        for value in (saved_norms, saved_g)
    )
    by_g, a = low.apply("divide", total, norms), low.apply("divide", g, norms)
    b = low.apply("divide", low.apply("multiply", a, by_g), norms)
    by_v = low.apply("subtract", low.apply("multiply", a, grad), low.apply("multiply", b, v))
    return by_v, low.build.reshape(by_g, tuple(actual_of(saved_g).shape))
