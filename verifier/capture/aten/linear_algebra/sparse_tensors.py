"""Sparse tensors as their values: each operation on them, written in operations on dense tensors.

A graph with sparse tensors is lowered operation by operation, as one with complex numbers is: what
the operation does to dense tensors is traced and lowered. Where the result is sparse, its values
are those elements that torch keeps, so that a gradient has torch's own pattern.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from verifier.capture.refusals import NotReadableError

_COMPRESSED = frozenset({torch.sparse_csr, torch.sparse_csc})


@dataclass(frozen=True, eq=False)
class Pattern:
    """Where the values of a sparse tensor stand."""

    places: torch.Tensor
    """The place of each value among all elements."""
    shape: torch.Size
    """That of the whole tensor."""
    values_shape: torch.Size

    @classmethod
    def of(cls, tensor: torch.Tensor) -> Pattern:
        """Raises NotReadableError for a layout in blocks."""
        values = values_of(tensor)
        indices = _indices(tensor)
        place = torch.zeros(indices.shape[1:], dtype=torch.int64)
        for axis, index in enumerate(indices):
            place = place * tensor.shape[axis] + index
        inner = values.shape[1:].numel()
        places = place[:, None] * inner + torch.arange(inner)
        return cls(places.reshape(-1), tensor.shape, values.shape)

    @property
    def is_first(self) -> torch.Tensor:
        """Whether a value is the first one at its place (1 or 0)."""
        firsts: dict[int, int] = {}
        for number, place in enumerate(self.places.tolist()):
            firsts.setdefault(place, number)
        found = torch.zeros(self.places.shape, dtype=torch.bool)
        found[list(firsts.values())] = True
        return found


def values_of(tensor: torch.Tensor) -> torch.Tensor:
    """The values of a sparse tensor, each as torch keeps it."""
    plain = tensor.detach()
    return plain._values() if plain.layout is torch.sparse_coo else plain.values()


def _indices(tensor: torch.Tensor) -> torch.Tensor:
    """The indices of each value along the sparse axes, an axis a row."""
    if tensor.layout is torch.sparse_coo:
        return tensor._indices()
    if tensor.layout not in _COMPRESSED or tensor.ndim != 2:
        layout = str(tensor.layout).removeprefix("torch.")
        raise NotReadableError(f"no rule reads tensors of the layout {layout}, {tensor.ndim} axes")
    by_row = tensor.layout is torch.sparse_csr
    ends, inner = (
        (tensor.crow_indices(), tensor.col_indices())
        if by_row
        else (tensor.ccol_indices(), tensor.row_indices())
    )
    outer = torch.repeat_interleave(torch.arange(len(ends) - 1), ends.diff())
    return torch.stack([outer, inner] if by_row else [inner, outer]).long()


@dataclass(frozen=True, eq=False)
class SparseValues:
    """A sparse tensor by what torch computes with: its values, and where they stand."""

    values: torch.Tensor
    pattern: Pattern

    @property
    def dense(self) -> torch.Tensor:
        """The same as a dense tensor: values at one place are added up."""
        whole = torch.zeros(self.pattern.shape.numel(), dtype=self.values.dtype)
        added = whole.index_add(0, self.pattern.places, self.values.reshape(-1))
        return added.reshape(self.pattern.shape)

    @property
    def without_others(self) -> torch.Tensor:
        """The same with -inf where there is no value, which a softmax takes for nothing."""
        absent = torch.ones(self.pattern.shape.numel(), dtype=torch.bool)
        absent[self.pattern.places] = False
        return self.dense.masked_fill(absent.reshape(self.pattern.shape), float("-inf"))


def in_dense(target: Any, bound: dict[str, Any], pattern: Pattern | None) -> Any:
    """What an operation gives for arguments with sparse tensors among them: a dense result, or the
    values of a sparse one that has that pattern.

    Raises NotReadableError where no dense operation does the same.
    """
    name = target._schema.name.partition("::")[2]
    if name in _OF_VALUES:
        found = bound[_OF_VALUES[name]]
        return found.values if isinstance(found, SparseValues) else found
    dense = {key: _dense(value) for key, value in bound.items()}
    if name in _SOFTMAX and isinstance(bound["self"], SparseValues):
        result = _SOFTMAX[name](bound["self"].without_others, bound["dim"], False)
    elif name in _OF_DENSE:
        result = _OF_DENSE[name](**dense)
    elif name.startswith(("_sparse", "sparse", "_to_sparse")):
        raise NotReadableError(f"aten::{name} has no rule for sparse tensors")
    else:
        result = _called(target, dense)
    if pattern is None:
        return result
    values = result.expand(pattern.shape).reshape(-1)[pattern.places]
    if name not in _MASKS and not (first := pattern.is_first).all():
        values = torch.where(first, values, 0.0)
    return values.reshape(pattern.values_shape)


def _dense(value: Any) -> Any:
    return value.dense if isinstance(value, SparseValues) else value


def with_dense(bound: dict[str, Any]) -> dict[str, Any]:
    """The arguments with sparse tensors that are taken as they are as dense ones."""
    return {key: value.to_dense() if is_sparse(value) else value for key, value in bound.items()}


def _called(target: Any, given: dict[str, Any]) -> Any:
    """The operation itself, on dense tensors."""
    schema = target._schema.arguments
    args = [given[one.name] for one in schema if one.name in given and not one.kwarg_only]
    kwargs = {one.name: given[one.name] for one in schema if one.kwarg_only and one.name in given}
    return target(*args, **{key: value for key, value in kwargs.items() if key not in _OF_LAYOUT})


_OF_LAYOUT = frozenset({"layout", "memory_format", "pin_memory"})
_OF_VALUES = {
    "_sparse_coo_tensor_with_dims_and_tensors": "values",
    "_sparse_coo_tensor_unsafe": "values", "sparse_compressed_tensor": "values",
    "_sparse_compressed_tensor_unsafe": "values", "_values": "self", "values": "self",
    "clone": "self", "detach": "self", "alias": "self", "detach_copy": "self",
    "_coalesced": "self",
}  # fmt: skip
"""Operations that give the values of an argument as they are."""
_MASKS = frozenset({"sparse_mask", "_sparse_mask_projection"})
"""Operations that state the same number wherever an index stands more than once."""


def _the_same(self: torch.Tensor, **_: Any) -> torch.Tensor:
    return self


def _added_product(
    self: torch.Tensor, mat1: torch.Tensor, mat2: torch.Tensor, beta: float, alpha: float, **_: Any
) -> torch.Tensor:
    return torch.addmm(self, mat1, mat2, beta=beta, alpha=alpha)


def _product(self: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return torch.mm(self, other)


def _sum(self: torch.Tensor, dim: list[int], **_: Any) -> torch.Tensor:
    return self.sum(dim)


def _spread(grad: torch.Tensor, self: torch.Tensor, dim: list[int]) -> torch.Tensor:
    """The derivative of a sum along axes."""
    for axis in sorted(one % self.ndim for one in dim):
        grad = grad.unsqueeze(axis)
    return grad.expand(self.shape)


def _back_through_softmax(
    grad_output: torch.Tensor, output: torch.Tensor, dim: int, **_: Any
) -> torch.Tensor:
    return output * (grad_output - (grad_output * output).sum(dim, keepdim=True))


def _back_through_log_softmax(
    grad_output: torch.Tensor, output: torch.Tensor, dim: int, **_: Any
) -> torch.Tensor:
    return grad_output - output.exp() * grad_output.sum(dim, keepdim=True)


_SOFTMAX = {
    "_sparse_softmax": torch.ops.aten._softmax.default,
    "_sparse_log_softmax": torch.ops.aten._log_softmax.default,
}
_OF_DENSE: dict[str, Callable[..., torch.Tensor]] = {
    **dict.fromkeys(
        ("_to_dense", "to_dense", "_to_sparse", "_to_sparse_csr", "_to_sparse_csc", "_coalesce"),
        _the_same,
    ),
    **dict.fromkeys(_MASKS, _the_same),
    "_sparse_addmm": _added_product,
    "sparse_sampled_addmm": _added_product,
    "_sparse_sparse_matmul": _product,
    "_sparse_sum": _sum,
    "_sparse_sum_backward": _spread,
    "_sparse_softmax_backward_data": _back_through_softmax,
    "_sparse_log_softmax_backward_data": _back_through_log_softmax,
}
"""What operations do to dense tensors, where it is another operation."""


def is_sparse(value: Any) -> bool:
    """Whether there is a sparse tensor in it."""
    if isinstance(value, list | tuple | dict):
        return any(map(is_sparse, value.values() if isinstance(value, dict) else value))
    return isinstance(value, torch.Tensor) and value.layout is not torch.strided
