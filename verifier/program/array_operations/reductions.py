"""Means along axes, and the functions of networks that normalise along one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.errors import InputError
from verifier.program.array_operations.broadcasting import Reshape, Sum, like, reduced_text
from verifier.program.array_operations.operation import NUMPY, TEXT, TORCH, Argument, ArrayOperation
from verifier.program.builder import Builder, FormulaBuilder, places
from verifier.program.program import ROWS, Shape
from verifier.program.shapes import axis_in, kept, without


@dataclass(frozen=True)
class Count(ArrayOperation):
    """How many numbers there are along some axes."""

    axes: tuple[int, ...]

    def shape(self, *arguments: Shape) -> Shape:
        """A number."""
        return ()

    def source(self, language: str, *arguments: Argument) -> str:
        """The product of the lengths."""
        lengths = [f"{arguments[0].atom}.shape[{axis}]" for axis in self.axes]
        return lengths[0] if len(lengths) == 1 else f"({' * '.join(lengths)})"

    def lowered(self, builder: Builder, *arguments: int) -> int:
        """A constant, since the rows of the data are known."""
        shape = builder.shape(arguments[0])
        return builder.constant(float(np.prod([shape[axis] for axis in self.axes])))

    def adjoint(self, build: FormulaBuilder, node: int, position: int, adjoint: int) -> int:
        """Zero."""
        return like(build, build.constant(0), (), build[node].arguments[0])


@dataclass(frozen=True)
class Mean(ArrayOperation):
    """The mean over some axes, which are gone then."""

    axes: tuple[int, ...]

    def shape(self, *arguments: Shape) -> Shape:
        """The axes that are left. Raises InputError for an axis that the argument lacks, and for a
        mean of no numbers.
        """
        (argument,) = arguments
        axes = [axis_in(axis, argument) for axis in self.axes]
        if any(argument[axis] == 0 for axis in axes):
            raise InputError("the mean of no numbers does not exist")
        return without(argument, axes)

    def source(self, language: str, *arguments: Argument) -> str:
        """A method of the argument."""
        return reduced_text("mean", language, self.axes, arguments[0])

    def lowered(self, builder: Builder, *arguments: int) -> int:
        """The sum divided by how many there are."""
        total = builder.sum(arguments[0], self.axes)
        return builder.apply("divide", total, Count(self.axes).lowered(builder, *arguments))

    def adjoint(self, build: FormulaBuilder, node: int, position: int, adjoint: int) -> int:
        """The adjoint divided by how many there are, at each place."""
        (argument,) = build[node].arguments
        shape = build.shape(argument)
        if ROWS in [shape[axis] for axis in self.axes]:
            count = build.array(Count(self.axes), argument)
        else:
            count = build.constant(int(np.prod([shape[axis] for axis in self.axes])))
        return like(build, build.apply("divide", adjoint, count), kept(shape, self.axes), argument)


@dataclass(frozen=True)
class Softmax(ArrayOperation):
    """exp(x) over its sum along an axis."""

    axis: int

    def shape(self, *arguments: Shape) -> Shape:
        """That of the argument. Raises InputError where it has no such axis."""
        axis_in(self.axis, arguments[0])
        return arguments[0]

    def source(self, language: str, *arguments: Argument) -> str:
        """The library's own call."""
        return _along("softmax", language, self.axis, arguments[0])

    def lowered(self, builder: Builder, *arguments: int) -> int:
        """Without the largest number, so that no exponential overflows."""
        powers = builder.apply("exp", _below_largest(builder, arguments[0], self.axis))
        return builder.apply("divide", powers, _total(builder, powers, self.axis))

    def adjoint(self, build: FormulaBuilder, node: int, position: int, adjoint: int) -> int:
        """p * (g - sum(g * p)) for the adjoint g and the result p."""
        shape = build.shape(node)
        axis = axis_in(self.axis, shape)
        total = build.array(Sum((axis,)), build.apply("multiply", adjoint, node))
        mean = build.array(Reshape(kept(shape, (axis,))), total)
        return build.apply("multiply", node, build.apply("subtract", adjoint, mean))


@dataclass(frozen=True)
class LogSumExp(ArrayOperation):
    """log(sum(exp(x))) along an axis, which is gone then."""

    axis: int

    def shape(self, *arguments: Shape) -> Shape:
        """The axes that are left. Raises InputError where the argument has no such axis."""
        return without(arguments[0], (axis_in(self.axis, arguments[0]),))

    def source(self, language: str, *arguments: Argument) -> str:
        """The library's own call."""
        return _along("logsumexp", language, self.axis, arguments[0])

    def lowered(self, builder: Builder, *arguments: int) -> int:
        """The largest number, and the logarithm of the sum without it."""
        (argument,) = arguments
        powers = builder.apply("exp", _below_largest(builder, argument, self.axis))
        total = builder.apply("log", _total(builder, powers, self.axis))
        whole = builder.apply("add", total, _largest(builder, argument, self.axis))
        axis = axis_in(self.axis, builder.shape(argument))
        return builder.reshape(whole, without(builder.shape(argument), (axis,)))

    def adjoint(self, build: FormulaBuilder, node: int, position: int, adjoint: int) -> int:
        """The softmax times the adjoint."""
        (argument,) = build[node].arguments
        axis = axis_in(self.axis, build.shape(argument))
        shape = kept(build.shape(argument), (axis,))
        spread = build.array(Reshape(shape), adjoint) if build.shape(adjoint) else adjoint
        return build.apply("multiply", build.array(Softmax(self.axis), argument), spread)


def _along(name: str, language: str, axis: int, argument: Argument) -> str:
    call = {TORCH: f"torch.{name}", NUMPY: f"special.{name}", TEXT: name}[language]
    return f"{call}({argument.text}, {'dim' if language == TORCH else 'axis'}={axis})"


def _total(builder: Builder, node: int, axis: int) -> int:
    """The sum along the axis, which stays with length 1."""
    axis = axis_in(axis, builder.shape(node))
    return builder.reshape(builder.sum(node, (axis,)), kept(builder.shape(node), (axis,)))


def _largest(builder: Builder, node: int, axis: int) -> int:
    """The largest number along the axis, as a constant to whoever differentiates."""
    shape = builder.shape(node)
    axis = axis_in(axis, shape)
    index = np.split(places(shape), shape[axis], axis)
    parts = [builder.take(node, part) for part in index]
    largest = parts[0]
    for part in parts[1:]:
        largest = builder.apply("maximum", largest, part)
    return builder.hold(largest)


def _below_largest(builder: Builder, node: int, axis: int) -> int:
    return builder.apply("subtract", node, _largest(builder, node, axis))
