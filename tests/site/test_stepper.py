"""A figure that the reader drives: by keyboard, mouse and finger, in both schemes, on paper, and without JavaScript."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Locator, Page, expect

from courseware.browser import PHONE

OpenPage = Callable[..., Page]

FIRST, LAST = 0, 4  # frames of the small page's stepper; its still is the last


def shown(stepper: Locator) -> Locator:
    return stepper.locator("img:visible")


def at(stepper: Locator, place: int) -> None:
    """The stepper shows this frame, says so, and has told a screen reader."""
    frames = json.loads(stepper.get_attribute("data-frames") or "[]")
    image = shown(stepper)
    expect(image).to_have_count(1)
    expect(image).to_have_attribute("alt", frames[place]["text"])
    assert image.get_attribute("src") in (frames[place]["light"], frames[place]["dark"])
    expect(stepper.locator(".stepper__count")).to_have_text(f"{place + 1} of {len(frames)}")
    slider = stepper.get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuetext", f"{place + 1} of {len(frames)}")
    assert slider.input_value() == str(place)
    expect(stepper.get_by_role("status")).to_have_text(frames[place]["text"])
    image.evaluate("image => image.decode()")


@pytest.fixture
def page(open_page: OpenPage, tools: str) -> Page:
    return open_page(tools)


@pytest.fixture
def stepper(page: Page) -> Locator:
    return page.locator("figure.stepper").first


@pytest.mark.parametrize("control", ["Previous frame", "Frame", "Next frame"])
def test_keys(page: Page, stepper: Locator, control: str) -> None:
    stepper.get_by_label(control, exact=True).focus()
    top = page.evaluate("scrollY")
    page.keyboard.press("Home")
    at(stepper, FIRST)
    page.keyboard.press("ArrowRight")
    at(stepper, 1)
    page.keyboard.press("ArrowUp")
    at(stepper, 2)
    page.keyboard.press("ArrowLeft")
    at(stepper, 1)
    page.keyboard.press("ArrowDown")
    at(stepper, FIRST)
    page.keyboard.press("ArrowLeft")
    at(stepper, FIRST)
    page.keyboard.press("End")
    at(stepper, LAST)
    page.keyboard.press("ArrowRight")
    at(stepper, LAST)
    assert page.evaluate("scrollY") == top
    expect(stepper.get_by_label(control, exact=True)).to_be_focused()


def test_buttons(page: Page, stepper: Locator) -> None:
    previous, following = (stepper.get_by_role("button", name=name) for name in ("Previous frame", "Next frame"))
    expect(following).to_have_attribute("aria-disabled", "true")
    previous.focus()
    for place in (3, 2, 1, 0, 0):
        page.keyboard.press("Enter")
        at(stepper, place)
    expect(previous).to_have_attribute("aria-disabled", "true")
    expect(previous).to_be_focused()
    following.click()
    at(stepper, 1)


def test_slider_by_mouse(stepper: Locator) -> None:
    slider = stepper.get_by_role("slider")
    box = slider.bounding_box()
    assert box is not None
    slider.click(position={"x": 3, "y": box["height"] / 2})
    at(stepper, FIRST)
    slider.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    at(stepper, 2)


def test_only_the_still_is_fetched_until_the_first_use(open_page: OpenPage, tools: str) -> None:
    fetched: list[str] = []
    page = open_page("")
    page.on("request", lambda request: fetched.append(request.url))

    def frames() -> list[str]:
        return sorted(re.findall(r"walk\.(step-\d\.\w+)\.svg", "\n".join(fetched)))

    page.goto(tools, wait_until="networkidle")
    assert frames() == ["step-4.light"]
    page.get_by_role("button", name="Previous frame").first.click()
    at(page.locator("figure.stepper").first, 3)
    page.wait_for_load_state("networkidle")
    assert frames() == [f"step-{step}.light" for step in range(5)]


def test_nothing_moves_by_itself(page: Page, stepper: Locator) -> None:
    at_first = shown(stepper).get_attribute("src")
    stepper.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    assert shown(stepper).get_attribute("src") == at_first
    stepper.get_by_role("button", name="Previous frame").click()
    assert stepper.evaluate("figure => figure.getAnimations({ subtree: true }).length") == 0


def test_switching_the_scheme_keeps_the_frame(page: Page, stepper: Locator) -> None:
    stepper.get_by_role("button", name="Previous frame").click()
    page.get_by_title("Switch to dark mode").click()
    at(stepper, 3)
    assert ".dark." in (shown(stepper).get_attribute("src") or "")


def test_on_a_phone(open_page: OpenPage, tools: str) -> None:
    page = open_page(tools, viewport=PHONE, has_touch=True, is_mobile=True)
    page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    for stepper in page.locator("figure.stepper").all():
        for control in stepper.locator("button, input").all():
            box = control.bounding_box()
            assert box is not None and min(box["width"], box["height"]) >= 44
        stepper.get_by_role("button", name="Previous frame").tap()
        height = stepper.bounding_box()
        assert height is not None
        for _ in range(2):
            stepper.get_by_role("button", name="Previous frame").tap()
            shown(stepper).evaluate("image => image.decode()")
            now = stepper.bounding_box()
            assert now is not None
            assert (now["width"], now["height"]) == (height["width"], height["height"]), "the page jumps"
    assert page.evaluate("document.scrollingElement.scrollWidth") == PHONE["width"]


def test_controls_do_not_push_the_text(open_page: OpenPage, tools: str) -> None:
    """Their place is kept before the script arrives: a figure is as high with them as without."""
    page = open_page(tools)
    stepper = page.locator("figure.stepper").first
    height = "figure => figure.getBoundingClientRect().height"
    made = stepper.evaluate(height)
    stepper.evaluate("figure => figure.querySelector('.stepper__controls').remove()")
    assert stepper.evaluate(height) == pytest.approx(made, abs=3)


def test_on_paper_the_still_stands(page: Page, stepper: Locator) -> None:
    stepper.get_by_role("button", name="Previous frame").click()
    page.emulate_media(media="print")
    expect(shown(stepper)).to_have_count(1)
    assert "walk.step-4.light.svg" in (shown(stepper).get_attribute("src") or "")
    expect(stepper.get_by_role("button", name="Previous frame")).to_be_hidden()


def test_a_stepper_within_a_folded_block_works(page: Page) -> None:
    page.locator("details > summary", has_text="Solution").click()
    stepper = page.locator("details figure.stepper")
    assert "step-3" in (shown(stepper).get_attribute("src") or "")
    stepper.get_by_role("button", name="Next frame").click()
    at(stepper, 4)


# --- every page of the course that has one


@pytest.fixture(scope="module")
def with_steppers(site: Path, tools: str, pages: list[str]) -> list[str]:
    found = [path for path in pages if "data-frames=" in (site / path / "index.html").read_text(encoding="utf-8")]
    return [tools, *found]


def test_keyboard_everywhere(open_page: OpenPage, with_steppers: list[str]) -> None:
    for path in with_steppers:
        page = open_page(path)
        page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
        for stepper in page.locator("figure.stepper").all():
            frames = json.loads(stepper.get_attribute("data-frames") or "[]")
            stepper.get_by_role("slider").focus()
            page.keyboard.press("Home")
            for place in range(1, len(frames)):
                page.keyboard.press("ArrowRight")
                at(stepper, place)
            for frame in frames:
                for scheme in ("light", "dark"):
                    assert page.request.get(urljoin(page.url, frame[scheme])).ok, frame[scheme]


def test_without_javascript_the_still_stands(open_page: OpenPage, with_steppers: list[str]) -> None:
    for path in with_steppers:
        page = open_page(path, java_script_enabled=False)
        stepper = page.locator("figure.stepper").first
        stepper.scroll_into_view_if_needed()
        expect(shown(stepper)).to_have_count(1)
        assert len(shown(stepper).get_attribute("alt") or "") >= 40
        expect(stepper.locator("button, input")).to_have_count(0)
