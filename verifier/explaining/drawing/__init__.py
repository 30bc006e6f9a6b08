"""The graph of an explanation as a picture."""
