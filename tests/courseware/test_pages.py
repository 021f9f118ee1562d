"""The shape every post must have, and what the checks say when it has not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from courseware import ROOT
from courseware.pages import POST_SECTIONS, check, fences, headings

POSTS = [path for path in (ROOT / "docs/series").rglob("*.md") if path.name != "index.md"]
FENCE = "```"


def split(path: Path) -> tuple[dict, str]:
    _, front, body = path.read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(front), body


@pytest.fixture
def post() -> tuple[dict, str, str]:
    path = POSTS[0]
    return *split(path), path.stem


@pytest.mark.parametrize("path", POSTS, ids=lambda path: path.stem)
def test_every_post_passes(path):
    meta, body = split(path)
    assert check(body, meta, path.stem) == []


@pytest.mark.parametrize("section", POST_SECTIONS)
def test_missing_section(post, section):
    meta, body, slug = post
    complaints = check(body.replace(f"\n## {section}\n", "\n"), meta, slug)
    assert any("has the sections" in text for _, text in complaints)


def breakages(meta, body):
    yield "hint", meta, body.replace('??? hint "Hint"', '??? note "Hint"', 1)
    yield "solution", meta, body.replace('??? success "Solution"', '??? note "Solution"', 1)
    yield "four exercises", meta, body.replace("### Exercise ", "### Task ")
    yield "quiz questions", meta, body.replace(f"{FENCE}quiz", f"{FENCE}yaml")
    yield "objectives", {**meta, "objectives": meta["objectives"][:2]}, body
    yield "lacks 'description'", {key: value for key, value in meta.items() if key != "description"}, body
    yield "no examples/", {**meta, "examples": ["nothing"]}, body


def test_each_breakage_is_named(post):
    meta, body, slug = post
    for words, bad_meta, bad_body in breakages(meta, body):
        assert any(words in text for _, text in check(bad_body, bad_meta, slug)), words


def test_lines_of_complaints():
    body = f"# T\n\n{FENCE}python\nx = 1\n{FENCE}\n\n    {FENCE}python\n    --8<-- \"trainloop/loop.py\"\n    {FENCE}\n"
    assert check(body, {}, "t") == [
        (4, "Python is typed here; include a tested section with --8<-- instead"),
        (8, "name the section of 'trainloop/loop.py' to include"),
    ]


def test_fences_and_headings():
    body = f"## One\n\n{FENCE}text\n## not a heading\n{FENCE}\n\n## Two {{#two}}\n"
    assert [(start, language) for start, language, _ in fences(body)] == [(3, "text")]
    assert headings(body, 2) == [(1, "One"), (7, "Two")]
