"""Formulas as text: read into nodes by a parser of their own.

Only what is listed here is understood: numbers, declared names, Python's operators, and the
functions of `verifier.functions`. Python and SymPy never see the text. What is open while reading,
brackets and operators, stands on a stack of the reader's own, so that no text exhausts Python's.

>>> build = FormulaBuilder()
>>> x = build.input("x")
>>> build[read_text("x**2", build, {"x": x})].operation
'square'
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import NamedTuple

from verifier.errors import InputError
from verifier.formula import overloads
from verifier.formula.arrays.functions import FUNCTIONS, parameters_of
from verifier.formula.text.array_calls import ArrayCalls
from verifier.formula.text.array_operations import ArrayOperations, KnownShapes, UnknownShapes
from verifier.formula.text.constants import ConstantValues
from verifier.formula.text.literals import MisplacedError, read_index, read_setting
from verifier.formula.text.parts import CONDITION, LIST, PAIR, QUANTITY, SETTING, TRUE, Part
from verifier.formula.text.tokens import (
    ARGUMENT,
    ARRAYS,
    END,
    FUNCTION,
    NAME,
    NUMBER,
    NUMBERS,
    SPACE,
    FormulaError,
    Token,
    no_meaning_sentence,
    shorten,
    tokens_of,
)
from verifier.program.builder import FormulaBuilder
from verifier.program.infix_operators import (
    BOTH,
    COMPARISON,
    COMPARISONS,
    CONSTANTS,
    DENIAL,
    INFIX,
    POWER,
    PREFIX,
    Operator,
    operate,
)
from verifier.program.program import BATCH, INPUT, SCALAR

LONGEST = 20_000
"""Characters of a formula."""
DEEPEST = 100
"""Brackets, signs, powers and denials that may stand inside one another."""

_ORDERS = {
    **{row: row for row in COMPARISONS.values()},
    "Lt": "less",
    "Le": "less_equal",
    "Gt": "greater",
    "Ge": "greater_equal",
    "Eq": "equal",
    "Ne": "not_equal",
}
_FOLDS = {"And": "and", "Or": "or"}
_FORMS: dict[str, tuple[int, int | None]] = {
    "Piecewise": (1, None),
    "where": (3, 3),
    "Rational": (2, 2),
    "Not": (1, 1),
    **dict.fromkeys(_FOLDS, (1, None)),
    **dict.fromkeys(_ORDERS, (2, 2)),
    # These write nodes for which an operator stands, but which it would not give: power(x, 2) is
    # not x**2.
    **dict.fromkeys(("add", "subtract", "multiply", "power"), (2, 2)),
}


_PRODUCT = Operator("product", INFIX["*"].precedence)
"""The operator @, which stands between arrays."""
_ALIKE = 0.7
"""How much of a name must be the same for it to be suggested, as `difflib` measures that."""


class _Pending(NamedTuple):
    """An operator that waits for what stands behind it."""

    operator: Operator
    token: Token
    prefix: bool

    @property
    def nests(self) -> bool:
        return self.prefix or self.operator.precedence == POWER


@dataclass(slots=True)
class _Frame:
    """What stands inside one pair of brackets, as far as it has been read."""

    bracket: Token | None = None
    function: Token | None = None
    pair: bool = False
    arguments: list[Part] = field(default_factory=list)
    operands: list[Part] = field(default_factory=list)
    operators: list[_Pending] = field(default_factory=list)

    @property
    def is_list(self) -> bool:
        return self.bracket is not None and self.bracket.text == "["


class _Reader:
    """Reads one formula into a builder of its own, since that may hold more than the formula
    needs.
    """

    def __init__(
        self,
        text: str,
        draft: FormulaBuilder,
        symbols: dict[str, int],
        arrays: ArrayOperations | None,
        declaring: bool = False,
    ) -> None:
        self._text = text
        self._tokens: Iterator[Token] = iter(())
        self._draft = draft
        self._symbols = symbols
        self._arrays = arrays
        self._declaring = declaring
        self._numbers = ConstantValues(draft)
        self._functions = {*_FORMS, *overloads.callable_names(), *overloads.ALIASES}
        if arrays is not None:
            self._functions |= FUNCTIONS.keys()
        self._frames = [_Frame()]
        self._depth = 0
        self._previous: Token | None = None
        self._wants_operand = True

    def formula(self) -> int:
        """The node of the whole text, which is a number. Raises InputError."""
        if not self._text.strip(SPACE):
            raise InputError("the formula is empty")
        if len(self._text) > LONGEST:
            raise InputError(f"the formula has {len(self._text)} characters: {LONGEST} is the most")
        self._tokens = tokens_of(self._text, ARRAYS if self._arrays else NUMBERS)
        for token in self._tokens:
            if self._wants_operand:
                self._operand(token)
            else:
                self._continuation(token)
            self._previous = token
        return self._number(self._frames[0].operands[0])

    def _error(self, sentence: str, place: int) -> FormulaError:
        return FormulaError(sentence, self._text, place)

    def _text_of(self, part: Part) -> str:
        return shorten(self._text[part.start : part.end])

    # Where an operand has to stand.

    def _operand(self, token: Token) -> None:
        if token.kind == NUMBER:
            self._push(self._number_part(token))
        elif token.kind == NAME:
            self._push(self._symbol_part(token))
        elif token.kind == FUNCTION:
            self._check_function(token)
        elif token.text in ("(", "["):
            self._open(token)
        elif token.kind == ARGUMENT:
            self._set(token)
        elif token.text in PREFIX:
            self._prefix(token)
        elif (
            token.text == ")"
            and self._frames[-1].function
            and self._previous == self._frames[-1].bracket
        ):
            self._close(token)
        else:
            raise self._missing_operand(token)

    def _push(self, part: Part) -> None:
        self._frames[-1].operands.append(part)
        self._wants_operand = False

    def _number_part(self, token: Token) -> Part:
        value: int | float = int(token.text) if token.text.isdecimal() else float(token.text)
        return replace(
            self._checked_part(self._draft.constant(value), token.start, token.end), literal=True
        )

    def _symbol_part(self, token: Token) -> Part:
        name = token.text
        if name in self._symbols:
            return Part(self._symbols[name], token.start, token.end)
        if name in CONSTANTS:
            return Part(self._draft.apply(CONSTANTS[name]), token.start, token.end)
        if name == "True":
            return Part(-1, token.start, token.end, TRUE)
        if name in ("False", "None"):
            raise self._error(no_meaning_sentence(name), token.start)
        if not self._declaring:
            raise self._error(self._unknown_symbol(name), token.start)
        self._symbols[name] = self._draft.input(name)
        return Part(self._symbols[name], token.start, token.end)

    def _unknown_symbol(self, name: str) -> str:
        if name == "axis" and not self._arrays:
            return "axis is that of an array, and every symbol of this formula is a number"
        if name in self._functions:
            return f"{name} is a function: write {name}(...)"
        if not self._symbols:
            return f"there is no symbol {shorten(name)}: none is declared"
        names = [shorten(symbol) for symbol in self._symbols]
        more = f" and {len(names) - 20} more" if len(names) > 20 else ""
        return f"there is no symbol {shorten(name)}: there is {', '.join(names[:20])}{more}"

    def _check_function(self, token: Token) -> None:
        name = token.text
        if name in self._functions:
            return
        if name in self._symbols or name in CONSTANTS:
            raise self._error(
                f"{shorten(name)} is not a function: write * between {shorten(name)} and (...)",
                token.start,
            )
        if name in FUNCTIONS:
            raise self._error(
                f"{name} is a function of arrays, and every symbol of this formula is a number",
                token.start,
            )
        raise self._error(
            f"there is no function {shorten(name)}{self._instead_of(name)}", token.start
        )

    def _instead_of(self, name: str) -> str:
        """What to write for a function that there is not, where one can tell."""
        if name == "ln":
            return ": write log"
        close = difflib.get_close_matches(name, sorted(self._functions), n=1, cutoff=_ALIKE)
        if close:
            return f": did you mean {close[0]}?"
        return f": verifier.functions lists {len(overloads.callable_names())}"

    def _open(self, token: Token) -> None:
        around, before = self._frames[-1], self._previous
        called = token.text == "(" and before is not None and before.kind == FUNCTION
        function = before if called else None
        first = not function and not around.operands and not around.operators
        piecewise = around.function is not None and around.function.text == "Piecewise"
        pair = first and piecewise and token.text == "("
        self._frames.append(_Frame(token, function, pair))
        self._nest(token)

    def _prefix(self, token: Token) -> None:
        operator, waiting = PREFIX[token.text], self._frames[-1].operators
        if token.text == "not" and waiting and waiting[-1].operator.precedence > DENIAL:
            raise self._error(
                f"{waiting[-1].token.text} binds before not: write (not ...)", token.start
            )
        waiting.append(_Pending(operator, token, prefix=True))
        self._nest(token)

    def _nest(self, token: Token) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error(f"the formula nests more than {DEEPEST} deep", token.start)

    def _missing_operand(self, token: Token) -> FormulaError:
        """There should be an operand before this token."""
        before = self._previous
        if token.text in (")", "]") and len(self._frames) == 1:
            return self._error(f"this {token.text} closes nothing", token.start)
        if before is None:
            return self._error(f"nothing stands before {token.text}", token.start)
        if token.kind == END:
            sentence = (
                f"this {before.text} is never closed"
                if before.text in ("(", "[")
                else f"nothing stands behind {before.text}"
            )
            return self._error(sentence, before.start)
        return self._error(f"nothing stands between {before.text} and {token.text}", token.start)

    # Behind an operand.

    def _continuation(self, token: Token) -> None:
        if token.text in INFIX or token.text == "@":
            self._infix(token)
        elif token.text in (")", "]"):
            self._close(token)
        elif token.text == "[":
            self._index(token)
        elif token.text == ".T":
            self._transpose(token)
        elif token.text == ",":
            self._comma(token)
        elif token.kind == END:
            self._finish()
        else:
            raise self._error(self._missing_operator(token), token.start)

    def _infix(self, token: Token) -> None:
        operator = INFIX.get(token.text, _PRODUCT)
        self._reduce(operator.precedence)
        pending = _Pending(operator, token, prefix=False)
        self._frames[-1].operators.append(pending)
        self._wants_operand = True
        if pending.nests:
            self._nest(token)

    def _missing_operator(self, token: Token) -> str:
        if token.text == "not":
            return "not stands where an operator has to stand"
        if token.text in ("=", ":", "..."):
            return no_meaning_sentence(token.text)
        before = self._previous.text if self._previous else ""
        left = "(...)" if before == ")" else shorten(before)
        right = "(...)" if token.text == "(" else shorten(token.text)
        return f"write * between {left} and {right}{'(...)' if token.kind == FUNCTION else ''}"

    def _comma(self, token: Token) -> None:
        frame = self._frames[-1]
        if not frame.function and not frame.pair and not frame.is_list:
            raise self._error(
                "this comma separates no arguments: write a decimal point as .", token.start
            )
        self._reduce(0)
        frame.arguments.append(frame.operands.pop())
        self._wants_operand = True

    def _close(self, token: Token) -> None:
        frame = self._frames[-1]
        if frame.bracket is None:
            raise self._error(f"this {token.text} closes nothing", token.start)
        if frame.is_list != (token.text == "]"):
            raise self._error(f"this {frame.bracket.text} is never closed", frame.bracket.start)
        self._reduce(0)
        self._frames.pop()
        self._depth -= 1
        if frame.function:
            self._push(self._call(frame.function, [*frame.arguments, *frame.operands], token.end))
        elif frame.is_list:
            inside = (*frame.arguments, *frame.operands)
            self._push(Part(-1, frame.bracket.start, token.end, LIST, inside=inside))
        elif frame.pair:
            self._push(self._pair(frame, token.end))
        else:
            (only,) = frame.operands
            self._push(
                replace(
                    only, start=frame.bracket.start, end=token.end, literal=False, compared=None
                )
            )

    def _finish(self) -> None:
        bracket = self._frames[-1].bracket
        if bracket is not None:
            raise self._error(f"this {bracket.text} is never closed", bracket.start)
        self._reduce(0)

    # Operators become nodes.

    def _reduce(self, precedence: int) -> None:
        """Apply the operators that bind at least as tightly as what comes; ** waits for a further
        one.
        """
        frame = self._frames[-1]
        while frame.operators:
            own = frame.operators[-1].operator.precedence
            if own < precedence or own == precedence == POWER:
                return
            pending = frame.operators.pop()
            self._depth -= pending.nests
            right = frame.operands.pop()
            with self._at(pending.token):
                frame.operands.append(
                    self._unary(pending, right)
                    if pending.prefix
                    else self._binary(pending, frame.operands.pop(), right)
                )

    def _unary(self, pending: _Pending, part: Part) -> Part:
        start = pending.token.start
        if pending.token.text == "not" or (pending.token.text == "~" and part.kind == CONDITION):
            return self._checked_part(
                self._draft.apply("not", self._condition(part)), start, part.end, CONDITION
            )
        node = self._number(part)
        if pending.token.text == "+":
            return Part(node, start, part.end)
        if part.literal:
            return self._checked_part(
                self._draft.constant(-self._draft[node].payload), start, part.end
            )
        return self._checked_part(self._draft.apply("negative", node), start, part.end)

    def _binary(self, pending: _Pending, left: Part, right: Part) -> Part:
        row, precedence = pending.operator
        if precedence <= BOTH:
            node = self._draft.apply(row, self._condition(left), self._condition(right))
            return self._checked_part(node, left.start, right.end, CONDITION)
        if precedence == COMPARISON:
            return self._comparison(row, left, right)
        numbers = self._number(left), self._number(right)
        if pending.operator is _PRODUCT:
            node = self._on_arrays.product(*numbers)
        else:
            node = operate(self._draft, row, *numbers)
        return self._checked_part(node, left.start, right.end)

    def _comparison(self, row: str, left: Part, right: Part) -> Part:
        number = self._number(left.compared or left)
        node = self._draft.apply(row, number, self._number(right))
        if left.compared:
            node = self._draft.apply("and", left.node, node)
        return replace(self._checked_part(node, left.start, right.end, CONDITION), compared=right)

    def _checked_part(self, node: int, start: int, end: int, kind: str = QUANTITY) -> Part:
        """The part of a node that has just been built, if its constants have finite values."""
        part = Part(node, start, end, kind)
        if not self._numbers.finite(node):
            raise self._error(f"{self._text_of(part)} has no finite value in float64", start)
        return part

    def _number(self, part: Part) -> int:
        if part.kind == LIST:
            with self._at(part):
                return self._on_arrays.constant(self._array_calls.literal_array(part))
        if part.kind != QUANTITY:
            raise self._misplaced(part, QUANTITY)
        return part.node

    def _condition(self, part: Part) -> int:
        if part.kind != CONDITION:
            raise self._misplaced(part, CONDITION)
        return part.node

    def _misplaced(self, part: Part, needed: str) -> FormulaError:
        if part.kind == TRUE:
            return self._error("True stands only in the last pair of Piecewise", part.start)
        if part.kind == PAIR:
            return self._error("Piecewise takes pairs (value, condition)", part.start)
        if part.setting is not None:
            name = part.setting[0]
            return self._error(f"{name}= stands alone between the commas of a call", part.start)
        return self._error(
            f"{self._text_of(part)} is {part.kind} where {needed} is needed", part.start
        )

    # Arrays.

    @property
    def _on_arrays(self) -> ArrayOperations:
        """What writes operations on arrays, where the grammar has them."""
        if self._arrays is None:
            raise InputError("every symbol of this formula is a number")
        return self._arrays

    @contextmanager
    def _at(self, place: Token | Part) -> Iterator[None]:
        """What is refused in the block has its caret under that place, if under no other one."""
        try:
            yield
        except FormulaError:
            raise
        except MisplacedError as error:
            raise self._error(error.sentence, error.place) from None
        except InputError as error:
            raise self._error(error.sentence, place.start) from None

    def _index(self, token: Token) -> None:
        operands = self._frames[-1].operands
        part = operands.pop()
        with self._at(token):
            index = read_index(self._tokens, token)
            node = self._on_arrays.indexed(self._number(part), index.key)
        operands.append(self._checked_part(node, part.start, index.end))

    def _transpose(self, token: Token) -> None:
        operands = self._frames[-1].operands
        part = operands.pop()
        with self._at(token):
            node = self._on_arrays.transposed(self._number(part))
        operands.append(self._checked_part(node, part.start, token.end))

    def _set(self, token: Token) -> None:
        """Read an argument that is given by its name."""
        frame = self._frames[-1]
        function = frame.function.text if frame.function else ""
        names = (
            []
            if frame.operators
            else list(parameters_of(function) if function in FUNCTIONS else ())
        )
        if token.text not in names:
            place = self._text.index("=", token.end)
            if function in FUNCTIONS and not frame.operators:
                raise self._error(
                    f"{function} takes no {shorten(token.text)}: it takes {', '.join(names)}",
                    token.start,
                )
            raise self._error(no_meaning_sentence("="), place)
        with self._at(token):
            value, end = read_setting(self._tokens, token)
        self._push(Part(-1, token.start, end, SETTING, setting=(token.text, value)))

    @property
    def _array_calls(self) -> ArrayCalls:
        return ArrayCalls(self._text, self._draft, self._on_arrays, self._number)

    def _is_of_arrays(self, name: str, arguments: Sequence[Part]) -> bool:
        """Whether a call means the function of arrays, where numbers have one of that name too."""
        if self._arrays is None or name not in FUNCTIONS:
            return False
        settings = any(argument.kind == SETTING for argument in arguments)
        return settings or len(arguments) == 1 or name not in overloads.callable_names()

    # Functions.

    def _call(self, function: Token, arguments: list[Part], end: int) -> Part:
        name = function.text
        if self._is_of_arrays(name, arguments):
            with self._at(function):
                node = self._array_calls.called(function, arguments)
            return self._checked_part(node, function.start, end)
        self._check_count(function, len(arguments))
        with self._at(function):
            return self._call_of_numbers(function, arguments, end)

    def _call_of_numbers(self, function: Token, arguments: list[Part], end: int) -> Part:
        name = function.text
        if name == "Piecewise":
            node = self._piecewise(arguments)
        elif name in _FORMS:
            node = self._form(name, arguments, function)
        else:
            node = self._function_node(function, [self._number(argument) for argument in arguments])
        conditional = name in _FOLDS or name in _ORDERS or name == "Not"
        return self._checked_part(node, function.start, end, CONDITION if conditional else QUANTITY)

    def _check_count(self, function: Token, count: int) -> None:
        least, most = _FORMS.get(function.text) or overloads.argument_count(
            _canonical_name(function.text)
        )
        if count < least or (most is not None and count > most):
            takes = (
                f"at least {least}"
                if most is None
                else str(most)
                if least == most
                else f"{least} to {most}"
            )
            noun = "argument" if takes.rpartition(" ")[2] == "1" else "arguments"
            raise self._error(
                f"{function.text} takes {takes} {noun}, here it has {count}", function.start
            )

    def _function_node(self, function: Token, arguments: Sequence[int]) -> int:
        return overloads.write_call(_canonical_name(function.text), self._draft, arguments)

    def _form(self, name: str, arguments: list[Part], function: Token) -> int:
        if name in _FOLDS:
            conditions = [self._condition(argument) for argument in arguments]
            return reduce(
                lambda left, right: self._draft.apply(_FOLDS[name], left, right), conditions
            )
        if name == "Not":
            return self._draft.apply("not", self._condition(arguments[0]))
        if name == "where":
            condition, *branches = arguments
            return self._draft.apply(
                "where", self._condition(condition), *[self._number(branch) for branch in branches]
            )
        numbers = [self._number(argument) for argument in arguments]
        if name == "Rational":
            return self._rational(numbers, function)
        return self._draft.apply(_ORDERS.get(name, name), *numbers)

    def _rational(self, numbers: list[int], function: Token) -> int:
        """The fraction in lowest terms, as SymPy has it."""
        over, under = (self._numbers.whole(number) for number in numbers)
        if over is None or under is None:
            raise self._error("Rational takes two whole numbers", function.start)
        if under != 0:
            divisor = math.gcd(over, under) * (1 if under > 0 else -1)
            over, under = over // divisor, under // divisor
        if under == 1:
            return self._draft.constant(over)
        return self._draft.apply("divide", self._draft.constant(over), self._draft.constant(under))

    def _pair(self, frame: _Frame, end: int) -> Part:
        start = frame.bracket.start if frame.bracket else 0
        inside = (*frame.arguments, *frame.operands)
        if len(inside) != 2:
            raise self._error("Piecewise takes pairs (value, condition)", start)
        return Part(-1, start, end, PAIR, inside=inside)

    def _piecewise(self, arguments: list[Part]) -> int:
        pairs = []
        for argument in arguments:
            if argument.kind != PAIR:
                raise self._error("Piecewise takes pairs (value, condition)", argument.start)
            pairs.append(argument.inside)
        otherwise, last = pairs.pop()
        if last.kind != TRUE:
            raise self._error(
                "Piecewise has to say what holds when none of its conditions does: end it with "
                "(value, True)",
                arguments[-1].start,
            )
        node = self._number(otherwise)
        for value, condition in reversed(pairs):
            node = self._draft.apply("where", self._condition(condition), self._number(value), node)
        return node


def _canonical_name(name: str) -> str:
    return overloads.ALIASES.get(name, name)


def read_text(text: str, builder: FormulaBuilder, symbols: Mapping[str, int]) -> int:
    """The node of the builder that computes the formula.

    `symbols` are the nodes of `builder` by the names that `text` may use. A declared symbol is
    preferred to a constant; a name directly before a bracket is a function. Raises InputError, with
    a caret under the place, where the text is not a formula.
    """
    draft = FormulaBuilder()
    places = {name: draft.input(name, builder[node].shape) for name, node in symbols.items()}
    of_numbers = all(builder[node].shape in (SCALAR, BATCH) for node in symbols.values())
    arrays = None if of_numbers else KnownShapes(draft)
    root = _Reader(text, draft, places, arrays).formula()
    return _copy_nodes(draft, root, builder, symbols)


def _copy_nodes(
    draft: FormulaBuilder, root: int, builder: FormulaBuilder, symbols: Mapping[str, int]
) -> int:
    """Build the node again where it is wanted, each argument before the next: one order for equal
    formulas.
    """
    places: dict[int, int] = {}
    waiting = [root]
    while waiting:
        node = draft[waiting[-1]]
        missing = [argument for argument in node.arguments if argument not in places]
        waiting.extend(reversed(missing))
        if not missing:
            is_symbol = node.operation == INPUT
            copied = symbols[node.payload] if is_symbol else builder.copied(node, places)
            places[waiting.pop()] = copied
    return places[root]


def symbol_names(text: str) -> tuple[str, ...]:
    """The names that the formula uses as symbols, in order of first use.

    Raises InputError where the text is not a formula.

    >>> symbol_names("gamma(x) + gamma*pi")
    ('x', 'gamma')
    """
    return tuple(_declared(text)[0])


def uses_arrays(text: str) -> bool:
    """Whether the formula does something with whole arrays, so that it depends on their shapes.

    Raises InputError where the text is not a formula.

    >>> uses_arrays("sum(x @ w, axis=0)"), uses_arrays("exp(x) + 1")
    (True, False)
    """
    return _declared(text)[1] > 0


def _declared(text: str) -> tuple[dict[str, int], int]:
    """The symbols of a formula, and how often it does something with whole arrays."""
    draft, found = FormulaBuilder(), dict[str, int]()
    arrays = UnknownShapes(draft)
    _Reader(text, draft, found, arrays, declaring=True).formula()
    return found, arrays.used
