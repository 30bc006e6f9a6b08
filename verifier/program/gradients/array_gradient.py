"""The gradient of an array program: reverse accumulation on whole arrays.

Each node's adjoint is the sum of what its users pass back (Griewank and Walther, Evaluating
Derivatives, 2nd ed., section 3.2): an element's operation passes its adjoint times SymPy's local
derivative, what takes elements piles them up, what piles up takes, a sum spreads, a product of
matrices multiplies by the other one transposed (Giles, An extended collection of matrix derivative
results, 2008, section 2.2.1).

A branch that is not taken passes nothing back, not even where its derivative does not exist, and
neither does an element that nobody takes: an adjoint has a mask of where it is alive, and what is
dead is never multiplied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from verifier.operations.table import TABLE
from verifier.program.builder import Builder, places
from verifier.program.gradients.reverse_mode import active_nodes, factor, scaled
from verifier.program.program import NOTHING, Node


@dataclass(frozen=True)
class _Adjoint:
    value: int
    alive: int | None = None
    """The node of a mask; None is everywhere."""


def gradients(builder: Builder, seeds: Mapping[int, int], wanted: Sequence[int]) -> list[int]:
    """The nodes in `builder` of the derivatives by the `wanted` nodes, each of the same shape as
    what it is taken by.

    `seeds` gives for each result the node that multiplies its derivative, of the result's shape.
    What no result depends on has the derivative 0.

    >>> build = Builder()
    >>> x = build.input("x", (3,))
    >>> y = build.apply("sin", x)
    >>> (dx,) = gradients(build, {y: build.input("g", (3,))}, [x])
    >>> build[dx].operation, build[dx].shape
    ('multiply', (3,))
    """
    sweep = _Sweep(builder, seeds, frozenset(wanted))
    sweep.run(max(seeds))
    return [sweep.derivative(node) for node in wanted]


class _Sweep:
    def __init__(self, builder: Builder, seeds: Mapping[int, int], wanted: frozenset[int]) -> None:
        self._builder = builder
        self._active = active_nodes(builder, max(seeds), wanted)
        self._steep = _steep(builder, max(seeds))
        self._adjoints: dict[int, _Adjoint] = {}
        for result, seed in seeds.items():
            self._accumulate(result, _Adjoint(seed))
        self._wanted = wanted

    def run(self, last: int) -> None:
        for index in range(last, -1, -1):
            if index in self._adjoints and self._active[index] and index not in self._wanted:
                self._pass_back(index, self._builder[index], self._adjoints[index])

    def derivative(self, node: int) -> int:
        adjoint = self._adjoints.get(node)
        shape = self._builder.shape(node)
        if adjoint is None:
            return self._builder.expand(self._builder.constant(0), shape)
        return self._builder.expand(self._settled(adjoint), shape)

    def _pass_back(self, index: int, node: Node, adjoint: _Adjoint) -> None:
        if node.operation == "join":
            start = 0
            for argument in node.arguments:
                count = int(np.prod(self._builder.shape(argument)))
                index_ = np.arange(start, start + count).reshape(self._builder.shape(argument))
                start += count
                if self._active[argument]:
                    self._accumulate(argument, self._moved(adjoint, index_))
            return
        for position, argument in enumerate(node.arguments):
            if self._active[argument]:
                self._accumulate(argument, self._contribution(node, position, adjoint))

    def _contribution(self, node: Node, position: int, adjoint: _Adjoint) -> _Adjoint:
        builder, argument = self._builder, node.arguments[position]
        shape = builder.shape(argument)
        match node.operation:
            case "reshape":
                return self._moved(adjoint, places(shape))
            case "take":
                return self._only_taken(self._piled(adjoint, node.array, shape), node, argument)
            case "pile":
                index = node.array.reshape(shape)
                return self._only(self._moved(adjoint, index), index != NOTHING, argument)
            case "total":
                kept = [1 if axis in node.payload else size for axis, size in enumerate(shape)]
                return self._moved(
                    adjoint, np.broadcast_to(places(node.shape).reshape(kept), shape)
                )
            case "contract":
                return _Adjoint(self._contracted(node, position, self._settled(adjoint)))
            case "matrix":
                with builder.rounding(node.format):
                    return _Adjoint(node.payload.adjoint(builder, argument, self._settled(adjoint)))
            case "round":
                return adjoint
            case "where":
                return self._reduced(self._branch(node, position, adjoint), node.shape, shape)
        by = factor(builder, node, position)
        return self._reduced(
            _Adjoint(scaled(builder, adjoint.value, by), adjoint.alive), node.shape, shape
        )

    def _contracted(self, node: Node, position: int, adjoint: int) -> int:
        other = self._transposed(node.arguments[1 - position])
        return self._builder.contract(*((adjoint, other) if position == 0 else (other, adjoint)))

    def _transposed(self, argument: int) -> int:
        axes = list(range(len(self._builder.shape(argument))))
        return self._builder.permute(argument, [*axes[:-2], axes[-1], axes[-2]])

    def _branch(self, node: Node, position: int, adjoint: _Adjoint) -> _Adjoint:
        condition = node.arguments[0]
        taken = condition if position == 1 else self._builder.apply("not", condition)
        return _Adjoint(
            adjoint.value,
            taken if adjoint.alive is None else self._builder.apply("and", adjoint.alive, taken),
        )

    def _moved(self, adjoint: _Adjoint, index: np.ndarray) -> _Adjoint:
        alive = None if adjoint.alive is None else self._builder.take(adjoint.alive, index)
        return _Adjoint(self._builder.take(adjoint.value, index), alive)

    def _piled(self, adjoint: _Adjoint, index: np.ndarray, shape: tuple[int, ...]) -> _Adjoint:
        inverse = _inverse(index, int(np.prod(shape)))
        if inverse is not None:
            return self._moved(adjoint, inverse.reshape(shape))
        value = self._builder.pile(self._settled(adjoint), index, shape)
        return _Adjoint(
            value, self._counted(adjoint, lambda ones: self._builder.pile(ones, index, shape))
        )

    def _only_taken(self, adjoint: _Adjoint, node: Node, argument: int) -> _Adjoint:
        """Alive where elements were taken."""
        index, shape = node.array.ravel(), self._builder.shape(argument)
        counts = np.bincount(index[index != NOTHING], minlength=int(np.prod(shape)))
        return self._only(adjoint, (counts > 0).reshape(shape), argument)

    def _only(self, adjoint: _Adjoint, used: np.ndarray, argument: int) -> _Adjoint:
        """Dead where no result depends on it, if a derivative on the way may not exist there."""
        if adjoint.alive is not None or used.all() or not self._steep[argument]:
            return adjoint
        return _Adjoint(adjoint.value, self._builder.constant(used))

    def _reduced(
        self, adjoint: _Adjoint, wide: tuple[int, ...], shape: tuple[int, ...]
    ) -> _Adjoint:
        """From the shape of a result to that of an argument that was broadcast to it."""
        builder = self._builder
        if wide == shape and builder.shape(adjoint.value) == shape:
            alive = adjoint.alive
            return _Adjoint(adjoint.value, None if alive is None else builder.expand(alive, shape))
        lead = len(wide) - len(shape)
        axes = [
            *range(lead),
            *(
                lead + axis
                for axis, size in enumerate(shape)
                if size == 1 and wide[lead + axis] > 1
            ),
        ]

        def summed(wide_value: int) -> int:
            return builder.reshape(builder.sum(builder.expand(wide_value, wide), axes), shape)

        return _Adjoint(summed(self._settled(adjoint)), self._counted(adjoint, summed))

    def _counted(self, adjoint: _Adjoint, gathered: Callable[[int], int]) -> int | None:
        """Where anything alive has been gathered."""
        if adjoint.alive is None:
            return None
        constant, apply = self._builder.constant, self._builder.apply
        ones = apply("where", adjoint.alive, constant(1), constant(0))
        return apply("greater", gathered(ones), constant(0.5))

    def _settled(self, adjoint: _Adjoint) -> int:
        """The adjoint as one array, 0 where it is dead."""
        if adjoint.alive is None:
            return adjoint.value
        return self._builder.apply("where", adjoint.alive, adjoint.value, self._builder.constant(0))

    def _accumulate(self, argument: int, contribution: _Adjoint) -> None:
        earlier = self._adjoints.get(argument)
        if earlier is None:
            self._adjoints[argument] = contribution
            return
        total = self._builder.apply("add", self._settled(earlier), self._settled(contribution))
        both = (earlier.alive, contribution.alive)
        alive = None if None in both else self._builder.apply("or", *both)  # type: ignore[arg-type]
        self._adjoints[argument] = _Adjoint(total, alive)


def _inverse(index: np.ndarray, count: int) -> np.ndarray | None:
    """Which place of the result each element went to, where none went to more than one."""
    flat_index = index.ravel()
    kept = np.flatnonzero(flat_index != NOTHING)
    if np.bincount(flat_index[kept], minlength=count).max(initial=0) > 1:
        return None
    inverse = np.full(count, NOTHING, dtype=np.int64)
    inverse[flat_index[kept]] = kept
    return inverse


_EVERYWHERE = frozenset(
    {
        "add", "subtract", "multiply", "negative", "abs", "maximum", "minimum", "where", "square",
        "exp", "expm1", "sin", "cos", "tanh", "sinh", "cosh", "sigmoid", "relu", "erf", "erfc",
        "atan", "sign", "floor", "ceiling", "not", "and", "or", "less", "less_equal", "greater",
        "greater_equal", "equal", "not_equal", "pi",
    }
)  # fmt: skip
"""Rows whose derivative is finite where their arguments are."""


def _steep(builder: Builder, last: int) -> list[bool]:
    """Which nodes are made by operations whose derivative may not exist."""
    steep: list[bool] = []
    for index in range(last + 1):
        node = builder[index]
        own = node.operation == "matrix" or (
            node.operation in TABLE and node.operation not in _EVERYWHERE
        )
        steep.append(own or any(steep[argument] for argument in node.arguments))
    return steep
