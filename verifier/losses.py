"""Losses: functions of the prediction and of data columns, traced together with the model.

A loss takes the prediction first, then columns of the data by name; keyword-only arguments are
constants. The mean over the batch is taken by the trainer.
"""

from __future__ import annotations

from typing import Any


def squared_error(prediction: Any, y: Any) -> Any:
    """(prediction - y)², the loss of the tutorial.

    >>> squared_error(3.0, 1.0)
    4.0
    """
    return (prediction - y) ** 2
