"""Heat maps: how near each entry of a parameter's gradient came to what rounding allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from verifier.errors import printable
from verifier.formula.model import Model
from verifier.judging.outcome import Outcome
from verifier.operations.arrays import Floats
from verifier.operations.number_text import short
from verifier.program.program import Shape
from verifier.reporting.html.picture import COLOURS, Picture, legend_name
from verifier.training.findings import Component

DRAWN = 3
"""At most so many parameters that are wrong have one; where none is, the one with the worst."""
_SCALE = {-4: "≤ 1e-4", -2: "0.01", 0: "1", 2: "100", 4: "≥ 1e4"}
"""Powers of ten, and how they are called."""
MOST_CELLS = 40
"""So many rows and columns at most; of more the worst of each block is drawn."""


def heat_maps(model: Model, components: Sequence[Component]) -> list[Picture]:
    """A picture for each of these gradients by arrays that are wrong, of many for the first few;
    where none is wrong, for the one that came nearest to it.
    """
    known = [(one, one.entry_ratios) for one in components if one.entry_ratios is not None]
    wrong = [pair for pair in known if pair[0].outcome is Outcome.DISAGREES][:DRAWN]
    nearest = sorted(known, key=lambda pair: -float(np.max(pair[1])))[:1]
    return [_heat_map(one, ratios, model.shapes[one.name]) for one, ratios in wrong or nearest]


def _heat_map(component: Component, ratios: Floats, shape: Shape) -> Picture:
    table = _as_table(ratios.reshape(shape))
    drawn = np.log10(np.clip(np.where(np.isfinite(table), table, np.inf), 1e-4, 1e4))
    rows, columns = np.nonzero(~(table <= 1.0))
    ticks = _SCALE if rows.size else dict(list(_SCALE.items())[:3])

    def paint(axes: Any) -> None:
        # No image: pages take none, not even those that are part of a drawing.
        low, *_, high = ticks
        cells = axes.pcolormesh(drawn, cmap="cividis", vmin=low, vmax=high, edgecolors="face")
        bar = axes.figure.colorbar(
            cells, ax=axes, label="error / allowed", location="bottom", ticks=list(ticks)
        )
        bar.solids.set(rasterized=False, edgecolor="face")
        bar.ax.set_xticklabels(list(ticks.values()))
        axes.invert_yaxis()
        if rows.size:
            label = "more than is allowed"
            axes.plot(columns + 0.5, rows + 0.5, "x", color=COLOURS[1], markersize=7, label=label)
        _label_places(axes.xaxis, table.shape[1])
        _label_places(axes.yaxis, table.shape[0])
        axes.set_xlabel(f"last index of {legend_name(component.name)}", parse_math=False)
        axes.set_ylabel("other indices")

    title = f"The largest error of each entry of {printable(component.name)}"
    return Picture(f"entries-{component.name}", title, _description(component, ratios), paint, 3.2)


def _label_places(axis: Any, count: int) -> None:
    """At most about ten whole numbers, in the middle of their cells."""
    places = np.arange(0, count, max(1, -(-count // 10)))
    axis.set_ticks(places + 0.5, [str(place) for place in places])


def _as_table(ratios: Floats) -> Floats:
    """Two axes: the last one, and the others in one; large tables with the worst of each block."""
    table = ratios.reshape(-1, ratios.shape[-1])
    for axis in (0, 1):
        length = table.shape[axis]
        if length > MOST_CELLS:
            starts = np.linspace(0, length, MOST_CELLS, endpoint=False).astype(int)
            table = np.maximum.reduceat(table, starts, axis=axis)
    return table


def _description(component: Component, ratios: Floats) -> str:
    name = printable(component.name)
    worst = float(np.max(ratios))
    size = f"{short(worst)} of what rounding allows" if np.isfinite(worst) else "no finite number"
    beyond = int(np.count_nonzero(~(ratios <= 1.0)))
    return (
        f"The worst entry is {name}{component.worst_entry}: {size}. {beyond or 'None'} of "
        f"{ratios.size:,} entries {'is' if beyond < 2 else 'are'} beyond it at any step."
    )
