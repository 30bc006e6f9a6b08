"""Watching torch: every tensor of one step as it is made, and what autograd passes back to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from verifier.capture.to_numpy import to_float64
from verifier.explaining.graph import Graph
from verifier.operations.arrays import Floats
from verifier.program.codegen import TORCH, function, function_with_callback
from verifier.program.program import INPUT, Program
from verifier.training.runner import AutogradTraining


@dataclass(frozen=True, eq=False)
class ObservedStep:
    """One step of torch, seen from inside, before its update."""

    tensors: Mapping[int, torch.Tensor]
    """By the graph's nodes."""
    passed: Mapping[int, torch.Tensor]
    """What autograd passed back, by the nodes to which it did."""
    columns: Mapping[str, torch.Tensor]
    parameters: Mapping[str, torch.Tensor]
    values: Mapping[str, float]
    """The parameters' numbers."""
    grad_before: Mapping[str, float | None]
    """What stood in `.grad` when `backward()` began."""
    grad: Mapping[str, float | None]
    """What stands there now."""

    @property
    def backward_ran(self) -> bool:
        """Whether autograd passed anything back."""
        return bool(self.passed)


class _Watcher:
    """Keeps the tensor of each node, and by a hook what is passed back to it."""

    def __init__(self) -> None:
        self.tensors: dict[int, torch.Tensor] = {}
        self.passed: dict[int, torch.Tensor] = {}

    def __call__(self, index: int, tensor: torch.Tensor) -> torch.Tensor:
        self.tensors[index] = tensor
        if tensor.requires_grad:
            tensor.register_hook(partial(self._pass, index))  # type: ignore[no-untyped-call]
        return tensor

    def _pass(self, index: int, gradient: torch.Tensor | None) -> None:
        if gradient is not None:
            self.passed[index] = gradient.detach().clone()


def observe_step(
    training: AutogradTraining, graph: Graph, sample: Mapping[str, Floats]
) -> ObservedStep:
    """Run one step of `training` up to its update: forward with every tensor of `graph` seen, then
    the witness's backward.

    `sample` has a float64 array for each column, of shape (rows,).
    """
    parameters = training.parameters
    like = next(iter(parameters.values()))
    columns = {
        name: torch.tensor(values[0] if graph.rows is None else values, dtype=like.dtype)
        for name, values in sample.items()
    }
    leaves = {**columns, **parameters}
    watcher = _Watcher()
    for index in graph.nodes:
        if graph.program.nodes[index].operation == INPUT:
            watcher(index, leaves[graph.names[index]])
    before: dict[str, float | None] = dict.fromkeys(parameters)

    def at_start(_: torch.Tensor) -> None:
        before.update(_grad_numbers(parameters))

    run = function_with_callback("loss", ", ".join(leaves), graph.program, TORCH, watcher)
    loss = run(*leaves.values())
    if loss.requires_grad:
        loss.register_hook(at_start)
    values = {name: tensor.item() for name, tensor in parameters.items()}
    training.differentiate(loss, training.trained)
    return ObservedStep(
        watcher.tensors,
        watcher.passed,
        columns,
        parameters,
        values,
        before,
        _grad_numbers(parameters),
    )


def _grad_numbers(parameters: Mapping[str, torch.Tensor]) -> dict[str, float | None]:
    return {
        name: None if tensor.grad is None else tensor.grad.item()
        for name, tensor in parameters.items()
    }


def local_derivatives(
    program: Program, names: Sequence[str], taken: Mapping[str, torch.Tensor]
) -> list[Floats]:
    """Torch's own derivative of one operation by each of these arguments, at the very numbers that
    it took.

    Float64 arrays with an entry a row.
    """
    shape = max((tensor.shape for tensor in taken.values()), key=len)
    leaves = {
        name: tensor.detach().expand(shape).clone().requires_grad_(name in names)
        for name, tensor in taken.items()
    }
    result = function("local", ", ".join(leaves), program, TORCH)(*leaves.values())
    if result.requires_grad:
        result.sum().backward()
    return [_grad_of_leaf(leaves[name]) for name in names]


def _grad_of_leaf(leaf: torch.Tensor) -> Floats:
    """What was passed back to it; nothing is 0."""
    found = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
    return np.ravel(to_float64(found))
