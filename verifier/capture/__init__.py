"""From torch code to a program."""
