"""Array verdicts: what came of each array of statements, from what the replays found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from flint import arb

from verifier.capture.code_at_point import FORWARD, REVERSE, SECOND
from verifier.judging.compared_programs import ComparedPrograms
from verifier.judging.examination import Part
from verifier.judging.kinks.hull import Hull, reach_of
from verifier.judging.replay.formula import FormulaReplay
from verifier.judging.replay.joint import JointReplay
from verifier.judging.verdict import Case, Note, Outcome, Verdicts
from verifier.operations.arrays import Array, Balls, Floats, Truths
from verifier.operations.formats import FLOAT32, Format
from verifier.program.evaluation.arithmetic import balls, middle, radius
from verifier.program.evaluation.followed_steps import followed
from verifier.program.evaluation.proved_allowance import proved
from verifier.program.evaluation.stochastic import DEVIATIONS
from verifier.program.evaluation.term_sizes import term_sizes

_UNKNOWN = arb("nan")
PROVABLE = 2_000
"""Programs of at most so many numbers get a proved allowance."""
PROVABLE_IF_BLIND = 20_000
"""The same where the estimate is as large as what it is an estimate of."""


def judged_parts(pair: ComparedPrograms, found: JointReplay, formula: FormulaReplay) -> list[Part]:
    """A part for each array of statements, in order."""
    sizes = term_sizes(pair.code_program, pair.given)
    hulls = [hull.flat for hull in found.kinks.hulls]
    columns = (
        found.code,
        found.exact,
        found.kinks.masks,
        found.deviation,
        sizes,
        formula.wrong,
        formula.unexplained,
        formula.unbounded,
        found.notes,
        _nearest(pair, found),
        found.kinks.cancelled,
    )
    flat = [_Known(hull, *map(np.ravel, row)) for hull, *row in zip(hulls, *columns, strict=True)]
    is_blind = any(known.is_blind.any() for known in flat)
    small = PROVABLE if pair.read.elementary else 0
    honest = _honest(pair, PROVABLE_IF_BLIND if is_blind else small)
    parts = [_part(pair, place, known, honest[place]) for place, known in enumerate(flat)]
    return _with_nan_forgiven(_with_steps_followed(pair, parts, flat))


def _nearest(pair: ComparedPrograms, found: JointReplay) -> list[Floats]:
    """Where derivatives, taken together, are no mean of the limits at a kink, the nearest right
    ones; NaN elsewhere.
    """
    chosen = [
        place
        for place, (_, quantity) in enumerate(pair.point.labels)
        if quantity in (REVERSE, FORWARD)
    ]
    nearest = [np.full(math.prod(shape), np.nan) for shape in pair.point.shapes]
    numbers = [pair.point.numbers(place) for place in chosen]
    rounding = [DEVIATIONS * found.deviation[place] for place in chosen]
    for place, part in zip(chosen, found.kinks.nearest(chosen, numbers, rounding), strict=True):
        nearest[place] = part
    return nearest


def _honest(pair: ComparedPrograms, provable: int) -> list[Balls] | list[None]:
    """For programs of at most so many numbers the proved balls of what honest code may state; else
    nothing.
    """
    program = pair.code_program
    if program.elements > provable:
        return [None] * len(pair.code)
    return proved(pair.as_in_forward(program), pair.given)


@dataclass(frozen=True, eq=False)
class _Known:
    """What is known of one array beside what the code states of it, element by element."""

    hull: Hull
    code: Balls
    """Those of the code's own graph, replayed."""
    exact: Balls
    kink: Truths
    deviation: Floats
    """Of the noisy replays."""
    terms: Floats
    wrong: Truths
    """Where the formula does not replay."""
    unexplained: Truths
    """Where it does not without taking a constant for a float32 number."""
    unbounded: Truths
    """Where it does in a branch that rounding may take anywhere."""
    note: Array
    """Where the exact value is a limit, or why there is none."""
    nearest: Floats
    """The right number where no mean of a kink's limits is stated; NaN elsewhere."""
    cancelled: Truths
    """Where kinks cancel."""

    @property
    def granted(self) -> Floats:
        """How far the code's own graph may be from the exact value: by rounded decimals, not by a
        wrong formula.
        """
        return np.where(self.unexplained, 0.0, reach_of(self.code, self.exact)) + radius(self.exact)

    @property
    def reference(self) -> Balls:
        """What is right; at a kink the middle of what is."""
        right = np.where(self.kink, self.hull.middle, self.exact)
        off = np.isfinite(self.nearest)
        right[off] = balls(self.nearest[off])
        return right

    @property
    def reach(self) -> Floats:
        """How far from there right code may be in exact arithmetic."""
        at_kink = self.kink & ~np.isfinite(self.nearest)
        return np.where(at_kink, self.hull.reach, np.where(self.kink, 0.0, self.granted))

    @property
    def estimated(self) -> Floats:
        """How far rounding may move the code from its own graph, by the noisy replays."""
        return DEVIATIONS * self.deviation

    @property
    def is_blind(self) -> Truths:
        """Where that says nothing of the number."""
        hides: Truths = ~(self.estimated < self.terms) & (self.deviation != 0)
        return hides

    def rounding(
        self, honest: Balls | None, stated: Floats, elementary: bool
    ) -> tuple[Floats, str]:
        """The same as proved, if that is the smaller reach; where the estimate says nothing, the
        smaller of both.

        A kernel that does several things does them its own way: what is stated within a proof for
        another way agrees, and nothing is refused by it.
        """
        estimated = self.estimated
        if honest is None:
            return estimated, "estimated"
        proved_ = reach_of(np.ravel(honest), self.code)
        with np.errstate(invalid="ignore"):
            if elementary and np.isfinite(proved_).all() and not proved_.sum() > estimated.sum():
                return proved_, "proved"
            error = np.abs(middle(balls(stated) - self.reference))
            helps = self.is_blind & (elementary | (error <= proved_ + self.reach))
        return np.where(helps, np.fmin(estimated, proved_), estimated), "estimated"


def _part(pair: ComparedPrograms, place: int, known: _Known, honest: Balls | None) -> Part:
    name, quantity = pair.point.labels[place]
    rounding, tier = known.rounding(honest, pair.point.numbers(place), pair.read.elementary)
    case = _case(pair, place, known, rounding)
    case = _by_another_way(pair, place, case)
    wrong = known.wrong & case.known
    verdicts = _with_findings(case.verdicts(), known, wrong, pair.point.changing(place))
    shape = pair.point.shapes[place]
    return Part(name, quantity, case.format.name, shape, tier, verdicts, wrong, case)


def _with_steps_followed(
    pair: ComparedPrograms, parts: Sequence[Part], flat: Sequence[_Known]
) -> list[Part]:
    """Numbers that the allowance does not explain are looked at operation by operation.

    In 16 bits a few roundings may be as large as the number. Who knows each number on the way needs
    no bound for all of them. In wider formats it is a reason to look at the code, and nothing is
    called wrong that follows.
    """
    open_ = [_is_open(part, known) for part, known in zip(parts, flat, strict=True)]
    program = pair.as_in_forward(pair.builder.program(*pair.code))
    if not any(mask.any() for mask in open_) or program.elements > PROVABLE_IF_BLIND:
        return list(parts)
    steps = followed(program, pair.given, pair.shown)
    return [
        _with_steps(pair, place, part, known, np.where(mask, np.ravel(ball), _UNKNOWN))
        if mask.any()
        else part
        for place, (part, known, mask, ball) in enumerate(
            zip(parts, flat, open_, steps, strict=True)
        )
    ]


def _is_open(part: Part, known: _Known) -> Truths:
    """Which numbers do not agree though nothing but rounding speaks against them; those of 16 bits
    that cannot be decided among them.
    """
    is_narrow = part.case.format.precision < FLOAT32.precision
    least = Outcome.UNDECIDED if is_narrow else Outcome.DISAGREES
    open_ = (part.verdicts.severity >= least.severity) & ~known.unexplained
    return np.asarray(open_ & part.case.known & ~part.case.kink)


def _with_steps(
    pair: ComparedPrograms, place: int, part: Part, known: _Known, steps: Balls
) -> Part:
    case = replace(part.case, steps=steps)
    changing = pair.point.changing(place)
    verdicts = _with_findings(case.verdicts(), known, part.wrong_formula, changing)
    return replace(part, verdicts=verdicts, case=case)


def _case(pair: ComparedPrograms, place: int, known: _Known, rounding: Floats) -> Case:
    finite = all(np.isfinite(value).all() for value in pair.given.values())
    return Case(
        format=pair.point.format(place),
        stated=pair.point.numbers(place),
        symbolic=middle(known.exact),
        reference=known.reference,
        known=np.isfinite(radius(known.exact)),
        allowed=np.where(known.unbounded, np.inf, rounding + known.reach),
        terms=known.terms,
        kink=known.kink,
        usable=np.full(known.kink.shape, finite),
    )


def _with_findings(verdicts: Verdicts, known: _Known, wrong: Truths, changing: Truths) -> Verdicts:
    """What is wrong in exact arithmetic is wrong, however small it is; so is what comes out
    differently when the code is run again.
    """
    found = verdicts.with_outcome(wrong | changing, Outcome.DISAGREES)
    for note in set(known.note.tolist()) - {Note.NONE, Note.NO_EXACT_VALUE}:
        found = found.with_note(known.note == note, note)
    found = found.with_note(np.isfinite(known.nearest) & found.failing, Note.NO_MEAN)
    found = found.with_note(known.cancelled & found.failing, Note.CANCELS)
    return found.with_note(changing, Note.CHANGING)


def _by_another_way(pair: ComparedPrograms, place: int, case: Case) -> Case:
    """The case with what must be allowed where torch did not compute a derivative as its graph
    does.

    For some backwards (of prod, cumprod, det) torch takes another way while it is traced. It
    divides the product by its factors where the graph multiplies the others: digits that a
    subnormal product has not are lost there. A second derivative that is 0 in the graph is, in the
    numbers stated, what is left of terms as large as the other derivatives.
    """
    node = pair.read.results[place]
    traced = np.zeros(case.stated.shape) if node is None else pair.read.actual.get(node)
    if traced is None or not (untraced := np.ravel(traced) != case.stated).any():
        return case
    size = np.abs(middle(case.reference))
    is_second = pair.point.labels[place][1] == SECOND
    terms = np.where(untraced & is_second, _size_of_terms(pair), 0.0)
    lost = np.where(untraced, _lost_share(pair, case.format) * size, 0.0)
    more = DEVIATIONS * (lost + case.format.unit_roundoff * terms)
    return replace(
        case,
        allowed=np.maximum(case.allowed, more),
        terms=np.maximum(case.terms, terms),
        untraced=untraced,
    )


def _lost_share(pair: ComparedPrograms, format_: Format) -> float:
    """The part of itself that the smallest subnormal number on the way may have lost."""
    sizes = np.abs(np.concatenate([np.ravel(known) for known in pair.builder.actual.values()]))
    least = sizes[sizes > 0].min(initial=math.inf)
    return format_.smallest_subnormal / least if least < format_.smallest_normal else 0.0


def _size_of_terms(pair: ComparedPrograms) -> float:
    """About how large the terms of second derivatives are: as the largest that is stated, or as a
    gradient divided by its factor.
    """
    sizes = [0.0]
    for place, (name, quantity) in enumerate(pair.point.labels):
        numbers = np.abs(pair.point.numbers(place))
        if quantity == SECOND:
            sizes.append(numbers.max(initial=0.0))
        if quantity == REVERSE and np.size(pair.given.get(name, ())) == numbers.size:
            factors = np.abs(np.ravel(pair.given[name]))
            sizes.append((numbers[factors > 0] / factors[factors > 0]).max(initial=0.0))
    return float(max(sizes))


def _with_nan_forgiven(parts: Sequence[Part]) -> list[Part]:
    """Where a result does not exist, NaN may be stated of what is derived from the results' sum."""
    if all(part.case.known.all() for part in parts if part.quantity == "value"):
        return list(parts)
    return [replace(part, verdicts=_undecided_nan(part)) for part in parts]


def _undecided_nan(part: Part) -> Verdicts:
    nowhere = np.isnan(part.case.stated) & ~part.wrong_formula & part.verdicts.failing
    undecided = part.verdicts.with_outcome(nowhere, Outcome.UNDECIDED)
    return undecided.with_note(nowhere, Note.NO_EXACT_VALUE)
