"""Python scalars: numbers that Python took out of tensors, found again where the code computes with
them.

Autograd does not follow a number into Python, as it does not follow what is detached. In a trace
the number stands as a literal. Two traces, the second with numbers a little beside, show which
literals come from which number: then the tensor takes the literal's place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

Operation = torch._ops.OpOverload
Pair = tuple[Any, Any]
MOSTLIFTED = 64
"""A tensor that the code makes of more numbers than that is not looked into."""


@dataclass(frozen=True, eq=False)
class Call:
    """An operation in a trace, with the numbers in its arguments."""

    operation: Operation
    numbers: tuple[float, ...]
    is_whole: bool
    """Whether it gives truth values or whole numbers."""
    dtype: torch.dtype = torch.float64
    """What the numbers are rounded to."""


@dataclass(frozen=True)
class Paths:
    """How numbers that were taken out of tensors come back."""

    tracked: Mapping[int, Mapping[int, int]]
    """By call and place among its numbers, the reading that stands there as it was taken."""
    computed: bool = False
    """Whether Python computed others of them, or nobody knows."""


def numbers_in(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[float]:
    """The floats among the arguments, and in a tensor that the code makes of numbers."""
    if operation is LIFT:
        tensor = args[0]
        small = tensor.is_floating_point() and tensor.numel() <= MOSTLIFTED
        return tensor.reshape(-1).tolist() if small else []
    return list(_floats((args, kwargs)))


def _floats(value: Any) -> Iterator[float]:
    """The floats in what an operation takes, in the order of `tree_flatten`."""
    if isinstance(value, float):
        yield value
    elif isinstance(value, list | tuple | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _floats(part)


def paths(one: Sequence[Call], other: Sequence[Call], values: Sequence[Pair]) -> Paths | None:
    """What differs between two traces, given each number that was taken as it was in both; None
    where they took different paths.
    """
    if [call.operation for call in one] != [call.operation for call in other]:
        return None
    tracked: dict[int, dict[int, int]] = {}
    computed = False
    for number, slot, pair in _differences(one, other):
        places = _rounded(values, one[number].dtype)
        if pair in places and _takes_tensor(one[number].operation, slot):
            tracked.setdefault(number, {})[slot] = places[pair]
        else:
            computed = True
    return Paths(tracked, computed)


def _rounded(values: Sequence[Pair], dtype: torch.dtype) -> dict[Pair, int]:
    """The reading that each pair of numbers comes from, by the pair rounded to a dtype."""
    ordinary = [
        pair if all(isinstance(one, float) for one in pair) else (0.0, 0.0) for pair in values
    ]
    rounded = torch.tensor(ordinary, dtype=torch.float64).reshape(-1, 2).to(dtype).tolist()
    found: dict[Pair, int] = {}
    for place, (one, other) in enumerate(rounded):
        if one != other:
            # A number that is read again later was there before.
            found.setdefault((one, other), place)
    return found


def _differences(
    one: Sequence[Call], other: Sequence[Call]
) -> Iterator[tuple[int, int, tuple[float, float]]]:
    for number, (call, again) in enumerate(zip(one, other, strict=True)):
        if not call.is_whole:
            pairs = zip(call.numbers, again.numbers, strict=False)
            for slot, pair in enumerate(pairs):
                if pair[0] != pair[1]:
                    yield number, slot, pair


LIFT = torch.ops.aten.lift_fresh.default
_FILLS = frozenset({"full", "full_like", "new_full", "scalar_tensor", "fill"})
"""Operations that make a tensor of one number."""
_OTHER_FORMS = {
    torch.ops.aten.pow.Tensor_Scalar: torch.ops.aten.pow.Tensor_Tensor,
    torch.ops.aten.pow.Scalar: torch.ops.aten.pow.Tensor_Tensor,
    torch.ops.aten.clamp.default: torch.ops.aten.clamp.Tensor,
    torch.ops.aten.clamp_min.default: torch.ops.aten.clamp_min.Tensor,
    torch.ops.aten.clamp_max.default: torch.ops.aten.clamp_max.Tensor,
    torch.ops.aten.masked_fill.Scalar: torch.ops.aten.masked_fill.Tensor,
    torch.ops.aten.lerp.Scalar: torch.ops.aten.lerp.Tensor,
    torch.ops.aten.rsub.Scalar: torch.ops.aten.rsub.Tensor,
    torch.ops.aten.mul.Scalar: torch.ops.aten.mul.Tensor,
    torch.ops.aten.div.Scalar: torch.ops.aten.div.Tensor,
    torch.ops.aten.add.Scalar: torch.ops.aten.add.Tensor,
    torch.ops.aten.sub.Scalar: torch.ops.aten.sub.Tensor,
}
"""Where a number has a tensor in its place."""


def _name(operation: Operation) -> str:
    return operation._schema.name.partition("::")[2]


def _takes_tensor(operation: Operation, slot: int) -> bool:
    if operation is LIFT or _name(operation) in _FILLS or operation in _OTHER_FORMS:
        return True
    # A number in a tensor's place: mul.Tensor(x, 2.0). It is the only one of such a call.
    tensors = [part for part in operation._schema.arguments if str(part.type) == "Tensor"]
    return slot == 0 and len(tensors) == 2 and _name(operation) in {"mul", "div", "add", "sub"}


def with_tensors(
    operation: Operation,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    sources: Mapping[int, torch.Tensor],
) -> Any:
    """The operation with tensors in the place of some of its numbers."""
    if operation is LIFT:
        return _joined(args[0], sources)
    if _name(operation) in _FILLS:
        with torch.no_grad():
            like = operation(*args, **kwargs)
        return sources[0].to(like.dtype).expand(like.shape).clone()
    flat, spec = tree_flatten((args, kwargs))
    floating = [part for part in flat if isinstance(part, torch.Tensor)]
    dtype = next((part.dtype for part in floating if part.is_floating_point()), None)
    numbers = iter(range(len(flat)))
    for place, part in enumerate(flat):
        if isinstance(part, float):
            slot = next(numbers)
            if slot in sources:
                flat[place] = sources[slot] if dtype is None else sources[slot].to(dtype)
            elif operation in _OTHER_FORMS:
                flat[place] = torch.ops.aten.scalar_tensor(part, dtype=dtype)
    args, kwargs = tree_unflatten(flat, spec)
    return _OTHER_FORMS.get(operation, operation)(*args, **kwargs)


def _joined(tensor: torch.Tensor, sources: Mapping[int, torch.Tensor]) -> torch.Tensor:
    """A tensor that the code makes of numbers, some of which come from tensors."""
    numbers = tensor.reshape(-1).tolist()
    parts = [
        sources[place].to(tensor.dtype).reshape(())
        if place in sources
        else torch.ops.aten.scalar_tensor(number, dtype=tensor.dtype)
        for place, number in enumerate(numbers)
    ]
    joined: torch.Tensor = torch.ops.aten.stack(parts).reshape(tensor.shape)
    return joined
