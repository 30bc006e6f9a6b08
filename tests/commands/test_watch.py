"""Somebody's own training loop, watched: what is judged, what is not, and that nothing changes."""

import pytest
import torch
from torch import nn

import verifier
from verifier.errors import InputError


class Scaled(torch.autograd.Function):
    """tanh, whose backward is off by a hundredth where the gradient that arrives is large."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.tanh()

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (1 - x.tanh() ** 2) * (1 + 0.01 * (g.abs() > 10))


class Wrong(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x):
        return Scaled.apply(self.linear(x))


def loop(module, steps=4, penalty=0.0, scale=1.0, optimizer=None):
    torch.manual_seed(0)
    for _ in range(steps):
        loss = module(torch.randn(5, 3)).pow(2).sum() * scale
        loss = loss + penalty * sum(p.pow(2).sum() for p in module.parameters())
        module.zero_grad()
        loss.backward()
        if optimizer is not None:
            optimizer.step()


def network():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Dropout(0.3), nn.Linear(4, 2)
    )


def test_a_loop_whose_gradients_are_right():
    module = network()
    optimizer = torch.optim.AdamW(module.parameters(), 0.01)
    with verifier.watch(module, every=2, share=1.0) as watch:
        loop(module, penalty=1e-3, optimizer=optimizer)
    report = watch.report
    assert report.ok
    assert (watch.calls, watch.judged) == (4, 2)
    assert {one.name for one in report.components} >= {"0.weight", "1.bias", "4.weight"}
    assert "2 of 4 calls in the loop were judged" in report.checked.notes


def test_a_gradient_that_is_wrong_at_one_step_only():
    """No point that a check draws has a grad_output of that size; the loop has."""
    module = Wrong()
    with verifier.watch(module, every=1, share=1.0) as watch:
        loop(module, steps=2)
        loop(module, steps=1, scale=100.0)
    report = watch.report
    assert report.outcome == "disagrees"
    assert {finding.point.number for finding in report.checked.judged if finding.outcome ==
            "disagrees"} == {3}  # fmt: skip
    assert report.exit_code == 1
    assert "The gradient of Wrong" in str(report)


def test_what_was_wrong_in_the_loop_alone_is_found():
    """A hook of the loop on the module's result is no part of it, but one on its inside is."""
    module = Wrong()
    handle = module.linear.register_forward_hook(_double_the_gradient)
    with verifier.watch(module, every=1, share=1.0) as watch:
        loop(module, steps=1)
    handle.remove()
    assert watch.report.outcome == "disagrees"


def _double_the_gradient(module, inputs, result):
    result.register_hook(lambda gradient: 2 * gradient)


def digits_of(module):
    return [parameter.detach().clone() for parameter in module.state_dict().values()]


def test_the_loop_goes_on_to_the_same_digits():
    plain, watched = network(), network()
    loop(plain, optimizer=torch.optim.SGD(plain.parameters(), 0.1))
    with verifier.watch(watched, every=1, share=1.0):
        loop(watched, optimizer=torch.optim.SGD(watched.parameters(), 0.1))
    assert all(map(torch.equal, digits_of(plain), digits_of(watched)))
    assert "forward" not in watched.__dict__


def with_own_forward(module, forward):
    module.forward = forward
    return module


def test_a_module_that_has_a_forward_of_its_own_keeps_it():
    """It finds the weights in the module that it was made for, and not in a copy."""
    module = nn.Linear(3, 2)
    own = with_own_forward(module, lambda x: x @ module.weight.T * 2).forward
    with verifier.watch(module, every=1, share=1.0) as watch:
        loop(module, steps=1)
    assert module.forward is own
    (note,) = notes_of(watch)
    assert "Linear uses weight in a way that a copy of the module does not" in note


def test_an_lstm():
    module = nn.LSTM(3, 2)
    with verifier.watch(module, share=1.0) as watch:
        module(torch.randn(2, 1, 3))[0].sum().backward()
    assert watch.report.ok


def test_a_loss_and_a_function():
    loss, scores = nn.CrossEntropyLoss(), torch.randn(4, 3, requires_grad=True)
    with verifier.watch(loss) as watch:
        loss(scores, torch.tensor([0, 2, 1, 1])).backward()
    assert watch.report.ok and watch.judged == 1
    with verifier.watch(Scaled.apply) as watch:
        (20 * watch.call(scores)).sum().backward()
    assert watch.report.outcome == "disagrees"


def test_two_backward_passes_through_one_call_add_up():
    module = nn.Linear(3, 2)
    with verifier.watch(module, share=1.0) as watch:
        loss = module(torch.randn(5, 3)).pow(2).sum()
        loss.backward(retain_graph=True)
        loss.backward()
    assert watch.report.ok and watch.judged == 1


def test_a_share_of_the_time():
    module = nn.Linear(3, 2)
    with verifier.watch(module, every=1, share=1e-9) as watch:
        loop(module, steps=5)
    assert (watch.calls, watch.judged) == (5, 1)


def notes_of(watch):
    return [note for note in watch.report.checked.notes if "not judged" in note]


def test_what_is_not_judged_is_counted():
    module = nn.Linear(3, 2)
    with verifier.watch(module, every=1, share=1.0) as watch:
        module(torch.ones(1, 3))
        with torch.no_grad():
            module(torch.ones(1, 3))
        with torch.autocast("cpu"):
            module(torch.ones(1, 3)).sum().backward()
    assert notes_of(watch) == [
        "once a call was not judged: no backward pass reached it",
        "once a call was not judged: it was under torch.autocast",
    ]
    assert watch.report.outcome == "undecided"
    assert watch.report.exit_code == 3


def test_a_module_that_gives_another_value_each_time_is_not_judged():
    class Counting(nn.Linear):
        calls = 0

        def forward(self, x):
            Counting.calls += 1
            return super().forward(x) * Counting.calls

    module = Counting(3, 2)
    with verifier.watch(module, share=1.0) as watch:
        loop(module, steps=1)
    (note,) = notes_of(watch)
    assert "Counting gives another value when it is run again" in note


def test_a_module_that_is_too_large():
    module = nn.Linear(5000, 5000)
    with verifier.watch(module, share=1.0) as watch:
        module(torch.ones(1, 5000)).sum().backward()
    (note,) = notes_of(watch)
    assert "about 25,005,000 products, and at most 20,000,000 are judged" in note


def test_what_has_no_number_to_judge():
    words = nn.Embedding(4, 2)
    words.weight.requires_grad_(False)
    with verifier.watch(torch.relu, every=1, share=1.0) as watch:
        watch.call(torch.tensor([1, 2]))
    assert notes_of(watch) == [
        "once a call was not judged: it is given no tensor of floating-point numbers"
    ]
    with verifier.watch(words, every=1, share=1.0) as watch:
        words(torch.tensor([1, 2]))
    (note,) = notes_of(watch)
    assert "Embedding has nothing to take a gradient by" in note


def test_a_call_that_does_not_fit_is_the_loops_error():
    def scaled(x):
        return 2 * x

    with verifier.watch(scaled, every=1, share=1.0) as watch, pytest.raises(TypeError):
        watch.call(torch.ones(2), torch.ones(2))
    (note,) = notes_of(watch)
    assert "its arguments do not fit: too many positional arguments" in note


def test_a_forward_that_cannot_be_read():
    class Outside(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return torch.from_numpy(x.detach().numpy() ** 2)

        @staticmethod
        def backward(ctx, g):
            return g

    with verifier.watch(Outside.apply, every=1, share=1.0) as watch:
        watch.call(torch.ones(2, requires_grad=True)).sum().backward()
    (note,) = notes_of(watch)
    assert "the code's forward cannot be read: the code leaves torch for NumPy" in note


def test_an_error_in_the_loop_is_the_loops():
    module = nn.Linear(3, 2)
    with pytest.raises(RuntimeError), verifier.watch(module):
        module(torch.ones(1, 4))
    assert "forward" not in module.__dict__


@pytest.mark.parametrize(
    ("target", "options", "sentence"),
    [
        (1.0, {}, "a float cannot be watched"),
        (nn.Tanh(), {"every": 0}, "every is 0: give a whole number"),
        (nn.Tanh(), {"share": 0}, "share is 0: give a fraction"),
        (nn.Tanh(), {"share": 2}, "share is 2: give a fraction"),
    ],
)
def test_what_cannot_be_watched(target, options, sentence):
    with pytest.raises(InputError, match=sentence):
        verifier.watch(target, **options)
