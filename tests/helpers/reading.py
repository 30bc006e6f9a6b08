"""Code read into an array program, held against torch's own numbers and against its own
derivative.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from functools import lru_cache

import numpy as np
import torch

from verifier.capture.autograd_derivatives import Joint, tensors
from verifier.capture.joint_graph import captured
from verifier.capture.lowering import lowered, plain
from verifier.capture.random_draws import with_seed
from verifier.program.evaluation.balls import AsCoded, BallArithmetic, replay
from verifier.program.evaluation.stochastic import NoiseArithmetic, arithmetic_for, deviations
from verifier.program.gradients.array_gradient import gradients
from verifier.program.program import evaluate


class Silent(NoiseArithmetic):
    """Float64 arithmetic without any noise: what the rules compute, as numbers."""

    def __init__(self):
        super().__init__(defaultdict(bool))

    def _noise(self, place, values):
        return np.zeros((1,) * values.ndim)


def joint_of(code, inputs, seed=0):
    """The joint function of code at inputs, and its arguments: the inputs and random multipliers of
    its results.
    """
    torch.manual_seed(seed)
    results = tensors(code(*inputs))
    wanted = tuple(place for place, tensor in enumerate(inputs) if tensor.is_floating_point())
    seeds = [torch.randn_like(result) for result in results if result.is_floating_point()]
    return Joint(with_seed(code, seed), wanted, len(results)), [*inputs, *seeds]


@lru_cache(maxsize=1)
def read(code, *inputs):
    """The lowered joint graph of code, and its arguments by name; read once for the same
    tensors.
    """
    joint, arguments = joint_of(code, inputs)
    names = [f"argument{place}" for place in range(len(arguments))]
    low = lowered(captured(joint, arguments), names, arguments)
    given = {
        name: plain(value)
        for name, value in zip(names, arguments, strict=True)
        if value.is_floating_point()
    }
    return joint, arguments, low, given


def largest_error(code, *inputs):
    """How far the rules' float64 results are from torch's at most, relative to each result's
    largest entry.
    """
    joint, arguments, low, given = read(code, *inputs)
    stated = joint(*arguments)
    kept = [
        (node, value)
        for node, value in zip(low.results, stated, strict=True)
        if node is not None and value is not None
    ]
    found = evaluate(low.builder.program(*(node for node, _ in kept)), Silent(), given)
    return max(
        _apart(ours[0], plain(theirs)) for ours, (_, theirs) in zip(found, kept, strict=True)
    )


def _apart(ours, theirs):
    assert ours.shape == theirs.shape
    size = np.abs(theirs).max(initial=0.0) or 1.0
    return float(np.abs(ours - theirs).max(initial=0.0) / size)


def agreeing_digits(code, *inputs):
    """To how many digits the replayed backward agrees with the derivative of the replayed forward,
    at least.
    """
    return min(_digits(*pair) for pair in zip(*_pairs(code, inputs), strict=True))


def _pairs(code, inputs, blurred=False):
    """The replayed derivatives of the forward, and what the replayed backward gives."""
    joint, _, low, given = read(code, *inputs)
    build = low.builder
    count = joint.results
    by = [build.input(f"argument{place}", tuple(inputs[place].shape)) for place in joint.wanted]
    seeds = {
        node: build.input(f"argument{len(inputs) + place}", build.shape(node))
        for place, node in enumerate(low.results[:count])
    }
    exact = gradients(build, seeds, by)
    code_ = [build.expand(build.constant(0), build.shape(node)) if own is None else own
             for own, node in zip(low.results[count:], by, strict=True)]  # fmt: skip
    program = build.program(*exact, *code_)
    literals = (
        place
        for place, node in enumerate(program.nodes)
        if node.number is not None and node.number % 1
    )
    balls = replay(
        program, given, BallArithmetic(blurred=frozenset(literals) if blurred else frozenset())
    )
    return balls[: len(by)], balls[len(by) :]


def _digits(exact, code):
    size = max((abs(float(ball)) for ball in np.ravel(exact)), default=0.0) or 1.0
    apart = [
        abs(float((one - other).abs_upper())) / size
        for one, other in zip(np.ravel(exact), np.ravel(code), strict=True)
    ]
    worst = max(apart, default=0.0)
    return 99.0 if worst == 0 else float(-np.log10(worst)) if np.isfinite(worst) else float("-inf")


def deviations_off(code, *inputs):
    """How many standard deviations of the noise torch's numbers are from the exact ones at most, by
    result.

    0 where they are equal, infinite where the noise says that they must be; not to be used at
    kinks.
    """
    joint, arguments, low, given = read(code, *inputs)
    kept = [
        (node, value)
        for node, value in zip(low.results, joint(*arguments), strict=True)
        if node is not None and value is not None
    ]
    program = low.builder.program(*(node for node, _ in kept))
    arithmetic = arithmetic_for(program)
    spreads = deviations(program, given, arithmetic)
    exact = replay(
        program,
        given,
        BallArithmetic(_decisions(low, program, [node for node, _ in kept], arithmetic)),
    )
    return max(
        (
            _off(balls, spread, plain(stated))
            for balls, spread, (_, stated) in zip(exact, spreads, kept, strict=True)
        ),
        default=0.0,
    )


def _decisions(low, program, outputs, arithmetic):
    index_of = {place: index for index, place in low.builder.places_in(*outputs).items()}
    return {
        place: AsCoded(
            open_,
            tuple(low.actual[index_of[argument]] for argument in program.nodes[place].arguments),
        )
        for place, open_ in arithmetic.open.items()
        if all(index_of[argument] in low.actual for argument in program.nodes[place].arguments)
    }


def _off(balls, spread, stated):
    error = np.abs(np.vectorize(lambda ball: float(ball.mid()), otypes=[float])(balls) - stated)
    with np.errstate(all="ignore"):
        return float(np.where(error == 0, 0.0, error / spread).max(initial=0.0))


def overlaps_with_blurred_literals(code, *inputs):
    """Whether backward and derivative of forward may be equal when each literal is a rounded
    number.
    """
    exact, stated = _pairs(code, inputs, blurred=True)
    return all(
        one.overlaps(other)
        for ours, theirs in zip(exact, stated, strict=True)
        for one, other in zip(np.ravel(ours), np.ravel(theirs), strict=True)
    )


def shared_out(cases, formats):
    """Each case with one of the formats, by its name: all of them with all would take most of the
    suite's time.
    """
    return [(case, formats[zlib.crc32(case.encode()) % len(formats)]) for case in cases]


def module_of(module, *inputs, train=True, **options):
    """A module as code on its inputs and parameters, and both of them, in float64; its buffers are
    left alone.
    """
    module = module.double().train(train)
    named = dict(module.named_parameters())

    def code(*arguments):
        buffers = {name: _like(value, arguments[0]) for name, value in module.named_buffers()}
        parameters = dict(zip(named, arguments[len(inputs) :], strict=True))
        return flat(
            torch.func.functional_call(
                module, {**parameters, **buffers}, arguments[: len(inputs)], options
            )
        )

    return (code, *inputs, *(value.detach().clone() for value in named.values()))


def _like(value, tensor):
    """A copy, in the dtype of a tensor if it has numbers."""
    return value.to(tensor.dtype if value.is_floating_point() else value.dtype, copy=True)


def flat(result):
    """All tensors of a result that is nested, the only one by itself."""
    if isinstance(result, torch.Tensor):
        return result
    parts = [flat(part) for part in result if part is not None]
    return tuple(
        tensor for part in parts for tensor in (part if isinstance(part, tuple) else (part,))
    )


class Scaled(torch.autograd.Function):
    """Itself, with a gradient that is a little too large."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad * (1 + 2.0**-40)
