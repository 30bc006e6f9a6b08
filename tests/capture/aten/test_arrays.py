"""Reductions, products of matrices and movement: each case at random shapes against torch's own
numbers.
"""

import random

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from tests.helpers.reading import agreeing_digits, deviations_off, largest_error, shared_out
from tests.helpers.torch_versions import marked
from verifier.capture.code_at_point import Subject
from verifier.capture.joint_graph import NotReadableError
from verifier.capture.lowering import rules
from verifier.judging.examination import Replayed
from verifier.judging.examine import examine
from verifier.program.evaluation.stochastic import DEVIATIONS

# torch warns of old names that are read all the same, and of its own when forward mode is first
# used.
pytestmark = pytest.mark.filterwarnings("ignore")

L = torch.linalg
MM = "use_mm_for_euclid_dist"


def drawn(spec, sizes, number, dtype=torch.float64):
    """A tensor of the shape that the letters of a spec have: `+ab` is positive, `~ab` is not
    contiguous.

    All entries differ by much more than rounding, so that no two of them are a tie by accident.
    """
    shape = [
        int(letter) if letter.isdigit() else sizes[letter] for letter in spec if letter not in "+~"
    ]
    count = torch.Size(shape).numel()
    generator = torch.Generator().manual_seed(number)
    values = (torch.randperm(count, generator=generator).double() + 0.3) / max(1, count) * 4 - 2
    values = values + 0.02 * torch.rand(count, generator=generator, dtype=torch.float64)
    values = (values.abs() + 0.5 if "+" in spec else values).reshape(shape).to(dtype)
    if "~" in spec and len(shape) > 1:
        return values.transpose(0, 1).contiguous().transpose(0, 1)
    return values


def tensors_of(case, seed, dtype=torch.float64):
    _, *specs = CASES[case]
    sizes = dict(zip("abcd", random.Random(f"{case}{seed}").sample([2, 3, 4, 5], 4), strict=True))  # noqa: S311
    return [drawn(spec, sizes, seed * 100 + place, dtype) for place, spec in enumerate(specs)]


REDUCTIONS = {
    "sum": (lambda x: x.sum(), "ab"),
    "sum of nothing": (lambda x: x.sum(), ""),
    "sum dim": (lambda x: x.sum(1), "abc"),
    "sum dims keepdim": (lambda x: x.sum((0, -1), keepdim=True), "abc"),
    "sum to a wider format": (lambda x: x.sum(0, dtype=torch.float64), "ab"),
    "mean": (lambda x: x.mean(), "~ab"),
    "mean dims": (lambda x: x.mean((0, 2)), "abc"),
    "nansum": (lambda x: x.nansum(1), "ab"),
    "nanmean": (lambda x: x.nanmean(1), "ab"),
    "var": (lambda x: x.var(), "ab"),
    "var dim": (lambda x: x.var(1, keepdim=True), "ab"),
    "var population": (lambda x: x.var((0, 2), correction=0), "abc"),
    "var correction 2": (lambda x: torch.var(x, dim=-1, correction=2), "a5"),
    "std": (lambda x: x.std(), "ab"),
    "std dim": (lambda x: x.std(0, correction=0), "~ab"),
    "var_mean": (lambda x: torch.var_mean(x, 1), "ab"),
    "std_mean": (lambda x: torch.std_mean(x, (0, 1), correction=0, keepdim=True), "abc"),
    "norm": (lambda x: x.norm(), "ab"),
    "norm 1": (lambda x: x.norm(p=1, dim=1), "ab"),
    "norm 2 keepdim": (lambda x: x.norm(dim=1, keepdim=True), "ab"),
    "norm 3": (lambda x: x.norm(p=3, dim=(0, 1)), "abc"),
    "norm half": (lambda x: x.norm(p=0.5, dim=1), "ab"),
    "norm inf": (lambda x: x.norm(p=float("inf"), dim=1), "ab"),
    "norm 0": (lambda x: x * x.norm(p=0, dim=1, keepdim=True), "ab"),
    "vector_norm": (lambda x: L.vector_norm(x), "ab"),
    "vector_norm dims": (lambda x: L.vector_norm(x, dim=(0, 2), keepdim=True), "abc"),
    "vector_norm 4": (lambda x: L.vector_norm(x, 4, dim=0), "ab"),
    "vector_norm 1.5": (lambda x: L.vector_norm(x, 1.5), "ab"),
    "vector_norm -1": (lambda x: L.vector_norm(x, -1, dim=0), "ab"),
    "vector_norm -inf": (lambda x: L.vector_norm(x, -float("inf"), dim=0), "ab"),
    "matrix_norm": (lambda x: L.matrix_norm(x), "abc"),
    "matrix_norm 1": (lambda x: L.matrix_norm(x, 1), "abc"),
    "matrix_norm inf": (lambda x: L.matrix_norm(x, float("inf")), "ab"),
    "matrix_norm -1": (lambda x: L.matrix_norm(x, -1, keepdim=True), "ab"),
    "normalize": (lambda x: F.normalize(x, dim=1), "ab"),
    "normalize 3": (lambda x: F.normalize(x, p=3.0, dim=0), "ab"),
    "prod": (lambda x: x.prod(), "ab"),
    "prod dim": (lambda x: x.prod(1), "abc"),
    "prod dim keepdim": (lambda x: x.prod(-1, keepdim=True), "ab"),
    "prod one zero": (lambda x: (x * torch.tensor([0.0, 1, 1], dtype=x.dtype)).prod(), "3"),
    "prod dim zeros": (
        lambda x: (x * torch.tensor([[0, 1, 1], [0, 0, 1], [1, 1, 1]], dtype=x.dtype)).prod(1),
        "33",
    ),
    "amax": (lambda x: x.amax(1), "ab"),
    "amax all": (lambda x: x.amax(), "abc"),
    "amax of nothing": (lambda x: x.amax(), ""),
    "amin dims": (lambda x: x.amin((0, -1), keepdim=True), "abc"),
    "aminmax": (lambda x: torch.aminmax(x, dim=1), "ab"),
    "aminmax all": (lambda x: tuple(torch.aminmax(x)), "ab"),
    "max": (lambda x: x.max(), "ab"),
    "max dim": (lambda x: x.max(1)[0], "abc"),
    "min": (lambda x: x.min(), "ab"),
    "min dim keepdim": (lambda x: x.min(-1, keepdim=True)[0], "ab"),
    "max index": (lambda x: x * (x.max(1)[1][:, None] + 1), "ab"),
    "argmax": (lambda x: x.exp()[x.argmax(0)], "ab"),
    "maximum of two": (lambda x, y: torch.maximum(x, y).sum(), "ab", "ab"),
    "median": (lambda x: x.median(), "ab"),
    "median dim": (lambda x: x.median(1)[0], "ab"),
    "nanmedian": (lambda x: x.nanmedian(0)[0], "ab"),
    "nanmedian all": (lambda x: x.nanmedian(), "ab"),
    "kthvalue": (lambda x: x.kthvalue(2, 1)[0], "ab"),
    "mode": (lambda x: x.mode(1)[0], "ab"),
    "quantile": (lambda x: x.quantile(0.3), "ab"),
    "quantile dim": (lambda x: x.quantile(torch.tensor([0.1, 0.6], dtype=x.dtype), dim=1), "ab"),
    "sort": (lambda x: x.sort(1)[0] ** 2, "ab"),
    "sort descending stable": (
        lambda x: torch.sort(x, dim=0, descending=True, stable=True)[0].exp(),
        "ab",
    ),
    "msort": (lambda x: x.msort().exp(), "ab"),
    "argsort": (lambda x: x.exp().gather(1, x.argsort(1)), "ab"),
    "topk": (lambda x: x.topk(2, 1)[0].exp(), "ab"),
    "topk smallest": (lambda x: x.topk(2, 0, largest=False)[0].exp(), "ab"),
    "unique": (lambda x: x[torch.unique(torch.tensor([1, 0, 1]))].exp(), "ab"),
    "cumsum": (lambda x: x.cumsum(1).exp(), "abc"),
    "cumsum of nothing": (lambda x: x.cumsum(0).exp(), ""),
    "cumprod": (lambda x: x.cumprod(1), "ab"),
    "cumprod zeros": (
        lambda x: (x * torch.tensor([[1.0, 0, 1, 0, 1]], dtype=x.dtype)).cumprod(1),
        "a5",
    ),
    "cummax": (lambda x: x.cummax(1)[0].exp(), "ab"),
    "cummin": (lambda x: x.cummin(0)[0].exp(), "ab"),
    "logcumsumexp": (lambda x: x.logcumsumexp(1), "ab"),
    "logsumexp": (lambda x: x.logsumexp(1), "ab"),
    "logsumexp dims": (lambda x: x.logsumexp((0, 2), keepdim=True), "abc"),
    "softmax": (lambda x: x.softmax(1), "abc"),
    "softmax of one number": (lambda x: x.softmax(0), ""),
    "softmax of a chain": (lambda x: (x * 3).softmax(0).log(), "ab"),
    "softmax to float": (lambda x: x.softmax(-1, dtype=torch.float64), "ab"),
    "log_softmax": (lambda x: x.log_softmax(1), "abc"),
    "log_softmax to float": (lambda x: x.log_softmax(-1, dtype=torch.float64), "ab"),
    "softmin": (lambda x: F.softmin(x, dim=0), "ab"),
    "masked softmax": (
        lambda x: x.masked_fill(torch.arange(x.shape[1]) == 1, float("-inf")).softmax(1),
        "ab",
    ),
    "safe_softmax": (lambda x: torch._safe_softmax(x, 1), "ab"),
    "count_nonzero": (lambda x: x * (x > 0).count_nonzero(), "ab"),
    "count": (lambda x: x * (x > 0).sum(1, keepdim=True), "ab"),
    "mean of a comparison": (lambda x: x * (x > 0).to(x.dtype).mean(), "ab"),
    "any all": (
        lambda x: torch.where((x > 0).any(1, keepdim=True) & (x > -9).all(), x, x * x),
        "ab",
    ),
    "diff": (lambda x: x.diff(dim=1).exp(), "ab"),
    "diff twice": (lambda x: x.diff(n=2, dim=0).exp(), "4b"),
    "gradient": (lambda x: torch.gradient(x, dim=0)[0].exp(), "5b"),
    "trapezoid": (lambda y, x: torch.trapezoid(y, x, dim=1), "ab", "ab"),
    "cumulative_trapezoid": (lambda y: torch.cumulative_trapezoid(y, dx=0.5, dim=0), "ab"),
    "trace": (lambda x: x.trace().exp(), "ab"),
    "renorm": (lambda x: x.renorm(2, 0, 1.5), "abc"),
    "renorm 1": (lambda x: x.renorm(1, 1, 2.0), "ab"),
    "dist": (lambda x, y: torch.dist(x, y), "ab", "ab"),
    "dist 3": (lambda x, y: torch.dist(x, y, 3), "ab", "b"),
    "cdist": (lambda x, y: torch.cdist(x, y), "ac", "bc"),
    "cdist by products": (lambda x, y: torch.cdist(x, y, compute_mode=MM), "dac", "dbc"),
    "cdist 1": (lambda x, y: torch.cdist(x, y, p=1.0), "ac", "bc"),
    "cdist 3": (lambda x, y: torch.cdist(x, y, p=3.0), "dac", "dbc"),
    "cdist 1.5": (lambda x, y: torch.cdist(x, y, p=1.5), "ac", "bc"),
    "cdist inf": (lambda x, y: torch.cdist(x, y, p=float("inf")), "ac", "bc"),
    "pdist": (lambda x: torch.pdist(x), "ab"),
    "pdist 1": (lambda x: torch.pdist(x, 1.0), "ab"),
    "pdist 3": (lambda x: torch.pdist(x, 3.0), "ab"),
    "pdist inf": (lambda x: torch.pdist(x, float("inf")), "ab"),
    "pairwise_distance": (lambda x, y: F.pairwise_distance(x, y), "ab", "ab"),
    "pairwise_distance 1": (lambda x, y: F.pairwise_distance(x, y, p=1, keepdim=True), "ab", "ab"),
    "cosine_similarity": (lambda x, y: F.cosine_similarity(x, y, dim=1), "ab", "ab"),
    "cosine_similarity broadcast": (lambda x, y: F.cosine_similarity(x, y, dim=-1), "acb", "b"),
    "cross": (lambda x, y: torch.cross(x, y, dim=1), "a3b", "a3b"),
    "linalg_cross": (lambda x, y: L.cross(x, y), "a3", "13"),
    "logaddexp of rows": (lambda x: torch.logaddexp(x[0], x[1]), "ab"),
    "histogram mean": (lambda x: x.view(-1).unflatten(0, (-1, 2)).mean(1).square(), "a4"),
}

MATRICES = {
    "mm": (lambda x, y: x @ y, "ab", "bc"),
    "mm not contiguous": (lambda x, y: x @ y, "~ab", "~bc"),
    "bmm": (torch.bmm, "abc", "acd"),
    "matmul broadcast": (torch.matmul, "abc", "cd"),
    "matmul batches": (torch.matmul, "2ab", "31bc"),
    "matmul vector": (torch.matmul, "ab", "b"),
    "matmul of vectors": (torch.matmul, "a", "a"),
    "baddbmm": (lambda b, x, y: torch.baddbmm(b, x, y, beta=0.5, alpha=2), "abd", "abc", "acd"),
    "baddbmm broadcast": (torch.baddbmm, "d", "abc", "acd"),
    "addbmm": (lambda b, x, y: torch.addbmm(b, x, y, beta=0.5, alpha=2), "bd", "abc", "acd"),
    "addmm": (lambda b, x, y: torch.addmm(b, x, y, beta=0.5, alpha=2), "c", "ab", "bc"),
    "addmm beta 0": (lambda b, x, y: torch.addmm(b, x, y, beta=0), "ac", "ab", "bc"),
    "addmv": (lambda b, x, y: torch.addmv(b, x, y, beta=0.5, alpha=2), "a", "ab", "b"),
    "mv": (torch.mv, "ab", "b"),
    "addr": (lambda b, x, y: torch.addr(b, x, y, beta=0.5, alpha=2), "ab", "a", "b"),
    "dot": (torch.dot, "a", "a"),
    "vdot": (torch.vdot, "a", "a"),
    "inner": (torch.inner, "ac", "bc"),
    "outer": (torch.outer, "a", "b"),
    "ger": (torch.ger, "a", "b"),
    "einsum": (lambda x, y: torch.einsum("ij,kj->ik", x, y), "ab", "cb"),
    "einsum batch": (lambda x, y, z: torch.einsum("bij,bjk,k->bi", x, y, z), "abc", "acd", "d"),
    "einsum diagonal": (lambda x: torch.einsum("ii->i", x).exp(), "aa"),
    "tensordot": (lambda x, y: torch.tensordot(x, y, 2), "abc", "bcd"),
    "kron": (torch.kron, "ab", "cd"),
    "bilinear": (F.bilinear, "ab", "ac", "dbc", "d"),
    "bilinear no bias": (F.bilinear, "2ab", "2ac", "dbc"),
    "linear": (F.linear, "ab", "cb", "c"),
    "linear of a vector": (F.linear, "b", "cb", "c"),
    "linear batch": (F.linear, "dab", "cb", "c"),
    "matrix_power": (lambda x: L.matrix_power(x, 3), "dd"),
    "matrix_power batch": (lambda x: L.matrix_power(x, 5), "bcc"),
    "multi_dot": (lambda x, y, z: L.multi_dot([x, y, z]), "ab", "bc", "cd"),
    "chain_matmul": (lambda x, y: torch.chain_matmul(x, y), "ab", "bc"),
    "vecdot": (lambda x, y: L.vecdot(x, y), "ab", "ab"),
    "vander": (lambda x: L.vander(x), "a"),
    "block_diag": (lambda x, y: torch.block_diag(x, y).exp(), "ab", "cd"),
    "cartesian_prod": (lambda x, y: torch.cartesian_prod(x, y).exp(), "a", "b"),
}  # fmt: skip


def spd(x):
    """A symmetric positive matrix."""
    return x @ x.mT + 2 * torch.eye(x.shape[-1], dtype=x.dtype)


SOLVERS = {
    "inverse": (lambda x: torch.inverse(x + 3 * torch.eye(3, dtype=x.dtype)), "33"),
    "inv batch": (lambda x: L.inv(x + 3 * torch.eye(2, dtype=x.dtype)), "a22"),
    "inv_ex": (lambda x: L.inv_ex(x + 3 * torch.eye(2, dtype=x.dtype))[0], "22"),
    "solve": (lambda x, y: L.solve(x + 3 * torch.eye(3, dtype=x.dtype), y), "33", "3b"),
    "solve vector": (lambda x, y: L.solve(x + 3 * torch.eye(3, dtype=x.dtype), y), "33", "3"),
    "solve from the right": (
        lambda x, y: L.solve(x + 3 * torch.eye(3, dtype=x.dtype), y, left=False),
        "33",
        "b3",
    ),
    "solve batch": (lambda x, y: L.solve(x + 3 * torch.eye(2, dtype=x.dtype), y), "a22", "a2b"),
    "det": (lambda x: L.det(x), "33"),
    "det batch": (lambda x: torch.det(x + torch.eye(4, dtype=x.dtype)), "a44"),
    "slogdet": (lambda x: L.slogdet(x)[1], "33"),
    "logdet": (lambda x: torch.logdet(spd(x)), "33"),
    "cholesky": (lambda x: L.cholesky(spd(x)), "33"),
    "cholesky upper": (lambda x: L.cholesky(spd(x), upper=True), "a22"),
    "cholesky old": (lambda x: torch.cholesky(spd(x)), "33"),
    "cholesky_solve": (lambda y, x: torch.cholesky_solve(y, L.cholesky(spd(x))), "3b", "33"),
    "cholesky_inverse": (lambda x: torch.cholesky_inverse(L.cholesky(spd(x))), "33"),
    "solve_triangular": (
        lambda x, y: L.solve_triangular(x + 3 * torch.eye(3, dtype=x.dtype), y, upper=True),
        "33",
        "3b",
    ),
    "solve_triangular lower unit": (
        lambda x, y: L.solve_triangular(x, y, upper=False, unitriangular=True),
        "33",
        "3b",
    ),
    "solve_triangular right": (
        lambda x, y: L.solve_triangular(
            x + 3 * torch.eye(3, dtype=x.dtype), y, upper=True, left=False
        ),
        "33",
        "b3",
    ),
    "triangular_solve": (
        lambda x, y: torch.triangular_solve(y, x + 3 * torch.eye(3, dtype=x.dtype), transpose=True)[
            0
        ],
        "33",
        "3b",
    ),
    "lu_factor": (lambda x: L.lu_factor(x + 3 * torch.eye(3, dtype=x.dtype))[0], "33"),
    "lu_solve": (
        lambda x, y: torch.lu_solve(y, *L.lu_factor(x + 3 * torch.eye(3, dtype=x.dtype))),
        "33",
        "3b",
    ),
    "tensorinv": (
        lambda x: L.tensorinv(
            x.reshape(2, 2, 4) + 3 * torch.eye(4, dtype=x.dtype).reshape(2, 2, 4)
        ),
        "44",
    ),
}


def written(*steps):
    """Code that changes 2*x in place by each step."""

    def code(x):
        y = 2 * x
        for step in steps:
            step(y)
        return y.sin()

    return code


def _fill_row(y):
    y[1] = y[0].clone() * y[1].clone()


def _scale_view(y):
    view = y[:, 1]
    view.mul_(3).add_(y[:, 0])


def _through_reshape(y):
    y.view(-1)[::2].mul_(y.view(-1)[0].clone())


IN_PLACE = {
    "column mul_": (written(lambda y: y[:, 1].mul_(3)), "ab"),
    "column set": (written(lambda y: y[:, 0].copy_(y[:, 1].clone() ** 2)), "ab"),
    "row set": (written(_fill_row), "ab"),
    "view chain": (written(_scale_view), "ab"),
    "through view": (written(_through_reshape), "ab"),
    "diagonal": (written(lambda y: y.diagonal().sub_(1)), "aa"),
    "transposed": (written(lambda y: y.t().mul_(torch.arange(y.shape[0], dtype=y.dtype))), "ab"),
    "as_strided": (written(lambda y: y.as_strided((2, 2), (1, 2)).add_(1)), "ab"),
    "boolean": (written(lambda y: y.__setitem__(y > 0, 0.5)), "ab"),
    "masked_fill_": (written(lambda y: y.masked_fill_(y > 0, 0.25)), "ab"),
    "index set": (written(lambda y: y.__setitem__([1, 0], y[:2] * 2)), "ab"),
    "zero_ and fill_": (written(lambda y: y[0].zero_(), lambda y: y[:, 0].fill_(0.5)), "ab"),
    "clamp_ of a slice": (written(lambda y: y[1:].clamp_(min=0.1)), "ab"),
    "index_add_": (written(lambda y: y.index_add_(0, torch.tensor([0, 0]), y[:2].clone())), "ab"),
    "scatter_": (written(lambda y: y.scatter_(1, torch.tensor([[0], [1]]), 0.3)), "ab"),
    "unbind": (written(lambda y: y.unbind(1)[1].exp_()), "ab"),
    "split": (written(lambda y: y.split(1, 0)[1].mul_(y.split(1, 0)[0])), "ab"),
    "expanded sum": (written(lambda y: y.add_(y.sum(0).expand_as(y))), "ab"),
    "unsqueezed": (written(lambda y: y.unsqueeze(0)[0, 1].pow_(2)), "ab"),
    "permuted slice": (written(lambda y: y.permute(2, 0, 1)[1:].mul_(0.5)), "abc"),
    "new buffer": (
        lambda x: torch.zeros_like(x).index_copy_(0, torch.tensor([1, 0]), x[:2] ** 2),
        "2b",
    ),
    "loop over columns": (
        written(*[lambda y, c=c: y[:, c].add_(y[:, c - 1].clone() ** 2) for c in (1, 2)]),
        "a3",
    ),
    "resized out": (lambda x: torch.stack([x[0], x[1]]).triu_().exp(), "ab"),
    "swap": (written(lambda y: y.copy_(y.flip(0))), "ab"),
}

INDEX = torch.tensor([1, 0, 1])

MOVEMENT = {
    "views": (
        lambda x: x.view(-1, 2).t().unsqueeze(1).permute(2, 0, 1).squeeze(-1).flatten().exp(),
        "4b",
    ),
    "as_strided": (lambda x: x.as_strided((2, 3), (1, 1), 1).exp(), "ab"),
    "as_strided_copy": (lambda x: torch.as_strided_copy(x, (2, 2), (2, 1)).exp(), "ab"),
    "as_strided_scatter": (
        lambda x, y: torch.as_strided_scatter(x, y, (2, 2), (2, 1), 0).exp(),
        "ab",
        "22",
    ),
    "index boolean": (lambda x: x[x > 0].exp(), "ab"),
    "index boolean row": (lambda x: x[torch.tensor([True, False])].exp(), "2b"),
    "index two": (lambda x: x[INDEX, torch.tensor([0, 1, 1])].exp(), "abc"),
    "index broadcast": (lambda x: x[INDEX[:, None], :, INDEX[:2]].exp(), "abc"),
    "index negative none": (lambda x: x[None, -1, ..., ::2].exp(), "abc"),
    "index_put": (lambda x, y: x.index_put((INDEX[:2],), y).exp(), "ab", "2b"),
    "index_put accumulate": (
        lambda x, y: x.index_put((INDEX,), y, accumulate=True).exp(),
        "ab",
        "3b",
    ),
    "index_put second": (
        lambda x, y: torch.ops.aten.index_put(x, [None, INDEX[:2]], y).exp(),
        "ab",
        "a2",
    ),
    "index_put boolean": (lambda x, y: x.index_put((x > 0,), y).exp(), "ab", ""),
    "index_put apart": (
        lambda x, y: torch.ops.aten.index_put(x, [INDEX[:2], None, INDEX[:2]], y, True).exp(),
        "abc",
        "2b",
    ),
    "index_add": (lambda x, y: x.index_add(0, INDEX, y).exp(), "ab", "3b"),
    "index_add alpha": (lambda x, y: x.index_add(1, INDEX, y, alpha=0.5).exp(), "ab", "a3"),
    "index_copy": (lambda x, y: x.index_copy(1, INDEX[:2], y).exp(), "ab", "a2"),
    "index_fill": (lambda x: x.index_fill(0, INDEX, 0.5).exp(), "ab"),
    "index_fill tensor": (lambda x, y: x.index_fill(1, INDEX, y).exp(), "ab", ""),
    "index_reduce prod": (lambda x, y: x.index_reduce(0, INDEX, y, "prod"), "ab", "3b"),
    "index_reduce mean": (lambda x, y: x.index_reduce(0, INDEX, y, "mean"), "ab", "3b"),
    "index_reduce amax": (
        lambda x, y: x.index_reduce(0, INDEX, y, "amax", include_self=False),
        "ab",
        "3b",
    ),
    "gather": (lambda x: x.gather(1, INDEX[None].expand(2, 3)).exp(), "ab"),
    "scatter": (lambda x, y: x.scatter(1, torch.tensor([[1], [0]]), y).exp(), "ab", "21"),
    "scatter value": (lambda x: x.scatter(0, torch.tensor([[1, 0]]), 0.5).exp(), "ab"),
    "scatter_add": (
        lambda x, y: x.scatter_add(0, torch.tensor([[1, 0], [1, 1]]), y).exp(),
        "ab",
        "22",
    ),
    "scatter_reduce sum": (lambda x, y: x.scatter_reduce(0, INDEX, y, "sum").exp(), "a", "3"),
    "scatter_reduce sum only": (
        lambda x, y: x.scatter_reduce(0, INDEX, y, "sum", include_self=False),
        "a",
        "3",
    ),
    "scatter_reduce mean": (lambda x, y: x.scatter_reduce(0, INDEX, y, "mean"), "a", "3"),
    "scatter_reduce mean only": (
        lambda x, y: x.scatter_reduce(0, INDEX, y, "mean", include_self=False),
        "a",
        "3",
    ),
    "scatter_reduce amax": (lambda x, y: x.scatter_reduce(0, INDEX, y, "amax").exp(), "a", "3"),
    "scatter_reduce amin only": (
        lambda x, y: x.scatter_reduce(0, INDEX, y, "amin", include_self=False),
        "a",
        "3",
    ),
    "scatter_reduce prod": (lambda x, y: x.scatter_reduce(0, INDEX, y, "prod"), "a", "3"),
    "scatter_reduce prod rows": (
        lambda x, y: x.scatter_reduce(
            1, torch.tensor([[0, 0], [1, 0]]), y, "prod", include_self=False
        ),
        "ab",
        "22",
    ),
    "masked_fill": (lambda x: x.masked_fill(x > 0, 0.5).exp(), "ab"),
    "masked_fill tensor": (
        lambda x, y: x.masked_fill(torch.tensor([True, False]), y).exp(),
        "a2",
        "",
    ),
    "masked_scatter": (lambda x, y: x.masked_scatter(x > 0, y).exp(), "ab", "ab"),
    "masked_select": (lambda x: x.masked_select(x > 0).exp(), "ab"),
    "take": (lambda x: x.take(torch.tensor([[0, 3], [3, 1]])).exp(), "ab"),
    "put": (lambda x, y: x.put(INDEX[:2], y).exp(), "ab", "2"),
    "put accumulate": (lambda x, y: x.put(INDEX, y, accumulate=True).exp(), "ab", "3"),
    "take_along_dim": (lambda x: torch.take_along_dim(x, x.argsort(0), 0).exp(), "ab"),
    "index_select": (lambda x: x.index_select(1, INDEX).exp(), "ab"),
    "where": (lambda x, y: torch.where(x > y, x * y, y), "ab", "b"),
    "repeat": (lambda x: x.repeat(2, 1, 3).exp(), "ab"),
    "tile": (lambda x: x.tile(2).exp(), "ab"),
    "repeat_interleave": (lambda x: x.repeat_interleave(2, dim=1).exp(), "ab"),
    "repeat_interleave counts": (
        lambda x: x.repeat_interleave(torch.tensor([2, 0, 1]), dim=0).exp(),
        "3b",
    ),
    "unfold": (lambda x: x.unfold(1, 2, 1).exp(), "ab"),
    "unfold steps": (lambda x: x.unfold(0, 3, 2).exp(), "5b"),
    "F.unfold": (lambda x: F.unfold(x, 2, stride=2, padding=1).exp(), "2bcd"),
    "F.unfold dilated": (lambda x: F.unfold(x, (2, 1), dilation=2, padding=1).exp(), "1b45"),
    "F.fold": (lambda x: F.fold(x, (3, 4), 2).exp(), "a46"),
    "F.fold padded": (lambda x: F.fold(x, (4, 4), 2, stride=2, padding=1).exp(), "89"),
    "tril": (lambda x: x.tril(-1).exp(), "ab"),
    "triu": (lambda x: x.triu(1).exp(), "cab"),
    "diag": (lambda x: x.diag().exp(), "ab"),
    "diag of a vector": (lambda x: x.diag(1).exp(), "a"),
    "diagonal": (lambda x: x.diagonal(1, 0, 2).exp(), "abc"),
    "diag_embed": (lambda x: torch.diag_embed(x, -1).exp(), "ab"),
    "diagflat": (lambda x: torch.diagflat(x).exp(), "ab"),
    "diagonal_scatter": (lambda x, y: torch.diagonal_scatter(x, y).exp(), "aa", "a"),
    "select_scatter": (lambda x, y: torch.select_scatter(x, y, 0, 1).exp(), "ab", "b"),
    "slice_scatter": (lambda x, y: torch.slice_scatter(x, y, 1, 0, 1).exp(), "ab", "a1"),
    "pad": (lambda x: F.pad(x, (1, 0, 2, 1)).exp(), "ab"),
    "pad value": (lambda x: F.pad(x, (1, 2), value=0.5).exp(), "ab"),
    "pad negative": (lambda x: F.pad(x, (-1, 2), value=0.5).exp(), "ab"),
    "pad reflect 1d": (lambda x: F.pad(x, (1, 1), mode="reflect").exp(), "abc"),
    "pad reflect 2d": (lambda x: F.pad(x, (1, 0, 1, 1), mode="reflect").exp(), "2abc"),
    "pad reflect 3d": (lambda x: F.pad(x, (1, 0, 1, 1, 0, 1), mode="reflect").exp(), "12abc"),
    "pad replicate 1d": (lambda x: F.pad(x, (2, 1), mode="replicate").exp(), "abc"),
    "pad replicate 2d": (lambda x: F.pad(x, (2, 1, 0, 3), mode="replicate").exp(), "2abc"),
    "pad replicate 3d": (lambda x: F.pad(x, (1, 1, 1, 0, 0, 1), mode="replicate").exp(), "12abc"),
    "pad circular": (lambda x: F.pad(x, (1, 1), mode="circular").exp(), "abc"),
    "pad circular 2d": (lambda x: F.pad(x, (1, 0, 0, 1), mode="circular").exp(), "2abc"),
    "roll": (lambda x: x.roll((1, -1), (0, 1)).exp(), "ab"),
    "roll flat": (lambda x: x.roll(2).exp(), "ab"),
    "flip": (lambda x: x.flip(0, 1).exp(), "ab"),
    "fliplr": (lambda x: torch.fliplr(x).exp(), "ab"),
    "rot90": (lambda x: x.rot90(1, (0, 2)).exp(), "abc"),
    "cat": (lambda x, y: torch.cat([x, y, x], 1).exp(), "ab", "ac"),
    "stack": (lambda x, y: torch.stack([x, y], -1).exp(), "ab", "ab"),
    "hstack": (lambda x, y: torch.hstack([x, y]).exp(), "ab", "ac"),
    "dstack": (lambda x, y: torch.dstack([x, y]).exp(), "ab", "ab"),
    "column_stack": (lambda x, y: torch.column_stack([x, y]).exp(), "a", "ab"),
    "split": (lambda x: [part.exp() for part in x.split([1, x.shape[0] - 1])], "ab"),
    "chunk": (lambda x: x.chunk(2, 1)[0].exp(), "ab"),
    "tensor_split": (lambda x: torch.tensor_split(x, 3, 1)[1].exp(), "a4"),
    "unbind": (lambda x: x.unbind(1)[1].exp(), "ab"),
    "unflatten": (lambda x: x.unflatten(1, (2, 2)).exp(), "a4"),
    "movedim": (lambda x: x.movedim(0, 2).exp(), "abc"),
    "meshgrid": (lambda x, y: torch.meshgrid(x, y, indexing="ij")[0] * y, "a", "b"),
    "combinations": (lambda x: torch.combinations(x, 2).exp(), "a"),
    "broadcast_tensors": (lambda x, y: torch.broadcast_tensors(x, y)[1].exp() * x, "ab", "b"),
    "expand": (lambda x: x.expand(3, -1, -1).exp(), "a1"),
    "swapaxes": (lambda x: x.swapaxes(0, 1).exp(), "abc"),
    "ravel": (lambda x: x.mT.ravel().exp(), "ab"),
    "narrow": (lambda x: x.narrow(1, 1, 1).exp(), "ab"),
    "to and fro": (lambda x: x.clone().contiguous().view_as(x).exp(), "~ab"),
    "embedding": (lambda w: F.embedding(torch.tensor([[0, 1], [1, 1]]), w).exp(), "ab"),
    "embedding padding": (
        lambda w: F.embedding(torch.tensor([0, 1, 1]), w, padding_idx=1).exp(),
        "ab",
    ),
    "embedding_bag sum": (
        lambda w: F.embedding_bag(torch.tensor([[0, 1], [1, 1]]), w, mode="sum").exp(),
        "ab",
    ),
    "embedding_bag mean": (
        lambda w: F.embedding_bag(INDEX, w, torch.tensor([0, 2]), mode="mean").exp(),
        "ab",
    ),
    "embedding_bag max": (
        lambda w: F.embedding_bag(torch.tensor([[0, 1], [1, 1]]), w, mode="max").exp(),
        "ab",
    ),
    "embedding_bag weights": (
        lambda w, s: F.embedding_bag(
            torch.tensor([[0, 1], [1, 1]]), w, mode="sum", per_sample_weights=s
        ).exp(),
        "ab",
        "22",
    ),
    "embedding_bag padding": (
        lambda w: F.embedding_bag(
            torch.tensor([[0, 1], [1, 0]]), w, mode="mean", padding_idx=1
        ).exp(),
        "ab",
    ),
    "one_hot": (lambda x: x * (torch.arange(3)[:, None] == torch.arange(3)).to(x.dtype), "33"),
    "pixel_shuffle": (lambda x: F.pixel_shuffle(x, 2).exp(), "14ab"),
    "pixel_unshuffle": (lambda x: F.pixel_unshuffle(x, 2).exp(), "1a24"),
    "channel_shuffle": (lambda x: F.channel_shuffle(x, 2).exp(), "14ab"),
    "empty": (lambda x: x[:0].sum() + x.sum(), "ab"),
    "constant closed over": (
        lambda x: x.gather(0, INDEX) * torch.tensor([1.5, 2, 3], dtype=x.dtype),
        "a",
    ),
}


def jvp(function):
    """The derivative along a direction, in forward mode."""
    return lambda x, v: torch.func.jvp(function, (x,), (v,))[1]


def grad(function):
    """The gradient of the sum, so that what is read holds a double backward."""
    return torch.func.grad(lambda x: function(x).sum())


def twice(function):
    """The gradient by `torch.autograd.grad` with a graph of its own."""

    def code(x):
        x = x if x.requires_grad else x.detach().requires_grad_()
        (first,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
        return first

    return code


HIGHER = {
    "vmap": (torch.func.vmap(lambda x: (x @ x).exp() * x.softmax(0)), "ab"),
    "vmap two": (torch.func.vmap(lambda x, y: torch.outer(x, y).sum(0), (0, 1)), "ab", "ca"),
    "vmap of grad": (torch.func.vmap(torch.func.grad(lambda x: x.prod() + x.logsumexp(0))), "ab"),
    "jacrev": (torch.func.jacrev(lambda x: x.softmax(0)), "a"),
    "jacfwd": (torch.func.jacfwd(lambda x: x.cumsum(0).exp()), "a"),
    "hessian": (torch.func.hessian(lambda x: x.square().sum().exp()), "2"),
    **{
        f"jvp {name}": (jvp(function), "ab", "ab")
        for name, function in {
            "softmax": lambda x: x.softmax(1),
            "log_softmax": lambda x: x.log_softmax(0),
            "var": lambda x: x.var(1),
            "logsumexp": lambda x: x.logsumexp(1),
            "norm": lambda x: x.norm(),
            "cumsum": lambda x: x.cumsum(0),
            "cumprod": lambda x: x.cumprod(1),
            "mm": lambda x: x @ x.t(),
            "index": lambda x: x[INDEX[:2]] ** 2,
            "amax": lambda x: x.amax(1) ** 2,
            "prod": lambda x: x.prod(1),
            "std": lambda x: x.std(1),
            "sort": lambda x: x.sort(1)[0] ** 2,
            "renorm": lambda x: x.renorm(2, 0, 1.5),
        }.items()
    },
    **{
        f"twice {name}": (twice(function), "ab")
        for name, function in {
            "softmax": lambda x: x.softmax(1) ** 2,
            "log_softmax": lambda x: x.log_softmax(1) ** 2,
            "var": lambda x: x.var(1) ** 2,
            "std": lambda x: x.std(1),
            "norm": lambda x: x.norm(dim=1),
            "norm 3": lambda x: x.norm(p=3, dim=1),
            "prod": lambda x: x.prod(1),
            "cumprod": lambda x: x.cumprod(1),
            "logsumexp": lambda x: x.logsumexp(1),
            "mm": lambda x: (x @ x.t()) ** 2,
            "sort": lambda x: x.sort(1)[0] ** 3,
            "amax": lambda x: x.amax(1) ** 3,
            "cdist": lambda x: torch.cdist(x, x.flip(0) + 3, compute_mode=MM) ** 2,
            "gather": lambda x: x.gather(1, INDEX[None]) ** 3,
            "index_put": lambda x: x.index_put((INDEX[:2],), x[0]) ** 3,
            "unfold": lambda x: x.unfold(1, 2, 1) ** 3,
            "pad": lambda x: F.pad(x[None], (1, 1), mode="reflect") ** 3,
            "logcumsumexp": lambda x: x.logcumsumexp(1),
            "take": lambda x: x.take(INDEX) ** 3,
            "renorm": lambda x: x.renorm(2, 0, 1.5),
            "cosine": lambda x: F.cosine_similarity(x, x.flip(0) + 1, dim=1),
        }.items()
    },
    **{
        f"grad {name}": (grad(function), "ab")
        for name, function in {
            "softmax": lambda x: x.softmax(1) ** 2,
            "var": lambda x: x.var(0) ** 2,
            "mm": lambda x: (x @ x.t()) ** 2,
            "index": lambda x: x[INDEX] ** 3,
            "cummax": lambda x: x.cummax(1)[0] ** 3,
        }.items()
    },
}

EDGES = {
    "max of nothing": (lambda x: x.max(0)[0], ""),
    "median of nothing": (lambda x: x.median(0)[0], ""),
    "sort 0d": (lambda x: x.sort(0)[0].exp(), ""),
    "topk 0d": (lambda x: x.topk(1)[0].exp(), ""),
    "cumprod 0d": (lambda x: x.cumprod(0), ""),
    "prod 0d": (lambda x: x.prod(0), ""),
    "logsumexp 0d": (lambda x: x.logsumexp(0), ""),
    "log_softmax 0d": (lambda x: x.log_softmax(0), ""),
    "norm 0d": (lambda x: x.norm(), ""),
    "vnorm 0d dim": (lambda x: L.vector_norm(x, dim=0), ""),
    "var 0d": (lambda x: x.var(correction=0), ""),
    "sum empty": (lambda x: x[:0].sum(0) + x.sum(0), "ab"),
    "mean dim of 1": (lambda x: x.mean(1), "a1"),
    "prod empty": (lambda x: x[:0].prod(0) * x[0], "ab"),
    "cumsum empty": (lambda x: x[:, :0].cumsum(1).sum() + x.sum(), "ab"),
    "cat empty": (lambda x: torch.cat([x, x[:0]]).exp(), "ab"),
    "mm empty inner": (lambda x, y: x[:, :0] @ y[:0] + x @ y, "ab", "bc"),
    "logsumexp empty": (lambda x: x.logsumexp(0), "ab"),
    "nansum nan": (
        lambda x: torch.where(torch.arange(x.shape[1]) == 1, float("nan"), x).nansum(1),
        "ab",
    ),
    "nanmean nan": (
        lambda x: torch.where(torch.arange(x.shape[1]) == 1, float("nan"), x).nanmean(1),
        "ab",
    ),
    "cumprod negdim": (lambda x: x.cumprod(-1), "ab"),
    "logcumsumexp -inf": (
        lambda x: x.masked_fill(torch.arange(x.shape[1]) == 0, -float("inf")).logcumsumexp(1)[
            :, 1:
        ],
        "ab",
    ),
    "norm1 zero": (lambda x: x.norm(p=1, dim=-1, keepdim=True), "ab"),
    "cdist batch bcast": (lambda x, y: torch.cdist(x, y), "2ac", "31bc"),
    "cdist 26": (lambda x, y: torch.cdist(x, y), "9c", "bc"),
    "cdist half": (lambda x, y: torch.cdist(x, y, p=0.5), "ac", "bc"),
    "pdist half": (lambda x: torch.pdist(x, 0.5), "ab"),
    "pdist 1.5": (lambda x: torch.pdist(x, 1.5), "ab"),
    "cdist 0": (lambda x, y: torch.cdist(x, y, p=0.0) * x.sum(), "ac", "bc"),
    "bool any axis": (lambda x: torch.where((x > 0).any(0), x, -x), "ab"),
    "bool movement": (
        lambda x: torch.where((x > 0).flip(0).t()[:2].repeat(2, 1), x[0, 0], x[1, 1]),
        "ab",
    ),
    "bool index": (lambda x: x[(x > 0) & (x < 1)].exp(), "ab"),
    "cumsum bool": (lambda x: x * (x > 0).cumsum(1), "ab"),
    "cumsum of comparison": (lambda x: x * (x > 0).cumsum(1, dtype=x.dtype), "ab"),
    "sum bool dtype": (lambda x: x * (x > 0).sum(1, keepdim=True, dtype=x.dtype), "ab"),
    "searchsorted": (lambda x: x * torch.searchsorted(x[0].sort()[0], x), "ab"),
    "bincount": (lambda x: x * torch.bincount((x > 0).long().view(-1), minlength=2)[0], "ab"),
    "item-like mask sum": (lambda x: (x * (x > 0)).sum() / (x > 0).sum(), "ab"),
    "index_put neg": (lambda x, y: x.index_put((torch.tensor([-1]),), y).exp(), "ab", "1b"),
    "scatter neg dim": (lambda x, y: x.scatter(-1, torch.tensor([[1], [0]]), y).exp(), "ab", "21"),
    "scatter_reduce src larger": (
        lambda x, y: x.scatter_reduce(0, INDEX[:1], y[:1], "prod"),
        "a",
        "3",
    ),
    "as_strided noncontig": (lambda x: x.t().as_strided((2, 2), (1, 2)).exp(), "ab"),
    "as_strided overlap": (lambda x: x.as_strided((3, 2), (1, 1)).exp(), "ab"),
    "expanded view": (lambda x: x.expand(3, -1).t().reshape(-1).exp(), "1b"),
    "flip view write": (
        written(lambda y: y.flip(0).mul_(2), lambda y: y[..., 0].unsqueeze(-1).mul_(3)),
        "ab",
    ),
    "swap views": (
        written(lambda y: y[0].add_(y[1].clone()), lambda y: y[1].sub_(y[0].clone())),
        "ab",
    ),
    "index_put_ mask": (written(lambda y: y.__setitem__(y < 0, -y[y < 0])), "ab"),
    "cumsum_": (written(lambda y: y.cumsum_(0)), "ab"),
    "cumprod_": (lambda x: (x * 2).cumprod_(1).sin(), "ab"),
    "addmm_": (lambda b, x, y: (b * 2).addmm_(x, y).sin(), "ac", "ab", "bc"),
    "out=": (lambda x: (torch.ones_like(x)).mul_(x).sub_(x.mean(0)).sin(), "ab"),
    "t_": (lambda x: (x * 2).t_().sin(), "ab"),
    "squeeze_": (lambda x: (x * 2).unsqueeze_(0).squeeze_(0).transpose_(0, 1).sin(), "ab"),
    "index_fill_": (written(lambda y: y.index_fill_(0, INDEX, 0.5), lambda y: y.tril_()), "ab"),
    "fill_diag": (written(lambda y: y.fill_diagonal_(0.5)), "aa"),
    "renorm_": (lambda x: (2 * x).renorm_(2, 0, 1.0).sin(), "ab"),
    "put_": (written(lambda y: y.put_(INDEX[:2], y.view(-1)[:2].clone() * 2)), "ab"),
    "scatter_add_": (
        written(lambda y: y.scatter_add_(0, torch.tensor([[1, 0]]), y[:1, :2].clone())),
        "ab",
    ),
    "scatter_reduce_": (
        written(
            lambda y: y.scatter_reduce_(
                0, torch.tensor([[1, 0]]), torch.full((1, 2), 0.3, dtype=y.dtype), "prod"
            )
        ),
        "ab",
    ),
    "det 1": (lambda x: L.det(x), "11"),
    "det 2": (lambda x: L.det(x), "22"),
    "inv sym": (lambda x: L.inv(spd(x)), "33"),
    "solve transposed": (
        lambda x, y: L.solve((x + 3 * torch.eye(3)).mT.contiguous().mT, y),
        "33",
        "3b",
    ),
    "solve sym": (lambda x, y: L.solve(spd(x), y), "33", "3b"),
    "lu": (lambda x: L.lu(x)[1:], "33"),
    "lu rect": (lambda x: L.lu(x)[1:], "43"),
    "lu wide": (lambda x: L.lu_factor(x)[0], "34"),
    "matrix_power -1": (lambda x: L.matrix_power(x + 3 * torch.eye(3), -1), "33"),
    "twice inv": (twice(lambda x: L.inv(x + 3 * torch.eye(3))), "33"),
    "twice solve": (twice(lambda x: L.solve(x + 3 * torch.eye(3), x)), "33"),
    "twice chol": (twice(lambda x: L.cholesky(spd(x))), "33"),
    "jvp solve": (jvp(lambda x: L.solve(x + 3 * torch.eye(3), x**2)), "33", "33"),
    "jvp chol": (jvp(lambda x: L.cholesky(spd(x))), "33", "33"),
    "jvp det": (jvp(lambda x: L.det(x)), "33", "33"),
    "vmap solve": (torch.func.vmap(lambda x, y: L.solve(x + 3 * torch.eye(2), y)), "a22", "a2"),
    "vmap index": (torch.func.vmap(lambda x: x[INDEX].cumsum(0)), "ab"),
    "vmap dot": (torch.func.vmap(torch.dot), "ab", "ab"),
    "vmap mv": (torch.func.vmap(torch.mv, (None, 0)), "ab", "cb"),
    "vmap scatter": (torch.func.vmap(lambda x: x.scatter(0, torch.tensor([1]), x[:1])), "ab"),
    "vmap in dims": (torch.func.vmap(lambda x: x.softmax(0).prod(), 1), "ab"),
    "jvp mv": (jvp(lambda x: x @ x[0]), "aa", "aa"),
    "jvp gather": (jvp(lambda x: x.gather(1, INDEX[None]) ** 2), "ab", "ab"),
    "jvp masked": (jvp(lambda x: x.masked_fill(x > 0, 0.5).tril().roll(1, 0) ** 2), "ab", "ab"),
    "jvp cummax": (jvp(lambda x: x.cummax(1)[0] ** 2), "ab", "ab"),
    "jvp logcumsumexp": (jvp(lambda x: x.logcumsumexp(1)), "ab", "ab"),
    "jvp max": (jvp(lambda x: x.max(1)[0] ** 2), "ab", "ab"),
    "jvp pad": (jvp(lambda x: F.pad(x[None], (1, 1), mode="reflect") ** 2), "ab", "ab"),
    "jvp embedding": (jvp(lambda x: F.embedding(INDEX, x) ** 2), "ab", "ab"),
    "jvp scatter_reduce": (
        jvp(lambda x: x.scatter_reduce(0, INDEX[None], x[:1], "sum") ** 2),
        "a3",
        "a3",
    ),
    "jvp cosine": (jvp(lambda x: F.cosine_similarity(x, x.flip(0) + 1, dim=1)), "ab", "ab"),
    "jvp cross": (jvp(lambda x: L.cross(x, x.flip(0) + 1)), "a3", "a3"),
    "embedding computed pad": (
        lambda w: F.embedding(torch.tensor([0, 1]), w, padding_idx=-1).exp(),
        "ab",
    ),
}
"""Scalars, nothing, broken numbers, comparisons as numbers, memory, and what stands on other
operations.
"""

CASES = {**REDUCTIONS, **MATRICES, **SOLVERS, **IN_PLACE, **MOVEMENT, **HIGHER, **EDGES}

ROUNDED = ("var", "var population", "var correction 2", "std", "std dim", "std_mean", "jvp std",
           "twice var", "grad var")  # fmt: skip
"""The backward multiplies by 2/(N - correction) rounded to float64: formulas agree to so many
digits only.
"""

# Its second backward takes the logarithm of what cancels to nothing: no exact value is known of it.
del CASES["twice logcumsumexp"]

WRONG = {
    "as_strided_scatter": (
        "torch keeps the gradient of what was overwritten, and drops that of the rest"
    ),
    "jvp det": (
        "the gradient of what forward mode gives takes the factors of the matrix for constants"
    ),
    "jvp solve": (
        "the gradient of what forward mode gives takes the factors of the matrix for constants"
    ),
}
"""Known defects of torch's own backward operations."""

ANOTHER_ALGORITHM = {
    "twice cumprod": (
        "eager torch divides by the factors where none is 0, a traced graph never does"
    ),
}
"""Cases in which the numbers that eager torch gives are not those of the graph that torch lets
itself be traced to.
"""


LATER = {
    "aminmax": ("2.12", "torch has no derivative of it"),
    "aminmax all": ("2.12", "torch has no derivative of it"),
    "trace": (
        "2.12",
        "torch's gradient of a matrix with more rows than columns was wrong",
    ),
}


def read_at(case, seed, dtype=torch.float64):
    return CASES[case][0], *tensors_of(case, seed, dtype)


@pytest.mark.parametrize("case", marked(sorted(CASES.keys() - WRONG.keys()), LATER))
def test_numbers_derivative_and_noise(case):
    """In float64: torch's numbers, the backward as the derivative of the forward, and how far
    rounding may go.
    """
    read = read_at(case, 1)
    assert largest_error(*read) < 1e-13
    assert case in ANOTHER_ALGORITHM or deviations_off(*read) <= DEVIATIONS
    assert agreeing_digits(*read) > (15 if case in ROUNDED else 30)


@pytest.mark.parametrize("case", WRONG)
def test_known_defects_are_still_there(case):
    assert agreeing_digits(*read_at(case, 1)) < 1


@pytest.mark.parametrize("case", ROUNDED)
def test_rounded_constants_are_still_there(case):
    assert agreeing_digits(*read_at(case, 1)) < 20


ABSENT = ("cdist", "pdist", "quantile", "vander")
"""What torch does not compute in 16 bits on a CPU, beside what solves equations."""
NARROW = [
    case
    for case in sorted(CASES.keys() - SOLVERS.keys() - EDGES.keys())
    if not case.startswith(ABSENT)
]


JUDGED = sorted(CASES.keys() - EDGES.keys() - WRONG.keys() - ANOTHER_ALGORITHM.keys())
DTYPES = (torch.float32, torch.bfloat16, torch.float16)


@pytest.mark.sweep(one_in=4)
@pytest.mark.parametrize(("case", "dtype"), shared_out(JUDGED, DTYPES), ids=str)
def test_rounding_explains_the_numbers(case, dtype):
    dtype = dtype if case in NARROW else torch.float32
    assert deviations_off(*read_at(case, 3, dtype)) <= DEVIATIONS


@pytest.mark.parametrize("case", ANOTHER_ALGORITHM)
def test_another_algorithm_is_still_another(case):
    assert (
        max(deviations_off(*read_at(case, seed, torch.float32)) for seed in (1, 2, 3)) > DEVIATIONS
    )


MATRICES = {
    "inverse": L.inv,
    "determinant": L.det,
    "logarithm": lambda x: L.slogdet(x)[1],
    "solution": lambda x: L.solve(x, x),
    "factors": lambda x: L.lu(x)[2],
    "root": L.cholesky,
    "solution by root": lambda x: torch.cholesky_solve(x, x),
    "inverse by root": torch.cholesky_inverse,
}


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("shape", [(0, 0), (2, 0, 0), (0, 2, 2)])
def test_matrices_without_numbers(name, shape):
    x = torch.empty(shape, dtype=torch.float64)
    assert largest_error(MATRICES[name], x) == 0


NOTHING = {
    "softmax": (lambda x: x.softmax(2), (5, 0, 0)),
    "log_softmax": (lambda x: x.log_softmax(0), (0, 3)),
    "logsumexp": (lambda x: x.logsumexp(1), (5, 0)),
    "variance": (lambda x: x.var(1), (0, 5)),
    "largest": (lambda x: x.amax(1), (0, 3)),
    "product": (lambda x: x.prod(1), (3, 0)),
    "convolution": (lambda x: F.conv1d(x, torch.ones(1, 1, 2, dtype=x.dtype)), (0, 1, 4)),
    "pooling": (lambda x: F.max_pool1d(x, 2), (0, 1, 4)),
    "layer norm": (lambda x: F.layer_norm(x, (0,)), (3, 0)),
    "rms norm": (lambda x: F.rms_norm(x, (0,)), (3, 0)),
    "beside numbers": (lambda x: torch.cat([x, x.new_ones(2)]).sum() + x.sum(), (0,)),
    "matrix product": (lambda x: x @ x.T, (3, 0)),
}


@pytest.mark.parametrize("name", NOTHING)
def test_operations_on_nothing(name):
    """Tensors without elements: what comes out depends on no number."""
    code, shape = NOTHING[name]
    x = torch.empty(shape, dtype=torch.float64)
    examination = examine(Subject(code, {"x": x}))
    assert isinstance(examination.formula, Replayed)
    outcomes = {part.name: part.outcome.value for part in examination.parts}
    expected = "undecided" if name == "logsumexp" else "agrees"
    assert outcomes == {"value": expected, "x": "agrees"}


def test_a_missing_number_of_nothing_is_undecided():
    examination = examine(Subject(torch.mean, {"x": torch.empty(0, dtype=torch.float64)}))
    assert examination["value"].outcome.value == "undecided"


def test_what_takes_no_derivative_is_named():
    no_rule = {
        "linalg_cholesky_ex": (
            "a matrix that is not symmetric, since its backward takes it for symmetric",
            lambda x: L.cholesky(spd(x).tril()),
        ),
        "embedding_dense_backward": (
            "scale_grad_by_freq, which gives no derivative",
            lambda x: F.embedding(INDEX, x, scale_grad_by_freq=True),
        ),
    }
    cases = {f"aten::{name} has no rule for {why}": code for name, (why, code) in no_rule.items()}
    for sentence, code in cases.items():
        with pytest.raises(NotReadableError) as error:
            agreeing_digits(code, drawn("33", {}, 1))
        assert str(error.value) == sentence


def test_a_wrong_rule_is_found(monkeypatch):
    def without_the_last(low, self, dim, actual):
        return low.moved(lambda self: self.narrow(dim, 0, 1).expand(self.shape), {"self": self})

    monkeypatch.setitem(rules(), "cumsum", without_the_last)
    assert largest_error(*read_at("cumsum", 1)) > 0.01
    assert agreeing_digits(*read_at("cumsum", 1)) < 1
    assert deviations_off(*read_at("cumsum", 1, torch.float32)) > 1000
