"""Commands as processes of their own, without the time that each would need to load torch."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

_LOOP = """
import json, os, signal, sys
import torch, verifier.commands.check, verifier.commands.train, verifier.commands.tasks
from verifier.commands.cli import run

for line in sys.stdin:
    arguments, folder, out, err, seconds = json.loads(line)
    process = os.fork()
    if process == 0:
        signal.alarm(seconds)
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT), 1)
        os.dup2(os.open(err, os.O_WRONLY | os.O_CREAT), 2)
        code = run(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    print(status, file=sys.__stdout__, flush=True)
"""


@dataclass(frozen=True)
class Done:
    """What a process left."""

    code: int
    out: str
    err: str


class Processes:
    """Starts each command as a copy of a process that has loaded torch; SIGALRM ends what takes too
    long.
    """

    def __init__(self, seconds=300):
        self._seconds = seconds
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LOOP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, *arguments, folder="."):
        with tempfile.TemporaryDirectory() as place:
            out, err = Path(place) / "out", Path(place) / "err"
            request = [list(map(str, arguments)), str(folder), str(out), str(err), self._seconds]
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            return Done(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def verifier(*arguments, folder=None, **more):
    """The command as a user starts it."""
    environment = {**os.environ, "COLUMNS": "80", **more.pop("environment", {})}
    done = subprocess.run(
        [sys.executable, "-m", "verifier", *map(str, arguments)], cwd=folder, env=environment,
        capture_output=True, text=True, encoding="utf-8", timeout=120, **more,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)
