"""The statements of code and what is expected of them, replayed exactly and under rounding."""
