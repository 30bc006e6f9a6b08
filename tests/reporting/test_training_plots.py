"""Pictures: in files and in the terminal, with texts for those who do not see them."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

import verifier
from tests.helpers.hostile import PAYLOADS
from verifier import squared_error
from verifier.commands.cli import run
from verifier.reporting.html.loss_surface import ROWS, SIDE, surface
from verifier.reporting.html.picture import NARROW, WIDE, Picture, image
from verifier.reporting.html.svg import accessible, inline
from verifier.reporting.html.training_plots import DRAWN, pictures, worst_errors
from verifier.reporting.text.ascii_plots import sketches
from verifier.testing.mutations import Tampered
from verifier.training.findings import Drift

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def failing():
    return verifier.train(verifier.load("quadratic"), witness=Tampered(1, torch.neg, (6, 40)))


@pytest.fixture(scope="module")
def valley():
    return verifier.train(verifier.load("rosenbrock"), epochs=60)


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def shape(svg):
    """The kinds of elements with the names of their attributes: what no text may change."""
    return {
        (element.tag, *sorted(element.attrib)) for element in ElementTree.fromstring(svg).iter()
    }


@pytest.mark.parametrize(
    ("suffix", "head"), [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF")]
)
def test_a_file(tmp_path, suffix, head):
    path = tmp_path / f"costs{suffix}"
    assert run(["train", "rosenbrock", "--epochs", "9", "--plot", str(path)]) == 0
    assert path.read_bytes().startswith(head)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_what_is_drawn(failing):
    costs, errors, paths = pictures(failing.model, failing.findings)
    assert {"epoch", "cost", "autograd", "symbolic"} <= set(texts(costs.svg()))
    assert {"step", "error / allowed", "allowed", "disagrees", "w2, step 40", "0"} <= set(
        texts(errors.svg())
    )
    assert {"value before the step", "w2: autograd", "dotted: symbolic"} <= set(texts(paths.svg()))


def test_the_descriptions_give_the_numbers(failing):
    costs, errors, paths = pictures(failing.model, failing.findings)
    assert costs.description == (
        "The loss of each epoch's last step: from 18.3184 to 0.00392929; the symbolic training's "
        "ends at 0.00308714."
    )
    assert errors.description == (
        "The worst error is that of w2 at step 40: 2.3e+06 of what rounding allows. 2 of 300 steps "
        "disagree. 32 of them are exact: the error is 0."
    )
    assert "w1 from 1 to 0.172984, at most 0.053 from its twin" in paths.description


def test_a_screen_reader_finds_title_and_description(failing):
    (costs, *_) = failing.pictures
    root = ElementTree.fromstring(costs.svg())
    title, description = root[0], root[1]
    assert (title.tag, title.text) == (
        f"{SVG}title",
        "Cost of the training by autograd and of its symbolic twin",
    )
    assert (description.tag, description.text) == (f"{SVG}desc", costs.description)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby").split() == [title.get("id"), description.get("id")]
    assert costs._repr_svg_() == costs.svg()


def test_the_same_picture_each_time(failing):
    first, second = (
        [part.svg() for part in pictures(failing.model, failing.findings)] for _ in range(2)
    )
    assert first == second


def marks(axes, marker):
    """Where the line of that marker has points."""
    return [
        tuple(line.get_xdata())
        for line in axes.get_lines()
        if line.get_marker() == marker and len(line.get_xdata())
    ]


def painted(picture):
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    picture.paint(axes)
    return axes


def test_failures_are_marked(failing):
    _, errors, _ = failing.pictures
    assert marks(painted(errors), "x") == [(6.0, 40.0)]
    honest = verifier.train(verifier.load("quadratic"), epochs=2)
    assert marks(painted(honest.pictures[1]), "x") == []


def heights(axes, label):
    """How high the points of that label stand."""
    return [
        float(height)
        for line in axes.get_lines()
        if line.get_label() == label
        for height in line.get_ydata()
    ]


def test_each_step_has_its_worst_error_and_zeros_are_zeros(failing):
    found = worst_errors(failing.findings)
    axes = painted(failing.pictures[1])
    for place, step in enumerate(failing.steps):
        judged = list(step.gradient.values())
        ratios = [one.error / one.allowed if one.error else 0.0 for one in judged]
        assert found.ratios[place] == max(ratios)
        assert ratios[int(found.parameters[place])] == max(ratios)
    ticks = dict(zip(axes.get_yticks(), (text.get_text() for text in axes.get_yticklabels()),
                     strict=True))  # fmt: skip
    zeros = heights(axes, "error 0")
    assert len(zeros) == 32 == int((found.ratios == 0).sum())
    assert {ticks[height] for height in zeros} == {"0"}
    assert 0 < min(heights(axes, "largest error")) < 1
    assert min(heights(axes, "largest error")) > max(zeros)
    wrong = heights(axes, "disagrees")
    assert len(wrong) == 2
    assert min(wrong) > 1


def test_a_run_without_zeros_or_failures_has_no_marks_for_them():
    honest = verifier.train(verifier.load("tanh_network"), epochs=2)
    axes = painted(honest.pictures[1])
    assert heights(axes, "disagrees") == heights(axes, "error 0") == []
    assert "None of 8 steps disagrees. None of them is exact." in honest.pictures[1].description


def legend_is_below(picture, form):
    """Whether the legend's first words stand below those of the axis."""
    places = {
        element.text: float(element.get("y"))
        for element in ElementTree.fromstring(picture.svg(form)).iter(f"{SVG}text")
        if element.get("y")
    }
    return places["autograd"] > places["epoch"]


def test_on_a_phone_the_legend_stands_below(failing):
    costs = failing.pictures[0]
    assert legend_is_below(costs, NARROW)
    assert not legend_is_below(costs, WIDE)
    assert costs.title not in texts(costs.svg(NARROW)), "the page has it below the picture"
    assert costs.title in texts(costs.svg())


def test_failures_without_ulps_stand_at_the_border():
    nan = verifier.train(
        verifier.load("linear"), epochs=2, witness=Tampered(0, lambda g: g * float("nan"), (4,))
    )
    at_zero = verifier.train(
        verifier.load("quadratic"), epochs=1, witness=Tampered(0, lambda g: g + 1, (1,))
    )
    for report, step in ((nan, 4.0), (at_zero, 1.0)):
        assert report.outcome == "disagrees"
        assert marks(painted(report.pictures[1]), "x") == [(step,)]


def test_a_failure_of_a_long_run_is_never_thinned_away():
    report = verifier.train(
        verifier.load("linear"), epochs=4000, witness=Tampered(0, torch.neg, (7001,))
    )
    errors = report.pictures[1]
    assert marks(painted(errors), "x") == [(7001.0,)]
    assert "Each point is the worst of up to 32 steps." in errors.description
    assert report.findings.curves.paths[-1, 0] == 12_000
    assert len(report.findings.worst_steps) <= 200
    assert 7001 in [step.number for step in report.findings.worst_steps]


def test_of_many_parameters_the_worst_are_drawn():
    model = verifier.load("tanh_network")
    names = model.parameters
    report = verifier.train(model, epochs=2, witness=Tampered(len(names) - 1, torch.neg, (3,)))
    _, errors, paths = report.pictures
    assert errors.description.startswith(f"The worst error is that of {names[-1]} at step 3: ")
    assert "1 of 8 steps disagrees." in errors.description
    assert (
        len([text for text in texts(paths.svg()) if text and text.endswith(": autograd")]) == DRAWN
    )


def test_the_surface_is_the_loss(valley):
    found = surface(valley.model, valley.findings)
    assert found.loss.shape == (SIDE, SIDE)
    for row, column in ((0, 0), (17, 41), (59, 59)):
        x, y = found.first[column], found.second[row]
        assert found.loss[row, column] == pytest.approx(
            100 * (y - x**2) ** 2 + (1 - x) ** 2, rel=1e-12
        )
    assert found.autograd[0].tolist() == [float(np.float32(-1.2)), 1.0]
    assert len(valley.pictures) == 4


def test_the_surface_of_data_is_the_mean_or_the_sum_of_its_rows():
    data = {"x": [0.5, 1.0, 2.0], "y": [1.0, 0.0, 3.0]}
    for reduction, reduce in (("mean", np.mean), ("sum", np.sum)):
        model = verifier.Model.from_text(
            "a*x + b + c", inputs="x", start={"a": 1.0, "b": 0.0, "c": 0.5}, fixed=["c"],
            loss=squared_error, data=data, reduction=reduction,
        )  # fmt: skip
        report = verifier.train(model, epochs=3, batch="all", dtype="float64")
        found = surface(model, report.findings)
        rows = [
            (found.first[5] * x + found.second[9] + 0.5 - y) ** 2
            for x, y in zip(*data.values(), strict=True)
        ]
        assert found.loss[9, 5] == pytest.approx(reduce(rows), rel=1e-12)
        assert found.rows == 3


def test_of_much_data_the_surface_takes_evenly_spread_rows():
    x = np.linspace(0, 1, 3 * ROWS)
    model = verifier.Model.from_text(
        "a*x + b",
        inputs="x",
        start={"a": 1.0, "b": 0.0},
        loss=squared_error,
        data={"x": x, "y": 2 * x},
    )
    report = verifier.train(model, epochs=1, batch="all")
    assert f"The loss, over {ROWS} of {3 * ROWS} rows, from " in report.pictures[3].description


def test_no_surface_without_finite_ground(failing, valley):
    assert surface(failing.model, failing.findings) is None
    curves = replace(valley.findings.curves, paths=valley.findings.curves.paths * np.nan)
    assert surface(valley.model, replace(valley.findings, curves=curves)) is None
    level = verifier.Model.from_text("0*a + 0*b", start={"a": 1.0, "b": 1.0})
    assert surface(level, verifier.train(level, epochs=2).findings) is None


def test_diverging_trainings_are_drawn():
    report = verifier.train(verifier.load("linear"), lr=1.0, epochs=60)
    for part in report.pictures:
        assert part.svg()
    assert sketches(report.findings, 80)


def named(report, names):
    """The picture of the errors where the parameters, the title and the description are
    called so.
    """
    first, *more = report.findings.components
    components = [replace(part, name=name) for part, name in zip(more, names, strict=False)]
    drift = {component.name: Drift(0.0, 0.0) for component in components}
    findings = replace(report.findings, components=(first, *components), drift=drift)
    _, errors, _ = pictures(report.model, findings)
    return replace(errors, title=names[-1])


def test_text_never_becomes_markup(failing):
    harmless = named(failing, ["a", "b", "c", "d"]).svg()
    for low in range(0, len(PAYLOADS), 4):
        hostile = named(failing, [*PAYLOADS, *PAYLOADS][low : low + 4]).svg()
        assert shape(hostile) == shape(harmless)
        assert shape(inline(hostile, "errors")) == shape(inline(harmless, "errors"))
        assert all(
            text.isprintable()
            for text in ElementTree.fromstring(hostile).itertext()
            if text.strip()
        )


def test_markup_would_be_found():
    plain = accessible('<svg xmlns="http://www.w3.org/2000/svg"/>', "a", "title", "told")
    assert shape(plain) != shape(plain.replace("told", "<script/>"))


def test_inside_a_page(failing):
    text = inline(failing.pictures[0].svg(), "costs")
    assert not text.startswith("<?xml")
    root = ElementTree.fromstring(text)
    assert not [
        element
        for element in root.iter()
        if "style" in element.attrib or element.tag == f"{SVG}style"
    ]
    names = [element.get("id") for element in root.iter() if element.get("id")]
    assert all(name.startswith("costs-") for name in names)
    assert len(set(names)) == len(names)
    used = [
        value[1:]
        for element in root.iter()
        for key, value in element.items()
        if key.endswith("href")
    ]
    clips = [
        value[5:-1]
        for element in root.iter()
        for value in element.attrib.values()
        if value.startswith("url(#")
    ]
    assert used
    assert clips
    assert set(used + clips) <= set(names)
    assert "currentColor" in text
    assert "#000000" not in text


def renamed(report, name):
    """The pictures where the worst parameter is called so."""
    parts = [replace(part, name=name if part.name == "w2" else part.name)
             for part in report.components]  # fmt: skip
    drift = {**report.drift, name: Drift(0.0, 0.0)}
    findings = replace(report.findings, components=tuple(parts), drift=drift)
    return pictures(report.model, findings)


def test_long_names_are_shortened_and_underscores_shown(failing):
    long = "a_very_long_name_of_a_parameter_indeed"
    for name, label in ((long, "a_very_long_name_of_a_p…"), ("_hidden", "\u200b_hidden")):
        _, errors, paths = renamed(failing, name)
        assert f"{label}, step 40" in texts(errors.svg())
        assert f"{label}: autograd" in texts(paths.svg())


def test_in_the_terminal(capsys):
    assert run(["train", "quadratic", "--epochs", "40", "--plot"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    lines = shown.partition("digits, at 8 steps.\n\n")[2].splitlines()
    assert lines[0] == "cost, logarithmic   o autograd  x symbolic  * both"
    assert lines[13].split() == ["0", "epoch", "39"]
    assert lines[15] == "largest error / allowed, logarithmic   o within  X disagrees  - allowed"
    assert lines[-1].split() == ["1", "step", "120"]
    assert max(map(len, lines)) <= 79
    assert "X" not in "".join(lines[16:])


def test_where_plot_may_stand(capsys):
    for words in (["--plot", "--epochs", "2", "linear"], ["linear", "--epochs", "2", "--plot", "-"],
                  ["--epochs", "2", "--plot", "--", "linear"]):  # fmt: skip
        assert run(["train", *words]) == 0
        assert "largest error / allowed" in capsys.readouterr().out
    assert run(["train", "linear", "--epochs", "2"]) == 0
    assert "largest error / allowed" not in capsys.readouterr().out


def test_a_sketch_marks_failures(failing):
    lines = [line.plain for line in sketches(failing.findings, 80)]
    top = lines[16]
    assert top.startswith("  2.3e+06 ┤")
    assert [place - 11 for place, mark in enumerate(top) if mark == "X"] == [1, 9]
    assert "X" not in "".join(lines[17:])
    assert any(line.count("-") == 68 for line in lines[16:27])


@pytest.mark.parametrize("width", [80, 60, 40, 30, 5])
def test_sketches_fit(failing, width):
    longest = max(len(line.plain) for line in sketches(failing.findings, width))
    assert longest <= max(width, 32)


def test_a_terminal_without_line_drawing(monkeypatch, capsys):
    import io
    import sys

    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert run(["train", "linear", "--epochs", "2", "--plot"]) == 0
    sys.stdout.flush()
    text = written.getvalue().decode("ascii")
    assert "          +----" in text
    assert "\\u" not in text


def test_sketches_of_what_has_no_cost():
    diverged = verifier.train(verifier.load("linear"), lr=1e30, epochs=3)
    shown = [line.plain for line in sketches(diverged.findings, 80)]
    assert "no epoch ended with a finite cost: there is no cost to draw" in shown
    stopped = verifier.train(
        verifier.load("quadratic"), witness=Tampered(1, torch.neg, (1, 2)), stop_on_failure=True
    )
    assert stopped.findings.done == 2
    shown = [line.plain for line in sketches(stopped.findings, 80)]
    assert shown[0] == "no epoch ended with a finite cost: there is no cost to draw"
    assert stopped.pictures[0].description == "No epoch was finished."
    assert stopped.pictures[0].svg()


def test_a_picture_by_itself():
    part = Picture(
        "dot", "One dot", "A dot at 1.", lambda axes: axes.plot([1], [1], "o", label="dot")
    )
    assert "One dot: A dot at 1." in image([part], "title", ".svg").decode("utf-8")
    assert image([part], "title", ".PNG").startswith(b"\x89PNG")


def test_of_few_stretches_each_keeps_its_worst_step(monkeypatch):
    monkeypatch.setattr("verifier.training.reservoir.SHOWN_STEPS", 3)
    report = verifier.train(
        verifier.load("linear"), epochs=4000, witness=Tampered(0, torch.neg, (5001,))
    )
    numbers = [step.number for step in report.findings.worst_steps]
    assert len(numbers) <= 3
    assert numbers == sorted(numbers)
    assert 5001 in numbers


def test_a_cost_that_stays_is_drawn():
    still = verifier.train(verifier.load("linear"), epochs=3, lr=0.0)
    lines = [line.plain for line in sketches(still.findings, 80)]
    assert sum("*" in line for line in lines[1:12]) == 1
    assert still.pictures[0].svg()


def test_styles_become_attributes():
    svg = "<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'><style>*{}</style>{}</svg>"
    text = (
        "<text style=\"font: 12px 'Some Font'; text-anchor: middle\">a</text><g style='font: "
        "inherit; fill: #000000'/>"
    )
    written = inline(svg.replace("{}</svg>", f"{text}</svg>"), "x")
    assert "style" not in written
    assert 'font-size="12" text-anchor="middle" fill="currentColor">a<' in written.replace(
        "ns0:", ""
    )
