"""Rules for complex numbers, written in real operations on their parts."""
