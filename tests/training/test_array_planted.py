"""One wrong entry of a gradient by an array is found at its index, whatever the array's shape."""

import numpy as np
import pytest
import torch

import verifier
from verifier import normal, squared_error
from verifier.functions import mean
from verifier.witnesses import Autograd

X = np.random.default_rng(0).normal(size=(10, 4, 2))
DATA = {"x": X, "y": X[:, :, 0] @ [1.0, -1.0, 0.5, 2.0]}
SHAPES = {"v": (3,), "M": (3, 3), "kernel": (2, 2, 3)}


@verifier.model(loss=squared_error, data=DATA, train={"epochs": 2, "batch": 5, "lr": 0.05})
def filtered(x, *, kernel=normal(2, 2, 3), M=normal(3, 3), v=normal(3)):
    hidden = x[:, 0:3] @ kernel[0] + x[:, 1:4] @ kernel[1]
    return mean(hidden @ M, axis=1) @ v


class EntryOff(Autograd):
    """Autograd's gradient, with one entry of one parameter's multiplied by a factor."""

    def __init__(self, parameter, index, factor=1.001):
        self.place = filtered.parameters.index(parameter)
        self.index, self.factor = index, factor

    def differentiate(self, loss, parameters):
        super().differentiate(loss, parameters)
        parameters[self.place].grad[self.index] *= self.factor


ENTRIES = [(name, index) for name, shape in SHAPES.items() for index in np.ndindex(shape)]


@pytest.mark.sweep("parameter")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("parameter", "index"), ENTRIES)
def test_an_entry_that_is_a_thousandth_off_is_found_at_its_index(parameter, index, dtype):
    report = verifier.train(filtered, witness=EntryOff(parameter, index), dtype=dtype)
    assert report.exit_code == 1
    found = {part.name: part.outcomes["disagrees"] for part in report.components}
    assert found == {"loss": 0, "kernel": 0, "M": 0, "v": 0, parameter: report.findings.done}
    assert all(step.entries[parameter] == str(list(index)) for step in report.steps)
    assert f"{parameter}{list(index)}" in str(report)


def test_what_the_report_says_of_it():
    report = verifier.train(filtered, witness=EntryOff("kernel", (1, 0, 2)), dtype="float64")
    text = str(report)
    assert text.startswith(
        "DISAGREES  The gradient by kernel is wrong at 4 of 4 steps, first at step 1.\n\n"
        "The gradient by kernel[1, 0, 2] at step 1, epoch 0   (float64)\n"
    )
    assert "  where      at every step, in 4 of 48 entries\n" in text


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_without_an_error_all_agree(dtype):
    report = verifier.train(filtered, witness=EntryOff("v", (0,), 1.0), dtype=dtype)
    assert report.exit_code == 0
    assert all(not part.outcomes["disagrees"] for part in report.components)


def test_an_error_of_rounding_is_allowed():
    """The limit is that of float32: a unit in the last place is no error."""
    report = verifier.train(filtered, witness=EntryOff("M", (0, 0), 1 + 2**-23))
    assert report.exit_code == 0


class Missing(Autograd):
    def differentiate(self, loss, parameters):
        super().differentiate(loss, parameters)
        parameters[0].grad = None


class Swapped(Autograd):
    """Two entries of a vector in each other's place: their sum and norm are right."""

    def differentiate(self, loss, parameters):
        super().differentiate(loss, parameters)
        parameters[2].grad = parameters[2].grad[[1, 0, 2]]


class AddedUp(Autograd):
    def differentiate(self, loss, parameters):
        loss.backward()


class Careless(Autograd):
    """A backward that leaves torch's switch for gradients off."""

    def differentiate(self, loss, parameters):
        super().differentiate(loss, parameters)
        torch.set_grad_enabled(False)


def test_what_a_witness_leaves_behind_does_not_stop_the_training():
    report = verifier.train(filtered, witness=Careless(), dtype="float64")
    assert (report.exit_code, report.findings.done) == (0, 4)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("witness", [Missing, Swapped, AddedUp])
def test_other_wrong_gradients_are_found(witness):
    report = verifier.train(filtered, witness=witness(), dtype="float64")
    assert report.exit_code == 1
