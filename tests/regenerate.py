"""Write the golden files and what the documents show anew. Read the difference before committing it."""

from pathlib import Path
from tempfile import TemporaryDirectory

import test_explain
from documents import PAGES, played
from test_tables import CASES, GOLDEN, lines

for name, case in {**CASES, **test_explain.CASES}.items():
    for width in (80, 40):
        (GOLDEN / f"{name}_{width}.txt").write_text("\n".join(lines(case(), width)) + "\n", encoding="utf-8")

for page in PAGES:
    with TemporaryDirectory() as folder:
        page.write_text(played(page.read_text(encoding="utf-8"), Path(folder)), encoding="utf-8")
