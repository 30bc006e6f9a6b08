"""Call text: a name with dots and calls, such as `Block(dim=16, heads=2).loss`, read and never
evaluated.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from verifier.errors import InputError, cut
from verifier.process.values import UserValue

LONGEST_CALL = 10_000
"""Characters of a target's name with what it is called with."""
_LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Attribute:
    """A name that is looked up."""

    name: str


@dataclass(frozen=True, eq=False)
class Call:
    """What is looked up so far is called."""

    positional: tuple[Any, ...] = ()
    keywords: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    """As it was typed: (dim=16)."""


def steps_of(name: str) -> list[Attribute | Call]:
    """What is looked up and called one after another.

    Arguments are numbers, texts, truth values, None, and lists, tuples and dictionaries of them.

    >>> steps_of("Block(dim=16).loss")
    [Attribute(name='Block'), Call(positional=(), keywords={'dim': 16}, text='(dim=16)'), \
Attribute(name='loss')]

    Raises InputError for everything else.
    """
    if "(" not in name:
        return [Attribute(part) for part in name.split(".")]
    if len(name) > LONGEST_CALL:
        raise InputError(f"a target of {len(name):,} characters: give at most {LONGEST_CALL:,}")
    try:
        tree = ast.parse(name, mode="eval").body
        return _steps(tree, name)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{cut(name, _LONGEST_SHOWN)} is not a call: write it as in Block(dim=16, heads=2)"
        ) from None


def _steps(tree: ast.expr, text: str) -> list[Attribute | Call]:
    if isinstance(tree, ast.Name):
        return [Attribute(tree.id)]
    if isinstance(tree, ast.Attribute):
        return [*_steps(tree.value, text), Attribute(tree.attr)]
    if isinstance(tree, ast.Call):
        return [*_steps(tree.func, text), _call(tree, text)]
    raise ValueError


def _call(tree: ast.Call, text: str) -> Call:
    typed = ", ".join(ast.unparse(part) for part in (*tree.args, *tree.keywords))
    positional = tuple(_value(argument, str(place + 1)) for place, argument in enumerate(tree.args))
    keywords = {str(one.arg): _value(one.value, one.arg) for one in tree.keywords}
    return Call(positional, keywords, f"({typed})")


def _value(tree: ast.expr, name: str | None) -> UserValue:
    try:
        if name is None or isinstance(tree, ast.Starred):
            raise ValueError
        return ast.literal_eval(tree)
    except (ValueError, TypeError):
        shown = cut(ast.unparse(tree), _LONGEST_SHOWN)
        raise InputError(
            f"argument {name or '**'} is {shown}, and what a target is made with is read, not "
            "evaluated: give numbers, texts, True, False, None, or lists of them"
        ) from None
