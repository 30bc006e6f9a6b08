"""Scripts: the lessons as they are written, in the folder `texts`.

A lesson is a Markdown file, `03_quadratic.md`. Its Python blocks are run in order, in one
namespace, and what they print stands below them. Numbers in the text are never written out:
`{report.loss:.3g}` is filled in from that namespace. A `claim` block is TOML: a figure, the
variable that measures it, and the command that gives it.

    ```claim
    quantity = "the prediction at x = 4"
    value = 8.3240966796875
    measured = "prediction"
    command = "verifier train quadratic --predict x=4"
    json = "predictions.0.autograd"
    ```

With `digits = 5` it is checked to so many significant digits, else to the last bit. `json` says
where the figure stands in the JSON of the command; a claim without it is given by the lesson alone.

A `plot` block is TOML as well: what a figure is called, and the code that measures its numbers,
which only pages run and no reader sees.

A translation, `03_quadratic.zh.md`, has the same blocks in the same order. It leaves the Python
blocks empty, and says only what is another word in a claim, its `quantity`, or in a plot.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from verifier.errors import InputError

LANGUAGES = ("en", "zh")
FOLDER = Path(__file__).parent / "texts"


@dataclass(frozen=True)
class Claim:
    """A figure, and how it is checked."""

    quantity: str
    value: float
    measured: str
    """The variable of the lesson's code that measures it."""
    command: str
    """The command that gives it."""
    json: str | None = None
    """Where it stands in the JSON of that command."""
    digits: int | None = None
    """To so many significant digits; None is to the last bit."""

    def holds(self, measured: float) -> bool:
        """Whether what was measured is the figure."""
        if self.digits is None:
            return measured == self.value
        return f"{measured:.{self.digits - 1}e}" == f"{self.value:.{self.digits - 1}e}"


@dataclass(frozen=True)
class ClaimResult:
    """A claim, and what a run has just measured."""

    claim: Claim
    measured: float

    @property
    def holds(self) -> bool:
        """Whether what was measured is the figure."""
        return self.claim.holds(self.measured)


@dataclass(frozen=True)
class Plot:
    """A figure as it is written."""

    name: str
    title: str
    caption: str
    """With places for what its code has measured."""
    x: str
    y: str
    """What stands along the axes."""
    code: str
    labels: Mapping[str, str] = field(default_factory=dict)
    """What curves and points are called in another language."""
    slider: str = ""
    """What the slider is called, where there is one."""


@dataclass(frozen=True)
class Passage:
    """Text in Markdown."""

    text: str


@dataclass(frozen=True)
class Code:
    """Python, and what it printed; nothing before it was run."""

    source: str
    printed: str = ""


Written = Passage | Code | Claim | Plot
"""A part of a lesson as it is written."""


@dataclass(frozen=True)
class Script:
    """A lesson as it is written."""

    number: int
    name: str
    language: str
    title: str
    parts: tuple[Written, ...]

    @property
    def command(self) -> str:
        """The command that shows it."""
        return f"verifier lesson {self.name}" + (
            f" --lang {self.language}" if self.language != LANGUAGES[0] else ""
        )


def scripts(language: str = LANGUAGES[0]) -> tuple[Script, ...]:
    """All lessons in that `language` as they are written, in order.

    Raises InputError for another language than those in LANGUAGES.
    """
    if language not in LANGUAGES:
        raise InputError(
            f"there are no lessons in {language!r}: there are {' and '.join(LANGUAGES)}"
        )
    written = [
        _read_script(path) for path in sorted(FOLDER.glob("*.md")) if path.name.count(".") == 1
    ]
    if language == LANGUAGES[0]:
        return tuple(written)
    places = [
        (script, FOLDER / f"{script.number:02}_{script.name}.{language}.md") for script in written
    ]
    return tuple(_translate(script, path, language) for script, path in places if path.is_file())


def script(name: str, language: str = LANGUAGES[0]) -> Script:
    """The lesson of that `name` or number as it is written in that `language`.

    Raises InputError where there is none, or none in that language.
    """
    original = _script_named(scripts(), name)
    if original is None:
        every = [written.name for written in scripts()]
        near = get_close_matches(name, every, n=1)
        hint = f"did you mean {near[0]}?" if near else "verifier lesson names them"
        raise InputError(f"there is no lesson {name!r}: {hint}")
    found = _script_named(scripts(language), original.name)
    if found is None:
        raise InputError(
            f"lesson {original.name} is not written in {language!r} yet: {original.command} has it"
        )
    return found


def _script_named(known: Sequence[Script], name: str) -> Script | None:
    return next((script for script in known if name in (script.name, str(script.number))), None)


_BLOCK = re.compile(r"^```(python|claim|plot)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


def _read_script(path: Path) -> Script:
    number, _, name = path.stem.partition("_")
    title, parts = _title_and_parts(path)
    return Script(int(number), name, LANGUAGES[0], title, tuple(_block_of(part) for part in parts))


def _translate(script: Script, path: Path, language: str) -> Script:
    """The translation: its texts, and the blocks of the original, whose code and figures there are
    only once.
    """
    title, parts = _title_and_parts(path)
    blocks = [part for part in script.parts if not isinstance(part, Passage)]
    waiting = iter(blocks)
    translated = tuple(
        part if isinstance(part, Passage) else _block_with_figures(part, next(waiting))
        for part in parts
    )
    return Script(script.number, script.name, language, title, translated)


def _block_with_figures(written: _FileBlock, block: Written) -> Written:
    if isinstance(block, Claim | Plot):
        return replace(block, **tomllib.loads(written.text))
    return block


@dataclass(frozen=True)
class _FileBlock:
    """A block of a lesson's file."""

    kind: str
    text: str


def _title_and_parts(path: Path) -> tuple[str, list[Passage | _FileBlock]]:
    """The title, and the texts and blocks in order."""
    heading, _, text = path.read_text(encoding="utf-8").partition("\n")
    parts: list[Passage | _FileBlock] = []
    place = 0
    for block in _BLOCK.finditer(text):
        parts += [*_passage(text[place : block.start()]), _FileBlock(block[1], block[2])]
        place = block.end()
    return heading.removeprefix("# "), [*parts, *_passage(text[place:])]


_CHINESE_BREAK = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])\n(?=[\u3000-\u9fff\uff00-\uffef])")
"""Where a line of Chinese goes on: a space would stand between words that have none."""


def _passage(text: str) -> list[Passage]:
    return [Passage(_CHINESE_BREAK.sub("", text.strip()))] if text.strip() else []


def _block_of(part: Passage | _FileBlock) -> Written:
    if isinstance(part, Passage):
        return part
    if part.kind == "python":
        return Code(part.text)
    read = tomllib.loads(part.text)
    if part.kind == "plot":
        return Plot(**read)
    return Claim(**{**read, "value": float(read["value"])})
