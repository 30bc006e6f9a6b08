"""Operations that pass a tensor on as it is, or convert it."""

from __future__ import annotations

from typing import Any

import torch

from verifier.capture.lowering import Cell, Lowering, Operand, rule
from verifier.operations.formats import CODE_FORMATS


@rule(
    "alias", "clone", "contiguous", "detach", "lift_fresh_copy", "lift", "lift_fresh",
    "view_as", "_conj", "positive", "resolve_conj", "resolve_neg", "_reshape_copy",
    "real",
)  # fmt: skip
def same(low: Lowering, self: Cell) -> int:
    """The argument itself: nothing is computed, or a real number is its own conjugate."""
    return self.node


@rule("detach_copy")
def held(low: Lowering, self: Cell) -> int:
    """What is marked when code is captured: a value that the code takes for a constant."""
    return low.build.hold(self.node)


@rule("_to_copy", "to")
def converted(low: Lowering, self: Cell, actual: Any) -> int:
    """To a narrower format each element is rounded; to a wider one it stays what it is; true
    is 1, and all but 0 is true.
    """
    if self.actual.dtype == actual.dtype:
        return self.node
    if self.actual.dtype == torch.bool:
        return low.apply("where", self.node, 1.0, 0.0)
    if actual.dtype == torch.bool:
        return low.apply("not_equal", self.node, 0.0)
    before, after = (str(tensor.dtype).removeprefix("torch.") for tensor in (self.actual, actual))
    if (
        low.held(self.node, actual)
        or CODE_FORMATS[after].precision >= CODE_FORMATS[before].precision
    ):
        return self.node
    return low.build.round(self.node, CODE_FORMATS[after])


@rule("copy")
def copied(low: Lowering, self: Cell, src: Operand, actual: Any) -> int:
    """The source in the shape of the tensor that it overwrites."""
    return low.build.expand(low.lift(src), tuple(actual.shape))
