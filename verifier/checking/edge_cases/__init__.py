"""Points at which something happens in code."""
