"""What a check prints and writes: records with planted errors in, texts word for word out."""

import sys
from dataclasses import asdict, dataclass, replace
from io import StringIO

import numpy as np
import pytest
import torch
from markdown_it import MarkdownIt
from rich.console import Console

import verifier
from verifier.capture.code_at_point import Subject
from verifier.checking.check_result import CheckResult, CheckSettings
from verifier.checking.labels import place_text, point_text, target_name
from verifier.checking.tally.count import Tally
from verifier.errors import GradientError, InputError
from verifier.judging.examination import NotReplayed, Replayed
from verifier.judging.examine import examine
from verifier.judging.finding import CheckCause, CheckPoint, Finding
from verifier.judging.verdict import Note, Outcome
from verifier.reporting.check_report import CheckReport
from verifier.reporting.content.both_numbers import distance_text, exact_text, signed_number
from verifier.reporting.content.check import formula_sentence
from verifier.reporting.content.check_failures import MOST
from verifier.reporting.content.check_tables import CHECKS
from verifier.reporting.content.detail import Detail
from verifier.reporting.content.failure_groups import failures_of, where_it_fails
from verifier.reporting.text.markdown import code, escaped_text, fenced_block
from verifier.testing.mutations import GRAPH, NUMBERS, RACY, liar_named, scaled

pytestmark = pytest.mark.filterwarnings(
    "ignore:`torch.jit.script` is deprecated:DeprecationWarning"
)
DTYPES = ("float32", "float64")


def focal(p, g):
    return -((1 - p) ** g) * torch.log(p)


def lying(lie, place=0, way=GRAPH, of=focal):
    return way.plant(of, lie, place)


def point(number, dtype, kind="random", **inputs):
    values = {
        name: torch.tensor(value, dtype=getattr(torch, dtype)) for name, value in inputs.items()
    }
    return CheckPoint(number, kind, dtype, values)


POINTS = (
    point(1, "float32", p=[0.25, 0.5, 0.625, 0.75], g=[2.0, 2.0, 1.0, 3.0]),
    point(2, "float64", p=[0.25, 0.5, 0.625, 0.75], g=[2.0, 2.0, 1.0, 3.0]),
    point(3, "float64", "edge", p=[0.5, 0.125], g=[2.0, 2.0]),
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


SETTINGS = CheckSettings()


def report(
    findings, target="losses.py::focal", against="its own forward", settings=SETTINGS, **more
):
    return CheckReport(CheckResult(target, against, settings, tuple(findings), **more))


FLIPPED = CheckCause(
    "sign flipped", "p", "the sign is flipped", "the two differ by a factor of -1.000000000000000"
)
COMMAND = "verifier check losses.py::focal --input p=0.75 --input g=3"


def agreeing():
    return report(found(focal, POINTS))


def sign_flipped():
    simplest = point(4, "float32", "simplified", p=0.75, g=3.0)
    wrong = lying(liar_named("sign flipped").lie)
    return report(
        [*found(wrong, POINTS), *found(wrong, [simplest])],
        causes=(FLIPPED,),
        replay=COMMAND,
        simplest=simplest,
    )


def without_cause():
    wrong = lying(scaled(1e-3), 1, NUMBERS)
    return report(
        found(wrong, POINTS[1:2]), ruled_out=("sign flipped", "constant factor", "transposed")
    )


def restated(finding, change, name=None):
    """The same finding where the code states other numbers of the parts (of that name)."""
    parts = [
        part.restated(change(part.verdicts.stated.copy())) if name in (None, part.name) else part
        for part in finding.parts
    ]
    return replace(finding, parts=tuple(parts))


def noted(finding, outcome, note):
    """The same finding where all of it has this outcome and this note."""
    return replace(finding, parts=tuple(_noted(part, outcome, note) for part in finding.parts))


def _noted(part, outcome, note):
    severity = np.full(part.verdicts.severity.shape, outcome.severity)
    verdicts = replace(
        part.verdicts, severity=severity, note=np.full(severity.shape, list(Note).index(note))
    )
    return replace(part, verdicts=verdicts)


def last_doubled(stated):
    stated[-1] *= 2
    return stated


def other_checks():
    """Second order, forward mode and non-contiguous inputs are wrong; reverse mode is right."""
    value, reverse, forward, hessian = found(focal, POINTS[2:], ("reverse", "forward", "second"))
    strided = replace(reverse, check="strided")
    return report(
        [
            value, reverse, restated(forward, np.negative),
            restated(hessian, last_doubled, "p[1] g"), restated(strided, last_doubled, "g"),
        ]
    )  # fmt: skip


def otherwise():
    """Nothing is wrong with the numbers."""
    value, *_ = found(focal, POINTS[:1])
    wide = "the gradient of p is of float64, and p is of float32"
    return report(
        [
            value,
            Finding("overwriting", "float32", POINTS[0], failures=("p is overwritten",)),
            Finding("overwriting", "float64", POINTS[1]),
            *(
                Finding("form", "float32", replace(POINTS[0], number=number), failures=(wide,))
                for number in (1, 2, 3)
            ),
            Finding("form", "float32", replace(POINTS[0], number=4)),
            replace(value, check="reach", failures=("g has no gradient",)),
        ]
    )


def not_made():
    reason = "the code cannot be run under vmap: it asks for item()"
    value, _ = found(focal, POINTS[:1])
    return report(
        [
            value,
            *(Finding("vmap", dtype, absent=reason) for dtype in DTYPES),
            Finding("forward", "float32", absent="there is no forward mode"),
            Finding("determinism", "float32"),
        ]
    )


def blind():
    """The gradient by g is undecided everywhere, that by p in float64 only."""
    findings = [
        replace(finding, parts=tuple(_blind(part) for part in finding.parts))
        for finding in found(focal, POINTS[:2])
    ]
    return report(findings)


def _blind(part):
    decided = part.quantity == "value" or (part.name, part.dtype) == ("p", "float32")
    return part if decided else _noted(part, Outcome.UNDECIDED, Note.BLIND)


def half_blind():
    """Of each component something is decided."""
    value, reverse = found(focal, POINTS[:1])
    undecided = noted(replace(reverse, check="strided"), Outcome.UNDECIDED, Note.OVERFLOW)
    return report([value, reverse, undecided])


def too_few_digits():
    return report(found(focal, POINTS), settings=CheckSettings(dtypes=DTYPES, digits=15.8))


def inaccurate():
    value, reverse = found(focal, POINTS[1:2])
    return report([value, noted(reverse, Outcome.AGREES, Note.INACCURATE)])


def unread():
    value, reverse = found(focal, POINTS[1:2])
    reason = NotReplayed("the code leaves torch for NumPy.")
    known = [
        replace(one, examination=replace(one.examination, formula=reason))
        for one in (value, reverse)
    ]
    return report(known, notes=("the path through p is detached at losses.py:12",))


def other_function():
    value, reverse = found(focal, POINTS[1:2])
    known = replace(value.examination, same_function=False)
    return report(
        [restated(replace(value, examination=known), last_doubled), reverse],
        against="-(1-p)**g*log(2*p)",
    )


def hidden():
    """Wrong in exact arithmetic, by less than rounding."""
    return report(found(lying(scaled(1e-12)), POINTS[:1]))


def racy():
    return report(found(lying(RACY.lie, 0, NUMBERS), POINTS[1:2]))


def not_a_number():
    value, reverse = found(focal, POINTS[1:2])
    return report([value, restated(reverse, lambda stated: np.full(stated.shape, np.nan), "p")])


def many():
    """Thirty components, of which thirteen disagree, and twelve other failures."""
    value, reverse = found(focal, POINTS[1:2])
    right = next(part for part in reverse.parts if part.name == "p")
    wrong = restated(reverse, last_doubled, "p").parts[0]
    parts = [
        replace(wrong if place < 13 else right, name=f"layers.{place}.weight")
        for place in range(30)
    ]
    failures = tuple(
        f"layers.{place}.weight has a gradient of another shape" for place in range(12)
    )
    return report(
        [
            value,
            replace(reverse, parts=tuple(parts)),
            Finding("form", "float64", POINTS[1], (), failures),
        ]
    )


CASES = {
    "agreeing": agreeing,
    "sign flipped": sign_flipped,
    "without cause": without_cause,
    "other checks": other_checks,
    "otherwise": otherwise,
    "not made": not_made,
    "blind": blind,
    "half blind": half_blind,
    "too few digits": too_few_digits,
    "inaccurate": inaccurate,
    "unread": unread,
    "other function": other_function,
    "hidden": hidden,
    "not a number": not_a_number,
    "racy": racy,
    "many": many,
    "nothing": lambda: report([]),
    "interrupted": lambda: CheckReport(replace(agreeing().checked, interrupted=True)),
}


def shown(made, width=80, detail=Detail.SHORT):
    return "\n".join(line.plain.rstrip() for line in made.lines(width, detail))


def table(made, dtype):
    """The numbers of a component's row, by its name."""
    sections = shown(made, 80, Detail.VERBOSE).split("\n\n")
    section = next(part for part in sections if part.startswith(f"{dtype}\n"))
    return {line.split("  ")[0]: line.split() for line in section.splitlines()[4:]}


@pytest.fixture(scope="module")
def made():
    """Each case made once."""
    known = {}

    def case(name):
        if name not in known:
            known[name] = CASES[name]()
        return known[name]

    return case


IN_FULL = """\
DISAGREES  The gradient of focal by p is wrong.

focal by p, p = 0.75, g = 3   (float32, point 4)
  autograd   +0.10992132872343063
  exact      -0.10992133105150197…   no digit agrees; float32 allows 1.9e-07
  likely     The sign is flipped.
  where      at every point tried, in float32 and float64
  try        verifier check losses.py::focal --input p=0.75 --input g=3

checked       float32        float64
──────────────────────────────────────────
value         5 agree        6 agree
reverse mode  5 of 10 wrong  6 of 12 wrong

Compared with the derivative of its own forward at 4 points: 2 random, 1 at
edges, 1 simplified; seed 0. In exact arithmetic the formula of p is wrong: no
digit agrees."""
VERBOSE = """\
DISAGREES  The gradient of focal by p is wrong.

focal by p, p = 0.75, g = 3   (float32, point 4)
  autograd   +0.10992132872343063
  exact      -0.10992133105150197…   no digit agrees; float32 allows 1.9e-07
  also       in float64 at point 3, p[1] = 0.125, g[1] = 2
  likely     The sign is flipped. (the two differ by a factor of
             -1.000000000000000)
  where      at every point tried, in float32 and float64
  try        verifier check losses.py::focal --input p=0.75 --input g=3

losses.py::focal against its own forward
float32, float64; 4 points: 2 random, 1 edge, 1 simplified; seed 0
In exact arithmetic the formula of p is wrong: no digit agrees.

value                    float32 5 agree; float64 6 agree
reverse mode             float32 5 of 10 disagree; float64 6 of 12 disagree

float32
                                    digits   error/     at  detection    limit
component  compared  agrees  other   least  allowed  point     median    worst
──────────────────────────────────────────────────────────────────────────────
value             5       5      –     7.2    0.048      1    7.8e-07  1.7e-06
p                 5       0      5     0.0  2.8e+06      1    8.7e-07  1.8e-06
g                 5       5      –     7.2     0.04      1    1.3e-06  2.2e-06

float64
                                    digits   error/     at  detection    limit
component  compared  agrees  other   least  allowed  point     median    worst
──────────────────────────────────────────────────────────────────────────────
value             6       6      –    16.0    0.094      3    1.4e-15  3.1e-15
p                 6       0      6     0.0  1.6e+15      3    1.5e-15  3.3e-15
g                 6       6      –    15.6     0.11      2    2.4e-15  4.1e-15

simplest failing point   p = 0.75, g = 3 (float32)"""
STACKED = """\
DISAGREES  The gradient of focal by p is
wrong.

focal by p, p = 0.75, g = 3   (float32,
point 4)
  autograd   +0.10992132872343063
  exact      -0.10992133105150197…   no
             digit agrees; float32
             allows 1.9e-07
  likely     The sign is flipped.
  where      at every point tried, in
             float32 and float64
  try        verifier check
             losses.py::focal --input
             p=0.75 --input g=3

checked      float32       float64
────────────────────────────────────────
value        5 agree       6 agree
reverse mode 5 of 10 wrong 6 of 12 wrong

Compared with the derivative of its own
forward at 4 points: 2 random, 1 at
edges, 1 simplified; seed 0. In exact
arithmetic the formula of p is wrong: no
digit agrees."""
MARKDOWN = """\
❌ **DISAGREES** The gradient of focal by p is wrong.

`losses.py::focal` compared with `its own forward`

```text
focal by p, p = 0.75, g = 3   (float32, point 4)
  autograd   +0.10992132872343063
  exact      -0.10992133105150197…   no digit agrees; float32 allows 1.9e-07
  likely     The sign is flipped.
  where      at every point tried, in float32 and float64
  try        verifier check losses.py::focal --input p=0.75 --input g=3

checked       float32        float64
──────────────────────────────────────────
value         5 agree        6 agree
reverse mode  5 of 10 wrong  6 of 12 wrong

Compared with the derivative of its own forward at 4 points: 2 random, 1 at
edges, 1 simplified; seed 0. In exact arithmetic the formula of p is wrong: no
digit agrees.
```

| outcome | dtype | component | compared | agrees | other | fewest digits | worst error / allowed \
| at point | detection limit, median | detection limit, worst |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| ✅ agrees | float32 | `value` | 5 | 5 | – | 7.2 | 0.048 | 1 | 7.8e-07 | 1.7e-06 |
| ✅ agrees | float64 | `value` | 6 | 6 | – | 16.0 | 0.094 | 3 | 1.4e-15 | 3.1e-15 |
| ❌ disagrees | float32 | `p` | 5 | 0 | 5 | 0.0 | 2.8e+06 | 1 | 8.7e-07 | 1.8e-06 |
| ✅ agrees | float32 | `g` | 5 | 5 | – | 7.2 | 0.04 | 1 | 1.3e-06 | 2.2e-06 |
| ❌ disagrees | float64 | `p` | 6 | 0 | 6 | 0.0 | 1.6e+15 | 3 | 1.5e-15 | 3.3e-15 |
| ✅ agrees | float64 | `g` | 6 | 6 | – | 15.6 | 0.11 | 2 | 2.4e-15 | 4.1e-15 |"""
SHOWN = {
    "without cause": """\
DISAGREES  The gradient of focal by g is wrong.

focal by g, g[2] = 1, p[2] = 0.625   (float64, point 2)
  autograd   -0.16601676985138142
  exact      -0.16585091893244896…   2 digits agree; float64 allows 3.6e-16
  cause      None was found. 3 were ruled out: --verbose lists them.
  where      at the only point tried, in float64

checked       float64
──────────────────────────
value         4 agree
reverse mode  4 of 8 wrong

Compared with the derivative of its own forward at 1 point: 1 random; seed 0.
The formula replays exactly, to 75 digits.""",
    "other checks": """\
DISAGREES  The gradient of focal by g is wrong with non-contiguous inputs.

focal by g, with non-contiguous inputs, g[1] = 2, p[1] = 0.125   (float64,
point 3)
  autograd   -0.5135448328125738
  exact      -0.25677241640628691…   no digit agrees; float64 allows 6.6e-16
  cause      None was found.
  where      at the only point tried, in float64

focal, in forward mode, value[1], p[1] = 0.125, g[1] = 2   (float64, point 3):
forward +11.94721480820677, exact -11.947214808206771…
focal, second derivative, by p[1] = 0.125 and g[1] = 2   (float64, point 3):
autograd -1.2457642513312341, exact -0.62288212566561723…

checked                float64
────────────────────────────────────
value                  2 agree
reverse mode           4 agree
forward mode           2 of 2 wrong
second order           1 of 24 wrong
non-contiguous inputs  1 of 4 wrong

Compared with the derivative of its own forward at 1 point: 1 at edges; seed 0.
The formula replays exactly, to 75 digits.""",
    "otherwise": """\
DISAGREES  focal: p is overwritten. There are 2 more failures apart from
numbers.

focal fails in float32: inputs not overwritten
  p is overwritten (at point 1)

focal fails in float32: dtype, shape, device
  the gradient of p is of float64, and p is of float32 (at 3 points, first
  point 1)

focal fails in float32: gradient exists
  g has no gradient (at point 1)

checked                 float32            float64
──────────────────────────────────────────────────
value                   4 agree            –
inputs not overwritten  fails at 1 point   holds
dtype, shape, device    fails at 3 points  –
gradient exists         fails at 1 point   –

Compared with the derivative of its own forward at 4 points: 4 random; seed 0.
The formula replays exactly, to 75 digits.""",
    "not made": """\
UNDECIDED  Nothing was compared in float64.

checked       float32  float64
──────────────────────────────
value         4 agree  –
forward mode  not made: there is no forward mode
vmap          not made: the code cannot be run under vmap: it asks for item()
side effects  holds    –

Compared with the derivative of its own forward at 1 point: 1 random; seed 0.
The formula replays exactly, to 75 digits.""",
    "blind": """\
UNDECIDED  Nothing could be decided about g and p: rounding can be as large as
the terms it is made of.

checked       float32           float64
────────────────────────────────────────────────
value         4 agree           4 agree
reverse mode  4 of 8 undecided  8 of 8 undecided

Compared with the derivative of its own forward at 2 points: 2 random; seed 0.
The formula replays exactly, to 75 digits.
undecided  12 of 12 numbers of g and p: rounding can be as large as the terms
           it is made of""",
    "half blind": """\
UNDECIDED  8 of 20 numbers could not be decided (rounding or overflow on the
way can move it anywhere). Nothing disagrees, and of every quantity some
numbers agree: exit code 0.

checked                float32
───────────────────────────────────────
value                  4 agree
reverse mode           8 agree
non-contiguous inputs  8 of 8 undecided

Compared with the derivative of its own forward at 1 point: 1 random; seed 0.
The formula replays exactly, to 75 digits.
undecided  8 of 16 numbers of p and g: rounding or overflow on the way can move
           it anywhere""",
    "too few digits": """\
DISAGREES  4 components of focal have fewer than 15.8 digits.

too few digits  value of focal has 7.2 in float32 at point 1, value[0], p[0] =
                0.25, g[0] = 2: 15.8 were asked for, and float32 holds 7.2
too few digits  p of focal has 7.2 in float32 at point 1, p[0] = 0.25, g[0] =
                2: 15.8 were asked for, and float32 holds 7.2
too few digits  g of focal has 7.2 in float32 at point 1, g[0] = 2, p[0] =
                0.25: 15.8 were asked for, and float32 holds 7.2
too few digits  g of focal has 15.6 in float64 at point 2, g[0] = 2, p[0] =
                0.25: 15.8 were asked for

checked       float32  float64
───────────────────────────────
value         4 agree  6 agree
reverse mode  8 agree  12 agree

Compared with the derivative of its own forward at 3 points: 2 random, 1 at
edges; seed 0. The formula replays exactly, to 75 digits.""",
    "inaccurate": """\
AGREES  The gradient of focal by p and g is right: 12 numbers agree in float64.

checked       float64
─────────────────────
value         4 agree
reverse mode  8 agree

Compared with the derivative of its own forward at 1 point: 1 random; seed 0.
The formula replays exactly, to 75 digits. Detection limit (the relative error
that would typically have been found): 2.3e-15 in float64.
warning  8 numbers of p in float64 and g in float64: inaccurate: more than half
         of the digits are lost, and the point itself allows more""",
    "unread": """\
AGREES  The gradient of focal by p and g is right: 12 numbers agree in float64.

checked       float64
─────────────────────
value         4 agree
reverse mode  8 agree

Compared with the derivative of its own forward at 1 point: 1 random; seed 0.
The formula was not replayed: the code leaves torch for NumPy. Detection limit
(the relative error that would typically have been found): 2.3e-15 in float64.
note  the path through p is detached at losses.py:12""",
    "other function": """\
DISAGREES  focal and the formula are different functions: their values differ.

focal, value, value[3], p[3] = 0.75, g[3] = 3   (float64, point 2)
  code       0.008990064764118153
  exact      0.0044950323820590769…   no digit agrees; float64 allows 1.4e-17
  cause      None was found.
  where      at the only point tried, in float64

checked       float64
──────────────────────────
value         1 of 4 wrong
reverse mode  8 agree

Compared with -(1-p)**g*log(2*p) at 1 point: 1 random; seed 0. Code and formula
are different functions; the gradient is compared with the derivative of the
code's own forward.""",
    "hidden": """\
DISAGREES  The gradient of focal by p is wrong.

focal by p, p[0] = 0.25, g[0] = 2   (float32, point 1)
  autograd   -6.364508628845215
  exact      -6.3645083428204237…   7 digits agree; float32 allows 4.9e-06
  formula    It differs in exact arithmetic, where nothing is rounded.
  cause      None was found.
  where      at the only point tried, in float32

checked       float32
──────────────────────────
value         4 agree
reverse mode  4 of 8 wrong

Compared with the derivative of its own forward at 1 point: 1 random; seed 0.
In exact arithmetic the formula of p is wrong: 12 digits agree.""",
    "not a number": """\
DISAGREES  The gradient of focal by p is wrong.

focal by p, p[3] = 0.75, g[3] = 3   (float64, point 2)
  autograd   nan
  exact      0.106234592248238…   no digit agrees; float64 allows 3.5e-16
  cause      None was found.
  where      at the only point tried, in float64

checked       float64
──────────────────────────
value         4 agree
reverse mode  4 of 8 wrong

Compared with the derivative of its own forward at 1 point: 1 random; seed 0.
The formula replays exactly, to 75 digits.""",
    "racy": """\
DISAGREES  The gradient of focal by p is wrong.

focal by p, p[2] = 0.625, g[2] = 1   (float64, point 2)
  autograd   -1.0272006525196082
  exact      -1.0265432309828275…   3 digits agree; float64 allows 1.4e-15
  note       not deterministic: it comes out differently when the code is run
             again
  cause      None was found.
  where      at the only point tried, in float64

checked       float64
──────────────────────────
value         4 agree
reverse mode  4 of 8 wrong

Compared with the derivative of its own forward at 1 point: 1 random; seed 0.
The formula replays exactly, to 75 digits.""",
    "nothing": """\
UNDECIDED  Nothing was compared.

Compared with the derivative of its own forward at 0 points; seed 0. The
formula was not replayed: nothing was examined.""",
    "interrupted": """\
AGREES SO FAR  The gradient of focal by p and g is right: 30 numbers agree in
float32 and float64.

checked       float32  float64
───────────────────────────────
value         4 agree  6 agree
reverse mode  8 agree  12 agree

Compared with the derivative of its own forward at 3 points: 2 random, 1 at
edges; seed 0. The formula replays exactly, to 75 digits. Detection limit (the
relative error that would typically have been found): 1.2e-06 in float32,
2.4e-15 in float64.
PARTIAL  Interrupted: the report has what was done before.""",
}


def test_in_full(made):
    assert str(made("sign flipped")) == IN_FULL


def test_in_full_where_there_is_less_room(made):
    assert shown(made("sign flipped"), 40) == STACKED


def test_markdown_in_full(made):
    assert made("sign flipped").markdown() == MARKDOWN


def test_with_all_details(made):
    assert shown(made("sign flipped"), 80, Detail.VERBOSE) == VERBOSE


def test_the_verdict_alone(made):
    for name in SHOWN:
        verdict = shown(made(name), 80, Detail.QUIET)
        assert SHOWN[name].split("\n\n")[0] == verdict


@pytest.mark.parametrize("name", SHOWN)
def test_shown(name, made):
    assert str(made(name)) == SHOWN[name]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("width", [120, 80, 60, 40, 30])
def test_no_line_is_too_wide(name, width, made):
    for line in shown(made(name), width).splitlines():
        assert len(line) <= width


@pytest.mark.parametrize("width", [80, 40, 30])
def test_no_number_is_cut(width, made):
    words = shown(made("sign flipped"), width).split()
    assert {"+0.10992132872343063", "-0.10992133105150197…"} <= set(words)


CODES = {
    "agreeing": (Outcome.AGREES, 0),
    "sign flipped": (Outcome.DISAGREES, 1),
    "otherwise": (Outcome.DISAGREES, 1),
    "not made": (Outcome.UNDECIDED, 3),
    "blind": (Outcome.UNDECIDED, 3),
    "half blind": (Outcome.UNDECIDED, 0),
    "too few digits": (Outcome.DISAGREES, 1),
    "inaccurate": (Outcome.AGREES, 0),
    "unread": (Outcome.AGREES, 0),
    "hidden": (Outcome.DISAGREES, 1),
    "not a number": (Outcome.DISAGREES, 1),
    "nothing": (Outcome.UNDECIDED, 3),
    "interrupted": (Outcome.AGREES, 130),
}


@pytest.mark.parametrize("name", CODES)
def test_outcome_and_exit_code(name, made):
    outcome, code = CODES[name]
    report = made(name)
    assert (report.outcome, report.exit_code, report.ok) == (outcome, code, code == 0)
    document = report.to_json()
    assert (document["outcome"], document["exit_code"], document["ok"]) == (
        outcome.value,
        code,
        code == 0,
    )
    if report.ok:
        report.raise_for_failure()
    else:
        with pytest.raises(GradientError) as raised:
            report.raise_for_failure()
        state = "interrupted" if code == 130 else outcome.value
        assert str(raised.value) == f"losses.py::focal: {state}\n{report}"


def test_a_dtype_that_was_asked_for_and_has_nothing_to_show():
    settings = CheckSettings(dtypes=("float32", "bfloat16"))
    assert report(found(focal, POINTS[:1]), settings=settings).exit_code == 3
    assert (
        report(found(focal, POINTS[:1]), settings=replace(settings, dtypes=("float32",))).exit_code
        == 0
    )


def test_digits_are_asked_for_only_where_they_are(made):
    findings = made("agreeing").checked.findings
    assert report(findings, settings=CheckSettings(digits=7.0)).ok
    assert not report(findings, settings=CheckSettings(digits=7.3)).ok
    double = [finding for finding in findings if finding.dtype == "float64"]
    assert report(double, settings=CheckSettings(digits=15.0)).ok
    assert not report(double, settings=CheckSettings(digits=15.8)).ok


def test_an_exact_zero_has_no_digits():
    where = point(1, "float64", p=[1.0], g=[0.0])
    assert report(found(torch.mul, [where]), settings=CheckSettings(digits=15.0)).ok
    value, reverse = found(torch.mul, [where])
    wrong = report([value, restated(reverse, lambda stated: stated + 0.25, "p")])
    assert "  autograd   0.25\n  exact      0.0   off by 0.25; float64 allows 0\n" in str(wrong)


def test_nothing_to_compare():
    """An empty tensor has no gradient to be undecided of; alone it verifies nothing."""
    empty = point(2, "float32", p=[], g=[])
    value, reverse = found(focal, [empty])
    alone = report([value, reverse])
    assert "value         nothing to compare\n" in str(alone)
    assert str(alone).startswith("UNDECIDED  Nothing was compared.\n")
    assert table(alone, "float32")["p"] == ["p", "0", "0", "–", "–", "–", "–", "–", "–"]
    assert (alone.exit_code, alone.to_json()["components"][0]["worst"]) == (3, None)
    assert report([*found(focal, POINTS[:1]), value, reverse]).ok


def test_a_failure_at_no_point():
    failing = report([Finding("form", "float32", failures=("it returns a list",))])
    assert "\nfocal fails in float32: dtype, shape, device\n  it returns a list\n" in str(failing)
    assert failing.to_json()["checks"][0]["failures"] == [
        {"point": None, "sentence": "it returns a list"}
    ]


def test_complex_numbers_in_json():
    where = replace(POINTS[0], inputs={"z": torch.tensor([1 + 2j])})
    inputs = report([Finding("form", "float32", where, failures=("no",))]).to_json()["points"][0][
        "inputs"
    ]
    assert inputs == {"z": {"dtype": "complex64", "shape": [1], "values": [[1.0, 2.0]]}}


def test_components(made):
    names = [(one.name, one.dtype, one.outcome.value) for one in made("without cause").components]
    assert names == [
        ("value", "float64", "agrees"),
        ("p", "float64", "agrees"),
        ("g", "float64", "disagrees"),
    ]


def test_table(made):
    assert table(made("sign flipped"), "float64") == {
        "value": ["value", "6", "6", "–", "16.0", "0.094", "3", "1.4e-15", "3.1e-15"],
        "p": ["p", "6", "0", "6", "0.0", "1.6e+15", "3", "1.5e-15", "3.3e-15"],
        "g": ["g", "6", "6", "–", "15.6", "0.11", "2", "2.4e-15", "4.1e-15"],
    }
    assert table(made("not a number"), "float64")["p"] == [
        "p",
        "4",
        "0",
        "4",
        "0.0",
        "inf",
        "2",
        "1.5e-15",
        "3.3e-15",
    ]
    assert table(made("other checks"), "float64")["p g (second)"][4:8] == [
        "3",
        "1",
        "0.0",
        "8.5e+13",
    ]


def test_a_large_report_stays_readable(made):
    text = str(made("many"))
    assert len(text.splitlines()) == 41
    assert "\n⋯ 8 more failures; --verbose shows them\n" in text
    assert "\n⋯ 2 other failures are not shown; --json FILE has them all\n" in text
    in_full = shown(made("many"), 80, Detail.VERBOSE)
    assert len(in_full.splitlines()) == 121
    assert in_full.count("\n  autograd   ") == MOST
    assert "⋯ 11 components not shown, all agree" in in_full
    assert "\n⋯ 3 more failures are not shown; --json FILE has them all\n" in in_full
    document = made("many").to_json()
    assert len(document["components"]) == 31
    assert len(document["checks"][-1]["failures"]) == 12


def test_the_worst_is_first():
    value, reverse = found(focal, POINTS[1:2])
    slightly = [
        replace(
            reverse,
            parts=(reverse.parts[0].restated(reverse.parts[0].verdicts.stated * (1 + 1e-9)),),
        )
    ]
    badly = [
        replace(reverse, parts=(reverse.parts[1].restated(-reverse.parts[1].verdicts.stated),))
    ]
    text = str(report([value, *slightly, *badly]))
    assert 0 < text.index("\nfocal by g, ") < text.index("\nfocal by p, ")


def test_causes_of_others_are_not_named(made):
    other = replace(FLIPPED, component="g"), replace(FLIPPED, dtype="float16")
    assert "likely" not in str(CheckReport(replace(made("sign flipped").checked, causes=other)))


def test_each_cause_once_and_all_of_them(made):
    more = (
        replace(FLIPPED, dtype="float64", point=2),
        replace(FLIPPED, cause="zeroed", sentence="it is 0", evidence=""),
    )
    text = str(CheckReport(replace(made("sign flipped").checked, causes=(FLIPPED, *more))))
    assert text.count("The sign is flipped.") == 1
    assert "  likely     The sign is flipped.\n  or         It is 0.\n  where " in text


def test_what_was_ruled_out_is_counted_and_listed_where_all_details_are():
    value, reverse = found(focal, POINTS[1:2])
    wrong = report([value, restated(reverse, np.negative)], ruled_out=("zeroed",))
    counted = "  cause      None was found. 1 was ruled out: --verbose lists them.\n"
    assert counted in str(wrong) and "zeroed" not in str(wrong)
    listed = "  cause      None was found. Ruled out: zeroed.\n"
    assert listed in shown(wrong, 80, Detail.VERBOSE)


EXACT = {
    "0.322757448908321540300571054572": "0.32275744890832154…",
    "-18.0002888784185713454145720348": "-18.000288878418571…",
    "2.50000000000000000000000000000": "2.5",
    "1.00000000000000000000000000000e+30": "1e+30",
    "-1.25000000000000000000000000000e-310": "-1.25e-310",
    "123456789012345.678901234567890": "123456789012345.67…",
    "3.00000000000000000000000000000": "3.0",
    "0": "0.0",
    "nan": "not known",
    "[+/- inf]": "[+/- inf]",
}


@dataclass(frozen=True)
class Judged:
    """As much of a comparison as its text needs."""

    stated: float
    exact: str
    exact_is_zero: bool = False
    note: Note = Note.NONE
    allowed: float = 0.0


@pytest.mark.parametrize("exact", EXACT)
def test_exact_text(exact):
    assert exact_text(Judged(0.0, exact)) == EXACT[exact]


def test_signs_are_shown_where_they_differ():
    assert signed_number(Judged(-1.5, "2.5")) == ("-1.5", "+2.5")
    assert signed_number(Judged(1.5, "-2.5")) == ("+1.5", "-2.5")
    assert signed_number(Judged(1.5, "2.5")) == ("1.5", "2.5")
    assert signed_number(Judged(-1.5, "-2.5")) == ("-1.5", "-2.5")
    assert signed_number(Judged(-1.5, "0", exact_is_zero=True)) == ("-1.5", "0.0")
    assert signed_number(Judged(float("nan"), "-2.5")) == ("nan", "-2.5")


def test_places():
    part = found(focal, POINTS[1:2])[1].parts[0]
    grid = replace(part, name="w", shape=(2, 2))
    tensors = {
        "w": torch.tensor([[1.0, 2.0], [3.0, 0.1]]),
        "scale": torch.tensor(2.0),
        "n": torch.tensor([[1, 2], [3, 4]]),
    }
    where = CheckPoint(1, "given", "float32", tensors)
    assert place_text(grid, (1, 1), where) == "w[1,1] = 0.1, n[1,1] = 4"
    assert place_text(grid, (1, 1), None) == "w[1,1]"
    assert (
        place_text(replace(grid, name="missing"), (0, 1), where)
        == "missing[0,1], w[0,1] = 2, n[0,1] = 2"
    )
    assert (
        place_text(replace(grid, name="value", quantity="value", shape=()), (), where)
        == "scale = 2"
    )
    row = replace(grid, name="w[3] scale", quantity="second", shape=())
    assert place_text(row, (), where) == "by w[1,1] = 0.1 and scale = 2"
    assert place_text(row, (), None) == "by w[3] and scale"
    both = replace(row, name="w[3] w", shape=(2, 2))
    assert place_text(both, (1, 1), where) == "by w[1,1] = 0.1 twice"
    assert place_text(both, (1, 0), where) == "by w[1,1] = 0.1 and w[1,0] = 3"
    assert point_text(where) == "w = [[1, 2], [3, 0.1]], scale = 2, n = [[1, 2], [3, 4]]"
    assert point_text(replace(where, inputs={"w": torch.zeros(3, 4)})) == "w = 3×4 numbers"


def test_a_formula_without_a_value_is_not_replayed(made):
    value, reverse = found(focal, POINTS[1:2])

    def replayed_to(digits, finding):
        known = replace(finding.examination, formula=Replayed(digits))
        return replace(finding, examination=known)

    nowhere = report([replayed_to(float("nan"), value), replayed_to(float("nan"), reverse)])
    assert formula_sentence(Tally(nowhere.checked)) == (
        "The formula was not replayed: the formula has no value at the points that were tried."
    )
    document = nowhere.to_json()["formula"]
    assert not document["replayed"] and document["digits"] is None
    for order in ((float("nan"), 60.0), (60.0, float("nan"))):
        somewhere = report([replayed_to(order[0], value), replayed_to(order[1], reverse)])
        assert (
            formula_sentence(Tally(somewhere.checked))
            == "The formula replays exactly, to 60 digits."
        )


@pytest.mark.parametrize(
    ("quantities", "names"),
    [
        (("reverse", "forward", "second"), "p and g"),
        (("forward", "second"), "forward and p g (second)"),
        ((), "value and p[1] g"),
    ],
)
def test_wrong_formulas_are_called_as_in_the_tables(quantities, names):
    """What is derived from a wrong gradient is wrong with it, and not told beside it."""
    value, reverse, forward, hessian = found(focal, POINTS[2:], ("reverse", "forward", "second"))
    wrong = {"reverse": {"p", "g"}, "forward": {"value"}, "second": {"p[1] g", "p[0] g"}}

    def marked(finding):
        parts = [
            replace(part, wrong_formula=np.ones(part.verdicts.error.shape, dtype=bool))
            if finding.check in quantities and part.name in wrong[finding.check]
            else part
            for part in finding.parts
        ]
        known = replace(finding.examination, formula=Replayed(0.3, wrong=("value", "p[1] g")))
        return replace(finding, parts=tuple(parts), examination=known)

    made = report([value, *map(marked, (reverse, forward, hessian))])
    expected = f"In exact arithmetic the formula of {names} is wrong: no digit agrees."
    assert formula_sentence(Tally(made.checked)) == expected


def test_json(made):
    document = made("sign flipped").to_json()
    component = next(
        one for one in document["components"] if (one["name"], one["dtype"]) == ("p", "float32")
    )
    worst = component.pop("worst")
    assert {**component, "detection_limit": None} == {
        "name": "p", "quantity": "reverse", "dtype": "float32", "tier": "proved", "compared": 5,
        "outcomes": {"agrees": 0, "undecided": 0, "disagrees": 5}, "inaccurate": 0,
        "least_digits": 0.0, "detection_limit": None,
    }  # fmt: skip
    assert (worst["check"], worst["point"], worst["part"], worst["index"]) == (
        "reverse",
        1,
        "p",
        [0],
    )
    assert worst["exact"].startswith("-6.36450834282")
    assert worst["outcome"] == "disagrees"
    assert document["replay"] == COMMAND
    assert (document["target"], document["against"]) == ("losses.py::focal", "its own forward")
    assert document["formula"] == {
        "replayed": True, "digits": 0.0, "wrong": ["p"], "literals": [], "narrow": [],
        "same_function": True, "reason": None,
    }  # fmt: skip
    assert document["causes"] == [{**asdict(FLIPPED)}]
    assert document["simplest"] == {
        "number": 4, "kind": "simplified", "dtype": "float32",
        "inputs": {
            "p": {"dtype": "float32", "shape": [], "values": [0.75]},
            "g": {"dtype": "float32", "shape": [], "values": [3.0]},
        },
    }  # fmt: skip


def test_json_of_what_was_not_made(made):
    vmap = [one for one in made("not made").to_json()["checks"] if one["check"] == "vmap"]
    assert vmap[0] == {
        "check": "vmap", "title": "vmap against a loop", "dtype": "float32", "outcome": None,
        "points": 0, "compared": 0, "outcomes": {"agrees": 0, "undecided": 0, "disagrees": 0},
        "failures": [], "not_made": ["the code cannot be run under vmap: it asks for item()"],
    }  # fmt: skip
    assert made("unread").to_json()["formula"]["reason"] == "the code leaves torch for NumPy."


def test_json_leaves_out_large_tensors(made):
    large = replace(POINTS[0], number=9, inputs={"p": torch.zeros(1001)})
    right, wrong = (
        Finding("form", "float32", large),
        Finding("form", "float32", POINTS[0], failures=("no",)),
    )
    points = report([right, wrong]).to_json()["points"]
    assert points[0]["inputs"]["p"]["values"] == [0.25, 0.5, 0.625, 0.75]
    assert points[1]["inputs"]["p"] == {"dtype": "float32", "shape": [1001], "values": None}


def test_json_has_words_for_what_is_not_finite(made):
    worst = next(one for one in made("not a number").to_json()["components"] if one["name"] == "p")[
        "worst"
    ]
    assert worst["stated"] == "NaN"


def test_frame(made):
    frame = made("sign flipped").to_frame()
    assert list(frame.columns) == [
        "check", "point", "kind", "dtype", "name", "quantity", "index", "stated", "exact", "error",
        "allowed", "ulps", "digits", "outcome", "note",
    ]  # fmt: skip
    assert len(frame) == 33
    assert (frame.outcome == "disagrees").sum() == 11
    row = frame[(frame.name == "p") & (frame.point == 2)].iloc[3]
    assert (row["index"], row.check, row.kind, row.stated) == (
        (3,),
        "reverse",
        "random",
        -0.106234592248238,
    )


def test_frame_without_pandas(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(
        InputError,
        match=r"^to_frame needs pandas: install it, as in pip install 'verifier\[pandas\]'$",
    ):
        made("agreeing").to_frame()


def test_what_a_report_is(made):
    report = made("sign flipped")
    assert repr(report) == "<CheckReport losses.py::focal: disagrees, 33 numbers>"
    assert repr(made("interrupted")) == "<CheckReport losses.py::focal: interrupted, 30 numbers>"
    assert (report.replay, report.causes, report.formula.wrong) == (COMMAND, (FLIPPED,), ("p",))
    stream = StringIO()
    Console(file=stream, width=80).print(report)
    assert [line.rstrip() for line in stream.getvalue().splitlines()] == str(report).splitlines()


def test_colours(made):
    made_lines = made("sign flipped").lines(80, Detail.VERBOSE)
    styles = {line.plain: str(line.style) for line in made_lines}
    assert (
        styles["reverse mode             float32 5 of 10 disagree; float64 6 of 12 disagree"]
        == "bold red"
    )
    assert styles["value                    float32 5 agree; float64 6 agree"] == ""
    assert styles["focal by p, p = 0.75, g = 3   (float32, point 4)"] == "bold red"
    assert next(str(line.style) for line in made("agreeing").lines(80)) == "bold green"


HOSTILE = "<img src=x onerror=alert(1)>|`**a**`[b](http://c.d) @you #1 www.e.f \x1b[2J ```\n# h"


@pytest.fixture(scope="module")
def hostile():
    value, reverse = found(focal, POINTS[1:2])
    parts = tuple(replace(part, name=HOSTILE) for part in restated(reverse, np.negative).parts)
    cause = CheckCause(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    unread = replace(value.examination, formula=NotReplayed(HOSTILE))
    return report(
        [
            replace(value, examination=unread), replace(reverse, parts=parts, examination=None),
            Finding("form", "float64", POINTS[1], failures=(HOSTILE,)),
            Finding("vmap", "float64", absent=HOSTILE),
        ],
        HOSTILE, HOSTILE, causes=(cause,), ruled_out=(HOSTILE,), notes=(HOSTILE,), replay=HOSTILE,
        simplest=replace(POINTS[1], inputs={HOSTILE: torch.tensor(1.0)}),
    )  # fmt: skip


def test_text_from_people_is_no_markdown(hostile):
    tokens = MarkdownIt("commonmark").enable("table").parse(hostile.markdown())
    kinds = {child.type for token in tokens for child in (token, *(token.children or ()))}
    assert kinds == {
        "paragraph_open", "paragraph_close", "inline", "text", "strong_open", "strong_close",
        "code_inline", "text_special", "table_open", "table_close", "thead_open", "thead_close",
        "tbody_open", "tbody_close", "tr_open", "tr_close", "th_open", "th_close", "td_open",
        "td_close", "fence",
    } - ({"text_special"} - kinds)  # fmt: skip
    assert sum(token.type == "fence" for token in tokens) == 1
    rows = [token for token in tokens if token.type == "tr_open"]
    assert len([token for token in tokens if token.type in ("td_open", "th_open")]) == 11 * len(
        rows
    )
    loose = "".join(
        child.content for token in tokens for child in token.children or () if child.type == "text"
    )
    assert "@you" not in loose
    assert "#1" not in loose
    assert "www.e" not in hostile.markdown().partition("`")[0]


def test_text_from_people_reaches_no_terminal(hostile):
    for width in (80, 40):
        assert all(
            character.isprintable() for line in hostile.lines(width) for character in line.plain
        )
    assert "\x1b" not in hostile.markdown() + repr(hostile)
    with pytest.raises(GradientError) as raised:
        hostile.raise_for_failure()
    assert "\x1b" not in str(raised.value)


def test_text_in_markdown():
    assert code("a|b``c") == "`a`&#124;``` b``c ```"
    assert code("") == ""
    assert escaped_text("a_b: 1 < 2, 75% | www.x.y") == "a&#95;b: 1 &#60; 2, 75% &#124; www&#46;x.y"
    assert fenced_block(["```", "x"]) == "````text\n```\nx\n````"


def test_a_long_table_in_markdown_is_cut():
    value, reverse = found(focal, POINTS[1:2])
    parts = tuple(replace(reverse.parts[0], name=f"w{place}") for place in range(60))
    text = report([value, replace(reverse, parts=parts)]).markdown()
    assert text.count("| ✅ agrees |") == 50
    assert text.endswith("\n\nThe worst 50 of 61 components.")


def test_every_check_has_a_title_and_a_sentence():
    assert [check.name for check in CHECKS] == [
        "value", "reverse", "forward", "both", "second", "vmap", "strided", "expanded",
        "structured", "undefined", "again", "subset", "same", "size", "mode", "determinism",
        "overwriting", "form", "reach",
    ]  # fmt: skip
    assert all(check.title and check.sentence.endswith(".") for check in CHECKS)
    assert len({check.title for check in CHECKS}) == len(CHECKS)


@pytest.mark.parametrize(("target", "name"), [
    ("a/b.py::focal", "focal"), ("a.b:focal", "focal"), ("focal", "focal"), ("C:\\a.py::f", "f"),
    ("", ""),
])  # fmt: skip
def test_target_names(target, name):
    assert target_name(target) == name


def test_blocks_of_the_hessian_that_agree_are_one_row():
    given = torch.tensor([0.5, 1.5], dtype=torch.float64)
    report = verifier.check(lambda x, y: x * y * y, inputs={"x": given, "y": given + 1})
    names = [line.split("  ")[0] for line in shown(report, 80, Detail.VERBOSE).splitlines()]
    assert "all (second)" in names
    assert "x y (second)" not in names
    assert {"x x", "x y", "y x", "y y", "x grad_output", "y grad_output"} <= {
        one.name for one in report.components
    }
    wrong = verifier.check(
        lambda x, y: x * (y * y + y.detach()), inputs={"x": given, "y": given + 1}
    )
    names = [line.split("  ")[0] for line in shown(wrong, 80, Detail.VERBOSE).splitlines()]
    assert "x y (second)" in names and "all (second)" in names


# One wrong gradient is one failure.


def wrong_part(finding, name):
    return next(part for part in restated(finding, np.negative, name).parts if part.name == name)


def derived(*wrong, causes=(), forward=False):
    """The gradients by these are wrong, and so are the Hessian's rows of p; and forward mode."""
    value, reverse, ahead, hessian = found(focal, POINTS[2:], ("reverse", "forward", "second"))
    parts = {part.name: part for part in reverse.parts}
    parts |= {name: wrong_part(reverse, name) for name in wrong}
    rows = restated(hessian, np.negative, "p[1] g")
    modes = restated(ahead, np.negative) if forward else ahead
    known = replace(reverse, parts=tuple(parts.values()))
    strided = replace(known, check="strided")
    return Tally(report([value, known, modes, rows, strided], causes=tuple(causes)).checked)


def test_what_follows_from_a_gradient_stands_below_it():
    (one,) = failures_of(derived("p"))
    assert (one.names, one.second_derivatives, one.layouts) == (("p",), 1, ("strided",))
    text = str(CheckReport(derived("p").checked))
    assert "  follows    1 second derivative and 1 other layout are wrong because of it\n" in text


def test_a_second_derivative_of_a_right_gradient_is_a_failure_of_its_own():
    first, second = failures_of(derived("g"))
    assert (first.names, first.second_derivatives) == (("g",), 0)
    assert second.first.name == "p g"
    (alone,) = failures_of(derived())
    assert alone.first.name == "p g"


def test_gradients_that_are_wrong_for_one_cause_are_one_failure():
    same = (FLIPPED, replace(FLIPPED, component="g"))
    (one,) = failures_of(derived("p", "g", causes=same))
    assert sorted(one.names) == ["g", "p"] and len(one.alike) == 1
    assert len(failures_of(derived("p", "g"))) == 2
    other = (FLIPPED, replace(FLIPPED, component="g", cause="transposed"))
    assert len(failures_of(derived("p", "g", causes=other))) == 2


def test_forward_mode_follows_only_for_the_same_cause():
    same = (FLIPPED, replace(FLIPPED, component="value"))
    (one,) = failures_of(derived("p", causes=same, forward=True))
    assert one.is_wrong_in_forward_mode
    assert len(failures_of(derived("p", causes=(FLIPPED,), forward=True))) == 2


@pytest.mark.parametrize(
    ("wrong_at", "kinds", "expected"),
    [
        ((1, 2, 3), ("random",) * 3, "at every point tried, in float64"),
        ((1,), ("random",) * 3, "at 1 of 3 points, in float64"),
        ((2,), ("random", "edge", "random"), "at 1 of 3 points, in float64, all of them edges"),
        ((1,), ("edge",), "at the only point tried, in float64"),
    ],
)
def test_where_it_is_wrong(wrong_at, kinds, expected):
    _, reverse = found(focal, POINTS[1:2])
    findings = [
        replace(
            restated(reverse, np.negative, "p") if number in wrong_at else reverse,
            point=replace(POINTS[1], number=number, kind=kind),
        )
        for number, kind in enumerate(kinds, 1)
    ]
    (one,) = failures_of(Tally(report(findings).checked))
    assert where_it_fails(one) == expected


@pytest.mark.parametrize(
    ("allowed", "ends"),
    [
        (0.5, "between 0.25 and 1.25"),
        (0.7500001, "between 0 and 1.5"),
        (2.0, "between -1.25 and 2.75"),
        (float("inf"), "between the one-sided derivatives"),
    ],
)
def test_the_ends_of_what_agrees_at_a_kink(allowed, ends):
    at_kink = Judged(2.0, "0.75", note=Note.KINK, allowed=allowed)
    assert (exact_text(at_kink), distance_text(at_kink, "float64")) == (ends, "")


def test_at_a_kink_the_report_shows_what_agrees():
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.clamp(min=0)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return torch.where(x == 0, 2 * g, g * (x > 0))

    report = verifier.check(
        Doubled.apply, inputs={"x": torch.tensor([0.0, 1.0])}, dtypes=["float32"]
    )
    assert "  exact      between 0 and 1.47\n" in str(report)
    report = verifier.check(
        torch.hypot,
        inputs={"input": torch.tensor([0.0]), "other": torch.tensor([0.0])},
        dtypes=["float32"],
    )
    assert "  autograd   nan\n  exact      between the one-sided derivatives\n" in str(report)


def test_what_follows_from_forward_mode_is_the_comparison_of_both():
    """torch adds 1e-13 in the forward mode of logcumsumexp."""
    inputs = {"input": verifier.between(-2, 2, shape=(2,)), "dim": 0}
    report = verifier.check(torch.logcumsumexp, inputs=inputs, points=1, dtypes=["float64"])
    assert "  follows    the comparison of both modes is wrong because of it\n" in str(report)
