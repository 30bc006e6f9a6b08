"""Witnesses: whoever states a gradient, each by means of its own.

Autograd differentiates the torch code. The symbolic gradient is a program evaluated with NumPy,
without any torch in it. The exact one is enclosed by Arb. Finite differences need no derivative at
all and are a third opinion, never a judge.

Arguments are float arrays by symbol: the judged points along the first axis, the rows of a batch
along the second, which has length 1 for a scalar. Results have a value for each point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from verifier.operations.arrays import Array, Balls, Floats
from verifier.program.evaluation.arithmetic import NumPyArithmetic, precision, radius
from verifier.program.evaluation.balls import EnclosingArithmetic
from verifier.program.program import Program, evaluate

if TYPE_CHECKING:
    import torch

Arguments = Mapping[str, Array]

FIRST_PRECISION = 128
LAST_PRECISION = 16384


class Witness(Protocol):
    """States the gradients of a loss: leaves them in the parameters' `.grad`.

    >>> class Doubled:
    ...     def differentiate(self, loss, parameters):
    ...         Autograd().differentiate(loss, parameters)
    ...         for parameter in parameters:
    ...             parameter.grad *= 2
    """

    def differentiate(self, loss: torch.Tensor, parameters: Sequence[torch.Tensor]) -> None:
        """Leave the gradient by each of `parameters` in its `.grad`; None there stands for no
        gradient.

        `loss` is a tensor of shape (); `parameters` are the leaves that it was computed from.
        """


class Autograd:
    """torch's own reverse mode, from gradients that were cleared before.

    >>> import torch
    >>> w = torch.tensor(3.0, requires_grad=True)
    >>> Autograd().differentiate(w * w, [w])
    >>> w.grad
    tensor(6.)
    """

    def differentiate(self, loss: torch.Tensor, parameters: Sequence[torch.Tensor]) -> None:
        """Leave the gradient by each of `parameters` in its `.grad`.

        `loss` is a tensor of shape (); `parameters` are the leaves that it was computed from.
        Raises what `backward` raises.
        """
        for parameter in parameters:
            parameter.grad = None
        # Where every path is cut there is nothing to go back through, and the gradients stay None.
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]


def evaluate_in_floats(program: Program, dtype: str, arguments: Arguments) -> list[Floats]:
    """Each result of `program` in NumPy's floats of that dtype.

    `dtype` is "float32" or "float64"; `arguments` are arrays of floats by symbol, of shape (points,
    rows). The results have shape (points,).
    """
    return _flat_results(
        evaluate(program, NumPyArithmetic(dtype), arguments), _point_count(arguments)
    )


@dataclass(frozen=True, eq=False)
class Enclosure:
    """Where Arb proves the exact values to lie."""

    ball: Balls
    """Object array of balls."""
    radius: Floats
    """Their radii, a float64 array; infinite where no value exists."""


def enclose(program: Program, arguments: Arguments, within: Sequence[Floats]) -> list[Enclosure]:
    """Arb enclosures of each result of `program` at these very floats.

    `arguments` are arrays of balls by symbol, of shape (points, rows). The precision is doubled
    until each radius is at most `within`, which has a float64 array of shape (points,) for each
    result, up to 16,384 bits: what is wider then is returned as it is. The balls are Arb's
    (Johansson, IEEE Transactions on Computers 66, 2017).
    """
    points = _point_count(arguments)
    results = [
        Enclosure(np.empty(points, dtype=object), np.full(points, np.inf)) for _ in program.outputs
    ]
    todo = np.arange(points)
    bits = FIRST_PRECISION
    while todo.size and bits <= LAST_PRECISION:
        with precision(bits):
            chosen = {name: values[todo] for name, values in arguments.items()}
            enclosures = _flat_results(evaluate(program, EnclosingArithmetic(), chosen), todo.size)
        wide = np.zeros(todo.size, dtype=bool)
        for result, enclosure, bound in zip(results, enclosures, within, strict=True):
            result.ball[todo] = enclosure
            result.radius[todo] = radius(enclosure)
            wide |= ~(result.radius[todo] <= bound[todo])
        todo = todo[wide]
        bits *= 2
    return results


def finite_differences(
    program: Program, names: Sequence[str], arguments: Arguments
) -> dict[str, Floats]:
    """Central differences of the first result of `program` by each of `names`, extrapolated to step
    0.

    `arguments` are arrays of floats by symbol, of shape (points, rows). The differences are float64
    arrays of shape (points,), by name.

    Ridders' method (Advances in Engineering Software 4, 1982): the step is shortened, the error
    term is eliminated order by order, and the entry that differs least from its neighbours is
    taken.
    """
    double = {name: np.asarray(values, dtype=np.float64) for name, values in arguments.items()}
    return {name: _ridders(program, name, double) for name in names}


def _ridders(program: Program, name: str, arguments: dict[str, Floats]) -> Floats:
    """The extrapolation table is built row by row; its best entry so far is kept for each point."""
    shrink, rows = 2.0, 10
    step = np.maximum(np.abs(arguments[name]), 1.0) * 2.0**-4
    best, smallest = (
        np.full(_point_count(arguments), np.nan),
        np.full(_point_count(arguments), np.inf),
    )
    earlier: list[Floats] = []
    for _ in range(rows):
        row = [_central_difference(program, name, arguments, step)]
        for order, previous in enumerate(earlier, start=1):
            factor = shrink ** (2 * order)
            row.append((factor * row[-1] - previous) / (factor - 1.0))
            error = np.maximum(np.abs(row[-1] - row[-2]), np.abs(row[-1] - previous))
            better = error < smallest
            best, smallest = np.where(better, row[-1], best), np.where(better, error, smallest)
        earlier = row
        step = step / shrink
    return best


def _central_difference(
    program: Program, name: str, arguments: dict[str, Floats], step: Floats
) -> Floats:
    ahead, behind = arguments[name] + step, arguments[name] - step
    values = [
        evaluate_in_floats(program, "float64", {**arguments, name: moved})[0]
        for moved in (ahead, behind)
    ]
    with np.errstate(all="ignore"):
        return (values[0] - values[1]) / (ahead - behind)[:, 0]


def _point_count(arguments: Arguments) -> int:
    return next((int(values.shape[0]) for values in arguments.values()), 1)


def _flat_results(results: Sequence[Array], points: int) -> list[Array]:
    return [np.broadcast_to(np.reshape(result, (-1,)), (points,)) for result in results]
