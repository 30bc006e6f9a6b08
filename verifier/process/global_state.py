"""Global state: what a process and its threads have besides their memory, which any code can
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
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
import torch
from torch.utils import _device
from torch.utils._device import DeviceContext

# Some kinds of state have no public function that reads them.
_TORCH_C: Any = torch._C
_GLOBAL_DEVICE: Any = torch._GLOBAL_DEVICE_CONTEXT


StateValue: TypeAlias = Any
"""What a kind of state is at one moment. Each kind has a type of its own, which only its own two
functions look into.
"""


class Frequency(Enum):
    """In which runs of code under test a kind is compared with what it was before."""

    EACH_RUN = "in each: what the judge computes would be changed by it"
    SELDOM = "in the first, the sixteenth and so on, and once the code has changed it, in each"
    NEVER = "the numbers drawn at random go on from run to run"


def _unchanged(value: StateValue) -> StateValue:
    return value


def _value_of_caller(value: StateValue, _: StateValue) -> StateValue:
    return value


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind of state; no other one is equal to it."""

    name: str
    """What people call it, and what usually changes it."""
    read: Callable[[], StateValue]
    write: Callable[[StateValue], object]
    judging: Callable[[StateValue], StateValue] = _unchanged
    """What it is while verifier judges, of what the caller has."""
    running: Callable[[StateValue, StateValue], StateValue] | None = None
    """Where code under test has one of its own: what it is, of what the caller has and of what is
    there now."""
    compared: Frequency = Frequency.SELDOM
    of_thread: bool = False
    """Whether each thread has its own."""
    by_libraries: bool = False
    """Whether libraries change it when they are loaded: one change says nothing of the code."""


IN_JUDGING = "ignore"
"""What becomes of the warnings of verifier and its libraries; its own tests make them errors."""
MORE_FRAMES = 500
"""Calls of verifier and of torch's tracer around code under test, as if they were not there."""


# warnings


def filters_with_action(action: str, filters: StateValue) -> StateValue:
    """The state of the warnings filters in which every warning gets that action.

    `action` is "ignore" or "error"; `filters` is the state as it was read.
    """
    rules = _RULES[action]
    return filters if filters[2] == rules else (*filters[:2], rules, filters[3])


_RULES = {action: ((action, None, Warning, None, 0),) for action in ("ignore", "error")}


def filters_without_errors(filters: StateValue) -> StateValue:
    """The state of the warnings filters in which no warning is an error."""
    rules = tuple(("default", *rule[1:]) if rule[0] == "error" else rule for rule in filters[2])
    return (*filters[:2], rules, filters[3])


def _warnings_filters() -> StateValue:
    return id(warnings.filters), warnings.filters, tuple(warnings.filters), warnings.showwarning


def _set_filters(value: StateValue) -> None:
    # The list stays the same one: whoever leaves `catch_warnings` late puts back what is in force.
    _, warnings.filters, rules, warnings.showwarning = value
    warnings.filters[:] = rules  # type: ignore[index]
    with warnings.catch_warnings():
        """Tells the part of `warnings` that is in C."""


# NumPy


_NUMPY: Any = getattr(import_module("numpy._core.umath"), "_extobj_contextvar", None)
"""Where NumPy keeps what `np.geterr` takes apart, which takes long."""


class _NumPyErrors:
    """The error handling of NumPy that is in force now; two are equal if they do the same."""

    def __init__(self) -> None:
        self.kept = np.geterr() if _NUMPY is None else _NUMPY.get()

    @property
    def words(self) -> StateValue:
        if _NUMPY is None:
            return self.kept
        token = _NUMPY.set(self.kept)
        found = np.geterr()
        _NUMPY.reset(token)
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _NumPyErrors) and (
            self.kept is other.kept or self.words == other.words
        )

    __hash__ = None  # type: ignore[assignment]


def _set_errors(value: _NumPyErrors) -> None:
    np.seterr(**value.words)


with np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"):
    _STANDARD_ERRORS = _NumPyErrors()


# torch


# No smaller number is written here: where they are flushed, Python reads it as 0.
_SMALLEST_NORMAL, _HALF = sys.float_info.min, 0.5


def _flushes_denormals() -> bool:
    """Whether numbers below the smallest normal one become 0; torch cannot be asked."""
    return _SMALLEST_NORMAL * _HALF == 0.0


def _set_inference(value: bool) -> None:
    guard = torch.inference_mode(value)
    guard.__enter__()
    # It is never left, which would put back what it found.
    _ENTERED.append(guard)


_ENTERED: list[StateValue] = []


def _default_device() -> StateValue:
    """None where there is none, else all that torch keeps of it, among its function modes."""
    current, modes = _device.CURRENT_DEVICE, _function_modes() if _depth() else ()
    if current is None and not any(isinstance(mode, DeviceContext) for mode in modes):
        return None
    return current, getattr(_GLOBAL_DEVICE, "device_context", None), modes


def _set_default_device(value: StateValue) -> None:
    others = tuple(mode for mode in _function_modes() if not isinstance(mode, DeviceContext))
    _device.CURRENT_DEVICE, context, modes = value or (None, None, others)
    # Before torch 2.10, `torch.get_default_device()` takes what stands there for a context.
    vars(_GLOBAL_DEVICE).pop("device_context", None)
    if context is not None:
        _GLOBAL_DEVICE.device_context = context
    for _ in _function_modes():
        _TORCH_C._pop_torch_function_stack()
    for mode in modes:
        _TORCH_C._push_on_torch_function_stack(mode)


def _function_modes() -> tuple[StateValue, ...]:
    return tuple(map(_TORCH_C._get_function_stack_at, range(_depth())))


_depth = _TORCH_C._len_torch_function_stack


def device_of(value: StateValue) -> torch.device | None:
    """The default device in the state of that kind; None is the CPU."""
    found = [mode.device for mode in value[2] if isinstance(mode, DeviceContext)] if value else []
    return found[-1] if found and found[-1].type != "cpu" else None


def _matmul_precision() -> str | None:
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        # It was set backend by backend, which no longer is one word.
        return None


def _set_matmul_precision(value: str | None) -> None:
    if value is not None:
        torch.set_float32_matmul_precision(value)


def _autocast_enabled() -> tuple[bool, bool]:
    return torch.is_autocast_enabled("cpu"), torch.is_autocast_enabled("cuda")


def _set_autocast(value: tuple[bool, bool]) -> None:
    for device, enabled in zip(("cpu", "cuda"), value, strict=True):
        torch.set_autocast_enabled(device, enabled)


def _anomaly_mode() -> tuple[bool, bool]:
    return torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()


def _deterministic_mode() -> tuple[bool, bool]:
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    return torch.are_deterministic_algorithms_enabled(), warn_only


def _set_deterministic(value: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(value[0], warn_only=value[1])


def _cuda_generators() -> StateValue:
    started = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return torch.cuda.get_rng_state_all() if started else None


def _set_cuda_generators(value: StateValue) -> None:
    if value is not None:
        torch.cuda.set_rng_state_all(value)


# Python


def _working_directory() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 (a Path takes its time)
    except FileNotFoundError:
        return None


def _set_working_directory(value: str | None) -> None:
    # It may be gone.
    with suppress(OSError):
        os.chdir(value or "")


def _set_environment(value: dict[str, str]) -> None:
    for name in [name for name in os.environ if name not in value]:
        del os.environ[name]
    changed = {name: text for name, text in value.items() if os.environ.get(name) != text}
    os.environ.update(changed)


_SIGNALS = sorted(number for number in signal.valid_signals() if isinstance(number, signal.Signals))


def _signal_handlers() -> dict[int, StateValue]:
    return {number: signal.getsignal(number) for number in _SIGNALS}


def _set_handlers(value: dict[int, StateValue]) -> None:
    # Only the main thread can set them, and only those that Python set can be put back.
    if threading.current_thread() is threading.main_thread():
        for number, handler in value.items():
            if handler is not None and signal.getsignal(number) != handler:
                signal.signal(number, handler)


def _standard_streams() -> StateValue:
    return sys.stdin, sys.stdout, sys.stderr


def _set_streams(value: StateValue) -> None:
    sys.stdin, sys.stdout, sys.stderr = value


INFERENCE = Kind(
    "torch's inference mode (torch.inference_mode)",
    torch.is_inference_mode_enabled, _set_inference, judging=lambda _: False, of_thread=True,
)  # fmt: skip
GRAD = Kind(
    "torch's grad mode (torch.set_grad_enabled)",
    torch.is_grad_enabled, torch._C._set_grad_enabled, judging=lambda _: True,
    compared=Frequency.EACH_RUN, of_thread=True,
)  # fmt: skip
AUTOCAST = Kind(
    "torch's autocast (torch.autocast)",
    _autocast_enabled, _set_autocast, judging=lambda _: (False, False), of_thread=True,
)  # fmt: skip
ANOMALY = Kind(
    "torch's anomaly mode (torch.autograd.set_detect_anomaly)",
    _anomaly_mode, lambda value: torch.set_anomaly_enabled(*value),
    judging=lambda value: (False, value[1]),
)  # fmt: skip
DTYPE = Kind(
    "torch's default dtype (torch.set_default_dtype)",
    torch.get_default_dtype, torch.set_default_dtype, compared=Frequency.EACH_RUN,
)  # fmt: skip
DEVICE = Kind(
    "torch's default device (torch.set_default_device)",
    _default_device, _set_default_device, judging=lambda _: None,
    compared=Frequency.EACH_RUN, of_thread=True,
)  # fmt: skip
DETERMINISTIC = Kind(
    "torch's deterministic mode (torch.use_deterministic_algorithms)",
    _deterministic_mode, _set_deterministic,
)  # fmt: skip
FLUSHING = Kind(
    "how tiny numbers are computed (torch.set_flush_denormal)",
    _flushes_denormals, torch.set_flush_denormal, judging=lambda _: False,
    compared=Frequency.EACH_RUN, of_thread=True,
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
    _NumPyErrors, _set_errors, judging=lambda _: _STANDARD_ERRORS, running=_value_of_caller,
    compared=Frequency.EACH_RUN, of_thread=True,
)  # fmt: skip
ERROR_CALL = Kind(
    "NumPy's handler of errors (np.seterrcall)",
    np.geterrcall, np.seterrcall, of_thread=True,
)  # fmt: skip
WARNINGS = Kind(
    "how warnings are treated (warnings.simplefilter)",
    _warnings_filters, _set_filters,
    judging=lambda filters: filters_with_action(IN_JUDGING, filters),
    running=lambda _, now: filters_with_action("ignore", now),
    compared=Frequency.EACH_RUN, by_libraries=True,
)  # fmt: skip
RECURSION = Kind(
    "Python's recursion limit (sys.setrecursionlimit)",
    sys.getrecursionlimit, sys.setrecursionlimit,
    judging=lambda limit: max(limit, 1_000) + MORE_FRAMES,
)  # fmt: skip
STREAMS = Kind("sys.stdin, sys.stdout or sys.stderr", _standard_streams, _set_streams)
FOLDER = Kind(
    "the working directory (os.chdir)",
    _working_directory,
    _set_working_directory,
    running=_value_of_caller,
)
ENVIRONMENT = Kind(
    "environment variables (os.environ)",
    lambda: dict(os.environ), _set_environment, by_libraries=True,
)  # fmt: skip
HANDLERS = Kind("signal handlers (signal.signal)", _signal_handlers, _set_handlers)
GENERATORS = (
    Kind(
        "torch's random numbers",
        torch.get_rng_state, torch.set_rng_state, compared=Frequency.NEVER,
    ),
    Kind("CUDA's random numbers", _cuda_generators, _set_cuda_generators, compared=Frequency.NEVER),
    Kind(
        "NumPy's random numbers",
        lambda: np.random.get_state(legacy=False), np.random.set_state, compared=Frequency.NEVER,
    ),
    Kind("Python's random numbers", random.getstate, random.setstate, compared=Frequency.NEVER),
)  # fmt: skip

KINDS = (
    INFERENCE, GRAD, AUTOCAST, ANOMALY, DTYPE, DEVICE, DETERMINISTIC, FLUSHING, THREADS, PRECISION,
    ERRORS, ERROR_CALL, WARNINGS, RECURSION, STREAMS, FOLDER, ENVIRONMENT, HANDLERS, *GENERATORS,
)  # fmt: skip
"""In the order in which they are put back: torch's inference mode sets its grad mode, too."""
