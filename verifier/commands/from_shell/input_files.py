"""Inputs that are read from files: `--input x=@data.npy`, `@weights.pt`, `@points.csv:t`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from verifier.errors import InputError, message_of
from verifier.training.csv_file import names_text, open_csv_file, path_errors_as_input_errors

FORMS = "@file.npy, @file.pt or @file.csv:column"


def read_input_file(text: str, folder: Path = Path()) -> torch.Tensor:
    """The tensor that the text behind the @ names. A relative path is one in `folder`.

    A `.npy` file holds an array, and a `.pt` file a tensor or, behind a colon, one of a mapping of
    tensors. Of a `.csv` file the column behind the colon is read, as float64. Nothing in a file is
    run: pickled objects are refused.

    Raises InputError for what cannot be read.
    """
    for suffix, read in ((".npy", _array), (".pt", _saved), (".pth", _saved), (".csv", _column)):
        path, found, part = _split(text, suffix)
        if found:
            return read(folder / path, part)
    raise InputError(f"@{text} is no file of numbers: write {FORMS}")


def _split(text: str, suffix: str) -> tuple[str, bool, str]:
    """The path up to that suffix, whether there is one, and what stands behind a colon."""
    if text.endswith(suffix):
        return text, True, ""
    before, mark, part = text.partition(f"{suffix}:")
    return f"{before}{suffix}", bool(mark), part


def _array(path: Path, part: str) -> torch.Tensor:
    if part:
        raise InputError(f"{path} holds one array: leave out {part!r}")
    with path_errors_as_input_errors(path):
        try:
            array = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise InputError(f"{path} is no array of numbers: {message_of(error)}") from None
    try:
        return torch.from_numpy(np.ascontiguousarray(array))
    except TypeError:
        raise InputError(f"{path} holds {array.dtype}: give numbers") from None


def _saved(path: Path, part: str) -> torch.Tensor:
    with path_errors_as_input_errors(path):
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
        except OSError:
            raise
        except Exception as error:
            raise InputError(
                f"{path} cannot be read as tensors alone: {message_of(error)}"
            ) from None
    if part and isinstance(found, Mapping):
        if part not in found:
            names = ", ".join(map(str, list(found)[:10])) or "nothing"
            raise InputError(f"{path} has no {part!r}: it has {names}")
        found = found[part]
    if isinstance(found, Mapping):
        first = next(iter(found), "name")
        raise InputError(f"{path} has {len(found)} tensors: say which, as in @{path}:{first}")
    if not isinstance(found, torch.Tensor):
        raise InputError(f"{path} holds a {type(found).__name__}: give a tensor")
    return found


def _column(path: Path, part: str) -> torch.Tensor:
    table = open_csv_file(path)
    names = names_text([name for name in table.header if name])
    if not part:
        raise InputError(f"{path} has columns {names}: say which, as in @{path}:{table.header[0]}")
    if part not in table.header:
        raise InputError(f"{path} has no column {part!r}: it has {names}")
    return torch.from_numpy(np.ascontiguousarray(table.read([part])[part]))
