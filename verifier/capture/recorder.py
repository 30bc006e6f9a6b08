"""Recorder: the ATen operations that a function runs, as a graph.

The function runs on actual tensors while a dispatch mode below autograd writes each operation
down, so that the backward is in the graph as well. `make_fx` of torch records the same. It loads
torch's compiler for that, which takes longer than most checks, and describes each value by a fake
tensor, which nobody asks for here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from operator import getitem
from typing import Any

import torch
from torch.fx import _symbolic_trace
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode_stack

Function = Callable[..., Any]
Operation = torch._ops.OpOverload

_PLAIN = (torch.Tensor, torch.nn.Parameter)
_LIFT = torch.ops.aten.lift_fresh.default
_LIFT_COPY = torch.ops.aten.lift_fresh_copy.default


class DispatchMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A dispatch mode whose use does not load torch's compiler.

    The compiler is asked by default to leave a mode's own code alone. Nothing is compiled where
    these modes run.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


@dataclass(frozen=True, eq=False)
class Recording:
    """The operations of one run of a function, which can be run again.

    A module of torch.fx is code that Python compiles. A recording is run once, if at all.
    """

    graph: torch.fx.Graph
    constants: Mapping[str, torch.Tensor]
    """The tensors that the function closes over, by the targets of their nodes."""

    def __call__(self, *arguments: torch.Tensor) -> Any:
        """What the operations give of other arguments."""
        values: dict[torch.fx.Node, Any] = {}
        waiting = iter(arguments)
        for node in self.graph.nodes:
            given = torch.fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
            if node.op == "output":
                return given[0][0]
            if node.op == "placeholder":
                values[node] = next(waiting)
            elif node.op == "get_attr":
                values[node] = self.constants[node.target]
            else:
                values[node] = node.target(*given[0], **given[1])
        raise ValueError("a recording without results")


class Recorder(DispatchMode):  # type: ignore[no-untyped-call]
    """Writes down the operations of one run of a function."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._graph = torch.fx.Graph()
        # The tensors are kept, so that no other one gets the identity of one of them.
        self._nodes: dict[int, tuple[torch.Tensor, torch.fx.Node]] = {}
        self._constants: dict[str, torch.Tensor] = {}
        self._paused = False

    def record(self, function: Function, arguments: Sequence[torch.Tensor]) -> Recording:
        """The operations of a function at these arguments, different tensors, one input each.

        What the function writes in place is in the graph in place. Tensors that it closes over are
        constants of the recording. Raises whatever the function raises.
        """
        for place, tensor in enumerate(arguments):
            self._track(tensor, self._graph.placeholder(f"argument_{place}"))
        with _as_a_trace(), _without_autocast_cache(), self:
            results = function(*arguments)
        self._graph.output(with_each_tensor(self._operand, results))
        return Recording(self._graph, self._constants)

    def node_of(self, tensor: torch.Tensor) -> torch.fx.Node | None:
        """The node that a tensor comes from; None for a tensor that the graph does not know."""
        known = self._nodes.get(id(tensor))
        return None if known is None else known[1]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """A block whose operations are not recorded."""
        before, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = before

    def __torch_dispatch__(
        self,
        func: Operation,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if self._paused:
            return func(*args, **kwargs)
        if any(kind not in _PLAIN for kind in types):
            # The operations of another kind of tensor are recorded when it has taken them apart.
            return NotImplemented
        if _is_composite(func):
            with self:
                found = func.decompose(*args, **kwargs)
            if found is not NotImplemented:
                return found
        if func is _LIFT:
            # What is lifted stays as it was, whatever is written to the result.
            func = _LIFT_COPY
        operands = with_each_tensor(self._operand, (args, kwargs))
        result = func(*args, **kwargs)
        if _has_tensors(result) or func._schema.is_mutable:
            self._follow(result, self._graph.call_function(func, *operands))
        return result

    def _operand(self, tensor: torch.Tensor) -> torch.fx.Node:
        """What stands for a tensor among the arguments of a node."""
        return self.node_of(tensor) or self._constant(tensor)

    def _constant(self, tensor: torch.Tensor) -> torch.fx.Node:
        name = f"tensor_{len(self._constants)}"
        self._constants[name] = tensor
        node = self._graph.get_attr(name)
        self._track(tensor, node)
        return node

    def _follow(self, result: Any, node: torch.fx.Node) -> None:
        """The tensors of a result come from a node from here on."""
        if isinstance(result, torch.Tensor):
            self._track(result, node)
        elif isinstance(result, list | tuple):
            for place, part in enumerate(result):
                if part is not None:
                    self._follow(part, self._graph.call_function(getitem, (node, place)))

    def _track(self, tensor: torch.Tensor, node: torch.fx.Node) -> None:
        self._nodes[id(tensor)] = (tensor, node)


def with_each_tensor(function: Callable[[torch.Tensor], Any], value: Any) -> Any:
    """What an operation takes or gives (`value`), with `function` of each tensor in its place.

    Only tuples, lists and mappings are looked into, as an operation has no others.
    """
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, list | tuple) and any(map(_may_have_tensors, value)):
        parts = [with_each_tensor(function, part) for part in value]
        return parts if isinstance(value, list) else tuple(parts)
    if isinstance(value, dict):
        return {key: with_each_tensor(function, part) for key, part in value.items()}
    return value


def _may_have_tensors(value: Any) -> bool:
    return isinstance(value, torch.Tensor | list | tuple | dict)


def _has_tensors(value: Any) -> bool:
    """Whether a tensor is among what an operation gives."""
    if isinstance(value, list | tuple):
        return any(map(_has_tensors, value))
    return isinstance(value, torch.Tensor)


@cache
def _is_composite(operation: Operation) -> bool:
    """Whether torch does it by other operations only, which autograd sees in its place.

    One that reaches a mode as it is was run where autograd is off, as in inference mode.
    """
    # Torch has no public way to ask which kernels an operation has.
    name, has_kernel = operation._name, torch._C._dispatch_has_kernel_for_dispatch_key
    kernels = any(has_kernel(name, device) for device in ("CPU", "CUDA"))
    return has_kernel(name, "CompositeImplicitAutograd") and not kernels


@contextmanager
def _as_a_trace() -> Iterator[None]:
    """What was given to torch.compile raises here: a mode would see the code that was not compiled.

    torch's compiler asks this flag of torch's tracer for that, which has no setting.
    """
    before = _is_a_trace()
    _set_trace(True)
    try:
        yield
    finally:
        _set_trace(before)


# The flag was a global one once, and is one of each thread from torch 2.15.
_PLACE, _FLAG = (
    (_symbolic_trace._is_fx_tracing_tls, "flag")
    if hasattr(_symbolic_trace, "_is_fx_tracing_tls")
    else (_symbolic_trace, "_is_fx_tracing_flag")
)


def _is_a_trace() -> bool:
    return bool(getattr(_PLACE, _FLAG, False))


def _set_trace(flag: bool) -> None:
    setattr(_PLACE, _FLAG, flag)


@contextmanager
def _without_autocast_cache() -> Iterator[None]:
    """Under autocast each cast is an operation, whatever was cast before."""
    before = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        yield
    finally:
        torch.set_autocast_cache_enabled(before)


def is_recording() -> bool:
    """Whether the torch code that asks is being recorded, by whomever."""
    return any(isinstance(mode, Recorder) for mode in _get_current_dispatch_mode_stack())
