"""One step of a training, taken apart."""

from verifier.earlier_names import members

__getattr__ = members(__name__)
