"""Witnesses that state wrong gradients, each in one known way at known steps."""

from collections.abc import Callable

from verifier.witnesses import Autograd


class Tampered(Autograd):
    """Autograd, with one parameter's gradient changed at chosen steps (all of them when none is chosen)."""

    def __init__(self, parameter: int, change: Callable, steps: tuple[int, ...] = ()) -> None:
        self.parameter, self.change, self.steps = parameter, change, steps
        self.step = 0

    def differentiate(self, loss, parameters) -> None:
        super().differentiate(loss, parameters)
        self.step += 1
        if not self.steps or self.step in self.steps:
            chosen = parameters[self.parameter]
            chosen.grad = self.change(chosen.grad)


class NotZeroed(Autograd):
    """Gradients that add up, because nobody clears them."""

    def differentiate(self, loss, parameters) -> None:
        loss.backward()


class Stale(Autograd):
    """One parameter's gradient of the step before."""

    def __init__(self, parameter: int, step: int) -> None:
        self.parameter, self.at, self.step, self.before = parameter, step, 0, None

    def differentiate(self, loss, parameters) -> None:
        super().differentiate(loss, parameters)
        self.step += 1
        chosen = parameters[self.parameter]
        now = chosen.grad.clone()
        if self.step == self.at:
            chosen.grad = self.before
        self.before = now
