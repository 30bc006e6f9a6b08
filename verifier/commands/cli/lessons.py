"""The commands lesson and selftest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from verifier.commands.cli.options import FilesGroup
from verifier.errors import InputError


@dataclass(frozen=True)
class LessonOptions(FilesGroup):
    """Which lesson."""

    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A lesson's name or number; else all are listed."),
    ] = None
    lang: Annotated[str, typer.Option(help="en, or zh for the first four.")] = "en"


def lesson(options: LessonOptions) -> None:
    """Walk through a lesson: its code is run and its claims are checked.

    Exit code: 0 where every claim holds, 1 where one does not, 2 the input cannot be used.
    """
    from verifier.commands.cli.command_run import CommandRun
    from verifier.commands.terminal import Outputs
    from verifier.commands.terminal.streams import write_line
    from verifier.process.workers.task import Task

    outputs = Outputs(json=options.json_file, html=options.html_file, detail=options.detail)
    outputs.check()
    if options.name is None:
        from verifier.explaining.lessons.reader import scripts

        if options.html_file is not None or options.json_file is not None:
            raise InputError(
                "--html and --json write one lesson: say which, as in verifier lesson quadratic "
                "--html FILE"
            )
        for found in scripts(options.lang):
            write_line(f"{found.number:>2}  {found.name:<13} {found.title}")
        return

    words = {"name": options.name, "lang": options.lang, "forms": asdict(outputs.forms)}
    run = CommandRun("lesson", options.name, outputs, options.debug)
    raise typer.Exit(run.code(Task("verifier.commands.tasks:lesson_task", words)))


@dataclass(frozen=True)
class SelftestOptions(FilesGroup):
    """How much the judge is tried."""

    seed: Annotated[int, typer.Option(min=0, help="Seed of the points that are tried.")] = 0
    quick: Annotated[bool, typer.Option("--quick", help="Try a part of it, in half a minute.")] = (
        False
    )


def selftest(options: SelftestOptions) -> None:
    """Put the judge on trial: plant wrong gradients, and let honest code pass.

    Exit code: 0 passed, 1 a wrong gradient that must be found was missed or honest code refused,
    2 the input cannot be used, 130 interrupted.
    """
    from verifier.commands.cli.command_run import CommandRun
    from verifier.commands.terminal import Outputs
    from verifier.process.workers.task import Task

    outputs = Outputs(json=options.json_file, html=options.html_file, detail=options.detail)
    outputs.check()
    words = {"seed": options.seed, "quick": options.quick, "forms": asdict(outputs.forms)}
    task = Task("verifier.commands.tasks:selftest_task", words)
    raise typer.Exit(CommandRun("selftest", "selftest", outputs, options.debug).code(task))
