"""Random formulas, and honest code of each: other orders of summation, expanded or factored, fused
or not.

A formula is a tree of tuples: ("add", terms), ("mul", factors), ("div", a, b), ("call", name, a),
("symbol", name), ("number", value).
"""

from __future__ import annotations

import math
import random

import torch

from verifier.formula.text.parser import read_text
from verifier.judging.reference import Formula
from verifier.program.builder import FormulaBuilder
from verifier.program.lift import REDUCTIONS

SAFE = {
    "exp": lambda a: ("call", "exp", a),
    "sin": lambda a: ("call", "sin", a),
    "cos": lambda a: ("call", "cos", a),
    "tanh": lambda a: ("call", "tanh", a),
    "sqrt": lambda a: ("call", "sqrt", ("add", (("number", 1.0), ("mul", (a, a))))),
    "log": lambda a: ("call", "log", ("add", (("number", 1.0), ("mul", (a, a))))),
    "inverse": lambda a: ("div", ("number", 1.0), ("add", (("number", 2.0), ("mul", (a, a))))),
    "square": lambda a: ("mul", (a, a)),
}
NAMES = ("x", "y")


def formula(chance: random.Random, depth: int = 3):
    """A formula that is defined everywhere."""
    if depth == 0 or chance.random() < 0.1:
        leaf = ("symbol", chance.choice(NAMES)), ("number", round(chance.uniform(-3, 3), 2) or 1.0)
        return leaf[chance.random() < 0.2]
    kind = chance.random()
    parts = tuple(formula(chance, depth - 1) for _ in range(chance.choice((2, 2, 3))))
    if kind < 0.35:
        return ("add", parts)
    if kind < 0.65:
        return ("mul", parts)
    return SAFE[chance.choice(tuple(SAFE))](parts[0])


def rewritten(tree, chance: random.Random):
    """Another formula of the same function."""
    if tree[0] in ("symbol", "number"):
        return tree
    if tree[0] in ("call", "div"):
        return (
            *tree[:-2],
            *(part if isinstance(part, str) else rewritten(part, chance) for part in tree[-2:]),
        )
    parts = [rewritten(part, chance) for part in tree[1]]
    chance.shuffle(parts)
    sums = [part for part in parts if part[0] == "add"]
    if tree[0] == "mul" and sums and chance.random() < 0.5:
        others = tuple(part for part in parts if part is not sums[0])
        return ("add", tuple(("mul", (term, *others)) for term in sums[0][1]))
    return (tree[0], _grouped(tree[0], parts, chance))


def _grouped(kind, parts, chance):
    if len(parts) > 2 and chance.random() < 0.5:
        return (parts[0], (kind, tuple(parts[1:])))
    return tuple(parts)


def written(tree) -> str:
    """The formula as text."""
    match tree[0]:
        case "symbol":
            return tree[1]
        case "number":
            return f"({tree[1]!r})"
        case "call":
            return f"{tree[1]}({written(tree[2])})"
        case "div":
            return f"({written(tree[1])} / {written(tree[2])})"
    sign = {"add": " + ", "mul": "*"}[tree[0]]
    return f"({sign.join(map(written, tree[1]))})"


def computed(tree, values):
    """The formula in torch, with operators from the left."""
    match tree[0]:
        case "symbol":
            return values[tree[1]]
        case "number":
            return tree[1]
        case "call":
            inner = computed(tree[2], values)
            return (
                getattr(torch, tree[1])(inner)
                if isinstance(inner, torch.Tensor)
                else getattr(math, tree[1])(inner)
            )
        case "div":
            return computed(tree[1], values) / computed(tree[2], values)
    first, *rest = (computed(part, values) for part in tree[1])
    for part in rest:
        first = first + part if tree[0] == "add" else first * part
    return first


def flipped(x):
    return x.flip(0).sum()


def one_by_one(x):
    total = x.reshape(-1)[0]
    for part in x.reshape(-1)[1:]:
        total = total + part
    return total


def by_halves(x):
    return x[: len(x) // 2].sum() + x[len(x) // 2 :].sum()


def by_ones(x):
    return x.reshape(-1) @ torch.ones_like(x).reshape(-1)


SUMS = (torch.sum, flipped, one_by_one, by_halves, by_ones)


class Fused(torch.autograd.Function):
    """A tree computed at once, its backward by double precision rounded once: as a good kernel does
    it.
    """

    @staticmethod
    def forward(ctx, tree, x, y):
        ctx.tree = tree
        ctx.save_for_backward(x, y)
        return computed(tree, {"x": x.double(), "y": y.double()}).to(x.dtype)

    @staticmethod
    def backward(ctx, g):
        x, y = (part.double().detach().requires_grad_() for part in ctx.saved_tensors)
        with torch.enable_grad():
            value = computed(ctx.tree, {"x": x, "y": y})
        found = torch.autograd.grad(value, (x, y), g.double(), allow_unused=True)
        return None, *(None if part is None else part.to(g.dtype) for part in found)


class Case:
    """A random formula with its reduction, and honest code of it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 (tests are reproducible)
        self.tree = formula(self.chance)
        while "x" not in symbols(self.tree) or works_out_constants(self.tree):
            self.tree = formula(self.chance)
        self.reduction = self.chance.choice(("none", "sum", "mean"))

    def inputs(self, dtype, shape=(5,)):
        generator = torch.Generator().manual_seed(self.chance.randrange(2**31))
        return {
            name: torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
            for name in NAMES
        }

    def formula(self) -> Formula:
        builder = FormulaBuilder()
        node = read_text(written(self.tree), builder, {name: builder.input(name) for name in NAMES})
        return Formula(builder.program(node), REDUCTIONS[self.reduction])

    def fused(self):
        """Honest code as a kernel, without its reduction."""
        return lambda x, y: Fused.apply(self.tree, x, y)

    def code(self):
        """Honest code: another way to write it each time."""
        tree = rewritten(self.tree, self.chance)
        total = self.chance.choice(SUMS)

        def run(x, y):
            value = computed(tree, {"x": x, "y": y})
            if self.reduction == "none":
                return value
            return total(value) if self.reduction == "sum" else total(value) / value.numel()

        return run


def works_out_constants(tree) -> bool:
    """Whether a function is taken of numbers alone: Python rounds that more often than a literal is
    granted.
    """
    if tree[0] in ("call", "div") and not any(symbols(tree)):
        return True
    return any(works_out_constants(part) for part in parts_of(tree))


def parts_of(tree):
    for part in tree[1:]:
        if isinstance(part, tuple):
            yield from part if part and isinstance(part[0], tuple) else (part,)


def symbols(tree):
    if tree[0] == "symbol":
        yield tree[1]
    for part in parts_of(tree):
        yield from symbols(part)
