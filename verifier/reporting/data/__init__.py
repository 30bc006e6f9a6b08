"""Reports as JSON and as tables of pandas."""
