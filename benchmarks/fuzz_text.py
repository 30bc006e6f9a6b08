"""Coverage-guided fuzzing of the text reader, for a bounded time: `make fuzz` (needs `pip install
atheris`).

Whatever the bytes are, the reader gives a node or raises InputError, and what it reads is written
and read again as the same node.
"""

import sys

import atheris

READER = [
    "verifier.formula.text.parser",
    "verifier.formula.text.tokens",
    "verifier.formula.text.unparse",
    "verifier.program.infix_operators",
]
with atheris.instrument_imports(include=READER):
    from verifier.errors import InputError
    from verifier.formula.text.parser import read_text
    from verifier.formula.text.unparse import write_text
    from verifier.program.builder import FormulaBuilder

SECONDS = 120
WORDS = [
    "x",
    "y",
    "gamma",
    "(",
    ")",
    "**",
    "+",
    "-",
    "*",
    "/",
    ",",
    "<",
    "==",
    "and",
    "not",
    "where",
    "Piecewise",
    "1e9",
]


def one(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    if provider.ConsumeBool():
        text = provider.ConsumeUnicodeNoSurrogates(200)
    else:
        text = " ".join(
            provider.PickValueInList(WORDS) for _ in range(provider.ConsumeIntInRange(1, 40))
        )
    builder = FormulaBuilder()
    symbols = {name: builder.input(name) for name in ("x", "y", "gamma")}
    try:
        node = read_text(text, builder, symbols)
    except InputError:
        return
    try:
        written = write_text(builder.program(node))
    except InputError:
        return
    assert read_text(written, builder, symbols) == node, (text, written)


if __name__ == "__main__":
    atheris.Setup([*sys.argv, f"-max_total_time={SECONDS}", "-timeout=5", "-max_len=400"], one)
    atheris.Fuzz()
