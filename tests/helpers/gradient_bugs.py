"""The cases of `data/gradient_bugs.json` as targets: their code is run with these names."""

import inspect
import json
from dataclasses import dataclass
from math import inf, nan, pi
from pathlib import Path
from typing import Any

import torch

import verifier

CASES = json.loads(
    (Path(__file__).parents[1] / "data/gradient_bugs.json").read_text(encoding="utf-8")
)["cases"]


@dataclass(frozen=True)
class Bug:
    """Code at a point, whose gradient is asked for, or its second derivative."""

    code: Any
    tensors: tuple[torch.Tensor, ...]
    second: bool = False

    def __getitem__(self, place):
        """Of several gradients one is shown in the collection; all are judged here."""
        return self

    def checked(self, **given):
        try:
            names = list(inspect.signature(self.code).parameters)
        except ValueError:
            names = [f"x{place}" for place in range(len(self.tensors))]
        inputs = dict(zip(names, self.tensors, strict=False))
        return verifier.check(self.code, inputs=inputs, **given)


def masked_attention():
    """All keys of one query are masked out."""
    attention = torch.nn.MultiheadAttention(2, 1, batch_first=True)
    mask = torch.tensor([[True, True], [False, False]])
    return Bug(
        lambda x: attention(x, x, x, attn_mask=mask, need_weights=False)[0], (torch.ones(1, 2, 2),)
    )


NAMES = {
    "G": lambda code, *tensors: Bug(code, tensors), "G2": lambda code,
    *tensors: Bug(code, tensors, second=True), "T": lambda value,
    dtype=torch.float64: torch.tensor(value, dtype=dtype), "D": torch.float64, "S": torch.float32,
    "H": torch.float16, "B": torch.bfloat16, "F": torch.nn.functional, "torch": torch, "inf": inf,
    "nan": nan, "pi": pi, "MHA": masked_attention,
}  # fmt: skip


def bug(case):
    return eval(case["code"], dict(NAMES))  # noqa: S307 (the tests' own data)
