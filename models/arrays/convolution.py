"""Two filters of three taps over two channels, as a sum of shifted products.

A row of the data is a signal of 8 samples with 2 channels, and the kernel has the axes tap, channel and
filter. It teaches that a convolution is a sum of products with slices, and its gradient one as well.
"""

import numpy as np

from verifier import cross_entropy, model, normal, zeros
from verifier.functions import maximum, mean

draw = np.random.default_rng(11)
LABELS = np.arange(12) % 2
WAVES = np.sin(np.outer(1 + LABELS, np.arange(8.0)))
DATA = {"x": np.stack([WAVES, WAVES**2], axis=2) + 0.2 * draw.normal(size=(12, 8, 2)), "y": LABELS}


@model(loss=cross_entropy, data=DATA, train={"epochs": 6, "lr": 2.0, "batch": "all"})
def convolution(x, *, kernel=normal(3, 2, 2, scale=0.5), bias=zeros(2), W=normal(2, 2), b=zeros(2)):
    filtered = x[:, 0:6] @ kernel[0] + x[:, 1:7] @ kernel[1] + x[:, 2:8] @ kernel[2]
    return mean(maximum(filtered + bias, 0), axis=1) @ W + b
