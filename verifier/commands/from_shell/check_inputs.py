"""The inputs of a check as they are typed, the dtypes to check in, and what to type instead."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from verifier.capture.target.pytree import leaves
from verifier.checking.inputs import Between, given_dtypes, parse_inputs
from verifier.commands.from_shell.input_files import read_input_file
from verifier.errors import InputError
from verifier.process.values import UserInputs, UserValue

DTYPES = ("float32", "float64")
_WANTS_LABELS = re.compile(r"\b(Long|Byte|Int|int64|integer|index|indices|class labels?)\b")


def typed_inputs(texts: Sequence[str], folder: Path = Path()) -> dict[str, UserValue]:
    """The inputs that are written name=value; `@` reads a file, relative to `folder`.

    Raises InputError for what cannot be read.
    """
    return parse_inputs(texts, partial(read_input_file, folder=folder))


def typed_dtypes(texts: Sequence[str], folder: Path = Path()) -> tuple[str, ...]:
    """The dtypes to check in where none are asked for: those of the files that are read, else
    float32 and float64. Numbers that are typed have no dtype of their own.
    """
    files = [text for text in texts if text.partition("=")[2].strip().startswith("@")]
    return given_dtypes(typed_inputs(files, folder)) or DTYPES


def with_hint(error: InputError, inputs: UserInputs) -> InputError:
    """The same error; where the code asks for whole numbers, with the input to type instead."""
    flat = {name: leaf for key, part in inputs.items() for name, leaf in leaves(part, key)}
    label = next((name for name, leaf in flat.items() if _may_be_labels(name, leaf)), None)
    if label is None or not _WANTS_LABELS.search(error.sentence):
        return error
    shown = _as_labels(flat[label])
    hint = f"for labels or indices write --input '{label}=int[{shown}]'"
    return InputError(f"{error.sentence}; {hint}", error.excerpt)


def _may_be_labels(name: str, leaf: UserValue) -> bool:
    """Whether it is a tensor of whole numbers that were typed as floats, or is drawn for labels."""
    if isinstance(leaf, Between):
        return bool(re.search(r"target|label|index|class|idx", name, re.IGNORECASE))
    is_floating = isinstance(leaf, torch.Tensor) and leaf.is_floating_point()
    return is_floating and bool(leaf.numel()) and bool((leaf == leaf.round()).all())


def _as_labels(leaf: UserValue) -> str:
    if isinstance(leaf, torch.Tensor) and leaf.ndim == 1 and leaf.numel() <= 8:
        return ",".join(str(int(number)) for number in leaf)
    count = leaf.shape[0] if isinstance(leaf, Between) and leaf.shape else 3
    return ",".join(map(str, range(min(count, 8))))
