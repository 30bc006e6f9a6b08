"""Samples of sweeps: every value is among them, and they are always the same."""

import pytest

FILE = """
import pytest

@pytest.mark.sweep("letter")
@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("letter", "abc")
def test_each_letter(letter, number): ...

@pytest.mark.sweep("letter", "number")
@pytest.mark.parametrize("more", range(6))
@pytest.mark.parametrize(("letter", "number"), [("a", 1), ("b", 2)])
def test_each_pair(letter, number, more): ...

@pytest.mark.sweep(one_in=4)
@pytest.mark.parametrize("number", range(10))
def test_a_quarter(number): ...

@pytest.mark.sweep("letter", one_in=3)
@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("letter", "ab")
def test_a_third_of_each(letter, number): ...

@pytest.mark.slow
@pytest.mark.sweep(one_in=2)
@pytest.mark.parametrize("number", range(4))
def test_at_night(number): ...

def test_plain(): ...
"""
HOOKS = """
import pytest
from tests.helpers.sweeps import mark_the_rest

@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    mark_the_rest(items)
"""
MARKS = "[pytest]\naddopts = -m 'not slow'\nmarkers =\n  slow: x\n  sweep: x\n"


class Collected:
    """Which tests pytest is left with."""

    def pytest_collection_finish(self, session):
        self.names = [item.name for item in session.items]


def kept(folder, *options):
    (folder / "test_it.py").write_text(FILE)
    (folder / "conftest.py").write_text(HOOKS)
    (folder / "pytest.ini").write_text(MARKS)
    collected = Collected()
    arguments = [str(folder), "-q", "--collect-only", "--import-mode=importlib"]
    code = pytest.main([*arguments, f"--rootdir={folder}", *options], plugins=[collected])
    assert code == 0
    return collected.names


def values(names, test):
    return [name[len(test) + 1 : -1] for name in names if name.startswith(f"{test}[")]


@pytest.mark.usefixtures("capfd")
def test_a_sample_has_a_case_of_each_value(tmp_path):
    names = kept(tmp_path)
    assert [value[0] for value in values(names, "test_each_letter")] == ["a", "b", "c"]
    assert [value[:3] for value in values(names, "test_each_pair")] == ["a-1", "b-2"]
    assert len(values(names, "test_a_quarter")) == 3
    assert [value[0] for value in values(names, "test_a_third_of_each")] == ["a", "a", "b", "b"]
    assert values(names, "test_at_night") == []
    assert "test_plain" in names
    assert kept(tmp_path) == names


@pytest.mark.usefixtures("capfd")
def test_everything_is_there_when_it_is_asked_for(tmp_path):
    assert len(kept(tmp_path, "-m", "")) == 18 + 12 + 10 + 12 + 4 + 1
