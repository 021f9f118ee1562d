"""What holds for every page of the site, in both colour schemes, on a laptop and on a phone.

Each page is opened once and then switched to the dark scheme, and all that the tests ask is written down on the way;
`look.js` does the work.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from courseware.browser import DESKTOP, PHONE, SCHEMES

LOOK = Path(__file__).with_name("look.js")


@dataclass
class Visit:
    """What was seen of one page."""

    path: str
    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    raw_tex: list[str] = field(default_factory=list)
    formulas: list[dict] = field(default_factory=list)
    math_font: bool = False
    figures: dict[str, list[list[dict]]] = field(default_factory=dict)  # by scheme
    without_alt: list[str] = field(default_factory=list)
    too_wide: int = 0
    axe: list[str] = field(default_factory=list)


def visit(page: Page, url: str, path: str, axe: str) -> Visit:
    seen = Visit(path)
    listeners: dict[str, Callable] = {
        "request": lambda request: seen.requests.append(request.url),
        "console": lambda m: seen.console.append(m.text) if m.type in {"error", "warning"} else None,
        "pageerror": lambda error: seen.console.append(str(error)),
        "requestfailed": lambda request: seen.failed.append(f"{request.failure}: {request.url}"),
        "response": lambda r: seen.failed.append(f"{r.status}: {r.url}") if r.status >= 400 else None,
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    page.set_viewport_size(DESKTOP)
    page.goto(url + path, wait_until="load")
    page.evaluate("look.openAll()")
    seen.raw_tex = page.evaluate("look.rawTex()")
    seen.formulas = page.evaluate("look.formulas()")
    seen.math_font = page.evaluate("look.mathFont()")
    seen.without_alt = page.evaluate("look.withoutAlt()")
    page.evaluate(axe)
    light, dark = SCHEMES
    seen.figures[light] = page.evaluate("look.figures()")
    seen.axe = page.evaluate("look.axe()") + page.evaluate("look.contrast()")
    page.evaluate("look.darken()")
    seen.figures[dark] = page.evaluate("look.figures()")
    # What a rule finds does not depend on the scheme, except for the contrast of colours.
    found = page.evaluate("look.contrast()") + page.evaluate("look.axe", ["link-in-text-block"])
    seen.axe += [f"{dark}: {it}" for it in found]
    page.set_viewport_size(PHONE)
    page.evaluate("look.nextFrame()")
    seen.too_wide = page.evaluate("look.tooWide()")
    seen.axe += page.evaluate("look.axe", ["scrollable-region-focusable", "target-size"])
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    return seen


SHARDS = 4  # workers share the pages: see tests/conftest.py


@pytest.fixture(scope="session")
def visited(browser: Browser, url: str, pages: list[str], axe: str) -> Iterator[Callable[[int], list[Visit]]]:
    """A function that visits a part of all pages, each part once."""
    context = browser.new_context(color_scheme=SCHEMES[0], viewport=DESKTOP, reduced_motion="reduce")
    # The scheme that a visitor chose is kept in the profile: every page begins as the first one did.
    context.add_init_script("localStorage.clear()")
    context.add_init_script(path=LOOK)
    page = context.new_page()
    yield functools.cache(lambda shard: [visit(page, url, path, axe) for path in pages[shard::SHARDS]])
    context.close()


@pytest.fixture(params=range(SHARDS))
def shard(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture
def visits(visited: Callable[[int], list[Visit]], shard: int) -> list[Visit]:
    return visited(shard)


def report(visits: list[Visit], problems: Callable[[Visit], list]) -> str:
    """Return all problems of all pages."""
    return "\n".join(f"{seen.path or 'front page'}: {problem}" for seen in visits for problem in problems(seen))


def test_pages_exist(visits: list[Visit]) -> None:
    assert len(visits) >= 3


def test_nothing_is_asked_of_another_host(visits: list[Visit], url: str) -> None:
    own = urlsplit(url).netloc

    def problems(seen: Visit) -> list[str]:
        addresses = [request for request in seen.requests if not request.startswith(("data:", "blob:"))]
        return [address for address in addresses if urlsplit(address).netloc != own]

    foreign = report(visits, problems)
    assert not foreign, foreign


def test_every_request_is_answered(visits: list[Visit]) -> None:
    failed = report(visits, lambda v: v.failed)
    assert not failed, failed


def test_console_is_quiet(visits: list[Visit]) -> None:
    errors = report(visits, lambda v: v.console)
    assert not errors, errors


def test_no_raw_tex_is_left(visits: list[Visit]) -> None:
    raw = report(visits, lambda v: v.raw_tex)
    assert not raw, raw


def test_formulas_are_drawn_in_the_math_font(visits: list[Visit]) -> None:
    def problems(seen: Visit) -> list[str]:
        found = [] if seen.math_font or not seen.formulas else ["STIX Two Math is not loaded"]
        for formula in seen.formulas:
            if formula["width"] <= 0 or formula["height"] <= 0:
                found.append(f"no extent: {formula['text']}")
            if not formula["font"].startswith('"STIX Two Math"'):
                found.append(f"drawn in {formula['font']}: {formula['text']}")
            if not formula["upright"]:
                found.append(f"a numerator is not above its denominator: {formula['text']}")
        return found

    assert any(seen.formulas for seen in visits), "no page has a formula"
    wrong = report(visits, problems)
    assert not wrong, wrong


def test_each_scheme_shows_its_own_figures(visits: list[Visit]) -> None:
    def problems(seen: Visit) -> list[str]:
        found = []
        for scheme, figures in seen.figures.items():
            for images in figures:
                shown = [image for image in images if image["shown"]]
                if [f"only-{scheme}" in image["classes"] for image in shown] != [True]:
                    found.append(f"{scheme}: shows {[image['src'] for image in shown]} of {len(images)} images")
                found += [f"{scheme}: does not draw {image['src']}" for image in shown if not image["drawn"]]
        return found

    assert any(any(seen.figures.values()) for seen in visits), "no page has a figure"
    wrong = report(visits, problems)
    assert not wrong, wrong


def test_images_have_a_text(visits: list[Visit]) -> None:
    missing = report(visits, lambda v: v.without_alt)
    assert not missing, missing


def test_no_page_scrolls_sideways_on_a_phone(visits: list[Visit]) -> None:
    wide = report(visits, lambda v: [f"{v.too_wide} px wider than the screen"] if v.too_wide > 0 else [])
    assert not wide, wide


@pytest.mark.parametrize("path", ["", "reference/optimizer-speed/"])
def test_contrast_is_judged_by_kinds_of_text(open_page: Callable[..., Page], axe: str, path: str) -> None:
    # What is wrong with any word is wrong with the word that stands for its kind.
    page = open_page(path, reduced_motion="reduce")
    page.evaluate(LOOK.read_text(encoding="utf-8"))
    page.evaluate(axe)
    page.add_style_tag(content="p, li, td { color: #888 } strong, .md-nav li { color: #999; background: #eee }")
    page.evaluate("look.nextFrame()")
    every_word, kinds = page.evaluate('look.axe(["color-contrast"])'), page.evaluate("look.contrast()")

    def reasons(found: list[str]) -> set[str]:
        return {one.splitlines()[2] for one in found}

    assert len(reasons(every_word)) >= 3
    assert reasons(kinds) == reasons(every_word)
    assert len(kinds) < len(every_word)


def test_axe_finds_nothing(visits: list[Visit]) -> None:
    violations = report(visits, lambda v: v.axe)
    assert not violations, violations
