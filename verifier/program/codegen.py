"""Readable Python source from a program, for torch, NumPy or plain numbers, and functions made of
it.

The order of operations is the program's. What is used once is written where it is used; what is
used more often gets a name.
"""

from __future__ import annotations

import builtins
import inspect
import linecache
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from importlib import import_module
from typing import Any

import numpy as np

from verifier.operations.operation import (
    ATOM,
    NEGATIVE,
    PRODUCT,
    Call,
    Infix,
    Name,
    Notation,
    Operation,
    Suffix,
)
from verifier.operations.table import TABLE
from verifier.program.array_operations.broadcasting import reshape_rows
from verifier.program.array_operations.movement import put_at
from verifier.program.array_operations.operation import Argument, ArrayOperation
from verifier.program.evaluation.arithmetic import NumPyArithmetic
from verifier.program.program import ARRAY, CONSTANT, INPUT, Node, Program


@dataclass(frozen=True)
class Language:
    """What a program is written for."""

    name: str
    notation: Callable[[Operation], Notation]
    special: Mapping[str, str]
    """How a row is written when an argument of it is a plain number, if not like otherwise."""


TORCH = Language(
    "torch",
    lambda row: row.torch,
    # maximum and where of torch take tensors; a number in their place would have the default dtype.
    {
        "maximum": "torch.clamp({tensor}, min={number})",
        "minimum": "torch.clamp({tensor}, max={number})",
        "where": "torch.where({condition}, {symbol}.new_tensor({taken}), {otherwise})",
        **dict.fromkeys(
            ("atan2", "hypot", "logaddexp", "remainder", "gammainc", "gammaincc"),
            "{symbol}.new_tensor({number})",
        ),
    },
)
NUMPY = Language(
    "numpy",
    lambda row: row.numpy,
    # np.where of two Python numbers is float64 whatever the rest is.
    {
        "where": "np.where({condition}, np.result_type({symbol}).type({taken}), {otherwise})",
        # SciPy's takes a Python number for a float64.
        "xlogy": "np.result_type({symbol}).type({number})",
    },
)


_LONG = 400
"""Longer expressions get a name; Python reads only so many nested parentheses."""


@dataclass(frozen=True)
class _Text:
    """A piece of source and how tightly it binds."""

    text: str
    precedence: int = ATOM

    def within(self, precedence: int) -> str:
        return self.text if self.precedence >= precedence else f"({self.text})"


@dataclass
class _Writer:
    """Writes the nodes of a program in order; lines are the assignments that stand before the
    results.
    """

    program: Program
    language: Language
    lines: list[str] = field(default_factory=list)

    def results(self) -> list[str]:
        uses = self.program.uses()
        texts: list[_Text] = []
        for index, node in enumerate(self.program.nodes):
            text = self._node(node, index, texts)
            simple = node.operation in (INPUT, CONSTANT)
            if (uses[index] > 1 or len(text.text) > _LONG) and not simple and self._varies(index):
                name = self._fresh_name()
                self.lines.append(f"{name} = {text.text}")
                text = _Text(name)
            texts.append(text)
        return [texts[output].text for output in self.program.outputs]

    def _fresh_name(self) -> str:
        taken = set(self.program.inputs)
        name = f"t{len(self.lines) + 1}"
        while name in taken:
            name += "_"
        return name

    def _node(self, node: Node, index: int, texts: Sequence[_Text]) -> _Text:
        if node.operation == INPUT:
            return _Text(str(node.payload))
        if node.operation == CONSTANT:
            return self._array(node) if node.is_array else _number(node.payload)
        arguments = [texts[argument] for argument in node.arguments]
        if self._varies(index):
            arguments = [
                self._plain_number(place, text)
                for place, text in zip(node.arguments, arguments, strict=True)
            ]
        if node.operation == ARRAY:
            return self._on_arrays(node, arguments)
        return self._operation(TABLE[node.operation], node, arguments)

    def _on_arrays(self, node: Node, arguments: Sequence[_Text]) -> _Text:
        operation: ArrayOperation = node.payload
        if operation.symbol:
            left, right = arguments
            text = f"{left.within(PRODUCT)} {operation.symbol} {right.within(PRODUCT + 1)}"
            return _Text(text, PRODUCT)
        given = [
            Argument(
                text.text, self._as_array(text) if self._is_plain(place) else text.within(ATOM)
            )
            for place, text in zip(node.arguments, arguments, strict=True)
        ]
        return _Text(operation.source(self.language.name, *given))

    def _as_array(self, number: _Text) -> str:
        """A plain number in the dtype of the first symbol."""
        like = self.program.inputs[0]
        if self.language is TORCH:
            return f"{like}.new_tensor({number.text})"
        return f"np.result_type({like}).type({number.text})"

    def _array(self, node: Node) -> _Text:
        """An array that stands in the formula: truth values, or numbers in the dtype of the first
        symbol.
        """
        like, numbers = self.program.inputs[0], node.array.tolist()
        truths = node.array.dtype == bool
        if self.language is TORCH:
            return _Text(f"{like}.new_tensor({numbers}{', dtype=torch.bool' if truths else ''})")
        if truths:
            return _Text(f"np.array({numbers})")
        return _Text(f"np.array({numbers}, dtype=np.result_type({like}))")

    def _operation(self, row: Operation, node: Node, arguments: list[_Text]) -> _Text:
        plain = [self._is_plain(argument) for argument in node.arguments]
        if row.name == "where" and plain[0]:
            condition, taken, otherwise = (argument.text for argument in arguments)
            return _Text(f"({taken} if {condition} else {otherwise})")
        if row.name in self.language.special and any(plain) and not all(plain):
            written = self._special(row.name, arguments, plain)
            if written is not None:
                return _Text(written)
        notation = row.python if plain and all(plain) else self.language.notation(row)
        match notation:
            case Name(name):
                return _Text(name)
            case Call():
                written = notation.called_with([argument.text for argument in arguments])
                # NumPy's numbers would make what they meet float64.
                return _Text(
                    f"{written}.item()" if all(plain) and notation.gives_array else written
                )
            case Suffix(symbol, precedence):
                return _Text(arguments[0].within(precedence + 1) + symbol, precedence)
        return _infix(notation, arguments)

    def _plain_number(self, index: int, text: _Text) -> _Text:
        """A constant as it meets a tensor: torch takes whole numbers of 64 bits only."""
        if self.program.nodes[index].operation == CONSTANT:
            return text
        value = self._constants.get(index) if self._is_plain(index) else None
        if value is None or abs(float(value)) < _WHOLE:
            return text
        return _Text(f"1.0 * {text.within(PRODUCT + 1)}", PRODUCT)

    def _special(self, row: str, arguments: list[_Text], plain: list[bool]) -> str | None:
        """Maximum and minimum with one plain argument; where with two plain branches."""
        form = self.language.special[row]
        if row == "where":
            if not (plain[1] and plain[2]):
                return None
            condition, taken, otherwise = (argument.text for argument in arguments)
            return form.format(
                condition=condition,
                taken=taken,
                otherwise=otherwise,
                symbol=self.program.inputs[0],
            )
        if row not in ("maximum", "minimum"):
            wrapped = [
                form.format(symbol=self.program.inputs[0], number=argument.text)
                if number
                else argument.text
                for argument, number in zip(arguments, plain, strict=True)
            ]
            return self.language.notation(TABLE[row]).called_with(wrapped)  # type: ignore[union-attr]
        tensor, number = arguments if plain[1] else arguments[::-1]
        return form.format(tensor=tensor.text, number=number.text)

    @cached_property
    def _constants(self) -> dict[int, Any]:
        return constant_values(self.program)

    def _varies(self, index: int) -> bool:
        return self.program.varying[index]

    def _is_plain(self, index: int) -> bool:
        """Whether a node is a number that depends on no symbol."""
        return not self._varies(index) and not self.program.nodes[index].shape


_WHOLE = 2**63
"""Torch takes no larger whole numbers."""


def _number(value: int | float) -> _Text:
    if isinstance(value, float) and not math.isfinite(value):
        return _Text(f'float("{value}")')
    if abs(value) >= _WHOLE:
        value = float(value)
    return _Text(repr(value), ATOM if math.copysign(1.0, value) > 0 else NEGATIVE)


def _infix(notation: Infix, arguments: list[_Text]) -> _Text:
    own = notation.precedence
    if len(arguments) == 1:
        return _Text(notation.symbol + arguments[0].within(own), own)
    if notation.symbol == "**":
        return _Text(f"{arguments[0].within(own + 1)}**{arguments[1].within(own)}", own)
    # Only the left operand may go without parentheses: a + (b + c) is not (a + b) + c in floats.
    return _Text(
        f"{arguments[0].within(own)} {notation.symbol} {arguments[1].within(own + 1)}", own
    )


def body(program: Program, language: Language) -> tuple[list[str], list[str]]:
    """The assignments and the result expressions."""
    writer = _Writer(program, language)
    results = writer.results()
    return writer.lines, results


def definition(name: str, signature: str, program: Program, language: Language) -> str:
    """The source of a function called `name` that returns the results of `program`.

    `signature` is the text between its brackets; `language` is TORCH or NUMPY.

    >>> from verifier.program.builder import FormulaBuilder
    >>> build = FormulaBuilder()
    >>> x = build.input("x")
    >>> square = build.program(build.apply("multiply", x, x))
    >>> print(definition("square", "x", square, TORCH), end="")
    def square(x):
        return x * x
    """
    lines, results = body(program, language)
    statements = [*lines, f"return {', '.join(results)}"]
    return f"def {name}({signature}):\n" + "".join(f"    {line}\n" for line in statements)


def function(
    name: str,
    signature: str,
    program: Program,
    language: Language,
    start: Mapping[str, Any] | None = None,
) -> Callable[..., Any]:
    """A function called `name` that returns the results of `program`; `inspect.getsource` shows its
    source.

    `signature` is the text between its brackets, and `language` is TORCH or NUMPY. A default in the
    signature may be an entry of `start`, which has values by name.
    """
    source = definition(name, signature, program, language)
    return _compiled(name, source, language, _scope(language, program) | {"start": start})


def _compiled(
    name: str, source: str, language: Language, scope: dict[str, Any]
) -> Callable[..., Any]:
    path = f"<verifier {language.name} {name} {abs(hash(source)):x}>"
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    # The source is generated from a program's nodes: names that are identifiers, numbers and rows.
    exec(compile(source, path, "exec"), scope)  # noqa: S102
    result: Callable[..., Any] = scope[name]
    return result


NodeCallback = Callable[[int, Any], Any]
"""Is given the index of a node and what it came to; what it returns is used in its place."""


def function_with_callback(
    name: str, signature: str, program: Program, language: Language, callback: NodeCallback
) -> Callable[..., Any]:
    """The function of `function`; `callback` sees the result of every operation on a symbol.

    `name`, `signature`, `program` and `language` are those of `function`. `callback` takes the
    index of a node and its result; what it returns is used in place of the result.

    >>> from verifier.program.builder import FormulaBuilder
    >>> build = FormulaBuilder()
    >>> x = build.input("x")
    >>> program = build.program(build.apply("add", build.apply("square", x), build.constant(1)))
    >>> seen = {}
    >>> function_with_callback("f", "x", program, NUMPY, seen.setdefault)(3.0), seen
    (np.float64(10.0), {1: np.float64(9.0), 3: np.float64(10.0)})
    """
    writer = _CallbackWriter(program, language)
    results = writer.results()
    statements = [*writer.lines, f"return {', '.join(results)}"]
    source = f"def {name}({signature}):\n" + "".join(f"    {line}\n" for line in statements)
    return _compiled(
        name, source, language, {**_scope(language, program), writer.callback: callback}
    )


class _CallbackWriter(_Writer):
    """Writes a call around each operation on a symbol."""

    @property
    def callback(self) -> str:
        name = "callback"
        while name in self.program.inputs:
            name += "_"
        return name

    def _node(self, node: Node, index: int, texts: Sequence[_Text]) -> _Text:
        text = super()._node(node, index, texts)
        if node.operation == INPUT or not self._varies(index):
            return text
        return _Text(f"{self.callback}({index}, {text.text})")


def of_tensors(generated: Callable[..., Any]) -> Callable[..., Any]:
    """The torch function `generated` for numbers too, which become tensors.

    They get the dtype and the device of the first tensor among the arguments, and torch's default
    dtype where there is none.
    """
    import torch

    defaults = {
        part.name: part.default for part in inspect.signature(generated).parameters.values()
    }

    @wraps(generated)
    def accepting(*inputs: Any, **parameters: Any) -> Any:
        given = {
            name: value for name, value in defaults.items() if value is not inspect.Parameter.empty
        } | parameters
        tensors = [value for value in (*inputs, *given.values()) if isinstance(value, torch.Tensor)]
        like = tensors[0] if tensors else torch.tensor(0.0)

        def tensor(value: Any) -> torch.Tensor:
            return value if isinstance(value, torch.Tensor) else like.new_tensor(value)

        return generated(
            *map(tensor, inputs), **{name: tensor(value) for name, value in given.items()}
        )

    return accepting


def _scope(language: Language, program: Program) -> dict[str, Any]:
    """The modules that the source mentions, and the functions that people brought along."""
    name = f"verifier.generated.{language.name}"
    scope: dict[str, Any] = {"builtins": builtins, "math": math, "np": np, "__name__": name}
    if language is TORCH:
        import torch

        scope["torch"] = torch
    calls = [
        notation
        for row in {node.operation for node in program.nodes} & TABLE.keys()
        for notation in (language.notation(TABLE[row]), TABLE[row].python)
        if isinstance(notation, Call)
    ]
    on_arrays = [node.payload for node in program.nodes if node.operation == ARRAY]
    if on_arrays:
        scope |= {"put_at": put_at, "reshape_rows": reshape_rows}
    if on_arrays or any(call.name.startswith("special.") for call in calls):
        scope["special"] = import_module("scipy.special")
    return {**scope, **{call.name: call.own for call in calls if call.own is not None}}


def constant_values(program: Program) -> dict[int, Any]:
    """The float64 values of the nodes of `program` that depend on no symbol, by their indices."""
    arithmetic = NumPyArithmetic("float64")
    values: dict[int, Any] = {}
    for index, node in enumerate(program.nodes):
        if node.operation == CONSTANT:
            values[index] = node.array if node.is_array else arithmetic.number(node.payload)
        elif node.operation not in (INPUT, ARRAY) and all(
            argument in values for argument in node.arguments
        ):
            values[index] = arithmetic.apply(
                TABLE[node.operation], *(values[place] for place in node.arguments)
            )
    return values


def undefined_constants(program: Program) -> bool:
    """Whether some operation of `program` on plain numbers alone has no finite result."""
    return not all(np.isfinite(value).all() for value in constant_values(program).values())
