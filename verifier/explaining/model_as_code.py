"""One model written out: as formulas, as LaTeX, or as the torch loop that a person would write."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from verifier.errors import InputError
from verifier.formula.model import Model
from verifier.formula.text.unparse import write_text
from verifier.program.builder import FormulaBuilder
from verifier.program.codegen import TORCH, definition
from verifier.program.pretty import readback
from verifier.program.program import ROWS
from verifier.program.shapes import shape_text
from verifier.training.data import read_columns
from verifier.training.optimizers import torch_optimizer_name, torch_optimizer_options
from verifier.training.runner import Settings


def formulas(model: Model) -> Iterator[str]:
    """The prediction, the loss and the gradient in the order of their author."""
    if not model.is_scalar:
        yield from _of_arrays(model)
        return
    yield f"{model.name}({model.signature})"
    prediction, loss = model.program.outputs[0], model.program.outputs[-1]
    yield f"  prediction  {_as_written(model, prediction, lambda: model.expression)}"
    yield f"  loss        {_as_written(model, loss, lambda: model.loss_expression)}"
    yield "  gradient"
    width = max(map(len, model.parameters))
    for name, derivative in model.gradient.items():
        yield f"    {name:<{width}}  {model.order.text(derivative)}"


def _of_arrays(model: Model) -> Iterator[str]:
    """The same with matrices; as the author wrote it where the algebra has no form for it."""
    yield f"{model.name}({', '.join([*model.inputs, '*', *model.start])})"
    columns = {name: (ROWS, *shape) for name, shape in model.row_shapes.items()}
    for kind, shapes in (("data", columns), ("parameters", model.shapes)):
        if shapes:
            listed = ", ".join(f"{name} {shape_text(shape)}" for name, shape in shapes.items())
            yield f"  {kind:<10}  {listed}"
    yield ""
    try:
        form = model.closed_form
    except InputError as error:
        prediction, loss = readback(model.program).split("\n")
        yield f"  prediction  {prediction}"
        yield f"  loss        {loss}"
        yield f"  The gradient is not shown in closed form: {error.sentence}."
        return
    for equation in form.text():
        yield from (f"  {line}" for line in equation.splitlines())
    yield from ["", *(f"  {sentence}" for sentence in form.legend)] if form.legend else []


def _as_written(model: Model, output: int, by_sympy: Callable[[], object]) -> str:
    """A result of the model's program as text; SymPy's form where it cannot be written."""
    try:
        return write_text(model.program.only(output))
    except InputError:
        return model.order.text(by_sympy())


def torch_loop(model: Model, settings: Settings) -> str:
    """A training loop in plain torch that prints the gradients that verifier judges, with the
    guarded code.

    Raises InputError for models of arrays, for settings that the plain loop does not have, and for
    data that is not written out.
    """
    if not model.is_scalar:
        raise InputError(
            f"--torch writes loops of models of numbers, and model {model.name} has arrays: "
            "model.torch is its prediction in torch"
        )
    if settings.batch not in (1, "all") or settings.shuffle or settings.hold_out:
        raise InputError(
            "--torch writes the plain loop only: one sample a step or all at once, in the order "
            "given"
        )
    clash = _LOOP_NAMES & {*model.columns, *model.start}
    if clash:
        raise InputError(
            f"--torch cannot write the loop: {min(clash)} is a name that the loop itself needs"
        )
    parts = [
        *_data(model, settings),
        "",
        *_start(model, settings),
        "",
        "",
        *_functions(model),
        "",
        *_optimizer(model, settings),
        *_loop(model, settings),
    ]
    text = "\n".join(parts) + "\n"
    modules = [name for name in ("builtins", "math") if f"{name}." in text]
    return (
        "".join(f"import {name}\n" for name in modules)
        + ("\n" if modules else "")
        + "import torch\n\n"
        + text
    )


_LOOP_NAMES = {
    "range",
    "print",
    "zip",
    "epoch",
    "cost",
    "parameter",
    "predict",
    "loss",
    "prediction",
    "optimizer",
}
_WRITTEN_ROWS = 1000


def _data(model: Model, settings: Settings) -> Iterator[str]:
    given = read_columns(model.data, model.columns, settings.format)
    if given.rows > _WRITTEN_ROWS:
        raise InputError(
            f"--torch writes the data out, and {given.rows} rows are too many: at most "
            f"{_WRITTEN_ROWS}"
        )
    for name, column in given.values.items():
        yield f"{name}_data = torch.tensor({column.tolist()}, dtype=torch.{settings.dtype})"


def _start(model: Model, settings: Settings) -> Iterator[str]:
    for name, value in model.start.items():
        grad = ", requires_grad=True" if name in model.parameters else ""
        yield f"{name} = torch.tensor({value!r}, dtype=torch.{settings.dtype}{grad})"


def _functions(model: Model) -> Iterator[str]:
    prediction, loss = model.guarded_program.outputs
    yield definition(
        "predict", ", ".join(model.inputs), model.guarded_program.only(prediction), TORCH
    )
    if model.loss is not None:
        builder = FormulaBuilder()
        places = {prediction: builder.input("prediction")}
        program = builder.program(builder.copy(model.guarded_program, loss, places))
        yield "\n" + definition(
            "loss", ", ".join(("prediction", *_loss_columns(model))), program, TORCH
        )


def _loss_columns(model: Model) -> list[str]:
    used = model.guarded_program.only_last.inputs
    return [name for name in model.columns if name not in model.inputs and name in used]


def _optimizer(model: Model, settings: Settings) -> Iterator[str]:
    if _own_update(settings):
        return
    name = torch_optimizer_name(settings.optimizer)
    options = torch_optimizer_options(str(settings.optimizer))
    parameters = ", ".join(model.parameters)
    yield f"optimizer = torch.optim.{name}([{parameters}], lr={settings.lr!r}{options})"


def _own_update(settings: Settings) -> bool:
    return str(settings.optimizer).lower() == "sgd"


def _loop(model: Model, settings: Settings) -> Iterator[str]:
    yield f"for epoch in range({settings.epochs}):"
    inner = "    "
    names = {name: name for name in model.columns}
    reduced = ""
    if model.columns and settings.batch == 1:
        yield (
            f"    for {', '.join(model.columns)} in "
            f"zip({', '.join(f'{name}_data' for name in model.columns)}):"
        )
        inner = "        "
    elif model.columns:
        names = {name: f"{name}_data" for name in model.columns}
        reduced = f".{model.reduction}()"
    predicted = f"predict({', '.join(names[name] for name in model.inputs)})"
    arguments = ", ".join((predicted, *(names[name] for name in _loss_columns(model))))
    yield f"{inner}cost = {predicted if model.loss is None else f'loss({arguments}){reduced}'}"
    yield f"{inner}cost.backward()"
    shown = ", ".join(f"{name}.grad.item()" for name in model.parameters)
    yield f'{inner}print("grad", {shown})'
    yield from (f"{inner}{line}" for line in _update_lines(model, settings))
    yield '    print("epoch", epoch, "cost", cost.item())'


def _update_lines(model: Model, settings: Settings) -> Iterator[str]:
    if not _own_update(settings):
        yield "optimizer.step()"
        yield "optimizer.zero_grad()"
        return
    trained = (
        f"({', '.join(model.parameters)},)"
        if len(model.parameters) == 1
        else f"({', '.join(model.parameters)})"
    )
    yield "with torch.no_grad():"
    yield f"    for parameter in {trained}:"
    yield f"        parameter -= {settings.lr!r} * parameter.grad"
    yield "        parameter.grad = None"
