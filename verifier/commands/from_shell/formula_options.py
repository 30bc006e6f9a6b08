"""Formula options: a model typed at the command line, as a formula and as much about its symbols as
is needed.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from verifier.errors import InputError
from verifier.formula.model import Model
from verifier.formula.text.parser import symbol_names
from verifier.losses import LOSSES
from verifier.process.values import UserFunction, UserValue
from verifier.training.data import column_names

NAME = "formula"
START = 1.0


@dataclass(frozen=True, eq=False)
class FormulaOptions:
    """What was typed besides the formula."""

    formula: str
    inputs: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    """Settings such as w=0.5."""
    loss: str | None = None
    data: UserValue = None


def model_of_formula(typed: FormulaOptions) -> Model:
    """The model of the formula.

    A symbol is an input where it was said to be one or where the data has a column of that name,
    else a parameter that starts from 1 unless another number was given. The loss is that of the
    name given, else the squared error where there are inputs.

    Raises InputError for a formula that cannot be read and for names that do not fit it.

    >>> data = {"x": [1.0], "y": [2.0]}
    >>> model_of_formula(FormulaOptions("w*x + b", data=data, start=("b=0.5",)))
    <Model formula: inputs x; parameters w, b>
    """
    used = symbol_names(typed.formula)
    given = _start_numbers(typed.start)
    offered = column_names(typed.data)
    columns = {*typed.inputs, *offered} - given.keys()
    inputs = [name for name in used if name in columns]
    loss = _loss_named(typed.loss, inputs)
    in_loss = inspect.signature(loss).parameters if loss else ()
    if typed.data is not None and not inputs:
        raise InputError(
            "no column of the data is a symbol of the formula: it has "
            f"{', '.join(offered) or 'none'}{_separator_hint(offered)}"
        )
    for name in (
        *typed.inputs,
        *(name for name in given if name in offered or name not in in_loss),
    ):
        if name not in used:
            raise InputError(
                f"the formula has no symbol {name!r}: it has {', '.join(used) or 'none'}"
            )
    start = {name: START for name in used if name not in columns} | dict(given)
    model = Model.from_text(
        typed.formula, inputs=inputs, start=start, loss=loss, data=typed.data, name=NAME
    )
    model.description = typed.formula
    model.origin = _option_words(typed)
    return model


def _separator_hint(offered: Sequence[str]) -> str:
    """What to type where the columns are separated by another sign than a comma."""
    mark = next((mark for mark in ";\t|" if len(offered) == 1 and mark in offered[0]), "")
    return f": give --sep {mark if mark != chr(9) else 'tab'!r}" if mark else ""


def _start_numbers(settings: Sequence[str]) -> Mapping[str, float]:
    numbers = {}
    for setting in settings:
        match = re.fullmatch(r"\s*(\w+)\s*=\s*(\S+)\s*", setting)
        try:
            if match is None or match[1] in numbers:
                raise ValueError
            numbers[match[1]] = float(match[2])
        except ValueError:
            raise InputError(
                f"cannot start from {setting!r}: write each parameter once as name=number, as in "
                "--start w=0.5"
            ) from None
    return numbers


def _loss_named(name: str | None, inputs: Sequence[str]) -> UserFunction | None:
    if name is None:
        return LOSSES["squared_error"] if inputs else None
    if name not in LOSSES:
        raise InputError(f"there is no loss {name!r}: there is {', '.join(LOSSES)}")
    return LOSSES[name]


def _option_words(typed: FormulaOptions) -> tuple[str, ...]:
    words = ["--formula", typed.formula]
    for name in typed.inputs:
        words += ["--input", name]
    for setting in typed.start:
        words += ["--start", setting]
    return (*words, *(["--loss", typed.loss] if typed.loss else []))
