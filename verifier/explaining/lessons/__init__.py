"""Lessons: text whose numbers are computed when it is read."""
