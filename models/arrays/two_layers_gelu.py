"""A network of 2 inputs, 6 GELU units and 2 logits, on a ring around a cloud.

D. Hendrycks and K. Gimpel, "Gaussian Error Linear Units", arXiv:1606.08415. It teaches a smooth unit, whose
derivative needs the error function.
"""

import numpy as np

from verifier import cross_entropy, model, normal, zeros
from verifier.functions import gelu

draw = np.random.default_rng(5)
LABELS = np.repeat([0.0, 1.0], 12)
ANGLES = draw.uniform(0, 2 * np.pi, 24)
RADII = np.where(LABELS, 2.0, 0.5) + 0.1 * draw.normal(size=24)
DATA = {"x": np.stack([RADII * np.cos(ANGLES), RADII * np.sin(ANGLES)], axis=1), "y": LABELS}


@model(loss=cross_entropy, data=DATA, train={"epochs": 7, "lr": 2.0, "batch": "all"})
def two_layers_gelu(x, *, W1=normal(2, 6), b1=zeros(6), W2=normal(6, 2), b2=zeros(2)):
    return gelu(x @ W1 + b1) @ W2 + b2
