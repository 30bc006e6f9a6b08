"""Backward rules that were wrong in released code (`../shared/data/wrong_backwards.json`), each
beside the right one.

Each is an autograd.Function with the forward of torch, a wrong backward and the corrected one.
"""

from dataclasses import dataclass, field
from typing import Any

import torch

from tests.helpers.own_backward import function
from verifier.checking.inputs import between


@dataclass(frozen=True)
class Planted:
    forward: Any
    wrong: Any
    right: Any
    inputs: dict
    causes: tuple[str, ...]
    """Names of which one must be given."""
    settings: dict = field(default_factory=dict)


def softplus(x, beta=3.0, threshold=1.0):
    return torch.where(x * beta > threshold, x, torch.log1p(torch.exp(beta * x)) / beta)


def softplus_backward(compared):
    def backward(g, x):
        slope = torch.sigmoid(3.0 * x)
        return g * torch.where(compared(x) > 1.0, torch.ones_like(slope), slope)

    return backward


def others(x):
    """The product of the other elements of each row."""
    rows = [torch.cat([x[:place], x[place + 1 :]]).prod() for place in range(len(x))]
    return torch.stack(rows)


def sinc(x):
    scaled = torch.pi * x
    return torch.where(
        x == 0,
        torch.ones_like(x),
        torch.sin(scaled) / torch.where(x == 0, torch.ones_like(x), scaled),
    )


def sinc_slope(x):
    scaled = torch.pi * x
    return (scaled * torch.cos(scaled) - torch.sin(scaled)) / (torch.pi * x * x)


class Overwrites(torch.autograd.Function):
    """softmax whose kernel leaves its result in its input's memory."""

    @staticmethod
    def forward(ctx, x):
        result = torch.softmax(x.detach(), -1)
        x.data.copy_(result)
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx, g):
        (result,) = ctx.saved_tensors
        return result * (g - (g * result).sum(-1, keepdim=True))


class KeepsItsInput(Overwrites):
    @staticmethod
    def forward(ctx, x):
        result = torch.softmax(x, -1)
        ctx.save_for_backward(result)
        return result


class _PairBackward(torch.autograd.Function):
    """The backward of a pair (x**2 * y, x * y**2), whose own backward takes the wrong grad."""

    wrong = True

    @staticmethod
    def forward(ctx, g, h, x, y):
        ctx.save_for_backward(g, h, x, y)
        return g * 2 * x * y + h * y * y, g * x * x + h * 2 * x * y

    @classmethod
    def rule(cls, u, v, g, h, x, y):
        u_ = v if cls.wrong else u
        return (
            u * 2 * x * y + v * x * x,
            u * y * y + v * 2 * x * y,
            u_ * (g * 2 * y) + v * (g * 2 * x + h * 2 * y),
            u * (g * 2 * x + h * 2 * y) + v * (h * 2 * x),
        )

    @classmethod
    def backward(cls, ctx, u, v):
        return _PairBackward.rule(u, v, *ctx.saved_tensors)


class _RightPairBackward(_PairBackward):
    @staticmethod
    def backward(ctx, u, v):
        return _RightPairBackward.rule(u, v, *ctx.saved_tensors)

    wrong = False


def pair(rule):
    def backward(g, h, x, y):
        return rule.apply(g, h, x, y)

    return function(lambda x, y: (x * x * y, x * y * y), backward)


PLANTED = {
    "mut_hardsigmoid": Planted(
        lambda x: torch.nn.functional.relu6(x + 3) / 6,
        lambda g, x: g / 6,
        lambda g, x: torch.where((x > -3) & (x < 3), g / 6, torch.zeros_like(g)),
        {"x": between(-6, 6, shape=(8,))},
        ("wrong branch",),
    ),
    "mut_softplus_threshold": Planted(
        softplus,
        softplus_backward(lambda x: softplus(x) * 3.0),
        softplus_backward(lambda x: x * 3.0),
        {"x": between(-1, 1, shape=(8,))},
        ("wrong branch",),
    ),
    "mut_prod_zero": Planted(
        torch.prod,
        lambda g, x: g * x.prod() / x,
        lambda g, x: g * others(x),
        {"x": between(-2, 2, shape=(4,))},
        ("not finite",),
    ),
    "mut_pow_exp": Planted(
        lambda a, b: a**b,
        lambda g, a, b: (g * b * a ** (b - 1), g * a**b * torch.log(a)),
        lambda g, a, b: (
            g * b * a ** (b - 1),
            g
            * torch.where(
                a == 0,
                torch.zeros_like(a),
                a**b * torch.log(torch.where(a == 0, torch.ones_like(a), a)),
            ),
        ),
        {"a": torch.tensor([0.0, 0.5, 2.0]), "b": torch.tensor([1.0, 1.5, 2.0])},
        ("not finite",),
    ),
    "mut_sinc0": Planted(
        sinc,
        lambda g, x: g * sinc_slope(x),
        lambda g, x: (
            g
            * torch.where(
                x == 0, torch.zeros_like(x), sinc_slope(torch.where(x == 0, torch.ones_like(x), x))
            )
        ),
        {"x": torch.tensor([0.0, 0.5, -1.25])},
        ("not finite",),
    ),
    "mut_logsigmoid0": Planted(
        torch.nn.functional.logsigmoid,
        lambda g, x: (
            g
            * torch.where(
                x > 0,
                1 - torch.sigmoid(x),
                torch.where(x < 0, torch.sigmoid(-x), torch.zeros_like(x)),
            )
        ),
        lambda g, x: g * torch.sigmoid(-x),
        {"x": between(-2, 2, shape=(6,))},
        ("zeroed", "path detached", "kink convention"),
    ),
    "mut_bias_mean": Planted(
        lambda x, b: x + b,
        lambda g, x, b: (g, g.mean(0)),
        lambda g, x, b: (g, g.sum(0)),
        {"x": between(-1, 1, shape=(4, 3)), "b": between(-1, 1, shape=(3,))},
        ("mean for sum",),
    ),
}
"""By the id of the collection; the two others are Functions of their own."""
