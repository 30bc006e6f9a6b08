"""Losses and their backward operations, each as its kernel in ATen has it (the files of
aten/src/ATen/native whose names begin with Loss, and cpu/PointwiseOpsKernel.cpp for backwards).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy
import torch

from verifier.capture.aten.reductions import averaged, summed
from verifier.capture.lowering import Cell, Dims, Lowering, Operand, actual_of, rule
from verifier.capture.to_numpy import to_numpy
from verifier.operations.arrays import Expr
from verifier.operations.elementary import log1p
from verifier.operations.formats import CODE_FORMATS, FLOAT32, Format
from verifier.operations.operation import Maximum, Where

_NONE, _MEAN, _SUM = range(3)
"""ATen's numbers for reductions (aten/src/ATen/core/Reduction.h)."""
_ONE = sympy.S.One


def _narrow(tensor: Operand) -> Format | None:
    """The format of a 16-bit tensor."""
    own = CODE_FORMATS[str(tensor.dtype).removeprefix("torch.")]
    return own if own.precision < FLOAT32.precision else None


def _reduced(low: Lowering, node: int, reduction: int, actual: Any) -> int:
    """The mean or the sum of the elements, which are a tensor of the result's format before
    that.
    """
    if reduction == _NONE:
        return node
    if _narrow(actual):
        node = low.build.round(node, _narrow(actual))
    return (
        averaged(low, node, None, False) if reduction == _MEAN else summed(low, node, None, False)
    )


def _share(low: Lowering, reduction: int, count: int, factor: float = 1.0) -> int:
    """What each element weighs in the result."""
    return low.apply("divide", factor, float(count)) if reduction == _MEAN else low.lift(factor)


def _broadcast(self: Operand, target: Operand) -> int:
    return int(np.prod(np.broadcast_shapes(tuple(self.shape), tuple(target.shape))))


@rule("mse_loss")
def squared_error(
    low: Lowering, self: Operand, target: Operand, actual: Any, reduction: int = _MEAN
) -> int:
    """(x - y)², reduced."""
    return _reduced(low, low.formula(lambda x, y: (x - y) ** 2, self, target), reduction, actual)


@rule("mse_loss_backward")
def squared_error_backward(
    low: Lowering, grad_output: Operand, self: Operand, target: Operand, reduction: int
) -> int:
    """2 (x - y) g, divided by the number of entries for a mean."""
    share = _share(low, reduction, _broadcast(self, target), 2.0)
    return low.formula(lambda n, g, x, y: n * (x - y) * g, share, grad_output, self, target)


@rule("smooth_l1_loss")
def smooth_l1(
    low: Lowering,
    self: Operand,
    target: Operand,
    actual: Any,
    reduction: int = _MEAN,
    beta: float = 1.0,
) -> int:
    """(x - y)² / (2 beta) closer than beta, |x - y| - beta / 2 elsewhere (Girshick, Fast R-CNN,
    2015, equation 3, with beta 1).
    """

    def loss(x: Expr, y: Expr) -> Expr:
        size = sympy.Abs(x - y)
        return Where(size < beta, 0.5 * size * size / beta, size - 0.5 * sympy.Float(beta))

    return _reduced(low, low.formula(loss, self, target), reduction, actual)


@rule("smooth_l1_loss_backward")
def smooth_l1_backward(
    low: Lowering, grad_output: Operand, self: Operand, target: Operand, reduction: int, beta: float
) -> int:
    """The slope (x - y) / beta, which ends at -1 and 1, times g."""

    def slope(n: Expr, g: Expr, x: Expr, y: Expr) -> Expr:
        apart = x - y
        return Where(apart <= -beta, -n * g, Where(apart >= beta, n * g, n * apart * g / beta))

    return low.formula(
        slope, _share(low, reduction, _broadcast(self, target)), grad_output, self, target
    )


@rule("huber_loss")
def huber(
    low: Lowering,
    self: Operand,
    target: Operand,
    actual: Any,
    reduction: int = _MEAN,
    delta: float = 1.0,
) -> int:
    """(x - y)² / 2 up to delta, delta (|x - y| - delta / 2) beyond (Huber, Robust Estimation of a
    Location Parameter, 1964).
    """

    def loss(x: Expr, y: Expr) -> Expr:
        size = sympy.Abs(x - y)
        return Where(size <= delta, 0.5 * size * size, delta * (size - 0.5 * sympy.Float(delta)))

    return _reduced(low, low.formula(loss, self, target), reduction, actual)


@rule("huber_loss_backward")
def huber_backward(
    low: Lowering,
    grad_output: Operand,
    self: Operand,
    target: Operand,
    reduction: int,
    delta: float,
) -> int:
    """The slope x - y, which ends at -delta and delta, times g."""

    def slope(n: Expr, g: Expr, x: Expr, y: Expr) -> Expr:
        apart = x - y
        return Where(
            apart <= -delta, -n * g * delta, Where(apart >= delta, n * g * delta, n * apart * g)
        )

    return low.formula(
        slope, _share(low, reduction, _broadcast(self, target)), grad_output, self, target
    )


@rule("binary_cross_entropy")
def cross_entropy_of_two(
    low: Lowering,
    self: Operand,
    target: Operand,
    actual: Any,
    weight: Operand = None,
    reduction: int = _MEAN,
) -> int:
    """No logarithm is below -100."""
    loss = low.formula(
        lambda x, y: (y - 1) * Maximum(log1p(-x), -100) - y * Maximum(sympy.log(x), -100),
        self,
        target,
    )
    return _reduced(low, _weighted(low, loss, weight), reduction, actual)


def _weighted(low: Lowering, node: int, weight: Operand) -> int:
    return node if weight is None else low.apply("multiply", node, low.lift(weight))


@rule("binary_cross_entropy_backward")
def cross_entropy_of_two_backward(
    low: Lowering,
    grad_output: Operand,
    self: Operand,
    target: Operand,
    weight: Operand = None,
    reduction: int = _MEAN,
) -> int:
    """The variance is taken as 1e-12 at least."""
    passed = low.formula(
        lambda g, x, y: g * (x - y) / Maximum((1 - x) * x, sympy.Float(1e-12)),
        grad_output,
        self,
        target,
    )
    passed = _weighted(low, passed, weight)
    return (
        low.apply("divide", passed, float(_broadcast(self, target)))
        if reduction == _MEAN
        else passed
    )


@rule("soft_margin_loss")
def soft_margin(
    low: Lowering, self: Operand, target: Operand, actual: Any, reduction: int = _MEAN
) -> int:
    """log1p(exp(-y x)), reduced; each operation rounds to the dtype."""
    with low.build.rounding(
        CODE_FORMATS[str(actual.dtype).removeprefix("torch.")]
    ):  # one operation after another
        loss = low.formula(lambda x, y: log1p(sympy.exp(-y * x)), self, target)
    return _reduced(low, loss, reduction, actual)


@rule("soft_margin_loss_backward")
def soft_margin_backward(
    low: Lowering,
    grad_output: Operand,
    self: Operand,
    target: Operand,
    reduction: int,
    actual: torch.Tensor,
) -> int:
    """The derivative of `soft_margin` by x times g; each operation rounds to the dtype."""
    share = _share(low, reduction, _broadcast(self, target))
    with low.build.rounding(CODE_FORMATS[str(actual.dtype).removeprefix("torch.")]):
        return low.formula(
            lambda n, g, x, y: -n * y * sympy.exp(-y * x) / (sympy.exp(-y * x) + 1) * g,
            share,
            grad_output,
            self,
            target,
        )


def _at_classes(shape: Dims, target: Operand, ignore_index: int) -> np.ndarray:
    """For each target the place of its entry, or -1 where it is ignored."""
    axis = 1 if len(shape) > 1 else 0
    kept = target != ignore_index
    places = torch.arange(int(np.prod(shape))).reshape(tuple(shape))
    found = places.gather(axis, torch.where(kept, target, 0).unsqueeze(axis)).squeeze(axis)
    return to_numpy(torch.where(kept, found, -1))


def _class_weights(low: Lowering, weight: Operand, target: Operand, ignore_index: int) -> int:
    kept = to_numpy(target != ignore_index)
    if weight is None:
        return low.build.constant(kept.astype(float))
    return low.build.take(low.lift(weight), np.where(kept, to_numpy(target), -1))


@rule("nll_loss_forward", "nll_loss2d_forward")
def negative_log_likelihood(
    low: Lowering, self: Cell, target: Operand, weight: Operand, reduction: int, ignore_index: int
) -> tuple[int, int]:
    """The second result is the total of the weights, for the backward; 0 where nothing is
    reduced.
    """
    weights = _class_weights(low, weight, target, ignore_index)
    chosen = low.build.take(self.node, _at_classes(self.shape, target, ignore_index))
    losses = low.apply("negative", low.apply("multiply", weights, chosen))
    if reduction == _NONE:
        return losses, low.lift(0.0)
    total, weight_total = summed(low, losses, None, False), summed(low, weights, None, False)
    return (low.apply("divide", total, weight_total) if reduction == _MEAN else total), weight_total


@rule("nll_loss_backward", "nll_loss2d_backward")
def negative_log_likelihood_backward(
    low: Lowering, grad_output: Cell, self: Operand, target: Operand, weight: Operand,
    reduction: int, ignore_index: int, total_weight: Operand,
) -> int:  # fmt: skip
    """Minus the weight of its class times g at the class of each row, 0 elsewhere and in ignored
    rows.
    """
    grad = grad_output.node
    if reduction == _MEAN:
        grad = low.apply("divide", grad, low.lift(total_weight))
    passed = low.apply(
        "multiply", low.apply("negative", _class_weights(low, weight, target, ignore_index)), grad
    )
    return low.build.pile(passed, _at_classes(self.shape, target, ignore_index), tuple(self.shape))


def _rows_and_classes(shape: Dims) -> tuple[int, int]:
    """A vector is one row; a lone number is one row of one class."""
    rows, classes = (1, 1, *shape)[-2:]
    return rows, classes


def _others(shape: Dims, target: Operand) -> tuple[np.ndarray, np.ndarray]:
    """The places of all entries but the target's, row by row, and beside each the place of its
    target's.
    """
    rows, classes = _rows_and_classes(shape)
    chosen = np.arange(rows) * classes + to_numpy(target.reshape(-1))
    every = np.arange(rows * classes).reshape(rows, classes)
    others = every[every != chosen[:, None]].reshape(rows, classes - 1)
    return others, np.broadcast_to(chosen[:, None], others.shape)


def _margins(
    low: Lowering, self: Cell, others: np.ndarray, chosen: np.ndarray, margin: float
) -> int:
    return low.formula(
        lambda x, y: margin - y + x,
        low.build.take(self.node, others),
        low.build.take(self.node, chosen),
    )


def _row_weights(low: Lowering, weight: Operand, target: Operand) -> int:
    if weight is None:
        return low.lift(1.0)
    return low.build.take(low.lift(weight), to_numpy(target.reshape(-1, 1)))


@rule("multi_margin_loss")
def multi_margin(
    low: Lowering,
    self: Cell,
    target: Operand,
    p: float = 1,
    margin: float = 1,
    weight: Operand = None,
    reduction: int = _MEAN,
) -> int:
    """For each class but the right one what is missing to the margin, to the power p, over the
    number of classes.
    """
    short = _margins(low, self, *_others(self.shape, target), float(margin))
    loss = low.formula(lambda z: Where(z > 0, z if p == 1 else z * z, sympy.S.Zero), short)
    loss = low.apply("multiply", loss, _row_weights(low, weight, target))
    rows = low.apply("divide", summed(low, loss, 1, False), float(_rows_and_classes(self.shape)[1]))
    return (
        low.build.reshape(rows, tuple(target.shape))
        if reduction == _NONE
        else _row_total(low, rows, reduction)
    )


def _row_total(low: Lowering, rows: int, reduction: int) -> int:
    return (
        averaged(low, rows, None, False) if reduction == _MEAN else summed(low, rows, None, False)
    )


@rule("multi_margin_loss_backward")
def multi_margin_backward(
    low: Lowering, grad_output: Operand, self: Cell, target: Operand, p: float, margin: float,
    weight: Operand = None, reduction: int = _MEAN,
) -> int:  # fmt: skip
    """The derivative of `multi_margin`: each class that is too close pushes itself down and the
    right one up.
    """
    others, chosen = _others(self.shape, target)
    short = _margins(low, self, others, chosen, float(margin))
    share = _margin_share(low, self, reduction)
    slope = low.formula(
        lambda z, n: Where(z > 0, n if p == 1 else 2 * n * z, sympy.S.Zero), short, share
    )
    return _both_ways(
        low,
        low.apply("multiply", slope, _row_weights(low, weight, target)),
        grad_output,
        (others, chosen),
        self,
    )


def _margin_share(low: Lowering, self: Cell, reduction: int) -> int:
    rows, classes = _rows_and_classes(self.shape)
    return low.apply("divide", 1.0, float(classes * (rows if reduction == _MEAN else 1)))


def _both_ways(
    low: Lowering, slope: int, grad_output: Operand, at: tuple[np.ndarray, np.ndarray], self: Cell
) -> int:
    """Each slope goes to the other entry, and with a minus sign to the target's."""
    others, chosen = at
    grad = low.lift(grad_output)
    if low.build.shape(grad) and len(self.shape) > 1:
        grad = low.build.reshape(grad, (self.shape[0], 1))
    slope = low.apply("multiply", slope, grad)
    shape = tuple(self.shape)
    to_target = low.build.pile(
        low.apply("negative", low.build.expand(slope, others.shape)), chosen, shape
    )
    return low.apply(
        "add", low.build.pile(low.build.expand(slope, others.shape), others, shape), to_target
    )


def _labels(shape: Dims, target: Operand) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each label of a row and each class that is none: the places of the class and of the
    label, and the row.
    """
    _, classes = _rows_and_classes(shape)
    found: list[tuple[int, int, int]] = []
    for row, labels in enumerate(target.reshape(-1, classes).tolist()):
        listed = labels[: labels.index(-1)] if -1 in labels else labels
        rest = [other for other in range(classes) if other not in listed]
        found += [
            (row * classes + other, row * classes + label, row)
            for label in listed
            for other in rest
        ]
    others, chosen, rows = np.array(found, dtype=np.int64).reshape(-1, 3).T
    return others, chosen, rows


@rule("multilabel_margin_loss_forward")
def multilabel_margin(
    low: Lowering, self: Cell, target: Operand, reduction: int, actual: Any
) -> tuple[int, int]:
    """The second result marks the labels."""
    others, chosen, rows = _labels(self.shape, target)
    loss = low.formula(lambda z: Maximum(z, 0), _margins(low, self, others, chosen, 1.0))
    count, classes = _rows_and_classes(self.shape)
    totals = low.apply("divide", low.build.pile(loss, rows, (count,)), float(classes))
    marks = low.lift(actual[1])
    if reduction == _NONE:
        return low.build.reshape(totals, tuple(actual[0].shape)), marks
    return _row_total(low, totals, reduction), marks


@rule("multilabel_margin_loss_backward")
def multilabel_margin_backward(
    low: Lowering, grad_output: Operand, self: Cell, target: Operand, reduction: int
) -> int:
    """The derivative of the multilabel margin: each class that is too close pushes itself down and
    a label up.
    """
    others, chosen, rows = _labels(self.shape, target)
    short = _margins(low, self, others, chosen, 1.0)
    share = _margin_share(low, self, reduction)
    slope = low.formula(lambda z, n: Where(z > 0, n, sympy.S.Zero), short, share)
    grad = low.lift(grad_output)
    if actual_of(grad_output).numel() > 1:
        grad = low.build.take(grad, rows)
    slope = low.apply("multiply", slope, grad)
    shape = tuple(self.shape)
    to_labels = low.build.pile(low.apply("negative", slope), chosen, shape)
    return low.apply("add", low.build.pile(slope, others, shape), to_labels)


@rule("binary_cross_entropy_with_logits")
def cross_entropy_of_logits(
    low: Lowering,
    self: Operand,
    target: Operand,
    actual: Any,
    weight: Operand = None,
    pos_weight: Operand = None,
    reduction: int = _MEAN,
) -> int:
    """(1 - y) x - (1 + (p - 1) y) log sigmoid(x), each step a tensor of its own."""

    def step(row: str, one: Operand, other: Operand) -> int:
        return low.narrowed(low.apply(row, *map(_node(low), (one, other))), actual)

    logarithm = low.narrowed(low.apply("logsigmoid", low.lift(self)), actual)
    if pos_weight is not None:
        more = step("multiply", step("subtract", pos_weight, 1.0), target)
        logarithm = step("multiply", logarithm, step("add", more, 1.0))
    loss = step("subtract", step("multiply", step("subtract", 1.0, target), self), logarithm)
    if weight is not None:
        loss = step("multiply", loss, weight)
    return _reduced(low, loss, reduction, actual)


def _node(low: Lowering) -> Any:
    return lambda part: part if isinstance(part, int) else low.lift(part)
