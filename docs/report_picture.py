"""Write the picture of a report that the README and the front page show (`python
docs/report_picture.py`).
"""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.sax.saxutils import escape

sys.path.insert(0, str(Path(__file__).parents[1]))

import verifier
from verifier.reporting.text.terminal import WIDTH

PICTURE = Path(__file__).with_name("report.svg")
README = Path(__file__).parents[1] / "README.md"
COMMAND = "verifier check losses.py::MeanSquares --input p=-2:2:8 --input y=-2:2:8"
_LINE, _CHARACTER, _MARGIN = 19, 8.43, 18
_INK, _PAPER, _DIM, _RED = "#d8dee9", "#1f2430", "#8a94a6", "#ff7a7a"


def picture() -> str:
    """The first screen of the report, as an image that needs no font of its own."""
    lines = [f"$ {COMMAND}", *_report()]
    height = 2 * _MARGIN + _LINE * len(lines)
    width = round(2 * _MARGIN + _CHARACTER * (WIDTH - 1))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace" '
        'font-size="14">\n<title>A report of a wrong gradient</title>\n'
        f'<rect width="{width}" height="{height}" rx="8" fill="{_PAPER}"/>\n'
    )
    return head + "".join(_texts(lines)) + "</svg>\n"


def _report() -> list[str]:
    (code,) = re.findall(r"```python\n(# losses\.py\n.+?)```", README.read_text("utf-8"), re.DOTALL)
    inputs = {name: verifier.between(-2, 2, shape=(8,)) for name in ("p", "y")}
    with TemporaryDirectory() as folder, chdir(folder):
        Path("losses.py").write_text(code, encoding="utf-8")
        text = str(verifier.check("losses.py::MeanSquares", inputs=inputs))
    return text.splitlines()[:22]


def _texts(lines: Sequence[str]) -> Iterator[str]:
    for place, line in enumerate(lines):
        y = _MARGIN + _LINE * place + 14
        colour = _DIM if place == 0 else _RED if _is_bad(line) else _INK
        weight = ' font-weight="bold"' if line.startswith("DISAGREES") else ""
        yield (
            f'<text x="{_MARGIN}" y="{y}" fill="{colour}"{weight} xml:space="preserve" '
            f'textLength="{_CHARACTER * len(line):.0f}">{escape(line)}</text>\n'
            if line
            else ""
        )


def _is_bad(line: str) -> bool:
    return line.startswith(("DISAGREES", "MeanSquares by")) or " wrong  " in line


if __name__ == "__main__":
    os.environ.pop("COLUMNS", None)
    PICTURE.write_text(picture(), encoding="utf-8")
