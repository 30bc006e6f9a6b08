"""Sixty entries of PyTorch's own collections, spread evenly: each is read, and agrees."""

import pytest

from tests.helpers.torch_operators import entries, subjects
from verifier.judging.examination import Replayed
from verifier.judging.examine import examine
from verifier.judging.outcome import Outcome

pytestmark = pytest.mark.filterwarnings("ignore")
SIZE = 30
"""So many entries in each dtype."""
FIRST = {"float64": 0, "float32": 9}
"""Where the sample begins in each dtype: others in each of them."""


ELSEWHERE = ("fft.", "normal", "bernoulli", "nn.functional.rrelu", "__rpow__", "to_sparse")
"""Complex numbers, random draws and sparse tensors have tests of their own; powers of negative
numbers have no value.
"""
COMPLEX = {"linalg.eig", "linalg.eigvals"}


def _sample(dtype):
    found = [
        entry
        for entry in entries(dtype)
        if not entry.name.startswith(ELSEWHERE) and entry.name not in COMPLEX
    ]
    return [found[FIRST[dtype] + (len(found) - 20) * place // SIZE] for place in range(SIZE)]


SAMPLE = [entry for dtype in FIRST for entry in _sample(dtype)]


@pytest.mark.parametrize("entry", SAMPLE, ids=str)
def test_an_entry_is_decided(entry):
    (subject,) = subjects(entry, 1)
    found = examine(subject)
    assert found.outcome is Outcome.AGREES
    assert isinstance(found.formula, Replayed)
