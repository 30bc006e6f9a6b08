"""Pages at three widths in a real browser: nothing is cut, and what is wide scrolls by itself."""

import re

import matplotlib.image
import pytest
import torch

import verifier
from tests.helpers.browser import Browser
from tests.reporting.test_check_page import failing as failing_check  # noqa: F401
from tests.reporting.test_check_page import page as page_of
from verifier.judging.outcome import Outcome
from verifier.reporting.content.blocks import Column, Row, Table
from verifier.reporting.html.page import Page
from verifier.testing.mutations import Tampered

WIDTHS = (400, 900, 1400)
NAMES = ("training", "check", "all", "step")
SCREEN = 1000
"""Pixels of a screen's height."""

OUTCOMES_CUT = """[...page.querySelectorAll('td.outcome')].filter(cell => {
  if (!cell.checkVisibility()) return false;
  const frame = cell.closest('.scroll').getBoundingClientRect(), own = cell.getBoundingClientRect();
  return own.right > frame.right + 0.5 || own.left < frame.left - 0.5 ||
    cell.scrollWidth > cell.clientWidth + 1;
}).length"""
OUTCOMES = "page.querySelectorAll('td.outcome').length"
WIDE_FRAMES = """[...page.querySelectorAll('.scroll')].filter(
  frame => frame.scrollWidth > frame.clientWidth).length"""
OPEN = """(page.querySelectorAll('details').forEach(one => { one.open = true }), 0)"""
UNFRAMED = """[...page.querySelectorAll('td, th')].filter(cell => {
  const own = cell.getBoundingClientRect();
  return own.right > page.documentElement.clientWidth + 1 &&
    getComputedStyle(cell.closest('.scroll')).overflowX !== 'auto';
}).length"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    return Browser(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module")
def training():
    # Of the gallery the page that is longest where its gradient is wrong.
    model = verifier.load("poisson_regression")
    return verifier.train(model, witness=Tampered(0, torch.neg)).to_html()


@pytest.fixture(scope="module")
def check(failing_check):  # noqa: F811
    return page_of(failing_check).html()


@pytest.fixture(scope="module")
def pages(training, check, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    everything = verifier.train_all([verifier.load("linear"), verifier.load("quadratic")], epochs=2)
    step = verifier.explain(verifier.load("robust_line"), step=2, epochs=3)
    written = [training, check, everything.to_html(), step.to_html()]
    for name, text in zip(NAMES, written, strict=True):
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return [folder / f"{name}.html" for name in NAMES]


def at_all_widths(pages):
    return [(page, width) for page in pages for width in WIDTHS]


def test_no_outcome_is_cut(browser, pages, tmp_path):
    frames = at_all_widths(pages)
    opened = f"({OPEN}, {OUTCOMES_CUT})"
    assert browser.measured(frames, opened) == [0] * len(frames)
    assert min(browser.measured(frames, OUTCOMES)) > 2
    # The same with room between the columns: now the outcome is out of sight.
    apart = tmp_path / "apart.html"
    text = pages[0].read_text(encoding="utf-8").replace("Content-Security-Policy", "none")
    apart.write_text(text.replace("padding: 0.2rem 0.4rem", "padding: 0.2rem 6rem"))
    assert min(browser.measured([(apart, width) for width in WIDTHS[:2]], opened)) > 0


def test_nothing_scrolls_but_frames(browser, pages):
    frames = at_all_widths(pages)
    assert browser.measured(frames, f"({OPEN}, page.documentElement.scrollWidth)") == [*WIDTHS] * 4
    assert browser.measured(frames, f"({OPEN}, {UNFRAMED})") == [0] * len(frames)


def test_a_training_fits_where_there_is_room(browser, pages):
    """At 900 pixels no table of a training scrolls; on a phone some do."""
    counts = browser.measured([(pages[0], width) for width in WIDTHS], WIDE_FRAMES)
    assert counts[1:] == [0, 0]
    assert counts[0] > 0


def test_what_was_checked_fits(browser, pages):
    first = """(frame => frame.scrollWidth <= frame.clientWidth)(
      page.querySelector('section:nth-of-type(2) .scroll'))"""
    assert browser.measured([(pages[1], width) for width in WIDTHS], f"Number({first})") == [1] * 3


def test_a_training_is_three_screens(browser, pages):
    height = "page.documentElement.scrollHeight"
    assert browser.measured([(pages[0], 900)], height)[0] <= 3 * SCREEN
    assert browser.measured([(pages[0], 900)], f"({OPEN}, {height})")[0] > 3 * SCREEN


def test_six_digits_and_all(browser, pages):
    shown = "Number([...page.querySelectorAll('td .all')].some(one => one.checkVisibility()))"
    short = shown.replace(".all", ".six")
    click = "page.querySelector('#digits').click()"
    for what, expected in ((shown, [0, 1]), (short, [1, 0])):
        found = browser.measured([(pages[0], 900)], what)
        assert found + browser.measured([(pages[0], 900)], f"({click}, {what})") == expected


def table(columns):
    row = Row([f"cell {place}" for place in range(columns)], Outcome.AGREES)
    shown = Table("", "", [Column(f"column {place}") for place in range(columns)], [row] * 9)
    return Page("", Outcome.AGREES, "", [], [shown])


def test_a_shadow_says_that_there_is_more(browser, tmp_path):
    """The right end of the frame is darker where the table goes on behind it."""

    def darkness(columns):
        page, picture = tmp_path / "table.html", tmp_path / "table.png"
        page.write_text(table(columns).html(), encoding="utf-8")
        browser.screenshot(page, 400, 500, picture)
        # The last pixels of the frame beside a row in the middle.
        return 1 - matplotlib.image.imread(picture)[250:400, 380:384, :3].mean()

    assert darkness(2) == pytest.approx(0.0, abs=0.01)
    assert darkness(20) > 0.05


def test_on_a_phone_there_are_other_pictures(browser, pages):
    def visible(kind):
        what = f"page.querySelector('figure .{kind}').checkVisibility()"
        return browser.measured([(pages[0], width) for width in WIDTHS], f"Number({what})")

    assert visible("narrow") == [1, 0, 0]
    assert visible("wide") == [0, 1, 1]
    width = "page.querySelector('figure').clientWidth - 1 <= [...page.querySelectorAll("
    fills = width + "'figure svg')].find(one => one.checkVisibility()).clientWidth"
    assert browser.measured([(pages[0], one) for one in WIDTHS], f"Number({fills})") == [1] * 3


SMALL = """(sub => (base => {
    const size = one => Number.parseFloat(page.defaultView.getComputedStyle(one).fontSize);
    const bottom = one => one.getBoundingClientRect().bottom;
    return size(sub) < 0.85 * size(base) && bottom(sub) > bottom(base);
  })(sub.previousElementSibling))(page.querySelector('msub > :nth-child(2)'))"""


def test_subscripts_are_small_and_low(browser, tmp_path):
    page, flat = tmp_path / "page.html", tmp_path / "flat.html"
    text = verifier.train(verifier.load("quadratic"), epochs=1).to_html()
    page.write_text(text, encoding="utf-8")
    flat.write_text(re.sub(r"<(/?)msub>", r"<\1mrow>", text).replace("msub > :", "mrow > :"))
    assert browser.measured([(page, 900)], f"Number({SMALL})") == [1]
    flat_one = SMALL.replace("msub >", "mrow >")
    assert browser.measured([(flat, 900)], f"Number({flat_one})") == [0]


WHOLE = """(svg => { const own = svg.getBoundingClientRect(),
    frame = svg.closest('.scroll').getBoundingClientRect();
  return own.left >= frame.left - 0.5 && own.right <= frame.right + 0.5 &&
    Math.abs(own.left + own.right - frame.left - frame.right) < 3;
})([...page.querySelectorAll('.diagram svg')].find(one => one.checkVisibility()))"""


def test_the_graph_is_whole_and_in_the_middle(browser, pages, tmp_path):
    click = "page.querySelector('#digits').click()"
    frames = [(pages[3], 900), (pages[3], 1400)]
    assert browser.measured(frames, f"Number({WHOLE})") == [1, 1]
    assert browser.measured(frames, f"({click}, Number({WHOLE}))") == [1, 1]
    aside = tmp_path / "aside.html"
    text = pages[3].read_text(encoding="utf-8").replace("Content-Security-Policy", "none")
    aside.write_text(text.replace("max-width: max(100%, 42rem); margin: 0 auto", "margin: 0"))
    assert browser.measured([(aside, 1400)], f"Number({WHOLE})") == [0]


UNREACHED = """[...page.querySelectorAll('*')].filter(one =>
  one.scrollWidth > one.clientWidth && one.checkVisibility() &&
  page.defaultView.getComputedStyle(one).overflowX === 'auto' && one.tabIndex < 0).length"""
NAMELESS = """[...page.querySelectorAll('input, [tabindex="0"]')].filter(one =>
  !one.labels?.length && !one.getAttribute('aria-label')).length"""
SAME_LANDMARKS = """(names => names.length - new Set(names).size)(
  [...page.querySelectorAll('section[aria-labelledby], [role=region], nav')].map(one =>
    one.getAttribute('aria-label') ??
    page.getElementById(one.getAttribute('aria-labelledby')).textContent))"""


def test_a_keyboard_and_a_screen_reader_find_everything(browser, pages, tmp_path):
    frames = at_all_widths(pages)
    for what in (UNREACHED, NAMELESS, SAME_LANDMARKS):
        assert browser.measured(frames, f"({OPEN}, {what})") == [0] * len(frames), what
    bad = tmp_path / "bad.html"
    text, frame = pages[0].read_text(encoding="utf-8"), 'role="group" aria-label="Loss'
    bad.write_text(text.replace(f'tabindex="0" {frame}', frame.replace("group", "region")))
    assert browser.measured([(bad, 400)], f"({OPEN}, {UNREACHED})")[0] > 0
    assert browser.measured([(bad, 400)], SAME_LANDMARKS)[0] > 0
    nameless = tmp_path / "nameless.html"
    step = pages[3].read_text(encoding="utf-8")
    nameless.write_text(step.replace('label for="position"', "label"))
    assert browser.measured([(nameless, 400)], NAMELESS)[0] > 0
