"""Screening in float64: code run at many arguments, each answer compared with the exact program, to
choose those that an examination is worth.

A run costs a hundredth of an examination, so that many more arguments can be tried than judged. No
verdict comes from here: what looks wrong is examined, and what rounding may explain passes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from verifier.capture.code_at_point import SEED, TANGENT
from verifier.capture.lowering import plain
from verifier.judging.conditioning import Point
from verifier.judging.examination import Examination
from verifier.operations.arrays import Floats, Truths
from verifier.operations.formats import FLOAT64, Format
from verifier.program.evaluation.batches import BatchArithmetic, aligned
from verifier.program.program import Node, evaluate

Arguments = Mapping[str, torch.Tensor]
"""What stands in the place of some inputs, or of what multiplies the results' derivatives."""
ROUNDINGS = 32.0
"""So many roundings of the largest number of an array pass, and as much as the answer moves with
inputs that are moved by as many.
"""
MOVES = 4
"""So often they are moved."""
NUMBERS = 4_000_000
"""So many numbers are computed at most, about."""


@dataclass(frozen=True, eq=False)
class Float64Screening:
    """Code that was examined at one point, with its exact program."""

    point: Point
    """The exact program, with its arguments there."""
    given: Arguments
    """All arguments of the code there, in order."""
    state: Callable[..., Sequence[torch.Tensor | None]]
    """Takes them, and states a tensor for each result of the program; None for zeros."""
    formats: Sequence[Format]
    """Those of what is stated."""
    shapes: Sequence[tuple[int, ...]]
    """Those of what is stated."""

    @staticmethod
    def of(examination: Examination) -> Float64Screening | None:
        """That of an examination; None where it has no exact program."""
        if examination.exact is None or examination.coded is None:
            return None
        statements = examination.coded.statements
        return Float64Screening(
            examination.exact.point,
            dict(zip(statements.names, statements.arguments, strict=True)),
            statements.joint,
            [statements.format(place) for place in range(len(statements.labels))],
            statements.shapes,
        )

    @property
    def most(self) -> int:
        """So many arguments can be tried."""
        return NUMBERS // (8 * max(self.point.program.elements, 1))

    def suspects(
        self, tried: Sequence[Arguments], least: float = 1.0, most: float = math.inf
    ) -> list[int]:
        """The places of those at which the answer is further from the exact one than rounding is
        likely to bring it, the furthest first.

        They are `least` times as far at least, and `most` times at most; what is no number is
        infinitely far. Those come first at which float64 knows the exact answer so well that it
        cannot be the one to blame.
        """
        answers = [self._answer({**self.given, **one}) for one in tried]
        with np.errstate(all="ignore"):
            found = self._distances(tried, answers)
        chosen = [place for place in range(len(tried)) if least < found[place] <= most]
        ran = [(tried[place], answer) for place in chosen if (answer := answers[place])]
        sure = dict(zip(chosen, self._are_beyond_noise(ran), strict=True))
        return sorted(chosen, key=lambda place: (not sure[place], -found[place]))

    def _are_beyond_noise(
        self, ran: Sequence[tuple[Arguments, Sequence[Floats]]]
    ) -> Sequence[bool]:
        """For each whether its answer is further away than the exact answers lie from each other
        that are computed with noise in every operation.
        """
        if not ran:
            return []
        arguments = self._stacked([tried for tried, _ in ran])
        exact = self._exact(arguments)
        noisy = [self._exact(arguments, _Noisy(move)) for move in range(MOVES)]
        with np.errstate(all="ignore"):
            spans = [
                (np.min(parts, axis=0), np.max(parts, axis=0))
                for parts in zip(exact, *noisy, strict=True)
            ]
            stated = _rows([answer for _, answer in ran], exact)
            found = self._in_roundings(stated, spans, [np.abs(each) for each in exact])
        return [bool(one) for one in found > 1.0]

    def _distances(
        self, tried: Sequence[Arguments], answers: Sequence[Sequence[Floats] | None]
    ) -> Floats:
        """For each the largest distance of its answer, in what passes for rounding; 0 where the
        code raises.
        """
        distances = np.zeros(len(tried))
        ran = {place: answer for place, answer in enumerate(answers) if answer is not None}
        if ran:
            arguments = self._stacked([tried[place] for place in ran])
            distances[list(ran)] = self._compared(list(ran.values()), arguments)
        return distances

    def _compared(
        self, answers: Sequence[Sequence[Floats]], arguments: Mapping[str, Floats]
    ) -> Floats:
        """The largest distance of each answer from the exact one, in what passes for rounding."""
        exact = self._exact(arguments)
        stated = _rows(answers, exact)
        points = [(each, each) for each in exact]
        found = self._in_roundings(stated, points, [np.abs(each) for each in exact])
        if not (found > 1.0).any():
            return found
        spans, sizes = self._spans(exact, arguments), self._sizes(exact, arguments)
        found = self._in_roundings(stated, spans, sizes)
        # What the function itself loses there is no mistake of its gradient.
        return np.where(self._loses_range(arguments), 0.0, found)

    def _spans(
        self, exact: Sequence[Floats], arguments: Mapping[str, Floats]
    ) -> list[tuple[Floats, Floats]]:
        """As far as the exact results move with inputs that are moved by some roundings."""
        moved = [self._exact(self._moved(arguments, move)) for move in range(MOVES)]
        far = [
            np.max(np.abs(np.subtract(parts, each)), axis=0)
            for each, *parts in zip(exact, *moved, strict=True)
        ]
        return [(each - apart, each + apart) for each, apart in zip(exact, far, strict=True)]

    def _sizes(self, exact: Sequence[Floats], arguments: Mapping[str, Floats]) -> list[Floats]:
        """The sizes of the exact results, or of those with other signs of the weights: of sums
        that cancel the terms are seen there.
        """
        flipped = [self._exact(self._flipped(arguments, move)) for move in range(MOVES)]
        return [
            np.fmax.reduce(np.abs(parts), axis=0) for parts in zip(exact, *flipped, strict=True)
        ]

    def _answer(self, arguments: Arguments) -> list[Floats] | None:
        """What is stated, in float64; None where the code raises, or takes a path on which it has
        results of other shapes.
        """
        try:
            found = self.state(*(tensor.clone() for tensor in arguments.values()))
        except Exception:
            return None
        for part, shape in zip(found, self.shapes, strict=True):
            if part is not None and part.numel() != math.prod(shape):
                return None
        return [np.zeros(1) if part is None else plain(part) for part in found]

    def _stacked(self, tried: Sequence[Arguments]) -> dict[str, Floats]:
        """The arguments of the program, those tried along a first axis."""
        found = {}
        for name, value in self.point.arguments.items():
            own = [plain(one[name]) if name in one else value for one in tried]
            found[name] = np.stack(own) if any(name in one for one in tried) else value[None]
        return found

    def _exact(
        self, arguments: Mapping[str, Floats], arithmetic: BatchArithmetic | None = None
    ) -> list[Floats]:
        """The exact results in float64: an array of those tried by elements."""
        count = max(len(value) for value in arguments.values())
        with np.errstate(all="ignore"):
            results = evaluate(self.point.program, arithmetic or BatchArithmetic(), arguments)
        flat = [np.asarray(result).reshape(len(result), -1) for result in results]
        return [np.broadcast_to(each, (count, each.shape[1])) for each in flat]

    def _loses_range(self, arguments: Mapping[str, Floats]) -> Truths:
        """For each of those tried whether an ordinary number of the exact program gives one that
        underflows or overflows in the format.
        """
        narrow = min(self.formats, key=lambda own: own.precision)
        arithmetic = _RangeArithmetic(narrow)
        with np.errstate(all="ignore"):
            evaluate(self.point.program, arithmetic, arguments)
        return arithmetic.lost

    def _moved(self, arguments: Mapping[str, Floats], move: int) -> dict[str, Floats]:
        """The arguments, each number moved by as many roundings in a direction of its own."""
        generator, found = np.random.default_rng(move), {}
        for name, value in arguments.items():
            own = self.point.formats[name]
            signs = generator.choice([-1.0, 1.0], value.shape[1:])
            steps = ROUNDINGS * own.unit_roundoff * np.abs(value) + own.smallest_subnormal
            found[name] = value + signs * steps
        return found

    def _flipped(self, arguments: Mapping[str, Floats], move: int) -> dict[str, Floats]:
        """The arguments, what multiplies the results or the inputs with signs drawn at random."""
        generator, found = np.random.default_rng(move), dict(arguments)
        for name, value in arguments.items():
            if name.startswith((SEED, TANGENT)):
                found[name] = value * generator.choice([-1.0, 1.0], value.shape[1:])
        return found

    def _in_roundings(
        self,
        stated: Sequence[Floats],
        spans: Sequence[tuple[Floats, Floats]],
        sizes: Sequence[Floats],
    ) -> Floats:
        """How far the numbers lie outside the spans at most, for each of those tried."""
        rows = [
            _distance(part, *span, size, own)
            for part, span, size, own in zip(stated, spans, sizes, self.formats, strict=True)
            if part.size
        ]
        return np.max(rows, axis=0) if rows else np.zeros(len(stated[0]))


class _Noisy(BatchArithmetic):
    """Moves the result of every operation by some roundings of float64."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)

    def row(self, place: int, node: Node, *arguments: Floats) -> Floats:
        result = super().row(place, node, *arguments)
        if not arguments or result.dtype != np.float64:
            return result
        noise = self._generator.uniform(-1.0, 1.0, result.shape)
        return np.asarray(result * (1.0 + ROUNDINGS * FLOAT64.unit_roundoff * noise))


class _RangeArithmetic(BatchArithmetic):
    """Marks the variants in which ordinary numbers give one outside the format's range."""

    def __init__(self, format: Format) -> None:
        self.format = format
        self.lost: Truths = np.zeros(1, dtype=bool)

    def row(self, place: int, node: Node, *arguments: Floats) -> Floats:
        result = super().row(place, node, *arguments)
        if arguments and result.dtype == np.float64:
            sizes = np.abs(result)
            small = (sizes < self.format.smallest_normal) & (
                (sizes > 0) | (node.operation in _SCALING)
            )
            large = sizes > self.format.largest
            for argument in aligned(arguments):
                if argument.dtype == np.float64:
                    size = np.abs(argument)
                    small = small & (size >= self.format.smallest_normal)
                    large = large & (size > 0) & (size <= self.format.largest)
            outside = small | large
            self.lost = self.lost | outside.reshape(len(outside), -1).any(axis=1)
        return result


_SCALING = frozenset({"multiply", "divide", "square", "power", "exp", "exp2"})
"""They give 0 for other numbers by underflow only."""


def _rows(answers: Sequence[Sequence[Floats]], exact: Sequence[Floats]) -> list[Floats]:
    """What was stated of each result, an array of the answers by elements."""
    return [
        np.stack([np.broadcast_to(answer[part].ravel(), each.shape[1:]) for answer in answers])
        for part, each in enumerate(exact)
    ]


def _distance(stated: Floats, low: Floats, high: Floats, sizes: Floats, format: Format) -> Floats:
    """For each row the largest distance of a number from its span, in roundings of the largest
    size; 0 where that is not known.
    """
    with np.errstate(all="ignore"):
        sizes = np.maximum(sizes, np.maximum(np.abs(low), np.abs(high)))
        known = np.isfinite(sizes) & (sizes <= format.largest)
        scale = np.max(np.where(known, sizes, 0.0), axis=1, keepdims=True)
        passes = ROUNDINGS * (format.unit_roundoff * scale + format.smallest_subnormal)
        outside = np.maximum(np.maximum(low - stated, stated - high), 0.0) / passes
        outside = np.where(np.isfinite(stated), outside, np.inf)
    found: Floats = np.max(np.where(known, outside, 0.0), axis=1)
    return found
