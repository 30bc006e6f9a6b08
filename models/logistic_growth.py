"""capacity·sigmoid(rate·(t - middle)), a population that fills its space.

P.-F. Verhulst, "Notice sur la loi que la population suit dans son accroissement", 1838. The data are
yeast, hour by hour, from T. Carlson, Biochem. Z. 57, 1913, pages 313-334, best known from R. Pearl,
Quarterly Review of Biology 2, 1927, pages 532-548; the amounts are in hundreds.

It teaches that parameters of different size want steps of their own: Adam at one learning rate takes
the capacity from 5 to 6.63, the rate from 0.3 to 0.547 an hour and the middle from hour 9 to hour 7.8.
"""

from verifier import model, squared_error
from verifier.functions import sigmoid

DATA = {
    "t": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18],
    "y": [
        0.096, 0.183, 0.290, 0.472, 0.711, 1.191, 1.746, 2.573, 3.507, 4.410,
        5.133, 5.597, 5.948, 6.294, 6.408, 6.511, 6.559, 6.596, 6.618,
    ],
}  # fmt: skip


@model(loss=squared_error, data=DATA, train={"epochs": 300, "lr": 0.1, "optimizer": "Adam", "batch": "all"})
def logistic_growth(t, *, capacity=5.0, rate=0.3, middle=9.0):
    return capacity * sigmoid(rate * (t - middle))
