"""The value of a SymPy expression of matrices, by NumPy and SciPy alone."""

from __future__ import annotations

import numpy as np
import sympy
from scipy import special
from sympy.matrices.expressions.matexpr import MatrixElement

from verifier.formula.arrays.closed_form.notation import SIGNS
from verifier.formula.arrays.closed_form.to_sympy import MatrixFunction
from verifier.operations.table import TABLE
from verifier.program.builder import FormulaBuilder
from verifier.program.codegen import NUMPY, function

ROWS = 3
"""How many rows the batch has that is tried."""
ON_MATRICES = {
    "diag": lambda z: np.diag(z.ravel()),
    "softmax": lambda z: special.softmax(z, axis=int(z.shape[1] > 1)),
    "logsumexp": lambda z: special.logsumexp(z, axis=int(z.shape[1] > 1), keepdims=True),
}


def numeric(tree, values, found=None):
    """The value of an expression, with arrays for its matrix symbols; an equal part is computed
    once.
    """
    found = {} if found is None else found
    if tree not in found:
        found[tree] = _computed(tree, values, found)
    return found[tree]


def _computed(tree, values, found):
    if isinstance(tree, sympy.BlockMatrix):
        blocks = tree.blocks
        across, down = range(blocks.cols), range(blocks.rows)
        rows = [[numeric(blocks[i, j], values, found) for j in across] for i in down]
        return np.block(rows)
    if isinstance(tree, sympy.MatrixSymbol):
        return values[tree.name].reshape(sized(tree.shape))
    if isinstance(tree, sympy.Symbol):
        return float(ROWS) if tree.name == "n" else float(values[tree.name])
    if isinstance(tree, sympy.ImmutableDenseMatrix):
        entries = [float(numeric(one, values, found)) for one in tree]
        return np.array(entries).reshape(tree.shape)
    if tree.is_number and not tree.is_Matrix and not tree.atoms(sympy.MatrixExpr):
        return float(tree)
    given = [numeric(one, values, found) for one in tree.args if isinstance(one, sympy.Expr)]
    if isinstance(tree, MatrixFunction):
        return entrywise(tree, given[2:])
    if type(tree) in BY_CLASS:
        return BY_CLASS[type(tree)](tree, given)
    return float(tree.func(*map(sympy.Float, given)))


def _multiplied(tree, given):
    product = given[0]
    for factor in given[1:]:
        is_scaling = 1 in (np.size(product), np.size(factor))
        product = product * factor if is_scaling else product @ factor
    return product


BY_CLASS = {
    sympy.OneMatrix: lambda tree, given: np.ones(sized(tree.shape)),
    sympy.Identity: lambda tree, given: np.eye(*sized(tree.shape)),
    sympy.MatAdd: lambda tree, given: sum(given),
    sympy.Add: lambda tree, given: sum(given),
    sympy.MatMul: _multiplied,
    sympy.Mul: lambda tree, given: np.prod(given),
    sympy.Pow: lambda tree, given: given[0] ** given[1],
    sympy.HadamardProduct: lambda tree, given: np.prod(given, axis=0),
    sympy.HadamardPower: lambda tree, given: given[0] ** given[1],
    sympy.Transpose: lambda tree, given: given[0].T,
    sympy.Inverse: lambda tree, given: np.linalg.inv(given[0]),
    sympy.Trace: lambda tree, given: np.trace(given[0]),
    sympy.Determinant: lambda tree, given: np.linalg.det(given[0]),
    MatrixElement: lambda tree, given: given[0][int(given[1]), int(given[2])],
}


def sized(shape):
    return tuple(ROWS if one == sympy.Symbol("n", integer=True, positive=True) else int(one)
                 for one in shape)  # fmt: skip


def entrywise(tree, given):
    """What a function of matrices gives, by SciPy and by SymPy's own functions of numbers."""
    if tree.name in ON_MATRICES:
        return ON_MATRICES[tree.name](*given)
    if tree.name == "onehot":
        return (given[0] == np.arange(int(tree.shape[1]))).astype(float)
    arrays = np.broadcast_arrays(*given, np.zeros(sized(tree.shape)))[:-1]
    if tree.name == "where":
        return np.where(arrays[0] == 1, arrays[1], arrays[2])
    if tree.name in SIGNS:
        left, right = arrays[:2]
        assert not (left == right).any()
        holds = TABLE[tree.name].sympy
        return np.vectorize(lambda a, b: float(bool(holds(a, b))))(left, right)
    return row_on_arrays(tree.name, arrays)


def row_on_arrays(name, arrays):
    """A row of the operations table by its NumPy code."""
    build = FormulaBuilder()
    inputs = [build.input(f"a{place}", np.shape(array)) for place, array in enumerate(arrays)]
    program = build.program(build.apply(name, *inputs))
    compute = function("row", ", ".join(program.inputs), program, NUMPY)
    return np.asarray(compute(*arrays)) + 0.0
