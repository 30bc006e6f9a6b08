"""Formulas as text: read into nodes, and written back; parsed, never evaluated."""
