"""Explanations: every number along the graph, judged; and where the two part when something is
wrong.
"""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import verifier
from tests.formula.test_add_function import as_before  # noqa: F401 (functions are added here)
from tests.formula.test_forms import FORMS
from tests.helpers.golden import WIDTHS, assert_is_golden, lines
from verifier.commands.cli import run
from verifier.explaining.explained_step import Quantity, Role
from verifier.explaining.first_divergence import find_first_divergence
from verifier.explaining.graph import graph_of
from verifier.judging.verdict import Outcome
from verifier.program.codegen import TORCH, function, function_with_callback
from verifier.testing.mutations import NotZeroed, Stale, Tampered
from verifier.witnesses import Autograd

TRACES = json.loads((Path(__file__).parents[1] / "data" / "tutorial_traces.json").read_text())
DATA = {"x": [0.5, 2.0, 3.0], "y": [1.0, 2.0, 0.0]}


def quadratic():
    return verifier.load("quadratic")


def typed(formula, **start):
    return verifier.Model.from_text(
        formula, inputs="x", start=start, loss=verifier.squared_error, data=DATA
    )


CASES = {
    "explain_third_step": lambda: verifier.explain(quadratic(), at={"x": 3, "y": 6}),
    "explain_failing": lambda: verifier.explain(
        quadratic(), step=6, witness=Tampered(2, torch.neg, (6,))
    ),
    "explain_batch": lambda: verifier.explain(verifier.load("robust_line"), step=2),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("width", WIDTHS)
def test_golden(name, width):
    assert_is_golden(CASES[name](), name, width)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_too_wide(name, width):
    assert all(len(line) <= width for line in lines(CASES[name](), width))


def test_the_third_step_of_the_tutorial(capsys):
    """Every number that the tutorial prints for its third step, and that it is that step."""
    printed = TRACES["quadratic"]["epochs"]["0"]
    assert run(["explain", "quadratic", "--at", "x=3,y=6"]) == 0
    shown = capsys.readouterr().out
    head = "step 3    epoch 0  x=3 y=6                              loss 18.318405151367188\n"
    assert shown.startswith("AGREES  The loss and 3 gradients agree at step 3; ")
    assert f"\n\n{head}" in shown
    assert (
        "\nstep 3 is the first of the training's 300 that uses x=3 y=6; the parameters are\nas "
        "steps 1 and 2 left" in shown
    )
    for gradient in printed["gradients"][2]:
        assert f"before backward(), {gradient!r} after it" in shown
    assert f"loss {printed['cost']!r}" in shown


@pytest.mark.parametrize("name", ["linear", "quadratic"])
def test_every_printed_step_of_the_tutorial(name):
    for epoch, printed in TRACES[name]["epochs"].items():
        for row, gradient in enumerate(printed["gradients"]):
            found = verifier.explain(verifier.load(name), step=3 * int(epoch) + row + 1)
            assert [judged.stated for judged in found.gradient.values()] == gradient
            assert [found[part].adjoints[0].stated for part in found.gradient] == gradient
            assert (found.place.epoch, found.place.sample) == (int(epoch), row)
        assert found.loss.stated == found["loss"].values[0].stated == printed["cost"]


SETTINGS = (
    {},
    {"dtype": "float64"},
    {"batch": 2, "shuffle": True},
    {"batch": "all", "optimizer": "adam"},
)


@pytest.mark.sweep("formula")
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("formula", FORMS)
def test_it_says_what_a_training_says(formula, settings):
    model = typed(formula, w=0.7)
    try:
        report = verifier.train(model, epochs=1, **settings)
    except verifier.InputError as error:
        assert "no gradient reaches" in str(error)
        return
    for step in (report.steps[0], report.steps[-1]):
        found = verifier.explain(model, step=step.number, epochs=1, **settings)
        assert found.parting is None
        assert repr((found.loss.stated, found.loss.allowed)) == repr(
            (step.loss.stated, step.loss.allowed)
        )
        told = [
            {n: (one.stated, one.symbolic, one.allowed, one.outcome) for n, one in side.items()}
            for side in (found.gradient, step.gradient)
        ]
        assert repr(told[0]) == repr(told[1])
        assert dict(found.place.parameters) == step.parameters


def test_the_chain_rule_holds_along_the_graph():
    """Each adjoint is the sum of those of its users times their derivatives by it."""
    found = verifier.explain(verifier.load("tanh_network"), step=5, dtype="float64")
    assert len(found.nodes) > 30
    checked = 0
    for node in found.nodes[:-1]:
        if node.adjoints:
            edges = [
                (user, edge)
                for user in node.users
                for edge in found[user].edges
                if edge.argument == node.name
            ]
            total = sum(
                found[user].adjoints[0].stated * edge.numbers[0].stated for user, edge in edges
            )
            assert total == pytest.approx(node.adjoints[0].stated, rel=1e-12)
            checked += 1
    assert checked > 20


def test_a_batch_has_a_number_a_row():
    found = verifier.explain(quadratic(), batch="all")
    node = found["t5"]
    assert (node.formula, node.rows, len(node.values), len(node.adjoints)) == (
        "prediction - y",
        3,
        3,
        3,
    )
    assert [one.stated for one in node.values] == [0.0, 2.0, 6.0]
    assert [edge.formula for edge in found["loss"].edges] == ["1/3"]
    assert found["b"].adjoints[0].stated == pytest.approx(
        sum(one.stated for one in node.adjoints), rel=1e-6
    )
    assert found.place.inputs == {}


def test_only_the_first_rows_of_a_long_batch_are_judged_and_it_says_so():
    rows = 1500
    data = {"x": np.linspace(-1, 1, rows), "y": np.ones(rows)}
    found = verifier.explain(typed("tanh(w*x)", w=0.5), data=data, batch="all")
    assert (found.judged_rows, len(found["t1"].values), found["t1"].rows) == (1000, 1000, 1500)
    assert "  ⋯ 1500 rows in all; 1000 agree of the first 1000 judged here" in str(found)


def test_the_tensors_as_torch_holds_them():
    held = {tensor.name: tensor for tensor in verifier.explain(quadratic(), step=3).tensors}
    assert (held["x"].requires_grad, held["x"].grad_fn) == (False, None)
    assert (held["w1"].requires_grad, held["w1"].grad_fn) == (True, None)
    assert (held["w1"].grad_before, held["w1"].grad_after) == (None, 77.04000854492188)
    assert (held["t1"].requires_grad, held["t2"].grad_fn) == (False, "MulBackward0")
    assert held["loss"].grad_fn == "PowBackward0"
    assert held["loss"].grad_after is None


def test_the_update():
    (update, *_) = verifier.explain(quadratic(), step=3).updates
    after = verifier.train(quadratic()).steps[3].parameters["w1"]
    assert (update.before, update.gradient, update.after) == (
        0.8400000333786011,
        77.04000854492188,
        after,
    )
    assert (update.moved, update.symbolic_after) == (0.7704000473022461, after)
    adam = verifier.explain(quadratic(), step=3, optimizer="adam")
    after = verifier.train(quadratic(), optimizer="adam").steps[3].parameters["w1"]
    assert (adam.updates[0].moved, adam.updates[0].symbolic_after, adam.updates[0].after) == (
        None,
        None,
        after,
    )
    assert f"w1       {adam.updates[0].before!r} becomes {after!r} by adam at lr 0.01" in str(adam)


def test_roles_and_what_is_held_still():
    model = verifier.Model.from_text(
        "w*x + c",
        inputs="x",
        start={"w": 1.0, "c": 0.5},
        fixed=["c"],
        loss=verifier.squared_error,
        data=DATA,
    )
    found = verifier.explain(model)
    assert [found[name].role for name in ("x", "w", "c", "t1")] == [
        Role.DATA, Role.PARAMETER, Role.FIXED, Role.OPERATION,
    ]  # fmt: skip
    assert found["c"].adjoints == ()
    assert [update.name for update in found.updates] == ["w"]
    with pytest.raises(KeyError):
        found["nothing"]


def test_names_give_way_to_symbols():
    found = verifier.explain(typed("t1*x + loss", t1=1.0, loss=0.5))
    assert [node.title for node in found.nodes if node.role is Role.OPERATION] == [
        "t1_ = t1 * x", "prediction = t1_ + loss", "t2 = prediction - y", "loss_ = t2**2",
    ]  # fmt: skip


def test_conditions_and_constants():
    found = verifier.explain(typed("where(x > w, sqrt(2)*w, -3*x)", w=1.0), step=2)
    (condition,) = [node for node in found.nodes if node.conditions]
    assert condition.title == "t1 = x > w"
    assert (
        condition.conditions[0].autograd,
        condition.conditions[0].symbolic,
        condition.values,
    ) == (True, True, ())
    assert found["t2"].formula == "sqrt(2) * w"
    assert [(edge.formula, edge.numbers[0].stated) for edge in found["prediction"].edges] == [
        ("(1 if t1 else 0)", 1.0)
    ]
    assert "t1 = x > w   True both ways" in str(found)


def test_a_kink_is_told():
    found = verifier.explain(typed("abs(w*x - 1)", w=2.0))
    assert found.outcome is Outcome.AGREES
    told = " ".join(str(found).split())
    assert "at a kink or border: any value between the one-sided derivatives agrees" in told


def test_the_smallest_model():
    found = verifier.explain(verifier.Model.from_text("w", start={"w": 1.5}))
    assert (found.outcome, [node.title for node in found.nodes]) == (Outcome.AGREES, ["w"])
    assert "∂L/∂w  = 1\n" in str(found) and "outcome" in str(found) and "…" not in str(found)


def test_a_sum_passes_on_what_it_gets():
    model = verifier.Model.from_text(
        "w*x", inputs="x", start={"w": 0.5}, loss=verifier.squared_error, data=DATA, reduction="sum"
    )
    found = verifier.explain(model, batch="all")
    assert (found.ok, found["loss"].formula, found["loss"].edges[0].formula) == (
        True,
        "sum(t2)",
        "1",
    )


def test_a_branch_that_is_the_same_either_way():
    """The formula decides nothing there, and the guarded code keeps the branch all the same."""
    found = verifier.explain(typed("where(x > 1, w, w)*x", w=0.5))
    assert found.ok
    assert [
        edge.formula
        for node in found.nodes
        for edge in node.edges
        if node.formula.startswith("where")
    ] == ["1"]


def test_formulas_that_are_too_long_are_left_out():
    formula = "w*x"
    for _ in range(11):
        formula = f"({formula})*({formula})"
    found = verifier.explain(typed(formula, w=1.0), at={"x": 1.0, "y": 2.0})
    assert found.ok
    assert found.formulas == {}
    assert "by SymPy" not in str(found)


def test_undecided_rows_are_counted():
    data = {"x": [1.0, -1.0, -2.0, -3.0, -4.0], "y": [0.0] * 5}
    found = verifier.explain(typed("log(w*x)", w=1.0), data=data, batch="all")
    assert found.outcome is Outcome.UNDECIDED
    assert "  ⋯ 5 rows in all; 1 agrees, 4 undecided" in str(found)


def test_it_shows_itself_in_a_rich_console():
    from io import StringIO

    from rich.console import Console

    out = StringIO()
    found = verifier.explain(verifier.load("linear"))
    Console(file=out, width=80).print(found)
    assert out.getvalue().rstrip() == "\n".join(line.plain for line in found.lines(80)).rstrip()


def test_many_paths_are_left_to_the_equations():
    found = verifier.explain(typed("w*w*w*w*w*x", w=1.1))
    assert "∂L/∂w  has more than 3 paths to add up: the equations above do, node by node" in str(
        found
    )
    two = verifier.explain(typed("w*x + w", w=1.1))
    assert "  +  " in str(two)


def test_a_deep_tree_is_not_drawn():
    found = verifier.explain(typed("sin(" * 40 + "w*x" + ")" * 40, w=0.3))
    assert "nodes, too many or too deep for a tree: the next table has them all" in str(found)


AT = {
    "--at x=3,y=6": (
        3,
        "step 3 is the first of the training's 300 that uses x=3 y=6; the parameters are as steps "
        "1 and"
        " 2 left them",
    ),
    "--at x=2": (
        2,
        "step 2 is the first of the training's 300 that uses x=2; the parameters are as step 1 "
        "left them",
    ),
    "--step 300": (
        300,
        "step 300 of the training's 300; the parameters are as steps 1 to 299 left them",
    ),
    "--at x=4,y=8": (
        1,
        "x=4 y=8 is no row of the data; the parameters are where the training starts",
    ),
    "--at x=7 --step 1": (
        1,
        "step 1 of the training's 300, with x=7 in the place of its sample; the parameters are"
        " where the training starts",
    ),
    "--at w1=2": (
        1,
        "step 1 of the training's 300; w1=2 in the place of 1.0; the parameters are where the "
        "training"
        " starts",
    ),
    "--at x=7 --step 2": (
        2,
        "step 2 of the training's 300, with x=7 in the place of its sample; the parameters are"
        " as step 1 left them",
    ),
    "--at y=6 --batch 2": (
        2,
        "step 2 is the first of the training's 200 that uses y=6; its batch is this row by"
        " itself; the parameters are as step 1 left them",
    ),
    "--at x=5,y=1 --batch all --step 2": (
        2,
        "step 2 of the training's 100, with x=5 y=1 in the place of its sample;"
        " its batch is this row by itself; the parameters are as step 1 left"
        " them",
    ),
    "": (1, "step 1 of the training's 300; the parameters are where the training starts"),
}


@pytest.mark.parametrize("words", AT)
def test_which_step(words, capsys):
    assert run(["explain", "quadratic", *words.split(), "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["step"], document["chosen"]) == AT[words]


def test_values_stand_in_the_place_of_others():
    found = verifier.explain(quadratic(), at={"x": 7.0, "w1": 2.0, "b": -1.0}, step=2)
    assert found.place.inputs == {"x": 7.0, "y": 4.0}
    assert dict(found.place.parameters) == {"w1": 2.0, "w2": 1.0, "b": -1.0}
    assert found["prediction"].values[0].stated == 2 * 49 + 7 - 1
    assert found.updates[0].before == 2.0


def test_a_point_without_data():
    model = verifier.Model.from_text(
        "exp(-k*t)", inputs="t", start={"k": 1.0}, loss=verifier.squared_error
    )
    assert verifier.explain(model, at={"t": 2.0, "y": 0.5}).ok
    with pytest.raises(verifier.InputError, match="there is no data: give columns t, y"):
        verifier.explain(model, at={"t": 2.0})


def test_without_inputs():
    found = verifier.explain(verifier.load("rosenbrock"), at={"x": 0.5})
    assert found.ok
    assert found.place.inputs == {}
    assert found.place.parameters["x"] == 0.5


REFUSED = {
    "quadratic --step 0": "the training has 300 steps: step 0 is none of them",
    "quadratic --step 301": "the training has 300 steps: step 301 is none of them",
    "quadratic --at z=1": "cannot explain at z: model quadratic has x, y, w1, w2, b",
    "quadratic --at x=nan": "cannot explain at x=nan: it is not a finite float32",
    "quadratic --at x=1e39": "cannot explain at x=1e+39: it is not a finite float32",
    "quadratic --at x=4": "cannot explain at x=4: no row of the data has it; give y as well",
    "quadratic --at x": (
        "cannot explain at 'x': write each name once as name=number, as in --at x=3,y=6"
    ),
    "quadratic --at x=1,x=2": (
        "cannot explain at 'x=1,x=2': write each name once as name=number, as in --at x=3,y=6"
    ),
    "quadratic --json no/such.json": (
        "cannot write 'no/such.json': there is no folder '{folder}/no'"
    ),
    "": "say which model: a name of the gallery, path/to/file.py::name, or --formula 'w*x + b'",
}


@pytest.mark.parametrize("words", REFUSED)
def test_refused(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["explain", *words.split()]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (
        "",
        f"verifier: {REFUSED[words].format(folder=tmp_path)}\n",
    )


def test_what_is_not_a_model_is_refused():
    with pytest.raises(verifier.InputError, match=r"^explain takes a model, not 3: verifier\.load"):
        verifier.explain(3)


def test_ended_on_the_way():
    with pytest.raises(
        verifier.InputError, match="the run was ended before step 6: there is nothing to show of it"
    ):
        verifier.explain(quadratic(), step=6, keep_going=lambda done, planned: done < 3)


def test_it_asks_before_each_step_up_to_that_one():
    asked = []

    def keep_going(done, planned):
        asked.append((done, planned))
        return True

    verifier.explain(quadratic(), step=4, keep_going=keep_going)
    assert asked[:3] == [(0, 3), (1, 3), (2, 3)]


def test_json_reads_back(tmp_path):
    path = tmp_path / "explained.json"
    assert run(["explain", "quadratic", "--step", "3", "--json", str(path)]) == 0
    document = json.loads(path.read_text(encoding="utf-8"))
    assert (document["format"], document["command"], document["outcome"], document["ok"]) == (
        "verifier/1", "explain", "agrees", True,
    )  # fmt: skip
    assert document["replay"] == "verifier explain quadratic --step 3"
    (node,) = [node for node in document["nodes"] if node["name"] == "t5"]
    assert (node["formula"], node["arguments"], node["users"]) == (
        "prediction - y",
        ["prediction", "y"],
        ["loss"],
    )
    assert node["value"][0]["autograd"] == node["value"][0]["symbolic"] == 4.280000686645508
    assert node["adjoint"][0]["autograd"] == 8.560001373291016
    assert document["updates"][0]["after"] == 0.06959998607635498
    assert document["parting"] is None


def test_the_replay_carries_what_was_set():
    found = verifier.explain(quadratic(), at={"x": 3.0, "w1": 2.0}, dtype="float64", lr=0.02)
    assert found.replay == "verifier explain quadratic --lr 0.02 --dtype float64 --at x=3.0,w1=2.0"
    assert verifier.explain(typed("w*x", w=1.0)).replay is None


# Where the two part.


def told(explanation):
    return (
        str(explanation).partition("The two part ")[2].partition("\nlikely")[0].partition("\n\n")[0]
    )


PARTINGS = {
    "sign": (
        6,
        Tampered(2, torch.neg, (6,)),
        "b",
        Quantity.GRAD,
        "behind the graph: autograd passes -2.2945547103881836 back to b,\nwhich agrees, but "
        "b.grad is"
        " 2.2945547103881836 in the end: it was changed after\nbackward().",
    ),
    "not zeroed": (
        3,
        NotZeroed(),
        "w1",
        Quantity.GRAD,
        "behind the graph: autograd passes 77.04000854492188 back to w1,\nwhich agrees, but "
        "w1.grad is"
        " 93.04000854492188 in the end: it was added to the\n16.0 that stood there before "
        "backward().",
    ),
    "stale": (
        9,
        Stale(1, 9),
        "w2",
        Quantity.GRAD,
        "behind the graph: autograd passes 8.088154792785645 back to w2,\nwhich agrees, but "
        "w2.grad is"
        " -1.0654573440551758 in the end: it was changed\nafter backward().",
    ),
    "none": (
        4,
        Tampered(1, lambda _: None, (4,)),
        "w2",
        Quantity.GRAD,
        "behind the graph: autograd passes -2.785599946975708 back to w2,\nwhich agrees, but "
        "w2.grad is None in the"
        " end: it was changed after backward().",
    ),
}


@pytest.mark.parametrize("mistake", PARTINGS)
def test_a_gradient_that_was_changed(mistake):
    step, witness, node, quantity, sentence = PARTINGS[mistake]
    found = verifier.explain(quadratic(), step=step, witness=witness)
    assert (found.parting.node, found.parting.quantity) == (node, quantity)
    assert told(found) == sentence
    assert found.exit_code == 1


def test_one_ulp_below_the_allowance_is_not_called_wrong():
    """A gradient that rounding explains is no parting, one that it does not explain is."""
    (inside, outside) = (
        verifier.explain(
            quadratic(), step=3, witness=Tampered(2, lambda gradient, by=by: gradient + by, (3,))
        )
        for by in (6 * 2.0**-20, 9 * 2.0**-20)
    )
    assert (
        inside.gradient["b"].allowed_ulps
        == outside.gradient["b"].allowed_ulps
        == pytest.approx(7.41, abs=0.01)
    )
    assert (inside.parting, outside.parting.node) == (None, "b")


def test_a_gradient_that_comes_from_elsewhere():
    class Nothing:
        def differentiate(self, loss, parameters):
            pass

    found = verifier.explain(quadratic(), step=2, witness=Nothing())
    assert told(found) == (
        "at w1.grad: torch has nan and the exact number is 16.0; no\nbackward() ran, so that no "
        "node can be held"
        " responsible."
    )
    assert "  no backward() ran: what is passed from node to node cannot be seen" in str(found)
    assert "w1       1.0 stays: it has no gradient" in str(found)


def test_a_backward_from_something_else():
    class Doubled(Autograd):
        def differentiate(self, loss, parameters):
            super().differentiate(2 * loss, parameters)

    found = verifier.explain(quadratic(), step=2, witness=Doubled())
    assert told(found) == (
        "from the loss back, at loss: torch has 2.0 and the exact number is\n1.0; backward() does "
        "not start from this"
        " loss, or not with 1."
    )


@pytest.mark.parametrize(("arrived", "word"), [(True, "it"), (False, "nothing")])
def test_a_wrong_adjoint_that_no_single_derivative_explains(arrived, word):
    found = verifier.explain(quadratic(), step=3)
    wrong = replace(found["t2"].adjoints[0], outcome=Outcome.DISAGREES, stated=1.0)
    nodes = [
        replace(node, adjoints=(wrong,), arrived=arrived) if node.name == "t2" else node
        for node in found.nodes
    ]
    sentence = find_first_divergence(nodes, found.gradient, {}, "float32").sentence
    assert sentence.endswith(f"; {word} is passed back through t4 = t2 + t3")


class Hump(torch.autograd.Function):
    """x² + x, whose backward forgets the second term where x is above 1."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x + x

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * (2 * x + (x <= 1))


@pytest.mark.usefixtures("as_before")
def test_a_wrong_backward_is_found_in_its_operation():
    verifier.add_function("hump", lambda x: x * x + x, torch=Hump.apply)
    model = typed("3*hump(w*x) + b", w=1.0, b=0.0)
    assert verifier.explain(model, step=1).ok
    found = verifier.explain(model, step=2)
    assert (found.parting.node, found.parting.quantity) == ("t1", Quantity.ADJOINT)
    assert "the backward of t2 = hump(t1) is wrong: its derivative by" in " ".join(
        told(found).split()
    )
    agreeing = [
        node.name
        for node in found.nodes
        if node.adjoints and node.adjoints[0].outcome is Outcome.AGREES
    ]
    assert agreeing == ["b", "t2", "t3", "prediction", "t4", "loss"]


@pytest.mark.usefixtures("as_before")
def test_a_wrong_backward_in_one_row_of_a_batch():
    verifier.add_function("hump", lambda x: x * x + x, torch=Hump.apply)
    data = {"x": [0.1, 0.2, 0.3, 0.4, 2.0, 0.5], "y": [1.0] * 6}
    found = verifier.explain(typed("hump(w*x)", w=1.0), data=data, batch="all")
    assert found.parting.node == "t1"
    assert [one.outcome for one in found["t1"].adjoints].count(Outcome.DISAGREES) == 1
    shown = str(found)
    assert "  row 4" in shown
    assert "  ⋯ 6 rows in all; 5 agree, 1 disagrees" in shown


@pytest.mark.usefixtures("as_before")
def test_a_wrong_backward_that_is_multiplied_by_zero():
    verifier.add_function("hump", lambda x: x * x + x, torch=Hump.apply)
    found = verifier.explain(typed("(w - 2)*hump(2*w*x)", w=2.0))
    assert found.parting is not None
    assert (found.parting.quantity, found.outcome) == (Quantity.DERIVATIVE, Outcome.DISAGREES)
    assert "what is passed back is right all the same here" in " ".join(told(found).split())


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize("settings", [{}, {"batch": "all"}])
def test_a_path_that_is_cut(settings):
    verifier.add_function("cut", lambda x: x * x, torch=lambda x: (x * x).detach())
    found = verifier.explain(typed("cut(w*x) + b", w=0.5, b=0.5), **settings)
    assert (found.parting.node, found.parting.quantity) == ("t2", Quantity.ADJOINT)
    assert "the tensor of t2 = cut(t1) requires no gradient: the path is cut there." in " ".join(
        told(found).split()
    )
    assert "autograd passes nothing back to t2, which counts as 0" in str(found)
    whole = verifier.explain(typed("cut(w*x)", w=0.5), **settings)
    assert told(whole) == (
        "at prediction = cut(t1): its tensor requires no gradient, so that\nnothing can be passed "
        "back from the loss."
    )
    assert verifier.train(typed("cut(w*x)", w=0.5), epochs=1).outcome is Outcome.DISAGREES


@pytest.mark.usefixtures("as_before")
def test_a_backward_that_passes_nothing():
    class Silent(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * x

        @staticmethod
        def backward(ctx, gradient):
            return None

    verifier.add_function("silent", lambda x: x * x, torch=Silent.apply)
    found = verifier.explain(typed("silent(w*x) + b", w=0.5, b=0.5))
    assert found.parting.node == "t1"
    assert "the backward of t2 = silent(t1) is wrong" in " ".join(told(found).split())


@pytest.mark.usefixtures("as_before")
def test_another_function_on_the_way_forward():
    verifier.add_function("off", lambda x: x * x, torch=lambda x: x * x * 1.001)
    found = verifier.explain(typed("off(w*x) + b", w=0.5, b=0.5))
    assert (found.parting.node, found.parting.quantity) == ("t2", Quantity.VALUE)
    assert "the code and the formula are different functions there." in " ".join(
        told(found).split()
    )


def test_an_overflow_on_the_way_forward():
    found = verifier.explain(typed("log(1 - sigmoid(w*x))", w=20.0), at={"x": 1.0, "y": 0.0})
    assert found.parting.quantity is Quantity.VALUE
    assert (
        "torch has -inf and the exact number is -20.000000002061154; an operation overflows or is"
        in " ".join(told(found).split())
    )


def test_interrupted_on_the_way(monkeypatch, capsys):
    """The first Ctrl-C ends the run after its step; there is nothing to show of it."""
    import signal

    class Interrupting(Autograd):
        def differentiate(self, loss, parameters):
            super().differentiate(loss, parameters)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("verifier.commands.explain.Autograd", Interrupting)
    assert run(["explain", "linear", "--step", "100"]) == 130
    assert capsys.readouterr() == ("", "verifier: interrupted before anything was decided\n")


def test_undecided_where_nothing_is_known(capsys):
    words = ["explain", "--formula", "log(w)*x", "--input", "x", "--at", "x=1,y=2,w=-1"]
    assert run(words) == 3
    shown = capsys.readouterr().out
    assert "no exact value exists here" in shown
    assert shown.startswith("UNDECIDED  Nothing disagrees at step 1, but the loss and w could not")
    assert run([*words, "--allow-undecided"]) == 0


def test_exit_code_and_message(monkeypatch, capsys):
    monkeypatch.setattr("verifier.commands.explain.Autograd", lambda: Tampered(2, torch.neg, (6,)))
    assert run(["explain", "quadratic", "--step", "6"]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("DISAGREES  Rounding does not explain what autograd stated of b at ")
    assert "\nlikely at b: the sign is flipped (stated / exact = -1.0000002)\n\n" in shown
    found = verifier.explain(quadratic(), step=6)
    with pytest.raises(verifier.GradientError, match="quadratic: disagrees\n"):
        found.raise_for_failure()
    verifier.explain(quadratic()).raise_for_failure()


def test_the_command_that_train_prints_explains_the_failure(monkeypatch, capsys):
    import re

    for module in ("train", "explain"):
        monkeypatch.setattr(
            f"verifier.commands.{module}.Autograd", lambda: Tampered(0, torch.neg, (4,))
        )
    assert run(["train", "linear", "--lr", "0.02", "--dtype", "float64", "--predict", "x=4"]) == 1
    (command,) = re.findall(r"try  verifier (.+)", capsys.readouterr().out)
    assert command == "explain linear --lr 0.02 --dtype float64 --step 4"
    assert run(command.split()) == 1
    assert "likely at w: the sign is flipped" in capsys.readouterr().out
    report = verifier.train(typed("w*x", w=0.3), epochs=2, witness=Tampered(0, torch.neg, (4,)))
    assert "try  verifier.explain(..., step=4)" in str(report)


def test_not_finite_on_the_way():
    found = verifier.explain(typed("exp(w*x)", w=80.0), at={"x": 2.0, "w": 80.0})
    assert found.outcome is not Outcome.AGREES
    assert math.isinf(found["loss"].values[0].stated)
    json.dumps(found.to_json(), allow_nan=False)
    assert "inf" in str(found)


# What is seen is what runs.


@pytest.mark.parametrize("formula", FORMS)
def test_the_watched_code_computes_the_same(formula):
    program = graph_of(typed(formula, w=0.7), None).program
    at = [torch.tensor(value, dtype=torch.float32) for value in (0.3, 1.0, 0.7)]
    at = dict(zip(("x", "y", "w"), at, strict=True))
    order = ", ".join(program.inputs)
    seen = {}

    def watch(index, value):
        seen[index] = value
        return value

    tensors = [at[name] for name in program.inputs]
    plainly = function("f", order, program, TORCH)(*tensors)
    watching = function_with_callback("f", order, program, TORCH, watch)(*tensors)
    assert torch.equal(plainly, watching)
    operations = [
        index
        for index, varies in enumerate(program.varying)
        if varies and program.nodes[index].arguments
    ]
    assert sorted(seen) == operations
    assert watching is seen[program.outputs[0]]


def test_the_watch_gives_way_to_a_symbol_of_its_name():
    assert verifier.explain(typed("watch*x", watch=1.0)).ok


def test_a_loss_without_a_path_leaves_no_gradient():
    parameter = torch.tensor(1.0, requires_grad=True)
    parameter.grad = torch.tensor(5.0)
    Autograd().differentiate(torch.tensor(2.0), [parameter])
    assert parameter.grad is None
