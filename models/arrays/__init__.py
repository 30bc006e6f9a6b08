"""Models whose parameters are vectors, matrices and larger arrays."""
