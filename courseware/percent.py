"""A lab script in the py:percent format: its front matter, its cells, and the Markdown of its page.

    # ---
    # title: …                      YAML, as on any page
    # ---

    # %% [markdown]
    # # Title

    # %%
    x = 1

    # %% tags=["figure"]            its code is folded on the page, what it shows is not
    show(draw_loss, results, alt=…)

    # %% tags=["solution"]          folded with what it shows, and left out of full-size runs
    x = 2

The page's Markdown has the script's line numbers, so that whatever is wrong on the page is found in the script.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

import jupytext
import yaml

from courseware.example import ExampleError

HEADER = re.compile(r"\A# ---\n(?P<yaml>(?:#.*\n)*?)# ---\n")
CELL = re.compile(r"^# %%", re.MULTILINE)
SOLUTION, FIGURE = "solution", "figure"
PLACE = re.compile(r"<p>⟦cell (\d+)⟧</p>")


@dataclass(frozen=True)
class Cell:
    """A cell: `line` is that of its `# %%`, `source` what stands below it (Markdown without the `# `)."""

    kind: str
    source: str
    tags: tuple[str, ...]
    line: int

    @property
    def is_code(self) -> bool:
        return self.kind == "code"

    @property
    def is_solution(self) -> bool:
        return SOLUTION in self.tags


def front_matter(source: str) -> dict[str, Any]:
    """The YAML at the head of a script.

    Raises:
        ExampleError: there is none, or it is not a mapping.
    """
    match = HEADER.match(source)
    try:
        meta = yaml.safe_load(re.sub(r"^# ?", "", match["yaml"], flags=re.MULTILINE)) if match else None
    except yaml.YAMLError as error:
        raise ExampleError(f"the front matter is not YAML: {error}") from None
    if not isinstance(meta, dict):
        raise ExampleError("a lab script begins with its front matter: YAML between two lines `# ---`")
    return meta


@functools.lru_cache(maxsize=32)  # a build asks for a script's cells half a dozen times
def cells(source: str) -> tuple[Cell, ...]:
    """The cells of a script, in order.

    Raises:
        ExampleError: something stands before the first cell, or the script has none.
    """
    header = HEADER.match(source)
    start = header.end() if header else 0
    first = CELL.search(source)
    if first is None or source[start : first.start()].strip():
        raise ExampleError("nothing may stand between the front matter and the first cell (`# %%`)")
    lines = [source[: match.start()].count("\n") + 1 for match in CELL.finditer(source)]
    found = jupytext.reads(source[first.start() :], fmt="py:percent").cells
    if len(found) != len(lines):
        raise ExampleError(f"{len(lines)} lines begin with `# %%`, but they make {len(found)} cells")
    return tuple(
        Cell(cell.cell_type, cell.source, tuple(cell.metadata.get("tags", ())), line)
        for cell, line in zip(found, lines, strict=True)
    )


def page_markdown(source: str) -> str:
    """What the script's page says, line by line; where code stands, `⟦cell n⟧` alone in a paragraph."""
    lines = source.splitlines()
    page = [""] * len(lines)
    found = cells(source)
    ends = [cell.line - 1 for cell in found[1:]] + [len(lines)]
    folded = False
    for number, (cell, end) in enumerate(zip(found, ends, strict=True)):
        indent = "    " if cell.is_solution else ""
        if cell.is_solution and not folded:
            page[cell.line - 1] = '??? success "Solution"'
        folded = cell.is_solution
        if cell.is_code:
            # Two lines down: a paragraph of its own also behind the line that opens a fold.
            if end <= cell.line + 1:
                raise ExampleError(f"line {cell.line}: a code cell needs two lines")
            page[cell.line + 1] = f"{indent}⟦cell {number}⟧"
        else:
            for at in range(cell.line, end):
                text = re.sub(r"^# ?", "", lines[at])
                page[at] = indent + text if text else ""
    return "\n".join(page) + "\n"


def code(source: str) -> str:
    """The code that a full-size run executes, by which a record knows whether it is still of this script."""
    return "\n\n".join(cell.source for cell in cells(source) if cell.is_code and not cell.is_solution)
