"""The bibliography: references in one BibTeX file, cited by key, listed on one page with the pages that cite them.

A page writes `<% cite("kingma2015adam") %>` and gets a link that reads "Kingma and Ba (2015)". `docs/references.bib`
is UTF-8, sorted by key; each entry has at least author, year, title and url. A key that is not there stops the build
at the page's line, an entry that no page cites stops it at the file's.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path

import bibtexparser
from bibtexparser.middlewares import NameParts, SeparateCoAuthors, SplitNameParts
from bibtexparser.model import DuplicateBlockKeyBlock, Entry, ParsingFailedBlock
from mkdocs.exceptions import PluginError

SOURCE = "references.bib"
PAGE = "bibliography.md"
NEEDED = ("author", "year", "title", "url")
VENUES = ("journal", "booktitle", "howpublished", "publisher")
CALL = re.compile(r"""\bcite\(\s*["'](?P<key>[^"']*)["']""")


@dataclass(frozen=True)
class Reference:
    """One entry: a paper, a book, a page of documentation."""

    key: str
    authors: tuple[tuple[str, str], ...]  # first and last names; a group's name is a last name alone
    year: str
    title: str
    venue: str
    url: str
    line: int
    more: bool = False  # authors that the entry does not name: "and others"

    @property
    def label(self) -> str:
        """Authors and year as running text has them."""
        last = [name for _, name in self.authors]
        names = " and ".join(last) if len(last) <= 2 and not self.more else f"{last[0]} et al."
        return f"{names} ({self.year})"

    @property
    def entry(self) -> str:
        """The whole reference as Markdown."""
        names = [f"{first} {last}".strip() for first, last in self.authors]
        if self.more:
            listed = ", ".join(names) + " et al"
        else:
            listed = ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
        venue = f" {self.venue}," if self.venue else ""
        return f"{listed}. [{self.title}]({self.url}).{venue} {self.year}."

    def link(self, address: str, text: str = "") -> str:
        """A citation as HTML.

        Args:
            address: the bibliography's address as the citing page's links write it.
            text: what to read there; authors and year if empty.
        """
        return (
            f'<a class="cite" href="{address}#{self.key}" title="{html.escape(self.title)}">'
            f"{html.escape(text or self.label)}</a>"
        )


@dataclass
class Bibliography:
    """All references by key, and the pages that cite each: `(title, source path)` in the order of the nav."""

    references: Mapping[str, Reference] = field(default_factory=dict)
    uses: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def note_uses(self, pages: Iterable[tuple[str, str, str]]) -> None:
        """Write down which pages cite what.

        Args:
            pages: title, source path and Markdown of every page, in the order of the nav.

        Raises:
            PluginError: `docs/references.bib:line: …` for each entry that no page cites.
        """
        self.uses.clear()
        for title, source, markdown in pages:
            for key in dict.fromkeys(match["key"] for match in CALL.finditer(markdown)):
                self.uses.setdefault(key, []).append((title, source))
        idle = [reference for key, reference in self.references.items() if key not in self.uses]
        if idle:
            raise PluginError("\n".join(f"docs/{SOURCE}:{it.line}: no page cites {it.key!r}" for it in idle))

    def listing(self) -> str:
        """The bibliography's page as Markdown: every reference, and who cites it."""
        ordered = sorted(self.references.values(), key=lambda it: (plain(it.authors[0][1]), it.year, it.title))
        letters = [(letter, list(own)) for letter, own in groupby(ordered, key=lambda it: plain(it.authors[0][1])[0])]
        out = [" · ".join(f"[{letter.upper()}](#{letter})" for letter, _ in letters)]
        for letter, own in letters:
            out.append(f"## {letter.upper()} {{#{letter}}}")
            for reference in own:
                pages = ", ".join(f"[{title}]({source})" for title, source in self.uses[reference.key])
                out += [f"{reference.entry}\n{{#{reference.key}}}", f"On: {pages}.\n{{ .term-notes }}"]
        return "\n\n".join(out)


def read(docs: Path) -> Bibliography:
    """The references of a folder of pages; none where there is no file.

    Raises:
        PluginError: `docs/references.bib:line: what is wrong`.
    """
    path = docs / SOURCE
    if not path.exists():
        return Bibliography()
    library = bibtexparser.parse_string(
        path.read_text(encoding="utf-8"), append_middleware=[SeparateCoAuthors(), SplitNameParts()]
    )
    complaints = [f"docs/{SOURCE}:{(block.start_line or 0) + 1}: {_why(block)}" for block in library.failed_blocks]
    references = []
    for entry in library.entries:
        try:
            references.append(_reference(entry))
        except ValueError as error:
            complaints.append(f"docs/{SOURCE}:{entry.start_line + 1}: {entry.key!r} {error}")
    keys = [reference.key for reference in references]
    if keys != sorted(keys):
        late = next(it for before, it in pairwise(references) if it.key < before.key)
        complaints.append(f"docs/{SOURCE}:{late.line}: {late.key!r} is out of the order of the alphabet")
    known: dict[str, str] = {}
    for it in references:
        if it.url in known:
            complaints.append(f"docs/{SOURCE}:{it.line}: {it.key!r} has the address of {known[it.url]!r}")
        known.setdefault(it.url, it.key)
    if complaints:
        raise PluginError("\n".join(complaints))
    return Bibliography({reference.key: reference for reference in references})


def _why(block: ParsingFailedBlock) -> str:
    """What is wrong with a block that gives no entry."""
    return f"{block.key!r} is there twice" if isinstance(block, DuplicateBlockKeyBlock) else "not BibTeX"


def _reference(entry: Entry) -> Reference:
    values = {item.key: item.value for item in entry.fields}
    if missing := [name for name in NEEDED if not values.get(name)]:
        raise ValueError(f"lacks {', '.join(missing)}")
    authors = tuple(_name(parts) for parts in values["author"])
    more = authors[-1] == ("", "others")
    if more:
        authors = authors[:-1]
    if not authors:
        raise ValueError("names no author")
    year, title, url = (_text(values[name]) for name in ("year", "title", "url"))
    if not re.fullmatch(r"\d{4}", year):
        raise ValueError(f"has the year {year!r}, which is no year")
    expected = re.sub(r"[^a-z]", "", plain(authors[0][1])) + year
    if not entry.key.startswith(expected):
        raise ValueError(f"has a key that does not begin with first author and year, {expected!r}")
    if not url.startswith("https://"):
        raise ValueError(f"has the address {url!r}, which is not https")
    venue = next((_text(values[name]) for name in VENUES if name in values), "")
    if "\\" in title + venue:
        raise ValueError("has TeX where the page shows plain characters")
    return Reference(entry.key, authors, year, title, venue, url, entry.start_line + 1, more)


def plain(name: str) -> str:
    """A name in small letters without their accents, for keys and for the order of the alphabet."""
    return "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c)).lower()


def _name(parts: NameParts) -> tuple[str, str]:
    return _text(" ".join(parts.first)), _text(" ".join([*parts.von, *parts.last, *parts.jr]))


def _text(value: str) -> str:
    """A field without the braces that keep TeX from changing its case."""
    return re.sub(r"\s+", " ", value.replace("{", "").replace("}", "")).strip()
