"""The glossary: what its file must look like, what its page shows, what a link to a term gets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from mini_checkout import Checkout
from mkdocs.exceptions import PluginError

from courseware import ROOT
from courseware.glossary import SOURCE, Glossary, Term, links, note_terms, read

FENCE = "```"
TWO = """# words
- id: learning-rate
  term: learning rate
  definition: The factor $\\eta$ that `step()` multiplies the *gradient* by; see [below](#epoch) & beyond.
  see: [epoch, notation.md]

- id: epoch
  term: Epoch
  definition: One pass over the data.
"""


def write(folder: Path, text: str) -> Path:
    (folder / SOURCE).write_text(text, encoding="utf-8")
    (folder / "notation.md").write_text("# Notation\n", encoding="utf-8")
    return folder


@pytest.fixture
def glossary(tmp_path: Path) -> Glossary:
    return read(write(tmp_path, TWO))


# --- the course's own


def test_the_course_defines_its_words_once() -> None:
    entries = yaml.safe_load((ROOT / "docs" / SOURCE).read_text(encoding="utf-8"))
    ids = [entry["id"] for entry in entries]
    assert ids == sorted(ids), "in the order of the alphabet, a term has one place"
    assert len(read(ROOT / "docs").terms) == len(ids) >= 70


def test_no_definition_begins_with_its_own_term() -> None:
    for term in read(ROOT / "docs").terms.values():
        assert not re.match(rf"(an?|the)? ?{re.escape(term.term)}\b", term.plain, re.IGNORECASE), term.id
        assert "$" not in term.plain and "`" not in term.plain, term.id


# --- reading


def test_plain_text(glossary: Glossary) -> None:
    assert (
        glossary.terms["learning-rate"].plain
        == "The factor η that step() multiplies the gradient by; see below & beyond."
    )
    assert Term("x", "x", r"The largest is $\lambda_{\max} \le 2$.").plain == "The largest is λmax≤2."


def test_no_file_no_terms(tmp_path: Path) -> None:
    assert read(tmp_path).terms == {}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (TWO, "word: meaning", "glossary.yml:1: must be a list"),
        (TWO, "- id: [", "glossary.yml:1: not valid YAML"),
        ("id: epoch", "id: epochs", "glossary.yml:7: the id of 'Epoch' must be the term in lower case"),
        ("  term: Epoch\n", "", "glossary.yml:7: a term has id, term, definition"),
        ("term: Epoch", "term: Epoch\n  sea: []", "glossary.yml:7: a term has id, term, definition"),
        ("the data.", "the data", "must be one paragraph that ends with a full stop"),
        ("One pass over the data.", "|-\n    One pass.\n\n    Or two.", "must be one paragraph"),
        (
            "see: [epoch,",
            "see: [epochs,",
            "glossary.yml:2: 'learning-rate' points to 'epochs', neither a term nor a page",
        ),
        ("notation.md]", "nation.md]", "points to 'nation.md', neither"),
        ("see: [epoch, notation.md]", "see: epoch", "glossary.yml:2: 'see' of 'learning rate' must be a list"),
        (r"$\eta$", r"$\frac{1}{2}$", r"glossary.yml:2: $\frac{1}{2}$ cannot be read on one line"),
        (r"$\eta$", r"$\frac{1}$", r"cannot convert $\frac{1}$"),
        ("id: epoch\n  term: Epoch", "id: learning-rate\n  term: learning rate", "7: 'learning-rate' is here twice"),
    ],
)
def test_what_is_refused(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in TWO
    with pytest.raises(PluginError, match=re.escape(problem)):
        read(write(tmp_path, TWO.replace(old, new)))


# --- the page


def test_listing(glossary: Glossary) -> None:
    glossary.note_uses(
        [
            ("First", "a/first.md", "[e](../glossary.md#epoch) and [e](../glossary.md#epoch)"),
            ("Second", "b/second.md", "[e](../glossary.md#epoch)"),
            ("Notation", "notation.md", ""),
        ]
    )
    listing = glossary.listing()
    assert listing.startswith("[E](#e) · [L](#l)\n\n## E {#e}\n\n### Epoch {#epoch}\n\nOne pass over the data.\n\n")
    assert "On: [First](a/first.md), [Second](b/second.md).\n{ .term-notes }" in listing
    assert listing.endswith("See [Epoch](#epoch), [Notation](notation.md).\n{ .term-notes }")


# --- links


def test_links_are_found_outside_listings() -> None:
    text = f"[a](glossary.md#a) [b](../../glossary.md#b)\n\n{FENCE}text\n[c](glossary.md#c)\n{FENCE}\n"
    quiz = f"{FENCE}quiz\n- question: '[d](../glossary.md#d)?'\n{FENCE}\n\n[g](glossary.md) [x](other.md#x)\n"
    assert list(links(text + quiz)) == [(1, "a"), (1, "b"), (7, "d")]


def test_links_get_a_definition(glossary: Glossary) -> None:
    html = '<p><a href="../glossary/#epoch">epochs</a> <a href="../glossary/#l">L</a> <a href="../b/#epoch">b</a></p>'
    assert note_terms(html, glossary, "../glossary/") == (
        '<p><a class="term" href="../glossary/#epoch" title="One pass over the data.">epochs</a> '
        '<a href="../glossary/#l">L</a> <a href="../b/#epoch">b</a></p>'
    )
    noted = note_terms('<a href="g/#learning-rate">η</a>', glossary, "g/")
    assert 'title="The factor η that step() multiplies the gradient by; see below &amp; beyond."' in noted
    assert note_terms('<a href="g/#epoch" id="i">e</a>', glossary, "g/").endswith(' id="i">e</a>')


def test_in_a_build(built: Checkout) -> None:
    page = (built.root / "docs/page.md").read_text(encoding="utf-8")
    built.write("docs/glossary.yml", TWO.replace(", notation.md", ""))
    built.write("docs/glossary.md", "---\ntitle: Glossary\n---\n\n# Glossary\n\n<% glossary() %>\n")
    config = (built.root / "mkdocs.yml").read_text(encoding="utf-8")
    built.write("mkdocs.yml", config + "  - Glossary: glossary.md\n")

    built.write("docs/page.md", page + "\nAn [epoch](glossary.md#epoch).\n\nAn [age](glossary.md#age).\n")
    line = page.count("\n") + 4
    assert f"page.md:{line}: the glossary has no term 'age' (docs/glossary.yml)" in built.run("build", expect=1)

    built.write("docs/page.md", page + "\nAn [epoch](glossary.md#epoch).\n")
    built.run("build")
    html = (built.root / "site/page/index.html").read_text(encoding="utf-8")
    assert 'An <a class="term" href="../glossary/#epoch" title="One pass over the data.">epoch</a>.' in html
    listing = (built.root / "site/glossary/index.html").read_text(encoding="utf-8")
    assert '<h3 id="epoch">Epoch' in listing
    assert 'On: <a href="../page/">Page</a>.' in listing
    assert not (built.root / "site/glossary.yml").exists()
    # The note of a link is not a second place that the search would find.
    assert (built.root / "site/search/search_index.json").read_text(encoding="utf-8").count("One pass over") == 1
    built.write("docs/page.md", page)
    built.write("mkdocs.yml", config)
    for name in ("docs/glossary.yml", "docs/glossary.md"):
        (built.root / name).unlink()
