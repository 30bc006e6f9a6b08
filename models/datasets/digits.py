"""A network of 64 pixels, 32 ReLU units and 10 digits: scikit-learn.

E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository,
1998; 1,797 images of 8 by 8 pixels, which scikit-learn ships (`pip install 'verifier[data]'`). It teaches
training as people do it: shuffled batches, Adam and held-out rows.
"""

from verifier import cross_entropy, model, normal, zeros
from verifier.functions import maximum


def images():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return {"x": x / 16, "y": y}


@model(
    loss=cross_entropy,
    data=images,
    train={"epochs": 1, "lr": 0.005, "batch": 64, "optimizer": "adam", "shuffle": True, "hold_out": 0.2},
)
def digits(x, *, W1=normal(64, 32), b1=zeros(32), W2=normal(32, 10), b2=zeros(10)):
    return maximum(x @ W1 + b1, 0) @ W2 + b2
