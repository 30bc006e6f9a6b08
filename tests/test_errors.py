"""Messages of errors that are anybody's: they may be long, be unprintable, or raise themselves."""

import pytest
import torch

import verifier
from verifier.errors import InputError, cut, message_of, reason_of

LONG = "x" * 1_000_000


class TellingError(Exception):
    """An error whose message is made by a function."""

    def __init__(self, tell):
        self.tell = tell

    def __str__(self):
        return self.tell()


def mute(kind=LookupError):
    def tell():
        raise kind

    return TellingError(tell)


@pytest.mark.parametrize(
    ("error", "first", "whole"),
    [
        (ValueError("one\ntwo"), "one", "one\ntwo"),
        (ValueError("  \n one"), "one", "one"),
        (ValueError(), "", ""),
        (KeyError("key"), "'key'", "'key'"),
        (mute(), "its message cannot be shown: LookupError", None),
        (mute(SystemExit), "its message cannot be shown: SystemExit", None),
        (TellingError(lambda: 7), "its message cannot be shown: TypeError", None),
        (ValueError(LONG), "x" * 1000 + "... (1,000,000 characters)", None),
        (KeyboardInterrupt("now"), "now", None),
    ],
)
def test_messages(error, first, whole):
    assert message_of(error) == first
    assert message_of(error, whole=True) == (first if whole is None else whole)


def test_a_message_is_cut_to_what_is_asked_for():
    assert message_of(ValueError("abcdef"), longest=3) == "abc... (6 characters)"
    assert cut("abc", 3) == "abc"


def test_an_interruption_is_none_of_ours():
    with pytest.raises(KeyboardInterrupt):
        message_of(mute(KeyboardInterrupt))


def test_reasons_of_the_system():
    assert reason_of(PermissionError(13, "Permission denied", "a.py")) == "Permission denied"
    assert reason_of(OSError("torn")) == "torn"
    assert reason_of(ValueError("embedded null byte")) == "embedded null byte"
    assert reason_of(mute()) == "its message cannot be shown: LookupError"


def test_long_sentences_and_excerpts_are_cut():
    error = InputError(LONG, "line\n" * 100_000)
    assert error.sentence == "x" * 2000 + "... (1,000,000 characters)"
    assert error.excerpt == "line\n" * 3999 + "line... (500,000 characters)"
    assert str(error) == f"{error.sentence}\n{error.excerpt}"


def test_what_is_just_short_enough_is_whole():
    assert InputError("x" * 2000).sentence == "x" * 2000
    assert InputError("x" * 2001).sentence == "x" * 2000 + "... (2,001 characters)"
    assert InputError("", "x" * 20_000).excerpt == "x" * 20_000
    assert InputError("", "x" * 20_001).excerpt == "x" * 20_000 + "... (20,001 characters)"


def test_escapes_count_as_they_are_shown():
    assert InputError("\x1b" * 1000).sentence == "\\x1b" * 500 + "... (1,000 characters)"


def test_the_place_of_an_error_does_not_take_its_length_away():
    located = InputError(LONG, "below").located("model.py")
    assert located.sentence == "model.py: " + "x" * 1990 + "... (1,000,010 characters)"
    assert located.excerpt == "below"


def raising(error):
    def code(x):
        raise error

    return code


def raising_behind(error):
    class Raising(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, incoming):
            raise error

    return Raising.apply


@pytest.mark.parametrize("made", [raising, raising_behind])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (mute(), ": its message cannot be shown: LookupError\n"),
        (ValueError(LONG), "x... (1,000,000 characters)\n"),
        (ValueError("\ud800 \x1b[2J"), ": \\ud800 \\x1b[2J\n"),
    ],
)
def test_errors_of_the_code_are_told_in_a_sentence(made, error, told):
    with pytest.raises(InputError) as raised:
        verifier.check(made(error), inputs={"x": torch.ones(2)})
    assert told in str(raised.value)
    assert len(str(raised.value)) < 23_000
