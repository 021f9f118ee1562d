"""One page per optimizer, from one source each: its file, its entry in docs/optimizers/rules.yml, its measurements.

What differs from page to page comes from there; what is the same on all of them is `docs/optimizers/rule.md.j2`.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from courseware import ROOT, citations, source_pages
from courseware.bindings import Cell, document, format_value
from courseware.source_pages import PageError

FOLDER = "optimizers"
KEYS = {"rule", "part", "idea", "typical_lr", "lr", "options", "good_for", "use", "avoid", "asks", "papers"}
VARIANT_KEYS = {"rule", "name", "typical_lr", "good_for", "asks"}
HIDDEN = ("__init__", "__setstate__", "check")
RACE = ("labs", "convergence-of-every-optimizer")
PARTS = ("classic", "adaptive", "modern")
NO_WALK = {
    "sparseadam": "A point of two numbers has no rows to leave out: SparseAdam takes sparse gradients alone.",
    "muon": "Muon moves matrices alone; a point of two numbers is none.",
    "sophiag": "Sophia-G needs an estimate of the curvature, too, which these walks do not give it.",
}


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
        PageError: its class has no method but hidden ones, or its docstring names no source.
    """
    tree, paragraphs = source_pages.parse(path)
    name = source_pages.exported(tree)[0]
    cls = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    methods = [node for node in cls.body if isinstance(node, ast.FunctionDef)]
    shown = [node for node in methods if node.name not in HIDDEN]
    if not shown:
        raise PageError(f"{path.name}: {name} has no method beside {', '.join(HIDDEN)}")
    first = min([shown[0].lineno, *(decorator.lineno for decorator in shown[0].decorator_list)])
    return Source(name, first, shown[-1].end_lineno or first, " ".join(paragraphs))


def entries() -> list[dict[str, Any]]:
    """The entries of docs/optimizers/rules.yml, in their order.

    Raises:
        PageError: the file is not YAML, an entry or a variant has other keys, an entry has an unknown part, or names no
            file or no paper.
    """
    file = ROOT / "docs" / FOLDER / "rules.yml"
    found = source_pages.entries(file, KEYS, "rule", ROOT / "trainloop" / "optim", optional={"variants"})
    for entry in found:
        if entry["part"] not in PARTS:
            raise PageError(f"rules.yml: {entry['rule']!r}: part must be one of {PARTS}, got {entry['part']!r}")
        if not entry["papers"]:
            raise PageError(f"rules.yml: {entry['rule']!r} names no paper")
        for variant in entry.setdefault("variants", []):
            if set(variant) != VARIANT_KEYS:
                own, keys = sorted(variant), sorted(VARIANT_KEYS)
                raise PageError(f"rules.yml: a variant of {entry['rule']!r} has the keys {own}, not {keys}")
    return found


def pages() -> dict[str, str]:
    """Every page's path in docs/, and its Markdown.

    Raises:
        PageError: an entry, or what a file says of its papers, does not give a page.
    """
    references = citations.read(ROOT / "docs").references
    walks = document(FOLDER, "walks")["results"]["rules"]
    twins = document(FOLDER, "parity")["results"]["rules"]
    found = {}
    for entry in entries():
        slug = entry["rule"]
        file = f"trainloop/optim/{slug}.py"
        source = read(ROOT / file)
        try:
            sources = source_pages.cited(source.sources, [references[key] for key in entry["papers"]])
        except KeyError as error:
            raise PageError(f"rules.yml: {slug!r}: docs/references.bib has no {error}") from None
        except PageError as error:
            raise PageError(f"{file}: the module's docstring {error}") from None
        found[f"{FOLDER}/{slug}.md"] = source_pages.render(
            ROOT / "docs" / FOLDER / "rule.md.j2",
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


def compare() -> list[dict[str, Any]]:
    """One row per optimizer and variant, in the order of rules.yml: what the runs measured, and what the entry says.

    `page` is the optimizer that has the page, `apart` the largest difference from torch's of the same name, `best_lr`
    the rate that the lab's second experiment chose, on full batches where the rule was made for those. The last two are
    None where there is none.
    """
    costs, twins = (document(FOLDER, example)["results"]["rules"] for example in ("cost", "parity"))
    chosen = {row["name"]: row["lr"] for row in document(*RACE)["results"]["rows"]}
    rows = []
    for entry in entries():
        own = entry | {"name": name_of(read(ROOT / "trainloop" / "optim" / f"{entry['rule']}.py").cls)}
        for about in (own, *entry["variants"]):
            rule = about["rule"]
            rows.append(
                {
                    "rule": rule,
                    "name": about["name"],
                    "page": entry["rule"],
                    "part": entry["part"],
                    "bytes": costs[rule]["bytes"],
                    "times": costs[rule]["times"],
                    "apart": max(twins[rule].values()) if rule in twins else None,
                    "typical_lr": _span(about["typical_lr"]),
                    "best_lr": chosen.get(f"{rule}_whole", chosen.get(rule)),
                    "good_for": about["good_for"],
                    "asks": about["asks"],
                }
            )
    return rows


def _span(ends: list[float] | None) -> Cell | None:
    """Two numbers as one cell, sorted by the lower one."""
    if ends is None:
        return None
    low, high = (format_value(end, "g") for end in ends)
    return Cell(low if low == high else f"{low}\N{NO-BREAK SPACE}–\N{NO-BREAK SPACE}{high}", ends[0])
