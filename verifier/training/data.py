"""Data: columns of numbers by name, checked before anything runs.

Tensors, datasets and data frames are known by what they offer, so that no library is imported to
look at them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from verifier.errors import InputError, message_of
from verifier.operations.arrays import Array, Floats, Truths
from verifier.operations.formats import Format
from verifier.process.values import UserInputs, UserValue
from verifier.program.program import ROWS, Shape
from verifier.program.shapes import shape_text
from verifier.training.csv_file import (
    count_text,
    names_text,
    number_hint,
    open_csv_file,
    quoted_text,
    shortened_text,
)

NO_SHAPES: Mapping[str, Shape] = MappingProxyType({})
NO_NUMBERS = (
    str,
    bytes,
    bool,
    complex,
    np.bool_,
    np.complexfloating,
    np.datetime64,
    np.timedelta64,
)
"""Types of entries that are refused although `float` would take some of them."""


@dataclass(frozen=True, eq=False)
class Columns:
    """Equally long columns of finite numbers, each a float of the format, held as float64."""

    values: Mapping[str, Floats]
    rows: int

    def row(self, index: int) -> dict[str, float]:
        """The numbers of a row, counted from 0, by their columns' names; without arrays."""
        return {
            name: float(column[index]) for name, column in self.values.items() if column.ndim == 1
        }


NO_DATA = Columns({}, 0)

Sentence = Callable[[str, UserValue, int], str]
"""The beginning of a sentence about an entry, from its column's name, itself and its index."""


@dataclass(frozen=True, eq=False)
class _GivenColumns:
    """The columns as they were given, none of them checked."""

    values: UserInputs
    sentence: Sentence


def read_columns(
    data: UserValue,
    names: Sequence[str],
    format: Format,
    row_shapes: Mapping[str, Shape] = NO_SHAPES,
) -> Columns:
    """The columns called `names` of the data, rounded to the format; others are left alone.

    `data` is one of these:

    - a mapping of columns: lists, arrays, tensors or series of numbers;
    - the path of a CSV file in UTF-8 whose first line names the columns;
    - a data frame of pandas or polars, or a structured NumPy array;
    - a torch dataset with a length, whose rows are tuples of numbers (or arrays) in the order of
      the names, or mappings by name.

    A column of shape (n, 1) has one number a row, as one of shape (n,) has. Where `row_shapes` has
    another shape than () for a name, each of its rows is an array of that shape.

    Tensors may be on any device and of any number type, but may not require a gradient, since data
    is not trained. A float32 or an integer becomes the float64 nearest to it, and that the nearest
    float of `format`.

    Raises InputError for a missing, empty or uneven column and for what is not a finite number.

    >>> from verifier.operations.formats import FLOAT32
    >>> read_columns({"x": [0.5, 0.1]}, ["x"], FLOAT32).row(1)
    {'x': 0.10000000149011612}
    """
    if not names:
        return NO_DATA
    given = _given_columns(data, names, row_shapes)
    values = {
        name: _checked_arrays(name, given.values[name], format, row_shapes[name])
        if row_shapes.get(name)
        else _checked_column(name, given.values[name], format, given.sentence)
        for name in names
    }
    lengths = {name: len(column) for name, column in values.items()}
    if len(set(lengths.values())) > 1:
        lengths_text = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise InputError(
            f"the columns differ in length: {lengths_text}: give each the same number of rows"
        )
    return Columns(values, next(iter(lengths.values())))


def column_names(data: UserValue) -> tuple[str, ...]:
    """The names of the columns that `data` offers, in its order; none where its columns have no
    names.

    `data` is in any of the forms that `read_columns` takes. A dataset whose rows are tuples has no
    names, and neither has None. Raises InputError for a file without a header.

    >>> column_names({"x": [0.5], "y": [0.1]})
    ('x', 'y')
    """
    if _is_path(data):
        return tuple(name for name in open_csv_file(data).header if name)
    if _is_frame(data):
        return _text_names(data.columns)
    if _field_names(data):
        return _field_names(data)
    if _is_mapping(data):
        return _text_names(data.keys())
    if _is_dataset(data) and _dataset_length(data):
        return _text_names(_entries_by_name(_dataset_row(data, 0)) or ())
    return ()


def split_rows(columns: Columns, fraction: float, seed: int) -> tuple[Columns, Columns]:
    """The rows to train on and the rows held out, both in their order.

    `seed` chooses which. The number of rows held out is `fraction` of all, rounded to a whole
    number. With the same seed, the rows of a smaller fraction are among those of a larger one.

    Raises InputError for a fraction that is not between 0 and 1, and where either part would have
    no row.

    >>> training, held = split_rows(Columns({"x": np.arange(5.0)}, 5), 0.4, seed=0)
    >>> training.values["x"].tolist(), held.values["x"].tolist()
    ([0.0, 1.0, 3.0], [2.0, 4.0])
    """
    if not isinstance(fraction, int | float) or isinstance(fraction, bool) or not 0 < fraction < 1:
        raise InputError(f"the held-out fraction is {fraction!r}: use a number between 0 and 1")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise InputError(f"the seed is {seed!r}: use a whole number, 0 or above")
    rows = columns.rows
    count = round(fraction * rows)
    if not 0 < count < rows:
        lost, other = ("hold out", "larger") if count == 0 else ("train on", "smaller")
        raise InputError(
            f"holding out {fraction} of {count_text(rows, 'row')} leaves none to {lost}: "
            f"give more rows or a {other} fraction"
        )
    held = np.zeros(rows, dtype=bool)
    held[np.random.default_rng(seed).permutation(rows)[:count]] = True
    return _rows_where(columns, ~held), _rows_where(columns, held)


def held_apart(columns: Columns, fraction: float, seed: int) -> tuple[Columns, Columns]:
    """The rows to train on, and those held out, as `split_rows` has them; none of them where the
    `fraction` is 0.

    Raises InputError as `split_rows` does.
    """
    return split_rows(columns, fraction, seed) if fraction else (columns, NO_DATA)


def _rows_where(columns: Columns, mask: Truths) -> Columns:
    return Columns(
        {name: values[mask] for name, values in columns.values.items()}, int(np.count_nonzero(mask))
    )


def _given_columns(
    data: UserValue, names: Sequence[str], row_shapes: Mapping[str, Shape]
) -> _GivenColumns:
    if data is None:
        raise InputError(f"there is no data: give columns {', '.join(names)}")
    if _is_path(data):
        return _columns_of_file(data, names)
    if _is_frame(data):
        return _columns_of_frame(data, names)
    if fields := _field_names(data):
        return _GivenColumns(
            {name: data[name] for name in _check_present(names, fields)}, _sentence_by_index
        )
    if _is_mapping(data):
        _check_present(names, data)
        return _GivenColumns({name: data[name] for name in names}, _sentence_by_index)
    if _is_dataset(data):
        return _columns_of_dataset(data, names, row_shapes)
    raise InputError(
        f"the data is {_with_article(data)}: give a mapping of columns, such as "
        f"{_example_text(names)}{_hint_for(data)}"
    )


def _check_present(names: Sequence[str], offered: Collection[UserValue]) -> Sequence[str]:
    missing = [name for name in names if name not in offered]
    if missing:
        raise InputError(
            f"the data has no column {missing[0]!r}: it has "
            f"{names_text([str(name) for name in offered])}"
        )
    return names


def _sentence_by_index(name: str, entry: UserValue, index: int) -> str:
    return f"column {name} holds {_entry_text(entry)} at index {index}"


def _is_path(data: UserValue) -> bool:
    return isinstance(data, str | os.PathLike)


def _columns_of_file(data: UserValue, names: Sequence[str]) -> _GivenColumns:
    file = open_csv_file(data)

    def sentence(name: str, entry: UserValue, index: int) -> str:
        line, text = file.entry(name, index)
        return f"{file.path}:{line}: column {name} holds {quoted_text(text)}"

    return _GivenColumns(file.read(names), sentence)


def _is_frame(data: UserValue) -> bool:
    """Whether the columns are known by the type, as in pandas and polars. An instance is not asked:
    a lazy one warns.
    """
    return all(
        hasattr(type(data), name) for name in ("columns", "dtypes", "shape")
    ) and not _is_lazy(data)


def _is_lazy(data: UserValue) -> bool:
    return hasattr(type(data), "collect")


def _columns_of_frame(data: UserValue, names: Sequence[str]) -> _GivenColumns:
    offered = list(data.columns)
    _check_present(names, offered)
    for name in names:
        if offered.count(name) > 1:
            raise InputError(
                f"the data has {offered.count(name)} columns {name!r}: give each a name of its own"
            )
    return _GivenColumns({name: data[name] for name in names}, _sentence_by_label(data))


def _sentence_by_label(data: UserValue) -> Sentence:
    """Sentences that name the row's label too, where the frame has labels that are not the
    indices.
    """
    labels = getattr(data, "index", None)

    def sentence(name: str, entry: UserValue, index: int) -> str:
        label = index if labels is None else labels[index]
        labelled = "" if _entry_text(label) == str(index) else f" (labelled {_entry_text(label)})"
        return f"{_sentence_by_index(name, entry, index)}{labelled}"

    return sentence


def _field_names(data: UserValue) -> tuple[str, ...]:
    """The field names of a structured array; none for what is not one."""
    return getattr(getattr(data, "dtype", None), "names", None) or ()


def _is_mapping(data: UserValue) -> bool:
    """A series has keys too, but those are rows."""
    return hasattr(data, "keys") and not hasattr(data, "dtype")


def _text_names(names: Iterable[UserValue]) -> tuple[str, ...]:
    return tuple(name for name in names if isinstance(name, str))


def _is_dataset(data: UserValue) -> bool:
    """Whether rows can be counted and asked for by number, and the data is not itself a sequence of
    numbers.
    """
    if (
        isinstance(data, Sequence)
        or hasattr(data, "dtype")
        or _is_lazy(data)
        or _is_a(data, "IterableDataset")
    ):
        return False
    return hasattr(data, "__len__") and hasattr(data, "__getitem__")


def _is_a(data: UserValue, name: str) -> bool:
    """Whether the data is of torch's class of that name among the datasets, or of one derived from
    it.
    """
    return any(
        base.__name__ == name and base.__module__.startswith("torch.utils.data")
        for base in type(data).__mro__
    )


def _hint_for(data: UserValue) -> str:
    """What to do about data that looks like something else."""
    if _is_lazy(data):
        return ", or collect() it first"
    if hasattr(data, "dataset"):
        return ", or its dataset"
    if _is_a(data, "Dataset"):
        return ", or a dataset with a length and with rows by number"
    return ""


def _columns_of_dataset(
    data: UserValue, names: Sequence[str], row_shapes: Mapping[str, Shape]
) -> _GivenColumns:
    rows = _dataset_length(data)
    if not rows:
        raise InputError("the dataset is empty: give at least one row")
    if _gives_tensors(data) and len(data.tensors) == len(names):
        return _GivenColumns(dict(zip(names, data.tensors, strict=True)), _sentence_by_index)
    values = {name: np.empty((rows, *row_shapes.get(name, ()))) for name in names}
    for index in range(rows):
        for name, entry in zip(
            names, _row_entries(_dataset_row(data, index), index, names), strict=True
        ):
            shape = values[name].shape[1:]
            values[name][index] = (
                _array_of_entry(name, entry, index, shape)
                if shape
                else _number_of_entry(name, entry, index, _sentence_by_index)
            )
    return _GivenColumns(values, _sentence_by_index)


def _array_of_entry(name: str, entry: UserValue, index: int, shape: Shape) -> Array:
    array = _plain_array(name, entry)
    if array.dtype.kind not in "iuf":
        raise InputError(f"column {name} does not hold numbers at index {index}")
    if array.shape != shape:
        raise InputError(
            f"column {name} has shape {array.shape} at index {index}: the first row has {shape}"
        )
    return array


def _gives_tensors(data: UserValue) -> bool:
    """Whether the rows are those of its tensors, which a class derived from TensorDataset may have
    changed.
    """
    return _is_a(data, "TensorDataset") and type(data).__name__ == "TensorDataset"


def _dataset_length(data: UserValue) -> int:
    try:
        return len(data)
    except Exception as error:
        raise InputError(f"the dataset does not tell its length: {_error_text(error)}") from None


def _dataset_row(data: UserValue, index: int) -> UserValue:
    try:
        return data[index]
    except Exception as error:
        raise InputError(f"the dataset does not give row {index}: {_error_text(error)}") from None


def _entries_by_name(row: UserValue) -> Mapping[str, UserValue] | None:
    """A row whose entries have names; None for one that has only an order."""
    if hasattr(row, "_asdict"):
        named: UserInputs = row._asdict()
        return named
    return row if isinstance(row, Mapping) else None


def _row_entries(row: UserValue, index: int, names: Sequence[str]) -> Sequence[UserValue]:
    """The entries of a dataset's row in the order of the names."""
    named = _entries_by_name(row)
    if named is not None:
        missing = [name for name in names if name not in named]
        if missing:
            offered = names_text([str(name) for name in named])
            raise InputError(f"row {index} of the dataset has no {missing[0]!r}: it has {offered}")
        return [named[name] for name in names]
    if not isinstance(row, tuple | list):
        raise InputError(
            f"row {index} of the dataset is {_with_article(row)}: give a tuple of "
            f"{', '.join(names)}"
        )
    if len(row) != len(names):
        raise InputError(
            f"row {index} of the dataset has {count_text(len(row), 'entry', 'entries')}: give "
            f"{', '.join(names)}"
        )
    return row


def _checked_column(name: str, column: UserValue, format: Format, sentence: Sentence) -> Floats:
    return _round_to_format(name, _finite_numbers(name, column, sentence), format, sentence)


def _checked_arrays(name: str, column: UserValue, format: Format, shape: Shape) -> Floats:
    """A column whose rows are arrays of that shape."""
    array = _plain_array(name, column)
    if array.dtype.kind not in "iuf":
        raise InputError(f"column {name} does not hold numbers")
    if not len(array):
        raise InputError(f"column {name} is empty: give at least one row")
    if array.shape[1:] != shape:
        expected = shape_text((ROWS, *shape))
        raise InputError(f"column {name} has shape {array.shape}: give {expected}")
    numbers = array.astype(np.float64)
    with np.errstate(over="ignore"):
        rounded = numbers.astype(format.name).astype(np.float64)
    bad = np.argwhere(~np.isfinite(rounded))
    if bad.size:
        place = bad[0].tolist()
        number = numbers[tuple(place)].item()
        what = ": fill it in" if not np.isfinite(number) else f", too large for {format.name}"
        raise InputError(f"column {name} holds {number!r} at {place}{what}")
    return rounded


def _finite_numbers(name: str, column: UserValue, sentence: Sentence) -> Floats:
    """The column as float64. Numbers inside text are text."""
    if isinstance(column, dict | set | frozenset):
        raise InputError(
            f"column {name} is a {type(column).__name__}, which has no order of rows: give a list"
        )
    try:
        array = _plain_array(name, column)
        numeric = array.dtype.kind in "iuf"
        numbers = (
            array.astype(np.float64, copy=False)
            if numeric
            else _numbers_one_by_one(name, column, sentence)
        )
    except InputError:
        raise
    except (ValueError, OverflowError):
        raise InputError(f"column {name} is ragged: give each row the same shape") from None
    except (TypeError, RuntimeError) as error:
        kind, message = type(column).__name__, message_of(error, whole=True)
        raise InputError(f"column {name} is a {kind}, not a list of numbers: {message}") from None
    if numbers.ndim == 2 and numbers.shape[1] == 1:
        numbers = numbers[:, 0]
    if numbers.ndim != 1:
        raise InputError(f"column {name} has shape {numbers.shape}: give one number a row")
    if not len(numbers):
        raise InputError(f"column {name} is empty: give at least one row")
    bad = np.flatnonzero(~np.isfinite(numbers))
    if bad.size:
        _refuse_entry(name, column, numbers, int(bad[0]), sentence)
    return numbers


def _plain_array(name: str, column: UserValue) -> Array:
    if _is_tensor(column):
        return _host_array(name, column)
    if isinstance(column, np.ma.MaskedArray) and column.dtype.kind in "iuf":
        return np.ma.filled(column.astype(np.float64), np.nan)
    return np.asarray(column)


def _refuse_entry(
    name: str, column: UserValue, numbers: Floats, index: int, sentence: Sentence
) -> None:
    """Raise InputError for an entry that became no finite number: what a frame holds for nothing
    became NaN.
    """
    by_place: UserValue = getattr(column, "iloc", column)
    entry = by_place[index] if hasattr(column, "__getitem__") else numbers[index]
    if entry is None or entry is np.ma.masked or type(entry).__name__ == "NAType":
        raise InputError(f"{sentence(name, entry, index)}, which is not a number")
    raise InputError(f"{sentence(name, numbers[index], index)}: remove that row or fill it in")


def _is_tensor(value: UserValue) -> bool:
    return hasattr(value, "requires_grad") and hasattr(value, "detach")


def _host_array(name: str, tensor: UserValue) -> Array:
    """A tensor's numbers as an array in the host's memory."""
    if tensor.requires_grad:
        raise InputError(
            f"column {name} is a tensor that requires a gradient, but data is not trained: "
            "detach() it"
        )
    host = tensor.detach().cpu()
    exact = host.double() if host.is_floating_point() else host  # NumPy has no bfloat16
    return np.asarray(exact)


def _numbers_one_by_one(name: str, column: UserValue, sentence: Sentence) -> Floats:
    """Python objects one by one, so that the first that is no number can be named."""
    numbers = np.empty(len(column))
    for index, entry in enumerate(column):
        numbers[index] = _number_of_entry(name, entry, index, sentence)
    return numbers


def _number_of_entry(name: str, entry: UserValue, index: int, sentence: Sentence) -> float:
    try:
        single = (
            _single_number(name, entry, index)
            if _is_tensor(entry) or isinstance(entry, np.ndarray)
            else entry
        )
        if isinstance(single, NO_NUMBERS):
            raise TypeError
        return float(single)
    except InputError:
        raise
    except OverflowError:
        raise InputError(f"{sentence(name, entry, index)}, too large for float64") from None
    except (TypeError, ValueError, RuntimeError):
        hint = number_hint(entry) if isinstance(entry, str) else ""
        raise InputError(f"{sentence(name, entry, index)}, which is not a number{hint}") from None


def _single_number(name: str, entry: UserValue, index: int) -> UserValue:
    """What is in an array or a tensor of shape () or (1,)."""
    array = _host_array(name, entry) if _is_tensor(entry) else entry
    if array.shape not in ((), (1,)):
        raise InputError(
            f"column {name} has shape {array.shape} at index {index}: give one number a row"
        )
    return array.reshape(())[()]


def _round_to_format(name: str, numbers: Floats, format: Format, sentence: Sentence) -> Floats:
    with np.errstate(over="ignore"):
        rounded = numbers.astype(format.name).astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(rounded))
    if bad.size:
        raise InputError(
            f"{sentence(name, numbers[bad[0]], int(bad[0]))}, too large for {format.name}"
        )
    return rounded


def _example_text(names: Sequence[str]) -> str:
    return "{" + ", ".join(f'"{name}": [...]' for name in names) + "}"


def _with_article(value: UserValue) -> str:
    kind = type(value).__name__
    return f"{'an' if kind[:1] in 'AEIOUaeiou' else 'a'} {kind}"


def _entry_text(entry: UserValue) -> str:
    """A number as it is; else its `repr`, shortened."""
    try:
        return str(entry) if isinstance(entry, np.number) else shortened_text(repr(entry))
    except (
        Exception
    ):  # a whole number of more digits than Python writes, or an object's own mistake
        return _with_article(entry)


def _error_text(error: Exception) -> str:
    return f"{type(error).__name__}: {shortened_text(message_of(error, whole=True))}"
