"""A page asks only for the scripts and styles that something on it uses."""

from __future__ import annotations

import re

# A file of the site's assets, and what a page has that needs it.
NEEDED_BY = {
    "_mkdocstrings.css": 'class="doc ',
    "chooser.js": 'class="chooser"',
    "quiz.js": "data-quiz",
    "sortable.js": "data-sortable",
    "stepper.js": 'class="run-figure stepper"',
    "terms.js": 'class="term"',
}
ASSET = re.compile(
    r'<link rel="stylesheet" href="[^"]*assets/(?P<style>[\w.]+)">'
    r'|<script src="[^"]*assets/(?P<script>[\w.]+)" type="module"></script>'
)


def without_unused(html: str) -> str:
    """The page without the assets of `NEEDED_BY` that it has no use for."""

    def replace(match: re.Match[str]) -> str:
        mark = NEEDED_BY.get(match["style"] or match["script"])
        return match[0] if mark is None or mark in html else ""

    return ASSET.sub(replace, html)
