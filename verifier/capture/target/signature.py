"""Signatures: how inputs by their names are given to a callable."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import Parameter, Signature
from typing import Any

import torch

from verifier.capture.target.pytree import leaves
from verifier.errors import InputError
from verifier.process.values import UserValue

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_SEVERAL = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


@dataclass(frozen=True, eq=False)
class Arguments:
    """What a callable is called with."""

    positional: tuple[Any, ...]
    keywords: Mapping[str, Any]


def signature_of(function: Callable[..., Any]) -> Signature | None:
    """The signature of `function`; None where it has none, as most of torch's own functions."""
    owner = getattr(function, "__self__", None)
    try:
        if isinstance(owner, type) and issubclass(owner, torch.autograd.Function):
            return _of_forward(owner)
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def signature_text(name: str, signature: Signature) -> str:
    """The signature as people write it.

    >>> signature_text("clip", inspect.signature(lambda x, *, low=0: x))
    'clip(x, *, low=0)'
    """
    plain = [
        parameter.replace(annotation=Parameter.empty, default=_default(parameter.default))
        for parameter in signature.parameters.values()
    ]
    return f"{name}{Signature(plain)}"


def arguments_for(name: str, signature: Signature | None, inputs: Mapping[str, Any]) -> Arguments:
    """The `inputs` as the arguments of the callable that is called `name`.

    Each goes where the `signature` has its name. Others fill, in order, what has a position and no
    name to be called by; without a signature that is all of them. A callable that takes anything,
    `(*args, **kwargs)`, is given constants by their names.

    Raises InputError, with the signature, for names that it does not have and for arguments that
    are not given.

    >>> arguments_for("f", inspect.signature(lambda x, *, low=0: x), {"low": 1, "x": 2})
    Arguments(positional=(2,), keywords={'low': 1})
    """
    if signature is None:
        return Arguments(tuple(inputs.values()), {})
    parameters = signature.parameters.values()
    filled = {part.name: inputs[part.name] for part in parameters if part.name in inputs}
    others = {key: value for key, value in inputs.items() if key not in filled}
    nameless = [
        part.name
        for part in parameters
        if part.kind is Parameter.POSITIONAL_ONLY and part.name not in filled
    ]
    for place in nameless[: len(others)]:
        filled[place] = others.pop(next(iter(others)))
    rest, keywords = _anything(name, signature, filled, others)
    _check_complete(name, signature, filled)
    return _placed(signature, filled, rest, keywords)


def _anything(
    name: str, signature: Signature, filled: dict[str, Any], others: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """What goes to `*args` and to `**kwargs`. Raises InputError where neither takes it."""
    several = {
        part.kind: part.name for part in signature.parameters.values() if part.kind in _SEVERAL
    }
    # They may be given under their own names.
    rest = list(filled.pop(several.get(Parameter.VAR_POSITIONAL, ""), ()))
    keywords = dict(filled.pop(several.get(Parameter.VAR_KEYWORD, ""), {}))
    for key, value in others.items():
        by_name = Parameter.VAR_KEYWORD in several and (
            Parameter.VAR_POSITIONAL not in several or not _has_tensor(value)
        )
        if by_name:
            keywords[key] = value
        elif Parameter.VAR_POSITIONAL in several:
            rest.append(value)
        else:
            callee = signature_text(name, signature)
            raise InputError(f"{name} has no argument {key!r}: {_hint(key, signature)}{callee}")
    return rest, keywords


def _of_forward(function: type[torch.autograd.Function]) -> Signature:
    """What `apply` takes, by position alone."""
    signature = inspect.signature(function.forward)
    parts = list(signature.parameters.values())
    if (
        function.setup_context is torch.autograd.Function.setup_context
        and parts
        and parts[0].kind in _POSITIONAL
    ):
        parts = parts[1:]
    positional = [
        part.replace(kind=Parameter.POSITIONAL_ONLY)
        if part.kind is Parameter.POSITIONAL_OR_KEYWORD
        else part
        for part in parts
    ]
    return Signature(
        [part for part in positional if part.kind in (*_POSITIONAL, Parameter.VAR_POSITIONAL)]
    )


def _has_tensor(value: UserValue) -> bool:
    return any(isinstance(leaf, torch.Tensor) for _, leaf in leaves(value, ""))


def _check_complete(name: str, signature: Signature, filled: Mapping[str, Any]) -> None:
    missing = [
        part.name
        for part in signature.parameters.values()
        if part.kind not in _SEVERAL and part.default is part.empty and part.name not in filled
    ]
    if missing == ["self"]:
        raise InputError(
            f"{name} is a method: name it on an object, as in layer = Layer() and layer.{name}, or "
            f"--make 'file.py::Layer().{name}' in the shell"
        )
    if missing:
        callee = signature_text(name, signature)
        raise InputError(f"{name} needs {' and '.join(missing)}: give it as an input of {callee}")


def _placed(
    signature: Signature, filled: Mapping[str, Any], rest: list[Any], keywords: Mapping[str, Any]
) -> Arguments:
    positional = [part for part in signature.parameters.values() if part.kind in _POSITIONAL]
    nameless = [
        place for place, part in enumerate(positional) if part.kind is Parameter.POSITIONAL_ONLY
    ]
    reached = [place + 1 for place in nameless if positional[place].name in filled]
    by_position = len(positional) if rest else max(reached, default=0)
    arguments: list[Any] = []
    named: dict[str, Any] = {}
    for place, part in enumerate(positional):
        if place < by_position or (part.name in filled and len(arguments) == place):
            arguments.append(filled.get(part.name, part.default))
        elif part.name in filled:
            named[part.name] = filled[part.name]
    others = [
        part.name for part in signature.parameters.values() if part.kind is Parameter.KEYWORD_ONLY
    ]
    named |= {key: filled[key] for key in others if key in filled}
    return Arguments((*arguments, *rest), {**named, **keywords})


def _hint(key: str, signature: Signature) -> str:
    near = get_close_matches(key, signature.parameters, n=1)
    return f"did you mean {near[0]}? It is " if near else "it is "


def _default(default: UserValue) -> UserValue:
    plain = default is Parameter.empty or default is None or isinstance(default, int | float | str)
    return default if plain else _Dots()


class _Dots:
    def __repr__(self) -> str:
        return "..."
