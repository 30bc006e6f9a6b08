"""Dry run: a target run once, forward and backward, before anything is said of its gradients."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from verifier.capture.autograd_derivatives import gradients_by
from verifier.capture.target.bind import Bound
from verifier.errors import InputError, message_of
from verifier.process.deadline import Deadline
from verifier.process.isolation import abandon_user_code, isolate, user_code_state
from verifier.process.timeout import OutOfTimeError, place_of, user_traceback


class UserCodeError(InputError):
    """The code that is checked raised something; its own traceback stands below the sentence."""


@dataclass(frozen=True)
class Run:
    """What was seen when a target was run once."""

    results: tuple[str, ...]
    """The names of what it returned."""
    overwritten: tuple[str, ...] = ()
    """The inputs that it wrote to, forward or backward."""
    without_gradient: tuple[str, ...] = ()
    """The results that no gradient can be taken of: nothing that they were computed from requires
    one.
    """
    unreached: tuple[str, ...] = ()
    """The wanted inputs that torch has no gradient by, of any result."""
    changed: tuple[str, ...] = ()
    """The buffers that it changed."""
    gradients: tuple[torch.Tensor | None, ...] = field(default=(), repr=False, compare=False)
    """The gradient of the sum of all results by each wanted input; None where torch has none."""


@isolate
def run_once(bound: Bound, deadline: Deadline = Deadline.NEVER) -> Run:
    """Run the code once, forward and backward.

    >>> from verifier.capture.target.bind import bound
    >>> given = {"x": torch.ones(2), "y": torch.ones(2)}
    >>> run_once(bound(lambda x, y: x.exp(), given, "float32")).unreached
    ('y',)

    Raises UserCodeError where it raises, and InputError where it returns nothing that has a
    gradient, or not before the deadline.
    """
    try:
        return deadline.run(lambda: _run(bound))
    except OutOfTimeError:
        abandon_user_code()
        raise InputError(
            f"{bound.name} does not return within {deadline.seconds:g} seconds: give it smaller "
            "inputs, or more time"
        ) from None


def _run(bound: Bound) -> Run:
    leaves = {
        name: tensor.detach().clone().requires_grad_(name in bound.wanted)
        for name, tensor in bound.inputs.items()
    }
    with user_code_state(tuple(leaves.values())), torch.enable_grad():
        # Code may write to what it is given, which torch forbids for leaves.
        given = {name: leaf.clone() for name, leaf in leaves.items()}
        versions = {name: tensor._version for name, tensor in given.items()}
        try:
            results = bound.returned(*given.values())
        except InputError:
            raise
        except (Exception, SystemExit) as error:
            raise user_code_error(bound.name, error) from error
        gradients = _gradients(bound, leaves, results.tensors)
    return Run(
        results=results.names,
        overwritten=tuple(
            name
            for name, tensor in given.items()
            if tensor._version != versions[name] or not _same(tensor.detach(), bound.inputs[name])
        ),
        without_gradient=tuple(
            name
            for name, tensor in zip(results.names, results.tensors, strict=True)
            if not tensor.requires_grad
        ),
        unreached=tuple(
            name for name, gradient in zip(bound.wanted, gradients, strict=True) if gradient is None
        ),
        changed=tuple(
            name
            for name, tensor in results.buffers.items()
            if not _same(tensor.detach(), bound.inputs[name])
        ),
        gradients=tuple(
            None if gradient is None else gradient.detach().clone() for gradient in gradients
        ),
    )


def _gradients(
    bound: Bound, leaves: dict[str, torch.Tensor], results: tuple[torch.Tensor, ...]
) -> tuple[torch.Tensor | None, ...]:
    outputs = [result for result in results if result.requires_grad]
    by = [leaves[name] for name in bound.wanted]
    if not outputs:
        return (None,) * len(by)
    try:
        weights = [torch.ones_like(output) for output in outputs]
        return tuple(gradients_by(outputs, by, weights))
    except (Exception, SystemExit) as error:
        raise user_code_error(f"the backward of {bound.name}", error) from error


def user_code_error(what: str, error: BaseException) -> UserCodeError:
    """The `error` of code that is checked, as a sentence with its line; `what` names the code
    or its backward.
    """
    first = message_of(error)
    text = f": {first}" if first else ""
    return UserCodeError(
        f"{what} raises {type(error).__name__}{place_of(error)}{text}", user_traceback(error)
    )


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.shape != other.shape:
        return False
    return bool(((one == other) | (one.isnan() & other.isnan())).all())
