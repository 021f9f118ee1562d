"""What every scheduler file has: its source, its cadence, a function, a class, sections for the pages."""

import re
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest

import trainloop.schedulers
from trainloop.schedulers._warmup import WarmupScheduler

COMPOSED = {"ChainedScheduler", "SequentialLR", "ReduceLROnPlateau"}  # not a function of the step alone


@pytest.fixture(params=trainloop.schedulers.__all__)
def scheduler(request):
    return getattr(trainloop.schedulers, request.param)


def source_of(scheduler: type) -> str:
    return Path(import_module(scheduler.__module__).__file__).read_text(encoding="utf-8")


def test_module_names_its_source_and_its_cadence(scheduler):
    text = import_module(scheduler.__module__).__doc__
    assert text.startswith(scheduler.__name__ + ": ")
    assert "https://" in text
    assert re.search(r"\b(update|epoch|cadence)", text)


def test_class_docstring_is_complete(scheduler):
    for part in ("Args:", "Raises:", "Differs from torch.optim.lr_scheduler:", "Examples:", ">>> "):
        assert part in scheduler.__doc__, part


def test_function_has_the_files_name(scheduler):
    module = import_module(scheduler.__module__)
    assert scheduler.__name__ in module.__all__
    if scheduler.__name__ not in COMPOSED:
        function = getattr(module, module.__name__.rpartition(".")[2])
        assert function.__name__ in module.__all__
        for part in ("$$", "Args:", "Raises:", "Examples:", ">>> "):
            assert part in function.__doc__, part


def test_formulas_convert(scheduler):
    converter = pytest.importorskip("math_core").LatexToMathML()
    formulas = re.findall(r"\$\$(.+?)\$\$|\$([^$]+)\$", source_of(scheduler), flags=re.DOTALL)
    assert formulas or scheduler.__name__ in COMPOSED
    for display, inline in formulas:
        converter.convert_with_local_state(display or inline, displaystyle=bool(display))


def sections_of(scheduler: type) -> dict[str, str]:
    """What pages can show of a class's file, by name."""
    marked = r" *# --8<-- \[start:(\w+)\]\n(.*?)\n *# --8<-- \[end:\1\]"
    return dict(re.findall(marked, source_of(scheduler), flags=re.DOTALL))


def test_sections_fit_a_page(scheduler):
    sections = sections_of(scheduler)
    if scheduler.__name__ not in COMPOSED:
        assert "schedule" in sections
        if issubclass(scheduler, WarmupScheduler):  # one recursion for all of them
            sections |= sections_of(WarmupScheduler)
        assert "recursion" in sections
    for section, text in sections.items():
        lines = dedent(text).strip().splitlines()
        assert len(lines) <= 25, section
        assert max(map(len, lines)) <= 74, section
