"""The largest error of torch's and NumPy's functions in ulps of the exact result, against Arb.

`python benchmarks/budgets.py` prints what the rows' budgets in `verifier/operations.py` rest on:
seeded points over each function's domain, log-uniform in size, in float32 and float64.
"""

import numpy as np
import torch

from verifier.arithmetic import balls, middle, precision
from verifier.floats import FORMATS
from verifier.operations import TABLE

POINTS = 20_000
DOMAINS = {
    "sqrt": (1e-30, 1e30, False), "exp": (1e-6, 80.0, True), "log": (1e-30, 1e30, False),
    "sin": (1e-6, 1e4, True), "cos": (1e-6, 1e4, True), "tanh": (1e-6, 20.0, True),
}  # fmt: skip


def worst(ours, exact, known) -> float:
    centre = middle(exact)
    exponent = np.maximum(np.frexp(centre)[1] - 1, known.smallest_exponent)
    ulp = np.ldexp(1.0, exponent - known.precision + 1)
    error = np.abs(middle(balls(np.asarray(ours, dtype=np.float64)) - exact)) / ulp
    usable = (np.abs(centre) > known.smallest_normal) & (np.abs(centre) < known.largest)
    return float(error[usable].max())


def main() -> None:
    print(
        f"{'row':<8} {'budget':>6}"
        + "".join(f"{f'{name} {side}':>16}" for name in FORMATS for side in ("torch", "numpy"))
    )
    generator = np.random.default_rng(0)
    for name, (low, high, both) in DOMAINS.items():
        sizes = np.exp(generator.uniform(np.log(low), np.log(high), POINTS))
        points = sizes * (generator.choice([-1.0, 1.0], POINTS) if both else 1.0)
        print(line(name, points), flush=True)
    bases = np.exp(generator.uniform(-5, 5, POINTS))
    print(power_line(bases, generator.uniform(-8, 8, POINTS)))


def line(name: str, points) -> str:
    row, cells = TABLE[name], []
    for known in FORMATS.values():
        at = points.astype(known.name)
        with precision(200):
            exact = row.arb(balls(at.astype(np.float64)))
            cells += [worst(row.torch.function(torch.tensor(at)), exact, known)]
            cells += [worst(row.numpy.function(at), exact, known)]
    return f"{name:<8} {row.ulps:>6}" + "".join(f"{cell:>16.3f}" for cell in cells)


def power_line(bases, exponents) -> str:
    row, cells = TABLE["power"], []
    for known in FORMATS.values():
        base, exponent = bases.astype(known.name), exponents.astype(known.name)
        with precision(200):
            exact = row.arb(balls(base.astype(np.float64)), balls(exponent.astype(np.float64)))
            cells += [
                worst(torch.tensor(base) ** torch.tensor(exponent), exact, known),
                worst(base**exponent, exact, known),
            ]
    return f"{'power':<8} {row.ulps:>6}" + "".join(f"{cell:>16.3f}" for cell in cells)


if __name__ == "__main__":
    main()
