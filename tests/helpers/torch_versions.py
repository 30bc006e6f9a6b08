"""What older versions of torch lack or do otherwise: such a case is skipped, with the reason."""

from collections.abc import Iterable, Mapping

import pytest
import torch

VERSION = tuple(int(part) for part in torch.__version__.split(".")[:2])
Reasons = Mapping[str, tuple[str, str]]


def from_torch(version: str, reason: str) -> pytest.MarkDecorator:
    """A mark: the test is skipped before this version of torch, whose `reason` is shown."""
    least = tuple(int(part) for part in version.split("."))
    return pytest.mark.skipif(least > VERSION, reason=f"before torch {version} {reason}")


def marked(cases: Iterable[str], later: Reasons) -> list:
    """The cases as parameters of a test; those that `later` names need the version it says."""
    return [
        pytest.param(case, marks=from_torch(*later[case]), id=case) if case in later else case
        for case in cases
    ]
