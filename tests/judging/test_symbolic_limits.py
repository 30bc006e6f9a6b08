"""Limits where a formula has no value: found, refused with a reason, or stopped in time."""

import math
import threading
import time

import numpy as np
import pytest
import sympy
from flint import arb

from verifier.judging import symbolic_limits
from verifier.judging.symbolic_limits import add_limits
from verifier.judging.verdict import Note
from verifier.program.builder import Builder
from verifier.program.evaluation.arithmetic import precision
from verifier.program.evaluation.balls import LAST_BITS, BallArithmetic, replay
from verifier.program.gradients.array_gradient import gradients
from verifier.program.program import NOTHING


def found(function, by=None, **given):
    """The limits of a function of nodes at a point, as floats, and the notes."""
    build = Builder()
    nodes = [build.input(name, np.shape(value)) for name, value in given.items()]
    program = build.program(function(build, *nodes))
    given = {name: np.asarray(value, float) for name, value in given.items()}
    exact = replay(program, given, BallArithmetic())
    (limit,) = add_limits(program, exact, given, tuple(given) if by is None else by)
    return [float(ball) for ball in limit.balls], limit.note.tolist()


def quotient(build, x, y):
    return build.apply("divide", x, y)


def test_what_has_a_value_is_left_alone():
    values, notes = found(lambda b, x: quotient(b, b.apply("sin", x), x), x=[0.0, 1.0])
    assert values == [1.0, math.sin(1.0)]
    assert notes == [Note.LIMIT, Note.NONE]


def through(build, x):
    """x/x through every kind of operation: 1, whatever x is."""
    pair = build.join([x, build.reshape(x, (1, 1))])
    moved = build.round(build.take(pair, [1, NOTHING, 0]), None)
    total = build.sum(build.reshape(moved, (3, 1)), (0, 1))
    piled = build.pile(build.apply("add", moved, build.constant(0)), [0, 0, 0], (1,))
    matrix = build.contract(build.reshape(moved, (1, 3)), build.constant(np.ones((3, 1))))
    return quotient(
        build,
        build.apply("multiply", total, piled),
        build.apply("square", build.reshape(matrix, (1,))),
    )


def test_every_kind_of_operation():
    assert found(through, x=[0.0]) == ([1.0], [Note.LIMIT])


CHOICES = {
    "abs": (
        lambda b, x: quotient(b, b.apply("multiply", x, b.apply("abs", x)), x),
        0.0,
        Note.LIMIT,
    ),
    "sign": (
        lambda b, x: quotient(b, b.apply("multiply", x, b.apply("sign", x)), x),
        math.nan,
        Note.NO_EXACT_VALUE,
    ),
    "maximum": (
        lambda b, x: quotient(b, b.apply("maximum", x, b.apply("negative", x)), b.apply("abs", x)),
        1.0,
        Note.LIMIT,
    ),
    "minimum": (
        lambda b, x: quotient(b, b.apply("minimum", x, b.apply("negative", x)), b.apply("abs", x)),
        -1.0,
        Note.LIMIT,
    ),
    "where": (
        lambda b, x: quotient(
            b,
            b.apply(
                "where",
                b.apply("greater", x, b.constant(0)),
                x,
                b.apply("multiply", x, b.constant(2)),
            ),
            x,
        ),
        math.nan,
        Note.NO_EXACT_VALUE,
    ),
    "not": (
        lambda b, x: quotient(
            b,
            b.apply("where", b.apply("not", b.apply("equal", x, b.constant(0))), x, b.constant(7)),
            x,
        ),
        1.0,
        Note.LIMIT,
    ),
}


@pytest.mark.parametrize("name", CHOICES)
def test_choices_are_made_beside_the_point(name):
    function, value, note = CHOICES[name]
    values, notes = found(function, x=[0.0])
    assert values == pytest.approx([value], nan_ok=True)
    assert notes == [note]


@pytest.mark.parametrize(
    ("function", "x", "value", "note"),
    [
        (
            lambda b, x: quotient(b, b.constant(1), b.apply("square", x)),
            0.0,
            math.nan,
            Note.INFINITE,
        ),
        (lambda b, x: quotient(b, b.constant(1), x), 0.0, math.nan, Note.NO_EXACT_VALUE),
        (lambda b, x: b.apply("sqrt", x), -1.0, math.nan, Note.NO_EXACT_VALUE),
        (
            lambda b, x: b.apply("sin", quotient(b, b.constant(1), x)),
            0.0,
            math.nan,
            Note.NO_EXACT_VALUE,
        ),
        (lambda b, x: quotient(b, x, x), math.inf, math.nan, Note.NO_EXACT_VALUE),
        (lambda b, x: b.apply("multiply", x, b.apply("log", x)), 0.0, 0.0, Note.LIMIT),
    ],
)
def test_where_there_is_none(function, x, value, note):
    values, notes = found(function, x=[x])
    assert notes == [note]
    assert values == pytest.approx([value], nan_ok=True)


def test_what_cancels_beside_the_point_is_inside_the_domain():
    """x**6/(1 - cos(x**3)): at 1e-14 more than 200 bits are lost."""

    def function(build, x):
        cube = build.apply("multiply", x, build.apply("square", x))
        below = build.apply("subtract", build.constant(1), build.apply("cos", cube))
        return quotient(build, build.apply("square", cube), below)

    assert found(function, x=[0.0]) == ([2.0], [Note.LIMIT])


def test_the_note_says_how_many_bits_there_are():
    assert f"{LAST_BITS:,} bits" in Note.BEYOND


def test_limits_that_are_no_rationals():
    values, notes = found(
        lambda b, x: quotient(b, b.apply("exp", b.constant(1)), b.apply("divide", x, x)), x=[0.0]
    )
    assert values == [math.e]
    assert notes == [Note.LIMIT]


def test_the_limit_encloses_the_number():
    build = Builder()
    x = build.input("x", ())
    program = build.program(
        quotient(build, build.apply("sin", build.apply("multiply", x, build.apply("pi"))), x)
    )
    given = {"x": np.asarray(0.0)}
    (limit,) = add_limits(program, replay(program, given, BallArithmetic()), given, ("x",))
    with precision(400):
        assert arb.pi() in limit.balls[0]
        assert limit.balls[0].rad() < 1e-50


def test_several_inputs_from_several_sides():
    def product(build, x, y):
        return build.apply("multiply", x, y)

    def norm(build, x, y):
        return build.apply(
            "sqrt", build.apply("add", build.apply("square", x), build.apply("square", y))
        )

    known = found(lambda b, x, y: quotient(b, product(b, x, y), norm(b, x, y)), x=[0.0], y=[0.0])
    assert known == ([0.0], [Note.LIMIT])
    # It depends on the side that one comes from.
    ratio = found(
        lambda b, x, y: quotient(b, product(b, x, y), b.apply("square", norm(b, x, y))),
        x=[0.0],
        y=[0.0],
    )
    assert ratio[1] == [Note.NO_EXACT_VALUE]


def test_only_what_the_point_is_approached_by_moves():
    values, notes = found(quotient, by=("x",), x=[0.0], y=[0.0])
    assert notes == [Note.NO_EXACT_VALUE]
    assert math.isnan(values[0])


def test_one_element_of_a_large_array():
    x = np.ones(10_000)
    x[77] = 0.0
    values, notes = found(lambda b, x: quotient(b, b.apply("sin", x), x), x=x)
    assert notes.count(Note.LIMIT) == 1
    assert values[77] == 1.0


def test_an_entry_that_is_made_of_too_many_others():
    def centred(build, x):
        return quotient(build, x, build.expand(build.sum(x, (0,)), (400,)))

    _, notes = found(centred, x=np.zeros(400))
    assert set(notes) == {Note.NO_EXACT_VALUE}


def test_equal_entries_are_worked_out_once(monkeypatch):
    calls = []
    limit = sympy.limit
    monkeypatch.setattr(
        sympy, "limit", lambda *arguments: calls.append(arguments) or limit(*arguments)
    )
    assert found(lambda b, x: quotient(b, b.apply("sin", x), x), x=np.zeros(50))[0] == [1.0] * 50
    assert len(calls) == 2


def endless(*_):
    while True:
        time.sleep(0.001)


def test_what_takes_too_long_is_stopped(monkeypatch):
    monkeypatch.setattr(symbolic_limits, "SECONDS", 0.2)
    monkeypatch.setattr(sympy, "limit", endless)
    before = threading.active_count()
    start = time.monotonic()
    values, notes = found(lambda b, x: quotient(b, b.apply("sin", x), x), x=[0.0, 0.0])
    assert notes == [Note.TOO_LONG, Note.TOO_LONG]
    assert all(map(math.isnan, values))
    assert time.monotonic() - start < 5
    assert threading.active_count() == before


def test_many_entries_without_a_limit_end_in_time(monkeypatch):
    monkeypatch.setattr(symbolic_limits, "SECONDS", 0.3)
    start = time.monotonic()
    _, notes = found(lambda b, x: quotient(b, b.constant(1), x), x=np.zeros(20_000))
    assert {Note.NO_EXACT_VALUE, Note.TOO_LONG} == set(notes)
    assert time.monotonic() - start < 10


def test_inputs_that_are_not_finite_have_no_limits(monkeypatch):
    monkeypatch.setattr(sympy, "limit", endless)
    _, notes = found(lambda b, x: quotient(b, b.apply("sin", x), x), x=[0.0, math.nan, math.inf])
    assert notes[:2] == [Note.NO_EXACT_VALUE] * 2


def test_an_interruption_stops_the_work_and_is_passed_on(monkeypatch):
    monkeypatch.setattr(sympy, "limit", endless)
    join = threading.Thread.join
    waits = []

    def interrupted(self, timeout=None):
        waits.append(timeout)
        if len(waits) == 1:
            raise KeyboardInterrupt
        return join(self, timeout)

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        found(lambda b, x: quotient(b, b.apply("sin", x), x), x=[0.0])
    assert threading.active_count() == before


def test_errors_of_our_own_are_not_hidden(monkeypatch):
    def broken(*_):
        raise LookupError("ours")

    monkeypatch.setattr(symbolic_limits, "_common_limit", broken)
    with pytest.raises(LookupError, match="ours"):
        found(lambda b, x: quotient(b, b.apply("sin", x), x), x=[0.0])


def exponential(build, x, times=1):
    for _ in range(times):
        x = build.apply("exp", x)
    return x


BEYOND = {
    "far beyond": lambda b, x: exponential(b, x, 3),
    "on the way": lambda b, x: b.apply("tan", exponential(b, x, 3)),
    "in what is taken": lambda b, x: b.apply(
        "where",
        b.apply("greater", x, b.constant(0)),
        exponential(b, x, 3),
        b.apply("log", b.constant(-1)),
    ),
}


@pytest.mark.parametrize("name", BEYOND)
def test_what_is_too_long_for_balls_has_no_limit_to_look_for(monkeypatch, name):
    monkeypatch.setattr(sympy, "limit", endless)
    assert found(BEYOND[name], x=[50.0])[1] == [Note.BEYOND]


def test_what_is_too_long_in_a_branch_that_is_not_taken_is_nothing():
    def chosen(build, x):
        beyond = exponential(build, x, 3)
        inside = build.apply("greater", x, build.constant(100.0))
        return quotient(build, build.apply("where", inside, beyond, build.apply("sin", x)),
                        build.apply("subtract", x, x))  # fmt: skip

    assert found(chosen, x=[50.0])[1] == [Note.NO_EXACT_VALUE]


def difference_quotient(power):
    """(x**n - 1)/(x - 1), which is n at 1."""

    def made(build, x):
        one = build.constant(1)
        above = build.apply("subtract", power(build, x), one)
        return quotient(build, above, build.apply("subtract", x, one))

    return made


def squared(build, x, times):
    for _ in range(times):
        x = build.apply("square", x)
    return x


def test_fractions_that_are_too_long_for_sympy(monkeypatch):
    """It would work out (1 + t) to the power of 10**9 in one operation that nothing stops."""

    def raised(number):
        return lambda build, x: build.apply("power", x, build.constant(number))

    assert found(difference_quotient(raised(3.0)), x=[1.0]) == ([3.0], [Note.LIMIT])
    eighth = difference_quotient(lambda b, x: squared(b, x, 3))
    assert found(eighth, x=[1.0]) == ([8.0], [Note.LIMIT])
    monkeypatch.setattr(sympy, "limit", endless)
    for power in (raised(1e9), raised(-1e9), raised(1e300), lambda b, x: squared(b, x, 60)):
        assert found(difference_quotient(power), x=[1.0])[1] == [Note.BEYOND]


def test_exponents_that_are_too_long_for_sympy(monkeypatch):
    monkeypatch.setattr(sympy, "limit", endless)

    def made(build, x):
        far = build.apply("exp", build.apply("multiply", x, build.constant(-1e6)))
        return quotient(build, build.apply("multiply", far, build.apply("subtract", x, x)),
                        build.apply("subtract", x, x))  # fmt: skip

    assert found(made, x=[1.0])[1] == [Note.NO_EXACT_VALUE]
    # Beside the point the quotient has a value.
    gap = difference_quotient(lambda b, x: b.apply("exp", b.apply("multiply", b.constant(1e6), x)))
    assert found(lambda b, x: b.apply("multiply", gap(b, x), b.apply("subtract", x, x)),
                 x=[1.0])[1] == [Note.BEYOND]  # fmt: skip


def test_all_limits_of_a_check_share_their_time(monkeypatch):
    monkeypatch.setattr(symbolic_limits, "SECONDS", 0.2)
    monkeypatch.setattr(sympy, "limit", endless)
    with symbolic_limits.limit_search_time(0.3):
        start = time.monotonic()
        told = [found(lambda b, x: quotient(b, b.apply("sin", x), x), x=[0.0])[1] for _ in range(5)]
        assert time.monotonic() - start < 0.9
    assert told == [[Note.TOO_LONG]] * 5
    monkeypatch.undo()
    with symbolic_limits.limit_search_time(0.0):
        assert found(lambda b, x: quotient(b, x, x), x=[0.0])[1] == [Note.TOO_LONG]
    assert found(lambda b, x: quotient(b, x, x), x=[0.0])[1] == [Note.LIMIT]


def test_gradients():
    build = Builder()
    x = build.input("x", (2,))
    norm = build.apply("sqrt", build.sum(build.apply("square", x), (0,)))
    (dx,) = gradients(build, {build.apply("square", norm): build.constant(1)}, [x])
    program, given = build.program(dx), {"x": np.zeros(2)}
    (limit,) = add_limits(program, replay(program, given, BallArithmetic()), given, ("x",))
    assert [float(ball) for ball in limit.balls] == [0.0, 0.0]
    assert limit.note.tolist() == [Note.LIMIT, Note.LIMIT]
