"""Sparse tensors: their values are what gradients are taken by, and a wrong backward is found
through each way to compute with them.
"""

import pytest
import torch

import verifier
from verifier.capture.code_at_point import Subject
from verifier.errors import InputError
from verifier.judging.examine import examine
from verifier.judging.outcome import Outcome

AGREES, DISAGREES = Outcome.AGREES, Outcome.DISAGREES
PLACES = torch.tensor([[0, 1, 2, 2], [1, 0, 2, 0]])
TWICE = torch.tensor([[0, 1, 2, 2], [1, 0, 2, 2]])
VALUES = torch.tensor([0.5, -1.5, 2.0, 0.25], dtype=torch.float64)
DENSE = torch.tensor([[0.3, 1.0], [-0.7, 0.2], [1.1, -0.4]], dtype=torch.float64)
FIXED = (DENSE @ DENSE.t()).relu().to_sparse()
pytestmark = pytest.mark.filterwarnings("ignore:Sparse:UserWarning")


class Off(torch.autograd.Function):
    """The identity, with a backward that is off by a part in 1,000."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        return g * 1.001


def coo(values, places=PLACES):
    return torch.sparse_coo_tensor(places, values, (3, 3))


def csr(values):
    return torch.sparse_csr_tensor(
        torch.tensor([0, 1, 2, 4]), torch.tensor([1, 0, 0, 2]), values, (3, 3)
    )


def csc(values):
    return torch.sparse_csc_tensor(
        torch.tensor([0, 2, 3, 4]), torch.tensor([1, 2, 0, 2]), values, (3, 3)
    )


def transformed(values):
    first = coo(values).coalesce()
    return torch.sparse_coo_tensor(first.indices(), first.values().exp(), (3, 3))


OF_VALUES = {
    "product": lambda v: torch.sparse.mm(coo(v), DENSE),
    "operator": lambda v: coo(v) @ DENSE,
    "transposed": lambda v: coo(v).t() @ DENSE,
    "added product": lambda v: torch.sparse.addmm(DENSE, coo(v), DENSE, beta=0.5, alpha=2.0),
    "indices twice": lambda v: torch.sparse.mm(coo(v, TWICE).coalesce(), DENSE).relu(),
    "to dense": lambda v: coo(v, TWICE).to_dense() ** 2,
    "sum": lambda v: torch.sparse.sum(coo(v) * 2),
    "sum along an axis": lambda v: torch.sparse.sum(transformed(v), dim=1).to_dense(),
    "added": lambda v: (coo(v) + coo(2 * v, PLACES.flip(0))).to_dense(),
    "added to a dense one": lambda v: DENSE @ DENSE.t() + transformed(v).coalesce(),
    "both sparse": lambda v: torch.sparse.mm(coo(v), coo(v)).to_dense(),
    "softmax": lambda v: torch.sparse.softmax(coo(v).coalesce(), 1).to_dense(),
    "log softmax": lambda v: torch.sparse.log_softmax(coo(v).coalesce(), 1).to_dense(),
    "csr": lambda v: csr(v) @ DENSE,
    "csr to dense": lambda v: csr(v).to_dense() @ DENSE,
    "csc to dense": lambda v: csc(v).to_dense() @ DENSE,
    "rows": lambda v: torch.sparse_coo_tensor(
        torch.tensor([[0, 2]]), v.reshape(2, 2), (3, 2)
    ).to_dense().exp(),
    "a sparse result": lambda v: coo(v.exp()),
}  # fmt: skip
OF_DENSE = {
    "to sparse": lambda x: x.to_sparse().to_dense() * 2,
    "two layers": lambda x: torch.sparse.mm(FIXED, torch.relu(torch.sparse.mm(FIXED, x) @ x.t())),
    "compressed": lambda x: FIXED.to_sparse_csr() @ x,
    "made on the way": lambda x: torch.sparse.mm(torch.eye(3, dtype=x.dtype).to_sparse(), x),
}
CASES = {
    **{name: (code, VALUES) for name, code in OF_VALUES.items()},
    **{name: (code, DENSE) for name, code in OF_DENSE.items()},
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", CASES)
def test_values_are_what_gradients_are_taken_by(name, dtype):
    code, numbers = CASES[name]
    if dtype is torch.float32 and name not in ("to dense", "sum", "to sparse", "a sparse result"):
        return
    x = numbers.to(dtype)
    right = examine(Subject(code, {"x": x}))
    assert right.outcome is AGREES
    assert right.formula.digits > 50
    assert examine(Subject(lambda x: code(Off.apply(x)), {"x": x}))["x"].outcome is DISAGREES


def test_torch_has_no_second_derivative_by_values():
    """Its backward takes elements in a way that autograd does not follow."""
    report = verifier.check(
        lambda v: coo(v).to_dense().exp(), inputs={"v": VALUES}, dtypes=["float64"], points=1
    )
    assert report.outcome is AGREES
    reasons = {one.check: one.absent for one in report.checked.findings if one.absent}
    assert reasons["second"] == (
        "torch does not differentiate the gradient of a sparse tensor's values again"
    )
    assert reasons["vmap"] == (
        "torch lacks an operation for sparse tensors that the code needs there"
    )


def test_indices_that_do_not_fit_another_batch_raise_and_write_nowhere():
    report = verifier.check(
        lambda v: csr(v).to_dense(), inputs={"v": VALUES}, dtypes=["float64"], points=1
    )
    sizes = [one.absent for one in report.checked.findings if one.check == "size"]
    assert len(sizes) == 2 and all("in a batch of" in reason for reason in sizes)


def test_what_no_dense_operation_does_is_refused():
    with pytest.raises(InputError) as error:
        examine(Subject(lambda x: torch.sparse.mm(csr(x), DENSE, "mean"), {"x": VALUES}))
    assert "has no rule for sparse tensors" in error.value.sentence


def test_a_layout_in_blocks_is_refused():
    def blocks(v):
        ends, columns = torch.tensor([0, 1]), torch.tensor([0])
        return torch.sparse_bsr_tensor(ends, columns, v.reshape(1, 2, 2), (2, 2)).to_dense()

    with pytest.raises(InputError, match="no rule reads tensors of the layout sparse_bsr, 2 axes"):
        examine(Subject(blocks, {"x": VALUES}))


def test_a_sparse_input_is_refused():
    with pytest.raises(InputError, match="an input is sparse: make a dense one sparse in the code"):
        examine(Subject(lambda x: torch.sparse.mm(x, DENSE), {"x": FIXED}))
