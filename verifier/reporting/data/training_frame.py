"""Frames: a training's steps as a table of pandas, for those who look further."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from verifier.errors import InputError
from verifier.judging.verdict import Comparison
from verifier.process.values import Facts
from verifier.training.findings import Findings
from verifier.training.runner import Step

if TYPE_CHECKING:
    import pandas


def frame(findings: Findings) -> pandas.DataFrame:
    """A row for each judged number of the steps that were kept. Raises InputError without
    pandas.
    """
    return data_frame(_rows(findings)).astype({"sample": "Int64"})


def data_frame(rows: Iterable[Facts]) -> pandas.DataFrame:
    """A frame of these rows. Raises InputError without pandas."""
    try:
        import pandas
    except ImportError:
        raise InputError(
            "to_frame needs pandas: install it, as in pip install 'verifier[pandas]'"
        ) from None
    return pandas.DataFrame(list(rows))


def _rows(findings: Findings) -> Iterator[Facts]:
    for step in findings.steps:
        yield _row(step, "loss", "value", step.loss)
        for name, judged in step.gradient.items():
            opinion = findings.finite_differences.get(step.number, {})
            more = {"finite_differences": opinion.get(name)} if findings.finite_differences else {}
            yield {**_row(step, name, "reverse", judged), **more}


def _row(step: Step, name: str, quantity: str, judged: Comparison) -> Facts:
    return {
        "step": step.number,
        "epoch": step.epoch,
        "sample": step.sample,
        "name": name,
        **({"entry": step.entries.get(name)} if step.entries else {}),
        "quantity": quantity,
        "parameter": step.parameters.get(name) if quantity == "reverse" else None,
        "autograd": judged.stated,
        "symbolic": judged.symbolic,
        **judgement(judged),
    }


def judgement(judged: Comparison) -> Facts:
    """What a row says of a comparison besides what was stated."""
    return {
        "exact": judged.exact,
        "error": judged.error,
        "allowed": judged.allowed,
        "ulps": judged.ulps,
        "digits": judged.digits,
        "outcome": judged.outcome.value,
        "note": judged.note.value,
    }
