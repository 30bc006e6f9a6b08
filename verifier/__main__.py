"""`python -m verifier`, and the command `verifier`."""

import sys


def main() -> None:
    """Run the command line, and exit with its code, also where Ctrl-C comes before it is loaded."""
    try:
        from verifier.commands.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
