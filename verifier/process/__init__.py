"""Running code that may not return, in a state of its own, and in processes of its own."""
