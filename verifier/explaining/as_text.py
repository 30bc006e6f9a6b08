"""Blackboard: an explanation written out line by line, as a person would in front of a class."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from rich.text import Text

from verifier.explaining.chain_rule import Path, paths_to
from verifier.explaining.records import Edge, ExplainedStep, Node, Update
from verifier.judging.verdict import Comparison, Note, Outcome
from verifier.operations.number_text import number, plain
from verifier.reporting.data.training_json import optimizer_name
from verifier.reporting.text.layout import STYLES, Layout

SHOWN_ROWS = 3
"""Of a batch so many rows are shown, and the first one that disagrees."""
TREE_LINES = 60
"""A larger tree is not drawn: the table that follows says the same."""
PATHS = 3
"""So many paths from a parameter to the loss are written out."""


def explanation_lines(explanation: ExplainedStep, layout: Layout) -> Iterator[Text]:
    """Graph, forward, backward, chain rule, tensors, update and verdict."""
    yield from _head(explanation, layout)
    for title, part in (
        ("the graph, from the loss to what it is made of", _tree),
        ("forward, what every node comes to", _forward),
        ("backward, the derivative of the loss L by every node, from the loss back", _backward),
        ("the chain rule, from each parameter to the loss", _chains),
        ("the tensors as torch holds them", _tensors),
        ("the update", _updates),
    ):
        yield Text()
        yield from layout.prose(title, style="bold")
        yield from part(explanation, layout)
    yield Text()
    yield from verdict_lines(explanation, layout)


def _head(explanation: ExplainedStep, layout: Layout) -> Iterator[Text]:
    place, settings = explanation.place, explanation.settings
    inputs = [f"{name}={plain(value)}" for name, value in place.inputs.items()]
    if place.rows is not None:
        inputs.insert(0, f"a batch of {_rows(place.rows)}")
    heading = [f"step {place.step}", f"epoch {place.epoch}", *inputs]
    yield from layout.heading(heading, f"loss {number(explanation.loss.stated)}")
    yield from layout.prose(
        f"{explanation.model.name}, {settings.dtype}, {optimizer_name(settings.optimizer)}, lr "
        f"{plain(settings.lr)}"
    )
    yield from layout.prose(place.chosen)


def _rows(count: int) -> str:
    return f"{count} row{'s' * (count != 1)}"


def _tree(explanation: ExplainedStep, layout: Layout) -> Iterator[Text]:
    named = {node.name: node for node in explanation.nodes}
    lines = [Text(f"  {line}") for line in _branches(named, explanation.nodes[-1], "", "", set())]
    if len(lines) <= TREE_LINES and all(len(line) <= layout.width for line in lines):
        yield from lines
    else:
        yield from layout.prose(
            f"  {len(named)} nodes, too many or too deep for a tree: the next table has them all"
        )


def _branches(
    named: dict[str, Node], node: Node, own: str, below: str, drawn: set[str]
) -> Iterator[str]:
    """The lines of a node and of what it takes; what was drawn before is only named."""
    arguments = node.arguments
    again = node.name in drawn and arguments
    yield own + node.title + ("  (above)" if again else "")
    drawn.add(node.name)
    if again:
        return
    for place, name in enumerate(arguments):
        last = place == len(arguments) - 1
        yield from _branches(
            named,
            named[name],
            below + ("└─ " if last else "├─ "),
            below + ("   " if last else "│  "),
            drawn,
        )


def _forward(explanation: ExplainedStep, layout: Layout) -> Iterator[Text]:
    yield from layout.header()
    for node in explanation.nodes:
        if node.formula == node.name:
            yield from _leaf(node, layout)
        elif node.conditions:
            yield from _condition(node, layout)
        else:
            yield from _numbers(node.title, node.values, node.rows, layout)


def _leaf(node: Node, layout: Layout) -> Iterator[Text]:
    shown = ", ".join(number(judged.stated) for judged in node.values[:SHOWN_ROWS])
    more = f", ... {_rows(node.rows)}" if node.rows is not None and node.rows > SHOWN_ROWS else ""
    yield from layout.prose(f"{node.name:<9}{node.role.value:<11}{shown}{more}")


def _condition(node: Node, layout: Layout) -> Iterator[Text]:
    for place, decided in enumerate(node.conditions[:SHOWN_ROWS]):
        row = "" if node.rows is None else f"  row {place}"
        same = decided.autograd == decided.symbolic
        told = (
            f"{decided.autograd} both ways"
            if same
            else f"torch {decided.autograd}, symbolic {decided.symbolic}"
        )
        yield from layout.prose(f"{node.title}{row}   {told}")


def _numbers(
    title: str, numbers: Sequence[Comparison], rows: int | None, layout: Layout
) -> Iterator[Text]:
    """The title and its judged numbers: one beside it, or the first rows of a batch and what the
    others came to.
    """
    if rows is None:
        for judged in numbers:
            yield from _judged(title, judged, layout)
        return
    yield from layout.prose(title)
    for place in shown_rows(numbers):
        yield from _judged(f"  row {place}", numbers[place], layout)
    if rows > min(SHOWN_ROWS, len(numbers)):
        counts = Counter(judged.outcome for judged in numbers)
        told = ", ".join(
            f"{counts[found]} {_verb(found, counts[found])}" for found in Outcome if counts[found]
        )
        of = "" if rows == len(numbers) else f" of the first {len(numbers)} judged here"
        yield from layout.prose(f"  ⋯ {_rows(rows)} in all; {told}{of}", style="dim")


def shown_rows(numbers: Sequence[Comparison]) -> list[int]:
    """The first rows of a batch, and the first one that disagrees."""
    failing = next(
        (place for place, judged in enumerate(numbers) if judged.outcome is Outcome.DISAGREES), None
    )
    shown = [*range(min(SHOWN_ROWS, len(numbers)))]
    return shown if failing is None or failing in shown else [*shown, failing]


def _verb(outcome: Outcome, count: int) -> str:
    if outcome is Outcome.UNDECIDED:
        return "undecided"
    return outcome.value if count == 1 else outcome.value.removesuffix("s")


def _judged(title: str, judged: Comparison, layout: Layout) -> Iterator[Text]:
    yield from layout.comparison(title, judged)
    if judged.note:
        yield from layout.prose(
            f"{'':14}{judged.note}", style="dim" if judged.note is Note.KINK else "yellow"
        )


def _backward(explanation: ExplainedStep, layout: Layout) -> Iterator[Text]:
    named = {node.name: node for node in explanation.nodes}
    if not any(node.adjoints for node in explanation.nodes):
        yield from layout.prose(
            "  no backward() ran: what is passed from node to node cannot be seen"
        )
        return
    yield from layout.header()
    for node in reversed(explanation.nodes):
        if node.adjoints:
            users = [named[user] for user in node.users]
            edges = [
                (user, edge) for user in users for edge in user.edges if edge.argument == node.name
            ]
            yield from _passed_back(node, edges, layout)


def _passed_back(node: Node, edges: Sequence[tuple[Node, Edge]], layout: Layout) -> Iterator[Text]:
    """How a node's adjoint comes from those of the nodes that take it."""
    if edges:
        terms = [f"∂L/∂{user.name} · ∂{user.name}/∂{node.name}" for user, _ in edges]
        over = (
            "Σ over the rows of "
            if node.rows is None and any(user.rows is not None for user, _ in edges)
            else ""
        )
        yield from layout.prose(f"∂L/∂{node.name} = {over}{' + '.join(terms)}", style="bold")
    for user, edge in edges:
        rows = user.rows if user.rows is not None else node.rows
        yield from _numbers(
            f"  ∂{user.name}/∂{node.name} = {edge.formula}", edge.numbers, rows, layout
        )
    yield from _numbers(f"  ∂L/∂{node.name}", node.adjoints, node.rows, layout)
    if not node.arrived:
        told = f"autograd passes nothing back to {node.name}, which counts as 0"
        yield from layout.prose(f"{'':14}{told}", style="yellow")


def _chains(explanation: ExplainedStep, layout: Layout) -> Iterator[Text]:
    for name, judged in explanation.gradient.items():
        yield from _chain(explanation, name, judged, layout)


def _chain(
    explanation: ExplainedStep, name: str, judged: Comparison, layout: Layout
) -> Iterator[Text]:
    named = {node.name: node for node in explanation.nodes}
    paths = paths_to(named, name, PATHS + 1)
    rows = explanation.place.rows or 1
    left = f"∂L/∂{name}"
    pad = " " * len(left)
    if len(paths) > PATHS:
        yield from layout.prose(
            f"{left} has more than {PATHS} paths to add up: the equations above do, node by node"
        )
    else:
        over = f"Σ over {_rows(rows)} of " if rows > 1 else ""
        yield from layout.prose(f"{left} = {over}{_added(paths, _symbol)}")
        yield from layout.prose(f"{pad} = {over}{_added(paths, _formula)}")
        yield from layout.prose(
            f"{pad} {'  row 0 gives' if rows > 1 else '='} {_added(paths, _number)}"
        )
    yield from layout.prose(f"{pad} = {number(judged.symbolic)}")
    if name in explanation.formulas:
        yield from layout.prose(f"  by SymPy  {explanation.formulas[name]}")


_Told = Callable[[str, "Edge"], str]


def _added(paths: Sequence[Path], told: _Told) -> str:
    return "  +  ".join(
        " · ".join(told(user, edge) for user, edge in path) or "1" for path in paths
    )


def _symbol(user: str, edge: Edge) -> str:
    return f"∂{user}/∂{edge.argument}"


def _formula(_: str, edge: Edge) -> str:
    return (
        f"({edge.formula})"
        if " " in edge.formula and not edge.formula.startswith("(")
        else edge.formula
    )


def _number(_: str, edge: Edge) -> str:
    return number(edge.numbers[0].symbolic)


def _tensors(explanation: ExplainedStep, layout: Layout) -> Iterator[Text]:
    for tensor in explanation.tensors:
        yield from layout.prose(tensor.name)
        yield from layout.prose(f"  data {_entries(tensor.data, tensor.size)}")
        yield from layout.prose(
            f"  requires_grad {tensor.requires_grad}   grad_fn {tensor.grad_fn}"
        )
        if tensor.requires_grad and tensor.grad_fn is None:
            yield from layout.prose(
                f"  grad {tensor.grad_before} before backward(), {tensor.grad_after} after it"
            )


def _entries(values: tuple[float, ...], size: int) -> str:
    told = ", ".join(map(number, values))
    return told if size == len(values) else f"{told}, ... {size} in all"


def _updates(explanation: ExplainedStep, layout: Layout) -> Iterator[Text]:
    for update in explanation.updates:
        yield from layout.prose(f"{update.name:<8} {_moved(explanation, update)}")
        if update.moved is not None and update.symbolic_after is not None:
            same = update.symbolic_after == update.after
            told = "the same" if same else number(update.symbolic_after)
            yield from layout.prose(f"{'':6} = {number(update.before)} - {number(update.moved)}")
            yield from layout.prose(
                f"{'':6} = {number(update.after)}   by the symbolic gradient {told}"
            )


def _moved(explanation: ExplainedStep, update: Update) -> str:
    settings = explanation.settings
    if math.isnan(update.gradient) and update.after == update.before:
        return f"{number(update.before)} stays: it has no gradient"
    if update.moved is None:
        by = f"{optimizer_name(settings.optimizer)} at lr {plain(settings.lr)}"
        return (
            f"{number(update.before)} becomes {number(update.after)} by {by} from "
            f"{number(update.gradient)}"
        )
    return f"{number(update.before)} - {plain(settings.lr)} · {number(update.gradient)}"


def verdict_lines(explanation: ExplainedStep, layout: Layout) -> Iterator[Text]:
    """Where the two part, why, and what was counted."""
    outcome = explanation.outcome
    if explanation.parting is not None:
        yield from layout.prose(f"The two part {explanation.parting.sentence}.", style="red")
    for cause in explanation.causes:
        yield from layout.prose(f"likely at {cause.component}: {cause.sentence}")
    for note in explanation.notes:
        yield from layout.prose(f"{note}.")
    counted = sum(judged.outcome is outcome for judged in explanation.gradient.values())
    loss = "the loss and " if explanation.loss.outcome is outcome else ""
    along = [judged for node in explanation.nodes for judged in _all_numbers(node)]
    agreeing = sum(judged.outcome is Outcome.AGREES for judged in along)
    yield from layout.prose(
        f"{outcome.value.upper()}  {loss}{counted} of {len(explanation.gradient)} gradients;"
        f" {agreeing} of {len(along)} numbers along the graph agree.",
        style=STYLES[outcome],
    )


def _all_numbers(node: Node) -> list[Comparison]:
    return [
        *node.values,
        *node.adjoints,
        *(judged for edge in node.edges for judged in edge.numbers),
    ]
