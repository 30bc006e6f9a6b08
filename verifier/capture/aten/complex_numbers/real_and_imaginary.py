"""Operations that treat real and imaginary part alike, and those that take a number apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from verifier.capture.aten.complex_numbers.pairs import (
    ComplexPair,
    Number,
    pair_of,
    pair_rule,
    parts_of,
)
from verifier.capture.lowering import AtenOperation

_FACTORS = frozenset({"alpha", "beta", "scale"})
"""Numbers that multiply both parts."""
_REAL_OF = {
    torch.complex32: torch.float16,
    torch.complex64: torch.float32,
    torch.complex128: torch.float64,
}


@pair_rule(
    "view", "_unsafe_view", "reshape", "expand", "t", "transpose", "permute", "select", "slice",
    "squeeze", "unsqueeze", "split", "split_with_sizes", "unsafe_split",
    "unsafe_split_with_sizes", "chunk", "unbind", "cat", "stack", "flip", "roll", "rot90",
    "repeat", "repeat_interleave", "diagonal", "diag_embed", "unfold", "narrow", "gather",
    "index", "index_select", "take", "tril", "triu", "slice_backward", "select_backward",
    "diagonal_backward", "slice_scatter", "select_scatter", "diagonal_scatter", "movedim",
    "swapaxes", "_reshape_alias", "masked_select", "unsafe_chunk", "tile", "hstack", "vstack",
    "masked_scatter", "masked_scatter_backward", "trace_backward", "_unsafe_index", "atleast_1d",
    "block_diag", "view_copy", "expand_copy", "t_copy", "transpose_copy", "permute_copy",
    "select_copy", "slice_copy", "squeeze_copy", "unsqueeze_copy", "split_copy",
    "split_with_sizes_copy", "unbind_copy", "diagonal_copy", "unfold_copy", "alias_copy",
    "narrow_copy", "clone", "detach", "detach_copy", "alias", "lift_fresh", "lift_fresh_copy",
    "contiguous", "sum", "mean", "cumsum", "trace", "neg", "zero", "fill", "constant_pad_nd",
    "where", "masked_fill", "index_fill", "index_put", "_unsafe_index_put", "index_add",
    "index_copy", "put", "scatter", "scatter_add", "copy", "value_selecting_reduction_backward",
    "unfold_backward", "im2col", "col2im", "reflection_pad1d", "reflection_pad2d",
    "replication_pad1d", "replication_pad2d", "reflection_pad1d_backward",
    "reflection_pad2d_backward", "replication_pad1d_backward", "replication_pad2d_backward",
    "_reshape_copy", "resolve_conj", "resolve_neg", "_neg_view",
)  # fmt: skip
def part_by_part(operation: AtenOperation, bound: dict[str, Any]) -> Any:
    """The operation on the real parts, and on the imaginary parts."""
    factors = {
        argument.name
        for argument in operation._schema.arguments
        if argument.name in _FACTORS or "number" not in str(argument.type)
    }

    def of(choose: Callable[[Number], Any]) -> Any:
        return operation(
            **{
                name: _part(value, choose, is_number=name not in factors)
                for name, value in bound.items()
            }
        )

    real, imag = of(lambda value: parts_of(value)[0]), of(_imag)
    if isinstance(real, tuple | list):
        return [ComplexPair(one, other) for one, other in zip(real, imag, strict=True)]
    return ComplexPair(real, imag)


def _imag(value: Number) -> Any:
    imag = parts_of(value)[1]
    if imag is None:
        return torch.zeros_like(value) if isinstance(value, torch.Tensor) else 0.0
    return imag


def _part(value: Any, choose: Callable[[Number], Any], *, is_number: bool) -> Any:
    """One part of what an operation is given; what says where elements go is in both."""
    if isinstance(value, list | tuple):
        return type(value)(_part(inner, choose, is_number=is_number) for inner in value)
    if isinstance(value, torch.dtype):
        return _REAL_OF.get(value, value)
    floating = isinstance(value, torch.Tensor) and value.is_floating_point()
    if isinstance(value, ComplexPair) or floating:
        return choose(value)
    if is_number and isinstance(value, int | float | complex) and not isinstance(value, bool):
        return choose(value)
    return value


@pair_rule("as_strided", "as_strided_copy")
def strided(
    self: ComplexPair, size: list[int], stride: list[int], storage_offset: int | None = None
) -> ComplexPair:
    """The numbers that strides find in memory, where a number's parts lie beside each other."""
    steps, first = _in_memory(self, stride, storage_offset)
    return ComplexPair(
        self.real.as_strided(size, steps, first), self.imag.as_strided(size, steps, first + 1)
    )


def _in_memory(
    self: ComplexPair, stride: list[int], storage_offset: int | None
) -> tuple[list[int], int]:
    """The strides of each part, and where the first real one is: the parts of a number stand
    behind each other.
    """
    first = 2 * storage_offset if storage_offset is not None else int(self.real.storage_offset())
    return [2 * step for step in stride], first


@pair_rule("as_strided_scatter")
def overwritten_in_memory(
    self: Number,
    src: Number,
    size: list[int],
    stride: list[int],
    storage_offset: int | None = None,
) -> ComplexPair:
    """The tensor with the source at the places that strides find in its memory."""
    whole, source = pair_of(self), pair_of(src)
    steps, first = _in_memory(whole, stride, storage_offset)
    return ComplexPair(
        torch.as_strided_scatter(whole.real, source.real, size, steps, first),
        torch.as_strided_scatter(whole.imag, source.imag, size, steps, first + 1),
    )


@pair_rule("_to_copy", "to")
def cast(self: Number, dtype: torch.dtype | None = None) -> Number:
    """A real dtype keeps the real part."""
    if dtype is None:
        return self
    kept = _REAL_OF.get(dtype, dtype)
    if dtype not in _REAL_OF:
        return parts_of(self)[0].to(kept)
    return pair_of(self).each(lambda part: part.to(kept))


@pair_rule("complex")
def pair_of_parts(real: torch.Tensor, imag: torch.Tensor) -> ComplexPair:
    """The complex numbers of these real and imaginary parts, broadcast to each other."""
    shape = np.broadcast_shapes(tuple(real.shape), tuple(imag.shape))
    return ComplexPair(real.expand(shape), imag.expand(shape))


@pair_rule("polar")
def of_size_and_angle(abs: torch.Tensor, angle: torch.Tensor) -> ComplexPair:
    """abs (cos angle + i sin angle)."""
    return ComplexPair(abs * torch.cos(angle), abs * torch.sin(angle))


@pair_rule("view_as_complex", "view_as_complex_copy")
def from_last_axis(self: torch.Tensor) -> ComplexPair:
    """Complex numbers whose parts are the two entries along the last axis."""
    return ComplexPair(self[..., 0], self[..., 1])


@pair_rule("view_as_real", "view_as_real_copy", "_view_as_real_physical")
def along_last_axis(self: ComplexPair) -> torch.Tensor:
    """The parts along a new last axis."""
    return torch.stack([self.real, self.imag], -1)


@pair_rule("_conj", "_conj_physical", "conj_physical", "_conj_copy")
def conjugate(self: ComplexPair) -> ComplexPair:
    """Minus the imaginary part."""
    return self.conj()


@pair_rule("full_like", "new_full", "full")
def of_one_number(self: ComplexPair, fill_value: Number) -> ComplexPair:
    """One number in the tensor's shape."""
    real, imag = parts_of(fill_value)
    return ComplexPair(torch.full_like(self.real, real), torch.full_like(self.real, imag or 0.0))
