"""Inputs: drawn, given and written, to the last bit."""

import math
import struct
from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

import verifier
from verifier.capture.target.pytree import leaves, nested_value, with_leaves
from verifier.checking.inputs import (
    Between,
    between,
    draw_inputs,
    given_dtypes,
    input_words,
    parse_inputs,
)
from verifier.checking.tensor_text import read_tensor, write_tensor
from verifier.errors import InputError

DTYPES = ["float64", "float32", "bfloat16", "float16"]
State = namedtuple("State", "h c")


@dataclass
class Batch:
    x: object
    size: int


def said(function, *arguments):
    """The sentence of the InputError."""
    with pytest.raises(InputError) as caught:
        function(*arguments)
    return str(caught.value)


def point(*, seed=0, number=1, dtype="float64", **inputs):
    return draw_inputs(inputs, dtype, seed, number)


def same(one, other):
    return (
        one.dtype == other.dtype
        and one.shape == other.shape
        and torch.equal(bits(one), bits(other))
    )


def bits(tensor):
    kinds = {8: torch.int64, 4: torch.int32, 2: torch.int16}
    return (
        tensor.contiguous().view(kinds[tensor.element_size()])
        if tensor.is_floating_point()
        else tensor
    )


def test_between():
    assert verifier.between is between
    assert between(-1, 2, shape=[4, 3]) == Between(-1.0, 2.0, (4, 3))
    assert between(0, 1) == Between(0.0, 1.0)


@pytest.mark.parametrize(
    "low, high, shape, sentence",
    [
        (2, 1, (), "between 2 and 1 lies nothing: give the smaller end first"),
        (math.nan, 1, (), "nothing can be drawn up to nan: give finite ends"),
        (0, math.inf, (), "nothing can be drawn up to inf: give finite ends"),
        ("a", 1, (), "between takes two numbers, and 'a' is none"),
        (0, 1, 3, "shape 3 is not one: give the sizes in order, as in (4, 3) or (32,)"),
        (0, 1, (-1,), "shape (-1,) is not one: give the sizes in order, as in (4, 3) or (32,)"),
        (0, 1, (2.0,), "shape (2.0,) is not one: give the sizes in order, as in (4, 3) or (32,)"),
        (
            0,
            1,
            (10**5, 10**5),
            "shape (100000, 100000) has 10000000000 numbers: draw at most 100000000",
        ),
        (0, 1, (1,) * 33, "a shape of 33 axes: draw at most 32"),
        (0, 1, (0, 10**9), "shape (0, 1000000000) has 1000000000 numbers: draw at most 100000000"),
    ],
)
def test_what_between_refuses(low, high, shape, sentence):
    assert said(between, low, high, shape) == sentence


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("low, high", [(0, 1), (-2, 2), (-1e300, 1e300), (1, 1.02), (0.1, 0.3)])
def test_ends_are_left_out(dtype, low, high):
    numbers = point(dtype=dtype, x=between(low, high, (4000,)))["x"]
    assert str(numbers.dtype) == f"torch.{dtype}"
    assert numbers.isfinite().all()
    assert (numbers.double() > low).all()
    assert (numbers.double() < high).all()


def test_rounding_alone_would_reach_an_end():
    numbers = point(x=between(0, 1, (4000,)))["x"]
    assert (numbers.to(torch.bfloat16) == 1).any()


def test_draws_are_even():
    numbers = point(x=between(-3, 1, (20000,)))["x"]
    shares = torch.histc(numbers, bins=10, min=-3, max=1) / 20000
    assert (shares - 0.1).abs().max() < 0.01


def test_draws_are_seeded():
    draw = between(0, 1, (8,))
    first = point(x=draw)["x"]
    assert torch.equal(point(x=draw)["x"], first)
    assert torch.equal(point(y=draw, x=draw)["x"], first)
    assert not torch.equal(point(y=draw)["y"], first)
    assert not torch.equal(point(x=draw, number=2)["x"], first)
    assert not torch.equal(point(x=draw, seed=-1)["x"], first)
    assert torch.equal(point(x=draw, dtype="float32")["x"], first.float())


def test_equal_ends_are_one_number():
    assert point(x=between(0.1, 0.1, (2,)), dtype="float32")["x"].tolist() == [np.float32(0.1)] * 2


@pytest.mark.parametrize(
    "dtype, draw, sentence",
    [
        (
            "bfloat16",
            between(1, 1.001),
            "input x: no number of bfloat16 lies between 1.0 and 1.001",
        ),
        (
            "float16",
            between(1e5, 1e6),
            "input x: no number of float16 lies between 100000.0 and 1000000.0",
        ),
        (
            "complex64",
            between(0, 1),
            "dtype 'complex64' is not one that verifier judges: use float64 or float32 or bfloat16 "
            "or float16",
        ),
        (
            "bfloat16",
            torch.ones(2, dtype=torch.complex64),
            "complex numbers are judged in float32 and float64, not in bfloat16",
        ),
        ("float32", torch.ones([1] * 33), "input x has 33 axes: give at most 32"),
        ("float32", np.array(["a"]), "input x: an array of <U1 cannot be used: give numbers"),
    ],
)
def test_what_cannot_be_drawn(dtype, draw, sentence):
    assert said(draw_inputs, {"x": draw}, dtype, 0, 1) == sentence


def test_tensors_are_cast_and_constants_stay():
    classes, mask = torch.tensor([0, 2]), torch.tensor([True])
    given = {
        "x": torch.ones(2, requires_grad=True),
        "i": classes,
        "m": mask,
        "n": 2,
        "s": "mean",
        "o": None,
    }
    found = draw_inputs(given, "bfloat16", 0, 1)
    assert found["x"].dtype == torch.bfloat16
    assert not found["x"].requires_grad
    assert torch.equal(found["i"], classes)
    assert torch.equal(found["m"], mask)
    assert {name: found[name] for name in "nso"} == {"n": 2, "s": "mean", "o": None}
    assert draw_inputs({"x": np.array([0.5])}, "float32", 0, 1)["x"].tolist() == [0.5]


def test_nesting_is_kept():
    draw = between(0, 1)
    given = {
        "a": [draw, (draw, 1)],
        "b": {"h": draw, "two words": 2},
        "c": State(draw, None),
        "d": Batch(draw, 4),
    }
    found = draw_inputs(given, "float32", 0, 1)
    names = [name for key, value in found.items() for name, _ in leaves(value, key)]
    assert names == [
        "a[0]",
        "a[1][0]",
        "a[1][1]",
        "b.h",
        "b[two words]",
        "c.h",
        "c.c",
        "d.x",
        "d.size",
    ]
    assert isinstance(found["a"], list)
    assert isinstance(found["a"][1], tuple)
    assert isinstance(found["c"], State)
    assert isinstance(found["d"], Batch)
    assert found["d"] is not given["d"]
    assert found["a"][0] != found["a"][1][0]
    assert given["a"][0] is draw


def test_a_sequence_of_its_own_class_is_made_again():
    assert with_leaves(torch.Size([2, 3]), "x", lambda name, leaf: leaf) == torch.Size([2, 3])


def test_dtypes_are_those_of_floating_tensors():
    given = {
        "x": [torch.ones(1).half(), between(0, 1)],
        "n": 2.0,
        "i": torch.tensor([1]),
        "y": np.ones(2),
    }
    assert given_dtypes(given) == ("float16", "float64")
    assert given_dtypes({"x": between(0, 1), "n": 2.0}) == ()


@pytest.mark.parametrize(
    "text, value",
    [
        ("p=0:1:32", between(0, 1, (32,))),
        ("x=-2:2:4x3", between(-2, 2, (4, 3))),
        ("x=0:1", between(0, 1)),
        ("x=-1e-3:.5:2", between(-0.001, 0.5, (2,))),
        ("g=2", 2),
        ("g=-3", -3),
        ("g=2.", 2.0),
        ("g=1e-40", 1e-40),
        ("g=-inf", -math.inf),
        ("g=99999999999999999999", 1e20),
        ("g=True", True),
        ("g=None", None),
        ("g='mean'", "mean"),
        ('g="it\'s"', "it's"),
        (" g = 2 ", 2),
    ],
)
def test_what_is_written(text, value):
    ((_, found),) = parse_inputs([text]).items()
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text, tensor",
    [
        ("[1,2,3]", torch.tensor([1.0, 2, 3]).double()),
        ("[[1, 2],[3, 4]]", torch.tensor([[1.0, 2], [3, 4]]).double()),
        (
            "[-0.0,1e-40,inf,nan]",
            torch.tensor([-0.0, 1e-40, math.inf, math.nan], dtype=torch.float64),
        ),
        ("float(0.5)", torch.tensor(0.5).double()),
        ("float[0.5]", torch.tensor([0.5]).double()),
        ("int[0,2,-1]", torch.tensor([0, 2, -1])),
        ("int(3)", torch.tensor(3)),
        ("bool[True,false,1,0]", torch.tensor([True, False, True, False])),
        ("[]", torch.ones(0).double()),
        ("[[],[]]", torch.ones(2, 0).double()),
        ("[]:0x3", torch.ones(0, 3).double()),
        ("[1,2,3,4]:2x2", torch.tensor([[1.0, 2], [3, 4]]).double()),
    ],
)
def test_tensors_that_are_written(text, tensor):
    assert same(parse_inputs([f"x={text}"])["x"], tensor)
    assert same(read_tensor(text), tensor)


ROWS = "is not a tensor: write [1,2,3], or rows of the same length as in [[1,2],[3,4]]"
HUGE = "0x999999999x999999999x999999999x999999999"
FORMS = "write name=low:high:shape, name=number or name=[numbers]: x=-2:2:4x3"
NAME = "cannot be the name of an input: write x, w[0] or state.h"


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("x", f"--input x: {FORMS}"),
        ("x=", f"--input x=: {FORMS}"),
        ("=3", f"'' {NAME}"),
        ("x y=1", f"'x y' {NAME}"),
        ("x..y=1", f"'x..y' {NAME}"),
        ("w[=1", f"--input w[=1: {FORMS}"),
        ("x=1one", "--input x: '1one' is not a number"),
        ("x=1_000", "--input x: '1_000' is not a number"),
        ("x=١", "--input x: '١' is not a number"),
        ("x=0x10", "--input x: '0x10' is not a number"),
        ("x=1e999", "--input x: 1e999 is larger than every float64: write inf for infinity"),
        (
            "x=0:1:4y3",
            "--input x: '4y3' is not a shape: write the sizes with x between them, as in 4x3",
        ),
        ("x=0:1:", "--input x: '' is not a shape: write the sizes with x between them, as in 4x3"),
        ("x=0:1:2:3", "--input x: '0:1:2:3' has more than low:high:shape"),
        ("x=:1", "--input x: '' is not a number"),
        ("x=2:1", "--input x: between 2.0 and 1.0 lies nothing: give the smaller end first"),
        ("x=0:inf", "--input x: nothing can be drawn up to inf: give finite ends"),
        ("x=[1,2", f"--input x: '[1,2' {ROWS}"),
        ("x=[1]]", f"--input x: '[1]]' {ROWS}"),
        ("x=[[1]", f"--input x: '[[1]' {ROWS}"),
        ("x=[1][2]", f"--input x: '[1][2]' {ROWS}"),
        ("x=[1,]", f"--input x: '[1,]' {ROWS}"),
        ("x=[,1]", f"--input x: '[,1]' {ROWS}"),
        ("x=[1,[2]]", f"--input x: '[1,[2]]' {ROWS}"),
        ("x=[[1],2]", f"--input x: '[[1],2]' {ROWS}"),
        ("x=[[],1]", f"--input x: '[[],1]' {ROWS}"),
        ("x=[[1],[2,3]]", f"--input x: '[[1],[2,3]]' {ROWS}"),
        ("x=" + "[" * 99 + "]" * 99, f"--input x: '{'[' * 36}...' {ROWS}"),
        ("x=" + "[" * 33 + "1" + "]" * 33, f"--input x: '{'[' * 33}1]]...' {ROWS}"),
        ("x=" + "[" * 99999 + "]" * 99999, f"--input x: '{'[' * 36}...' {ROWS}"),
        ("x=[[[]],[]]", f"--input x: '[[[]],[]]' {ROWS}"),
        ("x=[1][2]", f"--input x: '[1][2]' {ROWS}"),
        ("x=[1 2]", "--input x: '1 2' is not a number"),
        ("x=[null]", "--input x: 'null' is not a number"),
        ("x=[1 2]", "--input x: '1 2' is not a number"),
        ("x=[a]", "--input x: 'a' is not a number"),
        ("x=int[1.5]", "--input x: '1.5' is not a whole number of 64 bits"),
        (
            "x=int(9223372036854775808)",
            "--input x: '9223372036854775808' is not a whole number of 64 bits",
        ),
        ("x=bool[2]", "--input x: '2' is neither True nor False"),
        (
            "x=half[2]",
            "--input x: there are no tensors of 'half': write float, int, bool, complex or nothing "
            "before the bracket",
        ),
        ("x=[1,2]:3", "--input x: shape 3 has 3 numbers, not 2"),
        (
            "x=[]:0x999999999x999999999x999999999x999999999",
            "--input x: shape 0x999999999x999999999x999999999x999999999 is too large",
        ),
        ("x=__import__('os')", "--input x: '__import__('os')' is not a number"),
        ("x=\x1b[2J", "--input x: '\\x1b[2J' is not a number"),
    ],
)
def test_what_cannot_be_read(text, sentence):
    assert said(parse_inputs, [text]) == sentence.replace(
        "'__import__('os')'", "\"__import__('os')\""
    )


def test_parts_of_a_nested_input():
    texts = [
        "w[1]=2",
        "w[0]=1",
        "state.h=3",
        "p[linear.weight]=4",
        "gap[1]=5",
        "layers.0.bias=6",
        "0.bias=7",
    ]
    assert parse_inputs(texts) == {
        "w": (1, 2), "state": {"h": 3}, "p": {"linear.weight": 4}, "gap": {1: 5},
        "layers": {"0": {"bias": 6}}, "0": {"bias": 7},
    }  # fmt: skip


@pytest.mark.parametrize(
    "texts, sentence",
    [
        (["x=1", "x=2"], "--input x is given twice"),
        (["x=1", "x.y=2"], "x.y lies inside another input that is given as a whole"),
        (["x.y=2", "x=1"], "x is given as a whole and in parts"),
    ],
)
def test_inputs_that_contradict_each_other(texts, sentence):
    assert said(parse_inputs, texts) == sentence


def test_nested_is_the_inverse_of_leaves():
    value = {"a": (1, (2, {"k": 3})), "b": {"0": 4, "x.y": 5}}
    flat = {name: leaf for key, part in value.items() for name, leaf in leaves(part, key)}
    assert nested_value(flat) == value


def test_words_of_the_shell():
    given = {"x": torch.tensor([0.1, -0.0]), "state.n": 2, "r": "mean", "i": torch.tensor([[1]])}
    assert input_words(given) == [
        "--input", "x=[0.10000000149011612,-0.0]", "--input", "state.n=2", "--input", "r='mean'",
        "--input", "i=int[[1]]",
    ]  # fmt: skip


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (3, 0), (0, 3), (2, 0, 3), (1, 1, 2)])
@pytest.mark.parametrize("dtype", [*DTYPES, "int64", "int32", "bool"])
def test_what_is_spelled_is_read_back(shape, dtype):
    kind = getattr(torch, dtype)
    tensor = (
        torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) * 8 - 4
    ).to(kind)
    _, word = input_words({"x": tensor})
    found = parse_inputs([word])["x"]
    assert same(found if kind is torch.int64 else found.to(kind), tensor)


@settings(max_examples=200, deadline=None)
@given(
    number=some.integers(0, 2**64 - 1).map(
        lambda whole: struct.unpack("<d", struct.pack("<Q", whole))[0]
    )
)
def test_every_float_is_read_back(number):
    tensor = torch.tensor([number], dtype=torch.float64)
    found = read_tensor(write_tensor(tensor))
    assert torch.equal(found.nan_to_num(nan=7.5), tensor.nan_to_num(nan=7.5))
    assert math.copysign(1, found) == math.copysign(1, tensor) or math.isnan(number)


@settings(max_examples=300, deadline=None)
@given(text=some.text(alphabet="[](),:=.x012-einfatbol ", max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        parse_inputs([f"x={text}"])
    except InputError as error:
        assert "\n" not in str(error)


def test_complex_inputs():
    flat = parse_inputs(["z=-1-2j:1+2j:3", "w=complex[1+2j,-0.5j]", "k=complex(3)"])
    drawn = point(dtype="float32", **flat)
    assert drawn["z"].dtype == torch.complex64
    assert drawn["z"].imag.abs().max() > 1.0 > drawn["z"].real.abs().max()
    assert drawn["w"].tolist() == [1 + 2j, -0.5j]
    assert drawn["k"].shape == ()
    assert torch.equal(point(z=between(-1 - 2j, 1 + 2j, (3,)))["z"].to(torch.complex64), drawn["z"])


def test_the_parts_of_a_complex_input():
    z = torch.tensor([1 + 2j, 0.1j])
    parts = dict(leaves([z], "w"))
    assert [(name, part.tolist()) for name, part in parts.items()] == [
        ("w[0].real", [1.0, 0.0]),
        ("w[0].imag", [2.0, float(torch.tensor(0.1))]),
    ]
    words = [word for word in input_words(parts) if word != "--input"]
    assert torch.equal(point(dtype="float32", **parse_inputs(words))["w"][0], z)
    assert torch.equal(dict(leaves(z.conj(), "z"))["z.imag"], -z.imag)
    assert given_dtypes({"z": z, "w": np.array([1j])}) == ("float32", "float64")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("z=1+j2j:2:3", "--input z: '1+j2j' is not a complex number: write it as in 1+2j"),
        ("z=complex[1e999j]", "--input z: 1e999j is larger than every float64: write inf for"),
        ("z=complex[nanj,x]", "--input z: 'x' is not a complex number: write it as in 1+2j"),
        ("z=1j:2:0x", "--input z: '0x' is not a shape: write the sizes with x between them"),
    ],
)
def test_complex_inputs_that_cannot_be_read(text, sentence):
    assert said(parse_inputs, [text]).startswith(sentence)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (
            ["z.real=[1,2]", "z.imag=[1]"],
            "the real and the imaginary part of a number have one shape and one dtype",
        ),
        (
            ["z.real=int[1]", "z.imag=int[1]"],
            "complex numbers are judged in float32 and float64, not in int64",
        ),
    ],
)
def test_parts_that_make_no_complex_number(parts, sentence):
    assert said(parse_inputs, parts) == sentence
