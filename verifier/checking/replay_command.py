"""Retyped: the command line that makes a check again."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from verifier.capture.target.pytree import leaves
from verifier.checking.expected_gradient import Intended
from verifier.checking.inputs import Between, spelled
from verifier.checking.records import CheckSettings

MOST_NUMBERS = 64
"""A command with more numbers than that is no longer typed."""


def command(
    target: Callable[..., Any] | str | None,
    inputs: Mapping[str, Any],
    intended: Intended,
    settings: CheckSettings,
) -> str | None:
    """The command that makes this check again; None where only Python can: for code without a name
    of its own in a file, a formula or a reference that is no text, or tensors too large to be
    typed.
    """
    try:
        words = [*_target(target), *_intended(intended), *_inputs(inputs), *_settings(settings)]
    except _UntypableError:
        return None
    return shlex.join(["verifier", "check", *words])


def at_point(
    target: Callable[..., Any] | str | None,
    inputs: Mapping[str, Any],
    point: Mapping[str, torch.Tensor],
    intended: Intended,
    settings: CheckSettings,
) -> str | None:
    """The command that checks at one point of the inputs that were drawn."""
    chosen = {name: point.get(name, value) for name, value in inputs.items()}
    return command(target, chosen, intended, settings)


class _UntypableError(Exception):
    """Only Python can make the check again."""


def _target(target: Callable[..., Any] | str | None) -> Iterator[str]:
    if target is None:
        return
    if isinstance(target, str):
        yield target
        return
    owner = getattr(target, "__self__", target)
    try:
        file = inspect.getsourcefile(owner)
    except TypeError:
        file = None
    name = getattr(owner, "__qualname__", "")
    if file is None or not all(part.isidentifier() for part in name.split(".")):
        raise _UntypableError
    path = Path(file)
    yield f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}::{name}"


def _intended(intended: Intended) -> Iterator[str]:
    if intended.formula is not None:
        if not isinstance(intended.formula, str):
            raise _UntypableError
        yield from ("--formula", intended.formula)
    if intended.reference is not None:
        yield from ("--reference", *_target(intended.reference))
    if intended.reduction != "none":
        yield from ("--reduction", intended.reduction)


def _inputs(inputs: Mapping[str, Any]) -> Iterator[str]:
    for name, value in (pair for key, part in inputs.items() for pair in leaves(part, key)):
        if isinstance(value, Between):
            shape = "x".join(map(str, value.shape))
            yield from (
                "--input",
                f"{name}={value.low!r}:{value.high!r}{':' + shape if shape else ''}",
            )
        elif isinstance(value, torch.Tensor) and value.numel() > MOST_NUMBERS:
            raise _UntypableError
        else:
            yield from spelled({name: value})


def _settings(settings: CheckSettings) -> Iterator[str]:
    standard = CheckSettings()
    for dtype in settings.dtypes:
        yield from ("--dtype", dtype)
    for name in ("points", "seed", "digits", "timeout"):
        value = getattr(settings, name)
        if value != getattr(standard, name):
            yield from (f"--{name}", str(value))
    for name in settings.without:
        yield from ("--without", name)
    for option, names in (("--wrt", settings.wrt), ("--not-wrt", settings.not_wrt)):
        if names:
            yield from (option, ",".join(names))
    if settings.state is not None:
        yield from ("--state", str(settings.state))
    if settings.train:
        yield "--train"
    if settings.honour_detach:
        yield "--honour-detach"
