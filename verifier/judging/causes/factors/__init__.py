"""Mistakes of a factor: a constant one, or one that is an input or computed on the way."""
