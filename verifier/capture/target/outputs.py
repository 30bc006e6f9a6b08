"""Outputs: the tensors in whatever somebody's code returned."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch

from verifier.capture.target.pytree import leaves
from verifier.capture.to_numpy import MOST_AXES
from verifier.errors import InputError
from verifier.operations.formats import CODE_FORMATS
from verifier.process.values import UserValue

VALUE = "value"
_WANTED = "return the tensor that gradients are taken of"


@dataclass(frozen=True, eq=False)
class Results:
    """The floating-point tensors of a nested result, under their names: value, value[0],
    value.loss.
    """

    names: tuple[str, ...]
    tensors: tuple[torch.Tensor, ...]
    buffers: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """A module's buffers as the code left them."""


def results_of(
    code: str, returned: UserValue, buffers: Mapping[str, torch.Tensor] = MappingProxyType({})
) -> Results:
    """What the code of that name returned; without what stands among it and has no gradient:
    numbers, None, indices.

    `code` is its name, for messages. `returned` is a tensor of any shape, or a nesting of such.
    `buffers` are a module's buffers by name, as the code left them; they go along. Of a complex
    tensor there are both parts: value.real and value.imag.

    Raises InputError where no floating-point tensor is there, for sparse and nested ones, and for
    dtypes that are not judged.

    >>> results_of("f", {"loss": torch.ones(()), "steps": 3}).names
    ('value.loss',)
    """
    found = list(leaves(returned, VALUE))
    tensors = [(name, leaf) for name, leaf in found if isinstance(leaf, torch.Tensor)]
    for name, tensor in tensors:
        _check(code, name, tensor)
    usable = [(name, tensor) for name, tensor in tensors if tensor.is_floating_point()]
    if not usable:
        raise InputError(f"{code} returns {_instead(returned, [leaf for _, leaf in found])}")
    names, values = zip(*usable, strict=True)
    return Results(names, values, buffers)


def _check(code: str, name: str, tensor: torch.Tensor) -> None:
    what = "a tensor" if name == VALUE else name
    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.is_nested:
        raise InputError(f"{code} returns {what}, which is nested: return its parts, or pad it")
    if tensor.layout is not torch.strided:
        raise InputError(f"{code} returns {what}, which is sparse: return it as a dense one")
    if tensor.ndim > MOST_AXES:
        raise InputError(f"{code} returns {what} of {tensor.ndim} axes: return at most {MOST_AXES}")
    if tensor.is_floating_point() and kind not in CODE_FORMATS:
        raise InputError(f"{code} returns {what} of {kind}: return {' or '.join(CODE_FORMATS)}")


def _instead(returned: UserValue, found: list[Any]) -> str:
    """What was returned instead of floating-point tensors, and what to do."""
    kind = type(returned).__name__
    if inspect.iscoroutine(returned):
        returned.close()
        return "a coroutine, as async functions do: give a function that returns a tensor"
    if returned is None:
        return f"None: {_WANTED}"
    if not found:
        return f"an empty {kind}: {_WANTED}"
    dtypes = dict.fromkeys(
        str(leaf.dtype).removeprefix("torch.") for leaf in found if isinstance(leaf, torch.Tensor)
    )
    if dtypes:
        return (
            f"a tensor of {' and '.join(dtypes)}, which has no gradient: return one of "
            "floating-point numbers"
        )
    if all(isinstance(leaf, int | float) for leaf in found):
        nested = "a number" if isinstance(returned, int | float) else f"a {kind} of numbers"
        return f"{nested} and no tensor: leave out item(), tolist() and float()"
    return f"a {kind} and no tensor: {_WANTED}"
