"""Examine: the gradients that torch code states at one point, compared with the exact ones.

Three questions. Is it the same function as the formula? Is the formula of its gradient right: does
its own joint graph, replayed exactly, give the exact gradient? And does rounding, operation by
operation along that graph, explain the numbers? Where no graph can be captured, the formula's own
program takes its place for the third question, and the second is not answered.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from verifier.capture.code_at_point import Statements, Subject
from verifier.capture.joint_graph import NotReadableError, captured, captured_with_detached
from verifier.capture.lowering import Lowered, lowered
from verifier.errors import InputError
from verifier.judging.array_verdicts import judged_parts
from verifier.judging.compared_programs import ComparedPrograms
from verifier.judging.derivatives import derivative_nodes
from verifier.judging.examination import Coded, Exact, Examination, NotReplayed, Part
from verifier.judging.reference import Specification, forward_nodes
from verifier.judging.replay.formula import formula_replay, rounded_constants, rounded_tables
from verifier.judging.replay.joint import joint_replay
from verifier.judging.verdict import Note, Outcome
from verifier.operations.formats import FLOAT32, Format
from verifier.program.builder import Builder
from verifier.program.evaluation.arithmetic import precision
from verifier.program.evaluation.balls import LAST_BITS
from verifier.program.lift import order_free, rounded_each


def examine(subject: Subject, specification: Specification | None = None) -> Examination:
    """The verdicts on value and gradient, or on the Hessian, of code at one point.

    `subject` is the code with its inputs, tensors of any shape and of any floating-point dtype in
    `verifier.operations.formats`. `specification` says what is right, a Formula or a Reference;
    without one it is the code's own forward, as it is read. What comes out differently when the
    code is run a second time disagrees.

    Exact values come from ball arithmetic (Johansson, Arb: efficient arbitrary-precision
    midpoint-radius interval arithmetic, IEEE Transactions on Computers 66, 2017). What rounding
    allows is bounded in the same arithmetic for small programs, and for others estimated by Monte
    Carlo arithmetic (Parker, Monte Carlo Arithmetic, UCLA report CSD-970002, 1997).

    Raises InputError where there is neither a formula nor a forward that can be read, and where the
    backward cannot be run; and whatever the forward itself raises.

    >>> import torch
    >>> x = torch.tensor([0.5, 1.5], dtype=torch.float64)
    >>> examination = examine(Subject(torch.tanh, {"x": x}))
    >>> examination["x"].outcome.value, examination.formula.digits > 50
    ('agrees', True)
    """
    point = Statements(subject)
    try:
        capture = captured if subject.honour_detach else captured_with_detached
        shapes = tuple(argument.shape for argument in point.arguments)
        graph = subject.graphs.get(shapes) or capture(point.joint, point.arguments)
        subject.graphs[shapes] = graph
        read: Lowered | NotReplayed = lowered(
            graph, point.names, point.arguments, quantity=subject.quantity
        )
    except NotReadableError as error:
        read = NotReplayed(str(error))
    if isinstance(read, NotReplayed):
        return (
            _by_own_forward(point, read)
            if specification is None
            else _by_specification(point, specification, read)
        )
    found = _by_graph(point, specification, read)
    conventions = (*graph.events.conventions, *read.conventions)
    events = replace(graph.events, conventions=conventions)
    return replace(found, detached=graph.detached, events=events)


def _by_graph(point: Statements, specification: Specification | None, read: Lowered) -> Examination:
    builder, count = read.builder, len(point.results)
    code = [
        builder.expand(builder.constant(0), shape) if node is None else node
        for node, shape in zip(read.results, point.shapes, strict=True)
    ]
    exact = derivative_nodes(
        point,
        builder,
        code[:count] if specification is None else _intended(point, builder, specification),
    )
    forward = code[:count] if specification is None else []
    literals = frozenset(rounded_constants(builder, code, forward))
    tables = rounded_tables(builder, code, forward, point.lowest)
    examination = _examination(ComparedPrograms(point, read, code, exact, literals, tables))
    if specification is None or not any(
        part.wrong_formula.any() for part in examination.parts[:count]
    ):
        return examination
    # The gradient is not blamed for another function: it is compared with that of its own forward.
    own = _by_graph(point, None, read)
    return replace(
        own,
        parts=(*examination.parts[:count], *own.parts[count:]),
        same_function=False,
        specified=examination.exact,
    )


def _examination(pair: ComparedPrograms) -> Examination:
    # Differences and hulls of balls are as exact as the balls are.
    with precision(LAST_BITS):
        found = joint_replay(pair)
        formula = formula_replay(pair, found)
        parts = judged_parts(pair, found, formula)
        measured = Exact(found.point, found.exact)
        places = pair.builder.places_in(*pair.code)
        literals = frozenset(places[index] for index in pair.literals)
        coded = Coded(pair.point, pair.code_point(found.decisions, found.ties), literals)
        return Examination(
            tuple(measured.noted(parts)),
            formula.summary,
            pair.read.operations,
            exact=measured,
            coded=coded,
        )


def _intended(point: Statements, builder: Builder, specification: Specification) -> list[int]:
    """What is right; its constants may lie beside the format's numbers, so that rounding decides at
    a border there.
    """
    with builder.rounding(point.lowest):
        return specification.values(point, builder)


def _by_specification(
    point: Statements, specification: Specification, reason: NotReplayed
) -> Examination:
    """Without a graph the formula's own program says how far rounding goes."""
    builder = Builder()
    with builder.rounding(_inside(point)):
        values = specification.values(point, builder)
    return _by_numbers(point, builder, values, reason)


def _by_own_forward(point: Statements, reason: NotReplayed) -> Examination:
    """Without a graph of the backward that of the forward says it."""
    builder = Builder()
    try:
        values = forward_nodes(point.joint.code, point, builder)
    except NotReadableError as error:
        raise InputError(
            f"the code's forward cannot be read: {error}; give its formula or a plain version"
        ) from error
    return _by_numbers(point, builder, values, reason)


def _inside(point: Statements) -> Format:
    """What a kernel is taken to compute in: float32 where it states fewer digits."""
    return max(point.lowest, FLOAT32, key=lambda known: known.precision)


def _by_numbers(
    point: Statements, builder: Builder, values: list[int], reason: NotReplayed
) -> Examination:
    with builder.rounding(_inside(point)):
        exact = derivative_nodes(point, builder, values)
        code = order_free(builder, exact)
    if point.lowest.precision < FLOAT32.precision:
        code = rounded_each(builder, code, point.lowest)
    read = Lowered(builder, tuple(code), {}, True, ())
    examination = replace(
        _examination(ComparedPrograms(point, read, code, exact, frozenset())), formula=reason
    )
    value, *others = examination.parts
    if value.outcome is not Outcome.DISAGREES:
        return examination
    return replace(examination, parts=(value, *map(_not_blamed, others)), same_function=False)


def _not_blamed(part: Part) -> Part:
    """The statements as undecided: the exact ones are those of another function."""
    everywhere = np.ones(part.verdicts.severity.shape, dtype=bool)
    undecided = part.verdicts.with_outcome(everywhere, Outcome.UNDECIDED)
    return replace(part, verdicts=undecided.with_note(everywhere, Note.OTHER_FUNCTION))
