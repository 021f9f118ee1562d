"""The API reference: everything public is on a page, and every page's module exists."""

import importlib
import pkgutil
import re

import pytest

import trainloop
from courseware import ROOT, rule_pages, schedule_pages

PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "api").glob("*.md"))}
SHOWN = {name for text in PAGES.values() for name in re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE)}
# The optimizers' own pages show them (tests/courseware/test_rule_pages.py).
RULES = [ROOT / "trainloop" / "optim" / f"{entry['rule']}.py" for entry in rule_pages.entries()]
SHOWN |= {f"trainloop.optim.{path.stem}.{rule_pages.read(path).cls}" for path in RULES}
# And those of the schedules (tests/courseware/test_schedule_pages.py).
SCHEDULES = [ROOT / "trainloop" / "schedulers" / f"{entry['schedule']}.py" for entry in schedule_pages.entries()]
SHOWN |= {
    f"trainloop.schedulers.{path.stem}.{name}" for path in SCHEDULES for name in schedule_pages.read(path).documented
}
MODULES = [
    module.name
    for module in pkgutil.walk_packages(trainloop.__path__, "trainloop.")
    if not module.name.rpartition(".")[2].startswith("_")
]


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_on_a_page(name):
    # A module is shown whole, or by its parts; a package by its modules.
    module = importlib.import_module(name)
    if name in SHOWN or hasattr(module, "__path__"):
        return
    missing = [public for public in module.__all__ if f"{name}.{public}" not in SHOWN]
    assert not missing, f"no page of docs/api shows {', '.join(missing)} of {name}"


@pytest.mark.parametrize("page", sorted(set(PAGES) - {"index"}))
def test_index_links_every_page(page):
    assert f"]({page}.md)" in PAGES["index"]
