"""Detached paths: where code takes values out of autograd, or out of torch."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode

from verifier.capture.code_place import frames_outwards, is_of_torch, place_among
from verifier.capture.refusals import MEMORY, NUMPY, NotReadableError


class MarkDetached(TorchFunctionMode):
    """Marks what the code takes out of autograd by itself with a copy that nothing else makes, and
    names it.

    Refuses what a tracer does not see: numbers that leave torch come back as constants.
    """

    def __init__(self, as_list: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.detached: list[str] = []
        self._as_list = as_list
        """What `tolist` gives."""
        self._without_gradient = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _LEAVING:
            raise NotReadableError(_LEAVING[func])
        if func is torch.Tensor.tolist:
            return self._as_list(args[0])
        differentiable = torch.is_grad_enabled()
        result = func(*args, **(kwargs or {}))
        if func is torch._C._set_grad_enabled:
            self._without_gradient = differentiable and not args[0]
        elif (func in _DETACHING and differentiable) or (
            self._without_gradient and not differentiable
        ):
            return self._marked(result, args)
        return result

    def _marked(self, result: Any, args: Any) -> Any:
        """A result that autograd does not follow though an argument has a gradient, marked."""
        followed = any(isinstance(part, torch.Tensor) and _is_followed(part) for part in args)
        if not isinstance(result, torch.Tensor) or not followed:
            return result
        asking = next(frames_outwards())
        if _is_theirs(asking):
            return result
        how = "torch.no_grad()" if self._without_gradient else "detach"
        sentence = f"{how} in {place_among([asking])}"
        if sentence not in self.detached:
            self.detached.append(sentence)
        return torch.detach_copy(result)


def _is_theirs(frame: FrameType) -> bool:
    """Whether torch or we detach it, by a rule of the operation that was asked for."""
    file = frame.f_code.co_filename
    return is_of_torch(file) or bool(_OURS.search(file))


_OURS = re.compile(r"[/\\]verifier[/\\]capture[/\\]joint_functions\.py")


def _is_followed(tensor: torch.Tensor) -> bool:
    """Whether autograd follows it, in reverse or in forward mode, be it within vmap."""
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    dual = forward_ad._current_level >= 0 and forward_ad.unpack_dual(tensor).tangent is not None  # type: ignore[no-untyped-call]
    return tensor.requires_grad or dual


_DATA = torch.Tensor.data.__get__  # type: ignore[attr-defined]
_DETACHING = frozenset({torch.Tensor.detach, torch.detach, torch.Tensor.detach_, _DATA})
_LEAVING = {
    torch.Tensor.numpy: NUMPY, torch.Tensor.__array__: NUMPY, torch.Tensor.data_ptr: MEMORY,
    torch.Tensor.untyped_storage: MEMORY, torch.Tensor.storage: MEMORY,
    torch.Tensor.__dlpack__: MEMORY,
}  # fmt: skip
