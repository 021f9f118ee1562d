"""The built site, served as GitHub Pages would, and a real browser to read it with.

The tests build the site first. To try them on a site that is built: ``COURSE_SITE=site pytest tests/site``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from tools_page import make_tools_site

from courseware import browser as chromium
from courseware.static_server import serve

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def site() -> Path:
    """The built site."""
    if given := os.environ.get("COURSE_SITE"):
        return Path(given).resolve(strict=True)
    built = subprocess.run(
        [sys.executable, "-m", "courseware", "build"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert built.returncode == 0, f"the site does not build:\n{built.stdout}"
    return ROOT / "site"


@pytest.fixture(scope="session")
def url(site: Path) -> Iterator[str]:
    """The site's address, ending in a slash. Its path is the published one, which the 404 page relies on."""
    first = ElementTree.parse(site / "sitemap.xml").find(".//{*}loc")
    home = urlsplit(first.text or "").path if first is not None else "/"
    with serve(site, prefix=home if home.endswith("/") else home + "/") as address:
        yield address


@pytest.fixture(scope="session")
def pages(site: Path) -> list[str]:
    """The path of every page, as links write it: ``api/``; the front page's is empty."""
    paths = (path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    return sorted(path.removesuffix("index.html") for path in paths if path != "404.html")


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a small site's page that has a stepper, terms and number questions whose answers are known."""
    checkout = make_tools_site(tmp_path_factory.mktemp("tools"))
    with serve(checkout.root / "site") as address:
        yield address + "page/"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = chromium.find()
    if executable is None:
        reason = "no Chromium on this machine; python -m courseware.browser installs one"
        # On a build server a skipped browser test would pass unseen.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with sync_playwright() as playwright, chromium.launch(playwright, executable) as started:
        yield started


@pytest.fixture
def open_page(browser: Browser, url: str) -> Iterator[Callable[..., Page]]:
    """A function that opens a path of the site, or a whole address, in a fresh profile.

    It takes the options of Playwright's `Browser.new_context`. Errors on a page fail the test at its end.
    """
    contexts = []
    problems: list[str] = []

    def open_page(path: str, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": chromium.DESKTOP, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: problems.append(f"page error: {error}"))
        page.goto(urljoin(url, path), wait_until="load")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, the accessibility checker."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def look() -> Path:
    """What the tests ask of a page, as a script."""
    return Path(__file__).with_name("look.js")
