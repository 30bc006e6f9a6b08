"""The loss of connectionist temporal classification: the sum over all alignments of labels.

(Graves, Fernández, Gomez and Schmidhuber, Connectionist temporal classification, ICML 2006,
equations 5 to 16.) States are the labels with a blank before, between and behind them. Which state
can be reached at which step is known from the labels; all other states are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from verifier.capture.lowering import Dims, Lowering, Operand, actual_of, rule
from verifier.capture.to_numpy import to_numpy
from verifier.program.builder import places
from verifier.program.program import NOTHING


@dataclass(frozen=True, eq=False)
class _States:
    """The states of one step for all sequences: a node, and which of them are reached."""

    node: int
    reached: np.ndarray


@dataclass(frozen=True, eq=False)
class _Alignments:
    """Of a batch of label sequences with a batch of sequences of log-probabilities."""

    low: Lowering
    log_probs: int
    """A node of the shape (steps, batch, classes)."""
    labels: np.ndarray
    """The class of each state, (batch, states); NOTHING behind the last one."""
    lengths: np.ndarray
    """Of the sequences, in steps."""
    blank: int

    @cached_property
    def is_state(self) -> np.ndarray:
        return np.asarray(self.labels != NOTHING)

    @cached_property
    def last(self) -> np.ndarray:
        """The last state of each sequence of labels."""
        return np.asarray(self.is_state.sum(axis=1) - 1)

    def _skips(self, labels: np.ndarray) -> np.ndarray:
        """Whether a state may come two states behind: another label than that one."""
        before = _shifted(labels, 2, NOTHING)
        found: np.ndarray = (labels != self.blank) & (labels != before) & (before != NOTHING)
        return found

    def index(self, step: int) -> np.ndarray:
        """The place of each state's log-probability."""
        _, batch, classes = self.low.build.shape(self.log_probs)
        rows = (step * batch + np.arange(batch))[:, None] * classes
        return np.where(self.is_state, rows + self.labels, NOTHING)

    def forward(self) -> list[_States]:
        """The log-probability of all ways that lead to each state, with its own step."""
        first = self.is_state & (np.arange(self.labels.shape[1]) < 2)
        return self._walked(range(self.low.build.shape(self.log_probs)[0]), self.labels, first)

    def _walked(self, steps: Sequence[int], labels: np.ndarray, first: np.ndarray) -> list[_States]:
        found: list[_States] = []
        for step in steps:
            own = self.low.build.take(self.log_probs, self.index(step))
            if not found:
                found.append(_States(own, first))
                continue
            before = self._moved(found[-1], self._skips(labels))
            node = self.low.apply("add", before.node, own)
            found.append(_States(node, before.reached & self.is_state))
        return found

    def _moved(self, states: _States, skips: np.ndarray) -> _States:
        """From the same state, the one before it, or the one before that."""
        both = self._either(states, self._shift(states, 1))
        further = self._shift(states, 2)
        return self._either(both, _States(further.node, further.reached & skips))

    def _shift(self, states: _States, steps: int) -> _States:
        index = _shifted(places(states.reached.shape), steps, NOTHING)
        return _States(
            self.low.build.take(states.node, index), _shifted(states.reached, steps, False)
        )

    def _either(self, one: _States, other: _States) -> _States:
        """log(exp(a) + exp(b)), where each of them counts only where it is reached."""
        low, mask = self.low, self.low.build.constant
        both = low.apply("logaddexp", one.node, other.node)
        alone = low.apply("where", mask(one.reached), one.node, other.node)
        node = low.apply("where", mask(one.reached & other.reached), both, alone)
        return _States(node, one.reached | other.reached)

    def backward(self) -> list[_States]:
        """The log-probability of all ways that lead on from each state, with its own step; by
        sequence from its own last step.
        """
        steps = self.low.build.shape(self.log_probs)[0]
        rows = np.arange(self.labels.shape[0])
        ends = np.zeros(self.labels.shape, dtype=bool)
        ends[rows, self.last] = True
        ends[rows, np.maximum(self.last - 1, 0)] = True
        found: list[_States] = []
        for step in reversed(range(steps)):
            own = self.low.build.take(self.log_probs, self.index(step))
            is_last = (self.lengths - 1 == step)[:, None]
            if not found:
                found.append(_States(own, ends & is_last))
                continue
            found.append(self._step_back(found[-1], own, ends & is_last))
        return found[::-1]

    def _step_back(self, states: _States, own: int, ends: np.ndarray) -> _States:
        turned = _States(self._turned(states.node), states.reached[:, ::-1])
        skips = _shifted(self._skips(self.labels), -2, False)[:, ::-1]
        moved = self._moved(turned, skips)
        before = _States(self._turned(moved.node), moved.reached[:, ::-1])
        node = self.low.apply("add", before.node, own)
        last = self.low.build.constant(ends)
        return _States(
            self.low.apply("where", last, own, node), (before.reached | ends) & self.is_state
        )

    def _turned(self, node: int) -> int:
        return self.low.build.take(node, places(self.low.build.shape(node))[:, ::-1])

    def losses(self) -> int:
        """Minus the log-probability of the last label or the blank behind it, for each sequence."""
        states = self.forward()
        rows, size = np.arange(self.labels.shape[0]), self.labels.size
        whole = self.low.build.join([state.node for state in states])
        reached = np.stack([state.reached for state in states])[self.lengths - 1, rows]
        ends = [self.last, np.maximum(self.last - 1, 0)]
        found = [
            _States(
                self.low.build.take(
                    whole, (self.lengths - 1) * size + rows * self.labels.shape[1] + end
                ),
                reached[rows, end] & ((self.last > 0) | (place == 0)),
            )
            for place, end in enumerate(ends)
        ]
        total = self._either(*found)
        if not total.reached.all():
            raise NotImplementedError("labels that are too many for their sequence")
        return self.low.apply("negative", total.node)


def _shifted(values: np.ndarray, steps: int, nothing: int | bool) -> np.ndarray:
    """By so many states to the right, or to the left."""
    found = np.full_like(values, nothing)
    count = values.shape[1] - abs(steps)
    if count <= 0:
        return found
    if steps > 0:
        found[:, steps:] = values[:, :count]
    else:
        found[:, :count] = values[:, -count:]
    return found


def _numbers(lengths: Dims) -> np.ndarray:
    return np.asarray(to_numpy(lengths) if isinstance(lengths, torch.Tensor) else lengths)


def _alignments(
    low: Lowering, log_probs: Operand, targets: torch.Tensor, lengths: tuple[Any, Any], blank: int
) -> _Alignments:
    of_steps, of_labels = map(_numbers, lengths)
    flat = to_numpy(targets)
    rows = list(flat) if flat.ndim == 2 else np.split(flat, np.cumsum(of_labels)[:-1])
    labels = np.full((len(of_labels), 2 * int(of_labels.max(initial=0)) + 1), NOTHING)
    for row, count in enumerate(of_labels.tolist()):
        labels[row, : 2 * count + 1] = blank
        labels[row, 1 : 2 * count : 2] = rows[row][:count]
    return _Alignments(low, low.lift(log_probs), labels, of_steps, blank)


@rule("_ctc_loss")
def alignment_loss(
    low: Lowering,
    log_probs: Operand,
    targets: torch.Tensor,
    input_lengths: Dims,
    target_lengths: Dims,
    blank: int = 0,
) -> tuple[int, None]:
    """Minus the logarithm of the probability of all alignments; its second result serves the kernel
    alone.
    """
    lengths = (input_lengths, target_lengths)
    return _alignments(low, log_probs, targets, lengths, blank).losses(), None


@rule("_ctc_loss_backward")
def alignment_loss_backward(
    low: Lowering,
    grad: Operand,
    log_probs: Operand,
    targets: torch.Tensor,
    input_lengths: Dims,
    target_lengths: Dims,
    neg_log_likelihood: Operand,
    blank: int,
) -> int:
    """exp(x) less the share of the alignments that pass: the kernel takes its argument for
    logarithms that come from a softmax, whose own gradient is in it.
    """
    lengths = (input_lengths, target_lengths)
    known = _alignments(low, log_probs, targets, lengths, blank)
    shape = low.build.shape(known.log_probs)
    steps, batch, _ = shape
    loss = low.build.reshape(low.lift(neg_log_likelihood), (batch, 1))
    shares, indices = [], []
    for step, (before, behind) in enumerate(zip(known.forward(), known.backward(), strict=True)):
        own = low.build.take(known.log_probs, known.index(step))
        both = low.apply("subtract", low.apply("add", before.node, behind.node), own)
        passes = low.apply("exp", low.apply("add", both, loss))
        inside = before.reached & behind.reached & (step < known.lengths)[:, None]
        shares.append(passes)
        indices.append(np.where(inside, known.index(step), NOTHING).ravel())
    total = low.build.pile(low.build.join(shares), np.concatenate(indices), shape)
    found = low.apply("subtract", low.apply("exp", known.log_probs), total)
    lasting = (np.arange(steps)[:, None] < known.lengths)[:, :, None]
    inside = low.build.constant(np.broadcast_to(lasting, shape))
    factor = low.build.reshape(low.lift(grad), (1, batch, 1))
    product = low.apply("multiply", found, factor)
    return low.apply("where", inside, product, 0.0) if actual_of(log_probs).numel() else product
