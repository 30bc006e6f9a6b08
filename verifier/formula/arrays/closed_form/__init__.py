"""Closed forms: a model of arrays and its gradient in the algebra of matrices, for people."""
