"""What a recorder writes down, and what it leaves alone."""

import subprocess
import sys

import pytest
import torch

from verifier.capture.recorder import Recorder, is_recording

X = torch.tensor([0.5, -1.5, 2.0], dtype=torch.float64)


def names(graph):
    return [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]


def test_a_graph_gives_what_the_function_gives():
    w = torch.tensor([2.0, 3.0, 4.0], dtype=torch.float64)

    def forward_and_backward(x):
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            y = (x * w).tanh()
            (gradient,) = torch.autograd.grad(y.sum(), x)
        return y.detach(), gradient

    graph = Recorder().record(forward_and_backward, [X.clone()])
    assert "aten.tanh_backward.default" in names(graph)
    other = X + 0.25
    for one, two in zip(graph(other), forward_and_backward(other), strict=True):
        assert torch.equal(one, two)


def test_several_results_of_one_operation():
    graph = Recorder().record(lambda x: x.sort()[0] + x.split([1, 2])[0], [X.clone()])
    other = torch.tensor([3.0, 1.0, 2.0], dtype=torch.float64)
    assert torch.equal(graph(other), other.sort()[0] + other[:1])


def test_what_is_written_in_place_is_in_the_graph_in_place():
    def written(x):
        y = x * 2
        y.add_(1)
        y[0] = 7
        return y

    graph = Recorder().record(written, [X.clone()])
    assert "aten.add_.Tensor" in names(graph)
    assert torch.equal(graph(X + 1), written(X + 1))


def test_a_list_that_is_written_in_place():
    def written(x):
        y = [x * 1, x * 2]
        torch._foreach_add_(y, 1.0)
        return y[0] * y[1]

    graph = Recorder().record(written, [X.clone()])
    assert torch.equal(graph(X + 1), written(X + 1))


def test_numbers_that_are_lifted_stay_as_they_were():
    def written(x):
        y = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
        y.add_(x)
        return y

    graph = Recorder().record(written, [X.clone()])
    assert torch.equal(graph(X), written(X))
    assert torch.equal(graph(X), written(X))


def test_a_paused_recorder_writes_nothing_down():
    recorder = Recorder()

    def partly(x):
        with recorder.paused():
            y = x.exp()
        return x + y

    graph = recorder.record(partly, [X.clone()])
    assert names(graph) == ["aten.add.Tensor"]
    (constant,) = [node for node in graph.graph.nodes if node.op == "get_attr"]
    assert torch.equal(graph.constants[constant.target], X.exp())


def test_operations_under_inference_mode_are_taken_apart():
    def inferred(x):
        with torch.inference_mode():
            return torch.nn.functional.linear(x, torch.ones(2, 3, dtype=torch.float64))

    graph = Recorder().record(inferred, [X.clone()])
    assert "aten.linear.default" not in names(graph)
    assert torch.equal(graph(X + 1), inferred(X + 1))


def test_a_function_that_raises_leaves_no_recorder_behind():
    with pytest.raises(ZeroDivisionError):
        Recorder().record(lambda x: x / (1 // 0), [X.clone()])
    assert not is_recording()
    assert not torch.fx._symbolic_trace._is_fx_tracing_flag


def test_code_that_was_given_to_the_compiler_raises():
    compiled = torch.compile(lambda x: x.sin(), backend="eager")
    with pytest.raises(RuntimeError, match="dynamo-optimized"):
        Recorder().record(compiled, [X.clone()])


CHECK = """
import sys
import torch
import verifier
report = verifier.check(torch.tanh, inputs={"x": verifier.between(-2, 2, shape=(8,))})
assert report.ok
print("torch._dynamo" in sys.modules)
"""


def test_a_check_does_not_load_the_compiler_of_torch():
    run = subprocess.run(
        [sys.executable, "-c", CHECK], capture_output=True, text=True, check=True, timeout=120
    )
    assert run.stdout.strip() == "False"
