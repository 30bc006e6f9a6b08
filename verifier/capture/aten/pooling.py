"""Pooling: the largest or the mean entry of each window, and its backward operation.

The backward kernels add up in the format of the gradient itself, 16 bits as it may be
(MaxPoolKernel.cpp, AvgPoolKernel.cpp and those for adaptive pooling in aten/src/ATen/native/cpu).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from verifier.capture.aten.normalisation import narrow
from verifier.capture.aten.reductions import combined_in_pairs
from verifier.capture.aten.windows import (
    Windows,
    adaptive,
    crossed,
    in_planes,
    lengths,
    outer,
    sliding,
)
from verifier.capture.lowering import AtenOperation, Dims, Lowering, Operand, Rule, actual_of, rule
from verifier.capture.to_numpy import to_numpy
from verifier.program.builder import places
from verifier.program.program import NOTHING


def _each(option: Operand, count: int, default: Operand = None) -> list[int]:
    """An option for each axis: one number stands for all, none for the default."""
    given = [option] if isinstance(option, int) else list(option)
    if not given:
        return list(default)
    return given * count if len(given) == 1 else given


def _taken(low: Lowering, picture: Operand, axes: Sequence[Windows]) -> tuple[int, np.ndarray]:
    """The entries of the windows, behind all axes of the result, and the places that they
    are from.
    """
    shape = actual_of(picture).shape
    planes, sizes = shape[: len(shape) - len(axes)], shape[len(shape) - len(axes) :]
    index = in_planes(crossed(axes, sizes), planes, int(np.prod(sizes)))
    return low.build.take(low.lift(picture), index), index


def _spread(low: Lowering, entries: int, shape: Sequence[int], axes: Sequence[Windows]) -> int:
    """Each result's number added up at all entries of its window."""
    planes, sizes = shape[: len(shape) - len(axes)], shape[len(shape) - len(axes) :]
    index = in_planes(crossed(axes, sizes), planes, int(np.prod(sizes)))
    wide = low.build.reshape(entries, (*low.build.shape(entries), 1))
    return low.build.pile(low.build.expand(wide, index.shape), index, tuple(shape))


def largest(low: Lowering, picture: Operand, axes: Sequence[Windows]) -> int:
    """The largest entry of each window; minus infinity where a window has none."""
    node, index = _taken(low, picture, axes)
    if (index == NOTHING).any():
        node = low.apply("where", low.build.constant(index != NOTHING), node, -np.inf)
    return low.build.reshape(
        combined_in_pairs(low, node, index.ndim - 1, "maximum"), index.shape[:-1]
    )


def _at_places(
    low: Lowering, grad: Operand, shape: Sequence[int], indices: torch.Tensor, count: int
) -> int:
    """Each number added at its place in its plane, as the places came out."""
    low.kept = False
    size = int(np.prod(shape[len(shape) - count :]))
    flat = to_numpy(indices.reshape(*shape[: len(shape) - count], -1))
    planes = np.arange(int(np.prod(flat.shape[:-1]))).reshape(*flat.shape[:-1], 1) * size
    with narrow(low, grad):
        return low.build.pile(
            low.lift(grad), (planes + flat).reshape(tuple(indices.shape)), tuple(shape)
        )


def _pooling(
    self: Operand,
    out: torch.Tensor,
    kernel: Operand,
    stride: Dims,
    padding: Dims,
    dilation: Dims,
    count: int,
) -> Any:
    """The windows along each axis."""
    entries = _each(kernel, count)
    options = entries, _each(stride, count, entries), _each(padding, count), _each(dilation, count)
    return [
        sliding(*axis)
        for axis in zip(actual_of(self).shape[-count:], out.shape[-count:], *options, strict=True)
    ]


def _max_pool(count: int) -> Rule:
    def pooled(
        low: Lowering,
        self: Operand,
        kernel_size: Dims,
        stride: Dims,
        padding: Dims,
        dilation: Dims,
        actual: Any,
    ) -> tuple[int, None]:
        return largest(
            low, self, _pooling(self, actual[0], kernel_size, stride, padding, dilation, count)
        ), None

    return pooled


def _adaptive_max_pool(count: int) -> Rule:
    def pooled(low: Lowering, self: Operand, actual: Any) -> tuple[int, None]:
        sizes = zip(actual_of(self).shape[-count:], actual[0].shape[-count:], strict=True)
        return largest(low, self, [adaptive(*axis) for axis in sizes]), None

    return pooled


def _max_pool_backward(count: int) -> Rule:
    def backward(low: Lowering, grad_output: Operand, self: Operand, indices: torch.Tensor) -> int:
        return _at_places(low, grad_output, tuple(actual_of(self).shape), indices, count)

    return backward


def _max_unpool(count: int) -> Rule:
    def unpooled(low: Lowering, self: Operand, indices: torch.Tensor, actual: torch.Tensor) -> int:
        low.kept = False
        source = torch.full((*actual.shape[:-count], int(np.prod(actual.shape[-count:]))), NOTHING)
        flat = indices.reshape(*source.shape[:-1], -1)
        source.scatter_(-1, flat, torch.from_numpy(places(tuple(flat.shape))))
        return low.build.take(low.lift(self), to_numpy(source.reshape(actual.shape)))

    return unpooled


def _fractional_max_pool(count: int) -> Rule:
    def pooled(low: Lowering, self: Operand, actual: Any) -> tuple[int, None]:
        """Where the windows lie was drawn: each result is the entry that was taken."""
        low.kept = False
        shape = tuple(actual_of(self).shape)
        flat = to_numpy(actual[1].reshape(*shape[:-count], -1))
        planes = places(shape).reshape(*shape[:-count], -1)
        taken = np.take_along_axis(planes, flat, -1)
        return low.build.take(low.lift(self), taken.reshape(tuple(actual[0].shape))), None

    return pooled


for _count in (2, 3):
    rule(f"fractional_max_pool{_count}d")(_fractional_max_pool(_count))
    rule(f"fractional_max_pool{_count}d_backward")(_max_pool_backward(_count))
    rule(f"max_pool{_count}d_with_indices")(_max_pool(_count))
    rule(f"adaptive_max_pool{_count}d")(_adaptive_max_pool(_count))
    rule(f"max_pool{_count}d_with_indices_backward")(_max_pool_backward(_count))
    rule(f"adaptive_max_pool{_count}d_backward")(_max_pool_backward(_count))
    rule(f"max_unpool{_count}d")(_max_unpool(_count))


def _divisors(
    axes: Dims, shape: Sequence[int], options: Dims, include: bool, override: int | None
) -> np.ndarray:
    """By what each window's sum is divided: with padding counted, but not what is beyond it."""
    if override is not None:
        return np.full([len(windows) for windows in axes], float(override))
    if not include:
        return outer([lengths(windows) for windows in axes])
    counted = []
    for windows, size, entries, stride, padding in zip(axes, shape, *options, strict=True):
        starts = np.arange(len(windows)) * stride - padding
        counted.append(np.minimum(starts + entries, size + padding) - starts)
    return outer(counted)


class _Averages:
    """Windows whose mean is taken, and what each sum is divided by."""

    def __init__(self, count: int, self_: Operand, out: Operand, bound: dict[str, Any]) -> None:
        entries = _each(bound["kernel_size"], count)
        options = entries, _each(bound["stride"], count, entries), _each(bound["padding"], count)
        self.axes = _pooling(self_, out, *options, 1, count)
        sizes = actual_of(self_).shape[-count:]
        include, override = bound["count_include_pad"], bound["divisor_override"]
        self.divisors = _divisors(self.axes, sizes, options, include, override)


def _avg_pool(count: int) -> Rule:
    def pooled(
        low: Lowering, operation: AtenOperation, bound: dict[str, Any], actual: torch.Tensor
    ) -> int:
        averages = _Averages(count, bound["self"], actual, bound)
        node, index = _taken(low, bound["self"], averages.axes)
        return low.apply(
            "divide", low.build.sum(node, (index.ndim - 1,)), low.build.constant(averages.divisors)
        )

    return pooled


def _avg_pool_backward(count: int) -> Rule:
    def backward(low: Lowering, operation: AtenOperation, bound: dict[str, Any]) -> int:
        averages = _Averages(count, bound["self"], actual_of(bound["grad_output"]), bound)
        with narrow(low, bound["grad_output"]):
            share = low.apply(
                "divide", low.lift(bound["grad_output"]), low.build.constant(averages.divisors)
            )
            return _spread(low, share, actual_of(bound["self"]).shape, averages.axes)

    return backward


def _adaptive_axes(size: Sequence[int], out: Sequence[int], count: int) -> list[Windows]:
    return [adaptive(*axis) for axis in zip(size[-count:], out[-count:], strict=True)]


def _share(low: Lowering, node: int, axes: Sequence[Windows]) -> int:
    """Divided by the windows' lengths along one axis after the other."""
    for axis, windows in enumerate(axes):
        divisors = lengths(windows).reshape(-1, *(1 for _ in axes[axis + 1 :]))
        node = low.apply("divide", node, low.build.constant(divisors))
    return node


def _adaptive_avg_pool(count: int) -> Rule:
    def pooled(low: Lowering, self: Operand, actual: torch.Tensor) -> int:
        axes = _adaptive_axes(actual_of(self).shape, actual.shape, count)
        node, index = _taken(low, self, axes)
        return _share(low, low.build.sum(node, (index.ndim - 1,)), axes)

    return pooled


def _adaptive_avg_pool_backward(count: int) -> Rule:
    def backward(low: Lowering, grad_output: Operand, self: Operand) -> int:
        shape = actual_of(self).shape
        axes = _adaptive_axes(shape, actual_of(grad_output).shape, count)
        with narrow(low, grad_output):
            return _spread(low, _share(low, low.lift(grad_output), axes), shape, axes)

    return backward


for _count in (2, 3):
    rule(f"avg_pool{_count}d")(_avg_pool(_count))
    rule(f"avg_pool{_count}d_backward")(_avg_pool_backward(_count))
    rule(f"_adaptive_avg_pool{_count}d")(_adaptive_avg_pool(_count))
    rule(f"_adaptive_avg_pool{_count}d_backward")(_adaptive_avg_pool_backward(_count))
