"""What a check found, counted."""
