"""The page of each optimizer shows the formula that its tests run."""

import inspect
import re

import pytest
from formulas import FORMULAS

from courseware.mathml import to_mathml


@pytest.mark.parametrize("rule", FORMULAS)
def test_the_page_shows_the_formula_of_the_docstring(site, rule):
    page = (site / "optimizers" / rule / "index.html").read_text(encoding="utf-8")
    displays = re.findall(r"\$\$(.+?)\$\$", inspect.getdoc(FORMULAS[rule].optimizer), flags=re.DOTALL)
    assert displays
    for display in displays:
        assert to_mathml(display, block=True) in page
