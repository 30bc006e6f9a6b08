"""Optimizers by name, with options in brackets."""

import pytest
import torch

import verifier
from verifier.training.optimizers import optimizer_named

MODEL = verifier.load("quadratic")


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("adamw(weight_decay=0.1)", lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1)),
        ("SGD( momentum = 0.9 )", lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9)),
        ("adam(betas=[0.8, 0.9])", lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.9))),
        ("adam(amsgrad=True)", lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True)),
        ("adam()", lambda p: torch.optim.Adam(p, lr=0.01)),
    ],
)
def test_options_are_those_of_torch(text, own):
    by_name, by_function = (
        verifier.train(MODEL, epochs=3, optimizer=optimizer) for optimizer in (text, own)
    )
    assert by_name.ok
    assert by_name.steps[-1].parameters == by_function.steps[-1].parameters


def test_an_option_matters():
    plain, decayed = (
        verifier.train(MODEL, epochs=3, optimizer=text).steps[-1].parameters
        for text in ("adamw", "adamw(weight_decay=0.5)")
    )
    assert plain != decayed


SHAPE = "write options as in adamw(weight_decay=0.01, amsgrad=True)"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("adam(", f"optimizer 'adam(' cannot be read: {SHAPE}"),
        ("adam(0.1)", f"optimizer 'adam(0.1)' cannot be read: {SHAPE}"),
        ("torch.optim.Adam()", f"optimizer 'torch.optim.Adam()' cannot be read: {SHAPE}"),
        ("adam(**{'a': 1})", f"optimizer \"adam(**{{'a': 1}})\" cannot be read: {SHAPE}"),
        (
            "sgd(momentum=0.9, momentum=0.8)",
            f"optimizer 'sgd(momentum=0.9, momentum=0.8)' cannot be read: {SHAPE}",
        ),
        ("sgd(momentum=1or 2)", f"optimizer 'sgd(momentum=1or 2)' cannot be read: {SHAPE}"),
        ("sgd(lr=3)", "the learning rate is a setting of its own: give lr"),
        (
            "sgd(momentum=__import__('os').getpid())",
            "option momentum of an optimizer is a number, a truth value or a list",
        ),
        ("sgd(momentum=x)", "option momentum of an optimizer is a number, a truth value or a list"),
        ("adam(betas=[])", "option betas of an optimizer is a number, a truth value or a list"),
        ("adamx(a=1)", "there is no optimizer 'adamx(a=1)': did you mean adamax?"),
    ],
)
def test_what_cannot_be_read(text, sentence):
    with pytest.raises(verifier.InputError) as error:
        optimizer_named(text, 0.1)
    assert str(error.value) == sentence


def test_an_option_that_torch_does_not_know():
    with pytest.raises(verifier.InputError, match="optimizer adam\\(x=1\\) cannot be set up"):
        verifier.train(MODEL, optimizer="adam(x=1)")


def test_options_that_nest_too_deep_are_refused():
    with pytest.raises(verifier.InputError):
        optimizer_named(f"adam(betas={'[' * 5000}{']' * 5000})", 0.1)
