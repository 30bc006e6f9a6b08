"""What each command does in the process that runs other people's code: from options to a report in
text.

Options are JSON's own types; `send` takes the report, and `interruption` says whether to end early.
"""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import cached_property, partial
from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING

from verifier.errors import InputError, printable
from verifier.operations.number_text import short
from verifier.process.deadline import Deadline, SupervisedDeadline
from verifier.process.internal_errors import InternalErrors
from verifier.process.values import UserValue
from verifier.process.workers.messages import Progress, Published, Rendered, Stage
from verifier.process.workers.task import Interruption, Send
from verifier.reporting.rendering import Forms, render

# Every task needs them, and they are loaded fastest with this module (`kept_imports`).
for _library in ("torch", "sympy"):
    import_module(_library)

if TYPE_CHECKING:
    from verifier.commands.from_shell.table_file import TableFile
    from verifier.formula.model import Model
    from verifier.judging.outcome import Outcome
    from verifier.reporting.check_report import CheckReport
    from verifier.training.runner import Judged

EVERY = 0.1
"""Seconds between two messages of progress."""
RESERVE = 2.0
"""Seconds of the time limit that are kept for the last report, but a tenth of it at most."""
SHARE = 20.0
"""So many times as long as a report takes to be made, nothing is published again."""


class _ProgressSender:
    """Asked before each step: says how far it is, and whether to go on."""

    def __init__(self, send: Send, interruption: Interruption, every: int = 64) -> None:
        self._send, self._interruption, self._every = send, interruption, every
        self._next = 0.0
        self.note = ""
        """What came out so far."""

    def __call__(self, done: int, planned: int) -> bool:
        if done % self._every == 0 and monotonic() > self._next:
            self._next = monotonic() + EVERY
            self._send(Progress(done, planned, self.note))
        return not self._interruption.wanted

    def refuse_if_interrupted(self) -> None:
        """End the work where nothing has been done yet."""
        if self._interruption.wanted:
            raise KeyboardInterrupt


@dataclass(frozen=True, eq=False)
class ModelOptions:
    """Which model, as it was typed."""

    model: str | None
    formula: str | None = None
    inputs: list[str] | None = None
    start: list[str] | None = None
    loss: str | None = None
    data: str | None = None
    weights: str | None = None
    table: Mapping[str, UserValue] | None = None
    """How the file of the data is read, where that is not as usual."""

    @property
    def table_file(self) -> TableFile | None:
        """The file of the data with how it is read; None where that is as usual."""
        if self.table is None:
            return None
        from verifier.commands.from_shell.table_file import TableFile

        options = {**self.table, "columns": tuple(self.table.get("columns", ()))}
        return TableFile(str(self.data), **options)

    @cached_property
    def columns(self) -> UserValue:
        """The data: a path, or columns that were read; None where a model has its own."""
        table = self.table_file
        return self.data if table is None else table.read()

    def load_model(self) -> Model:
        """The model. Raises InputError unless it is one of a gallery, of a file or of a formula."""
        from verifier.commands.from_shell.formula_options import FormulaOptions, model_of_formula
        from verifier.formula.gallery import load

        if (self.model is None) == (self.formula is None):
            raise InputError(
                "say which model: a name of the gallery, path/to/file.py::name, "
                "or --formula 'w*x + b'"
            )
        inputs, start = tuple(self.inputs or ()), tuple(self.start or ())
        if self.formula is not None:
            model = model_of_formula(
                FormulaOptions(self.formula, inputs, start, self.loss, self.columns)
            )
        elif inputs or start or self.loss:
            raise InputError(
                "--input, --start and --loss say what a formula leaves open: "
                "give them with --formula"
            )
        else:
            model = load(str(self.model))
        return model.with_weights(self.weights) if self.weights else model


def show_task(
    send: Send,
    interruption: Interruption,
    model: Mapping[str, UserValue],
    *,
    latex: bool,
    torch: bool,
) -> None:
    """The formulas of a model; or what was read from the forward of code, given its inputs."""
    chosen = ModelOptions(**model)
    if chosen.model is not None and any("=" in text for text in chosen.inputs or []):
        lines = _forward_lines(chosen.model, chosen.inputs or [])
    else:
        lines = _formula_lines(chosen, latex, torch)
    send(Published(Rendered(0, {"text": "\n".join(lines)})))


def _forward_lines(target: str, inputs: list[str]) -> list[str]:
    from verifier.commands.from_shell.check_inputs import typed_inputs
    from verifier.commands.show import read_forward

    with redirect_stdout(sys.stderr):
        return [printable(line) for line in read_forward(target, typed_inputs(inputs))]


def _formula_lines(options: ModelOptions, latex: bool, torch: bool) -> list[str]:
    with redirect_stdout(sys.stderr):
        chosen = options.load_model()
    # What cannot be read is refused before torch is loaded.
    from verifier.explaining import model_as_code
    from verifier.training.model_training import settings_for

    if torch:
        return [model_as_code.torch_loop(chosen, settings_for(chosen, {})).rstrip()]
    return [
        printable(line) for line in (chosen.latex() if latex else model_as_code.formulas(chosen))
    ]


def train_task(
    send: Send,
    interruption: Interruption,
    model: Mapping[str, UserValue],
    *,
    settings: Mapping[str, UserValue],
    points: list[dict[str, float]],
    stop_on_failure: bool,
    third_opinion: bool,
    view: Mapping[str, UserValue],
    forms: dict[str, UserValue],
    log: str | None = None,
) -> None:
    """A model is trained both ways; each judged step is a line of the log."""
    going = _ProgressSender(send, interruption)
    # What a model file prints is a message; standard output is for the report.
    with redirect_stdout(sys.stderr):
        options = ModelOptions(**model)
        chosen = options.load_model()

        from verifier.commands.train import train, training_command
        from verifier.reporting.content.training import View
        from verifier.reporting.data.training_log import TrainingLog

        going.refuse_if_interrupted()
        with TrainingLog(log) as steps:

            def hear(judged: Judged) -> None:
                steps.add(judged)
                going.note = steps.note

            report = train(
                chosen,
                data=options.columns,
                predict=points,
                stop_on_failure=stop_on_failure,
                third_opinion=third_opinion,
                keep_going=going,
                on_judged=hear,
                **settings,
            )
    table = options.table_file
    if table is not None:
        again = training_command(chosen, table.path, report.findings.settings, points)
        plain = shlex.join(["--data", table.path])
        report = replace(report, replay=again and again.replace(plain, table.words, 1))
    send(Published(render(replace(report, view=View(**view)), Forms.of(forms))))


def train_all_task(
    send: Send,
    interruption: Interruption,
    settings: Mapping[str, UserValue],
    forms: dict[str, UserValue],
) -> None:
    """The models of the gallery that bring their data are trained, for one table."""
    from verifier.commands.train_all import train_all
    from verifier.formula.gallery import with_own_data

    going = _ProgressSender(send, interruption)
    with redirect_stdout(sys.stderr):
        models = with_own_data()
        going.refuse_if_interrupted()
        summary = train_all(models, keep_going=going, **settings)
    send(Published(render(summary, Forms.of(forms))))


def explain_task(
    send: Send,
    interruption: Interruption,
    model: Mapping[str, UserValue],
    *,
    settings: Mapping[str, UserValue],
    at: dict[str, float] | None,
    step: int | None,
    forms: dict[str, UserValue],
) -> None:
    """One step of a training is taken apart."""
    going = _ProgressSender(send, interruption)
    with redirect_stdout(sys.stderr):
        options = ModelOptions(**model)
        chosen = options.load_model()

        from verifier.commands.explain import explain

        going.refuse_if_interrupted()
        explanation = explain(
            chosen, at=at, step=step, data=options.columns, keep_going=going, **settings
        )
    send(Published(render(explanation, Forms.of(forms))))


def lesson_task(
    send: Send, interruption: Interruption, name: str, lang: str, forms: dict[str, UserValue]
) -> None:
    """The code of a lesson is run."""
    from verifier.commands.lesson import run_lesson
    from verifier.explaining.lessons.reader import script

    send(Published(render(run_lesson(script(name, lang)), Forms.of(forms))))


def selftest_task(
    send: Send, interruption: Interruption, *, seed: int, quick: bool, forms: dict[str, UserValue]
) -> None:
    """The judge is put on trial."""
    from verifier.commands.selftest import selftest

    going = _ProgressSender(send, interruption)
    going.refuse_if_interrupted()
    trials = selftest(seed=seed, quick=quick, keep_going=going)
    send(Published(render(trials, Forms.of(forms))))


def check_task(
    send: Send,
    interruption: Interruption,
    target: str | None,
    *,
    inputs: list[str],
    settings: Mapping[str, UserValue],
    seconds: float | None,
    forms: dict[str, UserValue],
) -> None:
    """One target is checked; what is known is published as the check goes on."""
    from verifier.commands.check import check_watched
    from verifier.commands.from_shell.check_inputs import typed_dtypes, typed_inputs, with_hint

    watcher = _CheckWatcher(send, interruption, _deadline(seconds), Forms.of(forms))
    with redirect_stdout(sys.stderr):
        watcher.refuse_if_interrupted()
        read = typed_inputs(inputs)
        chosen = {"dtypes": typed_dtypes(inputs), **settings}
        try:
            watcher.finish(check_watched(target, read, watcher, **chosen))
        except InputError as error:
            raise with_hint(error, read) from error


def check_target_task(
    send: Send,
    interruption: Interruption,
    target: Mapping[str, UserValue],
    *,
    seconds: float | None,
    forms: dict[str, UserValue],
) -> None:
    """A target of verifier.toml is checked, and what is known of its failures set aside."""
    from verifier.commands.config.check_target import check_configured_target, settle_report
    from verifier.commands.config.schema import ConfiguredTarget

    configured = ConfiguredTarget.of(target)

    def settle(report: CheckReport) -> tuple[int, dict[str, UserValue]]:
        settled = settle_report(report, configured.accepted)
        return settled.exit_code, settled.facts

    watcher = _CheckWatcher(send, interruption, _deadline(seconds), Forms.of(forms), settle)
    with redirect_stdout(sys.stderr):
        watcher.refuse_if_interrupted()
        watcher.finish(check_configured_target(configured, watcher))


def _deadline(seconds: float | None) -> Deadline:
    """Some of the time is kept for the report."""
    reserve = 0.0 if seconds is None else min(RESERVE, 0.1 * seconds)
    return SupervisedDeadline(seconds, reserve=reserve)


def _own_exit_code(report: CheckReport) -> tuple[int, dict[str, UserValue]]:
    return report.exit_code, {}


def _note_on(report: CheckReport) -> str:
    """What a check came to so far, for a person."""
    ratios = [one.worst_ratio for one in report.tally.components]
    known = [ratio for ratio in ratios if not math.isnan(ratio)]
    worst = f", worst error / allowed {short(max(known))}" if known else ""
    return f"{report.outcome.value} so far{worst}"


class _CheckWatcher:
    """Sends what a check finds as it goes on, so that it is known however the check ends."""

    def __init__(
        self,
        send: Send,
        interruption: Interruption,
        deadline: Deadline,
        forms: Forms,
        settle: Callable[[CheckReport], tuple[int, dict[str, UserValue]]] = _own_exit_code,
    ) -> None:
        self.deadline = deadline
        self._going = _ProgressSender(send, interruption, 1)
        self._send, self._forms, self._settle = send, forms, settle
        self._next = 0.0
        self._outcome: Outcome | None = None

    def refuse_if_interrupted(self) -> None:
        """End the work where nothing has been done yet."""
        self._going.refuse_if_interrupted()

    def keep_going(self, done: int, planned: int) -> bool:
        return self._going(done, planned)

    def publish(self, outcome: Outcome, report: Callable[[], CheckReport]) -> None:
        """Send the report where its outcome is a new one, and else unless making reports would take
        more than its share of the time.
        """
        if outcome is not self._outcome or monotonic() > self._next:
            self._outcome = outcome
            self.finish(report())

    def begin(self, stage: str, seconds: float) -> None:
        self._send(Stage(stage, seconds))

    def finish(self, report: CheckReport) -> None:
        """Send the report."""
        started = monotonic()
        # A note that cannot be made must not cost the verdict.
        self._going.note = InternalErrors().run("progress", partial(_note_on, report), "")
        code, facts = self._settle(report)
        facts = {"outcome": report.outcome.value, **facts, "failed": list(report.checked.failed)}
        self._send(Published(replace(render(report, self._forms, facts), exit_code=code)))
        self._next = monotonic() + SHARE * (monotonic() - started)
