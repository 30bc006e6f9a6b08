"""Events of a trace: what code does while it is traced that no graph holds.

Code takes numbers out of tensors into Python, to decide by them or to compute with them, and it
draws random numbers. Both are taken as they came out. A later trace of the same code is given the
same numbers, so that it takes the same path.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from verifier.capture.code_place import frames_outwards, place_among
from verifier.capture.python_scalars import LIFT, Call, Operation, numbers_in, with_tensors
from verifier.capture.random_draws import (
    Numbers,
    as_constants,
    backward_of_draw,
    drawn_by,
    is_draw,
    moving_with,
    operation_name,
)
from verifier.capture.recorder import DispatchMode, Recorder, with_each_tensor

Number = bool | int | float | complex


@dataclass(frozen=True)
class Reading:
    """A number that Python took out of a tensor."""

    place: str
    """Where: solver.py, line 12. Empty where no code of the user's asked for it."""
    value: Number
    depends: bool = False
    """Whether it is a floating-point number that depends on what gradients are taken by."""
    step: float = 0.0
    """A small part of it that its dtype still holds."""
    is_check: bool = False
    """Whether torch takes it for nothing but to raise an error."""


@dataclass(frozen=True, eq=False)
class Draw:
    """Random numbers that were drawn."""

    place: str
    operation: str
    numbers: Numbers
    in_backward: bool = False


@dataclass(frozen=True, eq=False)
class Events:
    """What happened in one trace, in order."""

    readings: tuple[Reading, ...] = ()
    draws: tuple[Draw, ...] = ()
    calls: tuple[Call, ...] = field(default=(), repr=False)
    """The operations with the numbers in their arguments."""
    conventions: tuple[str, ...] = ()
    """Functions of torch that take values out of autograd themselves."""


@dataclass(frozen=True, eq=False)
class Script:
    """What is given to a trace in place of what it would find."""

    values: Sequence[Number] = ()
    draws: Sequence[Numbers] = ()
    tracked: Mapping[int, Mapping[int, int]] = field(default_factory=dict)
    """By call and place among its numbers, the reading that stands there."""
    wanted: frozenset[int] = frozenset()
    """The places of the arguments that gradients are taken by."""


def same_path(events: Events, **others: Any) -> Script:
    """The script with which a trace finds what another one found."""
    values = [reading.value for reading in events.readings]
    return Script(values, [draw.numbers for draw in events.draws], **others)


def nudged_values(events: Events, sign: int) -> list[Number]:
    """The numbers that were read, with those that autograd would follow a little beside."""
    return [
        reading.value * (1 + sign * reading.step) + sign * math.ulp(0.0)
        if reading.depends
        else reading.value
        for reading in events.readings
    ]


def draws_of_forward(draws: Sequence[Draw]) -> list[Numbers] | None:
    """What is drawn where each draw of a backward is that of the same operation in the forward;
    None where that changes nothing.
    """
    waiting: dict[object, list[Numbers]] = {}
    for draw in draws:
        if not draw.in_backward:
            waiting.setdefault(_kind(draw), []).append(draw.numbers)
    found = [
        waiting[_kind(draw)].pop(0)
        if draw.in_backward and waiting.get(_kind(draw))
        else draw.numbers
        for draw in draws
    ]
    same = all(map(_equal, found, [draw.numbers for draw in draws]))
    return None if same else found


def _kind(draw: Draw) -> object:
    return draw.operation, tuple(part.shape for part in draw.numbers)


def _equal(some: Numbers, others: Numbers) -> bool:
    return all(torch.equal(one, other) for one, other in zip(some, others, strict=True))


class RecordEvents(DispatchMode):  # type: ignore[no-untyped-call]
    """Records what happens in a trace, and gives it what the script says.

    Operations get zeros in memory for the zeros that forward mode never writes.
    """

    def __init__(self, script: Script, recorder: Recorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._script = script
        self._recorder = recorder
        self._needed = {place for slots in script.tracked.values() for place in slots.values()}
        self._sources: dict[int, torch.Tensor] = {}
        self._readings: list[Reading] = []
        self._draws: list[Draw] = []
        self._calls: list[Call] = []
        self._dependent: dict[torch.fx.Node, bool] = {}

    @property
    def events(self) -> Events:
        """What was recorded up to now, as a record that grows no further."""
        return Events(tuple(self._readings), tuple(self._draws), tuple(self._calls))

    def __torch_dispatch__(
        self,
        func: Operation,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        args, kwargs = with_each_tensor(_in_memory, (args, kwargs or {}))
        if torch.Tag.data_dependent_output in func.tags:
            return self._read(func, args, kwargs)
        if is_draw(func, args, kwargs):
            return self._draw(func, args, kwargs)
        return self._called(func, args, kwargs)

    def values_of(self, tensor: torch.Tensor) -> Any:
        """What `tolist` gives of a tensor; each number of it is a reading."""
        flat = tensor.detach().reshape(-1)
        parts = flat.unbind() if flat.numel() else ()
        with self._recorder.paused():
            values = flat.tolist()
        taken = [self._taken(value, part) for value, part in zip(values, parts, strict=True)]
        return _nested(taken, tuple(tensor.shape))

    def _read(self, func: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with self._recorder.paused():
            value = func(*args, **kwargs)
        return self._taken(value, args[0])

    def _taken(self, value: Number, source: torch.Tensor) -> Number:
        number = len(self._readings)
        if number < len(self._script.values):
            value = self._script.values[number]
        if number in self._needed:
            self._sources[number] = torch.ops.aten.detach_copy.default(source)
        depends = isinstance(value, float) and self._depends(source)
        step = _step(source.dtype) if depends else 0.0
        frames = list(frames_outwards())
        is_check = any(frame.f_code in _CHECKS for frame in frames)
        self._readings.append(Reading(place_among(frames), value, depends, step, is_check))
        return value

    def _depends(self, tensor: torch.Tensor) -> bool:
        """Whether the graph has it from an input that gradients are taken by."""
        node = self._recorder.node_of(tensor)
        return node is not None and self._reaches(node)

    def _reaches(self, node: torch.fx.Node) -> bool:
        """Whether a node comes from one of the inputs that gradients are taken by."""
        known = self._dependent
        if not known:
            inputs = [one for one in node.graph.nodes if one.op == "placeholder"]
            known.update({one: place in self._script.wanted for place, one in enumerate(inputs)})
        waiting = [node]
        while waiting:
            latest = waiting[-1]
            before = [] if _name(latest) in _BY_SHAPE else latest.all_input_nodes
            unknown = [one for one in before if one not in known]
            if latest not in known and not unknown:
                known[latest] = any(known[one] for one in before)
            if unknown:
                waiting.extend(unknown)
            else:
                waiting.pop()
        return known[node]

    def _draw(self, func: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What was drawn, as constants of the graph."""
        with self._recorder.paused():
            numbers = drawn_by(func, args, kwargs)
        number = len(self._draws)
        if number < len(self._script.draws):
            numbers = self._script.draws[number]
        place = place_among(frames_outwards())
        # Nothing public says whether the engine of autograd is at work here.
        in_backward = torch._C._current_autograd_node() is not None
        self._draws.append(Draw(place, operation_name(func), numbers, in_backward))
        if args and isinstance(args[0], torch.Tensor) and self._depends(args[0]):
            moving = moving_with(func, args[0], numbers)
            if moving is not None:
                return moving
        return as_constants(func, args, kwargs, numbers)

    def _called(self, func: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        slots = self._script.tracked.get(len(self._calls))
        if func is _MARK:
            return func(*args, **kwargs)
        numbers = tuple(numbers_in(func, args, kwargs))
        place = len(self._calls)
        self._calls.append(Call(func, numbers, False, _precision_of(func, args)))
        if slots:
            sources = {slot: self._sources[reading] for slot, reading in slots.items()}
            result = with_tensors(func, args, kwargs, sources)
        else:
            simpler = backward_of_draw(func, args, kwargs)
            result = func(*args, **kwargs) if simpler is None else simpler
        self._calls[place] = replace(self._calls[place], is_whole=_is_whole(result))
        return result


_MARK = torch.ops.aten.detach_copy.default
"""What is put into a graph by us, in one trace and not in another."""


def _in_memory(tensor: torch.Tensor) -> torch.Tensor:
    """Zeros in memory for zeros that torch never wrote: traced kernels read them from nowhere."""
    if tensor._is_zerotensor():
        return torch.ops.aten.zeros_like.default(tensor)  # type: ignore[no-any-return]
    return tensor


def _step(dtype: torch.dtype) -> float:
    """A small part of a number that float32 holds, too: Python's numbers become tensors of it."""
    return 8 * max(torch.finfo(kind).eps for kind in (dtype, torch.float32))


def _precision_of(func: Operation, args: tuple[Any, ...]) -> torch.dtype:
    return args[0].dtype if func is LIFT else torch.float64


def _is_whole(result: Any) -> bool:
    return isinstance(result, torch.Tensor) and not (
        result.is_floating_point() or result.is_complex()
    )


_BY_SHAPE = frozenset(
    {"full_like", "zeros_like", "ones_like", "empty_like", "new_full", "new_zeros", "new_ones",
     "new_empty"}
)  # fmt: skip
"""Operations that take nothing from a tensor but its shape."""


def _name(node: torch.fx.Node) -> str:
    return operation_name(node.target) if isinstance(node.target, torch._ops.OpOverload) else ""


def _nested(flat: Sequence[Number], shape: tuple[int, ...]) -> Any:
    """Numbers in lists of that shape."""
    if not shape:
        return flat[0]
    size = len(flat) // shape[0] if shape[0] else 0
    return [
        _nested(flat[place * size : (place + 1) * size], shape[1:]) for place in range(shape[0])
    ]


_CHECKS = frozenset(
    check.__code__
    for check in (
        torch.nn.functional.gaussian_nll_loss,
        torch.distributions.Distribution.__init__,
        torch.distributions.Distribution._validate_sample,
    )
)
"""Code of torch that looks at the values of its arguments for nothing but to raise an error."""
