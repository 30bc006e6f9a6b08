"""Findings: what a run showed, gathered as it goes, in memory that does not grow with its length.

All steps are kept up to 10,000. Of a longer run the first and the last 100 are kept, the worst of
each component, and those with a failure (the first 1,000 of them); everything is counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from verifier.judging.causes.scalar_gradients import Cause
from verifier.judging.conditioning import detection_limits, ratios, worst_place
from verifier.judging.examination import NotReplayed
from verifier.judging.outcome import worst_outcome
from verifier.judging.verdict import Comparison, Outcome, Verdicts
from verifier.operations.arrays import Array, Floats
from verifier.training.data import NO_DATA, Columns
from verifier.training.exact_replay import FormulaReplayed
from verifier.training.reservoir import (
    Buckets,
    Sample,
    WorstSteps,
    first_of_groups,
    largest_in_groups,
    worst_of_groups,
)
from verifier.training.runner import HeldOut, Judged, Prediction, Settings, Step

_NOT_YET = NotReplayed("the run has not ended")
KEPT_STEPS = 10_000
KEPT_ENDS = 100
KEPT_FAILURES = 1_000
_OUTCOMES = tuple(Outcome)


@dataclass(frozen=True)
class Component:
    """All comparisons of one quantity: the loss, or the gradient by one parameter."""

    name: str
    quantity: str
    """"value" for the loss, "reverse" for a gradient."""
    compared: int
    outcomes: Mapping[Outcome, int]
    identical: int
    """How often autograd and the symbolic gradient are the same to the last bit."""
    least_digits: float
    """The fewest digits that agree; NaN where the exact value was always 0."""
    limit_median: float
    limit_max: float
    """Detection limit: the allowance relative to the exact value; NaN where that was always 0."""
    worst_step: int
    worst: Comparison
    worst_entry: str = ""
    """The index of that number in an array, as `[3, 5]`."""
    tier: str = "proved"
    """How the allowance was found: proved, or estimated where it was so at any step."""
    failing_steps: int = 0
    """At how many steps it, or an entry of it, disagrees."""
    entry_ratios: Floats | None = field(default=None, compare=False)
    """Of each entry of an array the largest error over all steps, as a fraction of what rounding
    allowed it (flat); None for a number.
    """

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of its comparisons."""
        return worst_outcome(self.outcomes)

    @property
    def decided(self) -> int:
        """How many comparisons agree or disagree."""
        return self.compared - self.outcomes[Outcome.UNDECIDED]

    @property
    def worst_ratio(self) -> float:
        """The worst error as a fraction of its allowance; NaN where one of them is no number."""
        if self.worst.allowed:
            return self.worst.error / self.worst.allowed
        return 0.0 if self.worst.error == 0 else math.inf

    @property
    def worst_at(self) -> int:
        """The step of the worst error."""
        return self.worst_step


@dataclass(frozen=True)
class Drift:
    """How far the two trainings' values of a parameter are apart."""

    last: float
    largest: float


@dataclass(frozen=True, eq=False)
class Curves:
    """For pictures: at most a thousand points each, however long the run."""

    costs: Any
    """Rows of epoch, autograd's cost, the symbolic training's cost; the largest of the epochs that
    a row stands for.
    """
    errors: Any
    """Points by parameters by step, error, allowance and severity.

    Each is a step that was: the worst of those that the point stands for."""
    paths: Any
    """Rows of step, autograd's parameters, the symbolic training's parameters, before the step;
    evenly thinned.
    """


@dataclass(frozen=True)
class NotFinite:
    """The first NaN or infinity of a run."""

    step: int
    what: str
    value: float


@dataclass(frozen=True, eq=False)
class Findings:
    """Everything that a run showed."""

    settings: Settings
    components: tuple[Component, ...]
    steps: tuple[Step, ...]
    done: int
    judged: int
    """How many of them were judged."""
    planned: int
    interrupted: bool
    steps_an_epoch: int
    drift: Mapping[str, Drift]
    causes: tuple[Cause, ...]
    not_finite: NotFinite | None
    curves: Curves
    ended: str = ""
    """Why the training could not go on to its end, a sentence."""
    predictions: tuple[Prediction, ...] = ()
    held_out: HeldOut | None = None
    formula: FormulaReplayed | NotReplayed = _NOT_YET
    """How the code's own graph came out in exact arithmetic."""
    finite_differences: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    """The third opinion at the kept steps, where it was asked for."""
    notes: tuple[str, ...] = ()
    """What failed beside the verdict, a sentence each."""
    internal_errors: tuple[str, ...] = ()
    """The tracebacks of that: mistakes of ours."""
    worst_steps: tuple[Step, ...] = ()
    """At most `reservoir.SHOWN_STEPS` steps, evenly spread: of each stretch of the run the worst
    one.
    """
    data: Columns = NO_DATA
    """What was trained on."""
    parameters: Mapping[str, Array | float] = field(default_factory=dict)
    """All parameters after the last step of the training by autograd."""

    def judged_between(self, before: int, after: int) -> int:
        """How many judged steps there are between two numbers of steps, without these."""
        numbers = range(before + 1, min(after, self.done + 1))
        return sum(self.settings.is_judged(number, self.planned) for number in numbers)

    @property
    def gradients(self) -> tuple[Component, ...]:
        """The components without the loss."""
        return tuple(component for component in self.components if component.quantity == "reverse")


class Collector:
    """Takes judged steps in order and keeps what a report needs."""

    def __init__(
        self,
        settings: Settings,
        planned: int,
        steps_an_epoch: int,
        causes: Callable[[Step, Step | None], Sequence[Cause]],
    ) -> None:
        self._causes_of = causes
        self._settings = settings
        self._planned = planned
        self._steps_an_epoch = steps_an_epoch
        self._done = self._judged = 0
        self._tallies: list[_Tally] = []
        self._kept: dict[int, Step] = {}
        self._recent: list[Judged] = []
        self._failures = 0
        self._causes: list[Cause] = []
        self._before: Step | None = None
        self._last_drift: Any = None
        self._largest_drift: Any = None
        self._names: tuple[str, ...] = ()
        self._not_finite: NotFinite | None = None
        self._costs = Buckets(largest_in_groups)
        self._errors = Buckets(worst_of_groups)
        self._paths = Buckets(first_of_groups)
        self._worst = WorstSteps()

    def add(self, judged: Judged) -> None:
        """Gather these steps."""
        if not self._tallies:
            self._names = judged.names
            self._tallies = [
                _Tally("loss", "value"),
                *(_Tally(name, "reverse") for name in judged.names),
            ]
        for tally, verdicts in zip(self._tallies, judged.all_verdicts, strict=True):
            tally.add(verdicts)
            tally.keep_entries(verdicts, len(judged))
        for tally, tier in zip(self._tallies, judged.tiers, strict=True):
            tally.tier = tier if tally.tier == "proved" else tally.tier
        failing = np.flatnonzero(np.any([verdicts.failing for verdicts in judged.verdicts], axis=0))
        self._keep(judged, failing)
        self._follow(judged)
        self._done = int(judged.numbers[-1])
        self._judged += len(judged)

    def findings(self, interrupted: bool) -> Findings:
        """What was gathered. There must have been at least one step."""
        kept = dict(self._kept)
        recent = [(judged, place) for judged in self._recent for place in range(len(judged))]
        kept.update(
            (int(judged.numbers[place]), judged.step(place))
            for judged, place in recent[-KEPT_ENDS:]
        )
        kept.update(
            (tally.worst_step.number, tally.worst_step)
            for tally in self._tallies
            if tally.worst_step
        )
        return Findings(
            settings=self._settings,
            components=tuple(tally.component() for tally in self._tallies),
            steps=tuple(kept[number] for number in sorted(kept)),
            done=self._done,
            judged=self._judged,
            planned=self._planned,
            interrupted=interrupted,
            steps_an_epoch=self._steps_an_epoch,
            drift=self._drift(),
            causes=tuple(self._causes),
            not_finite=self._not_finite,
            curves=Curves(self._costs.rows(), self._errors.rows(), self._paths.rows()),
            worst_steps=self._worst.steps(),
        )

    def _keep(self, judged: Judged, failing: Any) -> None:
        failing_places = set(failing.tolist())
        for place in (
            range(len(judged))
            if self._planned <= KEPT_STEPS
            else self._places(judged, failing_places)
        ):
            step = judged.step(place)
            self._kept[step.number] = step
        for place in sorted(failing_places)[: max(0, KEPT_FAILURES - self._failures)]:
            step, before = judged.step(place), judged.step(place - 1) if place else self._before
            self._causes.extend(self._causes_of(step, before))
        self._failures += len(failing_places)
        self._remember(judged)
        self._before = judged.step(len(judged) - 1)
        for tally, verdicts in zip(self._tallies, judged.verdicts, strict=True):
            tally.keep_worst(judged, verdicts)

    def _remember(self, judged: Judged) -> None:
        """Hold on to as many of the latest batches as the last steps may need."""
        self._recent.append(judged)
        while sum(map(len, self._recent[1:])) >= KEPT_ENDS:
            self._recent.pop(0)

    def _places(self, judged: Judged, failing: set[int]) -> list[int]:
        """Of a long run: its first steps and the failing ones; the last ones are kept in turn."""
        early = np.flatnonzero(judged.numbers <= KEPT_ENDS).tolist()
        room = sorted(failing)[: max(0, KEPT_FAILURES - self._failures)]
        return sorted({*early, *room})

    def _follow(self, judged: Judged) -> None:
        apart = judged.apart
        largest = apart.max(axis=0)
        self._last_drift = apart[-1]
        self._largest_drift = (
            largest if self._largest_drift is None else np.maximum(self._largest_drift, largest)
        )
        self._look_for_nan(judged)
        self._worst.add(judged)
        steps = judged.numbers.astype(np.float64)
        points = [
            np.stack([steps, verdicts.error, verdicts.allowed, verdicts.severity], axis=1)
            for verdicts in judged.verdicts[1:]
        ]
        self._errors.add(np.stack(points, axis=1))
        self._paths.add(np.column_stack([steps, judged.parameters, judged.twin_parameters]))
        last = steps % self._steps_an_epoch == 0
        costs = np.column_stack([judged.epochs, judged.verdicts[0].stated, judged.twin_losses])
        self._costs.add(costs[last])

    def _look_for_nan(self, judged: Judged) -> None:
        if self._not_finite is not None:
            return
        columns = {
            **{
                f"parameter {name}": judged.parameters[:, place]
                for place, name in enumerate(judged.names)
            },
            "the loss": judged.verdicts[0].stated,
            **{
                f"the gradient of {name}": verdicts.stated
                for name, verdicts in zip(judged.names, judged.verdicts[1:], strict=True)
            },
        }
        found = [
            (int(np.argmax(~np.isfinite(values))), what)
            for what, values in columns.items()
            if not np.isfinite(values).all()
        ]
        if found:
            place, what = min(found, key=lambda item: item[0])
            value = float(columns[what][place])
            self._not_finite = NotFinite(int(judged.numbers[place]), what, value)

    def _drift(self) -> dict[str, Drift]:
        drifts = zip(self._last_drift.tolist(), self._largest_drift.tolist(), strict=True)
        return {name: Drift(*drift) for name, drift in zip(self._names, drifts, strict=True)}


class _Tally:
    """The counts of one component."""

    def __init__(self, name: str, quantity: str) -> None:
        self._name = name
        self._quantity = quantity
        self._counts = np.zeros(len(_OUTCOMES), dtype=np.int64)
        self._identical = 0
        self._least_digits = np.nan
        self._limits = Sample()
        self._largest_limit = np.nan
        self._worst_rank = (-1, -1.0)
        self._failing_steps = 0
        self.tier = "proved"
        self._entry_ratios: Floats | None = None
        self.worst_step: Step | None = None

    def add(self, verdicts: Verdicts) -> None:
        self._counts += np.bincount(verdicts.severity, minlength=len(_OUTCOMES))
        same = verdicts.stated == verdicts.symbolic
        self._identical += int(
            np.sum(same & (np.signbit(verdicts.stated) == np.signbit(verdicts.symbolic)))
        )
        limits = detection_limits(verdicts)
        self._limits.add(limits)
        if limits.size:
            self._largest_limit = np.fmax(self._largest_limit, limits.max())
        decided = verdicts.severity != Outcome.UNDECIDED.severity
        digits = verdicts.digits[decided & ~np.isnan(verdicts.digits)]
        if digits.size:
            self._least_digits = np.fmin(self._least_digits, digits.min())

    def keep_entries(self, verdicts: Verdicts, steps: int) -> None:
        """The largest error of each entry of an array, for what is allowed."""
        entries = verdicts.severity.size // steps
        if entries > 1:
            largest = np.max(ratios(verdicts).reshape(steps, entries), axis=0)
            earlier = self._entry_ratios
            self._entry_ratios = largest if earlier is None else np.maximum(earlier, largest)

    def keep_worst(self, judged: Judged, verdicts: Verdicts) -> None:
        """The worst outcome, and within it the largest error for its allowance."""
        self._failing_steps += int(np.count_nonzero(verdicts.failing))
        place = worst_place(verdicts)
        rank = (int(verdicts.severity[place]), float(ratios(verdicts)[place]))
        if rank > self._worst_rank:
            self._worst_rank = rank
            self.worst_step = judged.step(place)

    def component(self) -> Component:
        if self.worst_step is None:
            raise ValueError("no step was judged")
        worst = self.worst_step
        return Component(
            name=self._name,
            quantity=self._quantity,
            compared=int(self._counts.sum()),
            outcomes={outcome: int(self._counts[outcome.severity]) for outcome in _OUTCOMES},
            identical=self._identical,
            least_digits=float(self._least_digits),
            limit_median=self._limits.median(),
            limit_max=float(self._largest_limit),
            worst_step=worst.number,
            worst=worst.loss if self._quantity == "value" else worst.gradient[self._name],
            worst_entry=worst.entries.get(self._name, ""),
            tier=self.tier,
            failing_steps=self._failing_steps,
            entry_ratios=self._entry_ratios,
        )
