"""Lowering: a graph of ATen operations becomes an array program, one small rule an operation.

The graph is run on the actual tensors while it is read. Whole numbers (indices, sizes, the places
of maxima) are taken as they come out, so that a replay takes the same elements as the code did;
numbers become nodes. In a 16-bit format an operation computes in float32 inside and rounds once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
import sympy
import torch

from verifier.capture.aten.complex_numbers.pairs import (
    ComplexPair,
    in_reals,
    pair_of_tensor,
    real_tensors,
)
from verifier.capture.aten.linear_algebra.sparse_tensors import (
    Pattern,
    SparseValues,
    in_dense,
    is_sparse,
    values_of,
    with_dense,
)
from verifier.capture.joint_graph import NotReadableError, captured, kernel_in_python
from verifier.capture.recorder import Recorder, Recording
from verifier.capture.to_numpy import to_float64, to_numpy
from verifier.errors import message_of
from verifier.operations.formats import BFLOAT16, CODE_FORMATS, FLOAT16, FLOAT32, Format
from verifier.operations.table import COMPOSITIONS, TABLE
from verifier.program.builder import Builder, places
from verifier.program.program import CONSTANT, JOIN, NOTHING, RESHAPE, TAKE, is_held
from verifier.program.sympy_form import read

Operand: TypeAlias = Any
"""What an operation is given for a tensor: a Cell, a tensor or a number that is taken as it is, or
None where it may be left out. Each rule asks for what its operation's schema says.
"""
Dims: TypeAlias = Any
"""What an operation is given for axes or sizes: a whole number, a list of them, or None."""
AtenOperation: TypeAlias = Any
"""An overload of an ATen operation; torch exports no type that all of them have."""
Rule = Callable[..., Any]
_RULES: dict[str, Rule] = {}
_RULE_MODULES = (
    "creation", "elementwise", "movement", "reductions", "activations", "convolution", "pooling",
    "normalisation", "attention", "resampling", "losses",
    "linear_algebra.products", "linear_algebra.elimination", "linear_algebra.reflections",
    "linear_algebra.spectra", "sequences.recurrent", "sequences.alignments",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Cell:
    """A tensor while it is lowered: its node, and what it actually was."""

    node: int
    actual: torch.Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the tensor as torch had it, before any broadcasting."""
        return tuple(self.actual.shape)


@dataclass(frozen=True, eq=False)
class ComplexCell:
    """A complex tensor while it is lowered: its parts, and what it actually was."""

    real: Cell
    imag: Cell
    actual: torch.Tensor


@dataclass(frozen=True, eq=False)
class SparseCell:
    """A sparse tensor while it is lowered: its values, where they stand, and what it actually
    was.
    """

    values: Cell
    pattern: Pattern
    actual: torch.Tensor


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for ATen operations by name, all their overloads.

    A rule takes a Lowering and the operation's arguments by the names of its schema, as many as it
    asks for, and returns the node of the result, or a tuple of nodes; None in a tuple keeps what
    came out.
    """

    def register(function: Rule) -> Rule:
        for name in names:
            if name in _RULES:
                raise ValueError(f"two rules for {name}")
            _RULES[name] = function
        return function

    return register


@cache
def rules() -> dict[str, Rule]:
    """Every rule by the name of its operation."""
    for module in _RULE_MODULES:
        import_module(f"verifier.capture.aten.{module}")
    return _RULES


@dataclass(frozen=True, eq=False)
class Lowered:
    """A graph as nodes of a builder."""

    builder: Builder
    results: tuple[int | None, ...]
    """The node of each result, None where the graph has none there."""
    actual: dict[int, np.ndarray]
    """What tensors actually were, by node, as float64."""
    kept: bool
    """Whether nothing but numbers was decided while reading, so that the program holds at other
    points too.
    """
    operations: tuple[str, ...]
    """The names of the operations that were read, in order."""
    elementary: bool = True
    """Whether each operation is a single one of the table: a kernel that does several things does
    them its own way.
    """
    conventions: tuple[str, ...] = ()
    """Where torch states no derivative by design, though there is one: names of operations."""


class Lowering:
    """Reads one graph into a builder."""

    def __init__(self, builder: Builder, quantity: str) -> None:
        self.build = builder
        self.quantity = quantity
        """Which derivative the graph states: torch has conventions that hold for some of them."""
        self.conventions: dict[str, None] = {}
        """Those that were met, by name."""
        self.actual: dict[int, np.ndarray] = {}
        self.kept = True
        self.operations: list[str] = []
        self.elementary = True
        self._held: dict[tuple[int, Format], bool] = {}
        self._scalars: Format | None = None
        self._label_lengths: Sequence[int] = ()

    def given(self, name: str, tensor: torch.Tensor) -> Cell:
        """The cell of an input, whose numbers are floats of its own format."""
        if is_sparse(tensor):
            raise NotReadableError("an input is sparse: make a dense one sparse in the code")
        node = self.build.input(name, tuple(tensor.shape))
        self.actual[node] = plain(tensor)
        own = _format(tensor)
        if own is not None:
            self._held[node, own] = True
        return Cell(node, tensor)

    def lift(self, value: Operand) -> int:
        """The node of a cell, a number, or a tensor that is taken as it is."""
        if isinstance(value, Cell):
            return value.node
        if isinstance(value, torch.Tensor):
            return self.build.constant(plain(value))
        # torch rounds a number to the format of the tensor beside it, to 16 bits where it adds and
        # compares.
        with self.build.rounding(self._scalars):
            return self.build.constant(value)

    def apply(self, operation: str, *arguments: Any) -> int:
        """A row of the table; arguments are nodes (int) or numbers (float)."""
        nodes = [part if isinstance(part, int) else self.build.constant(part) for part in arguments]
        return self.build.apply(operation, *nodes)

    def difference(self, left: int, right: int) -> int:
        """Numbers less others; of a number and itself it is 0, whatever was rounded before."""
        apart = self.apply("subtract", left, right)
        (one, places_), (other, others) = (self._moved_from(node) for node in (left, right))
        if one != other or not np.isfinite(self.actual.get(one, np.nan)).all():
            return apart
        shape = self.build.shape(apart)
        first, second = (np.broadcast_to(index, shape) for index in (places_, others))
        same = (first == second) & (first != NOTHING)
        if not same.any():
            return apart
        return self.build.take(apart, np.where(same, NOTHING, places(shape)))

    def _moved_from(self, node: int) -> tuple[int, np.ndarray]:
        """The node whose elements these are, and their places there."""
        index = places(self.build.shape(node))
        while (known := self.build[node]).operation in (TAKE, RESHAPE) and not is_held(known):
            if known.operation == TAKE:
                flat = np.append(known.array.ravel(), NOTHING)
                index = flat[index]
            (node,) = known.arguments
        return node, index

    def formula(self, definition: Callable[..., Any], *arguments: Any) -> int:
        """What a function from SymPy trees to a tree says, in its order of operations, of nodes
        (int) or cells.
        """
        symbols = [sympy.Symbol(f"argument_{place}", real=True) for place in range(len(arguments))]
        nodes = [part if isinstance(part, int) else self.lift(part) for part in arguments]
        with sympy.evaluate(False):
            tree = definition(*symbols)
        return read(tree, self.build, dict(zip(symbols, nodes, strict=True)))

    def composed(self, name: str, *arguments: Any) -> int:
        """A composition of the table."""
        return self.formula(COMPOSITIONS[name].definition, *arguments)

    def moved(self, operation: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        """An operation that only moves elements or fills in zeros, found out by moving their
        places.
        """
        cells: list[Cell] = []

        def numbered(value: Operand) -> Operand:
            if isinstance(value, list | tuple):
                return type(value)(numbered(part) for part in value)
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                value = Cell(self.lift(value), value)
            if not isinstance(value, Cell):
                return value
            start = 1 + sum(cell.actual.numel() for cell in cells)
            cells.append(value)
            return numbers_from(start, value.shape)

        indices = operation(**{name: numbered(value) for name, value in arguments.items()})
        joined = self.build.join([cell.node for cell in cells])
        if isinstance(indices, torch.Tensor):
            return self.build.take(joined, places_of(indices))
        return tuple(self.build.take(joined, places_of(index)) for index in indices)

    def joined(self, axis: int, *nodes: int) -> int:
        """Arrays one behind another along an axis."""
        indices, start = [], 0
        for node in nodes:
            indices.append(places(self.build.shape(node)) + start)
            start += indices[-1].size
        return self.build.take(self.build.join(nodes), np.concatenate(indices, axis))

    def narrowed(self, node: int, actual: torch.Tensor) -> int:
        """The node rounded to a result's own 16-bit format, for kernels that round inside as
        well.
        """
        return self.build.round(node, _format(actual)) if in_16_bits(actual) else node

    def held(self, node: int, actual: torch.Tensor) -> bool:
        """Whether a node is a constant that the code had as it stands, so that nothing was
        rounded.
        """
        constant = self.build[node]
        return constant.operation == CONSTANT and np.array_equal(constant.array, plain(actual))

    def run(self, graph: Recording, inputs: Sequence[Cell]) -> tuple[int | None, ...]:
        """The nodes of the graph's results. Raises NotReadableError for an operation without a
        rule.
        """
        values: dict[torch.fx.Node, Any] = {}
        waiting = iter(inputs)
        for node in graph.graph.nodes:
            if node.op == "placeholder":
                values[node] = next(waiting)
            elif node.op == "get_attr":
                values[node] = self._constant(graph.constants[str(node.target)])
            elif node.op == "output":
                return tuple(
                    self._result(part)
                    for part in torch.fx.node.map_arg(list(node.args[0]), values.get) or ()
                )
            else:
                arguments = torch.fx.node.map_arg(node.args, values.get)
                keywords = torch.fx.node.map_arg(node.kwargs, values.get)
                values[node] = self._called(node.target, arguments, keywords)
        raise NotReadableError("the graph has no results")

    def _result(self, part: Any) -> int | None:
        if part is None:
            return None
        if isinstance(part, SparseCell):
            pattern = part.pattern
            places = to_numpy(pattern.places).reshape(pattern.values_shape)
            return self.build.pile(part.values.node, places, tuple(pattern.shape))
        return self.lift(part)

    def _constant(self, tensor: torch.Tensor) -> Any:
        """A tensor that the code closes over: given, exact as it is; a single number may be a
        rounded one.
        """
        if not tensor.is_floating_point():
            return tensor
        tensor = tensor.detach()
        if is_sparse(tensor):
            return tensor
        with self.build.rounding(_format(tensor)):
            return Cell(self.build.constant(plain(tensor)), tensor)

    def _given_as(self, actual: Operand) -> Any:
        """Results that depend on no number."""
        if isinstance(actual, tuple | list):
            return type(actual)(self._given_as(part) for part in actual)
        return self._constant(actual) if isinstance(actual, torch.Tensor) else actual

    def _called(
        self, target: AtenOperation, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Any:
        if not isinstance(target, torch._ops.OpOverload):
            return target(*arguments, **keywords)
        name = _name_of(target)
        actual = self._ran(name, target, arguments, keywords)
        self.operations.append(name)
        if torch.Tag.nondeterministic_seeded in target.tags and name not in rules():
            raise random(name)
        bound = _bound(target, arguments, keywords)
        if _is_complex((bound, actual)):
            return self._of_pairs(name, target, bound, actual)
        if is_sparse((bound, actual)) or _has_sparse_cells(bound):
            return self._of_values(target, bound, actual)
        return self._of_reals(name, target, bound, actual)

    def _of_reals(
        self, name: str, target: AtenOperation, bound: dict[str, Any], actual: Operand
    ) -> Any:
        number = _number_of_fill(name, bound, actual)
        if number is not None:
            return self._filled(number, actual)
        if name in _EVEN and isinstance(actual, torch.Tensor) and actual.is_floating_point():
            return self._constant(actual)
        if not has_cells(bound) or name in _BY_SHAPE:
            return actual
        if _is_nothing(bound, actual):
            return self._given_as(actual)
        if _is_whole(actual):
            if name not in rules() or not _is_truth(actual):
                self.kept = False
                return actual
        elif name not in rules():
            return self._by_kernel(name, target, bound, actual)
        return self._lowered(name, target, bound, actual)

    def _by_kernel(
        self, name: str, target: AtenOperation, bound: dict[str, Any], actual: Operand
    ) -> Any:
        """An operation that somebody wrote in Python, by what its kernel does.

        Raises NotReadableError for any other one, and where the kernel leaves torch.
        """
        kernel = kernel_in_python(target)
        if kernel is None:
            raise _without_rule(name, actual)
        cells = [cell for cell in cells_of(bound) if isinstance(cell, Cell)]

        def in_torch(*given: torch.Tensor) -> tuple[Any, ...]:
            with torch.no_grad():
                return tuple(real_tensors(kernel(**_with_pairs(bound, iter(given)))))

        graph = captured(in_torch, [cell.actual for cell in cells])
        nodes = iter(self.run(graph, cells))
        self.elementary = False
        if isinstance(actual, tuple | list):
            return type(actual)(self._cell(next(nodes), part) for part in actual)
        return self._cell(next(nodes), actual)

    def _filled(self, number: Any, actual: torch.Tensor) -> Cell:
        """A number as it was written, which the tensor's format may have to round."""
        with self.build.rounding(_format(actual)):
            node = self.build.constant(float(number))
        return Cell(self.build.expand(node, tuple(actual.shape)), actual)

    def _ran(
        self, name: str, target: AtenOperation, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Any:
        """What an operation gives. The mean of a ctc_loss divides by lengths that torch writes into
        an empty tensor unseen: they are written here.
        """
        actual = target(*actual_of(arguments), **actual_of(keywords))
        if name == "_ctc_loss":
            lengths = _bound(target, arguments, keywords)["target_lengths"]
            self._label_lengths = lengths if isinstance(lengths, list | tuple) else ()
        elif name == "empty" and tuple(actual.shape) == (len(self._label_lengths),):
            actual.copy_(torch.tensor(self._label_lengths))
        return actual

    def _lowered(
        self, name: str, target: AtenOperation, bound: dict[str, Any], actual: Operand
    ) -> Any:
        bound = bound if _is_whole(actual) else _with_numbers(target, bound)
        function = rules()[name]
        parameters = _parameters_of(function)
        given = {
            name: bound[name if name in bound else _OTHER_NAMES[name]]
            for name in parameters
            if name in bound or _OTHER_NAMES.get(name) in bound
        }
        if "operation" in parameters:
            given = {"operation": target, "bound": bound}
        if "actual" in parameters:
            given["actual"] = actual
        own, before = _format(actual), len(self.build)
        self._scalars = own or _format(
            [value.actual for value in bound.values() if isinstance(value, Cell)]
        )
        with self.build.rounding(_inside(name, own)):
            try:
                found = function(self, **given)
            except NotImplementedError as error:
                sentence = f"aten::{name} has no rule for {message_of(error)}"
                raise NotReadableError(sentence) from error
        made = [self.build[place] for place in range(before, len(self.build))]
        rounded = [node for node in made if node.format is not None and node.operation != CONSTANT]
        self.elementary = self.elementary and len(rounded) <= 1
        if isinstance(actual, tuple | list):
            nodes = found if isinstance(found, tuple) else (found,)
            padded = (*nodes, *(None for _ in range(len(actual) - len(nodes))))
            return type(actual)(
                self._cell(node, part) for node, part in zip(padded, actual, strict=True)
            )
        return self._cell(found, actual)

    def _of_pairs(
        self, name: str, target: AtenOperation, bound: dict[str, Any], actual: Operand
    ) -> Any:
        """An operation that takes or gives complex numbers, by what it does to their parts."""
        if _is_nothing(bound, actual) or name in _EVEN or name in _BY_SHAPE:
            return self._given_as(actual)
        if _is_whole(actual):
            self.kept = False
            return actual
        cells = list(_real_cells(bound))

        def in_parts(*given: torch.Tensor) -> tuple[Any, ...]:
            return tuple(real_tensors(in_reals(target, _with_pairs(bound, iter(given)))))

        # A recorder knows tensors by their identity.
        graph = Recorder().record(in_parts, [cell.actual.detach() for cell in cells])
        self.elementary = False
        self.kept = self.kept and name not in _FROM_STATED
        nodes = iter(self.run(graph, cells))
        if isinstance(actual, tuple | list):
            return type(actual)(self._of_parts(nodes, part) for part in actual)
        return self._of_parts(nodes, actual)

    def _of_values(self, target: AtenOperation, bound: dict[str, Any], actual: Operand) -> Any:
        """An operation that takes or gives sparse tensors, by what it does to dense ones."""
        if not has_cells(bound) or _is_whole(actual):
            return actual
        if not isinstance(actual, torch.Tensor):
            raise NotReadableError(f"aten::{_name_of(target)} has no rule for sparse tensors")
        pattern = Pattern.of(actual) if is_sparse(actual) else None
        bound = with_dense(bound)
        cells = [cell for cell in cells_of(bound) if isinstance(cell, Cell | SparseCell)]
        values = [cell.values if isinstance(cell, SparseCell) else cell for cell in cells]

        def of_values(*given: torch.Tensor) -> tuple[torch.Tensor]:
            return (in_dense(target, _with_values(bound, iter(given)), pattern),)

        # A recorder knows tensors by their identity.
        graph = Recorder().record(of_values, [cell.actual.detach() for cell in values])
        self.elementary = False
        (node,) = self.run(graph, values)
        if pattern is None:
            return self._cell(node, actual)
        return SparseCell(self._cell(node, values_of(actual)), pattern, actual)

    def _of_parts(self, nodes: Iterator[int | None], actual: Operand) -> Any:
        """One result of an operation, from the nodes of all of them."""
        node = next(nodes)
        if not _is_complex(actual):
            return self._cell(node, actual)
        real, imag = pair_of_tensor(actual).real, pair_of_tensor(actual).imag
        return ComplexCell(self._cell(node, real), self._cell(next(nodes), imag), actual)

    def _cell(self, node: int | None, actual: Operand) -> Any:
        if node is None or not isinstance(actual, torch.Tensor):
            self.kept = self.kept and not (isinstance(actual, torch.Tensor) and actual.numel())
            return actual
        node = self.build.numbers(node) if actual.is_floating_point() else node
        own = _format(actual)
        if own is not None and own.precision < FLOAT32.precision and not self._holds(node, own):
            node = self.build.round(node, own)
            self._held[node, own] = True
        if self.build.shape(node) != tuple(actual.shape):
            node = self.build.expand(node, tuple(actual.shape))
        if actual.is_floating_point():
            self.actual.setdefault(node, plain(actual))
        return Cell(node, actual)

    def _holds(self, node: int, format: Format) -> bool:
        """Whether a node's elements are floats of a format without being rounded: only moved,
        chosen or negated.
        """
        key = node, format
        if key not in self._held:
            made = self.build[node]
            if made.operation == CONSTANT:
                numbers = np.ravel(made.array).astype(np.float64).tolist()
                self._held[key] = made.format == format or all(map(format.holds, numbers))
            else:
                exact = made.operation in _MOVES or (
                    made.operation in TABLE
                    and TABLE[made.operation].budget.torch == 0.0
                    and made.arguments != ()
                )
                chosen = made.arguments[1:] if made.operation == "where" else made.arguments
                self._held[key] = exact and all(
                    self._holds(argument, format) for argument in chosen
                )
        return self._held[key]


@cache
def _parameters_of(function: Rule) -> tuple[str, ...]:
    """The names of what a rule asks for."""
    return tuple(inspect.signature(function).parameters)


_MOVES = frozenset({TAKE, RESHAPE, JOIN})
_FILLS = {
    "scalar_tensor": "s",
    "full": "fill_value",
    "full_like": "fill_value",
    "new_full": "fill_value",
    "fill": "value",
}
"""Operations that make a tensor of one number, and where the number stands."""


def _name_of(target: AtenOperation) -> str:
    """The operation's name, without the namespace of torch's own ones."""
    name: str = target._schema.name
    return name.removeprefix("aten::")


def _without_rule(name: str, actual: Operand) -> NotReadableError:
    """Why an operation is not read."""
    if any(part.is_nested for part in _tensors(actual)) or "jagged" in name:
        return NotReadableError(
            f"aten::{name} works on nested tensors, and only plain ones are read: pad them"
        )
    return NotReadableError(f"{name if '::' in name else f'aten::{name}'} has no rule")


def _number_of_fill(name: str, bound: dict[str, Any], actual: Operand) -> int | float | None:
    """The number of which an operation makes a whole tensor, if it does."""
    number = bound.get(_FILLS.get(name, ""))
    is_float = isinstance(actual, torch.Tensor) and actual.is_floating_point()
    return number if is_float and isinstance(number, int | float) else None


_EVEN = frozenset({"ones", "zeros", "ones_like", "zeros_like", "new_ones", "new_zeros"})
"""Operations that make a tensor of zeros or ones: what is computed of it is rounded as everything
else.
"""
_FROM_STATED = frozenset({"linalg_eig", "_linalg_eigvals", "linalg_eigvals"})
"""Complex operations that begin with what torch stated at this point."""
_BY_SHAPE = frozenset(
    {
        "empty_like",
        "new_empty",
        "new_empty_strided",
        "_new_zeros_with_same_feature_meta",
        "sym_size",
        "sym_numel",
        "sym_stride",
    }
)
"""Operations that take nothing from a tensor but its shape."""


_ALL_THE_WAY = {
    "convolution": {FLOAT16},
    "convolution_backward": {FLOAT16},
    "_adaptive_avg_pool3d": {FLOAT16, BFLOAT16},
    "_adaptive_avg_pool3d_backward": {FLOAT16, BFLOAT16},
    "upsample_linear1d": {FLOAT16, BFLOAT16},
    "upsample_linear1d_backward": {FLOAT16, BFLOAT16},
    "upsample_bilinear2d": {FLOAT16, BFLOAT16},
    "upsample_bilinear2d_backward": {FLOAT16, BFLOAT16},
    "upsample_bicubic2d": {FLOAT16, BFLOAT16},
    "upsample_bicubic2d_backward": {FLOAT16, BFLOAT16},
    "upsample_trilinear3d": {FLOAT16, BFLOAT16},
    "upsample_trilinear3d_backward": {FLOAT16, BFLOAT16},
}
"""Kernels of the CPU that round each step to these formats, and add up in them."""


def _inside(name: str, own: Format | None) -> Format | None:
    """What an operation rounds to inside."""
    if own is None or own.precision >= FLOAT32.precision or own in _ALL_THE_WAY.get(name, ()):
        return own
    return FLOAT32


def lowered(
    graph: Recording,
    names: Sequence[str],
    arguments: Sequence[torch.Tensor],
    builder: Builder | None = None,
    quantity: str = "reverse",
) -> Lowered:
    """The `graph` as nodes of `builder`, or of a new one, with its `arguments` as inputs of these
    `names`.

    There is a name for each argument; floating-point ones become inputs of their shapes, others
    constants. `quantity` says which derivatives the graph states: reverse, forward or second.

    Raises NotReadableError for an operation without a rule, and for randomness.
    """
    builder = Builder() if builder is None else builder
    lowering = Lowering(builder, quantity)
    cells = []
    for name, argument in zip(names, arguments, strict=True):
        if argument.is_floating_point():
            cells.append(lowering.given(name, argument.detach()))
        else:
            cells.append(argument)  # type: ignore[arg-type]
    # Nothing here asks for a gradient, but some operations keep what their backward needs only in
    # this mode.
    with torch.enable_grad():
        results = lowering.run(graph, cells)
    builder.actual = {**lowering.actual, **builder.actual}
    return Lowered(
        builder,
        results,
        lowering.actual,
        lowering.kept,
        tuple(lowering.operations),
        lowering.elementary,
        tuple(lowering.conventions),
    )


def numbers_from(start: int, shape: Sequence[int]) -> torch.Tensor:
    """Whole numbers from `start` on in that shape, in the format that every operation takes."""
    count = int(np.prod(shape))
    return torch.arange(start, start + count, dtype=torch.float64).reshape(tuple(shape))


def places_of(numbers: torch.Tensor) -> np.ndarray:
    """The places that elements counted from 1 came from; what is filled with 0 came from
    NOTHING.
    """
    return to_numpy(numbers).astype(np.int64) - 1


def random(name: str) -> NotReadableError:
    """Why an operation that draws random numbers is not read."""
    return NotReadableError(
        f"aten::{name} is random, and a random number has no derivative to hold it against"
    )


def plain(tensor: torch.Tensor) -> np.ndarray:
    """The numbers of `tensor` as an array of its shape: float64, which holds them exactly, or bool
    for truth values.
    """
    return to_numpy(tensor) if tensor.dtype == torch.bool else to_float64(tensor)


def actual_of(value: Operand) -> Operand:
    """The tensors of cells, also of those in lists and mappings."""
    if isinstance(value, Cell | ComplexCell | SparseCell):
        return value.actual
    if isinstance(value, list | tuple):
        return type(value)(actual_of(part) for part in value)
    if isinstance(value, dict):
        return {key: actual_of(part) for key, part in value.items()}
    return value


def cells_of(value: Operand) -> Iterator[Cell | ComplexCell | SparseCell]:
    """The cells in it."""
    if isinstance(value, Cell | ComplexCell | SparseCell):
        yield value
    elif isinstance(value, list | tuple | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from cells_of(part)


def has_cells(value: Operand) -> bool:
    """Whether there is a cell in it."""
    return next(cells_of(value), None) is not None


def _is_nothing(arguments: Any, actual: Operand) -> bool:
    """Whether an operation takes no number of a cell, or gives none."""
    return not any(cell.actual.numel() for cell in cells_of(arguments)) or not any(
        part.numel() for part in _tensors(actual)
    )


_OTHER_NAMES = {"grad": "grad_output", "self": "x"}
"""Names of arguments that some operations or later versions of torch have, by the usual name."""


def _bound(
    target: AtenOperation, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> dict[str, Any]:
    """The arguments by the names of the schema, with its defaults."""
    schema = _schema_of(target)
    bound = {**schema.defaults, **dict(zip(schema.names, arguments, strict=False)), **keywords}
    return {name: bound[name] for name in schema.names if name in bound}


@dataclass(frozen=True, eq=False)
class _Schema:
    """What the schema of an operation says, which torch works out each time that it is asked."""

    names: tuple[str, ...]
    defaults: Mapping[str, Any]
    numbers: frozenset[str]
    """The arguments that are numbers, and no truth values."""


@cache
def _schema_of(target: AtenOperation) -> _Schema:
    arguments = target._schema.arguments
    kinds = {argument.name: str(argument.type) for argument in arguments}
    return _Schema(
        tuple(kinds),
        {one.name: one.default_value for one in arguments if one.has_default_value()},
        frozenset(name for name, kind in kinds.items() if "number" in kind or "float" in kind),
    )


def _with_numbers(target: AtenOperation, bound: dict[str, Any]) -> dict[str, Any]:
    """The arguments with 1.0 or 0.0 for a truth value where the schema asks for a number."""
    numbers = _schema_of(target).numbers
    return {
        name: float(value) if isinstance(value, bool) and name in numbers else value
        for name, value in bound.items()
    }


def _tensors(actual: Operand) -> list[torch.Tensor]:
    parts = actual if isinstance(actual, tuple | list) else [actual]
    return [part for part in parts if isinstance(part, torch.Tensor)]


def _is_whole(actual: Operand) -> bool:
    return not any(part.is_floating_point() or part.is_complex() for part in _tensors(actual))


def _is_truth(actual: Operand) -> bool:
    return all(part.dtype == torch.bool for part in _tensors(actual))


def _is_complex(value: Operand) -> bool:
    """Whether there is a complex tensor in it."""
    if isinstance(value, list | tuple | dict):
        parts = value.values() if isinstance(value, dict) else value
        return any(_is_complex(part) for part in parts)
    if isinstance(value, torch.Tensor):
        return value.is_complex()
    return isinstance(value, ComplexCell)


def _real_cells(value: Operand) -> Iterator[Cell]:
    """The cells in it, two for a complex one."""
    for cell in cells_of(value):
        if isinstance(cell, ComplexCell):
            yield cell.real
            yield cell.imag
        elif isinstance(cell, SparseCell):
            raise NotReadableError("no rule reads complex and sparse tensors together")
        else:
            yield cell


def _with_pairs(value: Operand, given: Iterator[torch.Tensor]) -> Any:
    """The same with tensors in the place of cells, and pairs in the place of complex tensors."""
    if isinstance(value, ComplexCell):
        return ComplexPair(next(given), next(given))
    if isinstance(value, Cell):
        return next(given)
    if isinstance(value, torch.Tensor) and value.is_complex():
        return pair_of_tensor(value)
    if isinstance(value, dict):
        return {key: _with_pairs(part, given) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_with_pairs(part, given) for part in value)
    return value


def _has_sparse_cells(value: Operand) -> bool:
    return any(isinstance(cell, SparseCell) for cell in cells_of(value))


def _with_values(value: Operand, given: Iterator[torch.Tensor]) -> Any:
    """The same with tensors in the place of cells, and values in the place of sparse tensors."""
    if isinstance(value, SparseCell):
        return SparseValues(next(given), value.pattern)
    if isinstance(value, Cell):
        return next(given)
    if isinstance(value, dict):
        return {key: _with_values(part, given) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_with_values(part, given) for part in value)
    return value


def in_16_bits(actual: Operand) -> bool:
    """Whether a result has a format in which torch keeps numbers, and computes in a wider one."""
    own = _format(actual)
    return own is not None and own.precision < FLOAT32.precision


def _format(actual: Operand) -> Format | None:
    for part in _tensors(actual):
        if part.is_floating_point():
            name = str(part.dtype).removeprefix("torch.")
            if name not in CODE_FORMATS:
                raise NotReadableError(f"{name} is not a format that is judged")
            return CODE_FORMATS[name]
    return None
