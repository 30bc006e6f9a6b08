"""Constants: worked out by Python in the generated source, without changing anyone's dtype."""

import numpy as np
import pytest
import torch

import verifier
from verifier.errors import InputError
from verifier.formula import overloads
from verifier.formula.text.parser import symbol_names
from verifier.operations.operation import Absent
from verifier.operations.table import TABLE
from verifier.program.builder import FormulaBuilder
from verifier.program.codegen import NUMPY, TORCH, constant_values, function


@pytest.mark.parametrize(
    "name", sorted(overloads.callable_names() - {"where", "equal", "not_equal"})
)
@pytest.mark.parametrize("mixed", [False, True])
def test_the_dtype_is_that_of_the_symbols(name, mixed):
    """The function of numbers alone, and of a number beside a symbol, in float32."""
    least, _ = overloads.argument_count(name)
    whole = getattr(TABLE.get(name), "whole", ())
    for number in range(least) if mixed else (None,):
        builder = FormulaBuilder()
        w = builder.input("w")
        constant = builder.constant(1.25 if name in ("acosh", "asec", "acsc", "acoth") else 0.75)
        arguments = [
            builder.constant(2) if place in whole else constant if number in (None, place) else w
            for place in range(least)
        ]
        program = builder.program(
            builder.apply("multiply", overloads.write_call(name, builder, arguments), w)
        )
        for value in (np.float32(0.5), np.array([0.5, 0.25], dtype=np.float32)):
            assert function("f", "w", program, NUMPY)(value).dtype == np.float32
        for tensor in (torch.tensor(0.5), torch.tensor([0.5, 0.25])):
            if any(isinstance(TABLE[one].torch, Absent) for one in operations_of(program)):
                with pytest.raises(InputError, match="torch has no"):
                    function("f", "w", program, TORCH)(tensor)
            else:
                assert function("f", "w", program, TORCH)(tensor).dtype == torch.float32


def operations_of(program):
    """Those that torch is asked for: what is made of numbers alone is worked out before."""
    constant = constant_values(program)
    return {
        node.operation
        for place, node in enumerate(program.nodes)
        if node.operation in TABLE and place not in constant
    }


@pytest.mark.parametrize(
    "text",
    [
        "10**20*w*x",
        "2**64*w*x",
        "w*x/2**80",
        "3**50*w*x",
        "2**62*4*w*x",
        "2**64 - w*x",
        "maximum(w*x, 2**70)",
        "abs(-2**70)*w*x",
        "floor(2**70)*w*x",
        "polygamma(1, 1.5)*w*x",
        "where(not 1 < 2 and w < 3, w, 2*w)*x",
        "w*x*where(1 < 2 and w < 3 and not 2 < 1, 3, 4)",
        "gamma(3)*w*x",
        "sinc(0)*w*x",
        "gelu(where(1 < 2, 0.5, w)) + w*x",
        "relu(-1.5)*max + max*x",
        "remainder(-7.5, 2)*w*x",
        "abs(-3)*abs*x + min*maximum(2, 3)",
        "float*x + minimum(1, 2)*int",
    ],
)
def test_formulas_with_constants_train(text):
    start = {name: 1.25 for name in symbol_names(text) if name != "x"}
    model = verifier.Model.from_text(
        text,
        inputs="x",
        start=start,
        loss=verifier.squared_error,
        data={"x": [1.0, 2.0], "y": [1.0, 2.0]},
    )
    report = verifier.train(model, epochs=2, dtype="float64", lr=1e-45)
    assert report.ok, str(report)


def test_a_remainder_of_a_long_whole_number():
    """NumPy takes no whole number of more than 64 bits; float64 does not know the remainder."""
    model = verifier.Model.from_text(
        "remainder(10**30, 7)*w*x",
        inputs="x",
        start={"w": 1.25},
        loss=verifier.squared_error,
        data={"x": [1.0, 2.0], "y": [1.0, 2.0]},
    )
    assert verifier.train(model, epochs=1, dtype="float64").outcome == "undecided"


def test_constants_beyond_the_dtype():
    model = verifier.Model.from_text(
        "maximum(w*x, 10**39)",
        inputs="x",
        start={"w": 1.0},
        loss=verifier.huber,
        data={"x": [1.0], "y": [1.0]},
    )
    with pytest.raises(
        verifier.InputError, match=r"^the formula's constant 1e\+39 is too large for float32$"
    ):
        verifier.train(model, epochs=1)
    assert verifier.train(model, epochs=1, dtype="float64").ok


def test_a_parameter_in_a_branch_that_is_never_taken():
    model = verifier.Model.from_text(
        "where(1 < 2, w, b)*x", inputs="x", start={"w": 1.0, "b": 1.0}, loss=verifier.huber
    )
    with pytest.raises(
        verifier.InputError, match=r"^model model: no gradient reaches parameter b: "
    ):
        _ = model.gradient_program


@pytest.mark.parametrize(
    "name", ["torch", "math", "special", "np", "builtins", "class", "lambda", "None", "two words"]
)
def test_names_that_source_cannot_have(name):
    with pytest.raises(verifier.InputError) as error:
        verifier.Model.from_text("w", start={"w": 1.0}, name=name)
    assert str(error.value) == f"{name!r} cannot name a model: use a Python name of its own"
