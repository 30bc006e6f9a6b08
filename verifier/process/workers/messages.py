"""What a worker process sends to its supervisor: JSON documents, each with its length before it."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from verifier.process.values import Facts

_LENGTH = struct.Struct(">Q")
_TO_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Made before any code under test can replace `json.dumps`."""
LONGEST = 1 << 32
"""Bytes; a longer message is not one of ours."""


@dataclass(frozen=True)
class Rendered:
    """A report in every form that was asked for."""

    exit_code: int
    forms: Mapping[str, str]
    """By name: text, json, html, markdown, plot (an image, in base64)."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What a table of several reports says of this one, in JSON's own types."""


@dataclass(frozen=True)
class Progress:
    """How much is done of what is planned."""

    done: int
    planned: int
    note: str = ""
    """What came out so far, in a few words."""


@dataclass(frozen=True)
class Stage:
    """The work has come to a stage that may take this many seconds; None sets no limit of
    its own.
    """

    name: str
    seconds: float | None


@dataclass(frozen=True)
class Published:
    """The report as far as it is known; a later one takes its place."""

    report: Rendered


@dataclass(frozen=True)
class Finished:
    """The last report that was published is whole."""


@dataclass(frozen=True)
class Refused:
    """What was given cannot be used."""

    sentence: str
    excerpt: str = ""


@dataclass(frozen=True)
class Failed:
    """An internal error."""

    sentence: str
    traceback: str


@dataclass(frozen=True)
class Interrupted:
    """The work was interrupted before it had anything to report."""


Message = Progress | Stage | Published | Finished | Refused | Failed | Interrupted
LAST = (Finished, Refused, Failed, Interrupted)
"""Nothing follows one of these."""
NOT_HEARD = 97
"""The exit code of a worker whose messages cannot be sent."""
MARK = "VERIFIER_WORKER"
"""The environment variable by which a worker and what it has started are known."""
NOT_SENT = 98
"""The exit code of a worker that cannot make its messages."""
INTERRUPT = b"!"
"""What a supervisor sends behind the task, where the work is to end after its step."""
_KINDS = {
    kind.__name__: kind
    for kind in (Progress, Stage, Published, Finished, Refused, Failed, Interrupted)
}


class Source(Protocol):
    """Where bytes come from; fewer than were asked for are the last ones."""

    def read(self, count: int, /) -> bytes:
        """So many bytes; fewer are the last ones."""


def encode_message(message: Message) -> bytes:
    """The bytes of a message.

    >>> import io
    >>> next(decode_messages(io.BytesIO(encode_message(Progress(1, 3)))))
    Progress(done=1, planned=3, note='')
    """
    return frame_document({"kind": type(message).__name__, "fields": asdict(message)})


def decode_messages(stream: Source) -> Iterator[Message]:
    """The messages in a stream, up to its end or to the first bytes that are no message."""
    while (document := read_document(stream)) is not None:
        try:
            fields = document["fields"]
            if document["kind"] == Published.__name__:
                fields = {"report": Rendered(**fields["report"])}
            message = _KINDS[document["kind"]](**fields)
        except (KeyError, TypeError):
            return
        yield message


def frame_document(document: Facts) -> bytes:
    """A JSON document in UTF-8, with its length in bytes before it as a 64-bit number."""
    text = _TO_JSON(document)
    # A name that is no Unicode text (a file's, an argument's) has lone surrogates.
    data = text.encode("utf-8", "surrogatepass")
    return _LENGTH.pack(len(data)) + data


def read_document(stream: Source) -> Facts | None:
    """The next document in a stream; None at its end, and where only a part of one is there."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    data = stream.read(length) if length <= LONGEST else b""
    if len(data) < length or length > LONGEST:
        return None
    try:
        result: Facts | None = json.loads(data.decode("utf-8", "surrogatepass"))
        return result
    except (ValueError, RecursionError):
        return None
