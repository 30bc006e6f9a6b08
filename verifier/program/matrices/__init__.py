"""Functions of matrices that no finite straight line gives: spectra and the exponential."""
