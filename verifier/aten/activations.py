"""Activation functions and their backward operations."""

from __future__ import annotations

from verifier.lowering import Cell, Lowering, rule


@rule("tanh_backward")
def tanh_backward(low: Lowering, grad_output: Cell, output: Cell) -> int:
    slope = low.apply("subtract", 1.0, low.apply("multiply", output.node, output.node))
    return low.apply("multiply", low.lift(grad_output), slope)


@rule("sigmoid_backward")
def sigmoid_backward(low: Lowering, grad_output: Cell, output: Cell) -> int:
    slope = low.apply("multiply", low.apply("subtract", 1.0, output.node), output.node)
    return low.apply("multiply", low.lift(grad_output), slope)


@rule("threshold_backward")
def threshold_backward(low: Lowering, grad_output: Cell, self: Cell, threshold: float) -> int:
    passes = low.apply("greater", self.node, low.lift(float(threshold)))
    return low.apply("where", passes, low.lift(grad_output), 0.0)
