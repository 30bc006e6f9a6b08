"""Labels of classes, which a cross-entropy takes as numbers."""

from __future__ import annotations

from functools import partial

import numpy as np

from verifier.errors import InputError
from verifier.formula.model import Model
from verifier.losses import cross_entropy
from verifier.training.data import Columns

LABELS = "y"
"""The column of the labels, as `cross_entropy` names it."""


def refuse_wrong_labels(model: Model, columns: Columns) -> None:
    """Raise InputError where a model with the loss `cross_entropy` gets a label that is none of
    its classes.

    Without this such a row would count as one that has no class.
    """
    loss = model.loss.func if isinstance(model.loss, partial) else model.loss
    if loss is not cross_entropy:
        return
    program = model.batch_program
    classes = program.nodes[program.outputs[0]].shape[-1]
    labels = columns.values[LABELS]
    wrong = np.flatnonzero(np.isin(labels, np.arange(classes), invert=True))
    if wrong.size:
        raise InputError(
            f"column {LABELS} holds {labels.flat[wrong[0]].item():g} at index {wrong[0]}: the "
            f"prediction has {classes} columns, so that labels are 0 to {classes - 1}"
        )
