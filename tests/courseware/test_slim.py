"""Pages ask for what they use."""

from __future__ import annotations

from courseware import ROOT
from courseware.slim import NEEDED_BY, without_unused

ASSETS = (
    '<link rel="stylesheet" href="../assets/stylesheets/main.min.css">'
    '<link rel="stylesheet" href="../assets/_mkdocstrings.css">'
    '<link rel="stylesheet" href="../assets/course.css">'
    '<script src="../assets/chooser.js" type="module"></script>'
    '<script src="../assets/quiz.js" type="module"></script>'
    '<script src="../assets/sortable.js" type="module"></script>'
    '<script src="../assets/stepper.js" type="module"></script>'
    '<script src="../assets/terms.js" type="module"></script>'
    '<script src="../assets/access.js" type="module"></script>'
)


def test_a_plain_page_keeps_what_every_page_needs():
    html = without_unused(ASSETS)
    assert all(name not in html for name in NEEDED_BY)
    assert all(name in html for name in ("main.min.css", "course.css", "access.js"))


def test_a_page_keeps_what_it_uses():
    for name, mark in NEEDED_BY.items():
        html = without_unused(f"{ASSETS}<p {mark}>")
        assert [other for other in NEEDED_BY if other in html] == [name]


def test_the_marks_are_those_of_the_pages():
    """Each script looks for what the mark stands for."""
    theme = ROOT / "theme" / "assets"
    assert "form[data-quiz]" in (theme / "quiz.js").read_text(encoding="utf-8")
    assert "figure.stepper" in (theme / "stepper.js").read_text(encoding="utf-8")
    assert "a.term" in (theme / "terms.js").read_text(encoding="utf-8")
    assert "table[data-sortable]" in (theme / "sortable.js").read_text(encoding="utf-8")
