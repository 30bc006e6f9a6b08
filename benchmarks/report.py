"""Write `reports/`: the evidence, each file by one command (`make reports`); or only the files that
are named.
"""

import contextlib
import io
import platform
import sys
from pathlib import Path

import budgets
import honest
import judging
import layers
import million
import mutation
import rows
import startup
import targets
import training

import verifier
from verifier.reporting.data.document import versions

REPORTS = Path(__file__).parent.parent / "reports"
PARTS = {
    "training.md": ("A judged step over the same loop in bare torch", "make bench", training.main),
    "startup.md": ("Start-up of whole processes", "make bench", startup.main),
    "targets.md": (
        "200 targets of which 20 hang, 20 crash and 20 exit",
        "python benchmarks/targets.py",
        targets.report,
    ),
    "rows.md": (
        "A million rows from a file, trained in batches, over the same loop in bare torch",
        "make bench",
        rows.main,
    ),
    "budgets.md": (
        "Largest errors found, in ulps, beside each row's budget",
        "make budgets",
        budgets.main,
    ),
    "layers.md": (
        "Layers of networks: seconds to read, derive, replay and add noise",
        "make bench",
        layers.main,
    ),
    "judging.md": ("Components judged in a second, beside gradcheck", "make bench", judging.main),
    "honest.md": (
        "Honest code in a hundred ways: the allowance over the largest error seen",
        "make bench",
        lambda: honest.main(100),
    ),
    "million.md": (
        "A million components of honest code",
        "python benchmarks/million.py",
        million.main,
    ),
    "mutation.md": (
        "Faults planted in the package, and how many the tests find",
        "python benchmarks/mutation.py",
        mutation.main,
    ),
    "selftest.md": (
        "The judge on trial: what it finds of wrong gradients, and what it says of honest ones",
        "verifier selftest",
        lambda: print(verifier.selftest()),
    ),
}


def main() -> None:
    told = ", ".join(f"{name} {number}" for name, number in versions().items())
    for name in sys.argv[1:] or PARTS:
        title, command, action = PARTS[name]
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            action()
        text = (
            f"# {title}\n\nMade by `make reports` (`{command}` prints it) with {told}, on "
            f"{platform.machine()}.\n\n"
        )
        (REPORTS / name).write_text(f"{text}```\n{shown.getvalue()}```\n", encoding="utf-8")


if __name__ == "__main__":
    main()
