"""Pictures of a training: both costs over the epochs, and the gradients' errors beside their allowance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from verifier.errors import InputError
from verifier.findings import Findings

SUFFIXES = (".svg", ".png", ".pdf")
# Okabe and Ito's colours, which colour-blind readers can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def check_suffix(path: Path) -> None:
    """Raise InputError for a file that no picture can be written to."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"cannot draw {str(path)!r}: end its name in {', '.join(SUFFIXES)}")


def draw(findings: Findings, title: str, path: Path) -> None:
    """Write the picture of a training; its kind is that of the path's suffix."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 8.0), layout="constrained")
    FigureCanvasAgg(figure)
    costs, errors = figure.subplots(2, 1)
    figure.suptitle(title, parse_math=False)
    _costs(costs, findings)
    _errors(errors, findings)
    figure.savefig(path, dpi=120, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)


def _costs(axes: Any, findings: Findings) -> None:
    rows = findings.curves.costs
    axes.plot(rows[:, 0], rows[:, 1], color=_COLOURS[0], linewidth=3.0, label="moved by autograd's gradients")
    axes.plot(rows[:, 0], rows[:, 2], color=_COLOURS[1], linestyle="--", label="moved by the symbolic gradients")
    axes.set(xlabel="epoch", ylabel="cost (loss of the epoch's last step)", title="Cost of both trainings")
    if _spans_decades(rows[:, 1:]):
        axes.set_yscale("log")
    axes.legend()


def _spans_decades(costs: Any) -> bool:
    positive = costs[np.isfinite(costs) & (costs > 0)]
    return bool(positive.size == costs.size and positive.size and positive.max() > 100 * positive.min())


def _errors(axes: Any, findings: Findings) -> None:
    rows = np.where(np.isfinite(findings.curves.errors), findings.curves.errors, np.nan)
    steps = rows[:, 0]
    for place, component in enumerate(findings.gradients):
        error, allowed = rows[:, 1 + 2 * place], rows[:, 2 + 2 * place]
        colour = _COLOURS[place % len(_COLOURS)]
        # An error of 0 has no place on a logarithmic axis: it stands at a thousandth of an ulp.
        axes.plot(steps, np.maximum(error, 1e-3), ".", markersize=3, color=colour, label=f"{component.name}: error")
        axes.plot(steps, np.maximum(allowed, 1e-3), color=colour, linewidth=1.0, label=f"{component.name}: allowed")
        failing = error > allowed
        axes.plot(steps[failing], error[failing], "x", markersize=8, color=colour)
    axes.set(
        xlabel="step", ylabel="ulps of the exact gradient", yscale="log",
        title="Autograd's error and what rounding allows (x: failure; exact zeros left out)",
    )  # fmt: skip
    axes.legend(fontsize="small", ncols=max(1, len(findings.gradients)))
    for text in axes.get_legend().get_texts():
        text.set_parse_math(False)
