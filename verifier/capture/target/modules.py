"""Modules: a `torch.nn.Module` as a function of its parameters, its buffers and its arguments."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MethodType
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from verifier.capture.target.pytree import IMAG, REAL, leaves
from verifier.errors import InputError, message_of
from verifier.process.values import UserValue

_COMPILED = "_orig_mod"
"""What torch.compile calls the module that it was given."""


@dataclass(frozen=True, eq=False)
class Returned:
    """What a call returned, and what it did."""

    result: UserValue
    buffers: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """The buffers as it left them."""


@dataclass(frozen=True, eq=False)
class Apart:
    """A module apart from its numbers."""

    call: Callable[[Mapping[str, torch.Tensor], Sequence[Any], Mapping[str, Any]], Returned]
    """Takes the state by its names, the arguments in order and those by name."""
    state: Mapping[str, torch.Tensor]
    """Parameters and buffers by their dotted names; what is tied is there once."""
    trained: frozenset[str]
    """The parameters that are not frozen."""


def module_of(target: UserValue) -> torch.nn.Module | None:
    """The module that a target calls: itself, or that of a bound method or of a
    `functools.partial`.

    >>> module_of(torch.tanh), module_of(torch.nn.Tanh().forward)
    (None, Tanh())
    """
    if isinstance(target, partial):
        return module_of(target.func)
    owner = target.__self__ if isinstance(target, MethodType) else target
    return owner if isinstance(owner, torch.nn.Module) else None


def without_compilation(module: torch.nn.Module) -> torch.nn.Module:
    """The module that torch.compile was given; any other is itself."""
    inner = getattr(module, _COMPILED, None)
    return inner if isinstance(inner, torch.nn.Module) else module


def module_apart(
    name: str, target: UserValue, dtype: torch.dtype, arguments: Collection[str]
) -> Apart:
    """A copy of the target's module in that dtype and in the same mode, called as the target calls
    it.

    Buffers are copied for each call. A name that begins like one of the arguments stands behind
    `self.`. Raises InputError where its parameters cannot be set from outside.
    """
    holder = _Holder(_copied(name, module_of(target), dtype), target)
    shown = {
        full: _shown(full, arguments)
        for full, _ in [*holder.named_parameters(), *holder.named_buffers()]
    }
    buffers = {shown[full] for full, _ in holder.named_buffers()}

    def call(
        state: Mapping[str, torch.Tensor], positional: Sequence[Any], keywords: Mapping[str, Any]
    ) -> Returned:
        # A module may write to its buffers.
        given = {
            full: _whole(state, known).clone() if known in buffers else _whole(state, known)
            for full, known in shown.items()
        }
        result = torch.func.functional_call(holder, given, tuple(positional), dict(keywords))
        left = {shown[full]: holder.left[full] for full in shown if full in holder.left}
        return Returned(result, _in_parts(left))

    state = {
        shown[full]: tensor.detach()
        for full, tensor in [*holder.named_parameters(), *holder.named_buffers()]
    }
    trained = {
        shown[full]: state[shown[full]]
        for full, parameter in holder.named_parameters()
        if parameter.requires_grad
    }
    floating = [name for name, part in _in_parts(trained).items() if part.is_floating_point()]
    return Apart(call, _in_parts(state), frozenset(floating))


def _in_parts(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Complex tensors by their parts."""
    return {inner: part for name, tensor in tensors.items() for inner, part in leaves(tensor, name)}


def _whole(state: Mapping[str, torch.Tensor], name: str) -> torch.Tensor:
    """One tensor of a module, whose complex ones are there in parts."""
    if name in state:
        return state[name]
    return torch.complex(state[f"{name}.{REAL}"], state[f"{name}.{IMAG}"])


class _Holder(torch.nn.Module):
    """Calls a module as a target calls the one that it is a copy of."""

    def __init__(self, module: torch.nn.Module, target: UserValue) -> None:
        super().__init__()
        self.module = module
        self.train(module.training)
        self._target = (target,)
        self.left: dict[str, torch.Tensor] = {}
        """The buffers as the latest call left them."""

    def forward(self, *positional: UserValue, **keywords: UserValue) -> UserValue:
        result = _call(self._target[0], self.module, positional, keywords)
        self.left = dict(self.named_buffers())
        return result


def _call(
    target: UserValue,
    module: torch.nn.Module,
    positional: Sequence[Any],
    keywords: Mapping[str, Any],
) -> UserValue:
    if isinstance(target, partial):
        return _call(
            target.func, module, (*target.args, *positional), {**target.keywords, **keywords}
        )
    called = MethodType(target.__func__, module) if isinstance(target, MethodType) else module
    return called(*positional, **keywords)


def _copied(name: str, module: torch.nn.Module | None, dtype: torch.dtype) -> torch.nn.Module:
    if module is None or isinstance(module, torch.jit.ScriptModule):
        raise InputError(
            f"{name} is a scripted module, whose parameters cannot be set: give the one it was "
            "made from"
        )
    if any(is_lazy(tensor) for tensor in (*module.parameters(), *module.buffers())):
        raise InputError(f"{name} has parameters without a shape: call it once, then give it")
    try:
        return _cast(copy.deepcopy(module), dtype)
    except Exception as error:
        kind, message = str(dtype).removeprefix("torch."), message_of(error)
        raise InputError(f"{name} cannot be copied as {kind}: {message}") from error


def _cast(module: torch.nn.Module, dtype: torch.dtype) -> torch.nn.Module:
    """The module in a dtype; its complex tensors, which torch would make real, in that of the same
    precision.
    """
    tensors = [*module.parameters(), *module.buffers()]
    if not any(tensor.is_complex() for tensor in tensors):
        return module.to(dtype)
    if dtype not in (torch.float32, torch.float64):
        raise ValueError("complex numbers are judged in float32 and float64")

    def as_precise(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.is_complex():
            return tensor.to(dtype.to_complex())
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    module._apply(as_precise)  # type: ignore[no-untyped-call]
    return module


def _shown(full: str, arguments: Collection[str]) -> str:
    """A dotted name without what stands around the module."""
    name = full.removeprefix("module.").removeprefix(f"{_COMPILED}.")
    return f"self.{name}" if name.partition(".")[0] in arguments else name
