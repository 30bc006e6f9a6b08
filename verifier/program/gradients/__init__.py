"""Gradients of programs, as programs: reverse accumulation over formulas and over arrays."""
