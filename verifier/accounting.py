"""Accounting: why what disagrees does, what the reader should know, and the simplest point that shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch

from verifier.blame import blamed
from verifier.checked import CheckCause, Checked, Finding
from verifier.checks import AT_EVERY_POINT, Check
from verifier.errors import InputError
from verifier.examination import Examination, Replayed
from verifier.judge import Outcome
from verifier.naming import component_called
from verifier.sampling import LARGE, Sampling
from verifier.simplify import simplest

TRIES = 100
"""How often a failing point is made simpler at most."""
CAUSES = 2
"""At most so many causes are named for a component: those that explain it at the most points."""


def explained(checked: Checked, samplings: Sequence[Sampling]) -> Checked:
    """With the causes of what disagrees, with notes, and with a finding at the simplest point at which it does."""
    failing = [finding for finding in checked.judged if finding.outcome is Outcome.DISAGREES]
    found = [blamed(finding, _before(checked, finding)) for finding in failing]
    causes = _chosen([cause for one in found for cause in one.causes])
    named = {cause.cause for cause in causes}
    ruled_out = dict.fromkeys(name for one in found for name in one.ruled_out if name not in named)
    numbers = [finding.point.number for finding in checked.findings if finding.point]
    simpler = _simplest(failing, samplings, 1 + max(numbers, default=0))
    return replace(
        checked,
        findings=(*checked.findings, *([simpler] if simpler else [])),
        causes=tuple(causes),
        ruled_out=tuple(ruled_out),
        notes=tuple(_notes(checked, failing)),
        simplest=simpler.point if simpler else None,
    )


def _chosen(causes: Sequence[CheckCause]) -> list[CheckCause]:
    """For each component the causes that are named at the most points, each once in a dtype."""
    counted = Counter((component_called(cause.component), cause.cause) for cause in causes)
    best: dict[str, list[str]] = {}
    for (component, name), count in counted.items():
        most = max(other for (same, _), other in counted.items() if same == component)
        if count == most:
            best.setdefault(component, []).append(name)
    kept: dict[tuple[str, str, str], CheckCause] = {}
    for cause in causes:
        component = component_called(cause.component)
        if cause.cause in best[component][:CAUSES]:
            kept.setdefault((component, cause.cause, cause.dtype), cause)
    return list(kept.values())


def _before(checked: Checked, finding: Finding) -> Examination | None:
    """The examination at the point before."""
    here = finding.point
    for other in checked.judged:
        same = (other.check, other.dtype) == (finding.check, finding.dtype)
        if same and other.point and here and other.point.number == here.number - 1:
            return other.examination
    return None


def _notes(checked: Checked, failing: Sequence[Finding]) -> Iterator[str]:
    examinations = [finding.examination for finding in checked.judged if finding.examination is not None]
    detached = dict.fromkeys(phrase for examination in examinations for phrase in examination.detached)
    if detached and (failing or checked.settings.honour_detach):
        how = "taken for constants" if checked.settings.honour_detach else "--honour-detach takes that for a constant"
        yield f"the code takes values out of autograd ({', '.join(detached)}): {how}"
    replayed = [examination.formula for examination in examinations if isinstance(examination.formula, Replayed)]
    literals = dict.fromkeys(literal for formula in replayed for literal in formula.literals)
    if literals:
        told = ", ".join(map(repr, literals))
        yield f"rounded decimals in the code, granted half a unit of their last digit: {told}"


def _simplest(failing: Sequence[Finding], samplings: Sequence[Sampling], number: int) -> Finding | None:
    """What a check finds at a simpler point at which the first component that fails still does."""
    checks: dict[str, Check] = {check.name: check for check in AT_EVERY_POINT}
    first = next((finding for finding in failing if finding.point and finding.check in checks), None)
    if first is None or first.point is None:
        return None
    check, start = checks[first.check], first.point
    names = {part.name for part in first.parts if part.outcome is Outcome.DISAGREES}
    sampling = next(one for one in samplings if one.dtype == start.dtype)

    def found(inputs: Mapping[str, torch.Tensor]) -> Finding:
        return next(iter(check.findings(sampling.at(inputs, "simplified", number))))

    def fails(inputs: Mapping[str, torch.Tensor]) -> bool:
        parts = found(inputs).parts
        return any(part.outcome is Outcome.DISAGREES for part in parts if part.name in names)

    numbers = sum(tensor.numel() for tensor in start.inputs.values())
    try:
        return found(simplest(start.inputs, fails, sampling.domains, TRIES if numbers < LARGE else TRIES // 10))
    except InputError:
        # Code that is wrong now and then need not fail again.
        return None
