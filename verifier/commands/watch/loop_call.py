"""Loop calls: one call of a module or a loss in somebody's training loop, and its gradients judged.

While the module is called, each of its parameters is replaced by an alias. The gradient that
arrives at the alias is what this call alone contributes: penalties on weights, other calls and
earlier backward passes have no part in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import torch
from torch.nn.utils.stateless import _reparametrize_module

from verifier.capture.code_at_point import REVERSE, Subject
from verifier.capture.target import Bound, bound
from verifier.capture.target.outputs import results_of
from verifier.capture.target.pytree import leaves, with_leaves
from verifier.capture.target.signature import arguments_for, signature_of
from verifier.capture.to_numpy import to_float64
from verifier.errors import InputError
from verifier.judging.examination import Examination, Part
from verifier.judging.examine import examine
from verifier.judging.finding import CheckPoint, Finding
from verifier.judging.outcome import Outcome
from verifier.process.values import UserFunction, UserValue

Returned: TypeAlias = Any
"""What the code of a loop returns: a tensor, or anything that tensors are in."""
VALUE, STEP = "value", "step"
"""The quantity of what a call returns, and the kind of a point that is a step of a loop."""
MOST_PRODUCTS = 20_000_000
"""A call with more products than that takes minutes in exact arithmetic."""


class NotJudgedError(Exception):
    """Why a call is not judged, in a sentence."""


@dataclass(eq=False)
class LoopCall:
    """What is known of one call: its inputs, and the gradients that came back.

    Hooks of torch write the gradients down as they come.
    """

    step: int
    """Which call of the loop it is, from 1 on."""
    bound: Bound
    """The code with copies of everything that it was given."""
    random_state: torch.Tensor
    """Of torch's generator, before the call."""
    results: dict[str, torch.Tensor] = field(default_factory=dict)
    """What the call returned, by name."""
    grad_outputs: dict[str, torch.Tensor] = field(default_factory=dict)
    """What arrived at the results in the backward pass; nothing where no backward reached them."""
    gradients: dict[str, torch.Tensor] = field(default_factory=dict)
    """What the backward pass stated, by input or parameter."""

    @property
    def has_gradients(self) -> bool:
        """Whether a backward pass reached the results."""
        return bool(self.grad_outputs)


def observed_call(
    target: UserFunction, step: int, args: tuple[Any, ...], kwargs: Mapping[str, UserValue]
) -> tuple[LoopCall, Returned]:
    """The call of a target with these arguments, observed, and what it returned.

    Raises NotJudgedError before the target is called where nothing can be judged, and whatever the
    target raises.
    """
    inputs = _arguments_by_name(target, args, kwargs)
    call = LoopCall(step, _copied(target, inputs), torch.get_rng_state())
    watched = {
        name: leaf.view_as(leaf)
        for argument, value in inputs.items()
        for name, leaf in leaves(value, argument)
        if isinstance(leaf, torch.Tensor) and leaf.requires_grad
    }
    aliases = dict(_parameter_aliases(target))
    for name, alias in watched.items():
        alias.register_hook(_keep_in(call.gradients, name))  # type: ignore[no-untyped-call]
    for name, alias in aliases.items():
        alias.register_hook(_keep_in(call.gradients, _name_in(call.bound, name)))  # type: ignore[no-untyped-call]
    given = {name: with_leaves(value, name, watched.get) for name, value in inputs.items()}
    with _parameters_replaced(target, aliases):
        returned = _called(call.bound.name, target, given)
    found = results_of(call.bound.name, returned)
    for name, tensor in zip(found.names, found.tensors, strict=True):
        call.results[name] = tensor.detach().clone()
        if tensor.requires_grad:
            tensor.register_hook(_keep_in(call.grad_outputs, name))  # type: ignore[no-untyped-call]
    stated = {*watched, *(_name_in(call.bound, name) for name in aliases)}
    wanted = tuple(name for name in call.bound.wanted if name in stated)
    call.bound = replace(call.bound, wanted=wanted)
    return call, returned


def judged_call(call: LoopCall, number: int) -> Finding:
    """The gradients of a call, compared with the exact ones of its own forward.

    Raises NotJudgedError where the forward cannot be repeated or read.
    """
    dtypes = {str(tensor.dtype).removeprefix("torch.") for tensor in call.results.values()}
    point = CheckPoint(number, STEP, min(dtypes), call.bound.inputs)
    seeds = tuple(
        call.grad_outputs.get(name, torch.zeros_like(result))
        for name, result in call.results.items()
    )
    subject = Subject(_repeated(call), call.bound.inputs, call.bound.wanted, seeds)
    try:
        examination = examine(subject)
    except InputError as error:
        raise NotJudgedError(error.sentence) from error
    _refuse_hidden_parameters(call, examination)
    parts = _restated(call, examination.parts)
    if any(part.quantity == VALUE and part.outcome is Outcome.DISAGREES for part in parts):
        raise NotJudgedError(
            f"{call.bound.name} gives another value when it is run again with the same inputs, "
            "parameters and random numbers"
        )
    return Finding(REVERSE, point.dtype, point, tuple(parts), examination=examination)


def _refuse_hidden_parameters(call: LoopCall, examination: Examination) -> None:
    """A forward that finds its parameters elsewhere than in the module cannot be given copies."""
    if examination.coded is None:
        return
    statements = examination.coded.statements
    for (name, quantity), stated in zip(statements.labels, statements.stated, strict=True):
        if quantity == REVERSE and stated is None and name in call.gradients:
            raise NotJudgedError(
                f"{call.bound.name} uses {name} in a way that a copy of the module does not"
            )


def _restated(call: LoopCall, parts: Sequence[Part]) -> list[Part]:
    """The parts with what the loop had in place of what a second run states."""
    results, found = iter(call.results.values()), []
    for part in parts:
        zeros = torch.zeros(part.shape)
        stated = next(results) if part.quantity == VALUE else call.gradients.get(part.name, zeros)
        again = part.restated(to_float64(stated).reshape(-1))
        found.append(replace(again, wrong_formula=part.wrong_formula & again.verdicts.failing))
    return found


def _repeated(call: LoopCall) -> Callable[..., tuple[torch.Tensor, ...]]:
    """The code with the random numbers that it had in the loop."""

    def repeated(*values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        torch.set_rng_state(call.random_state)
        return call.bound.code(*values)

    return repeated


def _arguments_by_name(
    target: UserFunction, args: tuple[Any, ...], kwargs: Mapping[str, UserValue]
) -> dict[str, Any]:
    signature = signature_of(_function(target))
    if signature is None:
        return {**{f"input {place}": value for place, value in enumerate(args)}, **kwargs}
    try:
        return dict(signature.bind(*args, **kwargs).arguments)
    except TypeError as error:
        raise NotJudgedError(f"its arguments do not fit: {error}") from error


def _function(target: UserFunction) -> UserFunction:
    return target.forward if isinstance(target, torch.nn.Module) else target


def _copied(target: UserFunction, inputs: Mapping[str, Any]) -> Bound:
    """The target with copies of its inputs, its parameters and its buffers."""
    like = _first_number(target, inputs)
    if torch.is_autocast_enabled(like.device.type):
        raise NotJudgedError("it was under torch.autocast")
    dtype = str(like.dtype).removeprefix("torch.")
    try:
        found = bound(target, inputs, dtype)
    except InputError as error:
        raise NotJudgedError(error.sentence) from error
    products = _products(found)
    if products > MOST_PRODUCTS:
        raise NotJudgedError(
            f"a call takes about {products:,} products, and at most {MOST_PRODUCTS:,} are judged: "
            "watch a part of the module, or use a smaller batch"
        )
    copies = {name: tensor.detach().clone() for name, tensor in found.inputs.items()}
    return replace(found, inputs=copies)


def _products(found: Bound) -> int:
    """About as many products as a forward takes: each parameter meets each row."""
    given = [found.inputs[name] for name in found.arguments]
    rows = max((len(one) for one in given if one.ndim), default=1)
    parameters = sum(
        tensor.numel() for name, tensor in found.inputs.items() if name not in found.arguments
    )
    return max(rows * parameters, sum(one.numel() for one in given))


def _first_number(target: UserFunction, inputs: Mapping[str, Any]) -> torch.Tensor:
    """A floating-point tensor, of a parameter if there is one, else of an argument."""
    tensors = [leaf for name, value in inputs.items() for _, leaf in leaves(value, name)]
    if isinstance(target, torch.nn.Module):
        tensors = [*target.parameters(), *tensors]
    for one in tensors:
        if isinstance(one, torch.Tensor) and one.is_floating_point():
            return one
    raise NotJudgedError("it is given no tensor of floating-point numbers")


def _parameter_aliases(target: UserFunction) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(target, torch.nn.Module) and torch.is_grad_enabled():
        for name, parameter in target.named_parameters():
            if parameter.requires_grad:
                yield name, parameter.view_as(parameter)


@contextmanager
def _parameters_replaced(target: UserFunction, aliases: dict[str, torch.Tensor]) -> Iterator[None]:
    if not isinstance(target, torch.nn.Module):
        yield
        return
    with _reparametrize_module(target, aliases, tie_weights=True):
        yield


def _called(name: str, target: UserFunction, given: Mapping[str, Any]) -> Returned:
    function = _function(target)
    arguments = arguments_for(name, signature_of(function), given)
    return function(*arguments.positional, **arguments.keywords)


def _name_in(found: Bound, parameter: str) -> str:
    """The name of a parameter among the inputs: one that begins like an argument is behind self."""
    return parameter if parameter in found.inputs else f"self.{parameter}"


def _keep_in(kept: dict[str, torch.Tensor], name: str) -> Callable[[torch.Tensor], None]:
    def keep(gradient: torch.Tensor) -> None:
        before = kept.get(name)
        kept[name] = gradient.detach().clone() if before is None else before + gradient

    return keep
