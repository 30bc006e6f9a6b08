"""Target: anybody's code, found, bound to its inputs and run once. All that a check needs of it is here by its name."""

from verifier.binding import Bound, bound, name_of
from verifier.locating import callable_of, load_target
from verifier.trying import Run, UserCodeError, tried

__all__ = ["Bound", "Run", "UserCodeError", "bound", "callable_of", "load_target", "name_of", "tried"]
