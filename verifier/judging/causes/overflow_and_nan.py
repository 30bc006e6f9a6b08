"""Mistakes of range: something on the way leaves the format, or has no value.

The code's own graph is replayed in float64 with what its format does to large and small numbers.
What comes out beyond the format where it did not go in is the operation to blame, if that replay
states what the code stated.
"""

from __future__ import annotations

import numpy as np

from verifier.judging.causes.rule import Mistake
from verifier.judging.causes.suspect import Suspect
from verifier.judging.replay.in_range import (
    InRangeArithmetic,
    exact_element,
    first_below,
    first_element_beyond,
    sentence_about,
)
from verifier.operations.arrays import Floats, Truths
from verifier.operations.formats import FLOAT64
from verifier.program.program import (
    CONSTANT,
    JOIN,
    PILE,
    RESHAPE,
    TAKE,
    TOTAL,
    Node,
    Program,
    evaluate,
)

_Pair = tuple[Floats, Floats]


class _ZeroFromBranchArithmetic(InRangeArithmetic):
    """0 from a branch that is not taken times anything is 0, and so is it over 0."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.not_taken: set[int] = set()
        """The places of what such branches pass back."""
        for place, node in enumerate(program.nodes):
            is_branch = node.operation == "where" and any(
                _is_zero(program.nodes[one]) for one in node.arguments[1:]
            )
            if is_branch or (node.operation in _PASSING and self.not_taken & set(node.arguments)):
                self.not_taken.add(place)

    def row(self, place: int, node: Node, *arguments: _Pair) -> _Pair:
        value, size = super().row(place, node, *arguments)
        if node.operation not in ("multiply", "divide"):
            return value, size
        sides = arguments if node.operation == "multiply" else arguments[:1]
        known = zip(node.arguments, sides, strict=False)
        zero: Truths | bool = False
        for argument, pair in known:
            zero = zero | ((pair[0] == 0) & (argument in self.not_taken))
        return np.where(np.isnan(value) & zero, 0.0, value), size


_PASSING = frozenset({"multiply", "divide", "negative", TAKE, RESHAPE, TOTAL, PILE, JOIN})


def _is_zero(node: Node) -> bool:
    return node.operation == CONSTANT and not np.any(node.array)


def explain_not_finite(suspect: Suspect) -> Mistake | None:
    """NaN or infinity stands where the exact number is an ordinary one."""
    stated, exact = suspect.part.verdicts.stated, suspect.part.verdicts.centre
    wrong = suspect.disagreeing & ~np.isfinite(stated) & np.isfinite(exact)
    if not wrong.any():
        return None
    return _branch_not_taken(suspect, wrong) or _first_not_finite(suspect, wrong)


def _replayed_in_range(suspect: Suspect, arithmetic: InRangeArithmetic) -> Floats | None:
    """This part of the code's graph in float64; None where there is no graph."""
    if suspect.coded is None or suspect.place is None:
        return None
    suspect.check_deadline()
    program, given = suspect.coded.point.program, suspect.coded.point.arguments
    return np.ravel(evaluate(program, arithmetic, given)[suspect.place][0])


def _branch_not_taken(suspect: Suspect, wrong: Truths) -> Mistake | None:
    """A branch that is not taken passes 0 back, and its derivative is not finite."""
    if suspect.coded is None or not any(
        node.operation == "where" for node in suspect.coded.point.program.nodes
    ):
        return None
    leaking, found = (
        _replayed_in_range(suspect, InRangeArithmetic()),
        _replayed_in_range(suspect, _ZeroFromBranchArithmetic(suspect.coded.point.program)),
    )
    if leaking is None or found is None:
        return None
    with np.errstate(invalid="ignore"):
        apart = np.abs(found - suspect.part.verdicts.centre)
        slack = suspect.part.verdicts.allowed + 1e-6 * np.abs(suspect.part.verdicts.centre)
        # At a tie the branches part, and nobody knows how far: any number is one of them.
        known = np.isfinite(slack) & ~suspect.part.case.kink
        right = np.where(known, apart <= slack, np.isfinite(found))[wrong]
    if not np.isnan(leaking[wrong]).all() or not right.all():
        return None
    return Mistake(
        "NaN from a branch not taken",
        "the branch that is not taken has no finite derivative, and 0 times that is NaN: guard its "
        "argument",
        leaking,
    )


def _first_not_finite(suspect: Suspect, wrong: Truths) -> Mistake | None:
    """The first operation whose result is not finite though what it takes is."""
    replayed = InRangeArithmetic()
    found = _replayed_in_range(suspect, replayed)
    if found is None or suspect.coded is None or np.isfinite(found[wrong]).any():
        return None
    program = suspect.coded.point.program
    needed = sorted(program.needed(program.outputs[suspect.place or 0]))
    for place in needed:
        beyond = first_element_beyond(
            program, place, replayed.seen, lambda value: ~np.isfinite(value)
        )
        if beyond is not None:
            return _mistake_at(suspect, place, beyond, found, replayed.seen)
    return None


def _mistake_at(
    suspect: Suspect, place: int, element: int, found: Floats, seen: dict[int, Floats]
) -> Mistake | None:
    """Overflow where the exact number is finite, else an operation that has no value there."""
    if suspect.coded is None:
        return None
    node = suspect.coded.point.program.nodes[place]
    if node.operation == CONSTANT:
        number = float(np.ravel(node.array)[element])
        return Mistake("not finite", f"the code itself puts {number} there", found)
    suspect.check_deadline()
    exact = exact_element(suspect.coded.point, place, element)
    limit = (node.format or FLOAT64).largest
    if exact.is_finite() and abs(exact) > limit:
        sentence = sentence_about(suspect.coded.point.program, place, exact, limit)
        return Mistake("overflow of an intermediate", sentence, found)
    below = first_below(suspect.coded.point, suspect.coded.point.program.needed(place), seen)
    if below is not None:
        return Mistake("underflow of an intermediate", below, found)
    return Mistake("not finite", f"{node.operation} on the way has no finite value", found)
