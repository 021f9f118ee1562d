"""The glossary: terms in one file, shown on one page, and beside every link to it.

A page links a term as any other place: `[learning rate](../../glossary.md#learning-rate)`. `note_terms` gives such a
link its class and, as plain text, its definition; `theme/assets/terms.js` shows that on hover, focus and touch.
`docs/glossary.yml` is a list of entries:

    - id: learning-rate          # the term in lower case with hyphens; the anchor
      term: learning rate
      definition: The factor that the gradient is multiplied by before it is subtracted, written $\\eta$.
      see: [step, notation.md]   # other terms, and pages; may be left out
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml
from math_core import LatexError
from mkdocs.exceptions import PluginError

from courseware.mathml import to_mathml
from courseware.pages import Complaint, fences

SOURCE = "glossary.yml"
PAGE = "glossary.md"
KEYS = {"id", "term", "definition", "see"}

_LINK = re.compile(r"\]\((?:[^()\s]*/)?glossary\.md#(?P<id>[^\s)]*)")
_MATH = re.compile(r"\$([^$]+)\$")
# Symbols and indices read the same on one line; a fraction or a power does not.
_LINEAR = {"math", "mi", "mn", "mo", "mtext", "mrow", "mspace", "mstyle", "msub"}


@dataclass(frozen=True)
class Term:
    """One entry of the glossary."""

    id: str
    term: str
    definition: str
    see: tuple[str, ...] = ()

    @property
    def plain(self) -> str:
        """The definition without markup, as a note beside a link shows it."""
        text = _MATH.sub(lambda match: _one_line(match[1]), self.definition)
        text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
        return re.sub(r"[`*]", "", text)


@dataclass
class Glossary:
    """All terms by id, and the pages that link to each: `(title, source path)` in the order of the nav."""

    terms: Mapping[str, Term] = field(default_factory=dict)
    uses: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)

    def check(self, markdown: str) -> Iterator[Complaint]:
        """Links of a page to terms that are not there."""
        for line, id in links(markdown):
            if id not in self.terms:
                yield line, f"the glossary has no term {id!r} (docs/{SOURCE})"

    def note_uses(self, pages: Iterable[tuple[str, str, str]]) -> None:
        """Write down which pages link to which terms.

        Args:
            pages: title, source path and Markdown of every page, in the order of the nav.
        """
        self.uses.clear()
        for title, source, markdown in pages:
            self.titles[source] = title
            for id in dict.fromkeys(id for _, id in links(markdown)):
                self.uses.setdefault(id, []).append((title, source))

    def listing(self) -> str:
        """The glossary's page as Markdown: a line of letters, and every term under its own."""
        ordered = sorted(self.terms.values(), key=lambda term: term.term.lower())
        letters = [(letter, list(terms)) for letter, terms in groupby(ordered, key=lambda term: term.term[0].upper())]
        out = [" · ".join(f"[{letter}](#{letter.lower()})" for letter, _ in letters)]
        for letter, terms in letters:
            out.append(f"## {letter} {{#{letter.lower()}}}")
            for term in terms:
                out += [f"### {term.term} {{#{term.id}}}", term.definition]
                if notes := [*self._see(term), *self._used(term)]:
                    out.append(" ".join(notes) + "\n{ .term-notes }")
        return "\n\n".join(out)

    def _see(self, term: Term) -> Iterator[str]:
        if term.see:
            names = [f"[{self._name(see)}]({self._address(see)})" for see in term.see]
            yield f"See {', '.join(names)}."

    def _name(self, see: str) -> str:
        return self.terms[see].term if see in self.terms else self.titles.get(see, see)

    def _address(self, see: str) -> str:
        return f"#{see}" if see in self.terms else see

    def _used(self, term: Term) -> Iterator[str]:
        if pages := self.uses.get(term.id):
            yield "On: " + ", ".join(f"[{title}]({source})" for title, source in pages) + "."


def links(markdown: str) -> Iterator[tuple[int, str]]:
    """Links to terms: line and id; listings are skipped."""
    shown = {
        number
        for start, language, body in fences(markdown)
        if language != "quiz"
        for number in range(start, start + len(body) + 2)
    }
    for number, line in enumerate(markdown.splitlines(), 1):
        if number not in shown:
            yield from ((number, match["id"]) for match in _LINK.finditer(line))


def read(docs: Path) -> Glossary:
    """The glossary of a folder of pages; an empty one where there is none.

    Raises:
        PluginError: `docs/glossary.yml:line: what is wrong`.
    """
    path = docs / SOURCE
    if not path.exists():
        return Glossary()
    source = path.read_text(encoding="utf-8")
    try:
        entries = yaml.safe_load(source)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PluginError(f"docs/{SOURCE}:{line}: not valid YAML: {error.problem}") from None
    if not isinstance(entries, list):
        raise PluginError(f"docs/{SOURCE}:1: must be a list of terms")
    lines = [number for number, line in enumerate(source.splitlines(), 1) if line.startswith("- ")]
    terms: dict[str, Term] = {}
    for line, entry in zip(lines, entries, strict=True):
        try:
            term = _term(entry)
            if term.id in terms:
                raise ValueError(f"{term.id!r} is here twice")
        except ValueError as error:
            raise PluginError(f"docs/{SOURCE}:{line}: {error}") from None
        terms[term.id] = term
    for line, term in zip(lines, terms.values(), strict=True):
        for see in term.see:
            if see not in terms and not (docs / see).is_file():
                raise PluginError(f"docs/{SOURCE}:{line}: {term.id!r} points to {see!r}, neither a term nor a page")
    return Glossary(terms)


def _term(entry: Any) -> Term:
    if not isinstance(entry, dict) or not {"id", "term", "definition"} <= entry.keys() <= KEYS:
        raise ValueError(f"a term has id, term, definition and perhaps see, not {entry!r}")
    id, term, definition = (str(entry[key]).strip() for key in ("id", "term", "definition"))
    if id != re.sub(r"[^a-z0-9]+", "-", term.lower()).strip("-"):
        raise ValueError(f"the id of {term!r} must be the term in lower case with hyphens, not {id!r}")
    if not definition.endswith(".") or "\n" in definition:
        raise ValueError(f"the definition of {term!r} must be one paragraph that ends with a full stop")
    see = entry.get("see", [])
    if not isinstance(see, list) or not all(isinstance(name, str) for name in see):
        raise ValueError(f"'see' of {term!r} must be a list of ids and pages")
    found = Term(id, term, definition, tuple(see))
    found.plain  # noqa: B018  (says now what a page would say later)
    return found


def _one_line(tex: str) -> str:
    """The characters of a formula of symbols and indices."""
    try:
        mathml = to_mathml(tex)
    except LatexError as error:
        raise ValueError(f"cannot convert ${tex}$: {error}") from None
    tags = set(re.findall(r"<(\w+)", mathml))
    if tags - _LINEAR:
        raise ValueError(f"${tex}$ cannot be read on one line; say it in words")
    return html.unescape(re.sub(r"<[^>]*>", "", mathml))


def note_terms(page_html: str, glossary: Glossary, address: str) -> str:
    """Give each link to a term its class and its definition.

    Args:
        page_html: a page's HTML.
        glossary: the terms.
        address: the glossary's address as this page's links write it.
    """
    pattern = re.compile(rf'<a (?P<before>[^>]*?)href="{re.escape(address)}#(?P<id>[^"]*)"(?P<after>[^>]*)>')

    def note(match: re.Match[str]) -> str:
        term = glossary.terms.get(match["id"])
        if term is None:  # a letter's heading; check() has seen to the rest
            return match[0]
        title = html.escape(term.plain)
        attributes = f"{match['before']}{match['after']}".strip()
        return f'<a class="term" href="{address}#{term.id}" title="{title}"{" " if attributes else ""}{attributes}>'

    return pattern.sub(note, page_html)
