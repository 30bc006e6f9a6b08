"""Heat maps of the errors of a parameter's entries."""

import numpy as np
import pytest

import verifier
from verifier import model, normal, squared_error, zeros
from verifier.functions import tanh
from verifier.witnesses import Autograd

X = np.random.default_rng(0).normal(size=(12, 60))


@model(loss=squared_error, data={"x": X, "y": X[:, 0]}, train={"epochs": 2, "batch": "all"})
def network(x, *, W=normal(60, 4), b=zeros(4), v=normal(4), c=0.0):
    return tanh(x @ W + b) @ v + c


class OneEntryOff:
    def __init__(self, index):
        self.index = index

    def differentiate(self, loss, parameters):
        Autograd().differentiate(loss, parameters)
        parameters[0].grad[self.index] *= 1.01


def heat_maps(report):
    return [one for one in report.pictures if one.name.startswith("entries-")]


def test_one_is_drawn_where_all_agree():
    (picture,) = heat_maps(verifier.train(network))
    assert picture.description.endswith("None of 240 entries is beyond it at any step.")
    assert "more than is allowed" not in picture.svg()


@pytest.mark.parametrize("index", [(0, 0), (57, 3)])
def test_a_wrong_entry_is_marked(index):
    report = verifier.train(network, witness=OneEntryOff(index))
    (picture,) = heat_maps(report)
    assert picture.title == "The largest error of each entry of W"
    assert picture.description.startswith(f"The worst entry is W{list(index)}: ")
    assert "1 of 240 entries is beyond it at any step." in picture.description
    assert "more than is allowed" in picture.svg()


def test_a_picture_holds_no_image():
    for picture in heat_maps(verifier.train(network, witness=OneEntryOff((3, 1)))):
        assert "<image" not in picture.svg()


def test_models_of_numbers_have_none():
    assert not heat_maps(verifier.train(verifier.load("linear"), epochs=1))


def test_what_is_drawn_of_parameters_are_norms():
    titles = [picture.title for picture in verifier.train(network).pictures]
    assert "The parameters' norms" in titles
    assert not any("surface" in title for title in titles)
