"""The judge on trial: wrong gradients that it must find, and honest ones that it must let pass."""
