"""One page per schedule, from one source each: its file, its entry in docs/schedules/schedules.yml, its measurements.

What differs from page to page comes from there; what is the same on all of them is `docs/schedules/schedule.md.j2`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from courseware import ROOT, source_pages
from courseware.bindings import document
from courseware.source_pages import PageError

FOLDER = "schedules"
PACKAGE = "trainloop.schedulers"
KEYS = {"schedule", "idea", "curve", "options", "use", "avoid", "traps"}
SECTION = "# --8<-- [start:{}]"


@dataclass(frozen=True)
class Listing:
    """Lines of a file, as the page's snippet names them."""

    file: str
    lines: str


@dataclass(frozen=True)
class Source:
    """What a schedule's file says about it."""

    cls: str
    function: str
    documented: tuple[str, ...]  # what the module exports: functions, class, types
    schedule: Listing
    helpers: tuple[Listing, ...]  # private functions that rule and recursion call, without their docstrings
    recursion: Listing
    cadence: str  # when to step it, and the papers: paragraphs of the module's docstring, as Markdown
    sources: str


def slug_of(stem: str) -> str:
    """The name of a schedule's page, from that of its file."""
    return stem.replace("_", "-")


def read(path: Path) -> Source:
    """Read a schedule's file.

    Raises:
        PageError: it lacks its cadence, its sources, or a section that the page shows.
    """
    tree, paragraphs = source_pages.parse(path)
    cadence = [paragraph for paragraph in paragraphs if paragraph.startswith("Made ")]
    if not cadence:
        raise PageError(f'{path.name}: the module\'s docstring has no paragraph "Made …", which says when to step it')
    names = source_pages.exported(tree)
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in names]
    cls = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name in names)
    types = [name for name in names if name not in functions and name != cls.name]
    if path.stem not in functions:
        raise PageError(f"{path.name}: there is no function {path.stem}")
    home = _home_of(cls, tree, path)
    return Source(
        cls=cls.name,
        function=path.stem,
        documented=(*functions, cls.name, *types),
        schedule=_section("schedule", path),
        helpers=tuple(_helpers(tree, path)),
        recursion=_section("recursion", home),
        cadence=cadence[0],
        sources=" ".join(paragraph for paragraph in paragraphs if "http" in paragraph),
    )


def _section(name: str, path: Path) -> Listing:
    if SECTION.format(name) not in path.read_text(encoding="utf-8"):
        raise PageError(f"{path.name}: there is no section {name!r}")
    return Listing(_place(path), name)


def _place(path: Path) -> str:
    return f"{PACKAGE.replace('.', '/')}/{path.name}"


def _imports(tree: ast.Module, path: Path) -> dict[str, Path]:
    """The file of each name that a schedule's file imports from its neighbours."""
    return {
        alias.name: path.with_name(f"{node.module.rpartition('.')[2]}.py")
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}.")
        for alias in node.names
        if node.module
    }


def _home_of(cls: ast.ClassDef, tree: ast.Module, path: Path) -> Path:
    """The file with the recursion of a class: its own, or that of the class it is derived from."""
    if SECTION.format("recursion") in path.read_text(encoding="utf-8"):
        return path
    imported = _imports(tree, path)
    return next((imported[base.id] for base in cls.bases if isinstance(base, ast.Name) and base.id in imported), path)


def _helpers(tree: ast.Module, path: Path) -> Iterator[Listing]:
    """Functions that say part of the rule: all that is private in the file but the checks, and the shared rise."""
    imported = _imports(tree, path)
    if "warmup_factor" in imported:
        shared = ast.parse(imported["warmup_factor"].read_text(encoding="utf-8"))
        rise = next(it for it in shared.body if isinstance(it, ast.FunctionDef) and it.name == "warmup_factor")
        yield Listing(_place(imported["warmup_factor"]), _without_docstring(rise))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("_") and not node.name.startswith("_check"):
            yield Listing(_place(path), _without_docstring(node))


def _without_docstring(node: ast.FunctionDef) -> str:
    """A function's lines as a snippet's ranges."""
    if ast.get_docstring(node) is None:
        return f"{node.lineno}:{node.end_lineno}"
    text = node.body[0]
    return f"{node.lineno}:{text.lineno - 1},{(text.end_lineno or text.lineno) + 1}:{node.end_lineno}"


def entries() -> list[dict[str, Any]]:
    """The entries of docs/schedules/schedules.yml, in their order.

    Raises:
        PageError: the file is not YAML, an entry has other keys, or names no file.
    """
    file = ROOT / "docs" / FOLDER / "schedules.yml"
    return source_pages.entries(file, KEYS, "schedule", ROOT / "trainloop" / "schedulers")


def pages() -> dict[str, str]:
    """Every page's path in docs/, and its Markdown."""
    parity = document(FOLDER, "parity")["results"]["schedules"]
    facts = document(FOLDER, "facts")["results"]["schedules"]
    resumed = document(FOLDER, "resume")["results"]["right"]["ours"]
    found = {}
    for entry in entries():
        stem = entry["schedule"]
        source = read(ROOT / "trainloop" / "schedulers" / f"{stem}.py")
        found[f"{FOLDER}/{slug_of(stem)}.md"] = source_pages.render(
            ROOT / "docs" / FOLDER / "schedule.md.j2",
            entry,
            source=source,
            module=f"{PACKAGE}.{stem}",
            facts=facts[stem],
            twin=parity[stem]["torch"] is not None,
            survives_other_order=resumed["load_the_optimizer_then_build"][stem] == "yes",
        )
    return found
