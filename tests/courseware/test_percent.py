"""A lab script as front matter, cells and the Markdown of its page."""

from __future__ import annotations

import pytest
from mini_lab import LAB

from courseware import percent
from courseware.example import ExampleError


def test_front_matter():
    meta = percent.front_matter(LAB)
    assert meta["title"] == "A line"
    assert meta["objectives"] == ["draw a line", "read it", "extend it"]


@pytest.mark.parametrize("source", ["# %%\nx = 1\n", "# ---\n# a: [\n# ---\n# %%\n", "# ---\n# word\n# ---\n# %%\n"])
def test_front_matter_is_asked_for(source):
    with pytest.raises(ExampleError, match="front matter"):
        percent.front_matter(source)


def test_cells_know_their_lines():
    cells = percent.cells(LAB)
    lines = LAB.splitlines()
    assert [cell.line for cell in cells] == [n for n, line in enumerate(lines, 1) if line.startswith("# %%")]
    for cell in cells:
        first = cell.source.splitlines()[0]
        assert lines[cell.line].removeprefix("# " if not cell.is_code else "") == first
    assert [cell.is_solution for cell in cells].count(True) == 4
    assert {cell.kind for cell in cells} == {"code", "markdown"}


@pytest.mark.parametrize("source", ["x = 1\n\n# %%\ny = 2\n", "x = 1\n", "# ---\n# a: 1\n# ---\nx = 1\n# %%\n"])
def test_nothing_stands_before_the_first_cell(source):
    with pytest.raises(ExampleError, match="first cell"):
        percent.cells(source)


def test_page_markdown_keeps_the_lines():
    page = percent.page_markdown(LAB).splitlines()
    script = LAB.splitlines()
    assert len(page) == len(script)
    for text in ("# # A line", "# ## What was seen", "# **Up next:** [home](../index.md)."):
        assert page[script.index(text)] == text[2:]
    assert "title" not in "\n".join(page)
    cells = percent.cells(LAB)
    places = [line.strip() for line in page if "⟦cell" in line]
    assert places == [f"⟦cell {number}⟧" for number, cell in enumerate(cells) if cell.is_code]


def test_solutions_are_folded():
    page = percent.page_markdown(LAB)
    assert page.count('??? success "Solution"') == 2  # one fold for the cells of a task
    first = page.partition("### Task 1")[2].partition("### Task 2")[0]
    folded = first.partition('??? success "Solution"\n')[2]
    assert all(line.startswith("    ") for line in folded.splitlines() if line)
    assert "Multiply by two." in folded and "⟦cell" in folded


def test_code_leaves_solutions_and_prose_out():
    code = percent.code(LAB)
    assert "draw_line" in code
    assert "double" not in code
    assert "rises by" not in code
    compile(code, "line", "exec")
