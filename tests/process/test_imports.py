"""Imports that leave no trace, and those that are kept."""

import gc

import pytest

from verifier.process.imports import kept_imports


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
