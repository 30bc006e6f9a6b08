"""Floats as people read them: in full, short, or without the .0 of a whole number."""

from __future__ import annotations


def number(value: float) -> str:
    """`value` as Python writes it: the text reads back as the same float.

    >>> number(0.1), number(3)
    ('0.1', '3.0')
    """
    return repr(float(value))


def short(value: float) -> str:
    """`value` in two or three digits, at most 7 characters (8 with a sign), for what is an estimate
    anyway.

    >>> short(0.291), short(50.0), short(23456789.0)
    ('0.291', '50', '2.3e+07')
    """
    text = f"{value:.3g}"
    return text if len(text) <= 7 else f"{value:.1e}"


def plain(value: float) -> str:
    """`value` without the .0 that a whole number ends in.

    >>> plain(3.0), plain(0.1)
    ('3', '0.1')
    """
    return number(value).removesuffix(".0")
