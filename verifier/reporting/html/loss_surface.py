"""The surface of a loss: where a model trains two parameters, its loss around the paths they
took.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.formula.model import Model
from verifier.operations.arrays import Floats
from verifier.program.codegen import NUMPY, function
from verifier.training.findings import Findings

SIDE = 60
"""Points of the grid on each axis."""
ROWS = 1_000
"""Of more rows of data so many are taken, evenly spread."""


@dataclass(frozen=True, eq=False)
class Surface:
    """The loss on a grid, and the paths on it."""

    first: Floats
    """The grid's values of the first parameter: (SIDE,)."""
    second: Floats
    """The same of the second one."""
    loss: Floats
    """The loss of the whole data: a row for each value of the second parameter; NaN where it is not
    finite.
    """
    autograd: Floats
    """Points by two: the path of the training by autograd, its finite points."""
    symbolic: Floats
    rows: int
    """How many rows of the data the loss is that of."""


def surface(model: Model, findings: Findings) -> Surface | None:
    """The surface; None for other than two parameters, and where no grid can be laid around finite
    paths.
    """
    if len(model.parameters) != 2 or not model.is_scalar:
        return None
    paths = findings.curves.paths[:, 1:]
    autograd, symbolic = (
        part[np.isfinite(part).all(axis=1)] for part in (paths[:, :2], paths[:, 2:])
    )
    if not len(autograd) or not len(symbolic):
        return None
    with np.errstate(all="ignore"):
        first, second = (_axis(np.concatenate([autograd, symbolic])[:, place]) for place in (0, 1))
        rows, loss = _loss(model, findings, first, second)
    loss = np.where(np.isfinite(loss), loss, np.nan)
    if (
        not np.isfinite(first + second).all()
        or np.isnan(loss).all()
        or np.nanmin(loss) == np.nanmax(loss)
    ):
        return None
    return Surface(first, second, loss, autograd, symbolic, rows)


def _axis(values: Floats) -> Floats:
    """Somewhat more than the values span."""
    low, high = values.min(), values.max()
    margin = 0.25 * (high - low) or 0.25 * abs(low) or 1.0
    return np.linspace(low - margin, high + margin, SIDE)


def _loss(model: Model, findings: Findings, first: Floats, second: Floats) -> tuple[int, Floats]:
    """How many rows were taken, and the loss: a row of the grid for each value of the second
    parameter.
    """
    chosen = np.unique(
        np.linspace(0, findings.data.rows - 1, min(ROWS, findings.data.rows)).astype(int)
    )
    columns = [findings.data.values[name][chosen][:, None] for name in model.columns]
    names = (*model.columns, *model.parameters, *sorted(model.fixed))
    compute = function("surface", ", ".join(names), model.guarded_program.only_last, NUMPY)
    fixed = [model.start[name] for name in sorted(model.fixed)]
    reduce = np.sum if model.reduction == "sum" else np.mean
    lines = [
        reduce(np.atleast_2d(compute(*columns, first, np.full_like(first, value), *fixed)), axis=0)
        for value in second
    ]
    return len(chosen), np.array([np.broadcast_to(line, first.shape) for line in lines])
