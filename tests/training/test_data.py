"""Data: every way of giving columns, and every refusal word for word."""

import csv
import io
import os
import subprocess
import sys
import tracemalloc
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
)

from verifier.errors import InputError
from verifier.operations.formats import FLOAT32, FLOAT64
from verifier.training.csv_file import BLOCK, CsvFile, count_rows, open_csv_file
from verifier.training.data import NO_DATA, Columns, column_names, read_columns, split_rows

NAMES = ("x", "y")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(data, names=NAMES, format=FLOAT64):
    found = read_columns(data, names, format)
    assert all(
        type(values) is np.ndarray and values.dtype == np.float64
        for values in found.values.values()
    )
    assert all(values.shape == (found.rows,) for values in found.values.values())
    return {name: values.tolist() for name, values in found.values.items()}


def refused(data, names=NAMES, format=FLOAT64):
    with pytest.raises(InputError) as caught:
        read_columns(data, names, format)
    return str(caught.value)


GOOD = {"x": [1.0, 2.0], "y": [3.0, -4.5]}
READABLE = {
    "plain": "x,y\n1,3\n2,-4.5\n",
    "no last line end": "x,y\n1,3\n2,-4.5",
    "another order": "y,x\n3,1\n-4.5,2\n",
    "windows": "x,y\r\n1,3\r\n2,-4.5\r\n",
    "old macintosh": "x,y\r1,3\r2,-4.5\r",
    "empty lines at the end": "x,y\r\n1,3\r\n2,-4.5\r\n\r\n\r\n",
    "byte order mark": "\ufeffx,y\n1,3\n2,-4.5\n",
    "byte order mark and quotes": '\ufeff"x","y"\n1,3\n2,-4.5\n',
    "spaces": " x , y \n 1 , 3\n2\t,  -4.5 \n",
    "quotes": '"x", "y"\n"1","3"\n"2",-4.5\n',
    "forms of numbers": "x,y\n+1.,30e-1\n.2E+1,-4.5000000000000000000\n",
    "other columns": "name,x,note,y\na,1,,3\nb,2,nan,-4.5\n",
    "commas in quotes": 'name,x,y\n"a, b",1,3\n"c ""d"", e",2,-4.5\n',
    "line ends in quotes": 'name,x,y\n"a\nb",1,3\n"\n\n",2,-4.5\n',
    "quotes inside a field": 'name,x,y\n5" nail,1,3\n6" nail,2,-4.5\n',
    "a nameless column": ",x,y\n0,1,3\n1,2,-4.5\n",
    "hash": "x,y,#\n1,3,#\n2,-4.5,# a\n",
}


@pytest.mark.parametrize("case", READABLE)
def test_a_file(case):
    Path("points.csv").write_bytes(READABLE[case].encode())
    assert read("points.csv") == GOOD
    assert read(Path("points.csv")) == GOOD
    assert read(Path("points.csv").absolute()) == GOOD


def test_one_row_and_one_column():
    Path("points.csv").write_text("x\n0.1\n")
    assert read("points.csv", ["x"]) == {"x": [0.1]}
    assert read("points.csv", ["x"], FLOAT32) == {"x": [float(np.float32(0.1))]}
    Path("points.csv").write_text("x\n1\n2\n3")
    assert read("points.csv", ["x"]) == {"x": [1.0, 2.0, 3.0]}


UNREADABLE = {
    b"": "points.csv is empty: give a line with the names of the columns, and then a line a row",
    b"\xef\xbb\xbf\r\n": (
        "points.csv is empty: give a line with the names of the columns, and then a line a row"
    ),
    b"x,y": "points.csv has a header and no rows: give at least one row",
    b"x,y\r\n\r\n\r\n": "points.csv has a header and no rows: give at least one row",
    b"\nx,y\n1,2\n": "points.csv:1: the first line is empty: write the names of the columns there",
    b"1,2\n3,4\n": (
        "points.csv:1: the first line holds numbers: write the names of the columns above it"
    ),
    b"1,,nan\n3,4,5\n": (
        "points.csv:1: the first line holds numbers: write the names of the columns above it"
    ),
    b"x,y,x\n1,2,3\n": (
        "points.csv:1: column 'x' is named twice: give each column a name of its own"
    ),
    b'x,y,"\x1b[2J"," \x1b[2J"\n1,2,3,4\n': "points.csv:1: column '\\x1b[2J' is named twice: "
    "give each column a name of its own",
    b'x,"y\n1",2\n': "points.csv:1: a quote in the header is not closed on its line",
    b"x,"
    + b"y"
    * (1 << 20): "points.csv:1: the first line has over 1048576 characters: it is no line of names",
    b"x,z\n1,2\n": "points.csv has no column 'y': it has x, z",
    b"X,Y\n1,2\n": "points.csv has no column 'x': it has X, Y",
    b"x,\x1b[2J\n1,2\n": "points.csv has no column 'y': it has x, \\x1b[2J",
    b"x," + b"z" * 99 + b"\n1,2\n": f"points.csv has no column 'y': it has x, {'z' * 37}...",
    b",".join(b"x%d" % place for place in range(12)): "points.csv has no column 'x': "
    "it has x0, x1, x2, x3, x4, x5, x6, x7, x8, x9 and 2 more",
    b"x;y\n1;2\n": "points.csv has no column 'x': it has x;y: separate columns by commas"
    ", or give --sep ';' on the command line",
    b"x\ty\n1\t2\n": "points.csv has no column 'x': it has x\\ty: separate columns by commas"
    ", or give --sep 'tab' on the command line",
    b"x,y\n1,2\n3\n": "points.csv:3: the row has 1 field, the header 2",
    b"x,y\n1,2\n3,4,5\n": "points.csv:3: the row has 3 fields, the header 2",
    b"x,y\n1,2\n3,4\n5,6,7": "points.csv:4: the row has 3 fields, the header 2",
    b"x,y\n1,2,3\n4\n": "points.csv:2: the row has 3 fields, the header 2",
    b"x,y\n1,2\n\n3,4\n": "points.csv:3: the line is empty: remove it",
    b"x,y\n\n3,4\n": "points.csv:2: the line is empty: remove it",
    b"x,y\n1,2\n  \n": "points.csv:3: the row has 1 field, the header 2",
    b"x,y\n1,2\n3,\n": "points.csv:3: column y holds nothing: remove that row or fill it in",
    b"x,y\n1,2\n ,4\n": "points.csv:3: column x holds nothing: remove that row or fill it in",
    b'x,y\n1,2\n"",4\n': "points.csv:3: column x holds nothing: remove that row or fill it in",
    b"x,y\n1,2\n3,abc\n": "points.csv:3: column y holds 'abc', which is not a number",
    b"x,y\n1,2\n3,1_000\n": "points.csv:3: column y holds '1_000', which is not a number",
    b"x,y\n1,2\n3,0x10\n": "points.csv:3: column y holds '0x10', which is not a number",
    b'x,y\n1,2\n3,"1,5"\n': "points.csv:3: column y holds '1,5', which is not a number"
    ": write a point for the comma, or give --decimal , on the command line",
    b"x,y\n1,2\n3,True\n": "points.csv:3: column y holds 'True', which is not a number",
    b"x,y\n1,2\n3,1+0j\n": "points.csv:3: column y holds '1+0j', which is not a number",
    b"x,y\n1,2\n3,NA\n": "points.csv:3: column y holds 'NA', which is not a number",
    "x,y\n1,2\n3,١\n".encode(): "points.csv:3: column y holds '١', which is not a number",
    b"x,y\n1,2\n3,\x1b[2J\x07\n": (
        "points.csv:3: column y holds '\\x1b[2J\\x07', which is not a number"
    ),
    b"x,y\n1,2\n3,4"
    + b"5" * 99
    + b"z\n": f"points.csv:3: column y holds '4{'5' * 36}...', which is not a number",
    b"name,x,y\n'a,1,2\n'b,3,'4'\n": "points.csv:3: column y holds \"'4'\", which is not a number",
    b"x,y\n1,nan\n3,4\n": "points.csv:2: column y holds 'nan': remove that row or fill it in",
    b"x,y\n1,2\n3,-Infinity\n": (
        "points.csv:3: column y holds '-Infinity': remove that row or fill it in"
    ),
    b"x,y\n1,2\n3,1e999\n": "points.csv:3: column y holds '1e999': remove that row or fill it in",
    b'name,x,y\n"a\n\nb",1,2\n"c\nd",nan,2\n': (
        "points.csv:5: column x holds 'nan': remove that row or fill it in"
    ),
    b'name,x,y\n"a\nb",1,2\n"c\nd",z,2\n': (
        "points.csv:4: column x holds 'z', which is not a number"
    ),
    b'x,y\n1,2\n3,"4\n5,6\n': "points.csv:3: cannot tell fields by their quotes: one is not closed",
    b'x,y\n1,2\n"1"2,4\n': (
        "points.csv:3: cannot tell fields by their quotes: ',' expected after '\"'"
    ),
    b"x,y\n1,2\n3,4 \xe9t\xe9\n": "points.csv:3: the line is not UTF-8: save the file as UTF-8",
    b"x,\xe9\n1,2\n": "points.csv:1: the line is not UTF-8: save the file as UTF-8",
    "x,y\n1,2\n".encode("utf-16"): "points.csv is UTF-16: save it as UTF-8",
    b"PK\x03\x04\x14\0\0\0": "points.csv is a binary file: give a CSV file, which is text",
    b"x,y\n1,2\n\0\0\0\0": "points.csv is a binary file: give a CSV file, which is text",
}


@pytest.mark.parametrize("content", UNREADABLE, ids=range(len(UNREADABLE)))
def test_a_file_that_is_refused(content):
    Path("points.csv").write_bytes(content)
    assert refused("points.csv") == UNREADABLE[content]


def test_empty_line_in_a_file_of_one_column():
    Path("points.csv").write_text("x\n1\n\n3\n")
    assert refused("points.csv", ["x"]) == "points.csv:3: the line is empty: remove it"
    Path("points.csv").write_text("x\n\n1\n")
    assert refused("points.csv", ["x"]) == "points.csv:2: the line is empty: remove it"


def test_a_number_too_large_for_the_format():
    Path("points.csv").write_text("x,y\n1,2\n3,1e39\n")
    assert (
        refused("points.csv", format=FLOAT32)
        == "points.csv:3: column y holds '1e39', too large for float32"
    )
    assert read("points.csv")["y"] == [2.0, 1e39]


def test_a_fault_far_into_a_file():
    Path("points.csv").write_text("x,y\n" + "1.5,2.5\n" * 140_000 + "1.5,z\n" + "1.5,2.5\n" * 1000)
    assert refused("points.csv") == "points.csv:140002: column y holds 'z', which is not a number"
    Path("points.csv").write_text("x,y\n" + "1.5,2.5\n" * 140_000 + "1.5\n")
    assert refused("points.csv") == "points.csv:140002: the row has 1 field, the header 2"
    assert 140_000 * len("1.5,2.5\n") > BLOCK


def test_paths_that_are_no_file(folder):
    assert refused("points.csv") == "there is no file 'points.csv'"
    assert refused("points\n\x1b[2J.csv") == "there is no file 'points\\n\\x1b[2J.csv'"
    assert refused(r"C:\data\points.csv") == r"there is no file 'C:\\data\\points.csv'"
    assert (
        refused("https://example.org/points.csv")
        == "there is no file 'https:/example.org/points.csv'"
    )
    assert refused(folder) == f"cannot read {str(folder)!r}: it is a folder"
    assert refused("a\0b") == "cannot read 'a\\x00b': no file has a null byte in its name"
    Path("points.csv").write_text("x,y\n1,2\n")
    assert refused("points.csv/deeper") == "there is no file 'points.csv/deeper'"
    assert refused("x" * 1000) == f"the file name '{'x' * 40}'... is too long"
    Path("points.csv.gz").write_bytes(b"\x1f\x8b\x08\x00")
    assert (
        refused("points.csv.gz") == "cannot read 'points.csv.gz': it is compressed: unpack it first"
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_refused():
    os.mkfifo("pipe")
    assert (
        refused("pipe")
        == "cannot read 'pipe': it is not a regular file, and it has to be read twice"
    )


def test_a_file_that_may_not_be_read(monkeypatch):
    Path("points.csv").write_text("x,y\n1,2\n")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert refused("points.csv") == "cannot read 'points.csv': Permission denied"


def test_what_only_numpy_refuses_is_said_in_its_words(monkeypatch):
    Path("points.csv").write_text("x,y\n1,2\n")

    def fail(*_, **__):
        raise ValueError("no")

    monkeypatch.setattr(np, "loadtxt", fail)
    assert refused("points.csv") == "cannot read 'points.csv': no"


def test_a_file_that_changes_while_it_is_read(monkeypatch):
    Path("points.csv").write_text("x,y\n1,2\n")
    monkeypatch.setattr(np, "loadtxt", lambda *_, **__: np.zeros((3, 2)))
    assert refused("points.csv") == "cannot read 'points.csv': it had 1 row and then 3"


def test_a_file_shown_by_its_own_path(folder):
    Path("two words é.csv").write_text("x,y\n1,z\n", encoding="utf-8")
    assert (
        refused("two words é.csv") == "two words é.csv:2: column y holds 'z', which is not a number"
    )
    path = folder / "two words é.csv"
    assert refused(path) == f"{path}:2: column y holds 'z', which is not a number"


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(FINITE, min_size=1))
@example([5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -0.0, 0.1])
def test_floats_are_read_exactly(numbers):
    Path("exact.csv").write_text("x\n" + "".join(f"{number!r}\n" for number in numbers))
    found = read_columns("exact.csv", ["x"], FLOAT64).values["x"]
    assert found.tobytes() == np.array(numbers).tobytes()


@given(st.text('a1,"\n', max_size=30), st.integers(1, 3), st.integers(1, 4))
@example('"a""', 1, 2)
@example("1\n\n\n", 1, 1)
@example('"\n",', 2, 1)
def test_rows_are_counted_only_where_they_are_certain(text, fields, block):
    count = count_rows(io.StringIO(text), fields, block)
    assert count == count_rows(io.StringIO(text), fields)
    if count is not None:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
        assert [len(row) for row in rows] == [fields] * count


@given(
    st.lists(st.sampled_from(['"', '""', ",", "\n", "1", "2.5", " ", "a"]), max_size=20).map(
        "".join
    )
)
def test_what_is_read_is_what_the_csv_module_reads(text):
    Path("any.csv").write_text("x,y\n" + text)
    try:
        found = read("any.csv")
    except InputError:
        return
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    assert found == {"x": [float(row[0]) for row in rows], "y": [float(row[1]) for row in rows]}


def test_rows_of_plain_files_are_certain():
    assert count_rows(io.StringIO("1,2\n3,4\n"), 2) == 2
    assert count_rows(io.StringIO('1,"a,b\n"\n3,4\n\n'), 2) == 2
    assert count_rows(io.StringIO(""), 2) == 0
    assert count_rows(io.StringIO("1,2\n3\n"), 2) is None


def test_a_million_rows_make_no_object_each(monkeypatch):
    rows = 1_000_000
    Path("large.csv").write_text("x,y,z\n" + "0.5,12,a\n" * rows)
    monkeypatch.setattr(CsvFile, "_rows", None)
    tracemalloc.start()
    try:
        found = read_columns("large.csv", ["y", "x"], FLOAT32)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.rows == rows
    assert found.values["x"].sum() == 0.5 * rows
    numbers = 2 * 8 * rows
    assert peak < 3 * numbers  # a float object alone is 24 bytes, and the list of them 8 a row


def test_that_bound_would_be_broken_by_an_object_a_row():
    rows = 1_000
    tracemalloc.start()
    try:
        kept = [[float(place), float(place)] for place in range(rows)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(kept) == rows
    assert peak > 3 * 2 * 8 * rows


def test_names_of_a_file():
    Path("points.csv").write_text(' x ,"y",,z\n1,2,3,4\n')
    assert column_names("points.csv") == ("x", "y", "z")
    assert column_names(Path("points.csv")) == ("x", "y", "z")
    assert open_csv_file("points.csv").header == ("x", "y", "", "z")
    with pytest.raises(InputError, match="there is no file 'other"):
        column_names("other.csv")


ODD = {
    "a number of too many digits": (
        [10**400],
        f"column x holds 1{'0' * 36}... at index 0, too large for float64",
    ),
    "more digits than Python writes": (
        [10**5000],
        "column x holds an int at index 0, too large for float64",
    ),
    "a truth value": ([True], "column x holds True at index 0, which is not a number"),
    "truth values": (np.array([True]), "column x holds np.True_ at index 0, which is not a number"),
    "a complex number": ([1.0, 2j], "column x holds 2j at index 1, which is not a number"),
    "complex numbers": (np.array([1j]), "column x holds 1j at index 0, which is not a number"),
    "a duration": (
        np.array([1], "m8[s]"),
        "column x holds 1 seconds at index 0, which is not a number",
    ),
    "a masked entry": (
        np.ma.array([1.0, 2.0], mask=[False, True]),
        "column x holds masked at index 1, which is not a number",
    ),
    "a long text": (["a" * 99], f"column x holds '{'a' * 36}... at index 0, which is not a number"),
    "a matrix": (np.zeros((2, 2)), "column x has shape (2, 2): give one number a row"),
    "a range of nothing": (range(0), "column x is empty: give at least one row"),
    "a generator": (
        (place for place in range(3)),
        "column x is a generator, not a list of numbers: object of type 'generator' has no len()",
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_columns(case):
    column, expected = ODD[case]
    assert refused({"x": column}, ["x"]) == expected


def test_columns_of_other_kinds_are_read():
    assert read({"x": [Decimal("1.5"), 2], "y": range(2)}) == {"x": [1.5, 2.0], "y": [0.0, 1.0]}
    assert read({"x": np.array([[1.0], [2.0]]), "y": [[3.0], [4.0]]}) == {
        "x": [1.0, 2.0],
        "y": [3.0, 4.0],
    }
    assert read({"x": np.ma.array([1, 2]), "y": np.array([3, 4], np.int8)}) == {
        "x": [1.0, 2.0],
        "y": [3.0, 4.0],
    }
    assert read({0: "unused", "x": [1.0]}, ["x"]) == {"x": [1.0]}


def test_the_data_given_is_not_shared():
    own = np.array([1.0, 2.0])
    read_columns({"x": own}, ["x"], FLOAT64).values["x"][0] = 5.0
    assert own[0] == 1.0


def test_structured_arrays():
    points = np.array(
        [(1.0, 3, "a"), (2.0, -4, "b")], dtype=[("x", "f4"), ("y", "i8"), ("name", "U1")]
    )
    assert read(points) == {"x": [1.0, 2.0], "y": [3.0, -4.0]}
    assert read(points.view(np.recarray)) == {"x": [1.0, 2.0], "y": [3.0, -4.0]}
    assert column_names(points) == ("x", "y", "name")
    assert refused(points, ["x", "z"]) == "the data has no column 'z': it has x, y, name"
    assert (
        refused(points, ["name"])
        == "column name holds np.str_('a') at index 0, which is not a number"
    )
    assert refused(points[:0]) == "column x is empty: give at least one row"


KINDS = {
    "a list": [1, 2],
    "a tuple": (1, 2),
    "a generator": (place for place in range(3)),
    "an int": 3,
    "a ndarray": np.zeros((2, 2)),
    "a Tensor": torch.zeros(2, 2),
    "a bytes": b"points.csv",
    "a set": {1, 2},
}


@pytest.mark.parametrize("kind", KINDS)
def test_other_kinds_of_data(kind):
    expected = f'the data is {kind}: give a mapping of columns, such as {{"x": [...], "y": [...]}}'
    assert refused(KINDS[kind]) == expected
    assert column_names(KINDS[kind]) == ()


def test_no_data():
    assert refused(None) == "there is no data: give columns x, y"
    assert read_columns(None, (), FLOAT32) is NO_DATA
    assert read_columns("no such file", (), FLOAT32) is NO_DATA
    assert column_names(None) == ()


def test_names_of_a_mapping():
    assert column_names({"b": [1], 0: [2], "a": [3]}) == ("b", "a")


@pytest.fixture
def pandas():
    return pytest.importorskip("pandas")


@pytest.fixture
def polars():
    return pytest.importorskip("polars")


def test_pandas(pandas):
    frame = pandas.DataFrame(
        {"name": ["a", "b"], "y": [3, -4], "x": np.array([0.1, 2.0], np.float32), 0: [1, 2]}
    )
    expected = {"x": [float(np.float32(0.1)), 2.0], "y": [3.0, -4.0]}
    assert read(frame) == expected
    assert read(frame.set_index("name")) == expected
    assert read(frame[::-1], ["y"]) == {"y": [-4.0, 3.0]}
    assert read({"x": frame["x"], "y": frame["y"]}) == expected
    assert column_names(frame) == ("name", "y", "x")


def test_pandas_columns_with_gaps_of_their_own_kind(pandas):
    whole = pandas.DataFrame(
        {"x": pandas.array([1, 2], dtype="Int64"), "y": pandas.array([3.0, 4.0], dtype="Float32")}
    )
    assert read(whole) == {"x": [1.0, 2.0], "y": [3.0, 4.0]}
    assert read(pandas.DataFrame({"x": pandas.Categorical([2, 1, 2])}), ["x"]) == {
        "x": [2.0, 1.0, 2.0]
    }


@pytest.mark.parametrize(
    ("column", "dtype", "expected"),
    [
        ([1, None], "Int64", "column x holds <NA> at index 1, which is not a number"),
        ([1.5, None], "Float64", "column x holds <NA> at index 1, which is not a number"),
        ([1.5, None], "float64", "column x holds nan at index 1: remove that row or fill it in"),
        ([1, None], "category", "column x holds nan at index 1: remove that row or fill it in"),
        (["a", "b"], "category", "column x holds 'a' at index 0, which is not a number"),
        (["1", "2"], "str", "column x holds '1' at index 0, which is not a number"),
        ([1, None], "object", "column x holds None at index 1, which is not a number"),
        ([True, False], "bool", "column x holds True at index 0, which is not a number"),
        ([None, True], "boolean", "column x holds <NA> at index 0, which is not a number"),
        (
            ["2020-01-01"],
            "datetime64[s]",
            "column x holds Timestamp('2020-01-01 00:00:00') at index 0, which is not a number",
        ),
        ([], "float64", "column x is empty: give at least one row"),
    ],
)
def test_pandas_columns_that_are_refused(pandas, column, dtype, expected):
    assert refused(pandas.DataFrame({"x": pandas.Series(column, dtype=dtype)}), ["x"]) == expected


def test_pandas_labels_are_told(pandas):
    frame = pandas.DataFrame({"x": [1.0, None], "y": ["z", 1e39]}, index=["a", "b"])
    assert (
        refused(frame)
        == "column x holds nan at index 1 (labelled 'b'): remove that row or fill it in"
    )
    assert (
        refused(frame, ["y"])
        == "column y holds 'z' at index 0 (labelled 'a'), which is not a number"
    )
    assert refused(frame[1:].astype({"y": float}), ["y"], FLOAT32) == (
        "column y holds 1e+39 at index 0 (labelled 'b'), too large for float32"
    )
    later = pandas.DataFrame({"x": [1.0, 2.0, np.inf]})[1:]
    assert (
        refused(later, ["x"])
        == "column x holds inf at index 1 (labelled 2): remove that row or fill it in"
    )
    unlabelled = pandas.DataFrame({"x": [np.nan]}, index=[pandas.NA])
    assert (
        refused(unlabelled, ["x"])
        == "column x holds nan at index 0 (labelled <NA>): remove that row or fill it in"
    )


def test_pandas_columns_by_name(pandas):
    numbered = pandas.DataFrame([[1.0, 2.0]])
    assert refused(numbered) == "the data has no column 'x': it has 0, 1"
    assert column_names(numbered) == ()
    twice = pandas.DataFrame([[1.0, 2.0, 3.0]], columns=["x", "x", "y"])
    assert refused(twice) == "the data has 2 columns 'x': give each a name of its own"
    assert read(twice, ["y"]) == {"y": [3.0]}
    nested = pandas.DataFrame([[1.0]], columns=pandas.MultiIndex.from_tuples([("x", "a")]))
    assert refused(nested, ["x"]) == "the data has no column 'x': it has ('x', 'a')"
    assert refused(pandas.Series([1.0], name="x"), ["x"]) == (
        'the data is a Series: give a mapping of columns, such as {"x": [...]}'
    )


def test_polars(polars):
    frame = polars.DataFrame(
        {"name": ["a", "b"], "y": [3, -4], "x": [0.5, 2.0]}, schema_overrides={"x": polars.Float32}
    )
    assert read(frame) == {"x": [0.5, 2.0], "y": [3.0, -4.0]}
    assert read({"x": frame["x"], "y": frame["y"]}) == {"x": [0.5, 2.0], "y": [3.0, -4.0]}
    assert column_names(frame) == ("name", "y", "x")
    assert refused(frame, ["z"]) == "the data has no column 'z': it has name, y, x"
    assert refused(frame, ["name"]) == "column name holds 'a' at index 0, which is not a number"
    assert refused(frame[:0]) == "column x is empty: give at least one row"
    assert (
        refused(frame["x"])
        == 'the data is a Series: give a mapping of columns, such as {"x": [...], "y": [...]}'
    )
    assert read(polars.DataFrame({"x": [Decimal("1.50")]}), ["x"]) == {"x": [1.5]}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([1, None], "column x holds None at index 1, which is not a number"),
        ([1.5, None], "column x holds None at index 1, which is not a number"),
        ([None], "column x holds None at index 0, which is not a number"),
        ([1.5, float("nan")], "column x holds nan at index 1: remove that row or fill it in"),
        ([True, None], "column x holds True at index 0, which is not a number"),
    ],
)
def test_polars_columns_that_are_refused(polars, column, expected):
    assert refused(polars.DataFrame({"x": column}), ["x"]) == expected


def test_a_lazy_frame_is_refused(polars):
    lazy = polars.DataFrame({"x": [1.0]}).lazy()
    assert refused(lazy, ["x"]) == (
        'the data is a LazyFrame: give a mapping of columns, such as {"x": [...]}, or collect() it '
        "first"
    )
    assert column_names(lazy) == ()


class Rows(Dataset):
    def __init__(self, *rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


class Point(NamedTuple):
    y: float
    x: float


class Stream(IterableDataset):
    def __iter__(self):
        yield 1.0, 2.0


class SizedStream(Stream):
    def __len__(self):
        return 1


class Unsized(Dataset):
    def __getitem__(self, index):
        return 1.0, 2.0


class Doubled(TensorDataset):
    def __getitem__(self, index):
        return tuple(2 * entry for entry in super().__getitem__(index))


class Plain:
    """No dataset of torch's, but one by its methods."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return {"y": [3.0, -4.5][index], "x": [1.0, 2.0][index], "more": "text"}


TENSORS = torch.tensor([1.0, 2.0]), torch.tensor([3.0, -4.5], dtype=torch.float64)
DATASETS = {
    "tensors": TensorDataset(*TENSORS),
    "tensors of one column": TensorDataset(TENSORS[0][:, None], TENSORS[1][:, None]),
    "a part": Subset(TensorDataset(torch.arange(3), torch.tensor([0.0, 3.0, -4.5])), [1, 2]),
    "parts": ConcatDataset([Rows((1.0, 3.0)), Rows((2.0, -4.5))]),
    "tuples": Rows((1, 3.0), (np.float32(2.0), -4.5)),
    "lists": Rows([1, 3.0], [2.0, -4.5]),
    "tensors a row": Rows(
        *((torch.tensor([x]), torch.tensor(y)) for x, y in zip(*GOOD.values(), strict=True))
    ),
    "arrays a row": Rows(
        *((np.array([x]), np.array(y)) for x, y in zip(*GOOD.values(), strict=True))
    ),
    "mappings": Plain(),
    "named tuples": Rows(Point(3.0, 1.0), Point(-4.5, 2.0)),
    "a class of ones own": Doubled(TENSORS[0] / 2, TENSORS[1] / 2),
}


@pytest.mark.parametrize("case", DATASETS)
def test_datasets(case):
    assert read(DATASETS[case]) == GOOD


def test_names_of_a_dataset():
    assert column_names(DATASETS["tensors"]) == ()
    assert column_names(DATASETS["mappings"]) == ("y", "x", "more")
    assert column_names(DATASETS["named tuples"]) == ("y", "x")
    assert column_names(Rows()) == ()
    assert column_names(Stream()) == ()


EXAMPLE = 'give a mapping of columns, such as {"x": [...], "y": [...]}'
REFUSED_DATASETS = {
    "empty": (Rows(), "the dataset is empty: give at least one row"),
    "a stream": (
        Stream(),
        f"the data is a Stream: {EXAMPLE}, or a dataset with a length and with rows by number",
    ),
    "a stream with a length": (
        SizedStream(),
        f"the data is a SizedStream: {EXAMPLE}, or a dataset with a length and with rows by number",
    ),
    "without a length": (
        Unsized(),
        f"the data is an Unsized: {EXAMPLE}, or a dataset with a length and with rows by number",
    ),
    "a loader": (
        DataLoader(Rows((1.0, 2.0))),
        f"the data is a DataLoader: {EXAMPLE}, or its dataset",
    ),
    "too few": (Rows((1.0, 2.0), (1.0,)), "row 1 of the dataset has 1 entry: give x, y"),
    "too many": (
        TensorDataset(*TENSORS, TENSORS[0]),
        "row 0 of the dataset has 3 entries: give x, y",
    ),
    "no tuple": (Rows(1.0), "row 0 of the dataset is a float: give a tuple of x, y"),
    "a tensor": (Rows(torch.zeros(2)), "row 0 of the dataset is a Tensor: give a tuple of x, y"),
    "without a name": (Rows({"x": 1.0, "z": 2.0}), "row 0 of the dataset has no 'y': it has x, z"),
    "text": (
        Rows((1.0, 2.0), (1.0, "\x1b")),
        "column y holds '\\x1b' at index 1, which is not a number",
    ),
    "nothing": (Rows((1.0, None)), "column y holds None at index 0, which is not a number"),
    "a truth value": (
        Rows((1.0, torch.tensor(True))),
        "column y holds tensor(True) at index 0, which is not a number",
    ),
    "nan": (
        Rows((1.0, 2.0), (1.0, torch.tensor(float("nan")))),
        "column y holds nan at index 1: remove that row or fill it in",
    ),
    "too large": (
        Rows((1.0, 10**400)),
        f"column y holds 1{'0' * 36}... at index 0, too large for float64",
    ),
    "a vector": (
        Rows((1.0, torch.zeros(3))),
        "column y has shape (3,) at index 0: give one number a row",
    ),
    "tensors of rows": (
        TensorDataset(torch.zeros(2, 3), TENSORS[1]),
        "column x has shape (2, 3): give one number a row",
    ),
    "trained tensors": (
        TensorDataset(torch.zeros(2, requires_grad=True), TENSORS[1]),
        "column x is a tensor that requires a gradient, but data is not trained: detach() it",
    ),
    "a trained entry": (
        Rows((torch.zeros((), requires_grad=True), 1.0)),
        "column x is a tensor that requires a gradient, but data is not trained: detach() it",
    ),
    "no storage": (
        Rows((torch.zeros((), device="meta"), 1.0)),
        "column x holds tensor(..., device='meta', size=()) at index 0, which is not a number",
    ),
}


@pytest.mark.parametrize("case", REFUSED_DATASETS)
def test_datasets_that_are_refused(case):
    data, expected = REFUSED_DATASETS[case]
    assert refused(data) == expected


def test_a_dataset_that_fails():
    class Failing(Rows):
        def __getitem__(self, index):
            raise OSError("disk\n\x1b[2Jgone" + "." * 99)

    class Endless(Rows):
        def __len__(self):
            raise NotImplementedError

    assert refused(Failing(1)) == (
        f"the dataset does not give row 0: OSError: disk\\n\\x1b[2Jgone{'.' * 24}..."
    )
    assert refused(Endless(1)) == "the dataset does not tell its length: NotImplementedError: "


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64, torch.uint8]
)
def test_tensors_of_every_number_type(dtype):
    assert read({"x": torch.tensor([1, 2], dtype=dtype)}, ["x"]) == {"x": [1.0, 2.0]}
    assert read(Rows((torch.tensor(1, dtype=dtype),)), ["x"]) == {"x": [1.0]}


def test_tensors_that_are_refused():
    assert refused({"x": torch.zeros(2, requires_grad=True)}, ["x"]) == (
        "column x is a tensor that requires a gradient, but data is not trained: detach() it"
    )
    assert refused({"x": torch.tensor([1j])}, ["x"]) == (
        "column x holds tensor(0.+1.j) at index 0, which is not a number"
    )
    assert refused({"x": torch.tensor([True])}, ["x"]) == (
        "column x holds tensor(True) at index 0, which is not a number"
    )
    assert refused({"x": torch.zeros(2, device="meta")}, ["x"]) == (
        "column x is a Tensor, not a list of numbers: Cannot copy out of meta tensor; no data!"
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no other device here")
def test_tensors_on_another_device():
    assert read({"x": torch.tensor([1.0, 2.0], device="cuda")}, ["x"]) == {"x": [1.0, 2.0]}


def split(rows, fraction, seed=0):
    whole = Columns({"x": np.arange(float(rows)), "y": -np.arange(float(rows))}, rows)
    training, held = split_rows(whole, fraction, seed)
    for part in (training, held):
        assert part.rows == len(part.values["x"])
        assert np.array_equal(part.values["y"], -part.values["x"])
    return training.values["x"].tolist(), held.values["x"].tolist()


@given(
    st.integers(2, 60), st.floats(0.0, 1.0, exclude_min=True, exclude_max=True), st.integers(0, 5)
)
def test_both_parts_are_in_order_and_make_up_the_whole(rows, fraction, seed):
    if not 0 < round(fraction * rows) < rows:
        return
    training, held = split(rows, fraction, seed)
    assert len(held) == round(fraction * rows)
    assert training == sorted(training)
    assert held == sorted(held)
    assert sorted(training + held) == list(range(rows))


def test_the_seed_chooses():
    assert split(100, 0.2, seed=1) == split(100, 0.2, seed=1)
    assert split(100, 0.2, seed=1) != split(100, 0.2, seed=2)
    assert set(split(100, 0.1)[1]) < set(split(100, 0.3)[1])
    assert split(10, 0.3)[1] == [2.0, 4.0, 6.0]


@pytest.mark.parametrize(
    ("rows", "fraction", "expected"),
    [
        (10, 0, "the held-out fraction is 0: use a number between 0 and 1"),
        (10, 1.0, "the held-out fraction is 1.0: use a number between 0 and 1"),
        (10, -0.2, "the held-out fraction is -0.2: use a number between 0 and 1"),
        (10, float("nan"), "the held-out fraction is nan: use a number between 0 and 1"),
        (10, "0.2", "the held-out fraction is '0.2': use a number between 0 and 1"),
        (10, True, "the held-out fraction is True: use a number between 0 and 1"),
        (
            3,
            0.1,
            "holding out 0.1 of 3 rows leaves none to hold out: give more rows or a larger "
            "fraction",
        ),
        (
            3,
            0.9,
            "holding out 0.9 of 3 rows leaves none to train on: give more rows or a smaller "
            "fraction",
        ),
        (
            1,
            0.4,
            "holding out 0.4 of 1 row leaves none to hold out: give more rows or a larger fraction",
        ),
        (
            0,
            0.5,
            "holding out 0.5 of 0 rows leaves none to hold out: give more rows or a larger "
            "fraction",
        ),
    ],
)
def test_parts_that_are_refused(rows, fraction, expected):
    with pytest.raises(InputError) as caught:
        split(rows, fraction)
    assert str(caught.value) == expected


def test_a_seed_that_is_refused():
    with pytest.raises(InputError, match="the seed is -1: use a whole number, 0 or above"):
        split(10, 0.5, seed=-1)


def test_no_library_is_imported_to_look_at_data():
    program = (
        "import sys, verifier.training.data as data\n"
        "from verifier.operations.formats import FLOAT32\n"
        "data.read_columns({'x': [1.0]}, ['x'], FLOAT32)\n"
        "print([name for name in ('torch', 'pandas', 'polars') if name in sys.modules])\n"
    )
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.stdout == "[]\n"
