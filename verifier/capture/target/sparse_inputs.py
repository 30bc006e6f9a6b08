"""Sparse inputs: tensors that are given by their values, by which gradients are taken.

The places of the values are part of the code, as shapes are. A gradient that autograd brings back
has to keep to those places.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import torch
from torch.utils._python_dispatch import _disable_current_modes

from verifier.capture.aten.linear_algebra.sparse_tensors import Pattern, values_of
from verifier.capture.refusals import NotReadableError
from verifier.errors import InputError

VALUES = "values"


@dataclass(frozen=True, eq=False)
class SparseInput:
    """A sparse tensor by its values."""

    like: torch.Tensor
    """Where the values stand: a sparse tensor, whose own numbers do not matter."""
    values: torch.Tensor
    outside: dict[tuple[int, ...], None] = field(default_factory=dict)
    """The places, as indices, at which a gradient had numbers and the tensor has none."""

    @classmethod
    def of(cls, tensor: torch.Tensor, name: str) -> SparseInput:
        """The input of that name. Raises InputError for a layout in blocks."""
        try:
            Pattern.of(tensor)
        except NotReadableError as error:
            raise InputError(f"input {name}: {error}; give it as a dense one") from None
        return cls(tensor.detach(), values_of(tensor).clone())

    def with_values(self, values: torch.Tensor) -> torch.Tensor:
        """The sparse tensor with these values; autograd takes its gradient back to them."""
        found = _built(self.like, values)
        if found.requires_grad:
            found.register_hook(partial(_note_outside, self))  # type: ignore[no-untyped-call]
        return found


def _built(like: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    if like.layout is torch.sparse_coo:
        return torch.sparse_coo_tensor(
            like._indices(), values, like.shape, is_coalesced=like.is_coalesced()
        )
    if like.layout is torch.sparse_csr:
        return torch.sparse_csr_tensor(like.crow_indices(), like.col_indices(), values, like.shape)
    return torch.sparse_csc_tensor(like.ccol_indices(), like.row_indices(), values, like.shape)


def _note_outside(given: SparseInput, gradient: torch.Tensor) -> None:
    """A dense gradient has numbers everywhere, and only those of the values are taken."""
    if gradient.layout is torch.strided:
        return
    with _disable_current_modes(), torch.no_grad():
        own = set(Pattern.of(given.like).places.tolist())
        found = zip(
            Pattern.of(gradient).places.tolist(),
            values_of(gradient).reshape(-1).tolist(),
            strict=True,
        )
        shape = gradient.shape
        for place, number in found:
            if number != 0 and place not in own:
                index = torch.unravel_index(torch.tensor(place), shape)
                given.outside[tuple(int(part) for part in index)] = None
