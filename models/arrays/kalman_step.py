"""One update of a Kalman filter, with its prior and its noise to be found.

R. E. Kalman, "A New Approach to Linear Filtering and Prediction Problems", J. Basic Eng. 82, 1960, pages
35-45. A row has the measurement z of a state y, both of two numbers. It teaches a linear system in a formula:
its gradient solves the transposed system.
"""

import numpy as np

from verifier import model, squared_error, zeros
from verifier.functions import exp, solve

H = np.array([[1.0, 0.5], [0.0, 1.0]])
draw = np.random.default_rng(13)
STATES = draw.normal(size=(15, 2)) @ [[1.0, 0.3], [0.0, 0.8]] + [0.5, -0.5]
DATA = {"z": STATES @ H.T + 0.3 * draw.normal(size=(15, 2)), "y": STATES}


@model(loss=squared_error, data=DATA, train={"epochs": 8, "lr": 0.2, "batch": "all"})
def kalman_step(z, *, mean=zeros(2), root=np.eye(2), log_noise=zeros(2)):
    prior = root @ root.T
    innovation = H @ prior @ H.T + np.eye(2) * exp(log_noise)
    return mean + (z - mean @ H.T) @ solve(innovation, H @ prior)
