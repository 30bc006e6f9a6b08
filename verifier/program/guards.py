"""Guards: a branch that is not taken is computed at a harmless place, so that no NaN leaks from it.

`torch.where` multiplies the derivative of the branch that it drops by 0, and 0 times infinity is
NaN: the gradient of where(x > 0, log(x), x) is NaN at 0. So each symbol inside something that may
have no finite value or derivative there is replaced by where(taken, symbol, number), with a number
at which all of it is finite. What the taken branch computes is the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from verifier.operations.arrays import Floats
from verifier.program.builder import FormulaBuilder
from verifier.program.evaluation.arithmetic import NumPyArithmetic
from verifier.program.gradients.formula_gradient import differentiate
from verifier.program.program import (
    ARRAY,
    CONDITIONS,
    CONSTANT,
    INPUT,
    SCALAR,
    Node,
    Program,
    evaluate,
)

_LINEAR = frozenset({"add", "subtract", "negative", "abs", "relu", "maximum", "minimum", "where"})
_TAME = frozenset({"sin", "cos", "tanh", "atan", "erf", "sigmoid"})
"""Functions that are finite with a finite derivative at every finite number."""
_FLAT = CONDITIONS | {"sign", "floor", "ceiling"}
_WILD = 3
"""The derivative of a product of so many symbols may overflow."""

_PLACES = (1, 0.5, 2, -1, 0, -0.5, 0.25, 3, -3)
"""Numbers that may stand in place of a symbol, the simplest first; those around the formula's own
follow.
"""
_TRIALS = 2000
"""So many combinations of numbers are tried at most."""
_LARGE = 1e6
"""Factors beyond it count like a symbol, for what they make may overflow."""
GROWTH = 5
"""Once a program is so many times as long, the branches that are left stay as they are."""
DEEPEST = 150
"""Branches inside more branches than that stay as they are."""
LONGEST = 100
"""Branches of more nodes than that stay as they are."""
_ELSEWHERE = 0.75
"""Where symbols stand that need no guard."""


def guarded(program: Program) -> Program:
    """`program` with guards in its branches; itself where it needs none.

    >>> build = FormulaBuilder()
    >>> x = build.input("x")
    >>> positive = build.apply("greater", x, build.constant(0))
    >>> branches = build.program(build.apply("where", positive, build.apply("log", x), x))
    >>> [node.operation for node in guarded(branches).nodes]
    ['input', 'constant', 'greater', 'constant', 'where', 'log', 'where']

    A where whose condition depends on no symbol becomes the branch that it takes.
    """
    if not any(node.operation == "where" for node in program.nodes):
        return program
    copier = _Copier(program)
    return copier.builder.program(*(copier.copy(output, _ALWAYS) for output in program.outputs))


@dataclass(frozen=True)
class _Context:
    """Where a node is copied to: a branch under a condition, and what stands there for some
    nodes.
    """

    condition: int | None = None
    holds: bool = True
    """Whether the branch is taken where the condition holds, or where it does not."""
    leaves: tuple[tuple[int, int], ...] = ()
    """Symbols, and nodes that are computed outside the branch anyway, with the nodes to use for
    them.
    """


_ALWAYS = _Context()


class _Copier:
    def __init__(self, program: Program) -> None:
        self.builder = FormulaBuilder()
        self._program = program
        self._varying = program.varying
        self._places = _places(program)
        self._copies: dict[tuple[int, _Context], int] = {}
        self._plain: dict[int, int] = {}
        self._limit = GROWTH * len(program.nodes) + 100
        self._depth = 0

    def copy(self, output: int, context: _Context) -> int:
        for index in self._own(output, dict(context.leaves)):
            if (index, context) not in self._copies:
                self._copies[index, context] = self._copied(index, context)
        return self._copies[output, context]

    def _own(self, output: int, leaves: Collection[int]) -> list[int]:
        """What a node needs, in order, without what lies behind leaves or inside branches."""
        found: set[int] = set()
        waiting = [output]
        while waiting:
            index = waiting.pop()
            if index not in found:
                found.add(index)
                node = self._program.nodes[index]
                if index not in leaves:
                    waiting.extend(
                        node.arguments if node.operation != "where" else (self._first(node),)
                    )
        return sorted(found)

    def _first(self, node: Node) -> int:
        """What a where needs always: its condition, or the branch that it takes by a
        constant one.
        """
        condition, taken, otherwise = node.arguments
        if not self._is_settled(condition):
            return condition
        (holds,) = evaluate(self._program.only(condition), NumPyArithmetic("float64"), {})
        return taken if holds else otherwise

    def _is_settled(self, condition: int) -> bool:
        """Whether the same branch is taken at all inputs and by all entries."""
        return not self._varying[condition] and self._program.nodes[condition].shape == SCALAR

    def _copied(self, index: int, context: _Context) -> int:
        node, leaves = self._program.nodes[index], dict(context.leaves)
        if index in leaves:
            return leaves[index]
        if node.operation != "where":
            parts = {part: self._copies[part, context] for part in node.arguments}
            return self.builder.copied(node, parts)
        condition, taken, otherwise = node.arguments
        if self._is_settled(condition):
            return self._copies[self._first(node), context]
        leaves |= {part: self._copies[part, context] for part in self._settled(condition, leaves)}
        place = self._copies[condition, context]
        return self.builder.apply(
            "where",
            place,
            self._branch(taken, self._inside(context, place, holds=True), leaves),
            self._branch(otherwise, self._inside(context, place, holds=False), leaves),
        )

    def _settled(self, condition: int, leaves: Collection[int]) -> list[int]:
        """The numbers that a condition is about and that are finite where the symbols are.

        A branch uses them as they are: it need not compute them once more with guards inside.
        """
        return [
            index
            for index in self._own(condition, leaves)
            if self._varying[index]
            and self._program.nodes[index].operation not in CONDITIONS | {INPUT}
            and not self._wild(self._own(index, leaves), leaves)
        ]

    def _inside(self, context: _Context, condition: int, *, holds: bool) -> _Context:
        """A branch of a where inside the context."""
        if context.condition is None:
            return _Context(condition, holds)
        outer = context.condition if context.holds else self.builder.apply("not", context.condition)
        inner = condition if holds else self.builder.apply("not", condition)
        return _Context(self.builder.apply("and", outer, inner))

    def _branch(self, index: int, context: _Context, leaves: dict[int, int]) -> int:
        """The copy of a branch; `leaves` is what is computed outside it."""
        if len(self.builder) > self._limit or self._depth == DEEPEST:
            return self.builder.copy(self._program, index, self._plain)
        guards = {
            leaf: self._guard(leaf, number, context, leaves)
            for leaf, number in self._numbers(index, leaves).items()
        }
        self._depth += 1
        copied = self.copy(index, replace(context, leaves=tuple((leaves | guards).items())))
        self._depth -= 1
        return copied

    def _guard(self, leaf: int, number: float, context: _Context, leaves: dict[int, int]) -> int:
        node = self._program.nodes[leaf]
        own = (
            self.builder.input(str(node.payload), node.shape)
            if node.operation == INPUT
            else leaves[leaf]
        )
        harmless = self.builder.constant(number)
        return self.builder.apply(
            "where",
            context.condition or 0,
            *((own, harmless) if context.holds else (harmless, own)),
        )

    def _numbers(self, index: int, leaves: Collection[int]) -> dict[int, float]:
        """Where symbols and leaves are to stand when the branch is not taken; none where it may
        stay as it is.
        """
        own = self._own(index, leaves)
        wild = self._wild(own, leaves)
        on_arrays = any(self._program.nodes[part].operation == ARRAY for part in own)
        if not wild or on_arrays or len(own) > LONGEST:
            return {}
        # Each leaf is a symbol here, named by its index, and a trial is one row, whatever the
        # shapes.
        builder = FormulaBuilder()
        nodes = self._program.nodes
        free = [part for part in own if part in leaves or nodes[part].operation == INPUT]
        places = {part: builder.input(str(part)) for part in free}
        root, *others = [builder.copy(self._program, part, places) for part in (index, *wild)]
        row = Program(
            tuple(replace(node, shape=SCALAR) for node in builder.program(root).nodes),
            builder.program(root).outputs,
        )
        # What lies inside branches further in keeps its symbols' own names, and has guards of its
        # own.
        guarded_names = tuple(name for name in builder.program(*others).inputs if name.isdecimal())
        numbers = _harmless(row, guarded_names, self._places)
        return {int(name): number for name, number in numbers.items()}

    def _wild(self, own: list[int], leaves: Collection[int]) -> list[int]:
        """The nodes that may have no finite value or derivative where all symbols and leaves are
        finite.
        """
        degrees: dict[int, int] = {}
        wild = []
        for index in own:
            node = self._program.nodes[index]
            degree = (
                _degree(node, degrees, self._varying)
                if self._varying[index]
                else _constant_degree(node)
            )
            degree = 1 if index in leaves else degree
            if degree >= _WILD:
                wild.append(index)
            # What is wild is going to be guarded.
            degrees[index] = degree if degree < _WILD else 0
        return wild


def _degree(node: Node, degrees: dict[int, int], varying: list[bool]) -> int:
    """How many symbols are multiplied in a node, at most; as many as make it wild where nothing is
    known.
    """
    inner = [degrees.get(part, 0) for part in node.arguments]
    match node.operation:
        case "multiply":
            return sum(inner)
        case "square":
            return 2 * inner[0]
        case "divide" if not varying[node.arguments[1]]:
            return sum(inner)
        case name if name in _LINEAR:
            return max(inner)
        case name if name in _FLAT or name == INPUT:
            return 1
        case name if name in _TAME and inner[0] < _WILD - 1:
            return 1
    return _WILD


def _constant_degree(node: Node) -> int:
    """Very large and very small factors may make what they multiply or divide overflow."""
    size = abs(node.payload) if node.operation == CONSTANT and not node.is_array else 0
    return 1 if size > _LARGE or 0 < size < 1 / _LARGE else 0


def _places(program: Program) -> tuple[float, ...]:
    """Numbers to try: simple ones, and those beside, twice and half the formula's own constants."""
    numbers = [node.payload for node in program.nodes if node.operation == CONSTANT]
    own = dict.fromkeys(abs(number) for number in numbers if isinstance(number, int | float))
    around = [
        sign * number
        for size in own
        for number in (size, size + 1, 2 * size, size / 2)
        for sign in (1, -1)
    ]
    return tuple(dict.fromkeys([*_PLACES, *around[:40]]))


def _harmless(
    branch: Program, names: tuple[str, ...], places: tuple[float, ...]
) -> dict[str, float]:
    """Numbers for these symbols at which the branch and its derivatives are finite, if any are
    found.
    """
    trials = _trials(len(names), np.array(places, dtype=np.float64)).astype(np.float32)
    at = {
        **dict.fromkeys(branch.inputs, np.float32(_ELSEWHERE)),
        **dict(zip(names, trials.T, strict=True)),
    }
    # In float32, which overflows first.
    results = evaluate(differentiate(branch, branch.inputs), NumPyArithmetic("float32"), at)
    fine = np.all([np.broadcast_to(np.isfinite(result), len(trials)) for result in results], axis=0)
    if not fine.any():
        return {}
    chosen = trials[int(np.argmax(fine))]
    return {
        name: int(value) if value == int(value) else float(value)
        for name, value in zip(names, chosen, strict=True)
    }


def _trials(symbols: int, places: Floats) -> Floats:
    """Combinations of the places, a row each: all of them where they are few, else equal ones and a
    seeded choice.
    """
    if len(places) ** symbols <= _TRIALS:
        return np.array(list(product(places, repeat=symbols)))
    equal = np.repeat(places[:, None], symbols, axis=1)
    drawn = np.random.default_rng(0).choice(places, (_TRIALS - len(places), symbols))
    return np.concatenate([equal, drawn])
