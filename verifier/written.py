"""One model written out: as formulas, as LaTeX, or as the torch loop that a person would write."""

from __future__ import annotations

from collections.abc import Iterator

import sympy

from verifier.data import columns
from verifier.errors import InputError
from verifier.expression import symbol
from verifier.modeling import Model
from verifier.program import Builder
from verifier.runner import Settings
from verifier.source import TORCH, definition


def formulas(model: Model) -> Iterator[str]:
    """The prediction, the loss and the gradient, as SymPy writes them."""
    yield f"{model.name}({model.signature})"
    yield f"  prediction  {model.expression}"
    yield f"  loss        {model.loss_expression}"
    yield "  gradient"
    width = max(map(len, model.parameters))
    for name, derivative in model.gradient.items():
        yield f"    {name:<{width}}  {derivative}"


def latex(model: Model) -> Iterator[str]:
    """The same in LaTeX, an equation a line."""
    yield rf"\hat{{y}} = {sympy.latex(model.expression)}"
    yield f"L = {sympy.latex(model.loss_expression)}"
    for name, derivative in model.gradient.items():
        yield rf"\frac{{\partial L}}{{\partial {sympy.latex(symbol(name))}}} = {sympy.latex(derivative)}"


def torch_loop(model: Model, settings: Settings) -> str:
    """A training loop in plain torch that prints the gradients that verifier judges.

    Raises InputError for settings that the plain loop does not have.
    """
    if settings.optimizer != "sgd" or settings.batch != 1 or settings.shuffle:
        raise InputError("--torch writes the plain loop only: sgd, one sample a step, in the order given")
    clash = _LOOP_NAMES & {*model.columns, *model.start}
    if clash:
        raise InputError(f"--torch cannot write the loop: {min(clash)} is a name that the loop itself needs")
    parts = [
        *_data(model, settings),
        "",
        *_start(model, settings),
        "",
        "",
        *_functions(model),
        "",
        *_loop(model, settings),
    ]
    text = "\n".join(parts) + "\n"
    return ("import math\n\n" if "math." in text else "") + "import torch\n\n" + text


_LOOP_NAMES = {"range", "print", "zip", "epoch", "cost", "parameter", "predict", "loss", "prediction"}


def _data(model: Model, settings: Settings) -> Iterator[str]:
    values = columns(model.data, model.columns, settings.format).values
    for name, column in values.items():
        yield f"{name}_data = torch.tensor({column.tolist()}, dtype=torch.{settings.dtype})"


def _start(model: Model, settings: Settings) -> Iterator[str]:
    for name, value in model.start.items():
        grad = ", requires_grad=True" if name in model.parameters else ""
        yield f"{name} = torch.tensor({value!r}, dtype=torch.{settings.dtype}{grad})"


def _functions(model: Model) -> Iterator[str]:
    prediction, loss = model.program.outputs
    yield definition("predict", ", ".join(model.inputs), model.program.only(prediction), TORCH)
    if model.loss is not None:
        builder = Builder()
        places = {prediction: builder.symbol("prediction")}
        program = builder.program(builder.copy(model.program, loss, places))
        yield "\n" + definition("loss", ", ".join(("prediction", *_loss_columns(model))), program, TORCH)


def _loss_columns(model: Model) -> list[str]:
    _, loss = model.program.outputs
    return [name for name in model.columns if name not in model.inputs and name in model.program.only(loss).symbols]


def _loop(model: Model, settings: Settings) -> Iterator[str]:
    predicted = f"predict({', '.join(model.inputs)})"
    cost = predicted if model.loss is None else f"loss({', '.join((predicted, *_loss_columns(model)))})"
    yield f"for epoch in range({settings.epochs}):"
    inner = "    "
    if model.columns:
        yield f"    for {', '.join(model.columns)} in zip({', '.join(f'{name}_data' for name in model.columns)}):"
        inner = "        "
    trained = f"({', '.join(model.parameters)},)" if len(model.parameters) == 1 else f"({', '.join(model.parameters)})"
    shown = ", ".join(f"{name}.grad.item()" for name in model.parameters)
    yield f"{inner}cost = {cost}"
    yield f"{inner}cost.backward()"
    yield f'{inner}print("grad", {shown})'
    yield f"{inner}with torch.no_grad():"
    yield f"{inner}    for parameter in {trained}:"
    yield f"{inner}        parameter -= {settings.lr!r} * parameter.grad"
    yield f"{inner}        parameter.grad = None"
    yield '    print("epoch", epoch, "cost", cost.item())'
