"""Real gradients that are wrong, planted backwards that were released, functions and layers of
torch, all checked.
"""

import json
from pathlib import Path

import pytest
import sympy
import torch

import verifier
from tests.helpers.gradient_bugs import CASES, bug
from tests.helpers.torch_layers import LAYERS
from tests.helpers.wrong_backwards import (
    PLANTED,
    KeepsItsInput,
    Overwrites,
    _PairBackward,
    _RightPairBackward,
    function,
    pair,
)
from verifier.checking.variants import NAMES
from verifier.judging.verdict import Note

FUNCTIONS = json.loads(
    (Path(__file__).parents[1] / "data/torch_functions.json").read_text(encoding="utf-8")
)
ONLY_FIRST = tuple(name for name in NAMES if name not in ("value", "reverse"))


def said(report, quantity="reverse"):
    """The outcome of one quantity, its causes and its notes."""
    components = [one for one in report.components if one.quantity == quantity]
    names = {name for one in components for name in (one.name, *one.part_names)}
    causes = {cause.cause for cause in report.causes if cause.component in names}
    notes = {
        Note(list(Note)[place]).name
        for one in components
        for statement in one.statements
        for place in statement.part.verdicts.note.tolist()
    }
    worst = max((one.outcome for one in components), key=lambda outcome: outcome.severity)
    return worst.value, causes, notes - {"NONE"}


# Gradients that torch gets wrong or loses. What is lost in rounding agrees and is called
# inaccurate; what has no exact value, or none that is found in time, is undecided.
EXPECTED = {
    "where_sqrt": ("disagrees", {"NaN from a branch not taken"}, set()),
    "tanh_sat_f32": ("agrees", set(), {"INACCURATE"}),
    "tanh_sat_f64": ("agrees", set(), {"INACCURATE"}),
    "sigmoid_sat_f64": ("agrees", set(), {"INACCURATE"}),
    "expm1": ("agrees", set(), {"INACCURATE"}),
    "bcewl_pos": ("agrees", set(), {"INACCURATE"}),
    "sinc_near0": ("agrees", set(), {"INACCURATE"}),
    "log_ndtr_f64": ("undecided", set(), {"BLIND"}),
    "erfcx_f32": ("agrees", set(), {"INACCURATE"}),
    "bce_boundary": ("undecided", set(), {"NO_EXACT_VALUE"}),
    "logsumexp_inf": ("undecided", set(), {"NOT_FINITE"}),
    "logsumexp_allneginf": ("undecided", set(), {"NOT_FINITE"}),
    "logaddexp_neginf": ("undecided", set(), {"NOT_FINITE"}),
    "atan2_f16": ("disagrees", {"overflow of an intermediate"}, set()),
    "ldexp_int": ("disagrees", {"path detached"}, set()),
    "sqrt_sum_sq": ("disagrees", {"not finite"}, {"LIMIT"}),
    "sqrt_x4": ("disagrees", {"not finite"}, {"LIMIT"}),
    "acos_sq": ("disagrees", {"not finite"}, {"LIMIT"}),
    "x2logx": ("disagrees", {"not finite"}, {"LIMIT"}),
    "naive_softplus": ("disagrees", {"overflow of an intermediate"}, set()),
    "var_f32": ("agrees", set(), set()),
    "detach": ("disagrees", {"path detached"}, set()),
}


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["id"] in EXPECTED], ids=lambda case: case["id"]
)
def test_gradients_that_torch_loses(case):
    outcome, causes, notes = EXPECTED[case["id"]]
    found = said(bug(case).checked(without=ONLY_FIRST))
    assert found[0] == outcome
    assert causes <= found[1]
    assert notes <= found[2]


def named(name):
    return bug(next(case for case in CASES if case["id"] == name))


def test_what_no_branch_of_the_formula_excuses():
    """softplus is the identity beyond 20, so that at 20 its own forward allows 0; its formula does
    not.
    """
    report = named("softplus_d2").checked(formula="log(1 + exp(x0))", without=("forward", "both"))
    assert said(report, "second")[0] == "disagrees"


def test_what_cannot_be_read_says_what_else_can_be_given():
    with pytest.raises(
        verifier.InputError,
        match=r"has no rule for complex numbers; give its formula or a plain version",
    ):
        verifier.check(torch.linalg.lu, inputs={"A": torch.ones(2, 2, dtype=torch.complex64)})


def test_factors_that_are_not_unique_are_undecided():
    assert said(named("svd_degenerate").checked())[0] == "undecided"


def test_a_formula_for_what_cannot_be_read():
    """The product of the factors is the matrix, whose derivative is 1; torch's is NaN where they
    are not unique.
    """
    report = named("svd_degenerate").checked(reference=lambda A: A.sum(), without=ONLY_FIRST)
    assert said(report)[0] == "disagrees"


# Backward rules that were wrong in released code.


@pytest.mark.parametrize("name", PLANTED)
def test_a_backward_that_was_released(name):
    planted = PLANTED[name]
    settings = {"inputs": planted.inputs, "points": 1}
    wrong = verifier.check(function(planted.forward, planted.wrong), **settings)
    assert wrong.outcome == "disagrees"
    assert {cause.cause for cause in wrong.causes} & set(planted.causes)
    right = verifier.check(function(planted.forward, planted.right), **settings)
    assert right.ok
    assert said(right)[0] == "agrees"


def test_a_kernel_that_overwrites_what_others_have_saved():
    inputs = {"x": verifier.between(-2, 2, shape=(3, 4))}
    report = verifier.check(Overwrites.apply, inputs=inputs)
    assert report.outcome == "disagrees"
    (failing,) = {failure for finding in report.checked.judged for failure in finding.failures}
    assert (
        failing
        == "x is overwritten, and autograd is not told: what other operations keep of it is wrong"
    )
    assert verifier.check(KeepsItsInput.apply, inputs=inputs).outcome == "agrees"


def test_the_wrong_grad_in_a_double_backward():
    inputs = {"x": verifier.between(-2, 2, shape=(3,)), "y": verifier.between(-2, 2, shape=(3,))}
    report = verifier.check(pair(_PairBackward), inputs=inputs)
    assert said(report)[0] == "agrees"
    assert said(report, "second")[0] == "disagrees"
    assert verifier.check(pair(_RightPairBackward), inputs=inputs).outcome == "agrees"


# Functions of torch, from their call alone and against their formula.


def function_of(case):
    names = case["variables"]
    source = f"lambda {', '.join(names)}: {case['call']}"
    return eval(source, {"F": torch.nn.functional, "torch": torch})  # noqa: S307 (the tests' own data)


def outcomes_of(report):
    return {(one.name, one.quantity, one.dtype): one.outcome for one in report.components}


@pytest.mark.sweep(one_in=8)
@pytest.mark.parametrize("case", FUNCTIONS, ids=lambda case: case["name"])
def test_functions_of_torch(case):
    code, inputs = (
        function_of(case),
        {name: verifier.between(*case["box"][name]) for name in case["variables"]},
    )
    settings = {"inputs": inputs, "points": 1, "without": ("vmap", "expanded", "strided")}
    alone = verifier.check(code, **settings)
    against = verifier.check(code, formula=case["formula"], **settings)
    outcomes = [
        {(one.name, one.quantity, one.dtype): one.outcome for one in report.components}
        for report in (alone, against)
    ]
    assert outcomes[0] == outcomes[1]
    # The second derivative of binary_cross_entropy divides by (1 - x) * x + 1e-12.
    assert alone.outcome == ("disagrees" if case["name"] == "bce" else "agrees")
    expression = sympy.sympify(case["formula"])
    assert expression.free_symbols <= {sympy.Symbol(name) for name in case["variables"]}


# Layers.


@pytest.mark.sweep(one_in=6)
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    make, inputs = LAYERS[name]
    torch.manual_seed(0)
    report = verifier.check(make(), inputs=inputs)
    assert report.outcome == "agrees"
    assert {one.dtype for one in report.components} == {"float32", "float64"}
    assert report.formula.digits > 50


def test_ctc_agrees_on_what_it_is_meant_for():
    """Its gradient is the derivative for a log_softmax only. A simpler point keeps the lengths."""
    others = {
        "targets": torch.tensor([[1, 2]]),
        "input_lengths": torch.tensor([6]),
        "target_lengths": torch.tensor([2]),
    }
    scores = {"x": verifier.between(-3, 3, shape=(6, 1, 4)), **others}

    def of_scores(x, targets, input_lengths, target_lengths):
        sizes = (input_lengths, target_lengths)
        return torch.nn.functional.ctc_loss(x.log_softmax(-1), targets, *sizes)

    assert verifier.check(of_scores, inputs=scores).ok
    alone = {"log_probs": verifier.between(-3, -0.1, shape=(6, 1, 4)), **others}
    assert verifier.check(torch.nn.CTCLoss(), inputs=alone, points=2).exit_code == 1
