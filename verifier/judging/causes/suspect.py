"""Suspect: one array of statements that disagrees, and what a mistake would have stated instead.

Where the code's graph is wrong in exact arithmetic, a mistake must give that graph's exact numbers;
elsewhere the numbers that the code stated, within what rounding is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from verifier.capture.code_at_point import SEED, TANGENT
from verifier.judging.causes.replays import replay_results, replay_with_arguments
from verifier.judging.conditioning import Point, worst_place
from verifier.judging.examination import Coded, Exact, Examination, Part, Replayed
from verifier.judging.finding import PLAIN, Circumstance
from verifier.judging.verdict import Outcome
from verifier.operations.arrays import Ball, Balls, Floats, Truths
from verifier.operations.formats import CODE_FORMATS, Format
from verifier.process.deadline import Deadline
from verifier.program.evaluation.arithmetic import balls, middle, precision, radius
from verifier.program.evaluation.balls import LAST_BITS, Decision

MOST_RELATIVE = 0.5
"""Where exact numbers cancel to nearly nothing, their allowance is large beside them. A prediction
of another size is off by no more than this power of the unit roundoff.
"""
CONSTANT_UNITS = 8.0
"""Units of roundoff by which constants that were computed beforehand move a result."""
SCREEN = 1e-6
"""What float64 shows to be farther off than this fraction of the largest entry need not be computed
exactly.
"""


_Given = dict[str, Floats]
_Decided = Mapping[int, Decision] | None


class SearchEndedError(Exception):
    """The time for the search for causes is over."""


@dataclass(frozen=True, eq=False)
class Suspect:
    """A part that disagrees, with what is known around it."""

    part: Part
    examination: Examination | None
    """Of the point at which it was stated."""
    before: Sequence[Part] = ()
    """What was stated at the point before."""
    others: tuple[Part, ...] = ()
    """The other parts that were judged beside it."""
    deadline: Deadline = Deadline.NEVER
    """When the search ends."""
    kind: str = "given"
    """Of the point at which the statements were made; step in a training."""
    circumstance: Circumstance = PLAIN
    """How the code was used."""
    chosen: Truths | None = None
    """The components that are to be explained; None for all."""
    rounded_by: float = 0.0
    """Units of roundoff by which constants in the code's graph may move its exact numbers."""

    def check_deadline(self) -> None:
        """Raise SearchEndedError where the time for the search is over. Ask before what takes
        long.
        """
        if self.deadline.passed():
            raise SearchEndedError

    def exact_at(self, point: Point, arguments: _Given, decisions: _Decided = None) -> Balls:
        """The exact result, as flat balls, where some arguments are others.

        Raises SearchEndedError.
        """
        self.check_deadline()
        return replay_with_arguments(point, arguments, decisions)

    @cached_property
    def place(self) -> int | None:
        """Which result of the examination's programs it is; None where it is not one of them."""
        return self.place_of(self.part)

    def place_of(self, part: Part) -> int | None:
        """Which result of the examination's programs a part states; None where it is none."""
        if self.examination is None:
            return None
        labels = [(known.name, known.quantity) for known in self.examination.parts]
        label = part.name, part.quantity
        return labels.index(label) if label in labels else None

    @property
    def share_text(self) -> str:
        """How many of the components are explained, as the end of a sentence; empty for all."""
        if self.chosen is None:
            return ""
        return f", in {int(self.chosen.sum()):,} of {self.chosen.size:,} components"

    @property
    def examination_parts(self) -> tuple[Part, ...]:
        """All that was judged at the point; nothing where nobody examined it."""
        return () if self.examination is None else self.examination.parts

    @property
    def unit(self) -> str:
        """What the statements were made at, in a word: a point, or a step of a training."""
        return "step" if self.kind == "step" else "point"

    @property
    def noun(self) -> str:
        """What is stated: a value, or a gradient."""
        return "value" if self.part.quantity == "value" else "gradient"

    @property
    def format(self) -> Format:
        """The format of the numbers that were stated."""
        return CODE_FORMATS[self.part.dtype]

    @cached_property
    def is_own(self) -> bool:
        """Whether these statements are the ones that were examined.

        Others, such as those of forward mode, are compared with the same exact numbers.
        """
        return (
            self.place is not None
            and self.examination is not None
            and self.examination.parts[self.place] is self.part
        )

    @cached_property
    def is_in_graph(self) -> bool:
        """Whether the code's graph is wrong in exact arithmetic."""
        return self.is_own and self.coded is not None and bool(self.part.wrong_formula.any())

    @property
    def is_replayed(self) -> bool:
        """Whether the code's graph was replayed and is right here."""
        formula = None if self.examination is None else self.examination.formula
        wrong = bool(self.part.wrong_formula.any())
        return isinstance(formula, Replayed) and not wrong and self.part.name not in formula.wrong

    @property
    def coded(self) -> Coded | None:
        """The code's own graph; None where there is none."""
        if self.examination is None or not isinstance(self.examination.formula, Replayed):
            return None
        return self.examination.coded

    @property
    def measured(self) -> Exact | None:
        """The exact results as a program; None where this part is not one of them."""
        return None if self.place is None or self.examination is None else self.examination.exact

    @cached_property
    def point(self) -> Point | None:
        """The exact result as a program of its own."""
        return (
            None
            if self.measured is None or self.place is None
            else self.measured.point.only(self.place)
        )

    @cached_property
    def disagreeing(self) -> Truths:
        """Where it disagrees."""
        result: Truths = self.part.verdicts.severity == Outcome.DISAGREES.severity
        return result

    @cached_property
    def exact(self) -> Balls:
        """The exact numbers, flattened."""
        if (
            self.measured is not None
            and self.place is not None
            and self.is_in_graph
            and self._is_compared_with_own
        ):
            return np.ravel(self.measured.exact[self.place])
        return np.ravel(self.part.case.reference)

    @property
    def _is_compared_with_own(self) -> bool:
        """Whether the exact program is the one that this part is compared with."""
        return self.part.quantity != "value" or (
            self.examination is not None and self.examination.same_function
        )

    @cached_property
    def stated(self) -> Balls:
        """What is to be explained: what the graph states in exact arithmetic, else the stated
        numbers.
        """
        if not self.is_in_graph or self.coded is None or self.place is None:
            return np.asarray(balls(self.part.verdicts.stated))
        self.check_deadline()
        (found,) = replay_results(self.coded.point, self.place, self.coded.literals)
        return np.ravel(found)

    @cached_property
    def allowed(self) -> Floats:
        """How far each number may be from a prediction of its own size."""
        if self.is_in_graph:
            return self.rounded_by * self.format.unit_roundoff * np.abs(self.stated_in_floats)
        result: Floats = self.part.verdicts.allowed
        return result

    @cached_property
    def known(self) -> Truths:
        """Where there is a number, and an exact one to explain it by. At a kink there is none."""
        finite = np.isfinite(radius(self.stated)) & np.isfinite(radius(self.exact))
        result: Truths = finite & np.isfinite(self.allowed) & ~self.part.case.kink
        return result if self.chosen is None else result & self.chosen

    @cached_property
    def centre(self) -> Floats:
        """The exact numbers, rounded to float64; NaN where there are none."""
        return np.where(self.known, middle(self.exact), np.nan)

    @cached_property
    def size(self) -> float:
        """Of the largest exact number."""
        return float(np.nanmax(np.abs(self.centre), initial=0.0))

    @cached_property
    def relative(self) -> float:
        """The allowance as a fraction of the largest exact number."""
        allowed = np.max(self.allowed, where=self.known, initial=0.0)
        most = self.format.unit_roundoff**MOST_RELATIVE
        return min(float(allowed / self.size), most) if self.size else 0.0

    def near(self, predicted: Balls | Floats, more: Floats | float = 0.0) -> Truths:
        """Where a prediction fits what was stated.

        `predicted` are balls or float64 numbers, of any shape with as many elements; `more` is
        added to the allowance.
        """
        with precision(LAST_BITS):
            values = np.ravel(predicted)
            values = values if values.dtype == object else np.asarray(balls(values))
            apart = self.stated - values
            sizes = np.abs(middle(values))
            slack = self.allowed
            if not self.is_in_graph:
                slack = np.maximum(slack, self.relative * sizes) + self.format.unit_roundoff * sizes
                slack = slack + np.where(np.isfinite(more), more, np.nan)
            with np.errstate(invalid="ignore"):
                reach = np.asarray(_lower_bounds(apart), dtype=np.float64)
                result: Truths = np.isfinite(radius(values)) & self.known & (reach <= slack)
                return result

    def fits(self, predicted: Balls | Floats, more: Floats | float = 0.0) -> bool:
        """Whether a prediction explains the whole array: what disagrees and what does not, and
        something that the exact numbers with the same slack do not.

        `predicted` and `more` are those of `near`.
        """
        if not self.is_possible(predicted, more):
            return False
        near, wrong = self.near(predicted, more), self.disagreeing & self.known
        decided = self.known | ~self.disagreeing | self.part.case.kink
        everywhere = bool((near | ~self.known).all()) and bool(decided.all())
        if not everywhere or not (wrong & ~self.where_exact).any():
            return False
        return bool((wrong & ~self.near(self.exact, more)).any())

    @cached_property
    def where_exact(self) -> Truths:
        """Where the exact numbers explain what was stated, so that nothing else has to."""
        return self.near(self.exact)

    def with_rounded_constants(self) -> Suspect:
        """The same, where a constant that was computed beforehand is rounded in the graph."""
        return replace(self, rounded_by=CONSTANT_UNITS)

    def where_wrong(self) -> Suspect | None:
        """The same with those components alone that the exact numbers do not explain; None where
        none or all of them do.
        """
        wrong = self.disagreeing & self.known & ~self.where_exact
        return replace(self, chosen=wrong) if wrong.any() and self._right.any() else None

    @property
    def _right(self) -> Truths:
        return self.known & self.where_exact & ~self.disagreeing

    def is_possible(self, predicted: Balls | Floats, more: Floats | float = 0.0) -> bool:
        """Whether float64 leaves a prediction open, of balls or numbers."""
        flat = np.ravel(predicted)
        found = middle(flat) if flat.dtype == object else flat.astype(np.float64)
        return bool(self.possible_rows(found[None], more)[0])

    def possible_rows(self, found: Floats, more: Floats | float = 0.0) -> Truths:
        """For each row of float64 numbers whether float64 leaves it open as a prediction.

        `found` has a prediction in each row; the result has a truth value for each.
        """
        if not self._is_explicable:
            return np.zeros(len(found), dtype=bool)
        with np.errstate(all="ignore"):
            stated = self.stated_in_floats
            size = np.nanmax(np.abs(np.where(self.known, stated, 0.0)), initial=0.0)
            wide = SCREEN + self.relative + self.format.unit_roundoff
            sizes = np.maximum(np.maximum(np.abs(stated), size), np.abs(found))
            near = np.abs(stated - found) <= 2.0 * wide * sizes + self.allowed + more
            result: Truths = np.all(near | ~self.known, axis=-1)
            return result

    @cached_property
    def _is_explicable(self) -> bool:
        """Whether anything that disagrees has a number and an exact one, to be explained by."""
        return bool((self.disagreeing & self.known).any())

    @cached_property
    def stated_in_floats(self) -> Floats:
        """The middles of what is to be explained, in float64."""
        result: Floats = middle(self.stated)
        return result

    def seeds(self) -> list[str]:
        """The names of what multiplies the derivatives."""
        point = self.point
        if point is None or self.part.quantity == "value":
            return []
        names = {str(node.payload) for node in point.program.nodes if node.operation == "input"}
        tangents = sorted(name for name in names if name.startswith(TANGENT))
        return tangents or sorted(name for name in names if name.startswith(SEED))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the inputs and of the result, by name."""
        if self.measured is None:
            return {self.part.name: self.part.shape}
        found = {name: np.shape(value) for name, value in self.measured.point.arguments.items()}
        renamed = {
            "the result" if name.startswith(SEED) else name: shape for name, shape in found.items()
        }
        return {name: shape for name, shape in renamed.items() if not name.startswith(TANGENT)}

    def element_name(self, element: int) -> str:
        """An element's name: x[3], x[1, 2], or x alone where it has no axes."""
        if not self.part.shape:
            return self.part.name
        places = np.unravel_index(element, self.part.shape)
        return f"{self.part.name}[{', '.join(str(int(place)) for place in places)}]"

    def worst(self) -> int:
        """The element that a report shows: the largest error for its allowance."""
        return worst_place(self.part.verdicts)

    def predicted_at_worst(self, predicted: Balls | Floats | None) -> float | None:
        """What is predicted for the element with the largest error."""
        return None if predicted is None else _float_of(np.ravel(predicted)[self.worst()])

    def evidence(self, predicted: Balls | Floats | None = None) -> str:
        """The numbers at the worst element, in a sentence: stated, predicted, exact and allowed."""
        verdicts, element = self.part.verdicts, self.worst()
        facts = [f"{self.element_name(element)}: stated {float(verdicts.stated[element])!r}"]
        if predicted is not None:
            facts.append(f"predicted {self.predicted_at_worst(predicted)!r}")
        facts += [
            f"exact {float(verdicts.centre[element])!r}",
            f"{self.part.dtype} allows {verdicts.allowed[element]:.1e}",
        ]
        suffix = (
            "; in exact arithmetic the code's graph gives what is predicted"
            if self.is_in_graph and not self.rounded_by
            else ""
        )
        return ", ".join(facts) + (suffix if predicted is not None else "")


def _float_of(value: float | Ball) -> float:
    return float(value) if isinstance(value, float | np.floating) else float(value.mid())


def _lower_bound(ball: Ball) -> float:
    """A lower bound of a ball's size; NaN where nothing is known."""
    return float(ball.abs_lower()) if ball.is_finite() else math.nan


_lower_bounds = np.frompyfunc(_lower_bound, 1, 1)
