"""Array programs: each different operation once, shapes as NumPy has them, nothing confused that
only looks alike.
"""

import numpy as np
import pytest

from tests.helpers.reading import Silent
from verifier.operations.formats import FLOAT16, FLOAT32
from verifier.program.builder import Builder, places
from verifier.program.program import NOTHING, evaluate


def numbers(build, *outputs, **given):
    return [result[0] for result in evaluate(build.program(*outputs), Silent(), given)]


def test_equal_operations_are_one_node():
    build = Builder()
    x, y = build.input("x", (2, 3)), build.input("y", (2, 3))
    assert build.apply("add", x, y) == build.apply("add", x, y)
    assert build.apply("add", x, y) != build.apply("add", y, x)
    assert build.take(x, [0, 0]) == build.take(x, np.array([0, 0]))
    assert build.take(x, [0, 0]) != build.take(x, [[0, 0]])
    assert build.input("x", (2, 3)) == x
    assert (
        len({build.input(*which) for which in (("x", (2, 3)), ("y", (2, 3)), ("x", (3, 2)))}) == 3
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (0.0, -0.0),
        (1, True),
        (0, False),
        (1.0, np.array([1.0])),
        (np.zeros((2, 0)), np.zeros((0, 2))),
        (1.0, np.nan),
    ],
)
def test_what_only_looks_alike_stays_apart(one, other):
    build = Builder()
    assert build.constant(one) != build.constant(other)


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (np.nan, np.nan), (np.float32(0.5), 0.5), ([1, 2], [1.0, 2.0])]
)
def test_the_same_numbers_are_one_constant(one, other):
    build = Builder()
    assert build.constant(one) == build.constant(other)


def test_a_constant_rounded_to_another_format_is_another_one():
    build = Builder()
    exact = build.constant(0.1)
    with build.rounding(FLOAT32):
        single = build.constant(0.1)
        with build.rounding(FLOAT16):
            half = build.constant(0.1)
        assert build.constant(0.1) == single
    assert len({exact, single, half}) == 3
    assert build.constant(0.1) == exact


def test_the_format_is_put_back_when_something_is_raised():
    build = Builder()
    with pytest.raises(ValueError, match="broken"), build.rounding(FLOAT32):
        raise ValueError("broken")
    assert build[build.constant(0.1)].format is None


def test_a_constant_is_not_changed_by_those_who_gave_it():
    build = Builder()
    values, truth, index = np.array([1.0, 2.0]), np.array([True, False]), np.array([1, 0])
    x = build.input("x", (2,))
    nodes = [build.constant(values), build.constant(truth), build.take(x, index)]
    values[0], truth[0], index[0] = 9.0, False, 0
    assert [build[node].array[0] for node in nodes] == [1.0, True, 1]
    with pytest.raises(ValueError, match="read-only"):
        build[nodes[0]].array[0] = 3.0


def test_a_truth_value_is_no_number():
    build = Builder()
    assert build[build.constant(2)].number == 2.0
    assert build[build.constant(True)].number is None
    assert build[build.constant([2.0])].number is None
    assert build[build.input("x", ())].number is None


def test_truth_values_count_as_1_and_0_where_numbers_are_taken():
    build = Builder()
    x, truths = build.input("x", (2,)), build.constant([True, False])
    positive = build.apply("greater", x, build.constant(0.0))
    found = [
        build.apply("multiply", x, positive),
        build.apply("add", positive, truths),
        build.sum(positive, (0,)),
        build.pile(positive, [1, 1], (2,)),
        build.take(build.join([x, truths]), [[0, 2], [1, 3]]),
        build.apply("where", positive, x, truths),
        build.contract(build.reshape(positive, (1, 2)), build.reshape(positive, (2, 1))),
        build.round(positive, FLOAT16),
        build.numbers(truths),
    ]
    assert [build.is_truth(node) for node in found] == [False] * len(found)
    expected = [
        [3.0, 0.0], [2.0, 0.0], 1.0, [0.0, 1.0], [[3.0, 1.0], [-2.0, 0.0]], [3.0, 0.0], [[1.0]],
        [1.0, 0.0], [1.0, 0.0],
    ]  # fmt: skip
    given = numbers(build, *found, x=np.array([3.0, -2.0]))
    assert [value.tolist() for value in given] == expected


def test_truth_values_stay_what_they_are_among_themselves():
    build = Builder()
    truths = build.constant([True, False])
    joined = build.join([truths, truths])
    chosen = build.apply("where", truths, truths, build.apply("not", truths))
    same = build.apply("equal", truths, chosen)
    for node in (joined, chosen, same, build.take(joined, [3]), build.reshape(truths, (2, 1))):
        assert build.is_truth(node)
    assert build.numbers(build.input("x", ())) == build.input("x", ())


def test_a_program_knows_its_truth_values_as_its_builder_does():
    build = Builder()
    x = build.input("x", (2, 2))
    above = build.apply("greater", x, build.constant(0.0))
    moved = build.take(above, np.array([3, 0]))
    both = build.apply("and", moved, build.constant(np.array([True, False])))
    result = build.apply("where", both, build.take(x, np.array([0, 1])), build.constant(0.0))
    program = build.program(result)
    places_ = build.places_in(result)
    assert {places_[node]: build.is_truth(node) for node in places_} == dict(
        enumerate(program.truths)
    )
    assert sum(program.truths) == 4


def test_shapes():
    build = Builder()
    x, row, number = build.input("x", (2, 3)), build.input("row", (3,)), build.input("n", ())
    assert build.shape(build.apply("add", x, row)) == (2, 3)
    assert build.shape(build.apply("multiply", number, number)) == ()
    assert build.shape(build.sum(x, (0, -1))) == ()
    assert build.shape(build.sum(x, (-1,))) == (2,)
    assert build.shape(build.contract(x, build.permute(x, (1, 0)))) == (2, 2)
    assert build.shape(build.expand(row, (4, 3))) == (4, 3)
    assert build.shape(build.pile(x, np.zeros((2, 3)), (1,))) == (1,)
    assert build.shape(build.join([x, row, number])) == (10,)
    with pytest.raises(ValueError, match="broadcast"):
        build.apply("add", x, build.input("z", (2,)))
    with pytest.raises(ValueError, match="more dimensions"):
        build.expand(x, (3,))


def test_what_changes_nothing_is_no_node():
    build = Builder()
    x = build.input("x", (2, 3))
    assert build.reshape(x, (2, 3)) == x
    assert build.reshape(build.reshape(x, (6,)), (2, 3)) == x
    assert build.reshape(build.reshape(x, (6,)), (3, 2)) == build.reshape(x, (3, 2))
    assert build.take(x, places((2, 3))) == x
    assert build.expand(x, (2, 3)) == x
    assert build.permute(x, (0, 1)) == x
    assert build.join([x]) == build.reshape(x, (6,))
    column = build.input("column", (3, 1))
    assert build.sum(column, (1,)) == build.reshape(column, (3,))
    number = build.input("n", ())
    assert build.sum(number, ()) == number


def test_arrays_without_elements():
    build = Builder()
    x = build.input("x", (0, 3))
    total, columns = build.sum(x, (0, 1)), build.sum(x, (0,))
    product = build.contract(build.permute(x, (1, 0)), x)
    filled = build.take(x, np.full((2,), NOTHING))
    found = numbers(
        build, total, columns, product, filled, build.apply("exp", x), x=np.zeros((0, 3))
    )
    assert found[0] == 0.0
    assert found[1].tolist() == [0.0, 0.0, 0.0]
    assert (found[2] == np.zeros((3, 3))).all()
    assert found[3].tolist() == [0.0, 0.0]
    assert found[4].shape == (0, 3)


def test_programs_keep_their_results():
    """A result that another result is made of, one asked for twice, and an input that is one
    itself.
    """
    build = Builder()
    x = build.input("x", (2,))
    y = build.apply("exp", x)
    z = build.apply("add", y, x)
    program = build.program(y, z, y, x)
    found = [result[0] for result in evaluate(program, Silent(), {"x": np.array([0.0, 1.0])})]
    assert found[0].tolist() == found[2].tolist() == np.exp([0.0, 1.0]).tolist()
    assert found[3].tolist() == [0.0, 1.0]
    assert found[1].tolist() == np.add(np.exp([0.0, 1.0]), [0.0, 1.0]).tolist()
    assert program.elements == 6


def test_programs_hold_only_what_is_needed():
    build = Builder()
    x = build.input("x", (2,))
    build.apply("exp", x)
    y = build.apply("sin", x)
    program = build.program(y)
    assert [node.operation for node in program.nodes] == ["input", "sin"]
    assert build.places_in(y) == {x: 0, y: 1}
    with pytest.raises(KeyError, match="x"):
        evaluate(program, Silent(), {})


def test_take_and_pile_undo_each_other():
    build = Builder()
    x = build.input("x", (4,))
    taken = build.take(x, [3, NOTHING, 1])
    piled = build.pile(taken, [3, 0, NOTHING], (4,))
    twice = build.pile(x, [0, 0, 1, 1], (2,))
    found = numbers(build, taken, piled, twice, x=np.array([1.0, 2.0, 3.0, 4.0]))
    assert [part.tolist() for part in found] == [[4.0, 0.0, 2.0], [0.0, 0.0, 0.0, 4.0], [3.0, 7.0]]
