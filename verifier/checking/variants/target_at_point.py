"""A target at one point, and what every check needs of it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import torch

from verifier.capture.code_at_point import FORWARD, SECOND, Statements, Subject
from verifier.capture.lowering import plain
from verifier.capture.target import Bound
from verifier.errors import InputError, message_of
from verifier.judging.examination import Examination, Part
from verifier.judging.examine import examine
from verifier.judging.finding import PLAIN, CheckPoint, Circumstance, Finding
from verifier.judging.reference import Specification
from verifier.judging.replay.in_range import with_lost_range

ROWS = 12
"""Of the Hessian at most so many rows are asked for, spread over the inputs."""

WRONG_ANYWAY = "the gradient itself is wrong"
"""Why nothing more is asked of it."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A target at one point."""

    bound: Bound
    point: CheckPoint
    specification: Specification | None = None
    honour_detach: bool = False
    random_seed: int = 0
    """What the code's random numbers are drawn with."""
    beside: Mapping[str, torch.Tensor] = field(default_factory=dict, repr=False, compare=False)
    """The inputs at another point, of the same shapes."""
    first_call: Sequence[torch.Tensor | None] = field(default=(), repr=False, compare=False)
    """The gradients of the very first call, with a grad_output of ones; none where this is not the
    point of that call.
    """

    @property
    def subject(self) -> Subject:
        """The target at this point, as it is examined."""
        return Subject(
            self.bound.code,
            self.bound.inputs,
            self.bound.wanted,
            honour_detach=self.honour_detach,
            random_seed=self.random_seed,
        )

    @cached_property
    def examination(self) -> Examination:
        """Value and gradients at the point. Raises InputError as `examine` does.

        At an edge, which nobody asked for, it decides nothing that the code as written leaves the
        range of its dtype.
        """
        found = self.examine(self.subject)
        return with_lost_range(found) if self.point.kind == "edge" else found

    @cached_property
    def forward(self) -> Examination | str:
        """The examination in forward mode; or why there is none."""
        try:
            return self.examine(replace(self.subject, quantity=FORWARD))
        except InputError as error:
            return first_sentence(error)

    @cached_property
    def second(self) -> Examination | str:
        """The examination of rows of the Hessian; or why there is none."""
        rows = _spread_rows({name: self.bound.inputs[name].numel() for name in self.bound.wanted})
        try:
            return self.examine(replace(self.subject, quantity=SECOND, rows=rows))
        except InputError as error:
            return first_sentence(error)

    def examined(self, quantity: str) -> Examination | str:
        """The examination of that derivative; or why there is none."""
        if quantity == FORWARD:
            return self.forward
        if quantity == SECOND:
            return self.second
        try:
            return self.examination
        except InputError as error:
            return first_sentence(error)

    def examine(self, subject: Subject) -> Examination:
        """Compare what a subject states with what is expected of the target.

        Raises InputError as `verifier.judging.examine.examine` does.
        """
        return examine(subject, self.specification)

    @property
    def statements(self) -> Statements:
        """What the code stated there, as tensors."""
        return statements_of(self.examination)

    @property
    def weights(self) -> Sequence[torch.Tensor]:
        """What multiplied each result's derivative there: grad_output."""
        return self.statements.arguments[len(self.statements.inputs) :]

    def finding(
        self,
        check: Check,
        parts: Sequence[Part],
        failures: Sequence[str] = (),
        circumstance: Circumstance = PLAIN,
    ) -> Finding:
        """What a check found here: the parts that it judged, and what else fails, a sentence
        each.
        """
        return Finding(
            check.name, self.point.dtype, self.point, tuple(parts), tuple(failures),
            circumstance=circumstance,
        )  # fmt: skip

    def absent(self, check: Check, reason: str) -> Finding:
        """A check that is not made here, with the reason."""
        return Finding(check.name, self.point.dtype, self.point, absent=reason)


def _spread_rows(sizes: dict[str, int]) -> dict[str, tuple[int, ...]]:
    """Some elements of each input, evenly spread, at most ROWS in all but one of each."""
    share = max(1, ROWS // max(1, len(sizes)))
    return {
        name: tuple(sorted({round(place) for place in np.linspace(0, size - 1, min(share, size))}))
        for name, size in sizes.items()
    }


class Check(Protocol):
    """One way to look at a gradient."""

    @property
    def name(self) -> str:
        """What the check is called in reports and by `--without`."""

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at a point; one finding, or one for each way to ask.

        It raises InputError only where the target cannot be examined at all.
        """


def statements_of(examination: Examination) -> Statements:
    """What the code stated, as tensors. Raises ValueError for an examination without it."""
    if examination.coded is None:
        raise ValueError("an examination without the code that was examined")
    return examination.coded.statements


def parts_with_statements(
    parts: Sequence[Part], stated: Sequence[torch.Tensor | None]
) -> list[Part]:
    """Other statements of the same numbers, judged as those of `parts` were; None states zeros.

    What has the same bits is not judged again.
    """
    found = []
    for part, numbers in zip(parts, stated, strict=True):
        flat = np.zeros(part.verdicts.stated.shape) if numbers is None else plain(numbers).ravel()
        same = np.array_equal(flat, part.verdicts.stated)
        found.append(part if same else part.restated(flat))
    return found


@contextmanager
def ignore_torch_warnings() -> Iterator[None]:
    """A block in which torch's warnings are ignored: of how slowly it does what it is asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def reason_it_raises(error: Exception) -> str:
    """Why a check is not made, from what the code raised in it."""
    sentence = first_sentence(error)
    return sentence if sentence in dict(_KNOWN).values() else f"the code raises {sentence}"


_KNOWN = (
    (r"You must implement the jvp", "the code has an autograd.Function without a jvp"),
    (
        r"it must override the setup_context",
        "the code has an autograd.Function without a setup_context, as vmap needs",
    ),
    (
        r"marked as once_differentiable",
        "the code has a backward that is marked as once_differentiable",
    ),
    (
        r"from the 'Sparse\w*' backend",
        "torch lacks an operation for sparse tensors that the code needs there",
    ),
    (
        r"called random operation while in randomness error mode",
        "the code draws random numbers, for which vmap asks how",
    ),
)
"""What torch says at length."""


def first_sentence(error: Exception) -> str:
    """The first sentence of an error's message; for what torch says at length, a shorter one."""
    first = message_of(error)
    for pattern, sentence in _KNOWN:
        if re.search(pattern, first):
            return sentence
    return first if isinstance(error, InputError) else f"{type(error).__name__}: {first}"
