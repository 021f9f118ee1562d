"""The shape every post must have, and what the checks say when it has not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from courseware import ROOT
from courseware.pages import POST_SECTIONS, check, check_order, fences, headings, sections

POSTS = [path for path in (ROOT / "docs/series").rglob("*.md") if path.name != "index.md"]
FENCE = "```"


def split(path: Path) -> tuple[dict, str]:
    _, front, body = path.read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(front), body


FIGURE = '<% figure("convergence.losses", alt="…") %>\n'


@pytest.fixture
def post() -> tuple[dict, str, str]:
    """The model that the checks were made from."""
    path = ROOT / "docs/series/part-3/optimization-algorithms-beyond-sgd.md"
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


def after(heading: str, body: str, text: str) -> str:
    """The page with more text below one of its headings."""
    assert f"\n{heading}\n" in body
    return body.replace(f"\n{heading}\n", f"\n{heading}\n\n{text}\n", 1)


def breakages(meta, body):
    yield "hint", meta, body.replace('??? hint "Hint"', '??? note "Hint"', 1)
    yield "solution", meta, body.replace('??? success "Solution"', '??? note "Solution"', 1)
    yield "four exercises", meta, body.replace("### Exercise ", "### Task ")
    yield "quiz questions, this one has 0", meta, body.replace(f"{FENCE}quiz", f"{FENCE}yaml")
    yield "quiz questions, this one has 6", meta, body.replace("- question:", "- question:\n- question:", 2)
    yield "objectives", {**meta, "objectives": meta["objectives"][:2]}, body
    yield "objectives", {**meta, "objectives": meta["objectives"] * 2}, body
    for key in ("description", "prerequisites", "examples"):
        yield f"lacks {key!r}", {name: value for name, value in meta.items() if name != key}, body
    yield "no examples/", {**meta, "examples": ["nothing"]}, body
    yield "six figures", meta, after("## Intuition", body, FIGURE)
    yield "here: none", meta, body.replace("\n<% figure(", "\n\n    <% figure(")
    yield "symptom", meta, body.replace("\n<% figure(", "\n\n    <% figure(")
    yield "downloads(...) is missing", meta, body.replace('<% downloads("convergence") %>', "")
    yield "ends with", meta, body.replace("**Up next:** [", "Next: [")
    yield "ends with", meta, body + "\nOne more thing.\n"
    yield "no emoji in headings: 🚀", meta, body.replace("### Exercise 1: ", "### Exercise 1: 🚀 ")


def test_each_breakage_is_named(post):
    meta, body, slug = post
    for words, bad_meta, bad_body in breakages(meta, body):
        assert (bad_meta, bad_body) != (meta, body), words
        assert any(words in text for _, text in check(bad_body, bad_meta, slug)), words


CHAPTER = """# Title

Words.

## Something

More words.

## Summary

What was seen.

**Up next:** [The next](next.md). What does it answer?
"""
CHAPTER_META = {
    "title": "Title",
    "section": 1,
    "description": "A page.",
    "objectives": ["see", "measure", "choose"],
    "prerequisites": [],
    "examples": [],
}


def test_a_page_of_the_chapter():
    assert check(CHAPTER, CHAPTER_META, "title") == []


@pytest.mark.parametrize("key", [key for key in CHAPTER_META if key not in ("section", "objectives")])
def test_a_page_of_the_chapter_names_what_it_is(key):
    meta = {name: value for name, value in CHAPTER_META.items() if name != key}
    assert [text for _, text in check(CHAPTER, meta, "title")] == [f"front matter lacks {key!r}"]


@pytest.mark.parametrize(
    ("page", "meta", "words"),
    [
        (CHAPTER, {"objectives": ["one"]}, "three to five objectives"),
        (CHAPTER, {"examples": ["nothing"]}, "no examples/title/nothing.py"),
        (CHAPTER.replace("## Summary", "## End"), {}, 'ends with the section "Summary"'),
        (CHAPTER + "\n## More\n", {}, 'ends with the section "Summary"'),
        (CHAPTER.replace("**Up next:**", "Next:"), {}, "a summary ends with"),
        (CHAPTER.replace("Words.", "```python\nx = 1\n```"), {}, "Python is typed here"),
    ],
)
def test_what_a_page_of_the_chapter_lacks_is_named(page, meta, words):
    assert any(words in text for _, text in check(page, CHAPTER_META | meta, "title"))


def test_what_is_no_breakage(post):
    meta, body, slug = post
    folded = after("## Intuition", body, f'??? note "More"\n\n    {FIGURE}')
    assert check(folded, meta, slug) == [], "a folded figure is not counted"
    stepper = body.replace('<% figure("ravine"', '<% stepper("ravine"')
    assert check(stepper, meta, slug) == [], "a stepper is a figure"
    quiz = after("## Exercises", body, f"{FENCE}quiz\n- question: one\n- question: two\n{FENCE}")
    assert check(quiz, meta, slug) == [], "questions outside the quick quiz are not counted"
    assert check(f"{body}\n[^1]: A footnote.\n", meta, slug) == []
    assert check(body.replace("### Is 0.1", "### Is θ → 0.1 at 45°"), meta, slug) == []


def test_numbers_count_up_in_the_nav():
    part = [{}, {"part": 1, "number": 1}, {}, {"part": 1, "number": 3}]
    assert list(check_order([(f"{i}.md", meta) for i, meta in enumerate(part)])) == []
    part.append({"part": 1, "number": 3})
    assert list(check_order([(f"{i}.md", meta) for i, meta in enumerate(part)])) == [
        "4.md:1: says number 3, but the nav has it after number 3"
    ]


def test_lines_of_complaints():
    body = f'# T\n\n{FENCE}python\nx = 1\n{FENCE}\n\n    {FENCE}python\n    --8<-- "trainloop/loop.py"\n    {FENCE}\n'
    assert check(body, {}, "t") == [
        (4, "Python is typed here; include a tested section with --8<-- instead"),
        (8, "name the section of 'trainloop/loop.py' to include"),
    ]


def test_fences_and_headings():
    body = f"## One\n\n{FENCE}text\n## not a heading\n{FENCE}\n\n## Two {{#two}}\n"
    assert [(start, language) for start, language, _ in fences(body)] == [(3, "text")]
    assert headings(body, 2) == [(1, "One"), (7, "Two")]
    found = sections(body)
    assert [(name, line) for name, (line, _) in found.items()] == [("One", 1), ("Two", 7)]
    assert "not a heading" in found["One"][1]


@pytest.mark.parametrize(
    "link",
    [
        "[Adam](https://arxiv.org/abs/1412.6980)",
        "<https://doi.org/10.1137/0330046>",
        "[x](http://dx.doi.org/10.1137/0330046)",
        "    see https://www.arxiv.org/pdf/1412.6980",
    ],
)
def test_papers_are_cited_by_key(link):
    assert check(f"# Title\n\n{link}\n", {}, "page") == [
        (3, 'cite papers by key: <% cite("key") %>, with an entry in docs/references.bib')
    ]


@pytest.mark.parametrize(
    "text", ['<% cite("kingma2015adam") %>', "[index](https://info.arxiv.org/help)", "arXiv.org has it"]
)
def test_what_is_no_link_to_a_paper(text):
    assert check(f"# Title\n\n{text}\n", {}, "page") == []
