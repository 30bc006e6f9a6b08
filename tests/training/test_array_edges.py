"""Models of arrays at their edges: what is refused is refused in one sentence, and what looks odd
but is right is trained and agrees.
"""

from functools import partial

import numpy as np
import pytest
import torch

import verifier
from verifier import cross_entropy, model, squared_error, zeros
from verifier.commands.cli import run
from verifier.functions import determinant, inverse, log, solve, where
from verifier.testing.mutations import NotZeroed
from verifier.training.array_run import ArrayRun

X = np.random.default_rng(0).normal(size=(6, 3))
DATA = {"x": X, "y": X @ [1.0, 2.0, 3.0]}
PAIRS = {"x": X[:, :2], "y": DATA["y"]}


def train(body, data, loss=squared_error, **settings):
    decorated = model(loss=loss, data=data)(body)
    return verifier.train(decorated, **{"epochs": 2, "batch": "all", "lr": 0.1, **settings})


def line(x, *, w=zeros(3)):
    return x @ w


def line_from(start):
    def line(x, *, w=start):
        return x @ w

    return line


def sentence(call):
    with pytest.raises(verifier.InputError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


# What is refused.

FILE = "test_array_edges.py"
DATA_REFUSED = {
    "no rows": (
        {"x": np.zeros((0, 3)), "y": np.zeros(0)},
        "column x is empty: give at least one row",
    ),
    "no rows, in lists": ({"x": [], "y": []}, "column x is empty: give at least one row"),
    "no data": (None, "there is no data: give columns x, y"),
    "no labels": ({"x": X}, "the data has no column 'y': it has x"),
    "uneven": (
        {"x": X, "y": DATA["y"][:4]},
        "the columns differ in length: x has 6, y has 4: give each the same number of rows",
    ),
    "ragged": (
        {"x": [[1.0, 2.0, 3.0], [1.0, 2.0]], "y": [1.0, 2.0]},
        "column x is ragged: give each row the same shape",
    ),
    "text": ({"x": [["a", "b", "c"]], "y": [1.0]}, "column x does not hold numbers"),
    "truth values": ({"x": X > 0, "y": DATA["y"]}, "column x does not hold numbers"),
    "complex numbers": ({"x": X + 0j, "y": DATA["y"]}, "column x does not hold numbers"),
    "NaN": (
        {"x": np.where(X[2, 1] == X, np.nan, X), "y": DATA["y"]},
        "column x holds nan at [2, 1]: fill it in",
    ),
    "too large": (
        {"x": np.where(X[2, 1] == X, 1e39, X), "y": DATA["y"]},
        "column x holds 1e+39 at [2, 1], too large for float32",
    ),
    "a trained tensor": (
        {"x": torch.tensor(X, requires_grad=True), "y": DATA["y"]},
        "column x is a tensor that requires a gradient, but data is not trained: detach() it",
    ),
}


@pytest.mark.parametrize("case", DATA_REFUSED)
def test_data_that_is_refused(case):
    data, expected = DATA_REFUSED[case]
    assert sentence(lambda: train(line, data)).removeprefix("model line: ") == expected


def test_a_dataset_whose_rows_differ():
    uneven = Rows(lambda index: (X[index][: 3 - index // 4], 1.0))
    assert sentence(lambda: train(line, uneven)) == (
        "column x has shape (2,) at index 4: the first row has (3,)"
    )
    texts = Rows(lambda index: (X[index] if index < 2 else ["a", "b", "c"], 1.0))
    assert sentence(lambda: train(line, texts)) == "column x does not hold numbers at index 2"


START_REFUSED = {
    "NaN": (
        np.array([1.0, np.nan, 0.0]),
        "starts from an array in which a number is not finite",
    ),
    "ragged": (
        [[1.0, 2.0], [3.0]],
        "starts from rows of different lengths: [[1.0, 2.0], [3.0]]",
    ),
    "text": (["a", "b"], "starts from an array that does not hold numbers"),
    "empty": ([], "starts from an empty array of shape (0,)"),
}


@pytest.mark.parametrize("case", START_REFUSED)
def test_start_values_that_are_refused(case):
    start, expected = START_REFUSED[case]
    assert sentence(lambda: train(line_from(start), DATA)) == (
        f"model line: parameter w {expected}"
    )


def test_a_start_value_that_is_too_large():
    start = np.array([1e300, 1.0, 1.0])
    assert sentence(lambda: train(line_from(start), DATA)) == (
        "parameter w starts from 1e+300, too large for float32"
    )


def test_shapes_that_do_not_fit():
    assert sentence(lambda: train(line_from(zeros(4)), DATA)) == (
        f"model line: {FILE}:{line.__code__.co_firstlineno + 5}: @ of x with shape (rows, 3), w "
        "with shape (4,): (rows, 3) @ (4,) cannot be multiplied: the last length on the left and "
        "the first on the right differ"
    )


def test_data_with_other_rows_than_the_parameters_need():
    other = {"x": X[:, :2], "y": DATA["y"]}
    assert sentence(lambda: verifier.train(verifier.load("linear_regression"), data=other)) == (
        "model linear_regression: linear_regression.py:16: @ of x with shape (rows, 2), w with "
        "shape (3,): (rows, 2) @ (3,) cannot be multiplied: the last length on the left and the "
        "first on the right differ"
    )
    numbers = {"x": X[:, 0], "y": DATA["y"]}
    assert "@ of x with shape (rows,), w with shape (3,)" in sentence(
        lambda: verifier.train(verifier.load("linear_regression"), data=numbers)
    )


def column(x, *, W=zeros(3, 1)):
    return x @ W


def flipped(x, *, w=zeros(3), u=zeros(6)):
    return where(u[0] > 0, x @ w, 2 * (x @ w))


def idle(x, *, w=zeros(3), u=zeros(2)):
    return x @ w


def first_row(x, *, w=zeros(3)):
    return x[0] @ w


def huge(x, *, w=zeros(3)):
    return (x + np.array([1e300, 0.0, 0.0])) @ w


def wide(x, *, M=np.ones((2, 3))):
    return x @ inverse(M)


BODIES_REFUSED = {
    column: "model column: the loss has the shape (rows, rows): it must have a number for each "
    "row, along the first axis",
    flipped: "model flipped: no gradient reaches parameter u: the loss depends on it through "
    "conditions only, or not at all",
    idle: "model idle: parameter u does not occur in the formula: use it there or remove it",
    first_row: f"model first_row: {FILE}:{first_row.__code__.co_firstlineno}: take of x with shape "
    "(rows, 3): the rows of a batch cannot be chosen by index: use : for them",
    huge: "an array in the formula holds 1e+300, too large for float32",
    wide: f"model wide: {FILE}:{wide.__code__.co_firstlineno}: inverse of M with shape (2, 3): "
    "inverse takes a square matrix, and this one has (2, 3)",
}


@pytest.mark.parametrize("body", BODIES_REFUSED)
def test_formulas_that_are_refused(body):
    assert sentence(lambda: train(body, DATA)) == BODIES_REFUSED[body]


def by_inverse(x, *, M=np.array([[1.0, 2.0], [2.0, 4.0]])):
    return x @ inverse(M) @ np.ones(2)


def by_solve(x, *, M=np.array([[1.0, 2.0], [2.0, 4.0]])):
    return solve(M, x.T).T @ np.ones(2)


def by_determinant(x, *, M=np.array([[1.0, 2.0], [2.0, 4.0]])):
    return x[:, 0] * determinant(M)


SINGULAR = {
    by_inverse: "the loss of model by_inverse cannot be computed at step 1: linalg.inv: The "
    "diagonal element 2 is zero, the inversion could not be completed because the input matrix is "
    "singular.",
    by_solve: "the loss of model by_solve cannot be computed at step 1: torch.linalg.solve: The "
    "solver failed because the input matrix is singular.",
    by_determinant: "the symbolic gradient of model by_determinant cannot be computed at step 1: "
    "Singular matrix",
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("body", SINGULAR)
def test_a_singular_matrix(body, dtype):
    assert sentence(lambda: train(body, PAIRS, dtype=dtype)) == SINGULAR[body]


def halved(x, *, m=1.0):
    return (
        x @ inverse(np.array([[1.0, 0.0], [0.0, 0.0]]) + m * np.array([[0.0, 0.0], [0.0, 1.0]]))
    )[:, 0] * m


def test_a_matrix_that_becomes_singular_on_the_way():
    """The parameter is 0 after the first step: at the second the matrix has a row of zeros. What
    was judged before stands, and the exit code says that not all was.
    """
    data = {"x": np.ones((1, 2)), "y": [0.0]}
    report = train(halved, data, lr=0.5)
    ended = "the loss of model halved cannot be computed at step 2: "
    text = " ".join(str(report).split())
    assert text.startswith(
        "AGREES SO FAR Autograd and the symbolic gradient agree at the only step: "
    )
    assert f"It could not go on: {ended}" in text
    assert f"PARTIAL Ended after 1 of 2 steps: {ended}" in text
    assert (report.ok, report.exit_code) == (False, 3)
    document = report.to_json()
    assert (document["partial"], document["steps_done"]) == (True, 1)
    assert document["ended"].startswith(ended)
    assert ended in report.to_html()


def test_held_out_rows_cost_no_verdict():
    """Neither where the training could not go on, nor where their loss alone has no value."""
    ended = train(halved, {"x": np.ones((3, 2)), "y": np.zeros(3)}, lr=0.5, hold_out=0.34)
    assert ended.findings.ended
    assert ended.findings.held_out is None
    last = train(halved, {"x": np.ones((3, 2)), "y": np.zeros(3)}, lr=0.5, hold_out=0.34, epochs=1)
    assert (last.exit_code, last.findings.held_out) == (0, None)
    assert (
        "The held-out rows have no loss: the loss of model halved cannot be computed at step 1"
        in (" ".join(str(last).split()))
    )


def test_a_matrix_that_is_singular_where_a_step_is_judged_again(monkeypatch):
    """The number of the step is that of the step that is judged."""
    run = "verifier.training.array_run.ArrayRun"
    given = {"x": X, "y": DATA["y"]}
    original = ArrayRun._symbolic

    def failing(self, step):
        if step.number == 2:
            self._gradient_in_numpy = singular
        return original(self, step)

    def singular(*_):
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr(f"{run}._symbolic", failing)
    ended = train(line, given, epochs=3).findings.ended
    assert ended == (
        "the symbolic gradient of model line cannot be computed at step 2: Singular matrix"
    )


def test_a_wrong_gradient_before_the_training_ends_disagrees():
    class Doubled:
        def differentiate(self, loss, parameters):
            loss.backward()
            parameters[0].grad *= 3

    data = {"x": np.ones((1, 2)), "y": [0.0]}
    report = train(halved, data, lr=1 / 6, witness=Doubled())
    assert report.findings.ended
    assert report.exit_code == 1


LABELS_REFUSED = {5: "5 at index 3", -1: "-1 at index 3", 0.5: "0.5 at index 3"}


@pytest.mark.parametrize("label", LABELS_REFUSED)
def test_a_label_that_is_no_class(label):
    data = {"x": X, "y": [0, 1, 2, label, 1, 0]}
    assert sentence(lambda: train(line_from(zeros(3, 3)), data, loss=cross_entropy)) == (
        f"column y holds {LABELS_REFUSED[label]}: the prediction has 3 columns, so that labels are "
        "0 to 2"
    )
    right = {"x": X, "y": [0, 1, 2, 2, 1, 0]}
    assert train(line_from(zeros(3, 3)), right, loss=partial(cross_entropy)).ok


def test_predictions_at_a_point_are_refused_before_the_training(capsys):
    expected = (
        "cannot predict: model line has arrays: call report.model.numpy(x, **report.parameters)"
    )
    heard = []
    decorated = model(loss=squared_error, data=DATA)(line)
    assert (
        sentence(lambda: verifier.train(decorated, predict=[{"x": X[0]}], on_judged=heard.append))
        == expected
    )
    assert heard == []
    assert run(["train", "linear_regression", "--predict", "x=4"]) == 2
    assert capsys.readouterr().err == f"verifier: {expected.replace('line', 'linear_regression')}\n"


# What is trained and agrees.


def test_predictions_from_the_last_parameters():
    decorated = model(loss=squared_error, data=DATA)(line)
    report = verifier.train(decorated, epochs=400, batch="all", lr=0.3, judge_every=100)
    assert report.parameters["w"].dtype == np.float32
    predicted = report.model.numpy(X, **report.parameters)
    assert predicted.tolist() == pytest.approx(DATA["y"].tolist(), abs=1e-3)
    tensors = {name: torch.tensor(value) for name, value in report.parameters.items()}
    in_torch = report.model.torch(torch.tensor(X, dtype=torch.float32), **tensors)
    assert in_torch.tolist() == pytest.approx(predicted.tolist(), abs=1e-5)


def test_the_last_parameters_of_a_model_of_numbers():
    report = verifier.train(verifier.load("linear"), predict=[{"x": 4.0}])
    assert report.model.numpy(np.float32(4.0), **report.parameters) == pytest.approx(
        report.predictions[0].autograd
    )


class Rows(torch.utils.data.Dataset):
    """A dataset whose rows are what a function makes of their number."""

    def __init__(self, row):
        self.row = row

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return self.row(index)


Y = DATA["y"]
PAIR = np.dtype([("x", float, 3), ("y", float)])
RIGHT_DATA = {
    "tensors of a dataset": torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y)),
    "rows of a dataset": Rows(lambda index: (torch.tensor(X[index]), Y[index])),
    "rows by name": Rows(lambda index: {"y": Y[index], "x": X[index].tolist()}),
    "a structured array": np.array(list(zip(map(tuple, X), Y, strict=True)), dtype=PAIR),
    "whole numbers": {"x": np.arange(18).reshape(6, 3) % 4, "y": np.arange(6)},
    "float16": {"x": X.astype(np.float16), "y": DATA["y"].astype(np.float16)},
    "tensors": {"x": torch.tensor(X), "y": torch.tensor(DATA["y"])},
    "bfloat16": {"x": torch.tensor(X).bfloat16(), "y": torch.tensor(DATA["y"]).bfloat16()},
    "lists": {"x": X.tolist(), "y": DATA["y"].tolist()},
    "lists of tensors": {"x": list(torch.tensor(X)), "y": list(torch.tensor(DATA["y"]))},
    "lists of arrays": {"x": list(X), "y": list(DATA["y"])},
    "one row": {"x": X[:1], "y": DATA["y"][:1]},
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", RIGHT_DATA)
def test_data_that_is_right(case, dtype):
    report = train(line, RIGHT_DATA[case], dtype=dtype, lr=0.01)
    assert (report.outcome, report.exit_code) == (verifier.Outcome.AGREES, 0)
    assert report.findings.data.values["x"].shape[1:] == (3,)


@pytest.mark.parametrize(
    "case", [case for case, data in RIGHT_DATA.items() if type(data) is not dict]
)
def test_rows_of_every_kind_are_the_same_data(case):
    assert [step.loss for step in train(line, RIGHT_DATA[case]).steps] == [
        step.loss for step in train(line, DATA).steps
    ]


def test_float16_data_means_its_own_numbers():
    halves = RIGHT_DATA["float16"]
    widened = {name: values.astype(np.float64) for name, values in halves.items()}
    one, other = train(line, halves), train(line, widened)
    assert [step.loss for step in one.steps] == [step.loss for step in other.steps]


@pytest.mark.parametrize(
    "start",
    [
        [0.5, 0.25, 1.0],
        (0.5, 0.25, 1.0),
        torch.tensor([0.5, 0.25, 1.0]).bfloat16(),
        np.array([0.5, 0.25, 1]),
    ],
)
def test_start_values_of_every_kind(start):
    report = train(line_from(start), DATA)
    assert report.ok
    assert report.model.start["w"].tolist() == [0.5, 0.25, 1.0]


SETTINGS = [
    {"batch": 100},
    {"batch": 1},
    {"batch": 4},
    {"batch": 2, "shuffle": True, "seed": 3},
    {"hold_out": 0.34},
    *({"optimizer": name, "lr": 0.01} for name in ("adam", "AdamW", "RMSprop", "adagrad", "nadam")),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("settings", SETTINGS, ids=map(str, range(len(SETTINGS))))
def test_settings(settings, dtype):
    report = train(line, DATA, dtype=dtype, **settings)
    assert (report.outcome, report.exit_code) == (verifier.Outcome.AGREES, 0)


def test_a_batch_that_is_larger_than_the_data_is_all_of_it():
    assert [step.loss for step in train(line, DATA, batch=100).steps] == [
        step.loss for step in train(line, DATA).steps
    ]


def test_shuffled_batches_are_those_of_the_seed():
    def losses(**settings):
        return [step.loss.stated for step in train(line, DATA, batch=2, **settings).steps]

    assert losses(shuffle=True, seed=1) == losses(shuffle=True, seed=1)
    assert losses(shuffle=True, seed=1) != losses(shuffle=True, seed=2)
    assert losses(shuffle=True, seed=1) != losses()


def test_held_out_rows_are_not_trained_on():
    report = train(line, DATA, hold_out=0.34)
    assert (report.findings.data.rows, report.findings.held_out.rows) == (4, 2)
    values = report.findings.data.values["x"]
    assert len({tuple(row) for row in values} & {tuple(row) for row in np.float32(X)}) == 4
    assert report.findings.held_out.autograd == pytest.approx(report.findings.held_out.symbolic)


# What diverges.


def test_a_training_that_diverges():
    report = train(line, DATA, lr=1e6, epochs=20)
    text = " ".join(str(report).split())
    assert "UNDECIDED The training diverged at step 4 (the loss became infinite)." in text
    assert report.outcome is verifier.Outcome.UNDECIDED


def test_a_loss_that_is_nan_from_the_start():
    def logarithm(x, *, w=np.full(3, -1.0)):
        return log(x @ w)

    data = {"x": np.abs(X), "y": DATA["y"]}
    report = train(logarithm, data)
    assert (report.outcome, report.exit_code) == (verifier.Outcome.UNDECIDED, 3)


def test_gradients_that_add_up_are_found():
    assert train(line, DATA, witness=NotZeroed()).exit_code == 1


# Data from files.


def test_columns_of_a_file(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("x,y\n-1,2\n0,1\n1,2\n2,5\n", encoding="utf-8")
    report = verifier.train(verifier.load("polynomial_vector"), data=path, epochs=3)
    assert report.exit_code == 0
    same = {"x": [-1.0, 0.0, 1.0, 2.0], "y": [2.0, 1.0, 2.0, 5.0]}
    other = verifier.train(verifier.load("polynomial_vector"), data=same, epochs=3)
    assert [step.loss for step in report.steps] == [step.loss for step in other.steps]


def test_a_file_whose_columns_are_numbers_has_no_rows_of_three(tmp_path, capsys):
    path = tmp_path / "points.csv"
    path.write_text("x,y\n1,2\n2,4\n", encoding="utf-8")
    assert run(["train", "linear_regression", "--data", str(path)]) == 2
    assert capsys.readouterr().err == (
        "verifier: model linear_regression: linear_regression.py:16: @ of x with shape (rows,), w "
        "with shape (3,): (rows,) @ (3,) cannot be multiplied: the last length on the left and the "
        "first on the right differ\n"
    )
