"""SVG: matplotlib's drawing made into a document that a screen reader can read and a strict page
can hold.

Inside a page nothing may be styled by attributes of that name, two drawings must not share the name
of a part, and ink and paper are the page's own, light or dark.
"""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from verifier.errors import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG = "http://www.w3.org/2000/svg"
_LINK = "http://www.w3.org/1999/xlink"
_INK, _PAPER = "#000000", "#ffffff"
_JOINS = {"stroke-linejoin": "round", "stroke-linecap": "butt"}
"""What the removed style says of every element."""


def svg_of(figure: Figure) -> str:
    """The figure as SVG with its words as text, on no background; the same each time."""
    import matplotlib

    buffer = io.StringIO()
    # Words stay text: whoever shows them has a font for them.
    with (
        matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "verifier"}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def accessible(svg: str, name: str, title: str, description: str) -> str:
    """The drawing `svg` as an image of one piece with a `title` and a `description`, whose ids
    begin with `name`.
    """
    root = _parsed(svg)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-description")
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        part = ElementTree.Element(
            f"{{{_SVG}}}{tag}", {"id": f"{name}-{'title' if place == 0 else 'description'}"}
        )
        part.text = printable(text)
        root.insert(place, part)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + _written(root)


def inline(svg: str, name: str) -> str:
    """The drawing `svg` as an element of a page that is as wide as its place; the ids of its parts
    begin with `name`.
    """
    root = _embedded(svg, name)
    for prop in ("width", "height"):
        root.attrib.pop(prop)
    return _written(root)


def inline_sized(svg: str, name: str) -> str:
    """The same as an element of a page, in its own size."""
    return _written(_embedded(svg, name))


def _embedded(svg: str, name: str) -> ElementTree.Element:
    """The drawing without declaration and style, with names of parts that begin with `name`."""
    root = _parsed(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rpartition("}")[2] in ("metadata", "style"):
                parent.remove(child)
    for element in root.iter():
        _unstyled(element)
        for attribute, value in element.items():
            element.set(attribute, _renamed(attribute, value, name))
    root.attrib.update(_JOINS)
    return root


def _parsed(svg: str) -> ElementTree.Element:
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    return ElementTree.fromstring(svg)  # noqa: S314 (matplotlib wrote it)


def _written(root: ElementTree.Element) -> str:
    return ElementTree.tostring(root, encoding="unicode")


def _unstyled(element: ElementTree.Element) -> None:
    """Each property of the style as an attribute of its own; black and white as the page's ink and
    paper.
    """
    style = element.attrib.pop("style", "")
    for setting in filter(None, (part.strip() for part in style.split(";"))):
        prop, _, value = setting.partition(":")
        element.attrib.update(_attributes(prop.strip(), value.strip()))
    for prop in ("fill", "stroke"):
        if element.get(prop) == _INK:
            element.set(prop, "currentColor")
    if element.get("fill") == _PAPER:
        element.set("fill", "none")
    if element.tag == f"{{{_SVG}}}text" and "fill" not in element.attrib:
        element.set("fill", "currentColor")


def _attributes(prop: str, value: str) -> dict[str, str]:
    """The property as attributes. Of a font the size alone; the family is the page's."""
    if prop == "font-family":
        return {}
    if prop == "font":
        size = re.search(r"([\d.]+)px", value)
        return {"font-size": size[1]} if size else {}
    return {prop: value}


def _renamed(attribute: str, value: str, name: str) -> str:
    if attribute in ("id", "aria-labelledby"):
        start = f"{name}-"
        return " ".join(f"{start}{part.removeprefix(start)}" for part in value.split())
    if attribute.endswith("href") and value.startswith("#"):
        return f"#{name}-{value[1:]}"
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", value) if "url(#" in value else value
