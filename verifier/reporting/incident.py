"""The file that a person sends in after an internal error."""

from __future__ import annotations

import os
import shlex
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from verifier.reporting.data.document import versions


def incident_text(arguments: Sequence[str], traceback: str) -> str:
    """What is needed to find the error: the command with its `arguments`, the versions and the
    `traceback`.
    """
    lines = [f"{name} {version}" for name, version in versions().items()]
    return "\n".join(
        [
            f"command: {shlex.join(['verifier', *arguments])}",
            f"versions: {', '.join(lines)}",
            "",
            traceback.rstrip(),
            "",
        ]
    )


def incident_file(text: str) -> Path | None:
    """A new file with that `text` in the folder for temporary files; None where none can be
    written.
    """
    name = f"verifier-error-{time.strftime('%Y%m%d-%H%M%S')}-"
    try:
        handle, path = tempfile.mkstemp(prefix=name, suffix=".txt", text=True)
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
    except OSError:
        return None
    return Path(path)
