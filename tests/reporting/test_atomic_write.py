"""Files are written beside their place: a program that is killed leaves the old file or the new
one.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from verifier.errors import InputError
from verifier.reporting.atomic_write import check_writable, write

WRITER = """
import sys
from pathlib import Path
from verifier.reporting.atomic_write import write
path = Path(sys.argv[1])
while True:
    for letter in b"ab":
        write(path, bytes([letter]) * 3_000_000)
"""


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="the system has no files without a name")
def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path):
    path = tmp_path / "report.json"
    for number in range(12):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        while not path.exists():
            time.sleep(0.01)
        time.sleep(0.017 * number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert set(path.read_bytes()) in ({ord("a")}, {ord("b")})
        assert path.stat().st_size == 3_000_000
    # Between its two names a whole file may be left under the first one.
    left = [other for other in tmp_path.iterdir() if other != path]
    assert all(other.stat().st_size == 3_000_000 for other in left)


def test_what_a_path_leads_to_is_checked_beforehand(tmp_path):
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "dangling").symlink_to("nowhere/file")
    (tmp_path / "good").symlink_to("target.json")
    os.mkfifo(tmp_path / "fifo")
    refusals = {
        "self": "it is a link to itself",
        "dangling": f"there is no folder '{tmp_path}/nowhere'",
        "fifo": "it is not a regular file (- is standard output)",
        "": "it is a folder",
        "nowhere/file": f"there is no folder '{tmp_path}/nowhere'",
    }
    for name, reason in refusals.items():
        path = tmp_path / name
        with pytest.raises(InputError) as caught:
            check_writable(path)
        assert str(caught.value) == f"cannot write '{path}': {reason}"
    check_writable(tmp_path / "good")
    assert not (tmp_path / "target.json").exists()
    write(tmp_path / "good", b"new")
    assert (tmp_path / "target.json").read_bytes() == b"new"


@pytest.mark.skipif(os.name != "posix", reason="a folder in use cannot be removed")
def test_a_current_folder_that_is_gone(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(InputError) as caught:
        check_writable(Path("report.json"))
    assert (
        str(caught.value)
        == "cannot write 'report.json': the current folder does not exist any more"
    )


def test_without_files_that_have_no_name(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    path = tmp_path / "report.json"
    for data in (b"one", b"two"):
        check_writable(path)
        write(path, data)
        assert path.read_bytes() == data
    assert [other.name for other in tmp_path.iterdir()] == ["report.json"]


def test_nothing_is_left_of_a_file_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(InputError, match="No space left on device"):
        write(tmp_path / "report.json", b"data")
    assert list(tmp_path.iterdir()) == []


def test_permissions_are_ordinary(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "report.json", b"data")
    finally:
        os.umask(before)
    assert (tmp_path / "report.json").stat().st_mode & 0o777 == 0o640
