"""Monte Carlo arithmetic: an array program replayed with every operation's result moved by its own
rounding.

A handful of seeded replays in float64, in which each operation's result is multiplied by 1 + d with
d drawn evenly between plus and minus its unit roundoff (times its budget in ulps), show how far
rounding alone can move the results (Parker, Monte Carlo Arithmetic, UCLA CSD-970002, 1997; Denis et
al., Verificarlo, arXiv:1509.01347). Two results that are the same number are moved alike, so that
rounding errors which come again and again add up here as they do in the code.

Comparisons that rounding leaves open are decided either way, another way in each replay. Where both
sides are the same number there is a kink: the replays that decide it to one side stay together, and
what lies between the sides is honest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, reduce
from itertools import count

import numpy as np

from verifier.operations.arrays import Array, Numeric, Truths
from verifier.operations.formats import FLOAT64, Format
from verifier.operations.operation import Call, Operation
from verifier.operations.table import TABLE
from verifier.program.evaluation.balls import COMPARISONS, EQUALITIES, STEPS
from verifier.program.evaluation.batches import BatchArithmetic, aligned, piled_rows
from verifier.program.program import NOTHING, Node, Program, evaluate

REPLAYS = 9
"""Thrice so many as there are ways to decide a kink. One more, the first, has no noise."""
DEVIATIONS = 32.0
"""Standard deviations of the noise that a right statement may be away."""
_GREATER = frozenset({"greater", "greater_equal", "not_equal"})
_PRODUCTS = frozenset({"multiply", "square", "divide"})
"""They are 0 only where a factor is, but for underflow."""
_WAYS = 3
"""Replays take a tie in turn as it falls, as if one side were larger, and as if the other were."""
_TERMS_SHARE = 0.25
"""Of the square root of a sum's number of terms: a walk of so many roundings in whatever order,
seen from 32 deviations (Higham and Mary, A new approach to probabilistic rounding error analysis,
SISC 41, 2019).
"""


_NOWHERE = np.False_


class NoiseArithmetic(BatchArithmetic):
    """Float64 arrays whose first axis are the replays, the one without noise first; `open` collects
    what rounding leaves undecided.
    """

    def __init__(
        self,
        positive: Sequence[bool],
        gain: float = 1.0,
        seed: int = 0,
        silent: frozenset[Format] = frozenset(),
    ) -> None:
        self.positive = positive
        """By the place of a node: whether it is above 0 whatever the inputs are, so that rounding
        does not make it 0.
        """
        self.gain = gain
        """All noise is so many times larger than it is: float64 cannot show noise of float64's own
        size.
        """
        self.silent = silent
        """Operations rounded to these formats are not moved."""
        self.coded: Mapping[int, Array] = {}
        """By the place of a comparison: how the code decided it, where that is known, in place of a
        coin.
        """
        self.beside: NoiseArithmetic | None = None
        """What moves those, in replays of their own: noise of two gains cannot be seen at once."""
        generator = np.random.default_rng(seed)
        salts = generator.integers(1, 2**63, size=REPLAYS, dtype=np.uint64)
        self._salts = np.append(np.uint64(0), salts)
        self.open: dict[int, Array] = {}
        """By the place of a comparison: an array of bool of its shape, where it is open."""
        self.ties: dict[int, Array] = {}
        """The same, where both sides are the same number: a kink."""
        self.reach: dict[int, Array] = {}
        """By the place of a comparison that is open: how far its sides may be apart for rounding to
        decide it.
        """
        self.borders: Mapping[int, Array] | None = None
        """Where comparisons are open, once that is known exactly."""

    def input(self, value: Array) -> Array:
        """The value with a first axis of length 1; the replays differ by their noise alone."""
        return super().input(value)[None]

    def constant(self, place: int, node: Node) -> Array:
        """The constant; moved by a rounding where its format does not hold it."""
        array, rounding = node.array[None], self._format(node)
        if rounding is None or array.dtype == bool or rounding.holds(float(array[0])):
            return np.asarray(array)
        return self._moved(place, array, rounding, 1.0)

    def _format(self, node: Node) -> Format | None:
        """What a node is rounded to here; None where it is not moved."""
        return None if node.format in self.silent else node.format

    def pile(self, place: int, node: Node, argument: Array) -> Array:
        """The sums of what lands on the same place, moved by the roundings of the longest."""
        index = node.array
        most = int(np.bincount(index[index != NOTHING], minlength=1).max(initial=0))
        totals, sizes = piled_rows(argument, node), piled_rows(np.abs(argument), node)
        return self._summed(place, node, totals, sizes, most)

    def total(self, place: int, node: Node, argument: Array) -> Array:
        """The sums along the node's axes, moved by the roundings of as many terms."""
        axes = tuple(axis + 1 for axis in node.payload)
        terms = int(np.prod([argument.shape[axis] for axis in axes]))
        with np.errstate(all="ignore"):
            return self._summed(
                place, node, argument.sum(axis=axes), np.abs(argument).sum(axis=axes), terms
            )

    def contract(self, place: int, node: Node, left: Array, right: Array) -> Array:
        """The products of matrices, moved by the roundings of as many terms, and to 0 where the
        format underflows.
        """
        with np.errstate(all="ignore"):
            sizes = np.matmul(np.abs(left), np.abs(right))
            if not sizes.all():
                # A product of two numbers may underflow to 0 in these replays as well.
                terms = np.matmul((left != 0).astype(float), (right != 0).astype(float))
                sizes = np.where((sizes == 0) & (terms > 0), FLOAT64.smallest_subnormal, sizes)
            product = np.matmul(left, right)
            moved = self._summed(place, node, product, sizes, left.shape[-1] + 1)
            return self._flushed(place, node, moved, (left, right, sizes))

    def _flushed(
        self, place: int, node: Node, product: Array, made_of: tuple[Array, Array, Array]
    ) -> Array:
        """The product of matrices, where subnormal factors, terms or results may be taken for 0.

        It is made of the two matrices; the third array has the sums of the sizes of its terms.
        """
        rounding = self._format(node)
        if rounding is None or rounding.least_factor == 0:
            return product
        left, right, sizes = made_of
        small_left, small_right, small = (
            np.where(np.abs(values) < rounding.least_factor, np.abs(values), 0.0)
            for values in (left, right, product)
        )
        lost = np.matmul(small_left, np.abs(right)) + np.matmul(np.abs(left), small_right) + small
        lost += np.minimum(sizes, left.shape[-1] * rounding.least_factor)
        noise = self._noise(place + (1 << 40), product)
        return np.where(np.isfinite(lost), product + noise * lost, product)

    def matrix(self, place: int, node: Node, argument: Array) -> Array:
        """Libraries are backward stable: their result is that of a matrix nearby (Higham, Accuracy
        and Stability of Numerical Algorithms, 2nd ed., section 1.5).
        """
        rounding, draws = self._format(node), count(1)

        def moved(values: Array, size: Array) -> Array:
            if rounding is None:
                return values
            # Each entry by itself: equal rows must not stay equal, or a zero eigenvalue stays 0.
            entries = np.arange(float(np.prod(values.shape[1:]))).reshape(1, *values.shape[1:])
            noise = self._noise(place + (next(draws) << 40), entries)
            return values + noise * (self.gain * rounding.unit_roundoff * size)

        return np.asarray(node.payload.floats(argument, moved))

    def round(self, place: int, node: Node, argument: Array) -> Array:
        """The argument moved by one rounding to the node's format."""
        rounding = self._format(node)
        return argument if rounding is None else self._moved(place, argument, rounding, 1.0)

    def row(self, place: int, node: Node, *arguments: Array) -> Array:
        """The row's result in each replay, moved by its own rounding; comparisons and steps as
        their arguments are in that replay.
        """
        operation = TABLE[node.operation]
        parts = aligned(arguments)
        if operation.name in COMPARISONS:
            return self._compared(place, operation, *parts)
        if operation.name == "sign":
            return self._sign(place, parts[0])
        if operation.name in STEPS:
            return self._stepped(place, operation, parts[0])
        with np.errstate(all="ignore"):
            result = np.asarray(_function(operation)(*parts))
        if not arguments:
            result = result.reshape(1)
        if operation.name == "divide" and not self.positive[node.arguments[1]]:
            result = np.where(self._may_be_zero(parts[1]), np.nan, result)
        rounding = self._format(node)
        if rounding is None or operation.budget.torch == 0.0:
            return result
        with np.errstate(all="ignore"):
            if operation.name in ("add", "subtract"):
                return self._summed(
                    place, node, result, np.abs(parts[0]) + np.abs(parts[1]), 2, of_result=True
                )
            moved = self._moved(
                place, result, rounding, self._budget(operation, result, parts), operation
            )
            if operation.name not in _PRODUCTS or result.all():
                return moved
            # In float64 a product underflows in these replays as well, and its size is lost.
            underflowed = (result == 0) & reduce(np.logical_and, (part != 0 for part in parts))
            lost = self._noise(place, result) * (self.gain * rounding.smallest_subnormal)
            return np.where(underflowed & np.isfinite(parts[-1]), lost, moved)

    def _may_be_zero(self, values: Array) -> Truths:
        """Where rounding can make numbers 0 that are not: nothing bounds what is divided by them.

        So are the last pivots of a matrix whose condition number is beyond one by the unit
        roundoff.
        """
        values = _every_replay(values)
        spread = _spread(values)
        return np.asarray((spread > 0) & self._may_reach_zero(values, spread))

    def _may_reach_zero(self, values: Array, spread: Array) -> Truths:
        """Where noise of that spread may bring numbers to 0.

        Noise moves a sum of squares to one side, so that its middle says little of the number.
        """
        with np.errstate(all="ignore"):
            nearest = np.minimum(np.abs(values[1:].mean(axis=0)), np.abs(values[0]))
            return np.asarray(nearest <= self._reach * spread)

    @property
    def _reach(self) -> float:
        """How many standard deviations of these replays rounding reaches.

        So few replays know the middle to a part of their spread only.
        """
        return float(DEVIATIONS / self.gain + _UNSURE)

    def _budget(self, operation: Operation, result: Array, parts: Sequence[Array]) -> Numeric:
        """How many units of roundoff the result may be off; an ulp is at most two of them."""
        ulps, size = 2.0 * operation.budget.torch, operation.budget.size
        if size is None:
            return ulps
        with np.errstate(all="ignore"):
            ratio = _size_in_floats(size, result, parts) / np.where(result == 0, 1.0, result)
        # An infinite result stays what it is.
        return ulps * np.abs(np.where(np.isinf(result), 1.0, ratio))

    def _summed(
        self,
        place: int,
        node: Node,
        totals: Array,
        sizes: Array,
        terms: int,
        *,
        of_result: bool = False,
    ) -> Array:
        """A sum of so many terms in any order, whose sizes add up to `sizes`."""
        rounding = self._format(node)
        if rounding is None or terms < 2:
            return totals
        units = min(terms - 1.0, max(1.0, _TERMS_SHARE * np.sqrt(terms)))
        size = np.abs(totals) if of_result else sizes
        # A product that underflows on the way loses half a subnormal.
        lost = np.where(size > 0, rounding.smallest_subnormal, 0.0)
        noise = self._noise(place, totals) * (units * self.gain)
        moved = totals + noise * (rounding.unit_roundoff * size + lost)
        return _ranged(np.where(np.isinf(totals), totals, moved), rounding)

    def _moved(
        self,
        place: int,
        values: Array,
        format: Format,
        units: Numeric,
        operation: Operation | None = None,
    ) -> Array:
        noise = self._noise(place, values) * self.gain
        with np.errstate(all="ignore"):
            moved = values * (1.0 + noise * (units * format.unit_roundoff))
            small = (np.abs(values) < format.smallest_normal) & (values != 0)
            if small.any():
                # There a library's function may give 0, and a rounding loses half a subnormal.
                call = operation is not None and isinstance(operation.torch, Call)
                loss = np.where(call, np.abs(values) / self.gain, format.smallest_subnormal)
                moved = np.where(small, values + noise * loss, moved)
        return _ranged(moved, format)

    def _noise(self, place: int, values: Array) -> Array:
        """Even between -1 and 1: in each replay another number, in one replay the same for the same
        value.
        """
        if values.shape[0] == 1:
            values = np.repeat(values, REPLAYS + 1, axis=0)
        bits = np.ascontiguousarray(values).view(np.uint64)
        salts = _mixed_salts(self._salts.tobytes(), place).reshape(-1, *([1] * (values.ndim - 1)))
        mixed = _mixed(bits ^ salts)
        mixed >>= np.uint64(11)
        noise = mixed.astype(np.float64)
        noise *= 2.0**-52
        noise -= 1.0
        noise[0] = 0.0
        return noise

    def _compared(self, place: int, operation: Operation, left: Array, right: Array) -> Array:
        with np.errstate(all="ignore"):
            apart = np.asarray(left, dtype=np.float64) - np.asarray(right, dtype=np.float64)
            decided = np.asarray(_function(operation)(left, right))
        # Nothing says how a number compares that rounding may move anywhere.
        unknown = np.isnan(left) | np.isnan(right)
        tie, near = self._borders(
            place, apart, unknown.any(axis=0), ties=operation.name not in EQUALITIES
        )
        if tie is None or near is None:
            return decided
        greater = operation.name in _GREATER
        return self._split(place, decided, tie, near, greater, ~np.asarray(greater))

    def _sign(self, place: int, values: Array) -> Array:
        tie, near = self._borders(place, values, np.isnan(values).any(axis=0))
        signs = np.sign(values)
        if tie is None or near is None:
            return signs
        return self._split(place, signs, tie, near, 1.0, -1.0)

    def _stepped(self, place: int, operation: Operation, values: Array) -> Array:
        """The whole number below or above, which rounding decides beside a whole number."""
        with np.errstate(all="ignore"):
            decided = np.asarray(_function(operation)(values))
            whole = np.rint(values.mean(axis=0))
            _, near = self._borders(place, values - whole, ties=False)
        if near is None:
            return decided
        below = whole - 1.0 if operation.name == "floor" else whole
        return self._split(place, decided, near & False, near, below, below + 1.0)

    def _borders(
        self, place: int, apart: Array, unknown: Truths | np.bool = _NOWHERE, *, ties: bool = True
    ) -> tuple[Truths, Truths] | tuple[None, None]:
        """Where both sides are the same number, and where rounding may decide, as it may where they
        are `unknown`; (None, None) where nowhere.
        """
        apart = _every_replay(apart)
        same = np.all(apart == 0, axis=0)
        tie = same & ties
        spread = _spread(apart)
        near = (~same & self._may_reach_zero(apart, spread)) | unknown
        if self.borders is not None:
            near = ~same & self.borders.get(place, np.False_)
        if not (tie.any() or near.any()):
            return None, None
        self.open[place] = tie | near
        self.reach[place] = DEVIATIONS / self.gain * spread
        if tie.any():
            self.ties[place] = tie
        return tie, near

    def _split(
        self, place: int, decided: Array, tie: Truths, near: Truths, one: Numeric, other: Numeric
    ) -> Array:
        """Each third of the replays decides ties its own way: as coded, to one side, to the other;
        all of them as the code did, where that is known.
        """
        decided = _every_replay(decided).copy()
        if place in self.coded:
            return np.where(tie | near, self.coded[place], decided)
        ways = np.append(0, np.arange(REPLAYS) % _WAYS)
        way = ways.reshape(-1, *([1] * (decided.ndim - 1)))
        decided = np.where(tie & (way == 1), one, np.where(tie & (way == 2), other, decided))
        # What rounding decides may fall out differently in each place.
        coin = (
            _mixed(
                self._salts.reshape(way.shape)
                + np.arange(near.size, dtype=np.uint64).reshape(near.shape)
            )
            & np.uint64(1)
        ) == 1
        return np.where(near, np.where(coin, one, other), decided)


def _every_replay(values: Array) -> Array:
    """The numbers of each replay, also where they are the same in all of them."""
    return np.broadcast_to(values, (REPLAYS + 1, *values.shape[1:]))


def _spread(values: Array) -> Array:
    """The standard deviation over the replays with noise."""
    with np.errstate(all="ignore"):
        return np.asarray(values[1:].std(axis=0))


def _mixed(bits: Array) -> Array:
    """The finaliser of splitmix64 (Steele, Lea and Flood, OOPSLA 2014). Arrays wrap around."""
    bits = np.asarray(bits ^ (bits >> np.uint64(30)))
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return bits


@lru_cache(maxsize=4096)
def _mixed_salts(salts: bytes, place: int) -> Array:
    """The salts of the replays at the place of a node."""
    return _mixed(np.frombuffer(salts, np.uint64) + np.uint64(place))


def _ranged(values: Array, format: Format) -> Array:
    """Infinite where the format overflows; float64 does so by itself."""
    if format is FLOAT64:
        return values
    with np.errstate(all="ignore"):
        return np.where(np.abs(values) > format.largest, np.copysign(np.inf, values), values)


def _function(operation: Operation) -> Callable[..., Numeric]:
    return operation.numpy.function


def _size_in_floats(size: Callable[..., Numeric], result: Array, parts: Sequence[Array]) -> Array:
    """A budget's size is written for balls; here it gets numbers."""
    return np.asarray(size(result, *parts), dtype=np.float64)


GAIN = 256.0
"""The replays are computed in float64. Where that is the format as well, the noise is so many times
as large as its rounding, so that the replays' own rounding is small beside it.
"""
_UNSURE = 4.0 / REPLAYS**0.5
"""Four standard errors of a mean over the replays, in standard deviations."""


def arithmetic_for(program: Program, seed: int = 0) -> NoiseArithmetic:
    """Noise that float64 can show for the formats of `program`; `seed`, a whole number from 0 on,
    chooses it.
    """
    formats = {node.format for node in program.nodes if node.format is not None}
    if formats == {FLOAT64}:
        return NoiseArithmetic(program.positive, GAIN, seed)
    arithmetic = NoiseArithmetic(program.positive, 1.0, seed, frozenset({FLOAT64}))
    if FLOAT64 in formats:
        silent = frozenset(formats - {FLOAT64})
        arithmetic.beside = NoiseArithmetic(program.positive, GAIN, seed, silent)
    return arithmetic


def deviations(
    program: Program, arguments: Mapping[str, Array], arithmetic: NoiseArithmetic
) -> list[Array]:
    """The standard deviation of the entries of each result of `program` under rounding, as float64
    arrays; NaN or infinite where a replay leaves the format.

    `arguments` are float64 arrays by name, exact as they are. `arithmetic` is the noise that
    `arithmetic_for` gives for the program; it collects which comparisons are open.
    """
    own = [_deviation(values, arithmetic) for values in evaluate(program, arithmetic, arguments)]
    if arithmetic.beside is None:
        return own
    other = deviations(program, arguments, arithmetic.beside)
    _merge(arithmetic, arithmetic.beside)
    return [np.hypot(one, two) for one, two in zip(own, other, strict=True)]


def _merge(arithmetic: NoiseArithmetic, other: NoiseArithmetic) -> None:
    """A comparison is open where either noise opens it, and a kink where neither does."""
    for place, mask in other.open.items():
        arithmetic.open[place] = arithmetic.open.get(place, False) | mask
        arithmetic.reach[place] = arithmetic.reach.get(place, 0.0) + other.reach[place]
    arithmetic.ties = {
        place: arithmetic.ties[place] & other.ties[place]
        for place in arithmetic.ties.keys() & other.ties.keys()
    }


def _deviation(values: Array, arithmetic: NoiseArithmetic) -> Array:
    """Within the replays that decide kinks alike."""
    values = _every_replay(values)[1:]
    with np.errstate(all="ignore"):
        # Squares of very large and very small numbers leave float64.
        size = np.ldexp(1.0, np.frexp(np.abs(values).max(axis=0))[1])
        scaled = values / np.where((size > 0) & np.isfinite(size), size, 1.0)
        groups = [scaled[way::_WAYS] for way in range(_WAYS)] if arithmetic.ties else [scaled]
        # From the first one, so that replays that are all alike have no variance at all.
        variance = np.mean([(group - group[0]).var(axis=0, ddof=1) for group in groups], axis=0)
        found = np.sqrt(variance) * size / arithmetic.gain
        return np.asarray(
            np.where(variance > 0, np.maximum(found, FLOAT64.smallest_subnormal), found)
        )
