"""Capture: torch code, forward and backward, as one graph of ATen operations.

The forward and `torch.autograd.grad` behind it are traced together with `make_fx`, so that what a
custom backward computes is in the graph as well; what is written in place is then written out of
place.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch.autograd import forward_ad
from torch.fx.experimental import proxy_tensor
from torch.fx.experimental.proxy_tensor import disable_proxy_modes_tracing, make_fx
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from verifier.errors import LONGEST_EXCERPT, message_of
from verifier.process.isolation import user_code_state

Tensors = Sequence[torch.Tensor]


class NotReadableError(Exception):
    """Why no graph of the code can be read or replayed, in a sentence that names the operation."""


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
            results, by, seeds = self._forward(arguments)
            with torch.enable_grad():
                return _detached([*results, *self._gradients(results, by, seeds)])

    def _forward(
        self, arguments: Tensors
    ) -> tuple[list[torch.Tensor], list[torch.Tensor], Tensors]:
        """The results, the inputs that gradients are taken by, and what multiplies the results'
        derivatives.
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

    def _gradients(
        self, results: Tensors, by: Tensors, seeds: Tensors, *, again: bool = False
    ) -> Sequence[torch.Tensor | None]:
        pairs = [
            (result, seed)
            for result, seed in zip(results, seeds, strict=True)
            if result.requires_grad
        ]
        if not pairs:
            return [None for _ in by]
        outputs, weights = zip(*pairs, strict=True)
        return torch.autograd.grad(outputs, by, weights, allow_unused=True, create_graph=again)


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
        results, by, seeds = self._forward(arguments)
        # A backward that cannot be differentiated says so only where its argument has a gradient.
        seeds = [seed.detach().requires_grad_() for seed in seeds]
        with torch.enable_grad():
            found = self._gradients(results, by, seeds, again=True)
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
        results, _, _ = self._forward(arguments)
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
    """What code returned, as a list. Raises TypeError for anything but tensors."""
    parts = list(result) if isinstance(result, tuple | list) else [result]
    if not all(isinstance(part, torch.Tensor) for part in parts):
        raise TypeError("the code does not return tensors")
    return parts


def captured(joint: Callable[..., Any], arguments: Tensors) -> torch.fx.GraphModule:
    """The graph of a joint function at these arguments, without anything in place.

    Raises NotReadableError where the code decides by its data in Python, leaves torch, or is
    compiled.
    """
    # To a tracer a tensor that is given twice is one input.
    arguments = [argument.detach().clone() for argument in arguments]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _InTorch() as mode:
                graph = _traced(_checked(joint), arguments)
            _refuse_foreign(_checked(joint), arguments, graph)
            if any(_is_in_place(node.target) for node in graph.graph.nodes):
                constants = _lifted_constants(graph)
                functional = torch.func.functionalize(graph, remove="mutations")
                graph = _without_write_back(
                    _traced(lambda *given: functional(*given, *constants), arguments)
                )
        except NotReadableError:
            raise
        except Exception as error:
            raise NotReadableError(_sentence(error)) from error
    # Forward mode leaves steps on tensors without numbers, whose results nobody takes.
    graph.graph.eliminate_dead_code()
    graph.meta[DETACHED] = tuple(mode.detached)
    return graph


def followed(graph: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """The graph without marks where the code takes values out of autograd, so that they are
    differentiated as well.
    """
    for node in [
        node for node in graph.graph.nodes if node.target is torch.ops.aten.detach_copy.default
    ]:
        node.replace_all_uses_with(node.args[0])
        graph.graph.erase_node(node)
    graph.recompile()
    return graph


def _traced(function: Callable[..., Any], arguments: Tensors) -> torch.fx.GraphModule:
    with _undescribed():
        return make_fx(function, tracing_mode="real", _allow_non_fake_inputs=True)(*arguments)


def is_capturing() -> bool:
    """Whether the torch code that asks is being captured, by whomever."""
    return torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.PROXY) is not None


@contextmanager
def _undescribed() -> Iterator[None]:
    """Keeps the tracer from describing each value by a fake tensor, which nobody asks for here.

    That takes two thirds of the time of a trace, and torch has no setting for it; where another
    version of torch does it in another way, nothing is lost but time.
    """
    describe = getattr(proxy_tensor, "extract_val", None)
    if describe is None:
        yield
        return
    proxy_tensor.extract_val = lambda *_, **__: None
    try:
        yield
    finally:
        proxy_tensor.extract_val = describe


def _refuse_foreign(
    joint: Callable[..., Any], arguments: Tensors, traced: torch.fx.GraphModule
) -> None:
    """Raise NotReadableError where numbers come from outside torch's operations.

    They stand in the graph as constants, like tensors that the code closes over; but at another
    point they are other numbers.
    """
    if not _constants(traced):
        return
    elsewhere = [
        # Towards 0, so that what has to lie between 0 and 1 stays there.
        value * (1 - 2.0**-6) if value.is_floating_point() else value
        for value in arguments
    ]
    again = _constants(_traced(joint, elsewhere))
    same = len(again) == len(_constants(traced)) and all(map(_equal, _constants(traced), again))
    if not same:
        raise NotReadableError(_LEAVES)


def _constants(graph: torch.fx.GraphModule) -> list[torch.Tensor]:
    """The floating-point tensors that stand in a graph as they are."""
    found = [
        getattr(graph, str(node.target), None)
        for node in graph.graph.nodes
        if node.op == "get_attr"
    ]
    return [
        tensor
        for tensor in found
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point()
    ]


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one.nan_to_num(), other.nan_to_num())


def _without_write_back(graph: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """Without the copies at its end, of what was written to arguments: nothing of what it returns
    depends on them.
    """
    for node in graph.graph.nodes:
        if node.target is torch.ops.aten.copy_.default and not node.users:
            graph.graph.erase_node(node)
    graph.recompile()
    return graph


def _is_in_place(target: Any) -> bool:
    return isinstance(target, torch._ops.OpOverload) and target._schema.is_mutable


def _lifted_constants(module: torch.fx.GraphModule) -> list[torch.Tensor]:
    """The tensors that the code closes over, which become arguments behind the others.

    What is written in place is written out of place for arguments only.
    """
    graph, constants = module.graph, []
    behind = next(node for node in graph.nodes if node.op != "placeholder")
    taken = [node for node in graph.nodes if node.op == "get_attr"]
    for node in taken:
        constants.append(getattr(module, node.target))
        with graph.inserting_before(behind):
            node.replace_all_uses_with(graph.placeholder(f"constant_{len(constants)}"))
    # Only these go: to older versions of torch a write whose result nobody takes is dead code.
    for node in taken:
        graph.erase_node(node)
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
    """Lets such code see a value; its error is raised when the code is run without capturing it.

    Operations get zeros in memory for the zeros that forward mode never writes.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default and _asking().f_code in _CHECKS:
            with disable_proxy_modes_tracing():
                return func(*args)
        return func(*tree_map(_written, args), **tree_map(_written, kwargs or {}))


def _written(value: Any) -> Any:
    """Zeros in memory for zeros that torch never wrote: traced kernels read them from nowhere."""
    if isinstance(value, torch.Tensor) and value._is_zerotensor():
        return torch.ops.aten.zeros_like.default(value)
    return value


def _asking() -> FrameType:
    """The Python code that called into torch, past the wrappers that torch puts around a mode."""
    frame = sys._getframe(2)
    while frame.f_back is not None and (
        (frame.f_code.co_filename == __file__ and frame.f_code.co_name in _MODES)
        or _WRAPPER.search(frame.f_code.co_filename)
    ):
        frame = frame.f_back
    return frame


_MODES = frozenset({"__torch_function__", "__torch_dispatch__", "_marked"})
_WRAPPER = re.compile(
    r"torch[/\\](_compile\.py|overrides\.py|_dynamo[/\\]|fx[/\\]experimental[/\\]proxy_tensor\.py)"
)


def _checked(joint: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: torch.Tensor) -> Any:
        with _ArgumentChecks():  # type: ignore[no-untyped-call]
            return joint(*arguments)

    return run


class _InTorch(TorchFunctionMode):
    """Refuses what a tracer does not see: numbers that leave torch come back as constants.

    What the code takes out of autograd by itself is marked with a copy that nothing else makes, and
    named.
    """

    def __init__(self) -> None:
        super().__init__()
        self.detached: list[str] = []
        self._without_gradient = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _LEAVING:
            raise NotReadableError(_LEAVING[func])
        differentiable = torch.is_grad_enabled()
        result = func(*args, **(kwargs or {}))
        if func is torch._C._set_grad_enabled:
            self._without_gradient = differentiable and not args[0]
        elif (func in _DETACHING and differentiable) or (
            self._without_gradient and not differentiable
        ):
            return self._marked(result, args, _asking())
        return result

    def _marked(self, result: Any, args: Any, asking: FrameType) -> Any:
        """A result that autograd does not follow though an argument has a gradient, marked."""
        followed = any(isinstance(part, torch.Tensor) and _is_followed(part) for part in args)
        if (
            not isinstance(result, torch.Tensor)
            or not followed
            or _NOT_THEIRS.search(asking.f_code.co_filename)
        ):
            return result
        how = "torch.no_grad()" if self._without_gradient else "detach"
        sentence = f"{how} in {Path(asking.f_code.co_filename).name}, line {asking.f_lineno}"
        if sentence not in self.detached:
            self.detached.append(sentence)
        return torch.detach_copy(result)


def _is_followed(tensor: torch.Tensor) -> bool:
    """Whether autograd follows it, in reverse or in forward mode, be it within vmap."""
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    dual = forward_ad._current_level >= 0 and forward_ad.unpack_dual(tensor).tangent is not None  # type: ignore[no-untyped-call]
    return tensor.requires_grad or dual


_CRASHING = frozenset({torch.ldexp, torch.Tensor.ldexp, torch.Tensor.ldexp_})
_DATA = torch.Tensor.data.__get__  # type: ignore[attr-defined]
_DETACHING = frozenset({torch.Tensor.detach, torch.detach, torch.Tensor.detach_, _DATA})
_NOT_THEIRS = re.compile(rf"[/\\]torch[/\\]|{re.escape(__file__)}")
DETACHED = "detached"
"""Where a captured graph keeps how the code takes values out of autograd, a phrase for each
place.
"""
_LEAVES = "the code leaves torch: numbers in it come from elsewhere, as from a kernel of its own"
_BY_VALUES = "the code decides by the values of a tensor in Python (if, while, float(), .item())"
_NUMPY = "the code leaves torch for NumPy"
_MEMORY = "the code reads the memory of a tensor itself, as a kernel of its own does"
_LEAVING = {
    torch.Tensor.numpy: _NUMPY, torch.Tensor.__array__: _NUMPY, torch.Tensor.tolist: _BY_VALUES,
    torch.Tensor.data_ptr: _MEMORY, torch.Tensor.untyped_storage: _MEMORY,
    torch.Tensor.storage: _MEMORY, torch.Tensor.__dlpack__: _MEMORY,
}  # fmt: skip
_REASONS = (
    (r"_local_scalar_dense|data-dependent|GuardOnDataDependent", _BY_VALUES),
    (
        r"dynamo-optimized|torch\.compile",
        "the code is compiled, and a compiled kernel has no graph of operations",
    ),
    (r"\.numpy\(\)|numpy", _NUMPY),
    (r"data_ptr|storage", _MEMORY),
)


def _sentence(error: Exception) -> str:
    text = message_of(error, whole=True, longest=LONGEST_EXCERPT)
    for pattern, reason in _REASONS:
        if re.search(pattern, text):
            return reason
    return f"torch cannot trace the code: {type(error).__name__}: {message_of(error)}"
