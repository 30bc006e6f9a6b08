"""An older torch is refused in one sentence, by the library and by the command line."""

import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import verifier
from verifier.commands.cli import run
from verifier.errors import InputError
from verifier.process.torch_version import OLDEST, require_torch, torch_version

ROOT = Path(__file__).parents[2]
PAGES = {
    "CONTRIBUTING.md": f"torch {OLDEST} is the oldest",
    "README.md": f"torch {OLDEST} or later",
}


@pytest.fixture(name="installed")
def another_torch(monkeypatch):
    """A function that puts a version in the place of torch's."""

    def install(version):
        other = ModuleType("torch")
        if version is not None:
            other.__version__ = version
        monkeypatch.setitem(sys.modules, "torch", other)

    return install


@pytest.mark.parametrize("version", ["2.7.1+cpu", "2.4.0", "1.13.1", "2.0.0a0+git1234"])
def test_an_older_torch_is_refused(version, installed, capsys):
    installed(version)
    with pytest.raises(InputError) as refused:
        verifier.check  # noqa: B018 (the contents page loads what it names)
    sentence = (
        f"verifier needs torch {OLDEST} or later, and torch {version} is installed: "
        f"pip install 'torch>={OLDEST}'"
    )
    assert str(refused.value) == sentence
    assert run(["train", "linear"]) == 2
    assert capsys.readouterr() == ("", f"verifier: {sentence}\n")


@pytest.mark.parametrize("version", ["2.8.0", "2.10.0a0", "3.0.0", "unknown", None])
def test_others_are_taken(version, installed):
    installed(version)
    require_torch()


def test_the_version_is_read_without_loading_torch(monkeypatch):
    known = torch_version()
    monkeypatch.delitem(sys.modules, "torch")
    assert torch_version() == known
    assert "torch" not in sys.modules


def test_without_torch_there_is_no_version(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr("verifier.process.torch_version.find_spec", lambda name: None)
    assert torch_version() == ""
    require_torch()


def test_every_place_names_the_same_oldest_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"torch>={OLDEST}" in project["dependencies"]
    for page, sentence in PAGES.items():
        assert sentence in (ROOT / page).read_text(encoding="utf-8")
