"""An address that leads nowhere leads on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect


@pytest.fixture
def lost(browser: Browser, url: str) -> Iterator[Page]:
    """The page shown for an address deep below the site that does not exist."""
    with browser.new_context() as context:
        page = context.new_page()
        answer = page.goto(f"{url}series/part-9/no/such/post/", wait_until="networkidle")
        assert answer is not None
        assert answer.status == 404
        yield page


def test_it_says_so(lost: Page) -> None:
    expect(lost.get_by_role("heading", level=1)).to_have_text("This page is not here")
    expect(lost).to_have_title("Page not found - Learn the Training Loop with PyTorch")


def test_it_looks_like_the_site(lost: Page) -> None:
    # Shown at any depth, its styles and scripts must not be addressed relative to it.
    header = lost.locator("header.md-header")
    assert header.evaluate("header => getComputedStyle(header).backgroundColor") == "rgb(15, 76, 85)"
    lost.keyboard.press("/")
    expect(lost.get_by_role("textbox", name="Search")).to_be_focused()


def test_its_links_lead_on(lost: Page) -> None:
    links = lost.locator("article a").evaluate_all("links => links.map((link) => link.href)")
    assert len(links) >= 3
    dead = [link for link in links if lost.request.get(link).status != 200]
    assert not dead


def test_axe_finds_nothing(lost: Page, axe: str) -> None:
    lost.evaluate(axe)
    violations = lost.evaluate("async () => (await axe.run(document)).violations.map(({help}) => help)")
    assert not violations
