"""What a reader downloads."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser

from courseware.page_weight import kind, requests_of

POST = "series/part-3/optimization-algorithms-beyond-sgd/"


def test_post_keeps_its_budget(browser: Browser, url: str, site: Path) -> None:
    requests = requests_of(browser, url + POST)
    sizes: dict[str, int] = {}
    for request in requests:
        sizes[kind(request)] = sizes.get(kind(request), 0) + request.bytes
    assert {urlsplit(request.url).netloc for request in requests} == {urlsplit(url).netloc}
    page = site / POST / "index.html"
    assert 0 < sizes["HTML"] < page.stat().st_size / 2, "the page is not compressed"
    # Each figure once, in the scheme that is shown; those in folded solutions are not fetched.
    figures = [request.url for request in requests if kind(request) == "figures"]
    assert len(figures) == len(set(figures)) > 5
    assert all(".light." in figure for figure in figures)


def test_every_page_that_is_read_keeps_its_budget(browser: Browser, url: str, pages: list[str]) -> None:
    posts = [path for path in pages if path.startswith("series/") and path.count("/") == 3]
    assert POST in posts
    experiments = [path for path in pages if path.startswith("lab/") and path != "lab/"]
    assert len(experiments) == 9
    chapter = [path for path in pages if path.startswith("chapter/")]
    assert len(chapter) == 10
    # Of the pages that are made from one template, the longest.
    alike = ["optimizers/lbfgs/", "schedules/one-cycle-lr/"]
    read = [*posts, *experiments, *chapter, "optimizers/", "schedules/", *alike, "quick-reference/"]
    weights = {path: sum(request.bytes for request in requests_of(browser, url + path)) for path in read}
    heavy = {path: weight for path, weight in weights.items() if weight > 250 * 1024}
    assert not heavy


def test_fonts_stay_small(site: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in (site / "assets/fonts").glob("*.woff2")}
    assert len(sizes) == 5
    assert sum(sizes.values()) <= 90_000, sizes
