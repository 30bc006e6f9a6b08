"""The nodes of one step: what torch states of each, beside the symbolic number, judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from verifier.capture.to_numpy import to_float64
from verifier.explaining.explained_step import Condition, Edge, Node, Role
from verifier.explaining.graph import Graph
from verifier.explaining.torch_hooks import ObservedStep, local_derivatives
from verifier.formula.model import Model
from verifier.judging.formulas import Judge
from verifier.judging.verdict import Comparison
from verifier.operations.arrays import Floats
from verifier.program.evaluation.arithmetic import NumPyArithmetic
from verifier.program.gradients.formula_gradient import adjoints
from verifier.program.program import INPUT, Program, evaluate
from verifier.training.runner import Settings
from verifier.witnesses import Arguments, evaluate_in_floats

JUDGED_ROWS = 1000
"""Of a batch so many rows have numbers of their own; its loss and its gradient are judged whole."""


class NodeJudge:
    """Makes the records of a step's nodes from what was seen of it."""

    def __init__(self, model: Model, graph: Graph, seen: ObservedStep, settings: Settings) -> None:
        self.rows = min(graph.rows or 1, JUDGED_ROWS)
        self._model = model
        self._graph = graph
        self._seen = seen
        self._settings = settings
        self._data = frozenset((*model.columns, *model.fixed))
        columns = {name: np.atleast_1d(to_float64(tensor)) for name, tensor in seen.columns.items()}
        self._whole: Arguments = {
            **{name: values[None, :] for name, values in columns.items()},
            **{name: np.array([[value]]) for name, value in seen.values.items()},
        }
        self._by_row: Arguments = {
            **{name: values[: self.rows, None] for name, values in columns.items()},
            **{name: np.full((self.rows, 1), value) for name, value in seen.values.items()},
        }
        self._adjoints = (
            {**self._single_adjoints(), **self._row_adjoints()} if seen.backward_ran else {}
        )

    def node(self, index: int) -> Node:
        """The record of that node of the graph."""
        graph = self._graph
        condition = graph.is_condition(index)
        return Node(
            name=graph.names[index],
            role=self._role(index),
            formula=graph.formula(index),
            arguments=tuple(graph.names[part] for part in graph.arguments(index)),
            users=tuple(graph.names[user] for user in graph.users(index)),
            rows=graph.rows if graph.has_rows(index) else None,
            values=() if condition else tuple(self._values(index)),
            conditions=tuple(self._conditions(index)) if condition else (),
            edges=tuple(self._edges(index)),
            adjoints=tuple(self._adjoints.get(index, ())),
            arrived=index in self._seen.passed,
            tracked=self._seen.tensors[index].requires_grad,
        )

    def stated(self) -> list[Comparison]:
        """The loss and what stands in `.grad`, as a training judges them."""
        model, seen = self._model, self._seen
        program = (
            model.gradient_program if self._graph.rows is None else model.batch_gradient_program
        )
        loss = seen.tensors[self._graph.program.outputs[0]].item()
        gradient = (seen.grad[name] for name in model.parameters)
        stated = [loss, *(np.nan if number is None else number for number in gradient)]
        judged = self._judge(
            program, self._whole, [np.array([number]) for number in stated], self._data
        )
        return [comparison for (comparison,) in judged]

    def _role(self, index: int) -> Role:
        node = self._graph.program.nodes[index]
        if node.operation != INPUT:
            return Role.OPERATION
        if node.payload in self._model.columns:
            return Role.DATA
        return Role.FIXED if node.payload in self._model.fixed else Role.PARAMETER

    def _values(self, index: int) -> list[Comparison]:
        program, arguments = self._graph.program.only(index), self._whole
        if self._graph.has_rows(index):
            by_row, places = self._graph.one_row
            program, arguments = by_row.only(places[index]), self._by_row
        return self._judge(
            program, arguments, [self._entries(index, self._seen.tensors[index])], self._data
        )[0]

    def _conditions(self, index: int) -> list[Condition]:
        arguments = self._by_row if self._graph.has_rows(index) else self._whole
        (found,) = evaluate(
            self._graph.program.only(index), NumPyArithmetic(self._settings.dtype), arguments
        )
        stated = self._entries(index, self._seen.tensors[index])
        decided = np.broadcast_to(np.ravel(found), stated.shape)
        return [
            Condition(bool(one), bool(other)) for one, other in zip(stated, decided, strict=True)
        ]

    def _single_adjoints(self) -> dict[int, list[Comparison]]:
        """Of the nodes that are one number."""
        swept = self._graph.adjoints
        outputs = dict(zip(swept.nodes, swept.program.outputs[1:], strict=True))
        return self._judged_adjoints(swept.program, outputs, self._whole, rows=False)

    def _row_adjoints(self) -> dict[int, list[Comparison]]:
        """Of the nodes that have a number a row."""
        if self._graph.rows is None:
            return {}
        program, places = self._graph.one_row
        swept = adjoints(program, self._graph.parameters)
        found = dict(zip(swept.nodes, swept.program.outputs[1:], strict=True))
        outputs = {index: found[places[index]] for index in self._graph.adjoints.nodes}
        return self._judged_adjoints(swept.program, outputs, self._by_row, rows=True)

    def _judged_adjoints(
        self, program: Program, outputs: Mapping[int, int], arguments: Arguments, *, rows: bool
    ) -> dict[int, list[Comparison]]:
        chosen = {
            index: output
            for index, output in outputs.items()
            if self._graph.has_rows(index) is rows
        }
        stated = [self._passed_back(index) for index in chosen]
        # Of the loss nothing is asked here: it has a value of its own.
        unasked = np.full(self.rows if rows else 1, np.nan)
        only = Program(program.nodes, (program.outputs[0], *chosen.values()))
        return dict(
            zip(
                chosen,
                self._judge(only, arguments, [unasked, *stated], self._data)[1:],
                strict=True,
            )
        )

    def _passed_back(self, index: int) -> Floats:
        """What autograd passed back; nothing is 0."""
        passed = self._seen.passed.get(index)
        if passed is None:
            return np.zeros(self.rows if self._graph.has_rows(index) else 1)
        return self._entries(index, passed)

    def _entries(self, index: int, tensor: torch.Tensor) -> Floats:
        """The tensor as float64: one entry, or one a judged row."""
        values = np.ravel(to_float64(tensor))
        rows = self._graph.rows
        return (
            np.broadcast_to(values, (rows,))[: self.rows]
            if rows and self._graph.has_rows(index)
            else values
        )

    def _edges(self, index: int) -> list[Edge]:
        """The derivatives of the operation by what a gradient passes through, at the very numbers
        that torch took.
        """
        graph = self._graph
        if index not in graph.adjoints.nodes or graph.program.nodes[index].operation == INPUT:
            return []
        alone = graph.operation(index)
        taken = {graph.names[part]: self._argument_tensor(part) for part in graph.arguments(index)}
        stated = [
            values[: self.rows] for values in local_derivatives(alone.value, alone.names, taken)
        ]
        points = len(stated[0])
        arguments = {name: _points_of_tensor(tensor, points) for name, tensor in taken.items()}
        judged = self._judge(
            alone.gradient,
            arguments,
            [np.full(points, np.nan), *stated],
            frozenset(taken) - frozenset(alone.names),
        )
        derivatives = alone.derivatives or (None,) * len(alone.names)
        return [
            Edge(name, formula, tuple(numbers), derivative)
            for name, formula, numbers, derivative in zip(
                alone.names, alone.formulas, judged[1:], derivatives, strict=True
            )
        ]

    def _argument_tensor(self, index: int) -> torch.Tensor:
        """The tensor of a node as an argument; of a condition 1 where it holds and -1 where it does
        not.
        """
        tensor = self._seen.tensors[index].detach()
        if not self._graph.is_condition(index):
            return tensor
        return torch.where(tensor, 1.0, -1.0).to(getattr(torch, self._settings.dtype))

    def _judge(
        self, program: Program, arguments: Arguments, stated: Sequence[Floats], data: frozenset[str]
    ) -> list[list[Comparison]]:
        """For each result of the program, what torch states of it at each point, judged."""
        needed = {name: arguments[name] for name in program.inputs}
        with np.errstate(all="ignore"):
            rounded = {name: values.astype(self._settings.dtype) for name, values in needed.items()}
            computed = evaluate_in_floats(program, self._settings.dtype, rounded)
        symbolically = [np.asarray(values, dtype=np.float64) for values in computed]
        verdicts = Judge(program, self._settings.format, data=data).verdicts(
            needed, list(stated), symbolically
        )
        return [[one[place] for place in range(len(one.stated))] for one in verdicts]


def _points_of_tensor(tensor: torch.Tensor, points: int) -> Floats:
    """The tensor's first entries as that many points of one row; one number as so many."""
    values = np.ravel(to_float64(tensor))
    return np.broadcast_to(values, (points,) if values.size == 1 else values.shape)[:points, None]
