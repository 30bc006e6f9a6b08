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

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from verifier.capture.to_numpy import dense
from verifier.errors import InputError

_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|nan)")
_COMPLEX = re.compile(r"[0-9.eE+\-infaj]+")
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_SHAPE = re.compile(r"[0-9]{1,9}(?:x[0-9]{1,9})*")
_TENSOR = re.compile(
    r"(?P<kind>[a-z]*)(?:\((?P<scalar>[^()]*)\)|(?P<rows>\[.*\])(?::(?P<shape>.*))?)", re.DOTALL
)
_TOKEN = re.compile(r"[\[\],]|[^\[\],]+")
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
    rows = _Rows(text, read)
    for token in _TOKEN.findall(found["rows"]):
        rows.take(token.strip())
    tensor = torch.tensor(rows.numbers, dtype=dtype).reshape(rows.shape)
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


@dataclass
class _Rows:
    """The numbers between brackets, token by token."""

    text: str
    read: Callable[[str], complex]
    numbers: list[complex] = field(default_factory=list)
    _counts: list[int] = field(default_factory=list)
    """Of the brackets that are open, how many parts each has so far."""
    _sizes: dict[int, int] = field(default_factory=dict)
    """By depth, how many parts a bracket has that is closed."""
    _depths: set[int] = field(default_factory=set)
    """How many brackets stand around numbers."""
    _before: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Once all is read. Raises InputError where something is still open."""
        self._allow(not self._counts and self._depths <= {len(self._sizes)})
        return tuple(size for _, size in sorted(self._sizes.items()))

    def take(self, token: str) -> None:
        """Raises InputError where the token cannot stand here."""
        if token:
            self._allow(
                self._before in ("", "[", ",")
                if token not in ("]", ",")
                else self._before not in ("", ",")
            )
            {"[": self._open, "]": self._close, ",": self._comma}.get(token, self._number)(token)
            self._before = token

    def _allow(self, fits: bool) -> None:
        if not fits:
            raise _malformed_rows_error(self.text)

    def _open(self, token: str) -> None:
        self._allow(bool(self._counts) == bool(self._before) and len(self._counts) < _DEEPEST)
        self._part()
        self._counts.append(0)

    def _close(self, token: str) -> None:
        depth = len(self._counts) - 1
        self._allow(depth >= 0)
        count = self._counts.pop()
        self._allow(self._sizes.setdefault(depth, count) == count)

    def _comma(self, token: str) -> None:
        self._allow(bool(self._counts) and self._before != "[")

    def _number(self, token: str) -> None:
        self._part()
        self._depths.add(len(self._counts))
        self.numbers.append(self.read(token))

    def _part(self) -> None:
        if self._counts:
            self._counts[-1] += 1


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
