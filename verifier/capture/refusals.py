"""Refusals: why no graph of code can be read, a sentence for each reason."""

from __future__ import annotations

import re

from verifier.errors import LONGEST_EXCERPT, message_of


class NotReadableError(Exception):
    """Why no graph of the code can be read or replayed, in a sentence that names the operation."""


LEAVES = "the code leaves torch: numbers in it come from elsewhere, as from a kernel of its own"
NUMPY = "the code leaves torch for NumPy"
MEMORY = "the code reads the memory of a tensor itself, as a kernel of its own does"
IN_PYTHON = (
    "the code computes in Python with a number that it takes out of a tensor ({}), and no "
    "derivative follows it there: leave out float(), item() and numpy(), or take it for a constant "
    "with --honour-detach"
)
_REASONS = (
    (
        r"dynamo-optimized|torch\.compile",
        "the code is compiled, and a compiled kernel has no graph of operations",
    ),
    (r"\.numpy\(\)|numpy", NUMPY),
    (r"data_ptr|storage", MEMORY),
)


def reason_of_error(error: Exception) -> str:
    """What an error of torch's tracer means."""
    text = message_of(error, whole=True, longest=LONGEST_EXCERPT)
    for pattern, reason in _REASONS:
        if re.search(pattern, text):
            return reason
    return f"torch cannot trace the code: {type(error).__name__}: {message_of(error)}"
