"""Operations that only move elements, fill in zeros, or add elements up where they land on each
other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from verifier.capture.aten.normalisation import narrow
from verifier.capture.aten.reductions import combined_in_pairs
from verifier.capture.lowering import (
    AtenOperation,
    Cell,
    Dims,
    Lowering,
    Operand,
    Rule,
    actual_of,
    has_cells,
    numbers_from,
    places_of,
    plain,
    rule,
)
from verifier.capture.to_numpy import to_float64, to_numpy
from verifier.program.program import INPUT, JOIN, NOTHING, RESHAPE, TAKE

aten = torch.ops.aten


@rule(
    "view", "_unsafe_view", "reshape", "expand", "t", "transpose", "permute", "select", "slice",
    "squeeze", "unsqueeze", "split", "split_with_sizes", "unsafe_split",
    "unsafe_split_with_sizes", "chunk", "unbind", "cat", "stack", "flip", "roll", "rot90",
    "repeat", "repeat_interleave", "diagonal", "diag_embed", "unfold", "narrow", "gather",
    "index", "index_select", "take", "tril", "triu", "slice_backward", "select_backward",
    "diagonal_backward", "slice_scatter", "select_scatter", "diagonal_scatter", "movedim",
    "swapaxes", "_reshape_alias", "masked_select", "unsafe_chunk", "tile", "hstack", "vstack",
    "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "masked_scatter",
    "masked_scatter_backward", "trace_backward", "_unsafe_index", "atleast_1d", "block_diag",
    "im2col", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d", "replication_pad1d",
    "replication_pad2d", "replication_pad3d", "view_copy", "expand_copy", "t_copy",
    "transpose_copy", "permute_copy", "select_copy", "slice_copy", "squeeze_copy",
    "unsqueeze_copy", "split_copy", "split_with_sizes_copy", "unbind_copy", "diagonal_copy",
    "unfold_copy", "alias_copy", "narrow_copy",
)  # fmt: skip
def moved(low: Lowering, operation: AtenOperation, bound: dict[str, Any]) -> Any:
    """What the operation does to the places of the elements: it moves them, and computes
    nothing.
    """
    return low.moved(
        operation, {name: _where_to(low, name, value) for name, value in bound.items()}
    )


def _where_to(low: Lowering, name: str, value: Operand) -> Any:
    """What says where elements go is taken as it came out."""
    if name in ("mask", "index", "indices"):
        low.kept = low.kept and not has_cells(value)
        return actual_of(value)
    return value


def places_like(value: Operand) -> torch.Tensor:
    """A tensor of the shape of a value, whose elements are their own places."""
    return torch.arange(actual_of(value).numel()).reshape(actual_of(value).shape)


def overwritten(low: Lowering, self: Operand, goes: torch.Tensor, source: Operand) -> int:
    """`self` with the elements of the source at these places of it, the last one where
    several go.
    """
    node = low.build.expand(low.lift(source), tuple(goes.shape))
    count = actual_of(self).numel()
    index = torch.arange(count)
    index[goes.reshape(-1)] = count + torch.arange(goes.numel())
    joined = low.build.join([low.lift(self), node])
    return low.build.take(joined, to_numpy(index.reshape(actual_of(self).shape)))


def added_up(low: Lowering, self: Operand, goes: torch.Tensor, node: int) -> int:
    """`self` plus the elements of a node, each at its place of it."""
    self_ = low.lift(self)
    return low.apply("add", self_, low.build.pile(node, to_numpy(goes), low.build.shape(self_)))


def _filled(low: Lowering, self: Operand, goes: torch.Tensor, value: Operand) -> int:
    """`self` with one number at these places of it."""
    mask = np.zeros(actual_of(self).numel(), dtype=bool)
    mask[to_numpy(goes).ravel()] = True
    number = low.lift(value if isinstance(value, Cell | torch.Tensor) else float(value))
    condition = low.build.constant(mask.reshape(actual_of(self).shape))
    return low.apply("where", condition, number, low.lift(self))


@rule("zero")
def zeros(low: Lowering, self: Cell) -> int:
    """Zeros in the tensor's shape."""
    return low.build.expand(low.build.constant(0.0), self.shape)


@rule("fill")
def filled(low: Lowering, self: Cell, value: Operand) -> int:
    """The value in the tensor's shape."""
    return low.build.expand(low.lift(value), self.shape)


@rule("constant_pad_nd")
def padded(low: Lowering, operation: AtenOperation, bound: dict[str, Any]) -> Any:
    """The tensor with a value around it."""
    value = bound["value"]
    node = low.moved(operation, {**bound, "value": 0})
    if value == 0:
        return node
    outside = to_numpy(operation(torch.zeros(bound["self"].shape), bound["pad"], 1.0)) == 1.0
    return low.apply("where", low.build.constant(outside), low.lift(float(value)), node)


def in_storage(value: Operand) -> tuple[torch.Tensor, torch.Tensor]:
    """Which address of its storage each element of a tensor has, and which element each address
    holds, or NOTHING.
    """
    tensor = actual_of(value)
    size, stride, offset = tensor.shape, tensor.stride(), tensor.storage_offset()
    addresses = torch.arange(tensor.untyped_storage().nbytes() // tensor.element_size())
    used = addresses.as_strided(size, stride, offset)
    holds = torch.full_like(addresses, NOTHING)
    holds[used.reshape(-1)] = torch.arange(tensor.numel())
    return used, holds


def _strided(
    self: Operand, size: list[int], stride: list[int], storage_offset: int | None
) -> torch.Tensor:
    """The places of the elements that `as_strided` sees."""
    _, holds = in_storage(self)
    offset = actual_of(self).storage_offset() if storage_offset is None else storage_offset
    found = holds.as_strided(size, stride, offset)
    if (found == NOTHING).any():
        raise NotImplementedError("a view of memory outside the tensor")
    return found


@rule("as_strided", "as_strided_copy")
def strided(
    low: Lowering, self: Cell, size: Dims, stride: Dims, storage_offset: int | None = None
) -> int:
    """The elements that strides find in the tensor's memory."""
    return low.build.take(self.node, to_numpy(_strided(self, size, stride, storage_offset)))


@rule("as_strided_scatter")
def strided_scatter(
    low: Lowering,
    self: Operand,
    src: Operand,
    size: Dims,
    stride: Dims,
    storage_offset: int | None = None,
) -> int:
    """The tensor with the source at the places that strides find in its memory."""
    return overwritten(low, self, _strided(self, size, stride, storage_offset), src)


@rule("index_put", "_unsafe_index_put")
def put_at(
    low: Lowering, self: Operand, indices: Operand, values: Operand, accumulate: bool = False
) -> int:
    """The tensor with values at an index: added where `accumulate` says so, else put in place."""
    goes = aten.index(places_like(self), _where_to(low, "indices", indices))
    if accumulate:
        return _added_in_place(low, self, goes, values)
    return overwritten(low, self, goes, values)


def _added_in_place(low: Lowering, self: Operand, goes: torch.Tensor, values: Operand) -> int:
    """The kernel adds one number after another to the tensor, in its own format, 16 bits as it may
    be.
    """
    with narrow(low, self):
        return added_up(low, self, goes, low.build.expand(low.lift(values), tuple(goes.shape)))


def _masked_places(
    low: Lowering, self: Operand, mask: torch.Tensor, indices: Operand
) -> torch.Tensor:
    """The places that an index takes where a mask is true, NOTHING where it is false."""
    chosen = _where_to(low, "mask", mask)
    return aten._unsafe_masked_index(  # type: ignore[no-any-return]
        places_like(self), chosen, _where_to(low, "indices", indices), NOTHING
    )


@rule("_unsafe_masked_index")
def taken_where(
    low: Lowering, self: Operand, mask: torch.Tensor, indices: Operand, fill: float
) -> int:
    """The elements at an index where the mask holds, else `fill`."""
    goes = to_numpy(_masked_places(low, self, mask, indices))
    node = low.build.take(low.lift(self), goes)
    return low.apply("where", low.build.constant(goes != NOTHING), node, float(fill))


@rule("_unsafe_masked_index_put_accumulate")
def added_where(
    low: Lowering, self: Operand, mask: torch.Tensor, indices: Operand, values: Operand
) -> int:
    """The tensor with values added at an index where the mask holds."""
    return _added_in_place(low, self, _masked_places(low, self, mask, indices), values)


@rule("put")
def put(
    low: Lowering, self: Operand, index: torch.Tensor, source: Operand, accumulate: bool = False
) -> int:
    """The tensor with values at places of its flattened form: added where `accumulate` says so."""
    goes = places_like(self).take(index)
    if accumulate:
        return _added_in_place(low, self, goes, source)
    return overwritten(low, self, goes, source)


def _goes(self: Operand, dim: int, index: torch.Tensor) -> torch.Tensor:
    """The places of `self` that a scatter by this index writes to."""
    return places_like(self).gather(dim, index) if index.numel() else index


def _cut(low: Lowering, source: Operand, index: torch.Tensor) -> int:
    """The part of a source that an index, which may be smaller, takes."""
    return int(
        low.moved(
            lambda source: source[tuple(slice(size) for size in index.shape)], {"source": source}
        )
    )


@rule("scatter")
def scattered(
    low: Lowering,
    self: Operand,
    dim: int,
    index: torch.Tensor,
    src: Operand = None,
    value: Operand = None,
    reduce: Operand = None,
) -> int:
    """The tensor with the source, or one value, at the index along an axis."""
    if reduce is not None:
        raise NotImplementedError(f"reduce={reduce!r}")
    goes = _goes(self, dim, index)
    if src is None:
        return _filled(low, self, goes, value)
    return overwritten(low, self, goes, Cell(_cut(low, src, index), torch.empty(0)))


@rule("scatter_add")
def scattered_sum(low: Lowering, self: Operand, dim: int, index: torch.Tensor, src: Operand) -> int:
    """The tensor with the source added at the index along an axis."""
    return added_up(low, self, _goes(self, dim, index), _cut(low, src, index))


def _slices(self: Operand, dim: int, index: torch.Tensor) -> torch.Tensor:
    return places_like(self).index_select(dim, index.reshape(-1))


@rule("index_add")
def index_added(
    low: Lowering, self: Operand, dim: int, index: torch.Tensor, source: Operand, alpha: float = 1
) -> int:
    """The tensor with alpha times the source's slices added to slices along an axis, in its own
    format, 16 bits as it may be.
    """
    node = low.lift(source) if alpha == 1 else low.apply("multiply", low.lift(source), float(alpha))
    with narrow(low, self):
        return added_up(low, self, _slices(self, dim, index), node)


@rule("index_copy")
def index_copied(
    low: Lowering, self: Operand, dim: int, index: torch.Tensor, source: Operand
) -> int:
    """The tensor with the source's slices in place of slices along an axis."""
    return overwritten(low, self, _slices(self, dim, index), source)


@rule("index_fill")
def index_filled(
    low: Lowering, self: Operand, dim: int, index: torch.Tensor, value: Operand
) -> int:
    """The tensor with one value in slices along an axis."""
    return _filled(low, self, _slices(self, dim, index), value)


_ROWS_OF = {"prod": ("multiply", 1.0), "amax": ("maximum", -np.inf), "amin": ("minimum", np.inf)}


def collected(
    low: Lowering, self: Operand, goes: torch.Tensor, node: int, reduce: str, include_self: bool
) -> int:
    """What goes to each place of `self` reduced there, with what was there or, where anything goes,
    without.
    """
    shape, flat = tuple(actual_of(self).shape), to_numpy(goes.reshape(-1))
    counts = np.bincount(flat, minlength=actual_of(self).numel()).reshape(shape)
    if reduce in ("sum", "mean"):
        before = (
            low.lift(self) if include_self else low.build.take(low.lift(self), _untouched(counts))
        )
        total = low.apply("add", before, low.build.pile(node, to_numpy(goes), shape))
        terms = np.maximum(counts + include_self, 1).astype(float)
        return total if reduce == "sum" else low.apply("divide", total, low.build.constant(terms))
    row, neutral = _ROWS_OF[reduce]
    joined = low.build.join([low.lift(self), node, low.build.constant(neutral)])
    layers = _layers(flat, counts, include_self)
    return low.build.reshape(combined_in_pairs(low, low.build.take(joined, layers), 0, row), shape)


def _untouched(counts: Operand) -> Any:
    return np.where(counts > 0, NOTHING, np.arange(counts.size).reshape(counts.shape))


def _layers(goes: Operand, counts: Operand, include_self: bool) -> Any:
    """For each place, one behind another: itself, what goes there, and the neutral number as often
    as is left.
    """
    size, total = counts.size, counts.size + goes.size
    layers = np.full((1 + int(counts.max(initial=0)), size), total)
    own = np.arange(size)
    layers[0] = own if include_self else np.where(counts.ravel() > 0, total, own)
    filled = np.ones(size, dtype=int)
    for source, place in enumerate(goes.tolist()):
        layers[filled[place], place] = size + source
        filled[place] += 1
    return layers.reshape(-1, *counts.shape)


@rule("scatter_reduce")
def scattered_reduction(
    low: Lowering,
    self: Operand,
    dim: int,
    index: torch.Tensor,
    src: Operand,
    reduce: str,
    include_self: bool = True,
) -> int:
    """What lands on one place, reduced: its sum, mean, product or extreme."""
    return collected(
        low, self, _goes(self, dim, index), _cut(low, src, index), reduce, include_self
    )


@rule("index_reduce")
def index_reduction(
    low: Lowering,
    self: Operand,
    dim: int,
    index: torch.Tensor,
    source: Operand,
    reduce: str,
    include_self: bool = True,
) -> int:
    """The slices that land on one slice, reduced: their sum, mean, product or extreme."""
    goes = _slices(self, dim, index)
    # The kernel adds slices up in the format of the result, 16 bits as it may be.
    with narrow(low, self):
        return collected(low, self, goes, low.lift(source), reduce, include_self)


@dataclass(frozen=True, eq=False)
class _Segments:
    """What lies between offsets along an axis; the same along all axes before it."""

    data: torch.Tensor
    offsets: torch.Tensor
    axis: int

    @classmethod
    def of(
        cls, data: Operand, axis: int, lengths: torch.Tensor | None, offsets: torch.Tensor | None
    ) -> _Segments:
        if lengths is not None:
            offsets = F.pad(lengths.cumsum(-1), (1, 0))
        if offsets is None:
            raise NotImplementedError("segments without lengths or offsets")
        return cls(actual_of(data), offsets, axis)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the result: one entry for each segment."""
        before, behind = self.data.shape[: self.axis], self.data.shape[self.axis + 1 :]
        return (*before, self.offsets.shape[-1] - 1, *behind)

    @property
    def counts(self) -> np.ndarray:
        """How many entries each segment has, of the result's shape."""
        counts = self.offsets.diff(dim=-1)
        spare = self.data.ndim - self.axis - 1
        return to_float64(counts.reshape(*counts.shape, *([1] * spare)).expand(self.shape))

    @property
    def goes(self) -> torch.Tensor:
        """The place in the result that each entry goes to, NOTHING where it is in no segment."""
        size = self.data.shape[self.axis]
        rows = self.offsets.reshape(-1, self.offsets.shape[-1]).contiguous()
        steps = torch.arange(size).expand(rows.shape[0], size).contiguous()
        segment = torch.searchsorted(rows, steps, right=True) - 1
        inside = (segment >= 0) & (segment < self.shape[self.axis])
        spare = (*self.offsets.shape[:-1], size, *([1] * (self.data.ndim - self.axis - 1)))
        index = torch.where(inside, segment, 0).reshape(spare).expand(self.data.shape)
        found = torch.arange(int(np.prod(self.shape))).reshape(self.shape).gather(self.axis, index)
        return torch.where(inside.reshape(spare).expand(self.data.shape), found, NOTHING)


_OF_NOTHING = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": -np.inf, "min": np.inf}
_REDUCED_BY = {"sum": "sum", "mean": "sum", "prod": "prod", "max": "amax", "min": "amin"}


@rule("segment_reduce")
def segments_reduced(
    low: Lowering,
    data: Operand,
    reduce: str,
    lengths: Dims = None,
    offsets: Dims = None,
    axis: int = 0,
    initial: float | None = None,
) -> int:
    """Each segment's sum, mean, product or extreme, and the number that it starts from."""
    segments = _Segments.of(data, axis, lengths, offsets)
    start = _OF_NOTHING[reduce] if initial is None else float(initial)
    first = Cell(low.build.expand(low.lift(start), segments.shape), torch.empty(segments.shape))
    total = collected(low, first, segments.goes, low.lift(data), _REDUCED_BY[reduce], True)
    if reduce != "mean":
        return total
    counts = segments.counts
    mean = low.apply("divide", total, low.build.constant(np.maximum(counts, 1.0)))
    if initial is not None:
        return low.apply("where", low.build.constant(counts > 0), mean, total)
    return low.apply("where", low.build.constant(counts > 0), mean, math.nan)


@rule("_segment_reduce_backward")
def segments_reduced_backward(
    low: Lowering,
    grad: Operand,
    output: Operand,
    data: Operand,
    reduce: str,
    lengths: Dims = None,
    offsets: Dims = None,
    axis: int = 0,
    initial: float | None = None,
) -> int:
    """What each segment's number passes to its entries."""
    segments = _Segments.of(data, axis, lengths, offsets)
    goes = to_numpy(segments.goes)
    spread = low.build.take(low.lift(grad), goes)
    if reduce == "sum":
        return spread
    if reduce == "mean":
        counts = low.build.constant(np.maximum(segments.counts, 1.0))
        return low.build.take(low.apply("divide", low.lift(grad), counts), goes)
    if reduce == "prod":
        others = _products_of_others(low, segments, low.lift(data), initial)
        return low.apply("multiply", spread, others)
    low.kept = False
    return _shared(low, grad, goes, plain(actual_of(output)), plain(actual_of(data)))


def _shared(low: Lowering, grad: Operand, goes: np.ndarray, output: Operand, data: Operand) -> int:
    """Every entry that was the extreme of its segment gets an equal share."""
    largest = (np.append(output.ravel(), np.nan)[goes] == data) & (goes != NOTHING)
    counts = np.bincount(goes[largest], minlength=output.size).reshape(output.shape)
    share = low.apply("divide", low.lift(grad), low.build.constant(np.maximum(counts, 1.0)))
    return low.build.take(share, np.where(largest, goes, NOTHING))


def _products_of_others(
    low: Lowering, segments: _Segments, data: int, initial: float | None
) -> int:
    """For each entry the product of all others of its segment."""
    flat = to_numpy(segments.goes).ravel()
    start = low.build.constant(1.0 if initial is None else float(initial))
    joined, ones = low.build.join([data, start, low.build.constant(1.0)]), flat.size + 1
    most = max(1, int(segments.counts.max(initial=0)))
    layers = np.full((most, flat.size), ones)
    layers[-1] = flat.size
    for place, segment in enumerate(flat.tolist()):
        others = [other for other in np.flatnonzero(flat == segment) if other != place]
        layers[: len(others), place] = others
    product = combined_in_pairs(low, low.build.take(joined, layers), 0, "multiply")
    return low.build.reshape(product, tuple(segments.data.shape))


def _added_where_taken(
    low: Lowering, grad: Operand, shape: Dims, taken: Callable[[torch.Tensor], torch.Tensor]
) -> int:
    """The backward of what only takes elements: each adds up what was taken from it, in the format
    of the gradient itself, 16 bits as it may be.
    """
    with narrow(low, grad):
        goes = places_of(taken(numbers_from(1, shape)))
        return low.build.pile(low.lift(grad), goes, tuple(shape))


def _pad_backward(forward: Operand) -> Rule:
    def backward(low: Lowering, grad_output: Operand, self: Operand, padding: Dims) -> int:
        shape = actual_of(self).shape
        return _added_where_taken(
            low, grad_output, shape, lambda numbers: forward(numbers, padding)
        )

    return backward


for _dimensions in (1, 2, 3):
    for _kind in ("reflection", "replication"):
        _name = f"{_kind}_pad{_dimensions}d"
        rule(f"{_name}_backward")(_pad_backward(getattr(aten, _name)))


@rule("unfold_backward")
def unfolded_backward(
    low: Lowering, grad_in: Operand, input_sizes: Operand, dim: int, size: int, step: int
) -> int:
    """Each element's gradient added where the window took it from."""
    return _added_where_taken(
        low, grad_in, input_sizes, lambda numbers: numbers.unfold(dim, size, step)
    )


@rule("col2im")
def columns_to_image(
    low: Lowering,
    self: Operand,
    output_size: Dims,
    kernel_size: Dims,
    dilation: Dims,
    padding: Dims,
    stride: Dims,
    actual: torch.Tensor,
) -> int:
    """Each column's elements added where the window took them from."""

    def taken(numbers: torch.Tensor) -> torch.Tensor:
        return aten.im2col(numbers, kernel_size, dilation, padding, stride)  # type: ignore[no-any-return]

    return _added_where_taken(low, self, actual.shape, taken)


PADDING = "padding_idx of embedding"


def _is_given(low: Lowering, node: int) -> bool:
    """Whether a node is an input, or made of inputs by moving elements."""
    known = low.build[node]
    if known.operation in (TAKE, RESHAPE, JOIN):
        return all(_is_given(low, argument) for argument in known.arguments)
    return known.operation == INPUT


@rule("embedding")
def looked_up(low: Lowering, weight: Cell, indices: torch.Tensor, padding_idx: int = -1) -> int:
    """The row of the padding is not learned: where the weights are given, it is a number. So torch
    has it for reverse mode, and not for forward mode.
    """
    rows = places_like(weight)[indices]
    node = weight.node
    if padding_idx >= 0 and low.quantity != "forward" and _is_given(low, node):
        low.kept = False
        low.conventions[PADDING] = None
        padding = low.build.constant(to_float64(weight.actual[padding_idx]))
        node = overwritten(
            low, weight, places_like(weight)[padding_idx], Cell(padding, torch.empty(0))
        )
    return low.build.take(node, to_numpy(rows))


@rule("embedding_dense_backward")
def looked_up_backward(
    low: Lowering,
    grad_output: Operand,
    indices: Operand,
    num_weights: int,
    padding_idx: int,
    scale_grad_by_freq: bool,
) -> int:
    """Each row's gradient added at the entry that was looked up; none at the one for padding."""
    if scale_grad_by_freq:
        raise NotImplementedError("scale_grad_by_freq, which gives no derivative")
    width = actual_of(grad_output).shape[-1]
    goes = indices.reshape(-1, 1) * width + torch.arange(width)
    goes[indices.reshape(-1) == padding_idx] = NOTHING
    shape = low.build.shape(low.lift(grad_output))
    goes = goes.reshape(shape)
    with narrow(low, grad_output):
        return low.build.pile(low.lift(grad_output), to_numpy(goes), (num_weights, width))


_SUM, _MEAN, _MAX = range(3)
"""ATen's numbers for the modes of embedding_bag."""


def _weighted(low: Lowering, rows: int, weights: Operand) -> int:
    if weights is None:
        return rows
    column = low.build.reshape(low.lift(weights), (actual_of(weights).numel(), 1))
    return low.apply("multiply", rows, column)


def _bags(indices: torch.Tensor, offsets: torch.Tensor, padding_idx: int) -> torch.Tensor:
    """The bag of each index, NOTHING for padding."""
    bags = torch.searchsorted(offsets, torch.arange(indices.numel()), right=True) - 1
    return torch.where(indices == padding_idx, NOTHING, bags)


def _known_bags(
    indices: torch.Tensor, offsets: Dims, offset2bag: torch.Tensor, padding_idx: int
) -> torch.Tensor:
    """The bag of each index, also where the forward was too fast to note it."""
    if offset2bag.numel() < indices.numel():
        return _bags(indices, offsets, padding_idx)
    return torch.where(indices == padding_idx, NOTHING, offset2bag)


def _in_rows(rows: torch.Tensor, width: int) -> torch.Tensor:
    """The places of the elements of these rows of a matrix of that width."""
    places = rows.reshape(-1, 1) * width + torch.arange(width)
    return torch.where(rows.reshape(-1, 1) == NOTHING, NOTHING, places)


def _bag_sizes(bags: torch.Tensor, count: int) -> Any:
    counts = torch.bincount(bags[bags != NOTHING], minlength=count)
    return to_float64(counts.clamp(min=1))[:, None]


@rule("_embedding_bag", "_embedding_bag_forward_only")
def bagged(
    low: Lowering,
    weight: Cell,
    indices: torch.Tensor,
    offsets: torch.Tensor,
    actual: Any,
    mode: int = _SUM,
    per_sample_weights: Operand = None,
    padding_idx: int = -1,
) -> int:
    """The sum, the mean or the largest of the entries that each bag looks up."""
    width, bags = weight.shape[1], _bags(indices, offsets, padding_idx)
    rows = low.build.take(weight.node, to_numpy(_in_rows(indices, width)))
    shape = tuple(actual[0].shape)
    if mode == _MAX:
        kept = bags != NOTHING
        nothing = Cell(low.build.expand(low.build.constant(0.0), shape), torch.zeros(shape))
        goes = _in_rows(bags[kept], width)
        part = low.build.take(rows, to_numpy(places_like(torch.empty(len(bags), width))[kept]))
        return collected(low, nothing, goes, part, "amax", False)
    weighted = _weighted(low, rows, per_sample_weights)
    total = low.build.pile(weighted, to_numpy(_in_rows(bags, width)), shape)
    if mode == _SUM:
        return total
    return low.apply("divide", total, low.build.constant(_bag_sizes(bags, shape[0])))


@rule("_embedding_bag_dense_backward", "_embedding_bag_backward")
def bagged_backward(
    low: Lowering,
    grad: Operand,
    indices: torch.Tensor,
    offset2bag: torch.Tensor,
    maximum_indices: torch.Tensor,
    num_weights: int,
    scale_grad_by_freq: bool,
    mode: int,
    per_sample_weights: Operand,
    padding_idx: int = -1,
    offsets: Dims = None,
) -> int:
    """What each bag passes to the entries that it looks up, added up in the gradient's own format,
    16 bits as it may be.
    """
    if scale_grad_by_freq:
        raise NotImplementedError("scale_grad_by_freq, which gives no derivative")
    node, (count, width) = low.lift(grad), actual_of(grad).shape
    if mode == _MAX:
        goes = maximum_indices * width + torch.arange(width)
        goes = torch.where(maximum_indices < 0, NOTHING, goes)
        return low.build.pile(node, to_numpy(goes), (num_weights, width))
    bags = _known_bags(indices, offsets, offset2bag, padding_idx)
    if mode == _MEAN:
        node = low.apply("divide", node, low.build.constant(_bag_sizes(bags, count)))
    rows = _weighted(low, low.build.take(node, to_numpy(_in_rows(bags, width))), per_sample_weights)
    goes = _in_rows(torch.where(bags == NOTHING, NOTHING, indices), width)
    with narrow(low, grad):
        return low.build.pile(rows, to_numpy(goes), (num_weights, width))


@rule("_embedding_bag_per_sample_weights_backward")
def bagged_weights_backward(
    low: Lowering,
    grad: Operand,
    weight: Operand,
    indices: torch.Tensor,
    offsets: torch.Tensor,
    offset2bag: torch.Tensor,
    padding_idx: int = -1,
) -> int:
    """The gradient by each sample's weight: its entry times the gradient of its bag."""
    width, bags = actual_of(weight).shape[1], _known_bags(indices, offsets, offset2bag, padding_idx)
    pairs = [(grad, bags), (weight, indices)]
    wide = [(low.lift(value), to_numpy(_in_rows(rows, width))) for value, rows in pairs]
    taken = [low.build.take(node, index) for node, index in wide]
    return low.build.sum(low.apply("multiply", *taken), (1,))
