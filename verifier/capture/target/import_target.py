"""Importing a target: the callable that `path/to/file.py::name` or `package.module:name` stands
for.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import torch

from verifier.capture.target.call_text import Attribute, Call, steps_of
from verifier.errors import InputError, message_of
from verifier.formula.gallery_list import gallery_entries
from verifier.formula.load_file import add_to_import_path, run_file
from verifier.process.isolation import user_file_state
from verifier.process.timeout import user_frames
from verifier.process.values import UserValue

_FORMS = "give path/to/file.py::name or package.module:name"


def load_target(text: str) -> Callable[..., Any]:
    """What is called that in a file or in a package; the name may have dots, as in
    `layer.py::Net.loss`, and calls with values, as in `layer.py::Net(dim=16).loss`.

    A class of modules is made into one, where it needs no arguments; an `autograd.Function` is its
    `apply`. Whatever torch draws at random while it is loaded is drawn with the seed 0. Raises
    InputError where there is no such thing, where it cannot be called, and where its file cannot be
    run.

    >>> load_target("torch.nn.functional:gelu").__name__
    'gelu'
    """
    with torch.random.fork_rng(devices=[]), user_file_state(_package_in(text)):
        torch.manual_seed(0)
        home, separator, name = _home(text)
        found: UserValue = home
        for step in steps_of(name):
            found = _next(found, step, text.removesuffix(separator + name), text)
        return _callable(found, text)


def _next(found: UserValue, step: Attribute | Call, place: str, text: str) -> UserValue:
    """What is found by one step more."""
    if isinstance(step, Attribute):
        found = _made(found, text) if _is_method(found, step.name) else found
        return _attribute(found, step.name, place, text)
    name = f"{getattr(found, '__name__', type(found).__name__)}{step.text}"
    try:
        return found(*step.positional, **step.keywords)
    except Exception as error:
        raised = f"{type(error).__name__}: {message_of(error, whole=True)}"
        raise InputError(f"{name} raises {raised}") from error


def callable_of(target: UserValue) -> Callable[..., Any]:
    """What is called: what a text names, or what was given, where a class stands for what
    `load_target` makes of it.

    >>> callable_of(torch.nn.Tanh)
    Tanh()
    """
    if isinstance(target, str):
        return load_target(target)
    return _callable(target, target.__name__) if isinstance(target, type) else target


def _package_in(text: str) -> str:
    """The package that is loaded once for all targets in it; none for a file, which is run for
    each.
    """
    return "" if "::" in text else text.partition(":")[0].partition(".")[0]


def _home(text: str) -> tuple[ModuleType, str, str]:
    """Where the target is to be found, and behind which separator its name stands."""
    # What a target is made with may have colons, too.
    before, paren, arguments = text.partition("(")
    path, separator, name = before.rpartition("::")
    if separator:
        return _file(Path(path)), separator, name + paren + arguments
    module, separator, name = text.partition(":")
    if text.endswith(".py") or module.endswith(".py"):
        raise InputError(f"{module} is a file: say what in it, as in {module}::{name or 'name'}")
    if not separator:
        raise InputError(f"{text!r} does not say where the target is: {_with_colon(text)}")
    return _package(module), separator, name


def _with_colon(text: str) -> str:
    """What to type in place of a name that says no module or no file."""
    module, dot, name = text.rpartition(".")
    if dot and all(part.isidentifier() for part in text.split(".")):
        return f"write {module}:{name}"
    if text in {entry.name for entry in gallery_entries()}:
        return f"it is a model of the gallery: verifier train {text}"
    return _FORMS


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}: {_FORMS}")
    return run_file(path)


def _package(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise InputError(f"{name!r} is not the name of a module: {_FORMS}")
    try:
        with add_to_import_path(Path.cwd()):
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if f"{name}.".startswith(f"{error.name}."):
            raise InputError(f"there is no module {error.name!r}: {_FORMS}") from None
        raise _not_imported(name, error) from error
    except (Exception, SystemExit) as error:
        raise _not_imported(name, error) from error


def _not_imported(name: str, error: BaseException) -> InputError:
    frames = user_frames(error)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    if isinstance(error, SyntaxError):
        return InputError(
            f"{name} cannot be imported: {error.filename}:{error.lineno} is not Python: {error.msg}"
        )
    message = message_of(error, whole=True)
    return InputError(f"{name} cannot be imported: {type(error).__name__}{place}: {message}")


def _is_method(found: UserValue, part: str) -> bool:
    """Whether that is a method of a class of modules, which needs one to be called on."""
    return _is_class(found, torch.nn.Module) and isinstance(
        inspect.getattr_static(found, part, None), FunctionType
    )


def _is_class(found: UserValue, base: type) -> bool:
    return isinstance(found, type) and issubclass(found, base)


def _attribute(found: UserValue, part: str, place: str, text: str) -> UserValue:
    try:
        return getattr(found, part)
    except AttributeError:
        owner = (
            place
            if isinstance(found, ModuleType)
            else getattr(found, "__name__", type(found).__name__)
        )
        raise InputError(f"{owner} has no {part!r}: {_hint(found, part)}") from None
    except Exception as error:
        raised = f"{type(error).__name__}: {message_of(error, whole=True)}"
        raise InputError(f"{text} cannot be looked up: {raised}") from error


def _hint(found: UserValue, part: str) -> str:
    inside = getattr(found, "__dict__", {})
    named = {
        name: value
        for name, value in inside.items()
        if not name.startswith("_") and callable(value)
    }
    near = get_close_matches(part, named, n=1)
    if near:
        return f"did you mean {near[0]}?"
    own = [
        name
        for name, value in named.items()
        if getattr(value, "__module__", None) == getattr(found, "__name__", "")
    ]
    return f"it has {', '.join(own or named)}" if named else "nothing in it can be called"


def _callable(found: UserValue, text: str) -> Callable[..., Any]:
    if _is_class(found, torch.autograd.Function):
        return found.apply  # type: ignore[no-any-return]
    if isinstance(found, type):
        found = _made(found, text)
    if not callable(found):
        method = _first_method(found)
        way = f"name a method, as in --make '{text}().{method}'" if method else _CALLABLE
        raise InputError(
            f"{text} is {_article(type(found).__name__)}, which cannot be called: {way}"
        )
    return found  # type: ignore[no-any-return]


_CALLABLE = "name a function or a module"


def _first_method(found: UserValue) -> str:
    """A method of an object of somebody's class, for an example; empty where there is none."""
    methods = (
        name
        for name, value in vars(type(found)).items()
        if isinstance(value, FunctionType) and not name.startswith("_")
    )
    return next(methods, "")


def _made(kind: type, text: str) -> UserValue:
    """An object of that class."""
    try:
        signature = inspect.signature(kind)
    except (TypeError, ValueError):
        signature = inspect.Signature()
    needed = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if needed:
        raise InputError(
            f"{text}: {kind.__name__} needs {', '.join(needed)} to be made: "
            f"give them, as in --make '{_call_of(kind, text, needed)}'"
        )
    try:
        return kind()
    except Exception as error:
        raised = f"{type(error).__name__}: {message_of(error, whole=True)}"
        raise InputError(f"{text}: {kind.__name__}() raises {raised}") from error


def _call_of(kind: type, text: str, needed: Sequence[str]) -> str:
    """The text with the class called, whose name stands in it."""
    given = ", ".join(f"{name}=..." for name in needed)
    before, name, method = text.rpartition(kind.__name__)
    return f"{before}{name}({given}){method}" if name else f"{text}({given})"


def _article(name: str) -> str:
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"
