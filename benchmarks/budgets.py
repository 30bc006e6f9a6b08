"""The largest error of torch's and NumPy's functions in ulps, against Arb: what the rows' budgets
rest on.

`python benchmarks/budgets.py [ROW ...]` draws seeded points where each row says that its budget was
measured, in float32 and float64, on vectors (where the libraries use their vector code) and on
single numbers. Results below the smallest normal number are left out: they may be 0.
"""

import sys

import numpy as np
import torch

from verifier.operations.formats import FORMATS
from verifier.operations.operation import CORRECTLY_ROUNDED, EXACT, Absent
from verifier.operations.table import ROWS
from verifier.program.evaluation.arithmetic import balls, middle, precision

POINTS = 20_000
SINGLE = 200


def points(row, dtype):
    generator = np.random.default_rng(0)
    with np.errstate(over="ignore"):
        drawn = [part.sample(POINTS, generator).astype(dtype) for part in row.measured]
    return [column if place not in row.whole else column[:1] for place, column in enumerate(drawn)]


def stated(row, library, at):
    """Results on the whole vectors, with those of the first points one by one at the end."""
    varying = [column for column in at if column.size > 1]
    first = [column[:SINGLE] for column in varying]
    function = getattr(row, library).function
    if library == "numpy":
        call = lambda columns: function(*[c if c.size > 1 else int(c[0]) for c in columns])  # noqa: E731
        one = [
            call([c[k : k + 1][0:1].repeat(2) if c.size > 1 else c for c in at])[0]
            for k in range(SINGLE)
        ]
        with np.errstate(all="ignore"):
            return np.concatenate([np.asarray(call(at)), one])
    vectors = [torch.tensor(column) if column.size > 1 else int(column[0]) for column in at]
    one = [
        function(
            *[torch.tensor(column[k]) if column.size > 1 else int(column[0]) for column in at]
        ).item()
        for k in range(len(first[0]))
    ]
    return np.concatenate([function(*vectors).double().numpy(), one])


def worst(row, ours, exact, at, known):
    """The largest error in ulps of the row's size, and where it is."""
    centre = middle(exact)
    usable = (
        np.isfinite(centre)
        & (np.abs(centre) > known.smallest_normal)
        & (np.abs(centre) < known.largest)
    )
    if row.budget.size is not None:
        size = middle(row.budget.size(exact, *[balls(column.astype(np.float64)) for column in at]))
    else:
        size = np.abs(centre)
    # The allowance counts two unit roundoffs of the size for an ulp.
    unit = 2.0 * known.unit_roundoff * size
    with np.errstate(all="ignore"):
        error = np.abs(middle(balls(np.asarray(ours, dtype=np.float64)) - exact)) / unit
    error[~usable] = 0.0
    error[usable & ~np.isfinite(error)] = np.inf
    place = int(np.argmax(error))
    return float(error[place]), place


def line(row) -> str:
    cells = []
    for known in FORMATS.values():
        at = points(row, known.name)
        with precision(200):
            exact = row.arb(*[balls(column.astype(np.float64)) for column in at])
            exact = np.concatenate([exact, exact[:SINGLE]])
            wide = [np.concatenate([c, c[:SINGLE]]) if c.size > 1 else c for c in at]
            for library in ("torch", "numpy"):
                if isinstance(getattr(row, library), Absent):
                    cells.append(f"{'–':>9}")
                    continue
                error, place = worst(row, stated(row, library, at), exact, wide, known)
                cells.append(f"{error:>9.3f}")
                if "-v" in sys.argv:
                    cells.append(
                        f" at {[float(c[place]) if c.size > 1 else float(c[0]) for c in wide]}"
                    )
    budget = f"{row.budget.torch:g} / {row.budget.numpy:g}"
    return f"{row.name:<12} {budget:>9}  " + " ".join(cells)


def main() -> None:
    wanted = [word for word in sys.argv[1:] if not word.startswith("-")]
    print(f"{'':<12} {'budget':>9}  {'float32':>9} {'':>9} {'float64':>9}")
    print(f"{'row':<12} {'torch/np':>9}  {'torch':>9} {'numpy':>9} {'torch':>9} {'numpy':>9}")
    for row in ROWS:
        measured = row.budget not in (EXACT, CORRECTLY_ROUNDED)
        if measured and (not wanted or row.name in wanted):
            print(line(row), flush=True)


if __name__ == "__main__":
    main()
