"""Loading: a Python file of somebody's own, run as a module."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

from verifier.errors import InputError, message_of


def run_file(path: Path) -> ModuleType:
    """The Python file at `path` as a module of its own. While it runs, it can import what lies in
    its folder.

    Raises InputError, with the file and line, where it cannot be run.
    """
    resolved = path.resolve()
    spec = importlib.util.spec_from_file_location(
        f"verifier_model_{resolved.stem}_{abs(hash(resolved)):x}", resolved
    )
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses, and what reads the source of a class, look their module up there.
    sys.modules[module.__name__] = module
    try:
        with add_to_import_path(resolved.parent), _errors_with_place(path, resolved):
            spec.loader.exec_module(module)
    except InputError:
        del sys.modules[module.__name__]
        raise
    return module


@contextmanager
def add_to_import_path(folder: Path) -> Iterator[None]:
    """For the time of the block, modules of `folder` can be imported."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        # What is loaded may have changed it.
        with suppress(ValueError):
            sys.path.remove(str(folder))


@contextmanager
def _errors_with_place(path: Path, resolved: Path) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise error.located(str(path)) from error
    except SyntaxError as error:
        # The file itself may import one that is not Python.
        file = path if error.filename in (None, str(resolved)) else error.filename
        line = f":{error.lineno}" if error.lineno else ""
        raise InputError(f"{file}{line}: the file is not Python: {error.msg}") from error
    except (Exception, SystemExit) as error:
        raised = f"{type(error).__name__}: {message_of(error, whole=True)}"
        raise InputError(f"{path}:{_last_line_in(error, resolved)}: {raised}") from error


def _last_line_in(error: BaseException, path: Path) -> int:
    """The last line of the file that ran before the error."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename) == path
    ]
    return lines[-1] if lines and lines[-1] is not None else 1
