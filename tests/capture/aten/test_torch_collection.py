"""PyTorch's own collection of operators: a sample of its entries is judged, and rules that came
from it find a wrong backward.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from tests.helpers.reading import Scaled, agreeing_digits, deviations_off, largest_error
from tests.helpers.torch_versions import marked
from verifier.capture.code_at_point import SECOND, Subject
from verifier.judging.examine import examine
from verifier.judging.outcome import Outcome
from verifier.program.evaluation.stochastic import DEVIATIONS

pytestmark = pytest.mark.filterwarnings("ignore")
aten = torch.ops.aten


def t(*shape, seed=1):
    """Numbers that differ by much more than rounding."""
    generator = torch.Generator().manual_seed(seed)
    count = torch.Size(shape).numel()
    spread = (torch.randperm(count, generator=generator).double() + 0.3) / max(1, count) * 4 - 2
    return (spread + 0.02 * torch.rand(count, generator=generator, dtype=torch.float64)).reshape(
        shape
    )


ROWS, COLUMNS = torch.tensor([[0], [2], [1]]), torch.tensor([[1, 0]])
INSIDE = torch.tensor([[True, False], [True, True], [False, True]])
OFFSETS = torch.tensor([0, 2, 2, 5])


def segments(reduce, **options):
    return lambda x: torch.segment_reduce(x, reduce, **options)


def ctc(labels, steps, lengths, **options):
    """The loss of labels, after a softmax."""
    counts = torch.tensor(lengths)

    def code(x):
        logarithms = x.log_softmax(-1)
        return F.ctc_loss(logarithms, labels, torch.tensor(steps), counts, **options)

    return code


CASES = {
    "ctc": (ctc(torch.tensor([[1, 2]]), [4], [2]), t(4, 1, 3)),
    "ctc, the same label twice": (ctc(torch.tensor([[1, 1]]), [4], [2]), t(4, 1, 3)),
    "ctc of several": (
        ctc(torch.tensor([[1, 2, 1], [2, 0, 0]]), [5, 3], [3, 1], reduction="none"),
        t(5, 2, 3),
    ),
    "ctc, another blank": (
        ctc(torch.tensor([0, 1, 0]), [4, 4], [2, 1], blank=2, reduction="sum"),
        t(4, 2, 3),
    ),
    "ctc of no label": (ctc(torch.tensor([[1], [1]]), [3, 3], [1, 0]), t(3, 2, 2)),
    "segment sum": (segments("sum", offsets=OFFSETS), t(5, 2)),
    "segment mean": (segments("mean", lengths=torch.tensor([2, 3])), t(5, 2)),
    "segment mean of nothing": (segments("mean", offsets=OFFSETS, initial=2.0), t(5)),
    "segment product": (segments("prod", offsets=OFFSETS), t(5, 2)),
    "segment product from 3": (segments("prod", offsets=OFFSETS, initial=3.0), t(5, 2)),
    "segment maximum": (segments("max", offsets=OFFSETS, initial=-9.0), t(5, 2)),
    "segment minimum": (segments("min", lengths=torch.tensor([2, 3])), t(5, 2)),
    "segments along the second axis": (
        segments("sum", lengths=torch.tensor([[1, 2], [3, 0]]), axis=1),
        t(2, 3),
    ),
    "masked index": (lambda x: aten._unsafe_masked_index(x, INSIDE, [ROWS, COLUMNS], 0.5), t(3, 2)),
    "masked index put": (
        lambda x, y: aten._unsafe_masked_index_put_accumulate(x, INSIDE, [ROWS, COLUMNS], y),
        t(3, 2),
        t(3, 2, seed=2),
    ),
    "nextafter": (torch.nextafter, t(3, 2), t(3, 2, seed=2)),
    "narrow_copy": (lambda x: aten.narrow_copy(x, 0, 1, 2).exp(), t(4, 2)),
    "dropout backward": (lambda x: aten.native_dropout_backward(x, INSIDE, 2.0).sin(), t(3, 2)),
    "batch norm that updates": (
        lambda x, w, b: aten._batch_norm_with_update_functional(
            x, w, b, torch.zeros(2).double(), torch.ones(2).double(), 0.1, 1e-5
        )[0],
        t(4, 2, 3),
        t(2),
        t(2, seed=3),
    ),
    "fractional pooling": (
        lambda x: aten.fractional_max_pool2d(
            x, [2, 2], [2, 2], torch.full((1, 2, 2), 0.4, dtype=torch.float64)
        )[0],
        t(1, 2, 5, 4),
    ),
}
"""Rules that the collection asked for."""


LATER = {
    "nextafter": ("2.13", "torch has no derivative of it"),
    "narrow_copy": ("2.12", "torch has no derivative of it"),
}


@pytest.mark.parametrize("case", marked(CASES, LATER))
def test_numbers_derivative_and_noise(case):
    assert largest_error(*CASES[case]) < 1e-13
    assert deviations_off(*CASES[case]) <= DEVIATIONS
    assert agreeing_digits(*CASES[case]) > 30


@pytest.mark.parametrize("case", marked(CASES, LATER))
def test_a_wrong_backward_is_found(case):
    code, *inputs = CASES[case]
    names = [f"x{place}" for place in range(len(inputs))]
    first, *others = names
    subject = Subject(
        lambda x, *rest: code(Scaled.apply(x), *rest), dict(zip(names, inputs, strict=True))
    )
    found = examine(subject)
    assert found[first].outcome is Outcome.DISAGREES
    assert found[first].wrong_formula.any()
    assert all(found[name].outcome is Outcome.AGREES for name in others)


STATISTICS = {
    "layer norm": lambda x: aten.native_layer_norm(x, [4], None, None, 1e-5),
    "batch norm": lambda x: aten.native_batch_norm(x, None, None, None, None, True, 0.1, 1e-5),
}


@pytest.mark.parametrize("name", STATISTICS)
def test_saved_statistics_have_no_gradient_by_torchs_convention(name):
    found = examine(Subject(STATISTICS[name], {"x": t(3, 4)}))
    assert found["x"].outcome is Outcome.AGREES
    assert found["value 1"].outcome is Outcome.AGREES


def test_group_norm_is_differentiated_through_its_statistics():
    def code(x):
        return aten.native_group_norm(x, None, None, 3, 4, 1, 2, 1e-5)

    assert examine(Subject(code, {"x": t(3, 4)})).outcome is Outcome.AGREES


class GatedWrongly(torch.autograd.Function):
    """A glu whose forward mode forgets the gate."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_forward(x)
        return F.glu(x, 1)

    @staticmethod
    def jvp(ctx, dx):
        (x,) = ctx.saved_tensors
        return dx.chunk(2, 1)[0] * x.chunk(2, 1)[1].sigmoid()


@pytest.mark.parametrize(
    ("code", "outcome"),
    [(lambda x: F.glu(x, 1), Outcome.AGREES), (GatedWrongly.apply, Outcome.DISAGREES)],
)
def test_a_glu_in_forward_mode(code, outcome):
    assert examine(Subject(code, {"x": t(3, 4)}, quantity="forward")).outcome is outcome


def bfloats(*shape, seed=1):
    return t(*shape, seed=seed).bfloat16()


ROUNDED_INSIDE = {
    "addbmm": (torch.addbmm, bfloats(1), bfloats(5, 4, 3), bfloats(5, 3, 6, seed=2)),
    "addr": (torch.addr, bfloats(5, 8), bfloats(5, seed=2), bfloats(8, seed=3)),
    "reflection": (lambda x: F.pad(x, (3, 3, 3, 3), "reflect"), bfloats(1, 2, 4, 4)),
    "replication": (lambda x: F.pad(x, (9, 9), "replicate"), bfloats(1, 2, 4)),
    "embedding": (lambda x: F.embedding(torch.zeros(9, dtype=torch.long), x), bfloats(2, 5)),
    "soft margin": (lambda x: F.soft_margin_loss(x, -x.sign().detach()), bfloats(4, 3) * 4),
    "index_reduce": (
        lambda x, y: x.index_reduce(0, torch.zeros(9, dtype=torch.long), y, "mean"),
        bfloats(2, 5),
        bfloats(9, 5, seed=2),
    ),
}
"""Kernels that round to 16 bits on the way."""


@pytest.mark.parametrize("case", ROUNDED_INSIDE)
def test_kernels_that_round_to_16_bits_inside(case):
    code, *inputs = ROUNDED_INSIDE[case]
    given = {f"x{place}": value for place, value in enumerate(inputs)}
    assert examine(Subject(code, given)).outcome is not Outcome.DISAGREES


def test_a_number_that_fills_a_tensor_may_be_rounded_to_its_format():
    """The backward of addcdiv fills a tensor of float32 with the factor."""
    inputs = {name: t(3, seed=seed).float() for seed, name in enumerate("abc", start=1)}
    code = lambda a, b, c: torch.addcdiv(a, b, c, value=2.7182818284)  # noqa: E731
    assert examine(Subject(code, inputs)).outcome is Outcome.AGREES


OFF_DIAGONAL = ~torch.eye(4, dtype=torch.bool)
NOT_CHOSEN = {
    "distances off the diagonal": lambda x: torch.cdist(x, x)[OFF_DIAGONAL].exp().sum(),
    "roots that are gathered": (
        lambda x: (x[:, 0] - x[0, 0]).abs().sqrt().gather(0, torch.tensor([1, 3])).sum()
    ),
}


@pytest.mark.parametrize("case", NOT_CHOSEN)
def test_paths_that_no_result_depends_on_have_the_adjoint_0(case):
    code = NOT_CHOSEN[case]
    found = examine(Subject(code, {"x": t(4, 3)}))
    assert found["value"].outcome is Outcome.AGREES
    if case == "distances off the diagonal":
        assert found["x"].outcome is Outcome.AGREES
    assert not np.isnan(found["x"].verdicts.centre).any()


class PassesSomethingBack(torch.autograd.Function):
    """The root, with the derivative 1 where it has none."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sqrt()

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return torch.where(x > 0, grad / (2 * x.sqrt()), 1.0)


def test_a_gradient_on_a_path_that_no_result_depends_on_is_wrong():
    x = torch.tensor([0.0, 4.0, 9.0], dtype=torch.float64)
    found = examine(Subject(lambda x: PassesSomethingBack.apply(x)[1:].sum(), {"x": x}))
    assert found["x"].verdicts.severity.tolist() == [Outcome.DISAGREES.severity, 0, 0]


def test_what_has_to_lie_between_0_and_1_is_read_beside_a_constant():
    weights = t(3).abs()

    def code(x, y):
        return F.binary_cross_entropy(x.sigmoid(), y, weight=weights)

    inputs = {"x": t(3), "y": torch.tensor([0.0, 1.0, 0.5], dtype=torch.float64)}
    assert examine(Subject(code, inputs, ("x",))).outcome is Outcome.AGREES


DEFECTS = {
    "max_unpool of places that meet": (
        lambda x: F.max_unpool1d(x[None, None], torch.tensor([[[1, 1]]]), 2, output_size=[4]),
        "the last number is kept, and the gradient goes to both",
    ),
    "polygamma of order 1": (
        lambda x: torch.polygamma(1, x),
        "trigamma is a short series, with an error of about 5e-10",
    ),
    "hardsigmoid": (F.hardsigmoid, "a sixth is a number of float32 in the backward"),
}
"""Known defects of torch in operators of its collection, with what is wrong."""


@pytest.mark.parametrize("case", DEFECTS)
def test_known_defects_of_torch_are_still_there(case):
    code, _ = DEFECTS[case]
    x = torch.tensor([0.7, 1.3], dtype=torch.float64)
    assert examine(Subject(code, {"x": x})).outcome is Outcome.DISAGREES


SECOND_DEFECTS = {
    "weight norm": (
        lambda v: torch._weight_norm(v, torch.ones(2, 1, dtype=v.dtype), 0),
        t(2, 3),
        "its double backward is wrong (torch.autograd.gradgradcheck finds it too)",
    ),
    "binary cross-entropy": (
        lambda x: F.binary_cross_entropy(x, torch.full_like(x, 0.25)),
        torch.tensor([0.3, 0.9], dtype=torch.float64),
        "its double backward adds 1e-12 to its argument",
    ),
}
"""Known defects of torch in second derivatives, with what is wrong."""


@pytest.mark.parametrize("case", SECOND_DEFECTS)
def test_known_defects_of_second_derivatives_are_still_there(case):
    code, x, _ = SECOND_DEFECTS[case]
    assert examine(Subject(code, {"x": x})).outcome is Outcome.AGREES
    found = examine(Subject(code, {"x": x}, quantity=SECOND))
    assert any(part.wrong_formula.any() for part in found.parts)


def test_the_mean_of_a_ctc_loss_divides_by_lengths_that_no_operation_writes():
    x, labels = t(6, 3, 4).log_softmax(-1), torch.tensor([[1, 2, 1], [2, 2, 0], [3, 0, 0]])
    code = ctc(labels, [6, 6, 5], [3, 2, 1])
    torch.full((3,), 77.0, dtype=torch.float64).sum()  # what lies in memory before
    assert examine(Subject(code, {"x": x})).outcome is Outcome.AGREES


def test_the_exponential_of_a_matrix_in_16_bits_is_a_known_defect_of_torch():
    """On a CPU it gives numbers of 1e30 for the exponential of a small matrix."""
    found = examine(Subject(torch.matrix_exp, {"x": bfloats(3, 3) / 8}))
    assert found["value"].outcome is Outcome.DISAGREES
