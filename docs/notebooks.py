"""Runs the notebooks of this folder and writes them with their results: python docs/notebooks.py.

With --check nothing is written, and the exit code is 1 where a fresh run shows something else.
Files may be named.
"""

import sys
import tempfile
from pathlib import Path

import nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
ANEW = "python docs/notebooks.py writes it anew"
NOTEBOOKS = ("training.ipynb", "own_model.ipynb")


def executed(path: Path) -> nbformat.NotebookNode:
    """The notebook with the results of a fresh run. Raises CellExecutionError where a cell
    fails.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        # By files and not by ports: no other user of the machine can listen. They are made beside
        # the connection file.
        connection = str(Path(folder, "kernel.json"))
        manager = KernelManager(kernel_name="python3", transport="ipc", connection_file=connection)
        NotebookClient(notebook, km=manager, timeout=300, coalesce_streams=True).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran differs each time
    return notebook


def results(notebook: nbformat.NotebookNode) -> list[list[object]]:
    """What each cell of code shows, but for pictures, whose bytes depend on the fonts of the
    machine.
    """
    return [
        [_shown(output) for output in cell.outputs]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def _shown(output: nbformat.NotebookNode) -> object:
    if output.output_type == "stream":
        return output.name, output.text
    return {
        kind: data for kind, data in output.data.items() if kind in ("text/plain", "text/latex")
    }


def main(arguments: list[str]) -> int:
    check = arguments[:1] == ["--check"]
    different = 0
    for path in (
        map(Path, arguments[check:]) if arguments[check:] else [FOLDER / name for name in NOTEBOOKS]
    ):
        fresh = executed(path)
        if check and results(fresh) != results(nbformat.read(path, as_version=4)):
            sys.stdout.write(
                f"{path.name} shows something else when it is run: python docs/notebooks.py writes "
                "it anew\n"
            )
            different = 1
        if not check:
            nbformat.write(fresh, path)
    return different


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
