"""Code on tensors, checked at many points in many ways."""
