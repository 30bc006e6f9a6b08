"""The names of the gallery's models, by what they are made of."""

from pathlib import Path

from verifier.formula.gallery_files import gallery_folder


def _names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("[!_]*.py"))


OF_NUMBERS = _names(gallery_folder())
OF_ARRAYS = _names(gallery_folder() / "arrays")
OF_DATASETS = _names(gallery_folder() / "datasets")
"""Models of arrays whose data scikit-learn ships."""
