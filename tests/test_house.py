"""The structure: each stage imports only stages before it, and the contents page is true."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import verifier

PACKAGE = Path(verifier.__file__).parent
STAGES = [
    "process_state", "isolation", "importing",
    "errors", "names", "floats", "operations", "elementary", "special", "activations", "table", "program",
    "arithmetic", "expression", "mathml", "calls", "functions", "losses", "trace", "derive", "guard", "source",
    "extending", "tokens", "operators", "text", "spelling", "modeling", "loading", "gallery", "allowance",
    "witnesses", "judge", "arrays", "adjoints", "replay", "proof", "noise", "terms", "running", "limits",
    "conditioning", "capture", "lowering", "aten", "lifting", "subject", "specification", "examination", "examine",
    "defaults", "checked", "nesting", "tensortext", "inputs", "arguments", "results", "modules", "binding", "trying",
    "locating", "target", "specified", "checks", "retyped", "blame", "domain", "critical", "sweep", "edgepoints",
    "edges", "simplicity", "simplify", "layout", "naming", "checkcomponents", "tally", "checktables", "checkfailures",
    "checkverdict", "tabular", "data", "optimizers", "runner", "formula", "diagnose", "thinning", "findings",
    "document", "checkdocument", "frame", "checkframe", "markdown", "vector", "page", "surface", "pictures",
    "checkpicture", "checkpage", "checkreport", "sampling", "accounting", "checking", "readback", "tomltable",
    "config", "acceptance", "tables", "sketch", "webpage", "report", "training", "configreport", "configrun", "graph",
    "chains", "blackboard", "layers", "diagram", "explainpage", "explanation", "parting", "standing", "watching",
    "nodes", "explaining", "typed", "summary", "written", "script", "wording", "chalk", "handout", "teaching",
    "cases", "twins", "testing", "seeded", "scenes", "deeds", "blametrial", "trials", "trialtables", "blametable",
    "trialreport", "files", "collecting", "targettests", "plugin", "terminal", "reading", "cli",
]  # fmt: skip


def files_of(stage: str) -> list[Path]:
    """A stage is a module, or a folder of modules of one kind."""
    folder = PACKAGE / stage
    return sorted(folder.glob("*.py")) if folder.is_dir() else [PACKAGE / f"{stage}.py"]


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "verifier":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("verifier."):
            names.add(node.module.split(".")[1])
    return names & set(STAGES)


def test_every_module_is_a_stage():
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert modules | folders == set(STAGES)


def test_every_folder_is_in_the_wheel():
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {f"verifier.{path.parent.name}" for path in PACKAGE.glob("*/__init__.py")}
    assert set(project["tool"]["setuptools"]["packages"]) == {"verifier", "verifier.models", *folders}


def test_stages_import_only_earlier_stages():
    for place, stage in enumerate(STAGES):
        for path in files_of(stage):
            later = imported(path) - set(STAGES[:place])
            assert not later - {stage}, f"{path.name} imports {later}"


def test_a_later_import_would_be_found(tmp_path):
    path = tmp_path / "errors.py"
    path.write_text("def late():\n    from verifier.cli import run\n    return run\n")
    assert imported(path) == {"cli"}


def test_contents():
    for name in verifier.__all__:
        assert getattr(verifier, name) is not None
    with pytest.raises(AttributeError, match="module 'verifier' has no attribute 'nothing'"):
        _ = verifier.nothing


def test_modules_by_their_name_alone():
    code = "import verifier; print(verifier.functions.exp, verifier.losses.huber)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_symbolic_side_has_no_torch():
    for stage in ("operations", "program", "arithmetic", "expression", "derive", "graph", "allowance", "judge"):
        assert "import torch" not in (PACKAGE / f"{stage}.py").read_text(encoding="utf-8")
