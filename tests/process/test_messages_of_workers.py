"""Messages, limits, places and relayed text."""

import io
import os

import pytest

from verifier.errors import InputError
from verifier.process.workers.messages import (
    Failed,
    Finished,
    Interrupted,
    Progress,
    Published,
    Refused,
    Rendered,
    Stage,
    decode_messages,
    encode_message,
    frame_document,
)
from verifier.process.workers.relay import Relay, escape_control_characters
from verifier.process.workers.resource_limits import ResourceLimits, check_seconds, parse_size
from verifier.process.workers.stack import user_place_in

MESSAGES = [
    Progress(1, 2),
    Stage("the search", None),
    Published(Rendered(3, {"text": "ä\ud800", "json": "{}"}, {"accepted": [{"a": 1}]})),
    Finished(),
    Refused("no", "line"),
    Failed("KeyError", "a traceback"),
    Interrupted(),
]


def test_every_message_comes_back():
    stream = io.BytesIO(b"".join(map(encode_message, MESSAGES)))
    assert list(decode_messages(stream)) == MESSAGES


@pytest.mark.parametrize(
    "rest",
    [
        b"",
        b"\0\0",
        encode_message(Progress(1, 2))[:-1],
        b"\xff" * 40,
        frame_document({"kind": "Nothing", "fields": {}}),
        frame_document({"kind": "Progress", "fields": {"done": 1}}),
        frame_document([1]),
        b"\0\0\0\0\0\0\0\x02{]",
    ],
)
def test_what_is_no_message_ends_the_stream(rest):
    assert list(decode_messages(io.BytesIO(encode_message(Finished()) + rest))) == [Finished()]


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e9])
def test_seconds_that_are_no_limit(seconds):
    with pytest.raises(
        InputError,
        match=r"^--timeout is .*: give seconds, a number above 0 and at most 10,000,000$",
    ):
        check_seconds(seconds)


@pytest.mark.parametrize("text", ["", "much", "-1G", "1X", "nan", "1e9", "0", "9999999T", "1.2.3G"])
def test_sizes_that_are_none(text):
    with pytest.raises(
        InputError, match=r"^--memory is .*: give a size from 1M on, as in --memory 4G$"
    ):
        parse_size(text)


def test_limits_are_off_where_nothing_is_said():
    assert ResourceLimits() == ResourceLimits(None, None)


def test_the_innermost_line_of_the_user():
    dump = (
        'Current thread 0x1 (most recent call first):\n  File "<string>", line 1 in <module>\n'
        f'  File "{os.__file__}", line 3 in getcwd\n'
        '  File "/home/me/a b.py", line 12 in inner\n  File "/home/me/c.py", line 9 in outer\n'
    )
    assert user_place_in(dump) == "a b.py:12, in inner"
    assert user_place_in("") == user_place_in("Fatal Python error: Aborted\n") == ""


def test_escapes():
    assert escape_control_characters("a\tb\x07\u202ec") == "a\tb\\x07\\u202ec"


def test_a_relay_passes_on_what_is_no_text():
    read, write = os.pipe()
    told = []
    with os.fdopen(read, "rb") as stream:
        relay = Relay(stream, told.append)
        os.write(write, b"\xff\xc3")
        os.close(write)
        relay.join(10)
    assert "".join(told) == "\\xff\\xc3"
