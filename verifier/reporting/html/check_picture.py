"""Check picture: every component's errors beside what rounding allows, on one line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from verifier.capture.code_at_point import REVERSE
from verifier.checking.tally.components import CheckComponent, Statement
from verifier.errors import printable
from verifier.judging.verdict import Outcome
from verifier.operations.arrays import Floats
from verifier.operations.number_text import short
from verifier.process.values import Options
from verifier.reporting.html.picture import COLOURS, Picture, legend_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS = 14
"""At most so many components are drawn: the worst ones."""
DESCRIBED = 6
"""And of so many it is said how they came out."""
POINTS = 300
"""Of each at most about so many errors."""
LEAST, MOST = 1e-4, 1e4
"""Where the smallest and the largest errors stand, as fractions of what is allowed."""
ZERO = LEAST / 10
"""Where an error of 0 stands: a logarithmic axis has no place for it."""
_TICKS = (ZERO, LEAST, 1e-2, 1.0, 1e2, MOST)
_ROW, _EDGES = 0.2, 0.7
"""Inches that a row needs, and the axis below them."""
_LOOKS: Mapping[Outcome, Options] = {
    Outcome.AGREES: {"marker": "o", "s": 12, "color": COLOURS[0], "alpha": 0.8},
    Outcome.UNDECIDED: {"marker": "^", "s": 26, "edgecolors": COLOURS[4], "facecolors": "none"},
    Outcome.DISAGREES: {"marker": "x", "s": 46, "color": COLOURS[1]},
}


def error_picture(components: Sequence[CheckComponent]) -> Picture:
    """The errors as fractions of their allowances, a row for each component; 1 is what rounding can
    do at most.
    """
    ordered = sorted((one for one in components if one.worst), key=_rank, reverse=True)
    drawn = ordered[:ROWS]

    def paint(axes: Axes) -> None:
        axes.set(
            xscale="log",
            xlabel="error / allowed",
            xlim=(ZERO / 2, MOST * 2),
            ylim=(len(drawn) - 0.5, -0.5),
        )
        axes.set_xticks(_TICKS, labels=["0", *(f"{tick:g}" for tick in _TICKS[1:])])
        axes.minorticks_off()
        axes.set_yticks(
            range(len(drawn)),
            labels=[legend_name(_labelled(one)) for one in drawn],
            parse_math=False,
        )
        axes.axvline(1.0, color="#000000", linewidth=1.0, linestyle="--", label="allowed")
        for outcome in Outcome:
            places = [_points(component, outcome) for component in drawn]
            rows = np.repeat(np.arange(len(drawn)), [len(found) for found in places])
            if len(rows):
                axes.scatter(np.concatenate(places), rows, label=outcome.value, **_LOOKS[outcome])

    more = f" {len(ordered) - ROWS} more components are not drawn." if len(ordered) > ROWS else ""
    text = "; ".join(map(_description, drawn[:DESCRIBED])) + (
        f"; and {len(ordered) - DESCRIBED} more" if len(ordered) > DESCRIBED else ""
    )
    ends = (
        f"An error of 0 stands at 0, a smaller one than {LEAST:g} at {LEAST:g}; above {MOST:g}, "
        "and what is no number, at the right border."
    )
    title = "Errors as fractions of what rounding allows"
    height = _EDGES + _ROW * len(drawn)
    return Picture("errors", title, f"{text}. {ends}{more}", paint, height)


def _rank(component: CheckComponent) -> tuple[int, float]:
    assert component.worst is not None  # noqa: S101 (those without one are left out)
    return component.worst.rank


def name_with_quantity(component: CheckComponent) -> str:
    """Its name, with the quantity where that is no value and no gradient."""
    plain = component.quantity in ("value", REVERSE)
    return component.name if plain else f"{component.name} ({component.quantity})"


def _labelled(component: CheckComponent) -> str:
    return f"{name_with_quantity(component)} {component.dtype}"


def _points(component: CheckComponent, outcome: Outcome) -> Floats:
    """The errors with that outcome, thinned evenly but for the largest one."""
    found = np.concatenate([_with(one, outcome) for one in component.statements])
    found = np.sort(np.where(found == 0, ZERO, np.clip(found, LEAST, MOST)))
    stride = max(1, math.ceil(len(found) / POINTS))
    return found[::-1][::stride]


def _with(statement: Statement, outcome: Outcome) -> Floats:
    chosen = np.ravel(statement.part.verdicts.severity) == outcome.severity
    return np.asarray(np.ravel(statement.ratios)[chosen])


def _description(component: CheckComponent) -> str:
    failing = component.outcomes[Outcome.DISAGREES]
    text = f"{failing} of {component.compared} disagree" if failing else "none disagrees"
    worst = component.worst
    known = worst is not None and math.isfinite(worst.ratio)
    ratio = (
        f", the largest error is {short(worst.ratio)} of what is allowed" if worst and known else ""
    )
    return f"{printable(_labelled(component))}: {text}{ratio}"
