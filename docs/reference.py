"""Write the pages that come from the program itself: commands and gallery (`python docs/reference.py`)."""

import io
import os
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

from verifier.cli import app, run
from verifier.gallery import gallery, groups

FOLDER = Path(__file__).parent
COMMANDS = ("", *(command.name or command.callback.__name__ for command in app.registered_commands))


def commands() -> str:
    """What `--help` says of each command."""
    return "# Commands\n\nMade by `python docs/reference.py` from the program's own help.\n" + "".join(
        f"\n## verifier {command}".rstrip()
        + f"\n\n```console\n$ verifier {f'{command} '.lstrip()}--help\n{_help(command)}```\n"
        for command in COMMANDS
    )


def _help(command: str) -> str:
    with redirect_stdout(io.StringIO()) as shown:
        run([*command.split(), "--help"])
    return shown.getvalue()


def models() -> str:
    """The gallery, in groups by the loss."""
    return "\n".join(_models()) + "\n"


def _models() -> Iterator[str]:
    yield "# Gallery\n\nMade by `python docs/reference.py` from the models' files. `verifier train NAME` trains one,"
    yield "`verifier show NAME` writes its formula and gradient."
    for kind, group in groups(gallery().values()).items():
        yield f"\n## {kind[0].upper()}{kind[1:]}"
        for model in group:
            start = ", ".join(f"{name} = {value:g}" for name, value in model.start.items())
            yield f"\n### {model.name}\n\n{model.description}\n"
            yield f"Inputs: {', '.join(model.inputs) or 'none'}. Parameters: {start}."
            yield f"Settings: {', '.join(f'{key} {value}' for key, value in model.training.items()) or 'the defaults'}."


PAGES = {"commands.md": commands, "gallery.md": models}

if __name__ == "__main__":
    os.environ["COLUMNS"] = "80"
    for name, text in PAGES.items():
        (FOLDER / name).write_text(text(), encoding="utf-8")
