"""Marked functions: those of a module, as cases of a test that is marked with `gradients`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from types import ModuleType

import pytest

from verifier.process.values import UserValue

MARK = "gradients"


def parametrise(metafunc: pytest.Metafunc) -> None:
    """Give a marked test a case for each public function of the module that the mark names.

    The test takes `function`, and `inputs` if it likes: those of the mark that are arguments of the
    function. Raises pytest.UsageError for a mark without a module.
    """
    mark = metafunc.definition.get_closest_marker(MARK)
    if mark is None:
        return
    module = import_module(mark.args[0]) if mark.args and isinstance(mark.args[0], str) else None
    module = module or (mark.args[0] if mark.args else None)
    if not isinstance(module, ModuleType) or len(mark.args) != 1:
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid}: pytest.mark.{MARK} takes one module, or its name, and "
            f"inputs by name, as in pytest.mark.{MARK}(losses, p=between(0, 1, shape=(8,)))"
        )
    found = dict(public_functions(module))
    if "inputs" in metafunc.fixturenames:
        cases = [(function, _inputs_of(function, mark.kwargs)) for function in found.values()]
        metafunc.parametrize(("function", "inputs"), cases, ids=list(found))
    else:
        metafunc.parametrize("function", list(found.values()), ids=list(found))


def public_functions(module: ModuleType) -> Iterator[tuple[str, Callable[..., UserValue]]]:
    """The functions and the classes of `autograd.Function` that are written in the module, but for
    those whose name begins with an underscore.
    """
    for name, value in vars(module).items():
        is_own = getattr(value, "__module__", None) == module.__name__
        if is_own and not name.startswith("_") and (inspect.isfunction(value) or _is_rule(value)):
            yield name, value


def _is_rule(value: UserValue) -> bool:
    """Whether it is a class of `autograd.Function`, which there is only where torch is loaded."""
    torch = sys.modules.get("torch")
    return (
        torch is not None and isinstance(value, type) and issubclass(value, torch.autograd.Function)
    )


def _inputs_of(
    function: Callable[..., UserValue], inputs: Mapping[str, UserValue]
) -> dict[str, UserValue]:
    names = inspect.signature(getattr(function, "forward", function)).parameters
    return {name: value for name, value in inputs.items() if name in names}
