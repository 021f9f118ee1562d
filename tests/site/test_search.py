"""The search finds the posts, and leads to them, without a mouse."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

TITLE = "Optimization Algorithms Beyond SGD"
POST = "series/part-3/optimization-algorithms-beyond-sgd/"


def test_search_finds_a_post(open_page: Callable[..., Page], url: str) -> None:
    page = open_page("")
    page.keyboard.press("/")
    query = page.get_by_role("textbox", name="Search")
    expect(query).to_be_focused()
    page.keyboard.type(TITLE)
    result = page.locator("a.md-search-result__link").first
    expect(result).to_contain_text(TITLE)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(re.escape(url + POST)))
    expect(page.get_by_role("heading", level=1)).to_contain_text(TITLE)


def test_search_says_when_it_finds_nothing(open_page: Callable[..., Page]) -> None:
    page = open_page("")
    page.keyboard.press("/")
    page.keyboard.type("xylophone")
    expect(page.locator(".md-search-result__meta")).to_contain_text(re.compile("No matching", re.IGNORECASE))


def test_index_is_fetched_when_the_search_is_first_used(open_page: Callable[..., Page]) -> None:
    fetched: list[str] = []
    page = open_page("")
    page.on("request", lambda request: fetched.append(request.url))
    page.reload(wait_until="networkidle")
    assert fetched
    assert not [address for address in fetched if "search_index.json" in address or "workers/search" in address]
    page.keyboard.press("/")
    page.keyboard.type(TITLE)
    expect(page.locator("a.md-search-result__link").first).to_contain_text(TITLE)  # so it has arrived
    assert len([address for address in fetched if "search_index.json" in address]) == 1


def test_search_opens_from_an_address(open_page: Callable[..., Page]) -> None:
    """`?q=…` is how a shared search arrives."""
    page = open_page("?q=momentum")
    expect(page.locator("a.md-search-result__link").first).to_be_visible()


def test_index_holds_words_not_tex(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    raw = [entry["location"] for entry in index["docs"] if re.search(r"\\\(|\\\[|\\frac", entry["text"])]
    assert not raw, raw


def test_index_does_not_give_the_answers_away(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    assert not any("Not this one." in entry["text"] for entry in index["docs"])
