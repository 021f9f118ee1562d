"""Pages made from a source file, an entry of a YAML file and measurements: what all kinds of them share.

`rule_pages` makes those of the optimizers, `schedule_pages` those of the schedules.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined

from courseware import citations

# How a module's docstring names a paper: authors, title, year, perhaps a section, and the address behind them.
PAPER = r'(?P<authors>[^"]+?), "(?P<title>[^"]+)", (?P<year>\d{{4}})(?P<place>, [^"]*?)?, {url}(?![\w/])'
SENTENCE = re.compile(r"(?<!et al)[.)] (?=[A-Z])")


class PageError(Exception):
    """An entry or a file does not give a page; the message says what is missing."""


def parse(path: Path) -> tuple[ast.Module, list[str]]:
    """A source file's tree, and the paragraphs of its docstring behind the first, a line each.

    Raises:
        PageError: its docstring names no source.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    _, *paragraphs = (ast.get_docstring(tree) or "").split("\n\n")
    paragraphs = [re.sub(r"\s*\n\s*", " ", paragraph.strip()) for paragraph in paragraphs]
    if not any("http" in paragraph for paragraph in paragraphs):
        raise PageError(f"{path.name}: the module's docstring names no source")
    return tree, paragraphs


def exported(tree: ast.Module) -> list[str]:
    """The names of a module's `__all__`."""
    names = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"
    )
    found: list[str] = ast.literal_eval(names)
    return found


def cited(sources: str, papers: Sequence[citations.Reference]) -> str:
    """What a docstring says of its sources, each paper a citation.

    Raises:
        PageError: it does not name a paper in the usual form, or says another title or year of it.
    """
    text = " ".join(sources.split())
    for paper in papers:
        match = re.search(PAPER.format(url=re.escape(paper.url)), text)
        if match is None:
            raise PageError(f'names no paper as: authors, "title", year, {paper.url}')
        if not paper.title.lower().startswith(match["title"].lower()) or match["year"] != paper.year:
            raise PageError(f'says "{match["title"]}", {match["year"]}; references.bib "{paper.title}", {paper.year}')
        before = [end.end() for end in SENTENCE.finditer(text, 0, match.start("title"))]
        start = max([match.start(), *before])
        citation = f'<% cite("{paper.key}") %>, "{match["title"]}"{match["place"] or ""}'
        text = text[:start] + citation + text[match.end() :]
    return text


def entries(
    file: Path, keys: Set[str], name: str, sources: Path, *, optional: Set[str] = frozenset()
) -> list[dict[str, Any]]:
    """The entries of a YAML file, in their order.

    Args:
        file: the YAML file: a list of entries.
        keys: those that every entry has.
        name: the key whose value is the name of the entry's source file, without `.py`.
        sources: the folder of source files.
        optional: keys that an entry may have.

    Raises:
        PageError: the file is not YAML, an entry has other keys, or names no file.
    """
    try:
        found: list[dict[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise PageError(f"{file.name} is not valid YAML: {error}") from None
    for entry in found:
        if set(entry) - optional != keys:
            raise PageError(f"{file.name}: {entry.get(name)!r} has the keys {sorted(entry)}, not {sorted(keys)}")
        if not (sources / f"{entry[name]}.py").is_file():
            raise PageError(f"{file.name}: there is no {'/'.join(sources.parts[-2:])}/{entry[name]}.py")
    return found


def render(template: Path, entry: dict[str, Any], **more: Any) -> str:
    """A page from its template."""
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template.read_text(encoding="utf-8")).render(entry, **more)
