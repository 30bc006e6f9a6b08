"""Author's order: sums of SymPy's with their terms as the formula's author wrote them.

SymPy sorts the terms of a sum by rules of its own: `w*x + b` becomes `b + w*x`. A program keeps the
order in which its operations were written, so it says which term comes first.
"""

from __future__ import annotations

from typing import Any

from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from verifier.errors import InputError
from verifier.operations.arrays import Expr
from verifier.program.program import Program
from verifier.program.sympy_form import expressions


class AuthorOrder:
    """The order of the parts of a program's formulas.

    >>> import sympy
    >>> from verifier.program.builder import Builder
    >>> build = Builder()
    >>> total = build.apply("add", build.input("x"), build.input("a"))
    >>> a, x = sympy.symbols("a x", real=True)
    >>> AuthorOrder(build.program(total)).text((a + x) ** 2)
    '(x + a)**2'
    """

    def __init__(self, program: Program) -> None:
        self._places: dict[Expr, int] = {}
        visited = _in_order(program)
        try:
            parts = expressions(program.only(*visited))
        except InputError:
            # What is too long for people has no order for them.
            return
        for place, part in enumerate(parts):
            self._places.setdefault(part, place)

    def terms(self, total: Expr) -> list[Expr]:
        """The terms of a sum in that order; those that the formula has not, where what they are
        made of is.
        """
        return sorted(total.as_ordered_terms(), key=self._place)

    def text(self, expression: Expr) -> str:
        """The expression as text."""
        return str(_Text(self).doprint(expression))

    def latex(self, expression: Expr) -> str:
        """The expression in LaTeX."""
        return str(_Latex(self).doprint(expression))

    def _place(self, term: Expr) -> int:
        part = abs(term) if term.is_Number else term.as_coeff_Mul()[1]
        if part in self._places:
            return self._places[part]
        if part.is_Number:
            return -1
        atoms = [self._places.get(atom, len(self._places)) for atom in part.free_symbols]
        return max(atoms, default=len(self._places))


def _in_order(program: Program) -> list[int]:
    """The nodes of the results as somebody reads them, from the left; a part before what it is a
    part of.
    """
    found: dict[int, None] = {}
    waiting = [*reversed(program.outputs)]
    while waiting:
        place = waiting[-1]
        missing = [one for one in program.nodes[place].arguments if one not in found]
        if missing:
            waiting += reversed(missing)
        else:
            found.setdefault(waiting.pop())
    return list(found)


class InOrder:
    """A printer of SymPy's that takes the terms of sums in an author's order."""

    def __init__(self, order: AuthorOrder, settings: dict[str, Any] | None = None) -> None:
        super().__init__(settings)  # type: ignore[call-arg]
        self._author = order

    def _as_ordered_terms(self, total: Expr, order: object = None) -> list[Expr]:
        return self._author.terms(total)


class _Text(InOrder, StrPrinter):  # type: ignore[misc]
    pass


class _Latex(InOrder, LatexPrinter):  # type: ignore[misc]
    pass
