"""A bad page stops the build with its name and the line, and leaves the last good site in place."""

from __future__ import annotations

import pytest
from mini_checkout import PAGE

FENCE = "```"

# What is put in place of "by <% num("quick.word") %>" on line 7, and words the message must contain.
BAD = {
    "unknown number": ('<% num("quick.question") %>', ["page.md:7:", "no 'question' among ['answer', 'half', 'word']"]),
    "unknown example": ('<% num("slow.answer") %>', ["page.md:7:", "no example 'slow' has run", "['quick']"]),
    "unknown figure": (
        '<% figure("quick.other", alt="A straight line that rises from zero to forty-two.") %>',
        ["page.md:7:", "example 'quick' draws ['quick'], not 'other'"],
    ),
    "figure without alt text": ('<% figure("quick") %>', ["page.md:7:", "alt"]),
    "figure with an empty alt text": ('<% figure("quick", alt="line") %>', ["page.md:7:", "alt text must say what"]),
    "unknown macro": ('<% nun("quick.answer") %>', ["page.md:7:", "'nun' is undefined"]),
    "template never closed": ('<% num("quick.answer")', ["page.md:7:", "bad template"]),
    "wrong format": ('<% num("quick.word", ".3f") %>', ["page.md:7:", "format code 'f'"]),
    "not a table": ('<% table("quick.answer", {"a": "b"}, caption="c") %>', ["page.md:7:", "not a list of rows"]),
    "bad TeX": (r"$\frac{1}{$", ["page.md:7:", r"\frac{1}{"]),
    "unknown section": (
        f'\n\n{FENCE}python\n--8<-- "examples/page/quick.py:nowhere"\n{FENCE}\n',
        ["page.md:10:", "'examples/page/quick.py' has no section 'nowhere'"],
    ),
    "unknown file": (
        f'\n\n{FENCE}python\n--8<-- "examples/page/gone.py:run"\n{FENCE}\n',
        ["page.md:10:", "no file 'examples/page/gone.py'"],
    ),
    "typed Python": (f"\n\n{FENCE}python\nx = 1\n{FENCE}\n", ["page.md:10:", "Python is typed here"]),
    "broken link": ("[gone](gone.md)", ["page.md", "gone.md"]),
    "broken anchor": ("[gone](#gone)", ["page.md", "#gone"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_page_stops_the_build(built, case):
    text, expected = BAD[case]
    site = built.files("site")
    built.write("docs/page.md", PAGE.replace('by <% num("quick.word") %>', text))
    output = built.run("build", expect=1)
    for words in expected:
        assert words in output
    assert "Traceback" not in output
    assert built.files("site") == site


def test_missing_value_is_refused(built):
    """A run that diverged stores None; a sentence cannot print it, a table shows a dash."""
    script = built.root / "examples/page/quick.py"
    good = script.read_text(encoding="utf-8")
    built.example("quick", good.replace('"half": 0.5', '"half": None, "rows": [{"loss": None, "lr": 0.1}]'))
    built.write("docs/page.md", PAGE.replace('num("quick.word")', 'num("quick.half")'))
    assert "page.md:7: the run has no value here" in built.run("build", expect=1)
    table = '<% table("quick.rows", {"lr": ("lr", ".2f"), "loss": ("loss", ".1f")}, caption="c") %>'
    built.write("docs/page.md", PAGE + "\n" + table + "\n")
    built.run("build")
    assert '<td class="number">–</td>' in (built.root / "site/page/index.html").read_text(encoding="utf-8")
    built.example("quick", good)


def test_part_must_agree_with_the_nav(built):
    built.write("docs/page.md", PAGE.replace("title: Page", "title: Page\npart: 2"))
    assert "page.md:1: says part 2, the nav has it under ''" in built.run("build", expect=1)
    built.write("docs/page.md", PAGE)


def test_posts_must_count_up_in_the_nav(built):
    home = (built.root / "docs/index.md").read_text(encoding="utf-8")
    built.write("docs/index.md", "---\npart: 1\nnumber: 2\n---\n\n" + home)
    built.write("docs/page.md", PAGE.replace("title: Page", "title: Page\npart: 1\nnumber: 1"))
    assert "page.md:1: says number 1, but the nav has it after number 2" in built.run("build", expect=1)
    built.write("docs/index.md", home)
    built.write("docs/page.md", PAGE)


def test_folder_of_examples_without_a_page(built):
    stray = built.write("examples/nowhere/lost.py", (built.root / "examples/page/quick.py").read_text(encoding="utf-8"))
    assert "folders that are no page's name: ['nowhere']" in built.run("build", expect=1)
    stray.unlink()
