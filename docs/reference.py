"""Write the pages that come from the program itself: limits, commands, settings and gallery
(`python docs/reference.py`).
"""

import io
import os
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np

from verifier import errors
from verifier.capture import to_numpy
from verifier.capture.target import pytree
from verifier.checking import failures, inputs, replay_command, settings
from verifier.commands import check
from verifier.commands.cli import app, run
from verifier.formula.arrays.start_values import Start
from verifier.formula.gallery import gallery, group_by_loss
from verifier.formula.text import parser
from verifier.judging import symbolic_limits
from verifier.process.setting import settings_of
from verifier.process.workers import relay, resource_limits
from verifier.program import sympy_form
from verifier.program.evaluation import balls
from verifier.reporting.content import check_failures, check_tables
from verifier.reporting.data import check_json
from verifier.training import findings, runner

FOLDER = Path(__file__).parent
COMMANDS = ("", *(command.name or command.callback.__name__ for command in app.registered_commands))


def commands() -> str:
    """What `--help` says of each command."""
    return (
        "# Commands\n\nMade by `python docs/reference.py` from the program's own help.\n"
        + "".join(
            f"\n## verifier {command}".rstrip()
            + f"\n\n```console\n$ verifier {f'{command} '.lstrip()}--help\n{_help(command)}```\n"
            for command in COMMANDS
        )
    )


def _help(command: str) -> str:
    with redirect_stdout(io.StringIO()) as shown:
        run([*command.split(), "--help"])
    return shown.getvalue()


def models() -> str:
    """The gallery, in groups by the loss."""
    return "\n".join(_models()) + "\n"


def _models() -> Iterator[str]:
    yield (
        "# Gallery\n\nMade by `python docs/reference.py` from the models' files. `verifier train "
        "NAME` trains one,"
    )
    yield "`verifier show NAME` writes its formula and gradient."
    for kind, group in group_by_loss(gallery().values()).items():
        yield f"\n## {kind[0].upper()}{kind[1:]}"
        for model in group:
            start = ", ".join(starting_from(name, value) for name, value in model.start.items())
            yield f"\n### {model.name}\n\n{model.description}\n"
            yield f"Inputs: {', '.join(model.inputs) or 'none'}. Parameters: {start}."
            settings_ = ", ".join(f"{key} {value}" for key, value in model.training.items())
            yield f"Settings: {settings_ or 'the defaults'}."


def check_settings() -> str:
    """The settings of a check, from the record of them."""
    known = settings.CheckSettings()
    rows = [
        f"| `{name}` | {', '.join(f'`{option}`' for option in setting.options_of(name))} "
        f"| {setting.help} | {_default(getattr(known, name))} | {setting.kind.wanted} |"
        for name, setting in settings_of(settings.CheckSettings).items()
    ]
    head = (
        "# Settings of a check\n\nMade by `python docs/reference.py` from the record of the "
        "settings.\n\nEach is a keyword of `verifier.check` and `verifier.assert_gradients`, a key "
        "of `verifier.toml`\nbelow `[settings]` or `[[target]]`, and an option of `verifier "
        "check`. What a list holds may also be\none text with commas in Python and behind an "
        "option.\n"
    )
    columns = ["| setting | option | what it does | default | takes |", "| --- " * 5 + "|"]
    return "\n".join([head, *columns, *rows, ""])


def _default(value: object) -> str:
    if value is None or value == ():
        return "none"
    return str(value).lower()


def starting_from(name: str, start: Start) -> str:
    """A parameter with its start value, or with its shape where that is an array."""
    return f"{name} = {start:g}" if isinstance(start, float) else f"{name} {np.shape(start)}"


def bounds() -> str:
    """Every limit, from where the program has it."""
    rows = [f"| {what} | {limit} | {beyond} |" for what, limit, beyond in _bounds()]
    head = (
        "# Limits in numbers\n\nMade by `python docs/reference.py` from the program's own "
        "constants.\n"
    )
    return "\n".join([head, "| what | limit | beyond it |", "| --- | ---: | --- |", *rows, ""])


def _bounds() -> Iterator[tuple[str, str, str]]:
    refused = "refused with a sentence"
    yield (
        "seconds for a target, where nothing else is said",
        f"{resource_limits.SECONDS:,.0f}",
        "the time runs out",
    )
    yield "`--timeout`, in seconds", f"{resource_limits.LONGEST:,.0f}", refused
    least, most = map(
        resource_limits.size_text, (resource_limits.LEAST_MEMORY, resource_limits.MOST_MEMORY)
    )
    yield "`--memory`", f"{least} to {most}", refused
    yield "`--jobs`", f"{resource_limits.MOST_JOBS}", refused
    yield "`--points`", f"{settings.MOST_POINTS:,}", refused
    yield "`--seed`", f"{settings.LARGEST_SEED:,}", refused
    yield "`--digits`", f"{settings.MOST_DIGITS}", refused
    yield "`--epochs`", f"{runner.MOST_EPOCHS:,}", refused
    least_ = f"{check.LEAST_FOR_CAUSES:g} seconds or as long as the judging took"
    yield "the search for causes", least_, "what was found so far is named"
    yield (
        "tries to make a failing point simpler",
        f"{failures.TRIES}",
        "the simplest so far is shown",
    )
    yield "characters that the code under test prints", f"{relay.MOST:,}", "left out, and said"
    yield "characters of a formula", f"{parser.LONGEST:,}", refused
    yield (
        "digits of a number in a formula as SymPy writes it",
        f"{sympy_form.LONGEST_NUMBER:,}",
        "not written out",
    )
    yield "numbers of an input", f"{inputs.LARGEST:,}", refused
    yield "bits of an exact value", f"{balls.LAST_BITS:,}", "undecided there"
    yield "axes of a tensor", f"{to_numpy.MOST_AXES}", refused
    yield "levels of parts within parts of an input", f"{pytree.DEEPEST}", refused
    yield "seconds for limits at a point", f"{symbolic_limits.SECONDS:g}", "undecided there"
    yield (
        "seconds for all limits of a check",
        f"{symbolic_limits.IN_ALL:g}",
        "undecided from there on",
    )
    yield "characters of an exception's message", f"{errors.LONGEST_MESSAGE:,}", "cut, and said"
    yield "characters of a traceback", f"{errors.LONGEST_TRACEBACK:,}", "cut, and said"
    yield "numbers in a `try` command", f"{replay_command.MOST_NUMBERS}", "no command is shown"
    yield "numbers of a tensor in the JSON", f"{check_json.KEPT:,}", "its shape only"
    kept = f"{check_json.KEPT_SIMPLEST:,}"
    yield "numbers of a tensor at the simplest failing point in the JSON", kept, "its shape only"
    yield "components in the text, of each dtype", f"{check_tables.SHOWN}", "the worst are shown"
    yield "failures in full in the text", f"{check_failures.MOST}", "counted"
    yield (
        "steps of a training that are kept",
        f"{findings.KEPT_STEPS:,}",
        "first, last, worst and failing ones",
    )


PAGES = {
    "bounds.md": bounds,
    "commands.md": commands,
    "gallery.md": models,
    "settings.md": check_settings,
}

if __name__ == "__main__":
    os.environ["COLUMNS"] = "80"
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
