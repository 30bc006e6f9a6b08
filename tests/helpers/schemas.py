"""The schema held against documents: as it ships, and strictly, so that a key which it does not
know is found.
"""

from copy import deepcopy
from functools import cache

from jsonschema import Draft202012Validator

from verifier.reporting.data.training_json import schema

SHOWN = 4
"""Of long lists so many entries are validated, from both ends, where every test's documents are."""


@cache
def validator() -> Draft202012Validator:
    """Of the schema in which no further key is allowed."""
    strict = deepcopy(schema())
    for part in _parts(strict["$defs"]):
        if "properties" in part:
            part.setdefault("additionalProperties", False)
    Draft202012Validator.check_schema(strict)
    return Draft202012Validator(strict)


def _parts(value):
    """Every object within the value, itself among them."""
    if isinstance(value, dict):
        yield value
    for part in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from _parts(part)


def validated(document):
    """The document, once it is as the schema says, word for word. Raises ValidationError where it
    is not.
    """
    validator().validate(document)
    return document


def thinned(value):
    """The document with its long lists cut, which is as valid."""
    if isinstance(value, dict):
        return {key: thinned(part) for key, part in value.items()}
    if isinstance(value, list):
        return [
            thinned(part)
            for part in (value if len(value) <= 2 * SHOWN else value[:SHOWN] + value[-SHOWN:])
        ]
    return value
