"""A lab script as its readers take it home: an executed notebook, and a script, that need no checkout.

The page's numbers are filled in. What only the site can show is put in words that any notebook shows: a quiz becomes
its questions with the answers folded below, a fold becomes `<details>`, a link to a page becomes a whole address.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import jupytext
import nbformat
import yaml

from courseware import labs, percent
from courseware.bindings import Bindings, render
from courseware.engine import output_folder
from courseware.lab_pages import FOLDER
from courseware.notebooks import finished, install_cell

QUIZ = re.compile(r"^```quiz\n(.*?)^```\n?", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r'^(?:\?\?\?|!!!) (?P<kind>[a-z]+) "(?P<title>[^"]*)"\n(?P<body>(?:(?: {4}.*)?\n)*)', re.MULTILINE)
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<to>(?!https?:|#)[^)\s]+?)\.(?:md|ipynb)(?P<anchor>#[^)\s]*)?\)")


class TakenHome(Bindings):
    """The bindings of a page, where there is no page: numbers, but no figures, links and cards of the site."""

    def figure(self, name: str, *, alt: str, caption: str = "") -> str:
        return f"*{alt}*"

    def downloads(self, name: str) -> str:
        return ""

    def run_card(self) -> str:
        return ""

    def cite(self, key: str, text: str = "") -> str:
        """A link to the paper itself."""
        reference = self.reference(key)
        return f"[{text or reference.label}]({reference.url})"

    def recorded(self) -> str:
        return f"`python {self.lab}.py --full` runs this experiment as published."


def _folded(summary: str, body: str) -> str:
    return f"<details>\n<summary>{summary}</summary>\n\n{body.strip()}\n\n</details>\n"


def _quiz(match: re.Match[str]) -> str:
    parts = []
    for question in yaml.safe_load(match[1]):
        parts.append(f"**{question['question'].strip()}**\n")
        if "answer" in question:
            parts.append(_folded("Answer", f"{question['answer']}. {question['why']}"))
            continue
        options = question["options"]
        parts.append("\n".join(f"- {option['text'].strip()}" for option in options) + "\n")
        why = "\n".join(
            f"- {'**Right:** ' if option.get('right') else ''}{option['text'].strip()} – {option['why'].strip()}"
            for option in options
        )
        parts.append(_folded("Answer", why))
    return "\n".join(parts)


def _block(match: re.Match[str]) -> str:
    return _folded(match["title"], textwrap.dedent(match["body"])) + "\n"


def prose(markdown: str, page: str) -> str:
    """Markdown of the site as Markdown of a notebook.

    Args:
        markdown: a cell's text, its bindings answered.
        page: the address of the page, for links; empty if the site has none, and links become their text.
    """

    def link(match: re.Match[str]) -> str:
        if not page:
            return match["text"]
        to = re.sub(r"(^|/)index$", r"\1", match["to"])
        return f"[{match['text']}]({urljoin(page, '../' + to).rstrip('/')}/{match['anchor'] or ''})"

    return LINK.sub(link, BLOCK.sub(_block, QUIZ.sub(_quiz, markdown + "\n"))).strip()


def notebook(script: Path, bound: Bindings, *, repo_url: str = "", site_url: str = "") -> Any:
    """The executed notebook of a lab script.

    Args:
        script: the lab script; it has run.
        bound: answers what its prose asks of the run.
        repo_url: the course's repository; with it the first cell installs the package where it is missing.
        site_url: where the course is published.
    """
    book = nbformat.read(output_folder(script) / labs.NOTEBOOK, as_version=4)
    page = urljoin(site_url, f"{FOLDER}/{script.stem}/") if site_url else ""
    lines = [cell.line for cell in percent.cells(script.read_text(encoding="utf-8"))]
    for cell, line in zip(book.cells, lines, strict=True):
        if cell.cell_type != "markdown":
            continue
        cell.source = prose(render(cell.source, bound, page=str(script), first_line=line + 1), page)
        if percent.SOLUTION in cell.metadata.get("tags", ()):
            cell.source = _folded("Solution", cell.source).strip()
    if repo_url:
        book.cells.insert(1, install_cell(repo_url, "figures,data"))
    return finished(book.cells, script.stem)


def script(book: Any) -> str:
    """The notebook as a script in cells."""
    book = nbformat.from_dict(book)
    cells = [cell for cell in book.cells if "%pip" not in cell.source]
    alone = nbformat.v4.new_notebook(cells=cells, metadata={"jupytext": {"notebook_metadata_filter": "-all"}})
    for cell in alone.cells:
        cell.metadata.pop("jupyter", None)
    return str(jupytext.writes(alone, fmt="py:percent"))
