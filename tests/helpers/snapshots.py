"""The state of this process, read and changed by other means than verifier's own, which is not
loaded for it.
"""

import io
import os
import random
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import torch


def snapshot():
    """All state that is kept, read by other means than verifier's own."""
    return {
        "grad": (
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.is_anomaly_enabled(),
        ),
        "autocast": torch.is_autocast_enabled("cpu"),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "deterministic": torch.get_deterministic_debug_mode(),
        "threads": torch.get_num_threads(),
        "products": torch.get_float32_matmul_precision(),
        "tiny": (torch.tensor(5e-324, dtype=torch.float64, device="cpu") * 1).item() == 0.0,
        "numpy": (np.geterr(), np.geterrcall()),
        "warnings": (id(warnings.filters), list(warnings.filters), warnings.showwarning),
        "limit": sys.getrecursionlimit(),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "folder": Path.cwd(),
        "environment": dict(os.environ),
        "handlers": {name: signal.getsignal(name) for name in signal.valid_signals()},
        "drawn": (
            str(torch.get_rng_state().tolist()),
            str(np.random.get_state()),
            str(random.getstate()),
        ),
    }


def entered(guard):
    """Enter, and keep what would leave when it is forgotten."""
    _KEPT.append(guard)
    guard.__enter__()


_KEPT = []


def _of_the_code(number, frame):
    """A handler that code under test sets: unlike SIG_IGN, which a shell may have set before the
    tests.
    """


CHANGES = {
    "torch's inference mode (torch.inference_mode)": lambda: entered(torch.inference_mode()),
    "torch's grad mode (torch.set_grad_enabled)": lambda: torch.set_grad_enabled(False),
    "torch's autocast (torch.autocast)": lambda: torch.set_autocast_enabled("cpu", True),
    "torch's anomaly mode (torch.autograd.set_detect_anomaly)": lambda: (
        torch.autograd.set_detect_anomaly(True)
    ),
    "torch's default dtype (torch.set_default_dtype)": lambda: torch.set_default_dtype(
        torch.float64
    ),
    "torch's default device (torch.set_default_device)": lambda: torch.set_default_device("meta"),
    "torch's deterministic mode (torch.use_deterministic_algorithms)": lambda: (
        torch.use_deterministic_algorithms(True)
    ),
    "how tiny numbers are computed (torch.set_flush_denormal)": lambda: torch.set_flush_denormal(
        True
    ),
    "the number of torch's threads (torch.set_num_threads)": lambda: torch.set_num_threads(
        torch.get_num_threads() + 1
    ),
    "the precision of torch's products of matrices (torch.set_float32_matmul_precision)": lambda: (
        torch.set_float32_matmul_precision("medium")
    ),
    "NumPy's error handling (np.seterr)": lambda: np.seterr(all="raise"),
    "NumPy's handler of errors (np.seterrcall)": lambda: np.seterrcall(print),
    "how warnings are treated (warnings.simplefilter)": lambda: warnings.filterwarnings(
        "error", ".*"
    ),
    "Python's recursion limit (sys.setrecursionlimit)": lambda: sys.setrecursionlimit(900),
    "sys.stdin, sys.stdout or sys.stderr": lambda: setattr(sys, "stdout", io.StringIO()),
    "the working directory (os.chdir)": lambda: os.chdir("/"),
    "environment variables (os.environ)": lambda: os.environ.update(VERIFIER_TEST="1"),
    "signal handlers (signal.signal)": lambda: signal.signal(signal.SIGTERM, _of_the_code),
}
SEEDS = {
    "torch's random numbers": lambda: torch.manual_seed(1),
    "NumPy's random numbers": lambda: np.random.seed(1),
    "Python's random numbers": lambda: random.seed(1),
}
