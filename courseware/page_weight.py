"""What a reader's browser downloads for a page, from its first byte to its last figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from courseware.browser import DESKTOP

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Request as Seen


@dataclass(frozen=True)
class Request:
    """One request of a page: the browser's name for its type, and the bytes that came, headers included."""

    url: str
    type: str
    bytes: int = 0


TYPES = {"document": "HTML", "stylesheet": "CSS", "script": "JavaScript", "font": "fonts"}


def kind(request: Request) -> str:
    """The table's name for what a request fetched."""
    if "/assets/figures/" in urlsplit(request.url).path:
        return "figures"
    return TYPES.get(request.type, "other")


# Each figure loads when it comes near the screen, so the page is scrolled as a reader would, screen by screen.
SCROLL = """async () => {
  for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight) {
    scrollTo({ top: y, behavior: "instant" });
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}"""
UNLOADED = """() => [...document.images]
  .filter((image) => image.checkVisibility() && !(image.complete && image.naturalWidth)).map((image) => image.src)"""


def _size(request: Seen) -> int:
    """The bytes of a response as they came over the wire, headers included."""
    response = request.response()
    if response is None:
        return 0
    sizes = request.sizes()
    # The browser reports no body for a worker's script; the server does, and it is the compressed length.
    body = max(sizes["responseBodySize"], int(response.header_value("content-length") or 0))
    return sizes["responseHeadersSize"] + body


def requests_of(browser: Browser, url: str) -> list[Request]:
    """Everything that a browser with an empty cache fetches for a page, down to its end.

    Raises:
        AssertionError: a figure did not load.
    """
    seen: list[Seen] = []
    with browser.new_context(viewport=DESKTOP, color_scheme="light") as context:
        context.on("request", lambda request: seen.append(request))
        page = context.new_page()
        page.goto(url, wait_until="networkidle")
        page.evaluate(SCROLL)
        page.wait_for_load_state("networkidle")
        unloaded = page.evaluate(UNLOADED)
        assert not unloaded, f"figures that did not load: {unloaded}"
        requests = []
        for request in seen:
            if urlsplit(request.url).scheme in ("http", "https"):
                requests.append(Request(request.url, request.resource_type, _size(request)))
        return requests
