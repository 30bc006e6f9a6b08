"""The supervisor: whatever a worker does, it says how it ended, and what was known before."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest

from tests.helpers import worker_tasks
from verifier.process.workers.messages import Rendered
from verifier.process.workers.resource_limits import ResourceLimits
from verifier.process.workers.supervisor import End, Ending, InThisProcess, InWorkers
from verifier.process.workers.task import Task

SO_FAR = Rendered(0, {"text": "so far"}, {"compared": 3})
DONE = Rendered(0, {"text": "done"}, {"compared": 3})


class Monitor:
    """Somebody who waits, and may press Ctrl-C once something is done."""

    def __init__(self, presses=False):
        self.presses, self.seen, self.told = presses, [], []

    @property
    def interruptions(self):
        return int(self.presses and bool(self.seen))

    def progress(self, done, planned, note=""):
        self.seen.append((done, planned))

    def tell(self, text):
        self.told.append(text)


def ended(name, limits=None, monitor=None, host=None, **options):
    task = Task(f"tests.helpers.worker_tasks:{name}", options)
    return (host or InWorkers()).run(task, limits or ResourceLimits(), monitor or Monitor())


@pytest.mark.parametrize("host", [InWorkers(), InThisProcess()])
def test_a_report(host):
    monitor = Monitor()
    assert ended("reports", monitor=monitor, host=host) == Ending(End.FINISHED, DONE)
    assert monitor.seen == [(1, 2)]


@pytest.mark.parametrize("host", [InWorkers(), InThisProcess()])
def test_what_cannot_be_used(host):
    ending = ended("refuses", host=host)
    assert ending == Ending(End.REFUSED, None, "it cannot be used", "line 1\nline 2")


@pytest.mark.parametrize("host", [InWorkers(), InThisProcess()])
def test_an_error_of_ours_does_not_cost_what_was_decided(host):
    ending = ended("fails", host=host)
    assert (ending.end, ending.report, ending.sentence) == (
        End.FAILED,
        SO_FAR,
        "KeyError: 'broken'",
    )
    assert ending.traceback.startswith("Traceback (most recent call last):")
    assert ending.traceback.rstrip().endswith("KeyError: 'broken'")


@pytest.mark.parametrize("code", [0, 1, 3])
@pytest.mark.parametrize("after", [False, True])
def test_a_process_that_ends_by_itself_is_no_success(code, after):
    sentence = f"the code ended the process with exit code {code} before a verdict"
    assert ended("exits", code=code, after=after) == Ending(
        End.DIED, SO_FAR if after else None, sentence
    )


@pytest.mark.skipif(os.name != "posix", reason="there are no signals")
def test_a_process_that_dies_of_a_signal():
    line = worker_tasks.dies.__code__.co_firstlineno + 1
    place = f"at worker_tasks.py:{line}, in dies"
    assert ended("dies").sentence == (
        f"SIGSEGV (a segmentation fault) ended the process {place} before a verdict"
    )
    assert ended("aborts").sentence.startswith("SIGABRT (abort) ended the process at worker_tasks")


@pytest.mark.parametrize("name", ["hangs", "holds_the_lock"])
def test_a_time_limit_holds(name):
    before = time.monotonic()
    ending = ended(name, ResourceLimits(seconds=1.5))
    assert time.monotonic() - before < 20
    assert (ending.end, ending.report) == (End.OUT_OF_TIME, SO_FAR)
    assert ending.sentence.startswith("the time ran out after 1.5 seconds at worker_tasks.py:")
    assert ending.sentence.endswith(f", in {name}: --timeout gives it more")


def test_a_memory_limit_holds():
    ending = ended("takes_memory", ResourceLimits(seconds=60, memory=300 << 20))
    assert ending.end is End.OUT_OF_MEMORY
    assert ending.sentence.startswith("the code needs more than 300 MiB of memory at worker_tasks")


def test_the_search_for_causes_has_a_limit_of_its_own():
    verdict = Rendered(1, {"text": "the verdict"}, {"compared": 3})
    assert ended("searches", seconds=0.3) == Ending(
        End.FINISHED, verdict, "the search for causes was ended after 0.3 seconds"
    )


def test_an_interruption_is_passed_on():
    whole = Rendered(0, {"text": "to the end"}, {"compared": 3})
    assert ended("waits_for_ctrl_c", monitor=Monitor(presses=True)) == Ending(End.FINISHED, whole)


def test_an_interruption_that_is_not_heard(monkeypatch):
    monkeypatch.setattr("verifier.process.workers.supervisor.PATIENCE", 0.3)
    assert ended("hangs", monitor=Monitor(presses=True)) == Ending(End.INTERRUPTED, SO_FAR)


def test_code_that_presses_ctrl_c_itself():
    ending = ended("presses_ctrl_c")
    assert ending.end is End.REFUSED
    assert ending.sentence.startswith("the code raises KeyboardInterrupt at worker_tasks.py:")
    assert ending.sentence.endswith(", and nobody pressed Ctrl-C")


@pytest.mark.parametrize("host", [InWorkers(), InThisProcess()])
def test_code_with_an_exception_of_its_own(host):
    line = worker_tasks.raises_its_own.__code__.co_firstlineno + 4
    sentence = f"the code raises Own at worker_tasks.py:{line}: of mine"
    assert ended("raises_its_own", host=host) == Ending(End.REFUSED, None, sentence)


def test_a_worker_that_cannot_be_heard():
    assert ended("closes_everything") == Ending(
        End.DIED, None, "the code closed the pipe through which verifier gets its results"
    )


def test_what_the_code_prints_is_cut_and_escaped():
    monitor = Monitor()
    assert ended("prints", monitor=monitor).report.forms == {"text": "''"}
    told = "".join(monitor.told)
    assert told.startswith("on standard output\nfrom below\n\\x1b[31mred\nyyy")
    assert told.endswith(
        "\nverifier: the code prints more than 65,536 characters; the rest is left out\n"
    )
    assert len(told) < 66_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process cannot be copied")
def test_a_copy_of_the_worker_says_nothing():
    assert ended("copies_itself").report.forms == {"text": "once"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process cannot be copied")
@pytest.mark.parametrize("name", ["leaves_a_child", "leaves_a_thread"])
def test_what_is_left_behind_does_not_keep_anybody_waiting(name, tmp_path):
    before = time.monotonic()
    options = {"file": str(tmp_path / "pid")} if name == "leaves_a_child" else {}
    assert ended(name, **options).end is End.FINISHED
    assert time.monotonic() - before < 30


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process cannot be copied")
def test_a_daemon_ends_with_the_worker(tmp_path):
    before = time.monotonic()
    assert ended("leaves_a_daemon", file=str(tmp_path / "pid")).end is End.FINISHED
    assert time.monotonic() - before < 30
    assert wait_for(lambda: not is_running(int((tmp_path / "pid").read_text())))


def test_code_that_replaces_what_messages_are_made_with():
    assert ended("replaces_json") == Ending(End.FINISHED, DONE)
    monitor = Monitor()
    sentence = "the code replaced a part of Python that verifier needs to send its results"
    assert ended("replaces_the_encoding", monitor=monitor) == Ending(End.DIED, None, sentence)
    assert monitor.told == []


@pytest.mark.skipif(os.name != "posix", reason="files are closed in another way")
def test_nothing_is_written_to_files_of_the_code(tmp_path):
    file = tmp_path / "own"
    assert ended("reuses_the_pipe", file=str(file)).end is End.DIED
    assert file.read_bytes() == b""


def test_nonsense_in_the_pipe(capfd):
    assert ended("sends_nonsense").end is not End.FINISHED
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(sys.platform != "linux", reason="shared memory is not known")
def test_shared_memory_counts_once():
    ending = ended("shares_memory", ResourceLimits(seconds=60, memory=600 << 20))
    assert ending.end is End.FINISHED


def test_a_process_that_cannot_be_started(monkeypatch):
    def refused(*_, **__):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("verifier.process.workers.supervisor.subprocess.Popen", refused)
    sentence = "verifier cannot start a process: Too many open files"
    assert ended("reports") == Ending(End.REFUSED, None, sentence)


@pytest.mark.parametrize(("package", "sentence"), [
    ("torch", "torch cannot be loaded: no memory"),
    ("other", "ImportError: no memory"),
])  # fmt: skip
def test_torch_that_cannot_be_loaded(package, sentence, tmp_path):
    """That is no error of ours; any other package that fails is."""
    file = tmp_path / package / "__init__.py"
    file.parent.mkdir()
    file.write_text("raise ImportError('no memory')\n")
    ending = ended("loads", host=InThisProcess(), file=str(file))
    assert ending.end is (End.REFUSED if package == "torch" else End.FAILED)
    assert ending.sentence == sentence


GOES_ON = """
import ctypes, os, time
def hangs(send, interruption, file):
    open(file, "w").write(str(os.getpid()))
    while True:
        time.sleep(0.05)
def holds_the_lock(send, interruption, file):
    open(file, "w").write(str(os.getpid()))
    ctypes.PyDLL(None).sleep(60)
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="nothing else ends code that holds Python's lock"
)
def test_a_worker_that_holds_the_lock_ends_with_its_supervisor(tmp_path):
    ends_with_supervisor(tmp_path, "holds_the_lock")


def test_a_worker_ends_with_its_supervisor(tmp_path):
    """The supervisor is killed; the worker, which would hang for ever, goes with it."""
    ends_with_supervisor(tmp_path, "hangs")


def ends_with_supervisor(tmp_path, name):
    file = tmp_path / "pid"
    (tmp_path / "left.py").write_text(GOES_ON)
    program = textwrap.dedent(
        f"""
        import sys; sys.path.insert(0, {str(tmp_path)!r})
        from verifier.process.workers.resource_limits import ResourceLimits
        from verifier.process.workers.supervisor import InWorkers
        from verifier.process.workers.task import Task
        class Monitor:
            interruptions = 0
            def progress(self, done, planned, note=""): pass
            def tell(self, text): pass
        InWorkers().run(Task("left:{name}", {{"file": {str(file)!r}}}), ResourceLimits(), Monitor())
        """
    )
    supervisor = subprocess.Popen([sys.executable, "-c", program])
    while not file.exists() or not file.read_text():
        time.sleep(0.05)
    supervisor.kill()
    supervisor.wait()
    assert wait_for(lambda: not is_running(int(file.read_text())))


def wait_for(condition):
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def is_running(number):
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_several_workers_at_once():
    endings = []

    def run():
        endings.append(ended("reports"))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert endings == [Ending(End.FINISHED, DONE)] * 4


def test_the_supervisor_is_light():
    heavy = "print([name for name in sys.modules if name in {'torch', 'sympy', 'numpy'}])"
    code = f"import sys, verifier.commands.cli; {heavy}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert Path(sys.executable).exists()
