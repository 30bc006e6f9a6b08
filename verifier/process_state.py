"""Process state: what a process and its threads have besides their memory, which any code can
change for all the rest.

Each kind is a row of KINDS: what it is called, how it is read and put back, and what judging makes
of it. A new kind is a new row.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import torch
from torch.utils import _device
from torch.utils._device import DeviceContext

_C: Any = torch._C


class Watch(Enum):
    """When a kind is compared with what it was before code under test ran."""

    FIXED = "after each run: judging itself leaves it alone"
    MOVING = "before and after each run: judging itself changes it for parts of its work"
    SELDOM = "before and after the first run, the fourth and so on: it takes long to read"
    NEVER = "the numbers drawn at random go on from run to run"


def _as_it_is(value: Any) -> Any:
    return value


def _callers(value: Any, _: Any) -> Any:
    return value


@dataclass(frozen=True)
class Kind:
    """One kind of state."""

    name: str
    """What people call it, and what usually changes it."""
    read: Callable[[], Any]
    write: Callable[[Any], object]
    judging: Callable[[Any], Any] = _as_it_is
    """What it is while verifier judges, of what the caller has."""
    running: Callable[[Any, Any], Any] | None = None
    """Where code under test has one of its own: what it is, of what the caller has and of what is
    there now."""
    watch: Watch = Watch.FIXED
    of_thread: bool = False
    """Whether each thread has its own."""
    by_libraries: bool = False
    """Whether libraries change it when they are loaded: one change says nothing of the code."""

    @property
    def is_callers(self) -> bool:
        """Whether code under test finds what the caller has."""
        return self.judging is _as_it_is or self.running is _callers


IN_JUDGING = "ignore"
"""What becomes of the warnings of verifier and its libraries; its own tests make them errors."""
MORE_FRAMES = 500
"""Calls of verifier and of torch's tracer around code under test, as if they were not there."""


# warnings


def filtered(action: str) -> Callable[[Any], Any]:
    """Warnings filters that do that with every warning."""
    return lambda filters: (*filters[:2], ((action, None, Warning, None, 0),), filters[3])


def without_errors(filters: Any) -> Any:
    """The same warnings filters, but that no warning is an error."""
    rules = tuple(("default", *rule[1:]) if rule[0] == "error" else rule for rule in filters[2])
    return (*filters[:2], rules, filters[3])


def _filters() -> Any:
    return id(warnings.filters), warnings.filters, tuple(warnings.filters), warnings.showwarning


def _set_filters(value: Any) -> None:
    # The list stays the same one: whoever leaves `catch_warnings` late puts back what is in force.
    _, warnings.filters, rules, warnings.showwarning = value
    warnings.filters[:] = rules  # type: ignore[index]
    with warnings.catch_warnings():
        """Tells the part of `warnings` that is in C."""


# torch


# No number below the smallest normal one is written here: where they are flushed, Python reads it as 0.
_SMALLEST_NORMAL, _HALF = sys.float_info.min, 0.5


def _flushes() -> bool:
    """Whether numbers below the smallest normal one become 0; torch cannot be asked."""
    return _SMALLEST_NORMAL * _HALF == 0.0


def _set_inference(value: bool) -> None:
    guard = torch.inference_mode(value)
    guard.__enter__()
    # It is never left, which would put back what it found.
    _ENTERED.append(guard)


_ENTERED: list[Any] = []


def _default_device() -> Any:
    """The default device as torch keeps it, with the function modes among which it does."""
    modes = tuple(map(_C._get_function_stack_at, range(_C._len_torch_function_stack())))
    known = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    return _device.CURRENT_DEVICE, known, modes


def _set_default_device(value: Any) -> None:
    _device.CURRENT_DEVICE, torch._GLOBAL_DEVICE_CONTEXT.device_context, modes = value
    for _ in range(_C._len_torch_function_stack()):
        _C._pop_torch_function_stack()
    for mode in modes:
        _C._push_on_torch_function_stack(mode)


def _without_device(value: Any) -> Any:
    return None, None, tuple(mode for mode in value[2] if not isinstance(mode, DeviceContext))


def device_of(value: Any) -> torch.device | None:
    """The default device in the state of that kind; None is the CPU."""
    found = [mode.device for mode in value[2] if isinstance(mode, DeviceContext)]
    return found[0] if found and found[0].type != "cpu" else None


def _matmul_precision() -> str | None:
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        # It was set backend by backend, which no longer is one word.
        return None


def _set_matmul_precision(value: str | None) -> None:
    if value is not None:
        torch.set_float32_matmul_precision(value)


def _autocast() -> tuple[bool, bool]:
    return torch.is_autocast_enabled("cpu"), torch.is_autocast_enabled("cuda")


def _set_autocast(value: tuple[bool, bool]) -> None:
    for device, enabled in zip(("cpu", "cuda"), value, strict=True):
        torch.set_autocast_enabled(device, enabled)


def _anomaly() -> tuple[bool, bool]:
    return torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()


def _deterministic() -> tuple[bool, bool]:
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    return torch.are_deterministic_algorithms_enabled(), warn_only


def _set_deterministic(value: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(value[0], warn_only=value[1])


def _cuda_generators() -> Any:
    started = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return torch.cuda.get_rng_state_all() if started else None


def _set_cuda_generators(value: Any) -> None:
    if value is not None:
        torch.cuda.set_rng_state_all(value)


# Python


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 (a Path takes its time)
    except FileNotFoundError:
        return None


def _set_folder(value: str | None) -> None:
    # It may be gone.
    with suppress(OSError):
        os.chdir(value or "")


def _set_environment(value: dict[str, str]) -> None:
    for name in [name for name in os.environ if name not in value]:
        del os.environ[name]
    changed = {name: text for name, text in value.items() if os.environ.get(name) != text}
    os.environ.update(changed)


_SIGNALS = sorted(signal.valid_signals())


def _handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in _SIGNALS}


def _set_handlers(value: dict[int, Any]) -> None:
    # Only the main thread can set them, and only those that Python set can be put back.
    if threading.current_thread() is threading.main_thread():
        for number, handler in value.items():
            if handler is not None and signal.getsignal(number) != handler:
                signal.signal(number, handler)


def _streams() -> Any:
    return sys.stdin, sys.stdout, sys.stderr


def _set_streams(value: Any) -> None:
    sys.stdin, sys.stdout, sys.stderr = value


INFERENCE = Kind(
    "torch's inference mode (torch.inference_mode)",
    torch.is_inference_mode_enabled, _set_inference, judging=lambda _: False, of_thread=True,
)  # fmt: skip
GRAD = Kind(
    "torch's grad mode (torch.set_grad_enabled)",
    torch.is_grad_enabled, torch._C._set_grad_enabled, judging=lambda _: True,
    watch=Watch.MOVING, of_thread=True,
)  # fmt: skip
AUTOCAST = Kind(
    "torch's autocast (torch.autocast)",
    _autocast, _set_autocast, judging=lambda _: (False, False), of_thread=True,
)  # fmt: skip
ANOMALY = Kind(
    "torch's anomaly mode (torch.autograd.set_detect_anomaly)",
    _anomaly, lambda value: torch.set_anomaly_enabled(*value),
    judging=lambda value: (False, value[1]),
)  # fmt: skip
DTYPE = Kind(
    "torch's default dtype (torch.set_default_dtype)",
    torch.get_default_dtype, torch.set_default_dtype,
)  # fmt: skip
DEVICE = Kind(
    "torch's default device (torch.set_default_device)",
    _default_device, _set_default_device, judging=_without_device,
    watch=Watch.MOVING, of_thread=True,
)  # fmt: skip
DETERMINISTIC = Kind(
    "torch's deterministic mode (torch.use_deterministic_algorithms)",
    _deterministic, _set_deterministic,
)  # fmt: skip
FLUSHING = Kind(
    "how tiny numbers are computed (torch.set_flush_denormal)",
    _flushes, torch.set_flush_denormal, judging=lambda _: False, of_thread=True,
)  # fmt: skip
THREADS = Kind(
    "the number of torch's threads (torch.set_num_threads)",
    torch.get_num_threads, torch.set_num_threads,
)  # fmt: skip
PRECISION = Kind(
    "the precision of torch's products of matrices (torch.set_float32_matmul_precision)",
    _matmul_precision, _set_matmul_precision,
)  # fmt: skip
ERRORS = Kind(
    "NumPy's error handling (np.seterr)",
    np.geterr, lambda value: np.seterr(**value), running=_callers,
    judging=lambda _: {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"},
    watch=Watch.MOVING, of_thread=True,
)  # fmt: skip
ERROR_CALL = Kind(
    "NumPy's handler of errors (np.seterrcall)",
    np.geterrcall, np.seterrcall, watch=Watch.SELDOM, of_thread=True,
)  # fmt: skip
WARNINGS = Kind(
    "how warnings are treated (warnings.simplefilter)",
    _filters, _set_filters, judging=lambda filters: filtered(IN_JUDGING)(filters),
    running=lambda _, now: filtered("ignore")(now), watch=Watch.MOVING, by_libraries=True,
)  # fmt: skip
RECURSION = Kind(
    "Python's recursion limit (sys.setrecursionlimit)",
    sys.getrecursionlimit, sys.setrecursionlimit,
    judging=lambda limit: max(limit, 1_000) + MORE_FRAMES,
)  # fmt: skip
STREAMS = Kind("sys.stdin, sys.stdout or sys.stderr", _streams, _set_streams, watch=Watch.MOVING)
FOLDER = Kind("the working directory (os.chdir)", _folder, _set_folder, running=_callers)
ENVIRONMENT = Kind(
    "environment variables (os.environ)",
    lambda: dict(os.environ), _set_environment, watch=Watch.SELDOM, by_libraries=True,
)  # fmt: skip
HANDLERS = Kind("signal handlers (signal.signal)", _handlers, _set_handlers, watch=Watch.SELDOM)
GENERATORS = (
    Kind("torch's random numbers", torch.get_rng_state, torch.set_rng_state, watch=Watch.NEVER),
    Kind("CUDA's random numbers", _cuda_generators, _set_cuda_generators, watch=Watch.NEVER),
    Kind(
        "NumPy's random numbers",
        lambda: np.random.get_state(legacy=False), np.random.set_state, watch=Watch.NEVER,
    ),
    Kind("Python's random numbers", random.getstate, random.setstate, watch=Watch.NEVER),
)  # fmt: skip

KINDS = (
    INFERENCE, GRAD, AUTOCAST, ANOMALY, DTYPE, DEVICE, DETERMINISTIC, FLUSHING, THREADS, PRECISION,
    ERRORS, ERROR_CALL, WARNINGS, RECURSION, STREAMS, FOLDER, ENVIRONMENT, HANDLERS, *GENERATORS,
)  # fmt: skip
"""In the order in which they are put back: torch's inference mode sets its grad mode, too."""
