"""The quick reference: its formulas are the docstrings', its runs say what the page says."""

from __future__ import annotations

import inspect
import math
import re

import pytest
from examples_of import ExamplesOf
from formulas import FORMULAS
from formulas._formula import displayed, squeeze

from courseware import ROOT

results = ExamplesOf("quick-reference").results

PAGE = ROOT / "docs" / "quick-reference.md"
ROW = re.compile(r"^\| \[[^\]]+\]\(optimizers/(?P<rule>\w+)\.md\) \| (?P<line>.+?) \| <% optimizer\(", re.MULTILINE)
CASES = re.compile(r"\\begin\{cases\}(.*?)\\end\{cases\}")


# --- The formulas


def said(rule):
    """What the docstring's formula says: its lines, their parts, and a line for each of its cases."""
    for line in displayed(inspect.getdoc(FORMULAS[rule].optimizer)):
        for part in re.split(r",? \\qquad ", line):
            cases = CASES.search(part)
            if cases is None:
                yield part
            for case in cases[1].split(r"\\") if cases else ():
                yield squeeze(part.replace(cases[0], case.partition("&")[0]))


ROWS = {match["rule"]: match["line"] for match in ROW.finditer(PAGE.read_text(encoding="utf-8"))}


def test_every_rule_has_a_line():
    assert set(ROWS) == set(FORMULAS)


@pytest.mark.parametrize("rule", FORMULAS)
def test_the_line_is_the_docstrings(rule):
    formulas = [squeeze(tex) for tex in re.findall(r"\$([^$]+)\$", ROWS[rule])]
    equations = [tex for tex in formulas if "=" in tex or r"\leftarrow" in tex]
    assert equations
    assert not set(equations) - set(said(rule))


def test_a_changed_line_would_be_found():
    (line,) = re.findall(r"\$(\\theta_t[^$]+)\$", ROWS["adamw"])
    assert squeeze(line) in set(said("adamw"))
    assert squeeze(line.replace("1 -", "1 +")) not in set(said("adamw"))
    assert r"b_t = \mu\,b_{t-1} + (1 - \tau)\,g_t" in set(said("sgd"))


# --- The runs


def test_the_loop_learns_and_its_rate_follows_the_plan():
    found = results("training_step")
    assert found["first_loss"] == pytest.approx(math.log(10), abs=0.15)
    assert found["last_loss"] < 0.5
    assert found["accuracy"] > 0.9
    assert found["peak_rate"] == pytest.approx(3e-3)
    assert found["first_rate"] < 0.2 * found["peak_rate"]
    assert found["last_rate"] < 1e-3 * found["peak_rate"]


def test_each_mistake_shows_in_every_seed():
    found = results("mistakes")
    assert found["seeds"] >= 5
    assert found["clip_first"]["right"]["highest"] <= 1.001 * found["bound"]
    assert found["clip_first"]["wrong"]["lowest"] > 2 * found["bound"]
    assert found["once_an_epoch"]["right"]["lowest"] > 0.99 * found["peak"]
    assert found["once_an_epoch"]["wrong"]["highest"] < 0.1 * found["peak"]
    assert found["softmax_twice"]["wrong"]["lowest"] > found["softmax_floor"] > 1.4
    assert found["softmax_twice"]["right"]["highest"] < 0.3
    assert found["no_eval"]["wrong"]["highest"] < found["no_eval"]["right"]["lowest"]


def test_the_schedules_are_drawn_from_one_top_rate():
    found = results("schedules")
    assert len(found) == 12
    for name, rates in found.items():
        assert max(rates) == pytest.approx(1.0, abs=0.02), name
        assert min(rates) >= 0 and len(set(rates)) > 2, name


def test_the_solutions_do_what_they_promise():
    found = results("practice")
    assert found["accumulation_error"] < 1e-15
    assert found["sgd_first"] == {"small": pytest.approx(-1e-4), "large": pytest.approx(-100.0)}
    assert found["adam_first"]["small"] == pytest.approx(-0.1, rel=1e-4)
    assert found["adam_first"]["large"] == pytest.approx(-0.1, rel=1e-9)
    assert (found["at_the_top"], found["rates"][0], found["rates"][5]) == (1, 0.1, 1.0)
