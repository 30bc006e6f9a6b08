"""Lists and calls in a formula's text, as arrays and as arguments of functions of arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from verifier.formula.arrays.functions import (
    OF_ARRAY,
    OF_ARRAYS,
    OF_WHOLE,
    OF_WHOLES,
    needed_parameters,
    parameters_of,
)
from verifier.formula.text.array_operations import MOST_AXES, ArrayOperations, Settled
from verifier.formula.text.literals import MisplacedError
from verifier.formula.text.parts import LIST, QUANTITY, Part, Whole
from verifier.formula.text.tokens import Token, shorten
from verifier.operations.arrays import Floats
from verifier.program.builder import FormulaBuilder
from verifier.program.program import CONSTANT


@dataclass(frozen=True, eq=False)
class ArrayCalls:
    """Reads lists and arguments; what cannot be read raises MisplacedError with its place."""

    text: str
    build: FormulaBuilder
    arrays: ArrayOperations
    number: Callable[[Part], int]
    """The node of a part, which must be a number or an array."""

    def literal_array(self, part: Part) -> Floats:
        """The numbers of a list, of which inner lists are rows."""
        rows: list[Floats | int | float] = []
        for item in part.inside:
            if item.kind == LIST:
                rows.append(self.literal_array(item))
            else:
                rows.append(self._literal_number(item))
        if len({np.shape(row) for row in rows}) > 1:
            raise MisplacedError("the rows of an array have one length", part.start)
        if np.ndim(rows[0]) >= MOST_AXES:
            raise MisplacedError(f"an array has at most {MOST_AXES} axes", part.start)
        return np.array(rows, dtype=np.float64)

    def _literal_number(self, part: Part) -> int | float:
        node = self.build[part.node] if part.kind == QUANTITY else None
        if node is None or node.operation != CONSTANT:
            raise MisplacedError(
                f"{self._text_of(part)} is no number: concatenate and stack take lists of arrays",
                part.start,
            )
        return node.payload  # type: ignore[no-any-return]

    def called(self, function: Token, arguments: Sequence[Part]) -> int:
        """The node of a call of a function of arrays."""
        kinds = parameters_of(function.text)
        given: dict[str, Part] = {}
        for name, part in self._named(function, arguments):
            if name in given:
                raise MisplacedError(f"{function.text} has {name} twice", part.start)
            given[name] = part
        for name in needed_parameters(function.text):
            if name not in given:
                raise MisplacedError(f"{function.text} needs {name}", function.start)
        values = {name: self._argument(kinds[name], part) for name, part in given.items()}
        return self.arrays.called(function.text, values)

    def _named(self, function: Token, arguments: Sequence[Part]) -> Iterator[tuple[str, Part]]:
        """The arguments with the names of their parameters."""
        names = tuple(parameters_of(function.text))
        for place, part in enumerate(arguments):
            if part.setting is not None:
                yield part.setting[0], part
            elif place < len(names):
                yield names[place], part
            else:
                raise MisplacedError(
                    f"{function.text} takes {', '.join(names)}, here it has {len(arguments)} "
                    "arguments",
                    function.start,
                )

    def _argument(self, kind: str, part: Part) -> int | list[int] | Settled:
        """An argument as a parameter of that kind takes it."""
        if kind == OF_ARRAY:
            return self.number(part)
        if kind == OF_ARRAYS:
            if part.kind != LIST:
                raise MisplacedError("a list of arrays stands here, as in [a, b]", part.start)
            return [self.number(item) for item in part.inside]
        value = part.setting[1] if part.setting else self._whole(part)
        wanted = {OF_WHOLE: int, OF_WHOLES: tuple}.get(kind)
        if wanted is not None and not isinstance(value, wanted):
            needed = "a whole number" if wanted is int else "a list of whole numbers"
            raise MisplacedError(
                f"{self._text_of(part)} stands where {needed} is needed", part.start
            )
        return Settled(value)

    def _whole(self, part: Part) -> Whole:
        if part.kind == LIST:
            return tuple(self._whole_number(item) for item in part.inside)
        return self._whole_number(part)

    def _whole_number(self, part: Part) -> int:
        node = self.build[part.node] if part.kind == QUANTITY else None
        if node is None or node.operation != CONSTANT or not isinstance(node.payload, int):
            raise MisplacedError(
                f"{self._text_of(part)} stands where a whole number is needed", part.start
            )
        return node.payload

    def _text_of(self, part: Part) -> str:
        return shorten(self.text[part.start : part.end])
