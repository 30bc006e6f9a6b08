"""Check settings: how a target is checked."""

from __future__ import annotations

from dataclasses import dataclass

MOST_POINTS = 10_000
LARGEST_SEED = 2**63 - 1
MOST_DIGITS = 77
"""So many are compared in exact arithmetic."""


@dataclass(frozen=True)
class CheckSettings:
    """How a target is checked."""

    dtypes: tuple[str, ...] = ()
    """The dtypes tried: those of the tensors given, else float32 and float64."""
    points: int = 3
    """Random points for each dtype, where inputs are drawn."""
    seed: int = 0
    without: tuple[str, ...] = ()
    """Checks that are switched off, by name."""
    digits: float | None = None
    """How many digits must agree; None asks for no number of digits."""
    timeout: float | None = None
    """Seconds that the whole check may take. A call from Python ends after the step that it is at:
    in the same process nothing stops code that does not return, but for the first run at each
    point. None sets no limit.
    """
    honour_detach: bool = False
    """Whether what the code detaches is taken for a constant."""
    wrt: tuple[str, ...] = ()
    """What gradients are taken by: inputs and parameters by name, or by what their names begin
    with; empty means all inputs, and all parameters that are not frozen.
    """
    not_wrt: tuple[str, ...] = ()
    """What no gradient is taken by."""
    state: str | None = None
    """A file with a module's weights, as torch.save writes its state_dict."""
    train: bool = False
    """Whether a module is put into training mode; else it is checked in the mode that it has."""

    def __post_init__(self) -> None:
        for name in ("wrt", "not_wrt"):
            value = getattr(self, name)
            names = value.split(",") if isinstance(value, str) else value
            object.__setattr__(self, name, tuple(str(one).strip() for one in names))
        if self.state is not None:
            object.__setattr__(self, "state", str(self.state))
