"""Sparse inputs: gradients are taken by their values, and have to keep to their places."""

import pytest
import torch

import verifier
from verifier.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
WHOLE = torch.tensor([[0.0, 1.5, 0.0], [-0.5, 0.0, 0.0], [2.0, 0.0, 0.25]], dtype=torch.float64)
DENSE = torch.tensor([[0.3, 1.0], [-0.7, 0.2], [1.1, -0.4]], dtype=torch.float64)
LAYOUTS = {
    "coo": torch.Tensor.to_sparse,
    "csr": torch.Tensor.to_sparse_csr,
    "csc": torch.Tensor.to_sparse_csc,
}


def product(x, y):
    return (x @ y).exp()


def checked(code, x=None, y=DENSE, **settings):
    x = WHOLE.to_sparse() if x is None else x
    return verifier.check(code, inputs={"x": x, "y": y}, dtypes=["float64"], **settings)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_sparse_matrix_times_a_dense_one(layout):
    report = checked(product, LAYOUTS[layout](WHOLE))
    assert report.outcome.value == "agrees"
    assert "by x.values and y is right" in str(report)


def own(gradient):
    """A sparse product with a backward that is written by hand: `gradient` gives that by the sparse
    matrix, of its own dense gradient and of its places.
    """

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return torch.sparse.mm(x, y)

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return gradient(g @ y.t(), x), x.to_dense().t() @ g

    return lambda x, y: Product.apply(x, y).exp()


def at_places(dense, x):
    rows, columns = x._indices()
    return torch.sparse_coo_tensor(x._indices(), dense[rows, columns], x.shape)


RIGHT = {
    "at the places": at_places,
    "dense": lambda dense, x: dense,
    "with zeros elsewhere": lambda dense, x: (
        at_places(dense, x) + 0 * dense.abs().to_sparse()
    ).coalesce(),
}
WRONG = {
    "values off by a part in 1,000": lambda dense, x: at_places(dense * 1.001, x),
    "dense, and off": lambda dense, x: dense * 1.001,
    "transposed": lambda dense, x: at_places(dense, x).t(),
    "one missing": lambda dense, x: torch.sparse_coo_tensor(
        x._indices()[:, 1:], at_places(dense, x)._values()[1:], x.shape
    ),
    "at the place before": lambda dense, x: torch.sparse_coo_tensor(
        x._indices(), at_places(dense, x)._values().roll(1), x.shape
    ),
}
ELSEWHERE = {
    "everywhere": lambda dense, x: dense.to_sparse(),
    "one more": lambda dense, x: (
        at_places(dense, x)
        + torch.sparse_coo_tensor(torch.tensor([[1], [2]]), dense[1:2, 2], x.shape)
    ).coalesce(),
}


@pytest.mark.parametrize("case", RIGHT)
def test_a_backward_of_ones_own_that_is_right(case):
    assert checked(own(RIGHT[case])).outcome.value == "agrees"


@pytest.mark.parametrize("case", WRONG)
def test_wrong_values_are_found(case):
    report = checked(own(WRONG[case]))
    assert report.outcome.value == "disagrees"
    assert "by x.values" in str(report)


@pytest.mark.parametrize(("case", "place"), [("everywhere", "[0, 0]"), ("one more", "[1, 2]")])
def test_a_gradient_at_other_places_is_found(case, place):
    """The values are right, so that nothing but the places says it."""
    report = checked(own(ELSEWHERE[case]))
    assert report.outcome.value == "disagrees"
    (failure,) = {text for one in report.checked.findings for text in one.failures}
    assert failure == (
        f"the gradient by x.values has numbers where the sparse tensor has none, as at {place}"
    )


def test_a_reference_on_the_same_inputs():
    right = checked(product, reference=lambda x, y: (x.to_dense() @ y).exp())
    assert right.outcome.value == "agrees"
    wrong = checked(product, reference=lambda x, y: (x.to_dense().t() @ y).exp())
    assert wrong.outcome.value == "disagrees"


def test_values_at_the_same_place_are_added_up():
    twice = torch.sparse_coo_tensor(
        torch.tensor([[0, 1, 1], [1, 2, 2]]), torch.tensor([0.5, -1.0, 2.0]), (3, 3)
    )
    assert checked(product, twice).outcome.value == "agrees"


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(DENSE.clone())

    def forward(self, state):
        return torch.sparse.mm(state["graph"], self.weight).relu()


def test_a_graph_among_a_modules_arguments():
    report = verifier.check(
        Layer(), inputs={"state": {"graph": WHOLE.to_sparse()}}, dtypes=["float32"]
    )
    assert report.outcome.value == "agrees"
    assert "by state.graph.values and weight is right" in " ".join(str(report).split())


def test_a_layout_in_blocks_is_refused():
    blocks = torch.eye(4, dtype=torch.float64).to_sparse_bsr((2, 2))
    with pytest.raises(InputError) as error:
        checked(product, blocks, torch.ones(4, 2, dtype=torch.float64))
    assert error.value.sentence == (
        "input x: no rule reads tensors of the layout sparse_bsr, 2 axes; give it as a dense one"
    )


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_a_nested_tensor_is_refused(layout):
    nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=layout)
    with pytest.raises(InputError) as error:
        checked(product, nested)
    assert error.value.sentence == (
        "input x is a nested tensor, and only plain ones are read: give its parts, or pad it"
    )
