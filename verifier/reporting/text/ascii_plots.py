"""ASCII plots: drawn with characters, for a terminal of any width, with or without colour."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.text import Text

from verifier.operations.number_text import short
from verifier.reporting.content.blocks import Sentence
from verifier.reporting.html.training_plots import spans, worst_errors
from verifier.reporting.text.terminal import WIDTH, lines_of
from verifier.training.findings import Findings

ROWS = 11
_MARGIN = 10
"""Columns for the numbers at the left."""


@dataclass(frozen=True, eq=False)
class _Series:
    mark: str
    places: Any
    values: Any
    style: str = ""


@dataclass(frozen=True)
class _Axis:
    """Where numbers stand on an axis of so many cells."""

    low: float
    high: float
    cells: int
    logarithmic: bool = False

    def cell(self, value: float) -> int:
        low, high, at = (
            math.log(part) if self.logarithmic else part for part in (self.low, self.high, value)
        )
        if high == low:
            return self.cells // 2
        return max(0, min(self.cells - 1, round((at - low) / (high - low) * (self.cells - 1))))

    def value(self, cell: int) -> float:
        part = cell / (self.cells - 1)
        if self.logarithmic:
            return math.exp(math.log(self.low) + part * (math.log(self.high) - math.log(self.low)))
        return self.low + part * (self.high - self.low)


def sketches(findings: Findings, width: int) -> Iterator[Text]:
    """Both trainings' cost, and the gradients' errors for their allowance, at most `width` columns
    wide.
    """
    columns = max(20, min(width, WIDTH) - 1 - _MARGIN - 1)
    yield from _costs(findings, width, columns)
    yield Text()
    yield from _errors(findings, width, columns)


def _costs(findings: Findings, width: int, columns: int) -> Iterator[Text]:
    epochs, autograd, symbolic = findings.curves.costs.T[:3]
    finite = np.concatenate([autograd, symbolic])
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        nothing = Sentence("no epoch ended with a finite cost: there is no cost to draw")
        yield from lines_of([nothing], width)
        return
    logarithmic = spans(finite)
    title = f"cost{', logarithmic' if logarithmic else ''}   o autograd  x symbolic  * both"
    yield from lines_of([Sentence(title, "bold")], width)
    series = [_Series("o", epochs, autograd, "blue"), _Series("x", epochs, symbolic, "yellow")]
    yield from _chart(
        series, _Axis(finite.min(), finite.max(), ROWS, logarithmic), columns, "epoch"
    )


def _errors(findings: Findings, width: int, columns: int) -> Iterator[Text]:
    found = worst_errors(findings)
    steps, ratios, failing = found.steps, found.ratios, found.failing
    drawn = np.isfinite(ratios) & (ratios > 0)
    title = "largest error / allowed, logarithmic   o within  X disagrees  - allowed"
    yield from lines_of([Sentence(title, "bold")], width)
    # At an exact 0 and where nothing is decided there is no ratio; a failure without one stands at
    # the top.
    low, high = (ratios[drawn].min(), ratios[drawn].max()) if drawn.any() else (0.1, 1.0)
    axis = _Axis(max(1e-6, min(low, 0.1)), max(high, 1.0), ROWS, logarithmic=True)
    placed = np.where(
        failing & ~np.isfinite(ratios),
        axis.high,
        np.where(drawn, np.maximum(ratios, axis.low), np.nan),
    )
    every = np.linspace(steps[0], steps[-1], columns)
    series = [
        _Series("-", every, np.ones_like(every), "dim"),
        _Series("o", steps[~failing], placed[~failing], "blue"),
        _Series("X", steps[failing], placed[failing], "bold red"),
    ]
    yield from _chart(series, axis, columns, "step")


def _chart(series: Sequence[_Series], axis: _Axis, columns: int, unit: str) -> Iterator[Text]:
    """The series over a common axis; a later one is drawn over an earlier, and o with x is *."""
    drawn = [row.places for row in series if len(row.places)]
    low, high = float(min(row[0] for row in drawn)), float(max(row[-1] for row in drawn))
    across = _Axis(low, high, columns)
    cells: dict[tuple[int, int], tuple[str, str]] = {}
    for row in series:
        for place, value in zip(row.places, row.values, strict=True):
            if math.isfinite(value):
                cell = (axis.cell(value), across.cell(place))
                before = cells.get(cell, ("", ""))[0]
                cells[cell] = (
                    ("*", "")
                    if {before, row.mark} in ({"o", "x"}, {"*", "x"})
                    else (row.mark, row.style)
                )
    for line in reversed(range(axis.cells)):
        label = short(axis.value(line)) if line in (0, axis.cells // 2, axis.cells - 1) else ""
        yield Text.assemble(
            f"{label:>{_MARGIN - 1}} {'┤' if label else '│'}",
            *(cells.get((line, column), (" ", "")) for column in range(columns)),
        )
    ends = f"{low:g}", f"{high:g}"
    yield Text(f"{'':{_MARGIN}}└{'─' * columns}")
    yield Text(
        f"{'':{_MARGIN + 1}}{ends[0]}{unit:^{columns - len(ends[0]) - len(ends[1])}}{ends[1]}"
    )
