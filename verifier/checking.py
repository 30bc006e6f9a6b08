"""Checking: anybody's code on tensors, tried at points in the dtypes that people use; every component is judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from verifier import defaults
from verifier.accounting import explained
from verifier.checked import Checked, CheckSettings, Finding
from verifier.checkreport import CheckReport
from verifier.checks import AT_EVERY_POINT, AT_ONE_POINT, NAMES
from verifier.deadline import Deadline
from verifier.errors import InputError
from verifier.floats import CODE_FORMATS
from verifier.inputs import dtypes_of
from verifier.internalerrors import InternalErrors
from verifier.limits import patient
from verifier.retyped import at_point, command
from verifier.runner import always
from verifier.sampling import Request, Sampled, Sampling
from verifier.specified import Intended
from verifier.target import load_target, name_of

DTYPES = ("float32", "float64")
"""What is tried where no dtype is given and no tensor has one."""

EXPLAINING = 5.0
"""Seconds for the search for causes and for a simpler point; as many as judging took, if more."""

SHOWN = 6
"""Of the edges that cannot be decided so many are named."""


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
    if not isinstance(inputs, Mapping):
        raise InputError(
            f"inputs is a {type(inputs).__name__}: give a mapping of the arguments' names to what they are"
        )
    intended = Intended(formula, reference, reduction)
    chosen = _settings(inputs, settings)
    code = intended.code(inputs) if target is None else load_target(target) if isinstance(target, str) else target
    name = "formula" if target is None else target if isinstance(target, str) else name_of(target)
    checked = _checked(name, Request(code, inputs, intended, chosen), keep_going)
    report = CheckReport(_with_replay(target, inputs, intended, checked))
    defaults.current().reports(report)
    return report


def _with_replay(
    target: Callable[..., Any] | str | None,
    inputs: Mapping[str, Any],
    intended: Intended,
    checked: Checked,
) -> Checked:
    """With the command that shows it again. An error in making it is kept: the verdict stands."""
    errors = InternalErrors()
    make = partial(_replay, target, inputs, intended, checked)
    replay = errors.guarded("making the command that shows it again", make, None)
    return replace(
        checked,
        replay=replay,
        notes=(*checked.notes, *errors.notes),
        internal_errors=(*checked.internal_errors, *errors.tracebacks),
    )


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
    for name, least in (("points", 1), ("seed", 0)):
        number = getattr(settings, name)
        if not isinstance(number, int) or isinstance(number, bool) or number < least:
            raise InputError(f"{name} is {number!r}: give a whole number from {least} on")
    return settings


def _without(names: str | Sequence[str]) -> tuple[str, ...]:
    chosen = (names,) if isinstance(names, str) else tuple(names)
    for name in chosen:
        if name not in NAMES:
            raise InputError(f"there is no check {name!r} to leave out: there is {', '.join(NAMES)}")
    return chosen


def _findings(sampled: Sampled, without: Sequence[str]) -> list[Finding]:
    """Everything that is found in one dtype. Raises InputError for code that cannot be run."""
    found: list[Finding] = []
    for check in AT_EVERY_POINT:
        if check.name not in without:
            found.extend(finding for trial in sampled.trials for finding in check.findings(trial))
    for check in AT_ONE_POINT:
        if check.name not in without:
            found.extend(check.findings(sampled.trials[0]))
    return found


def _checked(name: str, request: Request, keep_going: Callable[[int, int], bool]) -> Checked:
    with patient():
        return _judged(name, request, keep_going)


def _judged(name: str, request: Request, keep_going: Callable[[int, int], bool]) -> Checked:
    start = time.monotonic()
    findings: list[Finding] = []
    samplings: list[Sampling] = []
    left_out: list[str] = []
    refused: list[str] = []
    overwritten: dict[str, None] = {}
    dtypes = request.settings.dtypes
    for done, dtype in enumerate(dtypes):
        if not keep_going(done, len(dtypes)):
            break
        last = max((finding.point.number for finding in findings if finding.point), default=0)
        samplings.append(Sampling(request, dtype, last))
        sampled = samplings[-1].sampled()
        findings.extend(_findings(sampled, request.settings.without))
        left_out.extend(f"{value} in {dtype}" for value in sampled.left_out)
        refused.extend(sampled.refused)
        overwritten.update(dict.fromkeys(sampled.overwritten))
    ordered = sorted(findings, key=lambda finding: NAMES.index(finding.check))
    interrupted = len(samplings) < len(dtypes)
    checked = Checked(name, request.intended.sentence, request.settings, tuple(ordered), interrupted=interrupted)
    notes = [f"at edges that cannot be decided points were taken beside them: {_some(left_out)}"] if left_out else []
    notes += [f"the code writes to its input {name}" for name in overwritten]
    notes += [f"edge points are left out at which {told}" for told in dict.fromkeys(refused)][:SHOWN]
    budget = Deadline(max(EXPLAINING, time.monotonic() - start))
    explained_ = explained(checked, samplings, budget)
    return replace(explained_, notes=(*explained_.notes, *notes))


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return ", ".join(texts[:SHOWN]) + more
