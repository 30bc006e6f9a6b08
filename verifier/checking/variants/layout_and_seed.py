"""The same gradient asked for in other ways: other layouts, other grad_outputs, one result alone,
under vmap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from verifier.capture.aten.movement import PADDING
from verifier.capture.joint_functions import Joint, gradients_by, tensors
from verifier.capture.lowering import plain
from verifier.capture.statements import REVERSE, Statements
from verifier.checking.variants.at_point import (
    Trial,
    first_sentence,
    ignore_torch_warnings,
    reason_it_raises,
)
from verifier.judging.examination import Examination, Part
from verifier.judging.examine import examine
from verifier.judging.finding import Finding
from verifier.judging.outcome import Outcome
from verifier.judging.reference import Reference
from verifier.process.isolation import user_code_state
from verifier.process.values import UserFunction

LARGE = 1024.0
"""As large as a loss may be scaled in training with 16 bits."""


def _parts_with_statements(
    parts: Sequence[Part], stated: Sequence[torch.Tensor | None]
) -> list[Part]:
    return [
        part.restated(
            np.zeros(part.verdicts.stated.shape) if numbers is None else plain(numbers).ravel()
        )
        for part, numbers in zip(parts, stated, strict=True)
    ]


class _JointAsGiven(Joint):
    """The code gets its inputs as they lie in memory; whoever writes to them gets torch's error."""

    def _own(self, input_: torch.Tensor) -> torch.Tensor:
        return input_


def _state_as_given(
    statements: Statements, arguments: Sequence[torch.Tensor]
) -> Sequence[torch.Tensor | None]:
    joint = statements.joint
    with ignore_torch_warnings():
        return _JointAsGiven(joint.code, joint.wanted, joint.results)(*arguments)


def with_strides(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers, every second one in memory and not from its start; a single number as it
    is.

    >>> apart = with_strides(torch.ones(2, 3))
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


def with_first_axis_fastest(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers, with the first axis the fastest in memory.

    >>> with_first_axis_fastest(torch.ones(2, 3)).stride()
    (1, 2)
    """
    axes = tuple(reversed(range(tensor.ndim)))
    return tensor.permute(axes).contiguous().permute(axes)


@dataclass(frozen=True)
class StridesCheck:
    """Inputs and grad_output that lie in memory in other ways."""

    layouts: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = (
        with_strides,
        with_first_axis_fastest,
    )
    name: str = "strided"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        statements = trial.statements
        if reads_strides(trial):
            yield trial.absent(self, _OF_STRIDES)
            return
        for layout in self.layouts:
            try:
                stated = _state_as_given(
                    statements, [layout(tensor) for tensor in statements.arguments]
                )
            except Exception as error:
                yield trial.absent(self, reason_it_raises(error))
                continue
            yield trial.finding(self, _parts_with_statements(trial.examination.parts, stated))


@dataclass(frozen=True)
class ExpandedCheck:
    """Inputs and grad_output that are one number or one row again and again, with strides of 0."""

    name: str = "expanded"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        statements = trial.statements
        if reads_strides(trial):
            yield trial.absent(self, _OF_STRIDES)
            return
        inputs = {
            name: _first_row_repeated(tensor)
            if name in trial.bound.arguments and tensor.is_floating_point()
            else tensor
            for name, tensor in statements.inputs.items()
        }
        weights = tuple(map(_first_weight_repeated, trial.weights))
        try:
            examination = trial.examine(replace(trial.subject, inputs=inputs, seeds=weights))
            stated = _state_as_given(statements, [*inputs.values(), *weights])
        except Exception as error:
            yield trial.absent(self, reason_it_raises(error))
            return
        if _leaves_domain(examination):
            yield trial.absent(
                self, "where all rows are equal, the function has no value to compare"
            )
            return
        yield replace(
            trial.finding(self, _parts_with_statements(examination.parts, stated)),
            examination=examination,
        )


def _leaves_domain(examination: Examination) -> bool:
    """Whether numbers have no exact value or nothing bounds them, or the code states no finite
    ones, whatever the layout: that is of the point, which the check has made.
    """
    return any(
        bool(
            np.any(part.verdicts.severity == Outcome.UNDECIDED.severity)
            or np.any(part.verdicts.failing & ~np.isfinite(part.verdicts.stated))
        )
        for part in examination.parts
    )


_OF_STRIDES = "the code reads strides (as_strided): in another layout it is another function"


def reads_strides(trial: Trial) -> bool:
    """Whether a result is made, for autograd too, by `as_strided`: its value depends on how its
    argument lies in memory. What a Function's own forward and backward do is not among it.
    """
    if "as_strided" not in trial.examination.operations:
        return False
    statements = trial.statements
    inputs = [tensor.detach().clone() for tensor in statements.inputs.values()]
    for wanted in statements.joint.wanted:
        inputs[wanted].requires_grad_()
    with user_code_state(inputs), torch.enable_grad():
        results = tensors(statements.joint.code(*(tensor.clone() for tensor in inputs)))
    waiting = [result.grad_fn for result in results if result.grad_fn is not None]
    seen = set(waiting)
    while waiting:
        step = waiting.pop()
        if step.name().startswith("AsStrided"):
            return True
        before = {known for known, _ in step.next_functions if known is not None} - seen
        seen |= before
        waiting.extend(before)
    return False


def _first_row_repeated(tensor: torch.Tensor) -> torch.Tensor:
    return tensor[:1].expand(tensor.shape) if tensor.ndim else tensor


def _first_weight_repeated(weight: torch.Tensor) -> torch.Tensor:
    return weight.reshape(-1)[:1].reshape(()).expand(weight.shape) if weight.numel() else weight


@dataclass(frozen=True)
class SeedPatternCheck:
    """A grad_output without positive numbers, with zeros and large ones, and one that is 0 but for
    one number.
    """

    name: str = "structured"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        for shaped in (_seed_without_positives, _seed_of_one_number):
            examination = trial.examine(
                replace(trial.subject, seeds=tuple(map(shaped, trial.weights)))
            )
            yield replace(
                trial.finding(self, _gradient_parts(examination)), examination=examination
            )


def _seed_without_positives(weight: torch.Tensor) -> torch.Tensor:
    pattern = torch.tensor(
        [-LARGE, 0.0, -1.25, -0.0078125], dtype=weight.dtype, device=weight.device
    )
    return pattern.repeat(weight.numel() // len(pattern) + 1)[: weight.numel()].reshape(
        weight.shape
    )


def _seed_of_one_number(weight: torch.Tensor) -> torch.Tensor:
    found = torch.zeros_like(weight).reshape(-1)
    found[-1:] = 1.5
    return found.reshape(weight.shape)


def _gradient_parts(examination: Examination) -> list[Part]:
    return [part for part in examination.parts if part.quantity == REVERSE]


@dataclass(frozen=True)
class UndefinedSeedCheck:
    """The gradient of one result alone, so that the others' grad_output is undefined."""

    name: str = "undefined"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
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
            examination = trial.examine(replace(trial.subject, seeds=tuple(weights)))
        except Exception as error:
            return trial.absent(self, reason_it_raises(error))
        try:
            stated = _one_result(trial.statements, place)
        except Exception as error:
            # Whoever uses one of the results asks just that.
            sentence = (
                f"the backward of result {place} alone, as where the others are not used, raises"
            )
            return trial.finding(self, (), (f"{sentence} {first_sentence(error)}",))
        return replace(
            trial.finding(self, _parts_with_statements(_gradient_parts(examination), stated)),
            examination=examination,
        )


def _one_result(statements: Statements, place: int) -> Sequence[torch.Tensor | None]:
    inputs = [tensor.detach().clone() for tensor in statements.inputs.values()]
    by = [inputs[wanted].requires_grad_() for wanted in statements.joint.wanted]
    weight = statements.arguments[len(inputs) + place]
    with user_code_state(inputs):
        with torch.enable_grad():
            result = tensors(statements.joint.code(*(tensor.clone() for tensor in inputs)))[place]
        if not result.requires_grad:
            return [None for _ in by]
        return gradients_by([result], by, [weight.clone()])


@dataclass(frozen=True)
class VmapCheck:
    """The code under vmap, at two points at once, against a loop over them."""

    name: str = "vmap"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        try:
            examination = self._examination(trial, trial.beside)
            if examination.outcome is Outcome.UNDECIDED:
                # The point beside may lie outside the domain, which is no matter of the code.
                examination = self._examination(trial, trial.bound.inputs)
        except Exception as error:
            yield trial.absent(self, reason_it_raises(error))
            return
        conventions = _AT_ONE_POINT & set(examination.events.conventions)
        if conventions and examination.outcome is not Outcome.AGREES:
            named = ", ".join(sorted(conventions))
            yield trial.absent(self, f"torch has no convention for several points at once: {named}")
            return
        yield replace(trial.finding(self, examination.parts), examination=examination)

    def _examination(self, trial: Trial, beside: Mapping[str, torch.Tensor]) -> Examination:
        """The code at the trial's point and at another one at once."""
        code = trial.bound.code
        stacked = {
            name: torch.stack([tensor, beside.get(name, tensor)])
            for name, tensor in trial.bound.inputs.items()
        }
        subject = replace(trial.subject, code=_under_vmap(code), inputs=stacked)
        with ignore_torch_warnings():
            return examine(subject, Reference(_loop_over_rows(code)))


_AT_ONE_POINT = frozenset({PADDING})
"""Under vmap torch leaves out the padding's row of the first point, and learns those of the
others.
"""


def _under_vmap(code: UserFunction) -> UserFunction:
    return lambda *stacked: torch.func.vmap(lambda *row: tuple(tensors(code(*row))))(*stacked)


def _loop_over_rows(code: UserFunction) -> UserFunction:
    def loop(*stacked: torch.Tensor) -> tuple[torch.Tensor, ...]:
        rows = [
            tensors(code(*row))
            for row in zip(*(tensor.unbind() for tensor in stacked), strict=True)
        ]
        return tuple(torch.stack(parts) for parts in zip(*rows, strict=True))

    return loop
