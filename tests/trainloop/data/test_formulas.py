"""The formulas in the docstrings convert."""

import re
from pathlib import Path

import math_core
import pytest

from trainloop.data import points, signals


@pytest.mark.parametrize("module", [points, signals], ids=lambda module: module.__name__)
def test_formulas_convert(module):
    converter = math_core.LatexToMathML()
    formulas = re.findall(r"\$\$(.+?)\$\$|\$([^$]+)\$", Path(module.__file__).read_text("utf-8"), flags=re.DOTALL)
    assert formulas
    for display, inline in formulas:
        converter.convert_with_local_state(display or inline, displaystyle=bool(display))
