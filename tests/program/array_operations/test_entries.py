"""Each operation on arrays: its gradient against the scalar derivation, entry by entry, in exact
arithmetic and in float64; and what the comparison finds when a rule is wrong.
"""

import numpy as np
import pytest

from tests.program.array_operations.entry_by_entry import Case, Compared, disagreements
from tests.program.array_operations.written_out import DEFINITIONS
from verifier.formula.arrays.functions import FUNCTIONS
from verifier.formula.arrays.traced_array import on_nodes
from verifier.program.array_operations.broadcasting import ExpandLike, Reshape, Sum
from verifier.program.array_operations.linear_algebra import Determinant, Inverse, Solve, Trace
from verifier.program.array_operations.movement import (
    WHOLE,
    Concatenate,
    Put,
    Slice,
    Take,
    Transpose,
)
from verifier.program.array_operations.products import Product
from verifier.program.array_operations.reductions import Count, LogSumExp, Mean, Softmax
from verifier.program.program import ARRAY, ROWS


def of(operation):
    """The operation on traced arrays."""
    return lambda *arrays: on_nodes(arrays[0].build, operation, *arrays)


def shapes(*given):
    return dict(zip("xyz", given, strict=False))


def named(name, *settings):
    return lambda *arrays: FUNCTIONS[name](*arrays, *settings)


_PRODUCTS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((2,), (2, 3)),
    ((2, 3), (3, 2)),
    ((1, 3), (3, 1)),
    ((2, 2, 3), (3,)),
    ((2,), (3, 2, 2)),
    ((2, 2, 3), (3, 2)),
    ((2, 3), (2, 3, 2)),
    ((2, 2, 3), (2, 3, 2)),
    ((1, 2, 3), (2, 3, 1)),
    ((2, 1, 2, 3), (3, 3, 2)),
    ((2, 1, 2, 3), (3,)),
    ((3,), (2, 1, 3, 2)),
    ((1, 1), (1,)),
    ((ROWS, 3), (3,)),
    ((ROWS, 3), (3, 2)),
    ((ROWS, 2, 3), (3, 2)),
    ((ROWS, 2, 3), (3,)),
    ((2,), (ROWS, 2, 3)),
    ((2, 2), (ROWS, 2, 3)),
    ((ROWS, 2, 3), (ROWS, 3, 2)),
    ((ROWS, 1, 3), (ROWS, 3, 1)),
    ((ROWS, 2, 2), (2, 2, 2)[1:]),
    ((2, ROWS), (ROWS, 3)),
    ((ROWS,), (ROWS,)),
    ((ROWS,), (ROWS, 2)),
    ((2, ROWS), (ROWS,)),
]
_BROADCAST = [
    ((), (2, 3)),
    ((3,), (2, 3)),
    ((2, 1), (2, 3)),
    ((2, 1), (1, 3)),
    ((2, 1), (3,)),
    ((1,), (2, 3)),
    ((1, 1), (3,)),
    ((2, 1, 3), (2, 1)),
    ((ROWS, 3), (3,)),
    ((ROWS, 1), (3,)),
    ((ROWS, 3), (1, 3)),
    ((ROWS, 3), ()),
    ((ROWS,), (2, 1)),
    ((ROWS, 1, 2), (3, 1)),
    ((ROWS, 2), (ROWS, 1)),
]
_KEYS = {
    "a place": (1,),
    "a place from the end": (-1,),
    "two places": (1, 2),
    "a row of a later axis": (WHOLE, 1),
    "a slice": (Slice(0, 2),),
    "an open slice": (WHOLE, Slice(1, None)),
    "a slice in steps": (WHOLE, Slice(None, None, 2)),
    "a slice backward": (Slice(None, None, -1),),
    "a slice from the end": (WHOLE, Slice(-2, -1)),
    "a slice past the end": (WHOLE, Slice(1, 9)),
    "several places": ((1, 0),),
    "places in a later axis": (WHOLE, (2, 0)),
    "a place twice": ((1, 1, 0),),
    "places from the end": (WHOLE, (-1, 0, -1)),
    "places and a slice": (Slice(None, None, -1), (0, 2, 2)),
}
_ROW_KEYS = {
    "a column": (WHOLE, 1),
    "columns": (WHOLE, Slice(0, 2)),
    "listed columns": (WHOLE, (2, 0, 2)),
}

CASES = {
    **{f"product {a} {b}": Case(of(Product()), shapes(a, b)) for a, b in _PRODUCTS},
    "product with itself": Case(lambda x: x @ x, shapes((2, 2))),
    "product with its transpose": Case(lambda x: x.T @ x, shapes((2, 3))),
    "product of three": Case(lambda x, y, z: x @ y @ z, shapes((2,), (2, 3), (3,))),
    **{
        f"{row} {a} {b}": Case(lambda x, y, row=row: x.applied(row, y), shapes(a, b))
        for row in ("multiply", "divide", "subtract", "maximum", "power")
        for a, b in _BROADCAST
    },
    **{
        f"{row} {b} {a}": Case(lambda x, y, row=row: x.applied(row, y), shapes(b, a))
        for row in ("divide", "subtract", "power")
        for a, b in _BROADCAST
    },
    **{
        f"where {a} {b} {c}": Case(lambda x, y, z: (x > 1).applied("where", y, z), shapes(a, b, c))
        for a, b, c in [
            ((2, 3), (), ()),
            ((3,), (2, 1), ()),
            ((ROWS, 1), (3,), (ROWS, 3)),
            ((2, 1), (2, 3), (3,)),
        ]
    },
    **{
        f"take {name}": Case(of(Take(key)), shapes((2, 3) if key != (1, 2) else (3, 3)))
        for name, key in _KEYS.items()
    },
    **{
        f"take {name} of rows": Case(of(Take(key)), shapes((ROWS, 3)))
        for name, key in _ROW_KEYS.items()
    },
    "take of one axis": Case(of(Take(((2, 0, 2, 2),))), shapes((3,))),
    "take of three axes": Case(of(Take((1, WHOLE, Slice(None, None, -1)))), shapes((2, 2, 3))),
    "index with an axis more": Case(lambda x: x[:, None] * x[None, :, 1:], shapes((2, 2))),
    "index with dots": Case(lambda x: x[..., 0] + x[0, ..., 1:], shapes((2, 1, 2))),
    **{
        f"put {name}": Case(
            lambda x, key=key: (x * x).with_operation(Take(key)).with_operation(Put(key), x),
            shapes((2, 3) if key != (1, 2) else (3, 3)),
        )
        for name, key in _KEYS.items()
    },
    "put of rows": Case(
        lambda x: (
            (x * x)
            .with_operation(Take((WHOLE, (2, 0, 2))))
            .with_operation(Put((WHOLE, (2, 0, 2))), x)
        ),
        shapes((ROWS, 3)),
    ),
    "concatenate": Case(lambda x, y: named("concatenate")([x, y, x]), shapes((2, 3), (1, 3))),
    "concatenate columns": Case(
        lambda x, y: named("concatenate", -1)([x, y]), shapes((2, 3), (2, 1))
    ),
    "concatenate the middle": Case(
        lambda x, y: named("concatenate", 1)([x, y, x * y]), shapes((2, 1, 2), (2, 1, 2))
    ),
    "concatenate columns of rows": Case(
        lambda x, y: named("concatenate", 1)([x, y]), shapes((ROWS, 2), (ROWS, 1))
    ),
    "concatenate one": Case(lambda x: named("concatenate")([x]), shapes((2, 2))),
    "stack": Case(lambda x, y: named("stack")([x, y]), shapes((2, 3), (2, 3))),
    "stack at the end": Case(lambda x, y: named("stack", -1)([x, y]), shapes((2, 3), (2, 3))),
    "stack of rows": Case(lambda x, y: named("stack", 1)([x, y]), shapes((ROWS, 2), (ROWS, 2))),
    "transpose": Case(of(Transpose((1, 0))), shapes((2, 3))),
    "transpose of three axes": Case(of(Transpose((2, 0, 1))), shapes((2, 3, 2))),
    "transpose in a circle": Case(of(Transpose((1, 2, 0))), shapes((2, 3, 1))),
    "transpose of rows": Case(of(Transpose((1, 0))), shapes((ROWS, 2))),
    "reshape": Case(of(Reshape((3, 2))), shapes((2, 3))),
    "reshape to one axis": Case(of(Reshape((6,))), shapes((2, 3))),
    "reshape to a number": Case(of(Reshape(())), shapes((1, 1))),
    "reshape of rows": Case(of(Reshape((ROWS, 2, 2))), shapes((ROWS, 4))),
    "reshape of rows twice": Case(
        lambda x: (x @ x.T).with_operation(Reshape((ROWS, 1, ROWS))), shapes((ROWS, 2))
    ),
    "distances of rows": Case(
        lambda x: ((x[:, None] - x[None, :] * 2) * x).sum(-1).mean(0), shapes((ROWS, 2))
    ),
    "reshape of rows to columns": Case(of(Reshape((1, ROWS))), shapes((ROWS, 1))),
    "expand": Case(of(ExpandLike()), shapes((2, 1), (2, 3))),
    "expand a number": Case(of(ExpandLike()), shapes((), (2, 3))),
    "expand to rows": Case(of(ExpandLike()), shapes((3,), (ROWS, 3))),
    "expand a column of rows": Case(of(ExpandLike()), shapes((ROWS, 1), (ROWS, 2))),
    **{
        f"{name} {given} {axes}": Case(of(operation(axes)), shapes(given))
        for name, operation in {"sum": Sum, "mean": Mean}.items()
        for given, axes in [
            ((3,), (0,)),
            ((2, 3), (0,)),
            ((2, 3), (1,)),
            ((2, 3), (0, 1)),
            ((2, 3, 2), (1,)),
            ((2, 3, 2), (0, 2)),
            ((1, 3), (0,)),
            ((ROWS, 3), (0,)),
            ((ROWS, 3), (1,)),
            ((ROWS, 3), (0, 1)),
            ((ROWS, 2, 2), (0, 2)),
            ((ROWS, 2, 2), (1, 2)),
            ((ROWS,), (0,)),
        ]
    },
    "count": Case(lambda x: x * x.with_operation(Count((0,))), shapes((2, 3))),
    "count of rows": Case(lambda x: x.sum(0) / x.with_operation(Count((0,))), shapes((ROWS, 3))),
    **{
        f"{name} {given} {axis}": Case(of(operation(axis)), shapes(given))
        for name, operation in {"softmax": Softmax, "logsumexp": LogSumExp}.items()
        for given, axis in [
            ((3,), 0),
            ((2, 3), -1),
            ((2, 3), 0),
            ((2, 2, 2), 1),
            ((ROWS, 3), 1),
            ((ROWS, 2, 2), -2),
            ((2, 1), 1),
            ((ROWS, 2), 0),
            ((ROWS,), 0),
        ]
    },
    "log_softmax": Case(named("log_softmax"), shapes((2, 3))),
    "log_softmax of rows": Case(named("log_softmax", 1), shapes((ROWS, 3))),
    "softmax of equal numbers": Case(of(Softmax(1)), shapes((2, 2)), {"x": np.ones((2, 2))}),
    **{
        f"{name} {size}": Case(of(operation()), shapes((size, size)))
        for name, operation in {
            "inverse": Inverse,
            "determinant": Determinant,
            "trace": Trace,
        }.items()
        for size in (1, 2, 3)
    },
    "inverse of a product": Case(lambda x: named("inverse")(x @ x.T), shapes((2, 3))),
    "determinant times": Case(lambda x: named("determinant")(x) * x, shapes((2, 2))),
    **{
        f"solve {a} {b}": Case(of(Solve()), shapes(a, b))
        for a, b in [
            ((2, 2), (2,)),
            ((2, 2), (2, 3)),
            ((3, 3), (3,)),
            ((3, 3), (3, 1)),
            ((1, 1), (1,)),
        ]
    },
    "solve with itself": Case(lambda x: named("solve")(x, x @ x), shapes((2, 2))),
    "one_hot": Case(
        lambda x, y: named("one_hot", 3)(x) * y, shapes((2,), (2, 3)), {"x": [0.0, 2.0]}
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_gradient_is_that_of_the_formula_written_out(name):
    assert disagreements(CASES[name]) == []


@pytest.mark.parametrize("name", CASES)
def test_a_shape_is_that_of_the_formula_written_out(name):
    compared = Compared(CASES[name])
    expected = [(), *CASES[name].real_shapes().values()]
    zeros = [compared.gradient.nodes[output].number == 0 for output in compared.gradient.outputs]
    for found, shape, zero in zip(compared.shapes_as_computed(), expected, zeros, strict=True):
        assert found == shape or zero


def operations_in(case):
    nodes = Compared(case).program.nodes
    return {type(node.payload) for node in nodes if node.operation == ARRAY}


def test_every_operation_has_a_case():
    assert set().union(*map(operations_in, CASES.values())) == set(DEFINITIONS)


def wrong_rule(operation, changed):
    """The adjoint rule of an operation, with another factor at one of its arguments."""
    right = operation.adjoint

    def adjoint(self, build, node, position, adjoint):
        found = right(self, build, node, position, adjoint)
        return build.apply("multiply", found, build.constant(1.5)) if position == changed else found

    return adjoint


FLAT = {Count}
"""Their derivative is 0: a factor changes nothing."""
SECOND = {Product, Solve, Concatenate}
"""They pass something back to a second argument."""
PLANTED = [
    (operation, position)
    for operation in DEFINITIONS
    if operation not in FLAT
    for position in range(1 + (operation in SECOND))
]


@pytest.mark.parametrize(("operation", "position"), PLANTED)
def test_a_wrong_rule_is_found(operation, position, monkeypatch):
    case = next(case for case in CASES.values() if operation in operations_in(case))
    assert disagreements(case) == []
    monkeypatch.setattr(operation, "adjoint", wrong_rule(operation, position))
    found = disagreements(case)
    assert any(line.startswith("array_exact") for line in found)
    assert any(line.startswith("numpy_code") for line in found)
    assert not any(line.startswith("lowered_exact") for line in found)


def test_a_rule_that_turns_the_wrong_way_is_found(monkeypatch):
    """G A⁻ᵀ in place of A⁻ᵀ G: the same for numbers, and for matrices that commute."""

    def untransposed(self, build, node, position, adjoint):
        left = build.array(Product(), node, adjoint)
        return build.apply("negative", build.array(Product(), left, node))

    monkeypatch.setattr(Inverse, "adjoint", untransposed)
    assert disagreements(CASES["inverse 1"]) == []
    assert disagreements(CASES["inverse 2"]) != []


def test_a_single_wrong_entry_is_found_at_its_index(monkeypatch):
    right = Softmax.adjoint

    def adjoint(self, build, node, position, adjoint):
        found = right(self, build, node, position, adjoint)
        off = np.ones((2, 3))
        off[1, 2] = 1 + 1e-9
        return build.apply("multiply", found, build.constant(off))

    monkeypatch.setattr(Softmax, "adjoint", adjoint)
    assert disagreements(CASES["softmax (2, 3) -1"]) == [
        f"{way}: x differs at [(1, 2)]" for way in ("array_exact", "numpy_code", "torch_code")
    ]


@pytest.mark.parametrize("name", CASES)
def test_code_keeps_float32(name):
    """A number that became float64 on the way would make a training in float32 another one."""
    compared = Compared(CASES[name])
    for result in (*compared.numpy_code("float32"), *compared.torch_code("float32")):
        assert type(result) in (int, float) or np.asarray(result).dtype == np.float32
