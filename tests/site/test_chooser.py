"""The chooser: every result by mouse and by keyboard, back, by address, on a phone, on paper, without JavaScript."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from courseware.browser import PHONE

OpenPage = Callable[..., Page]
PAGE = "chapter/choosing-an-optimizer/"


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    return open_page(PAGE)


@pytest.fixture
def chooser(page: Page) -> Locator:
    return page.locator(".chooser")


def tree_of(page: Page) -> dict:
    return json.loads(page.locator(".chooser").get_attribute("data-tree") or "")


def paths(tree: dict, place: str = "") -> Iterator[tuple[list[dict], str]]:
    """Every way through the tree: the answers, and the outcome's id."""
    for answer in tree["questions"][place or tree["first"]]["answers"]:
        if answer["to"] in tree["outcomes"]:
            yield [answer], answer["to"]
        else:
            yield from (([answer, *rest], outcome) for rest, outcome in paths(tree, answer["to"]))


def longest(tree: dict) -> tuple[list[dict], str]:
    return max(paths(tree), key=lambda path: len(path[0]))


def answer(chooser: Locator, text: str) -> None:
    chooser.get_by_role("button", name=text, exact=True).click()


def asks(chooser: Locator, text: str) -> None:
    """The form asks this question, and the keyboard is there."""
    expect(chooser.locator("legend")).to_have_text(text)
    expect(chooser.locator("legend")).to_be_focused()


def shows(page: Page, outcome: str) -> None:
    """The form shows what the tree says of this outcome, the keyboard is there, and a screen reader has been told."""
    chooser, title = page.locator(".chooser"), tree_of(page)["outcomes"][outcome]
    card = chooser.locator(".chooser-outcome")
    expect(card.locator("p").first).to_have_text(title)
    expect(card.locator("p").first).to_be_focused()
    assert card.inner_text() == page.locator(f"#outcome-{outcome}").evaluate(
        """card => {
            const details = card.closest("details");
            details.open = true;
            const text = card.innerText;
            details.open = false;
            return text;
        }"""
    )
    expect(chooser.get_by_role("status")).to_have_text(f"Found: {title}")


def test_every_path_by_mouse(page: Page, chooser: Locator) -> None:
    tree = tree_of(page)
    for answers, outcome in paths(tree):
        for number, given in enumerate(answers):
            if number:
                asks(chooser, tree["questions"][answers[number - 1]["to"]]["ask"])
            answer(chooser, given["text"])
        shows(page, outcome)
        expect(chooser.locator("ol strong")).to_have_text([given["text"] for given in answers])
        answer(chooser, "Start again")
        asks(chooser, tree["questions"][tree["first"]]["ask"])
        expect(chooser.locator("ol")).to_have_count(0)
        assert "#" not in page.url


def test_every_outcome_by_keyboard(page: Page, chooser: Locator) -> None:
    tree = tree_of(page)
    chooser.locator("legend").focus()
    for answers, outcome in {outcome: (answers, outcome) for answers, outcome in paths(tree)}.values():
        place = tree["first"]
        for given in answers:
            asks(chooser, tree["questions"][place]["ask"])
            for _ in range(tree["questions"][place]["answers"].index(given) + 1):
                page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            place = given["to"]
        shows(page, outcome)
        chooser.get_by_role("button", name="Start again").focus()
        page.keyboard.press("Space")


def test_back_and_change(page: Page, chooser: Locator) -> None:
    tree = tree_of(page)
    answers, outcome = longest(tree)
    for given in answers:
        answer(chooser, given["text"])
    shows(page, outcome)
    answer(chooser, "Back")
    asks(chooser, tree["questions"][answers[-2]["to"]]["ask"])
    page.go_back()
    shows(page, outcome)
    chooser.get_by_role("button", name="Change").nth(1).click()
    asks(chooser, tree["questions"][answers[0]["to"]]["ask"])
    expect(chooser.locator("ol li")).to_have_count(1)
    page.go_back()
    shows(page, outcome)
    page.go_back()
    asks(chooser, tree["questions"][answers[-2]["to"]]["ask"])


def test_a_result_can_be_shared(page: Page, chooser: Locator, open_page: OpenPage) -> None:
    answers, outcome = longest(tree_of(page))
    for given in answers:
        answer(chooser, given["text"])
    address = chooser.get_by_role("link", name="Link to this result").evaluate("link => link.href")
    assert address == page.url
    assert address.endswith("#choose/" + "/".join(given["id"] for given in answers))
    other = open_page(address)
    shows(other, outcome)
    assert other.locator(".chooser-outcome p").first.evaluate("head => head.getBoundingClientRect().top") >= 48


def test_an_address_of_an_older_tree(open_page: OpenPage) -> None:
    page = open_page(PAGE)
    answers, _ = longest(tree_of(page))
    page = open_page(f"{PAGE}#choose/{answers[0]['id']}/gone/further")
    asks(page.locator(".chooser"), tree_of(page)["questions"][answers[0]["to"]]["ask"])
    expect(page.get_by_text("names an answer that is not in the tree any more")).to_be_visible()


def test_the_page_is_left_where_it_is(page: Page, chooser: Locator) -> None:
    """Without an address of a result, nobody is moved; another address of the page works as ever."""
    assert page.evaluate("scrollY") == 0
    assert page.evaluate("document.activeElement === document.body")
    page.evaluate("location.hash = '#summary'")
    page.wait_for_function("scrollY > 1000")
    expect(chooser.locator("legend")).not_to_be_focused()


def test_the_whole_tree_is_one_click_away(page: Page) -> None:
    tree = page.locator("#whole-tree")
    outcome = tree.locator(".chooser-outcome").first
    expect(outcome).to_be_hidden()
    tree.locator("summary").click()
    expect(outcome).to_be_visible()
    expect(tree.locator(".chooser-outcome")).to_have_count(len(tree_of(page)["outcomes"]))


def test_on_a_phone(open_page: OpenPage) -> None:
    page = open_page(PAGE, viewport=PHONE, has_touch=True, is_mobile=True)
    chooser = page.locator(".chooser")
    answers, outcome = longest(tree_of(page))
    for given in answers:
        for button in chooser.locator(".chooser__answer, .md-button").all():
            box = button.bounding_box()
            assert box is not None and min(box["width"], box["height"]) >= 44
        chooser.get_by_role("button", name=given["text"], exact=True).tap()
        top = chooser.locator("legend, .chooser-outcome p").first.evaluate("head => head.getBoundingClientRect().top")
        assert 48 <= top <= PHONE["height"], "what comes next is on the screen, and not under the header"
    shows(page, outcome)
    page.locator("#whole-tree summary").tap()
    assert page.evaluate("document.scrollingElement.scrollWidth") == PHONE["width"]
    widths = page.locator(".chooser-questions li").evaluate_all("items => items.map((item) => item.clientWidth)")
    assert min(widths) >= 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_question_and_result(open_page: OpenPage, axe: str, look: object, scheme: str) -> None:
    page = open_page(PAGE, color_scheme=scheme)
    page.add_script_tag(path=str(look))
    page.evaluate(axe)
    for given in longest(tree_of(page))[0]:
        assert page.evaluate("look.axe") == []
        answer(page.locator(".chooser"), given["text"])
    assert page.evaluate("look.axe") == []


def test_on_paper_the_tree_stands(page: Page, chooser: Locator) -> None:
    page.emulate_media(media="print")
    expect(chooser).to_be_hidden()
    for outcome in page.locator(".chooser-outcome").all():
        box = outcome.bounding_box()
        assert box is not None and box["height"] > 100


def test_without_javascript_the_tree_stands(open_page: OpenPage) -> None:
    page = open_page(PAGE, java_script_enabled=False)
    tree = tree_of(page)
    expect(page.locator(".chooser button")).to_have_count(0)
    for outcome, title in tree["outcomes"].items():
        card = page.locator(f"#outcome-{outcome}")
        expect(card).to_contain_text(title)
        box = card.bounding_box()
        assert box is not None and box["height"] > 100
    link = page.locator(".chooser-questions a").last
    link.click()
    assert page.url.endswith(f"#outcome-{list(paths(tree))[-1][1]}")
