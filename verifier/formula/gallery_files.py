"""Where the gallery's models lie: in `verifier/models` of an installed package, and in the sibling
folder `models` of a checkout.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def gallery_folder() -> Path:
    """The folder with the gallery's files: in an installed package, else beside the checkout's."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "models"
    return inside if inside.is_dir() else package.parent / "models"


def gallery_files() -> Iterator[Path]:
    """The gallery's files, those in its folders too, in alphabetical order of their names."""
    yield from sorted(gallery_folder().rglob("[!_]*.py"), key=lambda path: path.stem)
