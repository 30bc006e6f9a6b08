"""Code on tensors, checked at many points in many ways."""

from verifier.earlier_names import members

__getattr__ = members(__name__)
