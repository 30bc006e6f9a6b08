"""Formulas of arrays: traced arrays, functions of them, start values, and the shapes of rows."""
