"""A table that the reader sorts: by keyboard, mouse and finger, heard by a screen reader, and without JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from courseware.browser import PHONE

OpenPage = Callable[..., Page]

# The small page's rows: name, loss, rate. The run that diverged has no loss.
AS_WRITTEN = ["SGD", "Adam", "Muon", "L-BFGS"]
BY_LOSS = ["L-BFGS", "Adam", "SGD", "Muon"]  # 6e-5, 9, 10 – as words, "10" came before "9"


def names(table: Locator) -> list[str]:
    return table.locator("tbody tr td:first-child").all_inner_texts()


def head(table: Locator, name: str) -> Locator:
    return table.get_by_role("columnheader", name=name)


@pytest.fixture
def table(open_page: OpenPage, tools: str) -> Locator:
    return open_page(tools).locator("table[data-sortable]")


def test_numbers_sort_by_value_and_dashes_stay_last(table: Locator) -> None:
    button = table.get_by_role("button", name="loss")
    assert names(table) == AS_WRITTEN
    button.click()
    assert names(table) == BY_LOSS
    button.click()
    assert names(table) == ["SGD", "Adam", "L-BFGS", "Muon"]
    button.click()
    assert names(table) == AS_WRITTEN


def test_words_sort_as_in_a_dictionary(table: Locator) -> None:
    table.get_by_role("button", name="optimizer").click()
    assert names(table) == ["Adam", "L-BFGS", "Muon", "SGD"]


def test_a_screen_reader_hears_which_column_is_sorted_and_how(table: Locator) -> None:
    for name in ("optimizer", "loss", "rate"):
        expect(head(table, name)).not_to_have_attribute("aria-sort", "ascending")
    table.get_by_role("button", name="loss").click()
    expect(head(table, "loss")).to_have_attribute("aria-sort", "ascending")
    table.get_by_role("button", name="loss").click()
    expect(head(table, "loss")).to_have_attribute("aria-sort", "descending")
    table.get_by_role("button", name="rate").click()
    expect(head(table, "rate")).to_have_attribute("aria-sort", "ascending")
    assert table.locator("[aria-sort]").count() == 1, "one column at a time"
    assert table.get_by_role("status").count() == 0, "aria-sort says it"


def test_equal_values_keep_the_order_of_the_page(table: Locator) -> None:
    rate = table.get_by_role("button", name="rate")
    rate.click()
    assert names(table) == ["Adam", "L-BFGS", "SGD", "Muon"]  # 0.001 twice
    rate.click()
    assert names(table) == ["Muon", "SGD", "Adam", "L-BFGS"]


def test_keyboard(table: Locator) -> None:
    page = table.page
    table.get_by_role("button", name="optimizer").focus()
    page.keyboard.press("Tab")
    loss = table.get_by_role("button", name="loss")
    expect(loss).to_be_focused()
    page.keyboard.press("Enter")
    assert names(table) == BY_LOSS
    page.keyboard.press("Space")
    assert names(table)[0] == "SGD"
    expect(loss).to_be_focused()


def test_finger_and_no_jump(open_page: OpenPage, tools: str) -> None:
    page = open_page(tools, viewport=PHONE, has_touch=True, is_mobile=True)
    table = page.locator("table[data-sortable]")
    before = table.bounding_box()
    for button in table.get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None and box["height"] >= 44
        button.tap()
        assert table.bounding_box() == before
    assert page.evaluate("document.scrollingElement.scrollWidth") == PHONE["width"]


def test_the_buttons_take_no_more_room_than_the_words_they_replace(table: Locator) -> None:
    """The page does not move when the script arrives."""
    height = "table => table.getBoundingClientRect().height"
    made = table.evaluate(height)
    table.evaluate("table => table.querySelectorAll('th > button').forEach((it) => it.replaceWith(...it.childNodes))")
    assert table.evaluate(height) == pytest.approx(made, abs=1)


def test_without_javascript_it_is_a_table(open_page: OpenPage, tools: str) -> None:
    table = open_page(tools, java_script_enabled=False).locator("table[data-sortable]")
    assert names(table) == AS_WRITTEN
    expect(table.locator("button")).to_have_count(0)


# --- the tables of the course


def test_every_sortable_table_sorts(open_page: OpenPage, site: Path, pages: list[str]) -> None:
    found = [path for path in pages if "<table data-sortable" in (site / path / "index.html").read_text("utf-8")]
    assert "optimizers/" in found
    for path in found:
        for table in open_page(path).locator("table[data-sortable]").all():
            written = names(table)
            for button in table.get_by_role("button").all():
                for _ in range(3):
                    button.click()
                    assert sorted(names(table)) == sorted(written)
                assert names(table) == written
            measured = table.get_by_role("button", name="bytes per weight")
            if measured.count():
                measured.click()
                shown = [float(text) for text in table.locator("tbody tr td:nth-child(2)").all_inner_texts()]
                assert shown == sorted(shown)
