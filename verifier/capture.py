"""Capture: torch code, forward and backward, as one graph of ATen operations.

The forward and `torch.autograd.grad` behind it are traced together with `make_fx`, so that what a custom
backward computes is in the graph as well; what is written in place is then written out of place.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any

import torch
from torch.fx.experimental.proxy_tensor import disable_proxy_modes_tracing, make_fx
from torch.utils._python_dispatch import TorchDispatchMode

Tensors = Sequence[torch.Tensor]


class NotReadableError(Exception):
    """Why no graph of the code can be read or replayed, in a sentence that names the operation."""


@dataclass(frozen=True)
class Joint:
    """Forward and backward of code on tensors, as one function of the inputs and of what multiplies the results."""

    code: Callable[..., Any]
    """Takes the inputs in order; returns a tensor or a tuple of tensors."""
    wanted: tuple[int, ...]
    """The places of the inputs that gradients are taken by."""
    results: int
    """How many tensors the code returns."""
    second: bool = False
    """Whether the Hessian is wanted: the derivative of each gradient's element, of a single result."""

    def __call__(self, *arguments: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The results, then the gradient by each wanted input, None where there is none."""
        count = len(arguments) - self.results
        inputs = [argument.detach() for argument in arguments[:count]]
        for place in self.wanted:
            inputs[place].requires_grad_()
        with torch.enable_grad():
            results = tensors(self.code(*inputs))
            pairs = [
                (result, seed) for result, seed in zip(results, arguments[count:], strict=True) if result.requires_grad
            ]
            by = [inputs[place] for place in self.wanted]
            if not pairs:
                return (*(result.detach() for result in results), *(None for _ in by))
            outputs, seeds = zip(*pairs, strict=True)
            found = torch.autograd.grad(outputs, by, seeds, allow_unused=True, create_graph=self.second)
            if self.second:
                return self._hessian(found, by)
        return (*(result.detach() for result in results), *found)

    @staticmethod
    def _hessian(gradient: Sequence[torch.Tensor | None], by: Tensors) -> tuple[torch.Tensor | None, ...]:
        """For each gradient and each of its elements in order, its derivative by each wanted input."""
        rows: list[torch.Tensor | None] = []
        for part in gradient:
            for element in () if part is None else part.reshape(-1).unbind():
                if element.requires_grad:
                    rows.extend(torch.autograd.grad(element, by, retain_graph=True, allow_unused=True))
                else:
                    rows.extend(None for _ in by)
        return tuple(rows)


def tensors(result: Any) -> list[torch.Tensor]:
    """What code returned, as a list. Raises TypeError for anything but tensors."""
    parts = list(result) if isinstance(result, tuple | list) else [result]
    if not all(isinstance(part, torch.Tensor) for part in parts):
        raise TypeError("the code does not return tensors")
    return parts


def captured(joint: Callable[..., Any], arguments: Tensors) -> torch.fx.GraphModule:
    """The graph of a joint function at these arguments, without anything in place.

    Raises NotReadableError where the code decides by its data in Python, leaves torch, or is compiled.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            traced = make_fx(_checked(joint), tracing_mode="real", _allow_non_fake_inputs=True)(*arguments)
            constants = _lifted_constants(traced)
            functional = torch.func.functionalize(traced, remove="mutations")
            graph = make_fx(lambda *given: functional(*given, *constants), _allow_non_fake_inputs=True)(*arguments)
            graph.graph.eliminate_dead_code()
            return graph
        except NotReadableError:
            raise
        except Exception as error:
            raise NotReadableError(_sentence(error)) from error


def _lifted_constants(module: torch.fx.GraphModule) -> list[torch.Tensor]:
    """The tensors that the code closes over, which become arguments behind the others.

    What is written in place is written out of place for arguments only.
    """
    graph, constants = module.graph, []
    behind = next(node for node in graph.nodes if node.op != "placeholder")
    for node in [node for node in graph.nodes if node.op == "get_attr"]:
        constants.append(getattr(module, node.target))
        with graph.inserting_before(behind):
            node.replace_all_uses_with(graph.placeholder(f"constant_{len(constants)}"))
    module.graph.eliminate_dead_code()
    module.recompile()
    return constants


_CHECKS = frozenset(
    check.__code__
    for check in (
        torch.nn.functional.gaussian_nll_loss,
        torch.distributions.Distribution.__init__,
        torch.distributions.Distribution._validate_sample,
    )
)
"""Code of torch that looks at the values of its arguments for nothing but to raise an error."""


class _ArgumentChecks(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Lets such code see a value; when the code is run without capturing it, its error is raised as ever."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default and _asking() in _CHECKS:
            with disable_proxy_modes_tracing():
                return func(*args)
        return func(*args, **(kwargs or {}))


def _asking() -> CodeType:
    """The Python code that called into torch, past the wrappers that torch puts around a dispatch mode."""
    frame = sys._getframe(2)
    while frame.f_back is not None and _WRAPPER.search(frame.f_code.co_filename):
        frame = frame.f_back
    return frame.f_code


_WRAPPER = re.compile(r"torch[/\\](_compile\.py|_dynamo[/\\]|fx[/\\]experimental[/\\]proxy_tensor\.py)")


def _checked(joint: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: torch.Tensor) -> Any:
        with _ArgumentChecks():  # type: ignore[no-untyped-call]
            return joint(*arguments)

    return run


_REASONS = (
    (r"_local_scalar_dense|data-dependent|GuardOnDataDependent", "the code decides by the values of a tensor in Python (if, while, float(), .item())"),
    (r"dynamo-optimized|torch\.compile", "the code is compiled, and a compiled kernel has no graph of operations"),
    (r"\.numpy\(\)|numpy", "the code leaves torch for NumPy"),
    (r"data_ptr|storage", "the code reads the memory of a tensor itself, as a kernel of its own does"),
)  # fmt: skip


def _sentence(error: Exception) -> str:
    text = str(error)
    for pattern, reason in _REASONS:
        if re.search(pattern, text):
            return reason
    first = text.strip().partition("\n")[0]
    return f"torch cannot trace the code: {type(error).__name__}: {first}"
