"""For MkDocs: the reports of the repository are pages too, and links to them work in both
places.
"""

import re
from pathlib import Path
from typing import Any

REPORTS = Path(__file__).parent.parent / "reports"


def on_files(files: Any, config: Any) -> Any:
    from mkdocs.structure.files import File

    for path in sorted(REPORTS.glob("*.md")):
        files.append(File.generated(config, f"reports/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    return re.sub(r"\]\(\.\./reports/", "](reports/", markdown)
