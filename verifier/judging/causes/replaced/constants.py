"""A constant replaced: the backward has another number than the forward, as another epsilon or
exponent.

The exact gradient's program gets a second copy of what its forward makes of a constant. Each place
at which the gradient takes it chooses one of the two: the copy has another of the code's constants.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from verifier.judging.causes.cut_path import MOST_ELEMENTS
from verifier.judging.causes.prediction_filter import possible_predictions
from verifier.judging.causes.rule import Mistake
from verifier.judging.causes.suspect import Suspect
from verifier.judging.conditioning import Point
from verifier.operations.arrays import Balls, Floats, Truths
from verifier.program.evaluation.batches import BatchArithmetic
from verifier.program.program import CONSTANT, INPUT, Node, Program, evaluate

MOST_CONSTANTS = 8
"""So many constants of the exact gradient, and so many of the code in their place, are tried."""
NEUTRAL = (0.0, 1.0, -1.0)
"""They come from derivatives, not from anybody's code."""
MOST_USES = 5
"""Where a constant is used in more places, it is replaced in all of them or in one."""


def explain_other_constant(suspect: Suspect) -> Mistake | None:
    """The exact gradient with another of the code's constants in the place of one of its own."""
    coded, measured = suspect.coded, suspect.measured
    if coded is None or measured is None or suspect.place is None or not suspect.is_own:
        return None
    program = measured.point.program
    if suspect.part.quantity == "value" or program.elements > MOST_ELEMENTS:
        return None
    values = sum(part.quantity == "value" for part in suspect.examination_parts)
    known = _numbers(program)
    own = [number for number in known if number not in NEUTRAL][:MOST_CONSTANTS]
    theirs = [number for number in _numbers(coded.point.program) if number not in known]
    for number in own:
        replaced = _ReplacedConstant.of(measured.point, suspect.place, values, number)
        found = replaced and _first_fitting(suspect, replaced, theirs[:MOST_CONSTANTS])
        if found:
            return found
    return None


def _numbers(program: Program) -> list[float]:
    """The numbers that a program has as constants, each once."""
    found = (_number(node) for node in program.nodes)
    return list(dict.fromkeys(number for number in found if number is not None))


def _number(node: Node) -> float | None:
    """The number of a constant that is one number everywhere; None of anything else."""
    if node.operation != CONSTANT or node.array.dtype == bool or not node.array.size:
        return None
    first = float(np.ravel(node.array)[0])
    return first if bool((node.array == first).all()) and np.isfinite(first) else None


@dataclass(frozen=True)
class _Choice:
    """Another constant, and the places that take it."""

    number: float
    chosen: tuple[float, ...]
    """For each place 1 or 0."""


def _first_fitting(
    suspect: Suspect, replaced: _ReplacedConstant, numbers: Sequence[float]
) -> Mistake | None:
    def possible(choices: Sequence[_Choice]) -> Truths:
        return suspect.possible_rows(replaced.float_gradients(choices))

    choices = (_Choice(number, chosen) for number in numbers for chosen in replaced.chosen_places())
    for choice in possible_predictions(suspect, replaced.point.program, choices, possible):
        predicted = replaced.exact_gradient(suspect, choice)
        if suspect.fits(predicted):
            sentence = f"the backward has {choice.number:g} in the place of {replaced.number:g}"
            return Mistake("other constant", sentence, predicted)
    return None


_OTHER = "another constant"


@dataclass(frozen=True, eq=False)
class _ReplacedConstant:
    """A gradient's program in which a constant may be another one, place by place."""

    point: Point
    number: float
    switches: tuple[str, ...]
    """The inputs that choose: 1 takes what the other constant gives."""

    @classmethod
    def of(cls, point: Point, result: int, values: int, number: float) -> _ReplacedConstant | None:
        """None where the gradient does not use the constant."""
        program = point.program
        forward = program.needed(*program.outputs[:values])
        build = _Build(program, forward, number)
        for place in sorted(program.needed(program.outputs[result])):
            build.copy(place)
        if not build.switches or program.outputs[result] not in build.moved:
            return None
        decisions = {
            build.moved[place]: what
            for place, what in point.decisions.items()
            if place in build.moved
        }
        arguments = {
            **point.arguments,
            _OTHER: np.asarray(number),
            **{name: np.asarray(0.0) for name in build.switches},
        }
        switched = Program(tuple(build.nodes), (build.moved[program.outputs[result]],))
        moved = replace(point, program=switched, arguments=arguments, decisions=decisions)
        return cls(moved, number, tuple(build.switches))

    def chosen_places(self) -> Iterator[tuple[float, ...]]:
        """Which places take the other constant: all, one, or with few places any of them."""
        count = len(self.switches)
        yield (1.0,) * count
        if count <= MOST_USES:
            yield from (one for one in product((0.0, 1.0), repeat=count) if 0 < sum(one) < count)
        else:
            yield from (tuple(row) for row in np.eye(count).tolist())

    def float_gradients(self, choices: Sequence[_Choice]) -> Floats:
        """A row for each choice: the gradient in float64."""
        given = {name: np.asarray(value)[None] for name, value in self.point.arguments.items()}
        given[_OTHER] = np.array([choice.number for choice in choices])
        for place, name in enumerate(self.switches):
            given[name] = np.array([choice.chosen[place] for choice in choices])
        (found,) = evaluate(self.point.program, BatchArithmetic(), given)
        return np.broadcast_to(found, (len(choices), *found.shape[1:])).reshape(len(choices), -1)

    def exact_gradient(self, suspect: Suspect, choice: _Choice) -> Balls:
        """The gradient as balls."""
        chosen = dict(zip(self.switches, choice.chosen, strict=True))
        numbers = {_OTHER: choice.number, **chosen}
        return suspect.exact_at(
            self.point, {name: np.asarray(number) for name, number in numbers.items()}
        )


class _Build:
    """Copies a program, with a second copy of what the forward makes of a constant."""

    def __init__(self, program: Program, forward: set[int], number: float) -> None:
        self.program, self.forward, self.number = program, forward, number
        self.nodes: list[Node] = []
        self.moved: dict[int, int] = {}
        self.others: dict[int, int] = {}
        """What is made of the other constant, by the place of what is made of the first."""
        self.switches: list[str] = []
        self._other: int | None = None

    def copy(self, place: int) -> None:
        node = self.program.nodes[place]
        if place in self.forward or node.operation == CONSTANT:
            arguments = tuple(self.moved[argument] for argument in node.arguments)
            self.moved[place] = self._add(replace(node, arguments=arguments))
            self._copy_with_other(place, node)
        else:
            arguments = tuple(map(self._chosen, node.arguments))
            self.moved[place] = self._add(replace(node, arguments=arguments))

    def _copy_with_other(self, place: int, node: Node) -> None:
        if node.operation == CONSTANT and _number(node) == self.number:
            self.others[place] = self._other_constant(node)
        elif not self.others.keys().isdisjoint(node.arguments):
            changed = (self.others.get(one, self.moved[one]) for one in node.arguments)
            self.others[place] = self._add(replace(node, arguments=tuple(changed)))

    def _other_constant(self, node: Node) -> int:
        if self._other is None:
            self._other = self._add(Node(INPUT, (), (), _OTHER))
        if not node.shape:
            return self._other
        ones = self._add(replace(node, payload=type(node.payload)(np.ones(node.shape))))
        return self._add(Node("multiply", (ones, self._other), node.shape))

    def _chosen(self, place: int) -> int:
        """What a node of the gradient takes: one of the two copies, as its switch says."""
        if place not in self.others:
            return self.moved[place]
        name = f"choice {len(self.switches)}"
        self.switches.append(name)
        shape, own, other = self.program.nodes[place].shape, self.moved[place], self.others[place]
        switch = self._add(Node(INPUT, (), (), name))
        apart = self._add(Node("subtract", (other, own), shape))
        return self._add(
            Node(
                "add",
                (own, self._add(Node("multiply", (apart, switch), shape))),
                shape,
            )
        )

    def _add(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1
