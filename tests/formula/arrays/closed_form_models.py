"""Models of arrays whose closed forms are tried."""

from __future__ import annotations

import numpy as np

from verifier import Model, cross_entropy, functions, model, normal, squared_error, zeros
from verifier.functions import exp, log, maximum, sqrt, tanh
from verifier.losses import binary_cross_entropy_with_logits, huber

_DRAWN = np.random.default_rng(0)
_X, _Y = _DRAWN.normal(size=(8, 4)), _DRAWN.normal(size=(8, 2))
_CLASSES = np.array([0.0, 1, 2, 0, 1, 2, 0, 1])
_COLUMN = _DRAWN.normal(size=8)
_MATRIX = np.eye(3) + 0.1 * _DRAWN.normal(size=(3, 3))
_POINT = np.array([1.0, 2.0, 3.0])


@model(loss=squared_error, data={"X": _X, "y": _Y})
def linear(X, *, W=normal(4, 2)):
    return X @ W


@model(loss=squared_error, data={"X": _X, "y": _Y}, reduction="sum")
def linear_with_bias(X, *, W=normal(4, 2), b=zeros(2)):
    return X @ W + b


def _with_penalty(prediction, y, w, decay):
    return ((prediction - y) ** 2).mean() + decay * (w**2).sum()


@model(loss=_with_penalty, data={"X": _X, "y": _COLUMN}, fixed=["decay"])
def ridge(X, *, w=normal(4), decay=0.1):
    return X @ w


@model(loss=binary_cross_entropy_with_logits, data={"X": _X, "y": np.round(_CLASSES / 2)})
def logistic(X, *, w=normal(4), b=0.5):
    return X @ w + b


@model(loss=cross_entropy, data={"X": _X, "y": _CLASSES})
def softmax_regression(X, *, W=normal(4, 3), b=zeros(3)):
    return X @ W + b


@model(loss=squared_error, data={"X": _X, "y": _Y})
def tanh_network(X, *, W1=normal(4, 3), b1=normal(3), W2=normal(3, 2), b2=normal(2)):
    return tanh(X @ W1 + b1) @ W2 + b2


@model(loss=cross_entropy, data={"X": _X, "y": _CLASSES})
def relu_network(X, *, W1=normal(4, 5), b1=normal(5), W2=normal(5, 3), b2=normal(3)):
    return maximum(X @ W1 + b1, 0) @ W2 + b2


@model(loss=lambda prediction, X: (prediction - X) ** 2, data={"X": _X})
def autoencoder(X, *, V=normal(4, 2), c=normal(2), W=normal(2, 4), b=normal(4)):
    return tanh(X @ V + c) @ W + b


@model()
def factorisation(*, U=normal(4, 3), V=normal(2, 3)):
    return ((U @ V.T - _X[:, :2][:4]) ** 2).sum() / 8


@model(loss=squared_error, data={"X": _X, "y": _X[:, :3]})
def layer_norm(X, *, W=normal(4, 3), g=normal(3), b=normal(3)):
    hidden = X @ W
    centred = hidden - functions.mean(hidden, axis=1).reshape(-1, 1)
    variance = functions.mean(centred**2, axis=1).reshape(-1, 1)
    return centred / sqrt(variance + 1e-5) * g + b


@model(loss=squared_error, data={"X": _X, "y": _Y})
def attention(X, *, Q=normal(4, 3), K=normal(4, 3), V=normal(4, 2)):
    return functions.softmax((X @ Q) @ (X @ K).T / sqrt(3), axis=1) @ (X @ V)


@model(loss=squared_error, data={"x": _COLUMN, "y": _CLASSES})
def polynomial(x, *, c=normal(4)):
    return c[0] + c[1] * x + c[2] * x**2 + c[3] * x**3


@model()
def mahalanobis(*, m=normal(3), S=_MATRIX):
    return (m - _POINT) @ functions.inverse(S) @ (m - _POINT)


@model()
def linear_system(*, b=normal(3), A=_MATRIX):
    return b @ functions.solve(A, b) + functions.trace(A @ A)


@model()
def log_determinant(*, S=_MATRIX):
    return log(functions.determinant(S)) + functions.trace(S)


def _gaussian_loss(prediction, X, S):
    inverse = functions.inverse(S)
    return functions.sum((prediction @ inverse) * prediction, axis=1) + log(
        functions.determinant(S)
    )


@model(loss=_gaussian_loss, data={"X": _X[:, :3]})
def gaussian(X, *, m=normal(3), S=_MATRIX):
    return X - m


@model(loss=huber, data={"X": _X, "y": _COLUMN})
def robust(X, *, w=normal(4)):
    return X @ w


@model(loss=squared_error, data={"X": _X, "y": _Y}, weights="k")
def parts(X, *, W=normal(4, 4), v=normal(6)):
    joined = functions.concatenate([X[:, 1:3] @ W[0:2, 0:1] * v[1], X @ W[:, [3]]], axis=1)
    return joined * exp(v[2:4]) / (1 + v[4:6] ** 2) + functions.mean(W, axis=0)[0:2] + W[1, 2:4]


@model(loss=squared_error, data={"x": _COLUMN, "y": _CLASSES})
def mixture(x, *, centres=normal(3), weights=normal(3), width=0.7):
    distance = (x.reshape(-1, 1) - centres) / width
    return functions.logsumexp(weights - distance**2 / 2, axis=1) - functions.logsumexp(weights)


@model(loss=squared_error, data={"X": _X, "y": _Y})
def reciprocal(X, *, W=normal(4, 2), a=1.5):
    return a / (2 + (X @ W) ** 2) - 1 / (1 + a**2)


@model(loss=cross_entropy, data={"X": _X, "y": _CLASSES})
def gelu_network(X, *, W1=normal(4, 5), b1=normal(5), W2=normal(5, 3), b2=normal(3)):
    hidden = X @ W1 + b1
    return (hidden * (1 + functions.erf(hidden / sqrt(2))) / 2) @ W2 + b2


_TURN, _NOISE = np.array([[1.0, 0.5], [0.0, 1.0]]), _DRAWN.normal(size=(4, 3)) ** 2


@model(loss=squared_error, data={"X": _X[:, :2], "y": _Y})
def constants(X, *, root=np.array([[2.0, 0.1], [0.3, 1.0]]), v=normal(3)):
    spread = _TURN @ root @ root.T @ _TURN.T + np.eye(2)
    return X @ functions.inverse(spread) @ root + (_NOISE @ v)[0:2]


MODELS: dict[str, Model] = {
    one.name: one
    for one in (
        linear, linear_with_bias, ridge, logistic, softmax_regression, tanh_network, relu_network,
        autoencoder, factorisation, layer_norm, attention, polynomial, mahalanobis, linear_system,
        log_determinant, gaussian, robust, parts.with_data(
            {"X": _X, "y": _Y, "k": np.abs(_COLUMN)}
        ), mixture, reciprocal, gelu_network, constants,
    )
}  # fmt: skip
