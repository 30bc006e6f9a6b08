"""Optimizers: how a gradient moves the parameters, once for torch's tensors and once for plain
numbers.

Plain SGD on numbers has no torch in it. Every other optimizer is a class of `torch.optim`, of which
the symbolic training gets an instance of its own.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Protocol

from verifier.errors import InputError, message_of
from verifier.process.values import UserValue

if TYPE_CHECKING:
    import torch

Numbers = Sequence[Any]
"""NumPy scalars and arrays of the training's dtype."""


class Optimizer(Protocol):
    """A rule for updating parameters."""

    name: str

    def on_tensors(self, parameters: list[torch.Tensor]) -> Callable[[], object]:
        """A function that updates these tensors in place from their `.grad`."""

    def on_numbers(self, start: Numbers) -> Callable[[Numbers, Numbers], Numbers]:
        """A function from parameters and their gradient to the updated parameters."""


class PlainSGD:
    """w - lr·g, in two roundings: the update that the tutorial writes by hand.

    (`torch.optim.SGD` multiplies and subtracts in one rounding and prints other digits.)
    """

    name = "sgd"

    def __init__(self, lr: float) -> None:
        self._lr = lr

    def on_tensors(self, parameters: list[torch.Tensor]) -> Callable[[], object]:
        """A function that updates these tensors in place from their `.grad`."""
        lr = self._lr

        def update() -> None:
            for parameter in parameters:
                if parameter.grad is not None:
                    parameter.data = parameter.data - lr * parameter.grad

        return update

    def on_numbers(self, start: Numbers) -> Callable[[Numbers, Numbers], Numbers]:
        """A function from parameters and their gradient to the updated parameters."""
        lr = self._lr
        return lambda parameters, gradient: [
            w - lr * g for w, g in zip(parameters, gradient, strict=True)
        ]


class TorchOptimizer:
    """A class of `torch.optim`, or any function of the parameters that returns such an
    optimizer.
    """

    def __init__(
        self, name: str, build: Callable[[list[torch.Tensor]], torch.optim.Optimizer]
    ) -> None:
        self.name = name
        """What it is called, with its options."""
        self._build = build

    def on_tensors(self, parameters: list[torch.Tensor]) -> Callable[[], object]:
        """A function that updates these tensors in place from their `.grad`.

        Raises InputError where the optimizer cannot be made for them.
        """
        return self._instance(parameters).step

    def on_numbers(self, start: Numbers) -> Callable[[Numbers, Numbers], Numbers]:
        """A function from parameters and their gradient to the updated parameters.

        An optimizer of its own does it, on tensors of the numbers' dtype. Raises InputError where
        it cannot be made.
        """
        import torch

        from verifier.capture.to_numpy import to_numpy

        tensors = [torch.tensor(value) for value in start]
        step = self._instance(tensors).step

        def update(_: Numbers, gradient: Numbers) -> Numbers:
            for tensor, number in zip(tensors, gradient, strict=True):
                tensor.grad = torch.tensor(number, dtype=tensor.dtype)
            step()
            return [to_numpy(tensor).copy()[()] for tensor in tensors]

        return update

    def _instance(self, parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
        try:
            return self._build(parameters)
        except Exception as error:
            message = message_of(error, whole=True)
            raise InputError(f"optimizer {self.name} cannot be set up: {message}") from error


def optimizer_named(name: UserValue, lr: float) -> Optimizer:
    """The optimizer called `name` at the learning rate `lr`: "sgd", or any of `torch.optim` by its
    name, with options of its own in brackets, as in "adamw(weight_decay=0.01)".

    A function of the list of parameters that returns a `torch.optim.Optimizer` is taken as it is.
    Raises InputError for an unknown name, for options that are no numbers, truth values or lists of
    them, and for optimizers that need more than a gradient.

    >>> optimizer_named("sgd(momentum=0.9)", 0.1).name
    'sgd(momentum=0.9)'
    """
    if callable(name):
        return TorchOptimizer(getattr(name, "__name__", "given"), name)
    called, options = _called_with(str(name))
    if called == "sgd" and not options:
        return PlainSGD(lr)
    classes = _torch_optimizers()
    found = classes.get(called)
    if found is None:
        near = get_close_matches(called, ["sgd", *classes], n=1)
        hint = (
            f"did you mean {near[0]}?" if near else f"torch.optim has {', '.join(sorted(classes))}"
        )
        raise InputError(f"there is no optimizer {name!r}: {hint}")
    return TorchOptimizer(str(name), lambda parameters: found(parameters, lr=lr, **options))


def _called_with(text: str) -> tuple[str, dict[str, UserValue]]:
    """The name in small letters, and the options behind it. The text is parsed, not evaluated."""
    if "(" not in text:
        return text.lower(), {}
    shape = "write options as in adamw(weight_decay=0.01, amsgrad=True)"
    try:
        with warnings.catch_warnings():
            # Python warns of what it reads nevertheless, such as 1or 2.
            warnings.simplefilter("error", SyntaxWarning)
            call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, SyntaxWarning, ValueError, RecursionError, MemoryError):
        raise InputError(f"optimizer {text!r} cannot be read: {shape}") from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
        raise InputError(f"optimizer {text!r} cannot be read: {shape}")
    names = [str(part.arg) for part in call.keywords if part.arg is not None]
    if len(set(names)) < len(call.keywords):
        raise InputError(f"optimizer {text!r} cannot be read: {shape}")
    values = [part.value for part in call.keywords]
    return call.func.id.lower(), dict(zip(names, map(_option, names, values), strict=True))


def _option(name: str, value: ast.expr) -> UserValue:
    if name == "lr":
        raise InputError("the learning rate is a setting of its own: give lr")
    try:
        read = ast.literal_eval(value)
    except (ValueError, TypeError, RecursionError):
        read = None
    parts = read if isinstance(read, list | tuple) else [read]
    if not parts or not all(isinstance(part, int | float) for part in parts):
        raise InputError(f"option {name} of an optimizer is a number, a truth value or a list")
    return tuple(read) if isinstance(read, list) else read


def torch_optimizer_name(name: UserValue) -> str:
    """The name that the optimizer `name`, as `optimizer_named` takes it, has in `torch.optim`.

    Raises InputError where it has none there.
    """
    if callable(name):
        raise InputError(
            f"optimizer {getattr(name, '__name__', 'given')} has no name in torch.optim"
        )
    optimizer_named(name, 0.0)
    return str(_torch_optimizers()[_called_with(str(name))[0]].__name__)


def torch_optimizer_options(name: str) -> str:
    """The options behind `name`, an optimizer's, as the source of keyword arguments, each behind a
    comma.

    Raises InputError where they cannot be read.

    >>> torch_optimizer_options("adamw(weight_decay=0.01)")
    ', weight_decay=0.01'
    """
    _, options = _called_with(name)
    return "".join(f", {key}={value!r}" for key, value in options.items())


_UNFIT = {
    "lbfgs": "it calls the loss several times a step; verifier judges one gradient a step",
    "sparseadam": "it takes sparse gradients only",
    "muon": "it takes matrices only",
}


def _torch_optimizers() -> dict[str, Callable[..., torch.optim.Optimizer]]:
    import torch

    found = {
        name.lower(): value
        for name, value in vars(torch.optim).items()
        if isinstance(value, type)
        and issubclass(value, torch.optim.Optimizer)
        and value is not torch.optim.Optimizer
    }
    return {
        name: _refusing_class(name) if name in _UNFIT else value for name, value in found.items()
    }


def _refusing_class(name: str) -> Callable[..., torch.optim.Optimizer]:
    def refuse(*_: object, **__: object) -> torch.optim.Optimizer:
        raise ValueError(_UNFIT[name])

    return refuse
