"""Examine: the gradients that torch code states at one point, held against the exact ones.

Three questions. Is it the same function as the formula? Is the formula of its gradient right: does
its own joint graph, replayed exactly, give the exact gradient? And does rounding, operation by
operation along that graph, explain the numbers? Where no graph can be captured, the formula's own
program takes its place for the third question, and the second is not answered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from flint import arb

from verifier.capture.joint_graph import (
    DETACHED,
    EVENTS,
    NotReadableError,
    captured,
    captured_with_detached,
)
from verifier.capture.lowering import Lowered, lowered, plain
from verifier.capture.statements import SECOND, SEED, TANGENT, Statements, Subject
from verifier.errors import InputError
from verifier.judging.conditioning import Point
from verifier.judging.examination import Coded, Exact, Examination, NotReplayed, Part, Replayed
from verifier.judging.limits import limited
from verifier.judging.reference import Specification, forward_nodes, input_nodes
from verifier.judging.verdict import Case, Note, Outcome
from verifier.operations.formats import FLOAT32, Format
from verifier.operations.table import TABLE
from verifier.program.array_program import CONSTANT, ArrayBuilder, ArrayProgram
from verifier.program.differentiate_arrays import gradients
from verifier.program.evaluation.arithmetic import largest_size, middle, precision, radius
from verifier.program.evaluation.balls import (
    EQUALITIES,
    LAST_BITS,
    AsCoded,
    BallArithmetic,
    BorderArithmetic,
    Decision,
    ToOneSide,
    replay,
)
from verifier.program.evaluation.rounding_of_arrays import proved
from verifier.program.evaluation.stochastic import (
    DEVIATIONS,
    NoiseArithmetic,
    arithmetic_for,
    deviations,
)
from verifier.program.evaluation.term_sizes import term_sizes
from verifier.program.lift import order_free, rounded_each

MOST_DIGITS = 77.0
"""What 256 bits hold."""
NAMED = 16
"""Of at most so many literals those are named that make the difference, of more all."""
PROVABLE = 2_000
"""Programs of at most so many numbers get a proved allowance."""


def examine(subject: Subject, specification: Specification | None = None) -> Examination:
    """The verdicts on value and gradient, or on the Hessian, of code at one point.

    Without a formula it is the code's own forward, as it is read. What comes out differently when
    the code is run a second time disagrees. Raises InputError where there is neither a formula nor
    a forward that can be read, and where the backward cannot be run; and whatever the forward
    itself raises.

    >>> x = torch.tensor([0.5, 1.5], dtype=torch.float64)
    >>> examination = examine(Subject(torch.tanh, {"x": x}))
    >>> examination["x"].outcome.value, examination.formula.digits > 50
    ('agrees', True)
    """
    point = Statements(subject)
    try:
        capture = captured if subject.honour_detach else captured_with_detached
        graph = capture(point.joint, point.arguments)
        read: Lowered | NotReplayed = lowered(graph, point.names, point.arguments)
    except NotReadableError as error:
        read = NotReplayed(str(error))
    if isinstance(read, NotReplayed):
        return (
            _by_own_forward(point, read)
            if specification is None
            else _by_specification(point, specification, read)
        )
    found = _by_graph(point, specification, read)
    return replace(found, detached=graph.meta[DETACHED], events=graph.meta[EVENTS])


def _derived(point: Statements, builder: ArrayBuilder, values: Sequence[int]) -> list[int]:
    """Values, their derivatives and, where they are wanted, their second derivatives, as nodes."""
    inputs = input_nodes(point, builder)
    by = [inputs[name] for name in point.by]
    if point.forward:
        return [
            *values,
            *_tangents(builder, values, by, [inputs[f"{TANGENT}{name}"] for name in point.by]),
        ]
    seeds = [inputs[f"{SEED}{place}"] for place in range(len(values))]
    first = _weighted(builder, values, seeds, by)
    rows: list[int] = []
    if point.subject.quantity == SECOND:
        for node, elements in zip(first, point.rows, strict=True):
            for element in elements:
                one = {builder.take(node, np.asarray(element)): builder.constant(1)}
                rows.extend(gradients(builder, one, [*by, *seeds]))
    return [*values, *first, *rows]


def _weighted(
    builder: ArrayBuilder, values: Sequence[int], weights: Sequence[int], by: Sequence[int]
) -> list[int]:
    """The derivatives of the results' weighted sum."""
    seeds: dict[int, int] = {}
    for node, weight in zip(values, weights, strict=True):
        seeds[node] = builder.apply("add", seeds[node], weight) if node in seeds else weight
    return gradients(builder, seeds, by)


def _tangents(
    builder: ArrayBuilder, values: Sequence[int], by: Sequence[int], moves: Sequence[int]
) -> list[int]:
    """How each result moves: the gradient is linear in what multiplies the results, and its
    derivative by those is it.

    (Townsend, A new trick for calculating Jacobian vector products, 2017.)
    """
    weights = [
        builder.input(f"{SEED}{place}", builder.shape(node)) for place, node in enumerate(values)
    ]
    return _weighted(builder, _weighted(builder, values, weights, by), moves, weights)


def _by_graph(point: Statements, specification: Specification | None, read: Lowered) -> Examination:
    builder, count = read.builder, len(point.results)
    code = [
        builder.expand(builder.constant(0), shape) if node is None else node
        for node, shape in zip(read.results, point.shapes, strict=True)
    ]
    exact = _derived(
        point,
        builder,
        code[:count] if specification is None else _intended(point, builder, specification),
    )
    forward = code[:count] if specification is None else []
    pair = _Pair(point, read, code, exact, rounded_constants(builder, code, forward))
    examination = pair.examination()
    if specification is None or not any(
        part.wrong_formula.any() for part in examination.parts[:count]
    ):
        return examination
    # The gradient is not blamed for another function: it is held against that of its own forward.
    own = _by_graph(point, None, read)
    return replace(own, parts=(*examination.parts[:count], *own.parts[count:]), same_function=False)


def _intended(point: Statements, builder: ArrayBuilder, specification: Specification) -> list[int]:
    """What is right; its constants may lie beside the format's numbers, so that rounding decides at
    a border there.
    """
    with builder.rounding(point.lowest):
        return specification.values(point, builder)


def rounded_constants(
    builder: ArrayBuilder, code: Sequence[int], forward: Sequence[int]
) -> set[int]:
    """The constants of some nodes that may be rounded decimals, without those that define others (a
    forward).
    """
    reached, defining = builder.places_in(*code), builder.places_in(*forward)
    return {
        index for index in reached if index not in defining and _is_rounded(builder[index].number)
    }


def _is_rounded(number: float | None) -> bool:
    """Whether a constant is no short binary number, so that it may stand for one that is not a
    float.
    """
    return (
        number is not None
        and math.isfinite(number)
        and math.frexp(number)[0] * 2.0**11 % 1.0 != 0.0
    )


@dataclass(frozen=True, eq=False)
class _Pair:
    """The code's statements as nodes beside the exact ones."""

    point: Statements
    read: Lowered
    code: Sequence[int]
    exact: Sequence[int]
    literals: set[int]

    def examination(self) -> Examination:
        # Differences and hulls of balls are as exact as the balls are.
        with precision(LAST_BITS):
            return self._examination()

    def _examination(self) -> Examination:
        builder, count = self.read.builder, len(self.code)
        outputs = (*self.code, *self.exact)
        program, places = builder.program(*outputs), builder.places_in(*outputs)
        rounded = self._as_in_forward(program)
        noise = arithmetic_for(rounded)
        deviation = deviations(rounded, self.point.given, noise)
        borders = BorderArithmetic(open=noise.open, reach=noise.reach)
        balls = replay(program, self.point.given, borders)
        decisions = self._decisions(places, borders.near)
        ties = _either_way(program, borders, decisions)
        if noise.open:
            deviation = deviations(
                rounded, self.point.given, self._decided(rounded, decisions, borders.near)
            )
        if decisions:
            balls = replay(program, self.point.given, BallArithmetic(decisions))
        exact_program = builder.program(*self.exact)
        limits = limited(exact_program, balls[count:], self.point.given, self.point.by)
        exact = [
            found.balls.reshape(np.shape(part))
            for found, part in zip(limits, balls[count:], strict=True)
        ]
        balls = [*balls[:count], *exact]
        hulls = self._hulls(program, decisions, ties, exact)
        kinks = [
            hull.is_wider_than(one) & bool(ties) for hull, one in zip(hulls, exact, strict=True)
        ]
        sizes = term_sizes(builder.program(*self.code), self.point.given)
        formula, wrong, unexplained = self._formula(program, places, decisions, balls, kinks)
        honest = self._honest()
        notes = [found.note for found in limits]
        parts = [
            self._part(place, _Known(hulls[place].flat, *map(np.ravel, columns)), honest[place])
            for place, columns in enumerate(
                zip(
                    balls[:count],
                    exact,
                    kinks,
                    deviation[:count],
                    sizes,
                    wrong,
                    unexplained,
                    notes,
                    strict=True,
                )
            )
        ]
        _forgive_nan(parts)
        measured = Exact(self._only(self.exact, places, decisions, ties), exact)
        own = builder.places_in(*self.code)
        literals = frozenset(own[index] for index in self.literals)
        coded = Coded(self.point, self._only(self.code, places, decisions, ties), literals)
        return Examination(
            tuple(measured.noted(parts)), formula, self.read.operations, exact=measured, coded=coded
        )

    def _only(
        self,
        nodes: Sequence[int],
        places: Mapping[int, int],
        decisions: Mapping[int, Decision],
        ties: Mapping[int, Any],
    ) -> Point:
        """The program of some of the nodes alone, with what is known of comparisons by their places
        there.
        """
        own = self.read.builder.places_in(*nodes)
        both = [(place, own[index]) for index, place in places.items() if index in own]
        decided, tied = (
            {now: known[at] for at, now in both if at in known} for known in (decisions, ties)
        )
        program = self.read.builder.program(*nodes)
        return Point(program, self.point.given, self.point.formats, decided, tied)

    def _decisions(self, places: Mapping[int, int], open_: Mapping[int, Any]) -> dict[int, AsCoded]:
        """How the code decided where rounding leaves it open, for the nodes whose values it
        showed.
        """
        found: dict[int, AsCoded] = {}
        for index, place in places.items():
            arguments = self.read.builder[index].arguments
            if place in open_ and any(argument in self.read.actual for argument in arguments):
                values = [self._actual(argument) for argument in arguments]
                if None not in [None if value is None else 0 for value in values]:
                    found[place] = AsCoded(open_[place], tuple(values))
        return found

    @staticmethod
    def _decided(
        program: ArrayProgram, decisions: Mapping[int, AsCoded], near: Mapping[int, Any]
    ) -> NoiseArithmetic:
        """Noise that takes the branches that the code took."""
        noise = arithmetic_for(program)
        noise.borders = near
        noise.coded = {
            place: TABLE[program.nodes[place].operation].numpy.function(*decision.values)
            for place, decision in decisions.items()
        }
        if noise.beside is not None:
            noise.beside.coded, noise.beside.borders = noise.coded, noise.borders
        return noise

    def _actual(self, node: int) -> Any:
        known = self.read.builder[node]
        if known.operation != CONSTANT:
            return self.read.actual.get(node)
        if known.payload.array.dtype == bool or known.payload.array.ndim:
            return known.payload.array
        # A number that is compared with a tensor is rounded to the tensor's format.
        rounded = self.point.lowest if known.format is None else known.format
        return plain(torch.tensor(known.payload.array).to(getattr(torch, rounded.name)))

    def _formula(
        self,
        program: ArrayProgram,
        places: Mapping[int, int],
        decisions: Mapping[int, Decision],
        balls: list[Any],
        kinks: list[Any],
    ) -> tuple[Replayed, list[Any], list[Any]]:
        """Whether everything replays, and where not: when rounded decimals are granted their last
        digit, and when what may be a float32 number is granted that as well (which makes the
        formula right, and the numbers not).
        """
        count = len(self.code)

        def wrong_with(granted: Iterable[int], narrowed: bool = False) -> list[Any]:
            blurred = frozenset(places[index] for index in granted)
            arithmetic = BallArithmetic(decisions, blurred, narrowed)
            code = (
                replay(program, self.point.given, arithmetic)[:count] if blurred else balls[:count]
            )
            found = [*code, *balls[count:]]
            return [
                _excludes_zero(part) & ~kink
                for part, kink in zip(_apart(found), kinks, strict=True)
            ]

        unexplained, literals = self._granted(wrong_with(()), wrong_with)
        wrong, narrow = self._granted(unexplained, partial(wrong_with, narrowed=True))
        names = [
            name for (name, _), part in zip(self.point.labels, wrong, strict=True) if part.any()
        ]
        terms = term_sizes(self.read.builder.program(*self.exact), self.point.given)
        sizes = [float(np.max(size, where=np.isfinite(size), initial=0.0)) for size in terms]
        digits = [
            _digits(*columns)
            for columns in zip(_apart(balls), balls[count:], kinks, sizes, strict=True)
        ]
        known = [number for number in digits if not math.isnan(number)]
        narrow_ = tuple(number for number in self._numbers(narrow) if FLOAT32.holds(number))
        formula = Replayed(
            min(known, default=math.nan), self._numbers(literals), tuple(names), narrow_
        )
        return formula, wrong, unexplained

    def _granted(
        self, wrong: list[Any], wrong_with: Callable[[Iterable[int]], list[Any]]
    ) -> tuple[list[Any], set[int]]:
        """What is still wrong with literals granted, and which of them make the difference."""
        if not self.literals or not any(part.any() for part in wrong):
            return wrong, set()
        granted = wrong_with(self.literals)
        if _same(wrong, granted):
            return wrong, set()
        return granted, _needed(self.literals, lambda chosen: _same(wrong_with(chosen), granted))

    def _numbers(self, literals: Iterable[int]) -> tuple[float, ...]:
        return tuple(sorted({float(self.read.builder[index].payload.array) for index in literals}))

    def _hulls(
        self,
        program: ArrayProgram,
        decisions: Mapping[int, Decision],
        ties: Mapping[int, Any],
        exact: Sequence[Any],
    ) -> list[_Hull]:
        """For each exact array the balls that also hold the one-sided derivatives of its kinks."""
        sides = [[one] for one in exact]
        for greater in (True, False) if ties else ():
            chosen = {
                place: ToOneSide(mask, greater, decisions.get(place))
                for place, mask in ties.items()
            }
            found = replay(program, self.point.given, BallArithmetic({**decisions, **chosen}))
            for known, side in zip(sides, found[len(self.code) :], strict=True):
                known.append(side)
        return [_Hull.of(known) for known in sides]

    def _honest(self) -> list[Any]:
        """For small programs of elementary operations the proved balls of what honest code may
        state; else nothing.
        """
        program = self.read.builder.program(*self.code)
        if program.elements > PROVABLE or not self.read.elementary:
            return [None] * len(self.code)
        return proved(self._as_in_forward(program), self.point.given)

    def _as_in_forward(self, program: ArrayProgram) -> ArrayProgram:
        """No operation rounded more coarsely than the forward's: a backward in a narrower format is
        not honest.
        """
        forward = self.read.builder.program(*self.code[: len(self.point.results)])
        formats = [node.format for node in forward.nodes if node.format is not None]
        formats += [self.point.format(place) for place in range(len(self.code))]
        coarsest = min(formats, key=lambda known: known.precision)
        nodes = [
            replace(node, format=coarsest)
            if node.format and node.format.precision < coarsest.precision
            else node
            for node in program.nodes
        ]
        return replace(program, nodes=tuple(nodes))

    def _part(self, place: int, known: _Known, honest: Any) -> Part:
        name, quantity = self.point.labels[place]
        rounding, tier = known.rounding(honest)
        finite = all(np.isfinite(value).all() for value in self.point.given.values())
        case = Case(
            format=self.point.format(place),
            stated=self.point.numbers(place),
            symbolic=middle(known.exact),
            reference=np.where(known.kink, known.hull.middle, known.exact),
            known=np.isfinite(radius(known.exact)),
            allowed=rounding + np.where(known.kink, known.hull.reach, known.granted),
            terms=known.terms,
            kink=known.kink,
            usable=np.full(known.kink.shape, finite),
        )
        if quantity == SECOND:
            more, terms = self._by_another_way(place, case)
            case = replace(
                case, allowed=np.maximum(case.allowed, more), terms=np.maximum(case.terms, terms)
            )
        verdicts = case.verdicts()
        # What is wrong in exact arithmetic is wrong, however small it is; so is what cannot be had
        # again.
        blamed, changing = known.wrong & case.known, self.point.changing(place)
        verdicts.severity[blamed | changing] = Outcome.DISAGREES.severity
        for note in set(known.note.tolist()) - {Note.NONE, Note.NO_EXACT_VALUE}:
            verdicts.note[known.note == note] = list(Note).index(note)
        verdicts.note[changing] = list(Note).index(Note.CHANGING)
        return Part(
            name, quantity, case.format.name, self.point.shapes[place], tier, verdicts, blamed, case
        )

    def _by_another_way(self, place: int, case: Case) -> tuple[Any, Any]:
        """What must be allowed where the second derivative is 0 and torch did not compute it as its
        graph does, and the size of the terms then.

        For some double backwards (of prod, cumprod, det) torch takes another way while it is
        traced: there the 0 is one of the graph, and in the numbers stated it is what is left of
        terms as large as the other derivatives.
        """
        traced = self.read.actual.get(self.code[place])
        if traced is None:
            return 0.0, 0.0
        seconds = [
            other for other, (_, quantity) in enumerate(self.point.labels) if quantity == SECOND
        ]
        size = max(float(np.abs(self.point.numbers(other)).max(initial=0.0)) for other in seconds)
        elsewhere = (np.ravel(traced) != case.stated) & (middle(case.reference) == 0)
        terms = np.where(elsewhere, size, 0.0)
        return DEVIATIONS * case.format.unit_roundoff * terms, terms


def _forgive_nan(parts: Sequence[Part]) -> None:
    """Where one of the results does not exist, NaN may be stated of what is derived from
    their sum.
    """
    if all(part.case.known.all() for part in parts if part.quantity == "value"):
        return
    for part in parts:
        nowhere = np.isnan(part.case.stated) & ~part.wrong_formula & part.verdicts.failing
        part.verdicts.severity[nowhere] = Outcome.UNDECIDED.severity
        part.verdicts.note[nowhere] = list(Note).index(Note.NO_EXACT_VALUE)


@dataclass(frozen=True, eq=False)
class _Hull:
    """What lies between the one-sided derivatives, as its middle and how far it reaches from
    there.
    """

    middle: Any
    reach: Any
    """float64: the radius of a ball would have half as many digits."""

    @classmethod
    def of(cls, sides: Sequence[Any]) -> _Hull:
        union = sides[0]
        for side in sides[1:]:
            union = _union(union, side)
        middles = np.asarray(_middles(union), dtype=object)
        # A side without a value, the half of a guard that is not taken, takes nothing away from the
        # others.
        reaches = [
            np.where(np.isfinite(radius(side)), _reach(side, middles), 0.0) for side in sides
        ]
        return cls(middles, np.max(reaches, axis=0))

    @property
    def flat(self) -> _Hull:
        return _Hull(np.ravel(self.middle), np.ravel(self.reach))

    def is_wider_than(self, exact: Any) -> Any:
        return np.isfinite(radius(exact)) & (
            self.reach > 4.0 * radius(exact) + 1e-30 * np.abs(middle(exact))
        )


@dataclass(frozen=True, eq=False)
class _Known:
    """What is known of one array beside what the code states of it, element by element."""

    hull: _Hull
    code: Any
    """The balls of the code's own graph, replayed."""
    exact: Any
    kink: Any
    deviation: Any
    """Of the noisy replays."""
    terms: Any
    wrong: Any
    """Where the formula does not replay."""
    unexplained: Any
    """Where it does not without taking a constant for a float32 number."""
    note: Any
    """Where the exact value is a limit, or why there is none."""

    @property
    def granted(self) -> Any:
        """How far the code's own graph may be from the exact value: by rounded decimals, not by a
        wrong formula.
        """
        return np.where(self.unexplained, 0.0, _reach(self.code, self.exact)) + radius(self.exact)

    def rounding(self, honest: Any) -> tuple[Any, str]:
        """How far rounding may move the code from its own graph: as proved, if that is the smaller
        reach.
        """
        estimated = DEVIATIONS * self.deviation
        if honest is None:
            return estimated, "estimated"
        proved_ = _reach(np.ravel(honest), self.code)
        with np.errstate(invalid="ignore"):
            is_smaller = bool(np.isfinite(proved_).all() and not proved_.sum() > estimated.sum())
        return (proved_, "proved") if is_smaller else (estimated, "estimated")


_ZERO = arb(0)
_union = np.frompyfunc(lambda one, other: one.union(other) if other.is_finite() else one, 2, 1)
_middles = np.frompyfunc(lambda ball: ball.mid(), 1, 1)


def _apart(balls: Sequence[Any]) -> list[Any]:
    """For each array of the code the balls of the difference from the exact ones, which are the
    second half.
    """
    count = len(balls) // 2
    return [
        np.asarray(np.subtract(one, other))
        for one, other in zip(balls[:count], balls[count:], strict=True)
    ]


def _either_way(
    program: ArrayProgram, borders: BorderArithmetic, decisions: Mapping[int, AsCoded]
) -> dict[int, Any]:
    """Where a comparison may fall out either way: both sides are the same number, exactly or as the
    code had them, or rounding decides and nobody knows how it did.
    """
    found = dict(borders.ties)
    for place, near in borders.near.items():
        known = decisions.get(place)
        open_ = near if known is None else near & (known.values[0] == (*known.values, 0.0)[1])
        if np.any(open_) and program.nodes[place].operation not in EQUALITIES:
            found[place] = found.get(place, False) | open_
    return found


def _reach(balls: Any, other: Any) -> Any:
    """How far two balls can be apart; 0 where both are the same number."""
    return np.where(
        np.asarray(np.equal(balls, other), dtype=bool), 0.0, largest_size(balls - other)
    )


def _same(some: Sequence[Any], others: Sequence[Any]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(some, others, strict=True))


def _needed(literals: set[int], suffice: Callable[[set[int]], bool]) -> set[int]:
    """The literals without those that can be left out; of very many all."""
    needed = set(literals)
    for index in sorted(literals) if len(literals) <= NAMED else ():
        if suffice(needed - {index}):
            needed.remove(index)
    return needed


def _largest(balls: Any) -> float:
    sizes = np.abs(middle(balls)) if balls.size else np.zeros(1)
    return float(np.nanmax(np.where(np.isfinite(sizes), sizes, 0.0), initial=0.0))


def _excludes_zero(difference: Any) -> Any:
    """Where two balls are proved to be different numbers; NaN proves nothing."""
    return np.asarray(np.not_equal(difference, arb(0)), dtype=bool) & np.isfinite(
        radius(difference)
    )


def _digits(difference: Any, exact: Any, kink: Any, terms: float) -> float:
    """Agreeing digits of the largest difference, against the largest entry; NaN where nothing is
    known.

    Where every entry may be 0, they are measured against the terms that cancel.
    """
    known = np.isfinite(radius(difference)) & ~kink
    if exact.size and not known.any():
        return math.nan
    size = _largest(exact) if _excludes_zero(exact).any() else terms
    # Relative to the size as balls: a difference may be smaller than any float64.
    worst = float(np.max(_reach(difference / arb(size or 1.0), _ZERO), where=known, initial=0.0))
    if size == 0:
        return MOST_DIGITS if worst < 1e-300 else 0.0
    return max(0.0, min(MOST_DIGITS, -math.log10(max(worst, 10.0**-MOST_DIGITS))))


def _by_specification(
    point: Statements, specification: Specification, reason: NotReplayed
) -> Examination:
    """Without a graph the formula's own program says how far rounding goes."""
    builder = ArrayBuilder()
    with builder.rounding(_inside(point)):
        values = specification.values(point, builder)
    return _by_numbers(point, builder, values, reason)


def _by_own_forward(point: Statements, reason: NotReplayed) -> Examination:
    """Without a graph of the backward that of the forward says it."""
    builder = ArrayBuilder()
    try:
        values = forward_nodes(point.joint.code, point, builder)
    except NotReadableError as error:
        raise InputError(
            f"the code's forward cannot be read: {error}; give its formula or a plain version"
        ) from error
    return _by_numbers(point, builder, values, reason)


def _inside(point: Statements) -> Format:
    """What a kernel is taken to compute in: float32 where it states fewer digits."""
    return max(point.lowest, FLOAT32, key=lambda known: known.precision)


def _by_numbers(
    point: Statements, builder: ArrayBuilder, values: list[int], reason: NotReplayed
) -> Examination:
    with builder.rounding(_inside(point)):
        exact = _derived(point, builder, values)
        code = order_free(builder, exact)
    if point.lowest.precision < FLOAT32.precision:
        code = rounded_each(builder, code, point.lowest)
    read = Lowered(builder, tuple(code), {}, True, ())
    examination = replace(_Pair(point, read, code, exact, set()).examination(), formula=reason)
    value, *others = examination.parts
    if value.outcome is not Outcome.DISAGREES:
        return examination
    return replace(examination, parts=(value, *map(_not_blamed, others)), same_function=False)


def _not_blamed(part: Part) -> Part:
    """The statements as undecided: the exact ones are those of another function."""
    severity = np.full(part.verdicts.severity.shape, Outcome.UNDECIDED.severity)
    note = np.full(severity.shape, list(Note).index(Note.OTHER_FUNCTION))
    return replace(part, verdicts=replace(part.verdicts, severity=severity, note=note))
