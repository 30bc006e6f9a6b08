"""The dtypes of torch that verifier judges, by their names."""

from __future__ import annotations

import torch

from verifier.errors import InputError
from verifier.operations.formats import CODE_FORMATS


def dtype_named(dtype: str) -> torch.dtype:
    """The dtype of that name: `dtype` is a word such as "float32" or "bfloat16".

    Raises InputError where verifier does not judge it.
    """
    if dtype not in CODE_FORMATS:
        raise InputError(
            f"dtype {dtype!r} is not one that verifier judges: use {' or '.join(CODE_FORMATS)}"
        )
    return getattr(torch, dtype)  # type: ignore[no-any-return]
