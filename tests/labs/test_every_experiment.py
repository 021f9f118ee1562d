"""What holds for every experiment of the lab: it runs where its readers run it, and there are nine."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient

from courseware import ROOT, citations, percent, take_home
from courseware.labs import LABS
from trainloop.lab import VARIABLE

SCRIPTS = sorted(LABS.glob("*.py"))


def shows_something(cell) -> bool:
    """Whether a cell has an output that is not a progress bar, which the build keeps out of the page."""
    return any(output.get("name") != "stderr" for output in cell.get("outputs", []))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_notebook_to_take_home_runs_in_a_kernel(script, tmp_path, monkeypatch):
    """With nothing of the checkout but the package, in a folder of its own."""
    monkeypatch.setenv(VARIABLE, "--quick")
    bound = take_home.TakenHome("labs", "", references=citations.read(ROOT / "docs"), lab=script.stem)
    book = nbformat.from_dict(take_home.notebook(script, bound))
    before = sum(map(shows_something, book.cells))
    NotebookClient(book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(figures) >= 2
    assert all(len(figure.metadata["image/png"]["alt"]) >= 40 for figure in figures)
    assert sum(map(shows_something, book.cells)) == before


def test_the_numbers_count_up_as_the_pages_are_listed():
    """The nav's order, the index page's and the experiments' own numbers agree."""
    listed = [
        line.rpartition("lab/")[2].strip().removesuffix(".ipynb")
        for line in (ROOT / "mkdocs.yml").read_text(encoding="utf-8").splitlines()
        if line.endswith(".ipynb")
    ]
    assert sorted(listed) == [script.stem for script in SCRIPTS]
    numbers = [percent.front_matter((LABS / f"{name}.py").read_text(encoding="utf-8"))["number"] for name in listed]
    assert numbers == sorted(set(numbers))
    index = (ROOT / "docs/lab/index.md").read_text(encoding="utf-8")
    places = [index.index(f"({name}.ipynb)") for name in listed]
    assert places == sorted(places)
