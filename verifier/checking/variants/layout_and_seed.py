"""The same gradient asked for in other ways: other layouts, other grad_outputs, one result alone,
under vmap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from verifier.capture.joint_functions import Joint, gradients_by, tensors
from verifier.capture.lowering import plain
from verifier.capture.statements import REVERSE, Statements
from verifier.checking.variants.at_point import Trial, first_sentence, quietly, told
from verifier.judging.examination import Examination, Part
from verifier.judging.examine import examine
from verifier.judging.finding import Finding
from verifier.judging.reference import Reference
from verifier.process.isolation import running

LARGE = 1024.0
"""As large as a loss may be scaled in training with 16 bits."""


def _restated(parts: Sequence[Part], stated: Sequence[torch.Tensor | None]) -> list[Part]:
    return [
        part.restated(
            np.zeros(part.verdicts.stated.shape) if numbers is None else plain(numbers).ravel()
        )
        for part, numbers in zip(parts, stated, strict=True)
    ]


class _AsGiven(Joint):
    """The code gets its inputs as they lie in memory; whoever writes to them gets torch's error."""

    def _own(self, input_: torch.Tensor) -> torch.Tensor:
        return input_


def _asked_as_given(
    statements: Statements, arguments: Sequence[torch.Tensor]
) -> Sequence[torch.Tensor | None]:
    joint = statements.joint
    with quietly():
        return _AsGiven(joint.code, joint.wanted, joint.results)(*arguments)


def strided(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers, every second one in memory and not from its start; a single number as it
    is.

    >>> apart = strided(torch.ones(2, 3))
    >>> apart.is_contiguous(), apart.storage_offset()
    (False, 1)
    """
    if tensor.ndim == 0:
        return tensor
    wide = torch.zeros(
        *tensor.shape[:-1], 2 * tensor.shape[-1], dtype=tensor.dtype, device=tensor.device
    )
    wide[..., 1::2] = tensor
    return wide[..., 1::2]


def transposed(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers, with the first axis the fastest in memory.

    >>> transposed(torch.ones(2, 3)).stride()
    (1, 2)
    """
    axes = tuple(reversed(range(tensor.ndim)))
    return tensor.permute(axes).contiguous().permute(axes)


@dataclass(frozen=True)
class Strided:
    """Inputs and grad_output that lie in memory in other ways."""

    layouts: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = (strided, transposed)
    name: str = "strided"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        statements = trial.statements
        for layout in self.layouts:
            try:
                stated = _asked_as_given(
                    statements, [layout(tensor) for tensor in statements.arguments]
                )
            except Exception as error:
                yield trial.absent(self, told(error))
                continue
            yield trial.finding(self, _restated(trial.examination.parts, stated))


@dataclass(frozen=True)
class Expanded:
    """Inputs and grad_output that are one number or one row again and again, with strides of 0."""

    name: str = "expanded"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        statements = trial.statements
        inputs = {
            name: _expanded(tensor)
            if name in trial.bound.arguments and tensor.is_floating_point()
            else tensor
            for name, tensor in statements.inputs.items()
        }
        weights = tuple(map(_constant, trial.weights))
        try:
            examination = trial.examined(replace(trial.subject, inputs=inputs, seeds=weights))
            stated = _asked_as_given(statements, [*inputs.values(), *weights])
        except Exception as error:
            yield trial.absent(self, told(error))
            return
        yield replace(
            trial.finding(self, _restated(examination.parts, stated)), examination=examination
        )


def _expanded(tensor: torch.Tensor) -> torch.Tensor:
    return tensor[:1].expand(tensor.shape) if tensor.ndim else tensor


def _constant(weight: torch.Tensor) -> torch.Tensor:
    return weight.reshape(-1)[:1].reshape(()).expand(weight.shape) if weight.numel() else weight


@dataclass(frozen=True)
class Structured:
    """A grad_output without positive numbers, with zeros and large ones, and one that is 0 but for
    one number.
    """

    name: str = "structured"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        for shaped in (_negative, _one_hot):
            examination = trial.examined(
                replace(trial.subject, seeds=tuple(map(shaped, trial.weights)))
            )
            yield replace(trial.finding(self, _gradients(examination)), examination=examination)


def _negative(weight: torch.Tensor) -> torch.Tensor:
    pattern = torch.tensor(
        [-LARGE, 0.0, -1.25, -0.0078125], dtype=weight.dtype, device=weight.device
    )
    return pattern.repeat(weight.numel() // len(pattern) + 1)[: weight.numel()].reshape(
        weight.shape
    )


def _one_hot(weight: torch.Tensor) -> torch.Tensor:
    found = torch.zeros_like(weight).reshape(-1)
    found[-1:] = 1.5
    return found.reshape(weight.shape)


def _gradients(examination: Examination) -> list[Part]:
    return [part for part in examination.parts if part.quantity == REVERSE]


@dataclass(frozen=True)
class Undefined:
    """The gradient of one result alone, so that the others' grad_output is undefined."""

    name: str = "undefined"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        count = len(trial.weights)
        if count < 2:
            yield trial.absent(self, "the code has one result")
            return
        for place in range(count):
            yield self._alone(trial, place)

    def _alone(self, trial: Trial, place: int) -> Finding:
        weights = [
            weight if other == place else torch.zeros_like(weight)
            for other, weight in enumerate(trial.weights)
        ]
        try:
            examination = trial.examined(replace(trial.subject, seeds=tuple(weights)))
        except Exception as error:
            return trial.absent(self, told(error))
        try:
            stated = _one_result(trial.statements, place)
        except Exception as error:
            # Whoever uses one of the results asks just that.
            sentence = (
                f"the backward of result {place} alone, as where the others are not used, raises"
            )
            return trial.finding(self, (), (f"{sentence} {first_sentence(error)}",))
        return replace(
            trial.finding(self, _restated(_gradients(examination), stated)), examination=examination
        )


def _one_result(statements: Statements, place: int) -> Sequence[torch.Tensor | None]:
    inputs = [tensor.detach().clone() for tensor in statements.inputs.values()]
    by = [inputs[wanted].requires_grad_() for wanted in statements.joint.wanted]
    weight = statements.arguments[len(inputs) + place]
    with running(inputs):
        with torch.enable_grad():
            result = tensors(statements.joint.code(*(tensor.clone() for tensor in inputs)))[place]
        if not result.requires_grad:
            return [None for _ in by]
        return gradients_by([result], by, [weight.clone()])


@dataclass(frozen=True)
class Vmapped:
    """The code under vmap, at two points at once, against a loop over them."""

    name: str = "vmap"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        code = trial.bound.code
        stacked = {
            name: torch.stack([tensor, trial.beside.get(name, tensor)])
            for name, tensor in trial.bound.inputs.items()
        }
        subject = replace(trial.subject, code=_under_vmap(code), inputs=stacked)
        try:
            with quietly():
                examination = examine(subject, Reference(_looped(code)))
        except Exception as error:
            yield trial.absent(self, told(error))
            return
        yield replace(trial.finding(self, examination.parts), examination=examination)


def _under_vmap(code: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *stacked: torch.func.vmap(lambda *row: tuple(tensors(code(*row))))(*stacked)


def _looped(code: Callable[..., Any]) -> Callable[..., Any]:
    def loop(*stacked: torch.Tensor) -> tuple[torch.Tensor, ...]:
        rows = [
            tensors(code(*row))
            for row in zip(*(tensor.unbind() for tensor in stacked), strict=True)
        ]
        return tuple(torch.stack(parts) for parts in zip(*rows, strict=True))

    return loop
