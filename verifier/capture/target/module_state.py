"""Module state: a module with the weights of a file, in training mode, or with the shapes that its
inputs give it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MethodType
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from verifier.capture.target.modules import module_of, without_compilation
from verifier.capture.target.signature import Arguments
from verifier.errors import InputError, message_of
from verifier.process.values import UserValue

Target = Callable[..., Any]
MOST_NAMED = 4
"""Of the names that do not fit, a message lists at most so many."""
_NESTED = "state_dict"
"""Where checkpoints keep the weights among other things."""


def prepared_target(name: str, target: UserValue, state: str | None, train: bool) -> UserValue:
    """The target with a copy of its module, which has the weights of a file and is in training
    mode where that is asked for.

    Raises InputError for what is no module, and for weights that do not fit.
    """
    if state is None and not train:
        return target
    module = module_of(target)
    if module is None:
        raise InputError(f"{name} is not a module: --state and --train are for modules alone")
    changed = copy.deepcopy(module)
    if state is not None:
        _load(name, without_compilation(changed), state)
    if train:
        changed.train()
    return _with_module(target, changed)


def _load(name: str, module: torch.nn.Module, file: str) -> None:
    weights = _read(file)
    try:
        keys = module.load_state_dict(dict(weights), strict=False)
    except RuntimeError as error:
        raise InputError(f"{file} does not fit {name}: {_mismatch(error)}") from error
    for kind, names in (("has no", keys.missing_keys), ("has", keys.unexpected_keys)):
        if names:
            more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            other = ", which the module has" if kind == "has no" else ", which the module has not"
            listed = ", ".join(names[:MOST_NAMED])
            raise InputError(f"{file} does not fit {name}: it {kind} {listed}{more}{other}")


def _mismatch(error: RuntimeError) -> str:
    lines = [line.strip() for line in message_of(error, whole=True).splitlines()]
    return next((line.rstrip(".") for line in lines[1:] if line), message_of(error))


def _read(file: str) -> Mapping[str, Any]:
    """The weights in a file. Nothing in it is run."""
    if not Path(file).is_file():
        raise InputError(f"there is no file {file!r}: give one that torch.save wrote")
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"{file} cannot be read as weights ({message_of(error)}): save module.state_dict() "
            "with torch.save"
        ) from error
    if isinstance(found, Mapping) and isinstance(found.get(_NESTED), Mapping):
        found = found[_NESTED]
    if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
        raise InputError(f"{file} has no weights by name: save module.state_dict() with torch.save")
    return found


def with_shapes(target: Target, arranged: Callable[[], Arguments]) -> Target:
    """The target with a copy of its module, whose lazy parameters have the shapes that these
    arguments give them; any other target is itself.
    """
    module = module_of(target)
    if module is None or not _is_lazy(module):
        return target
    try:
        made = copy.deepcopy(module)
    except ValueError:
        # Torch copies no buffer without a shape.
        name = type(without_compilation(module)).__name__
        raise InputError(
            f"{name} has buffers without a shape: call it once, then give it"
        ) from None
    called = _with_module(target, made)
    arguments = arranged()
    given = [_as_float32(value) for value in arguments.positional]
    named = {name: _as_float32(value) for name, value in arguments.keywords.items()}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        called(*given, **named)
    return called


def _is_lazy(module: torch.nn.Module) -> bool:
    return any(is_lazy(tensor) for tensor in (*module.parameters(), *module.buffers()))


def _as_float32(value: UserValue) -> UserValue:
    floating = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.detach().to(torch.float32) if floating else value


def _with_module(target: UserValue, module: torch.nn.Module) -> Callable[..., Any]:
    """The target, called on another module."""
    if isinstance(target, partial):
        return partial(_with_module(target.func, module), *target.args, **target.keywords)
    return MethodType(target.__func__, module) if isinstance(target, MethodType) else module
