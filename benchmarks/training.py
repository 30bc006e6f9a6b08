"""A judged step over the same loop in bare torch: a ratio within one process, at a short and a long
run.

`python benchmarks/training.py` prints a table. Both loops have the same forward function, the same
`loss.backward()` and the same update by hand; the models are prepared before either is timed. The
two take turns, and the medians of their ratios are printed, for the machine's speed drifts.
"""

import statistics
import time
import tracemalloc
from functools import partial

import torch

import verifier
from verifier.program.codegen import TORCH, function

torch.set_num_threads(1)
TURNS = {300: 9, 30_000: 3}


def bare(model: verifier.Model, epochs: int) -> None:
    columns = [torch.tensor(values) for values in model.data.values()]
    samples = list(zip(*columns, strict=True))
    parameters = [torch.tensor(value, requires_grad=True) for value in model.start.values()]
    loss_of = function(
        "loss", ", ".join((*model.columns, *model.start)), model.program.only_last, TORCH
    )
    for _ in range(epochs):
        for sample in samples:
            for parameter in parameters:
                parameter.grad = None
            loss_of(*sample, *parameters).backward()
            for parameter in parameters:
                parameter.data = parameter.data - 0.01 * parameter.grad


def seconds(action) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def peak_megabytes(action) -> float:
    tracemalloc.start()
    action()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 2**20


def main() -> None:
    print(
        f"{'model':<10} {'steps':>6} {'bare us/step':>13} {'judged us/step':>15} {'ratio':>6} "
        f"{'peak MB':>8}"
    )
    for name in ("linear", "quadratic"):
        model = verifier.load(name)
        verifier.train(model, epochs=2)
        for steps, turns in TURNS.items():
            epochs = steps // 3
            pairs = [
                (
                    seconds(partial(bare, model, epochs)),
                    seconds(partial(verifier.train, model, epochs=epochs)),
                )
                for _ in range(turns)
            ]
            ratio = statistics.median(judged / plain for plain, judged in pairs)
            plain, judged = (
                1e6 * statistics.median(side) / steps for side in zip(*pairs, strict=True)
            )
            memory = peak_megabytes(lambda: verifier.train(model, epochs=epochs))  # noqa: B023
            print(
                f"{name:<10} {steps:>6} {plain:>13.1f} {judged:>15.1f} {ratio:>6.2f} {memory:>8.1f}"
            )


if __name__ == "__main__":
    main()
