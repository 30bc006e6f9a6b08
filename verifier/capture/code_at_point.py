"""Code at a point: code on tensors with its inputs, run; what it states, and under which names."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch

from verifier.capture.autograd_derivatives import ForwardMode, Joint, SecondOrder, tensors
from verifier.capture.joint_graph import Captured
from verifier.capture.lowering import plain
from verifier.capture.random_draws import with_seed
from verifier.errors import InputError, message_of
from verifier.operations.arrays import Floats, Truths
from verifier.operations.formats import CODE_FORMATS, Format
from verifier.process.isolation import user_code_state
from verifier.process.timeout import place_of
from verifier.process.values import UserFunction

SEED = "seed of "
"""What multiplies a result's derivative is an input of its own, named after the result."""
TANGENT = "tangent of "
"""So is what an input's derivative is multiplied by in forward mode, named after the input."""
RERUNS = 4
"""How often code is run again: noise may round to the same number of 16 bits now and then."""
REVERSE, FORWARD, SECOND = "reverse", "forward", "second"


@dataclass(frozen=True, eq=False)
class Subject:
    """Code on tensors at one point."""

    code: UserFunction
    """Takes the inputs in order and returns a tensor or a tuple of tensors."""
    inputs: Mapping[str, torch.Tensor]
    wanted: tuple[str, ...] = ()
    """The inputs that gradients are taken by; all floating-point ones by default."""
    seeds: tuple[torch.Tensor, ...] = ()
    """What multiplies each result's derivative, or in forward mode each input's; drawn at random by
    default.
    """
    quantity: str = REVERSE
    """Which derivative is wanted: reverse, forward, or second for the Hessian behind the
    gradient.
    """
    rows: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Of the Hessian by these inputs only the rows of these elements of the flattened input."""
    honour_detach: bool = False
    """Whether what the code takes out of autograd is a constant to the exact gradient, too."""
    random_seed: int = 0
    """What random numbers are drawn with, in each run of the code anew."""
    reruns: int = RERUNS
    """How often the code is run again, to see whether it states the same; for second derivatives
    at most once.
    """
    graphs: dict[Hashable, Captured] = field(default_factory=dict)
    """What was read of the same code before, by the shapes of its inputs. Given only for code that
    takes the same path for all numbers.
    """

    @property
    def by(self) -> tuple[str, ...]:
        """The inputs that gradients are taken by, in the order of `wanted` or of `inputs`."""
        return self.wanted or tuple(
            name for name, tensor in self.inputs.items() if tensor.is_floating_point()
        )


class Statements:
    """The code run once: what it states, and under which names."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        code = with_seed(subject.code, subject.random_seed)
        self.inputs = dict(subject.inputs)
        self.by = subject.by
        self.forward = subject.quantity == FORWARD
        self.results = _results(code, self.inputs, self.by)
        for result in self.results:
            if not result.is_floating_point():
                raise InputError(
                    f"the code returns numbers of dtype {_name(result)}, which have no gradient"
                )
        places = {name: place for place, name in enumerate(self.inputs)}
        wanted, count = tuple(places[name] for name in self.by), len(self.results)
        self.rows = [
            subject.rows.get(name, tuple(range(self.inputs[name].numel()))) for name in self.by
        ]
        self.joint: Joint
        if subject.quantity == SECOND:
            self.joint = SecondOrder(code, wanted, count, tuple(self.rows))
        else:
            self.joint = (ForwardMode if self.forward else Joint)(code, wanted, count)
        moved = [self.inputs[name] for name in self.by] if self.forward else self.results
        drawn = tuple(random_like(tensor, place) for place, tensor in enumerate(moved))
        self.arguments = [*self.inputs.values(), *(subject.seeds or drawn)]
        behind = [f"{TANGENT}{name}" for name in self.by] if self.forward else self._seeds
        self.names = [*self.inputs, *behind]
        self.stated = self._run()
        reruns = min(1, subject.reruns) if subject.quantity == SECOND else subject.reruns
        self._again = [self._run() for _ in range(reruns)]
        numbers = {
            name: value
            for name, value in zip(self.names, self.arguments, strict=True)
            if value.is_floating_point()
        }
        self.given = {name: plain(value) for name, value in numbers.items()}
        self.formats = {name: _format(value) for name, value in numbers.items()}
        self.labels, self.shapes = self._labelled()

    @cached_property
    def has_own_backward(self) -> bool:
        """Whether a backward written by hand, an `autograd.Function`, lies between the results and
        the inputs.
        """
        with torch.enable_grad():
            inputs = [tensor.detach().clone() for tensor in self.inputs.values()]
            for tensor in inputs:
                tensor.requires_grad_(tensor.is_floating_point())
            # Code may write to what it is given.
            results = tensors(self.joint.code(*(tensor.clone() for tensor in inputs)))
        seen: set[Any] = set()
        waiting = [result.grad_fn for result in results]
        while waiting:
            node = waiting.pop()
            if node is not None and node not in seen:
                seen.add(node)
                waiting.extend(following for following, _ in node.next_functions)
        return any(isinstance(node, torch.autograd.function.BackwardCFunction) for node in seen)

    def runs(self, place: int) -> list[Floats]:
        """What the array of statements at `place` has, flat, each time that the code was run."""
        return [self._flat(run[place], place) for run in (self.stated, *self._again)]

    def _labelled(self) -> tuple[list[tuple[str, str]], list[tuple[int, ...]]]:
        """What is stated: each part's name and quantity, and its shape."""
        shapes = [tuple(result.shape) for result in self.results]
        values = [(name, "value") for name in self._values]
        if self.forward:
            return [*values, *((name, FORWARD) for name in self._values)], [*shapes, *shapes]
        first = [(name, REVERSE) for name in self.by]
        shapes += [tuple(self.inputs[name].shape) for name in self.by]
        pairs = [
            (one, element, other)
            for one, rows in zip(
                self.by, self.rows if self.subject.quantity == SECOND else (), strict=False
            )
            for element in rows
            for other in (*self.by, *self._seeds)
        ]
        called = dict(zip(self._seeds, grad_outputs(len(self.results)), strict=True))
        second = [
            (f"{one}[{element}] {called.get(other, other)}", SECOND)
            for one, element, other in pairs
        ]
        taken = dict(zip(self.names, self.arguments, strict=True))
        return [*values, *first, *second], [
            *shapes,
            *(tuple(taken[other].shape) for _, _, other in pairs),
        ]

    def _run(self) -> tuple[torch.Tensor | None, ...]:
        """What the code states; its forward has been run before."""
        try:
            # A backward may write to what it is given.
            return self.joint(*(argument.clone() for argument in self.arguments))
        except Exception as error:
            half = "forward mode" if self.forward else "backward"
            raised = f"{type(error).__name__}{place_of(error)}: {message_of(error)}"
            raise InputError(f"the code's {half} cannot be run: {raised}") from error

    @property
    def lowest(self) -> Format:
        """The least precise format among those of what is stated."""
        return min((self.format(place) for place in range(len(self.labels))), key=_precision)

    @property
    def _values(self) -> list[str]:
        return (
            [f"value {place}" for place in range(len(self.results))]
            if len(self.results) > 1
            else ["value"]
        )

    @property
    def _seeds(self) -> list[str]:
        return [f"{SEED}{place}" for place in range(len(self.results))]

    def format(self, place: int) -> Format:
        """The format of the array of statements at `place`; that of the first result where torch
        states no gradient.
        """
        stated = self.stated[place]
        return _format(self.results[0] if stated is None else stated)

    def numbers(self, place: int) -> Floats:
        """The array of statements at `place`, flat; zeros where torch says that there is no
        gradient.
        """
        return self._flat(self.stated[place], place)

    def changing(self, place: int) -> Truths:
        """Where the code stated another number when it was run again, in the array of statements
        at `place`, flat.
        """
        one, *others = self.runs(place)
        changing = np.zeros(one.shape, dtype=bool)
        for other in others:
            changing |= ~((one == other) | (np.isnan(one) & np.isnan(other)))
        return changing

    def _flat(self, stated: torch.Tensor | None, place: int) -> Floats:
        return (
            np.zeros(math.prod(self.shapes[place])) if stated is None else np.ravel(plain(stated))
        )


def _results(
    code: UserFunction, inputs: Mapping[str, torch.Tensor], by: Sequence[str]
) -> list[torch.Tensor]:
    """What the code returns; it may take gradients itself."""
    given = [tensor.detach().clone().requires_grad_(name in by) for name, tensor in inputs.items()]
    with user_code_state(given), torch.enable_grad():
        # Code may write to what it is given.
        found = tensors(code(*(tensor.clone() for tensor in given)))
    return [tensor.detach() for tensor in found]


def _precision(format: Format) -> int:
    return format.precision


def grad_outputs(count: int) -> list[str]:
    """What people call what multiplies the results' derivatives."""
    return [f"grad_output {place}" for place in range(count)] if count > 1 else ["grad_output"]


def _name(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _format(tensor: torch.Tensor) -> Format:
    return CODE_FORMATS[_name(tensor)]


def random_like(like: torch.Tensor, place: int) -> torch.Tensor:
    """Numbers around 1 and -1, none of them 1."""
    generator = torch.Generator().manual_seed(place)
    drawn = torch.rand(like.shape, generator=generator, dtype=torch.float64) + 0.5
    signs = torch.randint(0, 2, like.shape, generator=generator) * 2.0 - 1.0
    return (drawn * signs).to(like.dtype).to(like.device)
