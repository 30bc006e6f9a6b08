"""The targets of a file: what is checked of them, and what is written besides the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from verifier.commands.cli.command_run import CommandRun
from verifier.commands.cli.host import HOST
from verifier.commands.config.accept import write_accepted
from verifier.commands.config.changed import changed_targets
from verifier.commands.config.github import annotation_lines
from verifier.commands.config.junit import junit_xml
from verifier.commands.config.report import ConfigReport, TargetResult, target_json
from verifier.commands.config.run import ConfigRun, ignore_result
from verifier.commands.config.schema import Config, read_config
from verifier.commands.terminal import watch_signals
from verifier.commands.terminal.streams import write_line
from verifier.reporting import atomic_write
from verifier.reporting.rendering import render


@dataclass(frozen=True)
class ConfigFiles:
    """A file with targets, and where what becomes of them is written."""

    path: Path
    run: CommandRun
    junit: Path | None = None
    github: bool = False

    def code(self, since: str | None, reason: str | None, jobs: int) -> int:
        """Check the targets, or those that changed since a commit, and write what came of them; the
        exit code. With a reason what fails is written into the file as accepted.
        """
        whole = read_config(self.path)
        config = whole if since is None else changed_targets(whole, since)
        left_out = len(whole.targets) - len(config.targets)
        report = replace(self._checked(config, jobs), left_out=left_out)
        if reason is not None:
            report = replace(report, written=_accept(whole, report, reason))
        code = self._write(report)
        for result in report.results:
            if result.traceback:
                self.run.send_in(result.target, result.traceback)
        return code

    def _checked(self, config: Config, jobs: int) -> ConfigReport:
        outputs = self.run.outputs
        forms = replace(outputs.forms, text=True)
        with (
            watch_signals("check", outputs.detail) as monitor,
            _json_lines(outputs.json if outputs.has_json_lines else None) as on_result,
        ):
            plan = ConfigRun(HOST.get()(), self.run.limits, forms, jobs, on_result)
            return plan.report(config, monitor)

    def _write(self, report: ConfigReport) -> int:
        outputs = self.run.outputs
        if self.junit is not None:
            atomic_write.write(self.junit, junit_xml(report).encode("utf-8"))
        if outputs.has_json_lines:
            outputs = replace(outputs, json=None)
        rendered = render(report, outputs.forms)
        code = replace(self.run, outputs=outputs).write(rendered, report.exit_code)
        if self.github:
            for line in annotation_lines(report):
                write_line(line)
        return code


def _accept(config: Config, report: ConfigReport, reason: str) -> int:
    """Write what fails into the file as accepted; how many entries that are."""
    places = {id(target): place for place, target in enumerate(config.targets)}
    checked = zip(report.config.targets, report.results, strict=False)
    entries = {places[id(target)]: result.unaccepted for target, result in checked}
    return write_accepted(config, entries, reason)


@contextmanager
def _json_lines(path: Path | None) -> Iterator[Callable[[TargetResult], None]]:
    """Writes a line of JSON for each result as it comes, to a file or to none."""
    if path is None:
        yield ignore_result
        return
    with path.open("w", encoding="utf-8") as file:

        def write(result: TargetResult) -> None:
            text = json.dumps(target_json(result), allow_nan=False, ensure_ascii=False)
            file.write(f"{text}\n")
            file.flush()

        yield write
