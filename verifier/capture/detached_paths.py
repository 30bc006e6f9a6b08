"""Detached paths: where code takes values out of autograd, or out of torch."""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import signature
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode

from verifier.capture.code_place import frames_outwards, is_of_torch, place_among
from verifier.capture.refusals import MEMORY, NUMPY, NotReadableError


class MarkDetached(TorchFunctionMode):
    """Marks what the code takes out of autograd by itself with a copy that nothing else makes, and
    names it. What torch takes out is marked by two.

    Refuses what a tracer does not see: numbers that leave torch come back as constants.
    """

    def __init__(self, as_list: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.detached: dict[str, None] = {}
        """How the code takes values out of autograd, a phrase for each place."""
        self.conventions: dict[str, None] = {}
        """Functions of torch that do."""
        self.gives_arrays = False
        """Whether NumPy got numbers."""
        self._as_list = as_list
        """What `tolist` gives."""
        self._without_gradient = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _ARRAYS and torch.is_grad_enabled() and args[0].numel() <= MOST_READ:
            return self._as_array(args[0])
        if func in _LEAVING:
            raise NotReadableError(_LEAVING[func])
        if func is torch.Tensor.tolist:
            return self._as_list(args[0])
        if func is torch.nn.functional.gumbel_softmax:
            return self._straight_through(func, args, kwargs or {})
        if func is torch.autograd.grad and not _creates_graph(args, kwargs or {}):
            return self._gradients(func, args, kwargs or {})
        differentiable = torch.is_grad_enabled()
        result = func(*args, **(kwargs or {}))
        # A mode sees torch.no_grad and its relatives as calls of the function beneath them.
        if func is torch._C._set_grad_enabled:
            self._without_gradient = differentiable and not args[0]
        elif func in _DETACHING if differentiable or _is_forward_mode() else self._without_gradient:
            return self._marked(result, args)
        return result

    def _as_array(self, tensor: torch.Tensor) -> np.ndarray:
        """What NumPy gets, which code does not write to: each number of it is taken out of torch.

        A Function's own forward, where autograd is off, may compute everything in NumPy.
        """
        self.gives_arrays = True
        array = np.asarray(self._as_list(tensor), dtype=str(tensor.dtype).removeprefix("torch."))
        array.flags.writeable = False
        return array

    def _marked(self, result: Any, args: Any) -> Any:
        """A result that autograd does not follow though an argument has a gradient, marked."""
        followed = any(isinstance(part, torch.Tensor) and _is_followed(part) for part in args)
        if not isinstance(result, torch.Tensor) or not followed:
            return result
        how = "torch.no_grad()" if self._without_gradient else "detach"
        return self._marked_in(next(frames_outwards()), result, how)

    def _marked_in(self, asking: FrameType, result: torch.Tensor, how: str) -> torch.Tensor:
        file = asking.f_code.co_filename
        if _LAYERS.search(file):
            self.conventions[asking.f_code.co_name] = None
            return torch.detach_copy(torch.detach_copy(result))
        if is_of_torch(file) or file.endswith(_OWN):
            return result
        self.detached[f"{how} in {place_among([asking])}"] = None
        return torch.detach_copy(result)

    def _straight_through(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """The hard sample has the gradient of the soft one."""
        given = signature(func).bind(*args, **kwargs).arguments
        hard = given.pop("hard", False)
        soft = func(**given)
        if not hard:
            return soft
        self.conventions[func.__name__] = None
        axis = given.get("dim", -1)
        one_hot = torch.zeros_like(soft).scatter_(axis, soft.max(axis, keepdim=True)[1], 1.0)
        return one_hot - torch.detach_copy(torch.detach_copy(soft.detach())) + soft

    def _gradients(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Gradients that the code takes inside its forward, and that autograd does not follow."""
        found = func(*args, **kwargs)
        asking = next(
            frame for frame in frames_outwards() if not is_of_torch(frame.f_code.co_filename)
        )
        in_backward = torch._C._current_autograd_node() is not None
        if in_backward or not torch.is_grad_enabled() or _is_forward_mode():
            return found
        how = "torch.autograd.grad without create_graph"
        return tuple(None if one is None else self._marked_in(asking, one, how) for one in found)


def _is_forward_mode() -> bool:
    """There autograd follows what is computed under no_grad, and gradients that code takes."""
    return forward_ad._current_level >= 0


def _creates_graph(args: Any, kwargs: dict[str, Any]) -> bool:
    return bool(kwargs.get("create_graph", args[4] if len(args) > 4 else False))


_LAYERS = re.compile(
    r"[/\\]torch[/\\](nn[/\\](functional|utils|modules)|distributions[/\\]one_hot)"
)
"""Code of torch that takes values out of autograd for its users: a straight-through estimator, a
power iteration. What it does is a convention.
"""
_OWN = "autograd_derivatives.py"


def _is_followed(tensor: torch.Tensor) -> bool:
    """Whether autograd follows it, in reverse or in forward mode, be it within vmap."""
    # Within vmap a wrapper stands in its place, which has no public way to look inside.
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    dual = _is_forward_mode() and forward_ad.unpack_dual(tensor).tangent is not None  # type: ignore[no-untyped-call]
    return tensor.requires_grad or dual


_DATA = torch.Tensor.data.__get__  # type: ignore[attr-defined]
_DETACHING = frozenset({torch.Tensor.detach, torch.detach, torch.Tensor.detach_, _DATA})
_ARRAYS: tuple[Any, ...] = (torch.Tensor.numpy, torch.Tensor.__array__)
MOST_READ = 4096
"""So many numbers are taken out of torch one by one."""
_LEAVING = {
    torch.Tensor.numpy: NUMPY, torch.Tensor.__array__: NUMPY, torch.Tensor.data_ptr: MEMORY,
    torch.Tensor.untyped_storage: MEMORY, torch.Tensor.storage: MEMORY,
    torch.Tensor.__dlpack__: MEMORY,
}  # fmt: skip
