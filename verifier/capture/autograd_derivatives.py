"""Derivatives by autograd: the forward of code on tensors with its gradient, its Hessian or its
forward mode as one function, which is run and traced.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch.autograd import forward_ad

from verifier.process.isolation import user_code_state

Tensors = Sequence[torch.Tensor]


@dataclass(frozen=True)
class Joint:
    """Forward and backward of code on tensors, as one function of the inputs and of what multiplies
    the results.
    """

    code: Callable[..., Any]
    """Takes the inputs in order; returns a tensor or a tuple of tensors."""
    wanted: tuple[int, ...]
    """The places of the inputs that gradients are taken by."""
    results: int
    """How many tensors the code returns."""

    def __call__(self, *arguments: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The results, then the gradient by each wanted input, None where there is none."""
        # The backward finds what the forward left.
        with user_code_state(arguments):
            results, by, seeds = self.forward(arguments)
            with torch.enable_grad():
                return _detached([*results, *gradients_by(results, by, seeds)])

    def forward(self, arguments: Tensors) -> tuple[list[torch.Tensor], list[torch.Tensor], Tensors]:
        """The code run: its results, the leaves that gradients are taken by, and what multiplies
        the results' derivatives.
        """
        count = len(arguments) - self.results
        inputs = [argument.detach() for argument in arguments[:count]]
        for place in self.wanted:
            inputs[place].requires_grad_()
        with torch.enable_grad():
            results = tensors(self.code(*map(self._own, inputs)))
        return results, [inputs[place] for place in self.wanted], arguments[count:]

    def _own(self, input_: torch.Tensor) -> torch.Tensor:
        """What the code gets for an input: it may write to what it is given."""
        return input_.clone()


def gradients_by(
    outputs: Tensors, by: Tensors, weights: Tensors, **options: Any
) -> Sequence[torch.Tensor | None]:
    """The gradient of the weighted sum of `outputs` by each leaf in `by`, of its shape and dtype;
    None where there is none.

    `weights` has a tensor for each output, of its shape and dtype. `options` are those of
    `torch.autograd.grad`. Code with a reentrant checkpoint has the gradients from `backward` only.
    """
    pairs = [pair for pair in zip(outputs, weights, strict=True) if pair[0].requires_grad]
    if not pairs:
        return [None for _ in by]
    outputs, weights = zip(*pairs, strict=True)
    try:
        return torch.autograd.grad(outputs, by, weights, allow_unused=True, **options)
    except RuntimeError as error:
        if "use_reentrant=True" not in str(error) or options.get("create_graph"):
            raise
    for leaf in by:
        leaf.grad = None
    torch.autograd.backward(outputs, weights)
    return [leaf.grad for leaf in by]


@dataclass(frozen=True)
class SecondOrder(Joint):
    """The Hessian comes behind the gradients: of chosen elements of each, by each input and each
    seed.
    """

    rows: tuple[tuple[int, ...], ...] | None = None
    """For each wanted input the elements whose gradient is differentiated again; None is all of
    them.
    """

    def __call__(self, *arguments: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        with user_code_state(arguments):
            return self._twice(arguments)

    def _twice(self, arguments: Tensors) -> tuple[torch.Tensor | None, ...]:
        results, by, seeds = self.forward(arguments)
        # A backward that cannot be differentiated says so only where its argument has a gradient.
        seeds = [seed.detach().requires_grad_() for seed in seeds]
        with torch.enable_grad():
            found = gradients_by(results, by, seeds, create_graph=True)
            _refuse_once_differentiable(found)
            return _detached([*results, *found, *self._hessian(found, [*by, *seeds])])

    def _hessian(
        self, gradient: Sequence[torch.Tensor | None], by: Tensors
    ) -> list[torch.Tensor | None]:
        rows: list[torch.Tensor | None] = []
        chosen = (
            [range(by[place].numel()) for place in range(len(gradient))]
            if self.rows is None
            else self.rows
        )
        for part, elements in zip(gradient, chosen, strict=True):
            flat = None if part is None else part.reshape(-1)
            for element in [None if flat is None else flat.select(0, place) for place in elements]:
                if element is not None and element.requires_grad:
                    rows.extend(
                        torch.autograd.grad(element, by, retain_graph=True, allow_unused=True)
                    )
                else:
                    rows.extend(None for _ in by)
        return rows


def _refuse_once_differentiable(gradient: Sequence[torch.Tensor | None]) -> None:
    """Raise RuntimeError where a backward says that it cannot be differentiated: torch puts an
    error into the graph.
    """
    waiting = [part.grad_fn for part in gradient if part is not None]
    seen: set[Any] = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        if node.name().rpartition("::")[2] == "Error":
            raise RuntimeError("a backward is marked as once_differentiable")
        seen.add(node)
        waiting.extend(following for following, _ in node.next_functions)


class ForwardAlone(Joint):
    """The results only; the inputs require gradients, so that what is taken out of autograd
    shows.
    """

    def __call__(self, *arguments: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        results, _, _ = self.forward(arguments)
        return _detached(results)


class ForwardMode(Joint):
    """Forward mode: what stands behind the inputs are their tangents, and behind the results are
    theirs.
    """

    def __call__(self, *arguments: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        count = len(arguments) - len(self.wanted)
        inputs = [argument.detach() for argument in arguments[:count]]
        _prepare_forward_mode()
        with forward_ad.dual_level():
            for place, tangent in zip(self.wanted, arguments[count:], strict=True):
                inputs[place] = forward_ad.make_dual(inputs[place], tangent)  # type: ignore[no-untyped-call]
            results = tensors(self.code(*(input_.clone() for input_ in inputs)))
            pairs = [forward_ad.unpack_dual(result) for result in results]  # type: ignore[no-untyped-call]
        return _detached([*(pair.primal for pair in pairs), *(pair.tangent for pair in pairs)])


@cache
def _prepare_forward_mode() -> None:
    """Load what forward mode needs, at whose first use torch warns of a part of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_module("torch._decomp.decompositions_for_jvp")


def _detached(parts: Sequence[torch.Tensor | None]) -> tuple[torch.Tensor | None, ...]:
    return tuple(None if part is None else part.detach() for part in parts)


def tensors(result: Any) -> list[torch.Tensor]:
    """What code returned, as a list: `result` is a tensor or a tuple or list of them. Complex ones
    are as torch.view_as_real has them. Raises TypeError for anything but tensors.
    """
    parts = list(result) if isinstance(result, tuple | list) else [result]
    if not all(isinstance(part, torch.Tensor) for part in parts):
        raise TypeError("the code does not return tensors")
    return [
        torch.view_as_real(part.resolve_conj()) if part.is_complex() else part for part in parts
    ]
