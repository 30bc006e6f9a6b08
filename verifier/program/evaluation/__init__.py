"""What a program computes: in floats, in balls, with the rounding of each operation."""
