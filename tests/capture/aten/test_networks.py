"""The operations of networks against torch: numbers of forward and backward, backward as
derivative, rounding.
"""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import verifier
from tests.helpers.reading import (
    agreeing_digits,
    deviations_off,
    largest_error,
    module_of,
    read,
    shared_out,
)
from verifier.capture.aten.normalisation import layer_norm
from verifier.capture.joint_graph import NotReadableError
from verifier.capture.lowering import rules
from verifier.checking.inputs import between
from verifier.program.evaluation.stochastic import DEVIATIONS

aten = torch.ops.aten


def t(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(kind, *options, seed=3, **named):
    """A module with random parameters, none of which is 0 or 1."""
    module = kind(*options, **named)
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.5 + 0.1
    return module


def of(function, **options):
    return lambda *inputs: function(*inputs, **options)


def eval_of(module, *inputs):
    """In eval mode, with statistics that are not those of a new module."""
    for name, value in module.named_buffers():
        if value.is_floating_point():
            value.copy_(0.2 * t(*value.shape, seed=5) + (2.0 if "var" in name else 0.3))
    return module_of(module, *inputs, train=False)


WEIGHT = t(2, 3, 2, 2, seed=2)
CONVOLUTIONS = {
    "conv1d": (F.conv1d, t(2, 3, 7), t(4, 3, 3, seed=2), t(4, seed=3)),
    "conv1d, one picture": (F.conv1d, t(3, 7), t(4, 3, 2, seed=2)),
    "conv1d, stride, padding, dilation": (
        of(F.conv1d, stride=2, padding=2, dilation=2),
        t(2, 3, 8),
        t(2, 3, 3),
    ),
    "conv1d, same": (of(F.conv1d, padding="same"), t(1, 2, 6), t(3, 2, 3, seed=2)),
    "conv2d": (F.conv2d, t(2, 3, 5, 4), t(4, 3, 3, 2, seed=2), t(4, seed=3)),
    "conv2d, groups": (
        of(F.conv2d, groups=2, padding=1),
        t(2, 4, 4, 4),
        t(6, 2, 3, 3, seed=2),
        t(6, seed=3),
    ),
    "conv2d, depthwise": (
        of(F.conv2d, groups=3, stride=(1, 2)),
        t(1, 3, 4, 5),
        t(6, 1, 2, 2, seed=2),
    ),
    "conv2d, all options": (
        of(F.conv2d, stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2),
        t(2, 4, 5, 6),
        t(2, 2, 3, 2, seed=2),
    ),
    "conv2d, channels last": (
        lambda x, w: F.conv2d(x.to(memory_format=torch.channels_last), w),
        t(2, 3, 4, 4),
        t(2, 3, 2, 2, seed=2),
    ),
    "conv2d, not contiguous": (
        lambda x, w: F.conv2d(x.transpose(2, 3)[..., ::2], w),
        t(1, 2, 6, 4),
        t(2, 2, 2, 2),
    ),
    "conv3d": (
        of(F.conv3d, stride=2, padding=1),
        t(1, 2, 4, 3, 4),
        t(3, 2, 2, 3, 2, seed=2),
        t(3, seed=3),
    ),
    "conv3d, valid": (of(F.conv3d, padding="valid"), t(1, 2, 2, 1, 3), t(1, 2, 1, 1, 2, seed=2)),
    "conv_transpose1d": (
        of(F.conv_transpose1d, stride=2, output_padding=1),
        t(2, 3, 4),
        t(3, 2, 3, seed=2),
        t(2),
    ),
    "conv_transpose2d": (
        of(F.conv_transpose2d, stride=2, padding=1),
        t(2, 3, 3, 4),
        t(3, 2, 3, 3, seed=2),
        t(2),
    ),
    "conv_transpose2d, groups": (
        of(F.conv_transpose2d, groups=2, dilation=2, stride=(1, 2)),
        t(1, 4, 3, 3),
        t(4, 3, 2, 2, seed=2),
        t(6),
    ),
    "conv_transpose3d": (
        of(F.conv_transpose3d, stride=2),
        t(1, 2, 2, 2, 2),
        t(2, 1, 2, 2, 3, seed=2),
    ),
    "conv2d, weight given": (lambda x: F.conv2d(x, WEIGHT.to(x.dtype)), t(1, 3, 4, 4)),
    "conv2d, second order": (
        lambda x, w: torch.func.grad(lambda x: F.conv2d(x, w, padding=1).square().sum())(x),
        t(1, 2, 3, 3),
        t(2, 2, 2, 2, seed=2),
    ),
}
POOLS = {
    "max_pool1d": (of(F.max_pool1d, kernel_size=3, stride=2, padding=1), t(2, 3, 7)),
    "max_pool2d": (of(F.max_pool2d, kernel_size=2), t(2, 3, 4, 6)),
    "max_pool2d, one picture": (of(F.max_pool2d, kernel_size=2), t(3, 4, 4)),
    "max_pool2d, all options": (
        of(
            F.max_pool2d,
            kernel_size=(3, 2),
            stride=(2, 1),
            padding=1,
            dilation=(1, 2),
            ceil_mode=True,
        ),
        t(2, 2, 6, 7),
    ),
    "max_pool3d": (
        of(F.max_pool3d, kernel_size=2, stride=1, padding=1, ceil_mode=True),
        t(1, 2, 3, 3, 4),
    ),
    "max_unpool2d": (
        lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2),
        t(2, 2, 4, 4),
    ),
    "max_unpool3d": (
        lambda x: F.max_unpool3d(*F.max_pool3d(x, 2, return_indices=True), 2),
        t(1, 2, 4, 4, 2),
    ),
    "avg_pool1d": (of(F.avg_pool1d, kernel_size=3, stride=2, padding=1), t(2, 3, 7)),
    "avg_pool2d": (of(F.avg_pool2d, kernel_size=2), t(2, 3, 4, 6)),
    "avg_pool2d, ceil": (
        of(F.avg_pool2d, kernel_size=3, stride=2, padding=1, ceil_mode=True),
        t(1, 2, 6, 6),
    ),
    "avg_pool2d, without padding": (
        of(F.avg_pool2d, kernel_size=(3, 2), padding=1, ceil_mode=True, count_include_pad=False),
        t(3, 5, 5),
    ),
    "avg_pool2d, divisor": (of(F.avg_pool2d, kernel_size=2, divisor_override=7), t(1, 2, 4, 4)),
    "avg_pool3d": (of(F.avg_pool3d, kernel_size=(2, 3, 2), stride=2, padding=1), t(1, 2, 4, 5, 4)),
    "adaptive_avg_pool1d": (of(F.adaptive_avg_pool1d, output_size=3), t(2, 3, 7)),
    "adaptive_avg_pool2d": (of(F.adaptive_avg_pool2d, output_size=(3, 2)), t(2, 2, 7, 5)),
    "adaptive_avg_pool2d, to one": (of(F.adaptive_avg_pool2d, output_size=1), t(2, 2, 3, 5)),
    "adaptive_avg_pool2d, larger": (of(F.adaptive_avg_pool2d, output_size=5), t(2, 3, 3)),
    "adaptive_avg_pool3d": (of(F.adaptive_avg_pool3d, output_size=(2, 1, 3)), t(1, 2, 5, 3, 4)),
    "adaptive_max_pool1d": (of(F.adaptive_max_pool1d, output_size=3), t(2, 3, 7)),
    "adaptive_max_pool2d": (of(F.adaptive_max_pool2d, output_size=(3, 2)), t(2, 2, 7, 5)),
    "adaptive_max_pool3d": (of(F.adaptive_max_pool3d, output_size=2), t(1, 2, 5, 3, 4)),
    "lp_pool1d": (of(F.lp_pool1d, norm_type=2.0, kernel_size=2), t(2, 3, 6)),
    "lp_pool2d": (of(F.lp_pool2d, norm_type=4.0, kernel_size=2), t(2, 2, 4, 4)),
}
NORMS = {
    "layer_norm": module_of(made(nn.LayerNorm, 5), t(3, 5)),
    "layer_norm, two axes": module_of(made(nn.LayerNorm, (3, 4)), t(2, 2, 3, 4)),
    "layer_norm, without weight": (lambda x: F.layer_norm(x, (4,)), t(3, 4)),
    "layer_norm, without bias": module_of(made(nn.LayerNorm, 5, bias=False), t(3, 5)),
    "layer_norm, only one row": module_of(made(nn.LayerNorm, 6), t(6)),
    "layer_norm, far from 0": module_of(made(nn.LayerNorm, 5), t(3, 5) + 20.0),
    "batch_norm1d": module_of(made(nn.BatchNorm1d, 4), t(5, 4)),
    "batch_norm2d": module_of(made(nn.BatchNorm2d, 3), t(2, 3, 2, 4)),
    "batch_norm2d, channels last": module_of(
        made(nn.BatchNorm2d, 3), t(2, 3, 2, 4).to(memory_format=torch.channels_last)
    ),
    "batch_norm3d": module_of(made(nn.BatchNorm3d, 2), t(2, 2, 2, 2, 3)),
    "batch_norm1d, no weight": module_of(
        nn.BatchNorm1d(4, affine=False, track_running_stats=False), t(5, 4, 3)
    ),
    "batch_norm1d in eval": eval_of(made(nn.BatchNorm1d, 4), t(5, 4)),
    "batch_norm2d in eval": eval_of(made(nn.BatchNorm2d, 3), t(2, 3, 2, 4)),
    "group_norm": module_of(made(nn.GroupNorm, 2, 4), t(3, 4, 5)),
    "group_norm, without weight": (lambda x: F.group_norm(x, 3), t(2, 6, 2)),
    "instance_norm": module_of(made(nn.InstanceNorm2d, 3, affine=True), t(2, 3, 4, 3)),
    "instance_norm, tracked": module_of(
        made(nn.InstanceNorm1d, 3, track_running_stats=True), t(2, 3, 5)
    ),
    "instance_norm in eval": eval_of(
        made(nn.InstanceNorm1d, 3, affine=True, track_running_stats=True), t(2, 3, 5)
    ),
    "rms_norm": module_of(made(nn.RMSNorm, 5), t(3, 5)),
    "rms_norm, two axes, eps": module_of(made(nn.RMSNorm, (3, 4), eps=1e-3), t(2, 3, 4)),
    "rms_norm, without weight": (lambda x: F.rms_norm(x, (4,)), t(3, 4)),
    "local_response_norm": (of(F.local_response_norm, size=3), t(2, 5, 4)),
    "weight_norm": module_of(nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), t(2, 3)),
    "weight_norm, last axis": module_of(
        nn.utils.parametrizations.weight_norm(nn.Linear(3, 4), dim=1), t(2, 3)
    ),
    "weight_norm, convolution": module_of(
        nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 3, 2)), t(1, 2, 3, 3)
    ),
}
RECURRENT = {
    "rnn cell": module_of(made(nn.RNNCell, 3, 4), t(2, 3), t(2, 4, seed=2)),
    "rnn cell, relu": module_of(made(nn.RNNCell, 3, 4, nonlinearity="relu"), t(2, 3)),
    "gru cell": module_of(made(nn.GRUCell, 3, 4), t(2, 3), t(2, 4, seed=2)),
    "lstm cell": module_of(made(nn.LSTMCell, 3, 4), t(2, 3)),
    "lstm cell, one row": module_of(made(nn.LSTMCell, 3, 4, bias=False), t(3)),
    "rnn": module_of(made(nn.RNN, 3, 2, num_layers=2, bidirectional=True), t(3, 2, 3)),
    "gru": module_of(made(nn.GRU, 3, 2, batch_first=True), t(2, 3, 3)),
    "lstm": module_of(made(nn.LSTM, 3, 2), t(3, 2, 3)),
    "lstm, two layers, both ways": module_of(
        made(nn.LSTM, 3, 2, num_layers=2, bidirectional=True), t(3, 2, 3)
    ),
    "lstm, no bias, batch first": module_of(
        made(nn.LSTM, 3, 2, bias=False, batch_first=True), t(2, 3, 3)
    ),
    "lstm, only the output": (
        lambda x, h, c, *p: torch.lstm(x, (h, c), p, True, 1, 0.0, True, False, False)[0],
        t(3, 2, 3),
        t(1, 2, 2),
        t(1, 2, 2, seed=2),
        t(8, 3),
        t(8, 2),
        t(8),
        t(8, seed=2),
    ),
    "lstm, projected": module_of(made(nn.LSTM, 3, 4, proj_size=2), t(3, 2, 3)),
    "packed": (
        lambda x: nn.utils.rnn.pack_padded_sequence(
            x, torch.tensor([3, 2]), batch_first=True
        ).data.sin(),
        t(2, 3, 2),
    ),
}
QKV = (t(2, 2, 3, 4), t(2, 2, 5, 4, seed=2), t(2, 2, 5, 4, seed=3))
SQUARE = (t(1, 2, 4, 3), t(1, 2, 4, 3, seed=2), t(1, 2, 4, 3, seed=3))
BLIND = torch.tensor(
    [[True, False, True, True], [False] * 4, [True] * 4, [False, False, False, True]]
)
MASK = t(4, 4)
attend = F.scaled_dot_product_attention
ATTENTION = {
    "attention": (attend, *QKV),
    "attention, causal": (of(attend, is_causal=True), *SQUARE),
    "attention, scale": (of(attend, scale=0.3), *QKV),
    "attention, mask": (of(attend, attn_mask=torch.ones(4, 4, dtype=torch.bool).tril()), *SQUARE),
    "attention, a row that sees nothing": (of(attend, attn_mask=BLIND), *SQUARE),
    "attention, mask of numbers": (lambda *x: attend(*x, attn_mask=MASK.to(x[0].dtype)), *SQUARE),
    "attention, mask of heads": (
        of(attend, attn_mask=t(1, 2, 4, 4).gt(-0.5) | torch.eye(4, dtype=torch.bool)),
        *SQUARE,
    ),
    "attention, shared heads": (
        of(attend, enable_gqa=True, is_causal=True),
        t(1, 4, 3, 2),
        t(1, 2, 3, 2, seed=2),
        t(1, 2, 3, 2, seed=3),
    ),
    "attention, saturated": (lambda q, k, v: attend(30 * q, k, v), *QKV),
    "attention, no dropout": (of(attend, dropout_p=0.0), *QKV),
    "encoder layer": module_of(made(nn.TransformerEncoderLayer, 4, 2, 6, dropout=0.0), t(3, 2, 4)),
    "encoder layer, norm first": module_of(
        made(
            nn.TransformerEncoderLayer, 4, 2, 6, dropout=0.0, norm_first=True, activation=torch.tanh
        ),
        t(3, 2, 4),
    ),
    "encoder layer in eval": module_of(
        made(nn.TransformerEncoderLayer, 4, 2, 6, batch_first=True), t(2, 3, 4), train=False
    ),
    "encoder layer, causal": module_of(
        made(nn.TransformerEncoderLayer, 4, 2, 6, dropout=0.0),
        t(3, 2, 4),
        src_mask=torch.ones(3, 3, dtype=torch.bool).triu(1),
        is_causal=True,
    ),
    "decoder layer": module_of(
        made(nn.TransformerDecoderLayer, 4, 2, 6, dropout=0.0), t(2, 1, 4), t(3, 1, 4, seed=2)
    ),
    "multihead, padding": module_of(
        made(nn.MultiheadAttention, 4, 2),
        t(3, 2, 4),
        t(3, 2, 4, seed=2),
        t(3, 2, 4, seed=3),
        need_weights=False,
        key_padding_mask=torch.tensor([[False, True, False], [False, False, True]]),
    ),
    "multihead, weights": module_of(
        made(nn.MultiheadAttention, 4, 2), t(3, 2, 4), t(4, 2, 4), t(4, 2, 4, seed=2)
    ),
}
RESAMPLING = {
    "nearest1d": (of(F.interpolate, scale_factor=1.7), t(2, 3, 5)),
    "nearest2d": (of(F.interpolate, size=(5, 2)), t(2, 3, 3, 4)),
    "nearest3d": (of(F.interpolate, scale_factor=2), t(1, 2, 2, 1, 3)),
    "nearest-exact1d": (of(F.interpolate, size=4, mode="nearest-exact"), t(2, 3, 7)),
    "nearest-exact2d": (
        of(F.interpolate, scale_factor=(1.3, 0.6), mode="nearest-exact"),
        t(2, 3, 3, 4),
    ),
    "nearest-exact3d": (
        of(F.interpolate, scale_factor=0.7, mode="nearest-exact"),
        t(1, 2, 3, 2, 4),
    ),
    "linear": (of(F.interpolate, size=7, mode="linear"), t(2, 3, 4)),
    "linear, corners": (of(F.interpolate, size=7, mode="linear", align_corners=True), t(2, 3, 4)),
    "linear, to one": (of(F.interpolate, size=1, mode="linear", align_corners=True), t(2, 3, 4)),
    "bilinear": (of(F.interpolate, scale_factor=1.7, mode="bilinear"), t(2, 2, 3, 4)),
    "bilinear, smaller": (
        of(F.interpolate, size=(2, 3), mode="bilinear", align_corners=True),
        t(2, 2, 5, 4),
    ),
    "bilinear, same": (of(F.interpolate, size=(4, 3), mode="bilinear"), t(1, 2, 4, 3)),
    "bilinear, recomputed": (
        of(F.interpolate, scale_factor=1.7, mode="bilinear", recompute_scale_factor=True),
        t(2, 2, 3, 4),
    ),
    "trilinear": (of(F.interpolate, size=(3, 2, 4), mode="trilinear"), t(1, 2, 2, 3, 3)),
    "bicubic": (of(F.interpolate, scale_factor=1.7, mode="bicubic"), t(2, 2, 3, 4)),
    "bicubic, corners, smaller": (
        of(F.interpolate, size=(3, 4), mode="bicubic", align_corners=True),
        t(1, 2, 5, 6),
    ),
    "area": (of(F.interpolate, size=(2, 3), mode="area"), t(2, 2, 5, 4)),
    "bilinear, smooth": (
        of(F.interpolate, size=(3, 2), mode="bilinear", antialias=True),
        t(1, 2, 7, 5),
    ),
    "bilinear, smooth, larger": (
        of(F.interpolate, size=(5, 4), mode="bilinear", antialias=True, align_corners=True),
        t(1, 2, 3, 5),
    ),
    "bicubic, smooth": (
        of(F.interpolate, scale_factor=0.6, mode="bicubic", antialias=True),
        t(1, 2, 7, 6),
    ),
    **{
        f"grid_sample, {mode}, {padding}, {corners}": (
            of(F.grid_sample, mode=mode, padding_mode=padding, align_corners=corners),
            t(2, 3, 4, 5),
            1.3 * t(2, 3, 2, 2, seed=2),
        )
        for mode in ("bilinear", "nearest")
        for padding in ("zeros", "border", "reflection")
        for corners in (False, True)
    },
    "grid_sample, three axes": (
        of(F.grid_sample, align_corners=False),
        t(1, 2, 3, 2, 3),
        t(1, 2, 2, 2, 3, seed=2),
    ),
    "grid_sample, three axes, nearest": (
        of(F.grid_sample, mode="nearest", align_corners=True),
        t(1, 2, 3, 2, 3),
        t(1, 2, 2, 2, 3, seed=2),
    ),
    "affine_grid": (of(F.affine_grid, size=(2, 3, 4, 5), align_corners=False), t(2, 2, 3)),
    "affine_grid, corners": (of(F.affine_grid, size=(2, 3, 4, 3), align_corners=True), t(2, 2, 3)),
    "affine_grid, three axes": (
        of(F.affine_grid, size=(1, 3, 2, 2, 3), align_corners=False),
        t(1, 3, 4),
    ),
    "spatial transformer": (
        lambda x, theta: F.grid_sample(
            x, F.affine_grid(theta, (1, 2, 3, 3), False), align_corners=False
        ),
        t(1, 2, 4, 4),
        t(1, 2, 3, seed=2),
    ),
    "pixel_shuffle": (of(F.pixel_shuffle, upscale_factor=2), t(1, 4, 2, 3)),
    "channel_shuffle": (of(F.channel_shuffle, groups=2), t(1, 4, 2, 3)),
}
NETWORKS = {
    "embedding, dropout in eval": (
        lambda w: F.dropout(F.embedding(torch.tensor([1, 0, 1]), w), training=False).tanh(),
        t(3, 4),
    ),
    "dropout of nothing": (lambda x: F.dropout(x, 0.0).sin(), t(3, 4)),
    "a small network": module_of(
        nn.Sequential(
            nn.Conv2d(1, 2, 3, bias=False),
            nn.BatchNorm2d(2),
            nn.Tanh(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(8, 3),
        ),
        t(2, 1, 6, 6),
    ),
}
CASES = {**CONVOLUTIONS, **POOLS, **NORMS, **RECURRENT, **ATTENTION, **RESAMPLING, **NETWORKS}


@pytest.mark.parametrize("case", CASES)
def test_numbers_derivative_and_noise(case):
    """In float64: torch's numbers, the backward as the derivative of the forward, and how far
    rounding may go.
    """
    assert largest_error(*CASES[case]) < 1e-13
    assert agreeing_digits(*CASES[case]) > 30
    assert deviations_off(*CASES[case]) <= DEVIATIONS


DTYPES = (torch.float32, torch.bfloat16, torch.float16)
NOT_IN_16_BITS = {
    "avg_pool3d": "avg_pool3d_out_frame",
    **dict.fromkeys(
        ("bilinear, smooth", "bilinear, smooth, larger", "bicubic, smooth"),
        "compute_index_ranges_weights",
    ),
}
"""What torch itself does not have, and what it says."""


def cast(case, dtype):
    code, *inputs = CASES[case]
    return (code, *(value.to(dtype) if value.is_floating_point() else value for value in inputs))


@pytest.mark.sweep(one_in=4)
@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize(("case", "dtype"), shared_out(CASES, DTYPES), ids=str)
def test_stated_numbers_are_within_the_noise(case, dtype):
    if case in NOT_IN_16_BITS and dtype.itemsize == 2:
        with pytest.raises(NotImplementedError, match=NOT_IN_16_BITS[case]):
            CASES[case][0](*cast(case, dtype)[1:])
        return
    assert deviations_off(*cast(case, dtype)) <= DEVIATIONS


@pytest.mark.parametrize("case", [case for case in RECURRENT if case.startswith("lstm")])
@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_fused_lstm_replays(case, dtype):
    assert agreeing_digits(*cast(case, dtype)) > 30


def test_the_fused_lstm_is_one_operation():
    *_, low, _ = read(*cast("lstm", torch.float32))
    assert {"mkldnn_rnn_layer", "mkldnn_rnn_layer_backward"} < set(low.operations)


@pytest.mark.parametrize("size", range(1, 8))
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear", "bicubic", "smooth"])
def test_entries_are_chosen_as_the_kernel_chooses_them(mode, size):
    """Where a position falls on an entry, in whatever way it is rounded."""
    two = mode in ("bicubic", "smooth")
    options = {"mode": "bilinear", "antialias": True} if mode == "smooth" else {"mode": mode}
    for target in range(1, 12):
        shape, wanted = ((1, 1, size, 2), (target, 2)) if two else ((1, 1, size), target)
        resized = of(F.interpolate, size=wanted, **options)
        assert deviations_off(resized, t(*shape).float()) <= DEVIATIONS


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_known_defect_of_smooth_resampling_of_narrow_pictures(mode):
    """Torch gives the same number everywhere where a picture is one entry wide; its backward is the
    right one.
    """
    shape, narrow = t(1, 1, 3, 2), t(1, 1, 3, 1)
    assert largest_error(of(F.interpolate, size=(5, 2), mode=mode, antialias=True), shape) < 1e-13
    assert largest_error(of(F.interpolate, size=(5, 1), mode=mode, antialias=True), narrow) > 0.1
    assert len(F.interpolate(narrow, size=(5, 1), mode=mode, antialias=True).unique()) == 1
    assert agreeing_digits(of(F.interpolate, size=(5, 1), mode=mode, antialias=True), narrow) > 30


def test_statistics_in_another_format():
    """In float32 beside 16-bit numbers."""
    x, w, b = t(3, 5).bfloat16(), t(5, seed=2).float(), t(5, seed=3).float()
    assert deviations_off(lambda x, w, b: F.layer_norm(x, (5,), w, b), x, w, b) <= DEVIATIONS


REFUSED = {
    "bicubic": (
        lambda x: F.grid_sample(x, x[..., :2], mode="bicubic", align_corners=False),
        "aten::grid_sampler_2d has no rule for bicubic sampling",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_rule_is_named(case):
    code, sentence = REFUSED[case]
    with pytest.raises(NotReadableError, match=sentence):
        read(code, t(1, 2, 2, 3))


class Scaled(torch.autograd.Function):
    """A layer norm whose backward leaves the mean of the gradient in: right only where that
    is 0.
    """

    @staticmethod
    def forward(ctx, x):
        normal, mean, rstd = aten.native_layer_norm(x, [x.shape[-1]], None, None, 1e-5)
        ctx.save_for_backward(x, mean, rstd)
        return normal

    @staticmethod
    def backward(ctx, g):
        x, mean, rstd = ctx.saved_tensors
        right, _, _ = aten.native_layer_norm_backward(
            g, x, [x.shape[-1]], mean, rstd, None, None, [True, False, False])  # fmt: skip
        return right + 1e-12 * g.mean(-1, keepdim=True)


def test_a_wrong_backward_is_found():
    assert 10 < agreeing_digits(Scaled.apply, t(3, 5)) < 14


@pytest.fixture
def afresh():
    """Nothing that was read by other rules."""
    read.cache_clear()
    yield
    read.cache_clear()


def test_a_wrong_rule_is_found(monkeypatch, afresh):
    """A standard deviation that is not torch's."""
    monkeypatch.setitem(rules(), "native_layer_norm", _with_another_deviation)
    assert largest_error(*CASES["layer_norm"]) > 1e-2
    assert agreeing_digits(*CASES["layer_norm"]) < 3
    assert deviations_off(*cast("layer_norm", torch.float32)) > DEVIATIONS


def _with_another_deviation(low, input, normalized_shape, weight, bias, eps, actual):
    normal, mean, rstd = layer_norm(low, input, normalized_shape, weight, bias, eps, actual)
    return low.apply("multiply", normal, 0.9), mean, low.apply("multiply", rstd, 0.9)


def test_a_wrong_choice_of_entries_is_found(monkeypatch, afresh):
    monkeypatch.setitem(rules(), "upsample_nearest1d", rules()["_upsample_nearest_exact1d"])
    assert largest_error(*CASES["nearest1d"]) > 1e-2


class HalfTooLarge(torch.autograd.Function):
    """A convolution whose weight has half too much of its gradient."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return F.conv1d(x, w)

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        along = nn.grad.conv1d_input(x.shape, w, g), nn.grad.conv1d_weight(x, w.shape, g)
        return along[0], 1.5 * along[1]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_convolution_in_16_bits_has_a_verdict(dtype):
    """Several pictures, whose shares of the weight's gradient are rounded before they are added."""
    inputs = {"x": between(-1, 1, shape=(4, 2, 16)), "w": between(-1, 1, shape=(3, 2, 3))}
    without = ["second", "vmap", "strided", "expanded", "structured"]
    right = verifier.check(
        lambda x, w: F.conv1d(x, w), inputs=inputs, dtypes=[dtype], points=2, without=without
    )
    assert right.outcome == "agrees"
    wrong = verifier.check(HalfTooLarge, inputs=inputs, dtypes=[dtype], points=2, without=without)
    assert wrong.outcome == "disagrees"
