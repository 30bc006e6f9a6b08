"""The slider over the steps of a training: what it puts in place is what the page of that step
has.
"""

import html
import json
import re
from dataclasses import replace

import pytest
import torch

import verifier
from tests.explaining.test_as_html import hostile
from tests.helpers.browser import Browser
from tests.helpers.hostile import PAYLOADS
from tests.reporting.test_training_page import Reader
from verifier.explaining.as_html import explanation_page
from verifier.explaining.slider import NUMBERS, STEPS, chosen_steps, has_one_graph, short_numbers
from verifier.testing.mutations import Tampered

SETTINGS = {"epochs": 4}
LAST = 12


def wrong():
    return Tampered(2, torch.neg, (6,))


def explained(step, name="quadratic"):
    return verifier.explain(verifier.load(name), step=step, witness=wrong(), **SETTINGS)


@pytest.fixture(scope="module")
def shown():
    return explained(9)


def data_of(page):
    found = re.search(r'<script type="application/json" id="slider-data">(.*?)</script>', page)
    return json.loads(found[1])


def test_the_steps_are_those_that_explain_gives(shown):
    others = shown.others()
    assert [one.place.step for one in others] == list(range(1, LAST + 1))
    for step in (1, 6, 7, LAST):
        alone, other = explained(step), others[step - 1]
        # As text: digits that do not exist are NaN, which equals nothing.
        assert repr(other.nodes) == repr(alone.nodes)
        assert other.updates == alone.updates
        assert other.tensors == alone.tensors
        assert (other.outcome, other.place) == (alone.outcome, alone.place)
    assert [one.outcome == "disagrees" for one in others].index(True) == 5


def test_at_most_so_many_steps_are_embedded(shown):
    assert chosen_steps(shown, 12) == list(range(1, 13))
    many = chosen_steps(shown, 10_000)
    assert len(many) <= STEPS
    assert {1, shown.place.step, 10_000} <= {*many}
    assert many == sorted({*many})
    large = replace(shown, nodes=shown.nodes * 1000)
    numbers = 1000 * sum(len(node.values) + len(node.adjoints) for node in shown.nodes)
    assert len(chosen_steps(large, 10_000)) <= max(3, NUMBERS // numbers + 1)
    assert len(chosen_steps(shown, 300)) >= 299
    assert chosen_steps(explained(1), 1) == [1]


def test_no_slider_where_the_step_is_not_the_trainings():
    model = verifier.load("quadratic")
    assert verifier.explain(model, at={"x": 3.0, "y": 6.0}, **SETTINGS).others()
    for at in ({"w1": 0.5}, {"x": 7.0, "y": 1.0}):
        explanation = verifier.explain(model, at=at, **SETTINGS)
        assert explanation.others() == ()
        assert "slider" not in {
            item.get("class") for item in Reader(explanation.to_html()).all("p")
        }


def test_what_fails_beside_the_page_costs_only_the_slider(shown):
    def broken():
        raise ZeroDivisionError

    page = replace(shown, others=broken).to_html()
    assert "slider-data" not in page
    assert "The loss and 3 gradients agree" in page


def test_steps_with_another_graph_have_no_slider(shown):
    others = shown.others()
    assert has_one_graph([shown, *others])
    fewer = replace(others[0], nodes=others[0].nodes[1:])
    assert not has_one_graph([shown, fewer])
    assert explanation_page(shown, (fewer, *others[1:])).slider is None
    assert explanation_page(shown, others).slider is not None


def test_without_its_script_there_is_no_slider(shown):
    reader = Reader(shown.to_html())
    (tools,) = [item for item in reader.all("p") if item.get("class") == "slider"]
    assert "hidden" in tools
    (slider,) = [item for item in reader.all("input") if item.get("type") == "range"]
    assert (slider["min"], slider["max"], slider["value"]) == ("0", "11", "8")
    (label,) = [item for item in reader.all("label") if item.get("for") == slider["id"]]
    assert label


def test_the_policy_names_the_slider_and_no_data(shown):
    page = shown.to_html()
    (policy,) = [item["content"] for item in Reader(page).all("meta") if "http-equiv" in item]
    scripts = re.search(r"script-src ([^;]*);", policy)[1].split()
    assert len(scripts) == 1
    assert all(re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", one) for one in scripts)
    assert page.count("<script") == 2


def test_text_in_the_data_never_becomes_markup(shown):
    harmless = None
    failing = explained(6)
    for payload in ("harmless", *PAYLOADS):
        explanation = hostile(failing, payload)
        page = explanation_page(explanation, [explanation] * 2)
        assert page.slider is not None
        reader = Reader(page.html())
        harmless = harmless or {tag for tag, _ in reader.elements}
        assert {tag for tag, _ in reader.elements} == harmless
        assert len(reader.all("script")) == 2
        texts = data_of(page.html())["texts"]
        assert all(text.isprintable() for text in texts)
    assert "<" not in page.slider.json


def test_numbers_in_a_text_have_six_digits():
    assert short_numbers("(-0.12345678901) · 1.0 + (2.5) = 3.00000000001") == (
        "(-0.123457) · 1.0 + (2.5) = 3.0"
    )


READ = """
const texts = (selector) => [...document.querySelectorAll(selector)].map((one) => one.textContent);
const found = () => ({
  cells: texts("td, th"), graph: texts("figure.diagram text"), title: texts("h1"),
  verdict: texts(".verdict p"), outcome: document.querySelector(".verdict").className,
  formulas: texts(".formula"), codes: texts("section details code"),
  caption: texts("figcaption").map((text) => text.trim()), desc: texts("svg desc"),
  wrong: [...document.querySelectorAll("svg rect")].map((one) => one.getAttribute("stroke-width")),
  colours: [...document.querySelectorAll("svg text")].map((one) => one.getAttribute("fill")),
  rows: [...document.querySelectorAll("tbody tr")].map((one) => one.className),
});
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    return Browser(tmp_path_factory.mktemp("browser"))


def read_in(browser, page, path, before=""):
    """What the page has to say, after some script of the test's own."""
    driver = f"<script>{READ}{before} document.title = JSON.stringify(found());</script>"
    text = re.sub(r'<meta http-equiv="Content[^>]*>', "", page).replace("</body>", driver)
    path.write_text(text, encoding="utf-8")
    shown, console = browser.document(path)
    assert console == []
    return json.loads(html.unescape(re.search("<title>(.*?)</title>", shown)[1]))


def moved_to(step):
    return (
        'const slider = document.querySelector("#position"); slider.value = '
        f'{step - 1}; slider.dispatchEvent(new Event("input"));'
    )


@pytest.mark.parametrize("step", [1, 5, LAST])
def test_what_is_put_in_place_is_the_page_of_that_step(browser, shown, tmp_path, step):
    path = tmp_path / "page.html"
    alone = read_in(browser, explained(step).to_html(), path)
    moved = read_in(browser, shown.to_html(), path, moved_to(step))
    assert moved == alone
    still = read_in(browser, shown.to_html(), path)
    for name in ("cells", "graph", "title", "verdict", "formulas", "codes", "caption"):
        assert still[name] != moved[name], name


def test_a_step_that_disagrees_is_marked(browser, shown, tmp_path):
    path = tmp_path / "page.html"
    moved = read_in(browser, shown.to_html(), path, moved_to(6))
    alone = read_in(browser, explained(6).to_html(), path)
    assert moved["outcome"] == alone["outcome"] == "verdict disagrees"
    for name in ("cells", "graph", "wrong", "colours", "rows", "title", "desc"):
        assert moved[name] == alone[name]
    assert moved["verdict"] == [*alone["verdict"], explained(6).parting.sentence]


def test_the_first_step_shown_comes_back(browser, shown, tmp_path):
    path = tmp_path / "page.html"
    again = f"{{ {moved_to(3)} }} {{ {moved_to(9)} }}"
    back = read_in(browser, shown.to_html(), path, again)
    assert back == read_in(browser, shown.to_html(), path)
