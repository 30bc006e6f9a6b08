"""Labels: what the numbers of a check are called, with their place in their array and what was
given there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import torch

from verifier.capture.code_at_point import FORWARD, REVERSE, SECOND
from verifier.capture.to_numpy import to_numpy
from verifier.judging.examination import Part
from verifier.judging.finding import CheckPoint
from verifier.operations.number_text import plain

NAMED = 3
"""At most so many inputs are named with a number."""
LISTED = 8
"""Tensors of at most so many numbers are written in full."""
_SHORTER = (torch.float16, torch.float32)
"""Their numbers may need fewer digits than the same numbers as float64."""
_ROW = re.compile(r"(.*)\[(\d+)\] (.*)", re.DOTALL)


def target_name(target: str) -> str:
    """What a `target` is called within a sentence: without its file or module.

    >>> target_name("losses.py::focal"), target_name("package.losses:focal"), target_name("focal")
    ('focal', 'focal', 'focal')
    >>> target_name("a lambda at losses.py:12")
    'a lambda at losses.py:12'
    """
    return re.split(r"::|(?<=\w):(?=[^\W\d])", target)[-1] or target


def component_of_part_name(name: str) -> str:
    """The name of the component that a part belongs to, from the part's own `name`.

    >>> component_of_part_name("x[3] w"), component_of_part_name("w")
    ('x w', 'w')
    """
    found = _ROW.fullmatch(name)
    return f"{found[1]} {found[3]}" if found else name


def component_name(part: Part) -> str:
    """The name of what a part belongs to: all rows of a Hessian's block are one component."""
    found = _ROW.fullmatch(part.name) if part.quantity == SECOND else None
    return f"{found[1]} {found[3]}" if found else part.name


def component_title(name: str, quantity: str) -> str:
    """A component as the row of a table calls it, by its `name` and its `quantity`: value, reverse,
    forward or second.

    >>> component_title("p", "reverse"), component_title("value 1", "forward")
    ('p', 'forward 1')
    >>> component_title("p g", "second")
    'p g (second)'
    """
    if quantity == FORWARD:
        return name.replace("value", FORWARD, 1)
    return f"{name} (second)" if quantity == SECOND else name


def place_text(part: Part, index: tuple[int, ...], point: CheckPoint | None) -> str:
    """Where a number stands in the array of statements `part`, and what the inputs of `point` are
    there; `index` has a place for each axis of the array, counted from 0.

    The inputs are those of the same shape, as `p[3] = 0.75`; of a second derivative those that it
    is taken by.
    """
    inputs = point.inputs if point else {}
    found = _ROW.fullmatch(part.name) if part.quantity == SECOND else None
    if found:
        one, row, other = found.groups()
        first = np.unravel_index(int(row), inputs[one].shape) if one in inputs else (row,)
        place, beside_it = (
            _element_text(one, tuple(map(int, first)), inputs.get(one)),
            _element_text(other, index, inputs.get(other)),
        )
        return f"by {place} twice" if place == beside_it else f"by {place} and {beside_it}"
    own = part.name if part.quantity == REVERSE else None
    beside = [
        name for name, tensor in inputs.items() if name != own and tuple(tensor.shape) == part.shape
    ]
    named_first = (
        [_element_text(part.name, index, inputs.get(own) if own else None)] if own or index else []
    )
    room = NAMED - len(named_first)
    return ", ".join(
        [*named_first, *(_element_text(name, index, inputs[name]) for name in beside[:room])]
    )


def _element_text(name: str, index: tuple[int, ...], tensor: torch.Tensor | None) -> str:
    place = f"{name}[{','.join(map(str, index))}]" if index else name
    if tensor is None or tensor.ndim != len(index):
        return place
    return f"{place} = {_number_text(tensor[index])}"


def point_text(point: CheckPoint) -> str:
    """The inputs of `point`; of a large tensor only its shape."""
    return ", ".join(f"{name} = {_tensor_text(tensor)}" for name, tensor in point.inputs.items())


def _tensor_text(tensor: torch.Tensor) -> str:
    if tensor.numel() > LISTED:
        return f"{'×'.join(map(str, tensor.shape))} numbers"
    return _number_text(tensor)


def _number_text(tensor: torch.Tensor) -> str:
    """Numbers in as few digits as their dtype reads back as the same ones."""
    if tensor.ndim:
        return f"[{', '.join(_number_text(part) for part in tensor)}]"
    if tensor.dtype in _SHORTER:
        return str(to_numpy(tensor)).removesuffix(".0")
    value = tensor.item()
    return plain(value) if isinstance(value, float) else str(value)


def with_noun(count: int, what: str, several: str = "") -> str:
    """The number `count` with its noun `what`; `several` is the plural where that is not the noun
    with an s.

    >>> with_noun(1, "point"), with_noun(4096, "point"), with_noun(2, "loss", "losses")
    ('1 point', '4,096 points', '2 losses')
    """
    return f"{count:,} {what if count == 1 else several or what + 's'}"


def words_text(words: Sequence[str], most: int = 6) -> str:
    """The `words` in a sentence; of more than `most` the first, and how many more there are.

    >>> words_text(["p"]), words_text(["p", "q", "r"]), words_text(["p", "q", "r"], most=1)
    ('p', 'p, q and r', 'p and 2 more')
    """
    shown = list(words) if len(words) <= most else [*words[:most], f"{len(words) - most} more"]
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))


def digits_phrase(digits: float) -> str:
    """How many decimal `digits` agree, in words; a fraction of a digit is left out.

    >>> digits_phrase(0.3), digits_phrase(1.9), digits_phrase(6.9)
    ('no digit agrees', '1 digit agrees', '6 digits agree')
    """
    whole = 0 if math.isnan(digits) else int(digits)
    return f"{whole or 'no'} digit{'s agree' if whole > 1 else ' agrees'}"
