"""Cases: small functions on tensors with the points at which they are tried, drawn by seed.

They are what `verifier selftest` plants errors in; a case with a formula can also be judged where
its code has no graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from verifier.capture.code_at_point import Subject
from verifier.formula.text.parser import read_text
from verifier.judging.reference import Formula
from verifier.program.builder import FormulaBuilder
from verifier.program.guards import guarded
from verifier.program.lift import REDUCTIONS

FunctionContext: TypeAlias = Any
"""What torch hands to an `autograd.Function`, which keeps whatever it likes in it."""

DTYPES = ("float64", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class RandomTensor:
    """A tensor of numbers drawn evenly between two."""

    shape: tuple[int, ...] = ()
    low: float = -2.0
    high: float = 2.0


@dataclass(frozen=True)
class Case:
    """A function on tensors."""

    name: str
    code: Callable[..., Tensor]
    """Takes the inputs in order."""
    inputs: Mapping[str, RandomTensor]
    text: str = ""
    """Its formula, element by element; none where it is no such function."""
    reduction: str = "none"
    """What is done with the formula's elements: none, sum or mean."""

    @property
    def formula(self) -> Formula | None:
        """The formula, read; None where there is none."""
        if not self.text:
            return None
        builder = FormulaBuilder()
        symbols = {name: builder.input(name) for name in self.inputs}
        program = builder.program(read_text(self.text, builder, symbols))
        return Formula(guarded(program), REDUCTIONS[self.reduction])

    def at(self, dtype: str, seed: int = 0) -> dict[str, Tensor]:
        """The inputs in that `dtype`; another `seed` is another point.

        >>> CASES[0].at("float32")["x"].dtype
        torch.float32
        """
        generator = np.random.default_rng([seed, *self.name.encode()])
        return {
            name: torch.tensor(generator.uniform(drawn.low, drawn.high, drawn.shape)).to(
                getattr(torch, dtype)
            )
            for name, drawn in self.inputs.items()
        }

    def subject(self, code: Callable[..., Tensor], dtype: str, seed: int = 0) -> Subject:
        """`code` in place of the case's own, at the point of that `dtype` and `seed`."""
        return Subject(code, self.at(dtype, seed))


_ROW = RandomTensor((6,))
_COLUMNS = {
    "x": RandomTensor((8,)),
    "y": RandomTensor((8,)),
    "w": RandomTensor(),
    "b": RandomTensor(),
}


def _network(x: Tensor, first: Tensor, bias: Tensor, second: Tensor) -> Tensor:
    return (x @ first + bias).tanh() @ second


def _rectified(x: Tensor, first: Tensor, bias: Tensor, second: Tensor) -> Tensor:
    return torch.relu(x @ first + bias) @ second


def _attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return torch.softmax(q @ k.transpose(-1, -2) / 2.0, -1) @ v


def _normalised(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 0.125).sqrt() * scale + shift


def _recurrent(h: Tensor, x: Tensor, w: Tensor, u: Tensor) -> Tensor:
    for step in x.unbind():
        h = (w @ h + u @ step).tanh()
    return h


def _cross_entropy(x: Tensor) -> Tensor:
    rows = torch.arange(x.shape[0])
    return -torch.log_softmax(x, -1)[rows, rows % x.shape[1]].mean()


def _huber(x: Tensor, y: Tensor, w: Tensor, b: Tensor) -> Tensor:
    apart = w * x + b - y
    return torch.where(apart.abs() < 1.0, apart * apart / 2, apart.abs() - 0.5).mean()


CASES = (
    Case("tanh", torch.tanh, {"x": _ROW}, "tanh(x)"),
    Case("bump", lambda x: x * torch.exp(-x * x), {"x": RandomTensor((2, 3))}, "x*exp(-x**2)"),
    Case("rational", lambda x, y: x / (1 + y * y), {"x": _ROW, "y": _ROW}, "x/(1 + y**2)"),
    Case("softplus", lambda x: torch.log(1 + torch.exp(x)), {"x": _ROW}, "log(1 + exp(x))"),
    Case(
        "leaky",
        lambda x: torch.where(x > 0, x, 0.125 * x),
        {"x": RandomTensor((3, 3))},
        "where(x > 0, x, x/8)",
    ),
    Case(
        "wave",
        lambda t, a, k: a * torch.sin(3 * t) * torch.exp(-k * t),
        {"t": RandomTensor((6,), 0.0, 2.0), "a": RandomTensor(), "k": RandomTensor((), 0.2, 1.0)},
        "a*sin(3*t)*exp(-k*t)",
    ),
    Case(
        "length",
        lambda x, y: torch.sqrt(x * x + y * y),
        {"x": _ROW, "y": _ROW},
        "sqrt(x**2 + y**2)",
    ),
    Case(
        "squared error",
        lambda x, y, w, b: (w * x + b - y).square().mean(),
        _COLUMNS,
        "(w*x + b - y)**2",
        "mean",
    ),
    Case(
        "huber",
        _huber,
        _COLUMNS,
        "where(abs(w*x + b - y) < 1, (w*x + b - y)**2/2, abs(w*x + b - y) - 1/2)",
        "mean",
    ),
    Case(
        "logistic",
        lambda x, y, w, b: (torch.log1p(torch.exp(-(w * x + b))) + (1 - y) * (w * x + b)).sum(),
        {**_COLUMNS, "y": RandomTensor((8,), 0.0, 1.0)},
        "log(1 + exp(-(w*x + b))) + (1 - y)*(w*x + b)",
        "sum",
    ),
    Case(
        "tanh network",
        _network,
        {
            "x": RandomTensor((4, 3)),
            "first": RandomTensor((3, 3)),
            "bias": RandomTensor((3,)),
            "second": RandomTensor((3, 2)),
        },
    ),
    Case(
        "relu network",
        _rectified,
        {
            "x": RandomTensor((4, 3)),
            "first": RandomTensor((3, 3)),
            "bias": RandomTensor((3,)),
            "second": RandomTensor((3, 2)),
        },
    ),
    Case("attention", _attention, {name: RandomTensor((3, 4)) for name in ("q", "k", "v")}),
    Case(
        "layer norm",
        _normalised,
        {"x": RandomTensor((3, 4)), "scale": RandomTensor((4,)), "shift": RandomTensor((4,))},
    ),
    Case(
        "recurrence",
        _recurrent,
        {
            "h": RandomTensor((3,)),
            "x": RandomTensor((4, 2)),
            "w": RandomTensor((3, 3), -1.0, 1.0),
            "u": RandomTensor((3, 2)),
        },
    ),
    Case("cross-entropy", _cross_entropy, {"x": RandomTensor((4, 3), -4.0, 4.0)}),
)
"""Elementwise functions, losses and small networks."""


def case_named(name: str) -> Case:
    """The case of that `name`. Raises StopIteration where there is none."""
    return next(case for case in CASES if case.name == name)
