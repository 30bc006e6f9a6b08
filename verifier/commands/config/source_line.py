"""Where the code of a target stands, read from its file without running it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_METHODS = ("backward", "vjp", "forward")
"""Of a class the first of these is what a wrong gradient comes from."""


@dataclass(frozen=True)
class SourceLine:
    """A line of a file."""

    file: str
    line: int
    """Counted from 1."""


def source_line(target: str, folder: Path) -> SourceLine | None:
    """The line of the backward of a target, or of its function; None where it is not found.

    A path in the target, and a module's, is relative to `folder`.
    """
    before = target.partition("(")[0]
    path, mark, name = before.rpartition("::")
    if not mark:
        module, mark, name = before.partition(":")
        path = f"{module.replace('.', '/')}.py"
    file = folder / path
    try:
        module_tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return None
    line = _line_of(module_tree.body, name.split("."))
    return None if line is None else SourceLine(str(file), line)


def _line_of(body: Sequence[ast.stmt], names: Sequence[str]) -> int | None:
    """The line of what has these names, one inside the other."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == names[0]:
            if len(names) > 1:
                return _line_of(node.body, names[1:]) or node.lineno
            return _line_of_method(node)
    return None


def _line_of_method(node: ast.ClassDef | ast.FunctionDef) -> int:
    methods = {inner.name: inner for inner in node.body if isinstance(inner, ast.FunctionDef)}
    found = next((methods[name] for name in _METHODS if name in methods), node)
    return found.lineno if isinstance(node, ast.ClassDef) else node.lineno
