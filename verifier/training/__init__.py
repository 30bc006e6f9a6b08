"""A model trained both ways, every step judged."""

from verifier.earlier_names import members

__getattr__ = members(__name__)
