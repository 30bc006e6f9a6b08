"""Mistakes of replacement: the gradient with something else where grad_output, an argument, a
constant or a conjugate belongs.
"""
