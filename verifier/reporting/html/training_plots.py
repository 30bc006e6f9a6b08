"""Pictures of a training: its cost, its errors, the parameters' paths and the loss's surface."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verifier.errors import printable
from verifier.formula.model import Model
from verifier.judging.verdict import Outcome
from verifier.operations.arrays import Floats, Indices, Truths
from verifier.operations.number_text import plain, short
from verifier.process.values import Options
from verifier.reporting.html.heat_map import heat_maps
from verifier.reporting.html.loss_surface import Surface, surface
from verifier.reporting.html.picture import COLOURS, Picture, legend_name
from verifier.training.findings import Component, Findings
from verifier.training.reservoir import rank

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ERROR_MARKS: Mapping[str, Options] = {
    "largest error": {"marker": "o", "markersize": 3, "linestyle": "none", "color": COLOURS[0]},
    "disagrees": {"marker": "x", "markersize": 8, "linestyle": "none", "color": COLOURS[1]},
    "error 0": {"marker": "o", "markersize": 4, "linestyle": "none", "color": COLOURS[0],
                "markerfacecolor": "none"},
}  # fmt: skip
_SURFACE_HEIGHT = 2.8
"""Inches: its scale stands below it."""
DRAWN = 6
"""At most so many parameters are drawn: the worst ones."""
_MARKERS = ("o", "s", "^", "D", "v", "P")


def pictures(model: Model, findings: Findings) -> tuple[Picture, ...]:
    """The cost, the errors, the parameters' paths, and the surface of the loss where there are two
    parameters.
    """
    drawn = worst_first(findings)[:DRAWN]
    found = surface(model, findings)
    return (
        _costs(findings),
        _errors(findings),
        _paths(findings, drawn),
        *heat_maps(model, drawn),
        *([_surface(findings, found)] if found else []),
    )


def worst_first(findings: Findings) -> list[Component]:
    """The gradients by their worst outcome and error for its allowance; the order of the parameters
    where all agree.
    """
    if all(component.outcome is Outcome.AGREES for component in findings.gradients):
        return list(findings.gradients)
    return sorted(findings.gradients, key=lambda component: -component.outcome.severity)


def _costs(findings: Findings) -> Picture:
    rows = findings.curves.costs

    def paint(axes: Axes) -> None:
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


def spans(values: Floats, factor: float = 100.0) -> bool:
    """Whether numbers are for a logarithmic axis: all of them positive, and far apart."""
    finite = values[np.isfinite(values)]
    return bool(finite.size and finite.min() > 0 and finite.max() > factor * finite.min())


def _costs_description(rows: Floats) -> str:
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


@dataclass(frozen=True, eq=False)
class WorstErrors:
    """Of each point of the run its step, its largest error as a fraction of what rounding allows,
    whether that disagrees, and which parameter has it.
    """

    steps: Floats
    ratios: Floats
    """0 where the error is 0; infinite or NaN where there is no such number."""
    failing: Truths
    parameters: Indices

    @property
    def worst(self) -> int:
        """The point that disagrees, or comes nearest to that."""
        known = np.where(np.isnan(self.ratios), np.inf, self.ratios)
        return int(np.lexsort((known, self.failing))[-1])


def worst_errors(findings: Findings) -> WorstErrors:
    """The worst parameter of each point."""
    points = findings.curves.errors
    _, error, allowed, severity = np.moveaxis(points, -1, 0)
    parameters = np.argmax(rank(severity, error, allowed), axis=1)
    step, error, allowed, severity = points[np.arange(len(points)), parameters].T
    with np.errstate(all="ignore"):
        ratios = np.where(error == 0, 0.0, error / allowed)
    return WorstErrors(step, ratios, severity == Outcome.DISAGREES.severity, parameters)


def _errors(findings: Findings) -> Picture:
    found = worst_errors(findings)
    drawn = np.isfinite(found.ratios) & (found.ratios > 0)
    scale = _ErrorScale.of(found.ratios[drawn])

    def paint(axes: Axes) -> None:
        axes.set(xlabel="step", ylabel="error / allowed", yscale="log")
        axes.set(ylim=(scale.bottom, scale.top))
        axes.set_yticks([scale.zero, *scale.ticks], ["0", *map(short, scale.ticks)])
        axes.minorticks_off()
        axes.axhline(1.0, color="#000000", linewidth=1.0, linestyle="--", label="allowed")
        heights = scale.heights(found.ratios)
        for label, chosen in (
            ("largest error", drawn & ~found.failing),
            ("disagrees", found.failing),
            ("error 0", found.ratios == 0),
        ):
            if chosen.any():
                axes.plot(found.steps[chosen], heights[chosen], label=label, **_ERROR_MARKS[label])
        _name_worst(axes, findings, found, scale)

    title = "The largest error of each step beside what rounding allows"
    return Picture("errors", title, _errors_description(findings, found), paint)


@dataclass(frozen=True)
class _ErrorScale:
    """Where errors stand on a logarithmic axis, which has no place for 0."""

    low: int
    high: int
    """Powers of ten between which all errors and 1 lie."""

    @classmethod
    def of(cls, ratios: Floats) -> _ErrorScale:
        ends = [1.0, *ratios]
        return cls(math.floor(math.log10(min(ends))) - 1, math.ceil(math.log10(max(ends))) + 1)

    @property
    def ticks(self) -> list[float]:
        stride = max(1, math.ceil((self.high - self.low) / 6))
        powers = range(self.low + 1, self.high + 1)
        return [10.0**power for power in powers if power % stride == 0]

    @property
    def zero(self) -> float:
        return float(10.0**self.low)

    def heights(self, ratios: Floats) -> Floats:
        """Where these stand; what is no finite number at the upper border."""
        high: Floats = np.where(np.isfinite(ratios), ratios, self.border)
        return np.where(ratios == 0, self.zero, high)

    @property
    def bottom(self) -> float:
        return float(10.0 ** (self.low - 0.3 * self._decades / 6))

    @property
    def top(self) -> float:
        return float(10.0 ** (self.high + self._decades / 6))

    @property
    def border(self) -> float:
        return float(10.0 ** (self.high + 0.5 * self._decades / 6))

    @property
    def _decades(self) -> int:
        return self.high - self.low


def _name_worst(axes: Axes, findings: Findings, found: WorstErrors, scale: _ErrorScale) -> None:
    """Which parameter has the worst error, beside its mark."""
    place = found.worst
    step, ratio = found.steps[place], found.ratios[place]
    name = legend_name(findings.gradients[int(found.parameters[place])].name)
    is_left = step <= (found.steps[0] + found.steps[-1]) / 2
    axes.annotate(
        f"{name}, step {step:.0f}",
        (step, float(scale.heights(ratio))),
        xytext=(8 if is_left else -8, 4),
        textcoords="offset points",
        ha="left" if is_left else "right",
        va="bottom",
        fontsize="small",
        parse_math=False,
    )


def _errors_description(findings: Findings, found: WorstErrors) -> str:
    step, ratio = found.steps[found.worst], found.ratios[found.worst]
    name = printable(findings.gradients[int(found.parameters[found.worst])].name)
    times = (
        f"{short(ratio)} of what rounding allows"
        if np.isfinite(ratio)
        else "no finite part of what rounding allows"
    )
    failing, zero = int(found.failing.sum()), int((found.ratios == 0).sum())
    stride = _stride(findings)
    of = f"{len(found.steps):,} {'points' if stride > 1 else 'steps'}"
    sentences = [
        f"The worst error is that of {name} at step {step:.0f}: {times}.",
        f"{failing or 'None'} of {of} {'disagrees' if failing < 2 else 'disagree'}.",
        f"{zero} of them {'is' if zero < 2 else 'are'} exact: the error is 0."
        if zero
        else "None of them is exact.",
    ]
    if stride > 1:
        sentences.append(f"Each point is the worst of up to {stride} steps.")
    unknown = int((~np.isfinite(found.ratios) & ~found.failing).sum())
    if unknown:
        sentences.append(f"{unknown:,} could not be decided and are not drawn.")
    return " ".join(sentences)


def _stride(findings: Findings) -> int:
    return math.ceil(findings.done / max(1, len(findings.curves.errors)))


def _paths(findings: Findings, drawn: Sequence[Component]) -> Picture:
    names = [component.name for component in findings.gradients]
    rows = findings.curves.paths
    step = rows[:, 0]

    def paint(axes: Axes) -> None:
        axes.set(xlabel="step", ylabel=f"{_path_of(findings)} before the step")
        for component, colour, marker in zip(drawn, COLOURS, _MARKERS, strict=False):
            autograd, symbolic = _columns(rows, names, component.name)
            label = f"{legend_name(component.name)}: autograd"
            marks: Options = {"marker": marker, "markersize": 7, "markevery": 0.2}
            axes.plot(step, autograd, color=colour, linewidth=3.0, label=label, **marks)
            axes.plot(step, symbolic, color="#000000", linewidth=1.0, linestyle=":")
        axes.plot([], [], color="#000000", linewidth=1.0, linestyle=":", label="dotted: symbolic")

    text = "; ".join(
        _path_description(findings, component.name, _columns(rows, names, component.name))
        for component in drawn
    )
    title = "The parameters' paths" if _path_of(findings) == "value" else "The parameters' norms"
    return Picture("paths", title, f"{text}.", paint)


def _path_of(findings: Findings) -> str:
    """What is drawn of parameters: of arrays their norms."""
    arrays = any(component.entry_ratios is not None for component in findings.gradients)
    return "norm" if arrays else "value"


def _columns(rows: Floats, names: Sequence[str], name: str) -> tuple[Floats, Floats]:
    place = names.index(name)
    return rows[:, 1 + place], rows[:, 1 + len(names) + place]


def _path_description(findings: Findings, name: str, paths: tuple[Floats, Floats]) -> str:
    autograd, _ = paths
    apart = findings.drift[name].largest
    text = f"at most {short(apart)} from its twin" if apart else "its twin goes the same way"
    return f"{printable(name)} from {autograd[0]:.6g} to {autograd[-1]:.6g}, {text}"


def _surface(findings: Findings, found: Surface) -> Picture:
    first, second = (component.name for component in findings.gradients)

    def paint(axes: Axes) -> None:
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
    described = f"{text}{named} = ({start}) to ({end})."
    return Picture("surface", title, described, paint, _SURFACE_HEIGHT)


def _levels(loss: Floats) -> Floats:
    low, high = np.nanmin(loss), np.nanmax(loss)
    return np.geomspace(low, high, 16) if spans(loss, 10.0) else np.linspace(low, high, 16)
