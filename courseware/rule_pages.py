"""One page per optimizer, from one source each: its file, its entry in docs/optimizers/rules.yml, its measurements.

What differs from page to page comes from there; what is the same on all of them is `docs/optimizers/rule.md.j2`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined

from courseware import ROOT, citations
from courseware.bindings import document

FOLDER = "optimizers"
KEYS = {"rule", "part", "idea", "lr", "options", "use", "avoid", "papers"}
HIDDEN = ("__init__", "__setstate__", "check")
PARTS = ("classic", "adaptive", "modern")
NO_WALK = {
    "sparseadam": "A point of two numbers has no rows to leave out: SparseAdam takes sparse gradients alone.",
    "muon": "Muon moves matrices alone; a point of two numbers is none.",
    "sophiag": "Sophia-G needs an estimate of the curvature, too, which these walks do not give it.",
}


class RuleError(Exception):
    """An entry or a file does not give a page; the message says what is missing."""


# How a module's docstring names a paper: authors, title, year, perhaps a section, and the address behind them.
PAPER = r'(?P<authors>[^"]+?), "(?P<title>[^"]+)", (?P<year>\d{{4}})(?P<place>, [^"]*?)?, {url}'
SENTENCE = re.compile(r"(?<!et al)[.)] (?=[A-Z])")


@dataclass(frozen=True)
class Source:
    """What an optimizer's file says about it."""

    cls: str
    first: int  # lines of the code worth showing: what follows the checks of options
    last: int
    sources: str  # what the module's docstring says below its first line


def read(path: Path) -> Source:
    """Read an optimizer's file.

    Raises:
        RuleError: its class has no method but hidden ones, or its docstring names no source.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstring = ast.get_docstring(tree) or ""
    _, _, sources = docstring.partition("\n\n")
    if "http" not in sources:
        raise RuleError(f"{path.name}: the module's docstring names no source")
    exported = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"
    )
    name = ast.literal_eval(exported)[0]
    cls = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    methods = [node for node in cls.body if isinstance(node, ast.FunctionDef)]
    shown = [node for node in methods if node.name not in HIDDEN]
    if not shown:
        raise RuleError(f"{path.name}: {name} has no method beside {', '.join(HIDDEN)}")
    first = min([shown[0].lineno, *(decorator.lineno for decorator in shown[0].decorator_list)])
    return Source(name, first, shown[-1].end_lineno or first, sources.strip())


def cited(sources: str, papers: Sequence[citations.Reference]) -> str:
    """What a docstring says of its sources, each paper a citation.

    Raises:
        RuleError: it does not name a paper in the usual form, or says another title or year of it.
    """
    text = " ".join(sources.split())
    for paper in papers:
        match = re.search(PAPER.format(url=re.escape(paper.url)), text)
        if match is None:
            raise RuleError(f'names no paper as: authors, "title", year, {paper.url}')
        if not paper.title.lower().startswith(match["title"].lower()) or match["year"] != paper.year:
            raise RuleError(f'says "{match["title"]}", {match["year"]}; references.bib "{paper.title}", {paper.year}')
        before = [end.end() for end in SENTENCE.finditer(text, 0, match.start("title"))]
        start = max([match.start(), *before])
        citation = f'<% cite("{paper.key}") %>, "{match["title"]}"{match["place"] or ""}'
        text = text[:start] + citation + text[match.end() :]
    return text


def entries() -> list[dict[str, Any]]:
    """The entries of docs/optimizers/rules.yml, in their order.

    Raises:
        RuleError: the file is not YAML, an entry lacks a key, has an unknown part, or names no file or no paper.
    """
    try:
        found = yaml.safe_load((ROOT / "docs" / FOLDER / "rules.yml").read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise RuleError(f"rules.yml is not valid YAML: {error}") from None
    for entry in found:
        if set(entry) != KEYS:
            raise RuleError(f"rules.yml: {entry.get('rule')!r} has the keys {sorted(entry)}, not {sorted(KEYS)}")
        if entry["part"] not in PARTS:
            raise RuleError(f"rules.yml: {entry['rule']!r}: part must be one of {PARTS}, got {entry['part']!r}")
        if not (ROOT / "trainloop" / "optim" / f"{entry['rule']}.py").is_file():
            raise RuleError(f"rules.yml: there is no trainloop/optim/{entry['rule']}.py")
        if not entry["papers"]:
            raise RuleError(f"rules.yml: {entry['rule']!r} names no paper")
    return found


def pages() -> dict[str, str]:
    """Every page's path in docs/, and its Markdown.

    Raises:
        RuleError: an entry, or what a file says of its papers, does not give a page.
    """
    references = citations.read(ROOT / "docs").references
    template = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
        (ROOT / "docs" / FOLDER / "rule.md.j2").read_text(encoding="utf-8")
    )
    walks = document(FOLDER, "walks")["results"]["rules"]
    twins = document(FOLDER, "parity")["results"]["rules"]
    found = {}
    for entry in entries():
        slug = entry["rule"]
        file = f"trainloop/optim/{slug}.py"
        source = read(ROOT / file)
        try:
            sources = cited(source.sources, [references[key] for key in entry["papers"]])
        except KeyError as error:
            raise RuleError(f"rules.yml: {slug!r}: docs/references.bib has no {error}") from None
        except RuleError as error:
            raise RuleError(f"{file}: the module's docstring {error}") from None
        found[f"{FOLDER}/{slug}.md"] = template.render(
            entry,
            slug=slug,
            name=name_of(source.cls),
            cls=source.cls,
            path=f"trainloop.optim.{slug}.{source.cls}",
            file=file,
            first=source.first,
            last=source.last,
            sources=sources,
            walks=slug in walks,
            twin=slug in twins,
            no_walk=NO_WALK.get(slug, ""),
        )
    return found


def name_of(cls: str) -> str:
    """The optimizer's name in running text."""
    special = {"LBFGS": "L-BFGS", "SophiaG": "Sophia-G", "Adam8bit": "8-bit Adam"}
    return special.get(cls) or cls.replace("ScheduleFree", "Schedule-Free ")
