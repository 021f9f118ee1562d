"""Questions answered with a number: what the field reads, what the page says of it, and how to go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

OpenPage = Callable[..., Page]

AMBIGUOUS = "Does the comma group thousands, or is it a decimal point? Write the number without it."
UNREADABLE = "This is not a number that can be read here. Write it like 0.25, −3 or 1e-4."


class Question:
    """One number question of a page."""

    def __init__(self, fieldset: Locator) -> None:
        self.field = fieldset.get_by_role("textbox", name="Your number")
        self.check = fieldset.get_by_role("button", name="Check")
        self.feedback = fieldset.locator(".quiz__feedback")
        self.answers = fieldset.locator("details")

    def enter(self, text: str) -> Locator:
        self.field.fill(text)
        self.field.press("Enter")
        return self.feedback


@pytest.fixture
def page(open_page: OpenPage, tools: str) -> Page:
    return open_page(tools)


@pytest.fixture
def question(page: Page) -> Question:
    """Answer 4 within 0.01; 12 and 6 are the mistakes."""
    return Question(page.locator("form.quiz fieldset").first)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("0.5", 0.5),
        (" .5 ", 0.5),
        ("5.", 5),
        ("+5", 5),
        ("-0.5", -0.5),
        ("−0.5", -0.5),
        ("–0.5", -0.5),
        ("1e-3", 1e-3),
        ("1.5E+3", 1500),
        ("2 × 10^-3", 2e-3),
        ("2*10^3", 2000),
        ("0,5", 0.5),
        ("12,25", 12.25),
        ("0,125", 0.125),
        ("1 234", 1234),
        ("1,234", AMBIGUOUS),
        ("-12,345,678", AMBIGUOUS),
        ("", "Type a number first."),
        ("  ", "Type a number first."),
        ("four", UNREADABLE),
        ("1/3", UNREADABLE),
        ("0x10", UNREADABLE),
        ("1e", UNREADABLE),
        ("--1", UNREADABLE),
        ("1.2.3", UNREADABLE),
        ("1,2,3", UNREADABLE),
        ("Infinity", UNREADABLE),
    ],
)
def test_what_can_be_typed(page: Page, typed: str, read: float | str) -> None:
    module = page.locator("script[src$='assets/quiz.js']").evaluate("script => script.src")
    found = page.evaluate("async ([module, typed]) => (await import(module)).readNumber(typed)", [module, typed])
    assert found == (pytest.approx(read) if not isinstance(read, str) else read)


def test_right(question: Question) -> None:
    expect(question.answers).to_be_hidden()
    for typed in ("4", "4.01", "3.99"):
        expect(question.enter(typed)).to_have_text("Right. 8 − 0.25 · 16 = 4, see step.")
        expect(question.answers).to_be_visible()
        question.field.fill(typed + "0")
        expect(question.feedback).to_be_empty()  # nothing is said of a number that was not checked
        expect(question.answers).to_be_hidden()


def test_a_known_mistake_is_named(question: Question) -> None:
    question.field.fill("12.005")
    question.check.click()
    expect(question.feedback).to_have_text("Not this one. That adds the step.")
    expect(question.answers).to_be_hidden()
    expect(question.enter("6")).to_contain_text("The gradient of")
    expect(question.answers).to_be_visible()  # after two: a number cannot be found by trying what is left
    expect(question.answers.locator("summary")).to_have_text("The answer and the usual mistakes")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("4.03", "Close, but the answer is asked for to within 0.01."),
        ("-4", "The size is right, the sign is not."),
        ("77", "None of the usual mistakes gives this number."),
        ("", "Type a number first."),
        ("1,234", AMBIGUOUS),
    ],
)
def test_other_numbers(question: Question, typed: str, words: str) -> None:
    expect(question.enter(typed)).to_contain_text(words)
    expect(question.answers).to_be_hidden()


def test_bound_to_a_run(page: Page) -> None:
    """Its answer is written `−6.1 × 10<sup>−5</sup>` by the page's binding."""
    bound = Question(page.locator("form.quiz fieldset").nth(1))
    expect(bound.enter("-6.1e-5")).to_contain_text("Right.")
    expect(bound.enter("6.2e-5")).to_contain_text("The sign, and the last digit.")


def test_score_and_reset(page: Page, question: Question) -> None:
    quiz = page.locator("form.quiz").first
    question.enter("77")
    question.enter("4")
    expect(quiz.get_by_role("status")).to_have_text("1 of 3 right")
    quiz.get_by_role("button", name="Try again").click()
    expect(question.field).to_have_value("")
    expect(question.field).to_be_focused()
    expect(question.feedback).to_be_empty()
    question.enter("77")
    expect(question.answers).to_be_hidden()  # the count of misses starts again


def test_in_an_exercise(page: Page) -> None:
    page.locator("details > summary", has_text="Solution").click()
    alone = page.locator("details form.quiz")
    expect(alone.locator("legend")).to_have_text("How many steps are there?")
    question = Question(alone.locator("fieldset"))
    expect(question.enter("4")).to_contain_text("counted from 0")
    expect(question.enter("5")).to_contain_text("Right. Count them.")
    expect(alone.get_by_role("status")).to_be_empty()


def test_without_javascript(open_page: OpenPage, tools: str) -> None:
    page = open_page(tools, java_script_enabled=False)
    fieldset = page.locator("form.quiz fieldset").first
    expect(fieldset.locator("input, button")).to_have_count(0)
    fieldset.locator("summary", has_text="Answer").click()
    expect(fieldset.locator("li").first).to_have_text("4 Right. 8 − 0.25 · 16 = 4, see step.")
    expect(fieldset.locator("li")).to_have_count(3)


def test_everywhere(open_page: OpenPage, site: Path, pages: list[str], tools: str) -> None:
    """The page's own numbers, typed in: each is recognised as what it is."""
    found = [path for path in pages if "data-tolerance=" in (site / path / "index.html").read_text(encoding="utf-8")]
    for path in [tools, *found]:
        page = open_page(path)
        page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
        for fieldset in page.locator("form.quiz fieldset:has(.quiz__field)").all():
            question = Question(fieldset)
            for item in fieldset.locator("li").all():
                why = item.locator(".quiz__why").text_content() or ""
                expect(question.enter(item.get_attribute("data-value") or "")).to_have_text(why)
