"""Start-up: whole processes, beside `python -c pass`, in turns; medians of nine."""

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "verifier --help": ["-m", "verifier", "--help"],
    "verifier list": ["-m", "verifier", "list"],
}


def seconds(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    turns = [{name: seconds(arguments) for name, arguments in COMMANDS.items()} for _ in range(10)][1:]
    base = statistics.median(turn["python -c pass"] for turn in turns)
    for name in COMMANDS:
        typical = statistics.median(turn[name] for turn in turns)
        print(f"{name:<16} {1000 * typical:7.0f} ms   {typical / base:5.1f} times python -c pass")


if __name__ == "__main__":
    main()
