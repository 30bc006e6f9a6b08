"""Mistakes of path: a part of the exact gradient is not there.

The exact gradient's program gets a switch at each term of what it adds up: each side of an
addition, each row of a sum, each element of what multiplies the results' derivatives. With one of
them at 0 it says what a gradient without that term would have stated.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import numpy as np

from verifier.capture.code_at_point import FORWARD, SECOND, SEED
from verifier.judging.causes.describe_term import describe_node, describe_term
from verifier.judging.causes.prediction_filter import possible_predictions
from verifier.judging.causes.rule import Mistake
from verifier.judging.causes.suspect import Suspect
from verifier.judging.conditioning import Point
from verifier.judging.verdict import Outcome
from verifier.operations.arrays import Balls, Floats, Truths
from verifier.program.evaluation.arithmetic import precision
from verifier.program.evaluation.balls import LAST_BITS
from verifier.program.evaluation.batches import BatchArithmetic
from verifier.program.program import CONSTANT, INPUT, RESHAPE, TAKE, Node, Program, Shape, evaluate

MOST_ROWS = 64
"""Of a sum over more rows none is left out alone."""
MOST_TERMS = 400
"""So many terms are tried at most."""
MOST_PAIRED = 24
"""Of so many additions a term is tried as part of another."""
MOST_ELEMENTS = 50_000
"""In programs of more numbers no term is tried."""


def explain_zero_gradient(suspect: Suspect) -> Mistake | None:
    """No gradient arrives: it is 0 in all components, and the exact one is not."""
    is_right = suspect.is_replayed and suspect.is_own
    if is_right or not suspect.fits(np.zeros(suspect.centre.shape)):
        return None
    if bool((suspect.stated != 0)[suspect.known].any()):
        return None
    coded, nothing = suspect.coded, np.zeros(suspect.centre.shape)
    missing = (
        coded is not None
        and suspect.place is not None
        and suspect.is_own
        and coded.statements.stated[suspect.place] is None
    )
    if suspect.part.quantity == SECOND:
        text = "there is no second derivative" if missing else "the second derivative is 0"
        return Mistake(
            "second order cut off", f"{text}, though {_first_order_clause(suspect)}", nothing
        )
    kind = "tangent" if suspect.part.quantity == FORWARD else "gradient"
    is_several = suspect.chosen is None and suspect.part.verdicts.stated.size > 1
    where = " in all components" if is_several else ""
    text = f"there is no {kind} at all" if missing else f"the {kind} is 0{where}"
    return Mistake("path detached", f"{text}, and the exact one is not", nothing)


def _first_order_clause(suspect: Suspect) -> str:
    parts = () if suspect.examination is None else suspect.examination.parts
    right = all(part.outcome is Outcome.AGREES for part in parts if part.quantity == "reverse")
    return "the gradient itself is right" if right else "the exact one is not"


def explain_missing_term(suspect: Suspect) -> Mistake | None:
    """One of the terms that the exact gradient adds up is not there."""
    if (
        suspect.measured is None
        or suspect.place is None
        or suspect.examination is None
        or suspect.part.quantity == "value"
    ):
        return None
    if suspect.measured.point.program.elements > MOST_ELEMENTS:
        return None
    values = sum(part.quantity == "value" for part in suspect.examination.parts)
    switched = _SwitchedProgram.of(suspect.measured.point, suspect.place, values)
    return _whole_term_missing(suspect, switched) or _use_of_term_missing(suspect, switched)


def _whole_term_missing(suspect: Suspect, switched: _SwitchedProgram) -> Mistake | None:
    def possible(choices: Sequence[tuple[_Switch, int]]) -> Truths:
        offs = [{switch.name: element} for switch, element in choices]
        return suspect.possible_rows(switched.float_gradients(offs))

    for switch, element in possible_predictions(
        suspect, switched.point.program, switched.choices(), possible
    ):
        predicted = switched.exact_gradient(suspect, {switch.name: element})
        if suspect.fits(predicted):
            return _mistake_without(suspect, switch.text_of(element), predicted)
    return None


def _use_of_term_missing(suspect: Suspect, switched: _SwitchedProgram) -> Mistake | None:
    """What is left out of a term that is used twice, in one of its uses."""
    scalars = [switch for switch in switched.switches if not switch.shape][:MOST_PAIRED]
    suspect.check_deadline()
    everything, *found = switched.float_gradients([{}, *({switch.name: 0} for switch in scalars)])
    if suspect.is_possible(everything):
        return None
    alone = {switch.name: numbers for switch, numbers in zip(scalars, found, strict=True)}

    def possible(pairs: Sequence[tuple[_Switch, _Switch]]) -> Truths:
        both = switched.float_gradients([{one.name: 0, other.name: 0} for one, other in pairs])
        with np.errstate(invalid="ignore"):
            apart = [alone[one.name] + alone[other.name] for one, other in pairs] - both
        return suspect.possible_rows(apart)

    for one, other in possible_predictions(
        suspect, switched.point.program, combinations(scalars, 2), possible
    ):
        predicted = switched.exact_gradient_through_both(suspect, one.name, other.name)
        if suspect.fits(predicted):
            return _mistake_without(suspect, f"{one.text} within {other.text}", predicted)
    return None


def _mistake_without(suspect: Suspect, term: str, predicted: Balls) -> Mistake:
    if suspect.part.quantity == SECOND:
        return Mistake(
            "second order cut off",
            f"the second derivative lacks {term}, though {_first_order_clause(suspect)}",
            predicted,
        )
    coded = None if suspect.examination is None else suspect.examination.coded
    if coded is not None and not coded.statements.has_own_backward:
        # Autograd itself forgets no term: somebody has cut it off.
        return Mistake(
            "path detached",
            f"the gradient lacks {term}: a detach or no_grad cuts that path",
            predicted,
        )
    return Mistake("one term missing", f"the gradient lacks {term}", predicted)


_CONDITIONS = frozenset(
    {"less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "and", "or", "not"}
)


def is_condition(program: Program, place: int) -> bool:
    """Whether the elements of the node at `place` in `program` are truth values, not numbers."""
    node = program.nodes[place]
    while node.operation in (TAKE, RESHAPE):
        node = program.nodes[node.arguments[0]]
    return node.operation in _CONDITIONS or (
        node.operation == CONSTANT and node.array.dtype == bool
    )


@dataclass(frozen=True)
class _Switch:
    """What multiplies terms of a gradient, 1 each, and how a term is named."""

    name: str
    shape: tuple[int, ...]
    make_text: Callable[[], str]
    """Makes the text; few are ever needed."""

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    @property
    def text(self) -> str:
        return self.make_text()

    def text_of(self, element: int) -> str:
        return self.text.format(number=element, count=self.count) if self.shape else self.text


@dataclass(frozen=True, eq=False)
class _SwitchedProgram:
    """A gradient's program with switches at its terms."""

    point: Point
    switches: tuple[_Switch, ...]

    @classmethod
    def of(cls, point: Point, result: int, values: int) -> _SwitchedProgram:
        program = point.program
        forward = program.needed(*program.outputs[:values])
        build = _SwitchBuilder(program, forward)
        for place in sorted(program.needed(program.outputs[result])):
            build.copy(place)
        arguments = {
            **point.arguments,
            **{switch.name: np.ones(switch.shape) for switch in build.switches},
        }
        decisions = {
            build.moved[place]: what
            for place, what in point.decisions.items()
            if place in build.moved
        }
        switched = Program(tuple(build.nodes), (build.moved[program.outputs[result]],))
        return cls(
            replace(point, program=switched, arguments=arguments, decisions=decisions),
            tuple(build.switches),
        )

    def choices(self) -> Iterator[tuple[_Switch, int]]:
        """Every term, those of additions first, at most so many."""
        ordered = sorted(self.switches, key=lambda switch: switch.count)
        every = [(switch, element) for switch in ordered for element in range(switch.count)]
        yield from every[:MOST_TERMS]

    def float_gradients(self, offs: Sequence[Mapping[str, int]]) -> Floats:
        """A row for each choice of elements of switches: the float64 gradient with these at 0."""
        given = {name: np.asarray(value)[None] for name, value in self.point.arguments.items()}
        for name in {name for off in offs for name in off}:
            given[name] = np.repeat(given[name], len(offs), axis=0)
        for row, off in enumerate(offs):
            for name, element in off.items():
                given[name].reshape(len(offs), -1)[row, element] = 0.0
        (found,) = evaluate(self.point.program, BatchArithmetic(), given)
        return np.broadcast_to(found, (len(offs), *found.shape[1:])).reshape(len(offs), -1)

    def exact_gradient(self, suspect: Suspect, off: Mapping[str, int]) -> Balls:
        """The gradient as balls with these elements of switches at 0."""
        masks = {name: np.array(self.point.arguments[name]) for name in off}
        for name, element in off.items():
            masks[name].flat[element] = 0.0
        return suspect.exact_at(self.point, masks)

    def exact_gradient_through_both(self, suspect: Suspect, one: str, other: str) -> Balls:
        """The gradient as balls without what comes through both of two switches.

        That is what both take away beyond what each of them takes away alone.
        """
        parts = [
            self.exact_gradient(suspect, off) for off in ({one: 0}, {other: 0}, {one: 0, other: 0})
        ]
        with precision(LAST_BITS):
            result: Balls = parts[0] + parts[1] - parts[2]
            return result


_ELEMENT = "what element {number} of the result contributes"
_ROW = "row {number} of a sum over {count} rows"


def _fork_text(program: Program, place: int) -> str:
    return f"all that comes from {describe_node(program, place)}"


class _SwitchBuilder:
    """Copies a program node by node, with a switch before each term behind the forward."""

    def __init__(self, program: Program, forward: set[int]) -> None:
        self.program, self.forward = program, forward
        self.nodes: list[Node] = []
        self.moved: dict[int, int] = {}
        self.switches: list[_Switch] = []
        self.uses = Counter(argument for node in program.nodes for argument in node.arguments)

    def copy(self, place: int) -> None:
        node = self.program.nodes[place]
        arguments = [self.moved[argument] for argument in node.arguments]
        if node.operation == INPUT:
            self.moved[place] = self._with_element_switch(node)
        elif place in self.forward:
            self.moved[place] = self._add(replace(node, arguments=tuple(arguments)))
        else:
            switched = [
                self._with_term_switch(node, side, argument)
                for side, argument in enumerate(arguments)
            ]
            copy = self._add(replace(node, arguments=tuple(switched)))
            self.moved[place] = self._with_fork_switch(place, self._with_row_switch(node, copy))

    def _with_element_switch(self, node: Node) -> int:
        copy = self._add(node)
        if not str(node.payload).startswith(SEED) or not 1 < int(np.prod(node.shape)) <= MOST_ROWS:
            return copy
        return self._with_switch(copy, node.shape, node.shape, lambda: _ELEMENT)

    def _with_term_switch(self, node: Node, side: int, argument: int) -> int:
        """The argument times its switches, where it is one that is added up."""
        shape = self.nodes[argument].shape
        if node.operation in ("add", "subtract"):
            original = node.arguments[side]
            return self._with_switch(
                argument, shape, (), partial(describe_term, self.program, original)
            )
        match node.operation:
            case "total":
                rows = tuple(size if axis in node.payload else 1 for axis, size in enumerate(shape))
            case "pile":
                rows = shape
            case "contract" if side == 0:
                rows = (*(1 for _ in shape[:-1]), shape[-1])
            case _:
                return argument
        if not 1 < int(np.prod(rows)) <= MOST_ROWS:
            return argument
        return self._with_switch(argument, shape, rows, lambda: _ROW)

    def _with_fork_switch(self, place: int, copy: int) -> int:
        """What is passed back from one operation to several."""
        node = self.program.nodes[place]
        if self.uses[place] < 2 or node.operation not in (
            "multiply",
            "divide",
            "negative",
            "where",
            "add",
            "subtract",
        ):
            return copy
        return self._with_switch(copy, node.shape, (), partial(_fork_text, self.program, place))

    def _with_row_switch(self, node: Node, copy: int) -> int:
        """What a sum in the forward passes back to each of its rows."""
        if node.operation != TAKE or not 1 < int(np.prod(node.shape)) <= MOST_ROWS:
            return copy
        if is_condition(self.program, node.arguments[0]):
            return copy
        if len(np.unique(node.array)) == node.array.size:
            return copy
        return self._with_switch(copy, node.shape, node.shape, lambda: _ROW)

    def _with_switch(self, argument: int, shape: Shape, own: Shape, tell: Callable[[], str]) -> int:
        switch = _Switch(f"switch {len(self.switches)}", own, tell)
        self.switches.append(switch)
        place = self._add(Node(INPUT, (), own, switch.name))
        return self._add(Node("multiply", (argument, place), shape))

    def _add(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1
