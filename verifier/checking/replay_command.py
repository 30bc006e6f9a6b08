"""Replay command: the command line that makes a check again."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from verifier.capture.target.pytree import leaves, with_leaves
from verifier.checking.check_result import CheckSettings
from verifier.checking.expected_gradient import ExpectedFunction
from verifier.checking.inputs import Between, input_words
from verifier.process.setting import settings_of
from verifier.process.values import UserFunction, UserInputs

MOST_NUMBERS = 64
"""A command with more numbers than that is no longer typed."""


def replay_command(
    target: UserFunction | str | None,
    inputs: UserInputs,
    expected: ExpectedFunction,
    settings: CheckSettings,
) -> str | None:
    """The command that checks `target` again with these `inputs`, what is `expected` and the
    `settings`; None where only Python can.

    That is so for code without a name of its own in a file, for a formula or a reference that is no
    text, and for tensors of more than MOST_NUMBERS numbers.
    """
    try:
        words = [
            *_target_words(target),
            *_expected_words(expected),
            *_input_words(inputs),
            *_setting_words(settings),
        ]
    except _UntypableError:
        return None
    return shlex.join(["verifier", "check", *words])


def replay_command_at(
    target: UserFunction | str | None,
    inputs: UserInputs,
    point: Mapping[str, torch.Tensor],
    expected: ExpectedFunction,
    settings: CheckSettings,
) -> str | None:
    """The command that checks `target` at one `point`, which has the flat inputs that were drawn.
    `inputs`, `expected` and `settings` are those of the check. None where only Python can.
    """
    chosen = {name: with_leaves(value, name, point.get) for name, value in inputs.items()}
    return replay_command(target, chosen, expected, settings)


class _UntypableError(Exception):
    """Only Python can make the check again."""


def _target_words(target: UserFunction | str | None) -> Iterator[str]:
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


def _expected_words(expected: ExpectedFunction) -> Iterator[str]:
    if expected.formula is not None:
        if not isinstance(expected.formula, str):
            raise _UntypableError
        yield from ("--formula", expected.formula)
    if expected.reference is not None:
        yield from ("--reference", *_target_words(expected.reference))
    if expected.reduction != "none":
        yield from ("--reduction", expected.reduction)


def _input_words(inputs: UserInputs) -> Iterator[str]:
    for name, value in (pair for key, part in inputs.items() for pair in leaves(part, key)):
        if isinstance(value, Between):
            shape = "x".join(map(str, value.shape))
            yield from (
                "--input",
                f"{name}={value.low!r}:{value.high!r}{':' + shape if shape else ''}",
            )
        elif isinstance(value, torch.Tensor) and _is_untypable(value):
            raise _UntypableError
        else:
            yield from input_words({name: value})


def _is_untypable(tensor: torch.Tensor) -> bool:
    return tensor.layout is not torch.strided or tensor.numel() > MOST_NUMBERS


def _setting_words(settings: CheckSettings) -> Iterator[str]:
    """The dtypes, and what is not as usual."""
    standard = CheckSettings()
    for name, setting in settings_of(CheckSettings).items():
        value = getattr(settings, name)
        if value != getattr(standard, name):
            yield from setting.words(name, value)
