"""A formula of arrays, its gradient found in several ways, and all of them compared at each entry.

The scalar derivation is what is right here: the formula written out entry by entry, derived by the
rule for numbers, in exact arithmetic. Beside it stand the gradient program of arrays (exact, as
NumPy code, as torch code), and the lowered formula differentiated as a program of arrays.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from flint import arb

from tests.program.array_operations.written_out import entry_name, written_out
from verifier.formula.arrays.traced_array import TracedArray
from verifier.program.builder import Builder, FormulaBuilder
from verifier.program.codegen import NUMPY, TORCH, function
from verifier.program.evaluation.arithmetic import middle, precision
from verifier.program.evaluation.balls import BallArithmetic
from verifier.program.gradients.array_gradient import gradients
from verifier.program.gradients.formula_gradient import differentiate
from verifier.program.lift import lifted
from verifier.program.program import ROWS, evaluate

BATCH_ROWS = 3
"""How many rows stand for the rows of a batch."""
BITS = 300
CLOSE = 1e-60
"""What exact results may differ by: 300 bits are 90 digits, and a wrong rule is off in the first
ones."""
FLOAT_CLOSE = 1e-11
"""The same for float64, relative to 1 and the largest entry: arguments are about 1, and formulas
have up to a hundred operations."""


@dataclass
class Case:
    """A formula of arrays: what it does with traced arrays of these shapes."""

    body: object
    shapes: dict = field(default_factory=dict)
    values: dict = field(default_factory=dict)
    """Numbers in place of random ones."""

    def real_shapes(self):
        """The shapes with a number of rows."""
        return {
            name: tuple(BATCH_ROWS if length == ROWS else length for length in shape)
            for name, shape in self.shapes.items()
        }

    def numbers(self, seed=0):
        """Random arguments between 0.5 and 1.5, with larger ones on the diagonals of squares."""
        drawn = np.random.default_rng(seed)
        found = {}
        for name, shape in self.real_shapes().items():
            found[name] = drawn.uniform(0.5, 1.5, shape)
            if len(shape) == 2 and shape[0] == shape[1]:
                found[name] += 2 * np.eye(shape[0])
        return found | {name: np.asarray(value, float) for name, value in self.values.items()}


class Compared:
    """The loss of a case, which is its result times seeds of their own, added up."""

    def __init__(self, case, seed=0):
        self.case, self.given = case, case.numbers(seed)
        self.build = FormulaBuilder()
        arrays = [
            TracedArray(self.build, self.build.input(name, shape))
            for name, shape in case.shapes.items()
        ]
        self.result = case.body(*arrays)
        self.loss = self._weighted()
        self.program = self.build.program(self.result.node, self.loss)
        self.names = tuple(case.shapes)
        self.gradient = differentiate(self.program.only_last, self.names)

    def _weighted(self):
        """A number that every entry of the result has a share of its own in."""
        # A constant has no rows: the rows differ by what stands in them.
        shape = tuple(1 if length == ROWS else length for length in self.result.shape)
        seeds = np.random.default_rng(1).uniform(0.5, 2.0, shape)
        result = self.result * self.result if ROWS in self.result.shape else self.result
        return (result * seeds).sum().node if shape else self.result.node

    def shapes_as_computed(self):
        """For each output of the gradient program its shape, with a number of rows."""
        return [
            tuple(BATCH_ROWS if one == ROWS else one for one in self.gradient.nodes[output].shape)
            for output in self.gradient.outputs
        ]

    # Each of these gives the loss, then the gradients by each input.

    def scalar_exact(self):
        """Written out, derived as a formula of numbers, in balls."""
        shapes = self.case.real_shapes()
        build, entries = written_out(self.program, self.program.outputs[1], shapes)
        scalar = build.program(entries[()].node)
        places = {name: list(np.ndindex(shape)) for name, shape in shapes.items()}
        symbols = [entry_name(name, place) for name in self.names for place in places[name]]
        derived = differentiate(scalar, symbols)
        given = {
            entry_name(name, place): np.asarray(self.given[name][place])
            for name in self.names
            for place in places[name]
        }
        with precision(BITS):
            value, *flat = (
                np.asarray(one)[()] for one in evaluate(derived, BallArithmetic(), given)
            )
        found, start = [np.asarray(value)], 0
        for name, shape in shapes.items():
            count = len(places[name])
            part = np.empty(count, object)
            part[:] = flat[start : start + count]
            found.append(part.reshape(shape))
            start += count
        return found

    def array_exact(self):
        """The gradient program of arrays, lowered, in balls."""
        builder, symbols = self._lowering()
        nodes = [
            lifted(self.gradient.only(output), builder, symbols) for output in self.gradient.outputs
        ]
        return self._in_balls(builder, nodes)

    def lowered_exact(self):
        """The lowered formula, differentiated as a program of arrays, in balls."""
        builder, symbols = self._lowering()
        loss = lifted(self.program.only_last, builder, symbols)
        seeds = {loss: builder.constant(1.0)}
        found = gradients(builder, seeds, [symbols[name] for name in self.names])
        return self._in_balls(builder, [loss, *found])

    def _lowering(self):
        builder = Builder()
        shapes = self.case.real_shapes()
        return builder, {name: builder.input(name, shape) for name, shape in shapes.items()}

    def _in_balls(self, builder, nodes):
        with precision(BITS):
            return evaluate(builder.program(*nodes), BallArithmetic(), self.given)

    def numpy_code(self, dtype="float64"):
        """The gradient program as NumPy code."""
        compute = function("gradient", ", ".join(self.names), self.gradient, NUMPY)
        return compute(**{name: value.astype(dtype)[()] for name, value in self.given.items()})

    def torch_code(self, dtype="float64"):
        """The gradient program as torch code."""
        compute = function("gradient", ", ".join(self.names), self.gradient, TORCH)
        given = {name: torch.tensor(value.astype(dtype)) for name, value in self.given.items()}
        return [one.numpy() if hasattr(one, "numpy") else one for one in compute(**given)]

    def torch_autograd(self):
        """torch's autograd of the loss as torch code."""
        compute = function("loss", ", ".join(self.names), self.program.only_last, TORCH)
        given = {
            name: torch.tensor(value, requires_grad=True) for name, value in self.given.items()
        }
        loss = compute(**given)
        found = torch.autograd.grad(loss, list(given.values()), allow_unused=True)
        return [
            loss.detach().numpy(),
            *(
                np.zeros(self.given[name].shape) if one is None else one.numpy()
                for name, one in zip(self.names, found, strict=True)
            ),
        ]


EXACT = ("array_exact", "lowered_exact")
IN_FLOATS = ("numpy_code", "torch_code", "torch_autograd")


def disagreements(case, seed=0):
    """What differs from the scalar derivation at which input: a list of texts, empty when all is
    right."""
    compared = Compared(case, seed)
    right = compared.scalar_exact()
    found = []
    with precision(BITS):
        for way in (*EXACT, *IN_FLOATS):
            results = getattr(compared, way)()
            for name, one, other in zip(("loss", *compared.names), results, right, strict=True):
                found += _difference(f"{way}: {name}", one, other, way in EXACT)
    return found


def _difference(place, found, right, exact):
    if exact:
        found = np.broadcast_to(np.asarray(found, object), right.shape)
        off = [
            index
            for index in np.ndindex(right.shape)
            if not abs(arb(found[index]) - arb(right[index])) < CLOSE
        ]
    else:
        found = np.broadcast_to(np.asarray(found, float), right.shape)
        expected = middle(right)
        scale = 1.0 + float(np.max(np.abs(expected), initial=0.0))
        off = [
            index
            for index in np.ndindex(right.shape)
            if not abs(found[index] - expected[index]) <= FLOAT_CLOSE * scale
        ]
    return [f"{place} differs at {off}"] if off else []
