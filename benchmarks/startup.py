"""Start-up: whole processes, beside `python -c pass`, and a check in a worker beside one in a
single process.

All in turns; medians of nine, of five for checks. Processor time is that of all processes together.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "verifier --help": ["-m", "verifier", "--help"],
    "verifier list": ["-m", "verifier", "list"],
}
CHECK = ["check", "torch:tanh", "--input", "input=-2:2:8"]
CHECKS = {
    "in one process": [
        "-c",
        f"from verifier.commands.cli import run; raise SystemExit(run({CHECK!r}))",
    ],
    "in a worker": ["-m", "verifier", *CHECK],
}


def processor_seconds(arguments: list[str]) -> float:
    """What a command and the processes that it starts take of the processors."""
    before = os.times()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return (
        after.children_user - before.children_user + after.children_system - before.children_system
    )


def seconds(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def turns(
    commands: dict[str, list[str]], measure: Callable[[list[str]], float], count: int
) -> list[dict[str, float]]:
    """What each command took in each turn, without the first turn."""
    found = [{name: measure(words) for name, words in commands.items()} for _ in range(count + 1)]
    return found[1:]


def main() -> None:
    found = turns(COMMANDS, seconds, 9)
    base = statistics.median(turn["python -c pass"] for turn in found)
    for name in COMMANDS:
        typical = statistics.median(turn[name] for turn in found)
        print(f"{name:<16} {1000 * typical:7.0f} ms   {typical / base:5.1f} times python -c pass")
    print(f"\nverifier {' '.join(CHECK)}")
    found = turns(CHECKS, processor_seconds, 5)
    ratios = [turn["in a worker"] / turn["in one process"] for turn in found]
    for name in CHECKS:
        print(
            f"{name:<16} {statistics.median(turn[name] for turn in found):7.2f} s of processor time"
        )
    print(f"ratio            {statistics.median(ratios):7.2f}")


if __name__ == "__main__":
    main()
