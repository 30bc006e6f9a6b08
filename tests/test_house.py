"""The structure: each stage imports only stages above it, nothing goes in circles, and the contents
page is true.
"""

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sympy
import torch
from flint import arb
from matplotlib.axes import Axes

import verifier
from tests.helpers.source_measures import (
    Definition,
    definitions,
    files_in,
    has_example,
    mentions_parameters,
)
from verifier.judging.verdict import Comparison, Verdicts

PACKAGE = Path(verifier.__file__).parent
ORDER = (
    ("errors",),
    ("process",),
    ("operations",),
    ("program",),
    ("formula",),
    ("capture",),
    ("judging",),
    ("training", "checking"),
    ("reporting",),
    ("explaining", "testing"),
    ("commands",),
)
"""The stages: each imports itself and those above it, and of two beside each other neither imports
the other.
"""
ALONE = {
    "functions": "formula",
    "losses": "formula",
    "witnesses": "judging",
    "earlier_names": "process",
}
"""Modules that lie in no package, for the sake of their names, and the stage that each
belongs to.
"""
MOST_ENTRIES = 15
MOST_IN_THE_PACKAGE = 18


def modules_in(package: Path) -> dict[str, Path]:
    """The modules below a package by their dotted names; a folder's `__init__` has the folder's
    name.
    """
    files = {
        path.relative_to(package.parent).with_suffix(""): path for path in package.rglob("*.py")
    }
    return {".".join(name.parts).removesuffix(".__init__"): path for name, path in files.items()}


def imports(modules: dict[str, Path], name: str) -> set[str]:
    """The modules that a module imports anywhere: in functions and for the type checker too."""
    found = set()
    for node in ast.walk(ast.parse(modules[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports by a relative name"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {full if full in modules else node.module for full in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {imported for imported in found if imported.partition(".")[0] == name.partition(".")[0]}


def loaded_with(modules: dict[str, Path], name: str) -> set[str]:
    """The modules that Python loads for a module's imports: those, and the packages that they lie
    in.
    """
    found = set()
    for imported in imports(modules, name):
        parts = imported.split(".")
        packages = {".".join(parts[:count]) for count in range(2, len(parts))}
        found |= {
            imported,
            *(package for package in packages if not f"{name}.".startswith(f"{package}.")),
        }
    return found - {name}


def stage(name: str) -> str:
    """The stage of a module; what imports the contents page imports everything."""
    first = name.split(".")[1] if "." in name else "commands"
    return ALONE.get(first, first)


def against_the_order(modules: dict[str, Path]) -> list[str]:
    """Each import of a stage that is not above the importer's own."""
    place = {name: number for number, names in enumerate(ORDER) for name in names}
    found = []
    for name in set(modules) - {"verifier", "verifier.__main__"}:
        for imported in imports(modules, name):
            own, other = stage(name), stage(imported)
            if own != other and place[other] >= place[own]:
                found.append(f"{name} imports {imported}")
    return sorted(found)


def circles(modules: dict[str, Path]) -> list[str]:
    """Modules that come back to themselves by what they import, and what that import them in
    turn.
    """
    left = {name: loaded_with(modules, name) & set(modules) for name in modules}
    while free := {name for name, needed in left.items() if not needed & set(left)}:
        left = {name: needed for name, needed in left.items() if name not in free}
    return sorted(left)


def crowded(package: Path) -> list[str]:
    """The folders with more entries than a reader takes in; what every package has is not
    counted.
    """
    found = []
    for folder in (
        package,
        *(path for path in package.rglob("*") if path.is_dir() and path.name != "__pycache__"),
    ):
        entries = {path.name for path in folder.iterdir()} - {
            "__init__.py",
            "py.typed",
            "__pycache__",
        }
        if len(entries) > (MOST_IN_THE_PACKAGE if folder == package else MOST_ENTRIES):
            found.append(f"{folder.relative_to(package.parent)} has {len(entries)} entries")
    return found


def test_every_module_has_a_stage():
    stages = {
        stage(name) for name in modules_in(PACKAGE) if name not in ("verifier", "verifier.__main__")
    }
    assert stages == {name for names in ORDER for name in names}


def test_every_folder_of_modules_is_a_package():
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_stages_import_only_those_above_them():
    assert against_the_order(modules_in(PACKAGE)) == []


def test_no_module_imports_itself_in_a_circle():
    assert circles(modules_in(PACKAGE)) == []


def test_no_folder_is_crowded():
    assert crowded(PACKAGE) == []


def package_of(folder: Path, files: dict[str, str]) -> Path:
    """A package of these files, and an `__init__` in each of its folders."""
    package = folder / "verifier"
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    for path in {path.parent for path in package.rglob("*.py")} | {package}:
        (path / "__init__.py").touch()
    return package


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("judging/report.py", "from verifier.reporting.page import Page\n"),
        ("judging/report.py", "from verifier.reporting import page\n"),
        ("judging/report.py", "import verifier.reporting.page\n"),
        (
            "judging/report.py",
            "def late():\n    from verifier.reporting.page import Page\n    return Page\n",
        ),
        ("judging/report.py", "if TYPE_CHECKING:\n    from verifier.reporting.page import Page\n"),
        ("judging/report.py", "import verifier\n"),
        ("training/report.py", "from verifier.checking.page import Page\n"),
        ("losses.py", "from verifier.capture.page import Page\n"),
    ],
)
def test_an_import_against_the_order_would_be_found(tmp_path, file, text):
    pages = {
        f"{name}/page.py": "class Page: ...\n"
        for name in ("reporting", "checking", "capture", "operations")
    }
    right = "from verifier.operations.page import Page\n"
    assert (
        against_the_order(modules_in(package_of(tmp_path / "right", {**pages, file: right}))) == []
    )
    (found,) = against_the_order(modules_in(package_of(tmp_path / "wrong", {**pages, file: text})))
    assert found.startswith(
        f"verifier.{file.removesuffix('.py').replace('/', '.')} imports verifier"
    )


def test_a_circle_would_be_found(tmp_path):
    straight = {
        "judging/a.py": "from verifier.judging.b import B\n",
        "judging/b.py": "",
        "judging/c.py": "",
    }
    assert circles(modules_in(package_of(tmp_path / "straight", straight))) == []
    late = {**straight, "judging/b.py": "def late():\n    from verifier.judging import c\n"}
    late["judging/c.py"] = "from verifier.judging.a import A\n"
    assert circles(modules_in(package_of(tmp_path / "late", late))) == [
        f"verifier.judging.{name}" for name in "abc"
    ]
    folder = {
        "judging/causes/__init__.py": "from verifier.judging.causes.one import One\n",
        "judging/causes/one.py": "from verifier.judging.verdict import Verdict\n",
        "judging/causes/other.py": "",
        "judging/verdict.py": "from verifier.judging.causes.other import Other\n",
    }
    found = circles(modules_in(package_of(tmp_path / "folder", folder)))
    assert found == [
        "verifier.judging.causes",
        "verifier.judging.causes.one",
        "verifier.judging.verdict",
    ]


def test_a_crowded_folder_would_be_found(tmp_path):
    full = {f"judging/{letter}.py": "" for letter in "abcdefghijklmno"}
    assert crowded(package_of(tmp_path / "full", full)) == []
    found = crowded(package_of(tmp_path / "crowded", {**full, "judging/causes/rule.py": ""}))
    assert found == [f"{Path('verifier', 'judging')} has 16 entries"]


def test_the_page_about_it_is_true():
    text = (PACKAGE.parent / "docs/architecture.md").read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:verifier|tests)/[\w/.]*)`", text))
    assert len(paths) > 30
    assert [path for path in sorted(paths) if not (PACKAGE.parent / path).exists()] == []
    picture = re.findall(r"^ {4,}(\w+)(?:  \|  (\w+))?  ", text, re.MULTILINE)
    assert tuple(tuple(filter(None, names)) for names in picture) == ORDER


def test_the_recipes_name_what_there_is():
    root = PACKAGE.parent
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = set(re.findall(r"`(?:pytest |python )?((?:verifier|tests|docs)/[\w/.]*)", text))
    assert len(paths) > 30
    assert [path for path in sorted(paths) if not (root / path).exists()] == []
    tests = "\n".join(
        path.read_text(encoding="utf-8") for path in (root / "tests").rglob("test_*.py")
    )
    names = set(re.findall(r"`(test_\w+)`", text))
    assert len(names) == 4
    assert [name for name in sorted(names) if f"\ndef {name}(" not in tests] == []


def test_contents():
    for name in verifier.__all__:
        assert getattr(verifier, name) is not None
    with pytest.raises(AttributeError, match="module 'verifier' has no attribute 'nothing'"):
        _ = verifier.nothing


def test_modules_by_their_name_alone():
    code = "import verifier; print(verifier.functions.exp, verifier.losses.huber)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


SYMBOLIC = (
    "verifier.operations",
    "verifier.program",
    "verifier.judging.verdict",
    "verifier.explaining.graph",
)
"""What states gradients without torch; operations name its functions and find them when they are
used.
"""


def test_the_symbolic_side_has_no_torch():
    modules = modules_in(PACKAGE)
    symbolic = [name for name in modules if name.startswith(SYMBOLIC)]
    assert len(symbolic) > 20
    found = [
        name for name in symbolic if "import torch" in modules[name].read_text(encoding="utf-8")
    ]
    assert found == [
        "verifier.program.codegen"
    ]  # which writes code for torch, and loads it to run that


# Arrays have no truth value: a record that holds some is equal to itself alone.

ARRAYS = (torch.Tensor, np.ndarray, arb)
PLAIN = {
    "process.workers.messages.Progress.done": "a number",
    "process.workers.messages.Rendered.facts": "what JSON can say",
    "process.workers.supervisor._MonitorInterruption.monitor": "who waits, of whom there is one",
    "process.workers.task.Task.options": "what JSON can say",
    "program.program.Node.payload": "a name, a number, axes, or an array compared by its contents",
    "commands.config.run.ConfigRun.host": "where tasks are done",
    "capture.aten.resampling._Axis.number": "a type",
    "reporting.html.page.Diagram.picture": "a picture, which holds no arrays",
    "reporting.html.page.Pictures.pictures": "pictures, which hold no arrays",
    "training.runner.Settings.optimizer": "a name or a class",
    "judging.reference.Formula.reduction": "a function",
    "commands.config.toml_table.Table.values": "what TOML can say",
}
"""Fields whose annotation, Any or a protocol, allows arrays, and which never hold one."""
OUTSIDE = ("verifier.models", "verifier.__main__")
"""The gallery, whose files are read by path, and what runs when it is imported."""
NAMES = {"torch": torch, "Tensor": torch.Tensor, "sympy": sympy, "Axes": Axes}
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


# What the package says of itself.

SPOKEN_OF = ("losses", "functions", "testing.mutations", "testing.equivalent_mutants")
"""Modules whose functions are in the pages about Python, beside those of `verifier.__all__`."""


def undocumented(known: list[Definition]) -> list[str]:
    """The public functions and classes that have no docstring; those of one name share one."""
    public = [found for found in known if found.is_public and not found.is_overload]
    return sorted(found.name for found in public if not found.docstring)


def unexplained(known: list[Definition]) -> list[str]:
    """The functions whose docstring leaves out a parameter, or has no example."""
    public = [found for found in known if found.is_public and found.owner is None]
    functions = [found for found in public if isinstance(found.node, ast.FunctionDef)]
    whole = [found for found in functions if mentions_parameters(found) and has_example(found)]
    return sorted({found.name for found in functions} - {found.name for found in whole})


def documented_functions() -> list[Definition]:
    """The definitions of what people use: those of `verifier.__all__`, and of some modules."""
    known = definitions(files_in([PACKAGE]))
    contents = {f"{module}.{name}" for name, module in verifier._CONTENTS.items()}
    return [
        found for found in known if found.name in contents or found.module.startswith(SPOKEN_OF)
    ]


def unnamed_parameters(known: list[Definition], names: set[str]) -> list[str]:
    """The functions among the names, and the methods of classes among them, whose docstring leaves
    out a parameter.
    """
    chosen = [found for found in known if {plain_name(found.name), owner_name(found)} & names]
    functions = [found for found in chosen if isinstance(found.node, ast.FunctionDef)]
    public = [found for found in functions if found.is_public and not found.is_overload]
    return sorted(found.name for found in public if not mentions_parameters(found))


def plain_name(name: str) -> str:
    """The dotted name under which something is imported."""
    return name.replace(".__init__.", ".")


def owner_name(found: Definition) -> str:
    return plain_name(found.name.rpartition(".")[0]) if found.owner else ""


def names_on_the_page(text: str) -> set[str]:
    """What the page about Python names, by its module."""
    named = re.findall(r"^::: verifier\.(\S+)$", text, re.MULTILINE)
    contents = verifier._CONTENTS
    return {f"{contents[name]}.{name}" if name in contents else name for name in named}


def names_for_other_stages(modules: dict[str, Path]) -> set[str]:
    """What is imported from a module by another stage."""
    found = set()
    for name, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            module = str(node.module) if isinstance(node, ast.ImportFrom) else ""
            if module.startswith("verifier.") and stage(name) != stage(module):
                found |= {f"{module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("verifier.") for name in found}


def test_public_functions_and_classes_have_docstrings():
    known = definitions(files_in([PACKAGE]))
    assert len(known) > 2000
    assert undocumented(known) == []


def test_functions_that_people_call_explain_their_parameters():
    found = documented_functions()
    assert len(found) > 60
    assert unexplained(found) == []


def test_functions_and_methods_on_the_page_name_their_parameters():
    names = names_on_the_page((PACKAGE.parent / "docs/api.md").read_text(encoding="utf-8"))
    assert len(names) > 30
    assert unnamed_parameters(definitions(files_in([PACKAGE])), names) == []


def test_functions_for_other_stages_name_their_parameters():
    names = names_for_other_stages(modules_in(PACKAGE))
    assert len(names) > 300
    functions = [found for found in definitions(files_in([PACKAGE])) if found.owner is None]
    assert unnamed_parameters(functions, names) == []


def test_a_parameter_that_is_not_named_would_be_found(tmp_path):
    files = {
        "judging/area.py": '''
def area(width, height):
    """`width` times `height`."""


class Shape:
    """A shape."""

    def scaled(self, factor):
        """Times `factor`."""
''',
        "checking/use.py": "from verifier.judging.area import area\n",
        "judging/own.py": "from verifier.judging.area import Shape\n",
    }
    package = package_of(tmp_path, files)
    names = names_for_other_stages(modules_in(package))
    assert names == {"judging.area.area"}
    page = names_on_the_page("::: verifier.judging.area.area\n\n::: verifier.judging.area.Shape\n")
    known = definitions(files_in([package]), package)
    assert unnamed_parameters(known, names | page) == []
    for part, found in (
        ("`height`", "judging.area.area"),
        ("`factor`", "judging.area.Shape.scaled"),
    ):
        area = files["judging/area.py"].replace(part, "it")
        package = package_of(tmp_path, {"judging/area.py": area})
        assert unnamed_parameters(definitions(files_in([package]), package), page) == [found]


def test_a_function_without_a_docstring_would_be_found(tmp_path):
    text = '''
def area(width, height):
    """The area of a rectangle: `width` times `height`, in square metres.

    >>> area(2, 3)
    6
    """
    return width * height


class Shape:
    """A shape."""

    def area(self):
        """In square metres."""

    def _hidden(self): ...
'''
    package = package_of(tmp_path, {"judging/area.py": text})
    known = definitions(files_in([package]), package)
    assert undocumented(known) == [] and unexplained(known) == []
    for part, missing in (
        ('"""In square metres."""', "judging.area.Shape.area"),
        ('"""A shape."""', "judging.area.Shape"),
    ):
        package = package_of(tmp_path, {"judging/area.py": text.replace(part, "pass")})
        assert undocumented(definitions(files_in([package]), package)) == [missing]
    for part in ("`height`", ">>> "):
        package = package_of(tmp_path, {"judging/area.py": text.replace(part, "")})
        assert unexplained(definitions(files_in([package]), package)) == ["judging.area.area"]
