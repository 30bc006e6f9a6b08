"""Convolution: a product of matrices between the channels of one picture and the windows on
another.

The windows slide over the wide picture and there is one for each place of the narrow one; which of
the two is the input tells a convolution from a transposed one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from verifier.capture.aten.windows import crossed, in_planes, sliding
from verifier.capture.lowering import Dims, Lowering, Operand, actual_of, in_16_bits, rule


@dataclass(frozen=True, eq=False)
class _Pair:
    """A wide and a narrow picture with their batch and channels, and the weights between them."""

    low: Lowering
    like: torch.Tensor
    """A tensor in the format of the results."""
    wide: Sequence[int]
    narrow: Sequence[int]
    weight: Sequence[int]
    stride: Sequence[int]
    padding: Sequence[int]
    dilation: Sequence[int]
    groups: int

    @cached_property
    def _places(self) -> np.ndarray:
        """Where each window's entries are in the wide picture: (groups, channels and entries, batch
        and windows).
        """
        batch, channels, *sizes = self.wide
        # One number stands for all axes.
        options = self.stride, self.padding, self.dilation
        given = [np.broadcast_to(option, len(sizes)) for option in options]
        axes = zip(sizes, self.narrow[2:], self.weight[2:], *given, strict=True)
        windows = crossed([sliding(*axis) for axis in axes], sizes)
        entries = windows.reshape(int(np.prod(self.narrow[2:])), int(np.prod(self.weight[2:]))).T
        placed = in_planes(
            entries, (batch, self.groups, channels // self.groups), int(np.prod(sizes))
        )
        depth = channels // self.groups * entries.shape[0]
        return placed.transpose(1, 2, 3, 0, 4).reshape(self.groups, depth, batch * entries.shape[1])

    @cached_property
    def _narrow_places(self) -> np.ndarray:
        """The same of the narrow picture: (groups, channels, batch and windows)."""
        batch, channels, *sizes = self.narrow
        placed = np.arange(int(np.prod(self.narrow))).reshape(
            batch, self.groups, channels // self.groups, int(np.prod(sizes))
        )
        return placed.transpose(1, 2, 0, 3).reshape(
            self.groups, channels // self.groups, batch * int(np.prod(sizes))
        )

    def _matrix(self, weight: Operand) -> int:
        """The weights as (groups, narrow channels, wide channels and entries)."""
        return self.low.build.reshape(self.low.lift(weight), self._matrix_shape)

    @property
    def _matrix_shape(self) -> tuple[int, int, int]:
        return self.groups, self.weight[0] // self.groups, int(np.prod(self.weight[1:]))

    def _columns(self, wide: Operand) -> int:
        return self.low.build.take(self.low.lift(wide), self._places)

    def _rows(self, narrow: Operand) -> int:
        return self.low.build.take(self.low.lift(narrow), self._narrow_places)

    def to_narrow(self, wide: Operand, weight: Operand) -> int:
        product = self.low.build.contract(self._matrix(weight), self._columns(wide))
        back = np.empty(int(np.prod(self.narrow)), dtype=np.int64)
        back[self._narrow_places.ravel()] = np.arange(back.size)
        return self.low.build.take(product, back.reshape(tuple(self.narrow)))

    def to_wide(self, narrow: Operand, weight: Operand) -> int:
        build = self.low.build
        product = build.contract(build.permute(self._matrix(weight), (0, 2, 1)), self._rows(narrow))
        if not in_16_bits(self.like):
            return build.pile(product, self._places, tuple(self.wide))
        # Where the processor has no instructions for 16 bits, torch keeps the product in that
        # format, and adds it up there, one entry of the window after another (ATen/native/im2col.h,
        # col2im).
        kept = self.low.narrowed(product, self.like)
        entries = int(np.prod(self.weight[2:]))
        numbers = np.arange(self._places.size).reshape(self._places.shape)
        parts = [
            build.pile(
                build.take(kept, numbers[:, entry::entries]),
                self._places[:, entry::entries],
                tuple(self.wide),
            )
            for entry in range(entries)
        ]
        return self._added_up(parts)

    def to_weight(self, wide: Operand, narrow: Operand) -> int:
        build = self.low.build
        rows, columns = self._rows(narrow), build.permute(self._columns(wide), (0, 2, 1))
        if not in_16_bits(self.like):
            return build.reshape(build.contract(rows, columns), tuple(self.weight))
        # As above: each picture's products are added to those of the pictures before it
        # (ATen/native/ConvolutionMM2d.cpp, slow_conv2d_backward_weight).
        at_row, at_column = (
            np.arange(np.prod(build.shape(node), dtype=int)).reshape(build.shape(node))
            for node in (rows, columns)
        )
        count = self.wide[0]
        parts = [
            build.contract(build.take(rows, row), build.take(columns, column))
            for row, column in zip(
                np.split(at_row, count, axis=2), np.split(at_column, count, axis=1), strict=True
            )
        ]
        return build.reshape(self._added_up(parts), tuple(self.weight))

    def _added_up(self, parts: Sequence[int]) -> int:
        """The sum of the parts in the result's own format, one after another."""
        total = self.low.narrowed(parts[0], self.like)
        for part in parts[1:]:
            total = self.low.narrowed(self.low.apply("add", total, part), self.like)
        return total


@rule("convolution")
def convolution(
    low: Lowering,
    input: Operand,
    weight: Operand,
    bias: Operand,
    stride: Dims,
    padding: Dims,
    dilation: Dims,
    transposed: bool,
    groups: int,
    actual: torch.Tensor,
) -> int:
    """The products of channels and windows; where it is transposed, each element is spread over its
    window.
    """
    before, after = actual_of(input).shape, actual.shape
    wide, narrow = (after, before) if transposed else (before, after)
    pair = _Pair(
        low, actual, wide, narrow, actual_of(weight).shape, stride, padding, dilation, groups
    )
    product = (pair.to_wide if transposed else pair.to_narrow)(input, weight)
    if bias is None:
        return product
    # In 16 bits the product is kept in the result's own format before the bias is added.
    return low.apply(
        "add",
        low.narrowed(product, actual),
        low.build.reshape(low.lift(bias), (1, after[1], *(1 for _ in after[2:]))),
    )


@rule("convolution_backward")
def convolution_backward(
    low: Lowering,
    grad_output: Operand,
    input: Operand,
    weight: Operand,
    stride: Dims,
    padding: Dims,
    dilation: Dims,
    transposed: bool,
    groups: int,
    output_mask: Sequence[bool],
) -> tuple[int | None, ...]:
    """The gradients by the picture, the weight and the bias, each where it is asked for."""
    grad, before = actual_of(grad_output).shape, actual_of(input).shape
    wide, narrow = (grad, before) if transposed else (before, grad)
    pair = _Pair(
        low,
        actual_of(input),
        wide,
        narrow,
        actual_of(weight).shape,
        stride,
        padding,
        dilation,
        groups,
    )
    wide_value, narrow_value = (grad_output, input) if transposed else (input, grad_output)
    return (
        (pair.to_narrow if transposed else pair.to_wide)(grad_output, weight)
        if output_mask[0]
        else None,
        pair.to_weight(wide_value, narrow_value) if output_mask[1] else None,
        low.build.sum(low.lift(grad_output), (0, *range(2, len(grad)))) if output_mask[2] else None,
    )
