"""What goes wrong outside verifier, as one sentence for the person who can mend it."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable

LONGEST_SENTENCE = 2_000
"""Characters of a sentence."""
LONGEST_EXCERPT = 20_000
"""Characters of what may stand below it."""
LONGEST_MESSAGE = 1_000
"""Characters of the message of an error that is not ours."""
LONGEST_TRACEBACK = 100_000
"""Characters of a traceback that is kept for whoever mends us."""


class InputError(ValueError):
    """Something that a person gave cannot be used.

    The message is one sentence: what is wrong, where, and what would do; an excerpt of what was
    given may stand below it. Control characters in it are shown escaped, so that text from a file
    never reaches a terminal as an instruction. A sentence is cut to 2,000 characters and an excerpt
    to 20,000.

    >>> str(InputError("no model 'a\\x1b[2J'"))
    "no model 'a\\\\x1b[2J'"
    """

    def __init__(self, message: str, excerpt: str = "") -> None:
        self._given = message, excerpt
        self.sentence = _shown(message, LONGEST_SENTENCE, printable)
        self.excerpt = _shown(excerpt, LONGEST_EXCERPT, _printable_lines)
        super().__init__(f"{self.sentence}\n{self.excerpt}" if excerpt else self.sentence)

    def located(self, place: str) -> InputError:
        """The same error, said to be at that `place`: a file, an option, a line."""
        message, excerpt = self._given
        return InputError(f"{place}: {message}", excerpt)


class GradientError(AssertionError):
    """A gradient was judged and did not agree; the message is the report."""


def printable(text: str) -> str:
    """`text` on one line, with every character that does not print replaced by its escape.

    >>> printable("two\\nlines")
    'two\\\\nlines'
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def _printable_lines(text: str) -> str:
    return "\n".join(map(printable, text.splitlines()))


def _shown(text: str, longest: int, show: Callable[[str], str]) -> str:
    """The text in characters that print, at most so many of them."""
    shown = show(text[:longest])
    if max(len(text), len(shown)) <= longest:
        return shown
    return f"{shown[:longest]}... ({len(text):,} characters)"


def cut(text: str, longest: int) -> str:
    """The `text`; of one that is longer than `longest` characters so many of them, and how many it
    has.

    >>> cut("abc", 3), cut("abcdef", 3)
    ('abc', 'abc... (6 characters)')
    """
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text):,} characters)"


def message_of(error: BaseException, *, whole: bool = False, longest: int = LONGEST_MESSAGE) -> str:
    """The message of `error`: its first line, or the `whole` of it, cut to `longest` characters.

    An error may be anybody's: where its message cannot be made, the text says so.

    >>> message_of(ValueError("two\\nlines")), message_of(ValueError("two\\nlines"), whole=True)
    ('two', 'two\\nlines')
    """
    try:
        text = str(error).strip()
    except (Exception, SystemExit) as another:
        text = f"its message cannot be shown: {type(another).__name__}"
    return cut(text if whole else text.partition("\n")[0], longest)


def traceback_of(error: BaseException) -> str:
    """The whole traceback of `error` as Python prints it, cut to 100,000 characters."""
    return cut("".join(traceback.format_exception(error)).rstrip(), LONGEST_TRACEBACK)


def too_long(error: BaseException) -> str:
    """The sentence for an `error` about a file name that is too long for the system; empty for
    every other error.

    >>> too_long(OSError(errno.ENAMETOOLONG, "File name too long", "x" * 5000))
    "the file name 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'... is too long"
    """
    if not (isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG):
        return ""
    return f"the file name {str(error.filename)[:40]!r}... is too long"


def reason_of(error: Exception) -> str:
    """What the system says of a file when it raises `error`, in words: without the number of the
    error and the path.

    >>> reason_of(FileNotFoundError(2, "No such file or directory", "model.py"))
    'No such file or directory'
    """
    reason = getattr(error, "strerror", None)
    return reason if isinstance(reason, str) and reason else message_of(error)
