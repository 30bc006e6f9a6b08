"""Binding: anybody's callable at one point, as code of flat named tensors.

A module's parameters and buffers are inputs beside its arguments, so that gradients are taken by
them as by any other; they are set anew for each call, on a copy of the module, so that nothing is
left of one call in the next.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from inspect import Signature
from pathlib import Path
from types import MethodType
from typing import Any

import torch

from verifier.capture.dtypes import dtype_named
from verifier.capture.target.module_state import with_shapes
from verifier.capture.target.modules import Returned, module_apart, module_of, without_compilation
from verifier.capture.target.outputs import Results, results_of
from verifier.capture.target.pytree import leaves, sparse_parts, with_leaves
from verifier.capture.target.signature import Arguments, arguments_for, signature_of
from verifier.capture.target.sparse_inputs import SparseInput
from verifier.errors import InputError
from verifier.process.isolation import user_code_state
from verifier.process.values import UserValue


@dataclass(frozen=True, eq=False)
class Bound:
    """A target with its inputs at one point."""

    code: Callable[..., tuple[torch.Tensor, ...]]
    """Takes the inputs in order; returns the floating-point tensors of the result."""
    inputs: Mapping[str, torch.Tensor]
    """Every tensor that was given, and every parameter and buffer of a module: x, w[0], state.h,
    linear.weight.
    """
    wanted: tuple[str, ...]
    """What gradients are taken by: floating-point inputs, and parameters that are not frozen; no
    buffers.
    """
    name: str
    constants: Mapping[str, Any]
    """Everything else that was given, by flat names."""
    returned: Callable[..., Results] = field(repr=False)
    """Takes the inputs in order too; returns those tensors with their names."""
    arguments: tuple[str, ...] = ()
    """Those of the inputs that are arguments, and no parameters or buffers."""
    sparse: Mapping[str, SparseInput] = field(default_factory=dict, repr=False)
    """Those of the inputs that are the values of sparse tensors."""

    @cached_property
    def results(self) -> tuple[str, ...]:
        """The names of the results: value, value[0], value.loss. Runs the code, and raises what it
        raises.
        """
        given = [
            tensor.clone().requires_grad_(name in self.wanted)
            for name, tensor in self.inputs.items()
        ]
        with torch.enable_grad():
            # Code may write to what it is given, and take gradients itself.
            return self.returned(*(tensor.clone() for tensor in given)).names


def name_of(target: UserValue) -> str:
    """What a callable is called in reports.

    >>> name_of(torch.tanh), name_of(torch.nn.Linear(2, 3)), name_of(partial(torch.clamp, min=0))
    ('tanh', 'Linear', 'clamp')
    """
    if isinstance(target, partial):
        return name_of(target.func)
    if isinstance(target, torch.nn.Module):
        return type(without_compilation(target)).__name__
    name = getattr(target, "__name__", None)
    if not isinstance(name, str):
        return type(target).__name__
    owner = getattr(target, "__self__", None)
    if isinstance(owner, type) and issubclass(owner, torch.autograd.Function):
        return owner.__name__
    if isinstance(target, MethodType):
        return f"{owner.__name__ if isinstance(owner, type) else type(owner).__name__}.{name}"
    code = getattr(inspect.unwrap(target), "__code__", None)
    if name == "<lambda>" and code is not None:
        return f"a lambda at {Path(code.co_filename).name}:{code.co_firstlineno}"
    return name


@dataclass(frozen=True)
class By:
    """What gradients are taken by, where not by everything: names, which stand for all that begins
    with them and a dot or a bracket.
    """

    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def chosen(self, code: str, wanted: Sequence[str], possible: Sequence[str]) -> list[str]:
        """Those of the inputs; `wanted` has them where nothing is chosen.

        Raises InputError for a name that none of them has.
        """
        for name in (*self.only, *self.without):
            if not any(_is_part(one, name) for one in possible):
                raise InputError(
                    f"{code} has no floating-point input or parameter {name!r}: it has "
                    f"{', '.join(possible) or 'none'}"
                )
        kept = [one for one in possible if any(_is_part(one, name) for name in self.only)]
        kept = kept if self.only else list(wanted)
        left = [one for one in kept if not any(_is_part(one, name) for name in self.without)]
        if kept and not left:
            raise InputError(f"nothing is left of {code} to take a gradient by: leave out less")
        return left


def _is_part(name: str, whole: str) -> bool:
    return name == whole or name.startswith((f"{whole}.", f"{whole}["))


def bound(
    target: Callable[..., Any], inputs: Mapping[str, Any], dtype: str, by: By | None = None
) -> Bound:
    """The target with these inputs, which are drawn and cast already, and a module cast to that
    dtype.

    Inputs go where the signature has their names, else in order. One that has the name of a
    module's parameter takes its place. A parameter whose name begins like an argument is called
    `self.` and its name.

    >>> layer = bound(torch.nn.Linear(2, 3), {"input": torch.ones(4, 2)}, "float32")
    >>> layer.wanted, layer.results
    (('input', 'weight', 'bias'), ('value',))

    Raises InputError where the inputs do not fit the signature, where there is nothing to take a
    gradient by, and for modules whose parameters cannot be set.
    """
    by = By() if by is None else by
    callee = _callee(_with_shapes(target, inputs), dtype)
    given, state = callee.sort(inputs)
    callee.arranged(given)
    parts = [
        (name, leaf) for argument, value in given.items() for name, leaf in leaves(value, argument)
    ]
    tensors = {name: leaf for name, leaf in parts if isinstance(leaf, torch.Tensor)}
    names = (*tensors, *state)

    def returned(*values: torch.Tensor) -> Results:
        by_name = dict(zip(names, values, strict=True))
        arguments = {name: with_leaves(value, name, by_name.get) for name, value in given.items()}
        # Code is run many times, and its inputs are no leaves of torch's graph, of which torch may
        # warn.
        with user_code_state(values):
            found = callee({name: by_name[name] for name in state}, arguments)
        return results_of(callee.name, found.result, found.buffers)

    every = {**tensors, **state}
    wanted = [name for name, tensor in tensors.items() if tensor.is_floating_point()]
    wanted += [name for name in state if name in callee.trained]
    floating = [name for name, tensor in every.items() if tensor.is_floating_point()]
    wanted = by.chosen(callee.name, wanted, floating)
    if not any(every[name].numel() for name in wanted):
        raise InputError(
            f"{callee.name} has nothing to take a gradient by: {_missing(wanted, parts)}"
        )
    return Bound(
        code=lambda *values: returned(*values).tensors,
        inputs=every,
        wanted=tuple(wanted),
        name=callee.name,
        constants={name: leaf for name, leaf in parts if not isinstance(leaf, torch.Tensor)},
        arguments=tuple(tensors),
        returned=returned,
        sparse=dict(pair for name, value in given.items() for pair in sparse_parts(value, name)),
    )


def _missing(wanted: list[str], parts: list[tuple[str, Any]]) -> str:
    """Why no input has a gradient, and what to give."""
    if wanted:
        return f"{wanted[0]} has no elements"
    for name, leaf in parts:
        if isinstance(leaf, float | int) and not isinstance(leaf, bool):
            if "[" in name:
                return f"{name}={leaf} is a constant; give {name.partition('[')[0]} as a tensor"
            return f"{name}={leaf} is a constant; for a tensor write {name}=[{float(leaf)}]"
    return "give a tensor of floating-point numbers"


def _with_shapes(target: Callable[..., Any], inputs: Mapping[str, Any]) -> Callable[..., Any]:
    """The target; a module that takes its shapes from its inputs, with those."""
    signature = signature_of(_signed(target))
    if module_of(target) is None:
        return target
    return with_shapes(target, lambda: arguments_for(name_of(target), signature, inputs))


def _callee(target: Callable[..., Any], dtype: str) -> _Callee:
    name, kind = name_of(target), dtype_named(dtype)
    signature = signature_of(_signed(target))
    if module_of(target) is None:
        return _Callee(
            name,
            signature,
            lambda state, positional, keywords: Returned(target(*positional, **keywords)),
        )
    known = module_apart(name, target, kind, signature.parameters if signature else ())
    return _Callee(name, signature, known.call, known.state, known.trained)


def _signed(target: UserValue) -> UserValue:
    """What has the signature of the target's arguments."""
    if isinstance(target, partial):
        return partial(_signed(target.func), *target.args, **target.keywords)
    return without_compilation(target).forward if isinstance(target, torch.nn.Module) else target


@dataclass(frozen=True, eq=False)
class _Callee:
    """What is called, and the tensors that it holds."""

    name: str
    signature: Signature | None
    call: Callable[..., Returned]
    state: Mapping[str, torch.Tensor] = field(default_factory=dict)
    trained: frozenset[str] = frozenset()
    """Those of the state that gradients are taken by."""

    def __call__(self, state: Mapping[str, torch.Tensor], arguments: Mapping[str, Any]) -> Returned:
        given = self.arranged(arguments)
        return self.call(state, given.positional, given.keywords)

    def arranged(self, arguments: Mapping[str, Any]) -> Arguments:
        return arguments_for(self.name, self.signature, arguments)

    def sort(self, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        """The arguments, and the state with those inputs in it that are meant for it."""
        arguments, state = {}, dict(self.state)
        for name, value in inputs.items():
            parts = dict(leaves(value, name))
            if name not in self._argument_names and parts and all(part in state for part in parts):
                state |= {part: self._fitting(part, leaf) for part, leaf in parts.items()}
            else:
                arguments[name] = value
        return arguments, state

    @property
    def _argument_names(self) -> frozenset[str]:
        return frozenset(self.signature.parameters if self.signature else ())

    def _fitting(self, name: str, tensor: Any) -> torch.Tensor:
        shape = tuple(self.state[name].shape)
        if not isinstance(tensor, torch.Tensor) or tuple(tensor.shape) != shape:
            raise InputError(
                f"{name} of {self.name} is a tensor of shape {shape}: give one of that shape"
            )
        return tensor
