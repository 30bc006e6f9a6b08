"""A branch that is not taken leaks no NaN, and what is taken is the same to the last bit."""

import numpy as np
import pytest
import torch

import verifier
from tests.helpers.honest import verdicts
from verifier.formula.text.parser import read_text, symbol_names
from verifier.judging.verdict import Outcome
from verifier.operations.formats import FLOAT32, FLOAT64
from verifier.program.builder import FormulaBuilder
from verifier.program.codegen import NUMPY, TORCH, definition, function
from verifier.program.guards import GROWTH, guarded

LEAKING = {
    "where(x > 0, log(x), x)": [-1.0, 0.0, 2.0],
    "where(x > 0, sqrt(x), 0)": [-1.0, 0.0, 4.0],
    "where(x < 80, exp(x), x)": [1.0, 80.0, 1000.0],
    "where(x != 0, sin(x)/x, 1)": [0.0, 1.0, -2.0],
    "Piecewise((x*log(x), x > 0), (0, True))": [-1.0, 0.0, 0.5],
    "Piecewise((1/x, x > 1), (sqrt(-x), x < -1), (x, True))": [0.0, 0.5, 2.0, -4.0],
    "where(x > 0 and x < 1, log(x) + log(1 - x), 0)": [0.5, 0.0, 1.0, 3.0],
    "where(abs(x) < 1, asin(x), x**3)": [0.5, 1e150, -3.0],
    "where(abs(x) > 1, x, (x**2)**2)": [0.5, 1e200, -3.0],
    "where(x > 0, where(x > 1, sqrt(x - 1), log(x)), acosh(1 - x))": [2.0, 0.5, 1.0, -1.0],
    "elu(x)": [-1.0, 2.0, 1000.0],
    "gamma(x)": [3.0, 30.0, 150.0, -2.5],
}


def program_of(text):
    builder = FormulaBuilder()
    return builder.program(
        read_text(text, builder, {name: builder.input(name) for name in symbol_names(text)})
    )


def gradient(program, values):
    x = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    value = function("f", "x", program, TORCH)(x)
    value.sum().backward()
    return value.detach().numpy(), x.grad.numpy()


@pytest.mark.parametrize("text", LEAKING)
def test_no_nan_leaks(text):
    program = program_of(text)
    _, slopes = gradient(guarded(program), LEAKING[text])
    assert np.isfinite(slopes).all()


def test_without_guards_it_leaks():
    """The companion: what the guards are for."""
    leaks = [
        text
        for text in LEAKING
        if not np.isfinite(gradient(program_of(text), LEAKING[text])[1]).all()
    ]
    assert len(leaks) >= 9, leaks


@pytest.mark.parametrize("text", LEAKING)
def test_values_and_slopes_are_the_same_to_the_last_bit(text):
    program = program_of(text)
    plain_values, plain_slopes = gradient(program, LEAKING[text])
    values, slopes = gradient(guarded(program), LEAKING[text])
    assert values.tobytes() == plain_values.tobytes()
    whole = np.isfinite(plain_slopes)
    assert (slopes[whole] == plain_slopes[whole]).all()


@pytest.mark.parametrize(
    "text",
    [
        "where(x > 0, x, 0.01*x)",
        "where(x > 0, a*x, b*x)",
        "where(x < 1, x**2/2, abs(x) - 1/2)",
        "maximum(x, 0)",
        "where(x > 0, tanh(x), sin(x))",
        "exp(x) + where(x > 0, 1, 2)",
    ],
)
def test_what_cannot_leak_is_left_alone(text):
    program = program_of(text)
    symbols = ", ".join(program.inputs)
    assert definition("f", symbols, guarded(program), TORCH) == definition(
        "f", symbols, program, TORCH
    )


def test_the_guarded_code_is_what_is_shown():
    model = verifier.Model.from_text(
        "where(x > 0, w*log(x), w*x)", inputs="x", start={"w": 1.0}, loss=verifier.squared_error
    )
    assert definition(
        "f", "x, w", model.guarded_program.only(model.guarded_program.outputs[0]), TORCH
    ) == (
        "def f(x, w):\n    t1 = x > 0\n    return torch.where(t1, w * torch.log(torch.where(t1, x, "
        "1)), w * x)\n"
    )
    assert "where(t1, x, 1)" in definition("f", "x, w", model.guarded_program, NUMPY)
    assert str(model.expression) == "Piecewise((w*log(x), x > 0), (w*x, True))"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [1, "all"])
def test_a_model_with_branches_trains(dtype, batch):
    """A branch that is undefined for half of the data, the parameter inside the condition."""
    model = verifier.Model.from_text(
        "where(x > c, w*log(x), b*x + w*sqrt(1 - x))",
        inputs="x",
        start={"w": 1.0, "b": 0.5, "c": 0.25},
        fixed=["c"],
        loss=verifier.squared_error,
        data={"x": [-1.0, 0.0, 0.5, 2.0, 8.0], "y": [1.0, 2.0, -1.0, 0.5, 2.0]},
    )
    report = verifier.train(model, epochs=20, dtype=dtype, batch=batch)
    assert report.outcome is Outcome.AGREES
    assert report.findings.not_finite is None


def nested(depth):
    """sqrt in each branch of a chain, the chain shared by both of the next one's branches."""
    text = "sqrt(x)"
    for level in range(depth):
        text = (
            f"where(x > {level}, sqrt(x) + ({text}), log(x) - ({text}))"
            if level < 3
            else f"where(x < {level}, {text}, log(x))"
        )
    return text


def test_nested_branches_stay_small():
    program = program_of(nested(12))
    assert len(guarded(program).nodes) <= (GROWTH + 2) * len(program.nodes) + 200
    values, slopes = gradient(guarded(program), [0.5, 2.5, 11.5])
    assert np.isfinite(slopes).all()
    assert values.tobytes() == gradient(program, [0.5, 2.5, 11.5])[0].tobytes()


def test_a_branch_that_is_finite_nowhere_is_left_as_it_is():
    program = program_of("where(x > 0, x, log(-1 - x**2))")
    assert guarded(program) == program


def test_what_is_computed_outside_a_branch_is_used_there():
    model = verifier.Model.from_text(
        "elu(w*x + b)", inputs="x", start={"w": 1.0, "b": 0.0}, loss=verifier.huber
    )
    prediction, loss = model.guarded_program.outputs
    assert definition("f", "x, w, b", model.guarded_program.only(prediction), TORCH) == (
        "def f(x, w, b):\n    t1 = w * x + b\n    t2 = t1 > 0\n"
        "    return torch.where(t2, t1, torch.expm1(torch.where(t2, 1, t1)))\n"
    )
    builder = FormulaBuilder()
    alone = builder.program(
        builder.copy(model.guarded_program, loss, {prediction: builder.input("prediction")})
    )
    assert set(alone.inputs) == {"prediction", "y"}


def test_branches_inside_what_is_guarded():
    program = program_of("where(x > 0, exp(log(x) + where(y > 1, log(y), y)), x)")
    x, y = (
        torch.tensor(values, requires_grad=True) for values in ([0.0, 2.0, -1.0], [0.0, 3.0, 0.5])
    )
    function("f", "x, y", guarded(program), TORCH)(x, y).sum().backward()
    assert torch.isfinite(x.grad).all()
    assert torch.isfinite(y.grad).all()


def test_long_chains_of_branches():
    text = (
        "Piecewise("
        + ", ".join(f"(log(x - {k}), x > {k + 1})" for k in range(60, 0, -1))
        + ", (x, True))"
    )
    _, slopes = gradient(guarded(program_of(text)), [0.5, 1.0, 2.0, 2.5, 61.0, 70.0])
    assert np.isfinite(slopes).all()


def test_both_formats_judge_guarded_programs():
    for known in (FLOAT32, FLOAT64):
        at = {"x": np.array([-2.0, -0.5, 0.25, 3.0, 100.0]).astype(known.name)}
        program = guarded(program_of("Piecewise((x*log(x), x > 0), (expm1(x), True))"))
        for library in ("torch", "numpy"):
            for found in verdicts(program, ["x"], known, library, at):
                assert (found.severity == Outcome.AGREES.severity).all()
