"""The causes of wrong gradients by arrays: named where they hold, and not where nothing says so."""

import numpy as np
import pytest

import verifier
from verifier import cross_entropy, model, normal, zeros
from verifier.functions import maximum
from verifier.witnesses import Autograd

draw = np.random.default_rng(0)
X = draw.normal(size=(40, 4))


@model(loss=cross_entropy, data={"x": X, "y": (X[:, 0] > 0).astype(float)})
def network(x, *, W1=normal(4, 3), b1=zeros(3), W2=normal(3, 2), b2=zeros(2)):
    return maximum(x @ W1 + b1, 0) @ W2 + b2


class Changed:
    """Autograd's gradients, changed by a function of their list."""

    def __init__(self, change):
        self.change = change

    def differentiate(self, loss, parameters):
        Autograd().differentiate(loss, parameters)
        self.change([parameter.grad for parameter in parameters])


def entry(gradients):
    gradients[0][2, 1] *= 1.001


CHANGES = {
    "sign flipped": lambda gradients: gradients[0].neg_(),
    "sum for mean": lambda gradients: gradients[1].mul_(20),
    "constant factor": lambda gradients: gradients[2].mul_(1.5),
}


def train(change):
    return verifier.train(network, epochs=3, batch=20, lr=0.5, witness=Changed(change))


@pytest.mark.parametrize("cause", CHANGES)
def test_a_mistake_in_a_whole_gradient_is_named(cause):
    report = train(CHANGES[cause])
    assert report.exit_code == 1
    assert {one.cause for one in report.causes} == {cause}


def test_one_entry_that_is_off_has_no_cause():
    # At the sixth step it is off by little more than rounding allows, so that what is a rounding
    # away from the exact gradient would explain it as well.
    report = train(entry)
    assert [step.gradient["W1"].outcome.value for step in report.steps] == ["disagrees"] * 6
    assert report.steps[-1].gradient["W1"].error < 2 * report.steps[-1].gradient["W1"].allowed
    assert report.causes == ()
