"""The command check: one target, or those of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from verifier.checking.settings import CheckSettings
from verifier.commands.cli.options import FilesGroup, UndecidedGroup, given_options
from verifier.errors import InputError
from verifier.process.setting import SettingValue
from verifier.process.values import UserValue
from verifier.process.workers.resource_limits import MOST_JOBS, SECONDS

if TYPE_CHECKING:
    from verifier.commands.cli.command_run import CommandRun


@dataclass(frozen=True)
class TargetGroup:
    """What is checked, and with what it is compared."""

    target: Annotated[
        str | None,
        typer.Argument(metavar="TARGET", help="path/to/file.py::name or package.module:name."),
    ] = None
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "-i",
            metavar="x=-2:2:4x3",
            help="An argument: x=-2:2:4x3 is drawn between -2 and 2 in that shape; x=[1,2.5] and "
            "t=int[0,1] are tensors; g=2, flag=true, mode=sum are constants; x=@data.npy, "
            "@data.pt and @data.csv:column are read.",
        ),
    ] = None
    formula: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="The right formula; without a TARGET it is checked itself."
        ),
    ] = None
    reduction: Annotated[
        str | None,
        typer.Option(help="What is done with the formula's elements: none, sum or mean."),
    ] = None
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET", help="A plain version. The derivative of its forward is right."
        ),
    ] = None
    make: Annotated[
        str | None,
        typer.Option(
            metavar="CALL",
            help="In place of TARGET, what is made first: 'layers.py::Block(dim=16, heads=2)'.",
        ),
    ] = None


@dataclass(frozen=True)
class SettingsGroup:
    """How it is checked."""

    settings: Annotated[Mapping[str, SettingValue], CheckSettings] = field(default_factory=dict)
    """Those that were typed."""
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Memory that a target may hold, as in 4G; else no limit is set."
        ),
    ] = None


@dataclass(frozen=True)
class ConfigGroup:
    """The targets of a file."""

    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Check the targets of a verifier.toml instead."),
    ] = None
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_JOBS, metavar="N", help="Check N targets of the file at once; else 1."
        ),
    ] = None
    changed: Annotated[
        str | None,
        typer.Option(
            metavar="COMMIT",
            help="Check the targets of the file alone whose code or imports changed since then.",
        ),
    ] = None
    accept: Annotated[
        str | None,
        typer.Option(
            metavar="REASON", help="Write what fails into the file as accepted, for that reason."
        ),
    ] = None
    junit: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the targets of the file as JUnit's XML."),
    ] = None
    github: Annotated[
        bool,
        typer.Option("--github", help="Print annotations for GitHub at the lines of backwards."),
    ] = False

    @property
    def asks_for_a_file(self) -> list[str]:
        """What was typed that only the targets of a file have."""
        settings = {
            "--jobs": self.jobs, "--changed": self.changed, "--accept": self.accept,
            "--junit": self.junit, "--github": self.github or None,
        }  # fmt: skip
        return [option for option, value in settings.items() if value is not None]


@dataclass(frozen=True)
class CheckOptions(FilesGroup, UndecidedGroup, ConfigGroup, SettingsGroup, TargetGroup):
    """What is checked, how, and what is shown of it."""

    markdown: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the report as Markdown, for the summary of a CI job."
        ),
    ] = None

    @property
    def made(self) -> str | None:
        """The target, or what is made first."""
        if self.make is not None and self.target is not None:
            raise InputError("--make says what is made and checked: give it in place of TARGET")
        return self.make or self.target

    @property
    def given(self) -> dict[str, UserValue]:
        """The settings that were typed, and what the code is compared with."""
        expected = given_options(
            formula=self.formula, reference=self.reference, reduction=self.reduction
        )
        return {**expected, **self.settings}


def check(options: CheckOptions) -> None:
    """Check the gradients of your own code on tensors.

    TARGET is path/to/file.py::name or package.module:name: a function, an autograd.Function, a
    torch module. The expected gradient comes from --formula, --reference, or the forward itself.

    The code runs in a process of its own. Exit code: 0 verified, 1 something disagrees, 2 the input
    cannot be used, the code ends the process, or the time runs out, 3 something has no decided
    comparison, 4 an internal error, 130 interrupted.
    """
    from verifier.commands.cli.command_run import CommandRun, files_of
    from verifier.commands.terminal import Outputs
    from verifier.process.workers.resource_limits import ResourceLimits, check_seconds, parse_size

    outputs = Outputs(
        options.json_file, None, options.html_file, options.markdown, junit=options.junit,
        detail=options.detail,
    )  # fmt: skip
    target = options.made
    outputs.check(files_of(target, options.reference, data=options.config))
    asked = options.settings.get("timeout")
    seconds = check_seconds(asked) if isinstance(asked, float) else SECONDS
    limits = ResourceLimits(seconds, parse_size(options.memory) if options.memory else None)
    subject = str(options.config) if options.config else target or options.formula
    run = CommandRun("check", subject, outputs, options.debug, limits)
    if options.config is not None:
        code = _check_all(options, options.config, run)
    else:
        code = _check_one(options, target, run)
    raise typer.Exit(options.allowed(code))


def _check_one(options: CheckOptions, target: str | None, run: CommandRun) -> int:
    from verifier.process.workers.task import Task

    if options.asks_for_a_file:
        raise InputError(
            f"{options.asks_for_a_file[0]} is for the targets of a file: give it with --config"
        )
    if target is None and options.formula is None:
        raise InputError(
            "say what to check: path/to/file.py::name, package.module:name, or --formula "
            "'x*exp(-x)'"
        )
    words = {
        "target": target,
        "inputs": options.inputs or [],
        "settings": options.given,
        "seconds": run.limits.seconds,
        "forms": asdict(run.outputs.forms),
    }
    return run.code(Task("verifier.commands.tasks:check_task", words))


def _check_all(options: CheckOptions, config: Path, run: CommandRun) -> int:
    """Check the targets of a file and write their table; the exit code."""
    from verifier.commands.cli.config_files import ConfigFiles

    if options.html_file is not None:
        raise InputError("--html writes the page of one target: give it without --config")
    if options.made or options.inputs or options.given:
        raise InputError(
            "--config says what is checked, and how: give it with --json, --markdown, --junit, "
            "--github, --changed, --accept, --jobs and --memory only"
        )
    if options.accept is not None and not options.accept.strip():
        raise InputError("--accept takes the reason, as in --accept 'torch issue 12345'")
    files = ConfigFiles(config, run, options.junit, options.github)
    return files.code(options.changed, options.accept, options.jobs or 1)
