"""Random formulas of small arrays, the same for the same seed."""

import numpy as np

from tests.program.array_operations.entry_by_entry import Case
from verifier.errors import InputError
from verifier.formula.arrays.functions import FUNCTIONS
from verifier.program.program import ROWS

SHAPES = [
    (), (2,), (3,), (2, 2), (2, 2), (2, 3), (3, 2), (1, 3), (2, 1), (2, 2, 2),
    (ROWS,), (ROWS, 2), (ROWS, 3), (ROWS, 2, 2),
]  # fmt: skip
LARGEST = 24
"""Numbers of an array, so that a formula written out stays small."""


def random_case(seed, operations=6):
    """A formula of two or three arrays with about so many operations."""
    drawn = np.random.default_rng(seed)
    chosen = [SHAPES[drawn.integers(len(SHAPES))] for _ in range(drawn.integers(2, 4))]
    plan = drawn.integers(2**31)
    return Case(
        lambda *arrays: written(plan, operations, arrays), dict(zip("xyz", chosen, strict=False))
    )


def written(seed, operations, arrays):
    """The last of so many operations on arrays that are drawn from those before."""
    drawn, pool = np.random.default_rng(seed), list(arrays)
    while len(pool) < len(arrays) + operations:
        step = STEPS[drawn.integers(len(STEPS))]
        # What came last is taken most often, so that operations stand inside one another.
        weights = np.arange(1, len(pool) + 1) ** 2
        first, second = (
            pool[place] for place in drawn.choice(len(pool), 2, p=weights / weights.sum())
        )
        try:
            found = step(drawn, first, second)
        except InputError:
            continue  # the shapes do not fit: another operation is drawn
        if found is not None and np.prod([abs(one) for one in found.shape]) <= LARGEST:
            pool.append(found.applied("sin") if drawn.integers(3) == 0 else found)
    return pool[-1]


def _axis(drawn, x):
    return int(drawn.integers(-x.ndim, x.ndim)) if x.ndim else 0


def _index(drawn, x):
    key = []
    for length in x.shape:
        if length == ROWS:
            key.append(slice(None))
        else:
            place = int(drawn.integers(-length, length))
            key.append(
                [place, slice(None, None, -1), slice(0, place or None), slice(None, None, 2), None][
                    drawn.integers(5)
                ]
            )
    found = x[tuple(key)] if key else x
    return found if 0 not in found.shape else None


def _places(drawn, x):
    lengths = [axis for axis, length in enumerate(x.shape) if length != ROWS]
    if not lengths:
        return None
    axis = int(drawn.choice(lengths))
    return x[(*(slice(None),) * axis, drawn.integers(0, x.shape[axis], 3).tolist())]


def _transposed(drawn, x, _):
    return x.transpose(*map(int, drawn.permutation(x.ndim)))


def _reshaped(drawn, x, _):
    rest = x.shape[1:] if x.shape[:1] == (ROWS,) else x.shape
    lead = x.shape[: len(x.shape) - len(rest)]
    return x.reshape((*lead, *rest[::-1])) if ROWS not in rest and rest else None


def _square(x):
    """A matrix with an inverse, made of a square one."""
    if x.ndim != 2 or x.shape[0] != x.shape[1] or ROWS in x.shape:
        return None
    return x.applied("sin") + 4.0 * np.eye(x.shape[0])


def _of_square(name):
    def step(drawn, x, _):
        matrix = _square(x)
        return None if matrix is None else FUNCTIONS[name](matrix)

    return step


def _solved(drawn, x, y):
    matrix = _square(x)
    return None if matrix is None else FUNCTIONS["solve"](matrix, y)


STEPS = [
    lambda drawn, x, y: x + y,
    lambda drawn, x, y: x * y,
    lambda drawn, x, y: x - 0.5 * y,
    lambda drawn, x, y: x / (1 + y * y),
    lambda drawn, x, y: x @ y,
    lambda drawn, x, y: x @ y,
    lambda drawn, x, y: x @ y.T,
    lambda drawn, x, y: x.applied("sin") * 2,
    lambda drawn, x, y: x.applied("maximum", y),
    lambda drawn, x, y: (x > y).applied("where", x, y * y),
    lambda drawn, x, y: x.sum(_axis(drawn, x)),
    lambda drawn, x, y: x.mean(_axis(drawn, x)),
    lambda drawn, x, y: x - x.mean(),
    lambda drawn, x, y: FUNCTIONS["softmax"](x, _axis(drawn, x)),
    lambda drawn, x, y: FUNCTIONS["logsumexp"](x, _axis(drawn, x)),
    lambda drawn, x, y: FUNCTIONS["concatenate"]([x, y], _axis(drawn, x)),
    lambda drawn, x, y: FUNCTIONS["stack"]([x, y], -1),
    lambda drawn, x, y: _index(drawn, x),
    lambda drawn, x, y: _places(drawn, x),
    _transposed,
    _reshaped,
    _of_square("inverse"),
    _of_square("determinant"),
    _of_square("trace"),
    _of_square("trace"),
    _solved,
]
