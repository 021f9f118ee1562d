"""One page per optimizer: every file has one, and each says what its file, its entry and its runs say."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

import pytest
import yaml
from formulas import FORMULAS

import trainloop.optim
from courseware import ROOT, citations, rule_pages, source_pages
from courseware.engine import run_examples
from courseware.source_pages import PageError

ENTRIES = {entry["rule"]: entry for entry in rule_pages.entries()}


@pytest.fixture(scope="module")
def pages():
    run_examples()
    return rule_pages.pages()


def test_every_optimizer_has_an_entry_a_page_and_a_place_in_the_nav(pages):
    files = {getattr(trainloop.optim, name).__module__.rpartition(".")[2] for name in trainloop.optim.__all__}
    assert set(ENTRIES) == files
    assert set(pages) == {f"optimizers/{slug}.md" for slug in files}
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for part in rule_pages.PARTS:
        group = re.search(rf" {{6}}- {part.title()}:\n((?: {{10}}- .*\n)+)", nav)[1]
        own = {slug for slug, entry in ENTRIES.items() if entry["part"] == part}
        assert set(re.findall(r"optimizers/(\w+)\.md", group)) == own
    assert sorted(re.findall(r"optimizers/(\w+)\.md", nav)) == sorted([*files, "index"])


@pytest.mark.parametrize("slug", ENTRIES)
def test_the_page_shows_the_code_of_the_rule(pages, slug):
    text = pages[f"optimizers/{slug}.md"]
    path, first, last = re.search(r'--8<-- "(.+):(\d+):(\d+)"', text).groups()
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()[int(first) - 1 : int(last)]
    code = "\n".join(lines)
    assert lines[0].lstrip().startswith(("def ", "@"))
    assert "def __init__" not in code
    assert re.search(r"def (update|step|run|pull|begin|beta|precondition)", code)
    source = rule_pages.read(ROOT / path)
    assert f"from trainloop.optim import {source.cls}" in text
    assert re.findall(r"^::: (.+)$", text, re.MULTILINE) == [f"trainloop.optim.{slug}.{source.cls}"]
    assert source.cls == FORMULAS[slug].optimizer.__name__  # whose docstring test_formulas.py checks


@pytest.mark.parametrize("slug", ENTRIES)
def test_every_paper_of_a_file_is_cited_on_its_page(pages, slug):
    docstring = ast.get_docstring(ast.parse((ROOT / f"trainloop/optim/{slug}.py").read_text(encoding="utf-8")))
    references = citations.read(ROOT / "docs").references
    known = [references[key].url for key in ENTRIES[slug]["papers"]]
    papers = re.findall(r"https?://(?:arxiv|doi|openreview|jmlr|proceedings)[^\s]+?(?=[.,:;)]?(?:\s|$))", docstring)
    assert set(papers) <= set(known)
    sources = pages[f"optimizers/{slug}.md"].partition("## Sources")[2]
    assert re.findall(r'<% cite\("(\w+)"\) %>, "', sources) == ENTRIES[slug]["papers"]
    assert not any(url in sources for url in known)


def paper(**changes):
    known = citations.read(ROOT / "docs").references["kingma2015adam"]
    return replace(known, **changes)


def test_a_paper_in_a_sentence_becomes_a_citation():
    text = """First et al., "One", 2001, https://example.org/1. Kingma and Ba,
    "Adam: A Method", 2015, section 7.1,
    https://arxiv.org/abs/1412.6980, show it (the rule). Code: https://example.org."""
    assert source_pages.cited(text, [paper()]) == (
        'First et al., "One", 2001, https://example.org/1. <% cite("kingma2015adam") %>, '
        '"Adam: A Method", section 7.1, show it (the rule). Code: https://example.org.'
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"url": "https://arxiv.org/abs/1"}, "names no paper as"),
        ({"title": "Eve"}, 'says "Adam: A Method", 2015; references.bib "Eve", 2015'),
        ({"year": "2014"}, "2014"),
    ],
)
def test_a_paper_that_the_file_says_otherwise(change, complaint):
    text = 'Kingma and Ba, "Adam: A Method", 2015, https://arxiv.org/abs/1412.6980.'
    with pytest.raises(PageError, match=complaint):
        source_pages.cited(text, [paper(**change)])


def test_names_read_well(pages):
    titles = {re.search(r"^# (.+)$", text, re.MULTILINE)[1] for text in pages.values()}
    assert {"L-BFGS", "8-bit Adam", "Sophia-G", "Schedule-Free AdamW", "SGD", "Adam"} <= titles


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda entry: entry.pop("use"), "has the keys"),
        (lambda entry: entry.update(part="ancient"), "part must be one of"),
        (lambda entry: entry.update(rule="adamz"), "no trainloop/optim/adamz.py"),
        (lambda entry: entry.update(papers=[]), "'adam' names no paper"),
        (lambda entry: entry.update(variants=[{"rule": "adamz"}]), "a variant of 'adam' has the keys"),
    ],
)
def test_a_bad_entry_is_named(tmp_path, monkeypatch, change, complaint):
    entry = dict(ENTRIES["adam"])
    change(entry)
    file = tmp_path / "docs" / "optimizers" / "rules.yml"
    file.parent.mkdir(parents=True)
    file.write_text(yaml.safe_dump([entry]), encoding="utf-8")
    (tmp_path / "trainloop").symlink_to(ROOT / "trainloop")
    monkeypatch.setattr(rule_pages, "ROOT", tmp_path)
    with pytest.raises(PageError, match=complaint):
        rule_pages.entries()


def test_yaml_that_is_none(tmp_path, monkeypatch):
    file = tmp_path / "docs" / "optimizers" / "rules.yml"
    file.parent.mkdir(parents=True)
    file.write_text("- rule: `adam`", encoding="utf-8")
    monkeypatch.setattr(rule_pages, "ROOT", tmp_path)
    with pytest.raises(PageError, match="not valid YAML"):
        rule_pages.entries()


def test_a_file_without_a_source(tmp_path):
    file = tmp_path / "adam.py"
    file.write_text('"""Adam.\n\nBy somebody."""\n', encoding="utf-8")
    with pytest.raises(PageError, match="names no source"):
        rule_pages.read(file)


def test_the_comparison_has_every_optimizer_in_the_order_of_the_entries(pages):
    rows = {row["rule"]: row for row in rule_pages.compare()}
    assert [rule for rule, row in rows.items() if row["page"] == rule] == list(ENTRIES)
    assert rows["momentum"]["page"] == "sgd" and rows["momentum"]["bytes"] == pytest.approx(4, rel=0.01)
    assert rows["momentum"]["apart"] == 0 and rows["momentum"]["best_lr"] < rows["sgd"]["best_lr"]
    assert rows["lbfgs"]["name"] == "L-BFGS"
    assert rows["adam"]["apart"] == 0 and rows["lion"]["apart"] is None, "torch has no Lion"
    assert rows["lookahead"]["typical_lr"] is None, "it is the inner optimizer's"
    assert rows["adam"]["typical_lr"] == ("0.0001\N{NO-BREAK SPACE}–\N{NO-BREAK SPACE}0.01", 0.0001)
    assert rows["lbfgs"]["typical_lr"] == ("1", 1)
    race = {row["name"]: row["lr"] for row in rule_pages.document(*rule_pages.RACE)["results"]["rows"]}
    assert rows["rprop"]["best_lr"] == race["rprop_whole"] != race["rprop"], "on the batches it was made for"
    assert rows["adam"]["best_lr"] == race["adam"] and rows["lion"]["best_lr"] is None


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_what_the_comparison_says_is_short(entry):
    assert max(len(entry["good_for"]), len(entry["asks"])) <= 40
    if entry["typical_lr"] is not None:
        low, high = entry["typical_lr"]
        assert 0 < low <= high
