"""Rules for matrices: products, eliminations, reflections, spectra."""
