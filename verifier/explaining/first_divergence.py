"""Where torch's numbers and the right ones part, along the graph."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from verifier.explaining.explained_step import FirstDivergence, Node, Quantity, Tensor
from verifier.judging.verdict import Comparison, Outcome
from verifier.operations.number_text import number


def find_first_divergence(
    nodes: Sequence[Node],
    gradient: Mapping[str, Comparison],
    tensors: Mapping[str, Tensor],
    dtype: str,
) -> FirstDivergence | None:
    """Where torch and the exact numbers first part: on the way forward, else from the loss back,
    else behind it.

    `nodes` are in the order of evaluation; `gradient` and `tensors` are by the parameters' names;
    `dtype` is "float32" or "float64". None where they part nowhere.
    """
    return (
        _divergence_forward(nodes)
        or _divergence_backward(nodes)
        or _divergence_behind_graph(nodes, gradient, tensors, dtype)
        or _divergence_within_operation(nodes)
    )


def _first_disagreeing(numbers: Sequence[Comparison]) -> Comparison | None:
    """The first one that disagrees."""
    return next((judged for judged in numbers if judged.outcome is Outcome.DISAGREES), None)


def _both_numbers(judged: Comparison) -> str:
    return f"torch has {number(judged.stated)} and the exact number is {_exact_text(judged)}"


def _exact_text(judged: Comparison) -> str:
    """The number itself where it is a float, else as many digits as tell any two floats apart."""
    nearest = float(judged.enclosure)
    return (
        number(nearest)
        if judged.enclosure == nearest
        else str(judged.enclosure.str(17, radius=False))
    )


def _divergence_forward(nodes: Sequence[Node]) -> FirstDivergence | None:
    for node in nodes:
        wrong = _first_disagreeing(node.values)
        if wrong is not None:
            reason = "the code and the formula are different functions there"
            if not math.isfinite(wrong.stated):
                reason = "an operation overflows or is undefined there"
            sentence = f"on the way forward, at {node.title}: {_both_numbers(wrong)}; {reason}"
            return FirstDivergence(node.name, Quantity.VALUE, sentence)
    return None


def _divergence_backward(nodes: Sequence[Node]) -> FirstDivergence | None:
    named = {node.name: node for node in nodes}
    for node in reversed(nodes):
        wrong = _first_disagreeing(node.adjoints)
        if wrong is not None:
            sentence = f"from the loss back, at {node.name}: {_both_numbers(wrong)}"
            return FirstDivergence(
                node.name, Quantity.ADJOINT, f"{sentence}; {_reason_for_adjoint(node, named)}"
            )
    return None


def _reason_for_adjoint(node: Node, named: Mapping[str, Node]) -> str:
    """Which operation passes the wrong number back to a node, where its own derivative says so."""
    users = [named[name] for name in node.users]
    for user in users:
        for edge in user.edges:
            wrong = _first_disagreeing(edge.numbers) if edge.argument == node.name else None
            if wrong is not None:
                return (
                    f"the backward of {user.title} is wrong: its derivative by {node.name},"
                    f" {edge.formula}, is {_exact_text(wrong)}, and torch has "
                    f"{number(wrong.stated)}"
                )
    if not node.tracked:
        return f"the tensor of {node.title} requires no gradient: the path is cut there"
    if not users:
        return "backward() does not start from this loss, or not with 1"
    return (
        f"{'it' if node.arrived else 'nothing'} is passed back through "
        f"{', '.join(user.title for user in users)}"
    )


def _divergence_behind_graph(
    nodes: Sequence[Node],
    gradient: Mapping[str, Comparison],
    tensors: Mapping[str, Tensor],
    dtype: str,
) -> FirstDivergence | None:
    """A gradient that is not what autograd passed back, or where nothing was passed back at all."""
    passed = {
        node.name: node.adjoints[0] for node in nodes if node.name in gradient and node.adjoints
    }
    for name, judged in gradient.items():
        if judged.outcome is Outcome.DISAGREES:
            if name not in passed:
                return _divergence_without_backward(nodes, name, judged)
            sentence = (
                f"behind the graph: autograd passes {number(passed[name].stated)} back to {name}, "
                "which agrees, but"
                f" {name}.grad is {tensors[name].grad_after} in the end: "
                f"{_reason_for_grad(tensors[name], passed[name], dtype)}"
            )
            return FirstDivergence(name, Quantity.GRAD, sentence)
    return None


def _divergence_without_backward(
    nodes: Sequence[Node], name: str, judged: Comparison
) -> FirstDivergence:
    """No backward ran: a path that is cut, or a gradient that comes from somewhere else."""
    for node in nodes:
        if node.edges and not node.tracked:
            sentence = (
                f"at {node.title}: its tensor requires no gradient, so that nothing can be passed "
                "back from the loss"
            )
            return FirstDivergence(node.name, Quantity.ADJOINT, sentence)
    sentence = (
        f"at {name}.grad: {_both_numbers(judged)}; no backward() ran, so that no node can be held "
        "responsible"
    )
    return FirstDivergence(name, Quantity.GRAD, sentence)


def _reason_for_grad(tensor: Tensor, passed: Comparison, dtype: str) -> str:
    """Whether the new gradient was added to one that nobody cleared."""
    number_type = np.dtype(dtype).type
    before = tensor.grad_before
    with np.errstate(all="ignore"):
        if (
            before is not None
            and float(number_type(before) + number_type(passed.stated)) == tensor.grad_after
        ):
            return f"it was added to the {number(before)} that stood there before backward()"
    return "it was changed after backward()"


def _divergence_within_operation(nodes: Sequence[Node]) -> FirstDivergence | None:
    """A derivative of one operation that is wrong where nothing else shows it, as when it is
    multiplied by 0.
    """
    for node in reversed(nodes):
        for edge in node.edges:
            wrong = _first_disagreeing(edge.numbers)
            if wrong is not None:
                sentence = (
                    f"the backward of {node.title} is wrong: its derivative by {edge.argument},"
                    f" {edge.formula}, is {_exact_text(wrong)}, and torch has "
                    f"{number(wrong.stated)}; "
                    "what is passed back is"
                    " right all the same here"
                )
                return FirstDivergence(node.name, Quantity.DERIVATIVE, sentence)
    return None
