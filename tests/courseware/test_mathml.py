"""Formulas become MathML at build time, and a bad one is named by page, line and place."""

from __future__ import annotations

import pytest
from markdown import Markdown
from mkdocs.exceptions import PluginError

from courseware.mathml import MACROS, render_page, to_mathml


def page(markdown: str) -> str:
    """Return a page's HTML as the site makes it."""
    converter = Markdown(
        extensions=["admonition", "md_in_html", "pymdownx.arithmatex", "pymdownx.superfences", "tables"],
        extension_configs={"pymdownx.arithmatex": {"generic": True}},
    )
    return render_page(converter.convert(markdown), page="post.md", markdown=markdown)


def test_inline() -> None:
    assert page("so $x$ is") == "<p>so <math><mi>x</mi></math> is</p>"


def test_block() -> None:
    html = page("$$\n\\frac{a}{b}\n$$")
    assert html == (
        '<div class="math" data-search-exclude><math display="block"><mfrac><mi>a</mi><mi>b</mi></mfrac></math></div>'
    )


def test_signs_that_html_escapes() -> None:
    assert "<mo>&lt;</mo>" in page("$a < b$")
    assert page("$$\n\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}\n$$").count("<mtr>") == 2


@pytest.mark.parametrize(
    "markdown",
    [
        "- a list\n\n    $$\n    x_1\n    $$",
        "!!! note\n    inside $x_1$",
        "| a |\n|---|\n| $x_1$ |",
        '<figure markdown="block">\n<figcaption markdown>caption $x_1$</figcaption>\n</figure>',
    ],
)
def test_wherever_it_stands(markdown: str) -> None:
    html = page(markdown)
    assert "<msub><mi>x</mi><mn>1</mn></msub>" in html
    assert "arithmatex" not in html


@pytest.mark.parametrize("markdown", ["`$x$`", "```\n$x$\n```", '`<span class="arithmatex">\\(x\\)</span>`'])
def test_code_is_left_alone(markdown: str) -> None:
    assert "<math" not in page(markdown)


def test_html_without_formulas_is_untouched() -> None:
    html = "<p>costs $5, \\(not TeX\\)</p>"
    assert render_page(html, page="x.md", markdown="") == html


@pytest.mark.parametrize("name", MACROS)
def test_course_macros(name: str) -> None:
    assert "<m" in to_mathml(f"\\{name}{{x}}")


# --- bad formulas


def failure(markdown: str) -> str:
    with pytest.raises(PluginError) as caught:
        page(markdown)
    return str(caught.value)


def test_a_bad_formula_is_named() -> None:
    assert failure("# Title\n\nWell, $x + \\foo y$.") == (
        'post.md:3: cannot convert this formula: Unknown command "\\foo".\n    x + \\foo y\n        ^'
    )


def test_the_line_is_the_bad_one_of_many() -> None:
    message = failure("---\ntitle: x\n---\n$$\n\\begin{aligned}\na &= b \\\\\nc &= \\foo d\n\\end{aligned}\n$$")
    assert message.startswith("post.md:7: ")
    assert message.endswith("\n    c &= \\foo d\n         ^")


@pytest.mark.parametrize(
    "markdown",
    [
        "one\n\n- item\n\n    $$\n    a\n    + \\foo\n    $$",
        "one\n\ntwo\n\n> $$\n> a\n> + \\foo\n> $$",
        "one\n\n!!! note\n\n    $$\n    a\n    + \\foo\n    $$",
    ],
)
def test_the_line_is_found_behind_indents_and_quotes(markdown: str) -> None:
    assert failure(markdown).startswith("post.md:7: ")


def test_a_bad_formula_from_elsewhere_is_shown() -> None:
    # A docstring, shown by mkdocstrings, is not part of the page's own Markdown.
    with pytest.raises(PluginError, match=r"api\.md \(formula not in the page's own source\)(.|\n)*\\foo"):
        render_page('<span class="arithmatex">\\(\\foo\\)</span>', page="api.md", markdown="::: trainloop")


@pytest.mark.parametrize("tex", ["{", "\\frac{a}", "a & b", "\\begin{matrix} a"])
def test_other_mistakes(tex: str) -> None:
    assert failure(f"$$\n{tex}\n$$").startswith("post.md:2: cannot convert this formula: ")


def test_an_empty_formula_converts() -> None:
    assert render_page('<span class="arithmatex">\\(\\)</span>', page="x.md", markdown="") == "<math></math>"
