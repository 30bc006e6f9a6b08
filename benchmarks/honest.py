"""Honest code of random formulas: is it accepted, and how wide is the allowance against the errors
that are seen?

`python benchmarks/honest.py [formulas]` prints a line for each dtype and tier. Each formula is
written in 100 ways (orders of summation, expanded, factored, grouped); `ratio` is the allowance
over the largest error of those, by component, as its median over the formulas. Nothing honest may
disagree.
"""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.helpers.rewriting import Case
from verifier.capture.code_at_point import Subject, random_like
from verifier.capture.lowering import plain
from verifier.judging import array_verdicts
from verifier.judging.examine import examine
from verifier.judging.verdict import Outcome

RUNS = 100
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
TIERS = {"proved": 10**9, "estimated": 0}


def main(formulas: int) -> None:
    heads = {
        "dtype": 10,
        "tier": 10,
        "formulas": 9,
        "judged": 8,
        "disagree": 9,
        "undecided": 10,
        "ratio": 7,
    }
    print(" ".join(f"{head:>{width}}" for head, width in {**heads, "10 %": 6, "90 %": 6}.items()))
    for dtype in DTYPES:
        for tier, provable in TIERS.items():
            array_verdicts.PROVABLE = provable
            print(
                f"{str(dtype).removeprefix('torch.'):>10} {tier:>10} {formulas:>9} "
                f"{_row(formulas, dtype)}",
                flush=True,
            )


def _row(formulas: int, dtype: torch.dtype) -> str:
    counts: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
    ratios = []
    for seed in range(formulas):
        case = Case(seed)
        inputs = case.inputs(dtype)
        found = examine(Subject(case.code(), inputs), case.formula())
        for part in found.parts:
            for outcome in Outcome:
                counts[outcome] += part.count(outcome)
            if part.outcome is Outcome.DISAGREES:
                print(f"  seed {seed}: {part.name} disagrees", file=sys.stderr)
        ratios.append(_ratio(case, inputs, found))
    judged = sum(counts.values())
    share = f"{100 * counts[Outcome.UNDECIDED] / judged:.1f} %"
    low, middle, high = np.nanquantile(ratios, [0.1, 0.5, 0.9], method="lower")
    return (
        f"{judged:>8} {counts[Outcome.DISAGREES]:>9} {share:>10} {middle:>7.1f} {low:>6.1f} "
        f"{high:>6.1f}"
    )


def _ratio(case: Case, inputs: dict, found) -> float:
    """The median over the components of the gradient: allowance over the largest error in so many
    honest runs.
    """
    seeds = random_like
    errors = None
    for _ in range(RUNS):
        code = case.code()
        tensors = {name: value.clone().requires_grad_() for name, value in inputs.items()}
        value = code(**tensors)
        stated = torch.autograd.grad(
            value, tuple(tensors.values()), seeds(value, 0), allow_unused=True
        )
        numbers = [
            np.zeros(part.shape) if one is None else plain(one)
            for one, part in zip(stated, found.parts[1:], strict=True)
        ]
        off = [
            np.abs(one.ravel() - part.verdicts.centre)
            for one, part in zip(numbers, found.parts[1:], strict=True)
        ]
        errors = (
            off if errors is None else [np.maximum(*pair) for pair in zip(errors, off, strict=True)]
        )
    with np.errstate(all="ignore"):
        every = np.concatenate(
            [
                part.verdicts.allowed / worst
                for part, worst in zip(found.parts[1:], errors, strict=True)
            ]
        )
    # Where nothing is rounded both are 0.
    every = every[~np.isnan(every)]
    return float(np.median(every)) if every.size else np.nan


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
