"""Each way in which a gradient is asked for finds what only it can find, and lets honest
code pass.
"""

import pytest
import torch

import verifier
from tests.helpers.own_backward import OnceDifferentiable, with_context, with_slope
from verifier.checking.variants import AT_EVERY_POINT, CHEAP, COSTLY, NAMES
from verifier.checking.variants.layout_and_vmap import with_first_axis_fastest, with_strides

SHAPE = verifier.between(-2, 2, shape=(3, 4))
OF_ONE_INPUT = {"undefined": "the code has one result"}
"""What is not made of code with one input and one result, and why."""


def outcomes(report):
    """By check, the worst outcome; None where it was not made."""
    found = {}
    for finding in report.checked.findings:
        outcome = finding.outcome
        before = found.get(finding.check)
        if before is None or (outcome is not None and outcome.severity > before.severity):
            found[finding.check] = outcome
    return found


def checked(code, **given):
    settings = {"inputs": {"x": SHAPE}, "dtypes": ["float64"], "points": 2, **given}
    return verifier.check(code, **settings)


def wrong_in(report):
    return {name for name, outcome in outcomes(report).items() if outcome == "disagrees"}


def absent(report):
    return {finding.check: finding.absent for finding in report.checked.findings if finding.absent}


class Sine(torch.autograd.Function):
    """Everything right: reverse, forward, second order, vmap."""

    generate_vmap_rule = False

    @staticmethod
    def forward(x):
        return x.sin()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos()

    @staticmethod
    def jvp(ctx, t):
        return t * ctx.saved_tensors[0].cos()

    @staticmethod
    def vmap(info, dims, x):
        return Sine.apply(x), dims[0]


def function(**changed):
    return type(
        "Changed", (Sine,), {name: staticmethod(method) for name, method in changed.items()}
    ).apply


def test_every_check_has_a_name_of_its_own():
    checks = (*AT_EVERY_POINT, *CHEAP, *COSTLY)
    assert sorted(NAMES) == sorted(check.name for check in checks)
    assert len(set(NAMES)) == len(NAMES)


def test_what_is_right_passes_every_check():
    report = checked(Sine.apply)
    assert report.outcome == "agrees"
    assert absent(report) == OF_ONE_INPUT
    assert {name for name, outcome in outcomes(report).items() if outcome == "agrees"} == set(
        NAMES
    ) - {"undefined", "subset", "same"}


def test_a_wrong_value_is_the_formulas():
    report = checked(torch.sin, formula="cos(x)", inputs={"x": SHAPE})
    assert "value" in wrong_in(report)
    assert "reverse" not in wrong_in(report)


def test_a_wrong_reverse_mode():
    report = checked(function(backward=lambda ctx, g: 2 * g * ctx.saved_tensors[0].cos()))
    assert {"reverse", "both", "second", "strided", "expanded", "structured"} <= wrong_in(report)
    assert "forward" not in wrong_in(report)


def test_a_wrong_forward_mode():
    report = checked(function(jvp=lambda ctx, t: -t * ctx.saved_tensors[0].cos()))
    assert wrong_in(report) == {"forward", "both"}


def test_a_wrong_second_order():
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].detach().cos()

    report = checked(function(backward=backward))
    assert wrong_in(report) == {"second"}
    assert {cause.cause for cause in report.causes} == {"second order cut off"}


def test_a_wrong_vmap():
    report = checked(function(vmap=lambda info, dims, x: (Sine.apply(-x), dims[0])))
    assert wrong_in(report) == {"vmap"}


def test_a_backward_that_takes_its_argument_for_contiguous():
    def backward(ctx, g):
        flat = torch.as_strided(g, g.shape, (4, 1)) if g.dim() == 2 else g
        return flat * ctx.saved_tensors[0].cos()

    assert {"strided", "expanded"} & wrong_in(checked(function(backward=backward)))


def test_a_backward_that_ignores_grad_output():
    report = checked(
        function(backward=lambda ctx, g: torch.ones_like(g) * ctx.saved_tensors[0].cos())
    )
    assert "reverse" in wrong_in(report)
    assert "grad_output ignored" in {cause.cause for cause in report.causes}


class Pair(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        ctx.set_materialize_grads(False)
        return x.sin(), x.cos()

    @staticmethod
    def backward(ctx, g, h):
        (x,) = ctx.saved_tensors
        if h is None:
            return None if g is None else 2 * g * x.cos()
        return (0 if g is None else g * x.cos()) - h * x.sin()


def test_a_backward_that_is_wrong_where_a_grad_output_is_undefined():
    report = checked(Pair.apply, without=["second"])
    assert wrong_in(report) == {"undefined"}


def test_two_results_that_are_right():
    report = checked(lambda x: (x.sin(), x.cos()))
    assert report.outcome == "agrees"
    assert outcomes(report)["undefined"] == "agrees"


def test_another_gradient_each_time():
    # Torch's own generator has the same seed in each run.
    generator = torch.Generator()

    def backward(ctx, g):
        noise = torch.rand((), generator=generator).to(g.dtype)
        return g * ctx.saved_tensors[0].cos() * (1 + 1e-3 * noise)

    report = checked(function(backward=backward))
    assert {"determinism", "reverse"} <= wrong_in(report)
    (sentence,) = {one for finding in report.checked.findings for one in finding.failures}
    assert sentence == "x: 12 of 12 numbers come out differently when the code is run again"


def test_grad_output_that_is_overwritten():
    def backward(ctx, g):
        gradient = g * ctx.saved_tensors[0].cos()
        g.data.zero_()
        return gradient

    report = checked(function(backward=backward), without=["second", "vmap"])
    assert "overwriting" in wrong_in(report)
    sentences = {one for finding in report.checked.findings for one in finding.failures}
    assert "the backward overwrites grad_output, which others use as well" in sentences


def test_an_input_that_is_changed_in_place_with_autograds_knowledge():
    report = checked(lambda x: x.mul_(2).sin())
    assert "overwriting" not in wrong_in(report)
    assert "the code writes to its input x" in report.checked.notes
    assert "the code writes to its input x" not in checked(lambda x: x.sin()).checked.notes


def test_a_gradient_that_does_not_arrive():
    report = checked(lambda x, y: x.sin() * y.detach(), inputs={"x": SHAPE, "y": SHAPE})
    assert {"reach", "reverse"} <= wrong_in(report)
    sentences = {one for finding in report.checked.findings for one in finding.failures}
    assert sentences == {"no gradient reaches y, though the result depends on it"}
    (note,) = report.checked.notes
    line = test_a_gradient_that_does_not_arrive.__code__.co_firstlineno + 1
    where = f"detach in test_variants.py, line {line}"
    assert note == (
        f"the code takes values out of autograd ({where}): --honour-detach takes that for a "
        "constant"
    )


def test_what_is_detached_on_purpose():
    report = checked(
        lambda x, y: x.sin() * y.detach(), inputs={"x": SHAPE, "y": SHAPE}, honour_detach=True
    )
    assert report.outcome == "agrees"
    assert "taken for constants" in report.checked.notes[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_check_is_switched_off_by_its_name(name):
    inputs = {"input": verifier.between(-1, 1), "other": verifier.between(-1, 1)}
    report = checked(torch.mul, inputs=inputs, without=[name], points=1)
    assert name not in {finding.check for finding in report.checked.findings}
    assert {finding.check for finding in report.checked.findings} == set(NAMES) - {name}


def test_what_torch_says_at_length_is_said_shortly():
    report = checked(OnceDifferentiable.apply)
    assert report.outcome == "agrees"
    assert absent(report) == {
        "forward": "the code has an autograd.Function without a jvp",
        "both": "the code has an autograd.Function without a jvp",
        "second": "the code has a backward that is marked as once_differentiable",
        "vmap": "the code has an autograd.Function without a setup_context, as vmap needs",
        **OF_ONE_INPUT,
    }


def test_a_mark_is_found_behind_other_operations():
    report = checked(lambda x: OnceDifferentiable.apply(2 * x))
    sentence = "the code has a backward that is marked as once_differentiable"
    assert absent(report)["second"] == sentence


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 2)])
def test_dropout_agrees_though_torch_draws_in_the_order_of_memory(shape):
    report = checked(
        torch.nn.Dropout(0.4), inputs={"input": verifier.between(-2, 2, shape=shape)}, points=1
    )
    assert report.outcome == "agrees"
    assert "strided" not in absent(report)
    assert absent(report)["vmap"] == "the code draws random numbers, for which vmap asks how"
    layouts = [one for one in report.checked.findings if one.check == "strided" and one.parts]
    assert len(layouts) > 1


def test_a_dropout_that_forgets_its_scale_in_a_layout_is_found():
    class Forgetful(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.kept = (torch.rand_like(x) > 0.4).to(x.dtype)
            ctx.scale = 1 / 0.6 if x.storage_offset() == 0 else 1.0
            return x * ctx.kept / 0.6

        @staticmethod
        def backward(ctx, g):
            return g * ctx.kept * ctx.scale

    inputs = {"x": verifier.between(-2, 2, shape=(3, 4))}
    report = checked(Forgetful.apply, inputs=inputs, points=1)
    assert report.outcome == "disagrees"
    assert {one.check for one in report.checked.findings if one.outcome == "disagrees"} == {
        "strided"
    }


def test_a_check_in_which_the_code_raises():
    report = checked(lambda x: x.view(-1).sin())
    assert absent(report)["expanded"].startswith(
        "the code raises RuntimeError: view size is not compatible"
    )


def test_strided():
    tensor = torch.arange(6.0).reshape(2, 3)
    apart = with_strides(tensor)
    assert torch.equal(apart, tensor)
    assert not apart.is_contiguous()
    assert apart.storage_offset() == 1
    assert with_strides(torch.tensor(2.0)).item() == 2.0
    assert with_first_axis_fastest(torch.ones(2, 3, 4)).stride() == (1, 2, 6)
    assert torch.equal(with_first_axis_fastest(tensor), tensor)


LEFT = torch.tensor([-7.5, -3.96875, 2.875, -2.796875, -5.875], dtype=torch.bfloat16)
RIGHT = torch.tensor([0.7109375, 5.8125, 2.5625, 7.75, -4.5625], dtype=torch.bfloat16)


def inner(x, y, off=0.0):
    """An inner product, which is off by so much where what it is given lies in memory with gaps."""
    found = torch.inner(x, y)
    return found if x.is_contiguous() or not off else found * (1.0 + off)


@pytest.mark.parametrize(("off", "outcome"), [(0.0, "agrees"), (0.0625, "disagrees")])
def test_other_operations_in_another_layout_round_by_themselves(off, outcome):
    """torch multiplies and adds up where it has no product of vectors with gaps."""
    report = verifier.check(
        lambda x, y: inner(x, y, off),
        inputs={"x": LEFT, "y": RIGHT},
        dtypes=["bfloat16"],
        without=[name for name in NAMES if name != "strided"],
    )
    assert report.outcome.value == outcome


def noisy(slope):
    """What is drawn like a tensor that lies otherwise in memory lies otherwise, too."""

    class Noisy(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            noise = torch.rand_like(x)
            ctx.save_for_backward(noise, x)
            return noise * x.sin()

        @staticmethod
        def backward(ctx, g):
            noise, x = ctx.saved_tensors
            return g * noise * x.cos() * slope(g)

    return Noisy.apply


def test_layouts_are_judged_with_the_same_random_numbers():
    inputs = {"x": verifier.between(-1, 1, shape=(3, 4))}
    without = [name for name in NAMES if name not in ("reverse", "strided")]
    right = checked(noisy(lambda g: 1.0), inputs=inputs, without=without)
    assert right.outcome == "agrees"
    wrong = checked(
        noisy(lambda g: 1.0 if g.is_contiguous() else 1.001), inputs=inputs, without=without
    )
    assert wrong_in(wrong) == {"strided"}


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_rows_that_share_their_memory_are_tried_at_each_number_of_rows(rows):
    report = checked(
        torch.sin, inputs={"input": verifier.between(-1, 1, shape=(rows, 2))}, dtypes=["float64"],
        points=1, without=[name for name in NAMES if name not in ("reverse", "expanded")],
    )  # fmt: skip
    found = [each for each in report.checked.findings if each.check == "expanded"]
    assert found and all(each.parts for each in found)


@pytest.mark.parametrize("size", [25, pytest.param(100, marks=pytest.mark.slow)])
def test_one_component_of_many(size):
    def backward(ctx, g):
        gradient = g * ctx.saved_tensors[0].cos()
        gradient[17, 23] *= 1 + 1e-3
        return gradient

    report = checked(
        function(backward=backward), inputs={"x": verifier.between(-2, 2, shape=(size, size))},
        dtypes=["float32"], points=1, without=[name for name in NAMES if name != "reverse"],
    )  # fmt: skip
    assert report.outcome == "disagrees"
    (component,) = [one for one in report.components if one.outcome == "disagrees"]
    assert component.outcomes["disagrees"] >= 1
    assert "x[17,23]" in str(report)


def scaling(factor):
    """exp with a backward that is wrong by a factor, which may depend on everything."""

    def forward(x):
        return x.exp()

    return function(
        forward=forward,
        backward=lambda ctx, g: factor(g, ctx.saved_tensors[0]) * g * ctx.saved_tensors[0].exp(),
        jvp=lambda ctx, t: t * ctx.saved_tensors[0].exp(),
        vmap=lambda info, dims, x: (x.exp(), dims[0]),
    )


def test_a_condition_that_the_backward_alone_has():
    """No random number needs to lie beyond it: the backward's own border is an edge."""
    report = checked(scaling(lambda g, x: torch.where(x > 1.99, 2.0, 1.0)), seed=3)
    assert "reverse" in wrong_in(report)


@pytest.mark.parametrize(
    "factor",
    [
        lambda g, x: torch.where(g == 0, 1.0, 1.0) + torch.where(g.abs() > 100, 0.5, 0.0),
        lambda g, x: g.clamp(-100, 100) / torch.where(g == 0, 1.0, g),
        lambda g, x: torch.where((g > 0).any(), 1.0, 3.0),
        lambda g, x: torch.where((g != 0).sum() == 1, 3.0, 1.0),
    ],
    ids=["large", "clipped", "negative", "one"],
)
def test_a_condition_on_grad_output(factor):
    assert "structured" in wrong_in(checked(scaling(factor), without=["second"]))


def test_a_backward_that_raises_where_a_grad_output_is_undefined():
    class Two(Pair):
        @staticmethod
        def backward(ctx, g, h):
            (x,) = ctx.saved_tensors
            return g * x.cos() - h * x.sin()

    report = checked(Two.apply, without=["second"])
    assert "undefined" in wrong_in(report)
    sentences = [one for finding in report.checked.findings for one in finding.failures]
    assert sentences[0].startswith(
        "the backward of result 0 alone, as where the others are not used, raises TypeError: "
        "unsupported operand"
    )


def test_a_double_backward_that_is_wrong_by_grad_output():
    class Inner(torch.autograd.Function):
        @staticmethod
        def forward(ctx, g, x):
            ctx.save_for_backward(g, x)
            return g * x.exp()

        @staticmethod
        def backward(ctx, h):
            g, x = ctx.saved_tensors
            return 2 * h * x.exp(), h * g * x.exp()

    class Outer(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.exp()

        @staticmethod
        def backward(ctx, g):
            return Inner.apply(g, *ctx.saved_tensors)

    report = checked(Outer.apply)
    assert wrong_in(report) == {"second"}
    assert {one.name for one in report.components if one.outcome == "disagrees"} == {
        "x grad_output"
    }


def test_a_vmap_that_ignores_its_batch():
    code = function(vmap=lambda info, dims, x: (Sine.apply(x[0]).expand(x.shape), dims[0]))
    given = torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(3, 4)
    assert wrong_in(checked(code, inputs={"x": given})) == {"vmap"}


def test_vmap_has_its_own_rounding():
    """Under vmap torch computes 1 - sigmoid, which is 0 where it is small."""
    inputs = {"z": verifier.between(-40, 40, shape=(6,)), "t": torch.tensor([0, 1, 0, 1, 1, 0.0])}
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    report = checked(lambda z, t: loss(z, t), inputs=inputs, without=["second"])
    assert "vmap" not in wrong_in(report)


@pytest.mark.parametrize("code", [torch.prod, lambda x: x.cumprod(0)], ids=["prod", "cumprod"])
def test_second_derivatives_that_torch_computes_in_another_way_than_its_graph(code):
    given = torch.tensor([-0.7637902, 0.32489693, 0.5])
    report = checked(lambda x: code(x), inputs={"x": given}, dtypes=["float32"])
    assert report.outcome == "agrees"
    twice = function(
        forward=lambda x: x**3,
        backward=lambda ctx, g: (
            3 * g * ctx.saved_tensors[0] ** 2 + 1e-9 * ctx.saved_tensors[0].sum()
        ),
    )
    assert "second" in wrong_in(checked(twice, inputs={"x": given.double()}))


def test_a_gradient_that_is_a_buffer_of_its_own():
    buffer = torch.zeros(3, 4, dtype=torch.float64)

    def backward(ctx, g):
        torch.mul(g, ctx.saved_tensors[0].cos(), out=buffer)
        return buffer

    report = checked(
        function(backward=backward), without=["second", "vmap", "expanded", "strided", "structured"]
    )
    sentences = {one for finding in report.checked.findings for one in finding.failures}
    assert "the gradient by x is a buffer that the next backward writes to" in sentences


class StrideReader(torch.autograd.Function):
    """A backward that reads memory as if its argument were contiguous."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        in_rows = torch.as_strided(x, x.shape, (x.shape[1], 1), x.storage_offset())
        return 2 * g * in_rows


def test_a_function_of_strides_is_not_asked_in_other_layouts():
    report = checked(lambda x: torch.as_strided(x, (2, 2), (1, 2)) * 3)
    assert report.outcome == "agrees"
    assert "as_strided" in absent(report)["strided"]
    assert "as_strided" in absent(report)["expanded"]
    assert "strided" in wrong_in(checked(StrideReader.apply))


def test_equal_rows_are_not_asked_of_what_they_make_singular():
    report = checked(torch.linalg.inv, inputs={"A": verifier.between(-2, 2, shape=(3, 3))})
    assert "expanded" in absent(report)
    assert "expanded" not in absent(checked(torch.sin))


def test_a_norm_has_no_curvature_at_zero():
    def slope(x):
        return torch.where(x.norm() == 0, torch.zeros_like(x), x / x.norm())

    report = checked(
        with_slope(torch.norm, slope), inputs={"x": torch.zeros(3, dtype=torch.float64)}
    )
    assert report.outcome == "agrees", str(report)
    assert "does not exist here" in absent(report)["second"], str(report)


def test_both_modes_are_compared_with_all_digits():
    """Of 7,000 numbers the sums have more digits than balls by default."""

    def shifted(x):
        return torch.slice_scatter(x, 3 * x[:, :5], 1, 2, 7)

    shape = verifier.between(-2, 2, shape=(10, 10, 10))
    assert outcomes(checked(shifted, inputs={"x": shape}))["both"] == "agrees"


def test_a_point_beside_that_leaves_the_domain_is_no_verdict_under_vmap():
    def first(x):
        return torch.sqrt(torch.clamp(x, min=0)).gather(0, torch.tensor([0]))

    x = torch.tensor([0.7, -0.3, -1.0], dtype=torch.float64)
    assert outcomes(checked(first, inputs={"x": x}))["vmap"] == "agrees"


def reasons(report, name):
    return {finding.absent for finding in report.checked.findings if finding.check == name}


@pytest.mark.parametrize(
    ("code", "inputs", "reason"),
    [
        pytest.param(
            torch.sin, verifier.between(-2, 2, shape=(40, 400)),
            "a batch of 67 is too large here",
            id="too large",
        ),
        pytest.param(
            lambda x: x.std(0), SHAPE, "in a batch of 1 nothing can be decided", id="undecided"
        ),
        pytest.param(
            lambda x: x * torch.ones(3, 1, dtype=x.dtype), verifier.between(-2, 2, shape=(3, 4)),
            "in a batch of 67, the code raises RuntimeError: The size of tensor a (67) must match "
            "the size of tensor b (3) at non-singleton dimension 0",
            id="raises",
        ),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:std")
def test_a_size_in_which_nothing_is_judged(code, inputs, reason):
    report = checked(code, inputs={"x": inputs}, points=1)
    assert report.outcome == "agrees"
    assert reason in reasons(report, "size")


def test_a_formula_of_one_size_is_not_asked_in_others():
    report = checked(
        lambda x: x / len(x), formula="x / 3", inputs={"x": torch.tensor([0.5, 1.5, 2.5])}
    )
    assert report.outcome == "agrees", str(report)
    assert "in a batch of 67 the formula is that of another function" in reasons(report, "size"), (
        reasons(report, "size")
    )


def test_circumstances_in_which_the_code_raises():
    def with_gradients_only(x):
        assert x.requires_grad and not torch.is_autocast_enabled("cpu"), "in training alone"
        return x.sin()

    report = checked(with_gradients_only, dtypes=["float32"])
    assert {
        "without gradients, the code raises AssertionError: in training alone",
        "under autocast, the code raises AssertionError: in training alone",
    } <= reasons(report, "mode"), reasons(report, "mode")


def test_vmap_along_the_last_axis():
    class FirstAxisOnly(Sine):
        @staticmethod
        def vmap(info, dims, x):
            assert dims[0] == 0, "only the first axis"
            return FirstAxisOnly.apply(x), 0

    class TakenForTheFirst(Sine):
        @staticmethod
        def vmap(info, dims, x):
            return TakenForTheFirst.apply(x), 0

    report = checked(FirstAxisOnly.apply)
    assert "along the last axis, the code raises AssertionError: only the first axis" in reasons(
        report, "vmap"
    )
    report = checked(TakenForTheFirst.apply)
    assert {one for finding in report.checked.findings for one in finding.failures} == {
        "along the last axis the results have another shape than in a loop"
    }


def test_the_same_tensor_twice_where_nothing_can_be_decided():
    def apart(x, y):
        return x * y / (x - y)

    numbers = {"x": torch.tensor([1.5, 2.5]), "y": torch.tensor([0.5, 3.5])}
    report = checked(apart, inputs=numbers)
    assert "where both have the same numbers nothing can be decided" in reasons(report, "same")


@pytest.mark.parametrize(("factor", "outcome"), [(1.0, "agrees"), (1.001, "disagrees")])
def test_results_whose_shape_depends_on_the_numbers(factor, outcome):
    """What is inside of some borders, as a spline has it."""

    scale = with_slope(lambda x: x * 1.0, lambda x: torch.full_like(x, factor))

    def inside(x):
        return scale(x)[x.abs() < 1].exp()

    report = checked(
        inside, inputs={"x": verifier.between(-2, 2, shape=(6,))}, dtypes=["float64"],
        without=[name for name in NAMES if name != "reverse"],
    )  # fmt: skip
    assert report.outcome == outcome
    assert report.checked.failed == ()


def weighted(x):
    with torch.no_grad():
        weight = x.sigmoid()
    return weight * x.square()


def test_forward_mode_follows_what_is_under_no_grad():
    without = [name for name in NAMES if name not in ("reverse", "forward", "both")]
    inputs = {"x": verifier.between(-2, 2, shape=(3,))}
    report = checked(weighted, inputs=inputs, without=without, honour_detach=True)
    assert report.outcome == "agrees"
    assert absent(report)["both"].startswith(
        "forward mode follows what reverse mode does not: torch.no_grad() in test_variants.py, line"
    )
    assert outcomes(report)["forward"] == "agrees"
    wrong = checked(weighted, inputs=inputs, without=without)
    assert wrong_in(wrong) == {"reverse"}


def test_modes_are_not_compared_where_one_states_no_number():
    """Each mode is judged by itself; NaN has no difference from a number."""
    report = verifier.check(
        torch.corrcoef,
        inputs={"input": verifier.between(-2, 2, shape=(3, 1))},
        dtypes=["float64"],
        points=1,
    )
    assert report.outcome is verifier.Outcome.UNDECIDED


@pytest.mark.parametrize("code", [torch.linalg.qr, torch.linalg.pinv])
def test_an_edge_at_which_the_code_cannot_be_read_is_left_out(code):
    """A matrix without full rank is nobody's point but the check's."""

    def shifted(matrix):
        found = code(matrix + 3 * torch.eye(3, dtype=matrix.dtype))
        return found if isinstance(found, torch.Tensor) else found[1]

    inputs = {"matrix": verifier.between(-2, 2, shape=(3, 3))}
    report = checked(shifted, inputs=inputs, dtypes=["float32"])
    assert report.outcome == "agrees"


def test_a_point_that_is_given_and_cannot_be_read_is_refused():
    inputs = {"A": torch.ones(3, 3, dtype=torch.float64)}
    with pytest.raises(verifier.InputError, match="has no rule for a matrix without full rank"):
        checked(lambda A: torch.linalg.qr(A)[1], inputs=inputs)


def test_digits_that_autocast_gives_up_are_no_loss_of_the_code():
    torch.manual_seed(0)
    mix, scale = torch.nn.Linear(3, 3), torch.tensor([0.5, 1.0, 2.0])
    report = checked(
        lambda x: scale * torch.tanh(mix(x)) * torch.sigmoid(x),
        inputs={"x": verifier.between(-2, 2, shape=(4, 3))},
        dtypes=["float32"], points=1, without=[name for name in NAMES if name != "mode"],
    )  # fmt: skip
    found = [one for one in report.checked.findings if one.check == "mode" and one.parts]
    assert any(part.verdicts.stated.size and part.quantity == "reverse" for part in found[-1].parts)
    assert sum(component.inaccurate for component in report.components) == 0


def unfilled_when_empty(ctx, g, x, weight):
    """A gradient by the weight that nothing fills in an empty batch."""
    by_weight = (g * x).sum(0) if len(x) else torch.full_like(weight, 7.0)
    return g * weight, by_weight


def test_an_empty_batch_has_no_gradient_by_its_weight():
    inputs = {
        "x": verifier.between(-1, 1, shape=(3, 2)),
        "weight": verifier.between(1, 2, shape=(2,)),
    }
    report = checked(with_context(torch.mul, unfilled_when_empty), inputs=inputs, points=1)
    assert wrong_in(report) == {"size"}
    (wrong,) = [one for one in report.checked.findings if one.outcome == "disagrees"]
    assert [tuple(tensor.shape) for tensor in wrong.point.inputs.values()] == [(0, 2), (2,)]
    right = checked(torch.mul, inputs={"input": inputs["x"], "other": inputs["weight"]}, points=1)
    assert right.outcome == "agrees"


@pytest.mark.parametrize("layer", [torch.nn.Conv1d(2, 2, 2), torch.nn.ConvTranspose1d(2, 2, 2)])
def test_an_empty_batch_of_a_convolution(layer):
    inputs = {"input": verifier.between(-1, 1, shape=(2, 2, 3))}
    report = checked(layer, inputs=inputs, points=1, dtypes=["float32"], without=["second"])
    sizes = [
        len(one.point.inputs["input"]) for one in report.checked.findings if one.check == "size"
    ]
    assert (report.outcome, sizes) == ("agrees", [1, 67, 0])
