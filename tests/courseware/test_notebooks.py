"""Every example as its readers take it home: it must run where there is no checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from courseware import ROOT
from courseware.engine import scripts
from courseware.example import is_lab
from courseware.notebooks import DownloadError, notebook, standalone

SCRIPTS = [script for script in scripts() if not is_lab(script)]
NAMES = [f"{script.parent.name}/{script.stem}" for script in SCRIPTS]


@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_downloads_hold_the_whole_example(script):
    source = script.read_text(encoding="utf-8")
    alone = standalone(source, script.parent)
    assert "courseware" not in alone
    assert "8<--" not in alone
    compile(alone, script.name, "exec")
    book = nbformat.reads(notebook(source, script.parent, name=script.stem), as_version=4)
    code = "\n\n".join(cell.source for cell in book.cells if cell.cell_type == "code")
    compile(code, script.name, "exec")
    # Nothing but the `__main__` block and the docstring is lost on the way.
    for line in alone.partition('if __name__ == "__main__"')[0].split('"""', 2)[2].splitlines():
        assert line in code
    assert book.cells[0].source.startswith("# ")
    assert not any(cell.get("outputs") for cell in book.cells)


@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_downloads_need_no_script_beside_them(script, monkeypatch):
    alone = standalone(script.read_text(encoding="utf-8"), script.parent)
    for sibling in script.parent.glob("*.py"):
        monkeypatch.setitem(sys.modules, sibling.stem, None)  # cannot be imported
    module = types.ModuleType("alone")
    monkeypatch.setitem(sys.modules, "alone", module)  # where dataclasses look their module up
    module.__file__ = str(script)
    exec(compile(alone, script.name, "exec"), module.__dict__)
    assert callable(module.run)


def test_what_is_taken_from_a_sibling(tmp_path):
    (tmp_path / "one.py").write_text(
        "import math\nimport os\n\nSIZE = 3\nOTHER = 4\n\n\n"
        "def half(x):\n    return x / 2\n\n\ndef area():\n    return math.pi * half(SIZE)\n",
        encoding="utf-8",
    )
    source = 'from one import area\n\n\ndef run():\n    return area()\n\n\nif __name__ == "__main__":\n    run()\n'
    alone = standalone(source, tmp_path)
    names: dict[str, object] = {"__name__": "two"}
    exec(alone, names)
    assert names["run"]() == pytest.approx(1.5 * 3.14159265)
    assert "OTHER" not in alone and "import os" not in alone and "from one" not in alone
    with pytest.raises(DownloadError, match="volume"):
        standalone(source.replace("area", "volume"), tmp_path)


def example(name: str) -> tuple[str, Path]:
    script = next(s for s in SCRIPTS if s.stem == name)
    return script.read_text(encoding="utf-8"), script.parent


def test_standalone_script_runs_without_the_checkout(tmp_path):
    """Only the package and matplotlib: `courseware` cannot be imported where it runs."""
    (tmp_path / "trainloop").symlink_to(ROOT / "trainloop")
    script = tmp_path / "units.py"
    script.write_text(standalone(*example("units")), encoding="utf-8")
    probe = "import sys, runpy; sys.modules['courseware'] = None; runpy.run_path('units.py', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", probe],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "adam_shift" in done.stdout


def test_notebook_runs_in_a_kernel(tmp_path):
    book = nbformat.reads(notebook(*example("first_step"), name="first_step"), as_version=4)
    NotebookClient(book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2


def test_notebook_is_reproducible_and_installs_only_with_a_repository():
    source, folder = example("convergence")
    assert notebook(source, folder, name="x") == notebook(source, folder, name="x")
    plain = json.loads(notebook(source, folder, name="x"))
    linked = json.loads(notebook(source, folder, name="x", repo_url="https://github.com/owner/course"))
    assert len(linked["cells"]) == len(plain["cells"]) + 1
    assert "git+https://github.com/owner/course" in "".join(linked["cells"][1]["source"])


def test_script_without_main_block_is_refused(tmp_path):
    with pytest.raises(DownloadError, match="__main__"):
        standalone('"""A question?"""\n\nx = 1\n', tmp_path)
