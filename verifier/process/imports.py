"""Importing: verifier loads what it needs without leaving traces in the process that loads it.

Libraries draw from Python's `random` and add to the warnings filters while they are loaded. This
module loads nothing itself, so that `import verifier` stays cheap.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from types import ModuleType


def imported(name: str) -> ModuleType:
    """The module of that name, loaded without leaving traces.

    >>> imported("json").__name__
    'json'
    """
    known = sys.modules.get(name)
    if known is not None:
        return known
    with traceless():
        return import_module(name)


@contextmanager
def traceless() -> Iterator[None]:
    """What is loaded meanwhile leaves `random` and the warnings filters as they were, and neither
    its warnings nor what NumPy comes across is an error to it. Where torch is there already, it is
    loaded as in a library call.

    >>> import random
    >>> with traceless():
    ...     drawn = random.random()
    >>> random.random() == drawn
    True
    """
    with ExitStack() as guards:
        guards.enter_context(_python())
        if "numpy" in sys.modules:
            guards.enter_context(import_module("numpy").errstate(all="ignore"))
        if "torch" in sys.modules:
            from verifier.process.isolation import library_call

            guards.enter_context(library_call())
        yield


@contextmanager
def _python() -> Iterator[None]:
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
