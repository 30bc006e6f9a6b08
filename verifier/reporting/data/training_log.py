"""The log of a training: a line of JSON for each step, written while it runs."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TextIO

import numpy as np

from verifier.judging.conditioning import ratios
from verifier.operations.number_text import short
from verifier.reporting.data.document import json_object
from verifier.reporting.data.training_json import step_document
from verifier.training.runner import Judged


class TrainingLog:
    """Writes the steps of a training as they are judged, to a file or to none.

    Each line is a step as in the report's JSON, and is written out at once: who reads the file sees
    how far the training is, and keeps the steps of one that does not end.
    """

    def __init__(self, path: str | None) -> None:
        self.note = ""
        """The last loss, and the worst error so far, for a person."""
        self._path, self._worst = path, 0.0
        self._file: TextIO | None = None
        self._open = ExitStack()

    def __enter__(self) -> TrainingLog:
        if self._path is not None:
            self._file = self._open.enter_context(Path(self._path).open("w", encoding="utf-8"))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.close()

    def add(self, judged: Judged) -> None:
        """Write the steps, and note what came out."""
        found = np.concatenate([np.ravel(ratios(verdicts)) for verdicts in judged.verdicts])
        self._worst = max(self._worst, float(np.max(found, initial=0.0, where=~np.isnan(found))))
        last = float(judged.verdicts[0].stated[-1])
        self.note = f"loss {short(last)}, worst error / allowed {short(self._worst)}"
        if self._file is not None:
            for place in range(len(judged)):
                document = json_object(step_document(judged.step(place)))
                self._file.write(json.dumps(document, allow_nan=False, ensure_ascii=False) + "\n")
            self._file.flush()
