"""Losses: functions of the prediction and of data columns, traced together with the model.

A loss takes the prediction first, then columns of the data, or parameters of the model, by name;
keyword-only arguments are constants, which `functools.partial` changes. The model's `reduction`
takes the mean or the sum over a batch. Each is written so that no intermediate overflows where the
loss itself does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier import functions

if TYPE_CHECKING:
    from verifier.operations.arrays import Operand


def squared_error(prediction: Operand, y: Operand) -> Operand:
    """(prediction - y)², the loss of the tutorial.

    `prediction` and `y` are real numbers, or expressions while a model is traced.

    >>> squared_error(3.0, 1.0)
    4.0
    """
    return (prediction - y) ** 2


def absolute_error(prediction: Operand, y: Operand) -> Operand:
    """|prediction - y|, whose minimum is the median.

    `prediction` and `y` are real numbers, or expressions while a model is traced.

    >>> absolute_error(3.0, 1.0)
    2.0
    """
    return abs(prediction - y)


def huber(prediction: Operand, y: Operand, *, delta: float = 1.0) -> Operand:
    """Half the square of the residual up to delta, then a line (Huber, Ann. Math. Statist. 35,
    1964).

    `prediction` and `y` are real numbers; `delta`, above 0, is the residual at which the line
    begins, in the unit of `y`.

    >>> huber(3.0, 1.0), huber(1.5, 1.0)
    (1.5, 0.125)
    """
    residual = prediction - y
    size = abs(residual)
    return functions.where(size <= delta, residual**2 / 2, delta * (size - delta / 2))


def smooth_l1(prediction: Operand, y: Operand, *, beta: float = 1.0) -> Operand:
    """Huber's loss divided by beta, as `torch.nn.SmoothL1Loss` has it.

    `prediction` and `y` are real numbers; `beta`, above 0, is the residual at which the line
    begins, in the unit of `y`.

    >>> smooth_l1(3.0, 1.0), smooth_l1(1.5, 1.0, beta=2.0)
    (1.5, 0.0625)
    """
    residual = prediction - y
    size = abs(residual)
    return functions.where(size < beta, residual**2 / (2 * beta), size - beta / 2)


def log_cosh(prediction: Operand, y: Operand) -> Operand:
    """log(cosh(prediction - y)), written as a log-sum-exp.

    `prediction` and `y` are real numbers, or expressions while a model is traced.

    >>> log_cosh(1.0, 1.0)
    0.0
    """
    residual = prediction - y
    return functions.logaddexp(residual, -residual) - functions.log(2)


def quantile(prediction: Operand, y: Operand, *, q: float = 0.5) -> Operand:
    """The pinball loss, whose minimum is the q-quantile (Koenker and Bassett, Econometrica 46,
    1978).

    `prediction` and `y` are real numbers; `q` is from 0 to 1, and 0.5 stands for the median.

    >>> quantile(1.0, 3.0, q=0.9), quantile(3.0, 1.0, q=0.75)
    (1.8, 0.5)
    """
    residual = y - prediction
    return functions.maximum(q * residual, (q - 1) * residual)


def binary_cross_entropy_with_logits(prediction: Operand, y: Operand) -> Operand:
    """-y log(p) - (1 - y) log(1 - p) at p = sigmoid(prediction).

    `prediction` is a logit, any real number; `y` is from 0 to 1.

    >>> binary_cross_entropy_with_logits(0.0, 1.0)
    0.6931471805599453
    """
    return functions.softplus(prediction) - y * prediction


def cross_entropy(prediction: Operand, y: Operand) -> Operand:
    """-log of the probability that the softmax of a row of logits gives its label.

    `prediction` has a row of logits for each row of the data, and `y` their labels, whole numbers
    from 0 on, as floats.

    >>> import numpy as np
    >>> cross_entropy(np.zeros((1, 2)), np.array([1.0])).round(4)
    array([0.6931])
    """
    chosen = functions.one_hot(y, prediction.shape[-1])
    return functions.logsumexp(prediction, axis=-1) - functions.sum(chosen * prediction, axis=-1)


def focal(prediction: Operand, y: Operand, *, gamma: float = 2.0, alpha: float = 0.25) -> Operand:
    """The cross-entropy of logits, weighted down where it is already small.

    It is -alpha (1 - p)^gamma log(p) for y = 1, -(1 - alpha) p^gamma log(1 - p) for y = 0, at p =
    sigmoid(prediction) (Lin et al., arXiv:1708.02002, equation 5).

    `prediction` is a logit, any real number; `y` is 0 or 1. `gamma`, 0 or above, says how much easy
    rows are weighted down; `alpha`, from 0 to 1, is the weight of y = 1.

    >>> round(focal(0.0, 1.0), 6), round(focal(0.0, 0.0), 6)
    (0.043322, 0.129965)
    """
    positive = alpha * functions.sigmoid(-prediction) ** gamma * -functions.logsigmoid(prediction)
    negative = (
        (1 - alpha) * functions.sigmoid(prediction) ** gamma * -functions.logsigmoid(-prediction)
    )
    return y * positive + (1 - y) * negative


def poisson_nll(prediction: Operand, y: Operand) -> Operand:
    """exp(prediction) - y prediction: a count's negative log-likelihood but for log(y!).

    `prediction` is the logarithm of the mean; `y` is the count.

    >>> poisson_nll(0.0, 2.0)
    1.0
    """
    return functions.exp(prediction) - y * prediction


def gaussian_nll(prediction: Operand, y: Operand, variance: Operand) -> Operand:
    """Half of log(variance) + (prediction - y)²/variance.

    `prediction` and `y` are real numbers; `variance`, above 0, is a column or a parameter of the
    model, in the square of the unit of `y`.

    >>> gaussian_nll(3.0, 1.0, 1.0)
    2.0
    """
    return (functions.log(variance) + (prediction - y) ** 2 / variance) / 2


def hinge(prediction: Operand, y: Operand) -> Operand:
    """max(0, 1 - y prediction).

    `prediction` is any real number; `y` is -1 or 1.

    >>> hinge(0.5, 1.0), hinge(2.0, 1.0)
    (0.5, 0.0)
    """
    return functions.maximum(1 - y * prediction, 0)


def squared_hinge(prediction: Operand, y: Operand) -> Operand:
    """The square of the hinge loss.

    `prediction` is any real number; `y` is -1 or 1.

    >>> squared_hinge(0.5, 1.0)
    0.25
    """
    return functions.maximum(1 - y * prediction, 0) ** 2


LOSSES = {
    loss.__name__: loss
    for loss in (
        squared_error,
        absolute_error,
        huber,
        smooth_l1,
        log_cosh,
        quantile,
        binary_cross_entropy_with_logits,
        focal,
        poisson_nll,
        gaussian_nll,
        hinge,
        squared_hinge,
    )
}
