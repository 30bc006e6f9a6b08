"""Bad input: one clear sentence on standard error, word for word, exit code 2, nothing written."""

from io import StringIO

import pytest

from verifier.commands.cli import run

HEAD = "from verifier import Model, model, squared_error\nfrom verifier.functions import *\n"
DECORATED = "@model(loss=squared_error, data={data})\ndef line(x, *, w=1.0):\n    return w * x\n"
GOOD = HEAD + DECORATED.format(data='{"x": [1.0], "y": [2.0]}')


def refused(capsys, *arguments):
    code = run(list(arguments))
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    assert captured.err.startswith("verifier: ")
    assert captured.err.count("\n") == 1
    return captured.err.removeprefix("verifier: ").removesuffix("\n")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


ARGUMENTS = {
    "linaer": "there is no model 'linaer' in the gallery: did you mean linear? "
    "(a file of your own is path/to/file.py::name)",
    "zzz": "there is no model 'zzz' in the gallery: verifier list names them "
    "(a file of your own is path/to/file.py::name)",
    "own.py": "own.py is a file: say which of its models, as in own.py::name",
    "missing.py::line": "there is no file 'missing.py': give path/to/file.py::name",
    "own.py::nothing": "own.py has no model 'nothing': it has line",
    "linear --epochs 0": "epochs is 0: give a whole number from 1 to 1,000,000,000",
    "linear --epochs -3": "epochs is -3: give a whole number from 1 to 1,000,000,000",
    "linear --lr -0.1": "the learning rate is -0.1: use a finite number, 0 or above",
    "linear --lr nan": "the learning rate is nan: use a finite number, 0 or above",
    "linear --lr inf": "the learning rate is inf: use a finite number, 0 or above",
    "linear --batch 0": "batch is 0: use a whole number of rows, 1 or more, or all",
    "linear --batch some": "batch is 'some': use a whole number of rows, 1 or more, or all",
    "linear --seed -1": "the seed is -1: give a whole number from 0 to 9,223,372,036,854,775,807",
    "linear --dtype float17": (
        "dtype 'float17' is not one that verifier trains in: use float32 or float64"
    ),
    "linear --optimizer adm": "there is no optimizer 'adm': did you mean adam?",
    "linear --optimizer lbfgs": (
        "optimizer lbfgs cannot be set up: it calls the loss several times a step; "
        "verifier judges one gradient a step"
    ),
    "linear --predict z=4": "cannot predict: model linear has no input 'z', its inputs are x",
    "linear --predict x": (
        "cannot predict at 'x': write each name once as name=number, as in --predict x=4"
    ),
    "linear --predict x=four": (
        "cannot predict at 'x=four': write each name once as name=number, as in --predict x=4"
    ),
    "linear --json no/such/folder.json": (
        "cannot write 'no/such/folder.json': there is no folder '{folder}/no/such'"
    ),
    "linear --json .": "cannot write '.': it is a folder",
    "linear --plot costs.gif": "cannot draw 'costs.gif': end its name in .svg, .png, .pdf, "
    "or put --plot last for the terminal",
    "--plot linear": (
        "cannot draw 'linear': end its name in .svg, .png, .pdf, or put --plot last for the "
        "terminal"
    ),
    "linear --plot --json -": (
        "--json - and --plot without a file both go to standard output: give one of them a file"
    ),
    "linear --html -": "--html writes a file: name it, as in --html report.html",
    "linear --html .": "cannot write '.': it is a folder",
    "linear --html a.svg --plot a.svg": (
        "cannot write 'a.svg': --plot and --html name the same file"
    ),
    "linear --json": "Option '--json' requires an argument (verifier train --help)",
    "linear --json /dev/null": (
        "cannot write '/dev/null': it is not a regular file (- is standard output)"
    ),
    "linear --json a.svg --plot a.svg": (
        "cannot write 'a.svg': --json and --plot name the same file"
    ),
    "linear --batch --3": "batch is '--3': use a whole number of rows, 1 or more, or all",
    "linear --predict x=1,x=2": (
        "cannot predict at 'x=1,x=2': write each name once as name=number, as in --predict x=4"
    ),
    "linear --predict x=nan": "cannot predict at x=nan: it is not a finite float32",
    "linear --predict x=1e39": "cannot predict at x=1e+39: it is not a finite float32",
    "own.py::line --predict y=1": "cannot predict: model line has no input 'y', its inputs are x",
    "linear --nonsense": (
        "No such option: --nonsense (Possible options: --loss, --seed) (verifier train --help)"
    ),
    "linear --epochs many": "Invalid value for '--epochs': Input should be a valid integer, "
    "unable to parse string as an integer (verifier train --help)",
}


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_arguments(arguments, folder, capsys):
    (folder / "own.py").write_text(GOOD)
    expected = ARGUMENTS[arguments].format(folder=folder)
    assert refused(capsys, "train", *arguments.split()) == expected
    assert [path.name for path in folder.iterdir() if path.name != "__pycache__"] == ["own.py"]


def body(text, signature="x, *, w=1.0"):
    return (
        HEAD + f'@model(loss=squared_error, data={{"x": [1.0], "y": [2.0]}})\ndef '
        f"line({signature}):\n{text}\n"
    )


def data(text):
    return HEAD + DECORATED.format(data=text)


FILES = {
    "def (": "own.py:1: the file is not Python: invalid syntax",
    "x = 1\n1 / 0": "own.py:2: ZeroDivisionError: division by zero",
    "raise SystemExit(3)": "own.py:1: SystemExit: 3",
    "x = 1": (
        "own.py has no model 'line': it has none: decorate a function with @verifier.model(...)"
    ),
    body(
        "    return w * x", "x, *, w=1.0, v=2.0"
    ): "model line: parameter v does not occur in the formula: use it there or remove it",
    body(
        "    return w * x", "x, *, w"
    ): "own.py: own.py:3: line: parameter w has no number to start from: write w=1.0",
    body(
        "    return w * x", "x, w=1.0"
    ): "own.py: own.py:3: line: input w has a default: parameters stand behind "
    "a *, as in (x, *, w=...)",
    body(
        "    return x[0]", "*x"
    ): "own.py: own.py:3: line takes *x: name each input and each parameter",
    body(
        "    return x", "x"
    ): "own.py: model line has no parameter to train: give it one with a start value",
    body("    return w * x", "x, *, w='a'"): "own.py: model line: parameter w starts from 'a', "
    "which is not a finite number",
    body(
        "    return w * x", "x, *, w=float('nan')"
    ): "own.py: model line: parameter w starts from nan, which is not a finite number",
    body(
        "    return w * x", "x, *, w=[1.0, 2.0]"
    ): "model line: own.py:3: multiply of w with shape (2,), x with shape (rows,): the shapes (2,) "
    "and (rows,) do not fit",
    body("    w * x"): "own.py:3: line returns None: end it with a return",
    body("    return [w * x]"): "own.py:3: line returns a list: return one formula",
    body(
        "    return w * y"
    ): "own.py:3: line cannot be run on symbols: NameError: name 'y' is not defined",
    body(
        "    if x > 0:\n        return w * x\n    return x"
    ): "own.py:5: `x > 0` decides a branch, "
    "but a formula has no value: use verifier.functions.where",
    body(
        "    return w * (x if x else 1)"
    ): "own.py:5: `x` decides a branch, but a formula has no value: use verifier.functions.where",
    body("    return w * (x == 1)"): "own.py:5: `x == 1` compares formulas, not values: "
    "use <, <=, > or >=, or verifier.functions.equal",
    body("    return w * (x in (1, 2))"): "own.py:5: `x in (1, 2)` compares formulas, not values: "
    "use <, <=, > or >=, or verifier.functions.equal",
    body(
        "    return where(0 < x < 1, w, x)"
    ): "own.py:5: `0 < x < 1`: a chain asks a formula whether it is true: write (a < b) & (b < c)",
    body(
        "    return w * (x and 1)"
    ): "own.py:5: `x and 1`: and, or and not ask a formula whether it is true: "
    "write &, | and ~, with parentheses around each condition",
    body("    return where(x, w, x)"): "own.py:3: line cannot be run on symbols: TypeError: "
    "where takes a condition first, such as x > 0",
    body("    return w * x^2"): "own.py:5: `w * x ^ 2`: ^ is not a power in Python: write **",
    body(
        "    import math\n    return math.exp(w * x)"
    ): "own.py:6: `math.exp(w * x)` takes numbers, not formulas: use verifier.functions.exp",
    body(
        "    import numpy as np\n    return np.exp(w * x)"
    ): "own.py:6: `np.exp(w * x)` takes numbers, not formulas: use verifier.functions.exp",
    body("    return max(w * x, 0)"): "own.py:5: `max(w * x, 0)` takes numbers, not formulas: "
    "use verifier.functions.maximum",
    body(
        "    return w * int(x)"
    ): "own.py:5: `int(x)` takes numbers, not formulas: verifier.functions lists "
    "what formulas can use",
    body(
        "    return w * x if type(x) is float else 2 * w * x"
    ): "own.py:5: `type(x) is float` decides a branch, "
    "but a formula has no value: use verifier.functions.where",
    data("None"): "there is no data: give columns x, y",
    data('{"x": [], "y": []}'): "column x is empty: give at least one row",
    data('{"x": [1.0, 2.0], "y": [2.0]}'): "the columns differ in length: x has 2, y has 1: "
    "give each the same number of rows",
    data('{"x": [1.0]}'): "the data has no column 'y': it has x",
    data(
        '{"x": [1.0, "two"], "y": [1, 2]}'
    ): "column x holds 'two' at index 1, which is not a number",
    data('{"x": [1.0, "2"], "y": [1, 2]}'): "column x holds '2' at index 1, which is not a number",
    data(
        '{"x": [1.0, float("nan")], "y": [1, 2]}'
    ): "column x holds nan at index 1: remove that row or fill it in",
    data(
        '{"x": [1.0, float("inf")], "y": [1, 2]}'
    ): "column x holds inf at index 1: remove that row or fill it in",
    data(
        '{"x": [1.0, None], "y": [1, 2]}'
    ): "column x holds None at index 1, which is not a number",
    data('{"x": [[1.0, 2.0]], "y": [1]}'): "model line: losses.py:19: subtract of w*x with shape "
    "(rows, 2), y with shape (rows,): the shapes (rows, 2) and (rows,) do not fit",
    data(
        '{"x": [[1.0, 2.0], [1.0]], "y": [1, 2]}'
    ): "column x is ragged: give each row the same shape",
    data('{"x": 1.0, "y": 2.0}'): "column x has shape (): give one number a row",
    data('{"x": [1e39], "y": [2.0]}'): "column x holds 1e+39 at index 0, too large for float32",
    data('{"x": iter([1.0]), "y": [1.0]}'): "column x is a list_iterator, not a list of numbers: "
    "object of type 'list_iterator' has no len()",
    data(
        '{"x": {1: 2}, "y": [1.0]}'
    ): "column x is a dict, which has no order of rows: give a list",
    data(
        "[1, 2]"
    ): 'the data is a list: give a mapping of columns, such as {"x": [...], "y": [...]}',
    HEAD
    + "@model(loss=squared_error, train={'epoch': 3})\n"
    + "def line(x, *, w=1.0):\n    return w * x\n": (
        "own.py: model line: train has no setting 'epoch': it has epochs, lr, optimizer, dtype, "
        "batch, shuffle, seed, hold_out, judge_every"
    ),
    HEAD + "@model(loss=squared_error, data={'x': [1], 'y': [2]}, train={'shuffle': 'no'})\n"
    "def line(x, *, w=1.0):\n    return w * x\n": "shuffle is 'no': use True or False",
    body(
        "    return w * x", "x, *, w=1e39"
    ): "parameter w starts from 1e+39, too large for float32",
    HEAD
    + "import sympy\nx, w = sympy.symbols('x w')\nline = Model(w * x, inputs=[x], start={w: 1.0}, "
    "loss=squared_error, name='a b')\n": (
        "own.py: 'a b' cannot name a model: use a Python name of its own"
    ),
    HEAD + "@model()\ndef line(x, *, w=1.0):\n    return w * x\n": (
        "own.py: model line has inputs but no loss: add loss=squared_error, or a loss of your own"
    ),
    HEAD + "@model(loss=squared_error, fixed=['v'])\ndef line(x, *, w=1.0):\n    return w * x\n": (
        "own.py: model line: fixed names 'v', which is not a parameter: w"
    ),
    HEAD + "import sympy\nx, w, v = sympy.symbols('x w v')\n"
    "line = Model(w * x + v, inputs=[x], start={w: 1.0}, loss=squared_error, data={'x': [1], 'y': "
    "[2]}, "
    "name='line')\n": (
        "the formula uses v, which is neither an input nor a parameter: name it as one of them"
    ),
    HEAD + "import sympy\nx, w = sympy.symbols('x w')\n"
    "line = Model(w * sympy.totient(x), inputs=[x], start={w: 1.0}, loss=squared_error, "
    "data={'x': [1], 'y': [2]}, "
    "name='line')\n": (
        "totient is not a function that verifier knows: verifier.functions lists those that it "
        "knows"
    ),
    HEAD + "line = Model('w*x', start={'w': 1.0})": (
        "own.py: model model: a str is not a SymPy expression"
    ),
}


@pytest.mark.parametrize("source", FILES, ids=range(len(FILES)))
def test_model_files(source, folder, capsys):
    (folder / "own.py").write_text(source)
    assert refused(capsys, "train", "own.py::line") == FILES[source]


def test_what_a_trace_misses_is_found_on_numbers(folder, capsys):
    source = body("    global calls\n    calls += 1\n    return w * x * calls").replace(
        "@model", "calls = 0\n@model"
    )
    (folder / "own.py").write_text(source)
    assert refused(capsys, "train", "own.py::line") == (
        "own.py:4: line gives 1.5 on numbers but its formula gives 0.75 at x=0.75, y=0.75, w=1.0: "
        "the body must do the same for symbols as for numbers"
    )


def test_a_folder_that_cannot_be_written(folder, capsys, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("verifier.reporting.atomic_write._beside", refuse)
    assert (
        refused(capsys, "train", "linear", "--json", "out.json")
        == "cannot write 'out.json': Permission denied"
    )


def test_escapes_in_text_do_not_reach_the_terminal(folder, capsys):
    assert refused(capsys, "train", "\x1b[2Jmodel") == (
        "there is no model '\\x1b[2Jmodel' in the gallery: verifier list names them "
        "(a file of your own is path/to/file.py::name)"
    )
    (folder / "own.py").write_text("raise ValueError('one\\ntwo\\x1b[31m')")
    assert refused(capsys, "train", "own.py::line") == "own.py:1: ValueError: one\\ntwo\\x1b[31m"


def test_show_needs_the_plain_loop(folder, capsys):
    source = GOOD.replace("@model(", "@model(train={'batch': 2}, ")
    (folder / "own.py").write_text(source)
    assert refused(capsys, "show", "own.py::line", "--torch") == (
        "--torch writes the plain loop only: one sample a step or all at once, in the order given"
    )


def test_the_good_file_is_good(folder, capsys):
    (folder / "own.py").write_text(GOOD)
    assert run(["train", "own.py::line"]) == 0
    assert "100 of 100\ngradients" in capsys.readouterr().out


def test_show_refuses_names_that_the_loop_needs(folder, capsys):
    (folder / "own.py").write_text(body("    return range * x", "x, *, range=1.0"))
    assert refused(capsys, "show", "own.py::line", "--torch") == (
        "--torch cannot write the loop: range is a name that the loop itself needs"
    )
    assert refused(capsys, "show", "linear", "--torch", "--latex") == (
        "--latex and --torch are two ways to write a model: choose one"
    )


def test_a_full_disk_is_said(folder, capsys, monkeypatch):
    class Full(StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("sys.stdout", Full())
    assert refused(capsys, "train", "linear") == "cannot write the report: No space left on device"


def test_a_link_is_followed(folder, capsys):
    (folder / "real.json").write_text("old")
    (folder / "link.json").symlink_to("real.json")
    assert run(["train", "linear", "--json", "link.json"]) == 0
    assert (folder / "link.json").is_symlink()
    assert (folder / "real.json").read_text(encoding="utf-8").startswith("{")


def test_what_a_model_file_prints_is_not_in_the_report(folder, capsys):
    import json

    (folder / "own.py").write_text("print('hello')\n" + GOOD)
    assert run(["train", "own.py::line", "--json", "-"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["ok"] is True
    assert captured.err == "hello\n"
