"""SymPy expressions: read into a program in the order of their `.args`, and rebuilt from one.

Inside `sympy.evaluate(False)` a tree keeps the order in which it was written, but substituting,
differentiating or printing it goes wrong; so it is turned into a program at once, and what people
see is an ordinary expression rebuilt from the program.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import sympy
from sympy.codegen import cfunctions

from verifier.errors import InputError
from verifier.operations.arrays import Expr
from verifier.operations.table import BY_CLASS, COMPOSED, COMPOSITIONS, TABLE
from verifier.program.builder import Builder
from verifier.program.program import INPUT, Node, Program, evaluate

_CONSTANTS = {sympy.pi: "pi", sympy.E: "e"}
_OWN_POWERS = (sympy.S.NegativeOne, sympy.S.Half, sympy.Integer(2), sympy.Integer(-2))
_FOLDED = {sympy.Max: "maximum", sympy.Min: "minimum", sympy.And: "and", sympy.Or: "or"}
_SPELLINGS = {
    cfunctions.exp2: "exp2", cfunctions.expm1: "expm1", cfunctions.log1p: "log1p",
    cfunctions.log2: "log2", cfunctions.log10: "log10", cfunctions.hypot: "hypot",
    sympy.digamma: "digamma",
}  # fmt: skip
"""Other SymPy classes of the same meaning."""
_BESSEL = {
    (sympy.besseli, 0): "i0",
    (sympy.besseli, 1): "i1",
    (sympy.besselj, 0): "j0",
    (sympy.besselj, 1): "j1",
}


def read(expression: Expr, builder: Builder, symbols: Mapping[Expr, int]) -> int:
    """The node of `builder` that computes the SymPy `expression`; `symbols` says at which nodes its
    symbols stand.

    Operations come in the order of `.args`, with real division, subtraction and square root. Raises
    InputError for a symbol that is not among them and a function that has no row.
    """
    places: dict[Expr, int] = dict(symbols)
    waiting = [expression]
    while waiting:
        tree = waiting[-1]
        if tree in places:
            waiting.pop()
            continue
        if getattr(tree, "is_Matrix", False):
            raise InputError(f"{tree} is a matrix where a number is needed")
        same = _expansion(tree)
        missing = [
            part for part in ((same,) if same is not None else _parts(tree)) if part not in places
        ]
        waiting.extend(reversed(missing))
        if not missing:
            places[tree] = _node(tree, builder, places) if same is None else places[same]
            waiting.pop()
    return places[expression]


def _expansion(tree: Expr) -> Expr:
    """The tree written by other operations where it has no row of its own, else None."""
    composition = COMPOSED.get(type(tree))
    if composition is not None:
        with sympy.evaluate(False):
            return composition.definition(*tree.args)
    if isinstance(tree, sympy.log) and len(tree.args) == 2:
        with sympy.evaluate(False):
            return sympy.log(tree.args[0]) / sympy.log(tree.args[1])
    if isinstance(tree, sympy.besseli | sympy.besselj) and (type(tree), tree.args[0]) in _BESSEL:
        return TABLE[_BESSEL[type(tree), tree.args[0]]].sympy(tree.args[1])
    if isinstance(tree, sympy.zeta) and len(tree.args) == 1:
        with sympy.evaluate(False):
            return sympy.zeta(tree.args[0], sympy.S.One)
    return None


def _parts(tree: Expr) -> tuple[Expr, ...]:
    """The sub-trees that become nodes of their own before the tree does."""
    if isinstance(tree, sympy.Pow) and tree.exp in _OWN_POWERS:
        return (tree.base,)
    if isinstance(tree, sympy.Add):
        first, *rest = tree.args
        return (first, *(_subtracted(part) or part for part in rest))
    if isinstance(tree, sympy.Mul):
        return tuple(_divisor(part) or part for part in _factors(tree))
    if isinstance(tree, sympy.Piecewise):
        return tuple(part for pair in tree.args for part in pair.args if part is not sympy.true)
    return tuple(tree.args)


def _factors(tree: Expr) -> tuple[Expr, ...]:
    return tuple(tree.args[1:]) if tree.args[0] is sympy.S.NegativeOne else tuple(tree.args)


def _subtracted(term: Expr) -> Expr:
    """What is taken away by a term with a minus sign: y for -y, 2*y for -2*y, 1 for -1; else
    None.
    """
    if term.is_Number and term.is_negative:
        return -term
    if isinstance(term, sympy.Mul) and term.args[0].is_Number and term.args[0].is_negative:
        first, *rest = term.args
        if first is sympy.S.NegativeOne:
            return rest[0] if len(rest) == 1 else sympy.Mul(*rest, evaluate=False)
        return sympy.Mul(-first, *rest, evaluate=False)
    return None


def _divisor(factor: Expr) -> Expr:
    """y for the factor 1/y, else None."""
    return (
        factor.base if isinstance(factor, sympy.Pow) and factor.exp is sympy.S.NegativeOne else None
    )


def _node(tree: Expr, builder: Builder, places: Mapping[Expr, int]) -> int:
    if tree.is_Symbol:
        raise InputError(
            f"the formula uses {tree}, which is neither an input nor a parameter: name it as one "
            "of them"
        )
    if tree in _CONSTANTS:
        return builder.apply(_CONSTANTS[tree])
    if tree.is_Number:
        return _number(tree, builder)
    if isinstance(tree, sympy.Add):
        return _sum(tree, builder, places)
    if isinstance(tree, sympy.Mul):
        return _product(tree, builder, places)
    if isinstance(tree, sympy.Pow):
        return _power(tree, builder, places)
    if isinstance(tree, sympy.Piecewise):
        return _piecewise(tree, builder, places)
    if type(tree) in _FOLDED:
        return _folded(tree, builder, places)
    return apply_row(_row_of(tree), builder, [places[part] for part in tree.args])


def apply_row(name: str, builder: Builder, arguments: Sequence[int]) -> int:
    """The node of `builder` for the row called `name` on the nodes `arguments`.

    Raises InputError where an argument must be a whole number and is not.
    """
    for place in TABLE[name].whole:
        if not _is_whole(builder[arguments[place]]):
            raise InputError(
                f"the {_ORDINALS[place]} argument of {name} must be a whole number, written out, "
                f"such as {name}(1, x)"
            )
    return builder.apply(name, *arguments)


def _is_whole(node: Node) -> bool:
    """Whether a node is a whole number from 0 on, in a formula one that is written as such."""
    number = node.number
    if number is None or number < 0:
        return False
    return isinstance(number, int) or (node.is_array and number.is_integer())


_ORDINALS = ("first", "second", "third")


def _row_of(tree: Expr) -> str:
    kind = type(tree)
    name = BY_CLASS.get(kind) or _SPELLINGS.get(kind)
    if name is None:
        near = get_close_matches(kind.__name__, [*TABLE, *COMPOSITIONS], n=1)
        hint = (
            f"did you mean {near[0]}?" if near else "verifier.functions lists those that it knows"
        )
        raise InputError(f"{kind.__name__} is not a function that verifier knows: {hint}")
    if name in TABLE and len(tree.args) != TABLE[name].arguments:
        raise InputError(
            f"{kind.__name__} is known with {TABLE[name].arguments} argument"
            f"{'s' * (TABLE[name].arguments > 1)}, not with {len(tree.args)}"
        )
    return name


def _number(tree: Expr, builder: Builder) -> int:
    if tree is not sympy.nan and abs(tree) > sys.float_info.max:
        raise InputError("the formula contains a number beyond the largest float64: remove it")
    if isinstance(tree, sympy.Integer):
        return builder.constant(int(tree))
    if isinstance(tree, sympy.Rational):
        return builder.apply("divide", builder.constant(int(tree.p)), builder.constant(int(tree.q)))
    if isinstance(tree, sympy.Float):
        return builder.constant(float(tree))
    raise InputError(f"the formula contains {tree}, which is not a finite number: remove it")


def _sum(tree: Expr, builder: Builder, places: Mapping[Expr, int]) -> int:
    first, *rest = tree.args
    total = places[first]
    for term in rest:
        taken = _subtracted(term)
        if taken is None:
            total = builder.apply("add", total, places[term])
        else:
            total = builder.apply("subtract", total, places[taken])
    return total


def _product(tree: Expr, builder: Builder, places: Mapping[Expr, int]) -> int:
    factors = _factors(tree)
    divisor = _divisor(factors[0])
    product = (
        places[factors[0]]
        if divisor is None
        else builder.apply("divide", builder.constant(1), places[divisor])
    )
    if len(factors) < len(tree.args):
        product = builder.apply("negative", product)
    for factor in factors[1:]:
        divisor = _divisor(factor)
        if divisor is None:
            product = builder.apply("multiply", product, places[factor])
        else:
            product = builder.apply("divide", product, places[divisor])
    return product


def _power(tree: Expr, builder: Builder, places: Mapping[Expr, int]) -> int:
    if tree.exp is sympy.S.NegativeOne:
        return builder.apply("divide", builder.constant(1), places[tree.base])
    if tree.exp is sympy.S.Half:
        return builder.apply("sqrt", places[tree.base])
    if tree.exp == sympy.Integer(2):
        return builder.apply("square", places[tree.base])
    if tree.exp == sympy.Integer(-2):
        # As torch computes it: x*x overflows before 1/x² underflows.
        return builder.apply(
            "divide", builder.constant(1), builder.apply("square", places[tree.base])
        )
    if tree.base is sympy.E:
        return builder.apply("exp", places[tree.exp])
    return builder.apply("power", places[tree.base], places[tree.exp])


def _piecewise(tree: Expr, builder: Builder, places: Mapping[Expr, int]) -> int:
    *conditions, (otherwise, last) = (pair.args for pair in tree.args)
    if last is not sympy.true:
        raise InputError(
            f"{tree} does not say what holds when none of its conditions does: end it with (value, "
            "True)"
        )
    result = places[otherwise]
    for value, condition in reversed(conditions):
        result = builder.apply("where", places[condition], places[value], result)
    return result


def _folded(tree: Expr, builder: Builder, places: Mapping[Expr, int]) -> int:
    """Max, Min, And and Or keep no order of arguments; a sorted one makes the program the same each
    time.
    """
    first, *rest = sorted(tree.args, key=sympy.default_sort_key)
    result = places[first]
    for part in rest:
        result = builder.apply(_FOLDED[type(tree)], result, places[part])
    return result


class SymPyArithmetic:
    """Ordinary SymPy expressions, simplified as SymPy does by itself.

    SymPy works out whole numbers and fractions, however long they become. Raises InputError for
    those that are too long for people.
    """

    def input(self, value: Expr) -> Expr:
        """The expression that stands for the input."""
        return value

    def constant(self, place: int, node: Node) -> Expr:
        """SymPy's number for the one that was written. Raises InputError for an array."""
        if node.is_array:
            return self.array(place, node)
        return sympy.sympify(node.payload)

    def array(self, place: int, node: Node, *arguments: Expr) -> Expr:
        """Raises InputError: an operation on arrays is no expression of numbers."""
        raise InputError("a formula of arrays is not an expression of numbers")

    def row(self, place: int, node: Node, *arguments: Expr) -> Expr:
        """SymPy's expression for the row. Raises InputError where SymPy would write out numbers of
        too many digits.
        """
        operation = TABLE[node.operation]
        if operation.name == "square":
            _refuse_long(_digits_of_power(arguments[0], sympy.Integer(2)))
        if operation.name == "power":
            _refuse_long(_digits_of_power(*arguments))
        if operation.name in _WORKED_OUT and _is_large(arguments[-1]):
            raise InputError(f"{operation.name} of {arguments[-1]} is not written out")
        result = operation.sympy(*arguments)
        if isinstance(result, sympy.Expr):
            numbers = result.as_coeff_Mul()[0], result.as_coeff_Add()[0]
            _refuse_long(max(map(_digits, numbers)))
        return result


LONGEST_NUMBER = 3_000
"""Decimal digits of a whole number, or of both numbers of a fraction: Python prints up to 4,300."""
_WORKED_OUT = frozenset({"loggamma", "digamma", "polygamma", "zeta"})
"""Functions whose values at whole numbers SymPy works out, in as many steps as these are large."""
_LARGE = 1_000
"""Larger arguments would be sums of more than a thousand fractions."""


def _is_large(argument: Expr) -> bool:
    return bool(argument.is_Number and abs(argument) > _LARGE)


def _digits(number: Expr) -> float:
    """How many digits both numbers of a fraction have, about."""
    if not number.is_Rational or not number:
        return 0.0
    return math.log10(abs(int(number.p))) + math.log10(int(number.q))


def _digits_of_power(base: Expr, exponent: Expr) -> float:
    """How many digits there are in the numbers of a power that SymPy works out."""
    if not exponent.is_Rational or base.is_Add:
        return 0.0
    factors = float(min(abs(exponent), sys.float_info.max))
    return factors * sum(map(_digits, base.atoms(sympy.Rational)))


def _refuse_long(digits: float) -> None:
    if digits > LONGEST_NUMBER:
        text = f"{digits:,.0f} digits" if digits < 1e15 else "very many digits"
        sentence = f"written out, the formula has a number of {text}"
        raise InputError(f"{sentence}: above {LONGEST_NUMBER:,} it is not shown")


NODE_LIMIT = 2000
"""Programs of more nodes have no expression for people: the tree may be exponentially larger."""


TREE_LIMIT = 5000
"""Expressions of more operations, each counted where it stands, are nothing that people read."""


def symbol(name: str) -> sympy.Symbol:
    """The real symbol called `name` that verifier's expressions use."""
    return sympy.Symbol(name, real=True)


def expressions(program: Program) -> tuple[sympy.Expr, ...]:
    """The results of `program` as ordinary SymPy expressions of real symbols.

    Raises InputError for a program of more than NODE_LIMIT nodes, for one of more than TREE_LIMIT
    operations when written out, for numbers with too many digits, and for a formula of arrays.
    """
    if len(program.nodes) > NODE_LIMIT:
        raise InputError(
            f"the formula has {len(program.nodes)} nodes: above {NODE_LIMIT} it is not written out"
        )
    sizes: list[int] = []
    for node in program.nodes:
        sizes.append(1 + sum(sizes[argument] for argument in node.arguments))
    longest = max(sizes[output] for output in program.outputs)
    if longest > TREE_LIMIT:
        raise InputError(
            f"written out, the formula has {longest} operations: above {TREE_LIMIT} it is not shown"
        )
    arguments = {
        str(node.payload): symbol(str(node.payload))
        for node in program.nodes
        if node.operation == INPUT
    }
    return tuple(evaluate(program, SymPyArithmetic(), arguments))
