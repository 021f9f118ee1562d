"""A term's definition beside its link: for mouse, keyboard, finger and screen reader, and without JavaScript."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Locator, Page, expect

from courseware.browser import PHONE

OpenPage = Callable[..., Page]

STEP = "One update of the parameters."
RATE = "The factor η that the gradient is multiplied by before it is subtracted from a parameter."


def note(page: Page) -> Locator:
    return page.locator(".term-note:visible")


@pytest.fixture
def page(open_page: OpenPage, tools: str) -> Page:
    return open_page(tools)


@pytest.fixture
def link(page: Page) -> Locator:
    return page.get_by_role("link", name="learning rate").first


def test_mouse(page: Page, link: Locator) -> None:
    expect(note(page)).to_have_count(0)
    link.hover()
    expect(note(page)).to_have_text(RATE)
    note(page).hover()  # the way to it may not close it, nor being there
    page.wait_for_timeout(400)
    expect(note(page)).to_have_text(RATE)
    page.mouse.move(5, 5)
    expect(note(page)).to_have_count(0)


def test_keyboard(page: Page, link: Locator) -> None:
    page.get_by_role("link", name="step", exact=True).first.focus()
    expect(note(page)).to_have_text(STEP)
    page.keyboard.press("Tab")
    expect(link).to_be_focused()
    expect(note(page)).to_have_text(RATE)
    page.keyboard.press("Escape")
    expect(note(page)).to_have_count(0)
    expect(link).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/glossary/#learning-rate")
    expect(page.locator("#learning-rate")).to_be_in_viewport()


def test_finger(open_page: OpenPage, tools: str) -> None:
    page = open_page(tools, viewport=PHONE, has_touch=True, is_mobile=True)
    link = page.get_by_role("link", name="learning rate").first
    link.tap()
    expect(note(page)).to_have_text(RATE)
    hint = note(page).evaluate("note => getComputedStyle(note, '::after').content")
    assert "Tap the word again" in hint
    box = note(page).bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
    assert page.evaluate("document.scrollingElement.scrollWidth") == PHONE["width"]
    page.get_by_role("heading", level=1).tap()
    expect(note(page)).to_have_count(0)
    link.tap()
    expect(note(page)).to_have_text(RATE)
    assert page.url == tools
    link.tap()
    page.wait_for_url("**/glossary/#learning-rate")


def test_screen_reader(page: Page, link: Locator) -> None:
    expect(link).to_have_accessible_description(RATE)
    assert link.get_attribute("title") is None, "the browser would show it a second time"


def test_it_is_told_from_other_links(page: Page, link: Locator) -> None:
    assert link.evaluate("link => getComputedStyle(link).textDecorationStyle") == "dotted"


def test_note_in_a_copied_explanation(page: Page) -> None:
    question = page.locator("form.quiz fieldset").first
    question.get_by_role("textbox").fill("4")
    question.get_by_role("textbox").press("Enter")
    question.locator(".quiz__feedback").get_by_role("link", name="step").hover()
    expect(note(page)).to_have_text(STEP)


def test_without_javascript(open_page: OpenPage, tools: str) -> None:
    page = open_page(tools, java_script_enabled=False)
    assert page.get_by_role("link", name="learning rate").first.get_attribute("title") == RATE
    expect(page.locator(".term-note")).to_have_count(0)


def test_on_paper_a_word_is_a_word(page: Page, link: Locator) -> None:
    link.hover()
    expect(note(page)).to_have_count(1)
    page.emulate_media(media="print")
    expect(note(page)).to_have_count(0)
    assert "none" in link.evaluate("link => getComputedStyle(link).textDecorationLine")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_while_a_note_is_open(
    open_page: OpenPage, tools: str, axe: str, look: Path, scheme: str
) -> None:
    page = open_page(tools, color_scheme=scheme)
    page.add_script_tag(path=look)
    page.evaluate("look.openAll()")
    expect(note(page)).to_have_count(1)
    expect(page.locator(".quiz__feedback[data-state=wrong]").first).to_be_visible()
    page.evaluate(axe)
    assert page.evaluate("look.axe()") == []


# --- every page of the course


def test_hover_and_focus_everywhere(open_page: OpenPage, url: str, site: Path, pages: list[str]) -> None:
    page = open_page("")
    definitions = {}
    for path in pages:
        written = (site / path / "index.html").read_text(encoding="utf-8")
        if first := re.search(r'<a class="term"[^>]* title="([^"]+)"', written):
            definitions[path] = html.unescape(first[1])
    assert len(definitions) >= 10
    for path, definition in definitions.items():
        page.goto(urljoin(url, path))
        link = page.locator("a.term").first
        link.hover()
        expect(note(page)).to_have_text(definition)
        page.mouse.move(5, 5)
        expect(note(page)).to_have_count(0)
        link.focus()
        expect(note(page)).to_have_text(definition)


def test_every_link_leads_to_its_entry(site: Path) -> None:
    """The glossary says where a term is used: each of those pages links back to it."""
    listing = (site / "glossary" / "index.html").read_text(encoding="utf-8")
    assert listing.count("<h3 id=") >= 70
    assert '<a href="../series/part-3/optimization-algorithms-beyond-sgd/">' in listing
