"""Writes accepted failures into verifier.toml."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from verifier.commands.config.schema import AcceptedFailure, Config, read_config
from verifier.errors import InputError
from verifier.reporting import atomic_write

_TARGET = re.compile(r"\ufeff?\s*\[\[\s*target\s*\]\]\s*(#.*)?")
_OTHER = re.compile(r"\s*\[\[?\s*(?!target\s*\.)[^\]]+\]\]?\s*(#.*)?")
"""The first line of a table that is no part of the target above it."""


def write_accepted(
    config: Config, entries: Mapping[int, Sequence[AcceptedFailure]], reason: str
) -> int:
    """Add the entries to the file, with that reason; how many they are.

    `entries` has those of each target by its place in the file. What stands in the file is kept as
    it is, comments too. Raises InputError, with the lines to add, where the file lists its targets
    in another form than below lines `[[target]]`; nothing is written then.
    """
    given = {
        place: [replace(entry, reason=reason) for entry in some]
        for place, some in entries.items()
        if some
    }
    if not given:
        return 0
    before = config.path.read_bytes()
    after = _with_entries(before.decode("utf-8"), given)
    if after is None:
        raise _by_hand(config, given)
    atomic_write.write(config.path, after.encode("utf-8"))
    wanted = [
        replace(target, accepted=(*target.accepted, *given.get(place, ())))
        for place, target in enumerate(config.targets)
    ]
    if list(read_config(config.path).targets) != wanted:
        atomic_write.write(config.path, before)
        raise _by_hand(config, given)
    return sum(map(len, given.values()))


def _with_entries(text: str, given: Mapping[int, Sequence[AcceptedFailure]]) -> str | None:
    """The text of the file with the entries behind their targets; None where they are not found."""
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.removesuffix(newline).split(newline)
    starts = [number for number, line in enumerate(lines) if _TARGET.fullmatch(line)]
    if max(given) >= len(starts):
        return None
    for place in sorted(given, reverse=True):
        end = _end_of_target(lines, starts[place])
        added = [line for entry in given[place] for line in ("", *entry_lines(entry))]
        lines[end:end] = added
    return newline.join(lines) + newline


def _end_of_target(lines: Sequence[str], start: int) -> int:
    """The number of the line behind the last one of a target.

    Empty lines and comments before the next table belong to that.
    """
    behind = (number for number in range(start + 1, len(lines)) if _OTHER.fullmatch(lines[number]))
    end = next(behind, len(lines))
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    return end


def entry_lines(entry: AcceptedFailure) -> list[str]:
    """The lines of an entry.

    >>> entry_lines(AcceptedFailure("w", "float32", "known", "sign flipped"))[1:3]
    ['component = "w"', 'dtype = "float32"']
    """
    values = {"component": entry.component, "dtype": entry.dtype, "cause": entry.cause}
    values["reason"] = entry.reason
    settings = [f"{key} = {json.dumps(value)}" for key, value in values.items() if value]
    return ["[[target.accepted]]", *settings]


def _by_hand(config: Config, given: Mapping[int, Sequence[AcceptedFailure]]) -> InputError:
    lines = [
        line
        for place, entries in given.items()
        for line in (
            f"# {config.targets[place].target}",
            *(line for entry in entries for line in entry_lines(entry)),
        )
    ]
    return InputError(
        f"{config.path} lists its targets in another form than below lines [[target]]: add these "
        "entries by hand",
        "\n".join(lines),
    )
