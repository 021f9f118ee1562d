"""The chooser: questions that lead to an optimizer, in one file, as a tree on the page and as a form that asks them.

`docs/chapter/chooser.yml` holds both halves:

    questions:                       # the first is the first one asked
      - id: task
        ask: What do you train?
        answers:
          - {id: images, text: A convolutional network, to: images}    # a question, or an outcome
    outcomes:
      - id: images
        title: SGD with momentum and a cosine
        optimizer: "[SGD](../optimizers/sgd.md) with momentum 0.9"
        lr: 0.1 at a batch size of 256
        schedule: "[cosine](…)"
        decay: 1e-4
        why: <% cite("he2016deep") %> train so.
        next: …

The texts of an outcome are Markdown, and ask the page's own bindings: numbers are pulled, papers cited.
`<% chooser() %>` shows the tree, which is all there is without JavaScript and on paper; `theme/assets/chooser.js` asks
the questions one by one and shows the outcomes that stand below the tree.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

import yaml
from mkdocs.exceptions import PluginError

FOLDER = "chapter"
PATH = f"{FOLDER}/chooser.yml"  # in the folder of pages
CALL = re.compile(r"<%\s*chooser\(\)")

FIELDS = {
    "optimizer": "Optimizer",
    "lr": "Learning rate to start from",
    "schedule": "Schedule",
    "decay": "Weight decay",
    "why": "Why",
    "next": "Try next",
}
"""What every outcome says, and under which name."""

LINKED = {"optimizer": "optimizers/", "schedule": ""}  # field: the folder that it links into
EVIDENCE = re.compile(r"<%\s*(cite|num|calc)\(|\]\(\.\./(lab|series)/")
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

_LINK = re.compile(r"\]\((?P<target>[^)\s#]*)(?:#[^)\s]*)?\)")
_LINE = "line"  # the key under which the loader keeps where a mapping begins


@dataclass(frozen=True)
class Answer:
    """One way to answer a question; `to` is the id of the next question, or of an outcome."""

    id: str
    text: str
    to: str
    line: int


@dataclass(frozen=True)
class Question:
    """A question and its answers."""

    id: str
    ask: str
    answers: tuple[Answer, ...]
    line: int


@dataclass(frozen=True)
class Outcome:
    """What to start with; `texts` has the keys of `FIELDS`."""

    id: str
    title: str
    texts: Mapping[str, str]
    line: int


@dataclass(frozen=True)
class Chooser:
    """All questions and outcomes by id, in the file's order; `source` is the file as written."""

    questions: Mapping[str, Question] = field(default_factory=dict)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    source: str = ""

    def shown_by(self, markdown: str) -> str:
        """The file's text, if this page shows it: what it cites, the page cites."""
        return self.source if CALL.search(markdown) else ""

    @property
    def first(self) -> str:
        """The id of the question that is asked first."""
        return next(iter(self.questions))

    def paths(self, start: str = "") -> Iterator[tuple[tuple[Answer, ...], Outcome]]:
        """Every way through the tree: the answers given, and where they lead."""
        for answer in self.questions[start or self.first].answers:
            if answer.to in self.outcomes:
                yield (answer,), self.outcomes[answer.to]
            else:
                yield from (((answer, *rest), outcome) for rest, outcome in self.paths(answer.to))

    @property
    def data(self) -> dict[str, Any]:
        """What the form needs to know; the outcomes' texts it takes from the page."""
        return {
            "first": self.first,
            "questions": {
                question.id: {
                    "ask": question.ask,
                    "answers": [{"id": a.id, "text": a.text, "to": a.to} for a in question.answers],
                }
                for question in self.questions.values()
            },
            "outcomes": {outcome.id: outcome.title for outcome in self.outcomes.values()},
        }

    def markdown(self, answered: Callable[[str, int], str]) -> str:
        """Form and tree, for the page.

        Args:
            answered: fills in what a text asks of the runs, given the text and its line in the file.
        """
        # One line: within HTML, Markdown would make paragraphs of several.
        form = f'<div class="chooser" data-tree="{html.escape(json.dumps(self.data, ensure_ascii=False))}"></div>'
        cards = (self._card(outcome, answered) for outcome in self.outcomes.values())
        tree = "\n".join([f"**{self.questions[self.first].ask}**", "", *self._branch(self.first, 0)])
        return "\n\n".join(
            [
                form,
                '<details class="chooser-tree" id="whole-tree" markdown="block">\n<summary>The whole tree</summary>',
                f'<div class="chooser-questions" markdown="block">\n\n{tree}\n\n</div>',
                *cards,
                "</details>",
            ]
        )

    def _branch(self, id: str, depth: int) -> Iterator[str]:
        """A question's answers as items of a nested list, each with what it leads to."""
        for answer in self.questions[id].answers:
            item = f"{'    ' * depth}- {answer.text} → "
            if answer.to in self.outcomes:
                yield f"{item}[{self.outcomes[answer.to].title}](#outcome-{answer.to})"
            else:
                yield f"{item}**{self.questions[answer.to].ask}**"
                yield from self._branch(answer.to, depth + 1)

    def _card(self, outcome: Outcome, answered: Callable[[str, int], str]) -> str:
        texts = {key: _unbroken(answered(text, outcome.line)) for key, text in outcome.texts.items()}
        return "\n".join(
            [
                f'<div class="chooser-outcome" id="outcome-{outcome.id}" markdown="block">',
                "",
                f"**{outcome.title}**",
                "",
                *(f"- **{name}:** {texts[key]}" for key, name in FIELDS.items()),
                "",
                "</div>",
            ]
        )


def _unbroken(text: str) -> str:
    """3e-4 must not end one line and begin the next."""
    return re.sub(r"\b\d[\d.]*e-\d+\b", r'<span class="chooser-number">\g<0></span>', text)


class _Problem(ValueError):
    """What is wrong, and in which line of the file."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(f"docs/{PATH}:{line}: {text}")


class _Loader(yaml.SafeLoader):
    """Notes the line of every mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        return {**super().construct_mapping(node, deep=True), _LINE: node.start_mark.line + 1}


def read(docs: Path, pages: Collection[str]) -> Chooser:
    """The chooser of a folder of pages; an empty one where there is none.

    Args:
        docs: the folder.
        pages: source paths of all pages of the site, generated ones included: what an outcome may link to.

    Raises:
        PluginError: `docs/chapter/chooser.yml:line: what is wrong`, a line for each complaint.
    """
    path = docs / PATH
    if not path.exists():
        return Chooser()
    source = path.read_text(encoding="utf-8")
    try:
        chooser = _parsed(source)
    except _Problem as problem:
        raise PluginError(str(problem)) from None
    if complaints := [str(_Problem(line, text)) for line, text in sorted(_complaints(chooser, pages))]:
        raise PluginError("\n".join(complaints))
    return chooser


def _parsed(source: str) -> Chooser:
    try:
        tree = yaml.load(source, _Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _Problem(line, f"not valid YAML: {error.problem}") from None
    _keys(tree, {"questions", "outcomes"}, "the file", 1)
    questions, outcomes = {}, {}
    for number, entry in enumerate(_list(tree["questions"], "questions", 1), 1):
        question = _question(entry, f"question {number}")
        if question.id in questions:
            raise _Problem(question.line, f"{question.id!r} is here twice")
        questions[question.id] = question
    for number, entry in enumerate(_list(tree["outcomes"], "outcomes", 1), 1):
        outcome = _outcome(entry, f"outcome {number}")
        if outcome.id in outcomes or outcome.id in questions:
            raise _Problem(outcome.line, f"{outcome.id!r} is here twice")
        outcomes[outcome.id] = outcome
    return Chooser(questions, outcomes, source)


def _question(entry: Any, name: str) -> Question:
    line = _keys(entry, {"id", "ask", "answers"}, name, 1)
    answers = []
    for number, given in enumerate(_list(entry["answers"], f"the answers of {name}", line), 1):
        where = f"answer {number} of {name}"
        own = _keys(given, {"id", "text", "to"}, where, line)
        answers.append(Answer(_id(given, own), _text(given, "text", where), str(given["to"]), own))
    if len(answers) < 2:
        raise _Problem(line, f"{name} has fewer than two answers")
    if len({answer.id for answer in answers}) < len(answers):
        raise _Problem(line, f"{name} has two answers of one id")
    return Question(_id(entry, line), _text(entry, "ask", name), tuple(answers), line)


def _outcome(entry: Any, name: str) -> Outcome:
    line = _keys(entry, {"id", "title", *FIELDS}, name, 1)
    texts = {key: _text(entry, key, name) for key in FIELDS}
    return Outcome(_id(entry, line), _text(entry, "title", name), texts, line)


def _keys(entry: Any, keys: set[str], name: str, line: int) -> int:
    """The line of a mapping that has these keys."""
    if not isinstance(entry, dict):
        raise _Problem(line, f"{name} must have {', '.join(sorted(keys))}, not be {entry!r}")
    line = entry[_LINE]
    if missing := keys - entry.keys():
        raise _Problem(line, f"{name} has no {', '.join(sorted(map(repr, missing)))}")
    if unknown := entry.keys() - keys - {_LINE}:
        raise _Problem(line, f"{name}: unknown key {', '.join(sorted(map(repr, unknown)))}")
    return int(line)


def _list(value: Any, name: str, line: int) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise _Problem(line, f"{name} must be a list that is not empty")
    return value


def _id(entry: Mapping[str, Any], line: int) -> str:
    id = str(entry["id"])
    if not SLUG.fullmatch(id):
        raise _Problem(line, f"an id is words in lower case with hyphens, not {id!r}")
    return id


def _text(entry: Mapping[str, Any], key: str, name: str) -> str:
    text = str(entry[key]).strip() if isinstance(entry[key], str | int | float) else ""
    if not text or "\n" in text or text in {"True", "False"}:
        raise _Problem(entry[_LINE], f"{key!r} of {name} must be one paragraph of text, not {entry[key]!r}")
    return text


def _complaints(chooser: Chooser, pages: Collection[str]) -> Iterator[tuple[int, str]]:
    yield from _dead_ends(chooser)
    yield from _unreached(chooser)
    for outcome in chooser.outcomes.values():
        yield from ((outcome.line, f"{outcome.id!r}: {problem}") for problem in _flaws(outcome, pages))


def _dead_ends(chooser: Chooser) -> Iterator[tuple[int, str]]:
    """Answers that lead nowhere, or back to a question that was already asked."""
    known = chooser.questions.keys() | chooser.outcomes.keys()
    for question in chooser.questions.values():
        for answer in question.answers:
            if answer.to not in known:
                yield answer.line, f"{answer.id!r} leads to {answer.to!r}, neither a question nor an outcome"

    def walk(id: str, asked: tuple[str, ...]) -> Iterator[tuple[int, str]]:
        for answer in chooser.questions[id].answers:
            if answer.to in (*asked, id):
                yield answer.line, f"{answer.id!r} leads back to {answer.to!r}: that asks for ever"
            elif answer.to in chooser.questions:
                yield from walk(answer.to, (*asked, id))

    yield from set(walk(chooser.first, ()))


def _unreached(chooser: Chooser) -> Iterator[tuple[int, str]]:
    seen, ahead = set(), [chooser.first]
    while ahead:
        seen.add(id := ahead.pop())
        if id in chooser.questions:
            ahead += [answer.to for answer in chooser.questions[id].answers if answer.to not in seen]
    for kind, entries in (("question", chooser.questions), ("outcome", chooser.outcomes)):
        for entry in entries.values():
            if entry.id not in seen:
                yield entry.line, f"no answer leads to the {kind} {entry.id!r}"


def _flaws(outcome: Outcome, pages: Collection[str]) -> Iterator[str]:
    """Links to nowhere, values that are none, claims without evidence."""
    for key, text in outcome.texts.items():
        for match in _LINK.finditer(text):
            target = match["target"]
            if not target.startswith("https://") and _page(target) not in pages:
                yield f"{key!r} links to {target!r}, which is no page"
    for key, folder in LINKED.items():
        if not any(_page(match["target"]).startswith(folder) for match in _LINK.finditer(outcome.texts[key])):
            yield f"{key!r} must link to a page{f' of {folder}' if folder else ''}"
    if not re.search(r"\d", outcome.texts["lr"]):
        yield "'lr' names no value to start from"
    if not re.search(r"\d|\b[Nn]one\b", outcome.texts["decay"]):
        yield "'decay' names no value to start from, and does not say none"
    if not EVIDENCE.search(outcome.texts["why"]):
        yield "'why' cites no paper and no measurement"


def _page(target: str) -> str:
    """The source path of a page, from a link as a page of the chapter writes it."""
    return normpath(str(PurePosixPath(FOLDER) / target)) if target else ""
