"""Every example runs at its quick size in a process of its own, as the build runs it.

But for the lab's scripts: tests/labs runs them so as the notebooks that readers take home.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from courseware.engine import run_apart, scripts
from courseware.example import is_lab

SCRIPTS = [script for script in scripts() if not is_lab(script)]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Two at a time: each test then only reads how its example ended."""
    out = tmp_path_factory.mktemp("quick")
    with ThreadPoolExecutor(2) as pool:
        yield {s: pool.submit(run_apart, s, out / s.parent.name / s.stem, quick=True) for s in SCRIPTS}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: f"{s.parent.name}/{s.stem}")
def test_quick_size(outcomes, script):
    assert script in outcomes[script].result()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: f"{s.parent.name}/{s.stem}")
def test_head_of_the_script(script):
    """A question, the command, how long it takes: what a reader who opens the file looks for."""
    text = script.read_text(encoding="utf-8")
    docstring = text.split('"""')[1]
    assert "?" in docstring.splitlines()[0]
    assert f"python examples/{script.parent.name}/{script.name}" in docstring
    assert "Takes" in docstring
