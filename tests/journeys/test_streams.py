"""Standard error that is closed or full, and options that no command can use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from verifier.commands.cli import run

FULL = Path("/dev/full")


@pytest.mark.skipif(os.name != "posix", reason="streams are closed in another way")
@pytest.mark.parametrize("how", ["closed", "full"])
@pytest.mark.parametrize(("words", "code"), [("train linear --epochs 2", 0), ("train nowhere", 2)])
def test_no_message_is_worth_a_verdict(how, words, code, tmp_path):
    if how == "full" and not FULL.exists():
        pytest.skip("no device is full")
    place = "2>&-" if how == "closed" else f"2>{FULL}"
    command = f'"$0" -m verifier {words} {place}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == code
    assert ("AGREES" in done.stdout) is (code == 0)


REFUSED = {
    "check --config pipe": "cannot read 'pipe': it is not a regular file",
    "check torch:tanh --input input=0:1 --digits -1": (
        "digits is -1.0: give a number above 0, at most 77"
    ),
    "check torch:tanh --input input=0:1 --digits 0": (
        "digits is 0.0: give a number above 0, at most 77"
    ),
    "check torch:tanh --input input=0:1 --digits nan": (
        "digits is nan: give a number above 0, at most 77"
    ),
    "check torch:tanh --input input=0:1 --timeout inf": (
        "--timeout is inf: give seconds, a number above 0 and at most 10,000,000"
    ),
    "check torch:tanh --input input=0:1 --points 100000000": (
        "points is 100000000: give a whole number from 1 to 10,000"
    ),
    "train linear --epochs 1000000000000": "epochs is 1000000000000: give a whole number "
    "from 1 to 1,000,000,000",
}


@pytest.mark.skipif(os.name != "posix", reason="there are no named pipes")
@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_used(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    assert run(words.split()) == 2
    assert capsys.readouterr() == ("", f"verifier: {REFUSED[words]}\n")
