"""A real browser without a window, for tests of pages. It reaches no network."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--force-device-scale-factor=1", "--allow-file-access-from-files",
    "--enable-logging=stderr", "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
DARK = ("--force-dark-mode", "--blink-settings=preferredColorScheme=0")


def program() -> str:
    """The browser's program; the test is skipped where there is none."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(
            "no Chromium is installed: apt-get install chromium, or say where one is in CHROMIUM"
        )
    return found


class Browser:
    """Opens pages, each with a fresh profile in the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = program()
        self._count = 0

    def open(self, url: str, *flags: str) -> tuple[str, list[str]]:
        """What the program printed, and what the page's console said (failed requests included)."""
        self._count += 1
        profile = self._folder / f"profile-{self._count}"
        done = subprocess.run(
            [self._program, *FLAGS, f"--user-data-dir={profile}", *flags, url],
            capture_output=True, text=True, encoding="utf-8", timeout=120, check=True,
        )  # fmt: skip
        shutil.rmtree(profile, ignore_errors=True)
        return done.stdout, re.findall(r"CONSOLE[:(]\d+\)?\] (.+)", done.stderr)

    def document(self, page: Path) -> tuple[str, list[str]]:
        """The document after loading, and the console."""
        return self.open(page.as_uri(), "--dump-dom")

    def requests(self, page: Path) -> set[str]:
        """The addresses that the page asked for; the browser's own requests are no page's."""
        log = self._folder / "requests.json"
        self.open(page.as_uri(), "--dump-dom", f"--log-net-log={log}")
        events = json.loads(log.read_text(encoding="utf-8"))["events"]
        asked = [event["params"] for event in events if "initiator" in event.get("params", {})]
        return {
            asked_for["url"] for asked_for in asked if asked_for["initiator"] != "not an origin"
        }

    def screenshot(self, page: Path, width: int, height: int, picture: Path, *flags: str) -> None:
        """The page in a frame of that width; windows cannot be as narrow as a phone."""
        frame = (
            f'<!DOCTYPE html><body style="margin:0"><iframe src="{page.as_uri()}" width="{width}" '
            f'height="{height}" '
        )
        holder = self._folder / "holder.html"
        holder.write_text(
            frame + 'style="border:0; color-scheme: light dark"></iframe>', encoding="utf-8"
        )
        window = f"--window-size={max(width, 500)},{height}"
        self.open(holder.as_uri(), window, f"--screenshot={picture}", *flags)

    def widths(self, frames: Sequence[tuple[Path, int]]) -> list[int]:
        """How wide each document is in a frame of that width."""
        return self.measured(frames, "page.documentElement.scrollWidth")

    def measured(self, frames: Sequence[tuple[Path, int]], what: str) -> list[int]:
        """What an expression of JavaScript says of each `page` in a frame of that width,
        rounded.
        """
        holder = self._folder / "measure.html"
        parts = [
            f'<iframe src="{page.as_uri()}" width="{width}" height="900"></iframe>'
            for page, width in frames
        ]
        frame_list = "const frames = document.querySelectorAll('iframe');"
        measure = (
            f"Array.from(frames, frame => (page => Math.round({what}))(frame.contentDocument))"
        )
        holder.write_text(
            "<!DOCTYPE html><style>iframe { border: 0 }</style>"
            + "".join(parts)
            + f"<script>onload = () => {{ {frame_list} "
            + f"document.body.dataset.measured = {measure} }}</script>",
            encoding="utf-8",
        )
        shown, _ = self.open(holder.as_uri(), "--dump-dom")
        found = re.search(r'data-measured="([\d,]+)"', shown)
        return [int(part) for part in found[1].split(",")]

    def printed(self, page: Path) -> tuple[int, list[str]]:
        """On how many sheets of paper it is printed, and what the console said."""
        paper = self._folder / "paper.pdf"
        _, console = self.open(page.as_uri(), "--no-pdf-header-footer", f"--print-to-pdf={paper}")
        return len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes())), console


def on_paper(html: str) -> str:
    """The page with its rules for paper in force on the screen, where they can be measured."""
    # The policy allows the style as it was written, and no other.
    return html.replace("@media print", "@media all").replace("Content-Security-Policy", "none")
