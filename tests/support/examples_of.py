"""The examples of a page, as the tests of its claims read them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from courseware import ROOT
from courseware.bindings import document
from courseware.example import load


class ExamplesOf:
    """Those of one page; `conftest.py` has brought them up to date.

    Args:
        page: the name of their folder in examples/.
    """

    def __init__(self, page: str) -> None:
        self.folder = ROOT / "examples" / page

    def results(self, example: str) -> dict[str, Any]:
        """What the example wrote in this checkout's build."""
        return document(self.folder.name, example)["results"]

    def rows(self, example: str, key: str = "rows", by: str = "name") -> dict[str, dict[str, Any]]:
        """A list of its results, by the name of each row."""
        return {row[by]: row for row in self.results(example)[key]}

    def script(self, example: str) -> ModuleType:
        """The example's module, to call its functions."""
        return load(self.folder / f"{example}.py")
