"""Picture: one drawing with a text for those who do not see it, by itself or with others in a file.

It is drawn by matplotlib. Okabe and Ito's colours can be told apart by colour-blind readers; no
line is told apart by its colour alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import TYPE_CHECKING, Final

from verifier.errors import printable
from verifier.reporting.html.svg import accessible, svg_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase
    from matplotlib.legend import Legend

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_LABEL = 24
_BESIDE: Final = "upper left"
_BELOW: Final = "outside lower center"
"""Where a legend stands, in matplotlib's words."""


@dataclass(frozen=True)
class Shape:
    """How large a picture is in inches, whether its title is in it, and where its legend stands."""

    width: float
    height: float
    legend: str = _BESIDE
    has_title: bool = False


FILE = Shape(8.0, 3.8, has_title=True)
WIDE = Shape(8.0, 2.4)
"""On a page, which has the title below the picture."""
NARROW = Shape(3.9, 3.4, _BELOW)
"""On a page, on the screen of a phone."""


@dataclass(frozen=True)
class Picture:
    """One picture: its name, its title, what it shows in words, and how it is painted on
    matplotlib's axes.
    """

    name: str
    title: str
    description: str
    paint: Callable[[Axes], None] = field(repr=False)
    least_height: float = 0.0
    """Inches that its rows need."""

    def svg(self, shape: Shape = FILE) -> str:
        """The picture as SVG in that `shape`, with its title and description as texts for a screen
        reader.
        """
        height = max(shape.height, self.least_height)
        drawn = svg_of(_figure([self], replace(shape, height=height)))
        return accessible(drawn, self.name, self.title, self.description)

    def _repr_svg_(self) -> str:
        return self.svg()


def image(parts: Sequence[Picture], title: str, suffix: str) -> bytes:
    """The pictures below each other, as a file of that kind: .svg, .png or .pdf."""
    figure = _figure(parts, FILE)
    figure.suptitle(printable(title), parse_math=False)
    if suffix.lower() == ".svg":
        text = " ".join(f"{part.title}: {part.description}" for part in parts)
        return accessible(svg_of(figure), "training", title, text).encode("utf-8")
    written = BytesIO()
    figure.savefig(written, format=suffix.lower().removeprefix("."), dpi=120)
    return written.getvalue()


def _figure(parts: Sequence[Picture], shape: Shape) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(shape.width, shape.height * len(parts)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subfigures(len(parts), 1, squeeze=False)[:, 0]
    for panel, part in zip(panels, parts, strict=True):
        axes = panel.subplots()
        part.paint(axes)
        if shape.has_title:
            axes.set_title(printable(part.title), parse_math=False)
        if axes.get_legend_handles_labels()[1]:
            _draw_legend(panel, axes, shape)
    return figure


def _draw_legend(panel: FigureBase, axes: Axes, shape: Shape) -> None:
    legend = _legend_beside(axes) if shape.legend == _BESIDE else _legend_below(panel, axes)
    # Names are shown as they are, never as formulas.
    for text in legend.get_texts():
        text.set_parse_math(False)


def _legend_beside(axes: Axes) -> Legend:
    """Where it hides no line."""
    return axes.legend(loc=_BESIDE, bbox_to_anchor=(1.01, 1.0), fontsize="small", frameon=False)


def _legend_below(panel: FigureBase, axes: Axes) -> Legend:
    drawn, labels = axes.get_legend_handles_labels()
    return panel.legend(drawn, labels, loc=_BELOW, ncols=2, fontsize="small", frameon=False)


def legend_name(name: str) -> str:
    """A name short enough for a legend. A leading underscore would hide it there."""
    shown = printable(name)
    shown = shown if len(shown) <= _LABEL else f"{shown[: _LABEL - 1]}…"
    return f"\u200b{shown}" if shown.startswith("_") else shown
