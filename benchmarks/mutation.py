"""Do the tests find faults? Faults are planted in the package, one at a time, and the tests that
reach each of them are run.

`python benchmarks/mutation.py [faults [tests]]` prints how many `make test` finds, by stage, and
names those that it does not find, with the reason where `mutation_notes.json` gives one.
`--nightly` tries these with the tests of `make nightly` too. `--folder F` keeps what is measured,
and goes on from there. A fault is a small change inside a function: a comparison, a number, an
operator, a condition, what is returned, a call left out.

All faults stand in one copy of the package that is made while it is imported: `a < b` becomes
`(a <= b if _fault(7) else a < b)`. So a first run of all tests without any fault says which test
reaches which fault, and a second one loads everything once, and makes a copy of its process for
each fault. What tests start in processes of its own gets the fault by the environment.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "verifier"
PROCESSES = 2
SECONDS = 30.0
"""How long the tests for one fault take without it; what is left over is not run."""
PATIENCE = 4.0
"""So many times as long, and a minute more: a test that takes longer has found the fault."""
FAULTS = 200
SEED = 0
NOTES = Path(__file__).with_name("mutation_notes.json")
"""Why some faults need no test."""
WORKPLACE, ACTIVE = "VERIFIER_FAULTS", "VERIFIER_FAULT"
"""The environment says where the list of faults is, and which of them is there."""


# What can be changed, and into what.

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
TEXTS = 5
"""Of the texts one in so many is changed: there are more of them than of all else."""


def _changed(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What a node may become, and what kind of change that is."""
    if isinstance(node, ast.stmt):
        yield from _other_statement(node)
    elif isinstance(node, ast.Compare | ast.BinOp | ast.BoolOp | ast.UnaryOp):
        yield from _other_operator(node)
    elif isinstance(node, ast.Constant):
        yield from _other_constant(node)
    elif isinstance(node, ast.IfExp):
        yield "condition", _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in CALLS
        and not (node.func.id == "sorted" and node.keywords)
    ):
        yield "function", _with(node, func=ast.Name(CALLS[node.func.id], ast.Load()))


def _other_statement(node: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.If):
        yield "condition", _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield "return", ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield "call left out", ast.Pass()


def _other_operator(
    node: ast.Compare | ast.BinOp | ast.BoolOp | ast.UnaryOp,
) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        yield "comparison", _with(node, ops=[COMPARISONS[type(node.ops[0])]()])
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        yield "operator", _with(node, op=OPERATORS[type(node.op)]())
    elif isinstance(node, ast.BoolOp):
        yield "and, or", _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield "not, minus", deepcopy(node.operand)


def _other_constant(node: ast.Constant) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node.value, bool):
        yield "constant", ast.Constant(not node.value)
    elif isinstance(node.value, int | float):
        yield "constant", ast.Constant(node.value + 1)
    elif isinstance(node.value, str) and node.value:
        yield "text", ast.Constant(node.value + "!")


def _with(node: ast.AST, **changes: Any) -> ast.AST:
    """A copy of a node, with other parts."""
    other = deepcopy(node)
    for name, value in changes.items():
        setattr(other, name, deepcopy(value))
    return other


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


@dataclass(frozen=True)
class Fault:
    """A change at a place. Places are counted in the order in which the tree is walked."""

    path: str
    place: int
    line: int
    kind: str
    code: str


def faults(count: int) -> list[Fault]:
    """So many of all possible ones, by chance but always the same; a larger number adds to them."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        for place, node in enumerate(_places(ast.parse(text))):
            for kind, _ in _changed(node):
                name = path.relative_to(ROOT).as_posix()
                code = lines[node.lineno - 1].strip()
                found.append(Fault(name, place, node.lineno, kind, code))
    chance = random.Random(SEED)  # noqa: S311 (nothing secret)
    found = [fault for fault in found if fault.kind != "text" or not chance.randrange(TEXTS)]
    chance.shuffle(found)
    return found[:count]


def _places(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes inside functions that are worked out when the function is called."""

    def inside(node: ast.AST, called: bool) -> Iterator[ast.AST]:
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            parts = value if isinstance(value, list) else [value]
            for part in parts:
                if not isinstance(part, ast.AST) or isinstance(part, ast.JoinedStr | ast.pattern):
                    continue
                if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant):
                    continue
                if isinstance(part, ast.keyword) and part.arg == "strict":
                    continue
                within = called or (
                    name == "body" and isinstance(node, ast.FunctionDef | ast.Lambda)
                )
                if within:
                    yield part
                yield from inside(part, within)

    yield from inside(tree, False)


class _Planter(ast.NodeTransformer):
    """Puts a switch around each of the chosen nodes."""

    def __init__(self, chosen: dict[int, int]) -> None:
        self._chosen = chosen
        """By the identity of a node, the number of its fault."""

    def visit(self, node: ast.AST) -> ast.AST:
        number = self._chosen.get(id(node))
        if number is None:
            return super().generic_visit(node)
        ((_, other),) = _changed(node)
        whole = super().generic_visit(node)
        asked = ast.Call(ast.Name("_fault", ast.Load()), [ast.Constant(number)], [])
        switch: ast.AST
        if isinstance(whole, ast.stmt):
            switch = ast.If(asked, [other], [whole])
        else:
            switch = ast.IfExp(asked, other, whole)
        return ast.copy_location(switch, node)


def planted(text: str, path: str, numbers: dict[int, int]) -> Any:
    """The code of a module with switches at these places, each with the number of its fault."""
    tree = ast.parse(text)
    chosen = {
        id(node): numbers[place] for place, node in enumerate(_places(tree)) if place in numbers
    }
    tree = ast.fix_missing_locations(_Planter(chosen).visit(tree))
    return compile(tree, path, "exec", dont_inherit=True)


# In every process of the tests: the package with its switches.


class _Loader(SourceFileLoader):
    numbers: dict[int, int]

    def path_stats(self, path: str) -> Any:
        raise OSError("what is compiled is neither kept nor used")

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> Any:
        return planted(bytes(data).decode("utf-8"), path, self.numbers)


class _Finder:
    def __init__(self, chosen: Sequence[Fault]) -> None:
        self._numbers: dict[str, dict[int, int]] = defaultdict(dict)
        for number, fault in enumerate(chosen):
            self._numbers[str(ROOT / fault.path)][fault.place] = number

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name.partition(".")[0] != "verifier":
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin in self._numbers:
            loader = _Loader(name, spec.origin)
            loader.numbers = self._numbers[spec.origin]
            spec.loader = loader
        return spec


class _Switch:
    """Says whether a fault is there; where none is, it writes down which are reached by which
    test.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._active = int(os.environ.get(ACTIVE, -1))
        self._seen: set[tuple[str | None, int]] = set()
        self.is_recording = ACTIVE not in os.environ

    def become(self, number: int) -> None:
        self._active = number
        os.environ[ACTIVE] = str(number)

    def __call__(self, number: int) -> bool:
        if self.is_recording:
            self._reached(number)
        return number == self._active

    def _reached(self, number: int) -> None:
        test = os.environ.get("PYTEST_CURRENT_TEST")
        if (test, number) in self._seen or test is None:
            return
        self._seen.add((test, number))
        _append(self._folder / "reached", {"fault": number, "test": test.rpartition(" (")[0]})


def _append(path: Path, line: dict[str, Any]) -> None:
    """Add a line of JSON. By the system alone, since a test may have replaced Python's `open`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, (json.dumps(line) + "\n").encode())
    os.close(descriptor)


def install() -> None:
    """In a process of the tests, before anything of the package is imported."""
    folder = Path(os.environ[WORKPLACE])
    listed = json.loads((folder / "faults.json").read_text(encoding="utf-8"))
    builtins._fault = _Switch(folder)  # type: ignore[attr-defined]
    sys.meta_path.insert(0, _Finder([Fault(**fault) for fault in listed]))  # type: ignore[arg-type]


def first() -> None:
    """Before pytest's own, which takes all of a package that is a plugin."""
    sys.meta_path.sort(key=lambda finder: not isinstance(finder, _Finder))


# As a plugin of pytest: the times of the tests, and a copy of the process for each fault.


def pytest_runtest_logreport(report: Any) -> None:
    place = os.environ.get(WORKPLACE)
    if place is None or "PYTEST_XDIST_WORKER" in os.environ or ACTIVE in os.environ:
        return
    line = {"test": report.nodeid, "seconds": report.duration, "outcome": report.outcome}
    _append(Path(place) / "times", line)


def pytest_runtestloop(session: Any) -> bool | None:
    if ACTIVE not in os.environ:
        return None
    folder = Path(os.environ[WORKPLACE])
    plan = json.loads(Path(os.environ["VERIFIER_FAULTS_PLAN"]).read_text(encoding="utf-8"))
    items = {item.nodeid: item for item in session.items}
    for trial in plan:
        chosen = [items[name] for name in trial["tests"] if name in items]
        start = time.monotonic()
        ended = _tried(trial["fault"], chosen, trial["seconds"] * PATIENCE + 60, session)
        line = {"fault": trial["fault"], "ended": ended, "seconds": time.monotonic() - start}
        _append(folder / trial["results"], line)
    return True


def _tried(number: int, items: Sequence[Any], seconds: float, session: Any) -> str:
    """Which test finds the fault, "out of time", or nothing."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        os.setsid()
        builtins._fault.become(number)  # type: ignore[attr-defined]
        found = ""
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                found = item.nodeid
                break
        os.write(writing, b"." + found.encode())
        os._exit(0)
    os.close(writing)
    end = time.monotonic() + seconds
    while os.waitpid(process, os.WNOHANG)[0] == 0:
        if time.monotonic() > end:
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
            os.close(reading)
            return "out of time"
        time.sleep(0.02)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read1().decode()
    return said[1:] if said else "the process died"


# The command.


def _environment(folder: Path, **more: str) -> dict[str, str]:
    (folder / "sitecustomize.py").write_text(
        f"import sys\nsys.path.append({str(ROOT / 'benchmarks')!r})\n"
        "import mutation\nmutation.install()\n",
        encoding="utf-8",
    )
    hooks = "from mutation import first, pytest_runtest_logreport, pytest_runtestloop\nfirst()\n"
    (folder / "planted.py").write_text(hooks, encoding="utf-8")
    return {
        **os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
        WORKPLACE: str(folder), "OMP_NUM_THREADS": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "examples"), **more,
    }  # fmt: skip


PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "planted"]


def _recorded(folder: Path, options: Sequence[str]) -> None:
    """Run the tests without any fault."""
    done = subprocess.run(
        [*PYTEST, "-n", str(PROCESSES), *options],
        cwd=ROOT, env=_environment(folder), capture_output=True, text=True,
    )  # fmt: skip
    (folder / "output").write_text(done.stdout + done.stderr, encoding="utf-8")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


@dataclass(frozen=True)
class Map:
    """What a run without faults says."""

    seconds: dict[str, float]
    """Of each test that passed."""
    reaching: dict[int, list[str]]
    """By fault the tests that reach it, the fastest first, of another file each in turn."""


def _map(folder: Path) -> Map:
    seconds: dict[str, float] = defaultdict(float)
    bad = set()
    for line in _lines(folder / "times"):
        seconds[line["test"]] += line["seconds"]
        if line["outcome"] != "passed":
            bad.add(line["test"])
    passed = {test: took for test, took in seconds.items() if test not in bad}
    reaching = defaultdict(set)
    for line in _lines(folder / "reached"):
        if line["test"] in passed:
            reaching[line["fault"]].add(line["test"])
    return Map(passed, {fault: _in_turn(tests, passed) for fault, tests in reaching.items()})


def _in_turn(tests: set[str], seconds: dict[str, float]) -> list[str]:
    order = sorted(tests, key=lambda test: (seconds[test], test))
    turn: Counter[str] = Counter()
    keys = {}
    for test in order:
        file = test.partition("::")[0]
        keys[test] = (turn[file], seconds[test])
        turn[file] += 1
    return sorted(order, key=keys.__getitem__)


def _affordable(tests: Sequence[str], seconds: dict[str, float]) -> list[str]:
    """As many of the tests as fit into the time, at least one."""
    chosen, spent = [], 0.0
    for test in tests:
        if not chosen or spent + seconds[test] <= SECONDS:
            chosen.append(test)
            spent += seconds[test]
    return chosen


def _trials(folder: Path, known: Map, wanted: dict[int, list[str]], results: str) -> dict[int, str]:
    """Which test finds each fault, among those wanted for it. A fault that an earlier run has tried
    is not tried again.
    """
    done = {line["fault"] for line in _lines(folder / results)}
    parts: list[list[dict[str, Any]]] = [[] for _ in range(PROCESSES)]
    for fault, tests in sorted(wanted.items()):
        if fault not in done:
            min(parts, key=len).append(_trial(fault, _affordable(tests, known.seconds), known))
    running = []
    for place, part in enumerate(parts):
        plan = folder / f"plan-{results}-{place}.json"
        plan.write_text(json.dumps([{**trial, "results": results} for trial in part]), "utf-8")
        environment = _environment(folder, VERIFIER_FAULTS_PLAN=str(plan), **{ACTIVE: "-1"})
        with (folder / f"output-{results}-{place}").open("w") as output:
            running.append(
                subprocess.Popen([*PYTEST, "-m", ""], cwd=ROOT, env=environment, stdout=output)
            )
    for process in running:
        process.wait()
    return {line["fault"]: line["ended"] for line in _lines(folder / results)}


def _trial(fault: int, tests: Sequence[str], known: Map) -> dict[str, Any]:
    return {
        "fault": fault, "tests": tests, "seconds": sum(known.seconds[test] for test in tests),
    }  # fmt: skip


def _known(folder: Path, mark: str, paths: Sequence[str]) -> Map:
    """What the tests with this mark reach; measured once in a folder."""
    here = folder / mark.replace(" ", "-")
    if not (here / "times").exists():
        here.mkdir(exist_ok=True)
        (here / "faults.json").write_text((folder / "faults.json").read_text("utf-8"), "utf-8")
        _recorded(here, ["-m", mark, *paths])
    return _map(here)


@dataclass(frozen=True)
class Measured:
    """Which test finds each fault, and which faults are reached by any."""

    chosen: Sequence[Fault]
    reached: set[int]
    quick: dict[int, str]
    nightly: dict[int, str]

    def found(self, number: int) -> bool:
        return bool(self.quick.get(number) or self.nightly.get(number))


def measured(options: argparse.Namespace, folder: Path) -> Measured:
    chosen = faults(options.faults)
    (folder / "faults.json").write_text(json.dumps([fault.__dict__ for fault in chosen]), "utf-8")
    known = _known(folder, "not slow", options.tests)
    quick = _trials(folder, known, known.reaching, "by-test")
    if not options.nightly:
        return Measured(chosen, set(known.reaching), quick, {})
    slow = _known(folder, "slow", options.tests)
    rest = {fault: tests for fault, tests in slow.reaching.items() if not quick.get(fault)}
    more = _trials(folder, slow, rest, "by-nightly")
    return Measured(chosen, {*known.reaching, *slow.reaching}, quick, more)


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", type=int, nargs="?", default=FAULTS)
    parser.add_argument("tests", nargs="*")
    parser.add_argument("--nightly", action="store_true")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        folder = options.folder or Path(place)
        folder.mkdir(exist_ok=True)
        report(measured(options, folder.resolve()))


# What is printed.


def report(all_of_them: Measured) -> None:
    notes = json.loads(NOTES.read_text(encoding="utf-8"))
    for group in (_stage, lambda fault: fault.kind):
        _table(all_of_them, group)
    _listed("found by make nightly alone", all_of_them, all_of_them.nightly.get, {})
    reasons = {(each["path"], each["kind"], each["code"]): each["reason"] for each in notes["kept"]}
    _listed("not found", all_of_them, lambda number: not all_of_them.found(number), reasons)


def _stage(fault: Fault) -> str:
    parts = fault.path.split("/")
    return parts[1] if len(parts) > 2 else "verifier"


def _table(all_of_them: Measured, group: Callable[[Fault], str]) -> None:
    groups: dict[str, list[int]] = defaultdict(list)
    for number, fault in enumerate(all_of_them.chosen):
        groups[group(fault)].append(number)
    print(f"{'':>16} {'faults':>7} {'reached':>8} {'make test':>10} {'make nightly':>13}")
    for name, numbers in [*sorted(groups.items()), ("all", range(len(all_of_them.chosen)))]:
        reached = sum(number in all_of_them.reached for number in numbers)
        quick = sum(bool(all_of_them.quick.get(number)) for number in numbers)
        whole = sum(map(all_of_them.found, numbers)) if all_of_them.nightly else "-"
        print(f"{name:>16} {len(numbers):>7} {reached:>8} {quick:>10} {whole:>13}")
    print()


def _listed(
    what: str,
    all_of_them: Measured,
    holds: Callable[[int], object],
    reasons: dict[tuple[str, str, str], str],
) -> None:
    numbers = [number for number in range(len(all_of_them.chosen)) if holds(number)]
    if not numbers:
        return
    print(f"{what}:")
    for fault in sorted((all_of_them.chosen[number] for number in numbers), key=_place):
        print(f"  {fault.path}:{fault.line}, {fault.kind}: {fault.code[:70]}")
        print(f"      {reasons.get((fault.path, fault.kind, fault.code), 'no reason yet')}")


def _place(fault: Fault) -> tuple[str, int, int]:
    return fault.path, fault.line, fault.place


if __name__ == "__main__":
    main(sys.argv[1:])
