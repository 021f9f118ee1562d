"""A post read as a person reads it: with the keyboard, in both schemes, on paper, and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

POST = "series/part-3/optimization-algorithms-beyond-sgd/"
OpenPage = Callable[..., Page]


def tab_to(page: Page, selector: str, *, presses: int = 500) -> Locator:
    """Press Tab until an element that matches has the focus."""
    for _ in range(presses):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return page.locator(":focus")
    pytest.fail(f"{presses} presses of Tab do not reach {selector}")


def option(question: Locator, *, right: bool) -> int:
    """Return the place of the right option, or of the first wrong one."""
    answers = question.locator("li[data-right]")
    flags = [answers.nth(i).get_attribute("data-right") == "true" for i in range(answers.count())]
    return flags.index(right)


def choose(page: Page, question: Locator, index: int) -> None:
    """Move to an option with the arrow keys; the focus is in the question already."""
    radios = question.get_by_role("radio", include_hidden=True)
    page.keyboard.press("Space")
    for _ in range(radios.count()):
        if radios.nth(index).is_checked():
            return
        page.keyboard.press("ArrowDown")
    pytest.fail(f"the arrow keys do not reach option {index + 1}")


# --- the quiz


def test_quiz_by_keyboard(open_page: OpenPage) -> None:
    page = open_page(POST)
    quiz = page.locator("form.quiz").first
    questions = quiz.locator("fieldset")
    total = questions.count()
    question = questions.first
    feedback = question.locator("[aria-live=polite]")
    score = quiz.get_by_role("status")
    answers = question.locator("details")

    tab_to(page, "form.quiz input[type=radio]")
    expect(answers).to_be_hidden()
    expect(score).to_be_empty()

    choose(page, question, option(question, right=False))
    page.keyboard.press("Enter")
    expect(feedback).to_contain_text(re.compile(r"^\s*Not this one\. \S+"))
    expect(score).to_have_text(f"0 of {total} right")
    expect(answers).to_be_hidden()

    right = option(question, right=True)
    choose(page, question, right)
    expect(feedback).to_be_empty()  # nothing is said of an answer that was not checked
    check = tab_to(page, "button", presses=1)
    expect(check).to_have_text("Check")
    page.keyboard.press("Space")
    expect(feedback).to_contain_text(re.compile(r"^\s*Right\. \S+"))
    expect(score).to_have_text(f"1 of {total} right")
    # Not by colour alone: the option carries a sign.
    label = question.locator("label").nth(right)
    assert label.evaluate("label => getComputedStyle(label, '::after').maskImage").startswith("url(")

    tab_to(page, "summary", presses=3)
    page.keyboard.press("Enter")
    expect(answers.locator("li").first).to_be_visible()

    again = tab_to(page, "button.quiz__again")
    expect(again).to_have_text("Try again")
    page.keyboard.press("Enter")
    expect(feedback).to_be_empty()
    expect(score).to_be_empty()
    expect(answers).to_be_hidden()
    assert quiz.locator("input:checked").count() == 0
    assert page.evaluate("document.activeElement.type") == "radio"


def test_quiz_asks_for_a_choice_first(open_page: OpenPage) -> None:
    page = open_page(POST)
    question = page.locator("form.quiz fieldset").first
    question.get_by_role("button", name="Check").click()
    expect(question.locator("[aria-live=polite]")).to_have_text("Choose an answer first.")
    expect(page.locator("form.quiz").first.get_by_role("status")).to_be_empty()


def test_quiz_counts_every_question(open_page: OpenPage) -> None:
    page = open_page(POST)
    quiz = page.locator("form.quiz").first
    questions = quiz.locator("fieldset")
    for number in range(questions.count()):
        question = questions.nth(number)
        question.get_by_role("radio").nth(option(question, right=True)).check()
        question.get_by_role("button", name="Check").click()
        expect(quiz.get_by_role("status")).to_have_text(f"{number + 1} of {questions.count()} right")
    assert page.url.endswith(POST), "answering leaves the page"


# --- tabs, details, figures, links


def test_tabs_by_keyboard(open_page: OpenPage) -> None:
    page = open_page(POST)
    panels = page.locator(".tabbed-set").first.locator(":scope > .tabbed-content > .tabbed-block")
    expect(panels.nth(0)).to_be_visible()
    expect(panels.nth(1)).to_be_hidden()
    tab_to(page, ".tabbed-set > input")
    page.keyboard.press("ArrowRight")
    expect(panels.nth(1)).to_be_visible()
    expect(panels.nth(0)).to_be_hidden()


def test_details_by_keyboard(open_page: OpenPage) -> None:
    page = open_page(POST)
    summary = tab_to(page, "article details:not(.quiz__answers) > summary")
    assert not summary.evaluate("summary => summary.parentElement.open")
    page.keyboard.press("Enter")
    expect(summary.locator("xpath=following-sibling::*").first).to_be_visible()


def test_focus_can_be_seen(open_page: OpenPage) -> None:
    page = open_page(POST)
    outlines = []
    for selector in ("article p a", "form.quiz input[type=radio]", ".quiz__check"):
        tab_to(page, selector)
        outlines.append(page.evaluate("getComputedStyle(document.activeElement).outlineStyle"))
    assert "none" not in outlines, outlines


def test_skip_link(open_page: OpenPage) -> None:
    page = open_page(POST)
    skip = tab_to(page, "a", presses=1)
    expect(skip).to_have_text(re.compile("Skip to content"))
    expect(skip).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_function("location.hash && document.querySelector(decodeURIComponent(location.hash))")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('article') !== null"), "Tab goes on outside the text"


def test_switching_the_scheme_switches_the_figures(open_page: OpenPage) -> None:
    page = open_page(POST, color_scheme="light")
    figure = page.locator("figure.run-figure").first
    expect(figure.locator("img.only-light")).to_be_visible()
    expect(figure.locator("img.only-dark")).to_be_hidden()
    page.get_by_title("Switch to dark mode").click()
    expect(figure.locator("img.only-dark")).to_be_visible()
    expect(figure.locator("img.only-light")).to_be_hidden()
    page.reload()
    expect(figure.locator("img.only-dark")).to_be_visible()


def test_links_shared_elsewhere_have_a_preview(open_page: OpenPage) -> None:
    page = open_page(POST)

    def meta(name: str) -> str:
        return page.locator(f"meta[property='{name}'], meta[name='{name}']").get_attribute("content") or ""

    assert meta("og:title") == "Optimization Algorithms Beyond SGD"
    assert meta("og:type") == "article"
    assert meta("og:description") == meta("description") != ""


# --- other ways to read it


def test_on_paper_everything_is_open(open_page: OpenPage) -> None:
    page = open_page(POST, color_scheme="dark")
    page.emulate_media(media="print")
    expect(page.locator("header.md-header")).to_be_hidden()
    expect(page.locator("article details:not(.quiz__answers) > :not(summary)").first).to_be_visible()
    expect(page.locator(".quiz__answers li").first).to_be_visible()
    expect(page.locator("figure.run-figure img.only-light").first).to_be_visible()
    expect(page.locator("figure.run-figure img.only-dark").first).to_be_hidden()
    color = page.locator("article p").first.evaluate("paragraph => getComputedStyle(paragraph).color")
    assert max(map(int, re.findall(r"\d+", color)[:3])) < 100, f"pale text on white paper: {color}"


def test_without_javascript(open_page: OpenPage) -> None:
    page = open_page(POST, java_script_enabled=False)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("math").first).to_be_visible()
    expect(page.locator("figure.run-figure img.only-light").first).to_be_visible()

    question = page.locator("form.quiz fieldset").first
    assert question.get_by_role("button").count() == 0, "a button that does nothing"
    answers = question.locator("details")
    expect(answers.locator("summary")).to_have_text("Answers")
    answers.locator("summary").click()
    for item in answers.locator("li").all():
        expect(item).to_be_visible()
        expect(item).to_contain_text(re.compile(r"(Right|Not this one)\. \S+"))

    # Enter in a form reloads the page and loses the answer, unless the form is told not to.
    radio = question.get_by_role("radio").first
    radio.check()
    radio.press("Enter")
    expect(radio).to_be_checked()


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_lines_are_readable(open_page: OpenPage, width: int) -> None:
    page = open_page(POST, viewport={"width": width, "height": 900})
    characters = page.locator("article > p").first.evaluate(
        """(paragraph) => {
          const range = document.createRange();
          range.selectNodeContents(paragraph);
          const lines = new Set([...range.getClientRects()].map((box) => Math.round(box.bottom / 12)));
          return paragraph.textContent.length / lines.size;
        }"""
    )
    assert characters < 85
