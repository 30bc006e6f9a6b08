"""Target tests: the targets of verifier.toml as tests of pytest, one each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from verifier.config import ConfiguredTarget, read_config
from verifier.configreport import TargetResult
from verifier.configrun import run_target
from verifier.defaults import Defaults, using
from verifier.errors import InputError
from verifier.layout import WIDTH


class TargetFile(pytest.File):
    """A verifier.toml; each of its targets is a test."""

    defaults: Defaults

    @classmethod
    def at(cls, path: Path, parent: pytest.Collector, chosen: Mapping[str, Any]) -> TargetFile:
        """The file, with what was chosen for what it does not set."""
        file: TargetFile = cls.from_parent(parent, path=path)
        file.defaults = Defaults(**chosen)
        return file

    def collect(self) -> Iterator[TargetTest]:
        try:
            with using(self.defaults):
                targets = read_config(self.path).targets
        except InputError as error:
            raise self.CollectError(str(error)) from None
        for place, target in enumerate(targets):
            # pytest's own names have :: between their parts; the same target may be checked on several inputs.
            name = target.target.replace("::", ":")
            before = [other.target for other in targets[:place]].count(target.target)
            yield TargetTest.of(target, f"{name}[{before + 1}]" if before else name, self)


class TargetTest(pytest.Item):
    """Fails unless its target is verified, but for what is accepted."""

    target: ConfiguredTarget

    @classmethod
    def of(cls, target: ConfiguredTarget, name: str, parent: TargetFile) -> TargetTest:
        test: TargetTest = cls.from_parent(parent, name=name)
        test.target = target
        return test

    def runtest(self) -> None:
        result = run_target(self.target)
        if result.exit_code:
            pytest.fail("\n".join(_told(result)), pytrace=False)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"target {self.name}"


def _told(result: TargetResult) -> Iterator[str]:
    """What is wrong with a target."""
    yield f"{result.target.target}: {result.outcome}"
    yield from result.sentences
    if result.report is not None:
        yield ""
        yield from (line.plain.rstrip() for line in result.report.lines(WIDTH))
