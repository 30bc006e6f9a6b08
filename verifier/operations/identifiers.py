"""Names that people give: what models, symbols and functions can be called in generated source."""

from __future__ import annotations

import keyword

MODULES = ("builtins", "math", "np", "special", "torch")
"""Names that generated source uses itself."""


def is_name(name: str) -> bool:
    """Whether a model, a symbol or a function can have this `name`.

    >>> is_name("w1"), is_name("lambda"), is_name("torch"), is_name("two words")
    (True, False, False, False)
    """
    return name.isidentifier() and not keyword.iskeyword(name) and name not in MODULES
