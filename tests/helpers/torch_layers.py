"""The layers of torch.nn that people use, at small shapes, with their inputs."""

import torch
from torch import nn

from verifier.checking.inputs import between

X = between(-2, 2, shape=(4, 6))
IMAGE = between(-2, 2, shape=(2, 3, 6, 6))
SEQUENCE = between(-2, 2, shape=(3, 2, 4))
STATE = between(-1, 1, shape=(4, 5))
CLASSES = torch.tensor([0, 2, 5, 2])
MASK = torch.triu(torch.ones(3, 3, dtype=torch.bool), diagonal=1)


class Attention(nn.Module):
    def __init__(self, mask=None):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2)
        self.mask = mask

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False, attn_mask=self.mask)[0]


LAYERS = {
    "Linear": (lambda: nn.Linear(6, 3), {"input": X}),
    "Bilinear": (lambda: nn.Bilinear(6, 5, 2), {"input1": X, "input2": STATE}),
    "Embedding": (lambda: nn.Embedding(6, 3), {"input": CLASSES}),
    "Conv1d": (lambda: nn.Conv1d(3, 2, 3, padding=1), {"input": between(-2, 2, shape=(2, 3, 8))}),
    "Conv2d": (lambda: nn.Conv2d(3, 2, 3, stride=2), {"input": IMAGE}),
    "ConvTranspose2d": (
        lambda: nn.ConvTranspose2d(3, 2, 3),
        {"input": between(-2, 2, shape=(1, 3, 4, 4))},
    ),
    "MaxPool2d": (lambda: nn.MaxPool2d(2), {"input": IMAGE}),
    "AvgPool2d": (lambda: nn.AvgPool2d(3, stride=1, padding=1), {"input": IMAGE}),
    "BatchNorm1d in training": (lambda: nn.BatchNorm1d(6), {"input": X}),
    "BatchNorm1d in use": (lambda: nn.BatchNorm1d(6).eval(), {"input": X}),
    "LayerNorm": (lambda: nn.LayerNorm(6), {"input": X}),
    "RMSNorm": (lambda: nn.RMSNorm(6, eps=1e-6), {"x": X}),
    "GroupNorm": (lambda: nn.GroupNorm(3, 6), {"input": X}),
    "GRUCell": (lambda: nn.GRUCell(6, 5), {"input": X, "hx": STATE}),
    "LSTMCell": (
        lambda: nn.LSTMCell(6, 5),
        {"input": X, "hx": (STATE, between(-1, 1, shape=(4, 5)))},
    ),
    "MultiheadAttention": (Attention, {"x": SEQUENCE}),
    "MultiheadAttention with a mask": (lambda: Attention(MASK), {"x": SEQUENCE}),
    "TransformerEncoderLayer": (
        lambda: nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0),
        {"src": SEQUENCE},
    ),
    "CrossEntropyLoss": (
        lambda: nn.CrossEntropyLoss(
            weight=torch.tensor([1.0, 0.5, 2.0, 1.0, 0.25, 3.0]), label_smoothing=0.1
        ),
        {"input": X, "target": CLASSES},
    ),
    "KLDivLoss": (
        lambda: nn.KLDivLoss(reduction="batchmean"),
        {"input": between(-3, -0.1, shape=(4, 6)), "target": between(0, 1, shape=(4, 6))},
    ),
    "HuberLoss": (lambda: nn.HuberLoss(delta=0.5), {"input": X, "target": X}),
    "CosineEmbeddingLoss": (
        lambda: nn.CosineEmbeddingLoss(margin=0.25),
        {"input1": X, "input2": X, "target": torch.tensor([1, -1, 1, -1])},
    ),
    "TripletMarginLoss": (
        lambda: nn.TripletMarginLoss(),
        {"anchor": X, "positive": X, "negative": X},
    ),
}
"""By name, how the layer is made and what it is given."""
