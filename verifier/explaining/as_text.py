"""What a person sees of an explanation, as one would write it in front of a class."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from verifier.checking.labels import with_noun, words_text
from verifier.explaining.chain_rule import Path, paths_to
from verifier.explaining.explained_step import Edge, ExplainedStep, Node, Tensor, Update
from verifier.judging.verdict import Comparison, Outcome
from verifier.operations.number_text import number, plain
from verifier.reporting.content import comparisons
from verifier.reporting.content.blocks import (
    Blank,
    Block,
    Drawing,
    Entry,
    Heading,
    Labelled,
    Sentence,
    Table,
    Verdict,
)
from verifier.reporting.data.training_json import optimizer_name

SHOWN_ROWS = 3
"""Of a batch so many rows are shown, and the first one that disagrees."""
TREE_LINES = 60
"""A larger tree is not drawn: the table that follows says the same."""
PATHS = 3
"""So many paths from a parameter to the loss are written out."""
_BELOW = 14
"""How far to the right it stands what is said of a number."""


def explanation_content(explanation: ExplainedStep) -> Iterator[Block]:
    """Verdict, graph, forward, backward, chain rule, tensors and update."""
    yield from verdict_blocks(explanation)
    yield Blank()
    yield from _head(explanation)
    for title, part in (
        ("the graph, from the loss to what it is made of", _tree),
        ("forward, what every node comes to", _forward),
        ("backward, the derivative of the loss L by every node, from the loss back", _backward),
        ("the chain rule, from each parameter to the loss", _chains),
        ("the tensors as torch holds them", _tensors),
        ("the update", _updates),
    ):
        yield Blank()
        yield Sentence(title, "bold")
        yield from part(explanation)


def _head(explanation: ExplainedStep) -> Iterator[Block]:
    place, settings = explanation.place, explanation.settings
    inputs = [f"{name}={plain(value)}" for name, value in place.inputs.items()]
    if place.rows is not None:
        inputs.insert(0, f"a batch of {_rows(place.rows)}")
    left = [f"step {place.step}", f"epoch {place.epoch}", *inputs]
    yield Heading(left, f"loss {number(explanation.loss.stated)}")
    by = f"{optimizer_name(settings.optimizer)}, lr {plain(settings.lr)}"
    yield Sentence(f"{explanation.model.name}, {settings.dtype}, {by}")
    yield Sentence(place.chosen)


def _rows(count: int) -> str:
    return f"{count} row{'s' * (count != 1)}"


def _tree(explanation: ExplainedStep) -> Iterator[Block]:
    named = {node.name: node for node in explanation.nodes}
    instead = f"{len(named)} nodes, too many or too deep for a tree: the next table has them all"
    lines = [f"  {line}" for line in _branches(named, explanation.nodes[-1], "", "", set())]
    yield Drawing(lines, instead) if len(lines) <= TREE_LINES else Sentence(instead, indent=2)


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


def _forward(explanation: ExplainedStep) -> Iterator[Block]:
    yield _judged_table("Forward", [part for node in explanation.nodes for part in _node(node)])


def _judged_table(title: str, parts: Sequence[Entry]) -> Table:
    return Table(title, comparisons.CAPTION, comparisons.SHORT_COLUMNS, parts)


def _node(node: Node) -> Iterator[Entry]:
    if node.formula == node.name:
        yield _leaf(node)
    elif node.conditions:
        yield from _condition(node)
    else:
        yield from _numbers(node.title, node.values, node.rows)


def _leaf(node: Node) -> Labelled:
    shown = ", ".join(number(judged.stated) for judged in node.values[:SHOWN_ROWS])
    more = f", ... {_rows(node.rows)}" if node.rows is not None and node.rows > SHOWN_ROWS else ""
    return Labelled(f"{node.name:<9}{node.role.value}", f"{shown}{more}", width=20)


def _condition(node: Node) -> Iterator[Sentence]:
    for place, decided in enumerate(node.conditions[:SHOWN_ROWS]):
        row = "" if node.rows is None else f"  row {place}"
        same = decided.autograd == decided.symbolic
        both = f"torch {decided.autograd}, symbolic {decided.symbolic}"
        text = f"{decided.autograd} both ways" if same else both
        yield Sentence(f"{node.title}{row}   {text}")


def _numbers(
    title: str, numbers: Sequence[Comparison], rows: int | None, indent: int = 0
) -> Iterator[Entry]:
    """The title and its judged numbers: one beside it, or the first rows of a batch and what the
    others came to.
    """
    if rows is None:
        for judged in numbers:
            yield from _judged(" " * indent + title, judged)
        return
    yield Sentence(title, indent=indent)
    for place in shown_rows(numbers):
        yield from _judged(f"  row {place}", numbers[place])
    if rows > min(SHOWN_ROWS, len(numbers)):
        yield Sentence(f"⋯ {_rows(rows)} in all; {_outcomes(numbers, rows)}", "dim", 2)


def _outcomes(numbers: Sequence[Comparison], rows: int) -> str:
    """How the numbers came out, and of how many rows they are."""
    counts = Counter(judged.outcome for judged in numbers)
    text = ", ".join(
        f"{counts[found]} {_verb(found, counts[found])}" for found in Outcome if counts[found]
    )
    return text if rows == len(numbers) else f"{text} of the first {len(numbers)} judged here"


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


def _judged(title: str, judged: Comparison) -> Iterator[Entry]:
    yield comparisons.short_row(title, judged)
    if judged.note:
        yield Sentence(judged.note, comparisons.note_style(judged.note), _BELOW)


def _backward(explanation: ExplainedStep) -> Iterator[Block]:
    parts = [part for node, edges in passed_back(explanation) for part in _adjoint(node, edges)]
    if parts:
        yield _judged_table("Backward", parts)
    else:
        nothing = "no backward() ran: what is passed from node to node cannot be seen"
        yield Sentence(nothing, indent=2)


Edges = Sequence[tuple[Node, Edge]]
"""The nodes that take a node, each with its derivative by that node."""


def passed_back(explanation: ExplainedStep) -> Iterator[tuple[Node, Edges]]:
    """The nodes that have an adjoint, from the loss back, each with what it comes from."""
    named = {node.name: node for node in explanation.nodes}
    for node in reversed(explanation.nodes):
        if node.adjoints:
            users = [named[user] for user in node.users]
            yield (
                node,
                [
                    (user, edge)
                    for user in users
                    for edge in user.edges
                    if edge.argument == node.name
                ],
            )


def adjoint_formula(node: Node, edges: Edges) -> str:
    """How a node's adjoint comes from those of the nodes that take it."""
    is_sum = node.rows is None and any(user.rows is not None for user, _ in edges)
    terms = " + ".join(f"∂L/∂{user.name} · ∂{user.name}/∂{node.name}" for user, _ in edges)
    return f"{'Σ over the rows of ' * is_sum}{terms}"


def _adjoint(node: Node, edges: Edges) -> Iterator[Entry]:
    if edges:
        yield Sentence(f"∂L/∂{node.name} = {adjoint_formula(node, edges)}", "bold")
    for user, edge in edges:
        rows = user.rows if user.rows is not None else node.rows
        title = f"∂{user.name}/∂{node.name} = {edge.formula}"
        yield from _numbers(title, edge.numbers, rows, indent=2)
    yield from _numbers(f"∂L/∂{node.name}", node.adjoints, node.rows, indent=2)
    if not node.arrived:
        lost = f"autograd passes nothing back to {node.name}, which counts as 0"
        yield Sentence(lost, "yellow", _BELOW)


def _chains(explanation: ExplainedStep) -> Iterator[Block]:
    for name, judged in explanation.gradient.items():
        yield from _chain(explanation, name, judged)


def _chain(explanation: ExplainedStep, name: str, judged: Comparison) -> Iterator[Labelled]:
    named = {node.name: node for node in explanation.nodes}
    paths = paths_to(named, name, PATHS + 1)
    left = f"∂L/∂{name}"
    if len(paths) > PATHS:
        many = f"has more than {PATHS} paths to add up: the equations above do, node by node"
        yield Labelled(left, many)
    else:
        rows = explanation.place.rows or 1
        over = f"Σ over {_rows(rows)} of " if rows > 1 else ""
        yield Labelled(left, f"= {over}{_added(paths, _symbol)}")
        yield Labelled("", f"= {over}{_added(paths, _formula)}", width=len(left) + 2)
        first = "  row 0 gives" if rows > 1 else "="
        yield Labelled("", f"{first} {_added(paths, _number)}", width=len(left) + 2)
    yield Labelled("", f"= {number(judged.symbolic)}", width=len(left) + 2)
    if name in explanation.formulas:
        yield Labelled("by SymPy", explanation.formulas[name], indent=2)


_PathText = Callable[[str, "Edge"], str]


def _added(paths: Sequence[Path], write: _PathText) -> str:
    return "  +  ".join(
        " · ".join(write(user, edge) for user, edge in path) or "1" for path in paths
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


def _tensors(explanation: ExplainedStep) -> Iterator[Block]:
    for tensor in explanation.tensors:
        yield from _tensor(tensor)


def _tensor(tensor: Tensor) -> Iterator[Sentence]:
    yield Sentence(tensor.name)
    yield Sentence(f"data {_entries(tensor.data, tensor.size)}", indent=2)
    yield Sentence(f"requires_grad {tensor.requires_grad}   grad_fn {tensor.grad_fn}", indent=2)
    if tensor.requires_grad and tensor.grad_fn is None:
        kept = f"{tensor.grad_before} before backward(), {tensor.grad_after} after it"
        yield Sentence(f"grad {kept}", indent=2)


def _entries(values: tuple[float, ...], size: int) -> str:
    text = ", ".join(map(number, values))
    return text if size == len(values) else f"{text}, ... {size} in all"


def _updates(explanation: ExplainedStep) -> Iterator[Block]:
    for update in explanation.updates:
        yield Labelled(update.name, _moved(explanation, update), width=9)
        if update.moved is not None and update.symbolic_after is not None:
            same = update.symbolic_after == update.after
            text = "the same" if same else number(update.symbolic_after)
            yield Sentence(f"= {number(update.before)} - {number(update.moved)}", indent=7)
            yield Sentence(f"= {number(update.after)}   by the symbolic gradient {text}", indent=7)


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


def verdict_blocks(explanation: ExplainedStep) -> Iterator[Block]:
    """What came out, where the two part, and why."""
    yield Verdict(explanation.outcome.value.upper(), verdict_of(explanation), explanation.outcome)
    if explanation.parting is not None:
        yield Sentence(f"The two part {explanation.parting.sentence}.", "red")
    for cause in explanation.causes:
        yield Sentence(f"likely at {cause.component}: {cause.sentence}")
    for note in explanation.notes:
        yield Sentence(f"{note}.")


def verdict_of(explanation: ExplainedStep) -> str:
    """What came out at the step, in a sentence."""
    at = f"at step {explanation.place.step}"
    judged = {"the loss": explanation.loss, **explanation.gradient}
    along = [number_ for node in explanation.nodes for number_ in _all_numbers(node)]
    agreeing = sum(number_.outcome is Outcome.AGREES for number_ in along)
    numbers = f"{agreeing} of {len(along)} numbers along the graph agree."
    if explanation.outcome is Outcome.AGREES:
        gradients = with_noun(len(explanation.gradient), "gradient")
        return f"The loss and {gradients} agree {at}; {numbers}"
    named = [name for name, one in judged.items() if one.outcome is explanation.outcome]
    if explanation.outcome is Outcome.DISAGREES:
        which = f" of {words_text(named)}" if named else ""
        return f"Rounding does not explain what autograd stated{which} {at}; {numbers}"
    return f"Nothing disagrees {at}, but {words_text(named)} could not be decided; {numbers}"


def _all_numbers(node: Node) -> list[Comparison]:
    return [
        *node.values,
        *node.adjoints,
        *(judged for edge in node.edges for judged in edge.numbers),
    ]
