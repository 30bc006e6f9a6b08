"""How much of a report a person reads."""

from enum import StrEnum


class Detail(StrEnum):
    """How much of a report is shown, from the least to the most."""

    QUIET = "quiet"
    """The verdict alone."""
    SHORT = "short"
    """The verdict, the first failure, and what was checked in a small table."""
    VERBOSE = "verbose"
    """Every failure with its evidence, every component, and the causes that were ruled out."""
