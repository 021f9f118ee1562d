"""The chooser: what its file must look like, that every path ends, and that form and tree say the same."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest
import yaml
from mkdocs.exceptions import PluginError

from courseware import ROOT
from courseware.bindings import Bindings, render
from courseware.chooser import FIELDS, PATH, Chooser, read

FILE = """# a tree
questions:
  - id: task
    ask: What is it?
    answers:
      - {id: small, text: A <small> one, to: noise}
      - {id: large, text: A large one, to: adam}

  - id: noise
    ask: Is there noise?
    answers:
      - {id: "no", text: No noise, to: newton}
      - {id: "yes", text: Some noise, to: adam}

outcomes:
  - id: newton
    title: Newton's method
    optimizer: "[Newton](../optimizers/newton.md)"
    lr: 1
    schedule: "[none](../schedules/none.md) needed"
    decay: none
    why: As in [a run](../lab/run.ipynb#seen).
    next: A walk.

  - id: adam
    title: Adam
    optimizer: "[Adam](../optimizers/adam.md)"
    lr: "0.001"
    schedule: "[none](../schedules/none.md)"
    decay: 1e-4
    why: <% cite("kingma2015adam") %> say so.
    next: "[Newton](../optimizers/newton.md)"
"""
PAGES = {"optimizers/newton.md", "optimizers/adam.md", "schedules/none.md", "lab/run.ipynb"}


def write(folder: Path, text: str) -> Path:
    path = folder / PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def chooser(tmp_path: Path) -> Chooser:
    return read(write(tmp_path, FILE), PAGES)


@pytest.fixture(scope="module")
def ours() -> Chooser:
    """The course's own; whether its links lead anywhere is the build's business."""
    linked = re.findall(r"\]\(([^)#]+)", (ROOT / "docs" / PATH).read_text(encoding="utf-8"))
    return read(ROOT / "docs", {(Path("chapter") / target).as_posix().replace("chapter/../", "") for target in linked})


# --- the course's own


def test_every_path_ends_in_an_outcome_that_says_everything(ours: Chooser) -> None:
    paths = list(ours.paths())
    assert len(paths) >= len(ours.outcomes) >= 15
    for answers, outcome in paths:
        assert 1 <= len(answers) <= 5, "nobody answers more questions than that"
        assert set(outcome.texts) == set(FIELDS)
        assert all(outcome.texts.values())
    assert {outcome.id for _, outcome in paths} == set(ours.outcomes)
    assert {question for answers, _ in paths for question in walked(ours, answers)} == set(ours.questions)


NUMBER = r"\d[\d.]*(?:e-\d+)?"


def walked(chooser: Chooser, answers: tuple) -> list[str]:
    return [chooser.first, *(answer.to for answer in answers[:-1])]


def test_it_agrees_with_the_optimizers_pages(ours: Chooser) -> None:
    """An outcome's learning rate lies in the range that its optimizer's page names, where both are plain numbers."""
    entries = yaml.safe_load((ROOT / "docs/optimizers/rules.yml").read_text(encoding="utf-8"))
    rules = {entry["rule"]: str(entry["lr"]) for entry in entries}
    checked = 0
    for outcome in ours.outcomes.values():
        rule = re.findall(r"optimizers/(\w+)\.md", outcome.texts["optimizer"])[0]
        ranged = re.match(rf"({NUMBER}) to ({NUMBER})", rules[rule])
        first = re.match(NUMBER, outcome.texts["lr"])
        if ranged and first and "fine-tuning" not in outcome.id:  # where rates are a hundred times smaller
            low, high = (float(number) for number in ranged.groups())
            # Momentum wants ten times less than the plain SGD that its page's range is for.
            low = low / 10 if rule == "sgd" else low
            assert low <= float(first[0]) <= high, outcome.id
            checked += 1
    assert checked >= 8


# --- form and tree


def form_of(markdown: str) -> dict:
    found = re.search(r'<div class="chooser" data-tree="([^"]*)"></div>', markdown)
    assert found
    return json.loads(html.unescape(found[1]))


def test_form_and_tree_hold_the_same(ours: Chooser) -> None:
    markdown = ours.markdown(lambda text, line: text)
    form, tree = form_of(markdown), markdown.split("<summary>")[1]
    assert form["first"] == ours.first
    asked = re.findall(r"(?:^| → )\*\*([^*]+)\*\*$", tree.split('id="outcome-')[0], flags=re.MULTILINE)
    assert set(asked) == {question["ask"] for question in form["questions"].values()}
    for question in form["questions"].values():
        for answer in question["answers"]:
            to = answer["to"]
            title = form["outcomes"].get(to)
            lead = f"[{title}](#outcome-{to})" if title else f"**{form['questions'][to]['ask']}**"
            assert re.search(rf"^ *- {re.escape(answer['text'] + ' → ' + lead)}$", tree, flags=re.MULTILINE)
    for id, title in form["outcomes"].items():
        card = tree.split(f'id="outcome-{id}" markdown="block">')[1].split("</div>")[0]
        assert card.strip().startswith(f"**{title}**")
        assert re.findall(r"^- \*\*([^*]+):\*\*", card, flags=re.MULTILINE) == list(FIELDS.values())
        plain = re.sub(r'<span class="chooser-number">([^<]*)</span>', r"\1", card)
        assert all(text in plain for text in ours.outcomes[id].texts.values())
    leaves = re.findall(r"→ \[[^]]*\]\(#outcome-([\w-]+)\)", tree)
    assert sorted(leaves) == sorted(outcome.id for _, outcome in ours.paths())


def test_the_form_is_one_line_of_safe_html(chooser: Chooser) -> None:
    form = chooser.markdown(lambda text, line: text).splitlines()[0]
    assert "A &lt;small&gt; one" in form
    assert form_of(form)["questions"]["task"]["answers"][0] == {"id": "small", "text": "A <small> one", "to": "noise"}


def test_texts_are_asked_of_the_page_with_their_line(chooser: Chooser) -> None:
    asked: list[tuple[str, int]] = []
    chooser.markdown(lambda text, line: asked.append((text, line)) or "")
    assert ('<% cite("kingma2015adam") %> say so.', 25) in asked
    assert len(asked) == 2 * len(FIELDS)


def test_what_the_page_cites_through_it(chooser: Chooser) -> None:
    assert 'cite("kingma2015adam")' in chooser.shown_by("Text.\n\n<% chooser() %>\n")
    assert chooser.shown_by("Text.") == ""


def test_no_file_no_chooser(tmp_path: Path) -> None:
    assert read(tmp_path, set()).questions == {}


# --- what is refused


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (FILE, "- a list", "1: the file must have outcomes, questions"),
        (FILE, "questions: [", "1: not valid YAML"),
        (FILE, "questions: []\noutcomes: []", "1: questions must be a list that is not empty"),
        ("    ask: Is there noise?\n", "", "9: question 2 has no 'ask'"),
        ("ask: Is", "asks: no\n    ask: Is", "9: question 2: unknown key 'asks'"),
        ("ask: Is there noise?", "ask: [Is, it]", "9: 'ask' of question 2 must be one paragraph of text"),
        ("ask: Is there noise?", "ask: true", "9: 'ask' of question 2 must be one paragraph of text"),
        ("id: noise", "id: Noise!", "9: an id is words in lower case with hyphens, not 'Noise!'"),
        ("id: noise", "id: task", "9: 'task' is here twice"),
        ("id: adam\n    title", "id: newton\n    title", "25: 'newton' is here twice"),
        ('{id: "yes"', '{id: "no"', "9: question 2 has two answers of one id"),
        ('      - {id: "yes", text: Some noise, to: adam}\n', "", "9: question 2 has fewer than two answers"),
        ("text: No noise, ", "", "12: answer 1 of question 2 has no 'text'"),
        ("- {id: large, text: A large one, to: adam}", "- large", "3: answer 2 of question 1 must have id, text, to"),
        ("to: newton}", "to: nowhere}", "12: 'no' leads to 'nowhere', neither a question nor an outcome"),
        ("to: newton}", "to: nowhere}", "16: no answer leads to the outcome 'newton'"),
        ("to: noise}", "to: newton}", "9: no answer leads to the question 'noise'"),
        ("Some noise, to: adam", "Some noise, to: task", "13: 'yes' leads back to 'task': that asks for ever"),
        ("Some noise, to: adam", "Some noise, to: noise", "13: 'yes' leads back to 'noise': that asks for ever"),
        ("    lr: 1\n", "", "16: outcome 1 has no 'lr'"),
        ("    lr: 1\n", "    lr: the usual one\n", "16: 'newton': 'lr' names no value to start from"),
        ("decay: 1e-4", "decay: little", "25: 'adam': 'decay' names no value to start from, and does not say none"),
        (
            'why: <% cite("kingma2015adam") %> say so.',
            "why: We say so.",
            "25: 'adam': 'why' cites no paper and no measure",
        ),
        (
            'optimizer: "[Adam](../optimizers/adam.md)"',
            "optimizer: Adam",
            "25: 'adam': 'optimizer' must link to a page of",
        ),
        (
            "](../optimizers/adam.md)",
            "](../optimizers/adams.md)",
            "'optimizer' links to '../optimizers/adams.md', which is no",
        ),
        (
            "(../lab/run.ipynb#seen)",
            "(../lab/walk.ipynb#seen)",
            "16: 'newton': 'why' links to '../lab/walk.ipynb', which",
        ),
        ('schedule: "[none](../schedules/none.md)"', "schedule: none", "25: 'adam': 'schedule' must link to a page"),
    ],
)
def test_what_is_refused(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in FILE
    with pytest.raises(PluginError, match=re.escape(f"docs/{PATH}:") + ".*" + re.escape(problem)):
        read(write(tmp_path, FILE.replace(old, new)), PAGES)


def test_all_complaints_come_at_once(tmp_path: Path) -> None:
    text = FILE.replace("to: newton}", "to: nowhere}").replace("decay: 1e-4", "decay: little")
    with pytest.raises(PluginError) as error:
        read(write(tmp_path, text), PAGES)
    assert [line.split(":")[1] for line in str(error.value).splitlines()] == ["12", "16", "25"]


# --- on a page


@pytest.fixture
def bound(chooser: Chooser, monkeypatch: pytest.MonkeyPatch) -> Bindings:
    monkeypatch.setattr("courseware.bindings.document", lambda page, example: {"results": {"answer": 42}})
    return Bindings("choose", "chapter/choose/", tree=chooser)


def test_texts_are_asked_of_the_page(tmp_path: Path, bound: Bindings) -> None:
    write(tmp_path, FILE.replace('<% cite("kingma2015adam") %> say so.', 'In <% num("quick.answer") %> runs.'))
    bound.tree = read(tmp_path, PAGES)
    assert "- **Why:** In 42 runs." in render("<% chooser() %>", bound, page="page.md")
    assert bound.used == {("choose", "quick")}, "so the run card has it, too"


def test_what_a_text_cannot_ask_is_said_with_its_line(bound: Bindings) -> None:
    with pytest.raises(PluginError, match=rf"^{PATH}:25: docs/references.bib has no 'kingma2015adam'$"):
        render("<% chooser() %>", bound, page="page.md")


def test_a_page_without_a_tree() -> None:
    with pytest.raises(PluginError, match=r"page\.md:3: there is no docs/chapter/chooser\.yml"):
        render("# Choose\n\n<% chooser() %>", Bindings("choose", "choose/"), page="page.md")
