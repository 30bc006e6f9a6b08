"""How the code behaves: the same every time, overwriting nothing, with gradients of the
right form.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch

from verifier.capture.autograd_derivatives import Joint, gradients_by, tensors
from verifier.capture.code_at_point import REVERSE, Statements
from verifier.checking.variants.target_at_point import Trial
from verifier.judging.finding import Finding
from verifier.judging.verdict import Note
from verifier.process.isolation import user_code_state


@dataclass(frozen=True)
class DeterminismCheck:
    """The same numbers when the code is run again."""

    name: str = "determinism"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        place = list(Note).index(Note.CHANGING)
        changing = [
            (part, int(np.sum(part.verdicts.note == place))) for part in trial.examination.parts
        ]
        failures = [
            f"{part.name}: {count:,} of {part.verdicts.stated.size:,} numbers come out differently"
            " when the code is run again"
            for part, count in changing
            if count
        ]
        yield trial.finding(self, (), failures)


@dataclass(frozen=True)
class OverwritingCheck:
    """Inputs and grad_output are unchanged, or torch knows that they have changed."""

    name: str = "overwriting"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        statements = trial.statements
        joint = statements.joint
        leaves = [tensor.detach().clone() for tensor in statements.inputs.values()]
        for place in joint.wanted:
            leaves[place].requires_grad_()
        given = [tensor.clone() for tensor in leaves]
        versions = [tensor._version for tensor in given]
        weights = [weight.clone() for weight in statements.arguments[len(leaves) :]]
        by = [leaves[place] for place in joint.wanted]
        behind = list[torch.Tensor]()
        first = _gradients_behind(joint, given, by, weights, behind)
        kept = [None if gradient is None else gradient.clone() for gradient in first]
        overwritten = [
            *self._failures(statements, given, versions, weights),
            *_written_by_backward(statements, behind, given),
        ]
        yield trial.finding(self, (), tuple(overwritten))
        _gradients_behind(
            joint, [leaf.clone() for leaf in leaves], by, [2 * weight for weight in weights], []
        )
        reused = [
            f"the gradient by {name} is a buffer that the next backward writes to"
            for name, gradient, before in zip(statements.by, first, kept, strict=True)
            if gradient is not None and before is not None and not _same_numbers(gradient, before)
        ]
        if reused:
            yield trial.finding(self, (), reused)

    @staticmethod
    def _failures(
        statements: Statements,
        given: Sequence[torch.Tensor],
        versions: Sequence[int],
        weights: Sequence[torch.Tensor],
    ) -> Iterator[str]:
        for (name, before), after, version in zip(
            statements.inputs.items(), given, versions, strict=True
        ):
            if after._version == version and not _same_numbers(before, after):
                yield (
                    f"{name} is overwritten, and autograd is not told: what other operations keep "
                    "of it is wrong"
                )
        for before, after in zip(statements.arguments[len(given) :], weights, strict=True):
            if not _same_numbers(before, after):
                yield "the backward overwrites grad_output, which others use as well"


def _gradients_behind(
    joint: Joint,
    given: Sequence[torch.Tensor],
    by: Sequence[torch.Tensor],
    weights: Sequence[torch.Tensor],
    behind: list[torch.Tensor],
) -> Sequence[torch.Tensor | None]:
    """The gradients of the code's results for inputs that lie behind those by which they are
    taken; what the inputs are behind the forward is added to `behind`.
    """
    with user_code_state(given):
        results = tensors(joint.code(*given))
        behind.extend(tensor.detach().clone() for tensor in given)
        return _gradients_or_none(results, by, weights)


def _written_by_backward(
    statements: Statements, before: Sequence[torch.Tensor], after: Sequence[torch.Tensor]
) -> Iterator[str]:
    for name, one, other in zip(statements.inputs, before, after, strict=True):
        if not _same_numbers(one, other):
            yield f"the backward overwrites {name}, which others use as well"


def _gradients_or_none(
    results: Sequence[torch.Tensor], by: Sequence[torch.Tensor], weights: Sequence[torch.Tensor]
) -> Sequence[torch.Tensor | None]:
    """The gradients; none where torch knows of a write and refuses them."""
    pairs = [
        (result, weight)
        for result, weight in zip(results, weights, strict=True)
        if result.requires_grad
    ]
    # Where torch does not know of a write, it does not refuse.
    with suppress(RuntimeError):
        if pairs:
            outputs, incoming = zip(*pairs, strict=True)
            return gradients_by(outputs, by, incoming)
    return [None for _ in by]


def _same_numbers(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.equal(one.detach().nan_to_num(), other.detach().nan_to_num())


@dataclass(frozen=True)
class FormCheck:
    """The gradient's dtype, shape and device are those of its input; that of a sparse one has no
    numbers at other places.
    """

    name: str = "form"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        statements = trial.statements
        stated = statements.stated[len(statements.results) :]
        failures = [
            f"the gradient by {name} is {_form_text(gradient)}, {name} itself "
            f"{_form_text(statements.inputs[name])}"
            for name, gradient in zip(statements.by, stated, strict=True)
            if gradient is not None and _form_text(gradient) != _form_text(statements.inputs[name])
        ]
        failures += [
            f"the gradient by {name} has numbers where the sparse tensor has none, as at "
            f"{list(next(iter(given.outside)))}"
            for name, given in trial.bound.sparse.items()
            if given.outside
        ]
        yield trial.finding(self, (), failures)


def _form_text(tensor: torch.Tensor) -> str:
    shape = "x".join(map(str, tensor.shape)) or "a number"
    return f"{shape} of {str(tensor.dtype).removeprefix('torch.')} on {tensor.device.type}"


@dataclass(frozen=True)
class ReachCheck:
    """What has a gradient gets one."""

    name: str = "reach"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        statements = trial.statements
        stated = statements.stated[len(statements.results) :]
        gradients = [part for part in trial.examination.parts if part.quantity == REVERSE]
        failures = [
            f"no gradient reaches {part.name}, though the result depends on it"
            for part, gradient in zip(gradients, stated, strict=True)
            if gradient is None and np.any(np.nan_to_num(part.verdicts.centre) != 0)
        ]
        yield trial.finding(self, (), failures)
