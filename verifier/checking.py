"""Checking: anybody's code on tensors, tried at points in the dtypes that people use; every component is judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch

from verifier import defaults
from verifier.arrays import ArrayBuilder, ArrayProgram
from verifier.blame import blamed
from verifier.capture import NotReadableError
from verifier.checked import CheckCause, Checked, CheckPoint, CheckSettings, Finding
from verifier.checkreport import CheckReport
from verifier.checks import AT_EVERY_POINT, AT_ONE_POINT, NAMES, Check, Trial
from verifier.edges import Domain, edge_points, edges, own_points
from verifier.errors import InputError
from verifier.examination import Examination
from verifier.floats import CODE_FORMATS
from verifier.inputs import Between, drawn, dtypes_of
from verifier.judge import Outcome
from verifier.nesting import leaves
from verifier.retyped import at_point, command
from verifier.simplify import simplest
from verifier.specification import forward_nodes
from verifier.specified import Intended
from verifier.target import Bound, bound, load_target, name_of, tried

DTYPES = ("float32", "float64")
"""What is tried where no dtype is given and no tensor has one."""
EDGE_POINTS = 4
"""For each dtype, each with many edge values."""
LARGE = 20_000
"""Programs of more numbers get one edge point only, and are hardly simplified."""
TRIES = 100
"""How often a failing point is made simpler at most."""


def always(done: int, planned: int) -> bool:
    return True


def check(
    target: Callable[..., Any] | str | None = None,
    *,
    inputs: Mapping[str, Any],
    formula: Any = None,
    reference: Callable[..., Any] | str | None = None,
    reduction: str = "none",
    keep_going: Callable[[int, int], bool] = always,
    **settings: Any,
) -> CheckReport:
    """The verdict on every gradient of code on tensors, at points of its inputs and in the dtypes in use.

    `target` is any callable on tensors, a torch module, a TARGET as on the command line, or nothing: then the formula
    itself is checked, as torch code. `inputs` names its
    arguments: a tensor is a point, `between(low, high, shape)` is drawn, anything else is a constant. What is right
    is said by a formula (text, SymPy, a Model) with its reduction (none, sum, mean), by a reference, a plain version
    whose forward is read, or by nothing: then it is the target's own forward. Settings are those of CheckSettings:
    dtypes, points, seed, without, digits, timeout, honour_detach.

    Raises InputError for what cannot be used: a target that raises or returns no tensor, inputs that do not fit, a
    forward that cannot be read where neither formula nor reference is given.

    >>> import verifier
    >>> report = verifier.check("torch:tanh", inputs={"x": verifier.between(-2, 2, shape=(3,))})
    >>> report.outcome.value
    'agrees'
    """
    intended = Intended(formula, reference, reduction)
    chosen = _settings(inputs, settings)
    code = intended.code(inputs) if target is None else load_target(target) if isinstance(target, str) else target
    checking = _Checking(code, inputs, intended, chosen, keep_going)
    checked = checking.checked("formula" if target is None else target if isinstance(target, str) else name_of(target))
    report = CheckReport(replace(checked, replay=_replay(target, inputs, intended, checked)))
    defaults.current().reports(report)
    return report


def _replay(
    target: Callable[..., Any] | str | None, inputs: Mapping[str, Any], intended: Intended, checked: Checked
) -> str | None:
    """The command that shows it again: of what fails, at the simplest point."""
    simplest_ = checked.simplest
    if simplest_ is not None:
        settings = replace(checked.settings, dtypes=(simplest_.dtype,))
        shorter = at_point(target, inputs, simplest_.inputs, intended, settings)
        if shorter is not None:
            return shorter
    return command(target, inputs, intended, checked.settings)


def assert_gradients(target: Callable[..., Any] | str | None = None, **given: Any) -> CheckReport:
    """As `check`, but raises GradientError, with the report as its message, unless everything is verified."""
    __tracebackhide__ = True
    report = check(target, **given)
    report.raise_for_failure()
    return report


def _settings(inputs: Mapping[str, Any], given: Mapping[str, Any]) -> CheckSettings:
    """The settings, with the defaults for what is not given. Raises InputError for those that make no sense."""
    standing = defaults.current()
    known = {name: value for name, value in given.items() if value is not None}
    for name in known:
        if name not in CheckSettings.__dataclass_fields__:
            raise InputError(f"check has no setting {name!r}: it has {', '.join(CheckSettings.__dataclass_fields__)}")
    dtypes = known.pop("dtypes", None) or standing.dtypes or dtypes_of(inputs) or DTYPES
    dtypes = tuple(dict.fromkeys([dtypes] if isinstance(dtypes, str) else dtypes))
    for dtype in dtypes:
        if dtype not in CODE_FORMATS:
            raise InputError(f"{dtype!r} is not a dtype that is judged: there is {', '.join(CODE_FORMATS)}")
    settings = CheckSettings(
        dtypes,
        points=known.pop("points", None) or standing.points or CheckSettings.points,
        seed=known.pop("seed", standing.seed or CheckSettings.seed),
        without=_without(known.pop("without", ())),
        **known,
    )
    if settings.points < 1:
        raise InputError(f"points is {settings.points}: there must be at least 1")
    return settings


def _without(names: str | Sequence[str]) -> tuple[str, ...]:
    chosen = (names,) if isinstance(names, str) else tuple(names)
    for name in chosen:
        if name not in NAMES:
            raise InputError(f"there is no check {name!r} to leave out: there is {', '.join(NAMES)}")
    return chosen


@dataclass(frozen=True)
class _Checking:
    """One target with everything that was asked about it."""

    code: Callable[..., Any]
    inputs: Mapping[str, Any]
    intended: Intended
    settings: CheckSettings
    keep_going: Callable[[int, int], bool]

    def checked(self, name: str) -> Checked:
        findings: list[Finding] = []
        number, interrupted = 0, False
        for done, dtype in enumerate(self.settings.dtypes):
            if not self.keep_going(done, len(self.settings.dtypes)):
                interrupted = True
                break
            tried_ = _Dtype(self, dtype, number)
            findings.extend(tried_.findings())
            number = tried_.number
        ordered = [finding for check in NAMES for finding in findings if finding.check == check]
        checked = Checked(name, self.intended.sentence, self.settings, tuple(ordered), interrupted=interrupted)
        return self._explained(checked)

    def _explained(self, checked: Checked) -> Checked:
        """With the causes of what disagrees, and the simplest point at which it does."""
        failing = [finding for finding in checked.judged if finding.outcome is Outcome.DISAGREES]
        causes: list[CheckCause] = []
        ruled_out: list[str] = []
        for finding in failing:
            found = blamed(finding, self._before(checked, finding))
            causes.extend(found.causes)
            ruled_out.extend(found.ruled_out)
        named = {cause.cause for cause in causes}
        kept = {(cause.cause, cause.component, cause.dtype): cause for cause in reversed(causes)}
        return replace(
            checked,
            causes=tuple(reversed(kept.values())),
            ruled_out=tuple(name for name in dict.fromkeys(ruled_out) if name not in named),
            notes=tuple(self._notes(checked, failing)),
            simplest=self._simplest(failing),
        )

    @staticmethod
    def _before(checked: Checked, finding: Finding) -> Examination | None:
        """The examination at the point before."""
        earlier = [
            other.examination
            for other in checked.judged
            if other.check == finding.check and other.dtype == finding.dtype and other.point and finding.point
            if other.point.number == finding.point.number - 1
        ]
        return earlier[0] if earlier else None

    @staticmethod
    def _notes(checked: Checked, failing: Sequence[Finding]) -> Iterator[str]:
        examinations = [finding.examination for finding in checked.judged if finding.examination is not None]
        detached = dict.fromkeys(phrase for examination in examinations for phrase in examination.detached)
        if detached and (failing or checked.settings.honour_detach):
            how = "constants, as asked" if checked.settings.honour_detach else "followed; --honour-detach: constants"
            yield f"the code takes values out of autograd ({', '.join(detached)}): {how}"
        literals = dict.fromkeys(
            literal for examination in examinations for literal in getattr(examination.formula, "literals", ())
        )
        if literals:
            yield f"rounded decimals in the code, granted half a unit of their last digit: {_listed(literals)}"

    def _simplest(self, failing: Sequence[Finding]) -> CheckPoint | None:
        """A simpler point at which the first component that fails still does."""
        first = next((finding for finding in failing if finding.point and finding.examination), None)
        if first is None or first.point is None or first.examination is None:
            return None
        dtype = first.point.dtype
        names = {part.name for part in first.parts if part.outcome is Outcome.DISAGREES}
        whole = _Dtype(self, dtype, 0)
        domains = whole.domains

        def fails(inputs: Mapping[str, torch.Tensor]) -> bool:
            trial = whole.trial(dict(inputs), "simplified")
            found = next(iter(type(first_check)(first.check).findings(trial)))  # type: ignore[call-arg]
            return any(part.outcome is Outcome.DISAGREES for part in found.parts if part.name in names)

        first_check = next(check for check in AT_EVERY_POINT if check.name in (first.check, "reverse"))
        if first.check not in {check.name for check in AT_EVERY_POINT}:
            return None
        tries = TRIES if sum(tensor.numel() for tensor in first.point.inputs.values()) < LARGE else TRIES // 10
        found = simplest(first.point.inputs, fails, domains, tries)
        return CheckPoint(first.point.number, "simplified", dtype, found)


class _Dtype:
    """A target in one dtype."""

    def __init__(self, checking: _Checking, dtype: str, number: int) -> None:
        self.checking, self.dtype, self.number = checking, dtype, number
        self._settings = checking.settings

    @cached_property
    def drawn(self) -> dict[str, Domain]:
        """Where the inputs lie that are drawn, by flat names."""
        return {
            name: Domain(leaf.low, leaf.high)
            for name, leaf in self._leaves
            if isinstance(leaf, Between) and leaf.low < leaf.high
        }

    @cached_property
    def domains(self) -> dict[str, Domain]:
        """Where an argument may lie when a point is made simpler: where it is drawn, else between the numbers given."""
        point = self._bound(1)
        given = {name: point.inputs[name] for name in point.arguments if name in point.wanted}
        hulls = {
            name: Domain(_below(float(tensor.min())), _above(float(tensor.max())))
            for name, tensor in given.items()
            if tensor.numel() and tensor.isfinite().all()
        }
        return {**hulls, **self.drawn}

    @cached_property
    def _leaves(self) -> list[tuple[str, Any]]:
        return [pair for name, value in self.checking.inputs.items() for pair in leaves(value, name)]

    def findings(self) -> Iterator[Finding]:
        trials = list(self._random())
        tried(trials[0].bound, self._settings.timeout)
        trials = [
            replace(trial, beside=trials[1 - place] if len(trials) > 1 and place < 2 else None)
            for place, trial in enumerate(trials)
        ]
        trials += self._edges(trials[0])
        for check in self._chosen(AT_EVERY_POINT):
            for trial in trials:
                yield from check.findings(trial)
        for check in self._chosen(AT_ONE_POINT):
            yield from check.findings(trials[0])

    def _chosen(self, checks: Sequence[Check]) -> list[Check]:
        return [check for check in checks if check.name not in self._settings.without]

    def _bound(self, number: int) -> Bound:
        given = drawn(self.checking.inputs, self.dtype, self._settings.seed, number)
        return bound(self.checking.code, given, self.dtype)

    def _random(self) -> Iterator[Trial]:
        many = bool(self.drawn)
        for number in range(1, 1 + (self._settings.points if many else 1)):
            yield self.trial(self._bound(number).inputs, "random" if many else "given")

    def trial(self, inputs: Mapping[str, torch.Tensor], kind: str) -> Trial:
        """The target at a point of its flat inputs."""
        if kind != "simplified":
            self.number += 1
        at = replace(self._bound(1), inputs=inputs)
        given = drawn(self.checking.inputs, self.dtype, self._settings.seed, 1)
        specification = self.checking.intended.at(at, given, self.dtype)
        point = CheckPoint(self.number, kind, self.dtype, inputs)
        return Trial(at, point, specification, self._settings.honour_detach)

    def _edges(self, base: Trial) -> Iterator[Trial]:
        if not bool(self.drawn):
            return
        program = _forward(base)
        if program is None:
            return
        given = base.statements.given
        limit = EDGE_POINTS if program.elements < LARGE else 1
        found = edges(program, given, self.drawn, CODE_FORMATS[self.dtype])
        points = [*edge_points(found.values, base.bound.inputs, limit), *own_points(found.own, base.bound.inputs)]
        for inputs in points[: limit + 1]:
            yield self.trial(inputs, "edge")


def _below(number: float) -> float:
    return math.nextafter(min(number, 0.0), -math.inf)


def _above(number: float) -> float:
    return math.nextafter(max(number, 0.0), math.inf)


def _forward(trial: Trial) -> ArrayProgram | None:
    """The program of the code's forward, or else of what it is held against."""
    builder = ArrayBuilder()
    try:
        return builder.program(*forward_nodes(trial.bound.code, trial.statements, builder))
    except NotReadableError:
        if trial.specification is None:
            return None
    builder = ArrayBuilder()
    return builder.program(*trial.specification.values(trial.statements, builder))


def _listed(numbers: Mapping[float, None]) -> str:
    return ", ".join(map(repr, numbers))
