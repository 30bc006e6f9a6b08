"""A million rows from a CSV file, trained in batches, over the same loop in bare torch.

`python benchmarks/rows.py` prints a table. Each batch size is a process of its own, so that its
peak memory is that of one run; the time is that of the training without reading the file, one
epoch, and the loop in bare torch has the same forward, `loss.backward()` and update by hand.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROWS = 1_000_000
BATCHES = ("100", "1000", "10000", "all")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "points.csv"
        generator = np.random.default_rng(0)
        x = generator.uniform(-1, 1, ROWS)
        columns = np.column_stack([x, 2 * x + 1 + 0.1 * generator.normal(size=ROWS)])
        np.savetxt(path, columns, fmt="%.9g", delimiter=",", header="x,y", comments="")
        print(
            f"{'batch':>6} {'read s':>7} {'bare us/row':>12} {'judged us/row':>14} {'ratio':>6} "
            f"{'peak MB':>8}  outcome"
        )
        for batch in BATCHES:
            command = [sys.executable, __file__, str(path), batch]
            print(
                subprocess.run(command, check=True, capture_output=True, text=True).stdout,
                end="",
                flush=True,
            )


def one(path: str, batch: str) -> None:
    import torch

    import verifier
    from verifier.operations.formats import FLOAT32
    from verifier.training.data import read_columns

    torch.set_num_threads(1)
    start = time.perf_counter()
    data = read_columns(path, ["x", "y"], FLOAT32).values
    read = time.perf_counter() - start
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = verifier.Model.from_text(
        "w*x + b", inputs="x", start={"w": 0.5, "b": 0.0}, loss=verifier.squared_error, data=data
    )
    size = batch if batch == "all" else int(batch)
    start = time.perf_counter()
    report = verifier.train(model, epochs=1, batch=size, lr=0.1)
    judged = time.perf_counter() - start
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    start = time.perf_counter()
    bare(data, ROWS if size == "all" else size)
    plain = time.perf_counter() - start
    per_row = 1e6 / ROWS
    print(
        f"{batch:>6} {read:>7.2f} {plain * per_row:>12.3f} {judged * per_row:>14.3f} "
        f"{judged / plain:>6.1f} "
        f"{peak:>8.0f}   {report.outcome.value}"
    )


def bare(data, size: int) -> None:
    import torch

    x, y = (torch.tensor(data[name], dtype=torch.float32) for name in ("x", "y"))
    parameters = [torch.tensor(0.5, requires_grad=True), torch.tensor(0.0, requires_grad=True)]
    for low in range(0, ROWS, size):
        w, b = parameters
        ((w * x[low : low + size] + b - y[low : low + size]) ** 2).mean().backward()
        for parameter in parameters:
            parameter.data = parameter.data - 0.1 * parameter.grad
            parameter.grad = None


if __name__ == "__main__":
    one(*sys.argv[1:]) if len(sys.argv) > 1 else main()
