"""Checks every page must pass before it is rendered; each complaint names page and line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from courseware import ROOT

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
POST_KEYS = ("title", "part", "number", "description", "objectives", "prerequisites", "examples")

FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<ticks>`{3,}|~{3,})[ \t]*(?P<language>[\w+-]*)")
SNIPPET = re.compile(r'^[ \t]*--8<-- "(?P<path>[^":]+)(?::(?P<section>[\w-]+))?"[ \t]*$')
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


def check_post(markdown: str, meta: dict[str, Any], slug: str) -> Iterator[Complaint]:
    """The shape every post of the series has."""
    for key in POST_KEYS:
        if key not in meta:
            yield 1, f"front matter lacks {key!r}"
    if not 3 <= len(meta.get("objectives", ())) <= 5:
        yield 1, "front matter: a post has three to five objectives"
    found = [text for _, text in headings(markdown, 2)]
    if found != list(POST_SECTIONS):
        yield 1, f"a post has the sections {list(POST_SECTIONS)} in this order; this one has {found}"
    for name in meta.get("examples", ()):
        if not (ROOT / "examples" / slug / f"{name}.py").is_file():
            yield 1, f"front matter names the example {name!r}, but there is no examples/{slug}/{name}.py"
    for number, text in headings(markdown, 3):
        if text.startswith("Exercise "):
            following = "\n".join(markdown.splitlines()[number:])
            own = re.split(r"^#{2,3} ", following, maxsplit=1, flags=re.MULTILINE)[0]
            for kind, opening in {"hint": '??? hint "', "solution": '??? success "Solution'}.items():
                if opening not in own:
                    yield number, f"{text!r} has no folded {kind} ({opening}…)"
    exercises = [text for _, text in headings(markdown, 3) if text.startswith("Exercise ")]
    if len(exercises) < 4:
        yield 1, f"a post has at least four exercises, this one has {len(exercises)}"
    questions = sum(
        len(QUIZ_QUESTION.findall("\n".join(body))) for _, language, body in fences(markdown) if language == "quiz"
    )
    if not 3 <= questions <= 5:
        yield 1, f"a post has three to five quiz questions, this one has {questions}"


def check(markdown: str, meta: dict[str, Any], slug: str) -> list[Complaint]:
    """Every complaint about a page, line numbers counted from the start of `markdown`."""
    complaints = list(check_listings(markdown))
    if "part" in meta:
        complaints += check_post(markdown, meta, slug)
    return complaints


def examples_without_page(docs: Path) -> list[str]:
    """Folders of examples that no page has the name of."""
    pages = {path.stem for path in docs.rglob("*.md")}
    folders = {path.parent.name for path in (ROOT / "examples").glob("*/*.py")}
    return sorted(folders - pages)
