"""Checks: the gradient of a target asked for in different ways, each answer held against the same exact values.

Each check is a small object that makes findings of a target at one point. A check that cannot be made says why.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from flint import arb

from verifier.arithmetic import balls
from verifier.capture import Joint, tensors
from verifier.checked import CheckPoint, Finding
from verifier.errors import InputError
from verifier.examination import Examination, Part
from verifier.examine import examine
from verifier.judge import Case, Note
from verifier.lowering import plain
from verifier.specification import Specification
from verifier.subject import FORWARD, REVERSE, SECOND, Statements, Subject
from verifier.target import Bound

ROWS = 12
"""Of the Hessian at most so many rows are asked for, spread over the inputs."""


@dataclass(frozen=True)
class Trial:
    """A target at one point."""

    bound: Bound
    point: CheckPoint
    specification: Specification | None = None
    honour_detach: bool = False
    beside: Trial | None = field(default=None, repr=False, compare=False)
    """The same target at another point, with inputs of the same shapes; itself where there is none."""

    @property
    def subject(self) -> Subject:
        return Subject(self.bound.code, self.bound.inputs, self.bound.wanted, honour_detach=self.honour_detach)

    @cached_property
    def examination(self) -> Examination:
        """Value and gradients at the point. Raises InputError as `examine` does."""
        return self.examined(self.subject)

    @cached_property
    def forward(self) -> Examination | str:
        """The examination in forward mode; or why there is none."""
        try:
            return self.examined(replace(self.subject, quantity=FORWARD))
        except InputError as error:
            return _first(error)

    def examined(self, subject: Subject) -> Examination:
        return examine(subject, self.specification)

    @property
    def statements(self) -> Statements:
        """What the code stated there, as tensors."""
        return _statements(self.examination)

    def finding(self, check: Check, parts: Sequence[Part], failures: Sequence[str] = ()) -> Finding:
        return Finding(check.name, self.point.dtype, self.point, tuple(parts), tuple(failures))

    def absent(self, check: Check, reason: str) -> Finding:
        return Finding(check.name, self.point.dtype, self.point, absent=reason)


class Check(Protocol):
    """One way to look at a gradient."""

    @property
    def name(self) -> str: ...

    def findings(self, trial: Trial) -> Iterator[Finding]: ...


@dataclass(frozen=True)
class Quantity:
    """The value, or the gradient in reverse mode, with random numbers for grad_output."""

    name: str

    def findings(self, trial: Trial) -> Iterator[Finding]:
        parts = [part for part in trial.examination.parts if part.quantity == self.name]
        yield replace(trial.finding(self, parts), examination=trial.examination)


@dataclass(frozen=True)
class Forward:
    """The derivative in forward mode, along random tangents."""

    name: str = "forward"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        examination = trial.forward
        if isinstance(examination, str):
            yield trial.absent(self, examination)
            return
        parts = [part for part in examination.parts if part.quantity == FORWARD]
        yield replace(trial.finding(self, parts), examination=examination)


@dataclass(frozen=True)
class Both:
    """Reverse mode against forward mode: both give the same number for a tangent and a grad_output."""

    name: str = "both"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        forward = trial.forward
        if isinstance(forward, str):
            yield trial.absent(self, forward)
            return
        reverse = trial.examination
        tangents = [plain(moved).ravel() for moved in _behind(forward)]
        weights = [plain(weight).ravel() for weight in _behind(reverse)]
        one = _product([part for part in reverse.parts if part.quantity == REVERSE], tangents)
        other = _product([part for part in forward.parts if part.quantity == FORWARD], weights)
        yield trial.finding(self, [_against(reverse.parts[0], one, other)])


def _behind(examination: Examination) -> Sequence[torch.Tensor]:
    """What multiplies the results, or the inputs."""
    statements = _statements(examination)
    return statements.arguments[len(statements.inputs) :]


def _statements(examination: Examination) -> Statements:
    if examination.coded is None:
        raise ValueError("an examination without the code that was examined")
    return examination.coded.statements


@dataclass(frozen=True)
class _Sum:
    """A product of what was stated with numbers."""

    value: Any
    """A ball of Arb, exact."""
    allowed: float
    terms: float


def _product(parts: Sequence[Part], weights: Sequence[Any]) -> _Sum:
    pairs = list(zip(parts, weights, strict=True))
    with np.errstate(all="ignore"):
        allowed = sum(float(np.abs(weight) @ part.verdicts.allowed) for part, weight in pairs)
        terms = sum(float(np.abs(weight) @ np.abs(part.verdicts.stated)) for part, weight in pairs)
    exact = [np.sum(balls(part.verdicts.stated) * balls(weight), initial=_ZERO) for part, weight in pairs]
    return _Sum(sum(exact, _ZERO), allowed, terms)


_ZERO = arb(0)


def _against(like: Part, reverse: _Sum, forward: _Sum) -> Part:
    """The product by reverse mode, held against that by forward mode."""
    case = Case(
        format=like.case.format,
        stated=np.array([float(reverse.value)]),
        symbolic=np.array([float(forward.value)]),
        reference=np.array([forward.value], dtype=object),
        known=np.array([True]),
        allowed=np.array([reverse.allowed + forward.allowed + 1e-15 * (reverse.terms + forward.terms)]),
        terms=np.array([reverse.terms + forward.terms]),
        kink=np.array([False]),
        usable=np.array([math.isfinite(reverse.terms)]),
    )
    nowhere = np.array([False])
    return Part("both", "forward", like.dtype, (), "estimated", case.verdicts(), nowhere, case)


@dataclass(frozen=True)
class Second:
    """The second derivative of the results' weighted sum: rows of the Hessian, every entry judged."""

    name: str = "second"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        rows = _spread({name: trial.bound.inputs[name].numel() for name in trial.bound.wanted})
        try:
            examination = trial.examined(replace(trial.subject, quantity=SECOND, rows=rows))
        except InputError as error:
            yield trial.absent(self, _first(error))
            return
        parts = [part for part in examination.parts if part.quantity == SECOND]
        yield replace(trial.finding(self, parts), examination=examination)


def _spread(sizes: dict[str, int]) -> dict[str, tuple[int, ...]]:
    """Some elements of each input, evenly spread, at most ROWS in all but one of each."""
    share = max(1, ROWS // max(1, len(sizes)))
    return {
        name: tuple(sorted({round(place) for place in np.linspace(0, size - 1, min(share, size))}))
        for name, size in sizes.items()
    }


@dataclass(frozen=True)
class Asked:
    """The value and the gradients again, the code being asked in another way, held against the same exact values."""

    name: str
    ask: Callable[[Trial], Sequence[torch.Tensor | None]]

    def findings(self, trial: Trial) -> Iterator[Finding]:
        try:
            with _quietly():
                stated = self.ask(trial)
        except Exception as error:
            yield trial.absent(self, _told(error))
            return
        yield trial.finding(self, _restated(trial.examination, stated))


@contextmanager
def _quietly() -> Iterator[None]:
    """Torch may warn of how slowly it does what it is asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _told(error: Exception) -> str:
    told = _first(error)
    return told if told in dict(_KNOWN).values() else f"asked so, the code raises {told}"


_KNOWN = (
    (r"You must implement the jvp", "the code has an autograd.Function without a jvp"),
    (r"it must override the setup_context", "the code has an autograd.Function without a setup_context, as vmap needs"),
    (r"marked as once_differentiable", "the code has a backward that is marked as once_differentiable"),
)  # fmt: skip
"""What torch says at length."""


def _first(error: Exception) -> str:
    first = str(error).strip().partition("\n")[0]
    for pattern, sentence in _KNOWN:
        if re.search(pattern, first):
            return sentence
    return first if isinstance(error, InputError) else f"{type(error).__name__}: {first}"


def _restated(examination: Examination, stated: Sequence[torch.Tensor | None]) -> list[Part]:
    return [
        part.restated(np.zeros(part.verdicts.stated.shape) if numbers is None else plain(numbers).ravel())
        for part, numbers in zip(examination.parts, stated, strict=True)
    ]


class _AsGiven(Joint):
    """The code gets its inputs as they lie in memory; whoever writes to them gets torch's error."""

    def _own(self, input_: torch.Tensor) -> torch.Tensor:
        return input_


def _asked_as_given(statements: Statements, arguments: Sequence[torch.Tensor]) -> Sequence[torch.Tensor | None]:
    joint = statements.joint
    return _AsGiven(joint.code, joint.wanted, joint.results)(*arguments)


def strided(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers, every second one in memory, so that the tensor is not contiguous; a single number as it is.

    >>> strided(torch.ones(2, 3)).is_contiguous()
    False
    """
    if tensor.ndim == 0:
        return tensor
    wide = torch.zeros(*tensor.shape[:-1], 2 * tensor.shape[-1], dtype=tensor.dtype, device=tensor.device)
    wide[..., ::2] = tensor
    return wide[..., ::2]


def _strided(trial: Trial) -> Sequence[torch.Tensor | None]:
    statements = trial.statements
    return _asked_as_given(statements, [strided(tensor) for tensor in statements.arguments])


def _vmapped(trial: Trial) -> Sequence[torch.Tensor | None]:
    """The code under vmap, at this point and the one beside it; what it states at this one."""
    here, there = trial.statements, (trial.beside or trial).statements
    joint = here.joint

    def asked(*arguments: torch.Tensor) -> Any:
        inputs, weights = list(arguments[: len(here.inputs)]), arguments[len(here.inputs) :]

        def of_wanted(*wanted: torch.Tensor) -> Any:
            given = list(inputs)
            for place, tensor in zip(joint.wanted, wanted, strict=True):
                given[place] = tensor
            return tuple(tensors(joint.code(*(tensor.clone() for tensor in given))))

        results, pull, *_ = torch.func.vjp(of_wanted, *(inputs[place] for place in joint.wanted))
        return (*results, *pull(tuple(weights)))

    stacked = [torch.stack(pair) for pair in zip(here.arguments, there.arguments, strict=True)]
    return [part[0] for part in torch.func.vmap(asked)(*stacked)]


@dataclass(frozen=True)
class Expanded:
    """Inputs and grad_output that are one number or one row again and again, with strides of 0."""

    name: str = "expanded"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        statements = trial.statements
        inputs = {
            name: _expanded(tensor) if name in trial.bound.arguments and tensor.is_floating_point() else tensor
            for name, tensor in statements.inputs.items()
        }
        weights = tuple(_constant(weight) for weight in statements.arguments[len(statements.inputs) :])
        try:
            examination = trial.examined(replace(trial.subject, inputs=inputs, seeds=weights))
            with _quietly():
                stated = _asked_as_given(statements, [*inputs.values(), *weights])
        except Exception as error:
            yield trial.absent(self, _told(error))
            return
        yield replace(trial.finding(self, _restated(examination, stated)), examination=examination)


def _expanded(tensor: torch.Tensor) -> torch.Tensor:
    return tensor[:1].expand(tensor.shape) if tensor.ndim else tensor


def _constant(weight: torch.Tensor) -> torch.Tensor:
    return weight.reshape(-1)[:1].reshape(()).expand(weight.shape) if weight.numel() else weight


@dataclass(frozen=True)
class Undefined:
    """The gradient of one result alone, so that the others' grad_output is undefined."""

    name: str = "undefined"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        statements = trial.statements
        count = len(statements.results)
        if count < 2:
            yield trial.absent(self, "the code has one result")
            return
        for place in range(count):
            weights = [
                weight if other == place else torch.zeros_like(weight)
                for other, weight in enumerate(statements.arguments[len(statements.inputs) :])
            ]
            try:
                examination = trial.examined(replace(trial.subject, seeds=tuple(weights)))
                stated = _OneResult(place, statements)(weights[place])
            except Exception as error:
                yield trial.absent(self, _told(error))
                continue
            gradients = [part for part in examination.parts if part.quantity == REVERSE]
            parts = [
                part.restated(np.zeros(part.verdicts.stated.shape) if numbers is None else plain(numbers).ravel())
                for part, numbers in zip(gradients, stated, strict=True)
            ]
            yield replace(trial.finding(self, parts), examination=examination)


@dataclass(frozen=True)
class _OneResult:
    place: int
    statements: Statements

    def __call__(self, weight: torch.Tensor) -> Sequence[torch.Tensor | None]:
        joint = self.statements.joint
        inputs = [tensor.detach().clone() for tensor in self.statements.inputs.values()]
        by = [inputs[place].requires_grad_() for place in joint.wanted]
        result = tensors(joint.code(*(tensor.clone() for tensor in inputs)))[self.place]
        if not result.requires_grad:
            return [None for _ in by]
        return torch.autograd.grad(result, by, weight, allow_unused=True)


@dataclass(frozen=True)
class Determinism:
    """The same numbers when the code is run again."""

    name: str = "determinism"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        place = list(Note).index(Note.CHANGING)
        changing = [(part, int(np.sum(part.verdicts.note == place))) for part in trial.examination.parts]
        failures = [
            f"{part.name}: {count:,} of {part.verdicts.stated.size:,} numbers come out differently"
            " when the code is run again"
            for part, count in changing
            if count
        ]
        yield trial.finding(self, (), failures)


@dataclass(frozen=True)
class Overwriting:
    """Inputs and grad_output are what they were, or torch has been told that they are not."""

    name: str = "overwriting"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        statements = trial.statements
        joint = statements.joint
        leaves = [tensor.detach().clone() for tensor in statements.inputs.values()]
        for place in joint.wanted:
            leaves[place].requires_grad_()
        given = [tensor.clone() for tensor in leaves]
        versions = [tensor._version for tensor in given]
        weights = [weight.clone() for weight in statements.arguments[len(leaves) :]]
        results = tensors(joint.code(*given))
        pairs = [(result, weight) for result, weight in zip(results, weights, strict=True) if result.requires_grad]
        # Where torch has been told, it may refuse the backward; where it has not, this runs.
        with suppress(RuntimeError):
            if pairs:
                outputs, incoming = zip(*pairs, strict=True)
                torch.autograd.grad(outputs, [leaves[place] for place in joint.wanted], incoming, allow_unused=True)
        yield trial.finding(self, (), tuple(self._failures(statements, given, versions, weights)))

    @staticmethod
    def _failures(
        statements: Statements, given: Sequence[torch.Tensor], versions: Sequence[int], weights: Sequence[torch.Tensor]
    ) -> Iterator[str]:
        for (name, before), after, version in zip(statements.inputs.items(), given, versions, strict=True):
            if after._version == version and not _same(before, after):
                yield f"{name} is overwritten, and autograd is not told: what other operations keep of it is wrong"
        for before, after in zip(statements.arguments[len(given) :], weights, strict=True):
            if not _same(before, after):
                yield "the backward overwrites grad_output, which others use as well"


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.equal(one.detach().nan_to_num(), other.detach().nan_to_num())


@dataclass(frozen=True)
class Form:
    """The gradient's dtype, shape and device are those of its input."""

    name: str = "form"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        statements = trial.statements
        stated = statements.stated[len(statements.results) :]
        failures = [
            f"the gradient by {name} is {_form(gradient)}, {name} itself {_form(statements.inputs[name])}"
            for name, gradient in zip(statements.by, stated, strict=True)
            if gradient is not None and _form(gradient) != _form(statements.inputs[name])
        ]
        yield trial.finding(self, (), failures)


def _form(tensor: torch.Tensor) -> str:
    shape = "x".join(map(str, tensor.shape)) or "a number"
    return f"{shape} of {str(tensor.dtype).removeprefix('torch.')} on {tensor.device.type}"


@dataclass(frozen=True)
class Reach:
    """What has a gradient gets one."""

    name: str = "reach"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        statements = trial.statements
        stated = statements.stated[len(statements.results) :]
        gradients = [part for part in trial.examination.parts if part.quantity == REVERSE]
        failures = [
            f"no gradient reaches {part.name}, though the result depends on it"
            for part, gradient in zip(gradients, stated, strict=True)
            if gradient is None and np.any(np.nan_to_num(part.verdicts.centre) != 0)
        ]
        yield trial.finding(self, (), failures)


AT_EVERY_POINT: tuple[Check, ...] = (Quantity("value"), Quantity(REVERSE))
AT_ONE_POINT: tuple[Check, ...] = (
    Forward(), Both(), Second(), Asked("vmap", _vmapped), Asked("strided", _strided), Expanded(), Undefined(),
    Determinism(), Overwriting(), Form(), Reach(),
)  # fmt: skip
NAMES = tuple(check.name for check in (*AT_EVERY_POINT, *AT_ONE_POINT))
