"""`python -m verifier`."""

from verifier.commands.cli import main

main()
