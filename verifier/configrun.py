"""Config run: the targets of verifier.toml checked one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import verifier
from verifier.acceptance import settled
from verifier.config import Config, ConfiguredTarget
from verifier.configreport import CheckedTarget, ConfigReport, Refused, TargetResult
from verifier.errors import InputError
from verifier.runner import always


def run_config(config: Config, keep_going: Callable[[int, int], bool] = always) -> ConfigReport:
    """Check each target, in the file's order.

    `keep_going` is asked before each, and while it is checked, with how many are done and how many there are. A
    target that cannot be used does not keep the others from being checked.
    """
    results: list[TargetResult] = []

    def going(*_dtypes: int) -> bool:
        return keep_going(len(results), len(config.targets))

    for target in config.targets:
        if (results and results[-1].exit_code == 130) or not going():
            break
        results.append(run_target(target, going))
    return ConfigReport(config, tuple(results))


def run_target(target: ConfiguredTarget, keep_going: Callable[[int, int], bool] = always) -> TargetResult:
    """The target with its report; or why it cannot be used."""
    try:
        report = verifier.check(target.placed(target.target), keep_going=keep_going, **_given(target))
    except InputError as error:
        return Refused(target, str(error))
    found = settled(report.checked, target.accepted)
    return CheckedTarget(target, report, replace(report, checked=found.left), found)


def _given(target: ConfiguredTarget) -> dict[str, Any]:
    settings = target.settings
    return {
        # By its name: reading inputs loads torch.
        "inputs": import_module("verifier.inputs").parsed(target.words),
        "formula": target.formula,
        "reference": target.placed(target.reference) if target.reference else None,
        "reduction": target.reduction,
        "dtypes": settings.dtypes or None,
        "points": settings.points,
        "seed": settings.seed,
        "without": settings.without,
        "digits": settings.digits,
        "timeout": settings.timeout,
        "honour_detach": settings.honour_detach,
    }
