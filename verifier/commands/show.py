"""Reading: what a target's own forward computes, as it was read, for people to look at."""

from __future__ import annotations

from verifier.capture.code_at_point import Statements, Subject
from verifier.capture.joint_graph import NotReadableError
from verifier.capture.target import bound, callable_of, run_once
from verifier.checking.inputs import draw_inputs, given_dtypes
from verifier.errors import InputError
from verifier.judging.reference import forward_nodes
from verifier.process.isolation import isolate
from verifier.process.values import UserFunction, UserInputs
from verifier.program.builder import Builder
from verifier.program.pretty import readback


@isolate
def read_forward(target: UserFunction | str, inputs: UserInputs) -> list[str]:
    """The target's results as formulas of its inputs, a line each, under the names of the
    results.

    `target` and `inputs` are those of `check`. Where the formula is too long to be read, it is the
    number of operations and which they are. Raises InputError where the target cannot be run or its
    forward cannot be read.

    >>> from verifier.checking.inputs import between
    >>> read_forward("torch:sigmoid", {"x": between(-1, 1)})
    ['value = sigmoid(x)']
    """
    code = callable_of(target)
    dtype = (*given_dtypes(inputs), "float64")[0]
    here = bound(code, draw_inputs(inputs, dtype, 0, 1), dtype)
    names = run_once(here).results
    statements = Statements(Subject(here.code, here.inputs, here.wanted))
    builder = Builder()
    try:
        nodes = forward_nodes(here.code, statements, builder)
    except NotReadableError as error:
        raise InputError(f"the code's forward cannot be read: {error}") from error
    return [
        f"{name} = {readback(builder.program(node))}"
        for name, node in zip(names, nodes, strict=True)
    ]
