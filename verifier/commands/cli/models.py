"""The commands on models: list, show, train and explain."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from verifier.commands.cli.options import (
    DataGroup,
    DetailGroup,
    FilesGroup,
    ModelGroup,
    TrainingGroup,
    UndecidedGroup,
    point_numbers,
)
from verifier.errors import InputError, printable
from verifier.reporting.content.detail import Detail
from verifier.reporting.rendering import Screen

_NARROWEST = 20
"""How wide a list is at least."""


@dataclass(frozen=True)
class ListOptions(DetailGroup):
    """What list shows."""


def list_models(options: ListOptions) -> None:
    """List the gallery's models, in groups by their loss."""
    from verifier.commands.terminal.streams import write_line
    from verifier.formula.gallery_list import entries_by_loss, gallery_entries

    entries = gallery_entries()
    if options.detail is Detail.QUIET:
        write_line("\n".join(entry.name for entry in entries))
        return
    names = max((len(entry.name) for entry in entries), default=0)
    room = max(_NARROWEST, min(Screen.of_standard_output().width, 80) - 1)
    # Where little is left beside the names, what a model is stands below its name.
    indent = names + 4 if room - names >= 2 * _NARROWEST else 4
    for place, (kind, group) in enumerate(entries_by_loss(entries).items()):
        write_line(("\n" if place else "") + kind)
        for entry in group:
            texts = (printable(entry.description), printable(", ".join(entry.parameters)))
            lines = [line for text in texts for line in textwrap.wrap(text, room - indent)]
            first = lines.pop(0) if lines and indent > 4 else ""
            write_line(f"  {entry.name:<{names}}  {first}".rstrip())
            for line in lines:
                write_line(f"{'':{indent}}{line}")


@dataclass(frozen=True)
class ShowOptions(DetailGroup, ModelGroup):
    """What show shows."""

    latex: Annotated[bool, typer.Option("--latex", help="Write the formulas in LaTeX.")] = False
    torch: Annotated[
        bool,
        typer.Option("--torch", help="Write the torch training loop that a person would write."),
    ] = False


def show(options: ShowOptions) -> None:
    """Show a model's formula and gradient, or the formula that was read from the forward of code.

    For code give its inputs, as for check: verifier show layers.py::MyNorm --input x=-2:2:4x8.
    """
    from verifier.commands.cli.command_run import CommandRun
    from verifier.commands.terminal import Outputs
    from verifier.process.workers.task import Task

    if options.torch and options.latex:
        raise InputError("--latex and --torch are two ways to write a model: choose one")
    task = Task(
        "verifier.commands.tasks:show_task",
        {"model": options.model_options(), "latex": options.latex, "torch": options.torch},
    )
    outputs = Outputs(detail=options.detail)
    run = CommandRun("show", options.model or options.formula, outputs, options.debug)
    raise typer.Exit(run.code(task))


@dataclass(frozen=True)
class TrainOptions(FilesGroup, UndecidedGroup, TrainingGroup, DataGroup, ModelGroup):
    """How a model is trained, and what is shown of it."""

    everything: Annotated[
        bool,
        typer.Option("--all", help="Train the gallery's models that bring their data; one table."),
    ] = False
    predict: Annotated[
        list[str] | None,
        typer.Option(metavar="x=4", help="Predict there in the end; may be repeated."),
    ] = None
    every: Annotated[int | None, typer.Option(min=1, help="Show every so many epochs.")] = None
    only_failing: Annotated[
        bool, typer.Option("--only-failing", help="Show only the steps that fail.")
    ] = False
    stop_on_failure: Annotated[
        bool, typer.Option("--stop-on-failure", help="End the training at the first failure.")
    ] = False
    finite_differences: Annotated[
        bool,
        typer.Option("--finite-differences", help="Add finite differences as a third opinion."),
    ] = False
    log: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl", help="Write each step as a line of JSON while it trains."
        ),
    ] = None
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="[FILE]",
            help="Draw costs, errors and paths (.svg, .png or .pdf); alone: in the terminal.",
        ),
    ] = None

    @property
    def asks_for_one_model(self) -> bool:
        """Whether anything was typed that the whole gallery cannot be trained with."""
        data = (self.data, self.weights, self.column, self.sep, self.decimal)
        settings = (*data, self.predict, self.every, self.plot, self.log)
        flags = (self.only_failing, self.stop_on_failure, self.finite_differences)
        return self.has_model or any(flags) or any(value is not None for value in settings)


def train(options: TrainOptions) -> None:
    """Train a model both ways and judge every gradient.

    Exit code: 0 verified, 1 something disagrees, 2 the input cannot be used,
    3 something has no decided comparison, 130 interrupted.
    """
    from verifier.commands.cli.command_run import CommandRun, files_of
    from verifier.commands.terminal import Outputs
    from verifier.process.workers.task import Task

    settings = options.training_settings()
    points = [point_numbers(text, "predict", "--predict x=4") for text in options.predict or []]
    outputs = Outputs(
        options.json_file, options.plot, options.html_file, log=options.log, detail=options.detail
    )
    outputs.check(files_of(options.model, data=options.data))
    forms = asdict(outputs.forms)
    if options.everything:
        if options.asks_for_one_model:
            raise InputError(
                "--all trains the gallery as it is, in one table: give only settings, --json and "
                "--html with it"
            )
        task = Task(
            "verifier.commands.tasks:train_all_task", {"settings": settings, "forms": forms}
        )
    else:
        task = Task("verifier.commands.tasks:train_task", {
            "model": {**options.model_options(), **options.data_options()},
            "settings": settings,
            "points": points,
            "stop_on_failure": options.stop_on_failure,
            "third_opinion": options.finite_differences,
            "view": {"every": options.every, "only_failing": options.only_failing},
            "forms": forms,
            "log": None if options.log is None else str(options.log.absolute()),
        })  # fmt: skip
    subject = options.model or options.formula or "the gallery"
    code = CommandRun("train", subject, outputs, options.debug).code(task)
    raise typer.Exit(options.allowed(code))


@dataclass(frozen=True)
class ExplainOptions(FilesGroup, UndecidedGroup, TrainingGroup, DataGroup, ModelGroup):
    """Which step of which training is explained."""

    at: Annotated[
        str | None, typer.Option(metavar="x=3,y=6", help="Data, and parameters, to explain it at.")
    ] = None
    step: Annotated[
        int | None,
        typer.Option(metavar="N", help="The step of the training, as train numbers it."),
    ] = None


def explain(options: ExplainOptions) -> None:
    """Show how the gradient of one step comes about, node by node.

    Without --at and --step it is the first step of the training. --at with a row of the data
    is the first step that uses it. The settings are those of train.
    """
    from verifier.commands.cli.command_run import CommandRun, files_of
    from verifier.commands.terminal import Outputs
    from verifier.process.workers.task import Task

    at = options.at
    point = point_numbers(at, "explain", "--at x=3,y=6") if at is not None else None
    outputs = Outputs(json=options.json_file, html=options.html_file, detail=options.detail)
    outputs.check(files_of(options.model, data=options.data))
    task = Task("verifier.commands.tasks:explain_task", {
        "model": {**options.model_options(), **options.data_options()},
        "settings": options.training_settings(), "at": point, "step": options.step,
        "forms": asdict(outputs.forms),
    })  # fmt: skip
    run = CommandRun("explain", options.model or options.formula, outputs, options.debug)
    raise typer.Exit(options.allowed(run.code(task)))
