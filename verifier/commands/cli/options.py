"""The groups of options that several commands have, each a record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from verifier.errors import InputError
from verifier.process.values import UserValue
from verifier.reporting.content.detail import Detail


def _names_that_begin(incomplete: str) -> list[str]:
    """The gallery's names, for the shell."""
    from verifier.formula.gallery_list import gallery_entries

    return [entry.name for entry in gallery_entries() if entry.name.startswith(incomplete)]


@dataclass(frozen=True)
class ModelGroup:
    """Which model."""

    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="A gallery name, or path/to/file.py::name.",
            autocompletion=_names_that_begin,
        ),
    ] = None
    formula: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="A formula in place of MODEL, such as 'w*x + b'."),
    ] = None
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input", "-i", metavar="x", help="A symbol of the formula that is an input."
        ),
    ] = None
    start: Annotated[
        list[str] | None,
        typer.Option(
            "--start", metavar="w=0.5", help="Where a parameter of the formula starts; else 1."
        ),
    ] = None
    loss: Annotated[
        str | None,
        typer.Option("--loss", help="The formula's loss, by its name in verifier.losses."),
    ] = None

    def model_options(self) -> dict[str, UserValue]:
        """Which model, as it was typed. Raises InputError unless it is one."""
        if (self.model is None) == (self.formula is None):
            raise InputError(
                "say which model: a name of the gallery, path/to/file.py::name, or --formula "
                "'w*x + b'"
            )
        return {
            "model": self.model, "formula": self.formula, "inputs": self.inputs,
            "start": self.start, "loss": self.loss,
        }  # fmt: skip

    @property
    def has_model(self) -> bool:
        """Whether anything was said of a model."""
        settings = (self.model, self.formula, self.inputs, self.start, self.loss)
        return any(value is not None for value in settings)


@dataclass(frozen=True)
class DataGroup:
    """Which data a model is trained on."""

    data: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Data from a CSV file whose first line names the columns."
        ),
    ] = None
    weights: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="A column that multiplies each row's loss."),
    ] = None
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="t='Time (s)'", help="The column that a name of the model stands for."
        ),
    ] = None
    sep: Annotated[
        str | None, typer.Option(metavar=";", help="What separates columns; else a comma.")
    ] = None
    decimal: Annotated[
        str | None, typer.Option(metavar=",", help="The decimal sign; else a point.")
    ] = None

    def data_options(self) -> dict[str, UserValue]:
        """The data, as they were typed."""
        table = given_options(columns=self.column or None, sep=self.sep, decimal=self.decimal)
        if table and self.data is None:
            raise InputError(
                "--column, --sep and --decimal say how a file is read: give it with --data"
            )
        return {"data": self.data, "weights": self.weights, "table": table or None}


@dataclass(frozen=True)
class TrainingGroup:
    """How a model is trained."""

    hold_out: Annotated[
        float | None,
        typer.Option(
            metavar="0.2", help="Hold out this fraction of the rows and report their loss."
        ),
    ] = None
    epochs: Annotated[int | None, typer.Option(help="Passes over the data.")] = None
    lr: Annotated[float | None, typer.Option(help="Learning rate.")] = None
    optimizer: Annotated[
        str | None,
        typer.Option(help="sgd, or any of torch.optim by its name, as in adamw(weight_decay=0.1)."),
    ] = None
    dtype: Annotated[str | None, typer.Option(help="float32 or float64.")] = None
    batch: Annotated[str | None, typer.Option(help="Rows a step, or all.")] = None
    shuffle: Annotated[
        bool | None, typer.Option("--shuffle", help="Take the rows of each epoch in random order.")
    ] = None
    seed: Annotated[int | None, typer.Option(help="Seed of the random order.")] = None
    judge_every: Annotated[
        int | None,
        typer.Option(metavar="N", help="Judge each N-th step only, and the last one."),
    ] = None

    def training_settings(self) -> dict[str, UserValue]:
        """Those that were typed."""
        return given_options(
            epochs=self.epochs, lr=self.lr, optimizer=self.optimizer, dtype=self.dtype,
            batch=_whole_number_or_text(self.batch), shuffle=self.shuffle, seed=self.seed,
            hold_out=self.hold_out, judge_every=self.judge_every,
        )  # fmt: skip


@dataclass(frozen=True)
class DetailGroup:
    """How much is shown."""

    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Show every number, and what was ruled out."),
    ] = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show the verdict alone.")] = False
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an internal error.")
    ] = False

    @property
    def detail(self) -> Detail:
        """How much is shown. Raises InputError where both less and more were asked for."""
        if self.verbose and self.quiet:
            raise InputError("--verbose shows more and --quiet less: choose one")
        if self.verbose:
            return Detail.VERBOSE
        return Detail.QUIET if self.quiet else Detail.SHORT


@dataclass(frozen=True)
class FilesGroup(DetailGroup):
    """Where the report goes besides the terminal."""

    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Write the report as JSON; - is standard output."
        ),
    ] = None
    html_file: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Write the report as a page that needs nothing else."
        ),
    ] = None


@dataclass(frozen=True)
class UndecidedGroup:
    """What is a failure."""

    allow_undecided: Annotated[
        bool, typer.Option("--allow-undecided", help="Exit with 0 where nothing could be decided.")
    ] = False

    def allowed(self, code: int) -> int:
        """The exit code, where it is allowed that nothing could be decided."""
        return 0 if code == 3 and self.allow_undecided else code


def given_options(**settings: Any) -> dict[str, UserValue]:
    """Those that were typed."""
    return {name: value for name, value in settings.items() if value is not None}


def _whole_number_or_text(text: str | None) -> int | str | None:
    if text is None or text == "all":
        return text
    try:
        return int(text)
    except ValueError:
        return text


def point_numbers(text: str, verb: str, example: str) -> dict[str, float]:
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
