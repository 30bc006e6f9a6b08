"""Plot: a figure of a lesson, drawn from numbers that its code measures when the page is made.

The code of a `plot` block runs in the lesson's namespace, and leaves `curves` and `points`, each
from a label to its numbers on both axes. `runs` in place of them are the positions of a slider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from verifier.errors import printable
from verifier.explaining.lessons.reader import Plot
from verifier.operations.arrays import Numeric
from verifier.process.values import UserValue
from verifier.reporting.html.picture import COLOURS, Picture, Shape

Numbers = Sequence[Numeric]
ON_A_SCREEN, ON_A_TELEPHONE = Shape(7.0, 3.0), Shape(3.9, 3.4, "outside lower center")
_STYLES = ("-", "--", "-.", ":")
_MARKERS = ("o", "x", "^", "s")


@dataclass(frozen=True, eq=False)
class LessonRun:
    """A position of a slider: what it is called, what it shows in words, and the curve."""

    name: str
    sentence: str
    places: Numbers
    values: Numbers


@dataclass(frozen=True, eq=False)
class Drawing:
    """A plot with the numbers that were measured for it."""

    plot: Plot
    curves: Mapping[str, tuple[Numbers, Numbers]] = field(default_factory=dict)
    points: Mapping[str, tuple[Numbers, Numbers]] = field(default_factory=dict)
    runs: Sequence[LessonRun] = ()
    scales: Mapping[str, str] = field(default_factory=dict)
    """Of an axis, `x` or `y`, how it is divided, in matplotlib's words."""
    caption: str = ""

    @property
    def picture(self) -> Picture:
        """The plot as a picture."""
        name, title = f"plot-{self.plot.name}", self.plot.title
        return Picture(name, title, self.caption, self._paint)

    @property
    def at(self) -> int:
        """The position of the slider that is shown at first: the middle one."""
        return len(self.runs) // 2

    def _paint(self, axes: Any) -> None:
        labels = {label: printable(text) for label, text in self.plot.labels.items()}
        for (label, numbers), colour, style in zip(
            self.curves.items(), COLOURS, _STYLES, strict=False
        ):
            axes.plot(*numbers, style, color=colour, label=labels.get(label, label))
        marks = zip(self.points.items(), COLOURS[::-1], _MARKERS, strict=False)
        for (label, numbers), colour, marker in marks:
            axes.plot(*numbers, marker, color=colour, label=labels.get(label, label))
        for place, run in enumerate(self.runs):
            (line,) = axes.plot(run.places, run.values, "o-", color=COLOURS[0], markersize=3)
            line.set_gid(f"run-{place}")
        axes.set_xlabel(printable(self.plot.x), parse_math=False)
        axes.set_ylabel(printable(self.plot.y), parse_math=False)
        axes.set(**{f"{axis}scale": scale for axis, scale in self.scales.items()})


def drawing_of(plot: Plot, scope: Mapping[str, UserValue]) -> Drawing:
    """The `plot` with its numbers, which its code measures in a namespace of its own, a copy of
    `scope`.
    """
    own: dict[str, UserValue] = {**scope, "LessonRun": LessonRun}
    # The lessons are files of this package.
    exec(compile(plot.code, "plot", "exec"), own)  # noqa: S102
    found = {name: own[name] for name in ("curves", "points", "runs", "scales") if name in own}
    return Drawing(plot, caption=plot.caption.format_map(own), **found)
