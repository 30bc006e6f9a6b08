"""Causes: why a stated gradient is wrong, where a simple mistake explains the number.

Each rule predicts what the mistake would have stated. A cause is named only when the prediction
fits within the allowance, and every rule that fits is named.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from verifier.judging.verdict import Comparison, Outcome


@dataclass(frozen=True)
class Cause:
    """A mistake that explains what was stated for a component at a step."""

    cause: str
    component: str
    step: int
    sentence: str
    evidence: str


@dataclass(frozen=True)
class _Prediction:
    """What a mistake would have stated, and how far rounding could move that."""

    value: float
    allowed: float


@dataclass(frozen=True)
class _Rule:
    cause: str
    sentence: str
    predict: Callable[[Comparison, Comparison | None], _Prediction | None]


def _flipped(now: Comparison, before: Comparison | None) -> _Prediction:
    return _Prediction(-_exact(now), now.allowed)


def _zeroed(now: Comparison, before: Comparison | None) -> _Prediction:
    return _Prediction(0.0, 0.0)


def _accumulated(now: Comparison, before: Comparison | None) -> _Prediction | None:
    if before is None:
        return None
    total = before.stated + _exact(now)
    # The addition rounds once, by at most half an ulp of the larger of its ends.
    return _Prediction(total, now.allowed + max(now.ulp, before.ulp))


def _stale(now: Comparison, before: Comparison | None) -> _Prediction | None:
    return None if before is None else _Prediction(_exact(before), before.allowed)


_RULES = (
    _Rule("sign flipped", "the sign is flipped", _flipped),
    _Rule("zeroed", "the gradient was set to zero or its path is cut", _zeroed),
    _Rule("accumulated", "not zeroed: the gradient of the step before is added", _accumulated),
    _Rule("stale", "it is the gradient of the step before", _stale),
)


def _exact(comparison: Comparison) -> float:
    return float(comparison.enclosure)


def causes(
    step: int, gradient: Mapping[str, Comparison], before: Mapping[str, Comparison] | None
) -> list[Cause]:
    """The mistakes that explain what disagrees in a step's gradient, given that of the step before
    if there is one.
    """
    found = []
    for name, comparison in gradient.items():
        if comparison.outcome is Outcome.DISAGREES:
            found.extend(_explain(name, step, comparison, before[name] if before else None))
    return found


def _explain(name: str, step: int, now: Comparison, before: Comparison | None) -> list[Cause]:
    if not math.isfinite(now.stated):
        evidence = f"stated {now.stated}, exact {now.exact}"
        sentence = "an operation on the way overflows or is undefined"
        return [Cause("not finite", name, step, sentence, evidence)]
    found = []
    for rule in _RULES:
        prediction = rule.predict(now, before)
        if prediction is not None and abs(now.stated - prediction.value) <= prediction.allowed:
            evidence = (
                f"stated {now.stated!r}, predicted {prediction.value!r} within "
                f"{prediction.allowed:.3g}"
            )
            found.append(Cause(rule.cause, name, step, rule.sentence, evidence))
    return found
