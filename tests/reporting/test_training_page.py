"""The page of a report: what it says, what it holds, and how a real browser takes it."""

import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import matplotlib.image
import numpy as np
import pytest
import sympy
import torch
from markupsafe import Markup

import verifier
from tests.helpers.browser import DARK, Browser, on_paper
from tests.helpers.gallery_names import OF_ARRAYS, OF_NUMBERS
from tests.helpers.hostile import PAYLOADS
from verifier import Outcome
from verifier.commands.cli import run
from verifier.errors import printable
from verifier.judging.causes.scalar_gradients import Cause
from verifier.reporting.content.blocks import (
    Column,
    Facts,
    Labelled,
    Part,
    Row,
    Sentence,
    Table,
)
from verifier.reporting.html.mathml import derivative, mathml
from verifier.reporting.html.page import Formula, Formulas, Page
from verifier.reporting.html.training import ROWS, WORST, steps_to_show, training_page
from verifier.testing.mutations import Tampered
from verifier.training.findings import KEPT_STEPS
from verifier.training.reservoir import SHOWN_STEPS

VOID = {"meta", "br", "img", "link", "input"}


class Reader(HTMLParser):
    """The elements of a document in order, its text, and whether its tags close in turn."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.open, self.rows = [], [], [], []
        self.is_short = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
            self.is_short = ("class", "six") in attributes
        if tag == "tr":
            self.rows.append([])

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.is_short = False

    def handle_data(self, data):
        self.text.append(data)
        if {"td", "th"} & set(self.open) and not self.is_short:
            self.rows[-1].append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def shape(self):
        return [(name, sorted(attributes)) for name, attributes in self.elements]


@pytest.fixture(scope="module")
def failing():
    return verifier.train(
        verifier.load("quadratic"), witness=Tampered(1, torch.neg, (6, 40)), third_opinion=True
    )


@pytest.fixture(scope="module")
def page(failing):
    return failing.to_html()


def words(report):
    shown = training_page(report.model, report.findings, report.replay, "try this")
    return [shown.verdict, *shown.sentences]


def test_the_verdict_comes_first_and_in_words(failing, page):
    text = " ".join("".join(Reader(page).text).split())
    said = "The gradient by w2 is wrong at 2 of 300 steps, first at step 6."
    assert text.index(said) < text.index("Model, loss and gradient")
    assert failing._page().verdict == said
    assert "The formula replays exactly, to 77 digits, at 8 steps." in words(failing)


def test_the_other_verdicts():
    honest = verifier.train(verifier.load("quadratic"))
    assert words(honest)[:2] == [
        "Autograd and the symbolic gradient agree at all 300 steps: 900 of 900 gradients, 300 of "
        "300 losses, bit for bit.",
        "An error of 7.3e-06 of a gradient would have been found in at least half of the "
        "comparisons of each "
        "parameter, one of 7.4e-04 in all of them where the gradient is not 0.",
    ]
    one = verifier.train(verifier.Model.from_text("(w - 3)**2", start={"w": 1.0}), epochs=1)
    assert (
        words(one)[0]
        == "Autograd and the symbolic gradient agree at the only step: 1 of 1 gradients, 1 of 1 "
        "losses, bit for bit."
    )
    diverged = verifier.train(verifier.load("linear"), lr=1.0, epochs=60)
    assert words(diverged)[0] == (
        "The training diverged at step 30 (the loss became infinite). Every gradient before it "
        "agrees, and so does all that could be judged after it: exit code 0. Try a smaller --lr."
    )
    open_ones = [part.outcomes[Outcome.UNDECIDED] for part in diverged.components]
    assert sum(open_ones) == 276
    root = verifier.Model.from_text(
        "sqrt(w*x)",
        inputs="x",
        start={"w": 1.0},
        loss=verifier.squared_error,
        data={"x": [-1.0], "y": [1.0]},
    )
    assert words(verifier.train(root, epochs=2))[0] == (
        "Nothing could be decided about the loss and w (no exact value exists here)."
    )
    cut = verifier.train(verifier.load("linear"), keep_going=lambda done, planned: done < 7)
    assert "The run was interrupted: this is what had been done by then." in words(cut)
    assert "PARTIAL  Interrupted after 7 of 300 steps." in words(cut)


def test_causes_stand_with_their_evidence(page, failing):
    text = "".join(Reader(page).text)
    assert "w2 at step 6" in text
    assert "the sign is flipped" in text
    assert failing.causes[0].evidence in text
    assert "verifier explain quadratic --step" in text


def test_a_failure_without_a_cause_is_said_too():
    report = verifier.train(
        verifier.load("quadratic"), epochs=2, witness=Tampered(0, lambda g: g * 1.37, (6,))
    )
    where, cause, evidence, _ = (
        training_page(report.model, report.findings, None, "x").sections[0].blocks
    )
    assert (where.text, cause.text) == ("w1 at step 6", "no cause found")
    assert evidence.text.startswith("stated ")
    many = verifier.train(verifier.load("quadratic"), witness=Tampered(0, torch.neg))
    causes = training_page(many.model, many.findings, None, "x").sections[0]
    assert len(causes.sentences) == 1
    more = training_page(many.model, many.findings, None, "x").sections[1]
    assert (more.title, more.summary) == ("What else is wrong", "29 more numbers")
    assert len(more.section.sentences) == 30
    assert more.section.sentences[-1].startswith("The first 30 of ")


def test_tables_are_tables(page, failing):
    reader = Reader(page)
    tables = page.count("<table>")
    assert tables == 3 == page.count("<caption>")
    assert {scope["scope"] for scope in reader.all("th")} == {"col", "row"}
    rows = [row for row in reader.rows if len(row) >= 10 and row[0] == "6" and "w2" in row]
    assert len(rows) == 2, "among the worst, and among all"
    step = failing.steps[5].gradient["w2"]
    assert rows[0][5:8] == [repr(step.stated), repr(step.symbolic), step.exact]
    assert "disagrees" in rows[0]
    assert len(reader.rows) == 3 + 4 + WORST + 4 * 300


def test_the_keyboard_reaches_everything(page):
    reader = Reader(page)
    targets = {attributes["id"] for _, attributes in reader.elements if "id" in attributes}
    links = [attributes["href"] for attributes in reader.all("a")]
    assert links[0] == "#content"
    assert {link[1:] for link in links} <= targets
    assert all(
        name.get("tabindex") == "0"
        for name in reader.all("div")
        if "scroll" in name.get("class", "")
    )
    assert len(targets) == sum("id" in attributes for _, attributes in reader.elements)
    assert ":focus-visible" in page


def test_the_page_asks_for_nothing(page):
    reader = Reader(page)
    assert reader.all("script") == [{}], "the project's own"
    assert not {"link", "img", "iframe", "object", "embed", "base", "form"} & {
        tag for tag, _ in reader.elements
    }
    for _, attributes in reader.elements:
        assert not [
            name
            for name in attributes
            if name.startswith("on") or name in ("style", "src", "srcset")
        ]
        assert all(
            value.startswith("#") for name, value in attributes.items() if name.endswith("href")
        )
    (policy,) = [item["content"] for item in reader.all("meta") if "http-equiv" in item]
    allowed = dict(part.split() for part in policy.split("; "))
    assert allowed.keys() == {
        "default-src", "style-src", "script-src", "base-uri", "form-action"
    }  # fmt: skip
    assert allowed["default-src"] == "'none'"
    for source in (allowed["style-src"], allowed["script-src"]):
        assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", source)


def everything(text):
    """A page with that text in each of its places."""
    formula = Formula(*map(Markup, (derivative(text), mathml(sympy.Symbol(text) + 1))), text)
    return Page(
        title=text,
        outcome=Outcome.DISAGREES,
        verdict=text,
        sentences=[text],
        sections=[
            Part(text, [Sentence(text), Labelled(text, text), Labelled(text, text)]),
            Formulas(text, [formula], text),
            Table(
                text,
                text,
                [Column(text), Column(text, justify="left")],
                [Row([text, text], Outcome.DISAGREES)],
                note=text,
            ),
            Facts(text, [(text, text)]),
        ],
    )


@pytest.mark.parametrize("part", ["html", "fragment"])
def test_text_never_becomes_markup(part):
    harmless = Reader(getattr(everything("harmless"), part)())
    for payload in PAYLOADS:
        hostile = Reader(getattr(everything(payload), part)())
        assert hostile.shape == harmless.shape
        assert all(
            text.isprintable() or not text.strip()
            for text in hostile.text
            if "--ink" not in text and "use strict" not in text
        )


def test_markup_would_be_found():
    harmless = Reader(everything("harmless").html())
    taken = Reader(everything(Markup("<script>1</script>")).html())
    assert taken.shape != harmless.shape


def hostile_report(report, payload):
    """The report with that text as a name, a cause, a command, a setting and an input."""
    step = replace(
        report.steps[5], inputs={payload: 1.0}, gradient={payload: report.steps[5].gradient["w2"]}
    )
    findings = replace(
        report.findings,
        components=tuple(
            replace(part, name=payload if part.name == "w2" else part.name)
            for part in report.components
        ),
        causes=tuple(
            Cause(payload, payload, cause.step, payload, payload) for cause in report.causes
        ),
        settings=replace(report.findings.settings, optimizer=payload),
        drift={**report.findings.drift, payload: report.drift["w1"]},
        steps=(step,),
        worst_steps=(),
    )
    return replace(report, findings=findings, replay=payload)


def test_a_hostile_report_everywhere(failing):
    for payload in PAYLOADS:
        report = hostile_report(failing, payload)
        assert all(line.plain.isprintable() for line in report.lines(80))
        page = training_page(report.model, report.findings, payload, payload)
        page = replace(page, sections=[part for part in page.sections if part.kind != "pictures"])
        reader = Reader(page.html())
        assert not {"img", "iframe", "svg"} & {tag for tag, _ in reader.elements}
        assert len(reader.all("script")) <= 1
        assert "".join(reader.text).count(printable(payload)) > 10


def test_names_in_formulas_are_text():
    assert mathml(sympy.Symbol('a<b>&"') > 1) == (
        "<math><mrow><mi>a&lt;b&gt;&amp;&quot;</mi><mo>&gt;</mo><mn>1</mn></mrow></math>"
    )
    assert mathml(sympy.Symbol("\x1b[2J")) == "<math><mi>\\x1b[2J</mi></math>"
    assert mathml(sympy.Symbol("&lt;script&gt;")) == "<math><mi>&lt;script&gt;</mi></math>"


def test_what_sympy_has_no_markup_for_is_text():
    class Own(sympy.Basic):
        pass

    assert mathml(Own(sympy.Symbol("<b>"))) == (
        "<math><mrow><mi>own</mi><mrow><mo>(</mo><mi>&lt;b&gt;</mi><mo>)</mo></mrow></mrow></math>"
    )


def test_formulas_read_as_in_a_textbook():
    x, w1 = sympy.symbols("x w1")
    assert mathml(2 * w1 - x) == (
        "<math><mrow><mrow><mn>2</mn><mo>\u2062</mo><msub><mi>w</mi><mi>1</mi></msub></mrow><mo>\u2212</mo>"
        "<mi>x</mi></mrow></math>"
    )
    branches = mathml(sympy.Piecewise((x, x > 0), (0, True)))
    assert "<mo>{</mo><mtable><mtr><mtd><mi>x</mi></mtd><mtd><mtext>if</mtext>" in branches
    assert "<mtext>otherwise</mtext>" in branches
    assert derivative("w1") == (
        "<math><mfrac><mrow><mo>∂</mo><mi>L</mi></mrow><mrow><mo>∂</mo><msub><mi>w</mi><mi>1</mi></msub></mrow>"
        "</mfrac></math>"
    )


CORE = {
    "mtext",
    "math",
    "mrow",
    "mi",
    "mn",
    "mo",
    "mfrac",
    "msub",
    "msup",
    "msubsup",
    "msqrt",
    "mroot",
    "mtable",
    "mtr",
    "mtd",
}


def test_every_function_has_mathml():
    from verifier.formula import overloads

    for model in map(verifier.load, OF_NUMBERS):
        for expression in (model.expression, model.loss_expression, *model.gradient.values()):
            reader = Reader(mathml(expression))
            assert not reader.open
            assert {tag for tag, _ in reader.elements} <= CORE
    for name in overloads.callable_names():
        if name in ("where", "piecewise", "huber"):
            continue
        for arguments in ("w", "w, 2.0", "w, 1.0, 2.0"):
            try:
                model = verifier.Model.from_text(f"{name}({arguments})", start={"w": 0.3})
                written = mathml(model.expression)
            except verifier.InputError:
                continue
            assert not Reader(written).open


def test_what_is_too_long_is_said_to_be(monkeypatch):
    monkeypatch.setattr("verifier.reporting.html.training.FORMULA_CHARACTERS", 3000)
    report = verifier.train(verifier.load("tanh_network"), epochs=1)
    formulas = training_page(report.model, report.findings, None, "x").sections[0]
    assert len(formulas.entries) == 2
    assert formulas.note == "13 more equations are not written out."
    monkeypatch.setattr("verifier.program.sympy_form.TREE_LIMIT", 10)
    fresh = verifier.load("tanh_network")
    formulas = training_page(fresh, report.findings, None, "x").sections[0]
    # What the author wrote needs no tree of SymPy's.
    assert [entry.text.partition(" = ")[0] for entry in formulas.entries] == ["prediction", "loss"]
    assert formulas.note == "gradient by a1 is too long to be written out."


@pytest.fixture(scope="module")
def long():
    return verifier.train(
        verifier.load("linear"),
        epochs=3_400,
        witness=Tampered(0, torch.neg, (5_001, 7_000, 7_001)),
    )


def test_a_long_run_makes_a_small_page(long):
    assert long.findings.done > KEPT_STEPS
    page = long.to_html()
    assert len(page.encode()) < 3_000_000
    text = "".join(Reader(page).text)
    shown = len(steps_to_show(long.findings, ROWS // 2))
    assert (
        f"{shown} of 10200 steps are shown: the first, the last, the first 40 that disagree and, "
        "of each stretch "
        "of the run, the worst one. The table above counts all of them." in text
    )
    rows = [int(row[0]) for row in Reader(page).rows if row[0].isdigit()]
    assert {1, 10_200, 5_001, 7_000, 7_001} <= set(rows)


def test_of_each_stretch_the_worst_step_is_kept():
    report = verifier.train(verifier.load("quadratic"))
    worst = {step.number: step for step in report.findings.worst_steps}
    assert len(worst) == 150 <= SHOWN_STEPS

    def size(step):
        parts = [step.loss, *step.gradient.values()]
        return max(0.0 if part.error == 0 else part.error / part.allowed for part in parts)

    for low in range(0, 300, 2):
        pair = report.steps[low : low + 2]
        (kept,) = [step.number for step in pair if step.number in worst]
        assert size(worst[kept]) == max(map(size, pair))
    fewer = steps_to_show(report.findings, 10)
    assert [fewer[0].number, fewer[-1].number] == [1, 300]
    assert 210 in [step.number for step in fewer]
    assert len(fewer) <= 12


def test_of_very_many_parameters_the_worst_are_shown(monkeypatch):
    monkeypatch.setattr("verifier.reporting.html.training.COMPONENTS", 5)
    model = verifier.load("tanh_network")
    report = verifier.train(model, epochs=2, witness=Tampered(12, torch.neg, (3,)))
    sections = training_page(model, report.findings, None, "x", rows=8).sections
    titles = [part.title for part in sections]
    parameters = sections[titles.index("Loss and parameters")]
    steps = sections[titles.index("Steps")].section
    assert [row[0] for row in parameters.cells][:2] == ["loss", "bias"]
    assert len(parameters.rows) == 6
    assert parameters.note == "The worst 5 of 13 parameters."
    assert "Of each step the worst 8 of 14 numbers are shown." in steps.note


def test_the_command(tmp_path, capsys):
    path = tmp_path / "report.html"
    assert run(["train", "linear", "--epochs", "2", "--html", str(path)]) == 0
    assert "AGREES" in capsys.readouterr().out
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_the_gallery_on_one_page(tmp_path, monkeypatch):
    path = tmp_path / "all.html"
    trained = len(OF_NUMBERS) + len(OF_ARRAYS)
    assert run(["train", "--all", "--epochs", "1", "--html", str(path)]) == 0
    reader = Reader(path.read_text(encoding="utf-8"))
    assert f"{trained} of {trained} models verified." in "".join(reader.text)
    assert sum(row[0] == "rosenbrock" for row in reader.rows) == 1
    lying = verifier.train_all([verifier.load("linear")], epochs=1)
    lying = replace(
        lying, reports=(verifier.train(verifier.load("linear"), witness=Tampered(0, torch.neg)),)
    )
    text = "".join(Reader(lying.to_html()).text)
    assert text.index("DISAGREES  0 of 1 model verified.") < text.index(
        "look at linear: verifier train linear"
    )


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    return Browser(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module")
def written(page, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


BAD = """<!DOCTYPE html><img src="https://example.com/x.png"><script>console.error("taken")</script>"""


def test_a_browser_has_nothing_to_complain_of(browser, written, tmp_path):
    shown, console = browser.document(written)
    assert console == []
    assert "The gradient by w2 is wrong at 2 of 300 steps, first at step 6." in shown
    (tmp_path / "bad.html").write_text(BAD)
    assert "taken" in browser.document(tmp_path / "bad.html")[1][0]


def test_no_request_leaves_the_page(browser, written, tmp_path):
    assert browser.requests(written) == set()
    (tmp_path / "bad.html").write_text(BAD)
    assert browser.requests(tmp_path / "bad.html") == {"https://example.com/x.png"}


def test_the_policy_stops_what_the_template_would_let_through(browser, page, tmp_path):
    """A second wall: were a text not escaped, it could neither run nor ask."""
    injected = tmp_path / "injected.html"
    attack = (
        "<script>document.documentElement.dataset.taken=1</script><img "
        "src=https://example.com/x.png onerror=1>"
    )
    injected.write_text(page.replace("<h1>", f"<h1>{attack}"), encoding="utf-8")
    shown, _ = browser.document(injected)
    assert 'data-taken="1"' not in shown
    assert browser.requests(injected) == set()
    # The one script that its hash names runs beside the attack.
    assert 'class="tools"' in shown
    injected.write_text(
        page.replace("<h1>", f"<h1>{attack}").replace("Content-Security-Policy", "none"),
        encoding="utf-8",
    )
    assert 'data-taken="1"' in browser.document(injected)[0]


def test_hostile_texts_in_a_browser(browser, tmp_path):
    for place, low in enumerate(range(0, len(PAYLOADS), 11)):
        path = tmp_path / f"{place}.html"
        parts = [
            everything(payload).html().replace("Content-Security-Policy", "none")
            for payload in PAYLOADS[low : low + 11]
        ]
        path.write_text("\n".join(parts), encoding="utf-8")
        shown, console = browser.document(path)
        assert 'data-taken="1"' not in shown
        assert console == []


def test_the_page_fits(browser, written, tmp_path):
    wide = tmp_path / "wide.html"
    wide.write_text("<!DOCTYPE html><div style='width:2000px'>x</div>")
    frames = [(written, 360), (written, 800), (written, 1440), (wide, 800)]
    *fitting, too_wide = browser.widths(frames)
    assert fitting == [360, 800, 1440]
    assert too_wide > 800


PAPER = 718
"""A4 between the browser's own margins, in pixels."""
OPEN = "page.querySelector('details > :not(summary)').checkVisibility()"


def test_on_paper(browser, page, written, tmp_path):
    """Nothing is scrolled there, so all of it must fit; evidence is shown, links to sections are
    not.
    """
    paper = tmp_path / "paper.html"
    paper.write_text(on_paper(page), encoding="utf-8")
    assert browser.widths([(paper, PAPER)]) == [PAPER]
    assert browser.measured([(paper, PAPER), (written, PAPER)], OPEN) == [1, 0]
    gone = "page.querySelector('nav').getBoundingClientRect().height"
    assert browser.measured([(paper, PAPER)], gone) == [0]
    assert browser.measured([(written, PAPER)], gone)[0] > 0
    black = "page.defaultView.getComputedStyle(page.body).color == 'rgb(0, 0, 0)'"
    assert browser.measured([(paper, PAPER), (written, PAPER)], f"Number({black})") == [1, 0]


def test_it_is_printed(browser, written, tmp_path):
    sheets, console = browser.printed(written)
    assert 5 < sheets < 40
    assert console == []
    three = tmp_path / "three.html"
    three.write_text("<!DOCTYPE html>" + "<p style='break-after: page'>x</p>" * 2 + "<p>x</p>")
    assert browser.printed(three)[0] == 3


def test_light_and_dark(browser, written, tmp_path):
    def corner(*flags):
        picture = tmp_path / "shot.png"
        browser.screenshot(written, 800, 600, picture, *flags)
        return np.mean(matplotlib.image.imread(picture)[590:, 790:, :3])

    assert corner() > 0.9
    assert corner(*DARK) < 0.2


DRIVER = """<script>
const frame = document.querySelector("details.folded:has(table)");
const rows = () => [...frame.querySelectorAll("tbody tr:not([hidden])")].map(
  (row) => row.cells[0].textContent + row.cells[3].textContent);
const [words] = frame.querySelectorAll("input");
const [previous, next] = frame.querySelectorAll(".tools button");
const place = frame.querySelector("output");
const found = {first: rows().length, said: place.textContent, before: previous.disabled};
next.click();
found.second = rows()[0];
const heading = frame.querySelector("thead button");
heading.click();
heading.click();
found.last = rows()[0];
found.sorted = heading.parentElement.ariaSort;
words.value = "DISAGREES";
words.dispatchEvent(new Event("input"));
found.wrong = rows();
found.all = place.textContent;
words.value = "nothing like it";
words.dispatchEvent(new Event("input"));
found.none = place.textContent;
document.title = JSON.stringify(found);
</script>"""


def test_a_long_table_is_paged_sorted_and_filtered(browser, page, tmp_path):
    driven = tmp_path / "driven.html"
    # A page of the test's own, without the policy that would keep its driver out.
    driven.write_text(re.sub(r"<meta http-equiv[^>]*>", "", page).replace("</body>", DRIVER))
    shown, console = browser.document(driven)
    assert console == []
    found = json.loads(html.unescape(re.search("<title>(.*?)</title>", shown)[1]))
    assert found == {
        "first": 50,
        "said": "1 to 50 of 1200",
        "before": True,
        "second": "13w2",
        "last": "300loss",
        "sorted": "descending",
        "wrong": ["40w2", "6w2"],
        "all": "1 to 2 of 2",
        "none": "no row",
    }


def test_without_its_script_a_long_table_is_whole(page):
    reader = Reader(page)
    assert not [attributes for attributes in reader.all("tr") if "hidden" in attributes]
    assert {} in reader.all("summary")
    assert "1,200 rows" in reader.text


def test_a_page_without_a_long_table_has_no_script():
    shown = everything("harmless").html()
    assert "<script" not in shown
    assert "script-src" not in shown


def test_the_formula_stands_in_the_order_of_its_author(page):
    assert "prediction = w1 * x**2 + w2 * x + b" in page
    assert "loss = (w1 * x**2 + w2 * x + b - y)**2" in page
    prediction = page.split('aria-label="equation">')[1].partition("</div>")[0]
    assert "".join(Reader(prediction).text).replace("\u2062", "") == "y^ = w1x2+w2x+b"


@pytest.mark.parametrize(("count", "ending"), [(50, "w49=1.0"), (51, "w49=1.0 …")])
def test_of_many_start_values_fifty_are_given(count, ending):
    start = {f"w{place}": 1.0 for place in range(count)}
    model = verifier.Model.from_text(" + ".join(f"{name}**2" for name in start), start=start)
    text = "".join(Reader(verifier.train(model, epochs=1).to_html()).text)
    found = re.search(r"w0=.*?w49=\S+( …)?", text)
    assert found is not None and found[0].endswith(ending.replace("1.0", "1"))
