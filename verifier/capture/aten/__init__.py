"""The rules by which ATen operations become array programs, by kind of operation."""
