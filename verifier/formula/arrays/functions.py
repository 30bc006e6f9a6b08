"""Functions of whole arrays that a formula can call: on traced arrays they write nodes, on arrays
of numbers they compute.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from verifier.errors import InputError
from verifier.formula.arrays.traced_array import Axes, TracedArray, as_traced, on_nodes
from verifier.formula.overloads import argument_count, callable_names, write_call
from verifier.operations.arrays import Array, Operand
from verifier.program.array_operations.linear_algebra import Determinant, Inverse, Solve, Trace
from verifier.program.array_operations.movement import Concatenate
from verifier.program.array_operations.reductions import LogSumExp, Softmax
from verifier.program.builder import FormulaBuilder
from verifier.program.codegen import NUMPY, function
from verifier.program.shapes import kept

MOST_CLASSES = 100_000
"""The longest row that one_hot writes."""


def total(x: TracedArray, axis: Axes = None) -> TracedArray:
    """The sum over axes, all of them by default."""
    return x.sum(axis)


def mean(x: TracedArray, axis: Axes = None) -> TracedArray:
    """The mean over axes, all of them by default."""
    return x.mean(axis)


def transpose(x: TracedArray, axes: Sequence[int] = ()) -> TracedArray:
    """The axes in another order, in reverse order by default."""
    return x.transpose(*axes)


def reshape(x: TracedArray, shape: Sequence[int]) -> TracedArray:
    """The elements in another shape; a length of -1 follows from the others."""
    return x.reshape(tuple(shape))


def softmax(x: TracedArray, axis: int = -1) -> TracedArray:
    """exp(x) over its sum along an axis."""
    return x.with_operation(Softmax(axis))


def logsumexp(x: TracedArray, axis: int = -1) -> TracedArray:
    """log(sum(exp(x))) along an axis."""
    return x.with_operation(LogSumExp(axis))


def log_softmax(x: TracedArray, axis: int = -1) -> TracedArray:
    """The logarithm of the softmax along an axis."""
    logarithm = logsumexp(x, axis)
    return x - logarithm.reshape(kept(x.shape, (axis % x.ndim,)))


def inverse(x: TracedArray) -> TracedArray:
    """The inverse of a square matrix."""
    return x.with_operation(Inverse())


def determinant(x: TracedArray) -> TracedArray:
    """The determinant of a square matrix."""
    return x.with_operation(Determinant())


def trace(x: TracedArray) -> TracedArray:
    """The sum of the diagonal of a square matrix."""
    return x.with_operation(Trace())


def solve(a: TracedArray, b: TracedArray) -> TracedArray:
    """The x of a @ x = b."""
    return a.with_operation(Solve(), b)


def concatenate(arrays: Sequence[TracedArray], axis: int = 0) -> TracedArray:
    """Arrays one behind another along an axis."""
    return on_nodes(arrays[0].build, Concatenate(axis), *arrays)


def stack(arrays: Sequence[TracedArray], axis: int = 0) -> TracedArray:
    """Arrays of one shape side by side along a new axis."""
    first = arrays[0].shape
    place = axis % (len(first) + 1)
    return concatenate([x.reshape((*x.shape[:place], 1, *x.shape[place:])) for x in arrays], place)


def one_hot(labels: TracedArray, classes: int) -> TracedArray:
    """A row for each label: 1 at its place, which is counted from 0, and 0 elsewhere."""
    if not 0 < classes <= MOST_CLASSES:
        raise InputError(f"one_hot takes from 1 to {MOST_CLASSES:,} classes, not {classes:,}")
    column = labels.reshape((*labels.shape, 1))
    chosen = column.applied("equal", np.arange(float(classes)))
    return chosen.applied("where", 1, 0)


FUNCTIONS: dict[str, Callable[..., TracedArray]] = {
    "sum": total,
    **{
        one.__name__: one
        for one in (
            mean, transpose, reshape, softmax, logsumexp, log_softmax, inverse, determinant, trace,
            solve, concatenate, stack, one_hot,
        )
    },
}  # fmt: skip
"""The functions by name."""


OF_ARRAY, OF_ARRAYS, OF_WHOLE, OF_WHOLES = (
    "TracedArray", "Sequence[TracedArray]", "int", "Sequence[int]",
)  # fmt: skip
"""The kinds of parameters of functions of arrays, which are their annotations."""


@cache
def parameters_of(name: str) -> dict[str, str]:
    """The kinds of a function's parameters by name, in order.

    >>> parameters_of("softmax")
    {'x': 'TracedArray', 'axis': 'int'}
    """
    signature = inspect.signature(FUNCTIONS[name]).parameters.values()
    return {part.name: str(part.annotation) for part in signature}


@cache
def needed_parameters(name: str) -> tuple[str, ...]:
    """Those that a call cannot leave out."""
    signature = inspect.signature(FUNCTIONS[name]).parameters.values()
    return tuple(part.name for part in signature if part.default is part.empty)


def apply_to_arrays(
    name: str, arguments: Sequence[Operand], settings: dict[str, Operand]
) -> Operand:
    """The function of that name on traced arrays, or on arrays of numbers, of which float64 comes
    back.

    Raises InputError for shapes that do not fit, and TypeError for arguments that the function does
    not take.

    >>> apply_to_arrays("softmax", [np.zeros((1, 2))], {"axis": 1})
    array([[0.5, 0.5]])
    """
    traced = next((one for one in _flat(arguments) if isinstance(one, TracedArray)), None)
    if traced is not None:
        return _written(name, traced.build, arguments, settings)
    return _on_numbers(name, arguments, settings)


def is_about_arrays(name: str, arguments: Sequence[Operand], settings: dict[str, Operand]) -> bool:
    """Whether a call means the function of arrays: of traced ones, or of a name that numbers alone
    do not have.
    """
    flat = _flat(arguments)
    if any(isinstance(one, TracedArray) for one in flat):
        return True
    arrays = any(np.ndim(one) for one in flat if isinstance(one, np.ndarray | list))
    return name in FUNCTIONS and (bool(settings) or arrays or name not in callable_names())


def _flat(arguments: Sequence[Operand]) -> list[Operand]:
    return [
        one
        for argument in arguments
        for one in (argument if isinstance(argument, list | tuple) else [argument])
    ]


def _written(
    name: str, build: FormulaBuilder, arguments: Sequence[Operand], settings: dict[str, Operand]
) -> TracedArray:
    if name in FUNCTIONS and (settings or len(arguments) == 1 or name not in callable_names()):
        return FUNCTIONS[name](*(_beside(build, one) for one in arguments), **settings)
    if settings:
        raise TypeError(f"{name} takes no {next(iter(settings))}")
    least, most = argument_count(name)
    if len(arguments) < least or (most is not None and len(arguments) > most):
        raise TypeError(f"{name} does not take {len(arguments)} arguments")
    given = [as_traced(build, one) for one in arguments]
    if name == "where" and not given[0].is_condition:
        raise TypeError("where takes a condition first, such as x > 0")
    try:
        return TracedArray(build, write_call(name, build, [one.node for one in given]))
    except InputError as error:
        texts = ", ".join(one.text for one in given)
        raise InputError(f"{name}({texts}): {error.sentence}") from None


def _beside(build: FormulaBuilder, value: Operand) -> Operand:
    """An argument as the function takes it: arrays traced, settings as they are."""
    if isinstance(value, np.ndarray):
        return as_traced(build, value)
    if isinstance(value, list | tuple) and any(isinstance(one, TracedArray) for one in value):
        return [as_traced(build, one) for one in value]
    return value


def _on_numbers(name: str, arguments: Sequence[Operand], settings: dict[str, Operand]) -> Array:
    build = FormulaBuilder()
    given: dict[str, Array] = {}

    kinds = list(parameters_of(name).values()) if name in FUNCTIONS else []

    def argument(place: int, value: Operand) -> Operand:
        kind = kinds[place] if place < len(kinds) else OF_ARRAY
        if kind == OF_ARRAYS:
            return [traced(one) for one in value]
        return traced(value) if kind == OF_ARRAY else value

    def traced(value: Operand) -> Operand:
        array = np.asarray(value, dtype=np.float64)
        symbol = f"argument_{len(given)}"
        given[symbol] = array
        return TracedArray(build, build.input(symbol, array.shape))

    given_arguments = [argument(place, value) for place, value in enumerate(arguments)]
    result = _written(name, build, given_arguments, settings)
    program = build.program(result.node)
    compute = function(name, ", ".join(given), program, NUMPY)
    return np.asarray(compute(**{symbol: given[symbol] for symbol in program.inputs}))
