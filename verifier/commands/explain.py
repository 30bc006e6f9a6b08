"""Explaining one step: the library's `verifier.explain`.

The training is run up to that step, its loss is computed by the very code that trains, with every
tensor on the way seen as it is made, and hooks take what autograd passes back to it.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from functools import cache, partial

import numpy as np

from verifier.capture.to_numpy import to_float64
from verifier.commands.train import training_command
from verifier.errors import InputError
from verifier.explaining.choose_step import (
    StepContext,
    advance_to_step,
    round_point,
    step_of_training,
)
from verifier.explaining.explained_step import ExplainedStep, Place, Tensor, Update
from verifier.explaining.explanation import Explanation
from verifier.explaining.first_divergence import find_first_divergence
from verifier.explaining.graph import Graph, graph_of
from verifier.explaining.node_verdicts import NodeJudge
from verifier.explaining.slider import chosen_steps
from verifier.explaining.torch_hooks import ObservedStep, observe_step
from verifier.formula.model import Model
from verifier.judging.causes.scalar_gradients import Cause, StepGradient, causes_at_step
from verifier.judging.verdict import Comparison
from verifier.process.internal_errors import InternalErrors
from verifier.process.isolation import isolate
from verifier.process.values import UserValue
from verifier.training.model_training import settings_for
from verifier.training.optimizers import PlainSGD, optimizer_named
from verifier.training.runner import Run, always
from verifier.witnesses import Autograd, Witness

KEPT_ENTRIES = 3
"""Of a tensor so many entries are kept."""


@isolate
def explain(
    model: Model,
    *,
    at: Mapping[str, float] | None = None,
    step: int | None = None,
    data: UserValue = None,
    witness: Witness | None = None,
    keep_going: Callable[[int, int], bool] = always,
    **settings: UserValue,
) -> Explanation:
    """How the gradient of one step of the training comes about, node by node.

    `model` is trained up to that step. `step` is counted from 1, as `train` numbers them. `at`
    gives data and parameters by name. Data that is a row of the data means the first step that uses
    it, with the parameters as the steps before left them; other data, of which every column must
    then be given, stand with the parameters that the training starts from. With a step, they stand
    in the place of its sample. Parameters stand in the place of those that the step has. Without
    both it is the first step. Of a batch, data are one row by itself.

    `data`, `witness`, `keep_going` and the `settings` are those of `train`.

    Raises InputError for a step that the training does not have, and for names and numbers that do
    not fit.

    >>> import verifier
    >>> explanation = verifier.explain(verifier.load("linear"), at={"x": 2.0})
    >>> explanation.place.step, explanation["prediction"].formula, explanation.gradient["w"].stated
    (2, 'w * x', -7.840000152587891)
    """
    if not isinstance(model, Model):
        raise InputError(
            f"explain takes a model, not {model!r}: verifier.load('quadratic') gives one of the "
            "gallery"
        )
    if data is not None:
        model = model.with_data(data)
    if not model.is_scalar:
        raise InputError(
            f"model {model.name} has arrays, and explain takes a step apart number by number: "
            "verifier show writes its gradient, and verifier train judges every entry"
        )
    chosen = settings_for(model, settings)
    point = round_point(model, at or {}, chosen.format)
    given = model.data
    if given is None and model.columns and all(name in point for name in model.columns):
        given = {name: [point[name]] for name in model.columns}
    own = witness or Autograd()
    training_from_start = partial(Run, model, given, chosen, deepcopy(own), keep_going)
    run = Run(model, given, chosen, own, keep_going)
    stand = advance_to_step(run, point, step)
    explanation = _explanation_at(run, stand)
    training = training_command(model, data, chosen, ())
    replay = None if training is None else _explain_command(training, point, step)
    explanation = replace(explanation, replay=replay)
    if _is_of_the_training(run, point, stand):
        others = partial(_explanations, training_from_start, explanation)
        return replace(explanation, others=cache(others))
    return explanation


def _is_of_the_training(run: Run, point: Mapping[str, float], stand: StepContext) -> bool:
    """Whether the step is as the training has it: nothing was put in the place of its numbers."""
    given = [name for name in point if name in run.model.start]
    return not given and (not point or (run.schedule.single and stand.row is not None))


def _explanations(training: Callable[[], Run], shown: ExplainedStep) -> tuple[ExplainedStep, ...]:
    """Steps of the training from its start, explained one after the other."""
    run = training()
    wanted = {*chosen_steps(shown, run.schedule.steps)}
    found = []
    for number, (epoch, rows) in enumerate(run.schedule, start=1):
        if number in wanted:
            found.append(_explanation_at(run, step_of_training(run, number, epoch, rows)))
        else:
            run.autograd.step(rows)
    return tuple(found)


def _explanation_at(run: Run, stand: StepContext) -> Explanation:
    model = run.model
    rows = None if run.schedule.single else len(next(iter(stand.sample.values())))
    graph = graph_of(model, rows)
    seen = observe_step(run.autograd, graph, stand.sample)
    judge = NodeJudge(model, graph, seen, run.settings)
    nodes = tuple(map(judge.node, graph.nodes))
    loss, *judged = judge.stated()
    gradient = dict(zip(model.parameters, judged, strict=True))
    place = _place_of_step(stand, seen, rows)
    tensors = tuple(_tensor_records(graph, seen))
    stated = {name: found for name, found in gradient.items() if seen.grad[name] is not None}
    errors = InternalErrors()
    return Explanation(
        model=model,
        settings=run.settings,
        place=place,
        nodes=nodes,
        judged_rows=0 if rows is None else judge.rows,
        loss=loss,
        gradient=gradient,
        formulas=_gradient_texts(model),
        tensors=tensors,
        updates=tuple(_update_records(run, seen, gradient)),
        parting=find_first_divergence(
            nodes, gradient, {tensor.name: tensor for tensor in tensors}, run.settings.dtype
        ),
        causes=_causes_of_gradient(run, place, stated, errors),
        notes=errors.notes,
        internal_errors=errors.tracebacks,
        replay=None,
    )


def _place_of_step(stand: StepContext, seen: ObservedStep, rows: int | None) -> Place:
    return Place(
        step=stand.step,
        epoch=stand.epoch,
        sample=stand.row if rows in (None, 1) else None,
        rows=rows,
        inputs={name: float(values[0]) for name, values in stand.sample.items()}
        if rows in (None, 1)
        else {},
        parameters=dict(seen.values),
        chosen=stand.chosen,
    )


def _gradient_texts(model: Model) -> dict[str, str]:
    try:
        return {name: model.order.text(derivative) for name, derivative in model.gradient.items()}
    except InputError:
        return {}


def _tensor_records(graph: Graph, seen: ObservedStep) -> Iterator[Tensor]:
    for index in graph.nodes:
        name, tensor = graph.names[index], seen.tensors[index]
        if not graph.is_condition(index):
            leaf = tensor.grad_fn is None
            yield Tensor(
                name=name,
                size=tensor.numel(),
                data=tuple(np.ravel(to_float64(tensor))[:KEPT_ENTRIES].tolist()),
                requires_grad=tensor.requires_grad,
                grad_fn=None if leaf else type(tensor.grad_fn).__name__,
                grad_before=seen.grad_before.get(name) if leaf else None,
                grad_after=seen.grad.get(name) if leaf else None,
            )


def _update_records(
    run: Run, seen: ObservedStep, gradient: Mapping[str, Comparison]
) -> Iterator[Update]:
    names = run.model.parameters
    moved, other = _updates_by_hand(run, seen, gradient)
    run.autograd.update()
    for name in names:
        after = seen.parameters[name].item()
        yield Update(
            name, seen.values[name], gradient[name].stated, moved.get(name), after, other.get(name)
        )


def _updates_by_hand(
    run: Run, seen: ObservedStep, gradient: Mapping[str, Comparison]
) -> tuple[dict[str, float], dict[str, float]]:
    """Learning rate times gradient, and where the symbolic gradient leads; nothing for other
    optimizers.
    """
    rule = optimizer_named(run.settings.optimizer, run.settings.lr)
    if not isinstance(rule, PlainSGD):
        return {}, {}
    dtype = np.dtype(run.settings.dtype).type
    with np.errstate(all="ignore"):
        before = [dtype(seen.values[name]) for name in gradient]
        after = rule.on_numbers(before)(
            before, [dtype(judged.symbolic) for judged in gradient.values()]
        )
        moved = {
            name: float(run.settings.lr * dtype(grad))
            for name, grad in seen.grad.items()
            if grad is not None
        }
    return moved, dict(zip(gradient, map(float, after), strict=True))


def _causes_of_gradient(
    run: Run, place: Place, gradient: Mapping[str, Comparison], errors: InternalErrors
) -> tuple[Cause, ...]:
    """What explains a gradient that is stated and wrong. Where one is missing, the report says
    where the path is cut.
    """
    return tuple(
        causes_at_step(StepGradient(place.step, gradient, run.settings.dtype), None, errors)
    )


def _explain_command(training: str, point: Mapping[str, float], step: int | None) -> str:
    words = (
        ["--at", ",".join(f"{name}={value!r}" for name, value in point.items())] if point else []
    )
    words += ["--step", str(step)] if step is not None else []
    return shlex.join(
        [*shlex.split(training.replace("verifier train", "verifier explain", 1)), *words]
    )
