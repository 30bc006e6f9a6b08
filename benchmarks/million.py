"""A million components of honest code judged: what disagrees, and what cannot be decided.

`python benchmarks/million.py [POINTS [COLLECTION ...]]` prints the table of `reports/million.md`:
formulas of three real collections, the functions of torch.nn.functional, the gallery's losses and
layers of torch.nn, in four formats. Code that disagrees must be listed in
`tests/known_defects.json`; the exit code is 1 otherwise.
"""

import json
import math
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from layers import LAYERS, function_of

from verifier.capture.code_at_point import Subject
from verifier.errors import InputError
from verifier.formula.gallery import gallery
from verifier.formula.text.parser import read_text
from verifier.judging.examination import Examination, NotReplayed
from verifier.judging.examine import examine
from verifier.judging.reference import Formula
from verifier.judging.verdict import Outcome
from verifier.program.builder import FormulaBuilder
from verifier.program.codegen import TORCH, function
from verifier.program.guards import guarded
from verifier.program.program import Program

TESTS = Path(__file__).parent.parent / "tests"
DATA = TESTS / "data"
FORMATS = ("float64", "float32", "bfloat16", "float16")
POINTS = 400
Case = tuple[str, str, str, Subject, Formula | None]


def main(points: int = POINTS, collections: Sequence[str] = ()) -> int:
    warnings.simplefilter("ignore")
    torch.set_num_threads(2)
    entries = json.loads((TESTS / "known_defects.json").read_text())
    known = {(entry["case"], entry["dtype"]) for entry in entries}
    found_here = {
        (entry["case"], entry["dtype"]) for entry in entries if entry["library"] == "examined"
    }
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    seconds: dict[tuple[str, str], float] = defaultdict(float)
    digits: dict[str, float] = {}
    disagreeing = set()
    for collection, name, dtype, subject, formula in cases(points, collections):
        start = time.perf_counter()
        try:
            found = examine(subject, formula)
        except (InputError, NotImplementedError, RuntimeError) as error:
            print(f"not judged: {collection} {name} {dtype}: {str(error)[:150]}", file=sys.stderr)
            continue
        seconds[collection, dtype] += time.perf_counter() - start
        _count(counts[collection, dtype], found)
        if isinstance(found.formula, NotReplayed):
            print(
                f"not replayed: {collection} {name} {dtype}: {found.formula.reason[:120]}",
                file=sys.stderr,
            )
        elif not found.formula.literals and not math.isnan(found.formula.digits):
            digits[name] = min(found.formula.digits, digits.get(name, 99.0))
        if found.outcome is Outcome.DISAGREES:
            disagreeing.add((name, dtype))
            print(f"disagrees: {collection} {name} {dtype} {_worst(found)}", file=sys.stderr)
    _table(counts, seconds)
    unlisted, stale = disagreeing - known, found_here - disagreeing
    print(
        f"\nformulas without rounded constants replay to {min(digits.values()):.0f} digits at least"
    )
    print(f"disagreeing: {len(disagreeing)} of the cases")
    print(
        f"not listed in tests/known_defects.json: {len(unlisted)}; listed and not disagreeing: "
        f"{len(stale)}"
    )
    return 1 if unlisted or (stale and not collections and points == POINTS) else 0


def _count(counter: Counter[str], found: Examination) -> None:
    for part in found.parts:
        for outcome in Outcome:
            counter[outcome.value] += part.count(outcome)
        counter[part.tier] += part.verdicts.severity.size


def _worst(found: Examination) -> str:
    told = []
    for part in found.parts:
        if part.outcome is Outcome.DISAGREES:
            place = int(np.argmax(part.verdicts.severity))
            judged = part.verdicts[place]
            told.append(
                f"{part.name}[{place}]: {part.count(Outcome.DISAGREES)} of "
                f"{part.verdicts.severity.size}, stated "
                f"{judged.stated!r}, exact {judged.exact}, allowed {judged.allowed:.3g}, formula "
                f"{found.formula}"
            )
    return "; ".join(told)[:600]


def _table(
    counts: dict[tuple[str, str], Counter[str]], seconds: dict[tuple[str, str], float]
) -> None:
    print(
        "| collection | format | components | agree | undecided | disagree | proved | components/s "
        "|"
    )
    print("|---|---|--:|--:|--:|--:|--:|--:|")
    totals: Counter[str] = Counter()
    for (collection, dtype), counter in sorted(counts.items()):
        total = sum(counter[outcome.value] for outcome in Outcome)
        totals[dtype] += total
        totals[f"{dtype} undecided"] += counter["undecided"]
        print(
            f"| {collection} | {dtype} | {total} | {counter['agrees']} | "
            f"{counter['undecided'] / total:.2%} | "
            f"{counter['disagrees']} | {counter['proved'] / total:.0%} | "
            f"{total / seconds[collection, dtype]:.0f} |"
        )
    for dtype in FORMATS:
        if totals[dtype]:
            print(
                f"| all | {dtype} | {totals[dtype]} | | "
                f"{totals[f'{dtype} undecided'] / totals[dtype]:.2%} | | | |"
            )
    print(f"| all | all | {sum(totals[dtype] for dtype in FORMATS)} | | | | | |")


def cases(points: int, collections: Sequence[str]) -> Iterator[Case]:
    """Every case: collection, name, format, code at its points, and the formula where there
    is one.
    """
    sources = {"formulas": formulas, "functions": functions, "losses": losses, "layers": layers}
    for name in collections or sources:
        yield from sources[name](points)


def formulas(points: int) -> Iterator[Case]:
    for case in json.loads((DATA / "feynman.json").read_text()):
        box = {part["name"]: (part["low"], part["high"]) for part in case["variables"]}
        yield from of_formula("feynman", case["id"], case["formula"], box, points)
    for case in json.loads((DATA / "fpbench.json").read_text()):
        box = {name: tuple(ends) for name, ends in case["box"].items()}
        yield from of_formula("fpbench", case["id"], case["formula"], box, points)


def of_formula(
    collection: str, name: str, text: str, box: dict[str, tuple[float, float]], points: int
) -> Iterator[Case]:
    program = program_of(text, box)
    names = [part for part in box if part in program.inputs]
    code = function("f", ", ".join(names), guarded(program), TORCH)
    for dtype in FORMATS:
        at = inside(code, drawn(box, names, 4 * points, dtype), points)
        if at:
            yield collection, name, dtype, Subject(code, at), Formula(guarded(program))
        else:
            print(f"no point in the domain: {collection} {name} {dtype}", file=sys.stderr)


def inside(
    code: Callable[..., torch.Tensor], at: dict[str, torch.Tensor], points: int
) -> dict[str, torch.Tensor]:
    """The first points at which the formula has a value in float64: elsewhere there is no gradient
    to judge.
    """
    value = code(*(tensor.double() for tensor in at.values())) + sum(
        tensor.double() * 0 for tensor in at.values()
    )
    kept = torch.nonzero(value.isfinite())[:points, 0]
    return {name: tensor[kept] for name, tensor in at.items()} if kept.numel() else {}


def program_of(text: str, box: dict[str, tuple[float, float]]) -> Program:
    builder = FormulaBuilder()
    return builder.program(read_text(text, builder, {name: builder.input(name) for name in box}))


def drawn(
    box: dict[str, tuple[float, float]], names: list[str], points: int, dtype: str
) -> dict[str, torch.Tensor]:
    generator = np.random.default_rng(0)
    return {
        name: torch.tensor(generator.uniform(*box[name], points)).to(getattr(torch, dtype))
        for name in names
    }


def functions(points: int) -> Iterator[Case]:
    scope = {"F": torch.nn.functional, "torch": torch, "math": __import__("math")}
    for case in json.loads((DATA / "torch_functions.json").read_text()):
        names = list(case["variables"])
        box = {name: tuple(case["box"][name]) for name in names}
        own = eval(f"lambda {', '.join(names)}: {case['call']}", scope)  # noqa: S307 (the repository's own data)
        program = program_of(case["formula"], box)
        formula = Formula(guarded(program)) if set(program.inputs) == set(names) else None
        for dtype in FORMATS:
            at = drawn(box, names, points, dtype)
            wanted = tuple(case["grad_variables"])
            yield (
                "torch functions",
                case["name"],
                dtype,
                Subject(torch.vmap(own), at, wanted),
                formula,
            )


def losses(points: int) -> Iterator[Case]:
    """The gallery's losses of all their rows, at random parameters."""
    for model in gallery().values():
        program = model.batch_program.only_last
        code = function("loss", ", ".join((*model.columns, *model.start)), program, TORCH)
        random = np.random.default_rng(1)
        for dtype in FORMATS:
            kind = getattr(torch, dtype)
            data = model.data or {}
            columns = {
                name: torch.tensor(np.asarray(data[name], dtype=np.float64)).to(kind)
                for name in model.columns
            }
            for _ in range(max(1, points // 40)):
                start = {
                    name: torch.tensor(value * random.uniform(0.5, 1.5) + random.normal() / 8).to(
                        kind
                    )
                    for name, value in model.start.items()
                }
                yield (
                    "gallery",
                    model.name,
                    dtype,
                    Subject(code, {**columns, **start}, tuple(model.parameters)),
                    None,
                )


def layers(points: int) -> Iterator[Case]:
    for layer in LAYERS:
        for dtype in FORMATS:
            code, inputs = function_of(layer, getattr(torch, dtype))
            for seed in range(max(1, points // 50)):
                generator = torch.Generator().manual_seed(seed)
                drawn_ = [
                    torch.randn(one.shape, generator=generator).to(one.dtype) for one in inputs
                ]
                yield (
                    "layers",
                    layer.name,
                    dtype,
                    Subject(code, {f"x{n}": one for n, one in enumerate(drawn_)}),
                    None,
                )


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2]), sys.argv[2:]) if sys.argv[1:] else main())
