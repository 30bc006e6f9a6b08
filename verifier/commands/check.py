"""Checking: anybody's code on tensors, tried at points in the dtypes that people use; every
component is judged.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from verifier.capture.target import callable_of, name_of, prepared_target
from verifier.capture.target.dry_run import user_code_error
from verifier.checking import defaults
from verifier.checking.check_result import CheckResult, CheckSettings
from verifier.checking.expected_gradient import ExpectedFunction
from verifier.checking.failures import explain_failures
from verifier.checking.inputs import given_dtypes
from verifier.checking.labels import target_name
from verifier.checking.points import EdgeTrials, Request, Sampling
from verifier.checking.replay_command import replay_command, replay_command_at
from verifier.checking.variants import AT_EVERY_POINT, CHEAP, COSTLY, NAMES, Check, Trial
from verifier.checking.variants.quantities import ForwardCheck, SecondOrderCheck
from verifier.errors import InputError
from verifier.judging.finding import Finding
from verifier.judging.symbolic_limits import limit_search_time
from verifier.judging.verdict import Outcome
from verifier.operations.formats import CODE_FORMATS
from verifier.process.deadline import Deadline
from verifier.process.internal_errors import InternalErrors
from verifier.process.isolation import changed_state_names, isolate
from verifier.process.timeout import user_frames
from verifier.process.values import Options, UserFunction, UserInputs, UserValue
from verifier.reporting.check_report import CheckReport
from verifier.reporting.check_watcher import Unwatched, Watcher
from verifier.reporting.content.check_tables import check_named
from verifier.training.runner import always

DTYPES = ("float32", "float64")
"""What is tried where no dtype is given and no tensor has one."""

SHOWN = 6
"""Of the edges that cannot be decided so many are named."""
LEAST_FOR_CAUSES = 5.0
"""Seconds for the search for causes and for a simpler point; as many as judging took, if more."""


def check(
    target: UserFunction | str | None = None,
    *,
    inputs: UserInputs,
    formula: UserValue = None,
    reference: UserFunction | str | None = None,
    reduction: str = "none",
    keep_going: Callable[[int, int], bool] = always,
    **settings: UserValue,
) -> CheckReport:
    """The verdict on every gradient of code on tensors, at points of its inputs and in the
    dtypes in use.

    `target` is any callable on tensors, a torch module, a TARGET as on the command line, or
    nothing: then the formula itself is checked, as torch code. `inputs` names its arguments: a
    tensor is a point, `between(low, high, shape)` is drawn, anything else is a constant.

    What is right is said by a `formula` (text, SymPy, a Model) with its `reduction` (none, sum,
    mean), by a `reference`, a plain version whose forward is read, or by nothing: then it is the
    target's own forward. `settings` are the fields of `verifier.checking.settings.CheckSettings`.
    `keep_going` is asked before each step, with the numbers of steps done and planned; the check
    ends where it says no. The code is run in this process: what it does to the process is done, and
    the time limit holds between two steps only.

    Raises InputError for what cannot be used: a target that raises, exits or returns no tensor,
    inputs that do not fit, a forward that cannot be read where neither formula nor reference is
    given, a time limit that ends before anything is decided.

    >>> import verifier
    >>> report = verifier.check("torch:tanh", inputs={"x": verifier.between(-2, 2, shape=(3,))})
    >>> report.outcome.value
    'agrees'
    """
    given = {"formula": formula, "reference": reference, "reduction": reduction, **settings}
    return check_watched(target, inputs, Unwatched(keep_going), **given)


@isolate
def check_watched(
    target: UserFunction | str | None,
    inputs: UserInputs,
    watcher: Watcher,
    *,
    formula: UserValue = None,
    reference: UserFunction | str | None = None,
    reduction: str = "none",
    **settings: UserValue,
) -> CheckReport:
    """As `check`; the watcher hears of what is found as the check goes on, and may end it."""
    if not isinstance(inputs, Mapping):
        raise InputError(
            f"inputs is a {type(inputs).__name__}: give a mapping of the arguments' names to what "
            "they are"
        )
    expected = ExpectedFunction(formula, reference, reduction)
    chosen = _check_settings(inputs, settings)
    code = expected.code(inputs) if target is None else callable_of(target)
    name = "formula" if target is None else target if isinstance(target, str) else name_of(code)
    code = prepared_target(target_name(name), code, chosen.state, chosen.train)
    check_ = _RunningCheck(name, Request(code, inputs, expected, chosen), watcher)
    try:
        with limit_search_time():
            checked = check_.run_all()
    except (InputError, KeyboardInterrupt):
        raise
    except BaseException as error:
        # The code ends the program, or raises where it did not before.
        if isinstance(error, Exception) and not user_frames(error):
            raise
        raise user_code_error(target_name(name), error) from error
    report = CheckReport(_add_replay_command(target, inputs, expected, checked))
    defaults.current_defaults().reports(report)
    return report


def _add_replay_command(
    target: UserFunction | str | None,
    inputs: UserInputs,
    expected: ExpectedFunction,
    checked: CheckResult,
) -> CheckResult:
    """With the command that shows it again. An error in making it is kept: the verdict stands."""
    errors = InternalErrors()
    make = partial(_replay_command_for, target, inputs, expected, checked)
    replay = errors.run("making the command that shows it again", make, None)
    return replace(
        checked,
        replay=replay,
        notes=(*checked.notes, *errors.notes),
        internal_errors=(*checked.internal_errors, *errors.tracebacks),
    )


def _replay_command_for(
    target: UserFunction | str | None,
    inputs: UserInputs,
    expected: ExpectedFunction,
    checked: CheckResult,
) -> str | None:
    """The command that shows it again: of what fails, at the simplest point."""
    simplest_ = checked.simplest
    if simplest_ is not None:
        settings = replace(checked.settings, dtypes=(simplest_.dtype,))
        shorter = replay_command_at(target, inputs, simplest_.inputs, expected, settings)
        if shorter is not None:
            return shorter
    return replay_command(target, inputs, expected, checked.settings)


def assert_gradients(target: UserFunction | str | None = None, **given: UserValue) -> CheckReport:
    """As `check`, but raises GradientError unless everything is verified.

    `target` and the other arguments, `given`, are those of `check`. The error's message is the
    report. Where it does not raise, it returns the report.

    >>> import verifier
    >>> inputs = {"x": verifier.between(-2, 2, shape=(3,))}
    >>> verifier.assert_gradients("torch:tanh", inputs=inputs).ok
    True
    """
    __tracebackhide__ = True
    report = check(target, **given)
    report.raise_for_failure()
    return report


def _check_settings(inputs: UserInputs, given: Options) -> CheckSettings:
    """The settings, with the defaults for what is not given. Raises InputError for those that make
    no sense.
    """
    standing = defaults.current_defaults()
    known = {name: value for name, value in given.items() if value is not None}
    for name in known:
        if name not in CheckSettings.__dataclass_fields__:
            raise InputError(
                f"check has no setting {name!r}: it has "
                f"{', '.join(CheckSettings.__dataclass_fields__)}"
            )
    settings = CheckSettings(**{"points": standing.points, "seed": standing.seed, **known})
    dtypes = settings.dtypes or standing.dtypes or given_dtypes(inputs) or DTYPES
    for dtype in dtypes:
        if dtype not in CODE_FORMATS:
            raise InputError(
                f"{dtype!r} is not a dtype that is judged: there is {', '.join(CODE_FORMATS)}"
            )
    for name in settings.without:
        if name not in NAMES:
            raise InputError(
                f"there is no check {name!r} to leave out: there is {', '.join(NAMES)}"
            )
    return replace(settings, dtypes=tuple(dict.fromkeys(dtypes)))


@dataclass(frozen=True)
class _CheckStep:
    """A part of a check in one dtype."""

    title: str
    run: Callable[[], Iterable[Finding]]


class _DtypeSteps:
    """The steps of a check in one dtype, the cheap ones first."""

    def __init__(self, request: Request, dtype: str, start: int, deadline: Deadline) -> None:
        self.sampling = Sampling(request, dtype, start)
        self.overwritten: tuple[str, ...] = ()
        self.changed: tuple[str, ...] = ()
        self.edges = EdgeTrials((), (), ())
        self._trials: tuple[Trial, ...] = ()
        self._without, self._deadline = request.settings.unmade, deadline

    def steps(self) -> Iterator[_CheckStep]:
        """They must be run in this order."""
        yield _CheckStep("value and reverse mode", self._at_points)
        yield from self._at_one_point(CHEAP)
        yield _CheckStep("edge points", self._at_edges)
        yield from self._at_one_point(COSTLY)

    def _at_one_point(self, checks: Sequence[Check]) -> Iterator[_CheckStep]:
        for check_ in checks:
            if check_.name not in self._without:
                yield _CheckStep(check_named(check_.name).title, partial(self._at_first, check_))

    def _at_first(self, check_: Check) -> Iterator[Finding]:
        return check_.findings(self._trials[0])

    def _at_points(self) -> Iterator[Finding]:
        asked = self.sampling.trials_asked(self._deadline)
        self._trials, self.overwritten = asked.trials, asked.overwritten
        self.changed = asked.changed
        return self._checks_at(self._trials)

    def _at_edges(self) -> Iterator[Finding]:
        self.edges = self.sampling.edge_trials(self._trials, self._deadline)
        yield from self._checks_at(self.edges.trials)
        for check_, trials in (
            (ForwardCheck(), self.edges.forward),
            (SecondOrderCheck(), self.edges.second),
        ):
            if check_.name not in self._without:
                for trial in trials:
                    yield from check_.findings(trial)
                # What looks wrong there may be the value.
                yield from self._checks_at(list(filter(_is_of_another_function, trials)))

    def _checks_at(self, trials: Sequence[Trial]) -> Iterator[Finding]:
        for trial in trials:
            for check_ in AT_EVERY_POINT:
                if check_.name not in self._without:
                    yield from check_.findings(trial)


def _is_of_another_function(trial: Trial) -> bool:
    examined = (trial.forward, trial.second)
    return any(not isinstance(one, str) and not one.same_function for one in examined)


class _RunningCheck:
    """A check as it goes on."""

    def __init__(self, name: str, request: Request, watcher: Watcher) -> None:
        self._name, self._request, self._watcher = name, request, watcher
        is_limited = watcher.deadline.seconds is not None
        self._deadline = watcher.deadline if is_limited else Deadline(request.settings.timeout)
        self._findings: list[Finding] = []
        self._failed: list[str] = []
        self._worst = Outcome.AGREES
        self._parts: list[_DtypeSteps] = []
        self._waiting = {
            dtype: [step.title for step in _DtypeSteps(request, dtype, 0, Deadline.NEVER).steps()]
            for dtype in request.settings.dtypes
        }
        """The steps that are not done, by dtype."""
        self._planned = sum(map(len, self._waiting.values()))

    def run_all(self) -> CheckResult:
        """Run every step. The result has everything that is found, with its causes.

        Raises InputError for code that cannot be used, and where the time runs out before anything
        is decided.
        """
        started = time.monotonic()
        goes_on = self._all_steps()
        checked = replace(
            self._result_so_far(),
            interrupted=not goes_on,
            ended=self._reason_for_early_end(goes_on),
        )
        took = time.monotonic() - started
        budget = Deadline(max(0.0, min(max(took, LEAST_FOR_CAUSES), self._deadline.left())))
        if goes_on and checked.outcome is Outcome.DISAGREES:
            self._watcher.publish(checked.outcome, lambda: CheckReport(checked))
            self._watcher.begin("the search for causes", 2 * budget.left() + 1)
        return self._with_causes(checked, budget)

    def _with_causes(self, checked: CheckResult, budget: Deadline) -> CheckResult:
        found = explain_failures(checked, [part.sampling for part in self._parts], budget)
        return replace(found, causes_searched=True, notes=(*found.notes, *checked.notes))

    def _all_steps(self) -> bool:
        """Whether nobody interrupts them; fewer are done where the time runs out."""
        for dtype in self._request.settings.dtypes:
            start = max((one.point.number for one in self._findings if one.point), default=0)
            self._parts.append(_DtypeSteps(self._request, dtype, start, self._deadline))
            for step in self._parts[-1].steps():
                left = sum(map(len, self._waiting.values()))
                if not self._watcher.keep_going(self._planned - left, self._planned):
                    return False
                if self._deadline.passed():
                    return True
                self._run_step(dtype, step)
        return True

    def _run_step(self, dtype: str, step: _CheckStep) -> None:
        try:
            for finding in step.run():
                self._findings.append(finding)
                self._publish(finding)
        except InputError:
            raise
        except Exception as error:
            if user_frames(error) or not self._findings:
                raise
            self._failed.append("".join(traceback.format_exception(error)))
            why = f"an internal error of verifier: {type(error).__name__}"
            self._findings.append(Finding(step.title, dtype, absent=why))
        self._waiting[dtype].remove(step.title)

    def _publish(self, latest: Finding) -> None:
        if latest.outcome is not None and latest.outcome.severity > self._worst.severity:
            self._worst = latest.outcome
        self._watcher.publish(self._worst, lambda: CheckReport(self._result_so_far()))

    def _reason_for_early_end(self, goes_on: bool) -> str:
        if not goes_on or not any(self._waiting.values()):
            return ""
        ended = f"the time ran out after {self._deadline.seconds:g} seconds"
        if not self._findings:
            raise InputError(
                f"{ended}, before anything was decided: give it more, or smaller inputs"
            )
        return ended

    def _result_so_far(self) -> CheckResult:
        """What is known so far."""
        ordered = sorted(self._findings, key=lambda finding: _place_of_check(finding.check))
        return CheckResult(
            self._name, self._request.expected.sentence, self._request.settings, tuple(ordered),
            causes_searched=False, notes=tuple(self._notes()),
            not_reached=tuple(self._not_reached()), failed=tuple(self._failed),
            coverage=tuple(
                (part.sampling.dtype, part.edges.coverage)
                for part in self._parts
                if part.edges.coverage is not None
            ),
        )  # fmt: skip

    def _not_reached(self) -> Iterator[str]:
        begun = {part.sampling.dtype for part in self._parts}
        for dtype, titles in self._waiting.items():
            if titles:
                yield f"{', '.join(titles) if dtype in begun else 'everything'} in {dtype}"

    def _notes(self) -> Iterator[str]:
        left_out = [
            f"{value} in {part.sampling.dtype}"
            for part in self._parts
            for value in part.edges.left_out
        ]
        if left_out:
            yield (
                "at edges that cannot be decided points were taken beside them: "
                f"{_first_texts(left_out)}"
            )
        for name in dict.fromkeys(name for part in self._parts for name in part.overwritten):
            yield f"the code writes to its input {name}"
        buffers = dict.fromkeys(name for part in self._parts for name in part.changed)
        if buffers:
            names = _first_texts(list(buffers))
            yield f"the code changes its buffers {names}: each run begins with what they were"
        refused = dict.fromkeys(sentence for part in self._parts for sentence in part.edges.refused)
        for sentence in list(refused)[:SHOWN]:
            yield f"edge points are left out at which {sentence}"
        for name in changed_state_names():
            yield f"the code leaves {name} changed: that is undone after each run"


def _place_of_check(check_: str) -> int:
    return NAMES.index(check_) if check_ in NAMES else len(NAMES)


def _first_texts(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return ", ".join(texts[:SHOWN]) + more
