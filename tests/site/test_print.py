"""The quick reference on paper: two sheets, A4 or letter, with nothing cut off."""

from __future__ import annotations

import re

import pytest

MILLIMETRE = 96 / 25.4
SHEETS = {"A4": (210, 297), "Letter": (215.9, 279.4)}
MARGIN = 10  # left and right, in theme/assets/course.css


@pytest.fixture
def sheet(open_page, request):
    width, height = SHEETS[request.param]
    viewport = {"width": round((width - 2 * MARGIN) * MILLIMETRE), "height": round(height * MILLIMETRE)}
    page = open_page("quick-reference/", viewport=viewport)
    page.evaluate("document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
    page.wait_for_load_state("networkidle")
    page.emulate_media(media="print")
    return request.param, page


BOTH = pytest.mark.parametrize("sheet", SHEETS, indirect=True)


@BOTH
def test_two_sheets(sheet):
    name, page = sheet
    pdf = page.pdf(format=name, prefer_css_page_size=False)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf)) == 2


@BOTH
def test_nothing_is_cut_off(sheet):
    _, page = sheet
    wide = page.evaluate(
        """() => [...document.querySelectorAll('article *')]
            .filter(it => it.checkVisibility() && it.clientWidth > 0 && it.scrollWidth > it.clientWidth + 1)
            .filter(it => getComputedStyle(it).display !== 'inline')
            .map(it => `${it.tagName} ${it.scrollWidth} > ${it.clientWidth}: ${it.textContent.slice(0, 60)}`)"""
    )
    assert not wide
    right = page.evaluate(
        """() => Math.max(...[...document.querySelectorAll('article :is(p, li, td, th, img, math, code)')]
            .filter(it => it.checkVisibility()).map(it => it.getBoundingClientRect().right))"""
    )
    assert right <= page.viewport_size["width"]


@BOTH
def test_the_sheets_hold_what_is_read_and_not_what_is_clicked(sheet):
    _, page = sheet
    shown = page.locator("article").inner_text()
    for words in (
        "zero_grad",
        "Every rule in one line",
        "Schedule-Free AdamW",
        "Common mistakes",
        "Task 3",
        "Quick quiz",
    ):
        assert words in shown
    hidden = "header, nav, .md-sidebar, .md-footer, details, .downloads, .headerlink, .run-card"
    hidden += ", .quiz__answers, .quiz__check"
    assert not [it.text_content() for it in page.locator(hidden).all() if it.is_visible()]
    sizes = page.evaluate(
        """() => [...document.querySelectorAll('article :is(p, li, td, code)')].filter(it => it.checkVisibility())
            .map(it => parseFloat(getComputedStyle(it).fontSize))"""
    )
    assert min(sizes) >= 8  # CSS pixels, 6 points on paper
