"""Target: anybody's code, found, bound to its inputs and run once. All that a check needs of it is
here by its name.
"""

from verifier.capture.target.bind import Bound, By, bound, name_of
from verifier.capture.target.dry_run import Run, UserCodeError, run_once
from verifier.capture.target.import_target import callable_of, load_target
from verifier.capture.target.module_state import prepared_target

__all__ = [
    "Bound",
    "By",
    "Run",
    "UserCodeError",
    "bound",
    "callable_of",
    "load_target",
    "name_of",
    "prepared_target",
    "run_once",
]
