"""Kernels that round each partial sum to 16 bits: right code agrees, and a wrong backward is found
there.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it

from tests.helpers.own_backward import with_context
from verifier.capture.code_at_point import Subject
from verifier.judging.examine import examine
from verifier.judging.outcome import Outcome
from verifier.judging.reference import Reference

AGREES, DISAGREES = Outcome.AGREES, Outcome.DISAGREES
SIXTEEN = [torch.bfloat16, torch.float16]
TIMES = 40


def generator(seed):
    return torch.Generator().manual_seed(seed)


PLACES = torch.randint(0, 3, (TIMES,), generator=generator(3))
ROWS = torch.randint(0, 3, (4, 20), generator=generator(3))


def numbers(*shape):
    return torch.randn(*shape, generator=generator(0), dtype=torch.float64)


def bags(weights):
    return F.embedding_bag(PLACES, weights, torch.tensor([0, 7, 9]))


CODES = {
    "index": (lambda x: x[PLACES], (3,)),
    "take": (lambda x: x.take(PLACES), (3,)),
    "index_put": (lambda x: x.new_zeros(3).index_put((PLACES,), x, accumulate=True), (TIMES,)),
    "put": (lambda x: x.new_zeros(3).put(PLACES, x, accumulate=True), (TIMES,)),
    "index_add": (lambda x: x.new_zeros(3).index_add(0, PLACES, x), (TIMES,)),
    "index_select": (lambda x: x.index_select(0, PLACES), (3, 2)),
    "embedding": (lambda x: F.embedding(PLACES, x), (3, 4)),
    "embedding_bag": (bags, (3, 4)),
    "scatter_reduce": (lambda x: x.new_zeros(4, 3).scatter_reduce(1, ROWS, x, "sum"), (4, 20)),
    "replicate": (lambda x: F.pad(x, (9, 9), mode="replicate"), (1, 2, 5)),
    "replicate in 2D": (lambda x: F.pad(x, (5, 6, 7, 3), mode="replicate"), (1, 2, 4, 5)),
    "reflect": (lambda x: F.pad(x, (4, 4), mode="reflect"), (1, 2, 5)),
    "reflect in 2D": (lambda x: F.pad(x, (4, 4, 3, 3), mode="reflect"), (1, 2, 4, 5)),
    "unfold": (lambda x: x.unfold(0, 7, 1), (20,)),
    "im2col": (lambda x: F.unfold(x, 3, padding=1), (1, 2, 6, 6)),
    "addbmm": (lambda x: torch.addbmm(x[0], x, x), (12, 4, 4)),
}


def with_factor(code, factor):
    def backward(ctx, grad_output, x):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            return torch.autograd.grad(code(x), x, grad_output)[0] * factor

    return with_context(code, backward)


def examined(name, dtype, factor=1.0):
    code, shape = CODES[name]
    code = code if factor == 1.0 else with_factor(code, factor)
    return examine(Subject(code, {"x": numbers(*shape).to(dtype)}))


@pytest.mark.parametrize("dtype", SIXTEEN, ids=str)
@pytest.mark.parametrize("name", CODES)
def test_right_code_agrees(name, dtype):
    assert examined(name, dtype).outcome is AGREES


def limit_of(part):
    """The median of what would have been found, relative; two roundings of bfloat16 where nothing
    is rounded.
    """
    with np.errstate(all="ignore"):
        limits = part.verdicts.allowed / np.abs(part.verdicts.centre)
    return max(float(np.median(limits[np.isfinite(limits)])), 2.0**-7)


@pytest.mark.parametrize("dtype", SIXTEEN, ids=str)
@pytest.mark.parametrize("name", CODES)
def test_numbers_off_by_four_detection_limits_are_found(name, dtype):
    for part in examined(name, dtype).parts:
        wrong = part.restated(part.case.stated * (1 + 4 * limit_of(part)))
        assert wrong.outcome is DISAGREES


@pytest.mark.parametrize("dtype", SIXTEEN, ids=str)
@pytest.mark.parametrize("name", CODES)
def test_a_backward_off_by_four_detection_limits_is_found(name, dtype):
    factor = 1 + 4 * limit_of(examined(name, dtype)["x"])
    assert examined(name, dtype, factor)["x"].outcome is DISAGREES


@pytest.mark.parametrize(("factor", "outcome"), [(1.0, AGREES), (1.05, DISAGREES)])
@pytest.mark.parametrize("name", ["index", "take", "scatter_reduce"])
def test_under_vmap_as_well(name, factor, outcome):
    """There other operations are run: an index_put of a batch, a put for each row."""
    code, shape = CODES[name]

    def batched(x):
        return torch.func.vmap(code)(x)

    x = torch.stack([numbers(*shape), numbers(*shape) * 0.75]).bfloat16()
    reference = Reference(lambda x: torch.stack([code(row) for row in x.unbind()]))
    found = examine(Subject(with_factor(batched, factor), {"x": x}), reference)
    assert found.outcome is outcome
