"""Formulas as text: parts that were read, literals, calls on arrays, values of constants."""
