"""Causes: each rule names its mistake in a whole sentence, and does not where the mistake is not
there.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import sympy
import torch
from torch.nn import functional

import verifier
from tests.helpers.own_backward import function
from verifier.capture.code_at_point import Subject
from verifier.commands.selftest import Trials
from verifier.judging.causes import NAMES, OF_VALUES, find_causes
from verifier.judging.examine import examine
from verifier.judging.finding import CheckCause, CheckPoint, Circumstance, Finding, OtherArguments
from verifier.testing import causes_trial
from verifier.testing.cases import case_named
from verifier.testing.causes_table import Naming, namings
from verifier.testing.causes_trial import CauseResult, try_causes
from verifier.testing.mutation_operators import MISTAKES
from verifier.testing.mutations import GRAPH, KERNEL, NUMBERS, liar_named, one_scaled, scaled
from verifier.testing.random_formulas import FormulaTree, RandomFormula
from verifier.testing.trials import AT_ONCE, FULL, QUICK, list_tasks

SQUARES = case_named("squared error")
HALVES = torch.tensor([0.5, -1.5, 2.0], dtype=torch.float64)
MATRIX = torch.tensor([[0.5, -1.5, 2.0], [0.25, 1.0, -0.75]], dtype=torch.float64)


def of_complex(forward, backward):
    """What is blamed for the backward of code on a complex tensor z."""
    written = function(forward, backward)

    def code(real, imag):
        result = written(torch.complex(real, imag))
        return (result.real, result.imag) if result.is_complex() else result

    return of(code, **{"z.real": HALVES, "z.imag": tensor(1.0, 0.25, -0.75)})


def tensor(*numbers, dtype=torch.float64):
    return torch.tensor(numbers, dtype=dtype)


def of(code, formula=None, quantity="reverse", before=None, **inputs):
    """What is blamed for what is found at these inputs; `before` are those of an earlier point."""
    earlier = (
        () if before is None else examine(Subject(code, before, quantity=quantity), formula).parts
    )
    examination = examine(Subject(code, inputs, quantity=quantity), formula)
    dtype = str(next(iter(inputs.values())).dtype).removeprefix("torch.")
    point = CheckPoint(3, "given", dtype, inputs)
    return find_causes(
        Finding("reverse", dtype, point, examination.parts, examination=examination), earlier
    )


def told(liar, code=torch.sin, planting=GRAPH, x=HALVES, **given):
    return of(
        planting.plant(code, liar_named(liar).lie if isinstance(liar, str) else liar, 0),
        x=x,
        **given,
    )


def off_by_units_of_terms(units):
    """A gradient of two terms that cancel, off by roundings of the larger one."""
    x = tensor(1.0, 3.0, dtype=torch.float32)
    examination = examine(Subject(lambda x: ((x + 1e6) - 1e6) ** 2, {"x": x}))
    part = examination["x"]
    stated = part.verdicts.centre + units * 2.0**-24 * part.case.terms
    return find_causes(
        Finding("reverse", "float32", None, (part.restated(stated),), examination=examination)
    )


def cubes(incoming, x):
    return incoming * 3 * x**2


class Growing:
    def __init__(self):
        self.total = 0.0

    def __call__(self, incoming, x):
        self.total = self.total + (incoming * x.cos()).detach()
        return self.total


def broken(incoming, x, y):
    """d/dx and d/dy of x * exp(y) the wrong way round."""
    return incoming * x * y.exp(), incoming * y.exp()


def steep(at_zero):
    return function(
        torch.abs, lambda incoming, x: torch.where(x == 0, at_zero * incoming, incoming * x.sign())
    )


def parted(incoming, x):
    """The softplus whose backward compares the result where it should compare the argument."""
    value = torch.where(3 * x > 1, x, torch.log1p(torch.exp(3 * x)) / 3)
    return torch.where(3 * value > 1, incoming, incoming * torch.sigmoid(3 * x))


softplus = function(lambda x: torch.where(3 * x > 1, x, torch.log1p(torch.exp(3 * x)) / 3), parted)
hardsigmoid = function(lambda x: functional.relu6(x + 3) / 6, lambda incoming, x: incoming / 6)


def dropped(x):
    return x * (torch.rand_like(x) > 0.5)


def drawing_again(incoming, x):
    return incoming * (torch.rand_like(x) > 0.5)


def product(incoming, x, y):
    """d/dx and d/dy of x * y**2 * exp(x), which has no factor y in the first one."""
    return incoming * y * x.exp() * (1 + x), incoming * 2 * y * x * x.exp()


OTHER = tensor(0.25, 3.0, -0.75)
SQUARE = torch.tensor([[0.5, -1.5], [0.25, 1.0]], dtype=torch.float64)


def used(code, change, circumstance, **inputs):
    """What is blamed where right code states what `change` makes of it under a circumstance."""
    examination = examine(Subject(code, inputs))
    parts = [examination["value"], examination["x"]]
    parts = tuple(part.restated(change(part)) for part in parts)
    return find_causes(
        Finding("strided", "float64", CheckPoint(3, "given", "float64", inputs), parts,
                examination=examination, circumstance=circumstance)
    )  # fmt: skip


def cubed_at(others, cause, text):
    """x**3 with the numbers of a pass at other inputs."""
    given = OtherArguments(cause, text, {"x": others.numpy()})

    def change(part):
        examination = examine(Subject(torch.exp, {"x": others}))
        return examination[part.name].verdicts.stated

    return used(torch.exp, change, Circumstance("in another use", (given,)), x=SQUARE)


def doubled(part):
    return 2 * part.verdicts.stated if part.name == "x" else part.verdicts.stated


def other_epsilon(g, x):
    return g * (1 / (x.square() + 1e-3) - 2 * x * x / (x.square() + 1e-6) ** 2)


def softmax_diagonal(g, x):
    return g * x.softmax(0) * (1 - x.softmax(0))


def halved_above(g, x):
    return g * 3 * x**2 * torch.where(x > 0.75, 0.5, 1.0)


EXAMPLES = {
    "missing factor": lambda: of(
        function(lambda x, y: x * y**2 * x.exp(), product), x=HALVES, y=OTHER
    ),
    "missing factor, computed on the way": lambda: of(
        function(lambda x: x.exp().sin(), lambda g, x: g * x.exp().cos()), x=HALVES
    ),
    "extra factor": lambda: of(
        function(lambda x, y: x * y, lambda g, x, y: (g * y * y, g * x)), x=HALVES, y=OTHER
    ),
    "sign flipped": lambda: told("sign flipped"),
    "conjugate missing": lambda: of_complex(lambda z: z * z, lambda g, z: g * 2 * z),
    "conjugate missing, of a real result": lambda: of_complex(
        lambda z: z.abs(), lambda g, z: g * z.conj() / z.abs()
    ),
    "constant factor": lambda: told(scaled(1.0)),
    "constant factor, pi": lambda: told(lambda right: right.gradient * math.pi),
    "constant factor, negative": lambda: told(lambda right: right.gradient * -2.0),
    "constant factor, none simple": lambda: told(lambda right: right.gradient * 1.1),
    "constant factor, nearly 1": lambda: told("factor 1 + 1e-20"),
    "constant factor, two rows": lambda: told("mean for sum", x=tensor(0.5, 2.0)),
    "mean for sum": lambda: told("mean for sum"),
    "sum for mean": lambda: told(lambda right: right.gradient * 6, x=MATRIX),
    "components swapped": lambda: told("two swapped"),
    "components swapped, many": lambda: told(
        lambda right: right.gradient[[3, 0, 4, 1, 2]], x=tensor(0.5, -1.5, 2.0, 1.0, 0.1)
    ),
    "components swapped, reversed": lambda: told(
        lambda right: right.gradient.flip(0), x=tensor(0.5, -1.5, 2.0, 1.0)
    ),
    "components swapped, inputs": lambda: of(
        function(lambda x, y: x * y.exp(), broken), x=HALVES, y=tensor(1.0, 0.5, 2.0)
    ),
    "transposed": lambda: told("transposed", x=MATRIX),
    "rolled": lambda: told("rolled"),
    "rolled, along an axis": lambda: told(lambda right: right.gradient.roll(-1, 1), x=MATRIX),
    "one term missing": lambda: of(
        function(lambda x: x * x.exp(), lambda g, x: g * x.exp()), x=HALVES
    ),
    "one term missing, row": lambda: told("dropped term"),
    "one term missing, of a sum": lambda: of(
        function(
            lambda x, w: (x * w).sum(), lambda g, x, w: ((g * w).expand(3), (g * x)[:-1].sum())
        ),
        x=HALVES.abs(),
        w=torch.tensor(0.7, dtype=torch.float64),
    ),
    "path detached": lambda: of(lambda x: x * x.detach().exp(), x=HALVES),
    "path detached, zeros": lambda: told("zeroed"),
    "path detached, none": lambda: told("cut"),
    "path detached, forward mode": lambda: of(
        lambda x: x.detach() * 1.0, quantity="forward", x=HALVES
    ),
    "grad_output ignored": lambda: told("incoming ignored"),
    "gradients accumulated": lambda: of(function(torch.sin, Growing()), x=HALVES),
    "gradients accumulated, before": lambda: told(
        "accumulated", before={"x": HALVES * 0.875 + 0.0625}, x=HALVES
    ),
    "stale": lambda: told("stale", before={"x": HALVES * 0.875 + 0.0625}),
    "wrong branch": lambda: of(softplus, x=tensor(0.2736, -1.0)),
    "wrong branch, two of them": lambda: of(hardsigmoid, x=tensor(-4.6, 0.5, 4.0)),
    "kink convention": lambda: of(steep(3.0), x=tensor(0.0, 0.5)),
    "NaN from a branch not taken": lambda: of(
        lambda x: torch.where(x > 0, x.sqrt(), x), x=tensor(-1.0, 4.0)
    ),
    "overflow of an intermediate": lambda: of(
        function(lambda x: x * 1e10, lambda g, x: g * 1e30 * 1e20 * 1e-30 * 1e-10),
        x=tensor(0.5, dtype=torch.float32),
    ),
    "underflow of an intermediate": lambda: of(
        function(torch.abs, lambda g, x: g * x / torch.sqrt((x * 1e-170) ** 2) * 1e-170), x=HALVES
    ),
    "not finite": lambda: of(
        function(torch.prod, lambda g, x: g * x.prod() / x), x=tensor(0.0, 2.0, 3.0)
    ),
    "not finite, written": lambda: told("NaN"),
    "narrower dtype": lambda: told("narrower dtype"),
    "narrower dtype, inside": lambda: of(
        function(torch.sin, lambda g, x: g * x.float().cos().double()), x=HALVES
    ),
    "kernel outside its budget": lambda: of(functional.hardsigmoid, x=tensor(0.5, 1.0, 2.0)),
    "kernel outside its budget, one": lambda: told(one_scaled(1e-4), planting=NUMBERS),
    "cancellation": lambda: off_by_units_of_terms(6.0),
    "not deterministic": lambda: told("racy", planting=NUMBERS),
    "other random numbers": lambda: of(function(dropped, drawing_again), x=HALVES),
    "second order cut off": lambda: of(
        function(lambda x: x**3, lambda g, x: cubes(g, x).detach()),
        quantity="second",
        x=tensor(0.5),
    ),
    "second order cut off, zero": lambda: of(
        function(lambda x: x**3, lambda g, x: g * 3 * x.detach() ** 2 + 0 * x),
        quantity="second",
        x=tensor(0.5),
    ),
    "second order cut off, term": lambda: of(
        function(lambda x: x * x.exp(), lambda g, x: g * (x.exp() + x * x.detach().exp())),
        quantity="second",
        x=tensor(0.5),
    ),
    "different functions": lambda: of(
        lambda x, y, w, b: ((w * x + b - y) ** 4).sum(), SQUARES.formula, **SQUARES.at("float64")
    ),
    "different functions, at an operation": lambda: of(
        lambda x: torch.tanh(x) + x.square() * 0.01, case_named("tanh").formula, x=HALVES
    ),
    "wrong reduction": lambda: of(
        lambda x, y, w, b: ((w * x + b - y) ** 2).sum(), SQUARES.formula, **SQUARES.at("float64")
    ),
    "constant factor, of one component": lambda: of(
        function(lambda x: x**3, halved_above), x=HALVES
    ),
    "constant factor, of what is always a part": lambda: of(
        function(lambda x: x**4, lambda g, x: g * 3 * x**3), x=HALVES
    ),
    "constant factor, in another use": lambda: used(
        torch.exp, doubled, Circumstance("in another use"), x=tensor(0.5, -1.5)
    ),
    "constant factor, of a value in another use": lambda: used(
        torch.exp,
        lambda part: part.verdicts.stated / (2 if part.name == "value" else 1),
        Circumstance("in another use"),
        x=HALVES,
    ),
    "path detached, of two components": lambda: of(
        function(torch.abs, lambda g, x: torch.where(x.abs() < 1.75, 0.0, g * x.sign())), x=HALVES
    ),
    "one term missing, all but the diagonal": lambda: of(
        function(lambda x: x.softmax(0), softmax_diagonal), x=HALVES
    ),
    "transposed, an argument": lambda: of(
        function(lambda x, w: x @ w, lambda g, x, w: (g @ w, x.T @ g)), x=SQUARE, w=SQUARE.mT + 1
    ),
    "transposed, grad_output": lambda: of(
        function(lambda x: x.sin(), lambda g, x: g.T * x.cos()), x=SQUARE
    ),
    "transposed, grad_output along another axis": lambda: of(
        function(lambda x: x.logsumexp(-1), lambda g, x: x.softmax(-1) * g), x=SQUARE
    ),
    "other constant": lambda: of(
        function(lambda x: x / (x.square() + 1e-3), other_epsilon), x=HALVES
    ),
    "grad_output changed": lambda: of(
        function(torch.sin, lambda g, x: g.clamp(-0.5, 0.5) * x.cos()), x=HALVES
    ),
    "extra term": lambda: of(function(torch.sin, lambda g, x: g * x.cos() + g), x=HALVES),
    "extra term, a number": lambda: of(
        function(torch.sin, lambda g, x: g * x.cos() + 0.25), x=HALVES
    ),
    "stale, of a later forward": lambda: cubed_at(
        SQUARE + 1, "stale", "at the inputs of the later forward"
    ),
    "strides ignored": lambda: cubed_at(
        SQUARE.mT.contiguous(), "strides ignored", "with x read from memory as if contiguous"
    ),
    "rows mixed": lambda: cubed_at(
        SQUARE[:1].expand(2, 2), "rows mixed", "of the first row, in every row"
    ),
}


# Word for word.


CONJUGATE = (
    "a conj() is missing: the gradient by z is taken with the derivative in the place of its "
    "conjugate"
)
EXPECTED = {
    "missing factor": [("x", "the factor y is missing")],
    "missing factor, computed on the way": [("x", "the factor exp(x) is missing")],
    "extra factor": [("x", "there is a factor y too many")],
    "conjugate missing": [("z.real", CONJUGATE), ("z.imag", CONJUGATE)],
    "conjugate missing, of a real result": [("z.imag", CONJUGATE)],
    "sign flipped": [
        ("x", "the sign is flipped (stated / exact = -1.000000000000000)"),
    ],
    "constant factor": [
        ("x", "it is 2 times the exact gradient"),
    ],
    "constant factor, pi": [
        ("x", "it is pi times the exact gradient"),
    ],
    "constant factor, negative": [
        ("x", "it is -2 times the exact gradient"),
    ],
    "constant factor, none simple": [
        ("x", "it is 1.1 times the exact gradient, in all components"),
    ],
    "constant factor, nearly 1": [
        ("x", "it is 1 + 1e-20 times the exact gradient, in all components"),
    ],
    "constant factor, two rows": [
        (
            "x",
            "it is 1/2 times the exact gradient (x has 2 rows: a sum and a mean may be confused)",
        ),
    ],
    "mean for sum": [
        ("x", "mean for sum: it is 1/3 of the exact gradient, and x has 3 rows"),
    ],
    "sum for mean": [
        ("x", "sum for mean: it is 6 times the exact gradient, and x has 6 elements"),
    ],
    "components swapped": [
        ("x", "x[0] and x[1] are swapped"),
    ],
    "components swapped, many": [
        ("x", "5 components stand at each other's places"),
    ],
    "components swapped, reversed": [
        ("x", "the components come in reverse order"),
    ],
    "components swapped, inputs": [
        ("x", "it is the gradient by y: the two may be returned in the wrong order"),
        ("y", "it is the gradient by x: the two may be returned in the wrong order"),
    ],
    "transposed": [
        ("x", "the components are those of the transposed gradient"),
    ],
    "rolled": [
        ("x", "the components are rolled by 1"),
    ],
    "rolled, along an axis": [
        ("x", "the components are rolled by -1 along axis 1"),
    ],
    "one term missing": [
        ("x", "the gradient lacks the term (grad_output * x) * exp(x)"),
    ],
    "one term missing, row": [
        ("x", "the gradient lacks what element 2 of the result contributes"),
    ],
    "one term missing, of a sum": [
        ("w", "the gradient lacks row 2 of a sum over 3 rows"),
    ],
    "path detached": [
        (
            "x",
            "the gradient lacks the term (grad_output * x) * exp(x): a detach or no_grad cuts that "
            "path",
        ),
    ],
    "path detached, zeros": [
        ("x", "the gradient is 0 in all components, and the exact one is not"),
    ],
    "path detached, none": [
        ("x", "there is no gradient at all, and the exact one is not"),
    ],
    "path detached, forward mode": [
        ("value", "there is no tangent at all, and the exact one is not"),
    ],
    "grad_output ignored": [
        ("x", "it is the gradient with grad_output taken for 1"),
    ],
    "gradients accumulated": [
        (
            "x",
            "each run adds the gradient once more: 5 runs, and no run clears what the one before "
            "left",
        ),
    ],
    "gradients accumulated, before": [
        ("x", "the gradient at the point before this one is added to it"),
    ],
    "stale": [
        ("x", "it is the gradient at the point before this one"),
    ],
    "wrong branch": [
        ("x", "it is the gradient with (x * 3) > 1 decided the other way, in 1 of 2 components"),
    ],
    "wrong branch, two of them": [
        (
            "x",
            "it is the gradient with maximum(x + 3, 0) < 6 or (x + 3) > 0 decided the other way, "
            "in 2 of 3 components",
        ),
    ],
    "kink convention": [
        ("x", "at a kink it is outside the one-sided derivatives, -1.47005 and 1.47005"),
    ],
    "NaN from a branch not taken": [
        (
            "x",
            "the branch that is not taken has no finite derivative, and 0 times that is NaN: guard "
            "its argument",
        ),
    ],
    "overflow of an intermediate": [
        ("x", "multiply on the way gives 1.47e+50, and float32 ends at 3.4e+38"),
    ],
    "underflow of an intermediate": [
        ("x", "square on the way gives 2.50e-341, and float64 ends at 4.94e-324"),
    ],
    "not finite": [
        ("x", "divide on the way has no finite value"),
    ],
    "not finite, written": [
        ("x", "the code itself puts nan there"),
    ],
    "narrower dtype": [
        ("x", "all numbers are those of float32, and its rounding explains the error"),
    ],
    "narrower dtype, inside": [
        ("x", "the backward computes in float32, and its rounding explains the error"),
    ],
    "kernel outside its budget": [
        (
            "x",
            "the formula replays, the kernel, which has 0.1666666716337204, a number of float32, "
            "is off by 3e-08",
        ),
    ],
    "kernel outside its budget, one": [
        ("x", "the formula replays, the kernel is off by 1e-04"),
    ],
    "cancellation": [
        ("x", "terms of 5.88e+06 cancel to 2.94, and their rounding is left"),
    ],
    "other random numbers": [
        (
            "x",
            "the backward draws random numbers again (rand_like in test_causes.py, line "
            f"{drawing_again.__code__.co_firstlineno + 1}): with those of the forward it is right",
        ),
    ],
    "not deterministic": [
        (
            "x",
            "it comes out differently when the code is run again: "
            "x[0] was 1.2902550831029906, then 1.2902282103342193",
        ),
    ],
    "second order cut off": [
        ("x[0] x", "there is no second derivative, though the gradient itself is right"),
        ("x[0] grad_output", "there is no second derivative, though the gradient itself is right"),
    ],
    "second order cut off, zero": [
        ("x[0] x", "the second derivative is 0, though the gradient itself is right"),
    ],
    "second order cut off, term": [
        (
            "x[0] x",
            "the second derivative lacks all that comes from grad_output * x, "
            "though the gradient itself is right",
        ),
    ],
    "different functions": [
        (
            "value",
            "code and formula are different functions: they part at (((w * x) + b) - y) ** 4, "
            "which the formula does not have",
        ),
    ],
    "different functions, at an operation": [
        (
            "value",
            "code and formula are different functions: they part at square(x), which the formula "
            "does not have",
        ),
    ],
    "constant factor, of one component": [
        ("x", "it is 1/2 times the exact gradient, in 1 of 3 components"),
    ],
    "constant factor, of what is always a part": [("x", "it is 3/4 times the exact gradient")],
    "constant factor, in another use": [("x", "it is 2 times the exact gradient")],
    "constant factor, of a value in another use": [("value", "it is 1/2 times the exact value")],
    "path detached, of two components": [
        ("x", "the gradient is 0, and the exact one is not, in 2 of 3 components"),
    ],
    "one term missing, all but the diagonal": [
        (
            "x",
            "each component has only what the result at its own place contributes: what it adds to "
            "the others is missing",
        ),
    ],
    "transposed, an argument": [("x", "it is the gradient with w transposed")],
    "transposed, grad_output": [("x", "it is the gradient with grad_output transposed")],
    "transposed, grad_output along another axis": [
        ("x", "it is the gradient with grad_output along axis 1"),
    ],
    "other constant": [("x", "the backward has 1e-06 in the place of 0.001")],
    "grad_output changed": [
        (
            "x",
            "it is the gradient with minimum(maximum(grad_output, -0.5), 0.5) in the place of "
            "grad_output",
        ),
    ],
    "extra term": [("x", "grad_output is added to the exact gradient")],
    "extra term, a number": [("x", "0.25 is added to the exact gradient")],
    "stale, of a later forward": [
        ("value", "it is the value at the inputs of the later forward"),
        ("x", "it is the gradient at the inputs of the later forward"),
    ],
    "strides ignored": [
        ("value", "it is the value with x read from memory as if contiguous"),
        ("x", "it is the gradient with x read from memory as if contiguous"),
    ],
    "rows mixed": [
        ("value", "it is the value of the first row, in every row"),
        ("x", "it is the gradient of the first row, in every row"),
    ],
    "wrong reduction": [
        ("value", "the code takes the sum of 8, the formula the mean"),
    ],
}


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_mistake_is_named_in_a_sentence(name):
    found = EXAMPLES[name]()
    assert [(cause.component, cause.sentence) for cause in found.causes] == EXPECTED[name]
    assert {cause.cause for cause in found.causes} == {name.partition(",")[0]}
    assert name.partition(",")[0] not in found.ruled_out


def test_every_cause_has_an_example_and_a_companion():
    assert {name.partition(",")[0] for name in EXAMPLES} == set(NAMES) == set(COMPANIONS)


def first_kept(right):
    """Nothing but the first component."""
    return right.gradient * torch.tensor([1.0, 0.0, 0.0], dtype=right.gradient.dtype)


def backward_of_softplus(incoming, x):
    return torch.where(3 * x > 1, 2 * incoming, incoming * torch.sigmoid(3 * x))


def half_the_term(incoming, x):
    return incoming * x.exp() * (1 + x / 2)


def narrow_and_off(incoming, x):
    return (1.01 * (incoming * x.cos()).float()).double()


BEFORE = {"x": HALVES * 0.875 + 0.0625}
COMPANIONS = {
    "missing factor": lambda: of(
        function(lambda x, y: x * y, lambda g, x, y: (g * (1 + y) / 3, g * x)), x=HALVES, y=OTHER
    ),
    "extra factor": lambda: of(
        function(lambda x, y: x * y, lambda g, x, y: (3 * g * y, g * x)), x=HALVES, y=OTHER
    ),
    "conjugate missing": lambda: of_complex(lambda z: z * z, lambda g, z: g * z),
    "sign flipped": lambda: told(lambda right: -right.gradient.square()),
    "constant factor": lambda: told(lambda right: right.gradient.square()),
    "other constant": lambda: of(
        function(lambda x: x / (x.square() + 1e-3), lambda g, x: 2 * other_epsilon(g, x)), x=HALVES
    ),
    "grad_output changed": lambda: of(
        function(torch.sin, lambda g, x: g.clamp(-0.5, 0.5) * x.cos() * x), x=HALVES
    ),
    "extra term": lambda: of(function(torch.sin, lambda g, x: g * x.cos() + 0.25 * x), x=HALVES),
    "strides ignored": EXAMPLES["rows mixed"],
    "rows mixed": EXAMPLES["strides ignored"],
    "mean for sum": lambda: told(lambda right: right.gradient / 2),
    "sum for mean": lambda: told(lambda right: right.gradient * 5, x=MATRIX),
    "components swapped": lambda: told(lambda right: 1.5 * right.gradient[[1, 0, 2]]),
    "transposed": lambda: told(lambda right: -right.gradient.mT.reshape(2, 3), x=MATRIX),
    "rolled": lambda: told(lambda right: 1.5 * right.gradient.roll(1)),
    "one term missing": lambda: of(function(lambda x: x * x.exp(), half_the_term), x=HALVES),
    "path detached": lambda: told(lambda right: first_kept(right) + 0.125),
    "grad_output ignored": lambda: told(lambda right: right.with_incoming(right.incoming**2)),
    "gradients accumulated": lambda: told(
        lambda right: right.gradient + 0.5 * right.backward([BEFORE["x"]], right.incoming),
        before=BEFORE,
    ),
    "stale": lambda: told(
        lambda right: 0.5 * right.backward([BEFORE["x"]], right.incoming), before=BEFORE
    ),
    "wrong branch": lambda: of(function(softplus, backward_of_softplus), x=tensor(0.5, -1.0)),
    "kink convention": lambda: of(
        function(torch.abs, lambda g, x: torch.where(x == 0, g, 3 * g * x.sign())),
        x=tensor(0.0, 0.5),
    ),
    "NaN from a branch not taken": lambda: told("NaN"),
    "overflow of an intermediate": EXAMPLES["not finite"],
    "underflow of an intermediate": EXAMPLES["overflow of an intermediate"],
    "not finite": EXAMPLES["overflow of an intermediate"],
    "narrower dtype": lambda: of(function(torch.sin, narrow_and_off), x=HALVES),
    "kernel outside its budget": lambda: told(one_scaled(1e-4)),
    "cancellation": EXAMPLES["kernel outside its budget"],
    "other random numbers": lambda: of(
        function(dropped, lambda g, x: 2 * drawing_again(g, x)), x=HALVES
    ),
    "not deterministic": lambda: told(
        one_scaled(1e-4), planting=KERNEL, formula=case_named("tanh").formula, code=torch.tanh
    ),
    "second order cut off": lambda: of(
        function(lambda x: x**3, lambda g, x: 2 * cubes(g, x)), quantity="second", x=tensor(0.5)
    ),
    "different functions": EXAMPLES["wrong reduction"],
    "wrong reduction": EXAMPLES["different functions"],
}
"""Something else that is wrong, in which the cause is not."""


@pytest.mark.parametrize("name", COMPANIONS)
def test_it_is_not_named_where_it_is_not(name):
    found = COMPANIONS[name]()
    assert found.causes or found.ruled_out
    assert name not in {cause.cause for cause in found.causes}


def test_evidence():
    (graph,) = told("sign flipped").causes
    assert graph.evidence == (
        "x[2]: stated 0.3992441768197757, predicted 0.3992441768197757, exact "
        "-0.3992441768197757, float64 allows "
        "1.3e-16; in exact arithmetic the code's graph gives what is predicted"
    )
    assert (graph.dtype, graph.point) == ("float64", 3)
    (numbers,) = told("sign flipped", planting=NUMBERS).causes
    assert numbers.evidence == (
        "x[2]: stated 0.3992441768197757, predicted 0.3992441768197757, exact "
        "-0.3992441768197757, "
        "float64 allows 1.3e-16"
    )
    (unknown,) = EXAMPLES["narrower dtype"]().causes
    assert unknown.evidence == (
        "x[0]: stated 1.2900928258895874, exact 1.2900928794400277, float64 allows 6.1e-16"
    )


def test_no_cause_found_with_what_was_ruled_out():
    found = told(lambda right: right.gradient + 0.1 * torch.sin(3 * right.gradient + 1))
    assert found.causes == ()
    assert set(found.ruled_out) == set(NAMES)
    assert told(lambda right: right.gradient).ruled_out == ()


def test_values_have_causes_of_their_own():
    found = of(lambda x: torch.log(1 + torch.exp(x)), x=tensor(800.0))
    assert [(cause.cause, cause.component) for cause in found.causes] == [
        ("overflow of an intermediate", "value"),
        ("overflow of an intermediate", "x"),
    ]
    other = of(lambda x: -torch.sin(x), case_named("tanh").formula, x=HALVES)
    assert not set(other.ruled_out) - OF_VALUES


def test_parts_alone_are_enough_for_what_they_show():
    examination = examine(Subject(liar_of("sign flipped"), {"x": HALVES}))
    found = find_causes(Finding("reverse", "float64", parts=examination.parts))
    assert [(cause.cause, cause.point) for cause in found.causes] == [("sign flipped", 0)]


def liar_of(name):
    return GRAPH.plant(torch.sin, liar_named(name).lie, 0)


def test_other_statements_of_the_same_numbers():
    examination = examine(Subject(torch.sin, {"x": HALVES}))
    part = examination["x"]
    restated = part.restated(2.0 * part.verdicts.stated)
    found = find_causes(Finding("expanded", "float64", parts=(restated,), examination=examination))
    assert [cause.sentence for cause in found.causes] == ["it is 2 times the exact gradient"]


def test_gradients_in_the_wrong_order_among_other_statements_of_the_same_numbers():
    """The parts are records of their own, with the names of those that were examined."""
    swapped = function(torch.mul, lambda g, a, b: (g * a, g * b))
    examination = examine(Subject(swapped, {"a": HALVES, "b": tensor(1.0, 0.5, 2.0)}))
    parts = tuple(examination[name].restated(examination[name].verdicts.stated) for name in "ab")
    found = find_causes(Finding("expanded", "float64", parts=parts, examination=examination))
    assert [(cause.component, cause.sentence) for cause in found.causes] == [
        ("a", "it is the gradient by b: the two may be returned in the wrong order"),
        ("b", "it is the gradient by a: the two may be returned in the wrong order"),
    ]


def test_a_kink_hides_no_other_mistake():
    found = of(function(torch.relu, lambda g, x: -g * (x > 0)), x=tensor(0.0, 1.5, -0.5))
    assert [cause.cause for cause in found.causes] == ["sign flipped"]


def test_a_part_of_a_term_that_is_used_twice():
    def code(x):
        inner = x * x
        return torch.sin(inner) * inner

    def backward(incoming, x):
        square = x * x
        # d/dx of square, and of sin(square) with one of its two factors alone.
        return incoming * (torch.sin(square) * 2 * x + square * torch.cos(square) * x)

    found = of(function(code, backward), x=HALVES)
    assert [cause.cause for cause in found.causes] == ["one term missing"]
    assert found.causes[0].sentence == (
        "the gradient lacks the term (grad_output * (x * x)) * cos(x * x) within a term that ends "
        "in sin"
    )


def test_a_constant_computed_beforehand_is_rounded():
    """1/3 is a number of float32 in the graph: the numbers tell what exact arithmetic cannot."""
    third = torch.ones(3) / 3
    found = of(function(torch.sin, lambda g, x: g * x.cos() * third), x=HALVES.float())
    assert [cause.cause for cause in found.causes] == ["mean for sum"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("liar", ["sign flipped", "mean for sum", "incoming ignored", "rolled"])
def test_narrow_formats(dtype, liar):
    x = torch.tensor([0.3, -1.2, 0.9, 1.7, -0.6]).to(getattr(torch, dtype))
    expected = {"incoming ignored": "grad_output ignored"}.get(liar, liar)
    for planting in (GRAPH, NUMBERS):
        assert [cause.cause for cause in told(liar, planting=planting, x=x).causes] == [expected]


def test_a_table_of_a_large_program_is_not_searched():
    """A tensor of so many numbers gets the causes that need no search."""
    found = told("sign flipped", x=torch.linspace(-2.0, 2.0, 3000, dtype=torch.float64))
    assert [cause.cause for cause in found.causes] == ["sign flipped"]


# The trial.


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.kind)
def test_planted_in_random_formulas(mistake):
    (found,) = try_causes(mistake, [0], 0)
    assert found.is_right
    assert found.wrongly == ()


CONSTANTS = (
    "1/pi", "2*pi", "1/(2*pi)", "pi/2", "2/pi", "log(2)", "1/log(2)", "log(10)", "1/log(10)",
    "sqrt(2)", "1/sqrt(2)", "e", "1/e", "sqrt(pi)", "1/sqrt(pi)", "2/sqrt(pi)", "sqrt(2*pi)",
    "1/sqrt(2*pi)", "180/pi", "pi/180", "3/2", "2/3", "3/4", "4/3", "sqrt(3)", "1/sqrt(3)",
)  # fmt: skip


@pytest.mark.parametrize("text", CONSTANTS)
def test_a_constant_is_named_as_it_is_written(text):
    value = float(sympy.sympify(text, {"e": sympy.E}))
    (cause,) = told(lambda right: right.gradient * value).causes
    assert cause.sentence == f"it is {text} times the exact gradient"


def test_the_same_seed_gives_the_same_formulas():
    one, other, another = (list(try_causes(MISTAKES[0], [3], seed)) for seed in (0, 0, 1))
    assert one == other != another


def test_random_formulas_are_their_own_text():
    """Code and text are the same function."""
    for seed in range(20):
        formula = RandomFormula.draw(np.random.default_rng(seed))
        case = formula.case
        assert examine(case.subject(case.code, "float64", seed), case.formula).same_function
        assert not formula.tree.is_degenerate


@pytest.mark.parametrize(
    ("tree", "degenerate"),
    [
        (FormulaTree("add", (FormulaTree("x"), FormulaTree("y"))), True),
        (FormulaTree("multiply", (FormulaTree("x"), FormulaTree("x"))), True),
        (
            FormulaTree("sin", (FormulaTree("subtract", (FormulaTree("x"), FormulaTree("x"))),)),
            True,
        ),
        (FormulaTree("multiply", (FormulaTree("x"), FormulaTree("y"))), False),
    ],
)
def test_formulas_that_prove_nothing(tree, degenerate):
    assert tree.is_degenerate == degenerate


def accused(planted, *named_):
    return CauseResult(planted, planted, "x", "float64", named_)


def test_namings_are_counted():
    rows = namings([
        accused("sign flipped", "sign flipped"), accused("sign flipped", "rolled", "sign flipped"),
        accused("sign flipped"), accused("rolled", "rolled"), accused(""), accused("", "stale"),
    ])  # fmt: skip
    assert rows == [
        Naming("sign flipped", 3, 2, 3, 0, 2),
        Naming("rolled", 1, 1, 5, 1, 1),
        Naming("stale", 0, 0, 6, 1),
        Naming("", 2, 1, 4, 0, 1),
    ]
    assert Naming("rolled", 100, 95, 2900, 29, 94).is_good
    assert not Naming("rolled", 100, 94, 2900, 29, 94).is_good
    assert not Naming("rolled", 100, 95, 2900, 30, 95).is_good
    assert not Naming("rolled", 100, 95, 2900, 29, 93).is_good


def test_a_cause_counts_as_held_where_it_is_named_and_true_at_the_point_shown():
    right = accused("rolled", "rolled")
    rows = namings([
        right, replace(right, shown=("rolled",)), replace(right, shown=("sign flipped",)),
        replace(right, shown=()), replace(right, holds=False),
    ])  # fmt: skip
    assert rows == [
        Naming("sign flipped", 0, 0, 5, 1),
        Naming("rolled", 5, 5, 0, 0, 2),
    ]


HEAD = """\
FAILED  found 0 of 0 lies that must be found; 0 false alarms in 0 components of
honest code.
misnamed: rolled: rightly in 0 of 1 formulas, wrongly in 0 of 3
misnamed: stale: rightly in 0 of 0 formulas, wrongly in 1 of 4
misnamed: no cause: rightly in 0 of 1 formulas, wrongly in 0 of 3
"""
TABLE = """\
Causes of mistakes planted in random formulas: named where they are, and where
not.
                named  holds where  named though
cause         rightly        shown     not there
────────────────────────────────────────────────
sign flipped      2/2          2/2           0/2
rolled            0/1            –           0/3
stale               –            –           1/4
no cause          0/1            –             –"""


def test_the_selftest_tells_what_was_named():
    results = (
        accused("sign flipped", "sign flipped"), accused("sign flipped", "sign flipped"),
        accused("rolled"), accused("", "stale"),
    )  # fmt: skip
    trials = Trials(results, 1, 1, 0, quick=True)
    assert str(trials).startswith(HEAD)
    assert str(trials).endswith(TABLE)
    assert trials.exit_code == 1
    assert Trials(results[:2], 1, 1, 0, quick=True).exit_code == 0
    document = trials.to_json()
    assert document["causes"][1] == {
        "cause": "rolled",
        "planted": 1,
        "rightly": 0,
        "elsewhere": 3,
        "wrongly": 0,
        "holding": 0,
    }
    assert document["accused"][3]["named"] == ["stale"]


def test_every_scope_tries_every_mistake():
    for scope in (QUICK, FULL):
        without = replace(scope, formulas=0)
        assert len(list_tasks(scope, 0)) - len(list_tasks(without, 0)) == len(MISTAKES) * math.ceil(
            scope.formulas / AT_ONCE
        )


def test_blame_that_names_anything_fails(monkeypatch):
    found = find_causes(Finding("reverse", "float64"))
    loud = replace(found, causes=(CheckCause("stale", "x", "it is stale", ""),))
    monkeypatch.setattr(causes_trial, "find_causes", lambda finding, before=None: loud)
    (flipped,) = try_causes(MISTAKES[0], [0], 0)
    assert (flipped.is_right, flipped.wrongly) == (False, ("stale",))


def test_truth_values_that_are_moved_are_no_factor():
    """A mask in another shape stops no search."""

    class Masked(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.where((x.reshape(2, 2) > 0).reshape(4), x.exp(), x * x)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            kept = (x.reshape(2, 2) > 0).reshape(4)
            return g * torch.where(kept, x.exp(), 2 * x) * (1 + 0.1 * x.sin())

    report = verifier.check(
        Masked.apply, inputs={"x": torch.tensor([0.5, -1.5, 2.0, -0.25])}, dtypes=["float64"]
    )
    assert report.outcome == "disagrees"
    assert "search for causes failed" not in str(report)
