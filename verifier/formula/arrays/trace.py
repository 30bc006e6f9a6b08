"""From a plain Python function of arrays to nodes, in the order in which it is written."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

import numpy as np

from verifier.errors import InputError, message_of
from verifier.formula.arrays.start_values import Start
from verifier.formula.arrays.traced_array import TracedArray
from verifier.formula.trace import located_name, location_of, refuse_untraceable
from verifier.operations.arrays import Operand
from verifier.process.values import UserFunction
from verifier.program.array_operations.broadcasting import Sum
from verifier.program.builder import FormulaBuilder
from verifier.program.codegen import NUMPY, function
from verifier.program.program import BATCH, ROWS, Program
from verifier.program.shapes import shape_text


def trace_arrays(
    body: UserFunction,
    build: FormulaBuilder,
    inputs: Mapping[str, int],
    parameters: Mapping[str, int],
) -> int:
    """The node in `build` of what the body returns for arrays that stand for these nodes.

    `inputs` are its positional arguments, `parameters` its keyword arguments, by name. Raises
    InputError where the body does something that traced arrays cannot follow.
    """
    refuse_untraceable(body, {*inputs, *parameters})
    positional = [TracedArray(build, node) for node in inputs.values()]
    keywords = {name: TracedArray(build, node) for name, node in parameters.items()}
    return _called(body, build, positional, keywords)


def trace_array_loss(
    loss: UserFunction, build: FormulaBuilder, prediction: int, columns: Mapping[str, int]
) -> int:
    """The node of what the loss returns for a prediction and its other positional arguments.

    Raises InputError as `trace_arrays` does.
    """
    refuse_untraceable(loss, set(inspect.signature(loss).parameters))
    positional = [TracedArray(build, node) for node in (prediction, *columns.values())]
    return _called(loss, build, positional, {})


def loss_of_rows(
    build: FormulaBuilder, loss: int, columns: Mapping[str, int], weights: str | None
) -> int:
    """The loss of each row: what a row has of several numbers is added up, and weighted.

    `loss` is the node of what the loss function returned, and `columns` are those of the data.
    Without data, and where the function took a mean or a sum of the rows itself, it is one number.

    Raises InputError where it is neither one number nor numbers for each row.
    """
    shape = build.shape(loss)
    if not shape:
        if weights:
            raise InputError("the loss is one number for all rows: weights need one a row")
        return loss
    if not columns:
        raise InputError(f"the loss has the shape {shape_text(shape)}: end it with sum() or mean()")
    if shape[0] != ROWS or shape.count(ROWS) > 1:
        raise InputError(
            f"the loss has the shape {shape_text(shape)}: it must have a number for each row, "
            "along the first axis"
        )
    if shape != BATCH:
        loss = build.array(Sum(tuple(range(1, len(shape)))), loss)
    return build.apply("multiply", columns[weights], loss) if weights else loss


def _called(
    body: UserFunction,
    build: FormulaBuilder,
    positional: list[TracedArray],
    keywords: Mapping[str, TracedArray],
) -> int:
    try:
        result = body(*positional, **keywords)
    except InputError as error:
        raise error.located(location_of(body)) from error
    except Exception as error:
        raised = f"{type(error).__name__}: {message_of(error, whole=True)}"
        raise InputError(f"{located_name(body)} cannot be run on arrays: {raised}") from error
    if result is None:
        raise InputError(f"{located_name(body)} returns None: end it with a return")
    return _result(result, build, body)


def _result(result: Operand, build: FormulaBuilder, body: UserFunction) -> int:
    if isinstance(result, TracedArray):
        return result.node
    raise InputError(
        f"{located_name(body)} returns a {type(result).__name__}: return a formula of its arguments"
    )


def compare_with_arrays(program: Program, body: UserFunction, values: Mapping[str, Start]) -> None:
    """Run the body on arrays of numbers too. Raises InputError if the program gives others.

    `values` are the body's arguments by name, and others; the program's first result is compared.
    A body that raises on these numbers says nothing.
    """
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}
    signature = inspect.signature(body).parameters.values()
    keyword = inspect.Parameter.KEYWORD_ONLY
    positional = [arrays[part.name] for part in signature if part.kind is not keyword]
    keywords = {part.name: arrays[part.name] for part in signature if part.kind is keyword}
    only = program.only(program.outputs[0])
    with np.errstate(all="ignore"):
        try:
            expected = np.asarray(body(*positional, **keywords), dtype=np.float64)
        except Exception:
            return
        compute = function("compared", ", ".join(only.inputs), only, NUMPY)
        traced = np.asarray(compute(*(arrays[name] for name in only.inputs)))
    if not np.isfinite(expected).all():
        return
    if traced.shape != expected.shape or not np.allclose(traced, expected, rtol=1e-9, atol=1e-300):
        raise InputError(
            f"{located_name(body)} gives other numbers on arrays than its formula does: the body "
            "must do the same for a formula as for numbers"
        )
