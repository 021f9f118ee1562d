"""Docstrings: their examples run, their formulas convert, the sections pages include are short."""

import ast
import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest
import torch

import trainloop

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(trainloop.__path__, "trainloop.")
    if module.name != "trainloop.figures"  # needs matplotlib, and has tests of its own
)
RULES = [name for name in MODULES if re.fullmatch(r"trainloop\.optim\.[a-z]\w*", name)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.FAIL_FAST)
    assert result.failed == 0


def source_of(name: str) -> str:
    return Path(importlib.import_module(name).__file__).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MODULES)
def test_formulas_convert(name):
    converter = pytest.importorskip("math_core").LatexToMathML()
    statements = (node.value for node in ast.walk(ast.parse(source_of(name))) if isinstance(node, ast.Expr))
    docstrings = [x.value for x in statements if isinstance(x, ast.Constant) and isinstance(x.value, str)]
    for display, inline in re.findall(r"\$\$(.+?)\$\$|\$([^$]+)\$", "\n".join(docstrings), flags=re.DOTALL):
        converter.convert_with_local_state(display or inline, displaystyle=bool(display))


@pytest.mark.parametrize("name", RULES)
def test_rule_file_shows_its_example_and_names_its_source(name):
    module = importlib.import_module(name)
    (rule,) = (getattr(module, exported) for exported in module.__all__)
    assert "https://" in module.__doc__
    differs = "Differs from torch.optim:" if hasattr(torch.optim, rule.__name__) else "Differs from the paper:"
    for part in ("$$", "Args:", "Raises:", differs, "Examples:", ">>> "):
        assert part in rule.__doc__, part


@pytest.mark.parametrize(
    ("name", "sections"),
    [
        ("trainloop.optim._base", {"step"}),
        ("trainloop.loop", {"step", "epoch", "evaluate"}),
        ("trainloop.window", {"accumulate", "window", "step", "closure"}),
        ("trainloop.fit", {"fit", "update", "end_epoch"}),
        ("trainloop.run", {"evaluation_weights"}),
        ("trainloop.averaging", {"update", "kept", "batchnorm"}),
        ("trainloop.checkpoint", {"save"}),
        ("trainloop.sampler", {"shuffled"}),
        ("trainloop.data_order", {"begin_at"}),
        ("trainloop.callbacks", {"early_stopping"}),
        *((name, {"state", "update"}) for name in RULES),
    ],
)
def test_sections_that_pages_include(name, sections):
    marked = r"# --8<-- \[start:(\w+)\]\n(.*?)\n *# --8<-- \[end:\1\]"
    found = re.findall(marked, source_of(name), flags=re.DOTALL)
    assert {section for section, _ in found} >= sections
    for section, text in found:
        assert len(text.strip().splitlines()) <= 25, section
