"""The documentation says what is: pages from the program are as it writes them, every block and
transcript is run.
"""

import html
import re
import runpy
import subprocess
import sys

import nbformat
import pytest

from tests.formula.test_add_function import as_before  # noqa: F401 (an example adds a function)
from tests.helpers.browser import Browser
from tests.helpers.documents import PAGES, ROOT, played
from verifier.judging import causes
from verifier.judging.verdict import Note

DOCS = ROOT / "docs"


def test_the_operations_are_those_of_the_table():
    written = runpy.run_path(str(DOCS / "operations.py"))["text"]()
    assert (DOCS / "operations.md").read_text(encoding="utf-8") == written, (
        "python docs/operations.py writes it anew"
    )


def test_commands_and_gallery_are_those_of_the_program(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for name, text in runpy.run_path(str(DOCS / "reference.py"))["PAGES"].items():
        assert (DOCS / name).read_text(encoding="utf-8") == text(), (
            "python docs/reference.py writes it anew"
        )


def test_the_picture_is_of_the_report():
    made = runpy.run_path(str(DOCS / "report_picture.py"))
    text = made["PICTURE"].read_text(encoding="utf-8")
    assert text == made["picture"](), "python docs/report_picture.py writes it anew"
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("path", PAGES, ids=[path.name for path in PAGES])
def test_a_document_shows_what_is(path, tmp_path):
    text = path.read_text(encoding="utf-8")
    assert played(text, tmp_path) == text, "python tests/regenerate.py writes it anew"


def test_every_document_with_code_is_run():
    code = [path for path in DOCS.glob("*.md") if "```" in path.read_text(encoding="utf-8")]
    assert set(code) == set(PAGES) - {ROOT / "README.md"}


UNTRUE = {
    "```console\n$ verifier --version\nverifier 9.9\n```\n": (
        "```console\n$ verifier --version\nverifier 0.1.0\n```\n"
    ),
    "```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n": (
        "```python\nprint(1 + 1)\n```\n\n```text\n2\n```\n"
    ),
    "```console\n$ verifier train linaer\n...\nend\n$ echo $?\n0\n```\n": (
        "```console\n$ verifier train linaer\n"
        "verifier: there is no model 'linaer' in the gallery: did you mean linear? "
        "(a file of your own is path/to/file.py::name)\n$ echo $?\n2\n```\n"
    ),
}


@pytest.mark.parametrize("text", UNTRUE, ids=range(len(UNTRUE)))
def test_what_is_not_true_is_found(text, tmp_path):
    assert played(text, tmp_path) == UNTRUE[text]


@pytest.mark.parametrize(
    "text",
    [
        "```python\n# test_it.py\ndef test_it():\n    assert 1 == 2\n```\n",
        "```yaml\n- run: verifier train linaer\n```\n",
        "```sh\nmake nothing\n```\n",
        "```sh\nrm -rf x\n```\n",
        "```sh\npytest --verifier-nothing 3\n```\n",
        "```text\nout of the blue\n```\n",
        "```console\n$ ls\n```\n",
    ],
)
def test_what_cannot_be_run_is_found(text, tmp_path):
    with pytest.raises(AssertionError):
        played(text, tmp_path)


def test_elisions_stand_for_lines(tmp_path):
    text = (
        "```console\n$ verifier show linear\nlinear(x, *, w=1.0)\n...\n    w  2*x*(w*x - y)\n```\n"
    )
    assert played(text, tmp_path) == text


def test_every_note_and_every_cause_has_advice():
    text = (DOCS / "messages.md").read_text(encoding="utf-8")
    said = [*(note.value for note in Note if note.value), *causes.NAMES]
    assert [sentence for sentence in said if f"\n| {sentence} | " not in text] == []


# Not with --quiet: it hides the warnings from --strict too.
def built(folder, configuration=ROOT / "mkdocs.yml"):
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", configuration, "-d", folder],
        capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = built(folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_documentation_builds_without_a_warning(site):
    for page in DOCS.glob("*.md"):
        name = "index.html" if page.stem == "index" else f"{page.stem}/index.html"
        assert (site / name).is_file()
    python = (site / "api" / "index.html").read_text(encoding="utf-8")
    assert 'id="verifier.train"' in python
    assert '<span class="gp">&gt;&gt;&gt; </span>' in python
    assert "<blockquote" not in python
    plain = html.unescape(re.sub("<[^>]*>", "", python))
    assert "points: int = 3\n" in plain
    assert "metadata" not in plain


def test_the_notebooks_are_pages(site, tmp_path):
    for name, told in (("training", "8.32"), ("own_model", "the gradient lacks the term")):
        page = (site / "notebooks" / name / "index.html").read_text(encoding="utf-8")
        notebook = nbformat.read(DOCS / f"{name}.ipynb", as_version=4)
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        rich = [output.data for output in outputs if "text/html" in output.get("data", {})]
        assert all(data["text/html"] in page for data in rich)
        assert len(rich) >= 1
        assert page.count('class="verifier-report"') == len(rich)
        assert "notebook-output" not in page
        assert told in page
        assert f'href="../../{name}.ipynb"' in page
        assert Browser(tmp_path).document(site / "notebooks" / name / "index.html")[1] == []
    assert 'href="notebooks/training/"' in (site / "index.html").read_text(encoding="utf-8")


def test_what_a_cell_shows_stays_what_it_is():
    pages = runpy.run_path(str(DOCS / "notebook_pages.py"))
    stream = nbformat.v4.new_output("stream", name="stdout", text="a ``` b\n<b>no markup</b>\n")
    picture = nbformat.v4.new_output(
        "display_data", {"image/svg+xml": '<?xml version="1.0"?>\n<svg/>', "text/plain": "x"}
    )
    formula = nbformat.v4.new_output("display_data", {"text/latex": "$w x$", "text/plain": "model"})
    cells = [
        nbformat.v4.new_markdown_cell("# Title"),
        nbformat.v4.new_code_cell("show()", outputs=[stream, picture, formula]),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    assert pages["page"](notebook, "n.ipynb") == (
        "# Title\n\nThis is the notebook [n.ipynb](../n.ipynb), as it was "
        "run.\n\n```python\nshow()\n```\n\n"
        "````text\na ``` b\n<b>no markup</b>\n````\n\n<div "
        'id="notebook-output-0"></div>\n\n```latex\nw x\n```\n'
    )
    assert pages["rich_outputs"](notebook) == ["<svg/>"]


def test_a_broken_link_would_be_a_warning(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("[nowhere](nowhere.md)")
    (tmp_path / "mkdocs.yml").write_text("site_name: broken\nstrict: true\n")
    assert built(tmp_path / "site", tmp_path / "mkdocs.yml").returncode != 0


def test_the_documentation_asks_for_nothing_from_elsewhere(site, tmp_path):
    assert Browser(tmp_path).requests(site / "tutorial" / "index.html") == set()
    for page in site.rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"?(https?://[^\" >]+)",
            page.read_text("utf-8"),
        )
        assert loaded == [], page
