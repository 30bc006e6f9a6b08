"""The page of an explanation: the graph as it is drawn, the chain rule, what torch holds, and no
markup from names.
"""

from dataclasses import replace
from html import unescape
from itertools import pairwise
from xml.etree import ElementTree

import pytest
import torch

import verifier
from tests.helpers.browser import Browser, on_paper
from tests.helpers.hostile import PAYLOADS
from tests.reporting.test_training_page import PAPER, Reader
from verifier.commands.cli import run
from verifier.errors import printable
from verifier.explaining.as_html import explanation_page
from verifier.explaining.drawing.graph_layout import GAP, place_boxes
from verifier.explaining.drawing.graph_svg import graph_picture
from verifier.operations.number_text import number
from verifier.reporting.html.mathml import mathml, text
from verifier.testing.mutations import Tampered
from verifier.witnesses import Autograd


@pytest.fixture(scope="module")
def third():
    return verifier.explain(verifier.load("quadratic"), at={"x": 3, "y": 6})


@pytest.fixture(scope="module")
def failing():
    return verifier.explain(
        verifier.load("quadratic"), step=6, witness=Tampered(2, torch.neg, (6,))
    )


@pytest.fixture(scope="module")
def batch():
    return verifier.explain(verifier.load("robust_line"), step=2)


def section(explanation, title):
    return next(part for part in explanation_page(explanation).sections if part.title == title)


def told(page):
    return " ".join("".join(Reader(page).text).split())


# Layers.

WIDE = {"x": (), "w": (), "u": (), "p": ("w", "x"), "q": ("p", "u"), "r": ("q", "x")}


def test_every_arrow_points_down_and_no_box_lies_on_another():
    widths = {"x": 50.0, "w": 90.0, "u": 30.0, "p": 120.0, "q": 10.0, "r": 40.0}
    found = place_boxes(WIDE, widths)
    depth = {name: place for place, layer in enumerate(found.boxes) for name in layer}
    assert all(depth[name] < depth[user] for user, taken in WIDE.items() for name in taken)
    assert depth["u"] == depth["q"] - 1
    for layer in found.boxes:
        spans = [
            (found.centres[name] - widths[name] / 2, found.centres[name] + widths[name] / 2)
            for name in layer
        ]
        assert all(one[1] + GAP <= other[0] + 1e-9 for one, other in pairwise(spans))
        assert min(spans)[0] >= -1e-9
        assert max(spans)[1] <= found.width + 1e-9


def test_an_arrow_that_passes_a_layer_runs_behind_no_box():
    widths = dict.fromkeys(WIDE, 100.0)
    found = place_boxes(WIDE, widths)
    passed = found.arrows["x", "r"]
    first = next(place for place, layer in enumerate(found.boxes) if "x" in layer)
    assert len(passed) == 2
    for centre, layer in zip(passed, found.boxes[first + 1 :], strict=False):
        assert all(abs(centre - found.centres[name]) >= 50.0 + GAP - 1e-9 for name in layer)


def test_one_box_alone():
    assert place_boxes({"w": ()}, {"w": 10.0}).centres == {"w": 5.0}


# The drawn graph.


def test_the_graph_has_every_number_of_both_sides(third):
    words = Reader(graph_picture(third).svg()).text
    for node in third.nodes:
        numbers = [*node.values, *node.adjoints, *(edge.numbers[0] for edge in node.edges)]
        assert {number(one.stated) for one in numbers} <= set(words)
        assert {number(one.symbolic) for one in numbers} <= set(words)
        assert printable(node.title) in words
        assert all(
            f"∂{node.name}/∂{edge.argument} = {edge.formula}" in words for edge in node.edges
        )


def test_what_disagrees_is_marked_in_words_and_by_a_border(third, failing):
    picture = graph_picture(failing)
    assert "✗ b.grad" in Reader(picture.svg()).text
    assert "Marked with ✗, because torch's numbers disagree: b. The tables" in picture.description
    borders = [
        item for item in Reader(picture.svg()).all("rect") if item.get("stroke-width") == "2.5"
    ]
    assert len(borders) == 1
    honest = graph_picture(third)
    assert "None disagrees." in honest.description
    assert "✗" not in honest.svg()


def lines_of(picture):
    """The texts of each line of the graph's boxes, with how they are drawn."""
    svg = "{http://www.w3.org/2000/svg}"
    root = ElementTree.fromstring(picture.svg())
    return [
        line.findall(f"{svg}text") for line in root.iter(f"{svg}g") if line.get("class") == "line"
    ]


def test_only_what_disagrees_is_bold_and_has_the_colour_of_what_is_wrong(failing):
    lines = lines_of(graph_picture(failing))
    wrong = [line for line in lines if line[0].text.startswith("✗")]
    assert len(wrong) == 1
    assert {(text.get("fill"), text.get("font-weight")) for text in wrong[0]} == {
        ("#d55e00", "bold")
    }
    others = [text for line in lines if line not in wrong for text in line]
    assert "#d55e00" not in {text.get("fill") for text in others}
    numbers = [text for text in others if text.get("text-anchor") == "end"]
    assert {text.get("font-weight") for text in numbers} == {"normal"}


def test_the_lines_of_a_box_stand_one_below_the_other(third):
    heights = {}
    for line in lines_of(graph_picture(third)):
        (height,) = {float(text.get("y")) for text in line}
        heights.setdefault(line[0].get("x"), []).append(height)
    steps = {round(low - high, 1) for (high, low) in pairwise(next(iter(heights.values()))[:3])}
    assert steps == {15.0}


def test_of_a_batch_the_row_that_disagrees_is_drawn(batch):
    assert "t1 = x - 9 (row 0 of 11)" in Reader(graph_picture(batch).svg()).text
    node = batch.nodes[4]
    wrong = tuple(replace(one, outcome=verifier.Outcome.DISAGREES) if row == 7 else one
                  for row, one in enumerate(node.values))  # fmt: skip
    changed = replace(
        batch, nodes=(*batch.nodes[:4], replace(node, values=wrong), *batch.nodes[5:])
    )
    assert f"{node.title} (row 7 of 11)" in Reader(graph_picture(changed).svg()).text


def test_conditions_and_long_formulas_in_a_box(batch):
    words = Reader(graph_picture(batch).svg()).text
    assert "holds" in words
    assert "False" in words
    names = {"a_rather_long_name_of_a_parameter": 1.0, "another_long_name_of_it": 2.0}
    model = verifier.Model.from_text(" + ".join(f"{name}**2" for name in names), start=names)
    shown = Reader(graph_picture(verifier.explain(model)).svg()).text
    assert all(len(word) <= 60 for word in shown[3:])
    assert any(word.endswith("…") for word in shown)


def test_a_graph_that_is_too_large_is_not_drawn(third, monkeypatch):
    monkeypatch.setattr("verifier.explaining.drawing.graph_svg.DRAWN_NODES", 11)
    monkeypatch.setattr("verifier.explaining.as_html.DRAWN_NODES", 11)
    assert graph_picture(third) is None
    page = third.to_html()
    assert "12 nodes are too many to be drawn (more than 11): the tables have them." in told(page)
    assert "<svg" not in page


def test_the_picture_shows_itself(third):
    picture = graph_picture(third)
    assert picture._repr_svg_().startswith("<?xml")
    assert 'role="img"' in picture.svg()
    assert picture.description in Reader(picture.svg()).text


# The page.


def test_the_verdict_comes_first_and_in_words(third, failing):
    assert explanation_page(third).verdict == (
        "The loss and 3 gradients agree at step 3; 29 of 29 numbers along the graph agree."
    )
    page = explanation_page(failing)
    assert page.verdict == (
        "Rounding does not explain what autograd stated of b at step 6; 29 of 29 numbers along the "
        "graph agree."
    )
    assert page.sentences == [
        "Step 6 of the training's 300; the parameters are as steps 1 to 5 left them.",
    ]
    overflow = verifier.Model.from_text(
        "w*x", inputs="x", start={"w": 1e30}, loss=verifier.squared_error
    )
    open_one = verifier.explain(overflow, at={"x": 1e30, "y": 0.0})
    assert explanation_page(open_one).verdict == (
        "Nothing disagrees at step 1, but the loss and w could not be decided; 5 of 13 numbers "
        "along the graph agree."
    )


def test_where_the_two_part(third, failing):
    found = section(failing, "Where the two part").blocks
    assert [block.text for block in found] == [
        "The two part at b",
        failing.parting.sentence,
        "b",
        "the sign is flipped (stated / exact = -1.0000002)",
        failing.causes[0].evidence,
    ]
    assert "Where the two part" not in [part.title for part in explanation_page(third).sections]


def test_the_chain_rule_in_symbols_and_in_numbers(third):
    entries = [
        entry.text for entry in section(third, "The chain rule").entries if "∂L/∂w1" in entry.text
    ]
    assert entries == [
        "∂L/∂w1 = ∂loss/∂t5 · ∂t5/∂prediction · ∂prediction/∂t4 · ∂t4/∂t2 · ∂t2/∂w1",
        "∂L/∂w1 = (2*t5) · (1) · (1) · (1) · (t1)",
        "∂L/∂w1 = 8.560001373291016 · 1.0 · 1.0 · 1.0 · 9.0 = 77.04000854492188",
        "∂L/∂w1 = 2*x**2*(w1*x**2 + w2*x + b - y), by SymPy",
    ]
    symbols, formulas, numbers, _ = section(third, "The chain rule").entries[:4]
    assert symbols.right.count("<mfrac>") == symbols.right.count("<mo>·</mo>") + 1 == 5
    assert (
        mathml(third.nodes[-1].edges[0].derivative).removeprefix("<math>").removesuffix("</math>")
        in formulas.right
    )
    assert numbers.right == text("8.560001373291016 · 1.0 · 1.0 · 1.0 · 9.0 = 77.04000854492188")
    assert numbers.short == text("8.56 · 1.0 · 1.0 · 1.0 · 9.0 = 77.04")


def test_what_is_longer_than_a_line_is_not_typeset(batch):
    entry = section(batch, "The chain rule").entries[3]
    assert "<math>" not in entry.right
    assert f"∂L/∂slope = {unescape(entry.right)}" == entry.text


def test_negative_factors_stand_in_brackets(failing):
    entry = section(failing, "The chain rule").entries[2]
    assert "<mtext>(-2.2945547103881836) · 1.0 · " in entry.right


def test_the_chain_rule_of_a_batch_and_of_a_choice(batch):
    entries = [entry.text for entry in section(batch, "The chain rule").entries]
    assert entries[0].startswith("∂L/∂slope = Σ over 11 rows of ∂loss/∂t10 · ∂t10/∂t7 · ")
    assert entries[2] == f"∂L/∂slope = {number(batch.gradient['slope'].symbolic)}"
    assert "<mtext>(1 if t5 else 0)</mtext>" in section(batch, "The chain rule").entries[1].right


def test_many_paths_and_long_formulas_are_said_to_be(third, monkeypatch):
    many = verifier.explain(
        verifier.Model.from_text("(w + w*w)*(w + w*w)*(w*w + w)", start={"w": 0.5})
    )
    found = section(many, "The chain rule")
    assert (
        found.note
        == "w: more than 3 paths to add up; the table of the way back does, node by node."
    )
    assert len(found.entries) == 1
    monkeypatch.setattr("verifier.explaining.as_html.FORMULA_CHARACTERS", 1500)
    assert section(third, "The chain rule").note == "Not all of it is written out here."


def test_the_tables_have_the_numbers_of_the_terminal(third):
    forward = section(third, "Forward")
    assert [row[0] for row in forward.cells] == [node.name for node in third.nodes]
    assert [*forward.cells[-1][3:5]] == [number(third.loss.stated), number(third.loss.symbolic)]
    rows = {(row[0], row[1]): row for row in section(third, "Backward").cells}
    assert rows["∂loss/∂t5", "2*t5"][3] == "8.560001373291016"
    assert rows["∂L/∂w1", "∂L/∂t2 · ∂t2/∂w1"][3] == "77.04000854492188"
    tensors = {row[0]: row[1:] for row in section(third, "The tensors").cells}
    assert tensors["w1"] == ["0.8400000333786011", "True", "None", "None", "77.04000854492188"]
    assert tensors["t1"] == ["9.0", "False", "None", "–", "–"]
    assert tensors["t2"][1:3] == ["True", "MulBackward0"]
    update = section(third, "The update")
    assert (
        update.caption == "sgd at learning rate 0.01: the parameter less 0.01 times its gradient."
    )
    moved = third.updates[0]
    numbers = (moved.before, moved.gradient, moved.moved, moved.after, moved.symbolic_after)
    assert update.cells[0] == ["w1", *map(number, numbers)]


def test_the_tables_of_a_batch(batch):
    forward = section(batch, "Forward")
    assert [row[2] for row in forward.cells if row[0] == "prediction"] == ["0", "1", "2"]
    assert forward.note.startswith(
        "Of 11 rows the first ones are shown, and the first one that disagrees. t5 row 0: t"
    )
    backward = {row[0]: row for row in section(batch, "Backward").cells}
    assert backward["∂L/∂slope"][1] == "Σ over the rows of ∂L/∂t2 · ∂t2/∂slope"


def test_other_optimizers_are_not_worked_out():
    adam = verifier.explain(verifier.load("linear"), optimizer="adam", lr=0.1)
    assert section(adam, "The update").caption == "adam at learning rate 0.1."
    assert section(adam, "The update").cells[0][3::2] == ["–", "–"]


class Detached(Autograd):
    """Looks at the loss and does not go back from it."""

    def differentiate(self, loss, parameters):
        for parameter in parameters:
            parameter.grad = torch.ones_like(parameter)


def test_what_was_not_passed_back_is_said():
    found = verifier.explain(verifier.load("linear"), witness=Detached())
    assert section(found, "Backward").sentences == [
        "No backward() ran: what is passed from node to node cannot be seen."
    ]


def test_it_shows_itself_in_a_notebook(third):
    shown = third._repr_html_()
    reader = Reader(shown)
    assert not reader.open
    assert not {"script", "html", "style"} & {tag for tag, _ in reader.elements}
    assert "The graph of the loss at step 3" in shown


def test_the_command(tmp_path, capsys):
    path = tmp_path / "step.html"
    assert run(["explain", "quadratic", "--at", "x=3,y=6", "--html", str(path)]) == 0
    assert "77.04000854492188" in capsys.readouterr().out
    assert "verifier explain quadratic --at x=3.0,y=6.0" in told(path.read_text(encoding="utf-8"))


# What users write stays text.


def hostile(explanation, payload):
    """The explanation with that text as the name of a node, in formulas, sentences and settings."""

    def renamed(node):
        edges = tuple(
            replace(edge, argument=payload, formula=payload, derivative=None) for edge in node.edges
        )
        return replace(node, formula=payload, edges=edges if node.name == "loss" else node.edges)

    first, *rest = explanation.nodes
    other = replace(first, name=payload, formula=payload)
    rest = [
        replace(node, arguments=tuple(name for name in node.arguments if name != first.name))
        for node in rest
    ]
    return replace(
        explanation,
        nodes=(other, *map(renamed, rest)),
        formulas={},
        parting=replace(explanation.parting, node=payload, sentence=payload),
        causes=tuple(
            replace(cause, component=payload, sentence=payload, evidence=payload)
            for cause in explanation.causes
        ),
        tensors=tuple(
            replace(tensor, name=payload, grad_fn=payload) for tensor in explanation.tensors
        ),
        updates=tuple(replace(update, name=payload) for update in explanation.updates),
        place=replace(explanation.place, chosen=payload, inputs={payload: 1.0}),
        replay=payload,
    )


def test_hostile_texts_are_texts(failing):
    harmless = Reader(hostile(failing, "harmless").to_html())
    for payload in PAYLOADS:
        page = hostile(failing, payload).to_html()
        reader = Reader(page)
        assert {tag for tag, _ in reader.elements} == {tag for tag, _ in harmless.elements}
        assert all(
            words.isprintable() or not words.strip()
            for words in reader.text
            if "--ink" not in words and "use strict" not in words
        )
        assert "".join(reader.text).count(printable(payload)) > 10


# In a real browser.


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    return Browser(tmp_path_factory.mktemp("browser"))


def test_a_browser_has_nothing_to_complain_of(browser, failing, batch, tmp_path):
    pages = [tmp_path / "failing.html", tmp_path / "batch.html"]
    for page, explanation in zip(pages, (failing, batch), strict=True):
        page.write_text(explanation.to_html(), encoding="utf-8")
        _, console = browser.document(page)
        assert console == []
    assert browser.requests(pages[0]) == set()
    frames = [(page, width) for page in pages for width in (360, 800, 1440)]
    assert browser.widths(frames) == [360, 800, 1440] * 2
    for page in pages:
        page.write_text(on_paper(page.read_text(encoding="utf-8")), encoding="utf-8")
    assert browser.widths([(page, PAPER) for page in pages]) == [PAPER] * 2
