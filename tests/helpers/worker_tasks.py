"""What workers are asked to do in the tests of their supervisor."""

import contextlib
import ctypes
import json
import os
import re
import runpy
import struct
import sys
import threading
import time
from pathlib import Path

from verifier.errors import InputError
from verifier.process.workers.messages import Progress, Published, Rendered, Stage


def reports(send, interruption, text="done", code=0):
    send(Progress(1, 2))
    send(Published(Rendered(code, {"text": text}, {"compared": 3})))


def refuses(send, interruption):
    raise InputError("it cannot be used", "line 1\nline 2")


def fails(send, interruption):
    reports(send, interruption, "so far")
    raise KeyError("broken")


def waits_for_ctrl_c(send, interruption):
    reports(send, interruption, "so far")
    while not interruption.wanted:
        time.sleep(0.01)
    reports(send, interruption, "to the end")


def presses_ctrl_c(send, interruption):
    raise KeyboardInterrupt


def exits(send, interruption, code=0, after=False):
    if after:
        reports(send, interruption, "so far")
    os._exit(code)


def hangs(send, interruption):
    reports(send, interruption, "so far")
    while True:
        pass


def holds_the_lock(send, interruption):
    reports(send, interruption, "so far")
    re.match(r"(a+)+$", "a" * 60 + "b")


def dies(send, interruption):
    ctypes.string_at(0)


def aborts(send, interruption):
    os.abort()


def takes_memory(send, interruption):
    kept = []
    while True:
        kept.append(bytearray(1 << 24))


def closes_everything(send, interruption):
    os.closerange(3, 1000)
    reports(send, interruption)


def prints(send, interruption):
    sys.stdout.write("on standard output\n")
    os.write(1, b"from below\r\n")
    sys.stderr.write("\x1b[31mred\n")
    sys.stderr.write("y" * 1_000_000)
    reports(send, interruption, repr(sys.stdin.read()))


def copies_itself(send, interruption):
    os.fork()
    reports(send, interruption, "once")


def leaves_a_child(send, interruption, file):
    if os.fork() == 0:
        os.closerange(0, 3)
        time.sleep(60)
        os._exit(0)
    reports(send, interruption)


def leaves_a_thread(send, interruption):
    threading.Thread(target=time.sleep, args=(60,)).start()
    reports(send, interruption)


def searches(send, interruption, seconds):
    reports(send, interruption, "the verdict", 1)
    send(Stage("the search for causes", seconds))
    time.sleep(60)


def leaves_a_daemon(send, interruption, file):
    """It has a session of its own, and keeps every pipe open."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            Path(file).write_text(str(os.getpid()))
            time.sleep(60)
        os._exit(0)
    while not Path(file).exists():
        time.sleep(0.01)
    reports(send, interruption)


def replaces_json(send, interruption):
    json.dumps = lambda *_, **__: 1 / 0
    reports(send, interruption)


def replaces_the_encoding(send, interruption):
    sys.modules["verifier.process.workers.worker"].encode_message = None
    reports(send, interruption)


def loads(send, interruption, file):
    runpy.run_path(file)


def reuses_the_pipe(send, interruption, file):
    """Everything is closed, and files of the code's own take the numbers."""
    os.closerange(3, 1000)
    streams = [Path(file).open("w") for _ in range(30)]  # noqa: SIM115
    try:
        reports(send, interruption)
    finally:
        del streams


def sends_nonsense(send, interruption):
    """What looks like a message, and is nested too deep to be read."""
    data = b"[" * 200_000
    for number in range(3, 40):
        with contextlib.suppress(OSError):
            os.write(number, struct.pack(">Q", len(data)) + data)


def shares_memory(send, interruption):
    """Copies of a process that holds much."""
    kept = bytearray(os.urandom(1 << 20)) * 150
    for _ in range(6):
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
    time.sleep(4)
    reports(send, interruption, str(len(kept)))


def raises_its_own(send, interruption):
    class Own(BaseException):
        pass

    raise Own("of mine")
