"""Components judged in a second, by tier, beside `torch.autograd.gradcheck` in slow mode.

`python benchmarks/judging.py` prints the table of `reports/judging.md`: everything of a judgement,
from capturing the graph to the verdicts. gradcheck is given the same code and inputs in the same
process; it perturbs each input in turn, so its time grows with inputs times outputs. Times are the
least of three.
"""

import time
import warnings
from collections.abc import Callable

import torch

from verifier.capture.code_at_point import Subject
from verifier.judging.examine import examine

F = torch.nn.functional
CASES: dict[str, tuple[Callable[..., torch.Tensor], tuple[tuple[int, ...], ...]]] = {
    "tanh, 100 numbers": (torch.tanh, ((100,),)),
    "tanh, 1,000": (torch.tanh, ((1000,),)),
    "tanh, 100,000": (torch.tanh, ((100_000,),)),
    "softmax, 8 x 64": (lambda x: x.softmax(-1), ((8, 64),)),
    "linear and ReLU, 16 x 32 to 32": (
        lambda x, w, b: F.linear(x, w, b).relu(),
        ((16, 32), (32, 32), (32,)),
    ),
    "linear and ReLU, 128 x 256 to 256": (
        lambda x, w, b: F.linear(x, w, b).relu(),
        ((128, 256), (256, 256), (256,)),
    ),
}
GRADCHECK_UP_TO = 2_000
"""Inputs; beyond them gradcheck takes minutes."""


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(2)
    torch.manual_seed(0)
    examine(Subject(torch.tanh, {"x": torch.ones(2)}))
    print(
        "| code | format | tier | components | judged in s | components/s | gradcheck, slow, in s "
        "| ratio |"
    )
    print("|---|---|---|--:|--:|--:|--:|--:|")
    for name, (code, shapes) in CASES.items():
        for dtype in (torch.float64, torch.float32):
            inputs = [torch.randn(shape, dtype=torch.float64).to(dtype) for shape in shapes]
            subject = Subject(code, {f"x{place}": value for place, value in enumerate(inputs)})
            seconds = least(lambda subject=subject: examine(subject))
            found = examine(subject)
            components = sum(part.verdicts.severity.size for part in found.parts)
            tiers = "/".join(sorted({part.tier for part in found.parts}))
            print(
                f"| {name} | {str(dtype)[6:]} | {tiers} | {components} | {seconds:.3f} | "
                f"{components / seconds:.0f} |",
                end="",
            )
            print(beside(code, inputs, seconds) if dtype is torch.float64 else " | |")


def beside(code: Callable[..., torch.Tensor], inputs: list[torch.Tensor], seconds: float) -> str:
    if sum(value.numel() for value in inputs) > GRADCHECK_UP_TO:
        return " not tried | |"
    given = [value.clone().requires_grad_() for value in inputs]
    checked = least(lambda: torch.autograd.gradcheck(code, given, raise_exception=False))
    return f" {checked:.3f} | {checked / seconds:.2f} |"


def least(run: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
