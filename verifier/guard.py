"""Guards: a branch that is not taken is computed at a harmless place, so that no NaN leaks from it.

`torch.where` multiplies the derivative of the branch that it drops by 0, and 0 times infinity is NaN:
the gradient of where(x > 0, log(x), x) is NaN at 0. So each symbol inside something that may have no
finite value or derivative there is replaced by where(taken, symbol, number), with a number at which
all of it is finite. What the taken branch computes is the same to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from verifier.arithmetic import NumPyArithmetic
from verifier.derive import differentiate
from verifier.program import CONSTANT, SYMBOL, Builder, Node, Program, evaluate

_LINEAR = frozenset({"add", "subtract", "negative", "abs", "relu", "maximum", "minimum", "where"})
_TAME = frozenset({"sin", "cos", "tanh", "atan", "erf", "sigmoid"})
"""Functions that are finite with a finite derivative at every finite number."""
_POLYNOMIAL = _LINEAR | {"multiply", "square", "divide"}
_FLAT = frozenset({"sign", "floor", "ceiling", "less", "less_equal", "greater", "greater_equal", "equal", "not_equal"})
_WILD = 3
"""The derivative of a product of so many symbols may overflow."""

_PLACES = (1, 0.5, 2, -1, 0, -0.5, 0.25, 3, -3)
"""Numbers that may stand in place of a symbol, the simplest first."""
_SYMBOLS_APART = 3
"""Up to so many symbols may stand at numbers of their own; more all stand at the same one."""
GROWTH = 20
"""Once a program is so many times as long, the branches that are left stay as they are."""


def guarded(program: Program) -> Program:
    """The same program with guards in its branches; itself where it needs none.

    >>> build = Builder()
    >>> x = build.symbol("x")
    >>> positive = build.apply("greater", x, build.constant(0))
    >>> branches = build.program(build.apply("where", positive, build.apply("log", x), x))
    >>> [node.operation for node in guarded(branches).nodes]
    ['symbol', 'constant', 'greater', 'constant', 'where', 'log', 'where']
    """
    if not any(node.operation == "where" for node in program.nodes):
        return program
    copier = _Copier(program)
    return copier.builder.program(*(copier.copy(output, _ALWAYS) for output in program.outputs))


@dataclass(frozen=True)
class _Context:
    """Where a node is copied to: in a branch under a condition, with some symbols guarded."""

    condition: int | None = None
    holds: bool = True
    """Whether the branch is taken where the condition holds, or where it does not."""
    guards: tuple[tuple[str, int], ...] = ()


_ALWAYS = _Context()


class _Copier:
    def __init__(self, program: Program) -> None:
        self.builder = Builder()
        self._program = program
        self._copies: dict[tuple[int, _Context], int] = {}
        self._limit = GROWTH * len(program.nodes) + 100

    def copy(self, output: int, context: _Context) -> int:
        for index in self._own(output):
            if (index, context) not in self._copies:
                self._copies[index, context] = self._copied(index, context)
        return self._copies[output, context]

    def _own(self, output: int) -> list[int]:
        """What a node needs, in order, without what lies inside branches."""
        found: set[int] = set()
        waiting = [output]
        while waiting:
            index = waiting.pop()
            if index not in found:
                found.add(index)
                node = self._program.nodes[index]
                waiting.extend(node.arguments[:1] if node.operation == "where" else node.arguments)
        return sorted(found)

    def _copied(self, index: int, context: _Context) -> int:
        node = self._program.nodes[index]
        if node.operation == SYMBOL:
            plain = self.builder.symbol(str(node.payload), node.shape)
            return dict(context.guards).get(str(node.payload), plain)
        if node.operation == CONSTANT:
            return self.builder.constant(node.payload)
        if node.operation != "where":
            return self.builder.apply(node.operation, *(self._copies[part, context] for part in node.arguments))
        condition, taken, otherwise = node.arguments
        place, shared = self._copies[condition, context], frozenset(self._own(condition))
        return self.builder.apply(
            "where",
            place,
            self._branch(taken, self._inside(context, place, holds=True), shared),
            self._branch(otherwise, self._inside(context, place, holds=False), shared),
        )

    def _inside(self, context: _Context, condition: int, *, holds: bool) -> _Context:
        """A branch of a where inside the context."""
        if context.condition is None:
            return _Context(condition, holds, context.guards)
        outer = context.condition if context.holds else self.builder.apply("not", context.condition)
        inner = condition if holds else self.builder.apply("not", condition)
        return _Context(self.builder.apply("and", outer, inner), holds=True, guards=context.guards)

    def _branch(self, index: int, context: _Context, shared: frozenset[int]) -> int:
        """The copy of a branch; `shared` is what its condition needs too."""
        if len(self.builder) > self._limit:
            return self.copy(index, _Context(guards=context.guards))
        wild = _wild(self._program, self._own(index), shared)
        numbers = _harmless(self._program, wild) if wild else {}
        guards = {
            **dict(context.guards),
            **{name: self._guard(name, number, context) for name, number in numbers.items()},
        }
        return self.copy(index, _Context(context.condition, context.holds, tuple(guards.items())))

    def _guard(self, name: str, number: float, context: _Context) -> int:
        shape = next(node.shape for node in self._program.nodes if node.operation == SYMBOL and node.payload == name)
        symbol, harmless = self.builder.symbol(name, shape), self.builder.constant(number)
        branches = (symbol, harmless) if context.holds else (harmless, symbol)
        return self.builder.apply("where", context.condition or 0, *branches)


def _wild(program: Program, own: list[int], shared: frozenset[int]) -> list[int]:
    """The nodes that may have no finite value or derivative where all symbols are finite.

    A sum or product that the condition needs too is as good as a symbol: were it infinite, the
    condition would say nothing either way.
    """
    degrees: dict[int, int] = {}
    varying = _varying(program)
    wild = []
    for index in own:
        degree = _degree(program.nodes[index], degrees, varying) if varying[index] else 0
        if index in shared and program.nodes[index].operation in _POLYNOMIAL:
            degree = min(degree, 1)
        if degree >= _WILD:
            wild.append(index)
        # What is wild is going to be guarded.
        degrees[index] = degree if degree < _WILD else 0
    return wild


def _degree(node: Node, degrees: dict[int, int], varying: list[bool]) -> int:
    """How many symbols are multiplied in a node, at most; as many as make it wild where nothing is known."""
    inner = [degrees.get(part, 0) for part in node.arguments]
    match node.operation:
        case "multiply":
            return sum(inner)
        case "square":
            return 2 * inner[0]
        case "divide" if not varying[node.arguments[1]]:
            return inner[0]
        case name if name in _LINEAR:
            return max(inner)
        case name if name in _FLAT or name == SYMBOL:
            return 1
        case name if name in _TAME and inner[0] < _WILD - 1:
            return 1
    return _WILD


def _varying(program: Program) -> list[bool]:
    """For each node whether it depends on a symbol."""
    varying: list[bool] = []
    for node in program.nodes:
        varying.append(node.operation == SYMBOL or any(varying[part] for part in node.arguments))
    return varying


def _harmless(program: Program, wild: list[int]) -> dict[str, float]:
    """Numbers for the symbols of these nodes at which they and their derivatives are finite, if any are found."""
    parts = [program.only(index) for index in wild]
    names = sorted({name for part in parts for name in part.symbols})
    if len(names) <= _SYMBOLS_APART:
        trials = np.array(list(product(_PLACES, repeat=len(names))), dtype=np.float64)
    else:
        trials = np.repeat(np.array(_PLACES, dtype=np.float64)[:, None], len(names), axis=1)
    fine = np.ones(len(trials), dtype=bool)
    at = dict(zip(names, trials.T, strict=True))
    for part in parts:
        for result in _values(part, at):
            fine &= np.isfinite(result) & (np.abs(result) < _LARGE)
    if not fine.any():
        return {}
    chosen = trials[int(np.argmax(fine))]
    return {
        name: int(value) if value == int(value) else float(value) for name, value in zip(names, chosen, strict=True)
    }


_LARGE = 1e6


def _values(program: Program, at: dict[str, Any]) -> tuple[Any, ...]:
    names = program.symbols
    return evaluate(differentiate(program, names), NumPyArithmetic("float64"), {name: at[name] for name in names})
