"""Generated source: what is written, its dtype, and that no name gets in another's way."""

import inspect

import numpy as np
import pytest
import sympy
import torch

import verifier
from verifier import Model, squared_error
from verifier.functions import cos, e, exp, log, maximum, minimum, pi, sin, sqrt, tanh, where
from verifier.training import train

DATA = {"x": [0.5, -1.25, 2.0], "y": [1.0, 0.1, -0.3]}


def source(model, language="torch"):
    return inspect.getsource(getattr(model, language))


@verifier.model(loss=squared_error, data=DATA)
def everything(x, *, a=0.7, b=1.3):
    chosen = where(x > a, 0.1, 0.3) + where(x <= b, a * x, 0.7) + where(x < 0, 0.3, b) * where(x >= 1, a, b)
    bounded = maximum(a * x, 0.1) + minimum(0.7, b * x) + maximum(a, b) - minimum(x, a)
    constants = sqrt(2) * a + exp(-1) * b + pi * x - e + log(3) * sin(1) * cos(2) * tanh(0.5) + maximum(1, 2) + abs(-3)
    return chosen + bounded + constants + abs(a) * x ** (-2) + (b ** x.func("z") if False else b**a) - (-2) ** 3 * a


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [1, "all"])
def test_every_operation_agrees_in_every_dtype(dtype, batch):
    report = train(everything, dtype=dtype, batch=batch, epochs=3, lr=1e-5)
    assert report.ok, str(report)
    assert report.outcome is verifier.Outcome.AGREES


def test_numbers_in_where_and_maximum_have_the_tensors_dtype():
    for dtype, number in ((torch.float64, np.float64), (torch.float32, np.float32)):
        at = {"a": torch.tensor(0.7, dtype=dtype), "b": torch.tensor(1.3, dtype=dtype)}
        assert everything.torch(torch.tensor(0.5, dtype=dtype), **at).dtype == dtype
        assert everything.numpy(number(0.5), a=number(0.7), b=number(1.3)).dtype == number
    assert "torch.where(x > a, b.new_tensor(0.1), 0.3)" in source(everything)
    assert "torch.clamp(t1, min=0.1)" in source(everything)
    assert "torch.clamp(b * x, max=0.7)" in source(everything)
    assert "math.pi * x - math.e" in source(everything)


def test_a_parameter_may_have_the_name_of_a_temporary():
    @verifier.model(loss=squared_error, data=DATA)
    def shadowed(x, *, t1=0.5, t2=0.25):
        return sin(t1 * x) * sin(t1 * x) + t2 * sin(t1 * x)

    assert "t1_ = torch.sin(t1 * x)" in source(shadowed)
    assert train(shadowed, epochs=2).ok


@pytest.mark.parametrize("name", ["np", "torch", "math", "lambda", "two words", "1x", ""])
def test_names_that_cannot_be_used(name):
    w, x = sympy.Symbol(name) if name else sympy.Dummy(), sympy.Symbol("x")
    part = w if name else ""
    with pytest.raises(verifier.InputError, match="cannot name an input or a parameter: use a Python name of its own"):
        Model(w * x, inputs=[x], start={part: 1.0}, loss=squared_error)


def test_expressions_keep_sympys_order_and_forms():
    x, a, b, c = sympy.symbols("x a b c")
    held = Model(
        sympy.Max(a, b, c) * x + sympy.Rational(1, 3) * sympy.Piecewise((a, x > 0), (b * x, True)) + sympy.E**c - a / b,
        inputs=[x], start={a: 1.0, b: 2.0, c: 0.5}, loss=squared_error, data=DATA,
    )  # fmt: skip
    assert train(held, epochs=3, dtype="float64").ok
    assert set(held.gradient) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda a, x: a * sympy.Piecewise((x, x > 1)), "does not say what holds when none of its conditions does"),
        (lambda a, x: a * x + sympy.oo, "which is not a finite number: remove it"),
        (lambda a, x: a * x % 2, "Mod is not an operation that verifier knows"),
    ],
)
def test_expressions_that_cannot_be_read(build, sentence):
    a, x = sympy.symbols("a x", positive=True)
    with pytest.raises(verifier.InputError, match=sentence):
        _ = Model(build(a, x), inputs=[x], start={a: 1.0}, loss=squared_error).program


def test_formulas_too_large_for_people_say_so():
    @verifier.model(loss=squared_error, data=DATA)
    def long(x, *, a=0.5):
        for place in range(1200):
            x = sin(x) + a * place
        return x

    with pytest.raises(verifier.InputError, match=r"the formula has \d+ nodes: above 2000 it is not written out"):
        _ = long.expression
    assert len(long.gradient_program.nodes) < 20 * 1200


def test_shared_work_is_done_once():
    @verifier.model(loss=squared_error, data=DATA)
    def shared(x, *, a=0.5):
        for _ in range(60):
            a = a * a + x
        return a

    # As a tree this formula has 2**60 leaves.
    assert len(shared.gradient_program.nodes) < 500


def test_python_loops_and_conditions_on_plain_numbers_are_fine():
    @verifier.model(loss=squared_error, data=DATA)
    def looped(x, *, a=0.5, b=0.1):
        total = 0
        for power in range(4):
            total = total + (a * x**power if power == 2 or power > 2 else b if power else 1.0)
        return total

    assert str(looped.expression) == "a*x**3 + a*x**2 + b + 1.0"
    assert train(looped, epochs=2).ok


def test_roles_are_checked():
    x, w = sympy.symbols("x w")
    for change, sentence in (
        ({"start": {w: 1.0, x: 2.0}}, "x is named twice: give each symbol one role"),
        ({"loss": 3}, "the loss must be a function of the prediction and of data columns"),
        ({"loss": lambda: 0}, "the loss takes no prediction: write def loss"),
    ):
        with pytest.raises(verifier.InputError, match=sentence):
            _ = Model(w * x, **{"inputs": [x], "start": {w: 1.0}, "loss": squared_error, **change}).columns


def test_functions_compute_on_numbers():
    assert exp(0.0) == 1.0
    assert where(True, 1.0, 2.0) == 1.0
    assert np.array_equal(maximum(np.array([1.0, 3.0]), 2.0), [2.0, 3.0])
