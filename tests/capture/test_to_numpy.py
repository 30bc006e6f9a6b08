"""The numbers of tensors that do not keep them in memory as they are."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

import verifier
from tests.helpers.torch_versions import from_torch
from verifier.capture.to_numpy import bytes_of, dense, to_float64, to_numpy

ZEROS = torch._efficientzerotensor((2,), dtype=torch.float64)


class Guarded(torch.Tensor):
    """A subclass that does not let its numbers go."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        assert func.__name__ not in {"numpy", "cpu", "double", "clone"}
        return super().__torch_function__(func, types, args, kwargs or {})


def of_another_layout(method):
    return getattr(torch.diag(torch.tensor([1.0, 2.0])), method)()


TENSORS = {
    "zeros never written": (lambda: ZEROS, [0.0, 0.0]),
    "negative": (lambda: torch.tensor([1 + 2j, 3 - 4j]).conj().imag, [-2.0, 4.0]),
    "sparse": (lambda: of_another_layout("to_sparse"), [[1.0, 0.0], [0.0, 2.0]]),
    "sparse rows": (lambda: of_another_layout("to_sparse_csr"), [[1.0, 0.0], [0.0, 2.0]]),
    "quantised": (
        lambda: torch.quantize_per_tensor(torch.ones(2), 0.5, 0, torch.quint8),
        [1.0, 1.0],
    ),
    "parameter": (lambda: torch.nn.Parameter(torch.ones(2)), [1.0, 1.0]),
    "computed": (lambda: 2 * torch.ones(2, requires_grad=True), [2.0, 2.0]),
    "subclass": (lambda: torch.ones(2).as_subclass(Guarded), [1.0, 1.0]),
    "transposed": (lambda: torch.tensor([[1.0, 2.0], [3.0, 4.0]]).T, [[1.0, 3.0], [2.0, 4.0]]),
    "truth": (lambda: torch.tensor([True, False]), [1.0, 0.0]),
    "empty": (lambda: torch.empty(0), []),
    "one": (lambda: torch.tensor(0.5), 0.5),
}


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@pytest.mark.parametrize("name", TENSORS)
def test_tensors(name):
    make, numbers = TENSORS[name]
    tensor = make()
    assert dense(tensor).tolist() == numbers
    assert type(dense(tensor)) is torch.Tensor
    assert to_float64(tensor).tolist() == numbers
    array = to_numpy(tensor)
    assert (array.tolist(), str(array.dtype)) == (numbers, str(dense(tensor).dtype)[6:])
    assert bytes_of(tensor) == array.tobytes()


def test_a_conjugate():
    assert to_numpy(torch.tensor([1 + 2j]).conj()).tolist() == [1 - 2j]


def test_numbers_of_a_format_that_numpy_has_not():
    assert to_float64(torch.tensor([1.5], dtype=torch.bfloat16)).tolist() == [1.5]
    assert bytes_of(torch.tensor([1.5], dtype=torch.bfloat16)) == b"\xc0\x3f"
    with pytest.raises(TypeError, match="BFloat16"):
        to_numpy(torch.tensor([1.5], dtype=torch.bfloat16))


@from_torch("2.10", "numpy() gave what happened to stand in memory")
def test_torch_itself_refuses_some_of_them():
    """What is undone here has to be: numpy() and tolist() raise."""
    with pytest.raises(RuntimeError, match="Cannot convert a ZeroTensor to numpy"):
        ZEROS.numpy()
    with pytest.raises(RuntimeError, match="unallocated storage"):
        ZEROS.tolist()


def own_conversions(path):
    """The lines of a module that convert a tensor by themselves."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    plain = [call.func for call in calls if not call.args and not call.keywords]
    methods = [function for function in plain if isinstance(function, ast.Attribute)]
    return [method.lineno for method in methods if method.attr == "numpy"]


def test_nothing_else_converts_tensors(tmp_path):
    folder = Path(verifier.__file__).parent
    found = {path.stem for path in folder.rglob("*.py") if own_conversions(path)}
    assert found == {"to_numpy"}
    planted = tmp_path / "planted.py"
    planted.write_text("def f(x):\n    return x.detach().numpy()\n")
    assert own_conversions(planted) == [2]


def test_arrays_are_compared_by_bits():
    assert bytes_of(torch.tensor([0.0])) != bytes_of(torch.tensor([-0.0]))
    assert bytes_of(torch.tensor([np.nan])) == bytes_of(torch.tensor([np.nan]))
