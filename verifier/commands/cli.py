"""The command line. Reports go to standard output; progress and messages to standard error."""

from __future__ import annotations

import sys
import textwrap
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperCommand

import verifier
from verifier.commands.terminal import (
    Outputs,
    ReaderGoneError,
    discard_output,
    settle_streams,
    watch_signals,
    write_line,
    write_message,
)
from verifier.errors import InputError, printable, reason_of, too_long
from verifier.process.torch_version import require_torch
from verifier.process.values import UserValue
from verifier.process.workers.limits import MOST_JOBS, SECONDS, Limits, check_seconds, parse_size
from verifier.process.workers.messages import Rendered
from verifier.process.workers.supervisor import End, Ending, Host, InThisProcess, InWorkers
from verifier.process.workers.task import Task
from verifier.reporting.incident import incident_file, incident_text

app = typer.Typer(
    name="verifier",
    help="Is this gradient right, how do we know, and if not, why?",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

MODEL = Annotated[
    str | None, typer.Argument(metavar="MODEL", help="A gallery name, or path/to/file.py::name.")
]
TARGET = Annotated[
    str | None,
    typer.Argument(metavar="TARGET", help="path/to/file.py::name or package.module:name."),
]
FORMULA = Annotated[
    str | None, typer.Option(metavar="TEXT", help="A formula in place of MODEL, such as 'w*x + b'.")
]
INPUTS = Annotated[
    list[str] | None,
    typer.Option("--input", metavar="x", help="A symbol of the formula that is an input."),
]
START = Annotated[
    list[str] | None,
    typer.Option(
        "--start", metavar="w=0.5", help="Where a parameter of the formula starts; else 1."
    ),
]
LOSS = Annotated[
    str | None, typer.Option("--loss", help="The formula's loss, by its name in verifier.losses.")
]
DATA = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Data from a CSV file whose first line names the columns."),
]
WEIGHTS = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="A column that multiplies each row's loss.")
]
HOLD_OUT = Annotated[
    float | None,
    typer.Option(metavar="0.2", help="Hold out this fraction of the rows and report their loss."),
]
EPOCHS = Annotated[int | None, typer.Option(help="Passes over the data.")]
LR = Annotated[float | None, typer.Option(help="Learning rate.")]
OPTIMIZER = Annotated[str | None, typer.Option(help="sgd, or any of torch.optim by its name.")]
DTYPE = Annotated[str | None, typer.Option(help="float32 or float64.")]
BATCH = Annotated[str | None, typer.Option(help="Rows a step, or all.")]
SHUFFLE = Annotated[
    bool | None, typer.Option("--shuffle", help="Take the rows of each epoch in random order.")
]
SEED = Annotated[int | None, typer.Option(help="Seed of the random order.")]
ALLOW_UNDECIDED = Annotated[
    bool, typer.Option("--allow-undecided", help="Exit with 0 where nothing could be decided.")
]
JSON = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Write the report as JSON; - is standard output."),
]
HTML = Annotated[
    Path | None,
    typer.Option(
        "--html", metavar="FILE", help="Write the report as a page that needs nothing else."
    ),
]
DEBUG = Annotated[bool, typer.Option("--debug", help="Show the traceback of an internal error.")]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"verifier {verifier.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command("list", epilog="Example: verifier list")
def list_models() -> None:
    """List the gallery's models, in groups by their loss."""
    from verifier.formula.gallery import gallery, group_by_loss

    models = gallery()
    width = max(map(len, models), default=0)
    for place, (kind, group) in enumerate(group_by_loss(models.values()).items()):
        write_line(("\n" if place else "") + kind)
        for model in group:
            first, *rest = textwrap.wrap(
                printable(model.description.partition("\n")[0]), 75 - width
            ) or [""]
            write_line(f"  {model.name:<{width}}  {first}")
            for line in rest:
                write_line(f"  {'':<{width}}  {line}")


@app.command(epilog="Examples: verifier show quadratic; verifier show quadratic --torch > loop.py")
def show(
    model: MODEL = None,
    formula: FORMULA = None,
    inputs: INPUTS = None,
    start: START = None,
    loss: LOSS = None,
    latex: Annotated[bool, typer.Option("--latex", help="Write the formulas in LaTeX.")] = False,
    torch: Annotated[
        bool,
        typer.Option("--torch", help="Write the torch training loop that a person would write."),
    ] = False,
    debug: DEBUG = False,
) -> None:
    """Show a model's formula and gradient; or what was read from the forward of code, given its
    inputs.

    MODEL may be a TARGET of check, with its inputs as there: verifier show layers.py::MyNorm
    --input x=-2:2:4x8.
    """
    if torch and latex:
        raise InputError("--latex and --torch are two ways to write a model: choose one")
    chosen = _model_options(model, formula, inputs, start, loss)
    task = Task(
        "verifier.commands.tasks:show_task", {"model": chosen, "latex": latex, "torch": torch}
    )
    raise typer.Exit(_CommandRun("show", model or formula, Outputs(), debug).code(task))


class _PlotAlone(TyperCommand):
    """Lets --plot stand without a file, which typer has no word for: it then means the terminal, as
    --plot - does.
    """

    def parse_args(self, ctx: UserValue, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(_with_terminal(args)))


def _with_terminal(words: list[str]) -> Iterator[str]:
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else "--"
        yield word
        if word == "--plot" and following.startswith("-") and following != "-":
            yield "-"


@app.command(
    cls=_PlotAlone,
    epilog="Examples: verifier train quadratic; verifier train linear --epochs 10 --every 1 "
    "--predict x=4; "
    "verifier train my_models.py::bump --dtype float64 --json report.json; "
    "verifier train rosenbrock --html report.html",
)
def train(
    model: MODEL = None,
    formula: FORMULA = None,
    inputs: INPUTS = None,
    start: START = None,
    loss: LOSS = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Train the whole gallery and print one table.")
    ] = False,
    data: DATA = None,
    weights: WEIGHTS = None,
    hold_out: HOLD_OUT = None,
    epochs: EPOCHS = None,
    lr: LR = None,
    optimizer: OPTIMIZER = None,
    dtype: DTYPE = None,
    batch: BATCH = None,
    shuffle: SHUFFLE = None,
    seed: SEED = None,
    predict: Annotated[
        list[str] | None,
        typer.Option(metavar="x=4", help="Predict there in the end; may be repeated."),
    ] = None,
    every: Annotated[int | None, typer.Option(min=1, help="Show every so many epochs.")] = None,
    only_failing: Annotated[
        bool, typer.Option("--only-failing", help="Show only the steps that fail.")
    ] = False,
    stop_on_failure: Annotated[
        bool, typer.Option("--stop-on-failure", help="End the training at the first failure.")
    ] = False,
    finite_differences: Annotated[
        bool,
        typer.Option("--finite-differences", help="Add finite differences as a third opinion."),
    ] = False,
    allow_undecided: ALLOW_UNDECIDED = False,
    json_file: JSON = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="[FILE]",
            help="Draw costs, errors and paths (.svg, .png or .pdf); alone: in the terminal.",
        ),
    ] = None,
    html_file: HTML = None,
    debug: DEBUG = False,
) -> None:
    """Train a model both ways and judge every gradient.

    Exit code: 0 verified, 1 something disagrees, 2 the input cannot be used,
    3 something has no decided comparison, 130 interrupted.
    """
    settings = _settings_typed(
        epochs=epochs, lr=lr, optimizer=optimizer, dtype=dtype, batch=_batch_size(batch),
        shuffle=shuffle, seed=seed, hold_out=hold_out,
    )  # fmt: skip
    points = [_point_numbers(text, "predict", "--predict x=4") for text in predict or []]
    outputs = Outputs(json=json_file, plot=plot, html=html_file)
    outputs.check(_files_of(model, data=data))
    forms = asdict(outputs.forms)
    if everything:
        beside = (model, formula, inputs, start, loss, data, weights, predict, every, plot)
        if (
            any(asked is not None for asked in beside)
            or only_failing
            or stop_on_failure
            or finite_differences
        ):
            raise InputError(
                "--all trains the gallery as it is, in one table: give only settings, --json and "
                "--html with it"
            )
        task = Task(
            "verifier.commands.tasks:train_all_task", {"settings": settings, "forms": forms}
        )
    else:
        options = {
            "model": _model_options(model, formula, inputs, start, loss, data, weights),
            "settings": settings,
            "points": points,
            "stop_on_failure": stop_on_failure,
            "third_opinion": finite_differences,
            "view": {"every": every, "only_failing": only_failing},
            "forms": forms,
        }
        task = Task("verifier.commands.tasks:train_task", options)
    code = _CommandRun("train", model or formula or "the gallery", outputs, debug).code(task)
    raise typer.Exit(_exit_code_allowing(code, allow_undecided))


@app.command(
    epilog="Examples: verifier explain quadratic --at x=3,y=6; verifier explain quadratic --step 6 "
    "--html step.html; "
    "verifier explain --formula 'exp(-k*t)' --input t --at t=2,y=0.5,k=0.3"
)
def explain(
    model: MODEL = None,
    formula: FORMULA = None,
    inputs: INPUTS = None,
    start: START = None,
    loss: LOSS = None,
    at: Annotated[
        str | None, typer.Option(metavar="x=3,y=6", help="Data, and parameters, to explain it at.")
    ] = None,
    step: Annotated[
        int | None, typer.Option(metavar="N", help="The step of the training, as train numbers it.")
    ] = None,
    data: DATA = None,
    weights: WEIGHTS = None,
    hold_out: HOLD_OUT = None,
    epochs: EPOCHS = None,
    lr: LR = None,
    optimizer: OPTIMIZER = None,
    dtype: DTYPE = None,
    batch: BATCH = None,
    shuffle: SHUFFLE = None,
    seed: SEED = None,
    allow_undecided: ALLOW_UNDECIDED = False,
    json_file: JSON = None,
    html_file: HTML = None,
    debug: DEBUG = False,
) -> None:
    """Show how the gradient of one step comes about, node by node.

    Without --at and --step it is the first step of the training. --at with a row of the data
    is the first step that uses it. The settings are those of train.
    """
    settings = _settings_typed(
        epochs=epochs, lr=lr, optimizer=optimizer, dtype=dtype, batch=_batch_size(batch),
        shuffle=shuffle, seed=seed, hold_out=hold_out,
    )  # fmt: skip
    point = _point_numbers(at, "explain", "--at x=3,y=6") if at is not None else None
    outputs = Outputs(json=json_file, html=html_file)
    outputs.check(_files_of(model, data=data))
    options = {
        "model": _model_options(model, formula, inputs, start, loss, data, weights),
        "settings": settings, "at": point, "step": step, "forms": asdict(outputs.forms),
    }  # fmt: skip
    run = _CommandRun("explain", model or formula, outputs, debug)
    raise typer.Exit(
        _exit_code_allowing(
            run.code(Task("verifier.commands.tasks:explain_task", options)), allow_undecided
        )
    )


@app.command(
    epilog="Examples: verifier lesson; verifier lesson quadratic; verifier lesson tensor --lang zh"
)
def lesson(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A lesson's name or number; else all are listed."),
    ] = None,
    lang: Annotated[str, typer.Option(help="en, or zh for the first four.")] = "en",
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page that loads nothing.")
    ] = None,
    json_file: JSON = None,
    debug: DEBUG = False,
) -> None:
    """Walk through a lesson: its code is run and its claims are checked.

    Exit code: 0 where every claim holds, 1 where one does not, 2 the input cannot be used.
    """
    from verifier.explaining.lessons.reader import scripts

    outputs = Outputs(json=json_file, html=html)
    outputs.check()
    if name is None:
        if html is not None or json_file is not None:
            raise InputError(
                "--html and --json write one lesson: say which, as in verifier lesson quadratic "
                "--html FILE"
            )
        for found in scripts(lang):
            write_line(f"{found.number:>2}  {found.name:<13} {found.title}")
        return

    options = {"name": name, "lang": lang, "forms": asdict(outputs.forms)}
    raise typer.Exit(
        _CommandRun("lesson", name, outputs, debug).code(
            Task("verifier.commands.tasks:lesson_task", options)
        )
    )


def _files_of(*targets: str | None, data: object = None) -> Iterator[str]:
    """The files that a command reads: those of path.py::name, and one of data or settings."""
    yield from (text.partition("::")[0] for text in targets if text and "::" in text)
    if data is not None:
        yield str(data)


def _settings_typed(**settings: UserValue) -> dict[str, UserValue]:
    """Those that were typed."""
    return {name: value for name, value in settings.items() if value is not None}


def _exit_code_allowing(code: int, allow_undecided: bool) -> int:
    return 0 if code == 3 and allow_undecided else code


def _model_options(
    model: str | None, formula: str | None, inputs: list[str] | None, start: list[str] | None,
    loss: str | None, data: str | None = None, weights: str | None = None,
) -> dict[str, str | list[str] | None]:  # fmt: skip
    """Which model, as it was typed. Raises InputError unless it is one."""
    if (model is None) == (formula is None):
        raise InputError(
            "say which model: a name of the gallery, path/to/file.py::name, or --formula 'w*x + b'"
        )
    return {
        "model": model, "formula": formula, "inputs": inputs, "start": start, "loss": loss,
        "data": data, "weights": weights,
    }  # fmt: skip


def _batch_size(text: str | None) -> int | str | None:
    if text is None or text == "all":
        return text
    try:
        return int(text)
    except ValueError:
        return text


def _point_numbers(text: str, verb: str, example: str) -> dict[str, float]:
    """x=4,z=2 as a mapping. Raises InputError."""
    point = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        try:
            if not equals or name.strip() in point:
                raise ValueError
            point[name.strip()] = float(value)
        except ValueError:
            raise InputError(
                f"cannot {verb} at {text!r}: write each name once as name=number, as in {example}"
            ) from None
    return point


@app.command(
    epilog="Examples: verifier check losses.py::focal --input p=0:1:32 --formula "
    "'-(1-p)**2*log(p)'; "
    "verifier check torch.nn.functional:gelu --input input=-4:4:8 --dtype bfloat16; "
    "verifier check layers.py::MyNorm --input x=-2:2:4x8 --reference layers.py::plain_norm; "
    "verifier check --config verifier.toml"
)
def check(
    target: TARGET = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="x=-2:2:4x3",
            help="An argument: drawn between two ends in that shape, a number g=2, or a tensor "
            "x=[1,2.5].",
        ),
    ] = None,
    formula: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What is right; without a TARGET it is checked itself."),
    ] = None,
    reduction: Annotated[
        str | None,
        typer.Option(help="What is done with the formula's elements: none, sum or mean."),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(metavar="TARGET", help="A plain version whose forward says what is right."),
    ] = None,
    dtype: Annotated[
        list[str] | None,
        typer.Option(help="float64, float32, bfloat16 or float16; may be repeated."),
    ] = None,
    points: Annotated[
        int | None, typer.Option(help="Random points for each dtype; else 3.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the random points.")] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="CHECK", help="A check to leave out, by its name; may be repeated."),
    ] = None,
    digits: Annotated[float | None, typer.Option(help="So many digits must agree.")] = None,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="S", help=f"Seconds that a target may take in all; else {SECONDS:g}."),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Memory that a target may hold, as in 4G; else no limit is set."
        ),
    ] = None,
    honour_detach: Annotated[
        bool, typer.Option("--honour-detach", help="Take what the code detaches for a constant.")
    ] = False,
    make: Annotated[
        str | None,
        typer.Option(
            metavar="CALL",
            help="In place of TARGET, what is made first: 'layers.py::Block(dim=16, heads=2)'.",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A module's weights: its state_dict, by torch.save."),
    ] = None,
    train: Annotated[
        bool, typer.Option("--train", help="Put a module into training mode; else as it comes.")
    ] = False,
    wrt: Annotated[
        list[str] | None,
        typer.Option(metavar="NAMES", help="Take gradients by these inputs and parameters alone."),
    ] = None,
    not_wrt: Annotated[
        list[str] | None,
        typer.Option(metavar="NAMES", help="Take no gradients by these."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Check the targets of a verifier.toml instead."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_JOBS, metavar="N", help="Check N targets of the file at once; else 1."
        ),
    ] = None,
    allow_undecided: ALLOW_UNDECIDED = False,
    json_file: JSON = None,
    markdown: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the report as Markdown, for the summary of a CI job."
        ),
    ] = None,
    html_file: HTML = None,
    debug: DEBUG = False,
) -> None:
    """Check the gradients of anybody's code on tensors.

    TARGET is path/to/file.py::name or package.module:name: a function, an autograd.Function, a
    torch module. What is right says --formula, --reference, or the code's own forward.

    The code runs in a process of its own. Exit code: 0 verified, 1 something disagrees, 2 the input
    cannot be used, the code ends the process, or the time runs out, 3 something has no decided
    comparison, 4 an internal error, 130 interrupted.
    """
    outputs = Outputs(json=json_file, markdown=markdown, html=html_file)
    if make is not None and target is not None:
        raise InputError("--make says what is made and checked: give it in place of TARGET")
    target = make or target
    outputs.check(_files_of(target, reference, data=config))
    settings = _settings_typed(
        formula=formula, reference=reference, reduction=reduction, points=points, seed=seed,
        dtypes=[part for text in dtype for part in text.split(",")] if dtype else None,
        without=without or None, digits=digits,
        timeout=None if timeout is None else check_seconds(timeout),
        honour_detach=honour_detach or None, wrt=_names(wrt), not_wrt=_names(not_wrt),
        state=None if state is None else str(state), train=train or None,
    )  # fmt: skip
    limits = Limits(settings.get("timeout", SECONDS), parse_size(memory) if memory else None)
    if config is not None:
        if html_file is not None:
            raise InputError("--html writes the page of one target: give it without --config")
        if target or inputs or settings:
            raise InputError(
                "--config says what is checked, and how: give it with --json, --markdown, --jobs "
                "and --memory only"
            )
        code = _check_all(
            config, _CommandRun("check", str(config), outputs, debug), limits, jobs or 1
        )
        raise typer.Exit(_exit_code_allowing(code, allow_undecided))
    if jobs is not None:
        raise InputError(
            "--jobs says how many targets of a file are checked at once: give it with --config"
        )
    if target is None and formula is None:
        raise InputError(
            "say what to check: path/to/file.py::name, package.module:name, or --formula "
            "'x*exp(-x)'"
        )
    options = {
        "target": target,
        "inputs": inputs or [],
        "settings": settings,
        "seconds": limits.seconds,
        "forms": asdict(outputs.forms),
    }
    run = _CommandRun("check", target or formula, outputs, debug, limits)
    raise typer.Exit(
        _exit_code_allowing(
            run.code(Task("verifier.commands.tasks:check_task", options)), allow_undecided
        )
    )


def _names(texts: list[str] | None) -> list[str] | None:
    """The names in texts such as "weight,bias"."""
    return [part.strip() for text in texts for part in text.split(",")] if texts else None


def _check_all(config: Path, run: _CommandRun, limits: Limits, jobs: int) -> int:
    """Check the targets of a file and write their table; the exit code."""
    from verifier.commands.config.run import ConfigRun
    from verifier.commands.config.schema import read_config
    from verifier.reporting.rendering import render

    targets = read_config(config)
    forms = run.outputs.forms
    with watch_signals("check") as watch:
        plan = ConfigRun(_HOST.get(), limits, replace(forms, text=True), jobs)
        report = plan.report(targets, watch)
    code = run.write(render(report, forms), report.exit_code)
    for result in report.results:
        if result.traceback:
            run.send_in(result.target, result.traceback)
    return code


@app.command(
    epilog="Examples: verifier selftest --quick; verifier selftest --seed 1 --html trials.html"
)
def selftest(
    seed: Annotated[int, typer.Option(min=0, help="Seed of the points that are tried.")] = 0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Try a part of it, in half a minute.")
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Write the results as JSON; - is standard output."
        ),
    ] = None,
    html_file: HTML = None,
    debug: DEBUG = False,
) -> None:
    """Put the judge on trial: plant wrong gradients, and let honest code pass.

    Exit code: 0 passed, 1 a lie that must be found was missed or honest code refused,
    2 the input cannot be used, 130 interrupted.
    """
    outputs = Outputs(json=json_file, html=html_file)
    outputs.check()
    options = {"seed": seed, "quick": quick, "forms": asdict(outputs.forms)}
    task = Task("verifier.commands.tasks:selftest_task", options)
    raise typer.Exit(_CommandRun("selftest", "selftest", outputs, debug).code(task))


_PROGRESS = {"train": "training"}
"""What the bar says of a command."""


@dataclass(frozen=True)
class _CommandRun:
    """One task of a command: where it is done, and where its report goes."""

    command: str
    subject: str | None
    """What is judged, as it was typed."""
    outputs: Outputs
    debug: bool = False
    limits: Limits = field(default_factory=Limits)

    def code(self, task: Task) -> int:
        """Do the task and write its report; the exit code."""
        with watch_signals(_PROGRESS.get(self.command, self.command)) as watch:
            ending = _HOST.get().run(task, self.limits, watch)
        if ending.end is End.FINISHED and ending.report is not None:
            code = self.write(self._completed(ending.report), ending.report.exit_code)
            if ending.sentence:
                write_message(f"verifier: {printable(ending.sentence)}\n")
            for error in ending.report.facts.get("failed", ()):
                self.send_in(str(self.subject), error)
            return code
        return self._unfinished(ending)

    def write(self, report: Rendered, code: int) -> int:
        """Write the report; the exit code, which is not 0 where something could not be written."""
        try:
            self.outputs.write(report)
        except ReaderGoneError:
            discard_output(sys.stdout)
        except InputError as error:
            refused = _print_refusal(error.sentence, error.excerpt)
            return code or refused
        return code

    def _completed(self, report: Rendered) -> Rendered:
        """The report in every form that was asked for, whatever could not be made."""
        if not report.facts.get("failed"):
            return report
        from verifier.commands.unfinished import complete_forms

        return complete_forms(report, self.command, self._subject, self.outputs.forms)

    @property
    def _subject(self) -> dict[str, str]:
        return {"target": self.subject} if self.subject else {}

    def _unfinished(self, ending: Ending) -> int:
        from verifier.commands.unfinished import exit_code_of, sentence_of, unfinished_report

        code = exit_code_of(ending)
        if ending.end is End.INTERRUPTED and ending.report is None:
            write_message("verifier: interrupted before anything was decided\n")
            return code
        code = self.write(
            unfinished_report(ending, self.command, self._subject, self.outputs.forms), code
        )
        if ending.end is End.FAILED:
            self.send_in(ending.sentence, ending.traceback)
        elif ending.end is not End.INTERRUPTED:
            _print_refusal(sentence_of(ending), ending.excerpt)
        return code

    def send_in(self, what: str, error: str) -> None:
        """Say that this is an error of ours, and what to send."""
        _internal_error(what, error, self.debug)


def _internal_error(what: str, error: str, debug: bool) -> int:
    text = incident_text(sys.argv[1:], error)
    if debug:
        write_message(text)
    path = incident_file(text)
    where = f"please send us {path}" if path else "run it again with --debug to see what to send us"
    write_message(f"verifier: an internal error of verifier ({printable(what)}): {where}\n")
    return 4


# typer brings its own copy of click or uses the installed one, depending on its version.
_UsageError: UserValue = typer.BadParameter.__base__


_HOST: ContextVar[Host] = ContextVar("host")
"""Where tasks are done."""


def main() -> None:
    """Run the command line, each task in a process of its own, and exit with its code."""
    code = run(sys.argv[1:], InWorkers())
    settle_streams()
    sys.exit(code)


def run(arguments: list[str], host: Host | None = None) -> int:
    """The exit code of these arguments; what cannot be used is one sentence on standard error and
    2.

    Without a host tasks are done in this process, as tests want it.
    """
    before = _HOST.set(host or InThisProcess())
    try:
        return _run_arguments(arguments)
    finally:
        _HOST.reset(before)


def _run_arguments(arguments: list[str]) -> int:
    try:
        require_torch()
        result = app(arguments or ["--help"], standalone_mode=False, prog_name="verifier")
        if sys.stdout is not None:
            sys.stdout.flush()
    except InputError as error:
        return _print_refusal(error.sentence, error.excerpt)
    except _UsageError as error:
        return _print_refusal(f"{error.format_message().rstrip('.')} (verifier --help)")
    except typer.Exit as error:
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        write_message("verifier: interrupted\n")
        return 130
    except (ReaderGoneError, BrokenPipeError, SystemExit):
        # What shows the help exits where nobody reads it.
        discard_output(sys.stdout)
        return 0
    except OSError as error:
        return _print_refusal(too_long(error) or f"cannot write the report: {reason_of(error)}")
    except Exception as error:
        return _internal_error(type(error).__name__, traceback.format_exc(), "--debug" in arguments)
    return result if isinstance(result, int) else 0


def _print_refusal(sentence: str, excerpt: str = "") -> int:
    write_message(f"verifier: {printable(sentence)}\n" + (f"{excerpt}\n" if excerpt else ""))
    return 2
