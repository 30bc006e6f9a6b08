"""Importing: verifier loads what it needs without leaving traces in the process that loads it.

Libraries draw from Python's `random` and add to the warnings filters while they are loaded. This
module loads nothing itself, so that `import verifier` stays cheap.
"""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from types import ModuleType


def import_quietly(name: str) -> ModuleType:
    """The module of the dotted `name`, loaded without leaving traces.

    Raises whatever loading it raises, such as ModuleNotFoundError.

    >>> import_quietly("json").__name__
    'json'
    """
    known = sys.modules.get(name)
    if known is not None:
        return known
    with quiet_imports():
        return import_module(name)


@contextmanager
def kept_imports() -> Iterator[None]:
    """A block whose imports are kept to the end of the process.

    Python does not look for garbage among what they make, which takes a fifth of the time in which
    torch and SymPy are loaded.

    >>> with kept_imports():
    ...     import json
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@contextmanager
def quiet_imports() -> Iterator[None]:
    """A block whose imports leave no trace.

    What is loaded in it leaves `random` and the warnings filters as they were. Neither its warnings
    nor the floating-point errors that NumPy meets are errors to it. Where torch is loaded already,
    the block runs in the state of a library call.

    >>> import random
    >>> with quiet_imports():
    ...     drawn = random.random()
    >>> random.random() == drawn
    True
    """
    with ExitStack() as guards:
        guards.enter_context(_python_state_kept())
        if "numpy" in sys.modules:
            guards.enter_context(import_module("numpy").errstate(all="ignore"))
        if "torch" in sys.modules:
            from verifier.process.isolation import library_call

            guards.enter_context(library_call())
        yield


@contextmanager
def _python_state_kept() -> Iterator[None]:
    # Where `random` has not been loaded, nobody has seeded it.
    random = sys.modules.get("random")
    state = random.getstate() if random is not None else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if random is not None:
            random.setstate(state)
