"""The command line. Reports go to standard output; progress and messages to standard error."""

from __future__ import annotations

import json
import os
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

import verifier
from verifier.errors import InputError, printable

if TYPE_CHECKING:
    from rich.text import Text

    from verifier.explanation import Explanation
    from verifier.modeling import Model
    from verifier.report import Report
    from verifier.summary import Summary
    from verifier.teaching import Lesson
    from verifier.trialreport import Trials

app = typer.Typer(
    name="verifier",
    help="Is this gradient right, how do we know, and if not, why?",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

MODEL = Annotated[str | None, typer.Argument(metavar="MODEL", help="A gallery name, or path/to/file.py::name.")]
FORMULA = Annotated[str | None, typer.Option(metavar="TEXT", help="A formula in place of MODEL, such as 'w*x + b'.")]
INPUTS = Annotated[
    list[str] | None, typer.Option("--input", metavar="x", help="A symbol of the formula that is an input.")
]
START = Annotated[
    list[str] | None, typer.Option("--start", metavar="w=0.5", help="Where a parameter of the formula starts; else 1.")
]
LOSS = Annotated[str | None, typer.Option("--loss", help="The formula's loss, by its name in verifier.losses.")]
DATA = Annotated[
    str | None, typer.Option(metavar="FILE", help="Data from a CSV file whose first line names the columns.")
]
WEIGHTS = Annotated[str | None, typer.Option(metavar="COLUMN", help="A column that multiplies each row's loss.")]
HOLD_OUT = Annotated[
    float | None, typer.Option(metavar="0.2", help="Hold out this fraction of the rows and report their loss.")
]
EPOCHS = Annotated[int | None, typer.Option(help="Passes over the data.")]
LR = Annotated[float | None, typer.Option(help="Learning rate.")]
OPTIMIZER = Annotated[str | None, typer.Option(help="sgd, or any of torch.optim by its name.")]
DTYPE = Annotated[str | None, typer.Option(help="float32 or float64.")]
BATCH = Annotated[str | None, typer.Option(help="Rows a step, or all.")]
SHUFFLE = Annotated[bool | None, typer.Option("--shuffle", help="Take the rows of each epoch in random order.")]
SEED = Annotated[int | None, typer.Option(help="Seed of the random order.")]
ALLOW_UNDECIDED = Annotated[bool, typer.Option("--allow-undecided", help="Exit with 0 where nothing could be decided.")]
JSON = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the report as JSON; - is standard output.")
]
HTML = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the report as a page that needs nothing else.")
]


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
    from verifier.gallery import gallery, groups

    models = gallery()
    width = max(map(len, models), default=0)
    for place, (kind, group) in enumerate(groups(models.values()).items()):
        _echo(("\n" if place else "") + kind)
        for model in group:
            first, *rest = textwrap.wrap(printable(model.description.partition("\n")[0]), 75 - width) or [""]
            _echo(f"  {model.name:<{width}}  {first}")
            for line in rest:
                _echo(f"  {'':<{width}}  {line}")


@app.command(epilog="Examples: verifier show quadratic; verifier show quadratic --torch > loop.py")
def show(
    model: MODEL = None,
    formula: FORMULA = None,
    inputs: INPUTS = None,
    start: START = None,
    loss: LOSS = None,
    latex: Annotated[bool, typer.Option("--latex", help="Write the formulas in LaTeX.")] = False,
    torch: Annotated[
        bool, typer.Option("--torch", help="Write the torch training loop that a person would write.")
    ] = False,
) -> None:
    """Show a model's formula and gradient."""
    if torch and latex:
        raise InputError("--latex and --torch are two ways to write a model: choose one")
    chosen = _chosen(model, formula, inputs, start, loss, None)

    # What cannot be read is refused before torch is loaded.
    from verifier import written
    from verifier.training import settings_for

    if torch:
        _echo(written.torch_loop(chosen, settings_for(chosen, {})).rstrip())
        return
    for line in chosen.latex() if latex else written.formulas(chosen):
        _echo(printable(line))


class _PlotAlone(TyperCommand):
    """Lets --plot stand without a file, which typer has no word for: it then means the terminal, as --plot - does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(_with_terminal(args)))


def _with_terminal(words: list[str]) -> Iterator[str]:
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        yield word
        if word == "--plot" and following.startswith("-") and following != "-":
            yield "-"


@app.command(
    cls=_PlotAlone,
    epilog="Examples: verifier train quadratic; verifier train linear --epochs 10 --every 1 --predict x=4; "
    "verifier train my_models.py::bump --dtype float64 --json report.json; "
    "verifier train rosenbrock --html report.html",
)
def train(
    model: MODEL = None,
    formula: FORMULA = None,
    inputs: INPUTS = None,
    start: START = None,
    loss: LOSS = None,
    everything: Annotated[bool, typer.Option("--all", help="Train the whole gallery and print one table.")] = False,
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
        list[str] | None, typer.Option(metavar="x=4", help="Predict there in the end; may be repeated.")
    ] = None,
    every: Annotated[int | None, typer.Option(min=1, help="Show every so many epochs.")] = None,
    only_failing: Annotated[bool, typer.Option("--only-failing", help="Show only the steps that fail.")] = False,
    stop_on_failure: Annotated[
        bool, typer.Option("--stop-on-failure", help="End the training at the first failure.")
    ] = False,
    finite_differences: Annotated[
        bool, typer.Option("--finite-differences", help="Add finite differences as a third opinion.")
    ] = False,
    allow_undecided: ALLOW_UNDECIDED = False,
    json_file: JSON = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="[FILE]", help="Draw costs, errors and paths (.svg, .png or .pdf); alone: in the terminal."
        ),
    ] = None,
    html_file: HTML = None,
) -> None:
    """Train a model both ways and judge every gradient.

    Exit code: 0 verified, 1 something disagrees, 2 the input cannot be used,
    3 something has no decided comparison, 130 interrupted.
    """
    given: dict[str, Any] = {
        "epochs": epochs, "lr": lr, "optimizer": optimizer, "dtype": dtype, "batch": _batch(batch),
        "shuffle": shuffle, "seed": seed, "hold_out": hold_out,
    }  # fmt: skip
    points = [_point(text, "predict", "--predict x=4") for text in predict or []]
    outputs = Outputs(json_file, plot, html_file)
    outputs.check()

    settings = {name: value for name, value in given.items() if value is not None}
    if everything:
        beside = (model, formula, inputs, start, loss, data, weights, predict, every, plot)
        if any(asked is not None for asked in beside) or only_failing or stop_on_failure or finite_differences:
            raise InputError(
                "--all trains the gallery as it is, in one table: give only settings, --json and --html with it"
            )
        raise typer.Exit(_code(_train_all(settings, outputs), allow_undecided))

    # What a model file prints is a message; standard output is for the report.
    with _watched() as keep_going, redirect_stdout(sys.stderr):
        chosen = _chosen(model, formula, inputs, start, loss, data)
        chosen = chosen.with_weights(weights) if weights else chosen

        from verifier.tables import View
        from verifier.training import train as run

        keep_going.refuse_if_interrupted()
        report = run(
            chosen,
            data=data,
            predict=points,
            stop_on_failure=stop_on_failure,
            third_opinion=finite_differences,
            keep_going=keep_going,
            **settings,
        )
    report = replace(report, view=View(every, only_failing))
    outputs.write(report)
    raise typer.Exit(_code(report.exit_code, allow_undecided))


@app.command(
    epilog="Examples: verifier explain quadratic --at x=3,y=6; verifier explain quadratic --step 6 --html step.html; "
    "verifier explain --formula 'exp(-k*t)' --input t --at t=2,y=0.5,k=0.3"
)
def explain(
    model: MODEL = None,
    formula: FORMULA = None,
    inputs: INPUTS = None,
    start: START = None,
    loss: LOSS = None,
    at: Annotated[str | None, typer.Option(metavar="x=3,y=6", help="Data, and parameters, to explain it at.")] = None,
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
) -> None:
    """Show how the gradient of one step comes about, node by node.

    Without --at and --step it is the first step of the training. --at with a row of the data
    is the first step that uses it. The settings are those of train.
    """
    given: dict[str, Any] = {
        "epochs": epochs, "lr": lr, "optimizer": optimizer, "dtype": dtype, "batch": _batch(batch),
        "shuffle": shuffle, "seed": seed, "hold_out": hold_out,
    }  # fmt: skip
    point = _point(at, "explain", "--at x=3,y=6") if at is not None else None
    outputs = Outputs(json_file, None, html_file)
    outputs.check()
    with _watched() as keep_going, redirect_stdout(sys.stderr):
        chosen = _chosen(model, formula, inputs, start, loss, data)
        chosen = chosen.with_weights(weights) if weights else chosen

        from verifier.explaining import explain as run

        keep_going.refuse_if_interrupted()
        settings = {name: value for name, value in given.items() if value is not None}
        explanation = run(chosen, at=point, step=step, data=data, keep_going=keep_going, **settings)
    outputs.write(explanation)
    raise typer.Exit(_code(explanation.exit_code, allow_undecided))


@app.command(epilog="Examples: verifier lesson; verifier lesson quadratic; verifier lesson tensor --lang zh")
def lesson(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A lesson's name or number; else all are listed.")
    ] = None,
    lang: Annotated[str, typer.Option(help="en, or zh for the first four.")] = "en",
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page that loads nothing.")
    ] = None,
    json_file: JSON = None,
) -> None:
    """Walk through a lesson: its code is run and its claims are checked.

    Exit code: 0 where every claim holds, 1 where one does not, 2 the input cannot be used.
    """
    from verifier.script import scripts

    outputs = Outputs(json_file, None, html)
    outputs.check()
    if name is None:
        if html is not None or json_file is not None:
            raise InputError(
                "--html and --json write one lesson: say which, as in verifier lesson quadratic --html FILE"
            )
        for found in scripts(lang):
            _echo(f"{found.number:>2}  {found.name:<13} {found.title}")
        return

    from verifier.script import script
    from verifier.teaching import taught

    shown = taught(script(name, lang))
    outputs.write(shown)
    raise typer.Exit(shown.exit_code)


def _code(code: int, allow_undecided: bool) -> int:
    return 0 if code == 3 and allow_undecided else code


def _chosen(
    model: str | None,
    formula: str | None,
    inputs: list[str] | None,
    start: list[str] | None,
    loss: str | None,
    data: str | None,
) -> Model:
    """The model that was named, or that of the formula that was typed. Raises InputError unless it is one of them."""
    from verifier.gallery import load
    from verifier.typed import Typed, typed_model

    if (model is None) == (formula is None):
        raise InputError("say which model: a name of the gallery, path/to/file.py::name, or --formula 'w*x + b'")
    if formula is not None:
        return typed_model(Typed(formula, tuple(inputs or ()), tuple(start or ()), loss, data))
    if inputs or start or loss:
        raise InputError("--input, --start and --loss say what a formula leaves open: give them with --formula")
    return load(str(model))


def _train_all(settings: dict[str, Any], outputs: Outputs) -> int:
    """Train the gallery and write its table; the exit code."""
    from verifier.gallery import gallery
    from verifier.summary import train_all

    with _watched() as keep_going, redirect_stdout(sys.stderr):
        models = gallery().values()
        keep_going.refuse_if_interrupted()
        summary = train_all(models, keep_going=keep_going, **settings)
    outputs.write(summary)
    return summary.exit_code


def _batch(text: str | None) -> int | str | None:
    if text is None or text == "all":
        return text
    try:
        return int(text)
    except ValueError:
        return text


def _point(text: str, verb: str, example: str) -> dict[str, float]:
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


@app.command(epilog="Examples: verifier selftest --quick; verifier selftest --seed 1 --html trials.html")
def selftest(
    seed: Annotated[int, typer.Option(min=0, help="Seed of the points that are tried.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Try a part of it, in half a minute.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the results as JSON; - is standard output.")
    ] = None,
    html_file: HTML = None,
) -> None:
    """Put the judge on trial: plant wrong gradients, and let honest code pass.

    Exit code: 0 passed, 1 a lie that must be found was missed or honest code refused,
    2 the input cannot be used, 130 interrupted.
    """
    outputs = Outputs(json_file, None, html_file)
    outputs.check()
    with _watched("selftest", every=1) as keep_going:
        from verifier.trialreport import selftest as run

        keep_going.refuse_if_interrupted()
        trials = run(seed=seed, quick=quick, keep_going=keep_going)
    outputs.write(trials)
    raise typer.Exit(trials.exit_code)


class Outputs:
    """Where the report goes besides the terminal."""

    def __init__(self, json_file: Path | None, plot: Path | None, html_file: Path | None) -> None:
        self._json = json_file
        self._plot = plot
        self._html = html_file
        self._files = {"--json": json_file, "--plot": plot, "--html": html_file}

    def check(self) -> None:
        """Raise InputError before anything runs if one of the files could not be written."""
        from verifier import files

        if _is_standard_output(self._html):
            raise InputError("--html writes a file: name it, as in --html report.html")
        if _is_standard_output(self._json) and _is_standard_output(self._plot):
            raise InputError("--json - and --plot without a file both go to standard output: give one of them a file")
        if self._plot is not None and not _is_standard_output(self._plot):
            from verifier import pictures

            pictures.check_suffix(self._plot)
        self._refuse_one_file_for_two()
        for path in self._files.values():
            if path is not None and not _is_standard_output(path):
                files.check_writable(path)

    def _refuse_one_file_for_two(self) -> None:
        seen: dict[Path, str] = {}
        for option, path in self._files.items():
            if path is not None and path in seen and not _is_standard_output(path):
                raise InputError(f"cannot write {str(path)!r}: {seen[path]} and {option} name the same file")
            if path is not None:
                seen[path] = option

    def write(self, report: Report | Summary | Explanation | Lesson | Trials) -> None:
        from verifier import files

        if _is_standard_output(self._json):
            _echo(_json_text(report))
        else:
            _print(report.lines)
        if self._json is not None and not _is_standard_output(self._json):
            files.write(self._json, lambda path: path.write_text(_json_text(report) + "\n", encoding="utf-8"))
        if self._html is not None:
            page = report.to_html()
            files.write(self._html, lambda path: path.write_text(page, encoding="utf-8"))
        if self._plot is not None:
            self._draw(report, self._plot)

    def _draw(self, report: Any, plot: Path) -> None:
        """The pictures of one training; several are not drawn."""
        from verifier import files, pictures, sketch

        if _is_standard_output(plot):
            _echo("")
            _print(lambda width: sketch.sketches(report.findings, width))
        else:
            title = f"{report.model.name}: {report.outcome.value}"
            files.write(plot, lambda path: pictures.draw(report.pictures, title, path))


def _is_standard_output(path: Path | None) -> bool:
    return path is not None and str(path) == "-"


class _ReaderGoneError(Exception):
    """Whoever read standard output has enough.

    Rich and typer would exit with 1, which says here that something disagrees.
    """


def _echo(text: str) -> None:
    try:
        typer.echo(text)
    except BrokenPipeError:
        raise _ReaderGoneError from None


def _json_text(report: Report | Summary | Explanation | Lesson | Trials) -> str:
    return json.dumps(report.to_json(), allow_nan=False, indent=1, ensure_ascii=False)


def _print(lines: Callable[[int], Iterator[Text]]) -> None:
    """What `lines` makes of a width, in the terminal's width and colours; ASCII where the terminal has nothing else."""
    from rich.console import Console

    class Terminal(Console):
        def on_broken_pipe(self) -> None:
            raise _ReaderGoneError

    console = Terminal(highlight=False)
    console.width = console.width or 80
    width = console.width if console.is_terminal or "COLUMNS" in os.environ else 80
    for line in lines(width):
        if not _encodes(console.encoding):
            ascii_only = line.plain.translate(_ASCII).encode(console.encoding, "backslashreplace")
            line.plain = ascii_only.decode(console.encoding)
        console.print(line, soft_wrap=True)


_ASCII = str.maketrans(
    {"─": "-", "⋯": "...", "–": "-", "−": "-", "·": "*", "•": "*", "²": "^2", "∂": "d", "Σ": "sum", "┤": "+", "└": "+"}
    | dict.fromkeys("│├", "|")
)


def _encodes(encoding: str) -> bool:
    try:
        "─⋯–".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


PROGRESS_AFTER = 1.0
"""Seconds after which a run shows its progress."""


class _Watch:
    """Asked before each step: shows a progress bar on standard error after a second, and says when to end."""

    def __init__(self, what: str, every: int) -> None:
        self.interrupted = False
        self._what, self._every = what, every
        self._started = time.monotonic()
        self._bar: Any = None

    def __call__(self, done: int, planned: int) -> bool:
        if done % self._every == 0:
            self._show(done, planned)
        return not self.interrupted

    def _show(self, done: int, planned: int) -> None:
        if self._bar is None and sys.stderr.isatty() and time.monotonic() - self._started > PROGRESS_AFTER:
            self._bar = _progress_bar()
            self._task = self._bar.add_task(self._what, total=planned)
            self._bar.start()
        if self._bar is not None:
            self._bar.update(self._task, completed=done)

    def refuse_if_interrupted(self) -> None:
        """End the program where nothing has been done yet."""
        if self.interrupted:
            raise KeyboardInterrupt

    def clear(self) -> None:
        if self._bar is not None:
            self._bar.stop()

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """The first Ctrl-C ends the run after its step; a second one ends the program."""
        self.interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _progress_bar() -> Any:
    from rich.console import Console
    from rich.progress import Progress

    return Progress(console=Console(stderr=True), transient=True)


@contextmanager
def _watched(what: str = "training", every: int = 256) -> Iterator[_Watch]:
    """`every` says at how many steps at least the progress is worth showing."""
    watch = _Watch(what, every)
    if threading.current_thread() is not threading.main_thread():
        yield watch
        return
    before = signal.signal(signal.SIGINT, watch.interrupt)
    try:
        yield watch
    except InputError:
        # A run that was ended before its first step has nothing to say.
        watch.refuse_if_interrupted()
        raise
    finally:
        signal.signal(signal.SIGINT, before)
        watch.clear()


# typer brings its own copy of click or uses the installed one, depending on its version.
_UsageError: Any = typer.BadParameter.__base__


def main() -> None:
    """Run the command line; what cannot be used is one sentence on standard error and exit code 2."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of these arguments."""
    try:
        result = app(arguments or ["--help"], standalone_mode=False, prog_name="verifier")
        if sys.stdout is not None:
            sys.stdout.flush()
    except InputError as error:
        return _refuse(error.sentence, error.excerpt)
    except _UsageError as error:
        return _refuse(f"{error.format_message().rstrip('.')} (verifier --help)")
    except typer.Exit as error:
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except (_ReaderGoneError, BrokenPipeError):
        # Python must not try to flush the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        return _refuse(f"cannot write the report: {error.strerror or error}")
    return result if isinstance(result, int) else 0


def _refuse(sentence: str, excerpt: str = "") -> int:
    sys.stderr.write(f"verifier: {printable(sentence)}\n" + (f"{excerpt}\n" if excerpt else ""))
    return 2
