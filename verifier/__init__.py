"""verifier: is this gradient right, how do we know, and if not, why?

This is the contents page. Names are loaded when they are first used, so that `import verifier` is
cheap and torch is imported only by what needs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verifier.errors import GradientError as GradientError
    from verifier.errors import InputError as InputError
    from verifier.gallery import load as load
    from verifier.judge import Comparison as Comparison
    from verifier.judge import Outcome as Outcome
    from verifier.losses import squared_error as squared_error
    from verifier.modeling import Model as Model
    from verifier.modeling import model as model
    from verifier.report import Report as Report
    from verifier.training import train as train

_CONTENTS = {
    "Comparison": "judge",
    "GradientError": "errors",
    "InputError": "errors",
    "Model": "modeling",
    "Outcome": "judge",
    "Report": "report",
    "load": "gallery",
    "model": "modeling",
    "squared_error": "losses",
    "train": "training",
}

__version__ = "0.1.0"
__all__ = ["__version__", *_CONTENTS]  # noqa: PLE0604 (names from the table above)


def __getattr__(name: str) -> Any:
    if name in _CONTENTS:
        return getattr(import_module(f"verifier.{_CONTENTS[name]}"), name)
    raise AttributeError(f"module 'verifier' has no attribute {name!r}")
