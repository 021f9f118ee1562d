"""TeX in the pages becomes MathML at build time: no JavaScript, and a screen reader can read it.

``pymdownx.arithmatex`` (``generic: true``) marks the mathematics of a page; `render_page` replaces each mark
by MathML Core. TeX that cannot be converted stops the build and names the page, the line and the place.
"""

from __future__ import annotations

import re
from functools import cache
from html import unescape

from math_core import LatexError, LatexToMathML
from mkdocs.exceptions import PluginError

# The course's own commands, for what every page writes. Everything else is plain LaTeX.
MACROS = {
    "E": r"\mathbb{E}",
    "R": r"\mathbb{R}",
    "norm": r"\lVert #1 \rVert",
    "abs": r"\lvert #1 \rvert",
    "sign": r"\operatorname{sign}",
    "diag": r"\operatorname{diag}",
    "clip": r"\operatorname{clip}",
}

# Arithmatex writes exactly these two. Code that shows them is escaped, and so is left alone.
_MARKED = re.compile(
    r'<span class="arithmatex">\\\((?P<inline>.*?)\\\)</span>'
    r'|<div class="arithmatex">\s*\\\[(?P<block>.*?)\\\]\s*</div>',
    re.DOTALL,
)


@cache
def _converter() -> LatexToMathML:
    return LatexToMathML(macros=MACROS, fancy_error=False)


def to_mathml(tex: str, *, block: bool = False) -> str:
    """Return the MathML of one formula, or raise `math_core.LatexError`."""
    return _converter().convert_with_local_state(tex.strip(), displaystyle=block)


def render_page(html: str, *, page: str, markdown: str) -> str:
    """Replace the marked mathematics of a page by MathML.

    Args:
        html: the page's HTML, as Python-Markdown and the plugins left it.
        page: the page's source file, for messages.
        markdown: the page's source text, in which the line of a bad formula is looked up.

    Raises:
        PluginError: a formula is not valid TeX.
    """

    def replace(match: re.Match[str]) -> str:
        block = match["block"] is not None
        tex = unescape(match["block"] if block else match["inline"])
        try:
            mathml = to_mathml(tex, block=block)
        except LatexError as error:
            raise PluginError(_explain(str(error), tex, page=page, markdown=markdown)) from error
        # The formula's letters mean nothing to a full-text search, and the same words stand around it.
        # access.js makes the box reachable by keyboard on screens where the formula does not fit.
        return f'<div class="math" data-search-exclude>{mathml}</div>' if block else mathml

    return _MARKED.sub(replace, html)


def _explain(message: str, tex: str, *, page: str, markdown: str) -> str:
    """Word the error as ``page:line:`` what is wrong, the line of TeX, and a caret below the place."""
    tex = tex.strip()
    position, _, reason = message.partition(": ")
    # A message without a position would be a change in math-core: show it whole, and point at the start.
    offset, reason = (min(int(position), len(tex)), reason) if position.isdigit() else (0, message)
    row = tex.count("\n", 0, offset)
    column = offset - (tex.rfind("\n", 0, offset) + 1)

    first = _line_of(tex, markdown)
    where = f"{page}:{first + row}" if first else f"{page} (formula not in the page's own source)"
    line = tex.split("\n")[row]
    return f"{where}: cannot convert this formula: {reason}\n    {line}\n    {' ' * column}^"


def _line_of(tex: str, markdown: str) -> int | None:
    """Return the 1-based line at which the formula starts in the Markdown source, if it stands there.

    Lists, admonitions and quotes indent or prefix its lines, so white space and ``>`` may differ.
    """
    words = tex.split()
    if not words:
        return None
    match = re.search(r"[\s>]+".join(map(re.escape, words)), markdown)
    return markdown.count("\n", 0, match.start()) + 1 if match else None
