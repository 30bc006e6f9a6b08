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
    parameters: tuple[str, ...] = ()
    """Its parameters with their shapes, as `W (3, 2)`, where one of them is an array."""


def gallery_entries() -> list[GalleryEntry]:
    """All models of the gallery, in alphabetical order. Each has a file that is called like it."""
    return [_entry(path.stem, ast.parse(path.read_text("utf-8"))) for path in gallery_files()]


def _entry(name: str, module: ast.Module) -> GalleryEntry:
    functions = (node for node in module.body if isinstance(node, ast.FunctionDef))
    own = next((node for node in functions if node.name == name), None)
    written = None if own is None else ast.get_docstring(own)
    description = written or ast.get_docstring(module) or ""
    parameters = () if own is None else _parameters(own)
    return GalleryEntry(name, _loss(module), description.partition("\n")[0], parameters)


def _parameters(function: ast.FunctionDef) -> tuple[str, ...]:
    """The keyword arguments with the shapes of their start values; none where all are numbers."""
    signature = function.args
    shapes = {
        argument.arg: _shape(start)
        for argument, start in zip(signature.kwonlyargs, signature.kw_defaults, strict=True)
    }
    if not any(shapes.values()):
        return ()
    return tuple(f"{name} {shape}" if shape else name for name, shape in shapes.items())


def _shape(start: ast.expr | None) -> tuple[int, ...]:
    """The shape of a start value as it is written: a call with lengths, a list, or a number."""
    if isinstance(start, ast.Call):
        name = ast.unparse(start.func).rpartition(".")[2]
        lengths = tuple(ast.literal_eval(length) for length in start.args)
        return 2 * lengths if name == "eye" else lengths
    return (len(start.elts), *_shape(start.elts[0])) if isinstance(start, ast.List) else ()


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
    """The models of `entries` by what is minimised, losses first, in the order in which each kind
    first comes.

    The keys are titles for people: `loss huber`.
    """
    found: dict[str, list[GalleryEntry]] = {}
    for entry in sorted(entries, key=lambda entry: not entry.loss):
        found.setdefault(f"loss {entry.loss}" if entry.loss else NO_DATA, []).append(entry)
    return found
