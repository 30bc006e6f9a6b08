"""What is to be done in a worker process: a function by its name, and the options that it gets."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from verifier.errors import InputError, message_of, too_long
from verifier.process.imports import kept_imports
from verifier.process.timeout import place_of
from verifier.process.values import Options
from verifier.process.workers.messages import Failed, Finished, Interrupted, Message, Refused

Send = Callable[[Message], None]


@dataclass(frozen=True)
class Task:
    """A function of the package with its options, all of them JSON's own types."""

    function: str
    """module:name; it takes the options by name, and `send` and `interruption` first."""
    options: Options


class Interruption(Protocol):
    """Whether the person who started this wants it to end."""

    @property
    def wanted(self) -> bool:
        """Whether the work is to end after the step that it is in."""


def perform_task(task: Task, send: Send, interruption: Interruption) -> None:
    """Do the task, and send what comes of it; the last message says how it ended.

    What the task raises is sent, too: InputError as Refused, KeyboardInterrupt as Interrupted,
    anything else as Failed. Raises what `send` raises.
    """
    send(_last_message(task, send, interruption))


def _last_message(task: Task, send: Send, interruption: Interruption) -> Message:
    module, _, name = task.function.partition(":")
    try:
        with kept_imports():
            function = getattr(import_module(module), name)
        function(send, interruption, **task.options)
    except InputError as error:
        # A run that was ended before its first step has nothing to say.
        return Interrupted() if interruption.wanted else Refused(error.sentence, error.excerpt)
    except KeyboardInterrupt as error:
        if interruption.wanted:
            return Interrupted()
        return Refused(
            f"the code raises KeyboardInterrupt{place_of(error)}, and nobody pressed Ctrl-C"
        )
    except SupervisorGoneError:
        raise
    except BaseException as error:
        sentence = _sentence_for_user(error)
        if sentence:
            return Refused(sentence)
        return Failed(f"{type(error).__name__}: {message_of(error)}", _traceback(error))
    return Finished()


def _sentence_for_user(error: BaseException) -> str:
    """A sentence for an error that is no fault of verifier; empty for every other one."""
    if not isinstance(error, Exception):
        return f"the code raises {type(error).__name__}{place_of(error)}: {message_of(error)}"
    if isinstance(error, ImportError | OSError) and _comes_through_torch(error):
        return f"torch cannot be loaded: {message_of(error)}"
    return too_long(error)


def _comes_through_torch(error: BaseException) -> bool:
    """Whether it was raised while torch was imported."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(frame.name == "<module>" and frame.filename.endswith(_TORCH) for frame in frames)


_TORCH = str(Path("torch", "__init__.py"))


class SupervisorGoneError(Exception):
    """Nobody reads what is sent."""


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:
        return "".join(traceback.format_tb(error.__traceback__))
