"""Trial tables: what was planted in code and what was found of it, counted."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace

from verifier.reporting.content.blocks import Column, Row, Table
from verifier.testing.cases import DTYPES
from verifier.testing.mutations import SMALLEST
from verifier.testing.trials import GradcheckResult, HonestResult, LieResult

BUCKETS = (
    (0.0, 0.25, "below 1/4"),
    (0.25, 1.0, "1/4 to 1"),
    (1.0, 4.0, "1 to 4"),
    (4.0, math.inf, "4 or more"),
)
"""Sizes of errors in detection limits."""
LARGEST = 1e300
"""Infinite sizes are counted with it."""
MUST = 4.0
"""An error of so many detection limits must be found."""


def trial_tables(
    planted: Sequence[LieResult], acquitted: Sequence[HonestResult]
) -> tuple[Table, ...]:
    """The lies in `planted` by kind, the judge by dtype, gradcheck on the same code, and the honest
    code in `acquitted`.
    """
    return (
        _liars(planted),
        _dtypes(planted, acquitted),
        _gradchecks(planted, acquitted),
        _twins(acquitted),
    )


def table_of(
    title: str, caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]
) -> Table:
    """A table of names and counts; a title may have two lines, which are one elsewhere."""
    columns = [Column(head.replace("\n", " "), head) for head in heads]
    columns[0] = replace(columns[0], justify="left")
    return Table(title, caption, columns, [Row(tuple(cells)) for cells in rows])


def _share(found: Sequence[bool]) -> str:
    """How many of how many."""
    return f"{sum(found)}/{len(found)}" if found else "–"


def _liars(planted: Sequence[LieResult]) -> Table:
    caption = (
        "Lies found of those planted in numbers, by the size of the error in detection limits, "
        "and of those planted in a formula; slow and fast: gradcheck's of the errors of 4 or more "
        "in float64."
    )
    rows = {
        row: [one for one in planted if one.row == row]
        for row in dict.fromkeys(one.row for one in planted)
    }
    sizes = [title.replace(" ", "\n", 1) for _, _, title in BUCKETS]
    return table_of(
        "Lies by kind",
        caption,
        ["lie", *sizes, "wrong\nformula", "gradcheck,\nslow", "gradcheck,\nfast"],
        [[name, *_found(own)] for name, own in {**rows, "all": planted}.items()],
    )


def _found(planted: Sequence[LieResult]) -> list[str]:
    """By sizes, in formulas, and by gradcheck."""
    numbers = [one for one in planted if not one.wrong_formula]
    seen = _seen(planted, "float64")
    return [
        *(
            _share([one.found for one in numbers if low <= min(one.size, LARGEST) < high])
            for low, high, _ in BUCKETS
        ),
        _share([one.found for one in planted if one.wrong_formula]),
        _share([one.slow for one in seen]),
        _share([one.fast for one in seen]),
    ]


def _seen(planted: Sequence[LieResult], dtype: str) -> list[GradcheckResult]:
    """What gradcheck said of errors that must be found."""
    return [
        one.gradcheck
        for one in planted
        if one.gradcheck is not None and one.dtype == dtype and one.size >= MUST
    ]


def _dtypes(planted: Sequence[LieResult], acquitted: Sequence[HonestResult]) -> Table:
    caption = "The judge, by dtype; the detection limit is relative, the median of honest code."
    heads = [
        "dtype", "4 limits\nor more", f"formula off\nby {SMALLEST:g}", "detection\nlimit",
        "honest\ncomponents", "false\nalarms", "undecided",
    ]  # fmt: skip
    rows = [_of_dtype(dtype, planted, acquitted) for dtype in DTYPES]
    return table_of("The judge by dtype", caption, heads, rows)


def _of_dtype(
    dtype: str, planted: Sequence[LieResult], acquitted: Sequence[HonestResult]
) -> list[str]:
    lies = [one for one in planted if one.dtype == dtype]
    right = [one for one in acquitted if one.dtype == dtype]
    limits = [limit for one in right if one.name.startswith("no lie") for limit in one.limits]
    return [
        dtype,
        _share([one.found for one in lies if not one.wrong_formula and one.size >= MUST]),
        _share(
            [
                one.found
                for one in lies
                if one.wrong_formula and one.liar == f"factor 1 + {SMALLEST:g}"
            ]
        ),
        f"{statistics.median(limits):.1e}" if limits else "–",
        *_counts(right),
    ]


def _counts(right: Sequence[HonestResult]) -> list[str]:
    components = sum(one.components for one in right)
    undecided = sum(one.undecided for one in right)
    return [
        str(components),
        str(sum(one.false_alarms for one in right)),
        f"{undecided / components:.2%}" if components else "–",
    ]


def _gradchecks(planted: Sequence[LieResult], acquitted: Sequence[HonestResult]) -> Table:
    caption = (
        "torch.autograd.gradcheck with its defaults on the same code: errors of 4 or more of our "
        "detection limits "
        "that it rejects, and honest code that it rejects."
    )
    heads = ["dtype", *(f"{mode}\n{what}" for mode in _MODES for what in ("finds", "false alarms"))]
    rows = [_gradcheck_row(dtype, planted, acquitted) for dtype in DTYPES]
    return table_of("gradcheck on the same code", caption, heads, rows)


_MODES = ("slow", "fast")
"""Of gradcheck."""


def _gradcheck_row(
    dtype: str, planted: Sequence[LieResult], acquitted: Sequence[HonestResult]
) -> list[str]:
    wrong = _seen(planted, dtype)
    right = [one.gradcheck for one in acquitted if one.gradcheck is not None and one.dtype == dtype]
    return [
        dtype,
        _share([one.slow for one in wrong]),
        _share([one.slow for one in right]),
        _share([one.fast for one in wrong]),
        _share([one.fast for one in right]),
    ]


def _twins(acquitted: Sequence[HonestResult]) -> Table:
    caption = "Honest code: the same functions by other algorithms, in all dtypes."
    heads = ["twin", "components", "false\nalarms", "undecided", "error/allowed\nworst"]
    names = dict.fromkeys(one.name for one in acquitted)
    rows = [_twin(name, [one for one in acquitted if one.name == name]) for name in names]
    return table_of("Honest code", caption, heads, [*rows, ["all", *_counts(acquitted), ""]])


def _twin(name: str, own: Sequence[HonestResult]) -> list[str]:
    worst = max(one.ratio for one in own)
    return [name, *_counts(own), f"{worst:.2f}" if worst else "–"]
