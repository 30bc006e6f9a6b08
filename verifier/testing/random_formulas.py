"""Random formulas: small ones, as code, as text, and with one of their paths cut or a
condition turned round.

They are smooth where they are tried, except for what is asked for, and neither large nor small.

>>> formula = RandomFormula.draw(np.random.default_rng(0))
>>> formula.text
'(atan((sin(y) * (x / (1 + (z)**2)))) * atan((z / (1 + (tanh(y))**2))))'
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from verifier.testing.cases import Case, RandomTensor

Generator = np.random.Generator
_Option = TypeVar("_Option")


@dataclass(frozen=True)
class _Kind:
    """A node of a formula, in torch and as text."""

    torch: Callable[..., Tensor]
    text: str


_KINDS = {
    "add": _Kind(torch.add, "({} + {})"),
    "subtract": _Kind(torch.sub, "({} - {})"),
    "multiply": _Kind(torch.mul, "({} * {})"),
    "ratio": _Kind(lambda one, other: one / (1 + other.square()), "({} / (1 + ({})**2))"),
    "sin": _Kind(torch.sin, "sin({})"),
    "cos": _Kind(torch.cos, "cos({})"),
    "tanh": _Kind(torch.tanh, "tanh({})"),
    "atan": _Kind(torch.atan, "atan({})"),
    "exp": _Kind(lambda one: torch.exp(torch.sin(one)), "exp(sin({}))"),
    "square": _Kind(torch.square, "({})**2"),
    "half": _Kind(lambda one: 0.5 * one, "(0.5 * {})"),
    "thrice": _Kind(lambda one: 3.0 * one, "(3 * {})"),
    "where": _Kind(
        lambda one, two, three: torch.where(one > 0, two, three), "where({} > 0, {}, {})"
    ),
    "turned": _Kind(
        lambda one, two, three: torch.where(one > 0, three, two), "where({} > 0, {}, {})"
    ),
    "abs": _Kind(torch.abs, "abs({})"),
}
_CURVED = frozenset(_KINDS) - {"add", "subtract", "half", "thrice"}
_UNARY = ("sin", "cos", "tanh", "atan", "exp", "square", "half", "thrice")
_BINARY = ("add", "subtract", "multiply", "multiply", "ratio")
_NAMES = ("x", "y", "z")
_REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda value: value,
    "sum": torch.sum,
    "mean": torch.mean,
}


@dataclass(frozen=True)
class FormulaTree:
    """A node with what it takes; an input has nothing."""

    kind: str
    parts: tuple[FormulaTree, ...] = ()

    @property
    def text(self) -> str:
        """The formula as verifier reads it."""
        if not self.parts:
            return self.kind
        return _KINDS[self.kind].text.format(*(part.text for part in self.parts))

    @property
    def names(self) -> set[str]:
        """The names of the inputs in it."""
        return set().union(*(part.names for part in self.parts)) if self.parts else {self.kind}

    @property
    def is_degenerate(self) -> bool:
        """Whether two parts are the same, which cancel or add up, or nothing in it is curved."""
        return self._has_twins or self._is_straight

    @property
    def _has_twins(self) -> bool:
        return len(set(self.parts)) < len(self.parts) or any(part._has_twins for part in self.parts)

    @property
    def _is_straight(self) -> bool:
        return self.kind not in _CURVED and all(part._is_straight for part in self.parts)

    def value(self, inputs: dict[str, Tensor]) -> Tensor:
        """What torch computes for it, from tensors by name."""
        if self.kind == "detach":
            return self.parts[0].value(inputs).detach()
        if not self.parts:
            return inputs[self.kind]
        return _KINDS[self.kind].torch(*(part.value(inputs) for part in self.parts))

    def places(self) -> list[tuple[int, ...]]:
        """The way to each node from the root, the root's own left out."""
        return [
            (number, *rest)
            for number, part in enumerate(self.parts)
            for rest in [(), *part.places()]
        ]

    def cut(self, way: Sequence[int]) -> FormulaTree:
        """The same with one node detached."""
        if not way:
            return FormulaTree("detach", (self,))
        parts = list(self.parts)
        parts[way[0]] = parts[way[0]].cut(way[1:])
        return replace(self, parts=tuple(parts))


@dataclass(frozen=True)
class RandomFormula:
    """A random formula of some inputs, reduced in some way."""

    tree: FormulaTree
    shapes: dict[str, tuple[int, ...]]
    reduction: str

    @classmethod
    def draw(
        cls, generator: Generator, shape: tuple[int, ...] = (), reduction: str = ""
    ) -> RandomFormula:
        """Of one to three inputs, all of one shape."""
        count = int(generator.integers(1, 4))
        names = _NAMES[:count]
        tree = FormulaTree("")
        while tree.names != set(names) or tree.is_degenerate:
            tree = _grow_tree(generator, names, int(generator.integers(2, 5)))
        shape = shape or (int(generator.integers(5, 10)),)
        reduction = reduction or str(generator.choice(list(_REDUCTIONS)))
        return cls(tree, dict.fromkeys(names, shape), reduction)

    @property
    def text(self) -> str:
        """The formula as verifier reads it, without its reduction."""
        return self.tree.text

    def code(self, *inputs: Tensor) -> Tensor:
        """The formula as torch code, of its inputs in order."""
        value = self.tree.value(dict(zip(self.shapes, inputs, strict=True)))
        return _REDUCTIONS[self.reduction](value)

    @property
    def case(self) -> Case:
        """As a case, between -2 and 2."""
        inputs = {name: RandomTensor(shape) for name, shape in self.shapes.items()}
        return Case(self.text, self.code, inputs, self.text, self.reduction)

    def wrapped(self, kind: str, *others: FormulaTree) -> RandomFormula:
        """The formula as the first argument of another node."""
        return replace(self, tree=FormulaTree(kind, (self.tree, *others)))


def _grow_tree(generator: Generator, names: Sequence[str], depth: int) -> FormulaTree:
    if depth == 0 or generator.random() < 0.1:
        return FormulaTree(str(generator.choice(names)))
    if generator.random() < 0.4:
        return FormulaTree(
            str(generator.choice(_UNARY)), (_grow_tree(generator, names, depth - 1),)
        )
    kind = str(generator.choice(_BINARY))
    return FormulaTree(kind, tuple(_grow_tree(generator, names, depth - 1) for _ in range(2)))


def choose(generator: Generator, options: Sequence[_Option]) -> _Option:
    """One of the options."""
    return options[int(generator.integers(len(options)))]
