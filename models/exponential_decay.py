"""a·exp(-k·t), radioactive decay: thorium X in 1902.

E. Rutherford and F. Soddy, "The Cause and Nature of Radioactivity", Phil. Mag. (6) 4, 1902, pages
370-396, in the table of the activity of ThX: days 2 to 15, as they write that the first two days are
not regular. Here t counts days from the second, and y is the activity divided by 100.

It teaches that the origin of time matters: training ends at k = 0.171 a day, a half-life log(2)/k of
4.1 days (theirs was about four); with the same days counted from 0 the same training ends at k = 0.154
and five times the cost, because there a and k are not determined apart from each other.
"""

from verifier import model, squared_error
from verifier.functions import exp

DATA = {
    "t": [0.0, 1.0, 2.0, 4.0, 7.0, 8.0, 11.0, 13.0],
    "y": [1.00, 0.88, 0.72, 0.53, 0.295, 0.252, 0.152, 0.111],
}


@model(loss=squared_error, data=DATA, train={"epochs": 150, "lr": 0.1, "batch": "all"})
def exponential_decay(t, *, a=0.5, k=0.5):
    return a * exp(-k * t)
