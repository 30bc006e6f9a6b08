"""Complex numbers as pairs of real ones: each operation on them, written in real operations.

A graph with complex tensors is lowered operation by operation. A rule of
`verifier/capture/aten/complex_numbers` says what the operation does to real and imaginary parts, in
torch's own real operations; those are traced and lowered as any others. So the program, its exact
arithmetic and its model of rounding stay real.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, TypeAlias, TypeVar

import torch

from verifier.capture.refusals import NotReadableError
from verifier.errors import message_of

Number: TypeAlias = Any
"""A ComplexPair, a real tensor or a number of Python."""
_Rule = TypeVar("_Rule", bound=Callable[..., Any])
_RULES: dict[str, Callable[..., Any]] = {}
_RULE_MODULES = (
    "real_and_imaginary", "elementary", "products", "fourier", "matrices", "eigenvalues",
    "unitary_factors",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ComplexPair:
    """A complex tensor as two real ones of its shape.

    >>> z = ComplexPair(torch.tensor(3.0), torch.tensor(4.0))
    >>> abs(z), (z * z).real, z.conj().imag
    (tensor(5.), tensor(-7.), tensor(-4.))
    """

    real: torch.Tensor
    imag: torch.Tensor

    @property
    def shape(self) -> torch.Size:
        """That of the complex tensor."""
        return self.real.shape

    def __getitem__(self, places: Any) -> ComplexPair:
        return self.each(lambda part: part[places])

    def conj(self) -> ComplexPair:
        """The conjugate: minus the imaginary part."""
        return ComplexPair(self.real, -self.imag)

    def each(self, operation: Callable[[torch.Tensor], torch.Tensor]) -> ComplexPair:
        """What a linear operation makes of both parts."""
        return ComplexPair(operation(self.real), operation(self.imag))

    def __abs__(self) -> torch.Tensor:
        return torch.hypot(self.real, self.imag)

    def angle(self) -> torch.Tensor:
        """The angle from -π to π."""
        return torch.atan2(self.imag, self.real)

    def squared_size(self) -> torch.Tensor:
        """x² + y²; unlike the length, it is smooth at 0."""
        return self.real * self.real + self.imag * self.imag

    def __neg__(self) -> ComplexPair:
        return ComplexPair(-self.real, -self.imag)

    def __add__(self, other: Number) -> ComplexPair:
        real, imag = parts_of(other)
        return ComplexPair(self.real + real, self.imag if imag is None else self.imag + imag)

    def __sub__(self, other: Number) -> ComplexPair:
        found: ComplexPair = self + -other
        return found

    def __mul__(self, other: Number) -> ComplexPair:
        real, imag = parts_of(other)
        if imag is None:
            return ComplexPair(self.real * real, self.imag * real)
        return ComplexPair(self.real * real - self.imag * imag, self.real * imag + self.imag * real)

    def __truediv__(self, other: Number) -> ComplexPair:
        real, imag = parts_of(other)
        if imag is None:
            return ComplexPair(self.real / real, self.imag / real)
        divisor = ComplexPair(real, imag)
        size = divisor.squared_size()
        return (self * divisor.conj()).each(lambda part: part / size)

    __radd__ = __add__
    __rmul__ = __mul__


def parts_of(value: Number) -> tuple[Any, Any]:
    """The real and the imaginary part; None for the imaginary part of a real number."""
    if isinstance(value, complex):
        return value.real, value.imag
    if isinstance(value, ComplexPair):
        return value.real, value.imag
    return value, None


def pair_of(value: Number) -> ComplexPair:
    """A tensor as a pair; the imaginary part of a real one is 0."""
    if isinstance(value, ComplexPair):
        return value
    value = value if value.is_floating_point() else value.to(torch.float64)
    return ComplexPair(value, torch.zeros_like(value))


def pair_rule(*names: str) -> Callable[[_Rule], _Rule]:
    """Register what ATen operations of these names do to pairs, all their overloads.

    A rule takes the operation's arguments by the names of its schema, as many as it asks for. It
    takes and returns a ComplexPair for each complex tensor.
    """

    def register(function: _Rule) -> _Rule:
        for name in names:
            if name in _RULES:
                raise ValueError(f"two rules for {name}")
            _RULES[name] = function
        return function

    return register


@cache
def pair_rules() -> dict[str, Callable[..., Any]]:
    """Every rule by the name of its operation."""
    for module in _RULE_MODULES:
        import_module(f"verifier.capture.aten.complex_numbers.{module}")
    return _RULES


def in_reals(target: Any, bound: dict[str, Any]) -> Any:
    """What an operation gives for arguments with pairs among them.

    Raises NotReadableError where it has no rule for complex numbers.
    """
    name = target._schema.name.partition("::")[2]
    if name not in pair_rules():
        raise NotReadableError(f"aten::{name} has no rule for complex numbers")
    function = pair_rules()[name]
    parameters = inspect.signature(function).parameters
    given = {key: value for key, value in bound.items() if key in parameters}
    if "operation" in parameters:
        given = {"operation": target, "bound": bound}
    try:
        return function(**given)
    except NotImplementedError as error:
        sentence = f"aten::{name} has no rule for {message_of(error)}"
        raise NotReadableError(sentence) from error


def pair_of_tensor(tensor: torch.Tensor) -> ComplexPair:
    """The parts of a complex tensor, as views of it where it is not kept as a conjugate."""
    both = torch.view_as_real(tensor.detach().resolve_conj().resolve_neg())
    return ComplexPair(both[..., 0], both[..., 1])


def real_tensors(result: Any) -> Iterator[Any]:
    """The real tensors of a result, and None for whatever else is in it."""
    for part in result if isinstance(result, tuple | list) else [result]:
        if isinstance(part, ComplexPair):
            yield part.real
            yield part.imag
        else:
            yield part if isinstance(part, torch.Tensor) else None
