"""Write the golden files anew. Read the difference before committing it."""

import test_explain
from test_tables import CASES, GOLDEN, lines

for name, case in {**CASES, **test_explain.CASES}.items():
    for width in (80, 40):
        (GOLDEN / f"{name}_{width}.txt").write_text("\n".join(lines(case(), width)) + "\n", encoding="utf-8")
