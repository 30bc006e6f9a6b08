"""What goes wrong outside verifier, as one sentence for the person who can mend it."""

from __future__ import annotations


class InputError(ValueError):
    """Something that a person gave cannot be used.

    The message is one sentence: what is wrong, where, and what would do; an excerpt of what was given
    may stand below it. Control characters in it
    are shown escaped, so that text from a file never reaches a terminal as an instruction.

    >>> str(InputError("no model 'a\\x1b[2J'"))
    "no model 'a\\\\x1b[2J'"
    """

    def __init__(self, message: str, excerpt: str = "") -> None:
        self.sentence = printable(message)
        self.excerpt = "\n".join(map(printable, excerpt.splitlines()))
        super().__init__(f"{self.sentence}\n{self.excerpt}" if excerpt else self.sentence)

    def located(self, place: str) -> InputError:
        """The same error, said to be at that place."""
        return InputError(f"{place}: {self.sentence}", self.excerpt)


class GradientError(AssertionError):
    """A gradient was judged and did not agree; the message is the report."""


def printable(text: str) -> str:
    """The text on one line, with every character that does not print replaced by its escape.

    >>> printable("two\\nlines")
    'two\\\\nlines'
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
