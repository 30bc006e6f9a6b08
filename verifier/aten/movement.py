"""Operations that only move elements, fill in zeros, or add elements up where they land on each other."""

from __future__ import annotations

from typing import Any

import torch

from verifier.lowering import Cell, Lowering, actual_of, has_cells, rule


@rule("view", "_unsafe_view", "reshape", "expand", "t", "transpose", "permute", "select", "slice", "squeeze", "unsqueeze",
      "split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes", "chunk", "unbind", "cat", "stack", "flip",
      "roll", "rot90", "repeat", "repeat_interleave", "diagonal", "diag_embed", "as_strided", "unfold", "narrow", "gather",
      "index", "index_select", "take", "tril", "triu", "slice_backward", "select_backward", "diagonal_backward",
      "slice_scatter", "select_scatter", "diagonal_scatter", "as_strided_scatter", "movedim", "swapaxes", "view_copy", "permute_copy", "_reshape_alias",
      "masked_select", "unsafe_chunk", "tile", "hstack", "vstack", "expand_copy", "t_copy", "transpose_copy", "pixel_shuffle",
      "pixel_unshuffle", "channel_shuffle", "scatter", "masked_scatter", "trace_backward", "_unsafe_index", "atleast_1d")  # fmt: skip
def moved(low: Lowering, operation: Any, bound: dict[str, Any]) -> Any:
    return low.moved(operation, {name: _where_to(low, name, value) for name, value in bound.items()})


def _where_to(low: Lowering, name: str, value: Any) -> Any:
    """What says where elements go is taken as it came out."""
    if name in ("mask", "index", "indices"):
        low.kept = low.kept and not has_cells(value)
        return actual_of(value)
    return value


@rule("constant_pad_nd")
def padded(low: Lowering, operation: Any, bound: dict[str, Any]) -> Any:
    value = bound["value"]
    moved = low.moved(operation, {**bound, "value": 0})
    if value == 0:
        return moved
    ones = operation(torch.zeros(bound["self"].shape), bound["pad"], 1.0).numpy() == 1.0
    return low.apply("where", low.build.constant(ones), low.lift(float(value)), moved)


@rule("index_put", "_unsafe_index_put")
def put(low: Lowering, self: Any, indices: Any, values: Any, accumulate: bool = False) -> int:
    indices = _where_to(low, "indices", indices)
    shape = tuple(self.shape)
    places = torch.arange(actual_of(self).numel()).reshape(shape)
    goes = places[tuple(slice(None) if index is None else index for index in indices)]
    node = low.build.expand(low.lift(values), tuple(goes.shape))
    if accumulate:
        return low.apply("add", low.lift(self), low.build.pile(node, goes.numpy(), shape))
    count = actual_of(self).numel()
    source = torch.arange(count)
    source[goes.reshape(-1)] = count + torch.arange(goes.numel())
    return low.build.take(low.build.join([low.lift(self), node]), source.reshape(shape).numpy())


@rule("scatter_add")
def scattered(low: Lowering, self: Any, dim: int, index: torch.Tensor, src: Any) -> int:
    places = torch.arange(actual_of(self).numel()).reshape(self.shape)
    goes = torch.gather(places, dim, index) if index.numel() else index
    cut = low.moved(lambda source: source[tuple(slice(size) for size in index.shape)], {"source": src})
    return low.apply("add", low.lift(self), low.build.pile(cut, goes.numpy(), tuple(self.shape)))


@rule("index_add")
def index_added(low: Lowering, self: Any, dim: int, index: torch.Tensor, source: Any, alpha: float = 1) -> int:
    goes = torch.arange(actual_of(self).numel()).reshape(self.shape).index_select(dim, index)
    node = low.lift(source) if alpha == 1 else low.apply("multiply", low.lift(source), float(alpha))
    return low.apply("add", low.lift(self), low.build.pile(node, goes.numpy(), tuple(self.shape)))


@rule("embedding")
def looked_up(low: Lowering, weight: Cell, indices: torch.Tensor) -> Any:
    return low.moved(lambda weight: weight[indices], {"weight": weight})


@rule("embedding_dense_backward")
def looked_up_backward(
    low: Lowering,
    grad_output: Cell,
    indices: torch.Tensor,
    num_weights: int,
    padding_idx: int,
    scale_grad_by_freq: bool,
) -> int:
    if scale_grad_by_freq:
        raise NotImplementedError("scale_grad_by_freq")
    width = grad_output.shape[-1]
    goes = indices.reshape(-1, 1) * width + torch.arange(width)
    goes[indices.reshape(-1) == padding_idx] = -1
    return low.build.pile(grad_output.node, goes.reshape(grad_output.shape).numpy(), (num_weights, width))
