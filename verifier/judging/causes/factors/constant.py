"""The exact gradient times a number."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from flint import arb

from verifier.judging.causes.rule import Mistake
from verifier.judging.causes.suspect import Suspect
from verifier.operations.arrays import Ball
from verifier.program.evaluation.arithmetic import precision
from verifier.program.evaluation.balls import LAST_BITS

SHARP = 1e-3
"""A factor must be known so well, as a fraction, to be distinguished from other ones."""
NEARLY = 1e-2
"""A factor closer to 1 is no mistake of the formula where that replays."""
SMALL = 3
"""A sum over fewer rows stands for a mean only perhaps: 2 is a common factor by itself."""


def explain_flipped_sign(suspect: Suspect) -> Mistake | None:
    """The negative of the exact gradient."""
    if not suspect.fits(-suspect.exact):
        return None
    return Mistake(
        "sign flipped",
        f"the sign is flipped (stated / exact = {_ratio_digits(suspect)})",
        -suspect.exact,
    )


def _ratio_digits(suspect: Suspect) -> str:
    """The ratio at the largest component, to as many decimals as the dtype has."""
    element = _largest_wrong(suspect)
    decimals = math.floor(suspect.format.decimal_digits)
    stated, exact = suspect.part.verdicts.stated[element], suspect.part.verdicts.centre[element]
    return f"{stated / exact:.{decimals}f}"


def _largest_wrong(suspect: Suspect) -> int:
    """The largest exact number among those that disagree."""
    sizes = np.where(suspect.disagreeing & suspect.known, np.abs(suspect.centre), -1.0)
    return int(np.argmax(sizes))


def explain_other_reduction(suspect: Suspect) -> Mistake | None:
    """A sum where a mean is exact, or the other way round: a factor of a number of rows or
    elements.
    """
    if suspect.circumstance.text:
        # Elsewhere the same code reduces rightly.
        return None
    for count, where in _row_counts(suspect):
        suspect.check_deadline()
        if count >= SMALL:
            for cause, factor, text in (
                ("mean for sum", arb(1) / count, f"1/{count} of"),
                ("sum for mean", arb(count), f"{count} times"),
            ):
                if suspect.fits(suspect.exact * factor, suspect.allowed * float(factor)):
                    return Mistake(
                        cause,
                        f"{cause}: it is {text} the exact gradient, and {where}",
                        suspect.exact * factor,
                    )
    return None


def _row_counts(suspect: Suspect) -> Iterator[tuple[int, str]]:
    """Numbers that a mean may divide by, each with what it counts; rows first."""
    shapes = suspect.shapes()
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


def explain_factor_in_backward(suspect: Suspect) -> Mistake | None:
    """The same of components of several sizes, where nothing is detached: a term that is always the
    same part of the whole is missing for no other reason.
    """
    examination = suspect.examination
    if (examination is not None and examination.detached) or not _has_sizes(suspect):
        return None
    return explain_simple_factor(suspect)


def explain_simple_factor(suspect: Suspect) -> Mistake | None:
    """The first simple constant that all components are multiplied by."""
    ratio = _ratio(suspect)
    if ratio is None:
        return None
    with precision(LAST_BITS):
        sharp = _is_sharp(suspect)
        for text, constant in _simple_constants(suspect):
            suspect.check_deadline()
            signed = constant if ratio > 0 else -constant
            if (sharp or text in _PLAIN) and suspect.fits(
                suspect.exact * signed, suspect.allowed * abs(float(signed))
            ):
                sentence = (
                    f"it is {'' if ratio > 0 else '-'}{text} times the exact "
                    f"{suspect.noun}{_reduction_hint(suspect, text)}"
                )
                return Mistake("constant factor", sentence, suspect.exact * signed)
    return None


def explain_any_factor(suspect: Suspect) -> Mistake | None:
    """Any other number, where components of several sizes are multiplied by the same."""
    ratio = _ratio(suspect)
    if (
        ratio is None
        or not _is_sharp(suspect)
        or (suspect.is_replayed and abs(float(ratio.mid()) - 1.0) < NEARLY)
    ):
        return None
    if not _has_sizes(suspect):
        return None
    predicted = suspect.exact * arb(ratio.mid())
    sentence = f"it is {_decimal(ratio, suspect)} times the exact gradient, in all components"
    return Mistake("constant factor", sentence, predicted)


def _has_sizes(suspect: Suspect) -> bool:
    """Whether the exact numbers are of more than one size."""
    sizes = np.abs(suspect.centre[suspect.known & (suspect.centre != 0)])
    return bool(sizes.size and sizes.max() > (1.0 + SHARP) * sizes.min())


def _ratio(suspect: Suspect) -> Ball | None:
    """The ratio at the largest component, a ball; None where it is not that of all components."""
    if not (suspect.known & suspect.disagreeing & (suspect.centre != 0)).any():
        return None
    with precision(LAST_BITS):
        element = _largest_wrong(suspect)
        ratio = suspect.stated[element] / suspect.exact[element]
        middle = arb(ratio.mid())
        fitting = middle != 0 and suspect.fits(
            suspect.exact * middle, suspect.allowed * abs(float(middle))
        )
        return ratio if fitting else None


def _is_sharp(suspect: Suspect) -> bool:
    """Whether a factor is known well enough to be distinguished from others."""
    element = _largest_wrong(suspect)
    return bool(suspect.allowed[element] <= SHARP * abs(suspect.centre[element]))


def _reduction_hint(suspect: Suspect, text: str) -> str:
    """Two rows make a factor of 2 suspicious, where it is wrong however the code is used."""
    if suspect.circumstance.text or suspect.chosen is not None or suspect.kind == "simplified":
        return ""
    pairs = [
        where
        for count, where in _row_counts(suspect)
        if count < SMALL and text in (f"{count}", f"1/{count}")
    ]
    return f" ({pairs[0]}: a sum and a mean may be confused)" if pairs else ""


_PLAIN = {"2", "1/2", "4", "1/4"}


def _simple_constants(suspect: Suspect) -> Iterator[tuple[str, Ball]]:
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
    for count, _ in _row_counts(suspect):
        if count > 1:
            root = arb(count).sqrt()
            yield f"{count}/{count - 1}", arb(count) / (count - 1)
            yield f"{count - 1}/{count}", arb(count - 1) / count
            yield f"sqrt({count})", root
            yield f"1/sqrt({count})", 1 / root


def _decimal(ratio: Ball, suspect: Suspect) -> str:
    """A factor in decimal, close to 1 by its distance from there."""
    apart = float((ratio - 1).mid())
    digits = (
        17 if suspect.is_in_graph else max(2, math.floor(-math.log10(max(suspect.relative, 1e-16))))
    )
    if 0 < abs(apart) < 1e-3:
        return f"1 {'+' if apart > 0 else '-'} {abs(apart):.3g}"
    return f"{float(ratio.mid()):.{min(digits, 16)}g}"
