"""What a check prints and writes: records with planted errors in, texts word for word out."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from markdown_it import MarkdownIt
from rich.console import Console

from verifier.checked import CheckCause, Checked, CheckPoint, CheckSettings, Finding
from verifier.checkfailures import BLOCKS, exact_text, signed
from verifier.checkreport import CheckReport
from verifier.checktables import CHECKS
from verifier.errors import GradientError, InputError
from verifier.examination import NotReplayed
from verifier.examine import examine
from verifier.judge import Comparison, Note, Outcome
from verifier.markdown import code, escaped, fenced
from verifier.naming import located, target_name
from verifier.subject import Subject
from verifier.testing import GRAPH, KERNEL, NUMBERS, liar_named, one_scaled, scaled

DTYPES = ("float32", "float64")


def focal(p, g):
    return -((1 - p) ** g) * torch.log(p)


def lying(lie, place=0, way=GRAPH, of=focal):
    return way.plant(of, lie, place)


def point(number, dtype, kind="random", **inputs):
    values = {name: torch.tensor(value, dtype=getattr(torch, dtype)) for name, value in inputs.items()}
    return CheckPoint(number, kind, dtype, values)


POINTS = (
    point(1, "float32", p=[0.25, 0.5, 0.625, 0.75], g=[2.0, 2.0, 1.0, 3.0]),
    point(2, "float64", p=[0.25, 0.5, 0.625, 0.75], g=[2.0, 2.0, 1.0, 3.0]),
    point(3, "float64", "edge", p=[1.0, 0.125], g=[2.0, 2.0]),
)


def found(subject_code, where, quantities=("reverse",)):
    """The findings of the checks of a value and its derivatives, in the order of the checks."""
    known = []
    for place in where:
        for quantity in quantities:
            examined = examine(Subject(subject_code, place.inputs, quantity=quantity))
            for check in ("value", quantity) if quantity == "reverse" else (quantity,):
                parts = tuple(part for part in examined.parts if part.quantity == check)
                known.append(Finding(check, place.dtype, place, parts, examination=examined))
    order = [check.name for check in CHECKS]
    return sorted(known, key=lambda finding: order.index(finding.check))


def report(findings, target="losses.py::focal", against="its own forward", settings=CheckSettings(), **more):  # noqa: B008
    return CheckReport(Checked(target, against, settings, tuple(findings), **more))


def shown(checked, width=80):
    return "\n".join(line.plain.rstrip() for line in checked.lines(width))


FLIPPED = CheckCause("sign flipped", "p", "the sign is flipped", "the two differ by a factor of -1.000000000000000")
COMMAND = "verifier check losses.py::focal --input p=0.75 --input g=3"


def agreeing():
    return report(found(focal, POINTS))


def sign_flipped():
    simplest = point(4, "float32", "simplified", p=0.75, g=3.0)
    wrong = lying(liar_named("sign flipped").lie)
    return report(
        [*found(wrong, POINTS), *found(wrong, [simplest])], causes=(FLIPPED,), replay=COMMAND, simplest=simplest
    )


def without_cause():
    wrong = lying(scaled(1e-3), 1, NUMBERS)
    return report(found(wrong, POINTS[1:2]), ruled_out=("sign flipped", "constant factor", "transposed"))


def second():
    return report(found(focal, POINTS[2:], ("reverse", "forward", "second")))


def not_made():
    known = [Finding("vmap", dtype, absent="the code cannot be run under vmap: it asks for item()") for dtype in DTYPES]
    return report(known)


CASES = {
    "agreeing": agreeing,
    "sign flipped": sign_flipped,
    "without cause": without_cause,
    "second": second,
    "not made": not_made,
    "interrupted": lambda: CheckReport(replace(agreeing().checked, interrupted=True)),
}

AGREEING = """\
losses.py::focal against its own forward
float32, float64; 3 points: 2 random, 1 edge; seed 0
"""


@pytest.mark.parametrize("name", CASES)
def test_x(name):
    print(CASES[name]())
    print(CASES[name]().markdown())
