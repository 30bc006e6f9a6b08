"""Target tests: the targets of verifier.toml as tests of pytest, one each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from verifier.checking.defaults import Defaults, use_defaults
from verifier.commands.config.check_target import check_configured_target, settle_report
from verifier.commands.config.report import TargetResult
from verifier.commands.config.schema import ConfiguredTarget, read_config
from verifier.errors import InputError
from verifier.process.values import Options
from verifier.reporting.check_watcher import Unwatched
from verifier.reporting.text.terminal import WIDTH
from verifier.training.runner import always


class TargetFile(pytest.File):
    """A verifier.toml; each of its targets is a test."""

    defaults: Defaults

    @classmethod
    def at(cls, path: Path, parent: pytest.Collector, chosen: Options) -> TargetFile:
        """The file, with what was chosen for what it does not set."""
        file: TargetFile = cls.from_parent(parent, path=path)
        file.defaults = Defaults(**chosen)
        return file

    def collect(self) -> Iterator[TargetTest]:
        """A test for each target. Raises CollectError for a file that cannot be used."""
        try:
            with use_defaults(self.defaults):
                targets = read_config(self.path).targets
        except InputError as error:
            raise self.CollectError(str(error)) from None
        for place, target in enumerate(targets):
            # pytest's own names have :: between their parts; the same target may be checked on
            # several inputs.
            name = target.target.replace("::", ":")
            before = [other.target for other in targets[:place]].count(target.target)
            yield TargetTest.of(target, f"{name}[{before + 1}]" if before else name, self)


class TargetTest(pytest.Item):
    """Fails unless its target is verified, but for what is accepted."""

    target: ConfiguredTarget

    @classmethod
    def of(cls, target: ConfiguredTarget, name: str, parent: TargetFile) -> TargetTest:
        """The test of a target."""
        test: TargetTest = cls.from_parent(parent, name=name)
        test.target = target
        return test

    def runtest(self) -> None:
        """Check the target; fail, with the report, unless it is verified but for what is
        accepted.
        """
        refused: str | None = None
        try:
            report = check_configured_target(self.target, Unwatched(always))
        except InputError as error:
            refused = str(error)
        name = self.target.target
        if refused is not None:
            pytest.fail(f"{name}: not usable\n{name}: {refused}", pytrace=False)
        found = settle_report(report, self.target.accepted)
        result = TargetResult(
            name, found.outcome, found.exit_code,
            accepted=found.settled.accepted, stale=found.settled.stale,
        )  # fmt: skip
        if result.exit_code:
            lines = (line.plain.rstrip() for line in found.report.lines(WIDTH))
            lines_shown = [f"{result.target}: {result.outcome}", *result.sentences, "", *lines]
            pytest.fail("\n".join(lines_shown), pytrace=False)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where pytest says that the test is."""
        return self.path, None, f"target {self.name}"
