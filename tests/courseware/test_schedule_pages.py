"""One page per schedule: every file has one, and each says what its file, its entry and its runs say."""

from __future__ import annotations

import inspect
import re

import pytest
import yaml

import trainloop.schedulers
from courseware import ROOT, schedule_pages
from courseware.bindings import document
from courseware.engine import run_examples
from courseware.source_pages import PageError

ENTRIES = {entry["schedule"]: entry for entry in schedule_pages.entries()}
CLASSES = {
    cls.__module__.rpartition(".")[2]: cls
    for cls in (getattr(trainloop.schedulers, name) for name in trainloop.schedulers.__all__)
}


@pytest.fixture(scope="module")
def pages():
    run_examples()
    return schedule_pages.pages()


def page_of(pages, stem):
    return pages[f"schedules/{schedule_pages.slug_of(stem)}.md"]


def test_every_schedule_has_an_entry_a_page_and_a_place_in_the_nav(pages):
    assert set(ENTRIES) == set(CLASSES)
    slugs = [schedule_pages.slug_of(stem) for stem in ENTRIES]
    assert set(pages) == {f"schedules/{slug}.md" for slug in slugs}
    nav = re.findall(r"(\w+): schedules/([\w-]+)\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert nav[0][1] == "index"
    assert nav[1:] == [(cls.__name__, schedule_pages.slug_of(stem)) for stem, cls in in_order()]


def in_order():
    return [(stem, CLASSES[stem]) for stem in ENTRIES]


def test_the_api_page_lists_them_all_and_shows_none():
    text = (ROOT / "docs" / "api" / "schedulers.md").read_text(encoding="utf-8")
    listed = re.findall(r"^- \[(\w+)\]\(\.\./schedules/([\w-]+)\.md\)$", text, re.MULTILINE)
    assert sorted(listed) == sorted((cls.__name__, schedule_pages.slug_of(stem)) for stem, cls in in_order())
    assert re.findall(r"^::: (.+)$", text, re.MULTILINE) == ["trainloop.schedulers._base.Scheduler"]


@pytest.mark.parametrize("stem", ENTRIES)
def test_the_page_shows_rule_code_and_curve(pages, stem):
    text = page_of(pages, stem)
    name = CLASSES[stem].__name__
    assert f"# {name}\n" in text
    shown = re.findall(r"^::: (\S+)$", text, re.MULTILINE)
    assert {f"trainloop.schedulers.{stem}.{stem}", f"trainloop.schedulers.{stem}.{name}"} <= set(shown)
    assert f'figure("schedules/curves.{stem}"' in text
    assert "https://" in text.partition("## Sources")[2]
    assert re.search(r"^Made (for|to be) .*(update|epoch|cadence)", text, re.MULTILINE)


@pytest.mark.parametrize("stem", ENTRIES)
def test_listings_are_code_of_the_rule(pages, stem):
    for path, place in re.findall(r'--8<-- "([^":]+):(.+)"', page_of(pages, stem)):
        source = (ROOT / path).read_text(encoding="utf-8")
        if place.isidentifier():
            assert f"[start:{place}]" in source
            continue
        lines = source.splitlines()
        parts = [lines[int(first) - 1 : int(last)] for first, last in re.findall(r"(\d+):(\d+)", place)]
        code = "\n".join(line for part in parts for line in part)
        assert code.startswith("def ")
        assert "check" not in code.splitlines()[0]
        assert '"""' not in code
        compile(code, path, "exec")


@pytest.mark.parametrize("stem", ENTRIES)
def test_every_option_of_the_class_has_its_advice_and_no_other(stem):
    parameters = set(inspect.signature(CLASSES[stem]).parameters) - {"optimizer", "last_epoch"}
    if stem == "chained_scheduler":
        parameters.add("optimizer")  # the last of its options, and optional
    assert set(ENTRIES[stem]["options"]) == parameters


@pytest.mark.parametrize("stem", ENTRIES)
def test_the_cadence_is_the_docstrings(pages, stem):
    cadence = schedule_pages.read(ROOT / "trainloop" / "schedulers" / f"{stem}.py").cadence
    words = {
        "step": "stepped once per update",
        "epoch": "stepped once per epoch",
        "step or epoch": "any cadence",
        "metric, per epoch": "once per measurement",
    }
    said = document("schedules", "facts")["results"]["schedules"][stem]["cadence"]
    if stem != "cosine_annealing_warm_restarts":  # made for both, and says so in a longer sentence
        assert words[said] in cadence


def bad_checkout(tmp_path, monkeypatch, text):
    file = tmp_path / "docs" / "schedules" / "schedules.yml"
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    (tmp_path / "trainloop").symlink_to(ROOT / "trainloop")
    monkeypatch.setattr(schedule_pages, "ROOT", tmp_path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda entry: entry.pop("traps"), "'step_lr' has the keys"),
        (lambda entry: entry.update(schedule="step"), "no trainloop/schedulers/step.py"),
    ],
)
def test_a_bad_entry_is_named(tmp_path, monkeypatch, change, complaint):
    entry = dict(ENTRIES["step_lr"])
    change(entry)
    bad_checkout(tmp_path, monkeypatch, yaml.safe_dump([entry]))
    with pytest.raises(PageError, match=complaint):
        schedule_pages.entries()


SOURCE = '''"""StepLR: drops.

{docstring}
"""

__all__ = ["StepLR", "{function}"]


def {function}(step):
    # --8<-- [start:{section}]
    return step
    # --8<-- [end:{section}]


class StepLR:
    # --8<-- [start:recursion]
    pass
    # --8<-- [end:recursion]
'''
CADENCE = "Made to be stepped once per epoch."


@pytest.mark.parametrize(
    ("docstring", "function", "section", "complaint"),
    [
        (CADENCE, "step_lr", "schedule", "names no source"),
        ("https://example.org", "step_lr", "schedule", 'no paragraph "Made'),
        (f"https://example.org\n\n{CADENCE}", "drops", "schedule", "no function step_lr"),
        (f"https://example.org\n\n{CADENCE}", "step_lr", "rule", "no section 'schedule'"),
    ],
)
def test_a_file_that_gives_no_page(tmp_path, docstring, function, section, complaint):
    path = tmp_path / "step_lr.py"
    path.write_text(SOURCE.format(docstring=docstring, function=function, section=section), encoding="utf-8")
    with pytest.raises(PageError, match=complaint):
        schedule_pages.read(path)


def test_a_recursion_that_is_nowhere(tmp_path):
    path = tmp_path / "step_lr.py"
    whole = SOURCE.format(docstring=f"https://example.org\n\n{CADENCE}", function="step_lr", section="schedule")
    path.write_text(whole.replace("recursion", "rule"), encoding="utf-8")
    with pytest.raises(PageError, match="no section 'recursion'"):
        schedule_pages.read(path)
