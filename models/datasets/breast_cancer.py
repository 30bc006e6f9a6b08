"""Thirty measurements of a tumour, and whether it is benign: scikit-learn.

W. N. Street, W. H. Wolberg and O. L. Mangasarian, "Nuclear Feature Extraction for Breast Tumor Diagnosis",
SPIE 1905, 1993, pages 861-870; 569 rows, which scikit-learn ships (`pip install 'verifier[data]'`). It
teaches a data set that is loaded when the model is used.
"""

from verifier import binary_cross_entropy_with_logits, model, zeros


def measurements():
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    return {"x": (x - x.mean(axis=0)) / x.std(axis=0), "y": y}


@model(
    loss=binary_cross_entropy_with_logits,
    data=measurements,
    train={"epochs": 1, "lr": 0.5, "batch": 64, "shuffle": True, "hold_out": 0.2},
)
def breast_cancer(x, *, w=zeros(30), b=0.0):
    return x @ w + b
