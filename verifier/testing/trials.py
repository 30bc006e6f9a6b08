"""Trials: liars planted in code that is right, honest twins beside them, and what the judge says of
each.

The size of a lie is measured in detection limits: by how much it moves a number that the judge had
decided, over what rounding is allowed there. `torch.autograd.gradcheck` sees the same code.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.autograd import gradcheck

from verifier.capture.recorder import is_recording
from verifier.errors import InputError
from verifier.formula.gallery import load
from verifier.formula.model import Model
from verifier.judging.examination import Examination, Part
from verifier.judging.examine import examine
from verifier.judging.reference import Formula
from verifier.judging.verdict import Comparison, Outcome
from verifier.process.isolation import isolate
from verifier.process.values import UserValue
from verifier.testing.cases import CASES, DTYPES, Case, RandomTensor, case_named
from verifier.testing.causes_trial import CauseResult, try_causes
from verifier.testing.equivalent_mutants import TWINS, Code, Twin
from verifier.testing.mutation_operators import MISTAKES
from verifier.testing.mutations import (
    FACTORS,
    GRAPH,
    KERNEL,
    LIARS,
    NUMBERS,
    RACY,
    SMALLEST,
    Liar,
    NotZeroed,
    Planting,
    Right,
    Stale,
    Tampered,
    honest,
    liar_named,
    off,
    scaled,
)
from verifier.training.findings import Findings
from verifier.training.model_training import settings_for, train_model
from verifier.training.runner import Step
from verifier.witnesses import Autograd, Witness

TRAINING = "training"
AT_ONCE = 10
"""Random formulas in one piece."""
AROUND = (0.2, 0.7, 2.5, 5.0)
"""Detection limits by which numbers are moved on purpose."""


@dataclass(frozen=True)
class GradcheckResult:
    """What gradcheck says with its defaults: whether it rejects."""

    slow: bool
    fast: bool


@dataclass(frozen=True)
class LieResult:
    """One lie in one place, and whether it was found."""

    liar: str
    row: str
    case: str
    dtype: str
    planting: str
    size: float
    """The error in detection limits; of a wrong formula in a graph what the numbers show of it."""
    wrong_formula: bool
    """Whether it is in the graph, in exact arithmetic."""
    found: bool
    gradcheck: GradcheckResult | None = None


@dataclass(frozen=True)
class HonestResult:
    """Honest code, and what was said of it."""

    name: str
    case: str
    dtype: str
    way: str
    """How it was judged: by its own forward, a formula, its numbers, in a training."""
    components: int
    undecided: int
    false_alarms: int
    ratio: float
    """The largest error over what is allowed."""
    limits: tuple[float, ...]
    """Detection limits over sizes."""
    gradcheck: GradcheckResult | None = None


TrialResult = LieResult | HonestResult | CauseResult
TrialTask = Callable[[], Iterator[TrialResult]]


@dataclass(frozen=True)
class HardError:
    """A planted error that is hard to find."""

    liar: Liar
    case: Case
    dtypes: tuple[str, ...]
    planting: Planting = GRAPH


def _only_in_16_bits(right: Right) -> Tensor:
    return scaled(2.0**-10)(right) if right.gradient.element_size() == 2 else right.gradient  # type: ignore[return-value]


def _flipped_where_flat(right: Right) -> Tensor:
    (x,) = right.inputs
    return torch.where(x > 7.0, -right.gradient, right.gradient)


def _term_off(right: Right) -> Tensor:
    """The slope's first term, 2^20, times 1 + 1e-12."""
    return right.gradient + 1e-12 * (2.0**20 * right.incoming)


_FLAT = replace(case_named("tanh"), name="tanh at 8", inputs={"x": RandomTensor((3,), 8.0, 8.0)})
_CANCELS = Case(
    "cancellation", lambda x: 2.0**20 * x - (2.0**20 - 0.5) * x, {"x": RandomTensor((4,))}
)

HARD = (
    HardError(
        Liar(
            "16-bit path",
            "wrong by 2^-10 in 16-bit formats only",
            _only_in_16_bits,
            at_full_size=scaled(1.0),
        ),
        case_named("tanh network"),
        ("bfloat16", "float16"),
    ),
    HardError(
        Liar("tanh' flipped at 8", "smaller than the allowance", _flipped_where_flat),
        _FLAT,
        ("float32",),
    ),
    HardError(
        Liar(
            "term that cancels",
            "one of two that cancel times 1 + 1e-12",
            _term_off,
            at_full_size=scaled(1.0),
        ),
        _CANCELS,
        ("float64", "float32"),
    ),
)


@dataclass(frozen=True)
class Scope:
    """What is tried."""

    cases: tuple[Case, ...]
    liars: tuple[Liar, ...]
    twins: tuple[Twin, ...]
    models: tuple[str, ...]
    hard: tuple[HardError, ...] = HARD
    dtypes: tuple[str, ...] = DTYPES
    every: int = 1
    """Of the liars each case gets one in so many in each dtype, another one in the next; so do
    twins.
    """
    formulas: int = 0
    """Random formulas for each kind of mistake whose cause is to be named."""


SMALL = liar_named(f"factor 1 + {SMALLEST:g}")
"""The smallest lie, which every case gets in every input."""
_OTHERS = tuple(one for one in LIARS if one is not SMALL)

FULL = Scope(
    CASES,
    _OTHERS,
    TWINS,
    ("linear", "quadratic", "exponential_decay", "logistic_regression", "tanh_network"),
    every=2,
    formulas=100,
)
QUICK = Scope(
    tuple(map(case_named, ("bump", "tanh network"))),
    _OTHERS,
    TWINS,
    ("linear",),
    every=3,
    formulas=2,
)


def list_tasks(scope: Scope, seed: int) -> list[TrialTask]:
    """Everything to be tried, in pieces of a second or so. `scope` says how much that is; the same
    `seed` gives the same tasks.
    """
    found: list[TrialTask] = []
    for place, case in enumerate(scope.cases):
        for turn, dtype in enumerate(scope.dtypes):
            chosen = scope.liars[(place + turn) % scope.every :: scope.every]
            found.append(_bind_task(_tries_of_every_case, case, dtype, seed))
            for start in range(0, len(chosen), 8):
                found.append(
                    _bind_task(
                        _lies_in_case, case, dtype, chosen[start : start + 8], seed, place + start
                    )
                )
    for place, twin in enumerate(scope.twins):
        found += [
            _bind_task(_tries_of_twin, twin, dtype, seed)
            for dtype in scope.dtypes[place % scope.every :: scope.every]
        ]
    found += [
        _bind_task(_tries_of_model, name, dtype)
        for name in scope.models
        for dtype in ("float64", "float32")
    ]
    found += [_bind_task(_try_hard_error, one) for one in scope.hard]
    for mistake in MISTAKES:
        for start in range(0, scope.formulas, AT_ONCE):
            found.append(
                _bind_task(
                    try_causes, mistake, range(start, min(start + AT_ONCE, scope.formulas)), seed
                )
            )
    return found


def _bind_task(action: Callable[..., Iterator[TrialResult]], *arguments: UserValue) -> TrialTask:
    return lambda: action(*arguments)


class _Bench:
    """A case at one point in one dtype: how honest code comes out, in each planting."""

    def __init__(self, case: Case, dtype: str, seed: int) -> None:
        self.case, self.dtype, self.seed = case, dtype, seed
        self.names = list(case.inputs)
        self._honest: dict[tuple[str, int], Examination] = {}

    @property
    def plantings(self) -> tuple[Planting, ...]:
        return (GRAPH, NUMBERS, KERNEL) if self.case.text else (GRAPH, NUMBERS)

    def examine(self, code: Code, planting: Planting) -> Examination:
        return examine(self.case.subject(code, self.dtype, self.seed), self._formula(planting))

    def honest_examination(self, planting: Planting, place: int) -> Examination:
        key = planting.name, place
        if key not in self._honest:
            self._honest[key] = self.examine(
                planting.plant(self.case.code, honest, place), planting
            )
        return self._honest[key]

    def _formula(self, planting: Planting) -> Formula | None:
        return self.case.formula if planting is KERNEL else None

    def try_lie(self, liar: Liar, planting: Planting, place: int) -> LieResult | None:
        """The lie judged; None where the code states what it stated without it."""
        before = self.honest_examination(planting, place)[self.names[place]]
        wrong = planting.plant(self.case.code, liar.lie, place)
        in_formula = planting is GRAPH and liar.wrong_formula
        if in_formula and not self._shows(liar, place):
            return None
        try:
            now: Part | None = self.examine(wrong, planting)[self.names[place]]
        except InputError:
            now = None
        size = math.inf if now is None else limits_moved(before, now)
        if not in_formula and size == 0.0:
            return None
        found = now is None or now.outcome is Outcome.DISAGREES
        return LieResult(
            liar.name, liar.row, self.case.name, self.dtype, planting.name, size, in_formula, found
        )

    def try_lie_and_gradcheck(
        self, liar: Liar, planting: Planting, place: int
    ) -> Iterator[LieResult]:
        """The lie judged, if it is one here; what is in the numbers is shown to gradcheck as
        well.
        """
        found = self.try_lie(liar, planting, place)
        if found is not None and planting is NUMBERS:
            found = replace(
                found, gradcheck=self.checked(planting.plant(self.case.code, liar.lie, place))
            )
        if found is not None:
            yield found

    def _shows(self, liar: Liar, place: int) -> bool:
        """Whether the lie is one at this point: float64 shows it at full size."""
        inputs = [
            tensor.double().requires_grad_()
            for tensor in self.case.at(self.dtype, self.seed).values()
        ]
        gradients = []
        for lie in (honest, liar.at_full_size or liar.lie):
            value = GRAPH.plant(self.case.code, lie, place)(*inputs)
            seed = torch.linspace(0.5, 1.5, value.numel(), dtype=torch.float64).reshape(value.shape)
            (found,) = torch.autograd.grad(
                value, inputs[place], seed, allow_unused=True, materialize_grads=True
            )
            gradients.append(found)
        right, wrong = gradients
        return bool((wrong - right).abs().max() > 1e-9 * right.abs().max())

    def checked(self, code: Code) -> GradcheckResult:
        return run_gradcheck(code, self.case.at(self.dtype, self.seed))


def limits_moved(before: Part, now: Part) -> float:
    """By how many detection limits a number was moved that had been decided, at most."""
    with np.errstate(all="ignore"):
        apart = np.abs(now.verdicts.stated - before.verdicts.stated)
        sizes = np.where(apart == 0, 0.0, apart / before.verdicts.allowed)
    decided = before.verdicts.severity == Outcome.AGREES.severity
    return float(np.max(np.where(np.isnan(sizes), np.inf, sizes), where=decided, initial=0.0))


def run_gradcheck(code: Code, inputs: dict[str, Tensor]) -> GradcheckResult:
    """Whether `torch.autograd.gradcheck` rejects the code, slow and fast, with its defaults."""

    def rejects(fast: bool) -> bool:
        given = [tensor.detach().clone().requires_grad_() for tensor in inputs.values()]
        with warnings.catch_warnings(), torch.random.fork_rng():
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            try:
                return not gradcheck(code, given, fast_mode=fast, raise_exception=False)
            except Exception:
                # What it cannot run it does not accept.
                return True

    return GradcheckResult(rejects(fast=False), rejects(fast=True))


def _lies_in_case(
    case: Case, dtype: str, liars: tuple[Liar, ...], seed: int, start: int
) -> Iterator[TrialResult]:
    bench = _Bench(case, dtype, seed)
    for number, liar in enumerate(liars):
        place = (start + seed + number) % len(bench.names)
        for planting in bench.plantings:
            yield from bench.try_lie_and_gradcheck(liar, planting, place)


def _tries_of_every_case(case: Case, dtype: str, seed: int) -> Iterator[TrialResult]:
    """What every case gets: honest code, what is racy, the smallest lie, and numbers moved around
    the limit.
    """
    bench = _Bench(case, dtype, seed)
    yield from _tries_of_own_code(bench)
    yield from bench.try_lie_and_gradcheck(RACY, NUMBERS, 0)
    for place in range(len(bench.names)):
        yield from bench.try_lie_and_gradcheck(SMALL, GRAPH, place)
    yield from _tries_around_limit(bench)


def _tries_of_own_code(bench: _Bench) -> Iterator[TrialResult]:
    """The case's own code in each planting."""
    for planting in bench.plantings:
        code = planting.plant(bench.case.code, honest, 0)
        gradcheck = bench.checked(code) if planting is NUMBERS else None
        name = f"no lie, {planting.name}"
        yield honest_result(
            name,
            bench.case,
            bench.dtype,
            planting.name,
            bench.honest_examination(planting, 0),
            gradcheck,
        )


def _tries_around_limit(bench: _Bench) -> Iterator[TrialResult]:
    """Numbers moved by so many detection limits, above and below."""
    for planting in bench.plantings[1:]:
        place = len(bench.names) - 1
        part = bench.honest_examination(planting, place)[bench.names[place]]
        for count in AROUND:
            by = torch.as_tensor(
                count * np.where(np.isfinite(part.verdicts.allowed), part.verdicts.allowed, 0.0)
            )
            liar = Liar(
                f"off by {count:g} limits",
                "so much is added",
                off(by.reshape(part.shape)),
                "off by limits",
            )
            yield from bench.try_lie_and_gradcheck(liar, planting, place)


def honest_result(
    name: str,
    case: Case,
    dtype: str,
    way: str,
    found: Examination,
    gradcheck: GradcheckResult | None = None,
) -> HonestResult:
    """What was said of honest code."""
    parts = found.parts
    with np.errstate(all="ignore"):
        ratios = [
            np.where(part.verdicts.error == 0, 0.0, part.verdicts.error / part.verdicts.allowed)
            for part in parts
        ]
        limits = [
            part.verdicts.allowed / np.abs(part.verdicts.centre)
            for part in parts
            if part.quantity == "reverse"
        ]
    ratio = max((float(np.max(part, initial=0.0)) for part in ratios), default=0.0)
    known = tuple(
        float(limit) for part in limits for limit in np.ravel(part) if 0 < limit < math.inf
    )
    count = sum(part.verdicts.severity.size for part in parts)
    undecided, alarms = (
        sum(part.count(outcome) for part in parts)
        for outcome in (Outcome.UNDECIDED, Outcome.DISAGREES)
    )
    return HonestResult(
        name, case.name, dtype, way, count, undecided, alarms, ratio, known, gradcheck
    )


def _tries_of_twin(twin: Twin, dtype: str, seed: int) -> Iterator[TrialResult]:
    gradcheck = run_gradcheck(twin.code, twin.case.at(dtype, seed))
    for way, code, formula in _ways_to_judge(twin):
        found = examine(twin.case.subject(code, dtype, seed), formula)
        yield honest_result(twin.name, twin.case, dtype, way, found, gradcheck)
        gradcheck = None  # type: ignore[assignment]


def _ways_to_judge(twin: Twin) -> Iterator[tuple[str, Code, Formula | None]]:
    if twin.in_numbers:
        yield "numbers", _without_graph(twin), None
    else:
        yield "own forward", twin.code, None
        if twin.case.formula:
            yield "formula", twin.code, twin.case.formula


def _without_graph(twin: Twin) -> Code:
    """The twin's numbers for the graph of its case."""
    return lambda *inputs: (twin.case.code if is_recording() else twin.code)(*inputs)


AT_STEP = 4
_WITNESSES: dict[str, Callable[[], Witness]] = {
    "sign flipped": lambda: Tampered(0, torch.neg, (AT_STEP,)),
    "zeroed": lambda: Tampered(0, torch.zeros_like, (AT_STEP,)),
    "cut": lambda: Tampered(0, lambda gradient: None, (AT_STEP,)),
    "NaN": lambda: Tampered(0, lambda gradient: gradient * math.nan, (AT_STEP,)),
    "stale": lambda: Stale(0, AT_STEP),
    "accumulated": NotZeroed,
    **{
        f"factor 1 + {size:g}": lambda size=size: Tampered(
            0, lambda gradient: gradient + size * gradient, (AT_STEP,)
        )  # type: ignore[misc]
        for size in FACTORS
    },
}


def _tries_of_model(name: str, dtype: str) -> Iterator[TrialResult]:
    model = load(name)
    right = _train(model, dtype, Autograd())
    parameter = model.parameters[0]
    compared = sum(part.compared for part in right.components)
    undecided, alarms = (
        sum(part.outcomes[outcome] for part in right.components)
        for outcome in (Outcome.UNDECIDED, Outcome.DISAGREES)
    )
    case = Case(name, torch.neg, {})
    yield HonestResult(
        "no lie, training", case.name, dtype, TRAINING, compared, undecided, alarms, 0.0, ()
    )
    for liar, witness in _WITNESSES.items():
        wrong = _train(model, dtype, witness())
        found = _first_difference(right.steps, wrong.steps, parameter)
        if found is not None:
            size, seen = found
            row = "factor 1 + d" if liar.startswith("factor") else liar
            yield LieResult(liar, row, name, dtype, TRAINING, size, False, seen)


@isolate
def _train(model: Model, dtype: str, witness: Witness) -> Findings:
    return train_model(
        model, model.data, settings_for(model, {"epochs": 2, "dtype": dtype, "batch": 1}), witness
    )


def _first_difference(
    right: tuple[Step, ...], wrong: tuple[Step, ...], name: str
) -> tuple[float, bool] | None:
    """At the first step where another gradient is stated: by how many detection limits, and whether
    it was found.
    """
    for one, other in zip(right, wrong, strict=True):
        before, now = one.gradient[name], other.gradient[name]
        if before.outcome is not Outcome.AGREES:
            return None
        if before.stated != now.stated:
            return _limits_apart(before, now), now.outcome is Outcome.DISAGREES
    return None


def _limits_apart(before: Comparison, now: Comparison) -> float:
    apart = abs(now.stated - before.stated)
    if math.isnan(apart) or before.allowed == 0:
        return math.inf
    return apart / before.allowed


def _try_hard_error(one: HardError) -> Iterator[TrialResult]:
    for dtype in one.dtypes:
        yield from _Bench(one.case, dtype, 0).try_lie_and_gradcheck(one.liar, one.planting, 0)
