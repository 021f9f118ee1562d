"""The ``quiz`` fence: questions in YAML become a form that can be answered, and read without JavaScript.

    ```quiz
    - question: Adam's first step has size $\\eta$, whatever the gradient. Why?
      options:
        - text: The bias correction divides both moments by the same factor.
          right: true
          why: After one step $\\hat m = g$ and $\\hat v = g^2$, so $\\hat m / \\sqrt{\\hat v} = \\pm 1$.
        - text: …
          why: …
    - question: What is the length of that step, at $\\eta = 0.05$?
      answer: 0.05
      tolerance: 0.001
      why: One learning rate, since …
      mistakes:
        - value: 0.158
          why: That is RMSprop's first step, which has no correction.
    ```

A question has options to choose from, or an answer: a number, right within `tolerance` (absolute). The mistakes are the
numbers that people get who make them; the page tells a reader which one the typed number comes from. Numbers may be
written as `num` writes them, `−6.1 × 10<sup>−5</sup>`: the page's bindings are answered first.

Question, text and why are Markdown. Every option and every mistake says why it is right or wrong: a quiz without that
only grades. `theme/assets/quiz.js` adds the answering; the explanations it shows stand in the page, in a ``details``
element, and can be read without it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from hashlib import sha256
from itertools import combinations
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
            # Alone, as in an exercise, a question has no number.
            _fieldset(question, f"{prefix}-{number}", f"Question {number}." if len(questions) > 1 else "", md)
            for number, question in enumerate(questions, start=1)
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
    if isinstance(question, dict) and "answer" in question:
        _check_keys(question, name, required={"question", "answer", "tolerance", "why", "mistakes"})
        _check_text(question, "question", name)
        _check_text(question, "why", name)
        _check_numbers(question, name)
    else:
        _check_keys(question, name, required={"question", "options"})
        assert isinstance(question, dict)
        _check_text(question, "question", name)
        _check_options(question["options"], name)


def _check_options(options: object, name: str) -> None:
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


def _check_numbers(question: Mapping[str, Any], name: str) -> None:
    """No typed number may mean two things."""
    tolerance = _number(question["tolerance"], f"{name}: 'tolerance'")
    if tolerance < 0:
        raise _ProblemError(f"{name}: 'tolerance' must be >= 0, got {tolerance:g}")
    mistakes = question["mistakes"]
    if not isinstance(mistakes, list) or not mistakes:
        raise _ProblemError(f"{name}: 'mistakes' must be a list of a value and a why each")
    values = {"the answer": _number(question["answer"], f"{name}: 'answer'")}
    for number, mistake in enumerate(mistakes, start=1):
        where = f"{name}, mistake {number}"
        _check_keys(mistake, where, required={"value", "why"})
        _check_text(mistake, "why", where)
        values[f"mistake {number}"] = _number(mistake["value"], f"{where}: 'value'")
    for (one, a), (other, b) in combinations(values.items(), 2):
        if abs(a - b) <= tolerance:
            raise _ProblemError(f"{name}: {one} ({a:g}) and {other} ({b:g}) lie within the tolerance of {tolerance:g}")


def _number(value: object, where: str) -> float:
    """A number as YAML reads it, or as `num` and `calc` write it."""
    text = str(value).strip().replace("−", "-")
    text = re.sub(r"\s*×\s*10<sup>(-?\d+)</sup>$", r"e\1", text)
    try:
        number = float(text) if not isinstance(value, bool) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _ProblemError(f"{where} must be a number, not {value!r}")
    return number


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


def _fieldset(question: Mapping[str, Any], name: str, label: str, md: Markdown) -> str:
    parts = _number_field(question, name, md) if "answer" in question else _choices(question, name, md)
    label = f"<span>{label}</span> " if label else ""
    return "\n".join(
        [
            '<fieldset class="quiz__question">',
            f"<legend>{label}{_inline(question['question'], md)}</legend>",
            *parts,
            "</fieldset>",
        ]
    )


def _choices(question: Mapping[str, Any], name: str, md: Markdown) -> list[str]:
    choices, answers = [], []
    for index, option in enumerate(question["options"], start=1):
        text, why = _inline(option["text"], md), _inline(option["why"], md)
        answer = f"{name}-{index}"
        choices.append(
            '<label class="quiz__option">'
            f'<input type="radio" name="{name}" value="{answer}" autocomplete="off"> <span>{text}</span>'
            "</label>"
        )
        answers.append(_explained(text, why, id=answer, right=option.get("right", False)))
    return [*choices, *_answers("Answers", answers)]


def _number_field(question: Mapping[str, Any], name: str, md: Markdown) -> list[str]:
    """The answer and the mistakes, folded; quiz.js adds the field, which is of no use without it."""
    tolerance = _number(question["tolerance"], "tolerance")
    numbers = [(question["answer"], question["why"], True)]
    numbers += [(mistake["value"], mistake["why"], False) for mistake in question["mistakes"]]
    answers = [
        _explained(
            _shown(value, tolerance),
            _inline(why, md),
            id=f"{name}-{index}",
            right=right,
            data=f' data-value="{_number(value, name)!r}" data-tolerance="{tolerance!r}"',
        )
        for index, (value, why, right) in enumerate(numbers, start=1)
    ]
    return _answers("Answer", answers)


def _shown(value: object, tolerance: float) -> str:
    """A number as its author formatted it; a bare one to the digits that the tolerance asks for, if it has more."""
    text = str(value)
    if isinstance(value, float) and tolerance > 0:
        text = min(text, f"{value:.{max(0, -math.floor(math.log10(tolerance)))}f}", key=len)
    return text.replace("-", "−")


def _explained(text: str, why: str, *, id: str, right: bool, data: str = "") -> str:
    return (
        f'<li id="{id}" data-right="{str(right).lower()}"{data}>'
        f"<p>{text}</p> "
        f'<p class="quiz__why"><strong>{"Right." if right else "Not this one."}</strong> {why}</p>'
        "</li>"
    )


def _answers(name: str, answers: list[str]) -> list[str]:
    # A search result that gives the answers away helps nobody.
    opening = f'<details class="quiz__answers" data-search-exclude><summary>{name}</summary><ul>'
    return [opening, *answers, "</ul></details>"]


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
