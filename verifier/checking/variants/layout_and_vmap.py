"""The same gradient asked for in other ways: other layouts in memory, and under vmap."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import torch

from verifier.capture.autograd_derivatives import Joint, tensors
from verifier.capture.code_at_point import SEED, Statements
from verifier.capture.lowering import plain
from verifier.capture.random_draws import SameDraws, with_seed
from verifier.checking.labels import NAMED, words_text
from verifier.checking.variants.not_comparable import (
    NO_VALUE,
    OF_STRIDES,
    leaves_domain,
    reads_strides,
    without_convention,
)
from verifier.checking.variants.target_at_point import (
    Trial,
    ignore_torch_warnings,
    parts_with_statements,
    reason_it_raises,
    statements_of,
)
from verifier.judging.examination import Examination, Part
from verifier.judging.examine import examine
from verifier.judging.finding import Circumstance, Finding, OtherArguments
from verifier.judging.outcome import Outcome
from verifier.judging.reference import Reference
from verifier.process.values import UserFunction

_Layout: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
ROUNDINGS = 64.0
"""What is off by more of them is off by more than another order of operations."""
MOST_ALONE = 4
"""So many inputs lie in memory in another way alone."""


class _JointAsGiven(Joint):
    """The code gets its inputs as they lie in memory; whoever writes to them gets torch's error."""

    def _own(self, input_: torch.Tensor) -> torch.Tensor:
        return input_


def _state_as_given(
    examination: Examination, arguments: Sequence[torch.Tensor]
) -> Sequence[torch.Tensor | None]:
    """What the code states with the numbers that it drew in the examination."""
    joint = statements_of(examination).joint
    with ignore_torch_warnings(), SameDraws([draw.numbers for draw in examination.events.draws]):
        return _JointAsGiven(joint.code, joint.wanted, joint.results)(*arguments)


def with_strides(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers, every second one in memory and not from its start; a single number as it
    is.

    >>> apart = with_strides(torch.ones(2, 3))
    >>> apart.is_contiguous(), apart.storage_offset()
    (False, 1)
    """
    if tensor.ndim == 0:
        return tensor
    wide = torch.zeros(
        *tensor.shape[:-1], 2 * tensor.shape[-1], dtype=tensor.dtype, device=tensor.device
    )
    wide[..., 1::2] = tensor
    return wide[..., 1::2]


def with_first_axis_fastest(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers, with the first axis the fastest in memory.

    >>> with_first_axis_fastest(torch.ones(2, 3)).stride()
    (1, 2)
    """
    axes = tuple(reversed(range(tensor.ndim)))
    return tensor.permute(axes).contiguous().permute(axes)


def with_offset(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers side by side in memory, but not from its start.

    >>> apart = with_offset(torch.ones(2, 3))
    >>> apart.is_contiguous(), apart.storage_offset()
    (True, 1)
    """
    wide = torch.zeros(tensor.numel() + 1, dtype=tensor.dtype, device=tensor.device)
    wide[1:] = tensor.reshape(-1)
    return wide[1:].view(tensor.shape)


def with_channels_last(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers, of an image with its channels the fastest in memory; another tensor as it
    is.

    >>> with_channels_last(torch.ones(1, 2, 3, 3)).stride()
    (18, 1, 6, 2)
    """
    if tensor.ndim != 4:
        return tensor
    return tensor.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class StridesCheck:
    """Inputs and grad_output that lie in memory in other ways: all of them, each of the two alone,
    and each input alone.
    """

    layouts: tuple[_Layout, ...] = (
        with_strides,
        with_first_axis_fastest,
        with_offset,
        with_channels_last,
    )
    name: str = "strided"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        statements = trial.statements
        if reads_strides(trial):
            yield trial.absent(self, OF_STRIDES)
            return
        reasons: dict[str, None] = {}
        seen: set[tuple[tuple[tuple[int, ...], int], ...]] = set()
        for layout, (chosen, which) in product(self.layouts, _laid_out(trial)):
            arguments = [
                layout(tensor.clone()) if name in chosen else tensor.clone()
                for name, tensor in zip(statements.names, statements.arguments, strict=True)
            ]
            places = tuple((tensor.stride(), int(tensor.storage_offset())) for tensor in arguments)
            if places in seen:
                continue
            seen.add(places)
            try:
                stated = _state_as_given(trial.examination, arguments)
            except Exception as error:
                reasons[reason_it_raises(error)] = None
                continue
            judged: Sequence[Part] = parts_with_statements(trial.examination.parts, stated)
            if _may_be_rounding(judged):
                judged = _by_own_operations(trial, partial(_laid_out_at, layout, chosen), judged)
            circumstance = Circumstance(
                f"where {which} in memory {_LAYOUTS[layout]}", _misread(statements, arguments)
            )
            found = trial.finding(self, judged, circumstance=circumstance)
            yield replace(found, examination=trial.examination)
        yield from (trial.absent(self, reason) for reason in reasons)


def _may_be_rounding(parts: Sequence[Part]) -> bool:
    """Whether something disagrees, and nothing by more than some roundings of its terms."""
    failing = [part for part in parts if part.outcome is Outcome.DISAGREES]
    return bool(failing) and all(_is_near(part) for part in failing)


def _is_near(part: Part) -> bool:
    case, verdicts = part.case, part.verdicts
    limit = ROUNDINGS * case.format.unit_roundoff * np.max(np.abs(case.terms), initial=0.0)
    return bool((verdicts.error[verdicts.failing] <= limit).all())


def _by_own_operations(
    trial: Trial, laid_out: Callable[[Trial], UserFunction], judged: Sequence[Part]
) -> Sequence[Part]:
    """The parts by the operations that torch runs on tensors that lie so, if that explains them:
    an inner product of tensors with gaps rounds each product.
    """
    reference = trial.specification or Reference(with_seed(trial.bound.code, trial.random_seed))
    subject = replace(trial.subject, code=laid_out(trial), seeds=tuple(trial.weights))
    try:
        with ignore_torch_warnings():
            found = examine(subject, reference)
    except Exception:
        return judged
    own = [
        part.restated(before.verdicts.stated)
        for part, before in zip(found.parts, judged, strict=True)
    ]
    agrees = all(part.outcome is Outcome.AGREES for part in (*own, *found.parts))
    return own if agrees else judged


def _laid_out_at(layout: _Layout, chosen: Collection[str], trial: Trial) -> UserFunction:
    """The code, which lays out in memory what it is given, and grad_output, by itself."""
    names, code = trial.statements.names, trial.bound.code
    count = len(trial.bound.inputs)

    def laid_out(*given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        inputs = [
            layout(tensor) if name in chosen else tensor
            for name, tensor in zip(names, given, strict=False)
        ]
        results = tensors(code(*inputs))
        return tuple(
            _WithGradientLaidOut.apply(result, layout) if name in chosen else result  # type: ignore[no-untyped-call]
            for name, result in zip(names[count:], results, strict=True)
        )

    return laid_out


class _WithGradientLaidOut(torch.autograd.Function):
    """The identity, whose backward lays out grad_output in memory."""

    @staticmethod
    def forward(ctx: Any, result: torch.Tensor, layout: _Layout) -> torch.Tensor:
        ctx.layout = layout
        return result.view_as(result)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        return ctx.layout(grad_outputs[0]), None


_LAYOUTS: dict[_Layout, str] = {
    with_strides: "with gaps",
    with_first_axis_fastest: "transposed",
    with_offset: "at an offset",
    with_channels_last: "as channels_last",
}
"""How something lies in memory."""


def _laid_out(trial: Trial) -> Iterator[tuple[frozenset[str], str]]:
    """The names of what lies in memory in another way at once, and what that is in words."""
    inputs = [name for name in trial.bound.arguments if trial.bound.inputs[name].ndim]
    names = trial.statements.names
    yield frozenset(names), f"{_names_text(inputs)} and grad_output lie"
    yield frozenset(names[len(trial.bound.inputs) :]), "grad_output alone lies"
    yield frozenset(trial.bound.inputs), f"{_names_text(inputs)} alone {_verb(inputs)}"
    if len(inputs) > 1:
        yield from ((frozenset({name}), f"{name} alone lies") for name in inputs[:MOST_ALONE])


def _names_text(names: Sequence[str]) -> str:
    return words_text(names) if len(names) <= NAMED else "the inputs"


def _verb(names: Sequence[str]) -> str:
    return "lies" if len(names) == 1 else "lie"


def _misread(
    statements: Statements, arguments: Sequence[torch.Tensor]
) -> tuple[OtherArguments, ...]:
    """What the arguments are for code that reads their memory as if they were contiguous."""
    read = {
        name: plain(found)
        for name, tensor in zip(statements.names, arguments, strict=True)
        if (found := _memory_in_order(tensor)) is not None
    }
    chosen = [(name, {name: numbers}) for name, numbers in read.items()]
    if len(read) > 1:
        chosen = [("all of them", read), *chosen]
    return tuple(
        OtherArguments(
            "strides ignored",
            f"with {_title(name)} read from memory as if contiguous: .contiguous() first",
            numbers,
        )
        for name, numbers in chosen
    )


def _title(name: str) -> str:
    if not name.startswith(SEED):
        return name
    return "grad_output" if name == f"{SEED}0" else f"grad_output {name.removeprefix(SEED)}"


def _memory_in_order(tensor: torch.Tensor) -> torch.Tensor | None:
    """The numbers that lie in memory from a tensor's first one on; None where they are the
    tensor's own in order, or where its memory ends before.
    """
    last = int(tensor.storage_offset()) + tensor.numel()
    if tensor.is_contiguous() or last > tensor.untyped_storage().nbytes() // tensor.element_size():
        return None
    strides = torch.empty(tensor.shape, device="meta").stride()
    return torch.as_strided(tensor, tensor.shape, strides, tensor.storage_offset())


@dataclass(frozen=True)
class ExpandedCheck:
    """Inputs and grad_output that are one number or one row again and again, with strides of 0: all
    of them, and each of the two alone.
    """

    name: str = "expanded"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        if reads_strides(trial):
            yield trial.absent(self, OF_STRIDES)
            return
        weights = tuple(map(_first_weight_repeated, trial.weights))
        for repeated in (_first_row_repeated, _first_column_repeated):
            inputs = {
                name: repeated(tensor)
                if name in trial.bound.arguments and tensor.is_floating_point()
                else tensor
                for name, tensor in trial.statements.inputs.items()
            }
            yield from self._at(trial, list(inputs.values()), list(weights))
            if all(tensor.ndim < 2 for tensor in inputs.values()):
                break

    def _at(
        self, trial: Trial, inputs: list[torch.Tensor], weights: list[torch.Tensor]
    ) -> Iterator[Finding]:
        named = dict(zip(trial.statements.inputs, inputs, strict=True))
        plain_inputs, plain_weights = (
            [tensor.contiguous() for tensor in those] for those in (inputs, weights)
        )
        try:
            examination = trial.examine(replace(trial.subject, inputs=named, seeds=tuple(weights)))
        except Exception as error:
            yield trial.absent(self, reason_it_raises(error))
            return
        if leaves_domain(examination):
            yield trial.absent(self, NO_VALUE)
            return
        for arguments, which in (
            ([*inputs, *weights], "the inputs and grad_output are"),
            ([*inputs, *plain_weights], "the inputs alone are"),
            ([*plain_inputs, *weights], "grad_output alone is"),
        ):
            try:
                stated = _state_as_given(examination, arguments)
            except Exception as error:
                yield trial.absent(self, reason_it_raises(error))
                return
            circumstance = Circumstance(f"where {which} expanded, with strides of 0")
            judged = parts_with_statements(examination.parts, stated)
            found = trial.finding(self, judged, circumstance=circumstance)
            yield replace(found, examination=examination)


def _first_row_repeated(tensor: torch.Tensor) -> torch.Tensor:
    return tensor[:1].expand(tensor.shape) if tensor.ndim else tensor


def _first_column_repeated(tensor: torch.Tensor) -> torch.Tensor:
    return tensor[..., :1].expand(tensor.shape) if tensor.ndim else tensor


def _first_weight_repeated(weight: torch.Tensor) -> torch.Tensor:
    return weight.reshape(-1)[:1].reshape(()).expand(weight.shape) if weight.numel() else weight


@dataclass(frozen=True)
class VmapCheck:
    """The code under vmap, at two points at once, against a loop over them: along the first axis,
    then along the last.
    """

    name: str = "vmap"

    def findings(self, trial: Trial) -> Iterator[Finding]:
        """What the check finds at that point."""
        stacked = _stacked(trial, trial.beside)
        try:
            examination = _under_examination(trial, stacked)
            if examination.outcome is Outcome.UNDECIDED:
                # The point beside may lie outside the domain, which is no matter of the code.
                stacked = _stacked(trial, trial.bound.inputs)
                examination = _under_examination(trial, stacked)
        except Exception as error:
            yield trial.absent(self, reason_it_raises(error))
            return
        reason = without_convention(examination)
        if reason:
            yield trial.absent(self, reason)
            return
        circumstance = _under_vmap_circumstance(stacked)
        found = trial.finding(self, examination.parts, circumstance=circumstance)
        yield replace(found, examination=examination)
        yield self._along_last(trial, stacked, examination)

    def _along_last(
        self, trial: Trial, stacked: Mapping[str, torch.Tensor], examination: Examination
    ) -> Finding:
        """The finding along the last axis, compared with the loop of the examination."""
        statements = statements_of(examination)
        last = _under_vmap_last(with_seed(trial.bound.code, trial.random_seed))
        try:
            with ignore_torch_warnings():
                shapes = [result.shape for result in last(*stacked.values())]
                if shapes != [result.shape for result in statements.results]:
                    sentence = "along the last axis the results have another shape than in a loop"
                    return trial.finding(self, (), (sentence,))
                arguments = [tensor.clone() for tensor in statements.arguments]
                stated = replace(statements.joint, code=last)(*arguments)
        except Exception as error:
            return trial.absent(self, f"along the last axis, {reason_it_raises(error)}")
        circumstance = Circumstance("under vmap along the last axis")
        judged = parts_with_statements(examination.parts, stated)
        found = trial.finding(self, judged, circumstance=circumstance)
        return replace(found, examination=examination)


def _under_vmap_circumstance(stacked: Mapping[str, torch.Tensor]) -> Circumstance:
    first = {
        name: plain(tensor[:1].expand(tensor.shape))
        for name, tensor in stacked.items()
        if tensor.is_floating_point()
    }
    other = OtherArguments("rows mixed", "of the first row, in every row", first)
    return Circumstance("under vmap", (other,))


def _stacked(trial: Trial, beside: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The inputs of the trial's point and of another one in one tensor each."""
    return {
        name: torch.stack([tensor, beside.get(name, tensor)])
        for name, tensor in trial.bound.inputs.items()
    }


def _under_examination(trial: Trial, stacked: Mapping[str, torch.Tensor]) -> Examination:
    """The code at several points at once, compared with a loop over them."""
    code = trial.bound.code
    subject = replace(trial.subject, code=_under_vmap(code), inputs=stacked)
    with ignore_torch_warnings():
        return examine(subject, Reference(_loop_over_rows(code)))


def _under_vmap(code: UserFunction) -> UserFunction:
    return lambda *stacked: torch.func.vmap(lambda *row: tuple(tensors(code(*row))))(*stacked)


def _under_vmap_last(code: UserFunction) -> UserFunction:
    """The same along the last axis of each input and of each result."""

    def along_last(*stacked: torch.Tensor) -> tuple[torch.Tensor, ...]:
        mapped = torch.func.vmap(lambda *row: tuple(tensors(code(*row))), in_dims=-1, out_dims=-1)
        results = mapped(*(tensor.movedim(0, -1) for tensor in stacked))
        return tuple(result.movedim(-1, 0) for result in results)

    return along_last


def _loop_over_rows(code: UserFunction) -> UserFunction:
    def loop(*stacked: torch.Tensor) -> tuple[torch.Tensor, ...]:
        rows = [
            tensors(code(*row))
            for row in zip(*(tensor.unbind() for tensor in stacked), strict=True)
        ]
        return tuple(torch.stack(parts) for parts in zip(*rows, strict=True))

    return loop
