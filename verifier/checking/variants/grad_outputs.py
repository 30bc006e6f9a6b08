"""Other grad_outputs: ones as a loss sends, zeros, one number alone, of one sign, large and tiny
ones, those at which the backward compares, and one result alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

import torch

from verifier.capture.autograd_derivatives import gradients_by
from verifier.capture.code_at_point import REVERSE, SEED, Statements
from verifier.checking.edge_cases.domain import Domain
from verifier.checking.edge_cases.edges import find_edges, make_edge_points
from verifier.checking.edge_cases.float64_screening import Arguments, Float64Screening
from verifier.checking.edge_cases.scan import compares
from verifier.checking.variants.target_at_point import (
    Trial,
    first_sentence,
    parts_with_statements,
    reason_it_raises,
)
from verifier.errors import InputError
from verifier.judging.examination import Examination, Part
from verifier.judging.finding import Circumstance, Finding
from verifier.judging.verdict import Outcome
from verifier.operations.formats import CODE_FORMATS
from verifier.process.isolation import user_code_state

LARGE = 1024.0
"""As large as a loss may be scaled in training with 16 bits."""
FARTHEST = 1e9
"""So large are those at which comparisons are looked for."""
AT_BORDERS = 32
"""So many of them are tried."""
SUSPECTS, SHOWN = 6, 2
"""At most so many are examined that look wrong, until so many disagree."""


@dataclass(frozen=True)
class SeedPatternCheck:
    """A grad_output of ones, one without positive numbers, with zeros and large ones, and one that
    is 0 but for one number; then many more in float64, of which those are judged that look wrong.
    """

    name: str = "structured"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        for shaped, text in _ALWAYS:
            yield self._with_seeds(trial, tuple(map(shaped, trial.weights)), text)
        found = 0
        for seeds in _suspects(trial):
            with suppress(InputError):
                finding = self._with_seeds(trial, seeds, _seeds_text(seeds))
                if finding.outcome is Outcome.DISAGREES:
                    found += 1
                    yield finding
            if found == SHOWN:
                break

    def _with_seeds(self, trial: Trial, seeds: tuple[torch.Tensor, ...], text: str) -> Finding:
        examination = trial.examine(replace(trial.subject, seeds=seeds))
        parts = _gradient_parts(examination)
        found = trial.finding(self, parts, circumstance=Circumstance(text))
        return replace(found, examination=examination)


def _seeds_text(seeds: Sequence[torch.Tensor]) -> str:
    """What is special about grad_outputs."""
    numbers = torch.cat([seed.detach().reshape(-1).double() for seed in seeds])
    if bool((numbers == numbers[:1]).all()):
        return f"with a grad_output of {numbers[0].item():g} everywhere"
    if int(numbers.count_nonzero()) == 1:
        return _ONE_NUMBER
    for sign, text in ((numbers > 0, "positive"), (numbers < 0, "negative")):
        if bool(sign.all()):
            return f"with a grad_output of {text} numbers, {_range_text(numbers)}"
    return f"with a grad_output {_range_text(numbers)}"


def _range_text(numbers: torch.Tensor) -> str:
    return f"between {numbers.min().item():.3g} and {numbers.max().item():.3g}"


_ONE_NUMBER = "with a grad_output that is 0 but for one number"


def _suspects(trial: Trial) -> Iterator[tuple[torch.Tensor, ...]]:
    """The grad_outputs that look wrong, the worst first."""
    screen = Float64Screening.of(trial.examination)
    if screen is None or trial.examination.outcome is Outcome.DISAGREES:
        return
    names = [f"{SEED}{place}" for place in range(len(trial.weights))]
    tried = seeds_tried(trial)[: max(screen.most, len(_PATTERNS))]
    for place in screen.suspects(tried)[:SUSPECTS]:
        yield tuple(tried[place][name] for name in names)


def seeds_tried(trial: Trial) -> list[Arguments]:
    """The grad_outputs that are compared in float64, by the names of the program's inputs."""
    names = [f"{SEED}{place}" for place in range(len(trial.weights))]
    tried: list[Arguments] = [
        dict(zip(names, map(shaped, trial.weights), strict=True)) for shaped in _PATTERNS
    ]
    tried += _at_borders(trial, names)
    return [one for one in tried if all(bool(seed.isfinite().all()) for seed in one.values())]


_PATTERNS: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = (
    torch.zeros_like,
    torch.abs,
    lambda weight: -weight.abs(),
    lambda weight: 1e6 * weight,
    lambda weight: 1e-6 * weight,
    lambda weight: torch.full_like(weight, 1.5),
    lambda weight: torch.full_like(weight, -1.0),
    lambda weight: _alone(weight, 0),
    lambda weight: _alone(weight, weight.numel() // 2),
    lambda weight: _alone(weight, weight.numel() - 1),
)


def _alone(weight: torch.Tensor, place: int, number: float = 1.0) -> torch.Tensor:
    """Zeros but for the number at one place."""
    found = torch.zeros_like(weight, memory_format=torch.contiguous_format)
    found.reshape(-1)[place : place + 1] = number
    return found


def _seed_of_one_number(weight: torch.Tensor) -> torch.Tensor:
    return _alone(weight, weight.numel() - 1, 1.5)


def _at_borders(trial: Trial, names: Sequence[str]) -> list[Arguments]:
    """Where something is compared with a grad_output: on both sides, and right there."""
    coded = trial.examination.coded
    if coded is None or not compares(coded.point.program, names):
        return []
    own = CODE_FORMATS[trial.point.dtype]
    far = min(FARTHEST, math.sqrt(own.largest))
    weights = dict(zip(names, trial.weights, strict=True))
    domains = dict.fromkeys(names, Domain(-far, far))
    found = find_edges(coded.point.program, coded.statements.given, domains, own)
    if not any(found.pieces.values()):
        return []
    levels = [
        {**weights, name: torch.full_like(weights[name], number)}
        for name, numbers in found.pieces.items()
        for number in numbers
    ]
    return list(islice([*levels, *make_edge_points(found.values, weights, AT_BORDERS)], AT_BORDERS))


def _seed_without_positives(weight: torch.Tensor) -> torch.Tensor:
    pattern = torch.tensor(
        [-LARGE, 0.0, -1.25, -0.0078125], dtype=weight.dtype, device=weight.device
    )
    return pattern.repeat(weight.numel() // len(pattern) + 1)[: weight.numel()].reshape(
        weight.shape
    )


_ALWAYS: tuple[tuple[Callable[[torch.Tensor], torch.Tensor], str], ...] = (
    (torch.ones_like, "with a grad_output of 1 everywhere"),
    (_seed_without_positives, "with a grad_output without positive numbers"),
    (_seed_of_one_number, _ONE_NUMBER),
)


def _gradient_parts(examination: Examination) -> list[Part]:
    return [part for part in examination.parts if part.quantity == REVERSE]


@dataclass(frozen=True)
class UndefinedSeedCheck:
    """The gradient of one result alone, so that the others' grad_output is undefined."""

    name: str = "undefined"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        count = len(trial.weights)
        if count < 2:
            yield trial.absent(self, "the code has one result")
            return
        for place in range(count):
            yield self._alone(trial, place)

    def _alone(self, trial: Trial, place: int) -> Finding:
        weights = [
            weight if other == place else torch.zeros_like(weight)
            for other, weight in enumerate(trial.weights)
        ]
        try:
            examination = trial.examine(replace(trial.subject, seeds=tuple(weights)))
        except Exception as error:
            return trial.absent(self, reason_it_raises(error))
        try:
            stated = _one_result(trial.statements, place)
        except Exception as error:
            # Whoever uses one of the results asks just that.
            sentence = (
                f"the backward of result {place} alone, as where the others are not used, raises"
            )
            return trial.finding(self, (), (f"{sentence} {first_sentence(error)}",))
        circumstance = Circumstance(f"in the backward of result {place} alone")
        judged = parts_with_statements(_gradient_parts(examination), stated)
        found = trial.finding(self, judged, circumstance=circumstance)
        return replace(found, examination=examination)


def _one_result(statements: Statements, place: int) -> Sequence[torch.Tensor | None]:
    """The gradients of one result, where nothing is asked of the others."""
    arguments = [argument.clone() for argument in statements.arguments]
    with user_code_state(arguments), torch.enable_grad():
        results, by, weights = statements.joint.forward(arguments)
        return gradients_by([results[place]], by, [weights[place]])
