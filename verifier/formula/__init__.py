"""From a Python function, a text or SymPy to a program."""
