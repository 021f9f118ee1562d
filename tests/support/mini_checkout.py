"""A small checkout of the course in a temporary folder, built by the real command line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from courseware import ROOT

QUICK = """\"\"\"Does the build run me?\"\"\"

import matplotlib.pyplot as plt

from trainloop.optim import SGD


def run(quick=False):
    return {"answer": 42, "half": 0.5, "word": SGD.__name__}


def draw(results):
    figure, ax = plt.subplots()
    ax.plot([0, results["answer"]])
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
"""

PAGE = """---
title: Page
---

# Page

The answer is <% num("quick.answer") %>, by <% num("quick.word") %>, in $x^2$.

<% figure("quick", alt="A straight line that rises from zero to forty-two.") %>
"""

NAV = """
nav:
  - Home: index.md
  - Page: page.md
"""


@dataclass
class Checkout:
    """A checkout in `root`; `run` calls the course's command line in it."""

    root: Path

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "courseware", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        waiting = {"COURSEWARE_WAIT": "0"}
        return {**os.environ, **waiting, "PYTHONPATH": str(self.root), "NO_COLOR": "1"}

    def run(self, *arguments: str, expect: int = 0) -> str:
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert done.returncode == expect, done.stdout
        return done.stdout

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def example(self, name: str, text: str) -> Path:
        return self.write(f"examples/page/{name}.py", text)

    def outputs(self, name: str) -> Path:
        return self.root / "build" / "examples" / "page" / name

    def files(self, folder: str) -> dict[str, bytes]:
        root = self.root / folder
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def make_checkout(root: Path) -> Checkout:
    for package in ("courseware", "trainloop", "theme"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    checkout = Checkout(root)
    checkout.write("mkdocs.yml", config.partition("\nnav:")[0] + NAV)
    checkout.write("docs/index.md", "# Home\n\nA small course.\n")
    checkout.write("docs/page.md", PAGE)
    checkout.example("quick", QUICK)
    return checkout
