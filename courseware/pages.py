"""Checks every page must pass before it is rendered; each complaint names page and line."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from courseware import ROOT
from courseware.example import is_lab

POST_SECTIONS = (
    "Introduction",
    "Intuition",
    "The math",
    "Why it works",
    "The code",
    "What do you see?",
    "Where it breaks",
    "Exercises",
    "Quick quiz",
    "Summary",
)
CHAPTER_KEYS = ("title", "section", "description", "objectives", "prerequisites", "examples")
POST_KEYS = ("title", "part", "number", "description", "objectives", "prerequisites", "examples")

FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<ticks>`{3,}|~{3,})[ \t]*(?P<language>[\w+-]*)")
SNIPPET = re.compile(r'^[ \t]*--8<-- "(?P<path>[^":]+)(?::(?P<section>[\w-]+))?"[ \t]*$')
FIGURE = re.compile(r"^<% (?:figure|stepper)\(", re.MULTILINE)  # not indented: in no folded block
PAPER = re.compile(r"https?://(?:www\.|dx\.)?(?:arxiv|doi)\.org/", re.IGNORECASE)
UP_NEXT = re.compile(r"\*\*Up next:\*\* .*\]\(")
QUIZ_QUESTION = re.compile(r"^[ \t]*- question:", re.MULTILINE)

Complaint = tuple[int, str]


def fences(markdown: str) -> Iterator[tuple[int, str, list[str]]]:
    """Every fenced block: line number of its opening, language, its lines."""
    opening: re.Match[str] | None = None
    start, body = 0, []
    for number, line in enumerate(markdown.splitlines(), 1):
        match = FENCE.match(line)
        if opening is None and match:
            opening, start, body = match, number, []
        elif opening is not None and match and match["ticks"].startswith(opening["ticks"]) and not match["language"]:
            yield start, opening["language"], body
            opening = None
        elif opening is not None:
            body.append(line)


def check_listings(markdown: str) -> Iterator[Complaint]:
    """Python on a page comes from a tested file, by section; a typed listing would go stale unseen."""
    for start, language, body in fences(markdown):
        for offset, line in enumerate(body, 1):
            match = SNIPPET.match(line)
            if language in {"python", "py", "pycon"} and line.strip() and not match:
                yield start + offset, "Python is typed here; include a tested section with --8<-- instead"
                break
            if match:
                yield from check_snippet(start + offset, match["path"], match["section"])


def check_snippet(line: int, name: str, section: str | None) -> Iterator[Complaint]:
    path = ROOT / name
    if not path.is_file():
        yield line, f"no file {name!r} to include"
    elif section is None:
        yield line, f"name the section of {name!r} to include"
    else:
        text = path.read_text(encoding="utf-8")
        missing = [mark for mark in ("start", "end") if f"--8<-- [{mark}:{section}]" not in text]
        if missing:
            yield line, f"{name!r} has no section {section!r} ({' and '.join(missing)} marker missing)"


def headings(markdown: str, level: int) -> list[tuple[int, str]]:
    """Headings of one level with their line numbers, fenced blocks skipped."""
    fenced = {number for start, _, body in fences(markdown) for number in range(start, start + len(body) + 2)}
    marks = "#" * level + " "
    return [
        (number, re.sub(r"\s*\{.*\}\s*$", "", line[len(marks) :]).strip())
        for number, line in enumerate(markdown.splitlines(), 1)
        if line.startswith(marks) and number not in fenced
    ]


def sections(markdown: str) -> dict[str, tuple[int, str]]:
    """The sections of a page, by heading: the heading's line, and the text below it."""
    lines = markdown.splitlines()
    found = headings(markdown, 2)
    ends = [number - 1 for number, _ in found[1:]] + [len(lines)]
    return {text: (number, "\n".join(lines[number:end])) for (number, text), end in zip(found, ends, strict=True)}


def check_headings(markdown: str) -> Iterator[Complaint]:
    """A heading is read aloud, linked and searched for: words only."""
    for level in range(1, 7):
        for number, text in headings(markdown, level):
            if emoji := [c for c in text if c >= "\u2300" and unicodedata.category(c) == "So"]:
                yield number, f"no emoji in headings: {' '.join(emoji)}"


def check_papers(markdown: str) -> Iterator[Complaint]:
    """A paper is cited by its key, so that the bibliography has it, once."""
    for number, line in enumerate(markdown.splitlines(), 1):
        if PAPER.search(line):
            yield number, 'cite papers by key: <% cite("key") %>, with an entry in docs/references.bib'


def check_post(markdown: str, meta: dict[str, Any], slug: str) -> Iterator[Complaint]:
    """The shape every post of the series has."""
    yield from check_front_matter(meta, POST_KEYS, slug)
    found = [text for _, text in headings(markdown, 2)]
    if found != list(POST_SECTIONS):
        yield 1, f"a post has the sections {list(POST_SECTIONS)} in this order; this one has {found}"
    own = sections(markdown)
    yield from check_exercises(markdown)
    yield from check_figures(own)
    if "The code" in own and "downloads(" not in own["The code"][1]:
        yield own["The code"][0], "the reader takes the code home: a downloads(...) is missing in this section"
    if "Quick quiz" in own:
        line, text = own["Quick quiz"]
        quizzes = [body for _, language, body in fences(text) if language == "quiz"]
        questions = sum(len(QUIZ_QUESTION.findall("\n".join(body))) for body in quizzes)
        if not 3 <= questions <= 5:
            yield line, f"a post has three to five quiz questions, this one has {questions}"
    yield from check_summary(own)


def check_chapter(markdown: str, meta: dict[str, Any], slug: str) -> Iterator[Complaint]:
    """The shape of a page of the optimizer chapter, whose sections are its own but for the last."""
    yield from check_front_matter(meta, CHAPTER_KEYS, slug)
    own = sections(markdown)
    if not own or list(own)[-1] != "Summary":
        yield 1, f'a page of the chapter ends with the section "Summary"; this one has {list(own)}'
    yield from check_summary(own)


def check_front_matter(meta: dict[str, Any], keys: Sequence[str], slug: str) -> Iterator[Complaint]:
    """All keys, three to five objectives, and examples that are there."""
    for key in keys:
        if key not in meta:
            yield 1, f"front matter lacks {key!r}"
    if not 3 <= len(meta.get("objectives", ())) <= 5:
        yield 1, "front matter: a page that teaches has three to five objectives"
    for name in meta.get("examples", ()):
        if not (ROOT / "examples" / slug / f"{name}.py").is_file():
            yield 1, f"front matter names the example {name!r}, but there is no examples/{slug}/{name}.py"


def check_summary(own: dict[str, tuple[int, str]]) -> Iterator[Complaint]:
    """It ends with the next page, and why to go there."""
    if "Summary" in own:
        line, text = own["Summary"]
        # Footnotes stand behind the text that they belong to.
        paragraphs = [part for part in text.strip().split("\n\n") if not part.startswith("[^")]
        if not UP_NEXT.match(paragraphs[-1]):
            yield line, 'a summary ends with "**Up next:** [title](page.md)." and the question that it answers'


def check_exercises(markdown: str) -> Iterator[Complaint]:
    """At least four, each with a hint and a solution that the reader unfolds."""
    exercises = [(number, text) for number, text in headings(markdown, 3) if text.startswith("Exercise ")]
    for number, text in exercises:
        following = "\n".join(markdown.splitlines()[number:])
        own = re.split(r"^#{2,3} ", following, maxsplit=1, flags=re.MULTILINE)[0]
        for kind, opening in {"hint": '??? hint "', "solution": '??? success "Solution'}.items():
            if opening not in own:
                yield number, f"{text!r} has no folded {kind} ({opening}…)"
    if len(exercises) < 4:
        yield 1, f"a post has at least four exercises, this one has {len(exercises)}"


def check_figures(own: dict[str, tuple[int, str]]) -> Iterator[Complaint]:
    """Three to six that tell the story, and the symptom of what breaks; folded solutions may show more."""
    counts = {name: len(FIGURE.findall(text)) for name, (_, text) in own.items()}
    symptoms = counts.pop("Where it breaks", None)
    if symptoms == 0:
        yield own["Where it breaks"][0], "what breaks is run: this section shows its symptom in a figure"
    if not 3 <= sum(counts.values()) <= 6:
        shown = ", ".join(f"{name}: {count}" for name, count in counts.items() if count) or "none"
        yield 1, f'a post has three to six figures, beside folded ones and those of "Where it breaks"; here: {shown}'


def check_order(posts: Sequence[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    """Complaints about the numbers of the posts of one part, which count up in the order of the nav.

    Args:
        posts: source path and front matter of the pages of a section of the nav, in its order.
    """
    numbered = [(source, meta["number"]) for source, meta in posts if "part" in meta and "number" in meta]
    for (_, before), (source, number) in pairwise(numbered):
        if number <= before:
            yield f"{source}:1: says number {number}, but the nav has it after number {before}"


def check(markdown: str, meta: dict[str, Any], slug: str) -> list[Complaint]:
    """Every complaint about a page, line numbers counted from the start of `markdown`."""
    complaints = [*check_listings(markdown), *check_headings(markdown), *check_papers(markdown)]
    if "part" in meta:
        complaints += check_post(markdown, meta, slug)
    if "section" in meta:
        complaints += check_chapter(markdown, meta, slug)
    return complaints


def aims(meta: dict[str, Any]) -> str:
    """What a page's reader will be able to do, and has to bring, as Markdown."""
    lines = ['!!! abstract "By the end you will be able to"', ""]
    lines += [f"    - {objective}" for objective in meta["objectives"]]
    if meta["prerequisites"]:
        lines += ["", "    You need: " + "; ".join(meta["prerequisites"]) + "."]
    return "\n".join(lines)


def examples_without_page(docs: Path) -> list[str]:
    """Folders of examples that no page has the name of."""
    pages = {path.parent.name if path.stem == "index" else path.stem for path in docs.rglob("*.md")}
    folders = {path.parent.name for path in (ROOT / "examples").glob("*/*.py") if not is_lab(path)}
    return sorted(folders - pages)
