"""The page of an explanation: the graph drawn, the chain rule in symbols and in numbers, what torch
holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import sympy
from markupsafe import Markup, escape

from verifier.errors import printable
from verifier.explaining.as_text import (
    PATHS,
    Edges,
    adjoint_formula,
    passed_back,
    shown_rows,
    verdict_of,
)
from verifier.explaining.chain_rule import Path, paths_to
from verifier.explaining.drawing.graph_svg import DRAWN_NODES, graph_boxes, graph_picture
from verifier.explaining.explained_step import (
    Edge,
    ExplainedStep,
    FirstDivergence,
    Node,
    Tensor,
    Update,
)
from verifier.explaining.slider import (
    has_one_graph,
    short_number,
    short_numbers,
    slider_of,
)
from verifier.judging.verdict import Comparison
from verifier.operations.number_text import number, plain
from verifier.reporting.content.blocks import (
    Column,
    Part,
    Row,
    Sentence,
    Table,
)
from verifier.reporting.content.comparisons import CAPTION, FULL_COLUMNS, full_row
from verifier.reporting.content.component_rows import DASH
from verifier.reporting.data.training_json import optimizer_name, settings_document
from verifier.reporting.html.mathml import derivative, mathml, partial, product, text
from verifier.reporting.html.page import (
    Diagram,
    Folded,
    Formula,
    Formulas,
    Page,
    Section,
    how_it_was_made,
)
from verifier.reporting.html.training import MODEL_IN_CODE, wrong_at

FORMULA_CHARACTERS = 200_000
TYPESET = 100
"""Longer formulas of SymPy's stand as text, which can be broken into lines."""


def explanation_page(explanation: ExplainedStep, others: Sequence[ExplainedStep] = ()) -> Page:
    """The page: the verdict, where the two part, the graph, the chain rule, the tables and the
    update. With `others`, the explanations of more steps of the training, it has a slider.
    """
    if len(others) < 2 or not has_one_graph([explanation, *others]):
        return _page(explanation, [])
    slider = slider_of(others, [*map(_texts_alone, others)], explanation.place.step)
    return replace(_page(explanation, others), slider=slider)


def _texts_alone(explanation: ExplainedStep) -> Page:
    """The page without what the slider does not change. Where the two part stands in a sentence."""
    parting = [explanation.parting.sentence] if explanation.parting else []
    return Page(
        title=_title(explanation),
        outcome=explanation.outcome,
        verdict=verdict_of(explanation),
        sentences=[*_sentences(explanation), *parting],
        sections=[_chains(explanation), *_tables(explanation)],
    )


def _title(explanation: ExplainedStep) -> str:
    return f"verifier: step {explanation.place.step} of {explanation.model.name}"


def _sentences(explanation: ExplainedStep) -> list[str]:
    chosen = explanation.place.chosen
    return [f"{chosen[:1].upper()}{chosen[1:]}."]


def _tables(explanation: ExplainedStep) -> list[Section]:
    return [
        _forward(explanation),
        _backward(explanation),
        _tensors(explanation.tensors),
        _updates(explanation),
    ]


def _page(explanation: ExplainedStep, beside: Sequence[ExplainedStep]) -> Page:
    return Page(
        title=_title(explanation),
        outcome=explanation.outcome,
        verdict=verdict_of(explanation),
        sentences=_sentences(explanation),
        sections=[
            *([_parted(explanation.parting, explanation)] if explanation.parting else []),
            _graph(explanation, beside),
            _chains(explanation),
            *_tables(explanation),
            _how(explanation),
        ],
    )


def _parted(parting: FirstDivergence, explanation: ExplainedStep) -> Part:
    # The slider's script hides this section at other steps.
    blocks = wrong_at(f"The two part at {parting.node}", where=parting.sentence)
    for cause in explanation.causes:
        blocks += wrong_at(cause.component, likely=cause.sentence, evidence=cause.evidence)
    return Part("Where the two part", blocks)


def _graph(explanation: ExplainedStep, beside: Sequence[ExplainedStep]) -> Section:
    full, short = (
        graph_picture(explanation, write, [graph_boxes(step, write) for step in beside])
        for write in (number, short_number)
    )
    if full is not None and short is not None:
        return Diagram("The graph", full, replace(short, name="graph-short"))
    sentence = (
        f"{len(explanation.nodes)} nodes are too many to be drawn (more than {DRAWN_NODES}): the "
        "tables have them."
    )
    return Part("The graph", [Sentence(sentence)])


def _chains(explanation: ExplainedStep) -> Formulas:
    """The chain rule from each parameter to the loss, in symbols, in formulas and in numbers."""
    named = {node.name: node for node in explanation.nodes}
    entries: list[Formula] = []
    many = [name for name in explanation.gradient if len(paths_to(named, name, PATHS + 1)) > PATHS]
    room = FORMULA_CHARACTERS
    for name, judged in explanation.gradient.items():
        chain = (
            [] if name in many else _chain(explanation, name, paths_to(named, name, PATHS), judged)
        )
        written = [*chain, *_by_sympy(explanation, name)]
        room -= sum(len(entry.right) + len(entry.text) for entry in written)
        entries += written if room >= 0 else []
    sentences = []
    if many:
        sentences.append(
            f"{', '.join(many)}: more than {PATHS} paths to add up; the table of the way back "
            "does, node by node."
        )
    if room < 0:
        sentences.append("Not all of it is written out here.")
    return Formulas("The chain rule", entries, " ".join(sentences))


def _chain(
    explanation: ExplainedStep, name: str, paths: Sequence[Path], judged: Comparison
) -> Iterator[Formula]:
    rows = explanation.place.rows or 1
    summed = f"Σ over {rows} rows of " if rows > 1 else ""
    total = number(judged.symbolic)
    yield _equation(name, summed, paths, (_symbol, lambda user, edge: f"∂{user}/∂{edge.argument}"))
    yield _equation(name, summed, paths, (_formula, lambda _, edge: f"({edge.formula})"))
    if rows > 1:
        full, short = (Markup(text(one)) for one in (total, short_numbers(total)))  # noqa: S704 (text escapes)
        yield Formula(_left(name), full, f"∂L/∂{name} = {total}", short)
    else:
        numbers = f"{_sum(paths, _number)} = {total}"
        full, short = (Markup(text(one)) for one in (numbers, short_numbers(numbers)))  # noqa: S704 (text escapes)
        yield Formula(_left(name), full, f"∂L/∂{name} = {numbers}", short)


def _left(name: str) -> Markup:
    return Markup(derivative(name))  # noqa: S704 (derivative escapes)


_PathText = Callable[[str, "Edge"], str]


def _equation(
    name: str, before: str, paths: Sequence[Path], writers: tuple[_PathText, _PathText]
) -> Formula:
    """The derivative by a parameter as the sum over paths of products along them, as markup and as
    text.
    """
    drawn, written = writers
    terms = [
        product([drawn(user, edge) for user, edge in path] or ["<mn>1</mn>"]) for path in paths
    ]
    said = _sum(paths, written)
    right = (text(before) if before else "") + "<math><mo>+</mo></math>".join(terms)
    return Formula(_left(name), Markup(right), f"∂L/∂{name} = {before}{said}")  # noqa: S704 (mathml escapes)


def _sum(paths: Sequence[Path], written: _PathText) -> str:
    """The sum over paths of products along them, as text."""
    return " + ".join(
        " · ".join(written(user, edge) for user, edge in path) or "1" for path in paths
    )


def _symbol(user: str, edge: Edge) -> str:
    return partial(user, edge.argument)


def _formula(_: str, edge: Edge) -> str:
    """The derivative in brackets where it is more than a name or a number."""
    if edge.derivative is None:
        return f"<mtext>{escape(printable(edge.formula))}</mtext>"
    inner = mathml(edge.derivative).removeprefix("<math>").removesuffix("</math>")
    plain_one = isinstance(edge.derivative, sympy.Symbol) or edge.derivative.is_nonnegative
    return inner if plain_one else f"<mrow><mo>(</mo>{inner}<mo>)</mo></mrow>"


def _number(_: str, edge: Edge) -> str:
    value = edge.numbers[0].symbolic
    return f"({number(value)})" if value < 0 else number(value)


def _by_sympy(explanation: ExplainedStep, name: str) -> list[Formula]:
    if name not in explanation.formulas:
        return []
    model, found = explanation.model, explanation.formulas[name]
    sentence = f"∂L/∂{name} = {found}, by SymPy"
    if len(found) > TYPESET:
        return [Formula(_left(name), escape(printable(f"{found}, by SymPy")), sentence)]
    typeset = Markup(mathml(model.gradient[name], model.order) + text("\u2003by SymPy"))  # noqa: S704 (both escape)
    return [Formula(_left(name), typeset, sentence)]


def _forward(explanation: ExplainedStep) -> Table:
    rows = [row for node in explanation.nodes for row in _values(node)]
    decided = [
        ((node.name, f"{node.formula} holds", _row_name(node, place)), condition)
        for node in explanation.nodes
        for place, condition in enumerate(node.conditions[:3])
    ]
    sentences = [
        f"{name}{f' row {row}' if row else ''}: {formula}, {one.autograd} in torch, {one.symbolic} "
        "symbolically."
        for (name, formula, row), one in decided
    ]
    return _judged_table("Forward", "node", rows, [_rows_note(explanation), *sentences[:20]])


def _values(node: Node) -> list[Row]:
    what = node.formula if node.arguments else node.role.value
    return [
        full_row((node.name, what, _row_name(node, place)), node.values[place])
        for place in shown_rows(node.values)
    ]


def _row_name(node: Node, place: int) -> str:
    return "" if node.rows is None else str(place)


def _backward(explanation: ExplainedStep) -> Section:
    rows = [row for node, edges in passed_back(explanation) for row in _adjoint(node, edges)]
    if not rows:
        nothing = "No backward() ran: what is passed from node to node cannot be seen."
        return Part("Backward", [Sentence(nothing)])
    missing = [node.name for node in explanation.nodes if node.adjoints and not node.arrived]
    lost = f"Autograd passes nothing back to {', '.join(missing)}, which counts as 0."
    notes = [_rows_note(explanation), lost if missing else ""]
    return _judged_table("Backward", "derivative", rows, notes)


def _adjoint(node: Node, edges: Edges) -> Iterator[Row]:
    """The derivatives by a node of those that take it, and then the sum that is its own."""
    for user, edge in edges:
        rows = user if user.rows is not None else node
        for place in shown_rows(edge.numbers):
            row = _row_name(rows, place) if len(edge.numbers) > 1 else ""
            yield full_row((f"∂{user.name}/∂{node.name}", edge.formula, row), edge.numbers[place])
    formula = adjoint_formula(node, edges) if edges else "1"
    for place in shown_rows(node.adjoints):
        named = (f"∂L/∂{node.name}", formula, _row_name(node, place))
        yield full_row(named, node.adjoints[place])


def _judged_table(title: str, quantity: str, rows: Sequence[Row], notes: Sequence[str]) -> Table:
    columns = (
        Column(quantity, justify="left"),
        Column("formula", justify="left"),
        Column("row"),
        *FULL_COLUMNS,
    )
    return Table(title, CAPTION, columns, rows, note=" ".join(filter(None, notes)))


def _rows_note(explanation: ExplainedStep) -> str:
    rows = explanation.place.rows
    if rows is None or rows == 1:
        return ""
    judged = (
        f" The first {explanation.judged_rows} are judged here."
        if explanation.judged_rows < rows
        else ""
    )
    return f"Of {rows} rows the first ones are shown, and the first one that disagrees.{judged}"


_TENSOR_COLUMNS = (
    Column("tensor", justify="left"),
    Column("data"),
    Column("requires_grad", justify="left"),
    Column("grad_fn", justify="left"),
    Column("grad before backward()"),
    Column("grad after"),
)


def _tensors(tensors: Sequence[Tensor]) -> Table:
    caption = (
        "As torch holds them. grad is kept for what is not computed and requires a gradient, and "
        "is None before backward()."
    )
    return Table("The tensors", caption, _TENSOR_COLUMNS, [*map(_tensor, tensors)])


def _tensor(tensor: Tensor) -> Row:
    data = ", ".join(map(number, tensor.data)) + (
        f", … {tensor.size} in all" * (tensor.size > len(tensor.data))
    )
    kept = tensor.requires_grad and tensor.grad_fn is None
    grads = [str(tensor.grad_before), str(tensor.grad_after)] if kept else ["–", "–"]
    return Row([tensor.name, data, str(tensor.requires_grad), str(tensor.grad_fn), *grads])


_UPDATE_COLUMNS = (
    Column("parameter", justify="left"),
    Column("before"),
    Column("gradient"),
    Column("learning rate · gradient"),
    Column("after"),
    Column("after, by the symbolic one"),
)


def _updates(explanation: ExplainedStep) -> Table:
    settings = explanation.settings
    plain_steps = all(update.moved is not None for update in explanation.updates)
    by = f"{optimizer_name(settings.optimizer)} at learning rate {plain(settings.lr)}"
    rule = (
        f"{by}: the parameter less {plain(settings.lr)} times its gradient."
        if plain_steps
        else f"{by}."
    )
    rows = [*map(_update, explanation.updates)]
    return Table("The update", rule, _UPDATE_COLUMNS, rows)


def _update(update: Update) -> Row:
    numbers = (update.before, update.gradient, update.moved, update.after, update.symbolic_after)
    return Row([update.name, *(DASH if value is None else number(value) for value in numbers)])


def _how(explanation: ExplainedStep) -> Folded:
    place, model = explanation.place, explanation.model
    inputs = ", ".join(f"{name}={plain(value)}" for name, value in place.inputs.items())
    facts = {
        "model": model.description.partition("\n")[0] or model.name,
        "step": f"{place.step}, epoch {place.epoch}",
        **({"inputs": inputs} if inputs else {"rows": place.rows}),
        **settings_document(explanation.settings),
    }
    return how_it_was_made(explanation.replay, MODEL_IN_CODE, facts.items())
