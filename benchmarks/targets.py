"""A list of 200 targets of which 20 hang, 20 crash and 20 exit: every one of them is in the report.

`python benchmarks/targets.py [COUNT [JOBS]]`
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

SECONDS = 30
CODE = """
import ctypes, os, sys, time
import torch


def good(x):
    return x * x


class wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return 3 * g * ctx.saved_tensors[0]


def hangs(x):
    while True:
        pass


def crashes(x):
    ctypes.string_at(0)


def exits(x):
    os._exit(0)
"""
KINDS = {
    "hangs": ("out of time", 0.1),
    "crashes": ("died", 0.1),
    "exits": ("died", 0.1),
    "wrong": ("disagrees", 0.1),
}


def names(count: int) -> list[str]:
    """The targets: bad ones spread among good ones."""
    bad = [name for name, (_, share) in KINDS.items() for _ in range(round(share * count))]
    found = ["good"] * count
    for place, name in enumerate(bad):
        found[place * count // len(bad)] = name
    return found


def entry(number: int, name: str) -> str:
    return f'[[target]]\ntarget = "code.py::{name}"\ninputs = {{ x = "{number}:{number + 1}:2" }}\n'


def main() -> None:
    report(*map(int, sys.argv[1:]))


def report(count: int = 200, jobs: int = 2) -> None:
    """Check the list, and print how its targets came out."""
    chosen = names(count)
    settings = f'[settings]\ndtypes = ["float32"]\npoints = 1\ntimeout = {SECONDS}\n'
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "code.py").write_text(CODE)
        text = settings + "".join(entry(number, name) for number, name in enumerate(chosen))
        (Path(folder) / "verifier.toml").write_text(text)
        start, before = time.monotonic(), os.times()
        words = ["check", "--config", "verifier.toml", "--jobs", str(jobs), "--json", "-"]
        done = subprocess.run(
            [sys.executable, "-m", "verifier", *words], cwd=folder, capture_output=True, text=True
        )
        took, after = time.monotonic() - start, os.times()
    targets = json.loads(done.stdout)["targets"]
    expected = [KINDS[name][0] if name in KINDS else "agrees" for name in chosen]
    missed = [
        (name, target["outcome"], target["reason"])
        for name, wanted, target in zip(chosen, expected, targets, strict=True)
        if target["outcome"] != wanted
    ]
    print(
        f"{count} targets, --jobs {jobs}, {SECONDS} seconds for each: exit code {done.returncode}"
    )
    for outcome, number in Counter(target["outcome"] for target in targets).items():
        print(f"{number:5} {outcome}")
    print(f"{len(missed)} with an unexpected outcome: {missed[:3]}")
    processor = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    print(f"{took:.0f} s, {processor / count:.1f} s of processor time a target")


if __name__ == "__main__":
    main()
