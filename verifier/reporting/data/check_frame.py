"""Check frame: every number that a check judged, as a table of pandas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from verifier.checking.tally.components import CheckComponent, Place
from verifier.checking.tally.count import Tally
from verifier.process.values import Facts
from verifier.reporting.data.training_frame import data_frame, judgement

if TYPE_CHECKING:
    import pandas


def check_frame(tally: Tally) -> pandas.DataFrame:
    """A row for each judged number. Raises InputError without pandas."""
    return data_frame(_rows(tally)).astype({"point": "Int64"})


def _rows(tally: Tally) -> Iterator[Facts]:
    for component in tally.components:
        for statement in component.statements:
            for element in range(statement.part.verdicts.error.size):
                yield _row(component, Place(statement, element))


def _row(component: CheckComponent, place: Place) -> Facts:
    judged, point = place.comparison, place.finding.point
    return {
        "check": place.finding.check,
        "point": point.number if point else None,
        "kind": point.kind if point else None,
        "dtype": component.dtype,
        "name": place.part.name,
        "quantity": component.quantity,
        "index": place.index,
        "stated": judged.stated,
        **judgement(judged),
    }
