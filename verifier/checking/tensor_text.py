"""Tensors as text: `[[1,2],[3,4]]` and what else stands behind `--input x=`, read and written
without losing a bit.

    [0.5,-0.0,1e-40]    a tensor of floating-point numbers, float64 until it is cast
    [[1,2],[3,4]]       one of two rows
    int[0,2,1]          a tensor of whole numbers (int64), such as the classes of a loss
    bool[True,False]    a mask
    complex[1+2j,0.5]   complex numbers (complex128 until they are cast)
    float(0.5) int(3)   tensors without axes
    []:0x3              the numbers in another shape, for those that rows cannot show

The text is parsed, never evaluated.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable

import torch

from verifier.capture.to_numpy import dense
from verifier.errors import InputError
from verifier.process.values import UserValue

_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|nan)")
_COMPLEX = re.compile(r"[0-9.eE+\-infaj]+")
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_SHAPE = re.compile(r"[0-9]{1,9}(?:x[0-9]{1,9})*")
_TENSOR = re.compile(
    r"(?P<kind>[a-z]*)(?:\((?P<scalar>[^()]*)\)|(?P<rows>\[.*\])(?::(?P<shape>.*))?)", re.DOTALL
)
_PIECE = re.compile(r"[^\[\],\s][^\[\],]*")
_DEEPEST = 32
"""Axes of a tensor that is typed; text with more brackets is a mistake."""


def is_tensor(text: str) -> bool:
    """Whether that text is meant for a tensor.

    >>> is_tensor("[1,2]"), is_tensor("float(0.5)"), is_tensor("0.5")
    (True, True, False)
    """
    return bool(re.match(r"[a-z]*[\[(]", text))


def is_whole(text: str) -> bool:
    """Whether that text is a whole number of 64 bits: 2, and neither 2.0 nor 1e3."""
    return bool(_WHOLE.fullmatch(text)) and -(2**63) <= int(text) < 2**63


def read_number(text: str) -> float:
    """The number as the nearest float64: 0.1, 1e-40, -0.0, inf, nan.

    Raises InputError for anything else.
    """
    if not _NUMBER.fullmatch(text):
        raise InputError(f"{text!r} is not a number")
    number = float(text)
    if math.isinf(number) and "inf" not in text:
        raise InputError(f"{text} is larger than every float64: write inf for infinity")
    return number


def is_complex(text: str) -> bool:
    """Whether that text is meant for a complex number: 1+2j, -0.5j.

    >>> is_complex("1-2j"), is_complex("1")
    (True, False)
    """
    return text.endswith("j")


def read_complex(text: str) -> complex:
    """The complex number, or real one, whose parts are the nearest float64: 1+2j, -0.5j, 3.

    Raises InputError for anything else.
    """
    try:
        number = complex(text if _COMPLEX.fullmatch(text) else "")
    except ValueError:
        raise InputError(f"{text!r} is not a complex number: write it as in 1+2j") from None
    if "inf" not in text and (math.isinf(number.real) or math.isinf(number.imag)):
        raise InputError(f"{text} is larger than every float64: write inf for infinity")
    return number


def read_whole(text: str) -> int:
    """The whole number.

    Raises InputError for anything else, and where it does not fit into 64 bits.
    """
    if not is_whole(text):
        raise InputError(f"{text!r} is not a whole number of 64 bits")
    return int(text)


def read_shape(text: str) -> tuple[int, ...]:
    """The sizes of `4x3`.

    Raises InputError for what is no shape.
    """
    if not _SHAPE.fullmatch(text):
        raise InputError(f"{text!r} is not a shape: write the sizes with x between them, as in 4x3")
    return tuple(map(int, text.split("x")))


def read_tensor(text: str) -> torch.Tensor:
    """The tensor that the text shows.

    >>> read_tensor("int[[0,2],[1,1]]")
    tensor([[0, 2],
            [1, 1]])

    Raises InputError for what shows none.
    """
    found = _TENSOR.fullmatch(text)
    if not found:
        raise _malformed_rows_error(text)
    kind = found["kind"] or "float"
    if kind not in _READ:
        raise InputError(
            f"there are no tensors of {kind!r}: write {', '.join(_READ)} or nothing before the "
            "bracket"
        )
    dtype, read = _READ[kind]
    if found["rows"] is None:
        return torch.tensor(read(found["scalar"].strip()), dtype=dtype)
    # As text, since JSON's own numbers know neither inf nor 1+2j, and 2 is not 2.0.
    quoted = _PIECE.sub(lambda piece: json.dumps(piece.group().strip()), found["rows"])
    try:
        rows = json.loads(quoted)
        shape = _shape_of(rows)
    except (ValueError, RecursionError):
        raise _malformed_rows_error(text) from None
    if len(shape) > _DEEPEST:
        raise _malformed_rows_error(text)
    tensor = torch.tensor(_read_rows(rows, read), dtype=dtype).reshape(shape)
    return tensor if found["shape"] is None else _reshape(tensor, read_shape(found["shape"]))


def write_tensor(tensor: torch.Tensor) -> str:
    """The text that shows these very numbers.

    >>> write_tensor(torch.tensor([[0.5, -0.0]]))
    '[[0.5,-0.0]]'
    """
    kind, dtype = _kind_and_dtype(tensor)
    plain = dense(tensor).to(dtype)
    if not plain.dim():
        return f"{kind or 'float'}({plain.item()!r})"
    if plain.numel() or 0 not in plain.shape[:-1]:
        return kind + repr(plain.tolist()).replace(" ", "")
    return f"{kind}[]:{'x'.join(map(str, plain.shape))}"


def _kind_and_dtype(tensor: torch.Tensor) -> tuple[str, torch.dtype]:
    if tensor.is_floating_point():
        return "", torch.float64
    return ("bool", torch.bool) if tensor.dtype == torch.bool else ("int", torch.int64)


def _read_bool(text: str) -> bool:
    if text not in _TRUTH:
        raise InputError(f"{text!r} is neither True nor False")
    return _TRUTH[text]


_TRUTH = {"True": True, "true": True, "1": True, "False": False, "false": False, "0": False}
_READ: dict[str, tuple[torch.dtype, Callable[[str], complex]]] = {
    "float": (torch.float64, read_number),
    "int": (torch.int64, read_whole),
    "bool": (torch.bool, _read_bool),
    "complex": (torch.complex128, read_complex),
}


def _read_rows(rows: UserValue, read: Callable[[str], complex]) -> UserValue:
    return [_read_rows(row, read) for row in rows] if isinstance(rows, list) else read(rows)


def _shape_of(rows: UserValue) -> tuple[int, ...]:
    """The sizes of rows in rows. Raises ValueError where they are not of one shape."""
    if not isinstance(rows, list):
        return ()
    shapes = set(map(_shape_of, rows)) or {()}
    (shape,) = shapes
    return (len(rows), *shape)


def _malformed_rows_error(text: str) -> InputError:
    shown = text if len(text) <= 40 else f"{text[:36]}..."
    return InputError(
        f"{shown!r} is not a tensor: write [1,2,3], or rows of the same length as in [[1,2],[3,4]]"
    )


def _reshape(tensor: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    if math.prod(shape) != tensor.numel():
        raise InputError(
            f"shape {'x'.join(map(str, shape))} has {math.prod(shape)} numbers, not "
            f"{tensor.numel()}"
        )
    try:
        return tensor.reshape(shape)
    except RuntimeError:
        raise InputError(f"shape {'x'.join(map(str, shape))} is too large") from None
