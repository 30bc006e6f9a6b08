"""Imports that leave no trace, and those that are kept."""

import gc
import random
import sys
import warnings

import pytest

from verifier.process.imports import kept_imports, quiet_imports


def test_what_is_kept_is_not_looked_at_again():
    before = gc.get_freeze_count()
    with kept_imports():
        assert not gc.isenabled()
        made = [[number] for number in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(made)
    gc.unfreeze()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with kept_imports():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()


def test_an_import_that_fails_leaves_the_collector_on():
    with pytest.raises(ModuleNotFoundError), kept_imports():
        import no_such_module  # noqa: F401
    assert gc.isenabled()
    gc.unfreeze()


def test_without_torch_the_state_of_python_is_kept_too(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")
    drawn, filters = random.getstate(), list(warnings.filters)
    with quiet_imports():
        random.random()  # noqa: S311 (nothing secret)
        warnings.simplefilter("error")
    assert (random.getstate(), warnings.filters) == (drawn, filters)
