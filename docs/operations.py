"""Write `docs/operations.md`: the operations table as it is (`python docs/operations.py`)."""

from collections.abc import Iterator
from pathlib import Path

import sympy

from verifier.formula import overloads
from verifier.operations.operation import Absent, Call, Interval, Name, Operation, Suffix
from verifier.operations.table import COMPOSITIONS, ROWS

HEAD = """# Operations

Made by `python docs/operations.py` from the table itself. Functions can be used in the body
of a model (`from verifier.functions import ...`), in a formula as text and, under SymPy's own name
where SymPy has it, in an expression. Arithmetic, comparisons and conditions are written with
Python's operators: in a body `(x > 0) & ~(y < 1)`, in text `x > 0 and not y < 1`. SymPy's own
functions in a body mean the same rows.

An *ulp* is counted as two unit roundoffs of the result. *torch* and *NumPy* are the budgets: how
far the library's value may be from the exact one, 0.5 being correctly rounded and 0 exact;
`make budgets` measures them where *measured* says (all: up to 1e30 in size), and
[reports/budgets.md](../reports/budgets.md) keeps
the largest errors found.
A budget with a star counts ulps of a number that may be larger than the result, since near its
zeros the function is right to an absolute error only. Where torch has no such function, its
column has a dash: a formula with it says what is right about your own code, and its budget is
what that code is granted.

"""

ADDING = """
## Adding one

One call adds a function everywhere. With `torch=` it is judged: the code's value within `ulps`, its
backward within what rounding in the definition's derivative explains.

```python
import torch
import verifier
from verifier.functions import sigmoid

verifier.add_function(
    "swish2", lambda x: x * sigmoid(2 * x), torch=lambda x: x * torch.sigmoid(2 * x), ulps=4
)
model = verifier.Model.from_text(
    "swish2(w*x)", inputs="x", start={"w": 0.5}, loss=verifier.squared_error
)
report = verifier.train(model, data={"x": [1.0, 2.0], "y": [0.5, 1.0]})
```
"""


def notation(operation: Operation, library: str) -> str:
    written = getattr(operation, library)
    letters = list("abc"[: operation.arguments])
    match written:
        case Absent():
            return "–"
        case Call():
            return f"`{written.called_with(letters)}`"
        case Name(name):
            return f"`{name}`"
        case Suffix(symbol):
            return f"`a{symbol}`"
    return f"`{written.symbol}a`" if len(letters) == 1 else f"`a {written.symbol} b`"


def budget(operation: Operation, library: str) -> str:
    return f"{operation.budget.of(library):g}" + ("*" if operation.budget.size else "")


def box(interval: Interval) -> str:
    return f"{interval.low:g} to {interval.high:g}"


def measured(intervals: tuple[Interval, ...]) -> str:
    return "; ".join(map(box, intervals)).replace("-inf to inf", "all") or "–"


def rows() -> Iterator[str]:
    yield (
        "| name | torch | NumPy | domain | measured | torch ulps | NumPy ulps | derivative in "
        "torch |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for row in ROWS:
        lost = (
            "–"
            if isinstance(row.torch, Absent)
            else "yes"
            if not row.lost
            else "no"
            if len(row.lost) == row.arguments
            else f"not by argument {row.lost[0] + 1}"
        )
        cells = [
            row.name,
            notation(row, "torch"),
            notation(row, "numpy"),
            row.domain,
            measured(row.measured),
        ]
        yield (
            "| "
            + " | ".join([*cells, budget(row, "torch"), budget(row, "numpy"), lost]).replace(
                "a | b", "a \\| b"
            )
            + " |"
        )


def compositions() -> Iterator[str]:
    yield "| name | written as | domain |"
    yield "| --- | --- | --- |"
    for row in COMPOSITIONS.values():
        least, most = overloads.argument_count(row.name)
        count = least if most is not None else 3
        formula = overloads.apply_function(row.name, sympy.symbols("a b c", real=True)[:count])
        yield f"| {row.name} | `{formula}` | {row.domain} |"


def text() -> str:
    order = (
        "Functions that other rows write, in this order of operations where the code is generated."
    )
    return (
        HEAD
        + "## Rows\n\n" + "\n".join(rows())
        + "\n\n## Compositions\n\n" + order + "\n\n"
        + "\n".join(compositions()) + "\n" + ADDING
    )  # fmt: skip


if __name__ == "__main__":
    (Path(__file__).parent / "operations.md").write_text(text(), encoding="utf-8")
