"""A model trained both ways, every step judged."""
