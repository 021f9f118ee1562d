"""From examples and pages to `site/`: what `make site` and `make serve` call."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from doit.tools import config_changed

from courseware import ROOT
from courseware.bindings import commit
from courseware.engine import TIME_LIMIT, BuildError, Progress, locked, run_examples, run_graph, told

SITE = ROOT / "site"

# Set for MkDocs when the examples are up to date and the lock is held: its hook has nothing to do then.
PREPARED = "COURSEWARE_PREPARED"

# Settings a page shows, beside its sources.
SETTINGS = ("REPO_URL", "SITE_URL")


def _inputs() -> list[str]:
    """Every file the site is made of."""
    folders = {
        "docs": "*",
        "theme": "*",
        "courseware": "*.py",
        "trainloop": "*.py",
        "examples": "*.py",
        "build/examples": "*",
    }
    files = [p for folder, pattern in folders.items() for p in (ROOT / folder).rglob(pattern)]
    return sorted(str(p) for p in [*files, ROOT / "mkdocs.yml"] if p.is_file() and "__pycache__" not in p.parts)


def _mkdocs(out: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    done = subprocess.run(
        [*command, "--config-file", str(ROOT / "mkdocs.yml"), "--site-dir", str(out)],
        env=os.environ | {PREPARED: "1", "NO_MKDOCS_2_WARNING": "1"},
        check=False,
    )
    if done.returncode:
        raise BuildError("the pages do not build; the lines above say where")


def _replace_site() -> None:
    """Build beside the old site, then put the new one in its place: readers of `site/` never see half of one."""
    workshop = Path(tempfile.mkdtemp(dir=ROOT / "build" / "tmp"))
    _mkdocs(workshop / "site")
    if SITE.exists():
        SITE.rename(workshop / "old")
    (workshop / "site").rename(SITE)
    shutil.rmtree(workshop / "old", ignore_errors=True)


def build(*, time_limit: float = TIME_LIMIT) -> dict[str, Any]:
    """Bring `site/` up to date; return how many examples ran, whether pages were built, and the seconds.

    Raises:
        BuildError: the message says what to mend; `site/` is then the last good one.
    """
    started = time.perf_counter()
    with locked():
        ran = run_examples(time_limit=time_limit)
        examples_seconds = time.perf_counter() - started

        def task_site() -> Iterator[dict[str, Any]]:
            yield {
                "name": "pages",
                "actions": [told(_replace_site)],
                "file_dep": _inputs(),
                "targets": [str(SITE / "index.html")],
                "uptodate": [config_changed({"commit": commit()} | {k: os.environ.get(k, "") for k in SETTINGS})],
                "io": {"capture": False},
            }

        progress = Progress()
        run_graph({"task_site": task_site}, progress, processes=0)
    total = time.perf_counter() - started
    return {
        "examples_run": ran,
        "examples_seconds": examples_seconds,
        "pages_built": bool(progress.ran),
        "pages_seconds": total - examples_seconds,
        "seconds": total,
    }


def serve(address: str) -> int:
    """Serve the site, rebuilding what an edit to pages, examples or package touches."""
    command = [sys.executable, "-m", "mkdocs", "serve", "--strict", "--livereload", "--dev-addr", address]
    for folder in ("examples", "trainloop", "theme"):
        command += ["--watch", str(ROOT / folder)]
    try:
        return subprocess.run(command, cwd=ROOT, check=False).returncode
    except KeyboardInterrupt:
        return 0
