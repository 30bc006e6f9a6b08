"""The gallery's models by name, read from their files without running them.

To run the files takes a formula's whole machinery; a list of names should come at once.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from verifier.formula.gallery_files import gallery_files

NO_DATA = "no data: the formula itself is minimised"


@dataclass(frozen=True)
class GalleryEntry:
    """A model of the gallery."""

    name: str
    loss: str
    """The name of its loss; empty where the formula itself is minimised."""
    description: str
    """Its first line."""


def gallery_entries() -> list[GalleryEntry]:
    """All models of the gallery, in alphabetical order. Each has a file that is called like it."""
    return [_entry(path.stem, ast.parse(path.read_text("utf-8"))) for path in gallery_files()]


def _entry(name: str, module: ast.Module) -> GalleryEntry:
    functions = (node for node in module.body if isinstance(node, ast.FunctionDef))
    own = next((ast.get_docstring(node) for node in functions if node.name == name), None)
    description = own or ast.get_docstring(module) or ""
    return GalleryEntry(name, _loss(module), description.partition("\n")[0])


def _loss(module: ast.Module) -> str:
    """The name of the loss that is given in the file; empty where none is."""
    keywords = (node for node in ast.walk(module) if isinstance(node, ast.keyword))
    for keyword in keywords:
        if keyword.arg == "loss":
            value = keyword.value
            function = value.args[0] if isinstance(value, ast.Call) else value
            return ast.unparse(function).rpartition(".")[2]
    return ""


def entries_by_loss(entries: Iterable[GalleryEntry]) -> dict[str, list[GalleryEntry]]:
    """The models by what is minimised, losses first, in the order in which each kind first comes.

    The keys are titles for people: `loss huber`.
    """
    found: dict[str, list[GalleryEntry]] = {}
    for entry in sorted(entries, key=lambda entry: not entry.loss):
        found.setdefault(f"loss {entry.loss}" if entry.loss else NO_DATA, []).append(entry)
    return found
