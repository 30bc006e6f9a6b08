"""Modules as libraries have them: they check their arguments, stop early, draw at random, take
gradients inside. Each takes `off`, by which a backward in it is wrong.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


class Off(torch.autograd.Function):
    """The identity, whose backward is off by a part."""

    @staticmethod
    def forward(ctx, x, off):
        ctx.off = off
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        return g * (1 + ctx.off), None


class Kumaraswamy(nn.Module):
    """A distribution that checks its arguments."""

    def __init__(self, off=0.0):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(1.5)), nn.Parameter(torch.tensor(0.75))
        self.off = off

    def forward(self, x):
        if not bool((self.a > 0).all()) or (self.b <= 0).any().item():
            raise ValueError("a and b must be positive")
        if x.min() < 0 or x.max() > 1:
            raise ValueError("outside the support")
        tail = Off.apply(torch.log1p(-(x**self.a)), self.off)
        return (self.a * self.b).log() + (self.a - 1) * x.log() + (self.b - 1) * tail


class Spline(nn.Module):
    """A flow of rational quadratic pieces with linear tails."""

    def __init__(self, bins=4, bound=1.5, off=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.widths, self.heights = nn.Parameter(torch.randn(bins)), nn.Parameter(torch.randn(bins))
        self.slopes = nn.Parameter(torch.randn(bins + 1))
        self.bound, self.off = bound, off

    def forward(self, x):
        inside = (x > -self.bound) & (x < self.bound)
        y, logdet = x.clone(), torch.zeros_like(x)
        if inside.any():
            y[inside], logdet[inside] = self.pieces(x[inside])
        return y, logdet.sum()

    def edges(self, sizes):
        shares = 0.01 + (1 - 0.01 * len(sizes)) * F.softmax(sizes, 0)
        return F.pad(torch.cumsum(shares, 0), (1, 0)) * 2 * self.bound - self.bound

    def pieces(self, x):
        across, up = self.edges(self.widths), self.edges(self.heights)
        slopes = 0.01 + F.softplus(self.slopes)
        k = (torch.searchsorted(across.detach(), x) - 1).clamp(0, len(self.widths) - 1)
        width, height = (across[1:] - across[:-1])[k], (up[1:] - up[:-1])[k]
        s, first, last = height / width, slopes[k], slopes[k + 1]
        t = Off.apply((x - across[k]) / width, self.off)
        below = s + (first + last - 2 * s) * t * (1 - t)
        y = up[k] + height * (s * t**2 + first * t * (1 - t)) / below
        slope = s**2 * (last * t**2 + 2 * s * t * (1 - t) + first * (1 - t) ** 2) / below**2
        assert (slope > 0).all()
        return y, slope.log()


class Solver(nn.Module):
    """An ODE solver whose steps become smaller where it is not precise enough."""

    def __init__(self, tolerance=1e-3, off=0.0):
        super().__init__()
        self.k = nn.Parameter(torch.tensor([0.5, 1.0, 2.0]))
        self.tolerance, self.off = tolerance, off

    def slope(self, y):
        return torch.sin(y) - self.k * y

    def forward(self, y):
        t, step = 0.0, 0.25
        while t < 1.0:
            step = min(step, 1.0 - t)
            first = self.slope(y)
            second = self.slope(y + step * first)
            error = step * (second - first).abs().max() / 2
            if error < self.tolerance:
                t, y = t + step, y + Off.apply(step * (first + second) / 2, self.off)
            step = 0.5 * step if error > self.tolerance else 1.5 * step
        return y


class Experts(nn.Module):
    """A mixture in which each row goes to the two experts that its gate prefers."""

    def __init__(self, dim=3, count=3, off=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.gate = nn.Linear(dim, count)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(count))
        self.off = off

    def forward(self, x):
        logits = self.gate(x)
        top, index = logits.topk(2, -1)
        weights = torch.softmax(Off.apply(top, self.off), -1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            rows, slots = (index == number).nonzero(as_tuple=True)
            if rows.numel():
                out.index_add_(0, rows, weights[rows, slots, None] * expert(x[rows]).tanh())
        load = torch.bincount(index.reshape(-1), minlength=len(self.experts)).to(x.dtype)
        return {"out": out, "balance": (load / load.sum() * logits.softmax(-1).mean(0)).sum()}


class Quantiser(nn.Module):
    """The nearest code of a book, without a straight-through path."""

    def __init__(self, codes=5, dim=3, off=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.book, self.off = nn.Embedding(codes, dim), off

    def forward(self, z):
        index = torch.cdist(z, self.book.weight).argmin(-1)
        loss = F.mse_loss(Off.apply(self.book(index), self.off), z)
        return loss, index, len(torch.unique(index))


class Penalty(nn.Module):
    """A gradient penalty at random points between real and fake ones."""

    def __init__(self, off=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        self.off = off

    def forward(self, real):
        share = torch.rand(real.shape[0], 1, dtype=real.dtype)
        mixed = share * real + (1 - share) * real.flip(0)
        score = self.net(mixed)
        (slope,) = torch.autograd.grad(score.sum(), mixed, create_graph=True)
        return ((Off.apply(slope, self.off).norm(2, 1) - 1) ** 2).mean()


class Discrete(nn.Module):
    """A layer behind a Gumbel softmax."""

    def __init__(self, hard=True, off=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.logits, self.values = nn.Linear(3, 4), nn.Linear(4, 2)
        self.hard, self.off = hard, off

    def forward(self, x):
        return self.values(F.gumbel_softmax(Off.apply(self.logits(x), self.off), 0.5, self.hard))


class Block(nn.Module):
    """A transformer block with dropout."""

    def __init__(self, dim=4, heads=2, share=0.25, off=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.before, self.after = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.wide = nn.Sequential(
            nn.Linear(dim, 6), nn.GELU(), nn.Dropout(share), nn.Linear(6, dim)
        )
        self.heads, self.share, self.off = heads, share, off

    def forward(self, x):
        batch, length, dim = x.shape
        parts = self.qkv(self.before(x)).view(batch, length, 3, self.heads, -1)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        share = self.share if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=share, is_causal=True)
        y = Off.apply(y.transpose(1, 2).reshape(batch, length, dim), self.off)
        x = x + F.dropout(self.out(y), self.share, self.training)
        return x + self.wide(self.after(x))


class Process(nn.Module):
    """The likelihood of a Gaussian process, with more on the diagonal until it has a factor."""

    def __init__(self, off=0.0):
        super().__init__()
        self.length, self.noise = nn.Parameter(torch.tensor(0.3)), nn.Parameter(torch.tensor(-1.0))
        self.off = off

    def forward(self, x):
        eye = torch.eye(len(x), dtype=x.dtype)
        apart = (x[:, None] - x[None]) / F.softplus(self.length)
        kernel = torch.exp(-0.5 * apart**2) + eye * F.softplus(self.noise)
        more = 0.0
        factor, failed = torch.linalg.cholesky_ex(kernel)
        while failed.any():
            more = 10 * more or 1e-6
            factor, failed = torch.linalg.cholesky_ex(kernel + more * eye)
        factor = Off.apply(factor, self.off)
        solved = torch.cholesky_solve(x.sin()[:, None], factor)
        half = 0.5 * x.sin() @ solved[:, 0] + factor.diagonal().log().sum()
        return half + 0.5 * len(x) * math.log(2 * math.pi)


class Spectral(nn.Module):
    """A convolution whose largest singular value is held at 1, in training mode."""

    def __init__(self, off=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.utils.parametrizations.spectral_norm(nn.Conv2d(1, 2, 2))
        self.off = off

    def forward(self, x):
        return Off.apply(self.conv(x), self.off).tanh()


class Tied(nn.Module):
    """Two layers with one weight, the second of which is computed again in the backward."""

    def __init__(self, off=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])
        self.layers[1].weight = self.layers[0].weight
        self.off = off

    def forward(self, x):
        for one, other in pairwise([*self.layers, self.layers[0]]):
            again = torch.utils.checkpoint.checkpoint
            x = again(lambda y, one=one, other=other: other(one(y).tanh()), x, use_reentrant=False)
        return Off.apply(x, self.off)


SHAPES = {
    Kumaraswamy: (4,),
    Spline: (6,),
    Solver: (3,),
    Experts: (4, 3),
    Quantiser: (4, 3),
    Penalty: (3, 3),
    Discrete: (2, 3),
    Block: (1, 3, 4),
    Process: (4,),
    Spectral: (1, 1, 3, 3),
    Tied: (2, 3),
}
"""Each with the shape of its input."""
