"""Programs: formulas and code as straight lines of operations, their gradients and their source."""
