"""Diagram: the computational graph of an explanation, drawn from the data down to the loss.

Each box is a node: what it is made of, its value, its derivative by each of the nodes that it
takes, and the derivative of the loss by it, as torch has them and as the symbolic side does. What
disagrees is marked by a sign and a thick border, not by its colour alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from xml.etree import ElementTree

from rich.cells import cell_len

from verifier.errors import printable
from verifier.explaining.drawing.graph_layout import Layers, place_boxes
from verifier.explaining.explained_step import ExplainedStep, Node
from verifier.judging.verdict import Comparison, Outcome
from verifier.operations.number_text import number
from verifier.reporting.html.svg import accessible

DRAWN_NODES = 60
"""A larger graph is not drawn."""
LONGEST = 48
"""Columns that a label may have."""
SIGNS = {Outcome.AGREES: "", Outcome.UNDECIDED: "? ", Outcome.DISAGREES: "✗ "}
_SIZE, _COLUMN, _LINE, _PAD = 11, 6.8, 15.0, 8.0
"""In pixels: a letter's height and width, a line, and what is left free inside a box."""
_BETWEEN = 44.0
"""Between two layers."""
_INK, _PAPER, _SOFT, _WRONG = "#000000", "#ffffff", "#888888", "#d55e00"


@dataclass(frozen=True)
class _Line:
    """A label and two numbers; a title has none."""

    label: str
    torch: str = ""
    symbolic: str = ""
    outcome: Outcome = Outcome.AGREES
    weight: str = "normal"


@dataclass(frozen=True)
class _Box:
    lines: tuple[_Line, ...]
    wrong: bool
    least: tuple[int, ...] = (0, 0, 0)
    """Columns that the labels and both numbers have at least."""

    @property
    def columns(self) -> tuple[int, ...]:
        """How wide the labels and both numbers are, in columns."""
        return tuple(map(max, self._own_columns, self.least))

    @property
    def _own_columns(self) -> tuple[int, int, int]:
        numbered = [line for line in self.lines if line.torch]
        label = max(map(_label_width, numbered or self.lines))
        torch, symbolic = (max((cell_len(getattr(line, side)) for line in numbered), default=0)
                           for side in ("torch", "symbolic"))  # fmt: skip
        titles = max(map(_label_width, self.lines))
        return max(label, titles - torch - symbolic - 4), torch, symbolic

    @property
    def width(self) -> float:
        label, torch, symbolic = self.columns
        return (label + torch + symbolic + 4 * bool(torch)) * _COLUMN + 2 * _PAD

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + 2 * _PAD


@dataclass(frozen=True)
class GraphPicture:
    """The drawn graph: its name, its title, and what it shows in words."""

    name: str
    title: str
    description: str
    drawn: str

    def svg(self) -> str:
        """The picture as SVG, with its title and description as texts for a screen reader."""
        return accessible(self.drawn, self.name, self.title, self.description)

    def _repr_svg_(self) -> str:
        return self.svg()


Boxes = Mapping[str, _Box]
"""The boxes of a graph by the names of their nodes."""
NumberText = Callable[[float], str]
"""Writes a number."""


def graph_boxes(explanation: ExplainedStep, write: NumberText = number) -> Boxes:
    """What stands in the graph of an explanation, box by box."""
    return {
        node.name: _box(node, explanation.gradient.get(node.name), write)
        for node in explanation.nodes
    }


def graph_picture(
    explanation: ExplainedStep, write: NumberText = number, beside: Sequence[Boxes] = ()
) -> GraphPicture | None:
    """The graph of an `explanation` as a picture; None where it has more than DRAWN_NODES nodes.

    Numbers are as `write` writes them, and there is room for those of the boxes `beside`, too.

    >>> import verifier
    >>> picture = graph_picture(verifier.explain(verifier.load("linear")))
    >>> picture.name, "<svg" in picture.svg()
    ('graph', True)
    """
    nodes = explanation.nodes
    if len(nodes) > DRAWN_NODES:
        return None
    boxes = {
        name: replace(box, least=tuple(map(max, *(other[name].columns for other in beside))))
        if len(beside) > 1
        else box
        for name, box in graph_boxes(explanation, write).items()
    }
    places = place_boxes(
        {node.name: node.arguments for node in nodes},
        {name: box.width for name, box in boxes.items()},
    )
    return GraphPicture("graph", *graph_words(explanation), _picture_svg(boxes, places))


def graph_words(explanation: ExplainedStep) -> tuple[str, str]:
    """The title of the graph, and what it shows in words."""
    return f"The graph of the loss at step {explanation.place.step}", _description(explanation)


def _description(explanation: ExplainedStep) -> str:
    nodes = explanation.nodes
    leaves = [printable(node.name) for node in nodes if not node.arguments]
    wrong = [printable(name) for name, box in graph_boxes(explanation).items() if box.wrong]
    marked = (
        f"Marked with ✗, because torch's numbers disagree: {', '.join(wrong)}."
        if wrong
        else "None disagrees."
    )
    return (
        f"{len(nodes)} nodes, from {', '.join(leaves[:12])}{' …' * (len(leaves) > 12)} at the top "
        "to the loss at the "
        "bottom; an arrow goes from a node to what takes it. Each has its value, its derivative by "
        "what it takes and "
        "the derivative of the loss L by it, as torch and as the symbolic side have them; a "
        "parameter has what stands "
        f"in its grad in the end, too. {marked} The tables below "
        "have the same numbers."
    )


def _box(node: Node, grad: Comparison | None, write: NumberText) -> _Box:
    """A node, a parameter with what stands in its `.grad`; of a batch the first row, or the first
    that disagrees.
    """
    row = _row_shown(node)
    beside = f" (row {row} of {node.rows})" if node.rows is not None and node.rows > 1 else ""
    kept = _number_lines(f"{node.name}.grad", [grad], 0, write) if grad is not None else ()
    lines = (
        _Line(f"{_short_label(node.title)}{beside}", weight="bold"),
        *_box_lines(node, row, write),
        *kept,
    )
    return _Box(lines, any(line.outcome is Outcome.DISAGREES for line in lines))


def _row_shown(node: Node) -> int:
    if node.rows is None:
        return 0
    numbers = (node.values, node.adjoints, *(edge.numbers for edge in node.edges))
    wrong = [
        row
        for series in numbers
        for row, one in enumerate(series)
        if one.outcome is Outcome.DISAGREES
    ]
    return min(wrong, default=0)


def _box_lines(node: Node, row: int, write: NumberText) -> Iterator[_Line]:
    yield _Line(node.role.value if not node.arguments else "", "torch", "symbolic")
    for condition in node.conditions[row : row + 1]:
        yield _Line("holds", str(condition.autograd), str(condition.symbolic))
    yield from _number_lines("value", node.values, row, write)
    for edge in node.edges:
        label = f"∂{node.name}/∂{edge.argument} = {edge.formula}"
        yield from _number_lines(label, edge.numbers, row, write)
    yield from _number_lines(f"∂L/∂{node.name}", node.adjoints, row, write)
    if node.adjoints and not node.arrived:
        yield _Line("✗ nothing is passed back", outcome=Outcome.UNDECIDED)


def _number_lines(
    label: str, numbers: Sequence[Comparison], row: int, write: NumberText
) -> Iterator[_Line]:
    for judged in numbers[:1] if len(numbers) == 1 else numbers[row : row + 1]:
        yield _Line(
            f"{SIGNS[judged.outcome]}{_short_label(label)}",
            write(judged.stated),
            write(judged.symbolic),
            judged.outcome,
        )


def _short_label(label: str) -> str:
    shown = printable(label)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def _label_width(line: _Line) -> int:
    return cell_len(line.label)


def _picture_svg(boxes: Boxes, places: Layers) -> str:
    tops: dict[str, float] = {}
    bands: list[tuple[float, float]] = []
    top = _PAD
    for layer in places.boxes:
        height = max(boxes[name].height for name in layer)
        tops.update((name, top + (height - boxes[name].height) / 2) for name in layer)
        bands.append((top, top + height))
        top += height + _BETWEEN
    width, height = places.width + 2 * _PAD, top - _BETWEEN + _PAD
    root = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {width:.1f} {height:.1f}",
            "width": f"{width:.0f}", "height": f"{height:.0f}", "font-size": str(_SIZE),
            "font-family": "ui-monospace, monospace",
        },
    )  # fmt: skip
    layer_of = {name: depth for depth, layer in enumerate(places.boxes) for name in layer}
    for (argument, user), passed in places.arrows.items():
        between = bands[layer_of[argument] + 1 : layer_of[user]]
        points = [(places.centres[argument], tops[argument] + boxes[argument].height)]
        points += [(x, edge) for x, band in zip(passed, between, strict=True) for edge in band]
        _draw_arrow(root, [*points, (places.centres[user], tops[user])])
    for name, box in boxes.items():
        _draw_box(root, box, places.centres[name] - box.width / 2 + _PAD, tops[name])
    return ElementTree.tostring(root, encoding="unicode")


def _draw_arrow(root: ElementTree.Element, points: Sequence[tuple[float, float]]) -> None:
    """A line through the points, bent between layers and straight along them, with a head at its
    end.
    """
    (x, y), *rest = [(x + _PAD, y) for x, y in points]
    path = f"M{x:.1f} {y:.1f}"
    for next_x, next_y in rest:
        middle = (y + next_y) / 2
        path += f"C{x:.1f} {middle:.1f} {next_x:.1f} {middle:.1f} {next_x:.1f} {next_y:.1f}"
        x, y = next_x, next_y
    head = f"M{x - 4:.1f} {y - 7:.1f}L{x:.1f} {y:.1f}L{x + 4:.1f} {y - 7:.1f}Z"
    ElementTree.SubElement(root, "path", {"d": path, "fill": "none", "stroke": _SOFT})
    ElementTree.SubElement(root, "path", {"d": head, "fill": _SOFT})


def _draw_box(root: ElementTree.Element, box: _Box, left: float, top: float) -> None:
    colour, width = (_WRONG, "2.5") if box.wrong else (_SOFT, "1")
    border = {"stroke": colour, "stroke-width": width}
    frame = {"x": left, "y": top, "width": box.width, "height": box.height, "rx": 5.0}
    ElementTree.SubElement(
        root,
        "rect",
        {
            **{name: f"{value:.1f}" for name, value in frame.items()},
            "fill": _PAPER,
            "class": "box",
            **border,
        },
    )
    label, torch, symbolic = box.columns
    ends = [
        left + _PAD + (label + torch + 2) * _COLUMN,
        left + _PAD + (label + torch + symbolic + 4) * _COLUMN,
    ]
    for place, line in enumerate(box.lines):
        base = top + _PAD + place * _LINE + _SIZE
        look = {"y": f"{base:.1f}", **_look(line)}
        group = ElementTree.SubElement(root, "g", {"class": "line"})
        _draw_text(group, line.label, {"x": f"{left + _PAD:.1f}", **look})
        for end, text in zip(ends, (line.torch, line.symbolic), strict=True):
            _draw_text(group, text, {"x": f"{end:.1f}", "text-anchor": "end", **look})


def _look(line: _Line) -> dict[str, str]:
    """How a line is drawn: what disagrees is bold and has a colour of its own."""
    is_wrong = line.outcome is Outcome.DISAGREES
    return {
        "fill": _WRONG if is_wrong else _INK,
        "font-weight": "bold" if is_wrong else line.weight,
    }


def _draw_text(root: ElementTree.Element, text: str, look: dict[str, str]) -> None:
    if text:
        ElementTree.SubElement(root, "text", look).text = text
