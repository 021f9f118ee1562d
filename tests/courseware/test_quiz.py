"""The quiz fence: what it shows, and what it refuses."""

from __future__ import annotations

import re
import textwrap
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown import Markdown
from mkdocs.commands.build import build
from mkdocs.config import load_config

from courseware.quiz import QuizError, format_quiz, validate

QUIZ = """
- question: What does `step` do with $g_t$?
  options:
    - text: It *adds* it.
      why: The sign is minus, see [descent](https://example.org/).
    - text: It subtracts $\\eta g_t$.
      right: true
      why: That is gradient descent.
    - text: 0.5
      why: A number has no meaning here.
- question: "Again: which?"
  options:
    - {text: a, why: "no"}
    - {text: b, why: "no"}
    - {text: c, why: right, right: true}
"""


def markdown() -> Markdown:
    fence = {"name": "quiz", "class": "quiz", "format": format_quiz, "validator": validate}
    return Markdown(
        extensions=["attr_list", "footnotes", "pymdownx.arithmatex", "pymdownx.superfences", "toc"],
        extension_configs={
            "pymdownx.arithmatex": {"generic": True},
            "pymdownx.superfences": {"custom_fences": [fence]},
        },
    )


def convert(body: str, header: str = "quiz") -> str:
    return markdown().convert(f"```{header}\n{textwrap.dedent(body).strip()}\n```")


def one(options: str, question: str = "question: Q") -> str:
    return f"- {question}\n  options:\n" + textwrap.indent(textwrap.dedent(options).strip(), "    ")


# --- what it shows


def test_structure() -> None:
    html = convert(QUIZ)
    assert html.count("<form") == html.count("</form>") == 1
    assert html.count("<fieldset") == html.count("<legend>") == html.count("<details") == 2
    assert html.count('type="radio"') == html.count("<label") == html.count("<li id=") == 6
    assert html.count('data-right="true"') == html.count("<strong>Right.</strong>") == 2


def test_options_point_to_their_explanations() -> None:
    html = convert(QUIZ)
    values = re.findall(r'value="([^"]+)"', html)
    assert values == re.findall(r'<li id="([^"]+)"', html)
    assert len(set(values)) == 6
    assert len(set(re.findall(r'name="([^"]+)"', html))) == 2


def test_text_is_markdown() -> None:
    html = convert(QUIZ)
    assert "<code>step</code>" in html
    assert '<span class="arithmatex">\\(g_t\\)</span>?</legend>' in html
    assert "<span>It <em>adds</em> it.</span>" in html
    assert '<a href="https://example.org/">descent</a>' in html
    assert "<span>0.5</span>" in html
    assert "\x02" not in html, "a placeholder of Python-Markdown is left"


def test_it_is_well_formed() -> None:
    open_tags: list[str] = []

    class Check(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag != "input":
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

    Check().feed(convert(QUIZ))
    assert not open_tags


def test_two_quizzes_of_a_page_do_not_share_ids() -> None:
    other = QUIZ.replace("Again", "And again")
    html = markdown().convert(f"```quiz\n{QUIZ}\n```\n\n```quiz\n{other}\n```")
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids)) == 12


def test_the_same_quiz_comes_out_the_same() -> None:
    assert convert(QUIZ) == convert(QUIZ)


def test_the_page_around_it_keeps_its_state() -> None:
    converter = markdown()
    html = converter.convert(
        f"# One {{#first}}\n\nText[^1] and [link][ref].\n\n```quiz\n{QUIZ}\n```\n\n## Two\n\n"
        "[^1]: Note.\n[ref]: https://example.org/ref\n"
    )
    assert [token["id"] for token in converter.toc_tokens] == ["first"]
    assert [token["id"] for token in converter.toc_tokens[0]["children"]] == ["two"]
    assert 'href="https://example.org/ref"' in html
    assert "Note." in html
    assert "<form" in html


# --- numbers

NUMBER = """
- question: How long is the step?
  answer: −6.1 × 10<sup>−5</sup>
  tolerance: 1e-6
  why: One $\\eta$.
  mistakes:
    - value: 6.1e-5
      why: The *sign*.
    - value: 0.12345678
      why: No.
"""


def test_a_number_question() -> None:
    html = convert(NUMBER)
    values = [float(value) for value in re.findall(r'data-value="([^"]+)"', html)]
    assert values == [-6.1e-5, 6.1e-5, 0.12345678]
    assert re.findall(r'data-right="(\w+)"', html) == ["true", "false", "false"]
    assert re.findall(r'data-tolerance="([^"]+)"', html) == ["1e-06"] * 3
    assert "<p>−6.1 × 10<sup>−5</sup></p>" in html, "as the page wrote it"
    assert "<p>0.123457</p>" in html, "no more digits than the tolerance asks for"
    assert "<strong>Not this one.</strong> The <em>sign</em>." in html
    assert "<input" not in html, "a field without JavaScript does nothing"
    assert "<summary>Answer</summary>" in html


def test_one_question_alone_has_no_number() -> None:
    assert "Question 1" not in convert(NUMBER)
    assert convert(NUMBER + QUIZ).count("Question ") == 3


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("value: 6.1e-5", "value: -6.15e-5", "the answer (-6.1e-05) and mistake 1 (-6.15e-05) lie within"),
        ("value: 0.12345678", "value: 6.1e-5", "mistake 1 (6.1e-05) and mistake 2 (6.1e-05) lie within"),
        ("tolerance: 1e-6", "tolerance: -1", "'tolerance' must be >= 0, got -1"),
        ("tolerance: 1e-6", "tolerance: 10%", "'tolerance' must be a number, not '10%'"),
        ("value: 6.1e-5", "value: 1,234", "mistake 1: 'value' must be a number, not '1,234'"),
        ("value: 6.1e-5", "value: yes", "mistake 1: 'value' must be a number, not True"),
        ("value: 6.1e-5", "value: .inf", "mistake 1: 'value' must be a number, not inf"),
        ("      why: No.\n", "", "mistake 2: has no 'why'"),
        ("  why: One $\\eta$.\n", "", "question 1: has no 'why'"),
        ("  tolerance: 1e-6\n", "", "question 1: has no 'tolerance'"),
        ("  mistakes:", "  options: []\n  mistakes:", "question 1: unknown key 'options'"),
    ],
)
def test_a_wrong_number_question_is_an_error(old: str, new: str, problem: str) -> None:
    assert old in NUMBER
    with pytest.raises(QuizError, match=re.escape(problem)):
        convert(NUMBER.replace(old, new))


def test_no_mistakes_no_question() -> None:
    with pytest.raises(QuizError, match="'mistakes' must be a list"):
        convert(NUMBER[: NUMBER.index("  mistakes")] + "  mistakes: []")


# --- what it refuses

RIGHT = "- {text: a, why: w, right: true}\n"
WRONG = "- {text: b, why: w}\n"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("", "must be a YAML list"),
        ("question: Q", "must be a YAML list"),
        ("- question: [", "not valid YAML"),
        ("- just text", "question 1: must be a mapping"),
        ("- question: Q", "question 1: has no 'options'"),
        (one(RIGHT + WRONG * 2, question="title: Q"), "question 1: has no 'question'"),
        (one(RIGHT + WRONG * 2, question="question: ''"), "question 1: 'question' must be text"),
        (one(RIGHT + WRONG), "question 1: needs three options"),
        (one(WRONG * 3), "question 1: exactly one option must have 'right: true', not 0"),
        (one(RIGHT * 2 + WRONG), "question 1: exactly one option must have 'right: true', not 2"),
        (one(RIGHT + WRONG + "- {text: c}\n"), "question 1, option 3: has no 'why'"),
        (one(RIGHT + WRONG + "- {why: c}\n"), "question 1, option 3: has no 'text'"),
        (one(RIGHT + WRONG + "- {text: c, why: }\n"), "question 1, option 3: 'why' must be text"),
        (one(RIGHT + WRONG + "- {text: yes, why: w}\n"), "question 1, option 3: 'text' must be text"),
        (one(RIGHT + WRONG + "- {text: c, why: w, hint: h}\n"), "option 3: unknown key 'hint'"),
        (one(RIGHT + WRONG + "- {text: c, why: w, right: 1}\n"), "option 3: 'right' must be true or false"),
        (one(RIGHT + WRONG + '- {text: "a\\n\\nb", why: w}\n'), "must be one paragraph"),
        (one(RIGHT + WRONG + '- {text: "# a", why: w}\n'), "must be one paragraph"),
        (one(RIGHT + WRONG + '- {text: "a\\n~~~\\nb\\n~~~", why: w}\n'), "option 3: 'text' holds a fence"),
        (one(RIGHT + WRONG * 2) + "\n" + one(WRONG * 3), "question 2: exactly one"),
    ],
)
def test_a_wrong_quiz_is_an_error(body: str, problem: str) -> None:
    with pytest.raises(QuizError, match=re.escape(problem)):
        convert(body)


@pytest.mark.parametrize("header", ["quiz hl_lines='1'", "{ .quiz hl_lines='1' }"])
def test_options_of_the_fence_are_an_error(header: str) -> None:
    with pytest.raises(QuizError, match="takes no options, but has hl_lines"):
        convert(QUIZ, header)


# --- within a MkDocs build


def site(tmp_path: Path, quiz: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text(f"# Home\n\n```quiz\n{quiz}\n```\n", encoding="utf-8")
    (tmp_path / "mkdocs.yml").write_text(
        textwrap.dedent(
            """
            site_name: Test
            strict: true
            plugins: []
            markdown_extensions:
              - pymdownx.arithmatex: {generic: true}
              - pymdownx.superfences:
                  custom_fences:
                    - name: quiz
                      class: quiz
                      format: !!python/name:courseware.quiz.format_quiz
                      validator: !!python/name:courseware.quiz.validate
            """
        ),
        encoding="utf-8",
    )
    build(load_config(str(tmp_path / "mkdocs.yml")))


def test_mkdocs_builds_it(tmp_path: Path) -> None:
    site(tmp_path, QUIZ)
    assert "<fieldset" in (tmp_path / "site/index.html").read_text(encoding="utf-8")


def test_mkdocs_stops_at_a_wrong_quiz(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(BaseException, match="Aborted"):
        site(tmp_path, one(WRONG * 3))
    assert "index.md: quiz question 1: exactly one option" in caplog.text


def test_mkdocs_checks_its_links(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(BaseException, match="Aborted"):
        site(tmp_path, QUIZ.replace("https://example.org/", "nowhere.md"))
    assert "nowhere.md" in caplog.text
