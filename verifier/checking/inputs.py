"""Inputs: where a target is tried, as people give it, in Python or in the shell.

A tensor is a point, `between(low, high, shape)` stands for points that are drawn, and anything else
is a constant.
"""

from __future__ import annotations

import ast
import hashlib
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from verifier.capture.dtypes import dtype_named
from verifier.capture.target.pytree import Complex, Leaf, leaves, nested_value, with_leaves
from verifier.capture.target.sparse_inputs import SparseInput
from verifier.capture.to_numpy import MOST_AXES
from verifier.checking.input_hints import hint_for
from verifier.checking.tensor_text import (
    is_complex,
    is_tensor,
    is_whole,
    read_complex,
    read_number,
    read_shape,
    read_tensor,
    read_whole,
    write_tensor,
)
from verifier.errors import InputError, cut
from verifier.operations.arrays import Array
from verifier.process.values import UserInputs, UserValue

LARGEST = 10**8
"""A tensor of more numbers than that is not drawn."""


@dataclass(frozen=True)
class Between(Leaf):
    """Tensors that are drawn evenly between two ends. The ends are left out unless they are the
    same number.
    """

    low: float
    high: float
    shape: tuple[int, ...] = ()


def between(low: complex, high: complex, shape: Sequence[int] = ()) -> Between | Complex:
    """Inputs that are drawn between two ends, which are left out.

    `low` and `high` are finite numbers, `low` not above `high`; where they are the same number, all
    numbers are that one. `shape` has the sizes of the tensor; without it a scalar is drawn. Between
    complex ends lie the complex numbers whose real and imaginary parts do.

    >>> between(0, 1, shape=(32,))
    Between(low=0.0, high=1.0, shape=(32,))
    >>> between(-1-2j, 1+2j).imag
    Between(low=-2.0, high=2.0, shape=())

    Raises InputError for ends that are not finite, or the wrong way round, and for what is no
    shape.
    """
    if type(low) is complex or type(high) is complex:
        first, last = complex(low), complex(high)
        return Complex(between(first.real, last.real, shape), between(first.imag, last.imag, shape))
    ends = (_finite_end(low), _finite_end(high))
    if ends[0] > ends[1]:
        raise InputError(f"between {low!r} and {high!r} lies nothing: give the smaller end first")
    return Between(*ends, _checked_shape(shape))


def draw_inputs(inputs: UserInputs, dtype: str, seed: int, number: int) -> dict[str, UserValue]:
    """The inputs at one point: tensors of `dtype` in the place of everything of `inputs` that is to
    be drawn.

    Floating-point tensors that were given are cast to it, other tensors and constants stay as they
    are, and so does the nesting. Another `number` is another point; with the same `seed` and number
    it is the same one in every dtype, rounded.

    Raises InputError where a tensor cannot be used, and where no number of the dtype lies between
    two ends.

    >>> draw_inputs({"x": between(0, 1), "n": 2}, "float64", seed=0, number=1)
    {'x': tensor(0.1181, dtype=torch.float64), 'n': 2}
    """
    kind = dtype_named(dtype)

    def at(name: str, leaf: UserValue) -> UserValue:
        if isinstance(leaf, Between):
            return _draw_tensor(leaf, kind, name, f"{seed} {number} {name}")
        if isinstance(leaf, np.ndarray):
            return with_leaves(_tensor_of_array(name, leaf), name, at)
        return _cast_tensor(name, leaf, kind) if isinstance(leaf, torch.Tensor) else leaf

    return {name: with_leaves(value, name, at) for name, value in inputs.items()}


def given_dtypes(inputs: UserInputs) -> tuple[str, ...]:
    """The dtypes of the floating-point tensors among `inputs`, in their order; none where all are
    drawn.

    >>> given_dtypes({"x": torch.ones(2), "y": between(0, 1)})
    ('float32',)
    """
    found = [leaf for name, value in inputs.items() for _, leaf in leaves(value, name)]
    tensors = [torch.from_numpy(leaf.real) if _is_floating_array(leaf) else leaf for leaf in found]
    given = [
        leaf for leaf in tensors if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()
    ]
    return tuple(dict.fromkeys(str(tensor.dtype).removeprefix("torch.") for tensor in given))


def parse_inputs(texts: Sequence[str], read_file: ReadFile | None = None) -> dict[str, UserValue]:
    """The inputs that are written name=value in `texts`, as behind `--input` in the shell.

    `x=-2:2:4x3` draws a tensor of that shape between two ends and `x=0:1` a scalar, `z=-1-1j:1+1j`
    a complex one; `x=[[1,2],[3,4]]` is that tensor, `target=int[0,2,1]` one of whole numbers;
    `g=2`, `flag=true`, `mask=none` and `reduction=mean` are constants, and so are `size=(2,3)` and
    `names=list['a']`, a tuple and a list of such. `w[0]=`, `w[1]=` give the parts of a tuple,
    `state.h=` those of a dictionary. `x=@text` is what `read_file` makes of the text.

    Raises InputError for everything else.

    >>> parse_inputs(["p=0:1:32", "g=2", "target=int[0,2]"])
    {'p': Between(low=0.0, high=1.0, shape=(32,)), 'g': 2, 'target': tensor([0, 2])}
    """
    flat: dict[str, UserValue] = {}
    for text in texts:
        found = _INPUT.fullmatch(text)
        if not found:
            raise InputError(
                f"--input {text}: write name=low:high:shape, name=number or name=[numbers]: "
                "x=-2:2:4x3"
            )
        name, value = found["name"].strip(), found["value"].strip()
        if name in flat:
            raise InputError(f"--input {name} is given twice")
        try:
            flat[name] = _parse_value(value, read_file)
        except InputError as error:
            raise error.located(f"--input {name}") from error
    return nested_value(flat)


def input_words(inputs_flat: UserInputs) -> list[str]:
    """The words of a command line that give these tensors and constants, to the last bit.

    `inputs_flat` has them by flat names, such as `w[0]` and `state.h`.

    >>> input_words({"x": torch.tensor([0.1], dtype=torch.float64), "state.n": 2})
    ['--input', 'x=[0.1]', '--input', 'state.n=2']
    """
    words = []
    for name, value in inputs_flat.items():
        shown = write_tensor(value) if isinstance(value, torch.Tensor) else repr(value)
        words += ["--input", f"{name}={shown}"]
    return words


_INPUT = re.compile(r"(?P<name>[^=\[]*(?:\[[^\]]*\][^=\[]*)*)=(?P<value>.+)", re.DOTALL)
_QUOTED = re.compile(r"'[^'\\\\]*'|\"[^\"\\\\]*\"")
_LITERAL = re.compile(r"\(.*\)|list\[.*\]", re.DOTALL)
_WORDS = {"true": True, "false": False, "none": None}
_WORD = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_NUMBERS = ("inf", "nan")

ReadFile = Callable[[str], torch.Tensor]
"""Reads the file that stands behind an @."""


def _parse_value(text: str, read_file: ReadFile | None) -> UserValue:
    if text.startswith("@"):
        if read_file is None:
            raise InputError("no files are read here")
        return read_file(text[1:])
    hint = hint_for(text)
    if hint:
        raise InputError(f"{cut(text, 60)!r} is no input: {hint}")
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _WORD.fullmatch(text) and text not in _NUMBERS:
        return text
    return _parse_symbols(text)


def _parse_symbols(text: str) -> UserValue:
    """What is no word: a text in quotes, a tuple, a tensor, a number, or a range."""
    if _QUOTED.fullmatch(text):
        return text[1:-1]
    if _LITERAL.fullmatch(text):
        return _literal(text)
    if is_tensor(text):
        return read_tensor(text)
    if ":" not in text:
        # A whole number may be an axis or a count.
        return read_whole(text) if is_whole(text) else read_number(text)
    low, high, *shape = text.split(":")
    if len(shape) > 1:
        raise InputError(f"{text!r} has more than low:high:shape")
    return between(_read_end(low), _read_end(high), *map(read_shape, shape))


def _read_end(text: str) -> complex:
    return read_complex(text) if is_complex(text) else read_number(text)


def _literal(text: str) -> UserValue:
    """A tuple, or a list, of constants."""
    try:
        return ast.literal_eval(text.removeprefix("list"))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        raise InputError(
            f"{cut(text, 60)!r} is no list of numbers, texts, True, False and None: write (2, 3) "
            "or list[2, 3]"
        ) from None


def _finite_end(number: complex) -> float:
    try:
        end = float(number)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"between takes two numbers, and {number!r} is none") from None
    if not math.isfinite(end):
        raise InputError(f"nothing can be drawn up to {end!r}: give finite ends")
    return end


def _checked_shape(shape: Sequence[int]) -> tuple[int, ...]:
    try:
        sizes = tuple(shape)
    except TypeError:
        raise InputError(
            f"shape {shape!r} is not one: give the sizes in order, as in (4, 3) or (32,)"
        ) from None
    if not all(
        isinstance(size, int) and not isinstance(size, bool) and size >= 0 for size in sizes
    ):
        raise InputError(
            f"shape {shape!r} is not one: give the sizes in order, as in (4, 3) or (32,)"
        )
    if len(sizes) > MOST_AXES:
        raise InputError(f"a shape of {len(sizes)} axes: draw at most {MOST_AXES}")
    # Empty ones as well: their strides have to fit into 64 bits.
    count = math.prod(size or 1 for size in sizes)
    if count > LARGEST:
        raise InputError(f"shape {shape!r} has {count} numbers: draw at most {LARGEST}")
    return sizes


def _draw_tensor(wanted: Between, dtype: torch.dtype, name: str, seed: str) -> torch.Tensor:
    largest = torch.finfo(dtype).max
    low, high = max(wanted.low, -largest), min(wanted.high, largest)
    if wanted.low == wanted.high:
        return torch.full(wanted.shape, wanted.low, dtype=torch.float64).to(dtype)
    generator = torch.Generator().manual_seed(
        int.from_bytes(hashlib.sha256(seed.encode()).digest()[:7], "big")
    )
    share = torch.rand(wanted.shape, generator=generator, dtype=torch.float64)
    numbers = (low * (1.0 - share) + high * share).to(dtype)
    first, last = _floats_between(wanted, dtype)
    if not first <= last:
        kind = str(dtype).removeprefix("torch.")
        raise InputError(
            f"input {name}: no number of {kind} lies between {wanted.low!r} and {wanted.high!r}"
        )
    # Rounding may reach an end.
    return numbers.clamp(first, last)


def _floats_between(wanted: Between, dtype: torch.dtype) -> tuple[float, float]:
    """The smallest and the largest number of a dtype that lie between the ends."""
    first, last = (
        torch.tensor(end, dtype=torch.float64).to(dtype) for end in (wanted.low, wanted.high)
    )
    up, down = torch.tensor(math.inf, dtype=dtype), torch.tensor(-math.inf, dtype=dtype)
    if float(first) <= wanted.low:
        first = torch.nextafter(first, up)
    if float(last) >= wanted.high:
        last = torch.nextafter(last, down)
    return float(first), float(last)


def _is_floating_array(leaf: UserValue) -> bool:
    return isinstance(leaf, np.ndarray) and leaf.real.dtype in (np.float16, np.float32, np.float64)


def _tensor_of_array(name: str, array: Array) -> torch.Tensor:
    try:
        return torch.from_numpy(array.copy())
    except TypeError:
        raise InputError(
            f"input {name}: an array of {array.dtype} cannot be used: give numbers"
        ) from None


def _cast_sparse(name: str, tensor: torch.Tensor, dtype: torch.dtype) -> SparseInput:
    found = SparseInput.of(tensor, name)
    return replace(found, values=found.values.to(dtype))


def _cast_tensor(name: str, tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor | SparseInput:
    if tensor.is_meta:
        raise InputError(
            f"input {name} has no numbers, as it is on the device meta: give one that has"
        )
    if tensor.is_nested:
        raise InputError(
            f"input {name} is a nested tensor, and only plain ones are read: give its parts, or "
            "pad it"
        )
    if tensor.layout is not torch.strided:
        return _cast_sparse(name, tensor, dtype)
    if tensor.ndim > MOST_AXES:
        raise InputError(f"input {name} has {tensor.ndim} axes: give at most {MOST_AXES}")
    tensor = tensor.detach()
    if tensor.is_inference():
        # Autograd takes none that were made in inference mode.
        tensor = tensor.clone()
    return tensor.to(dtype) if tensor.is_floating_point() else tensor
