"""The gallery: one model, or one family, a file."""
