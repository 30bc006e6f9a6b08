"""Pictures of a training: what a report knows, drawn, each with a text for those who do not see it.

A picture is drawn by matplotlib, by itself as SVG or with others in one file. Okabe and Ito's
colours can be told apart by colour-blind readers; no line is told by its colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np

from verifier.errors import printable
from verifier.formula.model import Model
from verifier.judging.verdict import Outcome
from verifier.operations.number_text import plain, short
from verifier.reporting.html.loss_surface import Surface, surface
from verifier.reporting.html.svg import accessible, svg_of
from verifier.training.findings import Component, Findings

DRAWN = 6
"""At most so many parameters are drawn: the worst ones."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_LABEL = 24
_FLOOR = 1e-3
"""Where an error of 0 stands on a logarithmic axis, in ulps."""


@dataclass(frozen=True)
class Picture:
    """One picture: its name, its title, what it shows in words, and how it is painted on
    matplotlib's axes.
    """

    name: str
    title: str
    description: str
    paint: Callable[[Any], None] = field(repr=False)

    def svg(self) -> str:
        """The picture as SVG, with its title and description as texts for a screen reader."""
        return accessible(svg_of(_figure([self])), self.name, self.title, self.description)

    def _repr_svg_(self) -> str:
        return self.svg()


def pictures(model: Model, findings: Findings) -> tuple[Picture, ...]:
    """The cost, the errors, the parameters' paths, and the surface of the loss where there are two
    parameters.
    """
    drawn = worst_first(findings)[:DRAWN]
    found = surface(model, findings)
    return (
        _costs(findings),
        _errors(findings, drawn),
        _paths(findings, drawn),
        *([_surface(findings, found)] if found else []),
    )


def worst_first(findings: Findings) -> list[Component]:
    """The gradients by their worst outcome and error for its allowance; the order of the parameters
    where all agree.
    """
    if all(component.outcome is Outcome.AGREES for component in findings.gradients):
        return list(findings.gradients)
    return sorted(findings.gradients, key=lambda component: -component.outcome.severity)


def image(parts: Sequence[Picture], title: str, suffix: str) -> bytes:
    """The pictures below each other, as a file of that kind: .svg, .png or .pdf."""
    figure = _figure(parts)
    figure.suptitle(printable(title), parse_math=False)
    if suffix.lower() == ".svg":
        text = " ".join(f"{part.title}: {part.description}" for part in parts)
        return accessible(svg_of(figure), "training", title, text).encode("utf-8")
    written = BytesIO()
    figure.savefig(written, format=suffix.lower().removeprefix("."), dpi=120)
    return written.getvalue()


def _figure(parts: Sequence[Picture]) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 3.8 * len(parts)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subfigures(len(parts), 1, squeeze=False)[:, 0]
    for panel, part in zip(panels, parts, strict=True):
        axes = panel.subplots()
        part.paint(axes)
        axes.set_title(printable(part.title), parse_math=False)
        _legend(axes)
    return figure


def _legend(axes: Any) -> None:
    """Beside the axes, where it hides no line; names are shown as they are, never as formulas."""
    legend = axes.legend(
        loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize="small", frameon=False
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def legend_name(name: str) -> str:
    """A name short enough for a legend. A leading underscore would hide it there."""
    shown = printable(name)
    shown = shown if len(shown) <= _LABEL else f"{shown[: _LABEL - 1]}…"
    return f"\u200b{shown}" if shown.startswith("_") else shown


def _costs(findings: Findings) -> Picture:
    rows = findings.curves.costs

    def paint(axes: Any) -> None:
        axes.plot(rows[:, 0], rows[:, 1], color=COLOURS[0], linewidth=3.0, label="autograd")
        axes.plot(rows[:, 0], rows[:, 2], color=COLOURS[1], linestyle="--", label="symbolic")
        axes.set(xlabel="epoch", ylabel="cost")
        if spans(rows[:, 1:]):
            axes.set_yscale("log")

    return Picture(
        "costs",
        "Cost of the training by autograd and of its symbolic twin",
        _costs_description(rows),
        paint,
    )


def spans(values: Any, factor: float = 100.0) -> bool:
    """Whether numbers are for a logarithmic axis: all of them positive, and far apart."""
    finite = values[np.isfinite(values)]
    return bool(finite.size and finite.min() > 0 and finite.max() > factor * finite.min())


def _costs_description(rows: Any) -> str:
    if not len(rows):
        return "No epoch was finished."
    _, autograd, symbolic = rows.T
    same = np.array_equal(autograd, symbolic, equal_nan=True)
    other = (
        "the symbolic training's is the same"
        if same
        else f"the symbolic training's ends at {symbolic[-1]:.6g}"
    )
    return (
        f"The loss of each epoch's last step: from {autograd[0]:.6g} to {autograd[-1]:.6g}; "
        f"{other}."
    )


def _errors(findings: Findings, drawn: Sequence[Component]) -> Picture:
    names = [component.name for component in findings.gradients]
    points = findings.curves.errors

    def paint(axes: Any) -> None:
        axes.set(xlabel="step", ylabel="ulps of the exact gradient", yscale="log")
        for component, colour, marker in zip(drawn, COLOURS, _MARKERS, strict=False):
            _error_of(
                axes,
                points[:, names.index(component.name)],
                legend_name(component.name),
                (colour, marker),
            )
        axes.plot([], [], "x", color="#000000", markersize=8, label="x: disagrees")

    title = "Autograd's error and what rounding allows"
    return Picture("errors", title, _errors_description(findings, drawn), paint)


def _error_of(axes: Any, points: Any, name: str, style: tuple[str, str]) -> None:
    colour, marker = style
    step, error, allowed, severity = points.T
    error, allowed = (
        np.where(np.isfinite(part), np.maximum(part, _FLOOR), np.nan) for part in (error, allowed)
    )
    axes.plot(
        step, error, marker, markersize=3, color=colour, label=f"{name}: error", linestyle="none"
    )
    axes.plot(step, allowed, color=colour, linewidth=1.0, linestyle="--", label=f"{name}: allowed")
    failing = severity == Outcome.DISAGREES.severity
    placed = failing & ~np.isnan(error)
    axes.plot(step[placed], error[placed], "x", markersize=8, color=colour)
    # A failure without a finite place in ulps (NaN, infinity, an exact 0) stands at the upper
    # border.
    for place in step[failing & ~placed]:
        axes.plot(
            [place], [0.97], "x", markersize=8, color=colour, transform=axes.get_xaxis_transform()
        )


def _errors_description(findings: Findings, drawn: Sequence[Component]) -> str:
    parts = [_component_description(component) for component in drawn]
    more = len(findings.gradients) - len(drawn)
    parts += [f"{more} more parameters are not drawn"] if more else []
    stride = _stride(findings)
    thinned = f" Each point is the worst of up to {stride} steps." if stride > 1 else ""
    return (
        f"{'; '.join(parts)}. Exact zeros have no ulps and are left out unless they fail (upper "
        f"border).{thinned}"
    )


def _component_description(component: Component) -> str:
    worst = component.worst
    failing = component.outcomes[Outcome.DISAGREES]
    text = f"{failing} of {component.compared} disagree" if failing else "none disagrees"
    return (
        f"{printable(component.name)}: {text}, the worst at step {component.worst_step} "
        f"with {short(worst.ulps)} of {short(worst.allowed_ulps)} allowed ulps"
    )


def _stride(findings: Findings) -> int:
    return math.ceil(findings.done / max(1, len(findings.curves.errors)))


def _paths(findings: Findings, drawn: Sequence[Component]) -> Picture:
    names = [component.name for component in findings.gradients]
    rows = findings.curves.paths
    step = rows[:, 0]

    def paint(axes: Any) -> None:
        axes.set(xlabel="step", ylabel="value before the step")
        for component, colour, marker in zip(drawn, COLOURS, _MARKERS, strict=False):
            autograd, symbolic = _columns(rows, names, component.name)
            label = f"{legend_name(component.name)}: autograd"
            marks = {"marker": marker, "markersize": 7, "markevery": 0.2}
            axes.plot(step, autograd, color=colour, linewidth=3.0, label=label, **marks)
            axes.plot(step, symbolic, color="#000000", linewidth=1.0, linestyle=":")
        axes.plot([], [], color="#000000", linewidth=1.0, linestyle=":", label="dotted: symbolic")

    text = "; ".join(
        _path_description(findings, component.name, _columns(rows, names, component.name))
        for component in drawn
    )
    return Picture("paths", "The parameters' paths", f"{text}.", paint)


def _columns(rows: Any, names: Sequence[str], name: str) -> tuple[Any, Any]:
    place = names.index(name)
    return rows[:, 1 + place], rows[:, 1 + len(names) + place]


def _path_description(findings: Findings, name: str, paths: tuple[Any, Any]) -> str:
    autograd, _ = paths
    apart = findings.drift[name].largest
    text = f"at most {short(apart)} from its twin" if apart else "its twin goes the same way"
    return f"{printable(name)} from {autograd[0]:.6g} to {autograd[-1]:.6g}, {text}"


def _surface(findings: Findings, found: Surface) -> Picture:
    first, second = (component.name for component in findings.gradients)

    def paint(axes: Any) -> None:
        from matplotlib.colors import LogNorm
        from matplotlib.patheffects import withStroke

        norm = LogNorm() if spans(found.loss, 10.0) else None
        levels = _levels(found.loss)
        filled = axes.contourf(
            found.first, found.second, found.loss, levels=levels, norm=norm, cmap="cividis"
        )
        bar = axes.figure.colorbar(
            filled, ax=axes, label="loss", location="bottom", ticks=levels[::3], format="%.3g"
        )
        bar.minorticks_off()
        autograd, symbolic = found.autograd, found.symbolic
        edge = withStroke(linewidth=4.5, foreground="#222222")
        axes.plot(
            *autograd.T,
            color="#FFFFFF",
            linewidth=3.0,
            label="solid: autograd",
            path_effects=[edge],
        )
        axes.plot(
            *symbolic.T, color=COLOURS[1], linestyle="--", linewidth=1.5, label="dashed: symbolic"
        )
        axes.plot(*autograd[0], "o", color=COLOURS[1], label="start")
        axes.plot(*autograd[-1], "*", markersize=12, color=COLOURS[1], label="end")
        axes.set_xlabel(legend_name(first), parse_math=False)
        axes.set_ylabel(legend_name(second), parse_math=False)
        axes.set(xlim=(found.first[0], found.first[-1]), ylim=(found.second[0], found.second[-1]))

    start, end = (
        ", ".join(plain(float(f"{v:.6g}")) for v in found.autograd[place]) for place in (0, -1)
    )
    of = (
        f", over {found.rows} of {findings.data.rows} rows,"
        if found.rows < findings.data.rows
        else ""
    )
    text = (
        f"The loss{of} from {np.nanmin(found.loss):.6g} to {np.nanmax(found.loss):.6g}, and both "
        "paths on it from "
    )
    named = f"({printable(first)}, {printable(second)})"
    title = "The surface of the loss, and both paths on it"
    return Picture("surface", title, f"{text}{named} = ({start}) to ({end}).", paint)


def _levels(loss: Any) -> Any:
    low, high = np.nanmin(loss), np.nanmax(loss)
    return np.geomspace(low, high, 16) if spans(loss, 10.0) else np.linspace(low, high, 16)
