"""Joint graph: torch code, forward and backward, as one graph of ATen operations.

The forward and `torch.autograd.grad` behind it are recorded together, so that what a custom
backward computes is in the graph as well; what is written in place is then written out of
place. The path that was taken is what is traced: numbers that Python takes out of tensors and
random numbers stand in the graph as they came out.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch

from verifier.capture.autograd_derivatives import ForwardAlone, ForwardMode, Joint
from verifier.capture.detached_paths import MarkDetached
from verifier.capture.python_scalars import Paths, paths
from verifier.capture.random_draws import Numbers
from verifier.capture.recorder import Recorder, Recording
from verifier.capture.refusals import IN_PYTHON, LEAVES, reason_of_error
from verifier.capture.refusals import NotReadableError as NotReadableError
from verifier.capture.to_numpy import dense
from verifier.capture.trace_events import (
    Events,
    Reading,
    RecordEvents,
    Script,
    draws_of_forward,
    nudged_values,
    same_path,
)

Tensors = Sequence[torch.Tensor]
Function = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Captured(Recording):
    """A function as a graph of operations without anything in place."""

    detached: tuple[str, ...]
    """How the code takes values out of autograd, a phrase for each place."""
    events: Events
    """What the graph does not hold."""


def captured(joint: Function, arguments: Tensors) -> Captured:
    """The graph of the function `joint` at these `arguments`, tensors of any shape and dtype,
    without anything in place.

    What the code takes out of autograd is a constant: a number of Python, or marked by a
    `detach_copy`. Raises NotReadableError where the code leaves torch, or is compiled.
    """
    return _captured(_Capture(joint, arguments), lambda capture: capture.as_taken)


def captured_with_detached(joint: Function, arguments: Tensors) -> Captured:
    """The graph of `joint` at these `arguments` where what the code takes out of autograd is part
    of it as all else, so that it is differentiated as well.

    Raises NotReadableError also where Python computes with a number that the code took out.
    """
    graph = _captured(_Capture(joint, arguments), lambda capture: capture.with_numbers)
    for node in [node for node in graph.graph.nodes if _is_theirs(node)]:
        node.replace_all_uses_with(node.args[0])
        graph.graph.erase_node(node)
    return graph


def kernel_in_python(operation: Any) -> Function | None:
    """The function that does an operation of `torch.library.custom_op` on the CPU; None for any
    other operation.

    Torch has a table of them, and no way to ask for one.
    """
    library = sys.modules.get("torch._library.custom_ops")
    known = getattr(library, "OPDEFS", {}).get(operation._schema.name)
    kernels = getattr(known, "_backend_fns", {})
    found: Function | None = kernels.get("cpu") or kernels.get(None)
    return found or getattr(known, "_init_fn", None)


def _is_theirs(node: torch.fx.Node) -> bool:
    """Whether it marks what the code itself takes out of autograd, not what torch does."""
    return _is_mark(node) and not any(map(_is_mark, (node.args[0], *node.users)))


def _is_mark(node: Any) -> bool:
    return isinstance(node, torch.fx.Node) and node.target is torch.ops.aten.detach_copy.default


def results_with_forward_draws(
    joint: Function, arguments: Tensors, events: Events
) -> tuple[torch.Tensor | None, ...] | None:
    """What `joint` would state at these `arguments` if its backward drew the numbers that its
    forward drew; None where the backward draws none of its own. `events` are those of its trace.
    """
    draws = draws_of_forward(events.draws)
    return None if draws is None else _results_with_draws(joint, arguments, events, draws)


def results_with_other_draws(
    joint: Function, arguments: Tensors, events: Events
) -> tuple[torch.Tensor | None, ...] | None:
    """What `joint` would state at these `arguments` if its backward drew its own numbers in
    reverse order; None where it draws none. `events` are those of its trace.
    """
    if not any(draw.in_backward for draw in events.draws):
        return None
    draws = [
        tuple(part.flatten().flip(0).reshape(part.shape) for part in draw.numbers)
        if draw.in_backward
        else draw.numbers
        for draw in events.draws
    ]
    return _results_with_draws(joint, arguments, events, draws)


def _results_with_draws(
    joint: Function, arguments: Tensors, events: Events, draws: Sequence[Numbers]
) -> tuple[torch.Tensor | None, ...]:
    script = replace(same_path(events), draws=draws)
    results: tuple[torch.Tensor | None, ...] = (
        _Capture(joint, arguments).traced(script).graph(*arguments)
    )
    return results


def _captured(capture: _Capture, chosen: Callable[[_Capture], _Trace]) -> Captured:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            trace = chosen(capture)
            capture.refuse_foreign()
            graph = _out_of_place(trace.graph, capture.arguments)
        except NotReadableError:
            raise
        except Exception as error:
            raise NotReadableError(reason_of_error(error)) from error
    # Forward mode leaves steps on tensors without numbers, whose results nobody takes.
    graph.graph.eliminate_dead_code()
    return Captured(graph.graph, graph.constants, capture.detached, capture.as_taken.events)


@dataclass(frozen=True, eq=False)
class _Trace:
    """Code traced once."""

    graph: Recording
    events: Events
    detached: tuple[str, ...]
    gives_arrays: bool
    """Whether NumPy got numbers: what it makes of them comes back as constants."""


class _Capture:
    """The traces of a joint function at one point."""

    def __init__(self, joint: Function, arguments: Tensors) -> None:
        self._joint = joint
        # To a tracer a tensor that is given twice is one input.
        self.arguments = [argument.detach().clone() for argument in arguments]
        self._wanted = _wanted_of(joint, len(arguments))

    @cached_property
    def as_taken(self) -> _Trace:
        """Numbers that Python took out of tensors are literals."""
        return self.traced(Script(wanted=self._wanted))

    @cached_property
    def with_numbers(self) -> _Trace:
        """They are tensors where the code computes with them as they were taken.

        Raises NotReadableError where Python computes with them.
        """
        if self._paths.computed:
            places = [reading.place for reading in self._dependent]
            raise NotReadableError(IN_PYTHON.format(", ".join(dict.fromkeys(places))))
        if not self._paths.tracked:
            return self.as_taken
        events = self.as_taken.events
        return self.traced(same_path(events, tracked=self._paths.tracked, wanted=self._wanted))

    @property
    def detached(self) -> tuple[str, ...]:
        """How values are taken out of autograd, a phrase for each place."""
        found = self._paths
        used = {place for slots in found.tracked.values() for place in slots.values()}
        readings = self.as_taken.events.readings
        taken = self._dependent if found.computed else [readings[place] for place in sorted(used)]
        phrases = [f"a number read in {reading.place}" for reading in taken]
        return tuple(dict.fromkeys((*self.as_taken.detached, *phrases)))

    @property
    def _dependent(self) -> list[Reading]:
        return [reading for reading in self.as_taken.events.readings if reading.depends]

    @cached_property
    def _paths(self) -> Paths:
        """How the numbers that were taken out of autograd come back."""
        if not self._dependent:
            return Paths({})
        found = (self._paths_beside(sign) for sign in (1, -1))
        return next((one for one in found if one is not None), Paths({}, computed=True))

    def _paths_beside(self, sign: int) -> Paths | None:
        events = self.as_taken.events
        values = nudged_values(events, sign)
        beside = Script(values, same_path(events).draws, wanted=self._wanted)
        trace = self.traced(beside)
        if trace.gives_arrays and not _same_constants(self.as_taken.graph, trace.graph):
            return None
        again = trace.events
        pairs = zip(events.readings, again.readings, strict=False)
        return paths(events.calls, again.calls, [(one.value, other.value) for one, other in pairs])

    def refuse_foreign(self) -> None:
        """Raise NotReadableError where numbers come from outside torch's operations.

        They stand in the graph as constants, like tensors that the code closes over; but at another
        point they are other numbers.
        """
        if not _constants(self.as_taken.graph):
            return
        elsewhere = [
            # Towards 0, so that what has to lie between 0 and 1 stays there.
            value * (1 - 2.0**-6) if value.is_floating_point() else value
            for value in self.arguments
        ]
        again = self.traced(same_path(self.as_taken.events), elsewhere).graph
        if not _same_constants(self.as_taken.graph, again):
            raise NotReadableError(LEAVES)

    def traced(self, script: Script, arguments: Tensors | None = None) -> _Trace:
        recorder = Recorder()
        record = RecordEvents(script, recorder)
        mark = MarkDetached(record.values_of)

        def run(*given: torch.Tensor) -> Any:
            with record:
                return self._joint(*given)

        with mark, _as_it_was_compiled(self._joint):
            graph = recorder.record(run, self.arguments if arguments is None else arguments)
        events = replace(record.events, conventions=tuple(mark.conventions))
        return _Trace(graph, events, tuple(mark.detached), mark.gives_arrays)


@contextmanager
def _as_it_was_compiled(joint: Function) -> Iterator[None]:
    """Reads what was given to torch.compile, where the forward alone is asked for: a compiled
    backward is another one than autograd's.
    """
    dynamo = sys.modules.get("torch._dynamo")
    if dynamo is None or not isinstance(joint, ForwardAlone):
        yield
        return
    with dynamo.config.patch(error_on_nested_fx_trace=False):
        yield


def _wanted_of(joint: Function, count: int) -> frozenset[int]:
    """The places of the arguments on which a derivative depends."""
    if not isinstance(joint, Joint):
        return frozenset(range(count))
    behind = len(joint.wanted) if isinstance(joint, ForwardMode) else joint.results
    return frozenset((*joint.wanted, *range(count - behind, count)))


def _out_of_place(graph: Recording, arguments: Tensors) -> Recording:
    """The graph without operations that write to what they are given."""
    if not any(_is_in_place(node.target) for node in graph.graph.nodes):
        return graph
    constants = list(graph.constants.values())

    def lifted(*given: torch.Tensor) -> Any:
        """What is written in place is written out of place for arguments only."""
        own = dict(zip(graph.constants, given[len(arguments) :], strict=True))
        return Recording(graph.graph, own)(*given[: len(arguments)])

    functional = torch.func.functionalize(lifted, remove="mutations")
    again = Recorder().record(lambda *given: functional(*given, *constants), arguments)
    return _without_write_back(again)


def _constants(graph: Recording) -> list[torch.Tensor]:
    """The floating-point tensors that stand in a graph as they are."""
    return [dense(tensor) for tensor in graph.constants.values() if tensor.is_floating_point()]


def _same_constants(one: Recording, other: Recording) -> bool:
    some, others = _constants(one), _constants(other)
    return len(some) == len(others) and all(map(_equal, some, others))


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one.nan_to_num(), other.nan_to_num())


def _without_write_back(recording: Recording) -> Recording:
    """Without the copies at its end, of what was written to arguments: nothing of what it returns
    depends on them.
    """
    for node in recording.graph.nodes:
        if node.target is torch.ops.aten.copy_.default and not node.users:
            recording.graph.erase_node(node)
    return recording


def _is_in_place(target: Any) -> bool:
    return isinstance(target, torch._ops.OpOverload) and target._schema.is_mutable
