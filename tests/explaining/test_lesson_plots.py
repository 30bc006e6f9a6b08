"""Figures of lessons: their numbers are measured when the page is made, and one has a slider."""

import json
import re
from dataclasses import replace

import pytest
import torch

import verifier
from tests.helpers.browser import Browser
from tests.helpers.hostile import PAYLOADS
from tests.reporting.test_training_page import Reader
from verifier.commands.lesson import run_lesson
from verifier.explaining.lessons.plot import drawing_of
from verifier.explaining.lessons.reader import Plot, Script, script, scripts

WITH_FIGURES = ("quadratic", "rate", "kink", "cancellation")


def plot_of(written):
    (found,) = [part for part in written.parts if isinstance(part, Plot)]
    return found


def drawn(name, language="en"):
    lesson = verifier.lesson(name, language)
    return drawing_of(plot_of(lesson.script), lesson.scope)


@pytest.fixture(scope="module")
def rate():
    return verifier.lesson("rate").to_html()


@pytest.mark.parametrize("name", [written.name for written in scripts()])
def test_which_lessons_have_a_figure(name):
    plots = [part for part in script(name).parts if isinstance(part, Plot)]
    assert len(plots) == (name in WITH_FIGURES)
    if name in WITH_FIGURES:
        reader = Reader(verifier.lesson(name).to_html())
        assert len(reader.all("figure")) == 1
        assert len(reader.all("svg")) == 2, "for a screen and for a phone"


def test_the_quadratic_is_drawn_as_it_was_trained():
    drawing = drawn("quadratic")
    report = verifier.train(verifier.load("quadratic"), dtype="float64", predict=[{"x": 4.0}])
    places, values = drawing.curves["after 100 epochs"]
    assert values[places.index(4.0)] == report.predictions[0].autograd
    assert "x = 4 the model says 8.324 after 100 epochs and 8.189 after 1,000" in drawing.caption


def test_the_kink_is_where_torch_states_it():
    drawing = drawn("kink")
    places, stated = drawing.points["torch"]
    for place, slope in zip(places, stated, strict=True):
        w = torch.tensor(place, requires_grad=True)
        (torch.relu(w) - torch.relu(-w)).backward()
        assert slope == w.grad.item()
    assert [place for place, slope in zip(places, stated, strict=True) if slope != 1] == [0.0]
    assert drawing.caption == "It is 1 at 20 of 21 places. At 0 torch states 0."


def test_digits_are_lost_by_one_formula_alone():
    curves = drawn("cancellation").curves
    (_, lost), (_, kept) = curves.values()
    assert lost[0] == 0.0
    assert min(kept) > 6 > min(lost)


def test_each_run_of_the_slider_is_a_training():
    runs = drawn("rate").runs
    assert [run.name for run in runs] == [f"{place / 100:.2f}" for place in range(1, 31)]
    for run in (runs[4], runs[24]):
        trained = verifier.train(verifier.load("linear"), lr=float(run.name), epochs=25)
        distances = [abs(step.parameters["w"] - 2) for step in trained.steps[::3]]
        assert [*run.values] == [max(distance, 1e-8) for distance in distances]
    assert runs[24].values[-1] > runs[24].values[0], "0.25 diverges"
    assert runs[4].values[-1] < runs[4].values[0], "0.05 converges"


def test_other_numbers_make_another_figure():
    lesson = verifier.lesson("kink")
    plot = plot_of(lesson.script)
    other = replace(plot, code=plot.code.replace("torch.relu(-w)", "torch.abs(w)"))
    assert drawing_of(other, lesson.scope).caption != drawing_of(plot, lesson.scope).caption


def test_the_code_of_a_figure_changes_nothing_in_the_lesson():
    lesson = verifier.lesson("quadratic")
    before = dict(lesson.scope)
    assert lesson.to_html() == lesson.to_html()
    assert lesson.scope == before
    assert "grid" not in lesson.scope


def test_a_figure_that_fails_costs_the_lesson_nothing():
    lesson = verifier.lesson("kink")
    parts = tuple(
        replace(part, code="1 / 0") if isinstance(part, Plot) else part for part in lesson.parts
    )
    page = replace(lesson, parts=parts).to_html()
    assert "<figure" not in page
    assert page.count("✓") == len(lesson.claims)
    assert "<figure" in lesson.to_html()


def test_a_figure_in_another_language():
    drawing = drawn("quadratic", "zh")
    assert set(drawing.plot.labels) == {*drawing.curves, *drawing.points}
    words = Reader(drawing.picture.svg()).text
    assert "直线" in words
    assert "the line" not in words
    assert re.search(r"[\u4e00-\u9fff]", drawing.plot.title + drawing.caption)


def test_text_of_a_figure_never_becomes_markup():
    code = "runs = [LessonRun({0!r}, {0!r}, [1, 2], [3, 4]) for _ in range(2)]"
    shapes = set()
    for payload in ("harmless", *PAYLOADS):
        bare = payload.replace("{", "").replace("}", "")
        plot = Plot("evil", bare, bare, bare, bare, code.format(bare), slider=bare)
        page = run_lesson(Script(1, "evil", "en", "evil", (plot,))).to_html()
        reader = Reader(page)
        shapes.add(frozenset(tag for tag, _ in reader.elements))
        assert len(reader.all("script")) == 2
        (data,) = re.findall(r'<script type="application/json">(.*?)</script>', page)
        assert json.loads(data) == [[bare, bare]] * 2
    assert len(shapes) == 1


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    return Browser(tmp_path_factory.mktemp("browser"))


SEEN = "[...page.querySelectorAll(\".wide [id*='run-']\")].filter(one => one.checkVisibility({visibilityProperty: true})).map(one => Number(one.id.split('run-')[1]))"  # noqa: E501
MOVE = "(slider => { slider.value = %d; slider.dispatchEvent(new page.defaultView.Event('input')) })(page.querySelector('.slider input'))"  # noqa: E501


def test_the_slider_shows_one_run(browser, rate, tmp_path):
    """The policy of the page is in force: it lets this script through, and no other."""
    path = tmp_path / "rate.html"
    path.write_text(rate, encoding="utf-8")
    assert browser.document(path)[1] == []
    assert browser.requests(path) == set()
    count, which = f"{SEEN}.length", f"{SEEN}[0]"
    assert browser.measured([(path, 900)], count) == [1]
    assert browser.measured([(path, 900)], which) == [15]
    for position in (0, 24, 29):
        move = MOVE % position
        assert browser.measured([(path, 900)], f"({move}, {count})") == [1]
        assert browser.measured([(path, 900)], f"({move}, {which})") == [position]
    name = "Math.round(100 * page.querySelector('.slider output').textContent)"
    assert browser.measured([(path, 900)], f"({MOVE % 24}, {name})") == [25]
    says = "Number(page.querySelector('.run').textContent.includes('by -1.750'))"
    assert browser.measured([(path, 900)], says) == [0]
    attacked = tmp_path / "attacked.html"
    attack = "<script>document.documentElement.dataset.taken = 1</script>"
    attacked.write_text(rate.replace("<header>", f"{attack}<header>"), encoding="utf-8")
    assert "data-taken" not in browser.document(attacked)[0]


def test_without_its_script_one_run_is_seen(rate):
    reader = Reader(rate)
    runs = [item for item in reader.all("g") if "-run-" in item.get("id", "")]
    assert len(runs) == 60
    assert sum(item.get("visibility") != "hidden" for item in runs) == 2
    (tools,) = [item for item in reader.all("p") if item.get("class") == "slider"]
    assert "hidden" in tools


def test_figures_fit(browser, rate, tmp_path):
    path = tmp_path / "rate.html"
    path.write_text(rate, encoding="utf-8")
    assert browser.widths([(path, width) for width in (400, 900, 1400)]) == [400, 900, 1400]
    width = "page.querySelector('figure').clientWidth - [...page.querySelectorAll('figure svg')]"
    rest = f"{width}.find(one => one.checkVisibility()).clientWidth"
    assert browser.measured([(path, one) for one in (400, 900, 1400)], rest) == [0, 0, 0]
