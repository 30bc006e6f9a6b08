"""For mkdocstrings: examples in docstrings are shown as code, and fields with their defaults."""

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^(>>> .*?)(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)


class Doctests(griffe.Extension):
    """Puts a fence around each example, and a default in the place of `field(default=...)`."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = EXAMPLE.sub(r"```pycon\n\1\n```", obj.docstring.value)

    def on_attribute(self, *, attr: griffe.Attribute, **_: Any) -> None:
        call = attr.value
        if isinstance(call, griffe.ExprCall) and str(call.function) == "field":
            named = [part for part in call.arguments if isinstance(part, griffe.ExprKeyword)]
            attr.value = next((part.value for part in named if part.name == "default"), None)
