"""Resampling: each new entry is a weighted sum of a few old ones, axis by axis, or where a grid
says.

Which entries those are is decided as the kernel decides it, in its format (UpSampleKernel.cpp and
GridSamplerKernel.cpp in aten/src/ATen/native/cpu); the weights are nodes, so that the error of a
position is in them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch

from verifier.capture.aten.normalisation import narrow
from verifier.capture.aten.windows import in_planes, ragged
from verifier.capture.lowering import (
    AtenOperation,
    Dims,
    Lowering,
    Operand,
    Rule,
    actual_of,
    plain,
    rule,
)
from verifier.capture.to_numpy import to_numpy
from verifier.program.builder import places
from verifier.program.program import NOTHING

aten = torch.ops.aten
_CUBIC, _CUBIC_SMOOTH = -0.75, -0.5
"""The free number of Keys's cubic kernel (Cubic convolution interpolation for digital image
processing, 1981): ATen's bicubic takes -0.75, and -0.5 as Pillow does where it is antialiased
(aten/src/ATen/native/UpSample.h).
"""


@dataclass(frozen=True, eq=False)
class _Taps:
    """For each new place along an axis, the places that it is made of, and their weights."""

    index: np.ndarray
    weights: int

    def applied(self, low: Lowering, node: int, axis: int) -> int:
        shape = low.build.shape(node)
        wide = low.build.take(node, self._places(shape, axis))
        return low.build.sum(
            low.apply("multiply", wide, self._beside(low, shape, axis)), (axis + 1,)
        )

    def spread(self, low: Lowering, node: int, axis: int, size: int) -> int:
        """The gradient of that."""
        shape = list(low.build.shape(node))
        wide = low.build.reshape(node, (*shape[: axis + 1], 1, *shape[axis + 1 :]))
        shares = low.apply("multiply", wide, self._beside(low, shape, axis))
        shape[axis] = size
        return low.build.pile(shares, self._places(shape, axis), tuple(shape))

    def _places(self, shape: Sequence[int], axis: int) -> np.ndarray:
        found = np.take(places(tuple(shape)), np.maximum(self.index, 0), axis)
        outside = (self.index == NOTHING).reshape(
            *self.index.shape, *(1 for _ in shape[axis + 1 :])
        )
        return np.where(outside, NOTHING, found)

    def _beside(self, low: Lowering, shape: Sequence[int], axis: int) -> int:
        return low.build.reshape(self.weights, (*self.index.shape, *(1 for _ in shape[axis + 1 :])))


@dataclass(frozen=True)
class _Axis:
    """One axis of a resampling in the kernel's format, which decides where a position falls."""

    low: Lowering
    size: int
    count: int
    align_corners: bool
    scale: float | None
    number: Operand
    """NumPy's type of the format."""

    @property
    def ratio(self) -> int:
        """How far apart new entries are, in old ones."""
        over, under = self._ratio
        return self.low.apply("divide", over, under) if under else self.low.lift(0.0)

    @property
    def _ratio(self) -> tuple[float, float]:
        if self.align_corners:
            return (self.size - 1.0, self.count - 1.0) if self.count > 1 else (0.0, 0.0)
        return (
            (1.0, self.scale)
            if self.scale is not None and self.scale > 0
            else (float(self.size), float(self.count))
        )

    @property
    def coded_ratio(self) -> Any:
        over, under = self._ratio
        if not under:
            return self.number(0.0)
        return self.number(1.0 / under) if over == 1.0 else self.number(over) / self.number(under)

    @property
    def _middles(self) -> np.ndarray:
        return np.arange(self.count) + (0.0 if self.align_corners else 0.5)

    def position(self) -> tuple[int, np.ndarray]:
        """Where new entries lie, as a node and as the code has it."""
        node = self.low.apply("multiply", self.ratio, self.low.build.constant(self._middles))
        coded = self.coded_ratio * self._middles.astype(self.number)
        if self.align_corners:
            return node, coded
        return self.low.apply("subtract", node, 0.5), coded - self.number(0.5)

    def linear(self) -> _Taps:
        node, coded = self.position()
        before = coded < 0
        first = np.minimum(np.floor(np.maximum(coded, 0)).astype(np.int64), self.size - 1)
        share = self._share(node, first)
        share = self.low.build.take(share, np.where(before, NOTHING, np.arange(self.count)))
        index = np.stack([first, np.minimum(first + 1, self.size - 1)], axis=1)
        return self._taps(index, [self.low.apply("subtract", 1.0, share), share])

    def cubic(self) -> _Taps:
        node, coded = self.position()
        first = np.minimum(np.floor(coded).astype(np.int64), self.size - 1)
        index = np.clip(first[:, None] + np.arange(-1, 3), 0, self.size - 1)
        return self._taps(index, cubic_weights(self.low, self._share(node, first)))

    def _share(self, node: int, first: np.ndarray) -> int:
        if self.size == self.count and not self.scale:
            return self.low.build.constant(np.zeros(self.count))
        return self.low.apply("subtract", node, self.low.build.constant(first))

    def _taps(self, index: np.ndarray, weights: Sequence[int]) -> _Taps:
        columns = [self.low.build.reshape(weight, (self.count, 1)) for weight in weights]
        return _Taps(index, self.low.joined(1, *columns))

    def smooth(self, filter_: Callable[[Lowering, int, np.ndarray], int], entries: int) -> _Taps:
        """Taps of a filter that is as wide as new entries are apart; the weights are divided by
        their sum.
        """
        low, ratio = self.low, self.coded_ratio
        support = self.number(entries * 0.5) * max(ratio, self.number(1.0))
        center = ratio * (np.arange(self.count).astype(self.number) + self.number(0.5))
        starts = np.maximum((center - support + self.number(0.5)).astype(np.int64), 0)
        ends = np.minimum((center + support + self.number(0.5)).astype(np.int64), self.size)
        index = ragged(starts, ends)
        middle = low.apply(
            "multiply", self.ratio, low.build.constant(np.arange(self.count)[:, None] + 0.5)
        )
        apart = low.apply("subtract", low.build.constant(index + 0.5), middle)
        if ratio >= 1.0:
            apart = low.apply("divide", apart, self.ratio)
        coded = (index + 0.5 - center[:, None]) / max(ratio, self.number(1.0))
        weights = filter_(low, apart, coded)
        weights = low.build.take(weights, np.where(index == NOTHING, NOTHING, places(index.shape)))
        total = low.build.reshape(low.build.sum(weights, (1,)), (self.count, 1))
        return _Taps(index, low.apply("divide", weights, total))


def _inner(low: Lowering, x: int, a: float) -> int:
    """The middle piece of the cubic of Keys: ((a + 2) x - (a + 3)) x x + 1."""
    first = low.apply("subtract", low.apply("multiply", a + 2.0, x), a + 3.0)
    return low.apply("add", low.apply("multiply", low.apply("multiply", first, x), x), 1.0)


def _outer(low: Lowering, x: int, a: float) -> int:
    """Its piece from 1 to 2: ((a x - 5 a) x + 8 a) x - 4 a."""
    first = low.apply("subtract", low.apply("multiply", a, x), 5.0 * a)
    second = low.apply("add", low.apply("multiply", first, x), 8.0 * a)
    return low.apply("subtract", low.apply("multiply", second, x), 4.0 * a)


def cubic_weights(low: Lowering, share: int) -> list[int]:
    """The weights of four neighbours for a place that is so far behind the second one."""
    rest = low.apply("subtract", 1.0, share)
    return [
        _outer(low, low.apply("add", share, 1.0), _CUBIC),
        _inner(low, share, _CUBIC),
        _inner(low, rest, _CUBIC),
        _outer(low, low.apply("add", rest, 1.0), _CUBIC),
    ]


def _triangle(low: Lowering, apart: int, coded: np.ndarray) -> int:
    inside = low.apply("subtract", 1.0, low.apply("abs", apart))
    return low.apply("where", low.build.constant(np.abs(coded) < 1.0), inside, 0.0)


def _keys(low: Lowering, apart: int, coded: np.ndarray) -> int:
    size = low.apply("abs", apart)
    outer = low.apply(
        "where", low.build.constant(np.abs(coded) < 2.0), _outer(low, size, _CUBIC_SMOOTH), 0.0
    )
    return low.apply(
        "where", low.build.constant(np.abs(coded) < 1.0), _inner(low, size, _CUBIC_SMOOTH), outer
    )


_KINDS: dict[str, Callable[[_Axis], _Taps]] = {
    "linear": _Axis.linear,
    "cubic": _Axis.cubic,
    "linear_aa": lambda axis: axis.smooth(_triangle, 2),
    "cubic_aa": lambda axis: axis.smooth(_keys, 4),
}
_WEIGHTED = {
    "upsample_linear1d": ("linear", 1),
    "upsample_bilinear2d": ("linear", 2),
    "upsample_trilinear3d": ("linear", 3),
    "upsample_bicubic2d": ("cubic", 2),
    "_upsample_bilinear2d_aa": ("linear_aa", 2),
    "_upsample_bicubic2d_aa": ("cubic_aa", 2),
}


def _scales(bound: dict[str, Any], count: int) -> list[float | None]:
    """The scale that was asked for along each axis, if any was."""
    names = ["scales"] if count == 1 else [f"scales_{axis}" for axis in "dhw"[-count:]]
    return [bound.get(name, bound.get("scales")) for name in names]


def _axes(
    low: Lowering,
    kind: str,
    sizes: Operand,
    counts: Operand,
    bound: dict[str, Any],
    tensor: Operand,
) -> list[_Taps]:
    number = np.float64 if actual_of(tensor).dtype == torch.float64 else np.float32
    each = zip(sizes, counts, _scales(bound, len(sizes)), strict=True)
    align = bool(bound["align_corners"])
    return [
        _KINDS[kind](_Axis(low, size, count, align, scale, number)) for size, count, scale in each
    ]


def _upsample(kind: str, count: int) -> Rule:
    def upsampled(
        low: Lowering, operation: AtenOperation, bound: dict[str, Any], actual: torch.Tensor
    ) -> int:
        node, sizes = low.lift(bound["self"]), actual_of(bound["self"]).shape[-count:]
        taps = _axes(low, kind, sizes, actual.shape[-count:], bound, actual)
        for axis in reversed(range(count)):
            node = taps[axis].applied(low, node, axis + 2)
        return node

    return upsampled


def _upsample_backward(kind: str, count: int) -> Rule:
    def backward(
        low: Lowering, operation: AtenOperation, bound: dict[str, Any], actual: torch.Tensor
    ) -> int:
        node, sizes = low.lift(bound["grad_output"]), actual.shape[-count:]
        taps = _axes(low, kind, sizes, bound["output_size"], bound, actual)
        for axis in range(count):
            node = taps[axis].spread(low, node, axis + 2, sizes[axis])
        return node

    return backward


for _name, (_kind, _count) in _WEIGHTED.items():
    rule(_name)(_upsample(_kind, _count))
    rule(f"{_name}_backward")(_upsample_backward(_kind, _count))


def _nearest_places(
    name: str, shape: Sequence[int], bound: dict[str, Any], tensor: Operand
) -> np.ndarray:
    """Which entry each new one is, found by resampling the places of a plane in the kernel's
    format.
    """
    plane = shape[2:]
    dtype = torch.float64 if actual_of(tensor).dtype == torch.float64 else torch.float32
    if dtype == torch.float32 and int(np.prod(plane)) > 2**24:
        raise NotImplementedError("planes of more than 2**24 entries")
    numbers = torch.from_numpy(places(tuple(plane))).to(dtype)[None, None]
    scales = {key: value for key, value in bound.items() if key.startswith("scales")}
    found = getattr(aten, name)(numbers, bound["output_size"], **scales)
    return in_planes(to_numpy(found[0, 0]).astype(np.int64), shape[:2], int(np.prod(plane)))


def _nearest(name: str) -> Rule:
    def taken(low: Lowering, operation: AtenOperation, bound: dict[str, Any]) -> int:
        shape = tuple(actual_of(bound["self"]).shape)
        return low.build.take(
            low.lift(bound["self"]), _nearest_places(name, shape, bound, bound["self"])
        )

    return taken


def _nearest_backward(name: str) -> Rule:
    def piled(low: Lowering, operation: AtenOperation, bound: dict[str, Any]) -> int:
        grad, shape = bound["grad_output"], tuple(bound["input_size"])
        return low.build.pile(low.lift(grad), _nearest_places(name, shape, bound, grad), shape)

    return piled


for _count in (1, 2, 3):
    for _name in (f"upsample_nearest{_count}d", f"_upsample_nearest_exact{_count}d"):
        rule(_name)(_nearest(_name))
        rule(f"{_name}_backward")(_nearest_backward(_name))


@rule("affine_grid_generator")
def affine_grid(low: Lowering, theta: Operand, size: Dims, align_corners: bool) -> int:
    """The grid of the identity, as the code has it, times theta."""
    batch, rows, columns = actual_of(theta).shape
    basis = torch.eye(columns, dtype=actual_of(theta).dtype)[:rows][None]
    grid = aten.affine_grid_generator(basis, [1, *size[1:]], align_corners)
    ones = torch.ones(1, grid[..., 0].numel(), 1, dtype=torch.float64)
    points = torch.cat([grid.reshape(1, -1, rows).double(), ones], dim=2).expand(batch, -1, -1)
    turned = low.build.permute(low.lift(theta), (0, 2, 1))
    product = low.build.contract(low.build.constant(to_numpy(points)), turned)
    return low.build.reshape(product, (batch, *size[2:], rows))


_Corners = list[tuple[np.ndarray, list[tuple[int, int]]]]
_BILINEAR, _NEAREST = 0, 1
_ZEROS, _BORDER, _REFLECTION = 0, 1, 2


@dataclass(frozen=True, eq=False)
class _Line:
    """Where a grid points along one axis of the input: a node, its slope by the grid, and what the
    code had.
    """

    size: int
    node: int
    slope: int
    coded: np.ndarray


@dataclass(frozen=True, eq=False)
class _Sampling:
    """What a grid takes from the planes of an input."""

    low: Lowering
    input: Operand
    grid: Operand
    padding: int
    align_corners: bool

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(actual_of(self.input).shape[2:])

    def lines(self) -> list[_Line]:
        """One for each axis of the input; the grid names the last axis first. Positions on the
        border are held there, as torch's backward has it.
        """
        return [
            self._padded(line, (place <= 0) | (place >= line.size - 1))
            for line, place in self._unpadded()
        ]

    def _lines_inside(self) -> list[_Line]:
        """The same, but positions on the border may move."""
        return [
            self._padded(line, (place < 0) | (place > line.size - 1))
            for line, place in self._unpadded()
        ]

    def _unpadded(self) -> Sequence[tuple[_Line, np.ndarray]]:
        """A line for each axis, and where the code finds itself on it after reflections."""
        self.low.kept = False
        lines = [self._line(axis, size) for axis, size in enumerate(reversed(self.sizes))][::-1]
        return [(line, self._turned(line)) for line in lines]

    def _turned(self, line: _Line) -> np.ndarray:
        if self.padding != _REFLECTION:
            return line.coded
        turn, shift = self._reflected(line.coded, line.size)
        return np.asarray(line.coded * turn + shift)

    def _line(self, place: int, size: int) -> _Line:
        low, grid = self.low, actual_of(self.grid)
        share = low.build.take(low.lift(self.grid), places(tuple(grid.shape))[..., place])
        scale, less = ((size - 1) / 2, 0.0) if self.align_corners else (size / 2, 0.5)
        coded = plain((grid[..., place] + 1) * scale - less)
        node = low.apply("multiply", low.apply("add", share, 1.0), float(scale))
        node = low.apply("subtract", node, less) if less else node
        return _Line(size, node, low.lift(float(scale)), coded)

    def _padded(self, line: _Line, outside: np.ndarray) -> _Line:
        """Inside the input, but for zeros; the code's decisions make that a straight line for each
        point.
        """
        if self.padding == _ZEROS:
            return line
        turn, shift = np.ones(line.coded.shape), np.zeros(line.coded.shape)
        coded = line.coded
        if self.padding == _REFLECTION:
            turn, shift = self._reflected(coded, line.size)
            coded = coded * turn + shift
        turn = np.where(outside, 0.0, turn)
        shift = np.where(outside, np.clip(coded, 0, line.size - 1), shift)
        low = self.low
        node = low.apply("multiply", line.node, low.build.constant(turn))
        node = low.apply("add", node, low.build.constant(shift))
        slope = low.apply("multiply", line.slope, low.build.constant(turn))
        return _Line(line.size, node, slope, np.clip(coded, 0, line.size - 1))

    def _reflected(self, coded: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Turned at the first and last entries, or half an entry beyond them: position * turn +
        shift.
        """
        start, span = (0.0, size - 1.0) if self.align_corners else (-0.5, float(size))
        if span <= 0:
            return np.zeros(coded.shape), np.zeros(coded.shape)
        side = np.where(coded < start, -1.0, 1.0)
        flips = np.floor(np.abs(coded - start) / span)
        even = flips % 2 == 0
        turn = np.where(even, side, -side)
        shift = np.where(
            even, start - flips * span - side * start, start + (flips + 1) * span + side * start
        )
        return turn, shift

    def at(self, corner: Sequence[np.ndarray]) -> np.ndarray:
        """The places of these entries in all channels, NOTHING where the input has none: (batch,
        channels, ...).
        """
        place, outside = (
            np.zeros(corner[0].shape, dtype=np.int64),
            np.zeros(corner[0].shape, dtype=bool),
        )
        for index, size in zip(corner, self.sizes, strict=True):
            outside |= (index < 0) | (index >= size)
            place = place * size + index
        batch, channels = actual_of(self.input).shape[:2]
        planes = np.arange(batch * channels).reshape(batch, channels, *(1 for _ in self.sizes))
        return np.where(
            outside[:, None], NOTHING, planes * int(np.prod(self.sizes)) + place[:, None]
        )

    def pieces(self) -> Sequence[tuple[np.ndarray, list[tuple[int, int]]]]:
        """The places that each point is made of with their weights, so that the pieces of the
        function that meet at an entry, or at the border, are all there: a position on an entry
        belongs to the entries on both of its sides.
        """
        steps: list[list[tuple[np.ndarray, int]]] = []
        for line in self._lines_inside():
            first = np.floor(line.coded).astype(np.int64)
            rest = self.low.apply("subtract", line.node, self.low.build.constant(first))
            near = self.low.apply("subtract", 1.0, self.low.apply("abs", rest))
            found = [(first, near), (first + 1, self.low.apply("relu", rest))]
            if (line.coded == first).any():
                before = self.low.apply("relu", self.low.apply("negative", rest))
                found.append((first - 1, before))
            steps.append([(self._inside(index, line.size), weight) for index, weight in found])
        return [
            (self.at([index for index, _ in chosen]), [(weight, 0) for _, weight in chosen])
            for chosen in product(*steps)
        ]

    def _inside(self, index: np.ndarray, size: int) -> np.ndarray:
        """Where the padding finds an entry that lies outside the input."""
        if self.padding == _BORDER:
            return np.asarray(np.clip(index, 0, size - 1))
        if self.padding == _REFLECTION:
            turn, shift = self._reflected(index.astype(np.float64), size)
            turned = np.rint(index * turn + shift).astype(np.int64)
            return np.asarray(np.clip(turned, 0, size - 1))
        return index

    def corners(self, lines: Sequence[_Line], nearest: bool) -> _Corners:
        """The places that each point is made of; for each axis the weight, and whether it rises
        with the position.
        """
        if nearest:
            return [(self.at([np.rint(line.coded).astype(np.int64) for line in lines]), [])]
        firsts = [np.floor(line.coded).astype(np.int64) for line in lines]
        found = []
        for steps in product((0, 1), repeat=len(lines)):
            weights = [
                (self._weight(*each), each[2]) for each in zip(lines, firsts, steps, strict=True)
            ]
            found.append(
                (
                    self.at([first + step for first, step in zip(firsts, steps, strict=True)]),
                    weights,
                )
            )
        return found

    def _weight(self, line: _Line, first: np.ndarray, step: int) -> int:
        share = self.low.apply("subtract", line.node, self.low.build.constant(first))
        return share if step else self.low.apply("subtract", 1.0, share)

    def weighted(self, weights: Sequence[tuple[int, int]], value: int) -> int:
        """A value of (batch, channels, ...) times weights of (batch, ...)."""
        for weight, _ in weights:
            shape = self.low.build.shape(weight)
            value = self.low.apply(
                "multiply", value, self.low.build.reshape(weight, (shape[0], 1, *shape[1:]))
            )
        return value


def _is_nearest(mode: int) -> bool:
    if mode not in (_BILINEAR, _NEAREST):
        raise NotImplementedError("bicubic sampling")
    return mode == _NEAREST


def _total(low: Lowering, terms: Sequence[int]) -> int:
    total = terms[0]
    for term in terms[1:]:
        total = low.apply("add", total, term)
    return total


@rule("grid_sampler_2d", "grid_sampler_3d")
def sampled(
    low: Lowering,
    input: Operand,
    grid: Operand,
    interpolation_mode: int,
    padding_mode: int,
    align_corners: bool,
) -> int:
    """The picture's values at the points of a grid, interpolated."""
    sampling = _Sampling(low, input, grid, padding_mode, align_corners)
    with narrow(low, grid):
        is_nearest = _is_nearest(interpolation_mode)
        corners = sampling.corners(sampling.lines(), True) if is_nearest else sampling.pieces()
        node = low.lift(input)
        return _total(
            low,
            [sampling.weighted(weights, low.build.take(node, index)) for index, weights in corners],
        )


@rule("grid_sampler_2d_backward", "grid_sampler_3d_backward")
def sampled_backward(
    low: Lowering,
    grad_output: Operand,
    input: Operand,
    grid: Operand,
    interpolation_mode: int,
    padding_mode: int,
    align_corners: bool,
    output_mask: Sequence[bool],
) -> tuple[int | None, int | None]:
    """The gradients by the picture and by the grid, each where it is asked for."""
    sampling = _Sampling(low, input, grid, padding_mode, align_corners)
    with narrow(low, grid):
        lines = sampling.lines()
        corners = sampling.corners(lines, _is_nearest(interpolation_mode))
        return (
            _by_input(sampling, corners, low.lift(grad_output)) if output_mask[0] else None,
            _by_grid(sampling, lines, corners, low.lift(grad_output)) if output_mask[1] else None,
        )


def _by_input(sampling: _Sampling, corners: _Corners, grad: int) -> int:
    build, shape = sampling.low.build, tuple(actual_of(sampling.input).shape)
    piles = [
        build.pile(sampling.weighted(weights, grad), index, shape) for index, weights in corners
    ]
    return _total(sampling.low, piles)


def _by_grid(sampling: _Sampling, lines: Sequence[_Line], corners: _Corners, grad: int) -> int:
    """Along each axis the differences of neighbours, weighted along the other axes, times the
    slope.
    """
    low = sampling.low
    parts = []
    for axis, line in enumerate(lines):
        terms = [
            _rise(sampling, axis, index, weights, grad) for index, weights in corners if weights
        ]
        shape = line.coded.shape
        rise = (
            low.build.sum(_total(low, terms), (1,))
            if terms
            else low.build.constant(np.zeros(shape))
        )
        parts.append(low.build.reshape(low.apply("multiply", rise, line.slope), (*shape, 1)))
    return low.joined(len(lines) + 1, *reversed(parts))


def _rise(
    sampling: _Sampling, axis: int, index: np.ndarray, weights: Sequence[tuple[int, int]], grad: int
) -> int:
    low = sampling.low
    others = [weight for place, weight in enumerate(weights) if place != axis]
    value = low.apply("multiply", low.build.take(low.lift(sampling.input), index), grad)
    rise = sampling.weighted(others, value)
    return rise if weights[axis][1] else low.apply("negative", rise)
