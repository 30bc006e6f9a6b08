"""Write the JSON schema of all reports, and a page of its keys, from the records that they are made
of (`python docs/json_schema.py`).

A typed dictionary or a dataclass becomes a definition, its docstring and those of its fields the
descriptions. All whole numbers of reports are counts and places, so none is below 0. What is
behind a type in `Annotated` is what its values are in JSON.
"""

import ast
import inspect
import json
import sys
import textwrap
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from enum import EnumType
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType

from verifier.commands.config.report import ConfigDocument
from verifier.commands.lesson import LessonDocument
from verifier.commands.selftest import TrialsDocument
from verifier.commands.train_all import SummaryDocument
from verifier.commands.unfinished import UnfinishedDocument
from verifier.explaining.explanation import ExplanationDocument
from verifier.process.values import Facts
from verifier.reporting.data.check_json import CheckDocument
from verifier.reporting.data.document import FORMAT
from verifier.reporting.data.training_json import SCHEMA, TrainingDocument

NUMBER = {
    "description": "A float reads back as the same float; JSON has no words of its own for the "
    "others.",
    "anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}],
}
SIMPLE: Mapping[object, Facts] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": 0},
    float: {"$ref": "#/$defs/number"},
    NoneType: {"type": "null"},
    typing.Any: {},
}
KINDS = {
    "string": "text",
    "integer": "whole number",
    "boolean": "true or false",
    "null": "null",
    "object": "object",
}
WIDTH = 100
PAGE = Path(__file__).parent / "json_keys.md"
UNIONS = (typing.Union, UnionType)


def schema() -> Facts:
    """The JSON Schema (draft 2020-12) of every report in the format `verifier/1`."""
    found: dict[str, Facts] = {"number": NUMBER}
    _reference(UnfinishedDocument, found)
    unfinished = found[UnfinishedDocument.__name__]
    finished = [
        _choice("train", _reference(TrainingDocument, found), ("reports", SummaryDocument), found),
        _choice("check", _reference(CheckDocument, found), ("targets", ConfigDocument), found),
        _choice("explain", _reference(ExplanationDocument, found)),
        _choice("lesson", _reference(LessonDocument, found)),
        _choice("selftest", _reference(TrialsDocument, found)),
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": FORMAT,
        "description": "What verifier's --json writes. Keys are only ever added: a reader passes "
        "over those that it does not know. Made by python docs/json_schema.py.",
        "type": "object",
        "properties": {key: unfinished["properties"][key] for key in ("format", "command")},
        "required": ["format", "command", "versions"],
        "if": {"properties": {"outcome": {"type": "null"}}, "required": ["outcome"]},
        "then": _reference(UnfinishedDocument, found),
        "else": {"allOf": finished},
        "$defs": found,
    }


def _choice(
    command: str, document: Facts, other: tuple[str, type] | None = None, found: Facts | None = None
) -> Facts:
    """That document for a command; with `other` the one that has a key of its own."""
    is_command = {"properties": {"command": {"const": command}}, "required": ["command"]}
    chosen = document
    if other is not None:
        key, record = other
        chosen = {
            "if": {"required": [key]},
            "then": _reference(record, found),
            "else": document,
        }
    return {"if": is_command, "then": chosen}


def _reference(record: type, found: Facts) -> Facts:
    """A reference to the definition of a record, which is added where it is not there yet."""
    name = record.__name__
    if name not in found:
        found[name] = {}
        found[name] = _object(record, found)
    return {"$ref": f"#/$defs/{name}"}


def _object(record: type, found: Facts) -> Facts:
    texts = dict(_field_texts(record))
    hints = typing.get_type_hints(record, include_extras=True)
    properties = {
        name: {**_schema(hint, found), **({"description": texts[name]} if name in texts else {})}
        for name, hint in hints.items()
    }
    needed = [name for name, hint in hints.items() if _origin(hint) is not typing.NotRequired]
    return {
        "type": "object",
        "description": _one_line(record.__doc__ or ""),
        "properties": properties,
        "required": needed,
    }


def _schema(hint: typing.Any, found: Facts) -> Facts:
    """What a value of that type may be."""
    origin, parts = _origin(hint), typing.get_args(hint)
    if hint in SIMPLE:
        return dict(SIMPLE[hint])
    if isinstance(hint, EnumType):
        return {"enum": [member.value for member in hint]}
    if origin is typing.NotRequired:
        return _schema(parts[0], found)
    if origin is typing.Annotated:
        # A record of a module that loads torch is named alone.
        name = parts[1]
        return {"$ref": f"#/$defs/{name}"} if isinstance(name, str) else _schema(name, found)
    if origin is typing.Literal:
        return {"enum": list(parts)} if len(parts) > 1 else {"const": parts[0]}
    if origin in UNIONS:
        return {"anyOf": [_schema(part, found) for part in parts]}
    if origin in (list, tuple, Sequence):
        return {"type": "array", "items": _schema(parts[0], found)}
    if origin in (dict, Mapping):
        return _mapping(*parts, found)
    if is_dataclass(hint) or typing.is_typeddict(hint):
        return _reference(hint, found)
    raise TypeError(f"{hint} has no form in JSON")


def _mapping(key: typing.Any, value: typing.Any, found: Facts) -> Facts:
    one = _schema(value, found)
    if not isinstance(key, EnumType):
        return {"type": "object", "additionalProperties": one}
    names = [member.value for member in key]
    return {"type": "object", "properties": dict.fromkeys(names, one), "required": names}


def _origin(hint: typing.Any) -> object:
    return typing.get_origin(hint)


def _field_texts(record: type) -> Iterator[tuple[str, str]]:
    """The docstrings of the fields, those of the bases among them."""
    written = next(
        node
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(record))))
        if isinstance(node, ast.ClassDef)
    )
    # A typed dictionary does not know its bases.
    for base in written.bases:
        known = getattr(sys.modules[record.__module__], ast.unparse(base))
        if known is not typing.TypedDict:
            yield from _field_texts(known)
    for line, following in pairwise(written.body):
        match line, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, _one_line(text)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def text() -> str:
    """The schema as the package ships it."""
    return _laid_out(schema(), "") + "\n"


def _laid_out(value: object, indent: str) -> str:
    """JSON in which only what is too long for a line has lines of its own."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) < WIDTH or not isinstance(value, dict | list):
        return line
    inner = f"{indent} "
    if isinstance(value, list):
        opening, closing = "[]"
        parts = [_laid_out(part, inner) for part in value]
    else:
        opening, closing = "{}"
        parts = [f"{json.dumps(key)}: {_laid_out(part, inner)}" for key, part in value.items()]
    lines = f",\n{inner}".join(parts)
    return f"{opening}\n{inner}{lines}\n{indent}{closing}"


def page() -> str:
    """The definitions as a page: every key with what it holds."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# Keys of the JSON\n\nMade by `python docs/json_schema.py` from the records of reports."
    yield "A number may also be one of the texts `NaN`, `Infinity` and `-Infinity`."
    for name, definition in schema()["$defs"].items():
        if "properties" in definition:
            yield f"\n## {name}\n\n{definition['description']}\n"
            yield "| key | holds | |\n| --- | --- | --- |"
            for key, value in definition["properties"].items():
                optional = "" if key in definition["required"] else "Not always there. "
                yield f"| `{key}` | {_words(value)} | {optional}{value.get('description', '')} |"


def _words(value: Facts) -> str:
    """What a value holds, in words."""
    match value:
        case {"$ref": str(place)}:
            name = place.rpartition("/")[2]
            return "number" if name == "number" else f"[{name}](#{name.lower()})"
        case {"enum": names}:
            return ", ".join(f"`{name}`" for name in names)
        case {"const": only}:
            return f"`{json.dumps(only)}`"
        case {"anyOf": parts}:
            return " or ".join(map(_words, parts))
        case {"items": items}:
            return f"list of {_words(items)}" if items else "list"
        case {"additionalProperties": part}:
            return f"object of {_words(part)}"
        case {"properties": parts}:
            return f"object with {', '.join(f'`{part}`' for part in parts)}"
        case {"type": kind}:
            return KINDS[kind]
    return "anything"


if __name__ == "__main__":
    SCHEMA.write_text(text(), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
