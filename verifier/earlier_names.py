"""The names that modules had before they moved into packages or got a clearer name: what imports
them gets the module of today.

>>> from verifier.modeling import Model
>>> Model.__module__
'verifier.formula.model'
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

MODULES = {
    "verifier.capture.statements": "verifier.capture.code_at_point",
    "verifier.checked": "verifier.checking.check_result",
    "verifier.checking.records": "verifier.checking.check_result",
    "verifier.checkreport": "verifier.reporting.check_report",
    "verifier.cli": "verifier.commands.cli",
    "verifier.diagnose": "verifier.judging.causes.scalar_gradients",
    "verifier.diagram": "verifier.explaining.drawing.graph_svg",
    "verifier.examination": "verifier.judging.examination",
    "verifier.examine": "verifier.judging.examine",
    "verifier.explaining.records": "verifier.explaining.explained_step",
    "verifier.explanation": "verifier.explaining.explanation",
    "verifier.extending": "verifier.formula.add_function",
    "verifier.findings": "verifier.training.findings",
    "verifier.gallery": "verifier.formula.gallery",
    "verifier.inputs": "verifier.checking.inputs",
    "verifier.judge": "verifier.judging.verdict",
    "verifier.modeling": "verifier.formula.model",
    "verifier.pictures": "verifier.reporting.html.training_plots",
    "verifier.plugin": "verifier.commands.pytest_plugin.plugin",
    "verifier.reading": "verifier.commands.show",
    "verifier.report": "verifier.reporting.training_report",
    "verifier.runner": "verifier.training.runner",
    "verifier.specification": "verifier.judging.reference",
    "verifier.subject": "verifier.capture.code_at_point",
    "verifier.summary": "verifier.commands.train_all",
    "verifier.trialreport": "verifier.commands.selftest",
    "verifier.twins": "verifier.testing.equivalent_mutants",
}
MEMBERS = {
    "verifier.checking": {
        "check": "verifier.commands.check",
        "assert_gradients": "verifier.commands.check",
    },
    "verifier.explaining": {"explain": "verifier.commands.explain"},
    "verifier.training": {"train": "verifier.commands.train"},
}
"""What was in a module whose name a package has now."""


def members(package: str) -> Callable[[str], Any]:
    """The `__getattr__` of the `package` of that dotted name for what was in the module of its
    name.
    """

    def found(name: str) -> Any:
        if name not in MEMBERS[package]:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        from verifier.process.imports import import_quietly

        return getattr(import_quietly(MEMBERS[package][name]), name)

    return found


class Finder:
    """Finds a module of today by the name that it had; the only one of its kind that Python
    asks.
    """

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """A specification for a name in `MODULES`; None lets Python ask its other finders."""
        return ModuleSpec(name, cls()) if name in MODULES else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Python makes one, which the module of today replaces."""

    def exec_module(self, module: ModuleType) -> None:
        """Put the module of today into `sys.modules` under the earlier name."""
        sys.modules[module.__name__] = import_module(MODULES[module.__name__])

    def get_code(self, name: str) -> CodeType | None:
        """What `python -m` runs."""
        loader: Any = getattr(import_module(MODULES[name]).__spec__, "loader", None)
        code: CodeType | None = loader.get_code(MODULES[name])
        return code


def find_earlier_names() -> None:
    """From now on Python finds them, before any file of an older installation."""
    if Finder not in sys.meta_path:
        sys.meta_path.insert(0, Finder)
