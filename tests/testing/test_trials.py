"""The judge on trial: liars tell what they are said to, twins are the same function, the tables say
what was found.
"""

import json
import math
import re
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

import verifier
from tests.reporting.test_training_page import Reader
from verifier.commands import selftest as trialreport
from verifier.commands.cli import run
from verifier.commands.selftest import Trials, selftest
from verifier.errors import InputError
from verifier.judging.examination import Replayed
from verifier.judging.examine import examine
from verifier.judging.verdict import Note, Outcome
from verifier.testing import trials
from verifier.testing.cases import CASES, DTYPES, case_named
from verifier.testing.mutations import (
    GRAPH,
    KERNEL,
    LIARS,
    NUMBERS,
    RACY,
    TWINS,
    Right,
    honest,
    liar_named,
    off,
    one_scaled,
    scaled,
    through_numpy,
)
from verifier.testing.trials import (
    HARD,
    QUICK,
    SMALL,
    GradcheckResult,
    HonestResult,
    LieResult,
    Scope,
    _Bench,
    limits_moved,
    list_tasks,
)

BUMP, HUBER, NETWORK = map(case_named, ("bump", "huber", "tanh network"))


def right(gradient, *inputs, place=0):
    """A backward of x * w summed over rows, for liars to spoil."""
    gradient = torch.tensor(gradient, dtype=torch.float64)
    inputs = tuple(torch.tensor(one, dtype=torch.float64) for one in inputs) or (gradient,)
    incoming = torch.arange(1.0, 1.0 + inputs[0].numel(), dtype=torch.float64).reshape(
        inputs[0].shape
    )
    return Right(
        gradient,
        inputs,
        place,
        incoming,
        lambda given, seed: (given[0] * seed).reshape(gradient.shape),
    )


LIES = {
    "sign flipped": ([1.0, -2.0], [-1.0, 2.0]),
    "factor 1 + 0.1": ([1.0, -2.0], [1.1, -2.2]),
    "zeroed": ([1.0, -2.0], [0.0, 0.0]),
    "one component times 1 + 1": ([1.0, -2.0], [1.0, -4.0]),
    "two swapped": ([1.0, 2.0, 3.0], [2.0, 1.0, 3.0]),
    "transposed": ([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[1.0, 4.0, 2.0], [5.0, 3.0, 6.0]]),
    "rolled": ([1.0, 2.0, 3.0], [3.0, 1.0, 2.0]),
    "mean for sum": ([2.0, 4.0], [1.0, 2.0]),
    "dropped term": ([3.0, 4.0], [3.0, 0.0]),
    "incoming ignored": ([3.0, 4.0], [3.0, 4.0]),
    "wrong branch": ([3.0, 4.0], [-3.0, -8.0]),
    "stale": ([3.0, 4.0], [2.6875, 7.125]),
    "accumulated": ([3.0, 4.0], [5.6875, 11.125]),
    "narrower dtype": ([0.1, 0.0], [float(np.float32(0.1)), 0.0]),
    "NaN": ([3.0, 4.0], [3.0, math.nan]),
}


@pytest.mark.parametrize("name", LIES)
def test_what_a_liar_tells(name):
    given, expected = LIES[name]
    told = liar_named(name).lie(right(given))
    assert told.dtype == torch.float64
    np.testing.assert_allclose(told.numpy(), expected, rtol=1e-15)


def test_liars_without_a_number():
    assert liar_named("cut").lie(right([1.0])) is None
    assert liar_named("wrong shape").lie(right([1.0, 2.0])).shape == (4,)
    assert liar_named("wrong dtype").lie(right([1.0])).dtype == torch.float32
    lie = deepcopy(RACY.lie)  # it goes on from where it was
    one, other = (lie(right([1.0, 2.0])) for _ in range(2))
    assert not torch.equal(one, other)
    assert 0 < (one - torch.tensor([1.0, 4.0])).abs().max() < 0.02


def test_names_are_unique_and_sentences_said():
    for known in ((*LIARS, RACY), TWINS, CASES):
        assert len({one.name for one in known}) == len(known)
    assert all(one.sentence for one in (*LIARS, *TWINS, RACY))


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_pass_through_numpy_unchanged(dtype):
    for tensor in (BUMP.at(dtype)["x"], torch.tensor(1.5).to(getattr(torch, dtype))):
        assert torch.equal(through_numpy(tensor), tensor)
        assert through_numpy(tensor).dtype == tensor.dtype


# Plantings.


@pytest.mark.parametrize("planting", [GRAPH, NUMBERS, KERNEL], ids=lambda one: one.name)
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_honest_planting_changes_no_bit(planting, dtype):
    inputs = list(HUBER.at(dtype).values())
    found = []
    for code in (HUBER.code, planting.plant(HUBER.code, honest, 2)):
        leaves = [tensor.clone().requires_grad_() for tensor in inputs]
        found.append(torch.autograd.grad(code(*leaves), leaves))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def judged(case, planting, lie, dtype, place=0):
    formula = case.formula if planting is KERNEL else None
    return examine(case.subject(planting.plant(case.code, lie, place), dtype), formula)


@pytest.mark.parametrize(("planting", "read"), [(GRAPH, True), (NUMBERS, True), (KERNEL, False)])
def test_where_the_lie_shows(planting, read):
    found = judged(BUMP, planting, scaled(0.5), "float32")
    assert found["x"].outcome is Outcome.DISAGREES
    assert found["value"].outcome is Outcome.AGREES
    assert isinstance(found.formula, Replayed) == read
    assert found["x"].wrong_formula.any() == (planting is GRAPH)


@pytest.mark.parametrize("planting", [NUMBERS, KERNEL], ids=lambda one: one.name)
@pytest.mark.parametrize("dtype", DTYPES)
def test_just_above_and_just_below_the_limit(planting, dtype):
    """An honest number is within its limit, so that 2.1 limits more are always found and what is
    put at 0.9 never.
    """
    part = judged(BUMP, planting, honest, dtype)["x"]
    limit, exact, stated = part.verdicts.allowed, part.verdicts.centre, part.verdicts.stated
    spacing = part.verdicts.ulp
    assert part.outcome is Outcome.AGREES
    for count in (2.1, -2.1):
        above = off((count * limit + np.sign(count) * spacing).reshape(part.shape))
        assert (
            judged(BUMP, planting, above, dtype)["x"].verdicts.severity
            == Outcome.DISAGREES.severity
        ).all()
    below = torch.tensor(exact + 0.9 * limit).to(getattr(torch, dtype)).double().numpy()
    inside = np.abs(below - exact) <= limit
    assert inside.any()
    moved_to = off(np.where(inside, below - stated, 0.0).reshape(part.shape))
    assert judged(BUMP, planting, moved_to, dtype)["x"].outcome is Outcome.AGREES


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_formula_off_by_1e_20_is_found_in_the_graph_and_nowhere_else(dtype):
    assert judged(BUMP, GRAPH, SMALL.lie, dtype)["x"].outcome is Outcome.DISAGREES
    assert judged(BUMP, NUMBERS, SMALL.lie, dtype)["x"].outcome is Outcome.AGREES


def test_one_component_of_many_is_the_one_that_is_blamed():
    part = judged(NETWORK, GRAPH, one_scaled(1e-8), "float32", place=1)["first"]
    assert part.wrong_formula.tolist() == [False] * 8 + [True]


def test_a_race_is_found_in_every_dtype():
    for dtype in DTYPES:
        part = judged(NETWORK, NUMBERS, RACY.lie, dtype)["x"]
        assert part.outcome is Outcome.DISAGREES
        assert Note.CHANGING in [part.verdicts[place].note for place in range(12)]


def test_what_torch_refuses_is_a_sentence():
    told = (
        "the code's backward cannot be run: RuntimeError: Function _PassedThroughLieBackward "
        "returned an invalid gradient"
    )
    with pytest.raises(InputError, match=told):
        judged(BUMP, GRAPH, liar_named("wrong shape").lie, "float32")


@pytest.mark.parametrize("one", HARD, ids=lambda one: one.liar.name)
def test_hard_ones_are_found_by_the_replay_only(one):
    for dtype in one.dtypes:
        (found,) = _Bench(one.case, dtype, 0).try_lie_and_gradcheck(one.liar, GRAPH, 0)
        assert found.found
        # Nothing cancels so much that float64 does not show 1e-12.
        assert found.size < 1 or dtype == "float64"
        if dtype != "float64":
            assert judged(one.case, NUMBERS, one.liar.lie, dtype)["x"].outcome is Outcome.AGREES


# Twins.


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.name)
def test_a_twin_is_the_same_function_by_another_way(twin):
    inputs = [tensor.requires_grad_() for tensor in twin.case.at("float64").values()]
    one, other = (code(*inputs) for code in (twin.case.code, twin.code))
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    seed = torch.linspace(0.5, 1.5, one.numel(), dtype=torch.float64).reshape(one.shape)
    gradients = (torch.autograd.grad(value, inputs, seed) for value in (one, other))
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


# Trials.


def test_sizes_are_measured_where_the_judge_had_decided():
    before = judged(BUMP, NUMBERS, honest, "float64")["x"]
    limit = before.verdicts.allowed.reshape(before.shape)
    now = judged(BUMP, NUMBERS, off(7.0 * limit), "float64")["x"]
    assert limits_moved(before, before) == 0.0
    assert 6.5 < limits_moved(before, now) < 7.5
    assert (
        limits_moved(before, judged(BUMP, NUMBERS, liar_named("NaN").lie, "float64")["x"])
        == math.inf
    )
    blind = replace(before.verdicts, severity=np.ones(6, dtype=int))
    assert limits_moved(replace(before, verdicts=blind), now) == 0.0


def test_what_is_no_lie_here_is_not_planted():
    bench = _Bench(case_named("tanh"), "float64", 0)
    assert list(bench.try_lie_and_gradcheck(liar_named("wrong branch"), GRAPH, 0)) == []
    assert list(bench.try_lie_and_gradcheck(SMALL, NUMBERS, 0)) == []


def planted(**changed):
    given = {
        "liar": "zeroed", "row": "zeroed", "case": "bump", "dtype": "float64",
        "planting": "numbers", "size": 5.0, "wrong_formula": False, "found": True,
        "gradcheck": GradcheckResult(True, False),
    }  # fmt: skip
    return LieResult(**{**given, **changed})


def acquitted(**changed):
    given = {
        "name": "no lie, graph", "case": "bump", "dtype": "float64", "way": "graph",
        "components": 200, "undecided": 1, "false_alarms": 0, "ratio": 0.5,
        "limits": (1e-15, 3e-15, 2e-15), "gradcheck": GradcheckResult(False, True),
    }  # fmt: skip
    return HonestResult(**{**given, **changed})


def of(*results, done=3):
    return Trials(results, 3, done, 0, quick=True)


def test_exit_codes():
    assert of(planted(), acquitted()).exit_code == 0
    assert of(planted(found=False, size=3.9), acquitted()).exit_code == 0
    assert of(planted(found=False, size=4.0)).exit_code == 1
    assert of(planted(found=False, size=0.0, wrong_formula=True)).exit_code == 1
    assert of(acquitted(false_alarms=1)).exit_code == 1
    assert of(planted(), done=2).exit_code == 130
    assert of(planted(), acquitted(undecided=200)).ok


def test_the_tables_word_for_word():
    trials = of(
        planted(),
        planted(size=0.1, found=False),
        planted(size=0.5, found=False, dtype="bfloat16"),
        planted(size=2.0),
        planted(size=math.inf),
        planted(
            liar="factor 1 + 1e-20",
            row="factor 1 + d",
            planting="graph",
            wrong_formula=True,
            gradcheck=None,
        ),
        acquitted(),
        acquitted(
            name="Horner", dtype="float32", gradcheck=None, undecided=0, ratio=0.0, components=100
        ),
    )
    assert str(trials) == TABLES


TABLES = """\
PASSED  found 3 of 3 lies that must be found; 0 false alarms in 300 components
of honest code.

Lies found of those planted in numbers, by the size of the error in detection
limits, and of those planted in a formula; slow and fast: gradcheck's of the
errors of 4 or more in float64.
              below   1/4     1        4    wrong  gradcheck,  gradcheck,
lie             1/4  to 1  to 4  or more  formula        slow        fast
─────────────────────────────────────────────────────────────────────────
zeroed          0/1   0/1   1/1      2/2        –         2/2         0/2
factor 1 + d      –     –     –        –      1/1           –           –
all             0/1   0/1   1/1      2/2      1/1         2/2         0/2

The judge, by dtype; the detection limit is relative, the median of honest
code.
          4 limits  formula off  detection      honest   false
dtype      or more     by 1e-20      limit  components  alarms  undecided
─────────────────────────────────────────────────────────────────────────
float64        2/2          1/1    2.0e-15         200       0      0.50%
float32          –            –          –         100       0      0.00%
bfloat16         –            –          –           0       0          –
float16          –            –          –           0       0          –

torch.autograd.gradcheck with its defaults on the same code: errors of 4 or
more of our detection limits that it rejects, and honest code that it rejects.
           slow          slow   fast          fast
dtype     finds  false alarms  finds  false alarms
──────────────────────────────────────────────────
float64     2/2           0/1    0/2           1/1
float32       –             –      –             –
bfloat16      –             –      –             –
float16       –             –      –             –

Honest code: the same functions by other algorithms, in all dtypes.
                            false             error/allowed
twin           components  alarms  undecided          worst
───────────────────────────────────────────────────────────
no lie, graph         200       0      0.50%           0.50
Horner                100       0      0.00%              –
all                   300       0      0.33%"""


def test_failures_are_named():
    trials = of(
        planted(found=False, size=12.345),
        planted(found=False, planting="graph", wrong_formula=True),
        acquitted(false_alarms=2, name="Horner", way="formula"),
        done=2,
    )
    assert str(trials).splitlines()[:6] == [
        "FAILED  found 0 of 2 lies that must be found; 2 false alarms in 200 components",
        "of honest code.",
        "PARTIAL  interrupted after 2 of 3 trials",
        "missed: zeroed in bump, float64, numbers: 12.3 detection limits",
        "missed: zeroed in bump, float64, graph: a wrong formula",
        "false alarm: Horner in bump, float64, by formula: 2 of 200 refused",
    ]


def test_narrow_terminals_stack():
    lines = [line.plain for line in of(planted(), acquitted()).lines(40)]
    assert max(map(len, lines)) <= 40
    assert "  wrong formula    –" in lines


# The page.


def test_a_page_of_what_passed():
    trials = of(planted(), acquitted())
    page = trials._page()
    assert (page.outcome, page.verdict) == (Outcome.AGREES, "The judge passed its trial.")
    assert page.sentences == [
        "Found 1 of 1 lies that must be found; 0 false alarms in 200 components of honest code."
    ]
    assert [part.title for part in page.sections] == [
        "Lies by kind", "The judge by dtype", "gradcheck on the same code", "Honest code",
        "How this was made",
    ]  # fmt: skip
    assert [one.title for one in page.sections[0].columns[-2:]] == [
        "gradcheck, slow",
        "gradcheck, fast",
    ]
    assert page.sections[0].cells[0] == ("zeroed", "–", "–", "–", "1/1", "–", "1/1", "0/1")
    reader = Reader(trials.to_html())
    assert not reader.open
    assert ["zeroed", "–", "–", "–", "1/1", "–", "1/1", "0/1"] in reader.rows
    assert "verifier selftest --quick --seed 0" in "".join(reader.text)
    assert not Reader(trials._repr_html_()).open


def test_a_page_of_what_failed():
    trials = of(
        planted(found=False, size=12.345), acquitted(false_alarms=2, name="Horner", way="formula")
    )
    page = trials._page()
    assert (page.outcome, page.verdict) == (Outcome.DISAGREES, "The judge failed its trial.")
    assert page.sections[0].sentences == [
        "missed: zeroed in bump, float64, numbers: 12.3 detection limits",
        "false alarm: Horner in bump, float64, by formula: 2 of 200 refused",
    ]
    many = of(*[planted(found=False)] * 101)._page().sections[0]
    assert (len(many.sentences), many.sentences[-1]) == (101, "The first 100 of 101.")


def test_a_page_of_what_was_interrupted():
    page = of(planted(), done=2)._page()
    assert (page.outcome, page.verdict) == (
        Outcome.UNDECIDED, "Nothing has failed so far: interrupted after 2 of 3 trials.",
    )  # fmt: skip


SMALLER = Scope((BUMP,), (liar_named("sign flipped"),), TWINS[:1], (), (), ("float32",))


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(trialreport, "QUICK", SMALLER)


def test_the_same_seed_gives_the_same_trials(small):
    one, other, another = selftest(quick=True), selftest(quick=True), selftest(quick=True, seed=1)
    assert one.ok
    assert one.results == other.results
    assert another.results != one.results


def test_liars_and_twins_take_turns():
    scope = replace(QUICK, models=(), hard=())
    assert len(list_tasks(scope, 0)) < len(list_tasks(replace(scope, every=1), 0))
    assert {one.row for one in QUICK.liars} == {one.row for one in LIARS}


def test_liars_in_a_training(monkeypatch):
    kept = {
        name: trials._WITNESSES[name]
        for name in ("sign flipped", "stale", "accumulated", "NaN", "factor 1 + 1e-20")
    }
    monkeypatch.setattr(trials, "_WITNESSES", kept)
    honest_one, *found = trials._tries_of_model("linear", "float64")
    assert (honest_one.components, honest_one.false_alarms) == (12, 0)
    assert [(one.liar, one.found) for one in found] == [
        ("sign flipped", True), ("stale", True), ("accumulated", True), ("NaN", True)
    ]  # fmt: skip
    assert all(one.size >= 4 for one in found)


@pytest.mark.parametrize("seed", [-1, 0.5, True, "a"])
def test_seeds(seed):
    with pytest.raises(
        InputError, match=re.escape(f"the seed {seed!r} is no whole number from 0 on")
    ):
        selftest(seed=seed)


def test_interrupted(small):
    found = selftest(quick=True, keep_going=lambda done, planned: done < 2)
    assert (found.done, found.exit_code) == (2, 130)
    assert found.planned == len(list_tasks(SMALLER, 0))


def test_command_line(small, capsys, tmp_path):
    path = tmp_path / "trials.json"
    page = tmp_path / "trials.html"
    assert run(["selftest", "--quick", "--json", str(path), "--html", str(page)]) == 0
    assert "The judge passed its trial." in page.read_text(encoding="utf-8")
    assert "PASSED  found " in capsys.readouterr().out
    document = json.loads(path.read_text())
    assert (document["format"], document["command"], document["ok"]) == (
        "verifier/1",
        "selftest",
        True,
    )
    assert document["settings"] == {"seed": 0, "quick": True}
    assert {one["row"] for one in document["planted"]} >= {
        "racy",
        "off by limits",
        "factor 1 + d",
        "sign flipped",
    }
    assert verifier.selftest is selftest


def test_a_judge_that_sees_nothing_fails(small, monkeypatch, capsys):
    def blind(subject, formula=None):
        found = examine(subject, formula)
        parts = [
            replace(part, verdicts=replace(part.verdicts, severity=part.verdicts.severity * 0))
            for part in found.parts
        ]
        return replace(found, parts=tuple(parts))

    monkeypatch.setattr(trials, "examine", blind)
    assert run(["selftest", "--quick"]) == 1
    assert "missed: sign flipped in bump" in capsys.readouterr().out


def test_a_judge_that_suspects_everything_fails(small, monkeypatch, capsys):
    def strict(subject, formula=None):
        found = examine(subject, formula)
        parts = [
            replace(part, verdicts=replace(part.verdicts, severity=part.verdicts.severity * 0 + 2))
            for part in found.parts
        ]
        return replace(found, parts=tuple(parts))

    monkeypatch.setattr(trials, "examine", strict)
    assert run(["selftest", "--quick"]) == 1
    assert (
        "false alarm: no lie, graph in bump, float32, by graph: 12 of 12 refused"
        in capsys.readouterr().out
    )
