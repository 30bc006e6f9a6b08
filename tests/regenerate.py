"""Write the golden files and what the documents show anew. Read the difference before committing
it.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.explaining import test_explanation as test_explain
from tests.helpers.documents import PAGES, played
from tests.helpers.golden import WIDTHS, file_of, text_of
from tests.reporting.test_training_text import CASES


def golden() -> None:
    for name, case in {**CASES, **test_explain.CASES}.items():
        for width in WIDTHS:
            file_of(name, width).write_text(text_of(case(), width), encoding="utf-8")


def documents() -> None:
    for page in PAGES:
        with TemporaryDirectory() as folder:
            page.write_text(
                played(page.read_text(encoding="utf-8"), Path(folder)), encoding="utf-8"
            )


# pytest imports this file when it looks for doctests: then nothing may be written, or no golden
# test could fail.
if __name__ == "__main__":
    golden()
    documents()
