"""Pytrees: the leaves of nested lists, tuples, dictionaries and records under flat names.

The third of a list `w` is `w[2]`; what stands under the key "h" of a dictionary, or in the field h
of a named tuple or of a dataclass, is `state.h`; a key that is not one word is written in brackets,
`params[linear.weight]`. A complex tensor `z` has the parts `z.real` and `z.imag`, a sparse one the
part `z.values`.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from verifier.capture.target.sparse_inputs import VALUES, SparseInput
from verifier.errors import InputError
from verifier.process.values import UserValue

DEEPEST = 100
"""Levels of parts within parts that an input may have."""


class Leaf:
    """A record that is not looked into."""


REAL, IMAG = "real", "imag"


@dataclasses.dataclass(frozen=True, eq=False)
class Complex:
    """A complex tensor by its parts, of which one at least is not known yet."""

    real: Any
    imag: Any


_WORD = re.compile(r"\w+")
_FLAT = re.compile(r"\w+(?:\.\w+|\[[^\[\]]+\])*")
_INDEX = re.compile(r"[0-9]{1,9}")
_STEP = re.compile(r"(\w+)|\[([^\[\]]+)\]")


def leaves(value: UserValue, name: str) -> Iterator[tuple[str, Any]]:
    """Everything in a nested `value` that is not itself nested, in order, by its flat name, which
    begins with `name`.

    >>> dict(leaves({"h": [1, 2], "long name": None}, "state"))
    {'state.h[0]': 1, 'state.h[1]': 2, 'state[long name]': None}
    """
    parts = _parts(value, name)
    if parts is None:
        yield name, value
        return
    for _, inner, part in parts:
        yield from leaves(part, inner)


def with_leaves(value: UserValue, name: str, change: Callable[[str, Any], Any]) -> UserValue:
    """The nesting of `value`, which is called `name`, with what `change` gives for each leaf in the
    leaf's place. `change` takes the leaf's flat name and the leaf.

    >>> with_leaves((1, [2, 3]), "w", lambda name, leaf: f"{name} is {leaf}")
    ('w[0] is 1', ['w[1][0] is 2', 'w[1][1] is 3'])
    """
    parts = _parts(value, name)
    if parts is None:
        return change(name, value)
    return _rebuilt(value, {key: with_leaves(part, inner, change) for key, inner, part in parts})


def sparse_parts(value: UserValue, name: str) -> Iterator[tuple[str, SparseInput]]:
    """The sparse tensors in a nested value, by the flat names of their values."""
    if isinstance(value, SparseInput):
        yield f"{name}.{VALUES}", value
        return
    for _, inner, part in _parts(value, name) or ():
        yield from sparse_parts(part, inner)


def nested_value(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The nested value that has the leaves `flat`, by their flat names, the inverse of `leaves`:
    tuples for [0], [1], ..., else dictionaries.

    What has a real and an imaginary part and nothing else is a complex tensor.

    Raises InputError for what is no flat name, and where one name is inside another.

    >>> nested_value({"w[0]": 1, "w[1]": 2, "state.h": 3})
    {'w': (1, 2), 'state': {'h': 3}}
    """
    tree = _Branch()
    for name, leaf in flat.items():
        branch = tree
        *outer, last = _steps(name)
        if len(outer) > DEEPEST:
            raise InputError(
                f"the name {name[:40]!r}... is nested too deep: {DEEPEST} levels are the most"
            )
        for key in outer:
            branch = branch.setdefault(key, _Branch())
            if not isinstance(branch, _Branch):
                raise InputError(f"{name} lies inside another input that is given as a whole")
        if isinstance(branch.get(last), _Branch):
            raise InputError(f"{name} is given as a whole and in parts")
        branch[last] = leaf
    return {key: _closed(part) for key, part in tree.items()}


class _Branch(dict[Any, Any]):
    """What has parts, by their keys."""


def _steps(name: str) -> list[Any]:
    """The keys on the way to a leaf, the whole numbers among them as numbers."""
    if not _FLAT.fullmatch(name):
        raise InputError(f"{name!r} cannot be the name of an input: write x, w[0] or state.h")
    first, *others = _STEP.findall(name)
    return [
        first[0],
        *(int(inside) if _INDEX.fullmatch(inside) else inside or key for key, inside in others),
    ]


def _closed(part: UserValue) -> UserValue:
    if not isinstance(part, _Branch):
        return part
    parts = {key: _closed(inner) for key, inner in part.items()}
    if set(parts) == {REAL, IMAG}:
        return _complex(parts[REAL], parts[IMAG])
    return (
        tuple(parts[place] for place in range(len(parts)))
        if set(parts) == set(range(len(parts)))
        else parts
    )


def _parts(value: UserValue, name: str) -> list[tuple[Any, str, Any]] | None:
    """The key, flat name and value of each part; None for a leaf."""
    if isinstance(value, Mapping):
        return [(key, name + _step(key), part) for key, part in value.items()]
    if isinstance(value, SparseInput):
        return [(VALUES, f"{name}.{VALUES}", value.values)]
    if isinstance(value, torch.Tensor) and value.is_complex() and value.layout is torch.strided:
        return complex_parts(value, name)
    if dataclasses.is_dataclass(value) and not isinstance(value, type | Leaf):
        fields = [field.name for field in dataclasses.fields(value) if hasattr(value, field.name)]
        return [(field, f"{name}.{field}", getattr(value, field)) for field in fields]
    if isinstance(value, tuple | list):
        steps: Sequence[str] = [f".{field}" for field in getattr(value, "_fields", ())]
        steps = steps or [f"[{place}]" for place in range(len(value))]
        return [
            (place, name + step, part)
            for place, (step, part) in enumerate(zip(steps, value, strict=True))
        ]
    return None


def complex_parts(value: torch.Tensor, name: str) -> list[tuple[str, str, torch.Tensor]]:
    """The key, flat name and value of both parts of a complex tensor."""
    value = value.resolve_conj()
    return [(REAL, f"{name}.{REAL}", value.real), (IMAG, f"{name}.{IMAG}", value.imag)]


def _complex(real: UserValue, imag: UserValue) -> UserValue:
    """The complex tensor of these parts, if both are tensors.

    Raises InputError for tensors of which torch makes none.
    """
    if not isinstance(real, torch.Tensor) or not isinstance(imag, torch.Tensor):
        return Complex(real, imag)
    if real.dtype not in (torch.float32, torch.float64):
        kind = str(real.dtype).removeprefix("torch.")
        raise InputError(f"complex numbers are judged in float32 and float64, not in {kind}")
    if real.dtype != imag.dtype or real.shape != imag.shape:
        raise InputError("the real and the imaginary part of a number have one shape and one dtype")
    return torch.complex(real, imag)


def _step(key: Any) -> str:
    return f".{key}" if isinstance(key, str) and _WORD.fullmatch(key) else f"[{key}]"


def _rebuilt(value: UserValue, parts: dict[Any, Any]) -> UserValue:
    """A copy of a nested value with other parts."""
    if isinstance(value, torch.Tensor | Complex):
        return _complex(parts[REAL], parts[IMAG])
    if isinstance(value, SparseInput):
        return value.with_values(parts[VALUES])
    if isinstance(value, tuple):
        return (
            type(value)(*parts.values())
            if hasattr(value, "_fields")
            else type(value)(parts.values())
        )
    copied = copy.copy(value)
    if isinstance(value, Mapping | list):
        for key, part in parts.items():
            copied[key] = part
        return copied
    for field, part in parts.items():
        object.__setattr__(copied, field, part)
    return copied
