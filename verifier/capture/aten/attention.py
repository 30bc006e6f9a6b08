"""Attention by the fused kernel for CPUs, and its backward operation, which computes the weights
anew (aten/src/ATen/native/cpu/FlashAttentionKernel.cpp).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from verifier.capture.aten.normalisation import stored
from verifier.capture.lowering import Lowering, Operand, actual_of, plain, rule
from verifier.program.builder import places
from verifier.program.program import NOTHING


@dataclass(frozen=True, eq=False)
class _Attention:
    """Queries on keys: which of them see each other, and how much."""

    low: Lowering
    query: Operand
    key: Operand
    is_causal: bool
    attn_mask: Operand
    scale: float | None

    def of_heads(self, value: Operand) -> int:
        """Keys or values for every head of the queries: heads that share them follow one
        another.
        """
        shape = tuple(actual_of(value).shape)
        times = actual_of(self.query).shape[1] // shape[1]
        return self.low.build.take(self.low.lift(value), places(shape).repeat(times, axis=1))

    def to_heads(self, node: int, value: Operand) -> int:
        """The gradient by keys or values, added up over the heads that share them."""
        shape = tuple(actual_of(value).shape)
        times = actual_of(self.query).shape[1] // shape[1]
        if times == 1:
            return node
        return self.low.build.pile(node, places(shape).repeat(times, axis=1), shape)

    @property
    def factor(self) -> int:
        if self.scale is not None:
            return self.low.lift(float(self.scale))
        return self.low.apply(
            "divide", 1.0, self.low.apply("sqrt", float(actual_of(self.query).shape[-1]))
        )

    @cached_property
    def scores(self) -> int:
        product = self.low.build.contract(
            self.low.lift(self.query), transposed(self.low, self.of_heads(self.key))
        )
        scaled = self.low.apply("multiply", product, self.factor)
        if self.attn_mask is None:
            return scaled
        return self.low.apply("add", scaled, self.low.lift(self.attn_mask))

    @cached_property
    def allowed(self) -> np.ndarray:
        """Which keys each query sees, as the mask came out."""
        shape = self._coded.shape
        seen = (
            np.tril(np.ones(shape[-2:], dtype=bool))
            if self.is_causal
            else np.ones(shape[-2:], dtype=bool)
        )
        if self.attn_mask is not None:
            self.low.kept = False
            seen = seen & ~np.isneginf(plain(actual_of(self.attn_mask)))
        return np.asarray(np.broadcast_to(seen, shape))

    @cached_property
    def _coded(self) -> Any:
        query, key = (actual_of(value).double() for value in (self.query, self.key))
        scale = 1.0 / math.sqrt(query.shape[-1]) if self.scale is None else self.scale
        product = (
            query
            @ key.repeat_interleave(query.shape[1] // key.shape[1], 1).transpose(-1, -2)
            * scale
        )
        return plain(product if self.attn_mask is None else product + actual_of(self.attn_mask))

    @cached_property
    def shift(self) -> int:
        """The largest score of each query as the code had it: any shift gives the same weights."""
        self.low.kept = False
        largest = np.where(self.allowed, self._coded, -np.inf).max(
            axis=-1, keepdims=True, initial=-np.inf
        )
        return self.low.build.constant(np.nan_to_num(largest, nan=0.0, posinf=0.0, neginf=0.0))

    def exponentials(self, shift: int) -> int:
        """exp(score - shift), 0 where a key is not seen."""
        if self.allowed.all():
            return self.low.apply("exp", self.low.apply("subtract", self.scores, shift))
        index = np.where(self.allowed, places(self.allowed.shape), NOTHING)
        seen = self.low.build.take(self.low.apply("subtract", self.scores, shift), index)
        return self.low.build.take(self.low.apply("exp", seen), index)

    def total(self, exponentials: int) -> int:
        """What the weights of a query are divided by: 1 where it sees no key."""
        total = self.low.build.sum(exponentials, (3,))
        blind = ~self.allowed.any(axis=-1)
        return (
            self.low.apply("add", total, self.low.build.constant(blind.astype(float)))
            if blind.any()
            else total
        )


def transposed(low: Lowering, node: int) -> int:
    """The last two axes exchanged."""
    axes = list(range(len(low.build.shape(node))))
    return low.build.permute(node, [*axes[:-2], axes[-1], axes[-2]])


@rule("_scaled_dot_product_flash_attention_for_cpu")
def attention(
    low: Lowering,
    query: Operand,
    key: Operand,
    value: Operand,
    is_causal: bool,
    attn_mask: Operand,
    scale: float | None,
    actual: Any,
) -> tuple[int, int]:
    """softmax(scale Q Kᵀ + mask) V, and the logarithm of the sums of the exponentials for the
    backward (Vaswani et al., Attention Is All You Need, 2017, equation 1).
    """
    pairs = _Attention(low, query, key, is_causal, attn_mask, scale)
    weights = pairs.exponentials(pairs.shift)
    total = pairs.total(weights)
    mixed = low.build.contract(stored(low, weights, query), pairs.of_heads(value))
    share = low.apply("divide", 1.0, low.build.reshape(total, (*low.build.shape(total), 1)))
    shift = low.build.reshape(pairs.shift, low.build.shape(total))
    return low.apply("multiply", mixed, share), low.apply("add", shift, low.apply("log", total))


@rule("_scaled_dot_product_flash_attention_for_cpu_backward")
def attention_backward(
    low: Lowering,
    grad_out: Operand,
    query: Operand,
    key: Operand,
    value: Operand,
    out: Operand,
    logsumexp: Operand,
    is_causal: bool,
    attn_mask: Operand,
    scale: float | None,
) -> tuple[int, int, int]:
    """The gradients by query, key and value, with weights that come from the logarithms of their
    sums (Dao et al., FlashAttention, 2022, appendix B).
    """
    pairs = _Attention(low, query, key, is_causal, attn_mask, scale)
    grad, build = low.lift(grad_out), low.build
    normalizer = build.reshape(low.lift(logsumexp), (*actual_of(logsumexp).shape, 1))
    weights = pairs.exponentials(normalizer)
    by_value = build.contract(transposed(low, stored(low, weights, query)), grad)
    by_weights = build.contract(grad, transposed(low, pairs.of_heads(value)))
    dot = build.sum(low.apply("multiply", grad, low.lift(out)), (3,))
    apart = low.apply("subtract", by_weights, build.reshape(dot, (*build.shape(dot), 1)))
    by_scores = stored(low, low.apply("multiply", weights, apart), query)
    by_query = build.contract(by_scores, pairs.of_heads(key))
    by_key = build.contract(transposed(low, by_scores), low.lift(query))
    scaled = (low.apply("multiply", pairs.factor, node) for node in (by_query, by_key))
    return next(scaled), pairs.to_heads(next(scaled), key), pairs.to_heads(by_value, value)
