"""Random draws: each is taken as it came out, and is a constant of the run.

Code is given the same seed before each run, so that its runs can be compared. In a trace what it
draws stands as a constant.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any

import numpy as np
import torch

from verifier.capture.recorder import DispatchMode

Operation = torch._ops.OpOverload
Function = Callable[..., Any]
Numbers = tuple[torch.Tensor, ...]


def with_seed(code: Function, seed: int) -> Function:
    """The `code` with the generators of torch, NumPy and Python set to `seed` before each call.

    >>> draw = with_seed(torch.rand, 0)
    >>> torch.equal(draw(3), draw(3))
    True
    """

    @wraps(code, updated=())
    def seeded(*args: Any, **kwargs: Any) -> Any:
        _seed_torch(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        return code(*args, **kwargs)

    return seeded


def _seed_torch(seed: int) -> None:
    """Seed the generators of all devices that torch has.

    `torch.manual_seed` loads torch's compiler and keeps a stack for each device that is absent, so
    it is asked only where there is more than the processor.
    """
    if _has_only_processor():
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


@cache
def _has_only_processor() -> bool:
    kinds = (torch.cuda, torch.xpu, torch.mps)
    return not any(kind.device_count() for kind in kinds)


_CONSTANTS = frozenset(
    {
        "bernoulli", "binomial", "cauchy", "exponential", "geometric", "log_normal", "multinomial",
        "normal", "normal_functional", "poisson", "rand", "rand_like", "randint", "randint_like",
        "randn", "randn_like", "random", "randperm", "uniform", "_standard_gamma",
        "_sample_dirichlet",
    }
)  # fmt: skip
"""Operations that draw numbers; those that write in place have the same names with a bar."""


def operation_name(operation: Operation) -> str:
    """The operation's name without its namespace and its overload: `bernoulli` for
    `aten::bernoulli.p`.
    """
    return operation._schema.name.partition("::")[2]


def is_draw(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether an operation draws random numbers: some do so only in training."""
    if torch.Tag.nondeterministic_seeded not in operation.tags:
        return False
    name = operation_name(operation).removesuffix("_")
    return name in _CONSTANTS or (name in _MASKED and _is_training(operation, args, kwargs))


def drawn_by(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Numbers:
    """The random numbers of an operation; nothing that it is given is written to.

    Where torch differentiates them by what they are drawn with, its slopes are among them.
    """
    copies = tuple(
        arg.clone() if place in _written(operation) else arg for place, arg in enumerate(args)
    )
    result = operation(*copies, **kwargs)
    mask = _MASKED.get(operation_name(operation).removesuffix("_"))
    if mask is not None:
        return (mask.drawn(copies, result),)
    if operation_name(operation) in _IMPLICIT:
        return result, _IMPLICIT[operation_name(operation)].slopes(args[0], result)
    return tuple(result) if isinstance(result, tuple | list) else (result,)


def as_constants(
    operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any], numbers: Numbers
) -> Any:
    """What the operation gives and writes, with these numbers drawn."""
    mask = _MASKED.get(operation_name(operation).removesuffix("_"))
    if mask is not None:
        result = mask.result(_arguments(operation, args, kwargs), numbers[0])
        return _COPY(args[0], result) if operation_name(operation).endswith("_") else result
    for place in _written(operation):
        return _COPY(args[place], numbers[0])
    # Code may write to what it drew.
    copies = tuple(_LIFTED(part.clone()) for part in numbers)
    return copies if len(operation._schema.returns) > 1 else copies[0]


class SameDraws(DispatchMode):  # type: ignore[no-untyped-call]
    """Code draws the numbers that an earlier run drew, in the same order.

    What a generator gives a tensor depends on how it lies in memory.
    """

    def __init__(self, draws: Sequence[Numbers]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._draws = iter(draws)

    def __torch_dispatch__(
        self,
        func: Operation,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if not is_draw(func, args, kwargs or {}):
            return func(*args, **(kwargs or {}))
        own = drawn_by(func, args, kwargs or {})
        numbers = next(self._draws, own)
        alike = [part.shape for part in own] == [part.shape for part in numbers]
        return as_constants(func, args, kwargs or {}, numbers if alike else own)


def moving_with(operation: Operation, parameter: torch.Tensor, numbers: Numbers) -> Any:
    """Numbers that move with what they were drawn with, as torch differentiates them (Figurnov,
    Mohamed and Mnih, Implicit reparameterization gradients, NeurIPS 2018); None for an operation
    whose numbers do not.

    The slopes are taken as torch states them: its kernels know them to some three digits.
    """
    implicit = _IMPLICIT.get(operation_name(operation))
    if implicit is None:
        return None
    drawn, slopes = (_LIFTED(part.clone()) for part in numbers)
    still = torch.ops.aten.detach_copy.default(torch.ops.aten.detach_copy.default(parameter))
    step = torch.ops.aten.mul.Tensor(slopes, torch.ops.aten.sub.Tensor(parameter, still))
    return torch.ops.aten.add.Tensor(drawn, implicit.moved(drawn, step))


@dataclass(frozen=True)
class _Implicit:
    """An operation that draws numbers which torch differentiates by their distribution."""

    slopes: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    """Takes the parameter and what was drawn."""
    moved: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    """Takes what was drawn, and the slopes times a step of the parameter."""


def _slopes_of_dirichlet(parameter: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    total = parameter.sum(-1, keepdim=True).expand_as(parameter)
    return torch.ops.aten._dirichlet_grad.default(drawn, parameter, total)  # type: ignore[no-any-return]


def _moved_on_simplex(drawn: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """What one share gains all lose, by their sizes."""
    gained = torch.ops.aten.sum.dim_IntList(step, [-1], True)
    shared = torch.ops.aten.mul.Tensor(drawn, gained)
    return torch.ops.aten.sub.Tensor(step, shared)  # type: ignore[no-any-return]


_IMPLICIT = {
    "_standard_gamma": _Implicit(torch.ops.aten._standard_gamma_grad.default, lambda _, step: step),
    "_sample_dirichlet": _Implicit(_slopes_of_dirichlet, _moved_on_simplex),
}


def has_slopes(name: str) -> bool:
    """Whether torch differentiates what the ATen operation of that `name` draws."""
    return name in _IMPLICIT


_COPY = torch.ops.aten.copy_.default
_LIFTED = torch.ops.aten.lift_fresh.default


def _written(operation: Operation) -> tuple[int, ...]:
    """The places of the arguments that an operation writes to."""
    return tuple(
        place
        for place, argument in enumerate(operation._schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    )


def _arguments(
    operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    names = [argument.name for argument in operation._schema.arguments]
    return {**dict(zip(names, args, strict=False)), **kwargs}


def _is_training(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    given = _arguments(operation, args, kwargs)
    return bool(given.get("training", given.get("train")))


@dataclass(frozen=True)
class _Mask:
    """An operation that multiplies its input by what it draws."""

    drawn: Callable[[tuple[Any, ...], Any], torch.Tensor]
    """Takes the arguments and the result."""
    result: Callable[[dict[str, Any], torch.Tensor], Any]
    """Takes the arguments by name and what was drawn."""


def _leaky(given: dict[str, Any], slopes: torch.Tensor) -> torch.Tensor:
    _COPY(given["noise"], slopes)
    result: torch.Tensor = torch.ops.aten.mul.Tensor(given["self"], slopes)
    if slopes.dtype not in (torch.bfloat16, torch.float16):
        return result
    # The kernel multiplies by the slope before that is rounded.
    return torch.ops.aten.mul.Tensor(result, 1.0)  # type: ignore[no-any-return]


def _dropout(given: dict[str, Any], mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    scale = 1.0 / (1.0 - given["p"]) if given["p"] < 1 else 0.0
    return torch.ops.aten.mul.Tensor(torch.ops.aten.mul.Tensor(given["input"], mask), scale), mask


_MASKED = {
    "rrelu_with_noise": _Mask(lambda args, _: args[1], _leaky),
    "native_dropout": _Mask(lambda _, result: result[1], _dropout),
}


def _leaky_backward(given: dict[str, Any]) -> Any:
    if given["training"] and given["upper"] - given["lower"] > LEAST_SLOPES:
        return torch.ops.aten.mul.Tensor(given["grad_output"], given["noise"])
    return None


def _dropout_backward(given: dict[str, Any]) -> Any:
    masked = torch.ops.aten.mul.Tensor(given["grad_output"], given["mask"])
    return torch.ops.aten.mul.Tensor(masked, given["scale"])


LEAST_SLOPES = 1e-6
"""Where the slopes of a rrelu are closer together, torch takes their mean
(aten/src/ATen/native/Activation.cpp).
"""
_BACKWARDS = {
    "rrelu_with_noise_backward": _leaky_backward,
    "native_dropout_backward": _dropout_backward,
}


def backward_of_draw(
    operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> torch.Tensor | None:
    """What the backward of an operation that draws gives, in plain operations; None for all
    others.
    """
    backward = _BACKWARDS.get(operation_name(operation))
    return None if backward is None else backward(_arguments(operation, args, kwargs))
