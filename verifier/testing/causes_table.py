"""Causes table: how often causes were named in random formulas, rightly and wrongly, and whether
that is good enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verifier.reporting.content.blocks import Table
from verifier.testing.causes_trial import CauseResult
from verifier.testing.mutation_operators import MISTAKES
from verifier.testing.tables import table_of

RIGHTLY, WRONGLY, HOLDING = 0.95, 0.01, 0.98
"""The share of formulas in which a cause must be named that is there, and may be named that
is not; and of those in which it is named rightly, in which it holds at the point that is shown.
"""
NO_CAUSE = "no cause"


@dataclass(frozen=True)
class Naming:
    """How often a cause was named; of no cause, how often none was."""

    cause: str
    planted: int
    rightly: int
    elsewhere: int
    """Formulas in which it is not there."""
    wrongly: int
    holding: int = 0
    """In how many of those in which it is there it is also named, and its prediction holds, at the
    point that a report would show.
    """

    @property
    def is_good(self) -> bool:
        """Whether causes are named often enough where they are planted, and seldom enough
        elsewhere.
        """
        is_named = self.rightly >= RIGHTLY * self.planted
        is_held = self.holding >= HOLDING * self.rightly
        return is_named and is_held and self.wrongly <= WRONGLY * self.elsewhere


def namings(accused: Sequence[CauseResult]) -> list[Naming]:
    """A row for each cause that was planted or named in the results `accused`, in the order of the
    mistakes.
    """
    known = dict.fromkeys(
        [mistake.cause for mistake in MISTAKES] + [name for one in accused for name in one.named]
    )
    return [
        row for row in (_naming(cause, accused) for cause in known) if row.planted or row.wrongly
    ]


def _naming(cause: str, accused: Sequence[CauseResult]) -> Naming:
    own = [one for one in accused if one.planted == cause]
    others = [one for one in accused if one.planted != cause]
    wrongly = sum(cause in one.wrongly for one in others)
    rightly, holding = (
        sum(one.is_right for one in own),
        sum(one.is_right and one.holds_where_shown for one in own),
    )
    return Naming(cause, len(own), rightly, len(others), wrongly, holding)


def naming_table(rows: Sequence[Naming]) -> Table:
    """The causes as a table, with the `rows` that `namings` gives."""
    return table_of(
        "Causes",
        "Causes of mistakes planted in random formulas: named where they are, and where not.",
        ("cause", "named\nrightly", "holds where\nshown", "named though\nnot there"),
        map(_cells, rows),
    )


def _cells(row: Naming) -> tuple[str, ...]:
    wrongly = _of(row.wrongly, row.elsewhere) if row.cause else "–"
    holding = _of(row.holding, row.rightly) if row.cause else "–"
    return (row.cause or NO_CAUSE, _of(row.rightly, row.planted), holding, wrongly)


def _of(some: int, all_: int) -> str:
    return f"{some}/{all_}" if all_ else "–"
