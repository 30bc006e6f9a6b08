"""Every loss: what torch's own says, and trained both ways in both formats, with every
reduction.
"""

from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional

import verifier
from verifier.judging.verdict import Outcome
from verifier.losses import LOSSES
from verifier.program.codegen import TORCH, function
from verifier.witnesses import Autograd

generator = np.random.default_rng(0)
X = generator.normal(size=12)
COUNTS = generator.poisson(np.exp(0.5 * X)).astype(float)
LABELS = (X + generator.normal(size=12) > 0).astype(float)
LINE = 2 * X + 1 + generator.normal(size=12)
TARGETS = {
    **dict.fromkeys(LOSSES, LINE), "poisson_nll": COUNTS, "focal": LABELS,
    "binary_cross_entropy_with_logits": LABELS, "hinge": 2 * LABELS - 1,
    "squared_hinge": 2 * LABELS - 1,
}  # fmt: skip
TORCH_LOSSES = {
    "squared_error": functional.mse_loss,
    "absolute_error": functional.l1_loss,
    "huber": functional.huber_loss,
    "smooth_l1": functional.smooth_l1_loss,
    "binary_cross_entropy_with_logits": functional.binary_cross_entropy_with_logits,
    "poisson_nll": functional.poisson_nll_loss,
    "gaussian_nll": lambda prediction, y, reduction: functional.gaussian_nll_loss(
        prediction, y, torch.ones_like(y), reduction=reduction
    ),
    "hinge": lambda prediction, y, reduction: functional.margin_ranking_loss(
        prediction, torch.zeros_like(y), y, margin=1.0, reduction=reduction
    ),
}


def model_of(name, **changes):
    start = {"w": 0.5, "b": 0.1} | ({"variance": 1.0} if name == "gaussian_nll" else {})
    roles = {"start": start, "loss": LOSSES[name], "data": {"x": X, "y": TARGETS[name]}} | changes
    return verifier.Model.from_text("w*x + b", inputs="x", **roles)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", TORCH_LOSSES)
def test_it_is_torchs_own(name, reduction):
    model = model_of(name, reduction=reduction)
    loss = function(
        "loss", ", ".join((*model.columns, *model.start)), model.batch_program.only_last, TORCH
    )
    x, y = torch.tensor(X), torch.tensor(TARGETS[name])
    expected = TORCH_LOSSES[name](0.5 * x + 0.1, y, reduction=reduction)
    start = [torch.tensor(value, dtype=torch.float64) for value in model.start.values()]
    assert float(loss(x, y, *start)) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.sweep("name", "batch")
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("batch", [1, 5, "all"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_trains_both_ways_and_agrees(name, dtype, batch, reduction):
    report = verifier.train(model_of(name, reduction=reduction), epochs=5, dtype=dtype, batch=batch)
    assert report.outcome is Outcome.AGREES
    assert all(component.decided for component in report.components)


@pytest.mark.parametrize("name", LOSSES)
def test_a_wrong_gradient_of_every_loss_is_found(name):
    class Wrong(Autograd):
        def differentiate(self, loss, parameters):
            super().differentiate(loss, parameters)
            parameters[0].grad *= 1.001

    report = verifier.train(model_of(name), epochs=1, batch=5, witness=Wrong())
    assert report.outcome is Outcome.DISAGREES


def test_constants_of_a_loss_are_changed_by_partial():
    narrow = verifier.train(model_of("huber", loss=partial(LOSSES["huber"], delta=0.1)), epochs=1)
    wide = verifier.train(model_of("huber"), epochs=1)
    assert narrow.ok
    assert narrow.steps[0].loss.stated != wide.steps[0].loss.stated


def test_a_parameter_can_be_an_argument_of_the_loss():
    model = model_of("gaussian_nll")
    assert model.columns == ("x", "y")
    assert "variance" in model.gradient
    column = model_of(
        "gaussian_nll",
        start={"w": 0.5, "b": 0.1},
        data={"x": X, "y": LINE, "variance": np.ones(12)},
    )
    assert column.columns == ("x", "y", "variance")
    assert verifier.train(column, epochs=2).ok


def test_large_predictions_do_not_overflow():
    """What sigmoid and log written out would turn into infinity."""
    for name in ("binary_cross_entropy_with_logits", "focal", "log_cosh"):
        report = verifier.train(
            model_of(name, start={"w": 300.0, "b": 0.0}), epochs=1, dtype="float32", lr=0.0
        )
        assert report.findings.not_finite is None, name
        assert report.outcome is not Outcome.DISAGREES, name
