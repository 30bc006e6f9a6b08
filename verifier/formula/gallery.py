"""The gallery, and models in people's own files.

The models of the gallery lie in `verifier/models` of an installed package and in the sibling folder
`models` of a checkout; they have no privileges over a file of one's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from os import PathLike
from pathlib import Path

from verifier.errors import InputError
from verifier.formula.data_source import is_function
from verifier.formula.gallery_files import gallery_files
from verifier.formula.load_file import run_file
from verifier.formula.model import Model
from verifier.process.imports import quiet_imports


def gallery() -> dict[str, Model]:
    """All models of the gallery by name, in alphabetical order of their files.

    Raises InputError where a file cannot be run.
    """
    return {
        model.name: model
        for path in gallery_files()
        for model in _models_in(path, lambda name: name).values()
    }


def with_own_data() -> list[Model]:
    """The models of the gallery whose data lies in their files; that of the others needs a package
    that has it.
    """
    return [model for model in gallery().values() if not is_function(model.data_source)]


def group_by_loss(models: Iterable[Model]) -> dict[str, list[Model]]:
    """The models by what is minimised, losses first, in the order in which each kind first comes.

    The keys are titles for people: `loss huber`.
    """
    found: dict[str, list[Model]] = {}
    for model in sorted(models, key=lambda model: model.loss is None):
        loss = getattr(getattr(model.loss, "func", model.loss), "__name__", None)
        found.setdefault(
            f"loss {loss}" if loss else "no data: the formula itself is minimised", []
        ).append(model)
    return found


def load(name: str) -> Model:
    """The model called `name` in the gallery, or at `path/to/file.py::name`.

    Raises InputError where there is none, or where its file cannot be run.

    >>> load("quadratic")
    <Model quadratic: inputs x; parameters w1, w2, b>
    """
    path, separator, wanted = name.rpartition("::")
    with quiet_imports():
        return _model_in_file(Path(path), wanted) if separator else _model_in_gallery(name)


def _model_in_gallery(name: str) -> Model:
    direct = [path for path in gallery_files() if path.stem == name]
    if direct:
        found = _models_in(direct[0], lambda model: model)
        if name in found:
            return found[name]
    if name.endswith(".py"):
        raise InputError(f"{name} is a file: say which of its models, as in {name}::name")
    models = gallery()
    if name in models:
        return models[name]
    near = get_close_matches(name, models, n=1)
    hint = f"did you mean {near[0]}?" if near else "verifier list names them"
    raise InputError(
        f"there is no model {name!r} in the gallery: {hint} (a file of your own is "
        "path/to/file.py::name)"
    )


def _model_in_file(path: Path, name: str) -> Model:
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}: give path/to/file.py::name")
    found = _models_in(path, lambda model: f"{path}::{model}")
    if name not in found:
        has = (
            f"it has {', '.join(found)}"
            if found
            else "it has none: decorate a function with @verifier.model(...)"
        )
        raise InputError(f"{path} has no model {name!r}: {has}")
    return found[name]


def _models_in(path: Path, origin: Callable[[str], str]) -> dict[str, Model]:
    module = run_file(path)
    found = {name: value for name, value in vars(module).items() if isinstance(value, Model)}
    for name, model in found.items():
        model.description = model.description or (module.__doc__ or "").strip()
        model.origin = (origin(name),)
        if isinstance(model.data_source, str | PathLike):
            model.data_source = path.parent / model.data_source
    return found
