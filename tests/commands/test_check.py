"""The library's check: what it takes, its settings, its points, what it says again, and what it
refuses.
"""

import pytest
import sympy
import torch

import verifier
from tests.helpers.own_backward import with_slope
from tests.helpers.sources import WRONG_SQUARE
from verifier import between
from verifier.checking import defaults
from verifier.checking.settings import QUICK
from verifier.commands.cli import run

UNIT = {"input": between(-1, 1, shape=(3,))}


def square(x):
    return x * x


def test_names_on_the_contents_page():
    assert verifier.check.__module__ == "verifier.commands.check"
    assert verifier.assert_gradients(torch.tanh, inputs=UNIT, points=1).ok


def test_a_failure_raises_with_the_report():
    def wrong(x):
        return x.sin() + (x - x.detach())

    with pytest.raises(verifier.GradientError) as raised:
        verifier.assert_gradients(wrong, inputs={"x": between(-1, 1, shape=(3,))}, dtypes="float64")
    text = str(raised.value)
    assert text.startswith("wrong: disagrees\nDISAGREES  The gradient of wrong by x is wrong.\n")
    assert "wrong by x, x[" in text
    assert "detach in test_check.py" in text


@pytest.mark.parametrize(
    "formula",
    [
        "x**2",
        sympy.Symbol("x") ** 2,
        verifier.Model.from_text(
            "x**2 + 0*w", inputs="x", start={"w": 1.0}, loss=verifier.squared_error
        ),
    ],
    ids=["text", "SymPy", "Model"],
)
def test_formulas(formula):
    inputs = {"x": between(-1, 1, shape=(3,))}
    if isinstance(formula, verifier.Model):
        inputs["w"] = 1.0
        report = verifier.check(lambda x, w: x * x, inputs=inputs, formula=formula, points=1)
    else:
        report = verifier.check(square, inputs=inputs, formula=formula, points=1)
    assert report.outcome == "agrees"
    other = verifier.check(
        square, inputs={"x": between(-1, 1, shape=(3,))}, formula="x**3", points=1
    )
    assert other.outcome == "disagrees"
    assert "different functions" in {cause.cause for cause in other.causes}


def test_a_formula_by_itself():
    report = verifier.check(
        inputs={"x": between(-2, 2, shape=(4,))}, formula="x*exp(-x**2)", reduction="mean", points=1
    )
    assert report.outcome == "agrees"
    assert report.checked.target == "formula"
    assert report.replay == (
        "verifier check --formula 'x*exp(-x**2)' --reduction mean --input x=-2.0:2.0:4 --dtype "
        "float32"
        " --dtype float64 --points 1"
    )


def test_reductions():
    inputs = {"x": between(-1, 1, shape=(4,))}
    given = {"inputs": inputs, "formula": "x**2", "points": 1}
    assert verifier.check(lambda x: (x * x).mean(), reduction="mean", **given).outcome == "agrees"
    assert verifier.check(lambda x: (x * x).sum(), reduction="sum", **given).outcome == "agrees"
    wrong = verifier.check(lambda x: (x * x).sum(), reduction="mean", **given)
    assert "wrong reduction" in {cause.cause for cause in wrong.causes}


def test_a_constant_is_a_number_of_the_formula():
    inputs = {"x": between(0, 1, shape=(3,)), "g": 2.0}
    report = verifier.check(lambda x, g: x**g, inputs=inputs, formula="x**g", points=1)
    assert report.outcome == "agrees"


def test_a_reference():
    inputs = {"x": between(-1, 1, shape=(3,))}
    assert (
        verifier.check(square, inputs=inputs, reference=lambda x: x**2, points=1).outcome
        == "agrees"
    )
    report = verifier.check(square, inputs=inputs, reference=lambda x: x**3, points=1)
    assert report.outcome == "disagrees"
    assert report.checked.against.startswith("reference a lambda at test_check.py:")


def test_a_modules_parameters_have_their_dotted_names():
    layer = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh())
    report = verifier.check(layer, inputs={"input": between(-1, 1, shape=(2, 3))}, points=1)
    assert report.outcome == "agrees"
    assert {"input", "0.weight", "0.bias"} <= {component.name for component in report.components}


def test_dtypes():
    assert verifier.check(torch.tanh, inputs=UNIT, points=1).checked.settings.dtypes == (
        "float32",
        "float64",
    )
    given = {"input": torch.tensor([0.5], dtype=torch.bfloat16)}
    assert verifier.check(torch.tanh, inputs=given).checked.settings.dtypes == ("bfloat16",)
    assert verifier.check(
        torch.tanh, inputs=UNIT, dtypes=["float16"], points=1
    ).checked.settings.dtypes == ("float16",)


def test_points():
    report = verifier.check(torch.tanh, inputs=UNIT, dtypes="float64", points=2, seed=1)
    kinds = [point.kind for point in report.tally.points]
    assert kinds[:2] == ["random", "random"]
    assert set(kinds[2:]) == {"edge"}
    other = verifier.check(torch.tanh, inputs=UNIT, dtypes="float64", points=2, seed=2)
    first = [next(iter(one.tally.points[0].inputs.values())) for one in (report, other)]
    assert not torch.equal(*first)
    given = verifier.check(torch.tanh, inputs={"input": torch.tensor([0.5])})
    assert [point.kind for point in given.tally.points] == ["given"]


def test_digits_that_are_asked_for():
    tail = {"input": torch.tensor([20.0], dtype=torch.float64)}
    without = ["second", "forward", "both"]
    assert verifier.check(torch.tanh, inputs=tail, without=without).exit_code == 0
    assert verifier.check(torch.tanh, inputs=tail, without=without, digits=3).exit_code == 1


def test_defaults_hold_where_nothing_is_said():
    heard = []
    with defaults.use_defaults(
        defaults.Defaults(dtypes=("bfloat16",), points=1, seed=5, reports=heard.append)
    ):
        report = verifier.check(torch.tanh, inputs=UNIT)
        assert verifier.check(
            torch.tanh, inputs=UNIT, dtypes="float32"
        ).checked.settings.dtypes == ("float32",)
    settings = report.checked.settings
    assert (settings.dtypes, settings.points, settings.seed) == (("bfloat16",), 1, 5)
    assert heard[0] is report


def test_an_interrupted_check():
    report = verifier.check(
        torch.tanh, inputs=UNIT, points=1, keep_going=lambda done, planned: done < 3
    )
    assert report.exit_code == 130
    assert {component.dtype for component in report.components} == {"float32"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"dtypes": "float8"},
            "'float8' is not a dtype that is judged: there is float64, float32, bfloat16, float16",
        ),
        ({"points": -1}, "points is -1: give a whole number from 1 to 10,000"),
        ({"points": "many"}, "points is 'many': give a whole number from 1 to 10,000"),
        ({"seed": 1.5}, "seed is 1.5: give a whole number from 0 to 9,223,372,036,854,775,807"),
        (
            {"without": "reversed"},
            "there is no check 'reversed' to leave out: there is value, reverse, ",
        ),
        ({"digits": 0}, "digits is 0: give a number above 0, at most 77"),
        ({"digits": float("nan")}, "digits is nan: give a number above 0, at most 77"),
        (
            {"timeout": float("inf")},
            "timeout is inf: give seconds, a number above 0, at most 10,000,000",
        ),
        ({"timeout": -1}, "timeout is -1: give seconds, a number above 0, at most 10,000,000"),
        ({"points": 10**30}, f"points is {10**30}: give a whole number from 1 to 10,000"),
        ({"colour": 1}, "check has no setting 'colour': it has dtypes, points, seed, "),
        (
            {"formula": "x", "reference": square},
            "formula and reference are two ways to say what is right: give one",
        ),
        (
            {"reduction": "max", "formula": "x"},
            "there is no reduction 'max': there is none, sum, mean",
        ),
        (
            {"reduction": "sum"},
            "a reduction says what is done with the formula's elements: give it with a formula",
        ),
        (
            {"formula": sympy.Symbol("z")},
            "the formula uses z, which is not among the inputs: name it as one of them",
        ),
    ],
)
def test_what_is_refused(given, sentence):
    with pytest.raises(verifier.InputError) as raised:
        verifier.check(torch.tanh, inputs=UNIT, **given)
    assert str(raised.value).startswith(sentence)


def test_inputs_that_are_no_mapping():
    with pytest.raises(
        verifier.InputError, match=r"^inputs is a list: give a mapping of the arguments' names"
    ):
        verifier.check(torch.tanh, inputs=[torch.ones(2)])


def names_of(report):
    return {finding.check for finding in report.checked.findings}


OF_MORE_INPUTS = {"same", "subset"}


def test_less_effort_leaves_out_what_costs_most_and_says_so():
    inputs = {"input": verifier.between(-2, 2, shape=(3,))}
    usual = verifier.check("torch:tanh", inputs=inputs, dtypes=["float64"])
    quick = verifier.check("torch:tanh", inputs=inputs, dtypes=["float64"], effort="quick")
    assert names_of(usual) - names_of(quick) == set(QUICK.left_out) - OF_MORE_INPUTS
    assert len(quick.checked.findings) < len(usual.checked.findings)
    assert " ".join(str(quick).split()).endswith(
        "note --quick looks at 1 in 4 of the usual points near borders, and leaves out: second "
        "order, vmap against a loop, used again, some inputs alone, one tensor for two inputs, "
        "other batch sizes and no_grad and autocast"
    )
    assert "--quick" in quick.replay
    assert "--quick" not in f"{usual}{usual.replay}"


def slope_with_narrow_mistake(x):
    """Twice too large between two numbers that no graph shows."""
    near = (x.numpy() > 0.7) & (x.numpy() < 0.71)
    return 2 * x * torch.tensor(1.0 + near, dtype=x.dtype)


def test_more_effort_finds_more():
    code = with_slope(torch.square, slope_with_narrow_mistake)
    given = {
        "inputs": {"x": verifier.between(-2, 2)},
        "reference": lambda x: x * x,
        "dtypes": ["float64"],
    }
    found = [
        verifier.check(code, effort=effort, **given).outcome for effort in ("quick", "thorough")
    ]
    assert found == ["agrees", "disagrees"]


def test_an_effort_that_does_not_exist():
    with pytest.raises(verifier.InputError, match="is 'fast': give one of quick, normal, tho"):
        verifier.check("torch:tanh", inputs={"input": torch.ones(2)}, effort="fast")


def test_a_tensor_without_numbers():
    with pytest.raises(
        verifier.InputError, match=r"^input x has no numbers, as it is on the device meta"
    ):
        verifier.check(square, inputs={"x": torch.ones(2, device="meta")})


def test_nothing_to_check():
    with pytest.raises(
        verifier.InputError, match=r"^say what to check: a callable on tensors, or a formula$"
    ):
        verifier.check(inputs=UNIT)


def endless(x):
    while True:
        pass


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (lambda x: None, "returns None"),
        (lambda x: [1.0, 2.0], "returns a list"),
        (lambda x: x.argmax(), "int64"),
        (lambda x: x.undefined, "raises AttributeError"),
        (
            endless,
            "endless does not return within 0.2 seconds: give it smaller inputs, or more time",
        ),
    ],
)
def test_code_that_cannot_be_checked(code, sentence):
    with pytest.raises(verifier.InputError) as raised:
        verifier.check(
            code, inputs={"x": between(-1, 1, shape=(3,))}, timeout=0.2 if code is endless else None
        )
    assert sentence in str(raised.value)


def test_the_simplest_point():
    """The error is there beyond 1 only, so that the simplest number that shows it is 2."""

    wrong = with_slope(torch.square, lambda x: 2 * x * torch.where(x > 1, 1.5, 1.0))
    report = verifier.check(wrong, inputs={"x": between(-4, 4, shape=(2, 3))}, dtypes="float64")
    assert report.checked.simplest.kind == "simplified"
    (number,) = report.checked.simplest.inputs["x"].unique().tolist()
    assert number == 2.0


def test_a_command_only_where_it_can_be_typed():
    assert verifier.check(lambda x: x * x, inputs={"x": between(-1, 1)}, points=1).replay is None
    report = verifier.check(
        "torch:square", inputs={"x": torch.ones(2)}, without=["second"], timeout=9.0
    )
    assert report.replay == (
        "verifier check torch:square --input 'x=[1.0,1.0]' --dtype float32 --without second "
        "--timeout 9.0"
    )
    large = verifier.check("torch:square", inputs={"x": torch.ones(65)}, without=["second"])
    assert large.replay is None


def test_code_that_cannot_be_run_at_an_edge():
    """Matrices of equal rows have no inverse."""
    inputs = {"A": between(0.5, 1, shape=(2, 2))}
    report = verifier.check(torch.linalg.inv, inputs=inputs, dtypes="float64", points=1)
    assert report.outcome == "agrees"
    start = (
        "edge points are left out at which linalg_inv raises _LinAlgError: linalg.inv: The "
        "diagonal element 2 is zero"
    )
    assert any(note.startswith(start) for note in report.checked.notes)


def test_code_that_cannot_be_run_at_a_random_point():
    def picky(x):
        if float(x) < 0:
            raise ValueError("only positive numbers")
        return x.log()

    sentence = r"^picky raises ValueError at test_check.py:\d+: only positive numbers"
    with pytest.raises(verifier.InputError, match=sentence):
        verifier.check(picky, inputs={"x": between(-1, 1)}, points=20)


def test_a_formula_without_a_value():
    """NaN has no digits: the report says so, and ends."""
    given = {"x": torch.tensor([float("nan")])}
    report = verifier.check(torch.sin, inputs={"input": given["x"]}, without=["second"])
    assert report.exit_code == 3
    assert (
        "The formula was not replayed: the formula has no value at the points that were tried"
        in " ".join(str(report).split())
    )


def test_what_does_not_go_with_a_config(tmp_path, capsys):
    config = tmp_path / "verifier.toml"
    config.write_text(
        "[[target]]\ntarget = 'torch:tanh'\ninputs = { input = '0:1' }\n", encoding="utf-8"
    )
    said = (
        "verifier: --config says what is checked, and how: "
        "give it with --json, --markdown, --junit, --github, --changed, --accept, --jobs and "
        "--memory only\n"
    )
    for text in (
        "torch:tanh", "--seed 0", "--dtype bfloat16", "--without second", "--digits 3",
        "--honour-detach", "--reduction sum",
    ):  # fmt: skip
        words = text.split()
        assert run(["check", "--config", str(config), *words]) == 2
        assert capsys.readouterr().err == said
    assert run(["check", "--config", str(config), "--html", str(tmp_path / "page.html")]) == 2
    assert (
        capsys.readouterr().err
        == "verifier: --html writes the page of one target: give it without --config\n"
    )
    assert run(["check", "--config", str(config), "--markdown", str(tmp_path / "summary.md")]) == 0
    assert (tmp_path / "summary.md").read_text(encoding="utf-8").startswith("✅")


def test_an_accepted_cause_holds_in_the_dtype_that_it_names(tmp_path):
    (tmp_path / "layers.py").write_text(WRONG_SQUARE, encoding="utf-8")
    accepted = "".join(
        f"[[target.accepted]]\ncomponent = 'x'\ndtype = '{dtype}'\ncause = 'sign flipped'\nreason "
        "= 'known'\n"
        for dtype in ("float32", "float64")
    )
    settings = "without = ['second', 'structured', 'expanded', 'strided']\n"
    config = tmp_path / "verifier.toml"
    target = f"[[target]]\ntarget = 'layers.py::Wrong'\ninputs = {{ x = '1:2:3' }}\n{settings}"
    config.write_text(target + accepted, encoding="utf-8")
    assert run(["check", "--config", str(config)]) == 0
    config.write_text(
        target + accepted.replace("sign flipped", "constant factor"), encoding="utf-8"
    )
    assert run(["check", "--config", str(config)]) == 1


class Squared(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * x

    @staticmethod
    def backward(ctx, g):
        return g


def test_a_class_stands_for_what_it_makes():
    inputs = {"x": between(1, 2, shape=(2,))}
    by_class, by_apply = (
        verifier.check(target, inputs=inputs, dtypes=["float32"], points=1)
        for target in (Squared, Squared.apply)
    )
    assert by_class.outcome == by_apply.outcome == "disagrees"
    right = verifier.check(
        torch.nn.Tanh, inputs={"input": between(1, 2)}, dtypes=["float32"], points=1
    )
    assert right.outcome == "agrees"
