"""Which nodes show that their numbers are above 0."""

import numpy as np
import pytest

from verifier.program.builder import Builder
from verifier.program.program import NOTHING


def x(build):
    return build.input("x", (3,))


def exp(build):
    return build.apply("exp", x(build))


SHOWN = {
    "exp": exp,
    "a sum": lambda build: build.sum(exp(build), (0,)),
    "a product": lambda build: build.apply("multiply", exp(build), exp(build)),
    "a part": lambda build: build.take(exp(build), [2, 0]),
    "a square and a constant": lambda build: build.apply("add", exp(build), build.constant(1e-5)),
    "the larger of it and anything": lambda build: build.apply("maximum", x(build), exp(build)),
    "a choice": lambda build: build.apply(
        "where", build.apply("less", x(build), build.constant(0.0)), exp(build), build.constant(2.0)
    ),
}
NOT_SHOWN = {
    "an input": x,
    "a difference": lambda build: build.apply("subtract", exp(build), exp(build)),
    "the negative": lambda build: build.apply("negative", exp(build)),
    "a square": lambda build: build.apply("square", x(build)),
    "a part with nothing": lambda build: build.take(exp(build), [2, NOTHING]),
    "a sum with anything": lambda build: build.apply("add", exp(build), x(build)),
    "the smaller of it and anything": lambda build: build.apply("minimum", x(build), exp(build)),
    "a choice with 0": lambda build: build.apply(
        "where", build.apply("less", x(build), build.constant(0.0)), exp(build), build.constant(0.0)
    ),
    "a comparison": lambda build: build.apply("less", x(build), build.constant(0.0)),
    "a constant with 0": lambda build: build.constant(np.array([1.0, 0.0])),
}


def is_positive(write):
    build = Builder()
    program = build.program(write(build))
    return program.positive[program.outputs[0]]


@pytest.mark.parametrize("name", SHOWN)
def test_above_zero(name):
    assert is_positive(SHOWN[name])


@pytest.mark.parametrize("name", NOT_SHOWN)
def test_not_known_to_be_above_zero(name):
    assert not is_positive(NOT_SHOWN[name])
