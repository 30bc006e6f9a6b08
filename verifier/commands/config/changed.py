"""Which targets may have changed since a commit: those whose file, or what it imports, did."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from verifier.commands.config.schema import Config, ConfiguredTarget
from verifier.errors import InputError


def changed_targets(config: Config, since: str) -> Config:
    """The file with those targets alone whose code, or whose imports, changed since the commit.

    Imports are followed through the files of the project. A target whose code is in none of them,
    such as torch's own, may have changed. All targets are left where the file itself changed.
    Raises InputError where git does not know the commit.
    """
    changed = _changed_files(config.path.parent, since)
    if config.path.resolve() in changed:
        return config
    left = tuple(target for target in config.targets if _may_have_changed(target, changed))
    return replace(config, targets=left)


def _may_have_changed(target: ConfiguredTarget, changed: set[Path]) -> bool:
    codes = [text for text in (target.target, target.reference) if text]
    has_files = all(any(path.is_file() for path in _code_files(target, text)) for text in codes)
    return not has_files or bool(_files_of(target) & changed)


def _changed_files(folder: Path, since: str) -> set[Path]:
    """What git says changed since the commit, what is not committed, and what is new."""
    root = Path(_git(folder, "rev-parse", "--show-toplevel").strip())
    names = [
        *_git(folder, "diff", "--name-only", "-z", "--end-of-options", since).split("\0"),
        *_git(root, "ls-files", "--others", "--exclude-standard", "-z").split("\0"),
    ]
    return {(root / name).resolve() for name in names if name}


def _git(folder: Path, *words: str) -> str:
    command = ["git", *words]
    try:
        # The words are ours, but for a commit, which stands behind --end-of-options.
        done = subprocess.run(  # noqa: S603
            command, cwd=folder, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise InputError(f"--changed asks git, which cannot be run: {error.strerror}") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise InputError(f"--changed asks git what changed: {said}")
    return done.stdout


def _files_of(target: ConfiguredTarget) -> set[Path]:
    """The files that a target is made of: its own, and those that they import."""
    found: set[Path] = set()
    waiting = list(_own_files(target))
    while waiting:
        file = waiting.pop().resolve()
        if file not in found and file.is_file():
            found.add(file)
            if file.suffix == ".py":
                waiting.extend(_imported_files(file, target.folder))
    return found


def _code_files(target: ConfiguredTarget, text: str) -> list[Path]:
    """Where the code of path.py::name, or of package.module:name, may stand in the project."""
    path, mark, _ = text.partition("(")[0].rpartition("::")
    if mark:
        return [target.folder / path]
    module = target.folder / text.partition(":")[0].replace(".", "/")
    return [module.with_suffix(".py"), module / "__init__.py"]


def _own_files(target: ConfiguredTarget) -> Iterator[Path]:
    for text in filter(None, (target.target, target.reference)):
        yield from _code_files(target, text)
    if target.settings.state is not None:
        yield target.folder / target.settings.state
    for given in target.inputs.values():
        if isinstance(given, str) and given.startswith("@"):
            yield target.folder / given[1:].partition(":")[0]


def _imported_files(file: Path, folder: Path) -> Iterator[Path]:
    """The project's own files that a file imports, beside it or from the folder."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [(alias.name, 0) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            inside = (f"{module}.{alias.name}".strip(".") for alias in node.names)
            names = [(name, node.level) for name in (module, *inside) if name]
        else:
            continue
        for name, level in names:
            for start in _starts(file, folder, level):
                path = start / name.replace(".", "/")
                yield from (path.with_suffix(".py"), path / "__init__.py")


def _starts(file: Path, folder: Path, level: int) -> list[Path]:
    """The folders in which an import may look: of a relative one the parent that it counts to, else
    all above the file, of which one is the root of its package.
    """
    return [file.parents[level - 1]] if level else [*file.parents, folder, Path()]
