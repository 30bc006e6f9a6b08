"""Layers of networks: how long reading, deriving, replaying and the noise take at small shapes.

The joint graph is captured and lowered (read), the forward is differentiated (derive), both
gradients are replayed in Arb (replay) and with rounding noise (noise). Seconds of processor time,
which other programs do not change much, of one run behind one that is not counted, in which torch
and SymPy set themselves up.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from verifier.capture.autograd_derivatives import Joint, tensors
from verifier.capture.joint_graph import NotReadableError, captured
from verifier.capture.lowering import Lowered, lowered, plain
from verifier.program.evaluation.balls import BallArithmetic, replay
from verifier.program.evaluation.stochastic import arithmetic_for, deviations
from verifier.program.gradients.array_gradient import gradients

SEED = 0
DTYPES = (torch.float64, torch.float32)
Code = Callable[..., Any]


@dataclass(frozen=True)
class Layer:
    """Code on tensors, and shapes of its inputs; a module's parameters are inputs too."""

    name: str
    code: Code | nn.Module
    shapes: tuple[tuple[int, ...], ...]


LAYERS = (
    Layer("Linear(16, 8)", nn.Linear(16, 8), ((4, 16),)),
    Layer("Conv2d(3, 4, 3)", nn.Conv2d(3, 4, 3, padding=1), ((2, 3, 8, 8),)),
    Layer("BatchNorm2d(4)", nn.BatchNorm2d(4), ((2, 4, 6, 6),)),
    Layer("LayerNorm(16)", nn.LayerNorm(16), ((8, 16),)),
    Layer("RMSNorm(16)", nn.RMSNorm(16), ((8, 16),)),
    Layer("GRUCell(8, 8)", nn.GRUCell(8, 8), ((4, 8), (4, 8))),
    Layer("LSTMCell(8, 8)", nn.LSTMCell(8, 8), ((4, 8),)),
    Layer("scaled dot-product attention", F.scaled_dot_product_attention, ((2, 2, 8, 8),) * 3),
    Layer(
        "TransformerEncoderLayer(8, 2)",
        nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0),
        ((4, 2, 8),),
    ),
    Layer(
        "cross_entropy, smoothed",
        lambda x: F.cross_entropy(x, torch.arange(len(x)) % x.shape[1], label_smoothing=0.1),
        ((16, 10),),
    ),
)


def function_of(layer: Layer, dtype: torch.dtype) -> tuple[Code, list[torch.Tensor]]:
    """The layer as code on its inputs and parameters, and these."""
    torch.manual_seed(SEED)
    inputs = [torch.randn(shape, dtype=torch.float64).to(dtype) for shape in layer.shapes]
    if not isinstance(layer.code, nn.Module):
        return layer.code, inputs
    module = layer.code.to(dtype).train()
    named = {name: torch.randn_like(value) for name, value in module.named_parameters()}

    def code(*arguments: torch.Tensor) -> Any:
        buffers = {name: value.clone() for name, value in module.named_buffers()}
        parameters = dict(zip(named, arguments[len(inputs) :], strict=True))
        return torch.func.functional_call(
            module, {**parameters, **buffers}, arguments[: len(inputs)]
        )

    return code, [*inputs, *named.values()]


@dataclass(frozen=True)
class Measured:
    """What one layer came to."""

    numbers: int
    operations: int
    nodes: int
    seconds: tuple[float, ...]
    """To read, derive, replay, and to add noise."""

    def row(self) -> str:
        shown = " ".join(f"{part:8.2f}" for part in (*self.seconds, sum(self.seconds)))
        return f"{self.numbers:8d} {self.operations:10d} {self.nodes:6d} {shown}"


class Watch:
    """Seconds of processor time since it was last asked."""

    def __init__(self) -> None:
        self._start = time.process_time()

    def __call__(self) -> float:
        before, self._start = self._start, time.process_time()
        return self._start - before


def measured(code: Code, inputs: Sequence[torch.Tensor]) -> Measured:
    results = [result.detach() for result in tensors(code(*inputs))]
    joint = Joint(code, tuple(range(len(inputs))), len(results))
    arguments = [*inputs, *(torch.randn_like(result) for result in results)]
    names = [f"argument{place}" for place in range(len(arguments))]
    given = {name: plain(value) for name, value in zip(names, arguments, strict=True)}
    watch = Watch()
    low = lowered(captured(joint, arguments), names, arguments)
    read = watch()
    outputs = [*low.results, *derived(low, names, arguments, len(inputs))]
    program = low.builder.program(*(node for node in outputs if node is not None))
    derive = watch()
    replay(program, given, BallArithmetic())
    replayed = watch()
    deviations(program, given, arithmetic_for(program))
    numbers = sum(argument.numel() for argument in inputs)
    return Measured(
        numbers, len(low.operations), len(program.nodes), (read, derive, replayed, watch())
    )


def derived(
    low: Lowered, names: Sequence[str], arguments: Sequence[torch.Tensor], count: int
) -> list[int]:
    """The gradient of the forward by each input."""
    inputs = [
        low.builder.input(name, tuple(part.shape))
        for name, part in zip(names, arguments, strict=True)
    ]
    seeds = {
        node: seed
        for node, seed in zip(low.results, inputs[count:], strict=False)
        if node is not None
    }
    return gradients(low.builder, seeds, inputs[:count])


def main() -> None:
    print(
        f"{torch.get_num_threads()} threads, seed {SEED}; numbers: of inputs and parameters; "
        "seconds of processor time"
    )
    heads = " ".join(f"{head:>8s}" for head in ("read", "derive", "replay", "noise", "all"))
    for dtype in DTYPES:
        print(
            f"\n{str(dtype).removeprefix('torch.'):30s} {'numbers':>8s} {'operations':>10s} "
            f"{'nodes':>6s} {heads}"
        )
        for layer in LAYERS:
            try:
                code, inputs = function_of(layer, dtype)
                measured(code, inputs)
                print(f"{layer.name:30s} {measured(code, inputs).row()}")
            except NotReadableError as error:
                print(f"{layer.name:30s} {error}")


if __name__ == "__main__":
    main()
