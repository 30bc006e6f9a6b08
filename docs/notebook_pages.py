"""For MkDocs: the notebooks are pages too, with what their cells showed."""

import re
from pathlib import Path
from typing import Any

import nbformat

FOLDER = Path(__file__).parent
PAGES = "notebooks"
_SHOWN = "notebook-output"


def on_files(files: Any, config: Any) -> Any:
    from mkdocs.structure.files import File

    for path in sorted(FOLDER.glob("*.ipynb")):
        markdown = page(nbformat.read(path, as_version=4), path.name)
        files.append(File.generated(config, f"{PAGES}/{path.stem}.md", content=markdown))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links to a notebook lead to its page; the page itself leads to the notebook."""
    if page.file.src_uri.startswith(f"{PAGES}/"):
        return markdown
    return re.sub(r"\]\((\w+)\.ipynb\)", rf"]({PAGES}/\1.md)", markdown)


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """What cells showed as HTML and as pictures, put in as it is."""
    if not page.file.src_uri.startswith(f"{PAGES}/"):
        return html
    shown = rich_outputs(
        nbformat.read(FOLDER / f"{Path(page.file.src_uri).stem}.ipynb", as_version=4)
    )
    return re.sub(rf'<div id="{_SHOWN}-(\d+)"></div>', lambda found: shown[int(found[1])], html)


def page(notebook: nbformat.NotebookNode, name: str) -> str:
    """The notebook as Markdown, with an empty element for each output that is HTML or a picture."""
    title, *cells = notebook.cells
    parts = [title.source, f"This is the notebook [{name}](../{name}), as it was run."]
    place = 0
    for cell in cells:
        parts.append(
            cell.source if cell.cell_type == "markdown" else _fenced("python", cell.source)
        )
        for output in cell.get("outputs", []):
            if _rich(output):
                parts.append(f'<div id="{_SHOWN}-{place}"></div>')
                place += 1
            else:
                parts.append(_plain(output))
    return "\n\n".join(parts) + "\n"


def rich_outputs(notebook: nbformat.NotebookNode) -> list[str]:
    """The outputs that are HTML or pictures, in order."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    return [rich for rich in map(_rich, outputs) if rich]


def _rich(output: nbformat.NotebookNode) -> str:
    data = output.get("data", {})
    # Inside a page a picture is an element: it has no declaration.
    return str(
        data.get("text/html") or re.sub(r"^<\?xml.*?\?>\s*", "", data.get("image/svg+xml", ""))
    )


def _plain(output: nbformat.NotebookNode) -> str:
    if output.output_type == "stream":
        return _fenced("text", output.text)
    latex = output.data.get("text/latex")
    return (
        _fenced("latex", latex.strip("$")) if latex else _fenced("text", output.data["text/plain"])
    )


def _fenced(language: str, text: str) -> str:
    fence = max(re.findall("`{3,}", text), default="``", key=len) + "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
