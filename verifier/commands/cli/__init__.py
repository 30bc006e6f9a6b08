"""The command line. Reports go to standard output; progress and messages to standard error.

Each command is a record of its options and a function on it. Whatever is heavy to load is loaded
where a command needs it, so that the help comes at once.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

import verifier
from verifier.commands.cli import checks, lessons, models
from verifier.commands.cli.host import HOST, in_this_process, in_workers
from verifier.commands.cli.record_command import add_command
from verifier.commands.terminal.streams import (
    ReaderGoneError,
    discard_output,
    print_refusal,
    settle_streams,
    write_message,
)
from verifier.errors import InputError, reason_of, too_long
from verifier.process.torch_version import require_torch
from verifier.process.values import UserValue

if TYPE_CHECKING:
    from verifier.process.workers.supervisor import Host

app = typer.Typer(
    name="verifier",
    help="Is this gradient right, how do we know, and if not, why?",
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"verifier {verifier.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


add_command(
    app, models.ListOptions, models.list_models, name="list", epilog="Example: verifier list"
)
add_command(
    app,
    models.ShowOptions,
    models.show,
    name="show",
    epilog="Examples: verifier show quadratic; verifier show quadratic --torch > loop.py",
)
add_command(
    app,
    models.TrainOptions,
    models.train,
    name="train",
    epilog="Examples: verifier train quadratic; verifier train linear --epochs 10 --every 1 "
    "--predict x=4; "
    "verifier train my_models.py::bump --dtype float64 --json report.json; "
    "verifier train rosenbrock --html report.html",
)
add_command(
    app,
    models.ExplainOptions,
    models.explain,
    name="explain",
    epilog="Examples: verifier explain quadratic --at x=3,y=6; verifier explain quadratic --step 6 "
    "--html step.html; "
    "verifier explain --formula 'exp(-k*t)' --input t --at t=2,y=0.5,k=0.3",
)
add_command(
    app,
    lessons.LessonOptions,
    lessons.lesson,
    name="lesson",
    epilog="Examples: verifier lesson; verifier lesson quadratic; verifier lesson tensor --lang zh",
)
add_command(
    app,
    checks.CheckOptions,
    checks.check,
    name="check",
    epilog="Examples: verifier check losses.py::focal --input p=0:1:32 --formula "
    "'-(1-p)**2*log(p)'; "
    "verifier check torch.nn.functional:gelu --input input=-4:4:8 --dtype bfloat16; "
    "verifier check layers.py::MyNorm --input x=-2:2:4x8 --reference layers.py::plain_norm; "
    "verifier check --config verifier.toml",
)
add_command(
    app,
    lessons.SelftestOptions,
    lessons.selftest,
    name="selftest",
    epilog="Examples: verifier selftest --quick; verifier selftest --seed 1 --html trials.html",
)

# typer brings its own copy of click or uses the installed one, depending on its version.
_UsageError: UserValue = typer.BadParameter.__base__


def main() -> None:
    """Run the command line, each task in a process of its own, and exit with its code."""
    code = _run(sys.argv[1:], in_workers)
    settle_streams()
    sys.exit(code)


def run(arguments: list[str], host: Host | None = None) -> int:
    """The exit code of these arguments; what cannot be used is one sentence on standard error and
    2.

    Without a host tasks are done in this process, as tests want it.
    """
    return _run(arguments, in_this_process if host is None else lambda: host)


def _run(arguments: list[str], make_host: Callable[[], Host]) -> int:
    before = HOST.set(make_host)
    try:
        return _run_arguments(arguments)
    finally:
        HOST.reset(before)


def _run_arguments(arguments: list[str]) -> int:
    try:
        require_torch()
        words = list(_with_terminal(arguments)) or ["--help"]
        result = app(words, standalone_mode=False, prog_name="verifier")
        if sys.stdout is not None:
            sys.stdout.flush()
    except InputError as error:
        return print_refusal(error.sentence, error.excerpt)
    except _UsageError as error:
        return print_refusal(
            f"{error.format_message().rstrip('.')} ({_help_for(error, arguments)})"
        )
    except typer.Exit as error:
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        write_message("verifier: interrupted\n")
        return 130
    except (ReaderGoneError, BrokenPipeError, SystemExit):
        # What shows the help exits where nobody reads it.
        discard_output(sys.stdout)
        return 0
    except OSError as error:
        return print_refusal(too_long(error) or f"cannot write the report: {reason_of(error)}")
    except Exception as error:
        return _internal_error(error, "--debug" in arguments)
    return result if isinstance(result, int) else 0


def _with_terminal(words: list[str]) -> Iterator[str]:
    """The words, with --plot - where --plot stands without a file: typer has no word for that."""
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else "--"
        yield word
        if word == "--plot" and following.startswith("-") and following != "-":
            yield "-"


def _help_for(error: UserValue, arguments: list[str]) -> str:
    """Which help to ask for: that of the command that was typed."""
    context = getattr(error, "ctx", None)
    if context is not None:
        return f"{context.command_path} --help"
    commands = {command.name for command in app.registered_commands}
    typed = next((word for word in arguments if word in commands), "")
    return f"{f'verifier {typed}'.rstrip()} --help"


def _internal_error(error: Exception, debug: bool) -> int:
    from verifier.commands.cli.command_run import report_internal_error

    return report_internal_error(type(error).__name__, traceback.format_exc(), debug)
