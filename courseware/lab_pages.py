"""A lab page: the prose of its script through the site's Markdown, its code cells through mkdocs-jupyter.

mkdocs-jupyter renders `page.ipynb`, the executed code cells. Of what it makes, the highlighted code and the outputs
are kept; its stylesheet of half a megabyte, its scripts and a second copy of the code are not. The cells then take
their places in the page's prose, which has all that other pages have: formulas, quizzes, folds, checked links.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
from bs4 import BeautifulSoup, Tag
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from courseware import ROOT, labs, percent
from courseware.bindings import Bindings
from courseware.engine import output_folder
from courseware.pages import Complaint, aims, check_headings, check_listings, check_papers, sections

FOLDER = "lab"
PAGES = ROOT / "build" / "pages"
KEYS = ("title", "number", "description", "objectives", "prerequisites")
SECTIONS = ("Setup", "Predict", "What was seen", "At full size", "Tasks", "Summary")
TASK = re.compile(r"^### Task \d", re.MULTILINE)


def script_of(page: Page) -> Path | None:
    """The lab script that a page is made of, if it is made of one."""
    folder, _, name = page.file.src_uri.rpartition("/")
    return labs.LABS / f"{name.removesuffix('.ipynb')}.py" if folder == FOLDER and name.endswith(".ipynb") else None


def generated(script: Path, config: MkDocsConfig) -> File:
    """The page's source file for MkDocs: the notebook that mkdocs-jupyter is to render.

    A copy in a folder of pages: mkdocs-jupyter's own kind of file does not know a generated file's place.
    """
    name = f"{FOLDER}/{script.stem}.ipynb"
    copy = PAGES / name
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(output_folder(script) / labs.PAGE, copy)
    return File(name, str(PAGES), config.site_dir, config.use_directory_urls)


def check(markdown: str, meta: dict[str, Any], source: str) -> Iterator[Complaint]:
    """The shape that every experiment has."""
    yield from check_listings(markdown)
    yield from check_headings(markdown)
    yield from check_papers(markdown)
    for key in KEYS:
        if key not in meta:
            yield 1, f"front matter lacks {key!r}"
    own = sections(markdown)
    found = [name for name in own if name in SECTIONS]
    if found != list(SECTIONS):
        yield 1, f"an experiment has the sections {list(SECTIONS)} in this order, beside its own; this one has {found}"
        return
    if "```quiz" not in own["Predict"][1]:
        yield own["Predict"][0], "the reader is asked for a prediction, in a quiz"
    if "<% num(" not in own["What was seen"][1]:
        yield own["What was seen"][0], "what was seen is said with numbers of the run"
    if "<% recorded(" not in own["At full size"][1]:
        yield own["At full size"][0], "<% recorded(…) %> shows the full-size run, or that there is none yet"
    line, text = own["Tasks"]
    tasks = TASK.split(text)[1:]
    if len(tasks) != 2:
        yield line, f"an experiment ends with two tasks (### Task 1 …), this one has {len(tasks)}"
    solutions = [cell.line for cell in percent.cells(source) if cell.is_code and cell.is_solution]
    if any('??? success "Solution"' not in task for task in tasks) or len(solutions) < len(tasks):
        yield line, 'each task has a solution that is run: cells with tags=["solution"]'
    if "downloads(" not in markdown or "run_card(" not in markdown:
        yield 1, "the page has downloads(…) in its setup, and run_card() at its end"
    if not own["Summary"][1].strip().splitlines()[-1].startswith("**Up next:** "):
        yield own["Summary"][0], 'an experiment ends with "**Up next:** [title](page)"'


def head(meta: dict[str, Any], seconds: float) -> str:
    """What stands under the title."""
    return f"*Experiment {meta['number']} of nine · runs in {seconds:.0f} seconds on one core*\n\n" + aims(meta)


def replace_render(page: Page, bound: Callable[[], Bindings]) -> None:
    """Wrap the `render` that mkdocs-jupyter gave the page: its cells, put into the page's own prose.

    Args:
        page: the page, on `on_pre_page`, after mkdocs-jupyter's.
        bound: gives the page's bindings when it is rendered.
    """
    with_jupyter = page.render

    def render(config: MkDocsConfig, files: Files) -> None:
        with_jupyter(config, files)
        assert page.content is not None
        code = code_cells(page.content, Path(page.file.abs_src_path), bound())
        Page.render(page, config, files)
        page.content = percent.PLACE.sub(lambda match: code[int(match[1])], page.content)

    page.render = render  # on this page alone, as mkdocs-jupyter does it


def code_cells(html: str, notebook: Path, bound: Bindings) -> dict[int, str]:
    """Each code cell of a page, by its number in the script, from what mkdocs-jupyter made of the notebook."""
    about = [cell.metadata for cell in nbformat.read(notebook, as_version=4).cells]
    soup = BeautifulSoup(html, "html.parser")
    found = soup.select(".jp-Notebook > .jp-CodeCell")
    if len(found) != len(about):
        raise RuntimeError(f"{notebook}: {len(about)} cells, of which mkdocs-jupyter rendered {len(found)}")
    return {what["number"]: _cell(cell, bound, fold=what["fold"]) for what, cell in zip(about, found, strict=True)}


def _cell(cell: Tag, bound: Bindings, *, fold: bool) -> str:
    source = cell.select_one(".highlight-ipynb pre")
    assert source is not None
    code = source.decode_contents().strip()
    listing = f'<div class="language-python highlight"><pre><span></span><code>{code}\n</code></pre></div>'
    if fold:
        listing = f'<details class="lab-code"><summary>The code of this figure</summary>{listing}</details>'
    parts = [listing]
    for output in cell.select(".jp-OutputArea-output"):
        figure = output.select_one("[data-figure]")
        text = output.select_one("pre")
        if figure is not None:
            parts.append(bound.shown(str(figure["data-figure"])))
        elif text is not None:
            # Reachable by keyboard where a line is longer than the screen.
            parts.append(f'<pre class="lab-output" tabindex="0">{text.decode_contents().rstrip()}</pre>')
        else:
            parts.append(f'<div class="lab-output">{output.decode_contents().strip()}</div>')
    return "\n".join(parts)
