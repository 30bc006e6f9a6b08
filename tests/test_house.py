"""The structure: each stage imports only stages before it, and the contents page is true."""

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import subprocess
import sys
import tomllib
import typing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sympy
import torch
from flint import arb

import verifier
from verifier.judging.verdict import Comparison, Verdicts

PACKAGE = Path(verifier.__file__).parent
STAGES = [
    "process_state", "isolation", "importing", "errors", "internalerrors", "names", "tonumpy",
    "dochead", "running", "deadline", "process", "floats", "outcome", "operations",
    "elementary", "special", "activations", "table", "program", "arithmetic", "expression",
    "mathml", "calls", "functions", "losses", "trace", "derive", "guard", "source", "extending",
    "tokens", "operators", "text", "spelling", "modeling", "loading", "gallery", "allowance",
    "witnesses", "judge", "arrays", "adjoints", "batches", "replay", "proof", "noise", "terms",
    "elements", "limits", "conditioning", "capture", "lowering", "aten", "lifting", "subject",
    "specification", "examination", "examine", "defaults", "checksettings", "checked",
    "nesting", "tensortext", "inputs", "arguments", "results", "modules", "binding", "trying",
    "locating", "target", "specified", "checks", "retyped", "blame", "domain", "critical",
    "sweep", "edgepoints", "edges", "simplicity", "simplify", "layout", "markdowntext",
    "rendering", "unfinished", "naming", "checkcomponents", "tally", "checktables",
    "checkfailures", "checkverdict", "tabular", "data", "optimizers", "runner", "formula",
    "diagnose", "thinning", "findings", "document", "checkdocument", "frame", "checkframe",
    "markdown", "vector", "page", "surface", "pictures", "checkpicture", "checkpage",
    "checkreport", "watcher", "sampling", "accounting", "checking", "readback", "tomltable",
    "config", "acceptance", "configcheck", "tables", "sketch", "webpage", "report", "training",
    "configreport", "configrun", "graph", "chains", "blackboard", "layers", "diagram",
    "explainpage", "explanation", "parting", "standing", "watching", "nodes", "explaining",
    "typed", "summary", "written", "script", "wording", "chalk", "handout", "teaching", "cases",
    "twins", "testing", "seeded", "scenes", "deeds", "blametrial", "trials", "trialtables",
    "blametable", "trialreport", "files", "collecting", "targettests", "plugin", "terminal",
    "reading", "tasks", "cli",
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
    path.write_text("def late():\n    from verifier.commands.cli import run\n    return run\n")
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


# Arrays have no truth value: a record that holds some is equal to itself alone.

ARRAYS = (torch.Tensor, np.ndarray, arb)
PLAIN = {
    "arrays.ArrayNode.payload": "a name, axes, or an array that is compared by its contents",
    "process.messages.Progress.done": "a number",
    "process.messages.Rendered.facts": "what JSON can say",
    "process.supervisor._Watched.watch": "who waits, of whom there is one",
    "process.task.Task.options": "what JSON can say",
    "program.Node.payload": "a name or a number",
    "configrun.ConfigRun.host": "where tasks are done",
    "aten.resampling._Axis.number": "a type",
    "page.Diagram.picture": "a picture, which holds no arrays",
    "page.Pictures.pictures": "pictures, which hold no arrays",
    "runner.Settings.optimizer": "a name or a class",
    "specification.Formula.reduction": "a function",
    "tomltable.Table.values": "what TOML can say",
    "tensortext._Rows.numbers": "numbers as they were read",
}
"""Fields whose annotation, Any or a protocol, allows arrays, and which never hold one."""
OUTSIDE = ("verifier.models", "verifier.__main__")
"""The gallery, whose files are read by path, and what runs when it is imported."""
NAMES = {"torch": torch, "Tensor": torch.Tensor, "sympy": sympy}
"""What stands in annotations and is imported for the type checker alone."""


def records_of_the_package() -> list[type]:
    """Its dataclasses and named tuples."""
    modules = [found.name for found in pkgutil.walk_packages(verifier.__path__, "verifier.")]
    modules = [name for name in modules if not name.startswith(OUTSIDE)]
    members = [value for name in modules for value in vars(importlib.import_module(name)).values()]
    classes = dict.fromkeys(value for value in members if inspect.isclass(value))
    return [known for known in classes if known.__module__ in modules and is_record(known)]


def is_record(known: type) -> bool:
    return dataclasses.is_dataclass(known) or hasattr(known, "_fields")


def compared(record: type) -> list[str]:
    """The fields that a comparison looks at."""
    if not dataclasses.is_dataclass(record):
        return list(record._fields)
    return [field.name for field in dataclasses.fields(record) if field.compare]


def holds_arrays(annotation: object, seen: frozenset[type] = frozenset(), field: str = "") -> bool:
    """Whether a value of that annotation may hold an array, by itself or in one of its fields."""
    origin = typing.get_origin(annotation)
    if origin is Callable or field in PLAIN or annotation in seen:
        return False
    if origin is not None:
        return any(holds_arrays(part, seen, field) for part in typing.get_args(annotation))
    if annotation is typing.Any or not inspect.isclass(annotation):
        return annotation is typing.Any
    if not is_record(annotation):
        return issubclass(annotation, ARRAYS) or getattr(annotation, "_is_protocol", False)
    hints, inside = typing.get_type_hints(annotation, localns=NAMES), seen | {annotation}
    fields = {name: field_of(annotation, name) for name in compared(annotation)}
    return any(holds_arrays(hints[name], inside, field) for name, field in fields.items())


def field_of(record: type, name: str) -> str:
    """A field's name behind those of its record and module."""
    return f"{record.__module__.removeprefix('verifier.')}.{record.__name__}.{name}"


def compares_arrays(record: type) -> bool:
    """Whether == on two such records may compare arrays."""
    if dataclasses.is_dataclass(record) and not record.__dataclass_params__.eq:
        return False
    return holds_arrays(record)


def test_no_record_compares_arrays():
    records = records_of_the_package()
    assert len(records) > 200
    assert list(filter(compares_arrays, records)) == []


class Pair(typing.NamedTuple):
    name: str
    array: np.ndarray


def test_a_record_that_compares_arrays_would_be_found():
    assert compares_arrays(Pair)
    assert compares_arrays(dataclasses.make_dataclass("Around", [("inside", list[Pair])]))
    made = dataclasses.make_dataclass
    arrays = tuple[np.ndarray, ...], dict[str, arb]
    for inside in (typing.Any, torch.Tensor, *arrays, Verdicts, Verdicts | None):
        assert compares_arrays(made("Plain", [("inside", inside)]))
        assert not compares_arrays(made("Same", [("inside", inside)], eq=False))
    for inside in (int, tuple[str, ...], Callable[[torch.Tensor], torch.Tensor], Comparison):
        assert not compares_arrays(made("Plain", [("inside", inside)]))


def test_what_is_said_to_hold_no_arrays_is_there():
    records = records_of_the_package()
    fields = {field_of(record, name) for record in records for name in compared(record)}
    assert set(PLAIN) <= fields
