"""What cannot be asked of a target: points that a check makes and that leave the function's domain,
layouts of a function of strides, conventions that hold elsewhere.
"""

from __future__ import annotations

import numpy as np
import torch

from verifier.capture.aten.movement import PADDING
from verifier.checking.variants.target_at_point import Trial
from verifier.judging.examination import Examination
from verifier.judging.outcome import Outcome
from verifier.process.isolation import user_code_state

OF_STRIDES = "the code reads strides (as_strided): in another layout it is another function"
NO_VALUE = "where all rows are equal, the function has no value to compare"
_AT_ONE_POINT = frozenset({PADDING})
"""Under vmap torch leaves out the padding's row of the first point, and learns those of the
others.
"""


def leaves_domain(examination: Examination) -> bool:
    """Whether numbers have no exact value or nothing bounds them, or the code states no finite
    ones, whatever the layout: that is of the point, which a check has made.
    """
    return any(
        bool(
            np.any(part.verdicts.severity == Outcome.UNDECIDED.severity)
            or np.any(part.verdicts.failing & ~np.isfinite(part.verdicts.stated))
        )
        for part in examination.parts
    )


def without_convention(examination: Examination) -> str:
    """Why several points at once cannot be compared; nothing where they can."""
    met = _AT_ONE_POINT & set(examination.events.conventions)
    if not met or examination.outcome is Outcome.AGREES:
        return ""
    return f"torch has no convention for several points at once: {', '.join(sorted(met))}"


def reads_strides(trial: Trial) -> bool:
    """Whether a result is made, for autograd too, by `as_strided`: its value depends on how its
    argument lies in memory. What a Function's own forward and backward do is not among it.
    """
    if "as_strided" not in trial.examination.operations:
        return False
    arguments = [argument.clone() for argument in trial.statements.arguments]
    with user_code_state(arguments), torch.enable_grad():
        results, _, _ = trial.statements.joint.forward(arguments)
    waiting = [result.grad_fn for result in results if result.grad_fn is not None]
    seen = set(waiting)
    while waiting:
        step = waiting.pop()
        if step.name().startswith("AsStrided"):
            return True
        before = {known for known, _ in step.next_functions if known is not None} - seen
        seen |= before
        waiting.extend(before)
    return False
