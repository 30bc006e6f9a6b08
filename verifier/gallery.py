"""The gallery, and models in people's own files.

The models of the gallery lie in `verifier/models` of an installed package and in the sibling folder
`models` of a checkout; they have no privileges over a file of one's own.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from types import ModuleType

from verifier.errors import InputError
from verifier.modeling import Model


def folder() -> Path:
    """Where the gallery's files are."""
    package = Path(__file__).resolve().parent
    inside = package / "models"
    return inside if inside.is_dir() else package.parent / "models"


def gallery() -> dict[str, Model]:
    """All models of the gallery by name, in alphabetical order of their files."""
    return {model.name: model for path in _files() for model in _models(path, lambda name: name).values()}


def groups(models: Iterable[Model]) -> dict[str, list[Model]]:
    """The models by what is minimised: those with a loss first, each kind where it first comes."""
    found: dict[str, list[Model]] = {}
    for model in sorted(models, key=lambda model: model.loss is None):
        loss = getattr(getattr(model.loss, "func", model.loss), "__name__", None)
        found.setdefault(f"loss {loss}" if loss else "no data: the formula itself is minimised", []).append(model)
    return found


def load(name: str) -> Model:
    """The model of that name in the gallery, or at `path/to/file.py::name`.

    Raises InputError where there is none, or where its file cannot be run.

    >>> load("quadratic")
    <Model quadratic: inputs x; parameters w1, w2, b>
    """
    path, separator, wanted = name.rpartition("::")
    return _from_file(Path(path), wanted) if separator else _from_gallery(name)


def _from_gallery(name: str) -> Model:
    direct = folder() / f"{name}.py"
    if name.isidentifier() and direct.is_file():
        found = _models(direct, lambda model: model)
        if name in found:
            return found[name]
    if name.endswith(".py"):
        raise InputError(f"{name} is a file: say which of its models, as in {name}::name")
    models = gallery()
    if name in models:
        return models[name]
    near = get_close_matches(name, models, n=1)
    hint = f"did you mean {near[0]}?" if near else "verifier list names them"
    raise InputError(f"there is no model {name!r} in the gallery: {hint} (a file of your own is path/to/file.py::name)")


def _from_file(path: Path, name: str) -> Model:
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}: give path/to/file.py::name")
    found = _models(path, lambda model: f"{path}::{model}")
    if name not in found:
        has = f"it has {', '.join(found)}" if found else "it has none: decorate a function with @verifier.model(...)"
        raise InputError(f"{path} has no model {name!r}: {has}")
    return found[name]


def _files() -> Iterator[Path]:
    yield from (path for path in sorted(folder().glob("*.py")) if not path.name.startswith("_"))


def _models(path: Path, origin: Callable[[str], str]) -> dict[str, Model]:
    module = _run(path)
    found = {name: value for name, value in vars(module).items() if isinstance(value, Model)}
    for name, model in found.items():
        model.description = model.description or (module.__doc__ or "").strip()
        model.origin = (origin(name),)
        if isinstance(model.data, str | PathLike):
            model.data = path.parent / model.data
    return found


def _run(path: Path) -> ModuleType:
    """The file as a module of its own; its folder is importable from while it runs."""
    resolved = path.resolve()
    spec = importlib.util.spec_from_file_location(f"verifier_model_{resolved.stem}_{abs(hash(resolved)):x}", resolved)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(resolved.parent))
    try:
        spec.loader.exec_module(module)
    except InputError as error:
        raise error.located(str(path)) from error
    except SyntaxError as error:
        raise InputError(f"{path}:{error.lineno}: the file is not Python: {error.msg}") from error
    except (Exception, SystemExit) as error:
        raise InputError(f"{path}:{_line(error, resolved)}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(resolved.parent))
    return module


def _line(error: BaseException, path: Path) -> int:
    """The last line of the file that ran before the error."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    return lines[-1] if lines and lines[-1] is not None else 1
