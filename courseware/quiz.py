"""The ``quiz`` fence: questions in YAML become a form that can be answered, and read without JavaScript.

    ```quiz
    - question: Adam's first step has size $\\eta$, whatever the gradient. Why?
      options:
        - text: The bias correction divides both moments by the same factor.
          right: true
          why: After one step $\\hat m = g$ and $\\hat v = g^2$, so $\\hat m / \\sqrt{\\hat v} = \\pm 1$.
        - text: …
          why: …
    ```

Question, text and why are Markdown. Every option says why it is right or wrong: a quiz without that only
grades. `theme/assets/quiz.js` adds the answering; the explanations it shows stand in the page, in a
``details`` element, and can be read without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from xml.etree import ElementTree

import yaml
from markdown import Markdown
from mkdocs.exceptions import PluginError
from pymdownx.superfences import SuperFencesException


class QuizError(SuperFencesException, PluginError):
    """A quiz that cannot be shown.

    Superfences turns a fence that raises anything but its own exception into a plain code block, and MkDocs
    prints a `PluginError` without a traceback. So this is both.
    """


def validate(
    language: str, inputs: Mapping[str, str], options: dict[str, Any], attrs: dict[str, str], md: Markdown
) -> bool:
    """Refuse options in the fence's header: without this, superfences shows the quiz as a code block."""
    if inputs:
        raise QuizError(f"{_page(md)}: a quiz fence takes no options, but has {', '.join(inputs)}")
    return True


def format_quiz(
    source: str, language: str, css_class: str, options: Mapping[str, Any], md: Markdown, **kwargs: Any
) -> str:
    """Return the HTML of one quiz (the formatter that ``pymdownx.superfences`` calls)."""
    try:
        questions = _parse(source)
        # Two quizzes of a page need different ids, and a page must come out the same at every build.
        prefix = "quiz-" + sha256(source.encode()).hexdigest()[:8]
        fieldsets = "\n".join(
            _fieldset(question, f"{prefix}-{number}", number, md) for number, question in enumerate(questions, start=1)
        )
    except _ProblemError as problem:
        raise QuizError(f"{_page(md)}: quiz {problem}") from problem
    # method="dialog" outside a <dialog> does nothing at all: Enter in a radio button does not reload the page
    # where JavaScript is off.
    return f'<form class="{css_class}" method="dialog" data-quiz>\n{fieldsets}\n</form>'


class _ProblemError(ValueError):
    """What is wrong with a quiz, before the page is known."""


def _parse(source: str) -> list[dict[str, Any]]:
    try:
        questions = yaml.safe_load(source)
    except yaml.YAMLError as error:
        raise _ProblemError(f"is not valid YAML: {error}") from error
    if not isinstance(questions, list) or not questions:
        raise _ProblemError("must be a YAML list of questions")
    for number, question in enumerate(questions, start=1):
        _check(question, f"question {number}")
    return questions


def _check(question: object, name: str) -> None:
    _check_keys(question, name, required={"question", "options"})
    assert isinstance(question, dict)
    _check_text(question, "question", name)
    options = question["options"]
    if not isinstance(options, list) or len(options) < 3:
        raise _ProblemError(f"{name}: needs three options or more")
    for number, option in enumerate(options, start=1):
        where = f"{name}, option {number}"
        _check_keys(option, where, required={"text", "why"}, optional={"right"})
        _check_text(option, "text", where)
        _check_text(option, "why", where)
        if not isinstance(option.get("right", False), bool):
            raise _ProblemError(f"{where}: 'right' must be true or false, not {option['right']!r}")
    right = sum(option.get("right", False) for option in options)
    if right != 1:
        raise _ProblemError(f"{name}: exactly one option must have 'right: true', not {right}")


def _check_keys(item: object, where: str, *, required: set[str], optional: set[str] = frozenset()) -> None:
    if not isinstance(item, dict):
        raise _ProblemError(f"{where}: must be a mapping with {', '.join(sorted(required))}")
    if missing := required - item.keys():
        raise _ProblemError(f"{where}: has no {', '.join(sorted(map(repr, missing)))}")
    if unknown := item.keys() - required - optional:
        raise _ProblemError(f"{where}: unknown key {', '.join(sorted(map(repr, unknown)))}")


def _check_text(item: Mapping[str, Any], key: str, where: str) -> None:
    value = item[key]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return  # "- text: 0.5" is a number to YAML, and a fine answer
    if not isinstance(value, str) or not value.strip():
        raise _ProblemError(f"{where}: {key!r} must be text (put it in quotes if it holds ': ' or ' #')")
    if any(line.lstrip().startswith(("```", "~~~")) for line in value.splitlines()):
        raise _ProblemError(f"{where}: {key!r} holds a fence; put the listing above the quiz")


def _fieldset(question: Mapping[str, Any], name: str, number: int, md: Markdown) -> str:
    choices, answers = [], []
    for index, option in enumerate(question["options"], start=1):
        text, why = _inline(option["text"], md), _inline(option["why"], md)
        right = option.get("right", False)
        answer = f"{name}-{index}"
        choices.append(
            '<label class="quiz__option">'
            f'<input type="radio" name="{name}" value="{answer}" autocomplete="off"> <span>{text}</span>'
            "</label>"
        )
        answers.append(
            f'<li id="{answer}" data-right="{str(right).lower()}">'
            f"<p>{text}</p> "
            f'<p class="quiz__why"><strong>{"Right." if right else "Not this one."}</strong> {why}</p>'
            "</li>"
        )
    return "\n".join(
        [
            '<fieldset class="quiz__question">',
            f"<legend><span>Question {number}.</span> {_inline(question['question'], md)}</legend>",
            *choices,
            # A search result that gives the answers away helps nobody.
            '<details class="quiz__answers" data-search-exclude><summary>Answers</summary><ul>',
            *answers,
            "</ul></details>",
            "</fieldset>",
        ]
    )


# These describe the page as a whole, and run on all of it later.
_PAGE_LEVEL = ("toc", "mkdocs_extract_anchors", "mkdocs_extract_title")


def _inline(text: object, md: Markdown) -> str:
    """Render one paragraph of Markdown with the page's own extensions; return what stands inside its ``<p>``.

    Superfences calls from within the page's conversion, whose state a second `Markdown.convert` would wipe.
    So this runs the stages between the preprocessors and the postprocessors on a tree of its own; what they
    put into the page's stash is filled in when the page is finished. MkDocs checks the links like any others.
    """
    root = ElementTree.Element(md.doc_tag)
    md.parser.parseChunk(root, str(text).strip())
    if [child.tag for child in root] != ["p"]:
        raise _ProblemError(f"text must be one paragraph, with code and math inside it, not: {text!r}")
    for processor in md.treeprocessors:
        if not any(processor is md.treeprocessors[name] for name in _PAGE_LEVEL if name in md.treeprocessors):
            result = processor.run(root)
            root = root if result is None else result
    rendered: str = md.serializer(root)
    start, end = rendered.index("<p>") + len("<p>"), rendered.rindex("</p>")
    return rendered[start:end].strip()


def _page(md: Markdown) -> str:
    """Return the page's source path, which MkDocs leaves with the processor that resolves relative links."""
    if "relpath" in md.treeprocessors:
        return str(md.treeprocessors["relpath"].file.src_uri)
    return "<page>"
