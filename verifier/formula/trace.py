"""From a plain Python function to a program, in the order of operations in which it is written.

The body runs once, on SymPy symbols under `sympy.evaluate(False)`. Python constructs that would be
silently wrong on symbols are found in the syntax tree before; whatever else the trace may miss is
found by running the body on numbers beside it.
"""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import sympy

from verifier import functions
from verifier.errors import InputError, message_of
from verifier.formula import overloads
from verifier.operations.arrays import Expr
from verifier.process.values import UserFunction, UserValue
from verifier.program.evaluation.arithmetic import NumPyArithmetic
from verifier.program.program import Program, evaluate
from verifier.program.sympy_form import symbol


def trace_body(body: UserFunction, inputs: Iterable[str], parameters: Iterable[str]) -> Expr:
    """What the body returns for symbols: an unevaluated SymPy expression, for `read` and nothing
    else.

    `inputs` are the names of the positional arguments of `body`, `parameters` those of its keyword
    arguments. Raises InputError where the body does something that symbols cannot follow.
    """
    inputs, parameters = tuple(inputs), tuple(parameters)
    refuse_untraceable(body, {*inputs, *parameters})
    with sympy.evaluate(False):
        try:
            result = body(*map(symbol, inputs), **{name: symbol(name) for name in parameters})
        except InputError:
            raise
        except Exception as error:
            raised = f"{type(error).__name__}: {message_of(error, whole=True)}"
            name = f"{location_of(body)}: {body.__name__}"
            raise InputError(f"{name} cannot be run on symbols: {raised}") from error
        return _checked_result(result, body)


def _checked_result(result: UserValue, body: UserFunction) -> Expr:
    try:
        tree = sympy.sympify(result, strict=True)
    except sympy.SympifyError:
        tree = None
    if not isinstance(tree, sympy.Expr):
        kind = (
            "None: end it with a return"
            if result is None
            else f"a {type(result).__name__}: return one formula"
        )
        raise InputError(f"{location_of(body)}: {body.__name__} returns {kind}")
    return tree


PREDICTION = sympy.Dummy("prediction", real=True)
"""Stands for the prediction in a loss."""


def trace_loss(loss: UserFunction, columns: Iterable[str]) -> Expr:
    """What the loss returns for PREDICTION and for symbols of its columns.

    `columns` are the names of its positional arguments behind the prediction. Raises InputError as
    `trace_body` does.
    """
    columns = tuple(columns)

    def applied(*values: Expr) -> UserValue:
        return loss(PREDICTION, *values)

    applied.__name__ = getattr(loss, "__name__", "the loss")
    refuse_untraceable(loss, set(inspect.signature(loss).parameters))
    applied.__wrapped__ = loss  # type: ignore[attr-defined]
    return trace_body(applied, columns, ())


def compare_with_numbers(program: Program, body: UserFunction, values: Mapping[str, float]) -> None:
    """Run the body on numbers too. Raises InputError if the program gives another number.

    `values` are the body's arguments by name; the program's first result is compared. A body that
    raises on these numbers, or is not finite there, says nothing. A few roundings may differ
    (`x*(1/y)` is read as `x/y`), hence the relative tolerance of 1e-9.
    """
    positional, keywords = _call_arguments(
        body, {name: np.float64(value) for name, value in values.items()}
    )
    try:
        with np.errstate(all="ignore"):
            expected = float(body(*positional, **keywords))
    except Exception:
        return
    (traced, *_) = evaluate(program, NumPyArithmetic("float64"), values)
    if math.isfinite(expected) and not math.isclose(
        float(traced), expected, rel_tol=1e-9, abs_tol=1e-300
    ):
        point = ", ".join(f"{name}={value!r}" for name, value in values.items())
        raise InputError(
            f"{location_of(body)}: {body.__name__} gives {expected!r} on numbers but its "
            f"formula gives {float(traced)!r} at {point}: the body must do the same for symbols "
            "as for numbers"
        )


def _call_arguments(
    body: UserFunction, values: Mapping[str, float]
) -> tuple[list[float], dict[str, float]]:
    signature = inspect.signature(body).parameters.values()
    keyword = inspect.Parameter.KEYWORD_ONLY
    return (
        [values[parameter.name] for parameter in signature if parameter.kind is not keyword],
        {
            parameter.name: values[parameter.name]
            for parameter in signature
            if parameter.kind is keyword
        },
    )


def refuse_untraceable(body: UserFunction, symbols: set[str]) -> None:
    """Do nothing if symbols can follow the body, as far as its syntax shows; `symbols` are the
    names of its arguments. Raises InputError where they cannot.
    """
    try:
        lines, first = inspect.getsourcelines(inspect.unwrap(body))
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        # No source to look at (a lambda inside a call, an interactive session): the numbers must
        # do.
        return
    function = next((node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)), None)
    if function is not None:
        # Decorators and defaults are run by Python, not traced.
        traced = ast.Module(function.body, type_ignores=[])
        symbolic = _symbolic_names(traced, symbols)
        for node in ast.walk(traced):
            complaint = _reason_against(node, symbolic)
            if complaint:
                raise InputError(f"{_file_name(body)}:{first + node.lineno - 1}: {complaint}")  # type: ignore[attr-defined]


def _file_name(body: UserFunction) -> str:
    return Path(inspect.unwrap(body).__code__.co_filename).name


def location_of(body: UserFunction) -> str:
    """The file and line at which the body begins, as `file.py:12`."""
    return f"{_file_name(body)}:{inspect.unwrap(body).__code__.co_firstlineno}"


def located_name(body: UserFunction) -> str:
    """The body's name with the file and line at which it begins."""
    return f"{location_of(body)}: {getattr(body, '__name__', 'the function')}"


def _symbolic_names(function: ast.AST, symbols: set[str]) -> set[str]:
    """The names in the body that hold symbols: the arguments and whatever is assigned from them."""
    names = set(symbols)
    before = -1
    while len(names) != before:
        before = len(names)
        for node in ast.walk(function):
            if isinstance(
                node,
                ast.Assign
                | ast.AugAssign
                | ast.AnnAssign
                | ast.NamedExpr
                | ast.For
                | ast.comprehension,
            ):
                value = node.iter if isinstance(node, ast.For | ast.comprehension) else node.value
                if value is not None and _mentions(value, names):
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    names |= {
                        name.id
                        for target in targets
                        for name in ast.walk(target)
                        if isinstance(name, ast.Name)
                    }
    return names


def _mentions(node: ast.AST, names: set[str]) -> bool:
    return any(isinstance(part, ast.Name) and part.id in names for part in ast.walk(node))


def _reason_against(node: ast.AST, symbolic: set[str]) -> str | None:
    """Why symbols cannot follow this piece of syntax, or None where they can."""
    match node:
        case ast.Compare(ops=operators) if _mentions(node, symbolic):
            return _reason_against_comparison(node, operators)
        case ast.BoolOp() | ast.UnaryOp(op=ast.Not()) if _mentions(node, symbolic):
            return (
                f"`{ast.unparse(node)}`: and, or and not ask a formula whether it is true: write "
                "&, | and ~,"
                " with parentheses around each condition"
            )
        case (
            ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) | ast.Assert(test=test)
        ) if _mentions(test, symbolic):
            return (
                f"`{ast.unparse(test)}` decides a branch, but a formula has no value: use "
                "verifier.functions.where"
            )
        case ast.BinOp(op=ast.BitXor()) if _mentions(node, symbolic):
            return f"`{ast.unparse(node)}`: ^ is not a power in Python: write **"
        case ast.Call(func=called) if any(_mentions(argument, symbolic) for argument in node.args):
            return _reason_against_call(node, ast.unparse(called))
    return None


def _reason_against_comparison(node: ast.Compare, operators: list[ast.cmpop]) -> str | None:
    if len(operators) > 1:
        return (
            f"`{ast.unparse(node)}`: a chain asks a formula whether it is true: write (a < b) & (b "
            "< c)"
        )
    if isinstance(operators[0], ast.Eq | ast.NotEq | ast.In | ast.NotIn | ast.Is | ast.IsNot):
        return (
            f"`{ast.unparse(node)}` compares formulas, not values: use <, <=, > or >=, or "
            "verifier.functions.equal"
        )
    return None


_NUMBERS_ONLY = {
    "max": "maximum",
    "min": "minimum",
    "float": "",
    "int": "",
    "round": "",
    "bool": "",
    "complex": "",
}


def _reason_against_call(node: ast.Call, called: str) -> str | None:
    module, _, name = called.rpartition(".")
    if module not in ("math", "np", "numpy", "torch", "cmath") and called not in _NUMBERS_ONLY:
        return None
    instead = _NUMBERS_ONLY.get(called, name)
    instead = overloads.ALIASES.get(instead, instead)
    if instead in dir(functions):
        return (
            f"`{ast.unparse(node)}` takes numbers, not formulas: use verifier.functions.{instead}"
        )
    if instead in ("abs", "fabs", "pow", "sum"):
        instead = "abs" if instead == "fabs" else instead
        return f"`{ast.unparse(node)}` takes numbers, not formulas: use Python's own {instead}"
    near = get_close_matches(instead, dir(functions), n=1)
    hint = (
        f"verifier.functions has {near[0]}"
        if near
        else "verifier.functions lists what formulas can use"
    )
    return f"`{ast.unparse(node)}` takes numbers, not formulas: {hint}"
