"""The LSTM of a whole sequence in one kernel, as it is run in float32 and bfloat16
(aten/src/ATen/native/mkldnn/RNN.cpp); other cells and layers are made of operations for which there
are rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from verifier.capture.aten.attention import transposed
from verifier.capture.aten.normalisation import product, stored
from verifier.capture.lowering import (
    Dims,
    Lowering,
    Operand,
    actual_of,
    numbers_from,
    places_of,
    rule,
)
from verifier.program.builder import places

_LSTM = 2


@dataclass(frozen=True)
class _Step:
    """One step of the sequence: gates (input, forget, cell, output), and the states before and
    after it.
    """

    at: int
    gates: tuple[int, int, int, int]
    hidden: int
    cell: int
    next_hidden: int
    next_cell: int


@dataclass(frozen=True, eq=False)
class _Layer:
    """One layer in one direction; in 16 bits the kernel keeps gates and states as such."""

    low: Lowering
    input: Operand
    weights: tuple[Any, Any, Any, Any]
    hidden: Operand
    cell: Operand
    reverse: bool
    has_biases: bool

    def at(self, value: Operand, step: int) -> int:
        """One step's part of a sequence."""
        _, *shape = actual_of(value).shape
        return self.low.build.take(
            self.low.lift(value), places((len(actual_of(value)), *shape))[step]
        )

    def flat(self, value: Operand) -> int:
        """A state as (batch, hidden)."""
        return self.low.build.reshape(self.low.lift(value), tuple(actual_of(value).shape[-2:]))

    def steps(self) -> list[_Step]:
        length = len(actual_of(self.input))
        hidden, cell = self.flat(self.hidden), self.flat(self.cell)
        found: list[_Step] = []
        for at in reversed(range(length)) if self.reverse else range(length):
            found.append(self._step(at, hidden, cell))
            hidden, cell = found[-1].next_hidden, found[-1].next_cell
        return found

    def _step(self, at: int, hidden: int, cell: int) -> _Step:
        low = self.low
        gates = self._gates(self.at(self.input, at), hidden)
        enter, forget, fresh, leave = gates
        next_cell = low.apply(
            "add", low.apply("multiply", forget, cell), low.apply("multiply", enter, fresh)
        )
        next_cell = stored(low, next_cell, self.input)
        next_hidden = stored(
            low, low.apply("multiply", leave, low.apply("tanh", next_cell)), self.input
        )
        return _Step(at, gates, hidden, cell, next_hidden, next_cell)

    def _gates(self, x: int, hidden: int) -> tuple[int, int, int, int]:
        low, build = self.low, self.low.build
        by_input, by_hidden = (transposed(low, low.lift(weight)) for weight in self.weights[:2])
        total = low.apply("add", build.contract(x, by_input), build.contract(hidden, by_hidden))
        if self.has_biases:
            bias = low.apply("add", *(low.lift(part) for part in self.weights[2:]))
            total = low.apply("add", total, stored(low, bias, self.input))
        parts = np.split(places(build.shape(total)), 4, axis=1)
        rows = ("sigmoid", "sigmoid", "tanh", "sigmoid")
        enter, forget, fresh, leave = (
            stored(low, low.apply(row, build.take(total, part)), self.input)
            for row, part in zip(rows, parts, strict=True)
        )
        return enter, forget, fresh, leave


def _check(mode: int) -> None:
    if mode != _LSTM:
        raise NotImplementedError("another cell than that of the LSTM")


def _stacked(low: Lowering, by_step: dict[int, int], shape: Dims) -> int:
    return low.build.reshape(low.build.join([by_step[at] for at in sorted(by_step)]), tuple(shape))


@rule("mkldnn_rnn_layer")
def recurrent(
    low: Lowering,
    input: Operand,
    weight0: Operand,
    weight1: Operand,
    weight2: Operand,
    weight3: Operand,
    hx_: Operand,
    cx_: Operand,
    reverse: bool,
    mode: int,
    has_biases: bool,
    actual: Any,
) -> tuple[int, int, int]:
    """The results of all steps, the last state and the last cell of an LSTM."""
    _check(mode)
    layer = _Layer(low, input, (weight0, weight1, weight2, weight3), hx_, cx_, reverse, has_biases)
    steps = layer.steps()
    output = _stacked(low, {step.at: step.next_hidden for step in steps}, actual[0].shape)
    last = (steps[-1].next_hidden, steps[-1].next_cell)
    states = [
        low.build.reshape(node, tuple(part.shape))
        for node, part in zip(last, actual[1:3], strict=True)
    ]
    return output, states[0], states[1]


@rule("mkldnn_rnn_layer_backward")
def recurrent_backward(
    low: Lowering,
    input: Operand,
    weight1: Operand,
    weight2: Operand,
    weight3: Operand,
    weight4: Operand,
    hx_: Operand,
    cx_tmp: Operand,
    grad_output: Operand,
    grad_hy: Operand,
    grad_cy: Operand,
    reverse: bool,
    mode: int,
    has_biases: bool,
    actual: Any,
) -> tuple[int, ...]:
    """The gradients by the sequence, the weights, the biases, and the first state and cell."""
    _check(mode)
    layer = _Layer(
        low, input, (weight1, weight2, weight3, weight4), hx_, cx_tmp, reverse, has_biases
    )
    back = _Back(layer, grad_output)
    by_hidden, by_cell = (
        low.build.expand(low.build.constant(0), layer_shape) if grad is None else layer.flat(grad)
        for grad, layer_shape in (
            (grad_hy, tuple(actual_of(hx_).shape[-2:])),
            (grad_cy, tuple(actual_of(hx_).shape[-2:])),
        )
    )
    for step in reversed(layer.steps()):
        by_hidden, by_cell = back.through(step, by_hidden, by_cell)
    found = (
        _stacked(low, back.by_input, actual[0].shape),
        *back.sums,
        back.sums[-1],
        by_hidden,
        by_cell,
    )
    return tuple(
        low.build.reshape(node, tuple(part.shape)) for node, part in zip(found, actual, strict=True)
    )


class _Back:
    """The way back through the steps of a layer; weights' gradients are added up on it."""

    def __init__(self, layer: _Layer, grad_output: Operand) -> None:
        self._layer = layer
        self._grad = grad_output
        self.by_input: dict[int, int] = {}
        self.sums: tuple[int, ...] = ()
        """By the weights of the input, by those of the hidden state, by the bias."""

    def through(self, step: _Step, by_hidden: int, by_cell: int) -> tuple[int, int]:
        """The gradients by the states before a step."""
        low, layer, build = self._layer.low, self._layer, self._layer.low.build
        if self._grad is not None:
            by_hidden = low.apply("add", layer.at(self._grad, step.at), by_hidden)
        gates, by_cell = self._by_gates(step, by_hidden, by_cell)
        self.by_input[step.at] = build.contract(gates, low.lift(layer.weights[0]))
        across = transposed(low, gates)
        terms = (
            build.contract(across, layer.at(layer.input, step.at)),
            build.contract(across, step.hidden),
            build.sum(gates, (0,)),
        )
        sums = tuple(low.apply("add", *pair) for pair in zip(self.sums, terms, strict=False))
        self.sums = sums or terms
        return build.contract(gates, low.lift(layer.weights[1])), low.apply(
            "multiply", by_cell, step.gates[1]
        )

    def _by_gates(self, step: _Step, by_hidden: int, by_cell: int) -> tuple[int, int]:
        """The gradient by what goes into the gates, and by the cell behind the step."""
        low = self._layer.low
        enter, forget, fresh, leave = step.gates
        squashed = low.apply("tanh", step.next_cell)
        slope = low.apply("subtract", 1.0, low.apply("multiply", squashed, squashed))
        by_cell = low.apply("add", by_cell, product(low, by_hidden, leave, slope))
        parts = (
            product(low, by_cell, fresh, self._bend(enter)),
            product(low, by_cell, step.cell, self._bend(forget)),
            product(
                low, by_cell, enter, low.apply("subtract", 1.0, low.apply("multiply", fresh, fresh))
            ),
            product(low, by_hidden, squashed, self._bend(leave)),
        )
        return stored(low, low.joined(1, *parts), self._layer.input), by_cell

    def _bend(self, gate: int) -> int:
        low = self._layer.low
        return low.apply("multiply", gate, low.apply("subtract", 1.0, gate))


@rule("_pack_padded_sequence")
def packed(
    low: Lowering, input: Operand, lengths: torch.Tensor, batch_first: bool
) -> tuple[int, None]:
    """The sequences' entries step by step, without those behind their ends."""
    numbers = numbers_from(1, actual_of(input).shape)
    moved, _ = torch.ops.aten._pack_padded_sequence(numbers, lengths, batch_first)
    return low.build.take(low.lift(input), places_of(moved)), None
