"""Mistakes of scale: the exact gradient times a number."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from flint import arb

from verifier.judging.causes.rule import Found
from verifier.judging.causes.suspect import Told
from verifier.program.evaluation.arithmetic import precision
from verifier.program.evaluation.balls import LAST_BITS

SHARP = 1e-3
"""A factor must be known so well, as a fraction, to be told from other ones."""
NEARLY = 1e-2
"""A factor closer to 1 is no mistake of the formula where that replays."""
SMALL = 3
"""A sum over fewer rows stands for a mean only perhaps: 2 is a common factor by itself."""


def sign_flipped(told: Told) -> Found | None:
    """The negative of the exact gradient."""
    if not told.fits(-told.exact):
        return None
    return Found(
        "sign flipped", f"the sign is flipped (stated / exact = {_ratio_digits(told)})", -told.exact
    )


def _ratio_digits(told: Told) -> str:
    """The ratio at the largest component, to as many decimals as the dtype has."""
    element = _largest(told)
    decimals = math.floor(told.format.decimal_digits)
    stated, exact = told.part.verdicts.stated[element], told.part.verdicts.centre[element]
    return f"{stated / exact:.{decimals}f}"


def _largest(told: Told) -> int:
    """The largest exact number among those that disagree."""
    sizes = np.where(told.disagreeing & told.known, np.abs(told.centre), -1.0)
    return int(np.argmax(sizes))


def reduced(told: Told) -> Found | None:
    """A sum where a mean is exact, or the other way round: a factor of a number of rows or
    elements.
    """
    for count, where in _counts(told):
        told.go_on()
        if count >= SMALL:
            for cause, factor, text in (
                ("mean for sum", arb(1) / count, f"1/{count} of"),
                ("sum for mean", arb(count), f"{count} times"),
            ):
                if told.fits(told.exact * factor, told.allowed * float(factor)):
                    return Found(
                        cause,
                        f"{cause}: it is {text} the exact gradient, and {where}",
                        told.exact * factor,
                    )
    return None


def _counts(told: Told) -> Iterator[tuple[int, str]]:
    """Numbers that a mean may divide by, each with what it counts; rows first."""
    shapes = told.shapes()
    kept = {name: shape for name, shape in shapes.items() if shape and math.prod(shape) > 1}
    seen: set[int] = set()
    for name, shape in kept.items():
        if shape[0] not in seen:
            seen.add(shape[0])
            yield shape[0], f"{name} has {shape[0]} rows"
    for name, shape in kept.items():
        if math.prod(shape) not in seen:
            seen.add(math.prod(shape))
            yield math.prod(shape), f"{name} has {math.prod(shape)} elements"
        for axis, length in enumerate(shape):
            if length not in seen:
                seen.add(length)
                yield length, f"axis {axis} of {name} has {length}"


def simple_factor(told: Told) -> Found | None:
    """The first simple constant that all components are multiplied by."""
    ratio = _ratio(told)
    if ratio is None:
        return None
    with precision(LAST_BITS):
        sharp = _is_sharp(told)
        for text, constant in _constants(told):
            told.go_on()
            signed = constant if ratio > 0 else -constant
            if (sharp or text in _PLAIN) and told.fits(
                told.exact * signed, told.allowed * abs(float(signed))
            ):
                sentence = (
                    f"it is {'' if ratio > 0 else '-'}{text} times the exact "
                    f"gradient{_rows(told, text)}"
                )
                return Found("constant factor", sentence, told.exact * signed)
    return None


def any_factor(told: Told) -> Found | None:
    """Any other number, where components of several sizes are multiplied by the same."""
    ratio = _ratio(told)
    if (
        ratio is None
        or not _is_sharp(told)
        or (told.is_replayed and abs(float(ratio.mid()) - 1.0) < NEARLY)
    ):
        return None
    sizes = np.abs(told.centre[told.known & (told.centre != 0)])
    if sizes.size == 0 or sizes.max() <= (1.0 + SHARP) * sizes.min():
        return None
    predicted = told.exact * arb(ratio.mid())
    sentence = f"it is {_decimal(ratio, told)} times the exact gradient, in all components"
    return Found("constant factor", sentence, predicted)


def _ratio(told: Told) -> Any:
    """The ratio at the largest component, a ball; None where it is not that of all components."""
    if not (told.known & told.disagreeing & (told.centre != 0)).any():
        return None
    with precision(LAST_BITS):
        element = _largest(told)
        ratio = told.stated[element] / told.exact[element]
        middle = arb(ratio.mid())
        fitting = middle != 0 and told.fits(told.exact * middle, told.allowed * abs(float(middle)))
        return ratio if fitting else None


def _is_sharp(told: Told) -> bool:
    """Whether a factor is known well enough to be told from others."""
    element = _largest(told)
    return bool(told.allowed[element] <= SHARP * abs(told.centre[element]))


def _rows(told: Told, text: str) -> str:
    """Two rows make a factor of 2 suspicious."""
    pairs = [
        where
        for count, where in _counts(told)
        if count < SMALL and text in (f"{count}", f"1/{count}")
    ]
    return f" ({pairs[0]}: a sum and a mean may be confused)" if pairs else ""


_PLAIN = {"2", "1/2", "4", "1/4"}


def _constants(told: Told) -> Iterator[tuple[str, Any]]:
    """Simple numbers, the simplest first, each as it is written."""
    pi, two = arb.pi(), arb(2)
    for whole in (2, 4, 3, 8, 10, 6, 5, 100, 1000, 16, 12, 32, 64):
        yield f"{whole}", arb(whole)
        yield f"1/{whole}", arb(1) / whole
    yield from (
        ("pi", pi), ("1/pi", 1 / pi), ("2*pi", 2 * pi), ("1/(2*pi)", 1 / (2 * pi)),
        ("pi/2", pi / 2), ("2/pi", 2 / pi), ("log(2)", two.log()), ("1/log(2)", 1 / two.log()),
        ("log(10)", arb(10).log()), ("1/log(10)", 1 / arb(10).log()), ("sqrt(2)", two.sqrt()),
        ("1/sqrt(2)", 1 / two.sqrt()), ("e", arb(1).exp()), ("1/e", arb(-1).exp()),
        ("sqrt(pi)", pi.sqrt()), ("1/sqrt(pi)", 1 / pi.sqrt()), ("2/sqrt(pi)", 2 / pi.sqrt()),
        ("sqrt(2*pi)", (2 * pi).sqrt()), ("1/sqrt(2*pi)", 1 / (2 * pi).sqrt()),
        ("180/pi", 180 / pi), ("pi/180", pi / 180), ("3/2", arb(3) / 2), ("2/3", two / 3),
        ("3/4", arb(3) / 4), ("4/3", arb(4) / 3), ("sqrt(3)", arb(3).sqrt()),
        ("1/sqrt(3)", 1 / arb(3).sqrt()),
    )  # fmt: skip
    for count, _ in _counts(told):
        if count > 1:
            root = arb(count).sqrt()
            yield f"{count}/{count - 1}", arb(count) / (count - 1)
            yield f"{count - 1}/{count}", arb(count - 1) / count
            yield f"sqrt({count})", root
            yield f"1/sqrt({count})", 1 / root


def _decimal(ratio: Any, told: Told) -> str:
    """A factor in decimal, close to 1 by its distance from there."""
    apart = float((ratio - 1).mid())
    digits = 17 if told.is_in_graph else max(2, math.floor(-math.log10(max(told.relative, 1e-16))))
    if 0 < abs(apart) < 1e-3:
        return f"1 {'+' if apart > 0 else '-'} {abs(apart):.3g}"
    return f"{float(ratio.mid()):.{min(digits, 16)}g}"
