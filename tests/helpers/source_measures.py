"""What the source of a package says about itself: types, names, docstrings.

`python -m tests.helpers.source_measures [PATH ...]` prints the numbers of the package, and of those
files and folders.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "verifier"
Function = ast.FunctionDef | ast.AsyncFunctionDef
EXAMPLE = re.compile(r"^\s*(>>> |    \$ |```)", re.MULTILINE)
ERRORS = re.compile(r"\b[Rr]aises?\b|\bInputError\b|\b\w+Error\b")


@dataclass(frozen=True)
class Definition:
    """A function or class, the module that it is in, and the class around it."""

    module: str
    owner: ast.ClassDef | None
    node: Function | ast.ClassDef

    @property
    def name(self) -> str:
        """The dotted name below the package."""
        inside = [self.owner.name] if self.owner else []
        return ".".join([self.module, *inside, self.node.name])

    @property
    def is_public(self) -> bool:
        """Whether neither it nor the class around it has an underscore in front."""
        names = [self.node.name, *([self.owner.name] if self.owner else [])]
        return not any(name.startswith("_") for name in names)

    @property
    def docstring(self) -> str:
        return ast.get_docstring(self.node) or ""

    @property
    def is_overload(self) -> bool:
        """Whether it only states one of several signatures."""
        names = {ast.unparse(decorator).split(".")[-1] for decorator in self.node.decorator_list}
        return bool(names & {"overload", "setter"})


def files_in(paths: Iterable[Path]) -> list[Path]:
    """Each Python file that is named, and those below each folder that is named."""
    found = [path.rglob("*.py") if path.is_dir() else [path] for path in paths]
    return sorted(file for files in found for file in files)


def definitions(files: Iterable[Path], package: Path = PACKAGE) -> list[Definition]:
    """The functions and classes of the modules, and the methods of the classes."""
    found = []
    for file in files:
        module = ".".join(file.relative_to(package).with_suffix("").parts)
        body = ast.parse(file.read_text(encoding="utf-8")).body
        found += [Definition(module, *pair) for pair in _defined(body, None)]
    return found


def _defined(
    body: list[ast.stmt], owner: ast.ClassDef | None
) -> Iterator[tuple[ast.ClassDef | None, Function | ast.ClassDef]]:
    for node in body:
        if isinstance(node, Function | ast.ClassDef):
            yield owner, node
        if isinstance(node, ast.ClassDef):
            yield from _defined(node.body, node)


def all_functions(files: Iterable[Path]) -> list[Function]:
    """Each function, those inside others too."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    return [node for tree in trees for node in ast.walk(tree) if isinstance(node, Function)]


def parameters(function: Function) -> list[ast.arg]:
    """All but `self` and `cls`."""
    arguments = function.args
    stars = [star for star in (arguments.vararg, arguments.kwarg) if star]
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *stars]
    return [argument for argument in named if argument.arg not in ("self", "cls")]


def names_any(annotation: ast.expr | None) -> bool:
    """Whether `Any` stands in an annotation, alone or inside."""
    return annotation is not None and any(
        isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(annotation)
    )


def is_any(annotation: ast.expr | None) -> bool:
    """Whether an annotation is `Any` and no more."""
    return isinstance(annotation, ast.Name) and annotation.id == "Any"


def shared_names(functions: Iterable[Definition]) -> dict[str, set[str]]:
    """The names that functions at the top of two modules or more have, and the modules.

    Methods are left out, since a protocol gives several classes the same one.
    """
    places = defaultdict(set)
    for function in functions:
        if function.owner is None and isinstance(function.node, Function):
            places[function.node.name].add(function.module)
    return {name: modules for name, modules in places.items() if len(modules) > 1}


def mentions_parameters(definition: Definition) -> bool:
    """Whether the docstring has a section on parameters, or names each of them in backticks."""
    text, node = definition.docstring, definition.node
    if isinstance(node, ast.ClassDef):
        return bool(text)
    names = [argument.arg for argument in parameters(node)]
    section = re.search(r"^\s*(Parameters|Args|Arguments):?$", text, re.MULTILINE)
    return bool(section) or all(re.search(rf"`\*{{0,2}}{name}`", text) for name in names)


def has_example(definition: Definition) -> bool:
    """Whether the docstring shows a call, or how a decorator is used."""
    return bool(EXAMPLE.search(definition.docstring))


def share(part: int, whole: int) -> str:
    return f"{part:5} of {whole:5}  {100 * part / max(whole, 1):5.1f} %"


def report(title: str, files: list[Path], everything: list[Definition]) -> str:
    """The numbers of some files, as lines of text; names are compared with those of all files."""
    functions = all_functions(files)
    arguments = [argument.annotation for each in functions for argument in parameters(each)]
    returns = [function.returns for function in functions]
    own = [found for found in definitions(files) if not found.is_overload]
    top = [found for found in own if found.owner is None and isinstance(found.node, Function)]
    shared = shared_names(everything)
    public = [found for found in own if found.is_public]
    called = [found for found in public if isinstance(found.node, Function)]
    documented = [found for found in called if found.docstring]
    taking = [found for found in documented if parameters(found.node)]
    lines = {
        "parameters that are Any": share(sum(map(is_any, arguments)), len(arguments)),
        "parameters with Any inside": share(sum(map(names_any, arguments)), len(arguments)),
        "returns that are Any": share(sum(map(is_any, returns)), len(returns)),
        "returns with Any inside": share(sum(map(names_any, returns)), len(returns)),
        "functions with the name of another": share(
            sum(found.node.name in shared for found in top), len(top)
        ),
        "public classes with a docstring": share(
            sum(bool(found.docstring) for found in public if found not in called),
            len(public) - len(called),
        ),
        "public functions with a docstring": share(len(documented), len(called)),
        "... that explains each parameter": share(
            sum(map(mentions_parameters, taking)), len(taking)
        ),
        "... that names an error": share(
            sum(bool(ERRORS.search(found.docstring)) for found in documented), len(documented)
        ),
        "... with an example": share(sum(map(has_example, documented)), len(documented)),
    }
    return "\n".join([title, *(f"  {name:36}{value}" for name, value in lines.items()), ""])


def main(paths: list[str]) -> None:
    everything = files_in([PACKAGE])
    known = definitions(everything)
    sys.stdout.write(report("the package", everything, known))
    for path in paths:
        sys.stdout.write(report(path, files_in([Path(path).resolve()]), known))
    if len(paths) > 1:
        files = files_in(Path(path).resolve() for path in paths)
        sys.stdout.write(report("all of these", files, known))


if __name__ == "__main__":
    main(sys.argv[1:])
