"""verifier: is this gradient right, how do we know, and if not, why?

This is the contents page. Names are loaded when they are first used, so that `import verifier` is
cheap and torch is imported only by what needs it.
"""

from types import ModuleType
from typing import TYPE_CHECKING, Any

from verifier.earlier_names import find_earlier_names

if TYPE_CHECKING:
    from verifier.checking.inputs import between as between
    from verifier.commands.check import assert_gradients as assert_gradients
    from verifier.commands.check import check as check
    from verifier.commands.explain import explain as explain
    from verifier.commands.lesson import Lesson as Lesson
    from verifier.commands.lesson import lesson as lesson
    from verifier.commands.selftest import Trials as Trials
    from verifier.commands.selftest import selftest as selftest
    from verifier.commands.train import train as train
    from verifier.commands.train_all import Summary as Summary
    from verifier.commands.train_all import train_all as train_all
    from verifier.commands.watch import watch as watch
    from verifier.errors import GradientError as GradientError
    from verifier.errors import InputError as InputError
    from verifier.explaining.explanation import Explanation as Explanation
    from verifier.formula.add_function import add_function as add_function
    from verifier.formula.arrays.start_values import normal as normal
    from verifier.formula.arrays.start_values import zeros as zeros
    from verifier.formula.gallery import load as load
    from verifier.formula.model import Model as Model
    from verifier.formula.model import model as model
    from verifier.judging.verdict import Comparison as Comparison
    from verifier.judging.verdict import Outcome as Outcome
    from verifier.losses import absolute_error as absolute_error
    from verifier.losses import binary_cross_entropy_with_logits as binary_cross_entropy_with_logits
    from verifier.losses import cross_entropy as cross_entropy
    from verifier.losses import focal as focal
    from verifier.losses import gaussian_nll as gaussian_nll
    from verifier.losses import hinge as hinge
    from verifier.losses import huber as huber
    from verifier.losses import log_cosh as log_cosh
    from verifier.losses import poisson_nll as poisson_nll
    from verifier.losses import quantile as quantile
    from verifier.losses import smooth_l1 as smooth_l1
    from verifier.losses import squared_error as squared_error
    from verifier.losses import squared_hinge as squared_hinge
    from verifier.reporting.check_report import CheckReport as CheckReport
    from verifier.reporting.training_report import Report as Report

_CONTENTS = {
    "CheckReport": "reporting.check_report",
    "Comparison": "judging.verdict",
    "Explanation": "explaining.explanation",
    "GradientError": "errors",
    "InputError": "errors",
    "Lesson": "commands.lesson",
    "Model": "formula.model",
    "Outcome": "judging.verdict",
    "Report": "reporting.training_report",
    "Summary": "commands.train_all",
    "Trials": "commands.selftest",
    "absolute_error": "losses",
    "add_function": "formula.add_function",
    "assert_gradients": "commands.check",
    "between": "checking.inputs",
    "binary_cross_entropy_with_logits": "losses",
    "check": "commands.check",
    "cross_entropy": "losses",
    "explain": "commands.explain",
    "focal": "losses",
    "gaussian_nll": "losses",
    "hinge": "losses",
    "huber": "losses",
    "lesson": "commands.lesson",
    "load": "formula.gallery",
    "log_cosh": "losses",
    "model": "formula.model",
    "normal": "formula.arrays.start_values",
    "poisson_nll": "losses",
    "quantile": "losses",
    "selftest": "commands.selftest",
    "smooth_l1": "losses",
    "squared_error": "losses",
    "squared_hinge": "losses",
    "train": "commands.train",
    "train_all": "commands.train_all",
    "watch": "commands.watch",
    "zeros": "formula.arrays.start_values",
}

_MODULES = ("functions", "losses")
"""Modules that people reach by their name alone: `verifier.functions.exp`."""

__version__ = "0.1.0"
__all__ = ["__version__", *_CONTENTS]  # noqa: PLE0604 (names from the table above)

find_earlier_names()


def __getattr__(name: str) -> Any:
    if name in _CONTENTS:
        return getattr(_module(_CONTENTS[name]), name)
    if name in _MODULES:
        return _module(name)
    raise AttributeError(f"module 'verifier' has no attribute {name!r}")


def _module(name: str) -> ModuleType:
    from verifier.process.imports import import_quietly
    from verifier.process.torch_version import require_torch

    require_torch()
    return import_quietly(f"verifier.{name}")
