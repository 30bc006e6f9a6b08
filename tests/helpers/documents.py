"""Documents that are run: every block of code and every transcript, in order, in one folder.

- `python`: run, all blocks of a page in one scope; a first line `# name.py` also makes the block
  that file, and its functions `test_...` are called. A `text` block right behind it is what it
  prints.
- `console`: each `$ verifier ...` is run and what follows is what it shows (a line `...` stands for
  any lines); `$ cat FILE` makes the file of what follows; `$ echo $?` shows the exit code of the
  command before. Commands are run in this process, but in workers on a page whose code ends its
  process.
- `yaml`: its lines `run: verifier ...` are run.
- `sh` is for what is typed outside a document: `make`, `pip`, and `pytest` with the options of our
  plugin.
"""

import io
import os
import re
import shlex
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from verifier.commands.cli import run
from verifier.commands.pytest_plugin.plugin import _SETTINGS
from verifier.process.workers.supervisor import Host, InThisProcess, InWorkers

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted(
    path
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
    if BLOCK.search(path.read_text("utf-8"))
)

OPTIONS = {"--verifier", *(setting.option for setting in _SETTINGS)}


def played(text: str, folder: Path) -> str:
    """The document with what its blocks really show, which is the same text if it is true."""
    player = _Player(folder, InWorkers() if "os._exit" in text else InThisProcess())
    with chdir(folder), patch.dict(os.environ, COLUMNS="80"):
        return BLOCK.sub(lambda block: f"```{block[1]}\n{player.play(block[1], block[2])}```", text)


class _Player:
    def __init__(self, folder: Path, host: Host) -> None:
        self._folder, self._host = folder, host
        self._scope: dict[str, object] = {"__name__": "example"}
        self._printed: str | None = None
        self._code = 0

    def play(self, language: str, content: str) -> str:
        printed, self._printed = self._printed, None
        if language == "text":
            assert printed is not None, "a text block stands behind the code that prints it"
            return _with_elisions(content, printed)
        return {
            "python": self._python,
            "console": self._console,
            "yaml": self._yaml,
            "sh": self._sh,
        }[language](content)

    def _python(self, content: str) -> str:
        name = re.match(r"# ([\w/]+\.py)\n", content)
        path = self._folder / (name[1] if name else "example.py")
        path.write_text(content, encoding="utf-8")
        before = set(self._scope)
        with redirect_stdout(io.StringIO()) as shown:
            exec(compile(content, path, "exec"), self._scope)
            for test in [
                test for test in self._scope if test.startswith("test_") and test not in before
            ]:
                self._scope[test]()
        self._printed = shown.getvalue()
        return content

    def _console(self, content: str) -> str:
        parts = re.split(r"^\$ (.+)\n", content, flags=re.MULTILINE)
        assert not parts[0], "a transcript begins with a command"
        return "".join(
            f"$ {command}\n{_with_elisions(shown, self._command(command, shown))}"
            for command, shown in zip(parts[1::2], parts[2::2], strict=True)
        )

    def _command(self, command: str, shown: str) -> str:
        program, *words = shlex.split(command)
        if program == "cat":
            (self._folder / words[0]).write_text(shown, encoding="utf-8")
            return shown
        if program == "echo":
            return f"{self._code}\n"
        assert program == "verifier", command
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            self._code = run(words, self._host)
        return out.getvalue() + err.getvalue()

    def _yaml(self, content: str) -> str:
        for command in re.findall(r"run: (verifier .+)", content):
            self._command(command, "")
            assert self._code == 0, command
        return content

    def _sh(self, content: str) -> str:
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        for line in content.splitlines():
            program, *words = shlex.split(line, comments=True)
            assert program in ("make", "pip", "pytest"), line
            assert (
                program != "pytest" or {word for word in words if word.startswith("--")} <= OPTIONS
            ), line
            assert program != "make" or f"\n{words[0]}:" in makefile, line
        return content


def _with_elisions(told: str, shown: str) -> str:
    """What was told, where `...` lines stand for some of what is shown; else what is shown."""
    pattern = "(?:.*\n)*?".join(map(re.escape, re.split(r"^\.\.\.\n", told, flags=re.MULTILINE)))
    return told if re.fullmatch(pattern, shown) else shown
