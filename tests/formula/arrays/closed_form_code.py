"""The lines of a closed form, run by Python: a notation for it, and what its operations do."""

from __future__ import annotations

import re

import numpy as np

from tests.formula.arrays.closed_form_values import ON_MATRICES, ROWS, row_on_arrays
from verifier.formula.arrays.closed_form.notation import SIGNS


class Matrix:
    """A matrix with the operations that a closed form is written with."""

    def __init__(self, array):
        array = np.asarray(array, dtype=np.float64)
        self.array = array.reshape(-1, 1) if array.ndim == 1 else array

    @property
    def is_number(self):
        return self.array.size == 1

    def __mul__(self, other):
        if isinstance(other, Ones):
            return other.behind(self)
        other = as_matrix(other)
        scaled = self.is_number or other.is_number
        if scaled:
            number, matrix = (self, other) if self.is_number else (other, self)
            return Matrix(number.array.item() * matrix.array)
        return Matrix(self.array @ other.array)

    def __rmul__(self, other):
        return as_matrix(other) * self

    def __add__(self, other):
        return Matrix(self.array + as_matrix(other).array)

    def __radd__(self, other):
        return self + other

    def __sub__(self, other):
        return self + -as_matrix(other)

    def __rsub__(self, other):
        return as_matrix(other) + -self

    def __neg__(self):
        return Matrix(-self.array)

    def __mod__(self, other):
        return Matrix(self.array * as_matrix(other).array)

    def __truediv__(self, other):
        return Matrix(self.array / as_matrix(other).array)

    def __rtruediv__(self, other):
        return as_matrix(other) / self

    def power(self, exponent):
        return Matrix(self.array**exponent)

    @property
    def T(self):  # noqa: N802
        return Matrix(self.array.T)

    @property
    def inverse(self):
        return Matrix(np.linalg.inv(self.array))


class Ones:
    """Ones as a column or as a row; next to a matrix they have the length that it needs, and alone
    they are broadcast.
    """

    def __init__(self, scale=1.0, is_row=False):
        self.scale, self.is_row = scale, is_row

    @property
    def T(self):  # noqa: N802
        return Ones(self.scale, not self.is_row)

    def __mul__(self, other):
        if self.is_row:
            return Matrix(self.scale * other.array.sum(axis=0, keepdims=True))
        assert other.array.shape[0] == 1
        return Matrix(self.scale * other.array)

    def __rmul__(self, number):
        return Ones(self.scale * number, self.is_row)

    def behind(self, matrix):
        """A matrix times these."""
        if matrix.is_number:
            return Ones(self.scale * matrix.array.item(), self.is_row)
        if self.is_row:
            assert matrix.array.shape[1] == 1
            return Matrix(self.scale * matrix.array)
        return Matrix(self.scale * matrix.array.sum(axis=1, keepdims=True))


def as_matrix(value):
    return value if isinstance(value, Matrix) else Matrix(np.array([[value]]))


class Code:
    """A notation that Python can run; brackets stand where the closed form has them."""

    def symbol(self, name):
        return f"symbols[{name!r}]"

    def special(self, name):
        return f"as_matrix(np.{name})"

    def named(self, letter, index):
        return f"{letter}{'' if index is None else index}".replace("′", "_")

    def derivative(self, by):
        return f"d_{by}"

    def number(self, value):
        return repr(float(value))

    def rows(self):
        return "n"

    def bracketed(self, inner):
        return f"({inner})"

    def fraction(self, over, under):
        return f"(({over})/({under}))"

    def beside(self, parts):
        return " * ".join(parts)

    def entrywise(self, parts):
        return " % ".join(parts)

    def divided(self, over, under):
        return f"{over} / {under}"

    def added(self, first, rest):
        return first + "".join(f" {sign} {text}" for sign, text in rest)

    def negative(self, part):
        return f"-{part}"

    def raised(self, base, mark):
        return base + {"T": ".T", "-1": ".inverse", "-T": ".inverse.T"}[mark]

    def power(self, base, exponent, of_entries):
        return f"as_matrix({base}).power({exponent})"

    def call(self, name, arguments):
        return f"call({name!r}, {', '.join(arguments)})"

    def norm(self, inner):
        return f"Matrix([[(({inner}).array ** 2).sum()]])"

    def absolute(self, inner):
        return f"call('abs', {inner})"

    def root(self, inner):
        return f"as_matrix({inner}).power(0.5)"

    def indicator(self, left, sign, right):
        return f"holds({sign!r}, {left}, {right})"

    def column(self, entries):
        return f"Matrix(np.vstack([as_matrix(one).array for one in [{', '.join(entries)}]]))"

    def line(self, entries):
        return f"Matrix(np.hstack([as_matrix(one).array for one in [{', '.join(entries)}]]))"

    def part(self, base, key):
        return f"part({base}, {key!r})"

    def placed(self, inner, key, dimensions):
        return f"placed({inner}, {key!r}, {dimensions})"

    def constant(self, term):
        return f"Matrix({np.reshape(term.array.array, term.dimensions).tolist()})"

    def identity(self):
        return "identity"

    def ones(self):
        return "ones"


def call(name, *given):
    arrays = [one.array if isinstance(one, Matrix) else np.float64(one) for one in given]
    if name in ("det", "tr"):
        return as_matrix({"det": np.linalg.det, "tr": np.trace}[name](arrays[0]))
    if name in ON_MATRICES:
        return Matrix(ON_MATRICES[name](*arrays))
    if name == "onehot":
        return Matrix((arrays[0] == np.arange(3)).astype(float))
    row = {"max": "maximum", "min": "minimum", "σ": "sigmoid"}.get(name, name)
    if row == "where":
        return Matrix(np.where(arrays[0] == 1, arrays[1], arrays[2]))
    return Matrix(row_on_arrays(row, np.broadcast_arrays(*arrays)))


def holds(sign, left, right):
    row = {shown: row for row, shown in SIGNS.items()}[sign]
    compute = {"greater": np.greater, "greater_equal": np.greater_equal, "less": np.less,
               "less_equal": np.less_equal}[row]  # fmt: skip
    return Matrix(compute(as_matrix(left).array, as_matrix(right).array).astype(float))


def part(whole, key):
    array = squeezed(whole.array)
    chosen = evaluated(f"array[{key}]", array=array)
    is_row = array.ndim == 2 and re.match(r"\d+(,|$)", key)
    return Matrix(chosen.reshape(1, -1) if is_row else np.atleast_1d(chosen))


def placed(inner, key, dimensions):
    zeros = np.zeros([ROWS if length == -1 else length for length in dimensions])
    places = np.arange(zeros.size).reshape(zeros.shape)
    target = evaluated(f"array[{key}]", array=squeezed(places))
    np.add.at(zeros.ravel(), np.ravel(target), as_matrix(inner).array.ravel())
    return Matrix(zeros)


def squeezed(array):
    return array.ravel() if array.shape[1] == 1 else array


def scope_of(form, values):
    """The names of a closed form and what Python computes for them, line by line.

    An identity matrix has the size of the square ones among the values.
    """
    square = {len(one) for one in values.values() if np.ndim(one) == 2 and len({*one.shape}) == 1}
    scope = {
        "symbols": {
            name: Matrix(value) if np.ndim(value) else as_matrix(float(value))
            for name, value in values.items()
        },
        "n": as_matrix(float(ROWS)), "np": np, "Matrix": Matrix, "as_matrix": as_matrix,
        "call": call, "holds": holds, "part": part, "placed": placed, "ones": Ones(),
        "identity": Matrix(np.eye(min(square, default=1))),
    }  # fmt: skip
    for line in form.lines:
        left, right = line.written(Code())
        scope[left] = evaluated(right, **scope)
    return scope


def evaluated(text, **names):
    """What a text of this module's own notation gives."""
    return eval(text, names)  # noqa: S307 (written by `Code`)
