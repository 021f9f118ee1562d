"""The bibliography: what its file must look like, what a citation reads, what the page lists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mkdocs.exceptions import PluginError

from courseware import ROOT
from courseware.bindings import BindingError, Bindings, render
from courseware.citations import SOURCE, Bibliography, plain, read
from courseware.take_home import TakenHome

FOUR = """@inproceedings{averkamp2019deep,
  author = {Averkamp, Zoë and Baader, Franz},
  title = {Deep {GP}s and the "Edge" of <Chaos>},
  booktitle = {Conf},
  year = {2019},
  url = {https://example.org/deep},
}

@misc{lab2024we,
  author = {{The Small Lab} and van den Berg, Rianne and Kolter, J. Zico},
  title = {We Measure},
  year = {2024},
  url = {https://example.org/measure},
}

@article{orsted2001a,
  author = {Örsted, Hans and others},
  title = {A Needle},
  journal = {Anna},
  year = {2001},
  url = {https://example.org/needle},
}

@misc{zorn1935zorn,
  author = {Zorn, Max},
  title = {Zorn},
  year = {1935},
  url = {https://example.org/zorn},
}
""".replace("lab2024we", "thesmalllab2024we")
KEYS = ["averkamp2019deep", "orsted2001a", "thesmalllab2024we", "zorn1935zorn"]


def ordered(text: str) -> str:
    """The entries by their keys."""
    return "\n".join(sorted(re.findall(r"@.*?\n}\n", text, re.DOTALL), key=lambda entry: entry.partition("{")[2]))


def write(folder: Path, text: str) -> Path:
    (folder / SOURCE).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def bibliography(tmp_path: Path) -> Bibliography:
    return read(write(tmp_path, ordered(FOUR)))


def complaints(folder: Path, text: str) -> str:
    with pytest.raises(PluginError) as error:
        read(write(folder, text))
    return str(error.value)


# --- the course's own


def test_the_course_has_no_paper_twice_and_cites_by_one_key() -> None:
    references = read(ROOT / "docs").references
    assert len(references) >= 50
    titles = [plain(reference.title) for reference in references.values()]
    assert len(set(titles)) == len(titles)


def test_keys_are_author_year_and_first_word() -> None:
    for reference in read(ROOT / "docs").references.values():
        word = re.sub(
            r"[^a-z0-9 ]", "", plain(reference.title).replace("-", " " if reference.title[0].isalpha() else "")
        )
        assert reference.key.endswith(reference.year + word.split()[0]), reference.key


# --- reading


def test_no_file_no_references(tmp_path: Path) -> None:
    assert read(tmp_path).references == {}


def test_fields(bibliography: Bibliography) -> None:
    assert list(bibliography.references) == KEYS
    deep = bibliography.references["averkamp2019deep"]
    assert deep.title == 'Deep GPs and the "Edge" of <Chaos>'
    assert deep.authors == (("Zoë", "Averkamp"), ("Franz", "Baader"))
    assert (deep.venue, deep.year, deep.line) == ("Conf", "2019", 1)


@pytest.mark.parametrize(
    ("key", "label", "entry"),
    [
        (
            "averkamp2019deep",
            "Averkamp and Baader (2019)",
            'Zoë Averkamp and Franz Baader. [Deep GPs and the "Edge" of <Chaos>](https://example.org/deep). '
            "Conf, 2019.",
        ),
        (
            "orsted2001a",
            "Örsted et al. (2001)",
            "Hans Örsted et al. [A Needle](https://example.org/needle). Anna, 2001.",
        ),
        (
            "thesmalllab2024we",
            "The Small Lab et al. (2024)",
            "The Small Lab, Rianne van den Berg and J. Zico Kolter. [We Measure](https://example.org/measure). 2024.",
        ),
        ("zorn1935zorn", "Zorn (1935)", "Max Zorn. [Zorn](https://example.org/zorn). 1935."),
    ],
)
def test_one_two_three_authors_a_group_and_others(bibliography: Bibliography, key: str, label: str, entry: str) -> None:
    reference = bibliography.references[key]
    assert (reference.label, reference.entry) == (label, entry)


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("  year = {1935},\n", "", "'zorn1935zorn' lacks year"),
        ("  author = {Zorn, Max},\n  title = {Zorn},\n", "", "'zorn1935zorn' lacks author, title"),
        ("title = {Zorn}", "title = {}", "'zorn1935zorn' lacks title"),
        ("year = {1935}", "year = {1936}", "does not begin with first author and year, 'zorn1936'"),
        ("year = {1935}", "year = {in press}", "has the year 'in press', which is no year"),
        ("{Zorn, Max}", "{Thorn, Max}", "does not begin with first author and year, 'thorn1935'"),
        ("{Zorn, Max}", "{others}", "names no author"),
        ("https://example.org/zorn", "http://example.org/zorn", "'http://example.org/zorn', which is not https"),
        ("https://example.org/zorn", "https://example.org/needle", "'zorn1935zorn' has the address of 'orsted2001a'"),
        ("title = {Zorn},", "title = {Zorn", "not BibTeX"),
        ("title = {Zorn}", r"title = {Zorn \& Co}", "has TeX where the page shows plain characters"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, before: str, after: str, complaint: str) -> None:
    text = ordered(FOUR)
    assert before in text
    line = text.count("\n", 0, text.index("@misc{zorn")) + 1
    assert f"docs/{SOURCE}:{line}: " in (said := complaints(tmp_path, text.replace(before, after)))
    assert complaint in said


def test_entries_out_of_order(tmp_path: Path) -> None:
    first, *rest = re.findall(r"@.*?\n}\n", ordered(FOUR), re.DOTALL)
    said = complaints(tmp_path, "".join([*rest, first]))
    assert said == f"docs/{SOURCE}:20: 'averkamp2019deep' is out of the order of the alphabet"


def test_a_key_twice(tmp_path: Path) -> None:
    text = ordered(FOUR)
    again = text[text.index("@misc{zorn") :].replace("org/zorn", "org/again")
    line = text.count("\n") + 2
    assert complaints(tmp_path, f"{text}\n{again}") == f"docs/{SOURCE}:{line}: 'zorn1935zorn' is there twice"


def test_all_complaints_come_at_once(tmp_path: Path) -> None:
    text = ordered(FOUR).replace("https://example.org/z", "http://example.org/z").replace("  year = {2019},\n", "")
    assert len(complaints(tmp_path, text).splitlines()) == 2


# --- citing


def bound(bibliography: Bibliography) -> Bindings:
    return Bindings("page", "chapter/page/", references=bibliography)


def test_a_citation_links_to_its_entry(bibliography: Bibliography) -> None:
    html = render('See <% cite("averkamp2019deep") %>.', bound(bibliography), page="page.md")
    assert html == (
        'See <a class="cite" href="../../bibliography/#averkamp2019deep" '
        'title="Deep GPs and the &quot;Edge&quot; of &lt;Chaos&gt;">Averkamp and Baader (2019)</a>.'
    )


def test_a_citation_in_words_of_the_page(bibliography: Bibliography) -> None:
    html = render('<% cite("zorn1935zorn", "his <lemma>") %>', bound(bibliography), page="page.md")
    assert html.endswith(">his &lt;lemma&gt;</a>")


def test_an_unknown_key_names_page_and_line(bibliography: Bibliography) -> None:
    with pytest.raises(PluginError, match=r"^page\.md:3: .*docs/references\.bib has no 'zorn1936'"):
        render('# Title\n\n<% cite("zorn1936") %>', bound(bibliography), page="page.md")


def test_the_notebook_to_take_home_links_to_the_paper(bibliography: Bibliography) -> None:
    home = TakenHome("labs", "", references=bibliography, lab="line")
    assert home.cite("zorn1935zorn") == "[Zorn (1935)](https://example.org/zorn)"
    assert home.cite("zorn1935zorn", "lemma") == "[lemma](https://example.org/zorn)"
    with pytest.raises(BindingError, match="has no 'nobody'"):
        home.cite("nobody")


# --- the page


def pages(*cited: str) -> list[tuple[str, str, str]]:
    calls = [f'<% cite("{key}") %> <% cite("{key}", "again") %>' for key in cited]
    return [("One", "one.md", "\n".join(calls)), ("Two", "two.md", f"<% cite('{cited[0]}') %>")]


def test_entries_that_no_page_cites(bibliography: Bibliography) -> None:
    with pytest.raises(PluginError) as error:
        bibliography.note_uses(pages("averkamp2019deep"))
    assert str(error.value).splitlines() == [
        f"docs/{SOURCE}:9: no page cites 'orsted2001a'",
        f"docs/{SOURCE}:17: no page cites 'thesmalllab2024we'",
        f"docs/{SOURCE}:24: no page cites 'zorn1935zorn'",
    ]


def test_the_listing_has_every_entry_once_and_who_cites_it(bibliography: Bibliography) -> None:
    bibliography.note_uses(pages(*KEYS))
    bibliography.note_uses(pages(*KEYS))  # mkdocs serve reads the pages again
    text = bibliography.listing()
    assert text.startswith("[A](#a) · [O](#o) · [T](#t) · [Z](#z)\n\n## A {#a}\n\nZoë Averkamp")
    assert re.findall(r"^\{#(\w+)\}$", text, re.MULTILINE) == KEYS
    assert text.count("On: [One](one.md), [Two](two.md).") == 1
    assert text.count("On: [One](one.md).") == 3
