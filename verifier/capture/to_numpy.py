"""From torch to NumPy: the numbers of any tensor, however torch keeps them.

A tensor need not have its numbers in memory: it may be marked as the conjugate or the negative of
another one, as zeros that were never written, be sparse or quantised, require a gradient, or be of
a subclass with ways of its own.
"""

from __future__ import annotations

import numpy as np
import torch

MOST_AXES = 32
"""Tensors of more cannot be brought to NumPy."""


def dense(tensor: torch.Tensor) -> torch.Tensor:
    """The numbers of `tensor` as a plain tensor of its shape and dtype on the CPU, outside
    autograd, each at its own place in memory.

    >>> dense(torch.eye(2).to_sparse())
    tensor([[1., 0.],
            [0., 1.]])
    """
    found = tensor.detach()
    found = found.dequantize() if found.is_quantized else found
    found = found if found.layout is torch.strided else found.to_dense()
    found = found.as_subclass(torch.Tensor).cpu().resolve_conj().resolve_neg()
    # Zeros that were never written are there for a copy, but not for numpy() and tolist().
    return found.clone() if found._is_zerotensor() else found


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """The numbers of `tensor` as an array of its shape and its dtype, which NumPy must have: it has
    no bfloat16.
    """
    return dense(tensor).numpy()


def to_float64(tensor: torch.Tensor) -> np.ndarray:
    """The numbers of `tensor` as a float64 array of its shape, exact for every narrower format."""
    return dense(tensor).double().numpy()


def bytes_of(tensor: torch.Tensor) -> bytes:
    """The numbers of `tensor` by their bits: 0 and -0 are different, and a NaN is itself."""
    return dense(tensor).contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
